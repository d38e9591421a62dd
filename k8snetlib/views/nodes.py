"""What lives here: how one node is laid out, with its pods.

From top to bottom as its packets see it: pods, the bridge they are plugged into, the kernel's IP
stack; on the right the devices that lead elsewhere (a TUN device and, below it, the process that
holds it); at the lower edge the network card.

What may not live here: where the node stands among others (``layout``), colours, SVG.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.topology import Host, Port, Topology
from k8snetlib.views.geometry import Box, Point, Rail, point_rail, text_width, way
from k8snetlib.views.plan import (
    BAR,
    BELOW_BAR,
    CHIP,
    CHIPS_A_LINE,
    FOOT,
    HEAD,
    HUB_TEXT,
    ITEM_GAP,
    ITEM_H,
    ITEM_W,
    NAME,
    PAD,
    POD_GAP,
    POD_H,
    SMALL,
    SPINE,
    VETH,
    Item,
    Link,
    Plan,
    port_tip,
    short,
)

# -- pods -------------------------------------------------------------------------------------


def chip_width(name: str) -> float:
    """The width of a container's chip."""
    return text_width(name, SMALL) + 13


def _chip_lines(pod: Host) -> list[tuple[str, ...]]:
    names = pod.containers
    return [names[i : i + CHIPS_A_LINE] for i in range(0, len(names), CHIPS_A_LINE)]


def pod_height(topology: Topology) -> float:
    """The height of all pods: room for the one with most containers."""
    most = max((len(_chip_lines(pod)) for pod in topology.role("pod")), default=1)
    return POD_H + (CHIP + 3) * (max(1, most) - 1)


def pod_width(pod: Host) -> float:
    """The width of a pod's box: as wide as its longest line."""
    rows = [sum(chip_width(name) + 5 for name in line) - 5 for line in _chip_lines(pod)]
    chips = max(rows, default=0.0)
    lines = (text_width(pod.name, NAME, True), text_width(short(pod.address), SMALL), chips, 84.0)
    return round(max(lines) + 16)


def _pod(plan: Plan, pod: Host, at: Point, height: float) -> None:
    box = Box(at.x, at.y, pod_width(pod), height)
    tip = f"pod {pod.name}: one network namespace, shared by its containers"
    centre = at.x + box.w / 2
    chips = []
    for line, names in enumerate(_chip_lines(pod)):
        x, y = at.x + 8, at.y + 40 + line * (CHIP + 3)
        for name in names:
            chips.append((name, Box(x, y, chip_width(name), CHIP)))
            x += chip_width(name) + 5
    app = chips[1][1] if len(chips) > 1 else chips[0][1] if chips else None
    if app:
        centre = app.x + app.w / 2
    plan.put(
        Item(f"{pod.name}:ip", "pod", box, pod.name, short(pod.address), tip),
        point_rail(Point(centre, box.bottom - 13)),
    )
    for name, chip in chips:
        what = "holds the pod's network namespace" if name == "pause" else "a container of the pod"
        plan.put(
            Item(f"{pod.name}:{name}", "chip", chip, name, "", f"{name}: {what}"),
            point_rail(Point(centre if chip == app else chip.x + chip.w / 2, chip.bottom + 9)),
        )
    ports = [p for p in pod.ports if p.kind != "lo"]
    for n, port in enumerate(ports):
        plan.plug(pod, port, Point(centre + 26 * n, box.bottom))


# -- nodes ------------------------------------------------------------------------------------


class NodePlan(NamedTuple):
    """A node's measure: its pods by rows, and its devices by where they are drawn."""

    host: Host
    rows: tuple[tuple[Host, ...], ...]
    bridges: tuple[Port, ...]
    side: tuple[Port, ...]
    cards: tuple[Port, ...]
    width: float
    core: float


