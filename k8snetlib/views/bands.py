"""What lives here: ``address_bands``, the three networks of a cluster as bands of addresses.

Three bands: the Service network, the Pod network, the node network. In the Pod network every node
has a range of its own, which stands above the node that carries it; below it follow the addresses
in use, in their order. A ruler of 32 cells shows how many bits a network fixes.

The picture is drawn from the devices as they are now: a range that two nodes use is marked.

Simplified here: The bands are not to scale (a range of 2^8 addresses in one of 2^16 could not be
seen); the rulers are. Further bridges of a node, and addresses beyond the three networks, are not
drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from k8snetlib.address import Prefix, number
from k8snetlib.cluster import Cluster
from k8snetlib.kube.api import Node, Service
from k8snetlib.topology import Host
from k8snetlib.views.geometry import Box, Point, path_data, text_width
from k8snetlib.views.marks import TEXT_STYLE, document, rect, text
from k8snetlib.views.picture import Picture
from k8snetlib.views.plan import MARGIN, NAME, SMALL, short

HEAD_W, COL, GAP, PAD = 226.0, 180.0, 12.0, 14.0
LABEL = 13.0

BANDS_STYLE = (
    TEXT_STYLE + ".k8snet-svg .title{font-size:16px;font-weight:700}"
    f".k8snet-svg .label{{font-size:{LABEL:g}px}}"
    ".k8snet-svg .virtual,.k8snet-svg .real{stroke-width:1.8}"
    ".k8snet-svg .virtual.service{fill:var(--k-card);stroke:var(--k-service);stroke-dasharray:7 4}"
    ".k8snet-svg .virtual.pods{fill:var(--k-pod-fill);stroke:var(--k-pod);stroke-dasharray:7 4}"
    ".k8snet-svg .real{fill:var(--k-node-fill);stroke:var(--k-node)}"
    ".k8snet-svg .range{fill:var(--k-pod-band);stroke:var(--k-pod);stroke-width:1.6}"
    ".k8snet-svg .range.twice{stroke:var(--k-bad);stroke-width:3}"
    ".k8snet-svg .free{fill:none;stroke:var(--k-pod);stroke-dasharray:2 4}"
    ".k8snet-svg .chip{fill:var(--k-ground);stroke:var(--k-service);stroke-dasharray:4 3}"
    ".k8snet-svg .machine{fill:var(--k-node-band);stroke:var(--k-node);stroke-width:1.6}"
    ".k8snet-svg .beside{fill:var(--k-ground);stroke:var(--k-node)}"
    ".k8snet-svg .fixed{fill:var(--k-muted)}"
    ".k8snet-svg .open{fill:var(--k-ground);stroke:var(--k-muted);stroke-width:1}"
    ".k8snet-svg .podtext{fill:var(--k-pod-ink)}.k8snet-svg .nodetext{fill:var(--k-node-ink)}"
    ".k8snet-svg .servicetext{fill:var(--k-service-ink)}"
    ".k8snet-svg .warn{fill:var(--k-bad);font-size:12px;font-weight:700}"
    ".k8snet-svg .dot{fill:var(--k-pod)}"
    ".k8snet-svg .square{fill:var(--k-ground);stroke:var(--k-muted);stroke-width:1.6}"
    ".k8snet-svg .via{fill:none;stroke:var(--k-ink);stroke-width:2}"
    ".k8snet-svg .tip{fill:var(--k-ink)}"
)

LINE, TITLE_H, BETWEEN = 19.0, 30.0, 14.0
SERVICE_H, NODE_H, ARROW = 44.0, 46.0, 40.0
LEAST = 108.0  # what the words on the left of a band need
MOST_PODS = 10
CELL, CELL_GAP, OCTET_GAP = 4.6, 1.2, 4.0


class Used(NamedTuple):
    """An address of the Pod network and who has it: a pod, or a device of the node."""

    ip: str
    owner: str
    device: bool


class Range(NamedTuple):
    """One node's part of the Pod network, as its bridge has it; ``also`` are the other nodes that
    use addresses of it, too."""

    node: Node
    subnet: Prefix
    used: tuple[Used, ...]
    also: tuple[str, ...]


def ranges_of(cluster: Cluster) -> tuple[Range, ...]:
    """The Pod ranges of all nodes, in the order of the nodes' addresses."""
    nodes = sorted(cluster.spec.nodes, key=lambda node: number(node.ip))
    subnets = {node.name: _subnet(cluster, node) for node in nodes}
    found = []
    for node in nodes:
        mine = subnets[node.name]
        also = (n for n, other in subnets.items() if n != node.name and other.overlaps(mine))
        found.append(Range(node, mine, _used(cluster, node), tuple(also)))
    return tuple(found)


