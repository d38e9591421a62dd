"""What lives here: records as rows, and the gradebook as CSV and JSON.

Every record is a row, and so is everybody of the roster who handed nothing in (``missing``). Points
stand where answers were judged. Elsewhere (a file that nobody could read, our own fault) the cell
is empty and the row is in ``review.csv``: a zero is earned, too.

Text that came from outside never becomes a formula of a spreadsheet: ``cell`` puts an apostrophe
before ``= + - @`` and their like. Nothing here depends on the clock: same records, same files.

What may not live here: what Canvas and Moodle want (``lms``), statistics (``analysis``).

Source: CWE-1236 (formula elements in a CSV file).
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from k8snetlib.course.exercise import Exercise
from k8snetlib.grade.record import STATUSES, Graded, in_order
from k8snetlib.grade.released import compared
from k8snetlib.grade.roster import Index, Person, Roster, from_name

MISSING = "missing"
#: Statuses whose points count: the answers ran, or were given their time to run.
JUDGED = frozenset({"graded", "time-limit", "memory-limit", "killed", "crashed", "no-result"})

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Row(NamedTuple):
    """One learner and one exercise.

    ``points`` is None where nothing was judged or a person must look first; ``of`` is None where
    the exercise is unknown. ``known`` is False if the learner is not in the roster; ``rivals`` is
    True if another row holds points of the same person for the same exercise.
    """

    person: Person
    known: bool
    exercise: str
    status: str
    points: int | None
    of: int | None
    record: Graded | None
    rivals: bool = False

    @property
    def learner(self) -> str:
        """What the learner is called in all tables."""
        return self.record.learner if self.record else self.person.called

    @property
    def why(self) -> str:
        """Why a person must look at this row; empty if nobody has to."""
        record = self.record
        if record is None:
            return ""
        if self.status not in JUDGED:
            return record.text or f"{STATUSES[self.status].capitalize()}."
        if record.needs_review:
            broken = [item["id"] for item in record.items if item["status"] == "internal-error"]
            return f"Our check broke at {', '.join(broken)}."
        if self.rivals:
            return "Another submission of the same person was graded, too."
        return "" if self.known else "This learner is not in the roster."


class Book(NamedTuple):
    """All rows of a class, by learner and exercise, and the exercises that the columns are for."""

    rows: tuple[Row, ...]
    exercises: tuple[Exercise, ...]

    @property
    def review(self) -> tuple[Row, ...]:
        """The rows that a person must look at."""
        return tuple(row for row in self.rows if row.why)

    def used(self, exercise: Exercise) -> tuple[tuple[str, str], ...]:
        """The fingerprints of an exercise that rows were graded with, each with what
        ``released.compared`` says of it; more than one only where records of several runs meet."""
        records = (row.record for row in self.rows if row.record and row.exercise == exercise.id)
        prints = sorted({record.pristine for record in records} - {""})
        return tuple((one, compared(exercise, one)) for one in prints)


def make_book(
    records: Iterable[Graded], exercises: Sequence[Exercise], roster: Roster = ()
) -> Book:
    """The gradebook of some records.

    Parameters: ``exercises`` are those that were to be handed in, each a block of columns;
    ``roster`` is the class, or empty if nobody knows it.
    """
    index, by_id = Index(roster), {exercise.id: exercise for exercise in exercises}
    rows = [_row(record, index, by_id, bool(roster)) for record in in_order(records)]
    there = {(row.person, row.exercise) for row in rows}
    for person in roster:
        for exercise in exercises:
            if (person, exercise.id) not in there:
                rows.append(Row(person, True, exercise.id, MISSING, None, exercise.points, None))
    count = Counter((row.person, row.exercise) for row in rows if row.points is not None)
    rows = [
        row._replace(points=None, rivals=True) if count[row.person, row.exercise] > 1 else row
        for row in rows
    ]
    rows.sort(key=lambda row: (row.learner, row.exercise, row.record.source if row.record else ""))
    return Book(tuple(rows), tuple(exercises))


def _row(record: Graded, index: Index, exercises: Mapping[str, Exercise], has_roster: bool) -> Row:
    fit = index.person(record.learner)
    person = fit or from_name(record.learner)
    exercise = exercises.get(record.exercise)
    judged = record.status in JUDGED and not record.needs_review
    points = record.points if judged else None
    of = exercise.points if exercise else None
    known = fit is not None or not has_roster
    return Row(person, known, record.exercise, record.status, points, of, record)


def cell(value: object) -> str:
    """A value as a cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def table(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV (RFC 4180)."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def gradebook_csv(book: Book) -> str:
    """``gradebook.csv``: a row per learner and exercise, a column per item."""
    items = [item.id for exercise in book.exercises for item in exercise.items]
    head = ["learner", "section", "exercise", "status", "points", "of", "review", *items, "source"]
    rows: list[list[object]] = [list(head)]
    for row in book.rows:
        earned = _earned(row)
        start = [row.learner, row.person.section, row.exercise, row.status, row.points, row.of]
        source = row.record.source if row.record else ""
        rows.append([*start, row.why, *(earned.get(item) for item in items), source])
    return table(rows)


def _earned(row: Row) -> Mapping[str, int | None]:
    """Points by item; an item whose check broke has none."""
    items = row.record.items if row.record else ()
    return {i["id"]: None if i["status"] == "internal-error" else i["points"] for i in items}


def review_csv(book: Book) -> str:
    """``review.csv``: what a person must look at, and why."""
    head = ["learner", "exercise", "status", "why", "source"]
    rows = (
        [row.learner, row.exercise, row.status, row.why, row.record.source if row.record else ""]
        for row in book.review
    )
    return table([head, *rows])


def grades_json(book: Book) -> str:
    """``grades.json``: all rows with their items and beliefs, one row a line."""
    exercises = [
        {"id": e.id, "title": e.title, "of": e.points, "graded_with": dict(book.used(e))}
        for e in book.exercises
    ]
    rows = ",\n".join(json.dumps(_told(row), ensure_ascii=False) for row in book.rows)
    head = json.dumps(exercises, ensure_ascii=False)
    return f'{{"exercises": {head},\n"rows": [\n{rows}\n]}}\n'


def _told(row: Row) -> dict[str, Any]:
    record = row.record
    items = [
        {
            "id": item["id"], "status": item["status"], "points": item["points"], "of": item["of"],
            "beliefs": [f["belief"] for f in item["findings"] if f["belief"]],
        }
        for item in (record.items if record else ())
    ]  # fmt: skip
    return {
        "learner": row.learner, "exercise": row.exercise, "status": row.status,
        "points": row.points, "of": row.of, "review": row.why, "items": items,
        "source": record.source if record else None,
        "seeds": list(record.seeds) if record else [],
        "person": {key: value for key, value in row.person._asdict().items() if value},
    }  # fmt: skip