def _pod_rows(pods: tuple[Host, ...], limit: float) -> tuple[tuple[Host, ...], ...]:
    rows: list[tuple[Host, ...]] = []
    row: tuple[Host, ...] = ()
    used = 0.0
    for pod in pods:
        width = pod_width(pod) + POD_GAP
        if row and used + width > limit:
            rows.append(row)
            row, used = (), 0.0
        row, used = (*row, pod), used + width
    return (*rows, row) if row else tuple(rows)


def _row_width(row: tuple[Host, ...]) -> float:
    return sum(pod_width(pod) for pod in row) + POD_GAP * (len(row) - 1)


def measure(topology: Topology, host: Host) -> NodePlan:
    """How much room a node needs, and which of its devices stands where."""
    pods = topology.pods_on(host.name)
    names = {pod.name for pod in pods}
    bridges = tuple(p for p in host.ports if p.kind == "bridge")
    plain = [p for p in host.ports if p.kind not in ("bridge", "lo") and not p.master]
    plain = [p for p in plain if not (p.peer and p.peer[0] in names)]
    cards = tuple(p for p in plain if p.kind == "veth")
    side = tuple(p for p in plain if p.kind != "veth")
    rows = _pod_rows(pods, 320.0)
    bar = max((text_width(b.name, NAME, True) + 12 for b in bridges), default=0.0)
    core_width = max(HUB_TEXT, bar - SPINE - 6) + SPINE + 22 + ITEM_W
    gutter = 14.0 if len(rows) > 1 else 0.0
    width = max([core_width, *(_row_width(row) + gutter for row in rows)]) + 2 * PAD
    stacked = max(2, len(side) + len(host.daemons))
    core = stacked * (ITEM_H + ITEM_GAP) - ITEM_GAP
    return NodePlan(host, rows, bridges, side, cards, round(width), core)


def place_node(plan: Plan, node: NodePlan, at: Point, pod_rows: int, core: float) -> float:
    """Lays out one node; returns the y of its lower edge."""
    host = node.host
    pods_y = at.y + HEAD
    pod_h = pod_height(plan.topology)
    bar_y = pods_y + pod_rows * (pod_h + 14) - 14 + VETH if pod_rows else pods_y
    bars = max(1, len(node.bridges)) * (BAR + 6) - 6 if node.bridges else 0
    core_y = bar_y + bars + BELOW_BAR
    bottom = core_y + core + FOOT
    box = Box(at.x, at.y, node.width, bottom - at.y)
    address = short(host.address)
    plan.put(Item("", "node", box, host.name, address, f"node {host.name}, {address}"))
    spine = at.x + PAD + max(HUB_TEXT, bar_label(node) - SPINE) + SPINE / 2
    for n, bridge in enumerate(node.bridges):
        bar = Box(at.x + PAD, bar_y + n * (BAR + 6), node.width - 2 * PAD, BAR)
        plan.put(
            Item(
                f"{host.name}:{bridge.name}", "bridge", bar, bridge.name,
                bridge.addresses[0] if bridge.addresses else "", port_tip(host, bridge),
            ),
            Rail(bar.x + 10, bar.y + 10, bar.right - 10, bar.y + 10),
        )  # fmt: skip
    hub = Box(at.x + PAD, core_y, spine + SPINE / 2 - at.x - PAD, core)
    plan.put(
        Item(
            f"{host.name}:ip", "hub", hub, "IP routing", "",
            f"the IP stack of {host.name}'s kernel: routing table, neighbour table",
        ),
        Rail(spine, hub.y + 12, spine, hub.bottom - 8),
    )  # fmt: skip
    if node.bridges:
        for bridge in node.bridges:
            plan.join("inside", f"{host.name}:{bridge.name}", f"{host.name}:ip")
    # One thing alone stands below the middle, apart from the way in to the IP stack.
    alone = len(node.side) + len(host.daemons) == 1
    side_y = core_y + (core - ITEM_H) / 2 + 13 if alone else core_y
    _side(plan, node, Point(box.right - PAD - ITEM_W, side_y))
    for n, card in enumerate(node.cards):
        plan.plug(host, card, Point(spine - 30 * n, bottom))
        plan.join("inside", f"{host.name}:ip", f"{host.name}:{card.name}")
    _pods(plan, node, Point(at.x + PAD, pods_y), bar_y)
    return bottom


