"""What lives here: ``reachability``, the table of who reaches whom, and as whom it is seen there.

Rows send, columns receive. A cell names the source address that the receiver saw, or what became
of the packet; its sign stands before the words, colour only helps.

What may not live here: how a pair is judged (``k8snetlib.reach``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any, NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.errors import UnknownName, unknown_name
from k8snetlib.reach import FATES, Pair, all_pairs, hosts_of
from k8snetlib.topology import Topology
from k8snetlib.views.palette import theme_css
from k8snetlib.views.picture import FIGURE_STYLE
from k8snetlib.views.plan import short

#: Fate -> (sign, class). Whatever is not here did not arrive.
SIGNS: Mapping[str, tuple[str, str]] = {
    "reached": ("✓", "good"),
    "translated": ("⇄", "changed"),
    "wrong host": ("≠", "bad"),
    "no answer": ("½", "bad"),
}
_NOT = ("✕", "bad")

_STYLE = (
    ".k8snet-figure table.who{font-variant-numeric:tabular-nums}"
    ".k8snet-figure table.who th,.k8snet-figure table.who td{padding:4px 7px;white-space:nowrap;"
    "text-align:left;"
    "border-bottom:1px solid var(--k-hairline)}"
    ".k8snet-figure table.who th.first,.k8snet-figure table.who td.first"
    "{border-left:2px solid var(--k-line)}"
    ".k8snet-figure table.who tr.first>*{border-top:2px solid var(--k-line)}"
    ".k8snet-figure table.who small{display:block;font-size:12px;font-weight:400;"
    "color:var(--k-muted)}"
    ".k8snet-figure table.who tbody th,.k8snet-figure table.who .corner{position:sticky;left:0;"
    "z-index:1;background:var(--k-ground)}"
    ".k8snet-figure table.who td .good{color:var(--k-good);font-weight:700}"
    ".k8snet-figure table.who td.changed,.k8snet-figure table.who td.bad"
    "{background:var(--k-packet-fill);font-weight:650}"
    ".k8snet-figure table.who td.changed{color:var(--k-packet-ink)}"
    ".k8snet-figure table.who td.bad{color:var(--k-bad)}"
    ".k8snet-figure table.who td.self{color:var(--k-muted);text-align:center}"
)

#: Twice the class: stronger than what JupyterLab says about tables in an output.
MATRIX_STYLE = _STYLE.replace(".k8snet-figure ", ".k8snet-figure.k8snet-figure ")


class Place(NamedTuple):
    """A host of the table: its name, address, and the group that it stands in."""

    name: str
    address: str
    group: str


class Matrix:
    """The finished table: ``pairs`` (the values), ``text`` (the same in words), ``html``."""

    __slots__ = ("_found", "pairs", "places")

    def __init__(self, pairs: tuple[Pair, ...], places: tuple[Place, ...]) -> None:
        self.pairs = pairs
        self.places = places
        self._found = {(pair.sender, pair.target): pair for pair in pairs}

    def pair(self, sender: str, target: str) -> Pair:
        """What became of the ping from ``sender`` to ``target``; raises ``UnknownName``."""
        names = [place.name for place in self.places]
        for name in (sender, target):
            if name not in names:
                raise unknown_name("host of this table", name, names)
        if sender == target:
            raise UnknownName(f"{sender} sends nothing to itself here.", "Name two hosts.")
        return self._found[sender, target]

    @property
    def summary(self) -> str:
        """How many pairs met which fate."""
        counts: dict[str, int] = {}
        for pair in self.pairs:
            counts[pair.fate] = counts.get(pair.fate, 0) + 1
        order = sorted(counts, key=[*FATES, *counts].index)
        said = ", ".join(f"{counts[fate]} {fate}" for fate in order)
        return f"{len(self.pairs)} pairs" + (f": {said}." if said else ": nothing to send.")

    @property
    def legend(self) -> tuple[str, ...]:
        """What the signs mean, as far as they occur: ``✓ ADDRESS: answered …``."""
        occur = {pair.fate for pair in self.pairs}
        lines = [f"{SIGNS[f][0]} {_SHOWN[f]}: {words}." for f, words in FATES.items() if f in occur]
        if occur - set(FATES):
            lines.append(f"{_NOT[0]} OUTCOME: it did not arrive.")
        return tuple(lines)

    @property
    def text(self) -> str:
        """The table in plain text."""
        names = [place.name for place in self.places]
        rows = [["from \\ to", *names]]
        for sender in names:
            rows.append([sender, *(self._words(sender, target) for target in names)])
        widths = [max(len(row[n]) for row in rows) for n in range(len(names) + 1)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([f"Who reaches whom. {self.summary}", *lines, *self.legend])

    def _words(self, sender: str, target: str) -> str:
        if sender == target:
            return "–"
        pair = self.pair(sender, target)
        return f"{SIGNS.get(pair.fate, _NOT)[0]} {cell_words(pair)}"

    def __repr__(self) -> str:
        return self.text

    @property
    def html(self) -> str:
        """The table as HTML, with its own style sheet."""
        legend = "".join(f'<p class="caption">{escape(line)}</p>' for line in self.legend)
        return (
            '<div class="k8snet k8snet-figure">'
            f"<style>{theme_css()}{FIGURE_STYLE}{MATRIX_STYLE}</style>"
            f'<p class="caption">Who reaches whom, by ping. {escape(self.summary)}</p>'
            '<div class="k8snet-scroll" tabindex="0" role="group" aria-label="Who reaches whom">'
            f"{self._table()}</div>{legend}</div>"
        )

    def _table(self) -> str:
        groups = [(name, len(list(found))) for name, found in groupby(p.group for p in self.places)]
        top = "".join(
            f'<th scope="colgroup" class="first" colspan="{size}">{escape(name)}</th>'
            for name, size in groups
        )
        firsts = self._firsts()
        heads = "".join(
            f'<th scope="col"{first}>{escape(p.name)}<small>{escape(p.address)}</small></th>'
            for p, first in zip(self.places, firsts, strict=True)
        )
        rows = "".join(
            f'<tr{first}><th scope="row">{escape(p.name)}<small>{escape(p.address)}</small></th>'
            f"{self._row(p.name, firsts)}</tr>"
            for p, first in zip(self.places, firsts, strict=True)
        )
        return (
            '<table class="who" aria-label="Who reaches whom"><thead>'
            f'<tr><th rowspan="2" class="corner">from ↓ to →</th>{top}</tr><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )

    def _firsts(self) -> list[str]:
        """For each place the class that says whether a group begins there."""
        groups = [place.group for place in self.places]
        before = [None, *groups]
        return [' class="first"' if g != b else "" for g, b in zip(groups, before, strict=False)]

    def _row(self, sender: str, firsts: list[str]) -> str:
        cells = []
        for place, first in zip(self.places, firsts, strict=True):
            kinds = ["first"] if first else []
            if place.name == sender:
                words, kinds = "–", [*kinds, "self"]
            else:
                pair = self.pair(sender, place.name)
                sign, kind = SIGNS.get(pair.fate, _NOT)
                kinds += [kind] if kind != "good" else []
                words = f'<span class="{kind}">{sign}</span> {escape(cell_words(pair))}'
            named = f' class="{" ".join(kinds)}"' if kinds else ""
            cells.append(f"<td{named}>{words}</td>")
        return "".join(cells)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


_SHOWN = {"reached": "ADDRESS", "translated": "ADDRESS", "wrong host": "NAME",
          "no answer": "no answer"}  # fmt: skip


def cell_words(pair: Pair) -> str:
    """What a cell says behind its sign: the source seen, the host that got it, or the fate."""
    if pair.fate in ("reached", "translated"):
        return pair.seen
    return pair.end if pair.fate == "wrong host" else pair.fate


def reachability(cluster: Cluster, hosts: Sequence[str] = ()) -> Matrix:
    """Who reaches whom, and with which source address: one ping for every ordered pair.

    Parameters: ``hosts`` are the names to try (none: all pods, node by node, then all nodes). The
    cluster stays as it is. Raises ``UnknownName``.
    """
    pairs = all_pairs(cluster, hosts)
    names = [cluster[name].name for name in hosts] or hosts_of(cluster)
    topology = cluster.topology
    return Matrix(pairs, tuple(_place(topology, name) for name in names))


def _place(topology: Topology, name: str) -> Place:
    host = topology.host(name)
    assert host is not None
    group = {"pod": f"pods on {host.on}", "node": "nodes"}.get(host.role, "other machines")
    return Place(name, short(host.address), group)
