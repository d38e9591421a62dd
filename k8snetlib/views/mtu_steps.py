"""What lives here: ``step_mtu``: a ruler of payload sizes to be slid along, for several backends.

The player once more: every step is one payload size, and every backend says what becomes of it. All
of it is tried out: each size was sent as a ping in a copy of each cluster, once with don't-fragment
and once without. The sizes are those at which something changes, and some between.

What may not live here: how a packet is cut, or what a backend adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.trace import Exchange
from k8snetlib.views.geometry import Box, Point
from k8snetlib.views.picture import Picture
from k8snetlib.views.player import Player
from k8snetlib.views.sheet import Sheet

#: The headers of a ping: IPv4 and ICMP, in bytes.
HEADERS = 28
#: Sizes between, to show where nothing changes; the payload of ``ping`` is 56 bytes.
SOME = (56, 600, 1200, 1350, 2000, 2900, 3000)
_LEFT, _TOP, _WIDE, _LANE = 92.0, 66.0, 64.0, 46.0


class Tried(NamedTuple):
    """What became of one size: ``kind`` is fits, cut, big or lost; ``pieces`` left the sender;
    ``wire`` is the longest IP packet between the nodes, in bytes (0: there was none)."""

    kind: str
    words: str
    pieces: int
    wire: int


def step_mtu(
    clusters: Mapping[str, Cluster],
    source: str = "web2",
    target: str = "backend",
    sizes: Sequence[int] = (),
) -> Player:
    """The MTU ruler: fits, is cut, or is too big, for every payload size and every backend.

    Parameters: ``clusters`` by name (each is copied, and left as it is); ``source`` and ``target``
    as for ``Cluster.ping``; ``sizes`` in bytes of a ping's payload (none: around every MTU on the
    way, and some between).
    """
    copies = {name: cluster.clone() for name, cluster in clusters.items()}
    for copy in copies.values():
        copy.ping(source, target)  # so that all neighbours are known
    points = sorted(set(sizes or _points(copies, source)))
    modes = {True: "Don't fragment (ping -M do)", False: "May be cut (ping -M dont)"}
    tried = {
        df: [{name: _try(c, source, target, size, df=df) for name, c in copies.items()}
             for size in points]
        for df in modes
    }  # fmt: skip
    data = mtu_data(points, {modes[df]: found for df, found in tried.items()}, (source, target))
    return Player(data, _still(data, points))


def _points(clusters: Mapping[str, Cluster], source: str) -> set[int]:
    """Just below, at and above the largest payload that the sender's own device takes."""
    found = set(SOME)
    for cluster in clusters.values():
        limit = cluster[source].devices["eth0"].mtu - HEADERS
        found |= {limit - 1, limit, limit + 1}
    return found


def _try(cluster: Cluster, source: str, target: str, size: int, *, df: bool) -> Tried:
    exchange = cluster.clone().ping(source, target, payload=size, df=df)
    pieces, wire = _pieces(exchange, source), _wire(exchange)
    if exchange.ok:
        kind = "cut" if pieces > 1 else "fits"
        return Tried(kind, f"cut into {pieces} pieces" if pieces > 1 else "fits", pieces, wire)
    if exchange.outcome == "too-big":
        return Tried("big", "too big: the sender is told", pieces, wire)
    return Tried("lost", f"{exchange.outcome}: nobody is told", pieces, wire)


def _pieces(exchange: Exchange, source: str) -> int:
    return sum(
        frame.netns == source and frame.direction == "out" and frame.packet.arp is None
        for trace in exchange.packets
        for frame in trace.frames
    )


def _wire(exchange: Exchange) -> int:
    switches = {host.name for host in exchange.topology.role("switch")}
    return max(
        (frame.packet.ip_length for trace in exchange.packets for frame in trace.frames
         if frame.netns in switches and frame.packet.arp is None), default=0,
    )  # fmt: skip


_SIGN = {"fits": ("→", "fits"), "cut": ("÷", "cut"), "big": ("!", "too big"), "lost": ("✕", "lost")}


def mtu_data(
    points: Sequence[int], modes: Mapping[str, list[dict[str, Tried]]], ends: tuple[str, str]
) -> dict[str, Any]:
    """What the ruler shows, in the form of ``player.player_data``; a packet is a way of sending."""
    first = next(iter(modes.values()))
    names = list(first[0])
    return {
        "title": f"the MTU ruler: pings from {ends[0]} to {ends[1]}",
        "outcome": "",
        "reason": "",
        "foot": f"A ping has {HEADERS} bytes of headers more. Dashed: does not go in one piece.",
        "scene": _scene(points, names, [_over(at, modes, names) for at in range(len(points))]),
        "picture": "A ruler of payload sizes, a lane for each backend",
        "which": "How",
        "start": 0,
        "stages": {},
        "packets": [
            {
                "n": n, "title": mode, "role": "", "states": [],
                "steps": [_step(points, at, one) for at, one in enumerate(found)],
            }
            for n, (mode, found) in enumerate(modes.items())
        ],
    }  # fmt: skip


