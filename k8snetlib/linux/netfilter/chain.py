"""What lives here: one chain of rules, made ready to run.

A base chain hangs in a hook and has a policy; a user chain is entered by a jump and left by RETURN
or by its end. When the first packet comes, each rule is compiled (its tests, what it does, its line
in the kernel's TRACE). A long chain is also indexed by destination address and port, so the work
does not grow with the number of Services.

What may not live here: how a packet runs through several chains (``tables``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from heapq import merge
from typing import Any, NamedTuple

from k8snetlib.linux.netfilter.rule import (
    Jump,
    Log,
    Nat,
    Ports,
    Probe,
    Reject,
    Rule,
    SetMark,
    Statistic,
    Target,
    Test,
)
from k8snetlib.packet import Tcp, Udp

#: A chain with more rules than this is indexed.
_SHORT = 8

#: What a rule that matched does: go on, change the mark, enter a chain, leave this one, end it.
CONTINUE, MARK, ENTER, LEAVE, END = range(5)


class Matched(NamedTuple):
    """One line of the kernel's TRACE: a rule that matched, or the policy that decided.

    ``place`` is where the rule stands in its chain, from 0; ``among`` are all rules of that chain,
    ``into`` those of the chain it leads to. They stay as they were when the packet came.
    """

    table: str
    chain: str
    verdict: str
    rule: Rule | None
    place: int = 0
    among: tuple[Any, ...] = ()
    into: tuple[Any, ...] = ()

    def __repr__(self) -> str:  # not the whole chain
        return f"<{self}>"

    def __str__(self) -> str:
        if self.rule is None:
            return f"{self.table}:{self.chain} policy {self.verdict}"
        return f"{self.table}:{self.chain} rule {self.verdict} | -A {self.chain} {self.rule}"


class Ready(NamedTuple):
    """A rule made ready to run: the tests a packet must pass, what happens then (``kind``), its
    line in the TRACE, and whether chance has a say in its tests."""

    tests: tuple[Test, ...]
    kind: int
    line: Matched
    target: Any
    chance: bool


class Chain:
    """One chain: immutable; ``policy`` is None for a user chain."""

    __slots__ = ("_by_dst", "_by_port", "_general", "_memo", "_ready", "_table", "name", "policy",
                 "rules")  # fmt: skip

    def __init__(self, name: str, rules: Iterable[Rule] = (), policy: str | None = None) -> None:
        self.name = name
        self.rules = tuple(rules)
        self.policy = policy
        self._table = ""
        self._ready: tuple[Ready, ...] = ()
        self._memo: dict[tuple[int, int], Sequence[int]] = {}

    def ready(self, table: str) -> tuple[Ready, ...]:
        """The rules made ready to run in a table; made when the first packet comes."""
        if self._table != table:
            self._table = table
            self._ready = tuple(
                _ready(table, self.name, self.rules, at) for at in range(len(self.rules))
            )
            self._index()
        return self._ready

    def _index(self) -> None:
        self._by_dst: dict[int, list[int]] = {}
        self._by_port: dict[int, list[int]] = {}
        self._general: list[int] = []
        for at, rule in enumerate(self.rules):
            port = next(
                (m.dest[0] for m in rule.matches if type(m) is Ports and m.dest
                 and m.dest[0] == m.dest[1] and not m.dest[2]), None,
            )  # fmt: skip
            if rule.dest and rule.dest[0].length == 32 and not rule.dest[1]:
                self._by_dst.setdefault(rule.dest[0].net, []).append(at)
            elif port is not None:
                self._by_port.setdefault(port, []).append(at)
            else:
                self._general.append(at)

    def candidates(self, p: Probe, start: int) -> Sequence[int]:
        """The places, from ``start`` on, of the rules that could match this packet, in order."""
        if len(self._ready) <= _SHORT:
            return range(start, len(self._ready))
        l4 = p.l4
        port = l4.dport if type(l4) is Tcp or type(l4) is Udp else -1
        key = (p.dst, port)
        found = self._memo.get(key)
        if found is None:
            named = self._by_dst.get(p.dst, [])
            found = tuple(merge(named, self._by_port.get(port, []), self._general))
            if len(self._memo) > 4096:
                self._memo.clear()
            self._memo[key] = found
        return found[bisect_left(found, start) :] if start else found


def _ready(table: str, chain: str, rules: tuple[Rule, ...], at: int) -> Ready:
    rule = rules[at]
    kind, word = _does(rule.target)
    chance = any(type(m) is Statistic and m.mode == "random" for m in rule.matches)
    line = Matched(table, chain, word, rule, at, rules)
    return Ready(rule.compile(), kind, line, rule.target, chance)


def _does(target: Target | None) -> tuple[int, str]:
    """What a target does, and the TRACE's word for it (NAT shows as ACCEPT, REJECT as DROP)."""
    if target is None or isinstance(target, Log):
        return CONTINUE, "CONTINUE"
    if isinstance(target, SetMark):
        return MARK, "CONTINUE"
    if isinstance(target, Jump):
        return ENTER, f"{'GOTO' if target.goto else 'JUMP'} {target.chain}"
    if isinstance(target, Nat):
        return END, "ACCEPT"
    if isinstance(target, Reject):
        return END, "DROP"
    return (LEAVE if target.word == "RETURN" else END), target.word
