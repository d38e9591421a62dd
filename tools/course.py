"""Writes every table of contents from notebooks/course.toml, and the glossary from glossary.toml.

    python tools/course.py           writes what is stale
    python tools/course.py --check   exit status 1 if something is stale

Written are docs/contents.md, docs/glossary.md, binder/index.md, the lessons' table of README.md
(between its marks) and the cell `lessons` of lesson 00. The exercises' tasks come from their
exercise.toml. To change a line, change the TOML.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib.course.exercise import Exercise, Task, all_exercises
from k8snetlib.course.incidents.items import Check

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- lessons: written by tools/course.py -->", "<!-- end of lessons -->"
MADE = "This page is made by `python tools/course.py`, and a test keeps it fresh."
KINDS = {"code": "code", "value": "predict"}


class Statement(NamedTuple):
    """Where a lesson shows, teaches and asks one statement of the article."""

    id: str
    shown: tuple[str, ...]
    taught: tuple[str, ...]
    asked: tuple[str, ...]


class Lesson(NamedTuple):
    """One lesson. ``minutes`` is an estimate; ``needs`` lists the lessons that come before."""

    id: str
    slug: str
    title: str
    shows: str
    question: str
    minutes: int
    needs: tuple[str, ...]
    summary: str
    summary_zh: str
    optional: bool
    statements: tuple[Statement, ...]

    @property
    def path(self) -> str:
        """The notebook, from the repository's root."""
        return f"notebooks/{self.slug}.ipynb"

    @property
    def exercise(self) -> str:
        """The exercise's notebook, from the repository's root."""
        return f"exercises/{self.slug}/exercise.ipynb"


class Term(NamedTuple):
    """One term of the glossary, under the lesson that introduces it."""

    name: str
    lesson: str
    text: str
    zh: str
    text_zh: str


class Course(NamedTuple):
    """What the two TOML files say."""

    title: str
    title_zh: str
    repository: str
    branch: str
    lessons: tuple[Lesson, ...]
    terms: tuple[Term, ...]


def read_course(root: Path = ROOT) -> Course:
    """Both TOML files of ``root``; an unknown or missing key raises ``TypeError``."""
    data = tomllib.loads((root / "notebooks/course.toml").read_text(encoding="utf-8"))
    words = tomllib.loads((root / "notebooks/glossary.toml").read_text(encoding="utf-8"))
    lessons = tuple(_lesson(table) for table in data["lesson"])
    return Course(**data["course"], lessons=lessons, terms=tuple(Term(**t) for t in words["term"]))


def _lesson(table: dict[str, Any]) -> Lesson:
    said = tuple(
        Statement(s["id"], tuple(s["shown"]), tuple(s["taught"]), tuple(s["asked"]))
        for s in table.get("statement", [])
    )
    rest = {key: value for key, value in table.items() if key != "statement"}
    rest |= {"needs": tuple(rest["needs"]), "optional": rest.get("optional", False)}
    return Lesson(**rest, statements=said)


def _exercise_link(lesson: Lesson, root: Path, prefix: str) -> str:
    word = "warm-up" if lesson.id == "00" else lesson.id
    there = (root / lesson.exercise).exists()
    return f"[{word}]({prefix}{lesson.exercise})" if there else "–"


def readme_table(course: Course, root: Path = ROOT) -> str:
    """The table of lessons that README shows."""
    lines = [BEGIN, "| lesson | exercise | shows |", "|---|---|---|"]
    for lesson in course.lessons:
        link = f"[{lesson.id} {lesson.title}]({lesson.path})"
        lines.append(f"| {link} | {_exercise_link(lesson, root, '')} | {lesson.shows} |")
    return "\n".join([*lines, END])


def start_table(course: Course) -> str:
    """The table of lessons in lesson 00."""
    lines = ["## The lessons", "", "| lesson | question |", "|---|---|"]
    for lesson in course.lessons[1:]:
        optional = " (optional)" if lesson.optional else ""
        link = f"[{lesson.id} {lesson.title}]({lesson.slug}.ipynb)"
        lines.append(f"| {link}{optional} | {lesson.question} |")
    return "\n".join(lines)


def glossary_page(course: Course) -> str:
    """docs/glossary.md."""
    lines = [
        "# Glossary · 詞彙表", "",
        f"{len(course.terms)} terms, each with the lesson that introduces it. {MADE}", "",
        "| term | 中文 | what it is | 說明 | lesson |", "|---|---|---|---|---|",
    ]  # fmt: skip
    by_id = {lesson.id: lesson for lesson in course.lessons}
    for term in sorted(course.terms, key=lambda term: term.name.lower()):
        link = f"[{term.lesson}](../{by_id[term.lesson].path})"
        lines.append(f"| **{term.name}** | {term.zh} | {term.text} | {term.text_zh} | {link} |")
    return "\n".join(lines) + "\n"


