"""The rubric of 04.lookup. Tables come from generated clusters and from chance; the model's own
routing table says which route wins."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.address import Prefix, number
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, wrong_type
from k8snetlib.linux.route import Route, RouteTable

Table = Sequence[tuple[str, str]]


def node1_table(seed: int) -> list[tuple[str, str]]:
    """The routes of node1 in a generated cluster, shortest prefix first."""
    node1 = Cluster(generated_spec(seed))["node1"]
    pairs = [(str(route.prefix), route.dev) for route in node1.routes]
    return sorted(pairs, key=lambda pair: Prefix.parse(pair[0]).length)


def lookup_calls(seed: int) -> tuple[Call, ...]:
    """Tables and addresses. Outside the group `longest`, the first match is the right one."""
    dice = random.Random(f"lookup {seed}")
    a, b, c = dice.sample(range(100, 255), 3)
    dst = f"10.{a}.{b}.{c}"
    wide, middle, narrow = (
        ("10.0.0.0/8", "if1"),
        (f"10.{a}.0.0/16", "if2"),
        (f"10.{a}.{b}.0/24", "if3"),
    )
    beside = (f"10.{c}.0.0/16", "if4")
    backend = next(pod.ip for pod in generated_spec(seed).pods if pod.name == "backend")
    # A neighbour that shares whole octets with dst but not its bits, and one that shares its text.
    bits = [
        (f"10.{a}.{b}.{(c ^ 128) & 192}/26", "if1"),
        (f"10.{a}.2.0/24", "if2"),
        (str(Prefix.parse(f"{dst}/20", host_bits=True)), "if3"),
        (f"10.{a}.0.0/16", "if4"),
        (str(Prefix.parse(f"{dst}/12", host_bits=True)), "if5"),
        (str(Prefix.parse(f"{dst}/14", host_bits=True)), "if6"),
    ]
    outside, default = f"203.0.113.{c}", ("0.0.0.0/0", "if9")
    return (
        Call("longest", (node1_table(seed), backend)),
        Call("longest", ([wide, beside, middle, narrow], dst)),
        Call("longest", ([middle, narrow, beside, wide], dst)),
        Call("longest", ([wide, narrow, middle, beside], dst)),
        # One network address, three lengths: neither as text nor by size is the order the same.
        Call("longest", ([("10.0.0.0/10", "if1"), ("10.0.0.0/9", "if2"), wide], f"10.1.{b}.{c}")),
        Call("bits", (bits, dst)),
        Call("bits", (bits, f"10.{a}.20.{c}")),
        Call("bits", (bits, f"10.{a}.{b}.{(c ^ 128) & 192 | 5}")),
        Call("default", ([narrow, middle, default], outside)),
        Call("default", ([beside, default], dst)),
        Call("none", ([narrow, middle], outside)),
        Call("none", ([beside], dst)),
        Call("none", ([], dst)),
    )


def right_route(table: Table, dst: str) -> tuple[str, str] | None:
    """What the model's routing table says."""
    routes = RouteTable()
    for prefix, device in table:
        routes.add(Route(Prefix.parse(prefix), device))
    found = routes.lookup(dst)
    return None if found is None else (str(found.prefix), found.dev)


def containing(table: Table, dst: str) -> list[tuple[str, str]]:
    """The routes that contain an address, in the order of the table."""
    return [pair for pair in table if dst in Prefix.parse(pair[0])]


def _first(found: Sequence[Any]) -> Any:
    return found[0] if found else None


def _length(pair: tuple[str, str]) -> int:
    return Prefix.parse(pair[0]).length


def _best(table: Table, matches: Any) -> Any:
    found = [pair for pair in table if matches(*pair[0].split("/"))]
    return max(found, key=_length, default=None)


def by_octets(table: Table, dst: str) -> Any:
    """As if only whole octets counted."""

    def matches(network: str, length: str) -> bool:
        whole = int(length) // 8
        return network.split(".")[:whole] == dst.split(".")[:whole]

    return _best(table, matches)


