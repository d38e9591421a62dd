"""What load balancing leaves to chance: how draws fall, and every way of it with its probability."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from random import Random

import pytest

from k8snetlib.errors import K8sNetError
from k8snetlib.linux.chance import SCALE, Dice, every_way, exactly
from k8snetlib.linux.netfilter.syntax import parse_rule


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 99, 1000, 9_999])
def test_a_rounded_probability_is_known_again(n):
    """kube-proxy writes ten digits, the kernel keeps 31 bits."""
    (match,) = parse_rule(f"-m statistic --mode random --probability {1 / n:.10f}").matches
    assert exactly(match.fixed) == Fraction(1, n)


@pytest.mark.parametrize("fixed", [SCALE // 10 * 3, 12345, SCALE - 1, 0])
def test_any_other_probability_is_what_the_kernel_keeps(fixed):
    assert exactly(fixed) == Fraction(fixed, SCALE)


def one_of(n):
    """kube-proxy's way to choose among n: one rule less than there are endpoints."""

    def choose(dice):
        drawn = dice(Random(1))
        return next((i for i in range(n - 1) if drawn.hit(round(SCALE / (n - i)))), n - 1)

    return choose


@pytest.mark.parametrize("n", [1, 2, 3, 5, 40])
def test_each_of_n_endpoints_gets_one_nth(n):
    assert {place: p for p, place in every_way(one_of(n))} == dict.fromkeys(
        range(n), Fraction(1, n)
    )


def test_a_map_with_n_elements():
    found = list(every_way(lambda dice: dice(Random(1)).pick(4)))
    assert found == [(Fraction(1, 4), i) for i in range(4)]


def test_draws_behind_draws():
    def run(dice):
        drawn = dice(Random(1))
        return (drawn.pick(2), drawn.hit(SCALE // 2)) if drawn.hit(SCALE // 4) else "none"

    found = {what: p for p, what in every_way(run)}
    sixteenth = Fraction(1, 16)
    assert found == {
        (0, True): sixteenth, (0, False): sixteenth, (1, True): sixteenth, (1, False): sixteenth,
        "none": Fraction(3, 4),
    }  # fmt: skip


def test_what_cannot_happen_is_no_way():
    """A probability of 0, and one of 1."""
    found = list(every_way(lambda dice: [dice(Random(1)).hit(f) for f in (0, SCALE)]))
    assert found == [(Fraction(1), [False, True])]


def test_too_many_ways_are_refused():
    with pytest.raises(K8sNetError, match="more than"):
        list(every_way(lambda dice: [d.pick(10) for d in [dice(Random(1))] for _ in range(9)]))


def test_dice_are_as_likely_as_they_say():
    dice = Dice(Random(5))
    hits = sum(dice.hit(SCALE // 4) for _ in range(8000))
    faces = Counter(dice.pick(4) for _ in range(8000))
    assert abs(hits - 2000) < 200 and all(abs(faces[i] - 2000) < 200 for i in range(4))
