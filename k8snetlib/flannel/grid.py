"""What lives here: ``Grid``: a look every so many seconds, as flanneld's loops do it."""

from __future__ import annotations

from math import inf


class Grid:
    """A look every so many seconds, worked out only when there is something to see."""

    __slots__ = ("at", "start")

    def __init__(self, start: float) -> None:
        self.start = start
        self.at = inf

    def due(self, now: float, period: float, missing: bool) -> float:
        """The next look that will find something missing."""
        if not missing or period == inf:
            self.at = inf
        elif self.at == inf:
            self.at = self.start + (int((now - self.start) / period) + 1) * period
        return self.at

    def reached(self, now: float) -> bool:
        """True if that look is now; the next one is worked out anew."""
        if self.at > now:
            return False
        self.at = inf
        return True

    def clone(self) -> Grid:
        """A copy."""
        other = Grid(self.start)
        other.at = self.at
        return other
