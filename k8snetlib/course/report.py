"""What lives here: the report of a check, as values, as text and as data.

What may not live here: judgement, HTML (see ``page``), points that were not earned.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from k8snetlib.course.rubric import FAIL, INTERNAL, NOT_ATTEMPTED, PASS, STATUSES, Findings
from k8snetlib.trace import Exchange

#: A sign beside each status; the words always stand there too.
SIGNS = {PASS: "✓", FAIL: "✗", "error": "!", NOT_ATTEMPTED: "○", INTERNAL: "?"}


class ItemResult(NamedTuple):
    """What became of one item; ``points`` of ``of`` were earned."""

    id: str
    title: str
    status: str
    points: int
    of: int
    findings: Findings


class TaskResult(NamedTuple):
    """What became of one task."""

    id: str
    title: str
    hints: tuple[str, ...]
    items: tuple[ItemResult, ...]

    @property
    def points(self) -> int:
        """Points earned."""
        return sum(item.points for item in self.items)

    @property
    def of(self) -> int:
        """Points that a full answer earns."""
        return sum(item.of for item in self.items)

    @property
    def status(self) -> str:
        """The status of the whole task: pass only if every item passes."""
        found = {item.status for item in self.items}
        if found in ({PASS}, {NOT_ATTEMPTED}):
            return found.pop()
        return next((s for s in (INTERNAL, "error") if s in found), FAIL)

    @property
    def summary(self) -> str:
        """One line: ``04.lookup: not yet, 3 of 8 points``."""
        return f"{self.id}: {STATUSES[self.status]}, {self.points} of {self.of} points"


class Report(NamedTuple):
    """A judged exercise, or some tasks of it."""

    exercise: str
    title: str
    tasks: tuple[TaskResult, ...]
    seed: int

    @property
    def items(self) -> tuple[ItemResult, ...]:
        """The items of all tasks, in order."""
        return tuple(item for task in self.tasks for item in task.items)

    @property
    def points(self) -> int:
        """Points earned."""
        return sum(task.points for task in self.tasks)

    @property
    def of(self) -> int:
        """Points that full answers earn."""
        return sum(task.of for task in self.tasks)

    @property
    def passed(self) -> bool:
        """True if every item passed."""
        return all(item.status == PASS for item in self.items)

    @property
    def vector(self) -> dict[str, tuple[str, str | None]]:
        """Each item's id -> its status and the first belief that was recognised."""
        return {
            item.id: (item.status, next((f.belief for f in item.findings if f.belief), None))
            for item in self.items
        }

    def only(self, task_id: str) -> Report:
        """The same report for one task."""
        return self._replace(tasks=tuple(task for task in self.tasks if task.id == task_id))

    def to_dict(self) -> dict[str, Any]:
        """This report as JSON-ready values."""
        return {
            "exercise": self.exercise,
            "seed": self.seed,
            "points": self.points,
            "of": self.of,
            "tasks": [_task_dict(task) for task in self.tasks],
        }

    def __str__(self) -> str:
        return "\n\n".join(_task_text(task) for task in self.tasks)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython has a printer of its own for tuples, and would prefer it to our text.
        printer.text(str(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from k8snetlib.course.page import report_html

        return {"text/html": report_html(self), "text/plain": str(self)}


def _task_dict(task: TaskResult) -> dict[str, Any]:
    items = [
        {
            "id": item.id, "title": item.title, "status": item.status, "points": item.points,
            "of": item.of,
            "findings": [
                {"text": f.text, "belief": f.belief, "witness": witness_text(f.witness) or None}
                for f in item.findings
            ],
        }
        for item in task.items
    ]  # fmt: skip
    return {
        "id": task.id, "title": task.title, "status": task.status, "points": task.points,
        "of": task.of, "items": items,
    }  # fmt: skip


def _task_text(task: TaskResult) -> str:
    lines = [task.summary]
    for item in task.items:
        points = f"{item.points} of {item.of}"
        lines.append(f"  {SIGNS[item.status]} {STATUSES[item.status]} · {item.title} ({points})")
        lines += [f"      {finding.text}" for finding in item.findings]
    return "\n".join(lines)


def witness_text(witness: Exchange | str | None) -> str:
    """The witness in words; empty if there is none."""
    return "" if witness is None else str(witness)
