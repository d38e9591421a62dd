"""The course as a whole: one TOML, its generated pages, the article's statements, the terms."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from typing import Any

import pytest

from k8snetlib.course.exercise import all_exercises
from tests.test_notebooks import LONGEST_SENTENCE, ROOT, sentences
from tools import course

COURSE = course.read_course()
LESSONS = {lesson.id: lesson for lesson in COURSE.lessons}
STATEMENTS = [(lesson, said) for lesson in COURSE.lessons for said in lesson.statements]
#: Characters that are written so in simplified Chinese only.
SIMPLIFIED = set("网络进这说为过还没对时间发现节点连线装备议换转题应复规则错误请动态两个们从来问处")


@cache
def cells(lesson_id: str) -> dict[str, Any]:
    notebook = json.loads((ROOT / LESSONS[lesson_id].path).read_text(encoding="utf-8"))
    return {cell["id"]: cell for cell in notebook["cells"]}


@cache
def cards(lesson_id: str) -> set[str]:
    path = ROOT / "k8snetlib" / "course" / "cards" / f"{lesson_id}.toml"
    return set(tomllib.loads(path.read_text(encoding="utf-8"))) if path.exists() else set()


def source(cell: Any) -> str:
    return "".join(cell["source"])


@pytest.mark.parametrize("path", list(course.pages()), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_generated_page_is_fresh(path) -> None:
    stored = path.read_text(encoding="utf-8")
    assert stored == course.pages()[path], "stale: run `python tools/course.py`"


def test_every_lesson_is_in_the_course() -> None:
    found = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert found == [lesson.slug for lesson in COURSE.lessons]
    assert {e.folder.name for e in all_exercises(ROOT)} <= {
        lesson.slug for lesson in COURSE.lessons
    }


@pytest.mark.parametrize("lesson", COURSE.lessons, ids=lambda lesson: lesson.id)
def test_a_lesson_says_the_same_as_the_course(lesson) -> None:
    text = "\n".join(source(c) for c in cells(lesson.id).values() if c["cell_type"] == "markdown")
    said = re.findall(r"\(about (\d+) minutes\)", text)
    assert said == ([] if lesson.id == "00" else [str(lesson.minutes)])
    assert all(need < lesson.id for need in lesson.needs)
    if (ROOT / lesson.exercise).exists():
        assert f"(../{lesson.exercise})" in text, "the lesson does not lead to its exercise"
    assert all(len(s.split()) <= LONGEST_SENTENCE for s in sentences(lesson.summary))


def test_every_statement_of_the_article_is_covered() -> None:
    assert {said.id for _, said in STATEMENTS} == {f"A{n}" for n in range(1, 16)}


@pytest.mark.parametrize(
    ("lesson", "said"), STATEMENTS, ids=[f"{lesson.id}-{said.id}" for lesson, said in STATEMENTS]
)
def test_a_statement_is_shown_taught_and_asked(lesson, said) -> None:
    there = cells(lesson.id)
    for name in said.shown:
        assert there[name]["cell_type"] == "code", name
        assert there[name]["outputs"] or "assert " in source(there[name]), name
    for name in said.taught:
        assert there[name]["cell_type"] == "markdown", name
    box = [c for c in there.values() if re.search(rf"^\| {said.id} \|", source(c), re.M)]
    assert len(box) == 1, "'The article says / what really happens' has no row for it"
    tasks = {task.id for exercise in all_exercises(ROOT) for task in exercise.tasks}
    assert said.asked
    for name in said.asked:
        other = name.partition("-")[0]
        assert name in tasks or name in cards(other), name
        if name not in tasks:
            assert any(f'predict("{name}")' in source(c) for c in cells(other).values()), name


# -- the glossary ---------------------------------------------------------------------------------


def emphasised(lesson_id: str) -> set[str]:
    text = "\n".join(source(c) for c in cells(lesson_id).values() if c["cell_type"] == "markdown")
    return {word.lower() for word in re.findall(r"\*{1,2}([^*\n]+)\*{1,2}", text)}


@pytest.mark.parametrize("term", COURSE.terms, ids=lambda term: term.name)
def test_a_term_is_introduced_once(term) -> None:
    """In its lesson it stands out; in no earlier lesson does it."""
    names = {term.name.lower(), f"{term.name.lower()}s"}
    assert names & emphasised(term.lesson), f"lesson {term.lesson} does not introduce it"
    for lesson in COURSE.lessons:
        if lesson.id < term.lesson:
            assert not names & emphasised(lesson.id), f"lesson {lesson.id} has it already"
    assert all(len(s.split()) <= LONGEST_SENTENCE for s in sentences(term.text))


def test_terms_are_named_once() -> None:
    names = [term.name.lower() for term in COURSE.terms]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "text",
    [*(lesson.summary_zh for lesson in COURSE.lessons), *(term.text_zh for term in COURSE.terms)],
)
def test_chinese_is_traditional(text) -> None:
    assert re.search(r"[一-鿿]", text)
    assert not set(text) & SIMPLIFIED, "simplified characters"
