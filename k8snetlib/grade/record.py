"""What lives here: what is known of a submission before and after grading, and its file.

A ``Graded`` record is all that feedback, gradebook and item analysis read. There is one for every
submission, whatever became of it: a row is never lost, and what went wrong has a name.

What may not live here: how grades are made (``run``) or shown (``feedback``, ``gradebook``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib.errors import K8sNetError

#: Every status of a submission, in words. ``report`` is there for "graded" alone, and for what
#: stopped a learner's code midway: then the tasks that were done before count.
STATUSES: Mapping[str, str] = {
    "graded": "graded",
    "too-large": "the file is too large",
    "unreadable": "the file cannot be read",
    "not-json": "the file is no JSON document",
    "not-a-notebook": "the file is not a notebook",
    "unknown-exercise": "it is not clear which exercise this is",
    "ambiguous": "several files compete to be this submission",
    "time-limit": "the answers ran out of time",
    "memory-limit": "the answers ran out of memory",
    "killed": "the answers' process was killed",
    "crashed": "the answers' process ended itself",
    "no-result": "the answers' process left no readable result",
    "internal-error": "our own part broke; a person must look at it",
    "worker-lost": "every machine that graded it was lost; a person must look at it",
}
#: What a person must look at: points from here are not final.
REVIEW = frozenset({"unknown-exercise", "ambiguous", "internal-error", "worker-lost"})


class BadRecord(K8sNetError):
    """A file under ``records`` that is no record."""


class Submission(NamedTuple):
    """One notebook of one learner. ``exercise`` is its number as text ("04"), ``path`` the file."""

    learner: str
    exercise: str
    path: Path


class Graded(NamedTuple):
    """What became of one submission.

    ``source`` is the file's path below the folder that was given; ``status`` a key of ``STATUSES``;
    ``text`` one sentence for learner and teacher (a learner's own words may be in it: escape it).

    ``report`` is None where nothing could be judged, else::

        {"exercise": "04", "title": …, "points": 11, "of": 35, "tasks": [
            {"id": "04.lookup", "title": …, "status": …, "points": 3, "of": 8, "items": [
                {"id": "04.lookup.longest", "title": …, "status": …, "visible": …,
                 "points": 0, "of": 3, "findings": [
                    {"text": …, "belief": "FIRST_MATCH" | null,
                     "witness": text | null, "picture": inline SVG | null}]}]}]}

    A ``status`` of task and item is a key of ``course.rubric.STATUSES``. An item's ``status`` holds
    over all seeds, ``visible`` is its status in the check that the learner sees.

    ``seeds`` are those of the clusters that the answers were asked about, the visible one first;
    ``isolation`` says in one sentence which fence was in force; ``seconds`` is wall-clock time.
    ``fingerprint`` names file, exercise, seeds and library: a record with the same one is valid.
    ``pristine`` is the fingerprint of the exercise that it was graded with (see ``released``).
    """

    learner: str
    exercise: str
    source: str
    status: str
    text: str = ""
    report: dict[str, Any] | None = None
    seeds: tuple[int, ...] = ()
    isolation: str = ""
    seconds: float = 0.0
    fingerprint: str = ""
    pristine: str = ""

    @property
    def points(self) -> int:
        """Points earned; 0 if nothing could be judged."""
        return int(self.report["points"]) if self.report else 0

    @property
    def items(self) -> tuple[dict[str, Any], ...]:
        """The items of all tasks, in order; empty if nothing could be judged."""
        tasks = self.report["tasks"] if self.report else []
        return tuple(item for task in tasks for item in task["items"])

    @property
    def needs_review(self) -> bool:
        """True if a person must look at it: our part broke, here or in one item."""
        return self.status in REVIEW or any(i["status"] == "internal-error" for i in self.items)


def to_json(graded: Graded) -> str:
    """A record as a JSON document."""
    return json.dumps(graded._asdict(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def from_json(text: str) -> Graded:
    """The record behind a JSON document. Raises ``BadRecord`` for anything else."""
    try:
        fields = json.loads(text)
        graded = Graded(**fields)
    except (ValueError, TypeError, RecursionError):
        raise BadRecord("This is not the record of a submission.") from None
    if graded.status not in STATUSES:
        raise BadRecord(f"A record has no status '{graded.status}'.")
    return graded._replace(seeds=tuple(graded.seeds))


def record_name(learner: str, exercise: str, source: str) -> str:
    """The file name of a record: readable, and different for every submission."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "_", f"{exercise}-{learner}")[:60]
    digest = hashlib.sha256("\0".join((learner, exercise, source)).encode()).hexdigest()
    return f"{plain}-{digest[:8]}.json"


def write_record(graded: Graded, folder: Path) -> Path:
    """Writes a record into ``folder``: whole or not at all, whatever happens midway."""
    path = folder / record_name(graded.learner, graded.exercise, graded.source)
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(to_json(graded))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return path


def read_records(folder: Path) -> list[Graded]:
    """Every record of a folder, by learner and exercise; what is no record is passed over."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(from_json(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, BadRecord):
            continue  # a record that cannot be read is made again
    return in_order(found)


def in_order(records: Iterable[Graded]) -> list[Graded]:
    """Records by learner, exercise and file."""
    return sorted(records, key=lambda record: (record.learner, record.exercise, record.source))
