"""What lives here: ``entry_matrix``, what becomes of a connection to a node port, from everywhere.

Columns are the nodes that a client may enter by, rows the clients; a cell names the source address
that the endpoint sees, or what became of the packet, and who answers with which probability. In a
notebook a cell can be chosen: the walk that it stands for is shown beside it (``entry_walks``).

What may not live here: computing (``entries``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from k8snetlib.cluster import Cluster
from k8snetlib.views.entries import CLIENTS, End, Entry, entries_of
from k8snetlib.views.entry_walks import walks_data
from k8snetlib.views.grid import Cell, Grid, Tables
from k8snetlib.views.table import LiveTables

_NOTES = (
    "✓ the endpoint sees the client's own address. ⇄ it sees another one: the source was "
    "translated. ✕ no answer came back.",
)


def entry_matrix(what: Cluster | Iterable[Entry], *services: str) -> Tables:
    """Entry node × client for the node ports of one or more Services.

    Parameters: ``what`` is a cluster (nothing is sent in it), with ``services`` as ``NAME`` or
    ``NAMESPACE/NAME``; or the ``Entry`` values themselves. Raises ``UnknownName``, and
    ``K8sNetError`` if a Service has no node port.
    """
    if isinstance(what, Cluster):
        entries = tuple(entry for name in services for entry in entries_of(what, name))
    else:
        entries = tuple(what)
    names = tuple(dict.fromkeys((e.service, e.policy, e.port) for e in entries))
    grids = tuple(_grid(*name, [e for e in entries if (e.service, e.policy, e.port) == name])
                  for name in names)  # fmt: skip
    listed = " and ".join(service for service, _, _ in names)
    title = (
        f"In by a node port: {listed or 'no Service'}. Each cell: the source address that the "
        "endpoint sees, and who answers how often."
    )
    if not all(end.exchange for entry in entries for end in entry.ends):
        return Tables(title, grids, _NOTES)
    return LiveTables(title, grids, _NOTES, lambda: walks_data(title, grids, entries))


def _grid(service: str, policy: str, port: int, entries: Sequence[Entry]) -> Grid:
    nodes = tuple(dict.fromkeys(entry.node for entry in entries))
    kinds = tuple(dict.fromkeys(entry.kind for entry in entries))
    cells = {(entry.kind, entry.node): entry for entry in entries}
    rows = []
    for kind in kinds:
        clients = {cells[kind, node].client for node in nodes if (kind, node) in cells}
        same = (next(iter(clients)),) if len(clients) == 1 and clients != {""} else ()
        row = [Cell((kind, *same))]
        for node in nodes:
            entry = cells.get((kind, node))
            row.append(_cell(entry, told=bool(same)) if entry else Cell(("–",)))
        rows.append(tuple(row))
    caption = f"{service}, port {port} of every node, externalTrafficPolicy: {policy}"
    heads = tuple(("enters by", node) for node in nodes)
    return Grid(caption, "from", heads, tuple(rows))


def _cell(entry: Entry, *, told: bool) -> Cell:
    if not entry.client:
        return Cell(("–", "no such host" if entry.kind == CLIENTS[0] else "no such pod"))
    lines = list(_lines(entry.ends))
    if not told and not entry.kind.endswith("process on that node"):
        lines.append(f"client: {entry.client}")
    worst = "✕⇄✓"
    signs = [_sign(end) for end in entry.ends]
    sign = min(signs, key=worst.index)
    first = lines[0].removeprefix(f"{sign} ") if lines[0].startswith(sign) else lines[0]
    return Cell((first, *lines[1:]), sign)


def _sign(end: End) -> str:
    return "✕" if end.outcome != "delivered" else "✓" if end.kept else "⇄"


def _lines(ends: Sequence[End]) -> Iterator[str]:
    """What becomes of it: ends with the same sign and source stand together, the worst first."""
    groups: dict[tuple[str, str, str, str], list[End]] = {}
    for end in ends:
        groups.setdefault((_sign(end), end.outcome, end.seen, end.owner), []).append(end)
    for (sign, outcome, seen, owner), group in sorted(
        groups.items(), key=lambda item: "✕⇄✓".index(item[0][0])
    ):
        if sign == "✕":
            yield f"{sign} {outcome}"
            yield f"{_chances(group)}, at {', '.join(end.receiver for end in group)}"
            continue
        yield f"{sign} {seen}" + (f" ({owner})" if owner else "")
        yield f"by {', '.join(end.receiver for end in group)}: {_chances(group)}"


def _chances(group: Sequence[End]) -> str:
    chances = {end.probability for end in group}
    if chances == {Fraction(1)}:
        return "always"
    each = " each" if len(group) > 1 else ""
    if len(chances) == 1:
        return f"{next(iter(chances))}{each}"
    return ", ".join(str(end.probability) for end in group)