def _over(
    at: int, modes: Mapping[str, list[dict[str, Tried]]], names: Sequence[str]
) -> frozenset[str]:  # fmt: skip
    """The backends under which a size does not go in one piece."""
    return frozenset(
        n for n in names if any(found[at][n].kind != "fits" for found in modes.values())
    )


def _step(points: Sequence[int], at: int, found: Mapping[str, Tried]) -> dict[str, Any]:
    size = points[at]
    said = ", ".join(f"{name} {one.words}" for name, one in found.items())
    kinds = [one.kind for one in found.values()]
    worst = max(kinds, key=list(_SIGN).index)
    (sign, word), same = _SIGN[worst], len(set(kinds)) == 1
    x = _LEFT + at * _WIDE + _WIDE / 2
    rows = [
        [name, str(size + HEADERS), f"{_SIGN[one.kind][0]} {one.words}", str(one.pieces),
         str(one.wire or "nothing")]
        for name, one in found.items()
    ]  # fmt: skip
    last = x - _WIDE if at else x - 0.1
    return {
        "netns": "", "place": f"{size} bytes of payload", "stage": "", "device": "",
        "anchor": f"size:{at}", "anchors": [f"{name}:{at}" for name in found],
        "path": f"M{last:g} 48L{x:g} 48", "at": [x, 48.0],
        "verdict": {"big": "error", "lost": "drop"}.get(worst, "pass") if same else "pass",
        "sign": sign if same else "≠", "word": word if same else "it depends on the backend",
        "reason": f"{size + HEADERS} bytes of IP: {said}", "by": "", "rules": [], "note": "",
        "change": "", "see": None, "why": None,
        "tables": [{
            "caption": f"A payload of {size} bytes",
            "head": ["backend", "IP bytes", "what becomes of it", "packets sent",
                     "longest between the nodes"],
            "rows": rows, "marks": [], "code": 0,
        }],
    }  # fmt: skip


def _scene(points: Sequence[int], names: Sequence[str], over: Sequence[frozenset[str]]) -> str:
    """The ruler: sizes from left to right, not to scale; dashed where one does not go in one piece
    (what then becomes of it depends on how it is sent)."""
    sheet, width = Sheet(), _LEFT + len(points) * _WIDE + 14
    sheet.words(Box(4, 4, _LEFT, 28), Point(8, 22), "payload", "small")
    sheet.line((Point(_LEFT, 48), Point(width - 14, 48)), "edge")
    for at, size in enumerate(points):
        box = Box(_LEFT + at * _WIDE, 4, _WIDE, 24)
        with sheet.group(f"size:{at}"):
            sheet.words(box, Point(box.x + _WIDE / 2, 22), str(size), "plain", "middle")
        for n, name in enumerate(names):
            with sheet.group(f"{name}:{at}"):
                cell = Box(box.x + 3, _TOP + n * _LANE, _WIDE - 6, _LANE - 12)
                sheet.box(cell, "over" if name in over[at] else "card", 6)
                total = str(size + HEADERS) + (" ✕" if name in over[at] else "")
                middle = Point(cell.x + cell.w / 2, cell.y + 21)
                sheet.words(cell, middle, total, "small", "middle")
    for n, name in enumerate(names):
        lane = Box(4, _TOP + n * _LANE, _LEFT - 8, _LANE - 12)
        sheet.words(lane, Point(8, lane.y + 21), name, "strong")
    said = f"Sizes: {', '.join(map(str, points))}. Lanes: {', '.join(names)}."
    paper = (width, _TOP + len(names) * _LANE)
    style = ".k8snet-svg .over{fill:var(--k-ground);stroke:var(--k-bad);stroke-dasharray:4 3}"
    return sheet.svg(paper, "A ruler of payload sizes", said, style)


def _still(data: dict[str, Any], points: Sequence[int]) -> Picture:
    """The ruler, and every size in words, both ways of sending."""
    rows: list[tuple[str, ...]] = [("Payload", *(packet["title"] for packet in data["packets"]))]
    for at, size in enumerate(points):
        told = [packet["steps"][at]["reason"].partition(": ")[2] for packet in data["packets"]]
        rows.append((str(size), *told))
    words = "\n".join(f"{size:>5} bytes: {' | '.join(told)}" for size, *told in rows[1:])
    title = f"{data['title'][:1].upper()}{data['title'][1:]}"
    head = " | ".join(rows[0][1:])
    text = f"{title}\n{head}\n{words}"
    return Picture(data["scene"], text, f"{title}.", tuple(rows), "The same in words: every size")