def _subnet(cluster: Cluster, node: Node) -> Prefix:
    """What the node's bridge says; a node whose bridge has no address keeps what it was given."""
    host = cluster.topology.host(node.name)
    bridge = host.port(cluster.spec.network.bridge) if host else None
    if bridge is None or not bridge.addresses:
        return node.pod_cidr
    return Prefix.parse(bridge.addresses[0], host_bits=True)


def _used(cluster: Cluster, node: Node) -> tuple[Used, ...]:
    topology, net = cluster.topology, cluster.spec.network.pod_network
    hosts = [(pod, pod.name) for pod in topology.pods_on(node.name)]
    own = topology.host(node.name)
    found = [Used(ip, name, False) for pod, name in hosts for ip, _ in _addresses(pod, net)]
    if own:
        found += [Used(ip, device, True) for ip, device in _addresses(own, net)]
    return tuple(sorted(found, key=lambda used: (number(used.ip), used.owner)))


def _addresses(host: Host, within: Prefix) -> Iterator[tuple[str, str]]:
    for port in host.ports:
        for address in port.addresses:
            if within.contains(short(address)):
                yield short(address), port.name


def _beside(cluster: Cluster) -> tuple[tuple[str, str], ...]:
    """The other machines of the node network: address and name, in order."""
    net = cluster.spec.network.node_network
    found = [
        (ip, host.name)
        for host in cluster.topology.hosts
        if host.role in ("router", "host")
        for ip, _ in _addresses(host, net)
    ]
    return tuple(sorted(found, key=lambda one: number(one[0])))


def _on_devices(cluster: Cluster) -> tuple[str, ...]:
    """Devices that do have a Service's address (``kube-ipvs0 of node1``); usually none."""
    net = cluster.spec.network.service_network
    return tuple(
        f"{device} of {host.name}"
        for host in cluster.topology.hosts
        for device in dict.fromkeys(device for _, device in _addresses(host, net))
    )


def _services(cluster: Cluster) -> tuple[Service, ...]:
    return tuple(sorted(cluster.spec.services, key=lambda s: (number(s.cluster_ip), s.name)))


# -- words ----------------------------------------------------------------------------------------


def size_words(prefix: Prefix) -> str:
    """``16 free bits: 65,536 addresses``."""
    free = 32 - prefix.length
    return f"{free} free bit{_s(free)}: {2**free:,} address{'es' if free else ''}"


def _s(many: int) -> str:
    return "" if many == 1 else "s"


def _where(cluster: Cluster) -> str:
    devices = _on_devices(cluster)
    return f"on {', '.join(devices)}" if devices else "on no device at all"


def _clash(found: Range) -> str:
    return f"! also used by {', '.join(found.also)}" if found.also else ""


def _table(cluster: Cluster, ranges: tuple[Range, ...]) -> tuple[tuple[str, ...], ...]:
    net = cluster.spec.network
    services = [f"{s.name} {s.cluster_ip}" for s in _services(cluster)]
    machines = [f"{r.node.name} {r.node.ip}" for r in ranges]
    machines += [f"{name} {ip}" for ip, name in _beside(cluster)]
    rows = [
        ("Network", "Range", "Who sits there"),
        ("Service network (virtual)", str(net.service_network),
         f"{', '.join(services) or 'no Services'}; {_where(cluster)}"),
        ("Pod network (virtual)", str(net.pod_network), "one range for each node"),
    ]  # fmt: skip
    for found in ranges:
        used = [f"{one.owner} {one.ip}" for one in found.used]
        said = [f"via {found.node.ip}", ", ".join(used) or "no address in use", _clash(found)]
        rows.append(
            (f"range of {found.node.name}", str(found.subnet), "; ".join(filter(None, said)))
        )
    real = ", ".join(machines) or "no machines"
    rows.append(("Node network (real)", str(net.node_network), real))
    return tuple(rows)


# -- the picture ----------------------------------------------------------------------------------


