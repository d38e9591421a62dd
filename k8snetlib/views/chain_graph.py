"""What lives here: a Service's chains as a graph, read from the live rules of one kernel.

Every chain, endpoint and verdict is a node; an edge carries the rules that lead from one to the
other (``Line``: the condition in few words, chance, share, packets so far). The rules that name the
Service are found by their comment, or by the Service's address; from there jumps are followed down
to the endpoints, and up to the hooks. Nothing is asked of kube-proxy, so any ``iptables-save`` that
was loaded will do.

What may not live here: positions, colours (``chain_map`` draws any graph of this form).

Simplified here: shares are those of a new client; what session affinity remembers of an old one
is a condition like any other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.linux.chance import exactly
from k8snetlib.linux.netfilter.matches import (
    AddrType,
    Comment,
    Conntrack,
    Mark,
    Ports,
    Recent,
    Statistic,
)
from k8snetlib.linux.netfilter.rule import Rule
from k8snetlib.linux.netfilter.tables import BASE_CHAINS, Ruleset
from k8snetlib.linux.netfilter.targets import Jump, Nat, Reject, SetMark, Verdict
from k8snetlib.packet import PROTO_NAMES

if TYPE_CHECKING:
    from networkx import DiGraph

#: What names a Service in a comment: ``namespace/name`` or ``namespace/name:port``.
_NAMED = re.compile(r"(?<![\w/.-])([a-z0-9.-]+/[a-z0-9.-]+)(?::[\w-]+)?(?![\w/.-])")

#: How the condition of a rule begins that is asked long after the chain it stands with.
LATER = "later,"


class Line(NamedTuple):
    """One rule, as an edge carries it.

    ``place`` counts the rules of its chain from 1; ``condition`` is what it asks for, in few words;
    ``chance`` is its own probability (None: no die is rolled), ``share`` the part that it gets of
    all that comes to its chain (None: that depends on the packet); ``packets`` is what it counted
    (None: it does not count); ``rule`` is the whole text.
    """

    place: int
    condition: str
    chance: Fraction | None
    share: Fraction | None
    packets: int | None
    rule: str


def services_named(ruleset: Ruleset) -> tuple[str, ...]:
    """Every Service that a comment names, as ``namespace/name``."""
    comments = (rule.comment for _, _, rule in ruleset.rules())
    return tuple(dict.fromkeys(name for text in comments for name in _NAMED.findall(text)))


def chain_graph(ruleset: Ruleset, service: str, addresses: Collection[str] = ()) -> DiGraph[str]:
    """The chains of one Service as a directed graph, with the packets counted so far.

    Parameters: ``service`` is ``namespace/name``; ``addresses`` are its virtual addresses, for
    rules without comments. Nodes have ``kind`` (hook, chain, mark, endpoint, verdict), ``name``,
    ``table`` and ``others`` (how many of the chain's rules concern other Services); edges have
    ``lines``, the ``Line`` values of their rules. The graph is empty if no rule names the Service.
    """
    from networkx import DiGraph

    graph: DiGraph[str] = DiGraph(service=service)
    for table in ("nat", "filter"):
        if table in ruleset.tables:
            _Builder(ruleset, table, graph).build(service, addresses)
    return graph


class _Builder:
    """Puts the chains of one table into a graph."""

    def __init__(self, ruleset: Ruleset, table: str, graph: DiGraph[str]) -> None:
        self.ruleset, self.table, self.graph = ruleset, table, graph
        self.chains = ruleset.tables[table]

    def build(self, service: str, addresses: Collection[str]) -> None:
        # A chain that no hook leads to any more is not asked; kube-proxy may leave such behind.
        bases = [name for name in self._bases if name in self.chains]
        live = self._below(rule for name in bases for rule in self.chains[name].rules)
        named = [
            (chain, n)
            for chain in (*bases, *live)
            for n, rule in enumerate(self.chains[chain].rules)
            if self._names(rule, service, addresses)
        ]
        own = self._below(self.chains[chain].rules[n] for chain, n in named)
        shown = {(chain, n) for chain, n in named if chain not in own}
        shown |= {(chain, n) for chain in own for n in range(len(self.chains[chain].rules))}
        shown |= self._above({chain for chain, _ in shown if chain not in own})
        asked = {chain for chain, _ in named}
        for chain in self.chains:
            places = sorted(n for name, n in shown if name == chain)
            if places:
                self._chain(chain, places, hook=chain in self._bases and chain not in asked)
        self._masquerade()

    @property
    def _bases(self) -> tuple[str, ...]:
        return BASE_CHAINS[self.table]

    def _names(self, rule: Rule, service: str, addresses: Collection[str]) -> bool:
        if self.table == "filter" and not _stops(rule):
            return False  # health checks and the like: no way to an endpoint
        if service in _NAMED.findall(rule.comment):
            return True
        whole = rule.dest is not None and rule.dest[0].length == 32 and not rule.dest[1]
        return whole and str(rule.dest and rule.dest[0]).removesuffix("/32") in addresses

    def _below(self, rules: Iterable[Rule]) -> dict[str, None]:
        """The chains that these rules lead to, directly or not."""
        found: dict[str, None] = {}
        todo = [rule.target.chain for rule in rules if isinstance(rule.target, Jump)]
        while todo:
            chain = todo.pop(0)
            if chain not in found:
                found[chain] = None
                targets = (rule.target for rule in self.chains[chain].rules)
                todo += [target.chain for target in targets if isinstance(target, Jump)]
        return found

    def _above(self, chains: set[str]) -> set[tuple[str, int]]:
        """The rules that lead to these chains, up to the hooks."""
        found: set[tuple[str, int]] = set()
        todo, seen = sorted(chains), set(chains)
        while todo:
            wanted = todo.pop()
            for chain in self.chains.values():
                for n, rule in enumerate(chain.rules):
                    if isinstance(rule.target, Jump) and rule.target.chain == wanted:
                        found.add((chain.name, n))
                        if chain.name not in seen:
                            seen.add(chain.name)
                            todo.append(chain.name)
        return found

    def _chain(self, name: str, places: list[int], *, hook: bool) -> None:
        chain = self.chains[name]
        marks = any(isinstance(rule.target, SetMark) for rule in chain.rules)
        kind = "hook" if hook else "mark" if marks and name not in self._bases else "chain"
        node = self._node(name)
        self.graph.add_node(
            node, kind=kind, name=name, table=self.table, others=len(chain.rules) - len(places)
        )
        counts = self.ruleset.counters.get((self.table, name), ())
        left, rolled = Fraction(1), False
        for n, rule in enumerate(chain.rules):
            chance = _chance(rule)
            rolled = rolled or chance is not None
            words, share = condition(rule), None
            if not words and self._ends(rule):
                share = left * (chance if chance is not None else 1)
                left -= share
            if n in places:
                words = words or ("" if chance else "the rest" if rolled else "everything")
                packets = counts[n][0] if n < len(counts) else 0
                line = Line(n + 1, words, chance, share, packets, f"-A {name} {rule}")
                self._edge(node, rule, line)

    def _edge(self, node: str, rule: Rule, line: Line) -> None:
        target = rule.target
        if isinstance(target, Jump):
            other = self._node(target.chain)
        elif isinstance(target, Nat) and target.kind == "DNAT" and target.ips:
            port = f":{target.ports[0]}" if target.ports else ""
            proto = PROTO_NAMES.get(rule.proto[0], "") if rule.proto else ""
            name = f"{target.ips[0]}{port}"
            other = f"{name} {proto}".strip()
            self.graph.add_node(other, kind="endpoint", name=name, table=self.table, others=0)
        else:
            other = f"{self.table} {_verdict(target)}"
            self.graph.add_node(
                other, kind="verdict", name=_verdict(target), table=self.table, others=0
            )
        if not self.graph.has_edge(node, other):
            self.graph.add_edge(node, other, lines=())
        edge = self.graph.edges[node, other]
        edge["lines"] = (*edge["lines"], line)

    def _ends(self, rule: Rule) -> bool:
        """True if a packet that this rule takes does not come back to the next rule."""
        if not isinstance(rule.target, Jump):
            return isinstance(rule.target, Nat | Reject | Verdict)
        below = self._below((rule,))
        return any(
            isinstance(inner.target, Nat) for chain in below for inner in self.chains[chain].rules
        )

    def _masquerade(self) -> None:
        """Who gives a marked packet another source: a rule of POSTROUTING, by the same mark."""
        marks = [n for n, data in self.graph.nodes(data=True) if data["kind"] == "mark"]
        if self.table != "nat" or not marks:
            return
        for chain in self._below(self.chains["POSTROUTING"].rules):
            rules = self.chains[chain].rules
            if not any(type(m) is Mark and m.negated for rule in rules for m in rule.matches):
                continue
            counts = self.ruleset.counters.get(("nat", chain), ())
            for n, rule in enumerate(rules):
                if isinstance(rule.target, Nat):
                    packets = counts[n][0] if n < len(counts) else 0
                    said = f"{LATER} in {chain}, if marked"
                    line = Line(n + 1, said, None, None, packets, f"-A {chain} {rule}")
                    for mark in marks:
                        self._later(mark, chain, rule.target.kind, line)

    def _later(self, mark: str, chain: str, kind: str, line: Line) -> None:
        node = f"nat {chain} {kind}"
        self.graph.add_node(node, kind="verdict", name=kind, table="nat", others=0)
        self.graph.add_edge(mark, node, lines=(line,))

    def _node(self, chain: str) -> str:
        return f"{self.table} {chain}"


def _stops(rule: Rule) -> bool:
    target = rule.target
    return isinstance(target, Reject | Jump) or target == Verdict("DROP")


def _verdict(target: object) -> str:
    if isinstance(target, SetMark):
        return f"set mark {target.value:#x}"
    if isinstance(target, Reject):
        return "REJECT"
    return str(target).removeprefix("-j ") if target is not None else "goes on"


def _chance(rule: Rule) -> Fraction | None:
    for match in rule.matches:
        if type(match) is Statistic and match.mode == "random" and not match.negated:
            return exactly(match.fixed)
    return None


def condition(rule: Rule) -> str:
    """What a rule asks for, in few words; chance and comments are left out, and so is a bare
    protocol (``-p tcp`` in a chain that only tcp comes to)."""
    parts = []
    if rule.source:
        parts.append(f"{_not(rule.source[1])}from {_plain(rule.source[0])}")
    if rule.dest:
        parts.append(f"{_not(rule.dest[1])}to {_plain(rule.dest[0])}")
    for words, dev in (("in by", rule.in_dev), ("out by", rule.out_dev)):
        if dev:
            parts.append(f"{_not(dev[1])}{words} {dev[0]}")
    parts += [words for match in rule.matches if (words := _match_words(match))]
    return ", ".join(parts)


def _not(negated: bool) -> str:
    return "not " if negated else ""


def _plain(prefix: object) -> str:
    return str(prefix).removesuffix("/32")


def _match_words(match: object) -> str:
    match match:
        case Comment() | Statistic(mode="random"):
            return ""
        case Ports(proto=proto, dest=dest) if dest:
            low, high, negated = dest
            return f"{_not(negated)}{proto} port {low if low == high else f'{low}-{high}'}"
        case Ports():
            return ""
        case AddrType(source=source, dest=dest):
            sides = (("from", source), ("to", dest))
            return ", ".join(
                f"{_not(types[1])}{side} {_types(side, types[0])}" for side, types in sides if types
            )
        case Recent(action="set"):
            return ""
        case Recent(seconds=seconds):
            return f"a client seen in the last {seconds} s"
        case Conntrack(states=states, negated=negated) if states:
            return f"{_not(negated)}{' or '.join(sorted(states))}"
        case Mark(negated=negated):
            return f"{_not(negated)}marked"
    return str(match).removeprefix("-m ")


def _types(side: str, types: Collection[str]) -> str:
    if set(types) != {"LOCAL"}:
        return f"an address that is {' or '.join(sorted(types))}"
    return "any address of this node" if side == "to" else "this node itself"
