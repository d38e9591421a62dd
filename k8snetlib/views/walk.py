"""What lives here: where in the picture each step of a packet's walk happens.

``spots`` gives every step its anchor and the way that leads there from the step before;
``stops`` groups them into the few places that a still picture numbers.

What may not live here: coordinates of things (``layout``), SVG, words beyond place names.

Simplified here: the picture shows the cluster as it was when the walk ended; a step on a device
that is gone by then is shown on the IP stack of its host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from k8snetlib.stages import is_hook
from k8snetlib.topology import Host, Topology
from k8snetlib.trace import Hop, Step, Trace
from k8snetlib.views.geometry import Point, point_rail, tidy, way
from k8snetlib.views.plan import Layout


class Spot(NamedTuple):
    """One step in the picture: ``anchor`` of the thing it happens on, and the points of the way
    there (one point: the packet did not move)."""

    hop: Hop
    step: Step
    anchor: str
    points: tuple[Point, ...]

    @property
    def place(self) -> str:
        """The anchor's part after the host's name: ``docker0``, ``ip``, ``flanneld``."""
        return self.anchor.partition(":")[2]


class Stop(NamedTuple):
    """Steps in a row at one place that a still picture gives one number."""

    number: int
    netns: str
    place: str
    spots: tuple[Spot, ...]


_DEVICE_STAGES = frozenset({"transmit", "receive", "tun", "vxlan"})
#: Boxes that a bridge enters as well as the IP stack: they happen where the packet is.
_WHERE_IT_IS = frozenset({"conntrack", "fragment", "neighbour"})


def anchor_of(layout: Layout, hop: Hop, step: Step) -> str:
    """The anchor of the thing on which a step happens; always one that the layout has."""
    host = layout.topology.host(hop.netns)
    stack = found = _stack(layout, hop.netns)
    if step.stage == "socket":
        found = _process(layout, host, step) or found
    elif step.stage == "bridge":
        port = host.port(step.device) if host else None
        found = f"{hop.netns}:{port.master if port and port.master else step.device}"
    elif step.stage in _DEVICE_STAGES:
        found = f"{hop.netns}:{step.device}"
    elif f"{hop.netns}:{step.stage}" in layout.rails:
        found = f"{hop.netns}:{step.stage}"
    for name in (found, stack):
        if name in layout.rails:
            return name
    return next(iter(layout.rails), "")


def _stack(layout: Layout, netns: str) -> str:
    """The anchor of a host's IP stack; a switch is drawn as nothing but its bridge, and a small
    node, or a pod in it, as one tile."""
    if netns in layout.inside:
        return layout.inside[netns]
    host = layout.topology.host(netns)
    if host and host.role == "switch":
        bridge = next((port.name for port in host.ports if port.kind == "bridge"), "ip")
        return f"{netns}:{bridge}"
    return f"{netns}:ip"


def _process(layout: Layout, host: Host | None, step: Step) -> str:
    if host is None or (step.verdict == "error" and step.by is None):
        return ""  # nobody listens: the kernel itself answers
    process = getattr(step.by, "process", None) or (step.args[0] if step.args else "")
    if process in host.daemons:
        return f"{host.name}:{process}"
    for name in host.containers[1:]:
        if process == f"{host.name}-{name}":
            return f"{host.name}:{name}"
    return f"{host.name}:{host.containers[1]}" if len(host.containers) > 1 else ""


def nodes_met(traces: Iterable[Trace], topology: Topology) -> tuple[str, ...]:
    """The nodes that had something to do with the packets, in order; a node that only heard a
    question for somebody else had not."""
    on = {host.name: host.on or host.name for host in topology.hosts}
    return tuple(
        dict.fromkeys(
            on.get(hop.netns, hop.netns)
            for trace in traces
            for hop in trace.hops
            if hop.steps and hop.steps[-1].verdict != "ignore"
        )
    )


def spots(trace: Trace, layout: Layout) -> tuple[Spot, ...]:
    """Where every step of ``trace`` happens, in the order of ``trace.steps``."""
    found: list[Spot] = []
    for hop in trace.hops:
        found += _visit(hop, layout)
    return tuple(found)


def _visit(hop: Hop, layout: Layout) -> list[Spot]:
    """One visit to one namespace: it begins at the far end of the wire it came by."""
    rails = layout.rails
    anchor, point = _entrance(hop, layout)
    last: dict[str, Point] = {}
    found: list[Spot] = []
    left_by = ""
    bridge = ""  # where the packet is, as long as it is nowhere but on a bridge
    for step in hop.steps:
        there = anchor_of(layout, hop, step)
        if bridge and (step.stage in _WHERE_IT_IS or is_hook(step.stage)):
            there = bridge
        bridge = _bridge_at(layout, hop, step) or (bridge if there == bridge else "")
        if left_by and there != left_by:
            anchor, point = _resume(layout, hop, left_by, last) or (anchor, point)
        if point is None:
            points: tuple[Point, ...] = (rails[there].middle,)
        elif there == anchor:
            points = (point,)
        else:
            points = way(point, rails.get(anchor) or point_rail(point), rails[there])
        if step.stage == "transmit":
            points = _to_the_end(layout, there, points)
        anchor, point = there, points[-1]
        last[anchor] = point
        bridge_itself = layout.rails[there].x1 != layout.rails[there].x2
        left_by = there if step.stage == "transmit" and not bridge_itself else ""
        found.append(Spot(hop, step, there, points))
    return found


def _bridge_at(layout: Layout, hop: Hop, step: Step) -> str:
    """The bridge that has a packet after this step: it came in on a port, or the bridge had it."""
    host = layout.topology.host(hop.netns)
    port = host.port(step.device) if host else None
    if port is None or step.stage not in ("receive", "bridge"):
        return ""
    name = port.master or (port.name if step.stage == "bridge" else "")
    return f"{hop.netns}:{name}" if f"{hop.netns}:{name}" in layout.rails else ""


def _peer(layout: Layout, anchor: str) -> str:
    """The anchor of the other end of a device's wire; "" if it has none in the picture."""
    netns, _, device = anchor.partition(":")
    host = layout.topology.host(netns)
    port = host.port(device) if host else None
    name = ":".join(port.peer) if port and port.peer else ""
    return name if name in layout.rails else ""