def bar_label(node: NodePlan) -> float:
    """The width of the longest name of a bridge."""
    return max((text_width(b.name, NAME, True) + 12 for b in node.bridges), default=0.0)


def _side(plan: Plan, node: NodePlan, at: Point) -> None:
    """The devices that lead elsewhere, and the daemons, on the right of the IP stack."""
    host = node.host
    y = at.y
    for port in node.side:
        box = Box(at.x, y, ITEM_W, ITEM_H)
        address = port.addresses[0] if port.addresses else port.kind
        plan.put(
            Item(f"{host.name}:{port.name}", port.kind, box, port.name, address,
                 port_tip(host, port)),
            point_rail(Point(box.x + 8, box.y + ITEM_H / 2)),
        )  # fmt: skip
        plan.join("inside", f"{host.name}:ip", f"{host.name}:{port.name}")
        y += ITEM_H + ITEM_GAP
    owners = {port.owner: port for port in node.side if port.owner}
    for daemon in host.daemons:
        box = Box(at.x, y, ITEM_W, ITEM_H)
        plan.put(
            Item(f"{host.name}:{daemon}", "daemon", box, daemon, "process",
                 f"{daemon}: a process on {host.name}, outside the kernel"),
            point_rail(Point(box.x + 8, box.y + ITEM_H / 2)),
        )  # fmt: skip
        if daemon in owners:
            plan.join("inside", f"{host.name}:ip", f"{host.name}:{daemon}")
            plan.join("tun", f"{host.name}:{owners[daemon].name}", f"{host.name}:{daemon}")
        y += ITEM_H + ITEM_GAP


def _pods(plan: Plan, node: NodePlan, at: Point, bar_y: float) -> None:
    host, height = node.host, pod_height(plan.topology)
    for n, row in enumerate(node.rows):
        x = at.x
        for pod in row:
            _pod(plan, pod, Point(x, at.y + n * (height + 14)), height)
            x += pod_width(pod) + POD_GAP
            above = n < len(node.rows) - 1
            aside = x - POD_GAP / 2 - 2 + 3 * (n % 3) if above else None
            for port in pod.ports:
                veth = host.port(port.peer[1]) if port.peer and port.peer[0] == host.name else None
                if veth:
                    _veth(plan, node, (pod, port, veth), bar_y, aside)


def _veth(
    plan: Plan, node: NodePlan, pair: tuple[Host, Port, Port], bar_y: float, aside: float | None
) -> None:
    """The pair between a pod and its node. ``aside``: the pod stands above others, so the wire goes
    down in the gap beside them."""
    pod, port, veth = pair
    host = node.host
    start = plan.rails[f"{pod.name}:{port.name}"].middle
    end = Point(start.x if aside is None else aside, bar_y - 1)
    name = f"{host.name}:{veth.name}"
    plan.plug(host, veth, end)
    if aside is not None:
        plan.rails[name] = Rail(end.x, start.y + 8, end.x, end.y)
        points = (start, Point(start.x, start.y + 8), Point(end.x, start.y + 8), end)
        plan.links.append(Link("veth", points))
    else:
        room = start.x - plan.rails[f"{host.name}:ip"].x1 + HUB_TEXT + PAD
        alone = len(plan.topology.pods_on(host.name)) == 1
        width = text_width(veth.name, SMALL)
        fits = alone or (width + 26 <= pod_width(pod) + POD_GAP and width <= room)
        plan.join("veth", f"{pod.name}:{port.name}", name, veth.name if fits else "")
    bridges = {bridge.name for bridge in node.bridges}
    onto = veth.master if veth.master in bridges else "ip"
    rail = plan.rails[f"{host.name}:{onto}"]
    plan.links.append(Link("inside", way(end, point_rail(end), rail)))
