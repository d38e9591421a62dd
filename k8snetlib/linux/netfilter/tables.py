"""What lives here: chains, tables, and how a packet runs through them.

A base chain hangs in a hook and has a policy; a user chain is entered by a jump and left by RETURN
or by its end. The run ends with ACCEPT or DROP, and carries what decided it. Every rule that
matched is noted in order, as the kernel's own TRACE shows it; ``evaluated`` counts every rule that
a kernel would have tested, matched or not.

A long chain is indexed by destination address and port, so the work does not grow with the number
of Services; the count stays exact.

What may not live here: the text of rules (``syntax``), hooks and their order (``hooks``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from k8snetlib.errors import K8sNetError, unknown_name
from k8snetlib.linux.netfilter.rule import (
    Conntrack,
    Jump,
    Log,
    Nat,
    Ports,
    Probe,
    Reject,
    Rule,
    SetMark,
    Statistic,
    Test,
)
from k8snetlib.packet import Tcp, Udp

#: table -> its base chains, in the order in which iptables-save prints them.
BASE_CHAINS: dict[str, tuple[str, ...]] = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}

#: A chain with more rules than this is indexed.
_SHORT = 8


class Matched(NamedTuple):
    """One line of the kernel's TRACE: a rule that matched, or the policy that decided."""

    table: str
    chain: str
    verdict: str
    rule: Rule | None

    def __str__(self) -> str:
        if self.rule is None:
            return f"{self.table}:{self.chain} policy {self.verdict}"
        return f"{self.table}:{self.chain} rule {self.verdict} | -A {self.chain} {self.rule}"


class Result(NamedTuple):
    """How a run through a base chain ended: ACCEPT or DROP, and what to do besides."""

    verdict: str
    matched: tuple[Matched, ...]
    nat: Nat | None = None
    reject: Reject | None = None


class Chain:
    """One chain: immutable; ``policy`` is None for a user chain."""

    __slots__ = ("_by_dst", "_by_port", "_general", "_memo", "_tests", "name", "policy", "rules")

    def __init__(self, name: str, rules: Iterable[Rule] = (), policy: str | None = None) -> None:
        self.name = name
        self.rules = tuple(rules)
        self.policy = policy
        self._tests: tuple[tuple[Test, ...], ...] | None = None
        self._memo: dict[tuple[str, int], Sequence[int]] = {}

    @property
    def tests(self) -> tuple[tuple[Test, ...], ...]:
        """The compiled tests of each rule; made when the first packet comes."""
        if self._tests is None:
            self._tests = tuple(rule.compile() for rule in self.rules)
            self._index()
        return self._tests

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

    def candidates(self, p: Probe) -> Sequence[int]:
        """The positions of the rules that could match this packet, in order."""
        tests = self.tests
        if len(tests) <= _SHORT:
            return range(len(tests))
        l4 = p.l4
        port = l4.dport if type(l4) is Tcp or type(l4) is Udp else -1
        key = (p.ip.dst, port)
        found = self._memo.get(key)
        if found is None:
            from k8snetlib.address import number

            named = self._by_dst.get(number(p.ip.dst), [])
            found = tuple(merge(named, self._by_port.get(port, []), self._general))
            if len(self._memo) > 4096:
                self._memo.clear()
            self._memo[key] = found
        return found


