"""What lives here: a table of nftables: its chains, its sets and maps, and what packets left there.

Chains, sets and their elements are immutable and shared between copies; only what packets put into
dynamic sets (``live``) belongs to one namespace. A packet runs through a base chain in ``run``; the
run ends with ACCEPT or DROP and carries what decided it.

What may not live here: text (``reader``, ``listing``), transactions (``ruleset``).

Source: net/netfilter/nf_tables_core.c (nft_do_chain).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from k8snetlib.linux.netfilter.probe import Probe
from k8snetlib.linux.netfilter.tables import Result
from k8snetlib.linux.netfilter.targets import Nat, Reject
from k8snetlib.linux.nftables.keys import Key, One, Span, show_key, within
from k8snetlib.linux.nftables.statements import (
    Match,
    NatTo,
    Op,
    Remember,
    Rule,
    SetRef,
    Statement,
    Verdict,
    Vmap,
)

#: How deep chains may be entered (NFT_JUMP_STACK_SIZE); a circle of gotos ends the same way.
_DEEPEST = 16
_MOST_CHAINS = 256
_SAYS = {"accept": "ACCEPT", "drop": "DROP"}


class Base(NamedTuple):
    """Where a base chain hangs: ``kind`` is filter, nat or route; ``hook`` as in HOOKS."""

    kind: str
    hook: str
    priority: int
    policy: str = "accept"


class Element(NamedTuple):
    """What stands behind the key of a set's element. ``data``: a map's value; ``timeout`` and
    ``expires`` (None: never) in seconds."""

    comment: str = ""
    data: Verdict | One | None = None
    timeout: int = 0
    expires: float | None = None


class NamedSet(NamedTuple):
    """A set, or a map (``data`` is ``verdict`` or a type). ``timeout`` in seconds, ``size`` 0: no
    limit was named."""

    name: str
    kinds: tuple[str, ...]
    data: str = ""
    flags: tuple[str, ...] = ()
    timeout: int = 0
    size: int = 0
    comment: str = ""
    elements: Mapping[Key, Element] = {}

    @property
    def word(self) -> str:
        """``set`` or ``map``."""
        return "map" if self.data else "set"

    def find(self, value: One | tuple[One, ...], now: float) -> Element | None:
        """The element of a value, if its time is not over."""
        found = self.elements.get(value)
        if found is None and "interval" in self.flags:
            found = next((e for k, e in self.elements.items() if type(k) is Span
                          and within(k, value)), None)  # fmt: skip
        if found is None or (found.expires is not None and found.expires <= now):
            return None
        return found


class Matched(NamedTuple):
    """One line of ``nft monitor trace``: a rule that matched, or the policy that decided.

    ``place``, ``among`` and ``into`` as in iptables' (``netfilter.chain``).
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
            return f"{self.table}:{self.chain} policy {self.verdict.upper()}"
        line = f"add rule {self.table} {self.chain} {self.rule}"
        return f"{self.table}:{self.chain} rule {self.verdict} | {line}"


class Chain:
    """One chain: immutable; ``base`` is None for a regular chain."""

    __slots__ = ("_ready", "base", "comment", "name", "rules")

    def __init__(
        self, name: str, rules: Iterable[Rule] = (), base: Base | None = None, comment: str = ""
    ) -> None:
        self.name, self.rules, self.base, self.comment = name, tuple(rules), base, comment
        self._ready: tuple[tuple[Op, ...], ...] | None = None

    def ready(self) -> tuple[tuple[Op, ...], ...]:
        """The rules made ready to run; made when the first packet comes."""
        if self._ready is None:
            self._ready = tuple(rule.compile() for rule in self.rules)
        return self._ready


