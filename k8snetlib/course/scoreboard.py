"""What lives here: the progress board: every exercise, every task, what was earned.

What may not live here: reading or writing progress (``progress``), judgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any, NamedTuple

from k8snetlib.course.exercise import Exercise, Task
from k8snetlib.course.page import card, status_html
from k8snetlib.course.progress import Entry, State
from k8snetlib.course.report import SIGNS
from k8snetlib.course.rubric import STATUSES


class Row(NamedTuple):
    """One task on the board."""

    exercise: str
    task: str
    title: str
    level: str
    minutes: int
    status: str
    points: int
    of: int


class Board(NamedTuple):
    """The progress board; shows itself in a notebook, prints as text."""

    rows: tuple[Row, ...]
    news: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """Points earned in all exercises."""
        return sum(row.points for row in self.rows)

    @property
    def of(self) -> int:
        """Points of the whole course."""
        return sum(row.of for row in self.rows)

    @property
    def summary(self) -> str:
        """One line: tasks done and points."""
        done = sum(row.status == "pass" for row in self.rows)
        return f"{done} of {len(self.rows)} tasks done, {self.points} of {self.of} points."

    def __str__(self) -> str:
        lines = [*self.news, self.summary]
        for row in self.rows:
            left = f"{SIGNS[row.status]} {row.task:<18} {row.title}"
            right = f"{STATUSES[row.status]}, {row.points} of {row.of} ({row.level})"
            lines.append(f"  {left}: {right}")
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython has a printer of its own for tuples, and would prefer it to our text.
        printer.text(str(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": board_html(self), "text/plain": str(self)}


def make_board(exercises: Sequence[Exercise], state: State, news: Sequence[str] = ()) -> Board:
    """The board of some exercises and a state of progress."""
    rows = (
        _row(exercise, task, state.get(task.id, Entry()))
        for exercise in exercises
        for task in exercise.tasks
    )
    return Board(tuple(rows), tuple(news))


def _row(exercise: Exercise, task: Task, entry: Entry) -> Row:
    # A rubric may have lost points since; a stored status may be one we no longer know.
    points = min(entry.points, task.points)
    status = entry.status if entry.status in STATUSES else "not-attempted"
    name = f"{exercise.id} · {exercise.title}"
    return Row(name, task.id, task.title, task.level, task.minutes, status, points, task.points)


_HEAD = (
    '<thead><tr><th scope="col">Exercise</th><th scope="col">Task</th>'
    '<th scope="col">Level</th><th scope="col">State</th>'
    '<th scope="col" class="num">Points</th></tr></thead>'
)

#: On a phone a task is two lines, so that its state and its points are in sight.
_NARROW = (
    "<style>@media(max-width:600px){"
    ".k8snet-report.k8snet-report .board{min-width:0}"
    ".board,.board :is(caption,tbody,tr,th){display:block}"
    ".board thead{position:absolute;clip-path:inset(50%)}"
    ".k8snet-report.k8snet-report .board tr{text-align:left;background:none;padding:3px 0;"
    "border-bottom:1px solid var(--line)}"
    ".k8snet-report.k8snet-report .board :is(th,td){border:0;padding:2px 0}"
    ".k8snet-report.k8snet-report .board td{display:inline-block;margin-right:14px}"
    ".k8snet-report .board .st{min-width:0}}</style>"
)


def board_html(board: Board) -> str:
    """The board as an HTML table: one group of rows an exercise."""
    bodies = []
    for name, group in groupby(board.rows, lambda row: row.exercise):
        rows = [_row_html(row) for row in group]
        head = f'<th scope="rowgroup" rowspan="{len(rows)}">{escape(name)}</th>'
        lines = [f"<tr>{head if at == 0 else ''}{row}</tr>" for at, row in enumerate(rows)]
        bodies.append(f"<tbody>{''.join(lines)}</tbody>")
    news = "".join(f"<p><strong>{escape(line)}</strong></p>" for line in board.news)
    caption = f"<caption>{escape(board.summary)}</caption>"
    table = f'{_NARROW}<table class="board">{caption}{_HEAD}{"".join(bodies)}</table>'
    scroll = f'<div class="pic" tabindex="0" role="group" aria-label="All tasks">{table}</div>'
    return card(news + scroll, "Your progress")


def _row_html(row: Row) -> str:
    return (
        f'<th scope="row">{escape(row.task)}<br/><span class="sum">{escape(row.title)}</span></th>'
        f"<td>{row.level}, {row.minutes} min</td><td>{status_html(row.status)}</td>"
        f'<td class="num">{row.points} of {row.of}</td>'
    )
