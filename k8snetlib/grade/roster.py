"""What lives here: the list of a class, and which of its people a submission's learner is.

A roster is a CSV file with a header. Its columns may come in any order and any case: ``learner``
(as ``layouts`` names them), ``name``, ``id``, ``sis_id``, ``login``, ``email``, ``section``,
``participant``. What Canvas and Moodle export is read as it is: their column names are known.

A learner is a person if exactly one person fits; a guess between two is no fit. A learner with a
number of Canvas or Moodle (``…_canvas123``, ``…_moodle12345``) is found by that number.

What may not live here: grades.

Source: Canvas ``lib/gradebook_importer.rb``, Moodle ``mod/assign/feedback/offline``.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from k8snetlib.errors import K8sNetError

COLUMNS: Mapping[str, str] = {
    "learner": "learner", "student": "name", "name": "name", "full name": "name",
    "id": "id", "canvas id": "id", "sis user id": "sis_id", "sis_id": "sis_id",
    "id number": "sis_id", "idnumber": "sis_id", "sis login id": "login", "login": "login",
    "username": "login", "email": "email", "email address": "email", "section": "section",
    "group": "section", "identifier": "participant", "participant": "participant",
    "first name": "first", "last name": "last", "surname": "last",
}  # fmt: skip

_CANVAS = re.compile(r".*_canvas(\d+)")
_MOODLE = re.compile(r"(.*)_moodle(\d+)")


class BadRoster(K8sNetError):
    """A roster that cannot be read, or in which two people are one."""


class Person(NamedTuple):
    """One person of a class. ``id`` is Canvas's number, ``sis_id`` the institution's (Moodle: "ID
    number"), ``participant`` the number that Moodle gives a person in one assignment."""

    learner: str = ""
    name: str = ""
    id: str = ""
    sis_id: str = ""
    login: str = ""
    email: str = ""
    section: str = ""
    participant: str = ""

    @property
    def called(self) -> str:
        """What to call this person in a table: the first of their names that is there."""
        return self.learner or self.name or self.login or self.email or self.sis_id or self.id


Roster = tuple[Person, ...]


def read_roster(path: Path) -> Roster:
    """Reads a roster. Raises ``BadRoster``, which names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRoster(f"{path.name} cannot be read: {error}.", "Save it as UTF-8.") from None
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        fields = [COLUMNS.get(cell.strip().lower(), "") for cell in next(rows, [])]
        if not set(fields) & {"learner", "name", "id", "sis_id", "login", "email"}:
            raise BadRoster(
                f"{path.name} has no column that names people.",
                "Its first line must have one of: learner, id, login, email.",
            )
        people = [_person(fields, row) for row in rows]
    except csv.Error as error:
        raise BadRoster(f"{path.name}, line {rows.line_num}: {error}.") from None
    found = tuple(person for person in people if person.called)
    _must_differ(found, path.name)
    return found


def _person(fields: Sequence[str], row: Sequence[str]) -> Person:
    said: dict[str, str] = {}
    for field, cell in zip(fields, row, strict=False):
        if field and cell.strip():
            said.setdefault(field, unicodedata.normalize("NFC", cell.strip()))
    # Rows of Canvas's own export that are nobody.
    if "Points Possible" in said.get("name", "") or said.get("name") == "Student, Test":
        return Person()
    first, last = said.pop("first", ""), said.pop("last", "")
    if "name" not in said and (first or last):
        said["name"] = f"{first} {last}".strip()
    if "participant" in said:
        said["participant"] = said["participant"].rpartition(" ")[2]
    return Person(**said)


def _must_differ(people: Roster, name: str) -> None:
    for field in ("learner", "id", "sis_id", "login", "email", "participant"):
        seen: set[str] = set()
        for person in people:
            value = _plain(getattr(person, field))
            if value and value in seen:
                raise BadRoster(f"{name}: two people have the {field} '{value}'.")
            seen.add(value)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


class Index:
    """Finds the person behind a learner's name."""

    __slots__ = ("_by_id", "_by_name", "_by_participant")

    def __init__(self, people: Roster) -> None:
        self._by_id = {person.id: person for person in people if person.id}
        self._by_participant = {p.participant: p for p in people if p.participant}
        self._by_name: dict[str, set[Person]] = defaultdict(set)
        for person in people:
            names = (person.learner, person.name, person.login, person.email, person.sis_id)
            for name in {_plain(name) for name in names if name}:
                self._by_name[name].add(person)

    def person(self, learner: str) -> Person | None:
        """The one person that fits a learner, or None."""
        exact = self._one(learner)
        if exact:
            return exact
        if canvas := _CANVAS.fullmatch(learner):
            return self._by_id.get(canvas[1])
        if moodle := _MOODLE.fullmatch(learner):
            return self._by_participant.get(moodle[2]) or self._one(moodle[1])
        return None

    def _one(self, name: str) -> Person | None:
        fits = self._by_name.get(_plain(name), set())
        return next(iter(fits)) if len(fits) == 1 else None


def from_name(learner: str) -> Person:
    """What a learner's name itself tells, where there is no roster: a number of Canvas or Moodle,
    else a login name, as nbgrader has it."""
    if canvas := _CANVAS.fullmatch(learner):
        return Person(learner, id=canvas[1])
    if moodle := _MOODLE.fullmatch(learner):
        return Person(learner, name=moodle[1], participant=moodle[2])
    return Person(learner, login=learner)