def _entrance(hop: Hop, layout: Layout) -> tuple[str, Point | None]:
    """Where a packet that came by a wire begins: at the far end, where it left."""
    name = f"{hop.netns}:{hop.device}"
    far = _peer(layout, name) if hop.device else ""
    if not far or name not in layout.rails:
        return "", None
    return far, layout.rails[far].nearest(layout.rails[name].middle)


def _to_the_end(layout: Layout, anchor: str, points: tuple[Point, ...]) -> tuple[Point, ...]:
    """A packet that leaves by a wire goes to where the wire begins."""
    far = _peer(layout, anchor)
    if not far:
        return points
    end = layout.rails[anchor].nearest(layout.rails[far].middle)
    return tidy((*points, *layout.rails[anchor].along(points[-1], end)))


def _resume(
    layout: Layout, hop: Hop, left_by: str, last: dict[str, Point]
) -> tuple[str, Point] | None:
    """A packet that left by a port goes on from where it was before: a flood has many ends."""
    host = layout.topology.host(hop.netns)
    port = host.port(left_by.partition(":")[2]) if host else None
    bridge = f"{hop.netns}:{port.master}" if port and port.master else _stack(layout, hop.netns)
    return (bridge, last[bridge]) if bridge in last else None


def stops(found: tuple[Spot, ...], layout: Layout) -> tuple[Stop, ...]:
    """The places a still picture numbers: a pod is one stop, and so is a bridge with its ports."""
    groups: list[tuple[str, str, list[Spot]]] = []
    for spot in found:
        host = layout.topology.host(spot.hop.netns)
        place = spot.place
        if host and host.role != "node":
            place = ""
        elif host:
            port = host.port(place)
            place = port.master if port and port.master else place
        if groups and groups[-1][:2] == (spot.hop.netns, place):
            groups[-1][2].append(spot)
        else:
            groups.append((spot.hop.netns, place, [spot]))
    return tuple(Stop(n, netns, place, tuple(g)) for n, (netns, place, g) in enumerate(groups, 1))


def lines(found: tuple[Spot, ...]) -> list[tuple[Point, ...]]:
    """The way as unbroken lines: a broadcast has several."""
    result: list[list[Point]] = []
    for spot in found:
        if result and result[-1][-1] == spot.points[0]:
            result[-1] += spot.points[1:]
        else:
            result.append(list(spot.points))
    return [tidy(line) for line in result if len(set(line)) > 1]
