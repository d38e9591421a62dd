"""The bank of answers beside the tests: accepted solutions and misconceptions, as cell sources.

A file is cut at its lines ``# answer: TASK``; each piece is the source of that task's answer cell.
A solution may hold some tasks only, a misconception holds one: the first solution fills the rest.
The docstring of a misconception says what the check must find, one item a line::

    finds: 04.lookup.longest FIRST_MATCH      this item fails, and names this belief
    finds: 04.lookup.default -                this item fails too, without a belief of its own
"""

from __future__ import annotations

import ast
import json
import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib.course.collect import collect, questions
from k8snetlib.course.exercise import Exercise, all_exercises
from k8snetlib.course.judge import judge_task
from k8snetlib.course.notebook import run_answers, setup_sources
from k8snetlib.course.report import Report, TaskResult

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = all_exercises(ROOT)
SEEDS = (1, 2, 77)

_PIECE = re.compile(r"(?m)^(?=# answer: )")
_FINDS = re.compile(r"(?m)^finds: (\S+) (\S+)$")


class Answer(NamedTuple):
    """One file of the bank. ``finds`` maps an item to the belief that must be named (or None)."""

    exercise: Exercise
    name: str
    sources: dict[str, str]
    finds: dict[str, str | None]


def _read(exercise: Exercise, path: Path) -> Answer:
    text = path.read_text(encoding="utf-8")
    pieces = {p.split()[2]: p.rstrip() + "\n" for p in _PIECE.split(text)[1:]}
    for task_id in pieces:
        exercise.task(task_id)
    head = ast.get_docstring(ast.parse(text)) or ""
    finds = {item: None if belief == "-" else belief for item, belief in _FINDS.findall(head)}
    return Answer(exercise, path.stem, pieces, finds)


@cache
def solutions(exercise: Exercise) -> tuple[Answer, ...]:
    """Every accepted solution, completed; the complete ones come first."""
    folder = ROOT / "tests" / "exercises" / exercise.folder.name / "solutions"
    found = [_read(exercise, path) for path in sorted(folder.glob("*.py"))]
    found.sort(key=lambda answer: -len(answer.sources))
    return tuple(a._replace(sources=found[0].sources | a.sources) for a in found)


@cache
def misconceptions(exercise: Exercise) -> tuple[Answer, ...]:
    """Every misconception; the rest of its answers are right."""
    folder = ROOT / "tests" / "exercises" / exercise.folder.name / "misconceptions"
    right = solutions(exercise)[0].sources
    found = (_read(exercise, path) for path in sorted(folder.glob("*.py")))
    return tuple(a._replace(sources=right | a.sources) for a in found)


@cache
def setup(exercise: Exercise) -> tuple[str, ...]:
    """The setup cells of the exercise's notebook, read once."""
    return setup_sources(exercise)


@cache
def asked(exercise: Exercise, seed: int) -> dict[str, Any]:
    """The questions of a seed, made once; ``collect`` hands out fresh copies of their arguments."""
    return questions(exercise, seed)


@cache
def task_judged(exercise: Exercise, task_id: str, told: str, seed: int) -> TaskResult:
    """Judges one task's collected answer, given as JSON. Judging is a pure function of these
    four, so what many files of the bank answer alike is judged once."""
    return judge_task(exercise.task(task_id), json.loads(told), seed)


@cache
def reports(answer_name: str, exercise: Exercise) -> dict[int, Report]:
    """Every seed's report on one file of the bank. Its cells run once, in one namespace, and are
    asked for each seed in turn, as the grader does it."""
    bank = (*solutions(exercise), *misconceptions(exercise))
    answer = next(a for a in bank if a.name == answer_name)
    answers = run_answers(exercise, answer.sources, setup(exercise))
    found = {}
    for seed in SEEDS:
        told = collect(asked(exercise, seed), answers)
        tasks = (task_judged(exercise, t, json.dumps(told[t]), seed) for t in told)
        found[seed] = Report(exercise.id, exercise.title, tuple(tasks), seed)
    return found


def judged(answer_name: str, exercise: Exercise, seed: int) -> Report:
    """The report on one file of the bank, for one of ``SEEDS``."""
    return reports(answer_name, exercise)[seed]


def well_formed(html: str) -> ET.Element:
    """The HTML as XML: our own pages close what they open."""
    return ET.fromstring(f"<page>{html}</page>")


def each(kind: str) -> list[Answer]:
    """All solutions, or all misconceptions, of all exercises."""
    read = {"solutions": solutions, "misconceptions": misconceptions}[kind]
    return [answer for exercise in EXERCISES for answer in read(exercise)]


def name_of(value: object) -> str | None:
    """A test id."""
    if isinstance(value, Answer):
        return f"{value.exercise.id}-{value.name}"
    return value.folder.name if isinstance(value, Exercise) else None