class Table:
    """One table of a family (ip, ip6) with its chains and sets, in the order of their making.

    ``live`` is what packets put into dynamic sets: set -> value -> (timeout, expiry) in seconds.
    """

    __slots__ = ("chains", "comment", "family", "live", "name", "sets")

    def __init__(self, family: str, name: str, comment: str = "") -> None:
        self.family, self.name, self.comment = family, name, comment
        self.chains: dict[str, Chain] = {}
        self.sets: dict[str, NamedSet] = {}
        self.live: dict[str, dict[One | tuple[One, ...], tuple[int, float]]] = {}

    def clone(self) -> Table:
        """A copy that shares chains and elements."""
        other = Table(self.family, self.name, self.comment)
        other.chains, other.sets = dict(self.chains), dict(self.sets)
        other.live = {name: dict(values) for name, values in self.live.items()}
        return other

    @property
    def full_name(self) -> str:
        """``ip kube-proxy``."""
        return f"{self.family} {self.name}"

    # -- what statements ask ----------------------------------------------------------------------

    def holds(self, name: str, value: One | tuple[One, ...], now: float) -> bool:
        """True if a set has the value."""
        if self.sets[name].find(value, now) is not None:
            return True
        seen = self.live.get(name, {}).get(value)
        return seen is not None and seen[1] > now

    def verdict(self, name: str, value: One | tuple[One, ...], now: float) -> Verdict | None:
        """What a verdict map says of a value."""
        found = self.sets[name].find(value, now)
        return found.data if found is not None and isinstance(found.data, Verdict) else None

    def remember(
        self, name: str, value: One | tuple[One, ...], now: float, timeout: int, update: bool
    ) -> bool:
        """Puts a value into a dynamic set; False if it is full."""
        own = self.sets[name]
        seconds = timeout or own.timeout
        values = self.live.setdefault(name, {})
        for gone in [v for v, (_, end) in values.items() if end <= now]:
            del values[gone]
        if value in values and not update:
            return True
        if value not in values and len(values) >= (own.size or 65535):
            return False
        values[value] = (seconds, now + seconds if seconds else float("inf"))
        return True

    def leads_to(self, chain: str, address: str) -> bool:
        """True if a chain can end in a DNAT to an address."""
        seen, todo = {""}, [chain]
        while todo:
            name = todo.pop()
            if name in seen or name not in self.chains:
                continue
            seen.add(name)
            for rule in self.chains[name].rules:
                for statement in rule.statements:
                    if isinstance(statement, NatTo) and statement.low is not None:
                        if show_key(("ipv4_addr",), statement.low) == address:
                            return True
                    else:
                        todo += [v.chain for v in self.verdicts(statement)]
        return False

    def verdicts(self, statement: Statement) -> list[Verdict]:
        """Every verdict that a statement can give."""
        if isinstance(statement, Verdict):
            return [statement]
        if not isinstance(statement, Vmap):
            return []
        if not isinstance(statement.right, SetRef):
            return [verdict for _, verdict in statement.right]
        elements = self.sets[statement.right.name].elements.values()
        return [e.data for e in elements if isinstance(e.data, Verdict)]

    # -- running ----------------------------------------------------------------------------------

    def run(self, base: Chain, p: Probe) -> Result:
        """Takes a packet through a base chain of this table."""
        matched: list[Matched] = []
        back: list[tuple[Chain, int]] = []
        chain, at, entered = base, 0, 0
        while True:
            found = self._next(chain, at, p)
            if found is None:
                if not back:
                    return self._policy(base, matched)
                chain, at = back.pop()
                continue
            at, outcome = found
            if isinstance(outcome, Nat | Reject):
                nat = outcome if isinstance(outcome, Nat) else None
                matched.append(self._line(chain, at, "accept" if nat else "drop"))
                reject = outcome if isinstance(outcome, Reject) else None
                return Result("ACCEPT" if nat else "DROP", tuple(matched), nat, reject)
            verdict = outcome if isinstance(outcome, Verdict) else _CONTINUE
            matched.append(self._line(chain, at, str(verdict), verdict.chain))
            if verdict.word in _SAYS:
                return Result(_SAYS[verdict.word], tuple(matched))
            if verdict.word == "return":
                if not back:
                    return self._policy(base, matched)
                chain, at = back.pop()
            elif verdict.chain:
                entered += 1
                if verdict.word == "jump":
                    back.append((chain, at))
                if len(back) > _DEEPEST or entered > _MOST_CHAINS:
                    return Result("DROP", tuple(matched))
                chain, at = self.chains[verdict.chain], 0

    def _next(
        self, chain: Chain, start: int, p: Probe
    ) -> tuple[int, bool | Verdict | Nat | Reject] | None:
        """The place behind the next rule that matches, and what it says."""
        ready = chain.ready()
        for at in range(start, len(ready)):
            p.evaluated += 1
            outcome: bool | Verdict | Nat | Reject = True
            for op in ready[at]:
                outcome = op(p, self)
                if outcome is not True:
                    break
            if outcome is not False:
                return at + 1, outcome
        return None

    def _line(self, chain: Chain, behind: int, verdict: str, to: str = "") -> Matched:
        rule, into = chain.rules[behind - 1], self.chains[to].rules if to else ()
        fields = (chain.name, verdict, rule, behind - 1, chain.rules, into)
        return Matched(self.full_name, *fields)

    def _policy(self, base: Chain, matched: list[Matched]) -> Result:
        assert base.base is not None
        policy = base.base.policy
        matched.append(
            Matched(self.full_name, base.name, policy, None, len(base.rules), base.rules)
        )
        return Result(_SAYS[policy], tuple(matched))


_CONTINUE = Verdict("continue")


def sets_used(rule: Rule) -> list[str]:
    """The named sets and maps that a rule looks into."""
    found = []
    for statement in rule.statements:
        if isinstance(statement, Remember):
            found.append(statement.name)
        elif isinstance(statement, Match | Vmap) and isinstance(statement.right, SetRef):
            found.append(statement.right.name)
    return found


def needs_conntrack(rule: Rule) -> bool:
    """True if a rule translates addresses, or looks at connections."""
    return any(
        isinstance(s, NatTo)
        or (isinstance(s, Match | Vmap) and isinstance(s.left, tuple)
            and any(getattr(one, "words", "").startswith("ct ") for one in s.left))
        for s in rule.statements
    )  # fmt: skip