def address_bands(cluster: Cluster) -> Picture:
    """The node, Pod and Service networks of a cluster, and who has which address in them.

    Parameters: ``cluster``, drawn as it is now. Returns a ``Picture``; its text and its table name
    every address.
    """
    ranges = ranges_of(cluster)
    columns = max(len(ranges), 1) + 1
    width = MARGIN + HEAD_W + columns * (COL + GAP) - GAP + PAD + MARGIN
    pods = MARGIN + _service_height(cluster, ranges) + BETWEEN
    nodes = pods + _pod_height(ranges) + ARROW
    bottom = nodes + _node_height(cluster)
    across = Box(MARGIN, 0, width - 2 * MARGIN, 0)
    parts = [
        *_service_band(cluster, ranges, across._replace(y=MARGIN, h=pods - BETWEEN - MARGIN)),
        *_pod_band(cluster, ranges, across._replace(y=pods, h=nodes - ARROW - pods)),
        *_node_band(cluster, ranges, across._replace(y=nodes, h=bottom - nodes)),
        *_arrows(ranges, nodes - ARROW - PAD, nodes + PAD),
    ]
    table = _table(cluster, ranges)
    title = "Three networks: Service, Pod and node"
    rows = [f"{name}, {prefix}: {who}" for name, prefix, who in table[1:]]
    svg = document(
        width, bottom + MARGIN, (title, ". ".join(rows) + "."), "\n".join(parts), BANDS_STYLE
    )
    words = "\n".join([f"{title}.", *(f"  {row}" for row in rows)])
    return Picture(svg, words, "", table, "The same in words: who has which address")


def column(n: int) -> float:
    """Where the n-th column of the bands begins."""
    return MARGIN + HEAD_W + n * (COL + GAP)


def _head(y: float, name: str, kind: str, prefix: Prefix, said: str) -> list[str]:
    """The left part of a band: its name, its range, the ruler and two lines of words."""
    x = MARGIN + PAD
    found = [
        text(x, y + 24, name, f"title {kind}text"),
        text(x, y + 44, str(prefix), "name"),
        text(x, y + 79, size_words(prefix), "sub"),
        text(x, y + 96, said, "sub"),
    ]
    for bit in range(32):
        at = x + bit * (CELL + CELL_GAP) + bit // 8 * OCTET_GAP
        cell = Box(at, y + 52, CELL, 11)
        found.append(rect(cell, "fixed" if bit < prefix.length else "open", 1))
    return found


