"""What a drawn sheet must not do: words outside their box, words on words, lines through words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, pairwise

from k8snetlib.views.geometry import Box, Point
from k8snetlib.views.sheet import Sheet


def overlap(one: Box, other: Box) -> bool:
    """True if two boxes share more than an edge."""
    return (
        one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom
    )  # fmt: skip


def holds(outer: Box, inner: Box) -> bool:
    return (
        outer.x <= inner.x and inner.right <= outer.right
        and outer.y <= inner.y and inner.bottom <= outer.bottom
    )  # fmt: skip


def faults(sheet: Sheet, width: float, height: float) -> list[str]:
    """Every fault of the words on a sheet, each told."""
    whole = Box(0, 0, width, height)
    found = [f"{at.words!r} leaves its box" for at in sheet.labels if not holds(at.box, at.extent)]
    found += [f"{at.words!r} leaves the sheet" for at in sheet.labels if not holds(whole, at.box)]
    found += [
        f"{one.words!r} lies on {other.words!r}"
        for one, other in combinations(sheet.labels, 2)
        if overlap(one.extent, other.extent)
    ]
    return found


def cut(sheet: Sheet) -> list[str]:
    """The words that did not fit and were cut."""
    return [at.words for at in sheet.labels if at.words.endswith("…")]


def crossing(line: Iterable[Point], box: Box) -> bool:
    """True if a line of level and upright pieces runs through a box."""
    return any(
        overlap(Box(min(a.x, b.x), min(a.y, b.y), abs(a.x - b.x) + 0.1, abs(a.y - b.y) + 0.1), box)
        for a, b in pairwise(line)
    )
