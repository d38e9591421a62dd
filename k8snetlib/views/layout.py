"""What lives here: where everything stands in the picture of a cluster.

Nodes in rows (``nodes`` lays out each), under every row the switch, beside the last row the other
machines: those at the switch, and upwards what lies behind them. Of many nodes most are small, and
stand below these rows (``crowd``).

What may not live here: colours and SVG (``scene``), the way of a packet (``walk``).

Simplified here: loopback devices are part of their IP stack.
"""

from __future__ import annotations

from collections.abc import Iterable

from k8snetlib.address import Prefix
from k8snetlib.topology import Host, Port, Topology
from k8snetlib.views.crowd import crowd, measure_crowd, place_crowd
from k8snetlib.views.geometry import Box, Point, Rail
from k8snetlib.views.nodes import NodePlan, measure, place_node
from k8snetlib.views.plan import (
    GAP,
    MARGIN,
    SIDE_GAP,
    SIDE_W,
    SWITCH,
    UNDER,
    WIDEST_ROW,
    Bar,
    Item,
    Layout,
    Link,
    Plan,
    short,
)

LEGEND = 88.0  # the height of the legend

# -- the node network and the machines beside ---------------------------------------------------


def _chains(topology: Topology) -> list[list[tuple[Host, Port]]]:
    """The machines beside the nodes: each chain begins at the switch, and goes on by wires.

    The longest chain comes first. Each host comes with the port that leads towards the switch.
    """
    switches = {host.name for host in topology.role("switch")}
    others = [h for h in topology.hosts if h.role in ("router", "host")]
    seen: set[str] = set()
    chains: list[list[tuple[Host, Port]]] = []

    def follow(host: Host, port: Port, chain: list[tuple[Host, Port]]) -> None:
        seen.add(host.name)
        chain.append((host, port))
        for other in others:
            for theirs in other.ports:
                if theirs.peer and theirs.peer[0] == host.name and other.name not in seen:
                    follow(other, theirs, chain)

    for host in others:
        for port in host.ports:
            if port.peer and port.peer[0] in switches and host.name not in seen:
                chains.append([])
                follow(host, port, chains[-1])
    return sorted(chains, key=len, reverse=True)


def _machine_height(host: Host) -> float:
    return 30.0 + 18.0 * max(1, sum(1 for p in host.ports if p.kind != "lo"))


def _machine(plan: Plan, host: Host, uplink: Port, box: Box, plug: Point) -> None:
    """A machine beside the nodes: ``plug`` is where its wire to the switch starts."""
    ports = [p for p in host.ports if p.kind != "lo"]
    several = len(ports) > 1
    lines = [f"{p.name + ' ' if several else ''}{short((*p.addresses, '')[0])}" for p in ports]
    spine = box.right - 16
    plan.put(
        Item(f"{host.name}:ip", "machine", box, host.name, "\n".join(lines),
             f"{host.role} {host.name}"),
        Rail(spine, box.y + 12, spine, box.bottom - 12),
    )  # fmt: skip
    plan.plug(host, uplink, plug)
    plan.join("inside", f"{host.name}:ip", f"{host.name}:{uplink.name}")
    for n, port in enumerate(p for p in ports if p != uplink):
        plan.plug(host, port, Point(spine - 28 * n, box.y))
        plan.join("inside", f"{host.name}:ip", f"{host.name}:{port.name}")


def _beside(plan: Plan, x: float, bottom: float, bar_y: float) -> tuple[float, float]:
    """Stacks the machines upwards from ``bottom``; returns the rightmost x and topmost y."""
    y, right, gutter = bottom, x + SIDE_W, 0
    switches = {host.name for host in plan.topology.role("switch")}
    for n, chain in enumerate(_chains(plan.topology)):
        for depth, (host, uplink) in enumerate(chain):
            height = _machine_height(host)
            box = Box(x, y - height, SIDE_W, height)
            plug = Point(box.right - 16, box.bottom)
            if depth == 0 and n:
                plug = Point(box.right, box.y + height / 2)
            _machine(plan, host, uplink, box, plug)
            name = f"{host.name}:{uplink.name}"
            if depth:
                assert uplink.peer
                plan.join("wire", name, ":".join(uplink.peer))
            elif uplink.peer and uplink.peer[0] in switches:
                gutter += 14 if n else 0
                drop = plug.x + gutter
                _switch_plug(plan, uplink.peer, Point(drop, bar_y))
                end = Point(drop, bar_y)
                points = (plug, Point(drop, plug.y), end) if n else (plug, end)
                plan.links.append(Link("wire", points))
                right = max(right, drop + 8)
            y -= height + (26 if depth < len(chain) - 1 else SIDE_GAP)
    return right, y + SIDE_GAP


def _switch_plug(plan: Plan, peer: tuple[str, str], at: Point) -> None:
    host = plan.topology.host(peer[0])
    port = host.port(peer[1]) if host else None
    if host and port:
        plan.plug(host, port, at)


