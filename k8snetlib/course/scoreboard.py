"""What lives here: the progress board: every exercise, every task, what was earned.

An exercise that is begun lies open, task by task; where none is, the next one does. The others are
one line each, and in a notebook can be opened.

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
from k8snetlib.course.rubric import NOT_ATTEMPTED, PASS, STATUSES


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


class Group(NamedTuple):
    """The tasks of one exercise. ``opened``: they are listed without being asked for."""

    name: str
    rows: tuple[Row, ...]
    opened: bool = False

    @property
    def done(self) -> int:
        """How many tasks are done."""
        return sum(row.status == PASS for row in self.rows)

    @property
    def state(self) -> str:
        """One of ``STATES``."""
        if self.done == len(self.rows):
            return "done"
        begun = any(row.status != NOT_ATTEMPTED for row in self.rows)
        return "begun" if begun else "not begun"

    @property
    def summary(self) -> str:
        """One line: the exercise, tasks done and points."""
        points, of = sum(row.points for row in self.rows), sum(row.of for row in self.rows)
        tasks = f"{self.done} of {len(self.rows)} task{'s' * (len(self.rows) > 1)}"
        return f"{self.name}: {tasks}, {points} of {of} points, {self.state}"


#: What can be said of an exercise, with its sign.
STATES = {"done": "✓", "begun": "◐", "not begun": "○"}


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

    @property
    def groups(self) -> tuple[Group, ...]:
        """The exercises, those that matter now opened."""
        found = [
            Group(name, tuple(rows)) for name, rows in groupby(self.rows, lambda row: row.exercise)
        ]
        begun = [one.name for one in found if one.state == "begun"]
        ahead = [one.name for one in found if one.state == "not begun"]
        opened = begun or ahead[:1]
        return tuple(one._replace(opened=one.name in opened) for one in found)

    def __str__(self) -> str:
        lines = [*self.news, self.summary]
        for group in self.groups:
            lines.append(f"  {STATES[group.state]} {group.summary}")
            for row in group.rows if group.opened else ():
                left = f"{SIGNS[row.status]} {row.task:<18} {row.title}"
                right = f"{STATUSES[row.status]}, {row.points} of {row.of} ({row.level})"
                lines.append(f"      {left}: {right}")
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
    '<thead><tr><th scope="col">Task</th><th scope="col">Level</th><th scope="col">State</th>'
    '<th scope="col" class="num">Points</th></tr></thead>'
)

#: On a phone a task is two lines, so that its state and its points are in sight.
_STYLE = (
    "<style>.k8snet-report.k8snet-report .board table{margin:2px 0 12px}"
    ".k8snet-report.k8snet-report .board caption{position:absolute;clip-path:inset(50%)}"
    "@media(max-width:600px){"
    ".k8snet-report.k8snet-report .board table{min-width:0}"
    ".board :is(table,caption,tbody,tr,th){display:block}"
    ".board thead{position:absolute;clip-path:inset(50%)}"
    ".k8snet-report.k8snet-report .board tr{text-align:left;background:none;padding:3px 0;"
    "border-bottom:1px solid var(--line)}"
    ".k8snet-report.k8snet-report .board :is(th,td){border:0;padding:2px 0}"
    ".k8snet-report.k8snet-report .board td{display:inline-block;margin-right:14px}"
    ".k8snet-report .board .st{min-width:0}}</style>"
)


def board_html(board: Board) -> str:
    """The board as HTML: a line an exercise, which opens to a table of its tasks."""
    news = "".join(f"<p><strong>{escape(line)}</strong></p>" for line in board.news)
    summary = f"<p><strong>{escape(board.summary)}</strong></p>"
    groups = "".join(map(_group_html, board.groups))
    return card(f'{_STYLE}{news}{summary}<div class="board">{groups}</div>', "Your progress")


def _group_html(group: Group) -> str:
    opened = ' open=""' if group.opened else ""
    sign = f'<span aria-hidden="true">{STATES[group.state]}</span> '
    table = (
        f"<table><caption>{escape(group.name)}</caption>{_HEAD}"
        f"<tbody>{''.join(map(_row_html, group.rows))}</tbody></table>"
    )
    return f"<details{opened}><summary>{sign}{escape(group.summary)}</summary>{table}</details>"


def _row_html(row: Row) -> str:
    return (
        f'<tr><th scope="row">{escape(row.task)}<br/>'
        f'<span class="sum">{escape(row.title)}</span></th>'
        f"<td>{row.level}, {row.minutes} min</td><td>{status_html(row.status)}</td>"
        f'<td class="num">{row.points} of {row.of}</td></tr>'
    )
