"""What lives here: ``step_backends``: the same packet under several backends, stepped together.

The player once more: every backend is a lane, every step one place on the way (in the pod, at the
bridge, in the tunnel, on the wire …), and the packet's headers stand side by side. The places
are read from the frames of the walks and from the kind of the device; nothing is known here about a
backend.

What may not live here: how a backend works.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from k8snetlib.errors import K8sNetError
from k8snetlib.packet import Packet
from k8snetlib.trace import Exchange, Frame
from k8snetlib.views.geometry import Box, Point, path_data
from k8snetlib.views.headers import changes, state
from k8snetlib.views.picture import Picture
from k8snetlib.views.player import Player
from k8snetlib.views.sheet import Sheet
from k8snetlib.views.stacks import draw_stacks
from k8snetlib.views.text import packet_title

#: The places on the way, in order.
PLACES = (
    "in the pod", "at its bridge", "in the tunnel", "leaves the node", "on the wire",
    "reaches the node", "out of the tunnel", "at the bridge", "in the pod",
)  # fmt: skip
_LEFT, _TOP, _WIDE, _GAP, _HIGH, _LANE = 84.0, 40.0, 118.0, 10.0, 42.0, 88.0
#: How far below its lane's boxes a packet stands.
_BELOW = 20.0


class Lane(NamedTuple):
    """One backend's walk: the last frame at each place (None: the packet never is there)."""

    name: str
    exchange: Exchange
    frames: tuple[Frame | None, ...]


def lane_of(name: str, exchange: Exchange) -> Lane:
    """The request's frames by place. Raises ``K8sNetError`` if it did not get from node to node."""
    request, topology = exchange.request, exchange.topology
    crossed = [host.name for host in topology.role("switch")]
    seen = {frame.netns for frame in request.frames} if request is not None else set()
    if request is None or not request.delivered or not seen & set(crossed):
        raise K8sNetError(
            f"{name}: this packet did not get from node to node.",
            "Send it between pods of two nodes, and see that it arrives.",
        )
    found: list[Frame | None] = [None] * len(PLACES)
    beyond = False
    for frame in request.frames:
        if frame.netns in crossed:
            beyond = True
            found[4] = frame
            continue
        host = topology.host(frame.netns)
        port = host.port(frame.device) if host else None
        inner = {"tun": 2, "vxlan": 2, "bridge": 1}.get(port.kind if port else "", 3)
        if port is not None and port.master:
            inner = 1
        at = 0 if host is not None and host.role == "pod" else inner
        found[8 - at if beyond else at] = frame
    return Lane(name, exchange, tuple(found))


def step_backends(exchanges: Mapping[str, Exchange]) -> Player:
    """The comparison of backends: one packet, stepped through all walks at the same time.

    Parameters: ``exchanges`` are by the name to be written at each lane, as for ``draw_stacks``.
    Raises ``K8sNetError`` if a request did not get from one node to another.
    """
    lanes = [lane_of(name, exchange) for name, exchange in exchanges.items()]
    data = backends_data(lanes)
    return Player(data, _still(data, exchanges))


def backends_data(lanes: list[Lane]) -> dict[str, Any]:
    """What the comparison shows, in the form of ``player.player_data``."""
    states: dict[tuple[str, Packet], int] = {}
    steps = [_step(lanes, at, states) for at in range(len(PLACES))]
    names = {lane.name: lane.exchange.names for lane in lanes}
    request = lanes[0].exchange.request
    assert request is not None
    title = packet_title(request, lanes[0].exchange.names)
    return {
        "title": f"{title}, under {', '.join(names)}",
        "outcome": "",
        "reason": "",
        "foot": "Marked is what changed since the place before.",
        "scene": _scene(lanes),
        "picture": "A lane for each backend",
        "start": 0,
        "stages": {},
        "packets": [
            {
                "n": request.n,
                "title": title,
                "role": "",
                "states": [state(packet, names[name]) for name, packet in states],
                "steps": steps,
            }
        ],
    }


def _last(lane: Lane, at: int) -> tuple[int, Frame]:
    """Where a lane's packet is at a place: there, or still at the one before."""
    return next((n, f) for n in range(at, -1, -1) if (f := lane.frames[n]) is not None)


def _middle(lane: int, at: int) -> Point:
    return Point(_LEFT + at * (_WIDE + _GAP) + _WIDE / 2, _TOP + lane * _LANE + _HIGH + _BELOW)


