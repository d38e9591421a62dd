"""What lives here: what a class's records say about the class, as numbers.

* Of each item: who has it, who has not, who did not try, and its *discrimination*: the
  point-biserial correlation between having it and the points of all other items of the exercise.
* Of each wrong belief: how many learners show it, with the words in which they were told so.
* How many submissions ended in which status.

*Simplified here*: a learner counts once in an exercise, whatever the points of an item are; with
fewer than ``FEW`` submissions a correlation says nothing and is left out.

What may not live here: how it looks (``report``), grades (``gradebook``).

Source: Lord and Novick, Statistical Theories of Mental Test Scores (1968), ch. 15.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import StatisticsError, correlation, median
from typing import NamedTuple

from k8snetlib.course.exercise import Exercise
from k8snetlib.course.rubric import ERROR, FAIL, NOT_ATTEMPTED, PASS
from k8snetlib.grade.gradebook import Book, table
from k8snetlib.grade.record import Graded

#: With fewer submissions, a correlation is chance.
FEW = 10

#: What the number means, in one sentence.
DISCRIMINATION = (
    "Discrimination (-1 to 1) says whether those who have an item also do well in the rest: "
    "above 0.3 it tells well, near 0 it tells nothing, below 0 look at the item itself."
)


class ItemStat(NamedTuple):
    """One item in a class: how many have it right, not yet, ended in an error, did not try.
    ``discrimination`` is None where it cannot be known."""

    exercise: str
    id: str
    title: str
    of: int
    right: int
    wrong: int
    error: int
    not_attempted: int
    discrimination: float | None

    @property
    def seen(self) -> int:
        """How many were judged."""
        return self.right + self.wrong + self.error + self.not_attempted

    @property
    def failing(self) -> float:
        """The share of the judged who tried and have it not, 0 to 1."""
        return (self.wrong + self.error) / self.seen if self.seen else 0.0

    @property
    def note(self) -> str:
        """What a teacher may do about it; empty if nothing."""
        if self.seen < FEW:
            return ""
        if self.discrimination is not None and self.discrimination < 0:
            return "Those who have it do worse in the rest: look at the item."
        if self.right == self.seen:
            return "Everybody has it."
        if self.failing > 0.7:
            return "Most do not have it: talk about it."
        return ""


class BeliefStat(NamedTuple):
    """One wrong belief in a class: how many ``learners`` of those judged (``seen``) show it, at
    which items, and the sentence they were told."""

    exercise: str
    belief: str
    text: str
    items: tuple[str, ...]
    learners: int
    seen: int

    @property
    def share(self) -> float:
        """The share of the judged who show it, 0 to 1."""
        return self.learners / self.seen


class Analysis(NamedTuple):
    """All of it. ``statuses`` counts rows; ``medians`` are points by exercise."""

    items: tuple[ItemStat, ...]
    beliefs: tuple[BeliefStat, ...]
    statuses: tuple[tuple[str, int], ...]
    medians: tuple[tuple[str, float, int], ...]


def analyse(book: Book) -> Analysis:
    """The analysis of a class's rows; what was not judged counts among the statuses alone."""
    judged: dict[str, list[Graded]] = defaultdict(list)
    for row in book.rows:
        if row.record and row.record.report:
            judged[row.exercise].append(row.record)
    items = [stat for exercise in book.exercises for stat in _items(exercise, judged[exercise.id])]
    beliefs = [
        stat for exercise in book.exercises for stat in _beliefs(exercise, judged[exercise.id])
    ]
    counted = Counter(row.status for row in book.rows)
    medians = tuple(
        (e.id, float(median(record.points for record in judged[e.id])), e.points)
        for e in book.exercises
        if judged[e.id]
    )
    statuses = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return Analysis(tuple(items), tuple(beliefs), tuple(statuses), medians)


def _items(exercise: Exercise, records: Sequence[Graded]) -> list[ItemStat]:
    results = [{item["id"]: item for item in record.items} for record in records]
    found = []
    for item in exercise.items:
        here = [result[item.id] for result in results if item.id in result]
        count = Counter(line["status"] for line in here)
        rest = [
            record.points - result[item.id]["points"]
            for record, result in zip(records, results, strict=True)
            if item.id in result
        ]
        has = [int(line["status"] == PASS) for line in here]
        found.append(
            ItemStat(
                exercise.id, item.id, item.title, item.points, count[PASS], count[FAIL],
                count[ERROR], count[NOT_ATTEMPTED], point_biserial(has, rest),
            )
        )  # fmt: skip
    return found


def point_biserial(has: Sequence[int], rest: Sequence[int]) -> float | None:
    """The correlation of a yes or no with a number; None for too few, or if one never varies."""
    if len(has) < FEW:
        return None
    try:
        return round(correlation(has, rest), 2)
    except StatisticsError:
        return None


def _beliefs(exercise: Exercise, records: Sequence[Graded]) -> list[BeliefStat]:
    who: dict[str, set[int]] = defaultdict(set)
    words: dict[str, Counter[str]] = defaultdict(Counter)
    where: dict[str, set[str]] = defaultdict(set)
    for number, record in enumerate(records):
        for item in record.items:
            for finding in item["findings"]:
                if belief := finding["belief"]:
                    who[belief].add(number)
                    words[belief][finding["text"]] += 1
                    where[belief].add(item["id"])
    stats = [
        BeliefStat(
            exercise.id, belief, min(words[belief], key=lambda t: (-words[belief][t], t)),
            tuple(sorted(where[belief])), len(who[belief]), len(records),
        )
        for belief in who
    ]  # fmt: skip
    return sorted(stats, key=lambda stat: (-stat.learners, stat.belief))


def items_csv(analysis: Analysis) -> str:
    """``items.csv``: a row per item."""
    head = ["exercise", "item", "title", "of", "judged", "right", "not yet", "error",
            "not attempted", "share failing", "discrimination", "note"]  # fmt: skip
    rows = (
        [i.exercise, i.id, i.title, i.of, i.seen, i.right, i.wrong, i.error, i.not_attempted,
         f"{i.failing:.2f}", i.discrimination, i.note]
        for i in analysis.items
    )  # fmt: skip
    return table([head, *rows])


def beliefs_csv(analysis: Analysis) -> str:
    """``beliefs.csv``: a row per wrong belief that was seen."""
    head = ["exercise", "belief", "learners", "judged", "share", "items", "finding"]
    rows = (
        [b.exercise, b.belief, b.learners, b.seen, f"{b.share:.2f}", " ".join(b.items), b.text]
        for b in analysis.beliefs
    )
    return table([head, *rows])


def analysis_json(analysis: Analysis) -> str:
    """``analysis.json``: the same numbers for programs."""
    told = {
        "items": [i._asdict() | {"failing": round(i.failing, 4)} for i in analysis.items],
        "beliefs": [b._asdict() | {"share": round(b.share, 4)} for b in analysis.beliefs],
        "statuses": dict(analysis.statuses),
        "medians": [{"exercise": e, "points": m, "of": of} for e, m, of in analysis.medians],
    }
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"
