"""What lives here: a Service's chains and maps as a graph, read from the live tables of nftables.

The graph has the form of ``chain_graph``, so ``chain_map`` draws it. A verdict map is a fan of
lines, one for each element; of a map of all Services only the Service's own elements are shown. A
draw (``numgen``) gives each of its elements the same chance. kube-proxy's rules have no counters,
so no line has a number.

What may not live here: positions, colours.

Simplified here: an element concerns a Service if its comment or the chain that it leads to names
it, as kube-proxy names them; the filter chains are shown only where they stop a Service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.linux.nftables.keys import Key, show_key
from k8snetlib.linux.nftables.ruleset import Nftables
from k8snetlib.linux.nftables.statements import (
    Match,
    NatTo,
    Numgen,
    Refuse,
    Rule,
    SetMark,
    SetRef,
    Verdict,
    Vmap,
)
from k8snetlib.linux.nftables.table import Chain, Table
from k8snetlib.views.chain_graph import LATER, Line

if TYPE_CHECKING:
    from networkx import DiGraph

#: What names a Service in a chain's name: ``service-HASH-namespace/name/tcp/http``.
_CHAIN = re.compile(r"^[a-z-]+-[A-Z0-9]{8}-([a-z0-9.-]+/[a-z0-9.-]+)/")


class Exit(NamedTuple):
    """One way out of a chain: its rule's place, what it asks for, its chance, where it leads, and
    whether it is about one Service ("": about all)."""

    place: int
    condition: str
    chance: Fraction | None
    to: Verdict | NatTo | Refuse | SetMark
    service: str
    rule: str


def nft_graph(nft: Nftables, service: str) -> DiGraph[str]:
    """The chains of one Service (``namespace/name``) as a directed graph; empty if no table has
    any."""
    from networkx import DiGraph

    graph: DiGraph[str] = DiGraph(service=service)
    for table in nft.tables.values():
        if table.family == "ip":
            _Builder(table, service, graph).build()
    return graph


class _Builder:
    """Puts the chains of one table into a graph."""

    def __init__(self, table: Table, service: str, graph: DiGraph[str]) -> None:
        self.table, self.service, self.graph = table, service, graph
        self.exits = {chain.name: tuple(self._exits(chain)) for chain in table.chains.values()}
        self.shown: dict[str, bool] = {}

    def build(self) -> None:
        bases = [c for c in self.table.chains.values() if c.base is not None]
        for base in sorted(bases, key=lambda c: c.base is not None and c.base.kind != "nat"):
            assert base.base is not None
            if self._shows(base.name):
                self._add(base.name, "nat" if base.base.kind == "nat" else "filter")
        marks = [n for n, data in self.graph.nodes(data=True) if data["kind"] == "mark"]
        for chain in self.table.chains.values() if marks else ():
            self._masquerade(chain, marks)

    # -- reading ----------------------------------------------------------------------------------

    def _exits(self, chain: Chain) -> Iterator[Exit]:
        for n, rule in enumerate(chain.rules, 1):
            asked = ", ".join(str(one) for one in rule.statements if isinstance(one, Match))
            for one in rule.statements:
                if isinstance(one, Vmap):
                    yield from self._elements(n, rule, one, asked)
                elif isinstance(one, Verdict | NatTo | Refuse | SetMark):
                    to = one.chain if isinstance(one, Verdict) else ""
                    yield Exit(n, asked or "everything", None, one, _service(to), str(rule))

    def _elements(self, n: int, rule: Rule, vmap: Vmap, asked: str) -> Iterator[Exit]:
        """A line for each element of a map."""
        if isinstance(vmap.right, SetRef):
            found = self.table.sets[vmap.right.name]
            total = len(found.elements)
            for key, element in found.elements.items():
                if isinstance(element.data, Verdict):
                    about = element.comment.rpartition(":")[0] or _service(element.data.chain)
                    said = f"{show_key(found.kinds, key)}, in map {found.name}, one of {total}"
                    words = ", ".join(filter(None, (asked, said)))
                    yield Exit(n, words, None, element.data, about, str(rule))
            return
        pairs: tuple[tuple[Key, Verdict], ...] = vmap.right
        for key, verdict in pairs:
            if isinstance(vmap.left, Numgen):
                chance, said = Fraction(1, vmap.left.mod), f"{vmap.left} gives {key}"
            else:
                chance, said = None, str(key)
            words = ", ".join(filter(None, (asked, said)))
            yield Exit(n, words, chance, verdict, _service(verdict.chain), str(rule))

    def _own(self, chain: str) -> bool:
        return _service(chain) == self.service

    def _shows(self, chain: str) -> bool:
        """True if a chain is the Service's own, or leads to something of its."""
        if chain not in self.shown:
            self.shown[chain] = False  # a circle of chains ends
            self.shown[chain] = self._own(chain) or any(
                one.service == self.service
                or (isinstance(one.to, Verdict) and one.to.chain and self._shows(one.to.chain))
                for one in self.exits.get(chain, ())
            )
        return self.shown[chain]

    # -- building ---------------------------------------------------------------------------------

    def _add(self, name: str, kind: str) -> str:
        chain = self.table.chains[name]
        node = f"{kind} {name}"
        if node in self.graph:
            return node
        marks = any(isinstance(one.to, SetMark) for one in self.exits[name])
        role = "hook" if chain.base else "mark" if marks else "chain"
        title = chain.base.hook.upper() if chain.base else name
        where = "" if kind == "nat" else "filter"
        self.graph.add_node(node, kind=role, name=title, table=kind, where=where, others=0)
        left = Fraction(1)
        for one in self.exits[name]:
            to = one.to.chain if isinstance(one.to, Verdict) else ""
            if not (self._own(name) or one.service == self.service or (to and self._shows(to))):
                if role != "mark" and name != "reject-chain":
                    continue
            share = None
            if one.chance is not None:
                share = left * one.chance
            elif one.condition == "everything" and isinstance(one.to, Verdict):
                share = left if one.to.word == "goto" else None
            line = Line(one.place, one.condition, one.chance, share, None, one.rule)
            self._edge(node, kind, one, line)
        return node

    def _edge(self, node: str, kind: str, one: Exit, line: Line) -> None:
        to = one.to
        if isinstance(to, Verdict) and to.chain:
            goal = self._add(to.chain, kind)
        elif isinstance(to, NatTo) and to.kind == "dnat":
            name = str(to).removeprefix("dnat to ")
            goal = f"{name} {one.condition}"
            self.graph.add_node(goal, kind="endpoint", name=name, table=kind, others=0)
        else:
            name = str(to).upper() if not isinstance(to, SetMark) else f"set mark {to.value:#x}"
            goal = f"{kind} {name}"
            self.graph.add_node(goal, kind="verdict", name=name, table=kind, others=0)
        if not self.graph.has_edge(node, goal):
            self.graph.add_edge(node, goal, lines=())
        edge = self.graph.edges[node, goal]
        edge["lines"] = (*edge["lines"], line)

    def _masquerade(self, chain: Chain, marks: list[str]) -> None:
        """Who gives a marked packet another source."""
        for one in self.exits[chain.name]:
            if isinstance(one.to, NatTo) and one.to.kind == "masquerade":
                goal = f"nat {chain.name} masquerade"
                self.graph.add_node(goal, kind="verdict", name="MASQUERADE", table="nat", others=0)
                said = f"{LATER} in {chain.name}, if marked"
                line = Line(one.place, said, None, None, None, one.rule)
                for mark in marks:
                    self.graph.add_edge(mark, goal, lines=(line,))


def _service(chain: str) -> str:
    """The Service that a chain's name names ("": none)."""
    found = _CHAIN.match(chain)
    return found[1] if found else ""
