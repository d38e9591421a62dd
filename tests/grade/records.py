"""Records to write feedback and gradebooks about, made from the bank of answers beside the tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from k8snetlib.course.exercise import Exercise
from k8snetlib.course.judge import judge
from k8snetlib.course.report import Report, witness_text
from k8snetlib.grade.record import Graded
from k8snetlib.trace import Exchange
from k8snetlib.views import draw
from tests.exercises import bank

E00, E04 = (next(e for e in bank.EXERCISES if e.id == number) for number in ("00", "04"))


def told(report: Report) -> dict[str, Any]:
    """A report in the form of a record, pictures included."""
    said = report.to_dict() | {"title": report.title}
    for task, written in zip(report.tasks, said["tasks"], strict=True):
        for item, line in zip(task.items, written["items"], strict=True):
            line["visible"] = item.status
            for finding, entry in zip(item.findings, line["findings"], strict=True):
                seen = isinstance(finding.witness, Exchange)
                entry["witness"] = witness_text(finding.witness) or None
                entry["picture"] = draw(finding.witness).svg if seen else None
    return said


@cache
def report_of(exercise: Exercise, name: str) -> Report:
    """The report on a file of the bank; ``stub`` is the untouched notebook."""
    return judge(exercise, {}) if name == "stub" else bank.judged(name, exercise, 1)


def graded(learner: str, name: str = "", exercise: Exercise = E04, **fields: Any) -> Graded:
    """A record; ``name`` is a file of the bank, "" the first solution."""
    report = told(report_of(exercise, name or bank.solutions(exercise)[0].name))
    return Graded(
        learner, exercise.id, f"{learner}_{exercise.id}.ipynb", "graded", "", report, (1, 2), "none"
    )._replace(**fields)


def failed(learner: str, status: str, text: str = "", exercise: str = "04") -> Graded:
    """A record without a report."""
    return Graded(learner, exercise, f"{learner}.ipynb", status, text)


def with_items(record: Graded, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Graded:
    """The same record with every item changed, and the points that follow."""
    assert record.report is not None
    tasks = []
    for task in record.report["tasks"]:
        items = [change(dict(item)) for item in task["items"]]
        tasks.append(task | {"items": items, "points": sum(item["points"] for item in items)})
    points = sum(task["points"] for task in tasks)
    return record._replace(report=record.report | {"tasks": tasks, "points": points})


def broken(record: Graded, item_id: str) -> Graded:
    """The same record, but our own check broke at one item."""
    lost = {"status": "internal-error", "points": 0}
    return with_items(record, lambda item: item | lost if item["id"] == item_id else item)


def a_class() -> list[Graded]:
    """8 full, 3 who read a table from the top, 1 who did nothing, 1 broken file, 1 of our faults."""
    return [
        *(graded(f"full{n}") for n in range(8)),
        *(graded(f"first{n}", "FIRST_MATCH__top_down") for n in range(3)),
        graded("none", "stub"),
        failed("file", "not-json", "It is cut off."),
        broken(graded("ours"), "04.lookup.default"),
    ]