class Ruleset:
    """All tables of one network namespace. Chains are shared between copies; counters are not.

    ``watcher`` is called when a rule or a chain changed."""

    __slots__ = ("_tracks", "counters", "tables", "watcher")

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Chain]] = {}
        self.counters: dict[tuple[str, str], list[list[int]]] = {}
        self._tracks: bool | None = None
        self.watcher: Callable[[], None] | None = None

    def clone(self) -> Ruleset:
        """A copy: shares the chains, has counters of its own."""
        other = Ruleset()
        other.tables = {name: dict(chains) for name, chains in self.tables.items()}
        other.counters = {k: [list(c) for c in v] for k, v in self.counters.items()}
        return other

    # -- reading --------------------------------------------------------------------------------

    def chain(self, table: str, name: str) -> Chain:
        """A chain; raises ``UnknownName`` with the nearest names."""
        chains = self.tables.get(table, {})
        try:
            return chains[name]
        except KeyError:
            raise unknown_name(f"chain in table {table}", name, chains) from None

    def used(self, table: str, hook: str) -> Chain | None:
        """The base chain of a table in a hook, if it can do anything at all."""
        chain = self.tables.get(table, {}).get(hook)
        if chain is None or (not chain.rules and chain.policy == "ACCEPT"):
            return None
        return chain

    @property
    def tracks(self) -> bool:
        """True if some rule needs conntrack: it translates addresses, or matches on connections.

        Without one the kernel tracks nothing, and then even the nat table's rules are not asked.
        """
        if self._tracks is None:
            self._tracks = any(
                _needs_conntrack(rule)
                for chains in self.tables.values()
                for chain in chains.values()
                for rule in chain.rules
            )
        return self._tracks

    def rules(self) -> Iterator[tuple[str, Chain, Rule]]:
        """Every rule with its table and chain."""
        for table, chains in self.tables.items():
            for chain in chains.values():
                for rule in chain.rules:
                    yield table, chain, rule

    # -- changing -------------------------------------------------------------------------------

    def table(self, name: str) -> dict[str, Chain]:
        """A table, made with its base chains if it is not there yet."""
        if name not in BASE_CHAINS:
            raise unknown_name("table", name, BASE_CHAINS)
        if name not in self.tables:
            self.tables[name] = {c: Chain(c, (), "ACCEPT") for c in BASE_CHAINS[name]}
        return self.tables[name]

    def put(self, table: str, chain: Chain) -> None:
        """Puts a chain in place of the one of its name; its counters start from zero."""
        self.table(table)[chain.name] = chain
        self.counters.pop((table, chain.name), None)
        self.changed()

    def changed(self) -> None:
        """What was known of the rules no longer holds."""
        self._tracks = None
        if self.watcher is not None:
            self.watcher()

    def new_chain(self, table: str, name: str) -> None:
        """``iptables -N``; raises ``K8sNetError`` if it is there."""
        if name in self.table(table):
            raise K8sNetError(f"Chain {name} of table {table} already exists.")
        self.put(table, Chain(name))

    def delete_chain(self, table: str, name: str) -> None:
        """``iptables -X``; only an empty user chain that nobody jumps to can go."""
        chain = self.chain(table, name)
        if chain.policy is not None:
            raise K8sNetError(f"{name} is a built-in chain; it cannot be deleted.")
        if chain.rules:
            raise K8sNetError(f"Chain {name} is not empty.", f"Flush it first: iptables -F {name}.")
        users = [c.name for c in self.tables[table].values() for r in c.rules
                 if isinstance(r.target, Jump) and r.target.chain == name]  # fmt: skip
        if users:
            raise K8sNetError(f"Chain {name} is still used by {', '.join(sorted(set(users)))}.")
        del self.tables[table][name]
        self.changed()

    def change(self, table: str, chain: str, rules: Sequence[Rule]) -> None:
        """Gives a chain new rules; rules that stay keep their counters."""
        old = self.chain(table, chain)
        kept: dict[int, list[int]] = {}
        for rule, count in zip(old.rules, self.counters.get((table, chain), ()), strict=False):
            kept[id(rule)] = count
        self.put(table, Chain(chain, rules, old.policy))
        self.counters[table, chain] = [kept.get(id(rule), [0, 0]) for rule in rules] + [[0, 0]]

    # -- running --------------------------------------------------------------------------------

    def run(self, table: str, hook: str, p: Probe) -> Result:
        """Runs a packet through a base chain."""
        chains = self.tables[table]
        chain = chains[hook]
        size = p.size
        matched: list[Matched] = []
        back: list[tuple[Chain, int]] = []
        at = 0
        while True:
            at, rule = self._next(table, chain, at, p, size)
            if rule is None:
                if back:
                    chain, at = back.pop()
                    continue
                chain = chains[hook]  # a goto's end is the base chain's end
                policy = chain.policy or "ACCEPT"
                # As the kernel's TRACE does, an untouched empty chain leaves no line.
                if chain.rules:
                    matched.append(Matched(table, chain.name, policy, None))
                self._count(table, chain, len(chain.rules), size)
                return Result(policy, tuple(matched))
            target = rule.target
            if isinstance(target, Jump):
                kind = "GOTO" if target.goto else "JUMP"
                matched.append(Matched(table, chain.name, f"{kind} {target.chain}", rule))
                if not target.goto:
                    back.append((chain, at))
                chain, at = chains[target.chain], 0
            elif target is None or isinstance(target, SetMark | Log):
                matched.append(Matched(table, chain.name, "CONTINUE", rule))
                if isinstance(target, SetMark):
                    p.mark = target.apply(p.mark)
            elif isinstance(target, Nat):
                matched.append(Matched(table, chain.name, "ACCEPT", rule))
                return Result("ACCEPT", tuple(matched), nat=target)
            elif isinstance(target, Reject):
                matched.append(Matched(table, chain.name, "DROP", rule))
                return Result("DROP", tuple(matched), reject=target)
            else:
                matched.append(Matched(table, chain.name, target.word, rule))
                if target.word != "RETURN":
                    return Result(target.word, tuple(matched))
                # RETURN in a base chain, or behind a goto, leaves it to the policy.
                chain, at = back.pop() if back else (chains[hook], len(chains[hook].rules))

    def _next(
        self, table: str, chain: Chain, start: int, p: Probe, size: int
    ) -> tuple[int, Rule | None]:
        """The next rule that matches, and the place behind it."""
        tests = chain.tests
        for at in chain.candidates(p):
            if at < start:
                continue
            if p.pinned is not None and self._chance(chain.rules[at]):
                if not self.leads_to(table, chain.rules[at], p.pinned):
                    continue
            elif not _passes(tests[at], p):
                continue
            p.evaluated += at + 1 - start
            self._count(table, chain, at, size)
            return at + 1, chain.rules[at]
        p.evaluated += len(tests) - start
        return len(tests), None

    def _count(self, table: str, chain: Chain, at: int, size: int) -> None:
        counts = self.counters.get((table, chain.name))
        if counts is None:
            counts = self.counters[table, chain.name] = [
                [0, 0] for _ in range(len(chain.rules) + 1)
            ]
        counts[at][0] += 1
        counts[at][1] += size

    @staticmethod
    def _chance(rule: Rule) -> bool:
        return any(type(m) is Statistic and m.mode == "random" for m in rule.matches)

    def leads_to(self, table: str, rule: Rule, address: str) -> bool:
        """True if a rule's target can end in a DNAT to ``address`` (it pins what chance picks)."""
        target, seen = rule.target, set[str]()
        todo = [target]
        while todo:
            target = todo.pop()
            if isinstance(target, Nat) and target.ips and target.ips[0] == address:
                return True
            if isinstance(target, Jump) and target.chain not in seen:
                seen.add(target.chain)
                todo += [r.target for r in self.tables[table][target.chain].rules]
        return False


def _passes(tests: tuple[Test, ...], p: Probe) -> bool:
    # A plain loop takes half the time of all() over a generator, and this is the hottest line.
    for test in tests:  # noqa: SIM110
        if not test(p):
            return False
    return True


def _needs_conntrack(rule: Rule) -> bool:
    return isinstance(rule.target, Nat) or any(type(m) is Conntrack for m in rule.matches)
