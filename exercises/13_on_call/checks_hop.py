"""The rubric of 13.hop: two walks are compared, hop by hop.

The walks are the model's: a generated cluster, and the same with one thing broken.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, wrong_type
from k8snetlib.packet import IPv4

Hops = Sequence[Sequence[str]]


def hops_of(exchange: Exchange) -> list[list[str]]:
    """[namespace, source, destination] for each hop; the addresses are the innermost ones."""
    assert exchange.request is not None
    found = []
    for hop in exchange.request.hops:
        inner = [h for h in hop.steps[-1].packet.headers if isinstance(h, IPv4)][-1]
        found.append([hop.netns, inner.src, inner.dst])
    return found


@lru_cache(maxsize=8)
def walks(seed: int) -> dict[str, list[list[str]]]:
    """The walk as it should be, and with one thing broken each."""

    def walk(*commands: str) -> list[list[str]]:
        cluster = Cluster(generated_spec(seed))
        for command in commands:
            cluster["node1"].sh(command)
        return hops_of(cluster.ping("web2", "backend"))

    spec = generated_spec(seed)
    range1 = str(spec.nodes[0].pod_cidr)
    pods = str(spec.network.pod_network)
    # Two pods of node2.
    one, other = (p.ip for p in spec.pods if p.name in ("backend", "backend-b"))
    return {
        "good": walk(),
        "hidden": walk(f"iptables -t nat -I POSTROUTING -s {range1} ! -o docker0 -j MASQUERADE"),
        "turned": walk(f"iptables -t nat -I PREROUTING -d {one} -j DNAT --to-destination {other}"),
        "astray": walk(f"ip route del {pods} dev flannel0"),
        "short": walk("iptables -I FORWARD -j DROP"),
    }


def calls(seed: int) -> tuple[Call, ...]:
    """Pairs of walks."""
    made = walks(seed)
    good, hidden, turned, astray, short = made.values()
    dice = random.Random(f"13 {seed}")
    at, cut = dice.sample(range(1, len(good) - 1), 2)
    swapped = [[*good[:n], good[n + 1], good[n], *good[n + 2 :]] for n in (at, cut)]
    return (
        Call("place", (good, astray)),
        Call("place", ([*good[:at], *good[at + 1 :]], good)),
        Call("address", (good, hidden)),
        Call("address", (hidden, good)),
        Call("address", (good, [*turned[:-1], [good[-1][0], *turned[-1][1:]]])),
        *(Call("order", (good, walk)) for walk in swapped),
        Call("short", (good, short)),
        Call("short", (good, good[:cut])),
        Call("long", (good[:cut], good)),
        Call("long", (good[:at], good)),
        Call("equal", (good, good)),
        Call("equal", (short, short)),
    )


def truth(expected: Hops, actual: Hops) -> int | None:
    """The number of the first hop in which the two differ."""
    pairs = zip_longest(expected, actual)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), None)


def _places(expected: Hops, actual: Hops) -> int | None:
    return truth([hop[:1] for hop in expected], [hop[:1] for hop in actual])


def _zip(expected: Hops, actual: Hops) -> int | None:
    pairs = enumerate(zip(expected, actual, strict=False))
    return next((n for n, (one, other) in pairs if one != other), None)


def _last(expected: Hops, actual: Hops) -> int | None:
    return None if expected == actual else len(actual) - 1


def _membership(expected: Hops, actual: Hops) -> int | None:
    return next((n for n, hop in enumerate(actual) if hop not in expected), None)


def _shorter_only(expected: Hops, actual: Hops) -> int | None:
    return truth(expected, actual[: len(expected)])


def _one_of_two(at: int) -> Callable[[Hops, Hops], int | None]:
    """Whoever leaves out the source (1) or the destination (2) of each hop."""

    def found(expected: Hops, actual: Hops) -> int | None:
        return truth(
            *([[*hop[:at], *hop[at + 1 :]] for hop in walk] for walk in (expected, actual))
        )

    return found


def _number_from_one(expected: Hops, actual: Hops) -> int | None:
    right = truth(expected, actual)
    return None if right is None else right + 1


def _last_good(expected: Hops, actual: Hops) -> int | None:
    right = truth(expected, actual)
    return None if right is None else right - 1


FROM_ONE = Belief("FROM_ONE", "You seem to count from 1. The first hop has number 0.",
                  _number_from_one)  # fmt: skip
LAST_GOOD = Belief(
    "LAST_GOOD",
    "You seem to give the last hop that is right. Give the one behind it: the first wrong one.",
    _last_good,
)
HALVES = tuple(
    Belief(
        "ONE_ADDRESS",
        "You seem to compare one of the two addresses only. "
        "A rule can change the source, the destination, or both.",
        _one_of_two(at),
    )
    for at in (1, 2)
)
ZIP = Belief(
    "ZIP_STOPS",
    "You seem to compare only as far as both lists go. A walk that ends early is wrong as well.",
    _zip,
)
BELIEFS = (
    Belief(
        "PLACES_ONLY",
        "You seem to compare places only. A packet may be in the right place with a wrong address.",
        _places,
    ),
    Belief(
        "LAST_HOP",
        "You seem to think that the fault is where the walk ends. It may have begun before.",
        _last,
    ),
    Belief(
        "ORDER_IGNORED",
        "You seem to ask whether a hop occurs somewhere. It must occur at this place.",
        _membership,
    ),
    Belief(
        "LONGER_IS_FINE",
        "You seem to think that more hops do no harm. A packet that goes on is wrong, too.",
        _shorter_only,
    ),
)
EQUAL = tuple(
    Belief(
        "NUMBER_ALWAYS",
        "You seem to give a number in any case. If nothing differs, return None: no hop is wrong.",
        number,
    )
    for number in (
        lambda expected, actual: len(expected),
        lambda expected, actual: 0,
        lambda expected, actual: -1,
    )
)
NUMBERS = (FROM_ONE, LAST_GOOD)
#: group -> the beliefs that can show there, the likeliest first.
OF = {
    "place": (BELIEFS[1], BELIEFS[2]),
    "address": (BELIEFS[0], BELIEFS[1], *HALVES, *NUMBERS),
    "order": (BELIEFS[2], BELIEFS[1]),
    "short": (ZIP, BELIEFS[1], *NUMBERS),
    "long": (BELIEFS[3], BELIEFS[1], *NUMBERS),
    "equal": EQUAL,
}


def _number(value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], int):
        return value[0]
    return value


def check_hop(group: str) -> Any:
    """The check of one group of calls."""

    def check(replies: list[Reply], seed: int) -> Findings:
        kinds = (int, type(None), list)
        return wrong_type(replies, kinds, "a whole number, or None") or compare(
            replies, truth, OF[group],
            "The first difference is elsewhere. Compare place, source and destination of each hop.",
            read=_number,
            witness=lambda reply: _shown(*reply.args),
        )  # fmt: skip

    return check


def _shown(expected: Hops, actual: Hops) -> str:
    lines = ["expected                            actual"]
    for one, other in zip_longest(expected, actual, fillvalue=()):
        lines.append(f"{' '.join(one):<36}{' '.join(other)}".rstrip())
    return "\n".join(lines)


CALLS = {"13.hop": calls}

ITEMS = (
    Item("13.hop.place", 1, "Another place", check_hop("place")),
    Item("13.hop.address", 2, "The same place, another address", check_hop("address")),
    Item("13.hop.order", 1, "Another order", check_hop("order")),
    Item("13.hop.short", 2, "A walk that ends early", check_hop("short")),
    Item("13.hop.long", 1, "A walk that goes on", check_hop("long")),
    Item("13.hop.equal", 1, "Two equal walks", check_hop("equal")),
)
