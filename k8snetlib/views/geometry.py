"""What lives here: points, boxes and rails, the plain geometry of our pictures.

A ``Rail`` is where a packet can stand on a thing: a point on a plug, a line along a bridge. A
packet goes from rail to rail by horizontal and vertical lines only, so every way that it takes
runs along the wires that the picture draws.

What may not live here: what the things are, colours, SVG.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple


class Point(NamedTuple):
    """A place in a picture; ``y`` grows downwards."""

    x: float
    y: float


class Box(NamedTuple):
    """An upright rectangle: its upper left corner, width and height."""

    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.h


class Rail(NamedTuple):
    """A horizontal or vertical line (or a point) on which a packet can stand.

    A bridge drawn in several rows is one rail: ``rows`` are the heights of its bars, joined by a
    trunk at ``x1``.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    rows: tuple[float, ...] = ()

    def nearest(self, point: Point) -> Point:
        """The place on the rail closest to ``point``."""
        y = min(max(point.y, self.y1), self.y2)
        if self.rows:
            y = min(self.rows, key=lambda row: (abs(row - point.y), row))
        return Point(min(max(point.x, self.x1), self.x2), y)

    @property
    def middle(self) -> Point:
        """Where a packet stands that came from nowhere."""
        return self.nearest(Point((self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2))

    def along(self, start: Point, end: Point) -> list[Point]:
        """The way on this rail from ``start`` to ``end``, without ``start``."""
        if self.rows and start.y != end.y:
            return [Point(self.x1, start.y), Point(self.x1, end.y), end]
        return [end]


def point_rail(point: Point) -> Rail:
    """A rail that is a single point."""
    return Rail(point.x, point.y, point.x, point.y)


def way(start: Point, here: Rail, there: Rail) -> tuple[Point, ...]:
    """From ``start`` on rail ``here`` to rail ``there``, both ends included."""
    leave = here.nearest(there.nearest(start))
    points = [start, *here.along(start, leave)]
    arrive = there.nearest(points[-1])
    if arrive.x != points[-1].x and arrive.y != points[-1].y:
        points.append(Point(points[-1].x, arrive.y))
    points.append(arrive)
    return tidy(points)


def tidy(points: list[Point] | tuple[Point, ...]) -> tuple[Point, ...]:
    """The same way without points that stand still or lie between their neighbours."""
    found: list[Point] = []
    for point in points:
        if found and found[-1] == point:
            continue
        if len(found) > 1 and _between(found[-2], found[-1], point):
            found.pop()
        found.append(point)
    return tuple(found)


def _between(a: Point, b: Point, c: Point) -> bool:
    if a.x == b.x == c.x:
        return (b.y - a.y) * (c.y - b.y) > 0
    return a.y == b.y == c.y and (b.x - a.x) * (c.x - b.x) > 0


def keep_right(points: tuple[Point, ...], by: float) -> tuple[Point, ...]:
    """The same way shifted by ``by`` to the right of its direction, like traffic on a road.

    Two packets that travel one wire in opposite directions are then drawn side by side.
    """
    if len(points) < 2 or not by:
        return points
    lanes = []
    for a, b in pairwise(points):
        dx, dy = _sign(b.x - a.x), _sign(b.y - a.y)
        lanes.append((Point(a.x - dy * by, a.y + dx * by), Point(b.x - dy * by, b.y + dx * by)))
    found = [lanes[0][0]]
    for (a, b), (c, d) in pairwise(lanes):
        if a.x == b.x and c.y == d.y:
            found.append(Point(a.x, c.y))
        elif a.y == b.y and c.x == d.x:
            found.append(Point(c.x, a.y))
        else:
            found += [b, c]
    found.append(lanes[-1][1])
    return tuple(found)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def number(value: float) -> str:
    """A coordinate as SVG likes it: at most one decimal, no trailing zero."""
    return f"{value:.1f}".removesuffix(".0")


def path_data(points: tuple[Point, ...]) -> str:
    """The ``d`` of an SVG path through the points."""
    return "M" + "L".join(f"{number(p.x)} {number(p.y)}" for p in points) if points else ""


_NARROW, _WIDE = frozenset("iljtfr.,:;|/'()[]! I1"), frozenset("mwMWQOG@%")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """About how wide a text is in a usual sans-serif font of ``size`` px; errs on the wide side."""
    ems = sum(0.36 if c in _NARROW else 0.94 if c in _WIDE else 0.62 for c in text)
    return size * ems * (1.1 if bold else 1.0)