def contents_page(course: Course, root: Path = ROOT) -> str:
    """docs/contents.md: lessons, prerequisites, tasks, statements, summaries."""
    core = [lesson.id for lesson in course.lessons if not lesson.optional]
    exercises = all_exercises(root)
    times = {e.id: sum(task.minutes for task in e.tasks) for e in exercises}
    total = sum(lesson.minutes for lesson in course.lessons) + sum(times.values())
    lines = [
        "# Contents", "", MADE, "",
        f"{len(course.lessons)} lessons, about {round(total / 60)} hours with all exercises. The "
        f"core path is {', '.join(core)}; the others are optional. [Glossary](glossary.md) · "
        "[launch any notebook on Binder](../binder/index.md) · [teaching](teaching.md)", "",
        "| lesson | question | time | exercise | time | needs |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for lesson in course.lessons:
        mark = " (optional)" if lesson.optional else ""
        lines.append(
            f"| [{lesson.id} {lesson.title}](../{lesson.path}){mark} | {lesson.question} "
            f"| {lesson.minutes} min | {_exercise_link(lesson, root, '../')} "
            f"| {_time(times.get(lesson.id))} | {', '.join(lesson.needs) or '–'} |"
        )
    lines += ["", *_summaries(course), "", *_tasks(exercises), "", *_statements(course)]
    return "\n".join(lines) + "\n"


def _time(minutes: int | None) -> str:
    return "–" if minutes is None else f"{minutes} min"


def _summaries(course: Course) -> list[str]:
    lines = ["## Summaries · 摘要", "", f"{course.title}  ", course.title_zh]
    for lesson in course.lessons:
        lines += ["", f"### {lesson.id} {lesson.title}", "", lesson.summary, "", lesson.summary_zh]
    return lines


def _tasks(exercises: tuple[Exercise, ...]) -> list[str]:
    tasks = [task for exercise in exercises for task in exercise.tasks]
    beliefs = {belief for task in tasks for belief in task.beliefs}
    lines = [
        "## Tasks", "", f"{len(tasks)} tasks, {sum(t.points for t in tasks)} points. Their checks "
        f"recognise {len(beliefs)} wrong beliefs.", "",
        "| task | what | kind | level | points | time |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    return lines + [
        f"| `{t.id}` | {t.title} | {kind_of(t)} | {t.level} | {t.points} | {t.minutes} min |"
        for t in tasks
    ]


def kind_of(task: Task) -> str:
    """What a task asks for: code, a prediction, or a repair (an incident)."""
    if any(isinstance(item.check, Check) for item in task.items):
        return "repair"
    return KINDS.get(task.kind, task.kind)


def _statements(course: Course) -> list[str]:
    lines = [
        "## The article's statements", "",
        "The course grew out of one article with fifteen statements. Each is shown by the model, "
        "taught in a lesson, and asked by a prediction card or a task.", "",
        "| | lesson | shown in cells | taught in cells | asked by |", "|---|---|---|---|---|",
    ]  # fmt: skip
    rows = [(s, lesson) for lesson in course.lessons for s in lesson.statements]
    for said, lesson in sorted(rows, key=lambda row: (int(row[0].id[1:]), row[1].id)):
        parts = [" ".join(f"`{n}`" for n in names) for names in said[1:]]
        lines.append(f"| {said.id} | [{lesson.id}](../{lesson.path}) | {' | '.join(parts)} |")
    return lines


def binder_page(course: Course, root: Path = ROOT) -> str:
    """binder/index.md: one launch link for each notebook."""
    start = f"https://mybinder.org/v2/gh/{course.repository}/{course.branch}?urlpath=lab/tree/"
    lines = [
        "# Launch a notebook on Binder", "",
        "Binder builds the course's environment and opens one notebook. Nothing is installed on "
        f"your machine. {MADE}", "", "| lesson | exercise |", "|---|---|",
    ]  # fmt: skip
    for lesson in course.lessons:
        there = (root / lesson.exercise).exists()
        exercise = f"[launch]({start}{lesson.exercise})" if there else "–"
        lines.append(f"| [{lesson.id} {lesson.title}]({start}{lesson.path}) | {exercise} |")
    return "\n".join(lines) + "\n"


def _between(text: str, new: str) -> str:
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError("README.md has lost the marks around its table of lessons.")
    return f"{head}{new}{tail}"


def _start_notebook(course: Course, root: Path) -> str:
    notebook = json.loads((root / course.lessons[0].path).read_text(encoding="utf-8"))
    (cell,) = [cell for cell in notebook["cells"] if cell["id"] == "lessons"]
    cell["source"] = start_table(course).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def pages(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file -> its text."""
    course = read_course(root)
    readme = root / "README.md"
    return {
        root / "docs/contents.md": contents_page(course, root),
        root / "docs/glossary.md": glossary_page(course),
        root / "binder/index.md": binder_page(course, root),
        readme: _between(readme.read_text(encoding="utf-8"), readme_table(course, root)),
        root / course.lessons[0].path: _start_notebook(course, root),
    }


def main() -> int:
    """Writes or checks."""
    stale = {
        path: text
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path in stale:
        print(f"{path.relative_to(ROOT)} is stale")
    if "--check" in sys.argv[1:]:
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