def by_text(table: Table, dst: str) -> Any:
    """As if an address were in a network when its text begins alike."""

    def matches(network: str, length: str) -> bool:
        while network.endswith(".0"):
            network = network[:-2]
        return dst.startswith(network)

    return _best(table, matches)


def longest_text(table: Table, dst: str) -> Any:
    """As if the longest prefix were the largest text: 9 would be more than 24."""
    return max(containing(table, dst), key=lambda pair: pair[0].split("/")[1], default=None)


_TEXT_ORDER = "You seem to compare lengths as text: there, 9 is more than 24. Compare numbers."

LOOKUP_BELIEFS = (
    Belief(
        "NO_DEFAULT",
        "You seem to think that 0.0.0.0/0 matches nothing. Ask how many bits it compares.",
        lambda table, dst: right_route([p for p in table if _length(p)], dst),
    ),
    Belief(
        "FIRST_MATCH",
        "You seem to think that the first matching line decides. A routing table has no order.",
        lambda table, dst: _first(containing(table, dst)),
    ),
    Belief(
        "LAST_MATCH",
        "You seem to think that the last matching line decides. A routing table has no order.",
        lambda table, dst: _first(containing(table, dst)[::-1]),
    ),
    Belief(
        "SHORTEST",
        "You seem to think that the widest matching network decides. Routing wants the opposite.",
        lambda table, dst: min(containing(table, dst), key=_length, default=None),
    ),
    Belief("TEXT_ORDER", _TEXT_ORDER, longest_text),
    Belief("TEXT_ORDER", _TEXT_ORDER, lambda table, dst: max(containing(table, dst), default=None)),
    Belief(
        "STRING_PREFIX",
        "You seem to compare addresses as text. A network is a number of bits, "
        "and 10.1.2 is not the beginning of 10.1.20.",
        by_text,
    ),
    Belief(
        "OCTETS",
        "You seem to compare whole octets only. A prefix may end inside an octet.",
        by_octets,
    ),
    Belief(
        "ALWAYS_A_ROUTE",
        "You seem to think that some route always applies. A table without a match has no answer.",
        lambda table, dst: right_route(table, dst) or (_first(table) if table else None),
    ),
    Belief(
        "ALWAYS_A_ROUTE",
        "You seem to think that some route always applies. A table without a match has no answer.",
        lambda table, dst: right_route(table, dst) or (table[-1] if table else None),
    ),
)


def check_lookup(replies: Sequence[Reply], seed: int) -> Findings:
    """One group of lookups."""
    wanted = "one route of the table, a pair (prefix, device), or None"
    return wrong_type(replies, (list, type(None)), wanted) or compare(
        replies,
        right_route,
        LOOKUP_BELIEFS,
        "For some table you choose a route that the kernel would not choose.",
        witness=lambda reply: lookup_witness(reply, seed),
    )


def lookup_witness(reply: Reply, seed: int) -> Exchange | str:
    """node1 routes by the answer: what becomes of a packet from web2?"""
    table, dst = reply.args
    chosen = reply.value
    cluster = Cluster(generated_spec(seed))
    node1 = cluster["node1"]
    routes = {(str(route.prefix), route.dev): route for route in node1.routes}
    picked = routes.get(tuple(chosen) if chosen else ("", ""))
    if set(table) == set(routes) and picked is not None:
        node1.routes.add(picked._replace(prefix=Prefix(number(dst), 32)))
        walk = cluster.ping("web2", dst)
        if not walk.ok:
            return walk
    lines = [f"  {prefix:<20} {device}" for prefix, device in table]
    return "\n".join(
        [f"Destination {dst}, and the table", *lines, f"Your lookup returned {chosen}."]
    )


CALLS = {"04.lookup": lookup_calls}

ITEMS = (
    Item("04.lookup.longest", 3, "Several routes match", check_lookup),
    Item("04.lookup.bits", 2, "Prefixes that end inside an octet", check_lookup),
    Item("04.lookup.default", 2, "The default route", check_lookup),
    Item("04.lookup.none", 1, "No route matches", check_lookup),
)
