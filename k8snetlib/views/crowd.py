"""What lives here: the nodes of a large cluster that are drawn small, or only counted.

Up to ``FULL`` nodes stand in full. Of more, up to ``MOST``, those on a packet's way do, and each
other is a *tile*: its name, and a square for each of its pods. Beyond that the others are one tile
that says how many they are. A packet that meets a small node stands on its tile.

What may not live here: how a node in full looks (``nodes``), colours, SVG.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil
from typing import NamedTuple

from k8snetlib.topology import Host, Port, Topology
from k8snetlib.views.geometry import Box, Point, point_rail, text_width
from k8snetlib.views.plan import SMALL, SWITCH, Bar, Item, Link, Plan, port_tip, short

#: So many nodes stand in full; up to so many have a tile of their own.
FULL, MOST = 12, 200
#: Beyond ``MOST`` nodes, and without a packet, so many stand for all.
EXAMPLES = 3
#: The anchor of all nodes that are only counted.
REST = "…:ip"

PODS_SHOWN = 5
_WIDE, _WIDEST, _HIGH = 58.0, 118.0, 36.0
_GAP, _WIRE, _THIN, _APART = 4.0, 7.0, 12.0, 6.0
_ROW = 1190.0


class Crowd(NamedTuple):
    """All nodes: those in full, those as tiles, those that are counted."""

    full: tuple[Host, ...]
    small: tuple[Host, ...] = ()
    rest: tuple[Host, ...] = ()


def crowd(topology: Topology, path: Iterable[str] = ()) -> Crowd:
    """Who is drawn how. Parameters: ``path`` are the names of nodes on a packet's way, the first
    ``FULL`` of which stand in full."""
    nodes = topology.role("node")
    if len(nodes) <= FULL:
        return Crowd(nodes)
    names = {node.name for node in nodes}
    chosen = set([name for name in dict.fromkeys(path) if name in names][:FULL])
    if len(nodes) > MOST and not chosen:
        chosen = {node.name for node in nodes[:EXAMPLES]}
    full = tuple(node for node in nodes if node.name in chosen)
    others = tuple(node for node in nodes if node.name not in chosen)
    return Crowd(full, (), others) if len(nodes) > MOST else Crowd(full, others)


class Tiles(NamedTuple):
    """How the tiles stand: the width of each in px, how many in a row, how many rows."""

    width: float
    a_row: int
    rows: int

    def bars(self, hung: bool) -> int:
        """How many bars of the switch they need; ``hung``: the first row hangs on one above."""
        return self.rows // 2 if hung else -(-self.rows // 2)


def _name_width(name: str) -> float:
    return text_width(name.replace("1", "0"), SMALL, bold=True)  # all digits are equally wide


def measure_crowd(who: Crowd) -> Tiles:
    """The measures of the tiles; the one tile of those that are counted is as wide as its words."""
    if who.rest:
        return Tiles(178, 1, 1)
    if not who.small:
        return Tiles(0, 1, 0)
    width = max(_name_width(node.name) + 8 for node in who.small)
    width = ceil(min(max(width, _WIDE), _WIDEST))
    most = int((_ROW + _GAP) // (width + _GAP))
    rows = -(-len(who.small) // most)
    return Tiles(width, -(-len(who.small) // rows), rows)


def place_crowd(plan: Plan, who: Crowd, at: Point, above: Bar | None) -> list[Bar]:
    """Lays out the tiles; returns the bars of the switch that they need, from top to bottom.

    Parameters: ``above`` is the lowest bar there is already, on which the first row of tiles hangs.
    Without one they begin at ``at``, and the first bar has room for the network's name. Two rows
    share a bar.
    """
    width, a_row, rows = measure_crowd(who)
    bars: list[Bar] = []
    y = at.y if above is None else above.y + above.height + _WIRE
    right = at.x + a_row * (width + _GAP) - _GAP
    for row in range(rows):
        below = (row % 2 == 0) == (above is not None)
        if not below:
            high = _THIN if bars or above else SWITCH
            bars.append(Bar(y + _HIGH + _WIRE, high, right))
        bar = bars[-1] if bars else above
        assert bar is not None
        y = bar.y + bar.height + _WIRE if below else y
        for n, node in enumerate(who.small[row * a_row : (row + 1) * a_row]):
            _tile(plan, node, Box(at.x + n * (width + _GAP), y, width, _HIGH), bar, below)
        if who.rest:
            _rest(plan, who.rest, Box(at.x, y, width, _HIGH + 8), bar)
        y += _HIGH + _APART
    return bars


def _card(plan: Plan, node: Host) -> Port | None:
    """The network card of a node that is plugged into the switch."""
    return next(
        (p for p in node.ports if p.kind == "veth" and p.peer and p.peer[0] in plan.switches), None
    )


def _tile(plan: Plan, node: Host, box: Box, bar: Bar, below: bool) -> None:
    pods = plan.pods[node.name]
    anchor = f"{node.name}:ip"
    names = ", ".join(pod.name for pod in pods) or "no pods"
    tip = f"node {node.name}, {short(node.address) or 'no address'}: {names}"
    plug_y, end_y = (box.y, bar.y + bar.height) if below else (box.bottom, bar.y)
    centre = box.x + box.w / 2
    inside = Point(centre, plug_y + (12 if below else -12))
    label = node.name
    while _name_width(label) > box.w - 8:
        label = label[:-2] + "…"
    plan.put(Item(anchor, "tile", box, label, str(len(pods)), tip), point_rail(inside))
    for host in (node, *pods):
        plan.inside[host.name] = anchor
    card = _card(plan, node)
    if card is None:
        return
    _small_plug(plan, node, card, Point(centre, plug_y))
    assert card.peer
    switch = plan.switches[card.peer[0]]
    port = switch.port(card.peer[1])
    if port:
        _small_plug(plan, switch, port, Point(centre, end_y))
    plan.links.append(Link("wire", (Point(centre, plug_y), Point(centre, end_y))))


def _small_plug(plan: Plan, host: Host, port: Port, at: Point) -> None:
    box = Box(at.x - 6, at.y - 3, 12, 6)
    item = Item(f"{host.name}:{port.name}", "plug", box, "", "", port_tip(host, port))
    plan.put(item, point_rail(at))


def _rest(plan: Plan, nodes: tuple[Host, ...], box: Box, bar: Bar) -> None:
    pods = [pod for node in nodes for pod in plan.pods[node.name]]
    label = f"{len(nodes)} more nodes"
    tip = f"{label}, from {nodes[0].name} to {nodes[-1].name}, with {len(pods)} pods"
    x = box.x + box.w / 2
    item = Item(REST, "rest", box, label, f"{len(pods)} pods", tip)
    plan.put(item, point_rail(Point(x, box.y + 8)))
    plan.links.append(Link("wire", (Point(x, bar.y + bar.height), Point(x, box.y))))
    for host in (*nodes, *pods):
        plan.inside[host.name] = REST


def in_words(topology: Topology, inside: Mapping[str, str]) -> Iterable[str]:
    """The small and the counted nodes, told in sentences."""
    counts = Counter(inside.values())
    small = [
        f"{node.name} ({short(node.address) or 'no address'}), "
        f"{counts[inside[node.name]] - 1} pod{'' if counts[inside[node.name]] == 2 else 's'}"
        for node in topology.role("node")
        if inside.get(node.name, REST) != REST
    ]
    if small:
        yield f"Drawn small: {'; '.join(small)}."
    counted = {node.name for node in topology.role("node") if inside.get(node.name) == REST}
    if counted:
        pods = counts[REST] - len(counted)
        yield f"{len(counted)} more nodes with {pods} pods are not drawn."
