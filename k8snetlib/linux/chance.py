"""What lives here: what a kernel leaves to chance when it balances load; and every way it can go.

A rule that matches one time in three (``Dice.hit``), a map with N equally likely elements
(``Dice.pick``): these draws decide where a packet goes. ``every_way`` runs something once for each
way in which they can fall, with the exact probability of that way. Source ports and other numbers
that only have to differ are drawn elsewhere, and are not gone through.

Simplified here: one source of chance for all kernels of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random
from typing import TypeVar

from k8snetlib.errors import K8sNetError

#: xt_statistic compares 31 random bits with a fixed number.
SCALE = 1 << 31
#: More ways than this are not gone through.
MOST_WAYS = 20_000

Found = TypeVar("Found")


def exactly(fixed: int) -> Fraction:
    """What was meant by a probability of ``fixed`` in 2^31: 1/N where that is its rounding.

    >>> exactly(715827883), exactly(1 << 30), exactly(3)
    (Fraction(1, 3), Fraction(1, 2), Fraction(3, 2147483648))
    """
    if SCALE >> 16 < fixed < SCALE - 1:  # 1/N is told from its neighbours up to some ten thousand
        n = round(SCALE / fixed)
        if abs(fixed - SCALE / n) <= 1:
            return Fraction(1, n)
    return Fraction(min(fixed, SCALE), SCALE)


class Dice:
    """Draws from a seeded source."""

    __slots__ = ("source",)

    def __init__(self, source: Random) -> None:
        self.source = source

    def hit(self, fixed: int) -> bool:
        """True with a probability of ``fixed`` in 2^31, as xt_statistic decides."""
        return int(self.source.random() * SCALE) < fixed

    def pick(self, n: int) -> int:
        """One of 0 … n - 1, all equally likely, as ``numgen random mod n``."""
        return self.source.randrange(n)


class Script(Dice):
    """Draws that fall as ``falls`` says, and then always the first way that is possible.

    ``ways`` notes for each draw which ways it had, with their probabilities, and ``taken`` which
    one it went.
    """

    __slots__ = ("falls", "taken", "ways")

    def __init__(self, source: Random, falls: tuple[int, ...]) -> None:
        super().__init__(source)
        self.falls = falls
        self.taken: list[int] = []
        self.ways: list[tuple[Fraction, ...]] = []

    def _draw(self, ways: tuple[Fraction, ...]) -> int:
        at = len(self.taken)
        first = next(i for i, p in enumerate(ways) if p)
        fall = self.falls[at] if at < len(self.falls) else first
        self.ways.append(ways)
        self.taken.append(fall)
        return fall

    def hit(self, fixed: int) -> bool:
        """As told."""
        yes = exactly(fixed)
        return not self._draw((yes, 1 - yes))

    def pick(self, n: int) -> int:
        """As told."""
        return self._draw((Fraction(1, n),) * n)

    @property
    def probability(self) -> Fraction:
        """How likely it is that all draws fall this way."""
        product = Fraction(1)
        for fall, ways in zip(self.taken, self.ways, strict=True):
            product *= ways[fall]
        return product

    def following(self) -> tuple[int, ...] | None:
        """How the draws must fall for the next way of going through them; None: this was all."""
        for at in reversed(range(len(self.taken))):
            ways = self.ways[at]
            later = next((i for i in range(self.taken[at] + 1, len(ways)) if ways[i]), None)
            if later is not None:
                return (*self.taken[:at], later)
        return None


def every_way(
    run: Callable[[Callable[[Random], Dice]], Found],
) -> Iterator[tuple[Fraction, Found]]:
    """Runs ``run(dice)`` once for each way in which the draws can fall.

    ``dice`` makes the dice to use from a source of all other randomness. Yields probability and
    result; the probabilities add up to 1. Raises ``K8sNetError`` if there are too many ways.
    """
    falls: tuple[int, ...] | None = ()
    count = 0
    while falls is not None:
        count += 1
        if count > MOST_WAYS:
            raise K8sNetError(
                f"There are more than {MOST_WAYS} ways in which this can go.",
                "Pin one with endpoint=….",
            )
        made: list[Script] = []

        def dice(source: Random, told: tuple[int, ...] = falls, made: list[Script] = made) -> Dice:
            made.append(Script(source, told))
            return made[-1]

        found = run(dice)
        script = made[-1]
        yield script.probability, found
        falls = script.following()
