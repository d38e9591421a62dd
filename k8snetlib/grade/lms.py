"""What lives here: the gradebook in the forms that Canvas and Moodle import.

* ``canvas.csv``: one row a learner, one column an exercise. Canvas finds people by ``ID``, then SIS
  User ID, SIS Login ID, and name; whom it does not know, it asks about. An assignment is found by
  the number in brackets after its title, else by the title.
* ``moodle.csv``: one row a person, a grade and a feedback column for each exercise. One person that
  Moodle does not know cancels its whole import, so only people with a name of the roster (or,
  without a roster, a login) are in it. The others are in ``review.csv`` or in the worksheets.
* ``moodle-worksheet-04.csv``: Moodle's offline grading worksheet of one assignment, for those whose
  number in that assignment is known: it is in the name of the folder that Moodle made.

An empty cell is no grade: two files compete, nothing was judged, or nothing was handed in.

What may not live here: who a learner is (``roster``), what points were earned.

Source: Canvas ``lib/gradebook_importer.rb``; Moodle ``grade/import/csv/classes/load_data.php`` and
``mod/assign/feedback/offline/importgradeslib.php``.
"""

from __future__ import annotations

from collections.abc import Mapping

from k8snetlib.course.exercise import Exercise
from k8snetlib.course.rubric import STATUSES
from k8snetlib.grade.gradebook import Book, Row, table
from k8snetlib.grade.roster import Person

#: The spaces are Canvas's own.
_POSSIBLE = "    Points Possible"


def title(exercise: Exercise) -> str:
    """What the exercise is called in a gradebook."""
    return f"Exercise {exercise.id}: {exercise.title}"


def _grades(book: Book) -> dict[Person, dict[str, Row]]:
    """Person -> exercise -> the row whose points count. Everybody is there, also without one."""
    found: dict[Person, dict[str, Row]] = {}
    for row in book.rows:
        mine = found.setdefault(row.person, {})
        if row.points is not None:
            mine[row.exercise] = row
    return found


def canvas_csv(book: Book, assignments: Mapping[str, str] | None = None) -> str:
    """``canvas.csv``. ``assignments`` maps an exercise's id to Canvas's own number for it."""
    numbers = assignments or {}
    columns = [
        title(e) + (f" ({numbers[e.id]})" if e.id in numbers else "") for e in book.exercises
    ]
    rows: list[list[object]] = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *columns],
        [_POSSIBLE, "", "", "", "", *(exercise.points for exercise in book.exercises)],
    ]
    for person, grades in _grades(book).items():
        points = [_points(grades, exercise) for exercise in book.exercises]
        named = person.name or person.called
        rows.append([named, person.id, person.sis_id, person.login, person.section, *points])
    return table(rows)


def _points(grades: Mapping[str, Row], exercise: Exercise) -> int | None:
    row = grades.get(exercise.id)
    return row.points if row else None


def moodle_csv(book: Book) -> str:
    """``moodle.csv``, for "Grades > Import > CSV file". Map one of the first three columns."""
    known = {row.person for row in book.rows if row.known}
    head = ["Email address", "Username", "ID number"]
    for exercise in book.exercises:
        head += [title(exercise), f"{title(exercise)} (feedback)"]
    rows: list[list[object]] = [list(head)]
    for person, grades in _grades(book).items():
        if person in known and (person.email or person.login or person.sis_id):
            cells = [c for e in book.exercises for c in (_points(grades, e), _feedback(grades, e))]
            rows.append([person.email, person.login, person.sis_id, *cells])
    return table(rows)


def moodle_worksheet(book: Book, exercise: Exercise) -> str:
    """``moodle-worksheet-NN.csv``; nobody is in it whose number Moodle did not tell."""
    head = ["Identifier", "Full name", "Grade", "Last modified (grade)", "Feedback comments"]
    rows: list[list[object]] = [list(head)]
    for person, grades in _grades(book).items():
        row = grades.get(exercise.id)
        if person.participant and row:
            number = f"Participant {person.participant}"
            rows.append([number, person.name, row.points, "", _feedback(grades, exercise)])
    return table(rows)


def _feedback(grades: Mapping[str, Row], exercise: Exercise) -> str:
    """One line a grade: what each task earned."""
    row = grades.get(exercise.id)
    if row is None or row.record is None:
        return ""
    tasks = row.record.report["tasks"] if row.record.report else []
    said = [f"{t['id']}: {STATUSES[t['status']]}, {t['points']} of {t['of']}" for t in tasks]
    return "; ".join([f"{row.points} of {row.of} points", *said])
