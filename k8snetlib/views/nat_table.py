"""What lives here: ``nat_table``, address translation on one node as tuples before and after.

Of an exchange: each packet as it came in and as it left, and what translated it: a rule (for the
first packet of a connection), or the connection (for all others); below, the connections' two
tuples. Of a cluster: all that the node's connection tracking holds now.

What may not live here: translation itself (``linux.conntrack``, ``linux.netfilter.hooks``).

Simplified here: of a packet inside a tunnel only the pod's own addresses are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.errors import unknown_name
from k8snetlib.linux.conntrack import Connection, Entry, Tuple, tuple_of
from k8snetlib.packet import PROTO_ICMP, PROTO_NAMES, IPv4, Packet
from k8snetlib.trace import Exchange, Hop, Names, Step, Trace, rule_line
from k8snetlib.views.chain_cards import short_name
from k8snetlib.views.grid import Cell, Grid, Tables
from k8snetlib.views.text import kind_words
from k8snetlib.words import owner_words

_MEMORY = "the connection"
_IPTABLES = re.compile(r"-j ([A-Z]+)(?: --to-\w+ (\S+))?")
_NFT = re.compile(r"\b(dnat|snat|masquerade|redirect)\b(?: to (\S+))?")
_IN, _OUT = "before", "after"
_NOTE = (
    "⇄ marks what was translated. Rules are asked for the first packet of a connection; all later "
    "packets, and every answer, are translated by what the connection remembers."
)


class NatRow(NamedTuple):
    """One packet on one node: its tuple as it came in (or was sent there) and as it left (or was
    delivered there; None: neither), and what translated it, in words."""

    packet: int
    kind: str
    before: Tuple
    after: Tuple | None
    by: tuple[str, ...]
    fate: str


def nat_table(what: Exchange | Cluster, node: str) -> Tables:
    """Address translation on a node, before and after.

    Parameters: ``what`` is an exchange (each of its packets), or a cluster (its connections now);
    ``node`` is the node, or another host that packets pass. Raises ``UnknownName`` if there is no
    such host.
    """
    if isinstance(what, Cluster):
        ns = what[node]
        found = ns.conntrack.connections(what.network.now)
        return _of_connections(found, ns.name, what.network.names, what.network.now)
    name = node.removeprefix("node/")
    if what.topology.host(name) is None:
        raise unknown_name("host", name, [host.name for host in what.topology.hosts])
    rows = nat_rows(what, name)
    said = f"Address translation on {name}: {what.source} → {what.target}, {what.proto}."
    if not rows:
        return Tables(f"{said} None of its packets came here.", ())
    packets = Grid(f"Every packet on {name}", "packet", _HEADS, tuple(_packet_row(row, what.names)
                                                                      for row in rows))  # fmt: skip
    entries = entries_of(what, name)
    count = _count(sum(row.after not in (None, row.before) for row in rows), len(rows), "packet")
    grids = [packets]
    if entries:
        known = tuple(_entry_row(entry, f"connection {n}", (), what.names)
                      for n, entry in enumerate(entries, 1))  # fmt: skip
        grids.append(Grid(f"What the connections on {name} remember", "connection", _TUPLES, known))
    return Tables(f"{said} {count}", tuple(grids), (_NOTE,))


# -- an exchange ----------------------------------------------------------------------------------

_HEADS = (
    (_IN, "source"), (_IN, "destination"), ("", "translated by"), (_OUT, "source"),
    (_OUT, "destination"),
)  # fmt: skip


def nat_rows(exchange: Exchange, node: str) -> tuple[NatRow, ...]:
    """Every packet of the exchange that was on the node, in order."""
    return tuple(
        row
        for trace in exchange.packets
        for hop in trace.hops
        if hop.netns == node and (row := _nat_row(trace, hop))
    )


def _inner(packet: Packet) -> Tuple | None:
    """The tuple of the pod's own packet (None for ARP)."""
    inner = packet.innermost
    return tuple_of(inner) if isinstance(inner.headers[0], IPv4) else None


def _nat_row(trace: Trace, hop: Hop) -> NatRow | None:
    first = hop.steps[0]
    before = _inner(first.before or first.packet)
    if before is None:
        return None
    last = hop.steps[-1]
    gone = next((step for step in hop.steps if step.verdict in ("drop", "error")), None)
    after = None if gone else _inner(last.packet)
    by = _by([step for step in hop.steps if _translates(step)])
    return NatRow(trace.n, kind_words(trace), before, after, by, gone.reason if gone else "")


def _translates(step: Step) -> bool:
    if not step.stage.startswith(("nat ", "ipvs ")) or step.before is None:
        return False
    return _inner(step.before) != _inner(step.packet)


def _by(steps: Sequence[Step]) -> tuple[str, ...]:
    """What translated (``rule: DNAT``, IPVS, the connection), and then in which hook and chain."""
    if not steps:
        return ("nothing",)
    hooks = [step.stage.partition(" ")[2] for step in steps]
    if not any(step.rules or step.stage.startswith("ipvs") for step in steps):
        return (_MEMORY, f"in {' and '.join(hooks)}")
    said, kinds, others = [], [], []
    for step, hook in zip(steps, hooks, strict=True):
        if step.stage.startswith("ipvs"):
            others.append("IPVS")
            said.append(f"{hook}: IPVS, {step.by}")
        elif step.rules:
            target = _target_words(rule_line(step.rules[-1]))
            kinds.append(target.split()[0])
            chain = _short_chain(step.rules[-1].chain)
            said.append(f"{hook}{'' if chain == hook else f', {chain}'}: {target}")
        else:
            others.append(_MEMORY)
            said.append(f"{hook}: {_MEMORY}")
    rules = [f"rule{'' if len(kinds) == 1 else 's'}: {', '.join(kinds)}"] if kinds else []
    return (", ".join([*dict.fromkeys(others), *rules]), *said)