def _step(lanes: list[Lane], at: int, states: dict[tuple[str, Packet], int]) -> dict[str, Any]:
    columns, ways, here, anchors, rows = [], [], [], [], []
    for n, lane in enumerate(lanes):
        where, frame = _last(lane, at)
        there = where == at
        before = _last(lane, at - 1)[1].packet if there and at else None
        change = changes(before, frame.packet, lane.exchange.names)
        said = change.words or ("unchanged" if at else "as it is sent")
        note = f"{said}." if there else "It never is there: still at the place before."
        columns.append({
            "title": f"{lane.name}: {frame.netns} {frame.device}" if there else lane.name,
            "note": note,
            "state": states.setdefault((lane.name, frame.packet), len(states)),
            "added": list(change.added) if there else [],
            "removed": list(change.removed) if there else [],
            "was": dict(change.was) if there else {},
        })  # fmt: skip
        to = _middle(n, where)
        begin = _middle(n, _last(lane, at - 1)[0]) if at else to
        ways.append((begin, to) if begin != to else (to, Point(to.x + 0.1, to.y)))
        here.append(to)
        if there:
            anchors.append(f"{lane.name}:{at}")
        rows.append(_row(lane, frame, there=there))
    absent = [lane.name for lane in lanes if lane.frames[at] is None]
    sizes = ", ".join(f"{row[0]} {row[2]}" for row in rows)
    reason = f"bytes of IP: {sizes}"
    if absent:
        reason += f". Never there: {', '.join(absent)}"
    return {
        "netns": "", "place": PLACES[at], "stage": "", "device": "", "anchor": anchors[0],
        "anchors": anchors[1:], "path": "".join(map(path_data, ways)),
        "at": [here[0].x, here[0].y], "tokens": [[p.x, p.y, "pass"] for p in here[1:]],
        "verdict": "pass", "sign": "→", "word": "goes on" if at < 8 else "arrived",
        "reason": reason, "by": "", "rules": [], "change": "", "see": None, "why": None,
        "columns": columns,
        "tables": [{
            "caption": f"Side by side: {PLACES[at]}",
            "head": ["backend", "where", "IP bytes", "of these around the pod's packet",
                     "TTL of the pod's packet"],
            "rows": rows, "marks": [], "code": 1,
        }],
    }  # fmt: skip


def _row(lane: Lane, frame: Frame, *, there: bool) -> list[str]:
    packet, inner = frame.packet, frame.packet.innermost
    length = packet.ip_length
    where = f"{frame.netns}:{frame.device}" if there else "not there"
    return [lane.name, where, str(length), str(length - inner.ip_length), str(inner.ip.ttl)]


def _scene(lanes: list[Lane]) -> str:
    sheet = Sheet()
    width = _LEFT + len(PLACES) * (_WIDE + _GAP)
    for at, place in enumerate(PLACES):
        head = Box(_LEFT + at * (_WIDE + _GAP), 6, _WIDE, 28)
        sheet.words(head, Point(head.x + _WIDE / 2, 26), place, "small", "middle")
    for n, lane in enumerate(lanes):
        y = _TOP + n * _LANE
        sheet.words(Box(4, y, _LEFT - 8, _HIGH), Point(8, y + 25), lane.name, "strong")
        below = y + _HIGH + _BELOW
        end = _LEFT + (len(PLACES) - 1) * (_WIDE + _GAP) + _WIDE / 2
        sheet.line((Point(_LEFT + _WIDE / 2, below), Point(end, below)), "edge")
        for at, frame in enumerate(lane.frames):
            box = Box(_LEFT + at * (_WIDE + _GAP), y, _WIDE, _HIGH)
            with sheet.group(f"{lane.name}:{at}"):
                sheet.box(box, "card" if frame else "absent", 8)
                where = Point(box.x + _WIDE / 2, y + 17)
                if frame is None:
                    sheet.words(box, Point(where.x, y + 25), "not there", "small", "middle")
                    continue
                sheet.words(box, where, frame.device, "plain", "middle")
                sheet.words(box, Point(where.x, y + 33), f"in {frame.netns}", "small", "middle")
    told = "; ".join(
        f"{lane.name}: {', '.join(f'{f.netns} {f.device}' for f in lane.frames if f)}"
        for lane in lanes
    )
    title = "The way of one packet under several backends"
    style = ".k8snet-svg .absent{fill:none;stroke:var(--k-line);stroke-dasharray:4 4}"
    return sheet.svg((width, _TOP + len(lanes) * _LANE), title, f"{told}.", style)


def _still(data: dict[str, Any], exchanges: Mapping[str, Exchange]) -> Picture:
    """The frames between the nodes side by side, and every place in words."""
    rows: list[tuple[str, ...]] = [("No.", "Place", *exchanges)]
    for n, step in enumerate(data["packets"][0]["steps"], 1):
        cells = [
            f"{where}: {size} bytes, TTL {ttl}. {column['note']}"
            for (_, where, size, _, ttl), column in zip(
                step["tables"][0]["rows"], step["columns"], strict=True)
        ]  # fmt: skip
        rows.append((str(n), step["place"], *cells))
    told = "\n".join(
        f"{n:>3} {place}: {step['reason']}"
        for (n, place, *_), step in zip(rows[1:], data["packets"][0]["steps"], strict=True)
    )
    summary = "The same in words: place by place"
    title = data["title"]
    return Picture(
        draw_stacks(exchanges).svg, f"{title}:\n{told}", f"{title}.", tuple(rows), summary
    )
