"""What lives here: what a picture of a cluster is made of, before anything is drawn.

``Layout`` is the finished plan: things (``Item``), wires (``Link``), and for every *anchor* the
``Rail`` on which a packet stands there. An anchor is ``HOST:THING``: a device (``node1:docker0``),
a daemon (``node1:flanneld``), a container (``web2:web``), the IP stack (``node1:ip``). ``Plan``
collects them while ``layout`` works.

What may not live here: colours and SVG (``scene``), which thing stands where (``layout``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from k8snetlib.topology import Host, Port, Topology
from k8snetlib.views.geometry import Box, Point, Rail, point_rail, way

#: Sizes of text in the picture, in px at its natural width.
NAME, SMALL = 14.0, 12.0

MARGIN, PAD, GAP = 10.0, 11.0, 14.0
HEAD = 31.0  # a node's title
CHIP, POD_H, POD_GAP = 19.0, 82.0, 8.0
VETH, BAR, BELOW_BAR = 25.0, 39.0, 13.0
ITEM_W, ITEM_H, ITEM_GAP = 128.0, 41.0, 12.0
HUB_TEXT, SPINE = 86.0, 18.0
FOOT, UNDER = 20.0, 21.0
SWITCH = 41.0
SIDE_W, SIDE_GAP = 147.0, 16.0
WIDEST_ROW = 1000.0
CHIPS_A_LINE = 2


class Item(NamedTuple):
    """One thing in the picture. ``kind`` says how it is drawn, ``anchor`` is "" if no packet
    can stand there; ``label`` and ``sub`` are its texts, ``tip`` what a mouse gets to read."""

    anchor: str
    kind: str
    box: Box
    label: str = ""
    sub: str = ""
    tip: str = ""


class Link(NamedTuple):
    """A wire (or a file descriptor between a TUN device and its process) as drawn."""

    kind: str
    points: tuple[Point, ...]
    label: str = ""


class Bar(NamedTuple):
    """A piece of the switch: its upper edge, its height, and where it ends on the right."""

    y: float
    height: float
    right: float


class Layout(NamedTuple):
    """The picture as positions: size, things in drawing order, wires, and a rail per anchor.

    ``inside`` names the anchor of the one thing that stands for a host without things of its own.
    """

    width: float
    height: float
    items: tuple[Item, ...]
    links: tuple[Link, ...]
    rails: Mapping[str, Rail]
    topology: Topology
    legend: Box | None = None
    inside: Mapping[str, str] = MappingProxyType({})


class Plan:
    """Collects items, links and rails while the picture is laid out."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.items: list[Item] = []
        self.links: list[Link] = []
        self.rails: dict[str, Rail] = {}
        self.inside: dict[str, str] = {}
        self.switches = {host.name: host for host in topology.role("switch")}
        self.pods: dict[str, list[Host]] = {node.name: [] for node in topology.role("node")}
        for pod in topology.role("pod"):
            self.pods.setdefault(pod.on or "", []).append(pod)

    def put(self, item: Item, rail: Rail | None = None) -> None:
        """Adds a thing, and the rail of its anchor."""
        self.items.append(item)
        if item.anchor and rail is not None:
            self.rails[item.anchor] = rail

    def plug(self, host: Host, port: Port, at: Point) -> None:
        """A device drawn as a plug at the edge of its box."""
        box = Box(at.x - 9, at.y - 5, 18, 10)
        self.put(
            Item(f"{host.name}:{port.name}", "plug", box, port.name, "", port_tip(host, port)),
            point_rail(at),
        )

    def join(self, kind: str, one: str, other: str, label: str = "") -> None:
        """Draws a wire between two anchors, where a packet would go."""
        here, there = self.rails[one], self.rails[other]
        start = here.nearest(there.middle)
        self.links.append(Link(kind, way(start, here, there), label))


def port_tip(host: Host, port: Port) -> str:
    """What a device is, in a few words."""
    kinds = {"veth": "one end of a veth pair", "tun": "TUN device", "lo": "loopback"}
    parts = [f"{host.name}: {port.name}", kinds.get(port.kind, port.kind), *port.addresses]
    if port.kind == "tun" and port.owner:
        parts.append(f"read and written by the process {port.owner}")
    return ", ".join([*parts, f"MTU {port.mtu}", *([] if port.up else ["down"])])


def short(address: str | None) -> str:
    """An address without its prefix length."""
    return (address or "").partition("/")[0]