def _target_words(line: str) -> str:
    """``DNAT to 10.1.20.3:8080`` of an iptables rule; of one for nft ``dnat to …``."""
    found = _IPTABLES.search(line) or _NFT.search(line)
    if not found:
        return line
    return f"{found[1]} to {found[2]}" if found[2] else found[1]


def _short_chain(chain: str) -> str:
    """A chain's name without its hash; nftables mode has names of two words and much more."""
    if "/" not in chain:
        return short_name(chain)
    return "-".join(chain.split("-")[:2]) + "…"


def _packet_row(row: NatRow, names: Names) -> tuple[Cell, ...]:
    head = Cell((f"{row.packet} {row.kind}",))
    source, target = _ends(row.before, names)
    by = Cell(row.by)
    if row.after is None:
        return (head, source, target, by, Cell(("it ends here", row.fate), "✕", 2))
    left = _ends(row.after, names)
    changed = (_source(row.before) != _source(row.after), _target(row.before) != _target(row.after))
    cells = (c._replace(sign="⇄" if new else "") for c, new in zip(left, changed, strict=True))
    return (head, source, target, by, *cells)


def entries_of(exchange: Exchange, node: str) -> tuple[Entry, ...]:
    """The connections of the exchange's own packets on a node, as they last were."""
    found: dict[Tuple, Entry] = {}
    for hop in (hop for trace in exchange.packets for hop in trace.hops if hop.netns == node):
        if any(step.verdict in ("drop", "error") for step in hop.steps):
            continue  # a packet that ends here leaves no connection behind
        for step in hop.steps:
            entry, inner = step.by, _inner(step.packet)
            if isinstance(entry, Entry) and inner in _looks(entry):
                found[entry.original] = entry
    return tuple(found.values())


def _looks(entry: Entry) -> tuple[Tuple, ...]:
    """What packets of a connection look like, before and after translation."""
    one, other = entry.original, entry.reply
    return one, other, one.inverted, other.inverted


# -- connections ----------------------------------------------------------------------------------

_TUPLES = (
    ("original", "source"), ("original", "destination"), ("reply", "source"),
    ("reply", "destination"), ("", "so"),
)  # fmt: skip


def _of_connections(found: list[Connection], node: str, names: Names, now: float) -> Tables:
    entries = [(conn.entry, _state(conn, now)) for conn in found]
    entries.sort(key=lambda one: not _translated(one[0]))
    translated = sum(_translated(entry) for entry, _ in entries)
    title = f"Connection tracking on {node}: {_count(translated, len(entries), 'connection')}"
    rows = tuple(_entry_row(entry, head, more, names) for entry, (head, *more) in entries)
    if not rows:
        return Tables(title, ())
    grid = Grid(f"Connections of {node}, the translated ones first", "connection", _TUPLES, rows)
    note = (
        "⇄ marks where the reply tuple is not the original one turned round: there addresses are "
        "translated. An answer that comes in like the reply tuple leaves like the original one, "
        "turned round."
    )
    return Tables(title, (grid,), (note,))


def _count(some: int, of: int, what: str) -> str:
    return f"{of} {what}{'' if of == 1 else 's'}, {some or 'none'} translated."


def _translated(entry: Entry) -> bool:
    return entry.reply != entry.original.inverted


def _state(conn: Connection, now: float) -> tuple[str, str]:
    proto = PROTO_NAMES.get(conn.original.proto, str(conn.original.proto))
    answered = "answered" if conn.seen_reply else "no answer yet"
    return f"{proto} {conn.state}".strip(), f"{answered}, kept for {conn.expires - now:,.0f} s"


def _entry_row(
    entry: Entry, head: str, more: tuple[str, ...] | list[str], names: Names
) -> tuple[Cell, ...]:
    original, reply = entry.original, entry.reply
    source, target = _ends(original, names)
    back, to = _ends(reply, names)
    new_target = _source(reply) != _target(original)
    new_source = _target(reply) != _source(original)
    so = []
    if new_target:
        so.append(f"the destination becomes {_source(reply)}")
    if new_source:
        same = reply.dst == original.src
        who = "keeps its address, with another port" if same else "is masqueraded"
        so.append(f"{_owner(original.src, names) or original.src} {who}: {_target(reply)}")
    marked = back._replace(sign="⇄" if new_target else "")
    return (
        Cell((head, *more)), source, target, marked, to._replace(sign="⇄" if new_source else ""),
        Cell((*so,) or ("not translated",)),
    )  # fmt: skip


# -- words ----------------------------------------------------------------------------------------


def _source(t: Tuple) -> str:
    return t.src if t.proto == PROTO_ICMP else f"{t.src}:{t.sport}"


def _target(t: Tuple) -> str:
    return t.dst if t.proto == PROTO_ICMP else f"{t.dst}:{t.dport}"


def _owner(ip: str, names: Names) -> str:
    owner = names.ips.get(ip)
    return owner_words(owner) if owner else ""


def _ends(t: Tuple, names: Names) -> tuple[Cell, Cell]:
    """Source and destination as cells, each with its owner."""
    return tuple(_cells(t, names))  # type: ignore[return-value]


def _cells(t: Tuple, names: Names) -> Iterator[Cell]:
    for words, ip in ((_source(t), t.src), (_target(t), t.dst)):
        owner = _owner(ip, names)
        yield Cell((words, owner) if owner else (words,))