def _service_height(cluster: Cluster, ranges: tuple[Range, ...]) -> float:
    rows = -(-len(cluster.spec.services) // (max(len(ranges), 1) + 1))
    return max(LEAST, 2 * PAD + rows * (SERVICE_H + 8) - 8)


def _service_band(cluster: Cluster, ranges: tuple[Range, ...], band: Box) -> list[str]:
    net, per = cluster.spec.network.service_network, max(len(ranges), 1) + 1
    said = fitted(f"virtual: {_where(cluster)}", HEAD_W - PAD, SMALL, False)
    marks = [rect(band, "virtual service", 12)]
    marks += _head(band.y, "Service network", "service", net, said)
    services = _services(cluster)
    if not services:
        marks.append(text(column(0), band.y + 30, "no Services", "tag"))
    for n, service in enumerate(services):
        box = Box(column(n % per), band.y + PAD + n // per * (SERVICE_H + 8), COL, SERVICE_H)
        marks += [
            rect(box, "chip", 8),
            text(box.x + 10, box.y + 18, fitted(service.name, COL - 20), "name"),
            text(box.x + 10, box.y + 35, service.cluster_ip, "sub"),
        ]
    return marks


def fitted(words: str, room: float, size: float = NAME, bold: bool = True) -> str:
    """The words, cut with an ellipsis where they need more than ``room`` px."""
    if text_width(words, size, bold) <= room:
        return words
    while words and text_width(words + "…", size, bold) > room:
        words = words[:-1]
    return words + "…"


def _pod_height(ranges: tuple[Range, ...]) -> float:
    lines = max((_lines(found) for found in ranges), default=1)
    return max(LEAST + 2 * LINE, TITLE_H + lines * LINE + 8 + 2 * PAD)


def _pod_band(cluster: Cluster, ranges: tuple[Range, ...], band: Box) -> list[str]:
    net, (x, y) = cluster.spec.network.pod_network, (MARGIN + PAD, band.y + 124)
    marks = [rect(band, "virtual pods", 12)]
    marks += _head(band.y, "Pod network", "pod", net, "virtual: made by the nodes")
    marks += [_dot(x, y), text(x + 14, y, "a pod", "sub")]
    marks += [_square(x + 64, y), text(x + 78, y, "a device of the node", "sub")]
    for n, found in enumerate(ranges):
        marks += _range(found, Box(column(n), band.y + PAD, COL, band.h - 2 * PAD))
    if not ranges:
        marks.append(text(column(0), band.y + 30, "no nodes", "tag"))
    left = _free(net, ranges)
    if left:
        free = Box(column(len(ranges)), band.y + PAD, COL, 58)
        marks += [
            rect(free, "free", 8),
            text(free.x + 10, free.y + 24, left, "name"),
            text(free.x + 10, free.y + 43, "free for other nodes", "sub"),
        ]
    return marks


def _dot(x: float, y: float) -> str:
    return rect(Box(x, y - 9, 8, 8), "dot", 4)


def _square(x: float, y: float) -> str:
    return rect(Box(x, y - 9, 8, 8), "square", 1)


def _lines(found: Range) -> int:
    return max(1, min(len(found.used), MOST_PODS + 1)) + bool(found.also)


def _free(net: Prefix, ranges: tuple[Range, ...]) -> str:
    """How many ranges of the nodes' size are still free; "" if they are of different sizes."""
    sizes = {found.subnet.length for found in ranges}
    if len(sizes) != 1:
        return ""
    (size,) = sizes
    taken = {found.subnet.net for found in ranges if net.contains(found.subnet.network)}
    many = 2 ** (size - net.length) - len(taken)
    return f"… {many:,} more /{size}" if many > 0 else ""


def _range(found: Range, box: Box) -> list[str]:
    marks = [
        rect(box, "range twice" if found.also else "range", 8),
        text(box.x + 10, box.y + 20, str(found.subnet), "name podtext"),
    ]
    y = box.y + TITLE_H + 12
    if found.also:
        marks.append(text(box.x + 10, y - 2, fitted(_clash(found), COL - 14, SMALL), "warn"))
        y += LINE
    shown = found.used if len(found.used) <= MOST_PODS + 1 else found.used[:MOST_PODS]
    for one in shown:
        room = COL - 40 - text_width(one.ip, SMALL)
        marks += [
            (_square if one.device else _dot)(box.x + 10, y),
            text(
                box.x + 25,
                y,
                fitted(one.owner, room, LABEL, False),
                "sub" if one.device else "label",
            ),
            text(box.right - 10, y, one.ip, "sub", "end"),
        ]
        y += LINE
    if len(shown) < len(found.used):
        marks.append(text(box.x + 25, y, f"and {len(found.used) - len(shown)} more", "tag"))
    if not found.used:
        marks.append(text(box.x + 10, y, "no address in use", "tag"))
    return marks


def _node_height(cluster: Cluster) -> float:
    return max(LEAST, 2 * PAD + len(_beside(cluster)) * LINE + 12)


def _node_band(cluster: Cluster, ranges: tuple[Range, ...], band: Box) -> list[str]:
    net, y = cluster.spec.network.node_network, band.y + PAD
    marks = [rect(band, "real", 12)]
    marks += _head(band.y, "Node network", "node", net, "real: cards, cables, a switch")
    for n, found in enumerate(ranges):
        box = Box(column(n), y, COL, NODE_H)
        marks += [
            rect(box, "machine", 8),
            text(box.x + 10, box.y + 19, fitted(found.node.name, COL - 20), "name"),
            text(box.x + 10, box.y + 36, found.node.ip, "sub"),
        ]
    if not ranges:
        marks.append(text(column(0), band.y + 30, "no nodes", "tag"))
    beside = _beside(cluster)
    if beside:
        box = Box(column(max(len(ranges), 1)), y, COL, len(beside) * LINE + 12)
        marks.append(rect(box, "beside", 8))
        for n, (ip, name) in enumerate(beside):
            at = box.y + 19 + n * LINE
            room = COL - 25 - text_width(ip, SMALL)
            marks.append(text(box.x + 10, at, fitted(name, room, LABEL, False), "label"))
            marks.append(text(box.right - 10, at, ip, "sub", "end"))
    return marks


def _arrows(ranges: tuple[Range, ...], top: float, bottom: float) -> list[str]:
    """From every range to the node that carries it."""
    marks = []
    for n, found in enumerate(ranges):
        x = column(n) + 20
        line = path_data((Point(x, top), Point(x, bottom - 8)))
        tip = path_data((Point(x - 6, bottom - 10), Point(x, bottom), Point(x + 6, bottom - 10)))
        marks.append(f'<path class="via" d="{line}"/><path class="tip" d="{tip}Z"/>')
        marks.append(text(x + 10, (top + bottom) / 2 + 4, f"via {found.node.ip}", "label"))
    return marks