def _grid(nodes: list[NodePlan]) -> list[list[NodePlan]]:
    """The nodes in rows, as even as possible."""
    rows = 1
    while True:
        per = -(-len(nodes) // rows) if nodes else 1
        found = [nodes[i : i + per] for i in range(0, len(nodes), per)]
        if per == 1 or max(sum(n.width + GAP for n in row) for row in found) <= WIDEST_ROW:
            return found
        rows += 1


def lay_out(topology: Topology, path: Iterable[str] = ()) -> Layout:
    """Where everything stands. Parameters: ``topology``, of a cluster or of an exchange; ``path``
    are the nodes on a packet's way, which a large cluster shows in full."""
    plan = Plan(topology)
    who = crowd(topology, path)
    grid = _grid([measure(topology, host) for host in who.full])
    trunk = 20.0 if len(grid) + measure_crowd(who).bars(bool(grid)) > 1 else 0.0
    y, right, bars = MARGIN, MARGIN + trunk, []
    wires: list[tuple[Host, Port, float]] = []
    bottom = MARGIN + 60
    for row in grid:
        x = MARGIN + trunk
        rows, core = max(len(n.rows) for n in row), max(n.core for n in row)
        bottom = y
        for node in row:
            bottom = max(bottom, place_node(plan, node, Point(x, y), rows, core))
            x += node.width + GAP
        bars.append(bottom + UNDER)
        wires += [(n.host, card, bars[-1]) for n in row for card in n.cards]
        right = max(right, x - GAP)
        y = bars[-1] + SWITCH + 22
    above = Bar(bars[-1], SWITCH, right) if bars else None
    tiles = place_crowd(plan, who, Point(MARGIN + trunk, y), above)
    wide = max([i.box.right for i in plan.items if i.kind in ("tile", "rest")], default=0.0)
    # Beside small nodes, or, where nodes in full stand above them, beside those.
    right = right if bars else max(right, wide)
    if not bars and not tiles:
        bars = [bottom + UNDER]
    hang = bars[-1] if bars else tiles[-1].y
    side = right + (SIDE_GAP if grid or tiles else 0)
    edge, top = _beside(plan, side, hang - UNDER, hang)
    has_side = edge > side + SIDE_W - 1 and bool(_chains(topology))
    right = max(edge if has_side else right, wide)
    if tiles and not bars:
        tiles[-1] = tiles[-1]._replace(right=right)
    _switch(plan, [*(Bar(y, SWITCH, right) for y in bars), *tiles], wires)
    column = Box(side, top, SIDE_W, hang - UNDER - top) if has_side else None
    low = max([item.box.bottom for item in plan.items], default=0.0)
    return _finish(plan, right + MARGIN, low + MARGIN, column)


def _switch(plan: Plan, bars: list[Bar], wires: list[tuple[Host, Port, float]]) -> None:
    """The node network: one bar under each row of nodes, joined by a trunk on the left."""
    for host, card, bar_y in wires:
        name = f"{host.name}:{card.name}"
        if card.peer and card.peer[0] in plan.switches:
            _switch_plug(plan, card.peer, Point(plan.rails[name].middle.x, bar_y))
            plan.join("wire", name, ":".join(card.peer))
    subnet = next((a for _, c, _ in wires for a in c.addresses), "") or _any_address(plan)
    for switch in plan.switches.values():
        bridge = next((p for p in switch.ports if p.kind == "bridge"), None)
        name = f"{switch.name}:{bridge.name if bridge else 'ip'}"
        heights = tuple(bar.y + min(11.0, bar.height / 2) for bar in bars)
        widest = max(bar.right for bar in bars)
        rail = Rail(MARGIN + 10, heights[0], widest - 10, heights[-1], heights)
        for n, bar in enumerate(bars):
            # A thin one comes out of the trunk.
            left = MARGIN if bar.height >= SWITCH else MARGIN + 10
            box = Box(left, bar.y, bar.right - left, bar.height)
            tip = f"{switch.name}: a plain Ethernet switch, the node network"
            label = "Node network" if bar.height >= SWITCH else ""
            plan.put(Item(name if not n else "", "switch", box, label,
                          _network(subnet), tip), rail)  # fmt: skip
        if len(bars) > 1:
            last = bars[-1]
            trunk = Box(MARGIN, bars[0].y, 20, last.y - bars[0].y + last.height)
            plan.put(Item("", "trunk", trunk))


def _any_address(plan: Plan) -> str:
    """The address of a node's network card, of nodes that are all drawn small."""
    return next(
        (
            address
            for node in plan.topology.role("node")
            for port in node.ports
            if port.peer and port.peer[0] in plan.switches
            for address in port.addresses
        ),
        "",
    )


def _network(address: str) -> str:
    """The network that an interface address such as 192.168.66.11/24 lies in."""
    return str(Prefix.parse(address, host_bits=True)) if address else ""


def _finish(plan: Plan, width: float, height: float, side: Box | None) -> Layout:
    """Moves everything down if the machines beside reach above the upper edge, and finds room for
    the legend above them."""
    down = max(0.0, MARGIN - side.y) if side else 0.0
    if down:
        plan.items = [i._replace(box=i.box._replace(y=i.box.y + down)) for i in plan.items]
        plan.links = [
            link._replace(points=tuple(Point(p.x, p.y + down) for p in link.points))
            for link in plan.links
        ]
        plan.rails = {
            name: Rail(r.x1, r.y1 + down, r.x2, r.y2 + down, tuple(y + down for y in r.rows))
            for name, r in plan.rails.items()
        }
    order = {"node": 0, "trunk": 1, "switch": 1}
    items = sorted(plan.items, key=lambda item: order.get(item.kind, 2 + (item.kind == "plug")))
    legend = None
    if side and side.y - MARGIN > LEGEND:
        legend = Box(side.x + 4, MARGIN + 4, SIDE_W, LEGEND)
    rails, topology = plan.rails, plan.topology
    links = tuple(plan.links)
    return Layout(width, height + down, tuple(items), links, rails, topology, legend, plan.inside)
