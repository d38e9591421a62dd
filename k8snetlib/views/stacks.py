"""What lives here: ``draw_stacks`` and ``draw_mtu``: one packet as several backends carry it.

Both look at the same place of every exchange: the frame that the switch between the nodes gets.
``draw_stacks`` sets the headers of that frame side by side, the pod's own packet at one height.
``draw_mtu`` lays the longest such frame along a ruler: the outer headers, and what is left to the
pod. Everything is read from the exchanges' packets; nothing is known here about a backend.

What may not live here: how a backend works.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from k8snetlib.errors import K8sNetError
from k8snetlib.packet import Ethernet, Header, Icmp, IPv4, Packet, Tcp, Udp, Vxlan, size_of
from k8snetlib.trace import Exchange, Names, Trace
from k8snetlib.views.geometry import Box, Point, path_data
from k8snetlib.views.marks import document, rect
from k8snetlib.views.marks import text as words_at
from k8snetlib.views.picture import Picture
from k8snetlib.views.scene import STYLE
from k8snetlib.views.text import packet_title, protocol_words
from k8snetlib.wire import encode

SUMMARY = "The bytes of every header"
MOST_BYTES = 64

_STYLE = (
    ".k8snet-svg .outer{fill:var(--k-node-fill);stroke:var(--k-node);stroke-width:1.6}"
    ".k8snet-svg .inner{fill:var(--k-pod-fill);stroke:var(--k-pod);stroke-width:1.6}"
    ".k8snet-svg .load{fill:var(--k-kernel-fill);stroke:var(--k-pod);stroke-width:1.6;"
    "stroke-dasharray:5 3}"
    ".k8snet-svg .brace{fill:none;stroke:var(--k-line);stroke-width:1.6}"
    ".k8snet-svg .tear{fill:none;stroke:var(--k-pod);stroke-width:1.6}"
    ".k8snet-svg .big{font-size:16px;font-weight:700}"
)


class Part(NamedTuple):
    """One header (or the payload) of a frame on the wire: its name, its size, who to whom, and its
    bytes."""

    name: str
    size: int
    line: str
    outer: bool
    note: str = ""
    data: bytes = b""


class Wrapped(NamedTuple):
    """A frame between the nodes, from the outside in. ``arrived`` is the TTL at the receiver."""

    backend: str
    parts: tuple[Part, ...]
    arrived: int
    sent: int

    @property
    def outside(self) -> int:
        """How many bytes of the wire's MTU the pod's packet does not get."""
        return sum(part.size for part in self.parts[1:] if part.outer)

    @property
    def pods(self) -> int:
        """The length of the pod's IP packet, in bytes."""
        return sum(part.size for part in self.parts if not part.outer)

    @property
    def payload(self) -> int:
        """The bytes that are left for the program."""
        return self.parts[-1].size if self.parts[-1].name == "payload" else 0


def _on_the_wire(trace: Trace, exchange: Exchange) -> Packet | None:
    switches = {host.name for host in exchange.topology.role("switch")}
    return next((frame.packet for frame in trace.frames if frame.netns in switches), None)


def _wrapped(backend: str, trace: Trace, exchange: Exchange) -> Wrapped:
    packet = _on_the_wire(trace, exchange)
    if packet is None or not trace.delivered:
        raise K8sNetError(
            f"{backend}: this packet did not get from node to node.",
            "Send it between pods of two nodes, and see that it arrives.",
        )
    # All up to the innermost IP header was put around the pod's packet on its way.
    inside = max(n for n, header in enumerate(packet.headers) if type(header) is IPv4)
    parts, data, at = [], encode(packet), 0
    for n, header in enumerate(packet.headers):
        part = _part(header, n < inside, exchange.names)
        part = part._replace(data=data[at : at + part.size])
        at += part.size
        if sum(type(other) is type(header) for other in packet.headers) > 1:
            again = any(type(other) is type(header) for other in packet.headers[:n])
            part = part._replace(name=f"{'inner' if again else 'outer'} {part.name}")
        parts.append(part)
    if len(packet.payload):
        parts.append(Part("payload", len(packet.payload), "", False, data=data[at:]))
    sent = trace.frames[0].packet.innermost.ip.ttl
    return Wrapped(backend, tuple(parts), trace.last.packet.ip.ttl, sent)


def _part(header: Header, outer: bool, names: Names) -> Part:
    name, size = protocol_words(header), size_of(header)
    line, note = "", ""
    match header:
        case Ethernet():
            line = f"{names.mac(header.src)} → {names.mac(header.dst)}"
        case IPv4():
            line, note = f"{header.src} → {header.dst}", f"TTL {header.ttl}"
        case Tcp() | Udp():
            line = f"port {header.sport} → {header.dport}"
        case Vxlan():
            line = f"network (VNI) {header.vni}"
        case Icmp():
            line = f"type {header.type}"
    return Part(name, size, line, outer, note)


# -- headers side by side -------------------------------------------------------------------------

_COLUMN, _GAP, _EDGE = 312.0, 20.0, 14.0
_ROW, _STEP, _TOP, _FOOT = 46.0, 51.0, 62.0, 34.0


def draw_stacks(exchanges: Mapping[str, Exchange]) -> Picture:
    """The same request, as each backend puts it on the wire between the nodes.

    Parameters: ``exchanges`` are by the name to be written above each. Raises ``K8sNetError`` if a
    request was not sent, did not arrive, or never left its node.
    """
    frames = []
    for backend, exchange in exchanges.items():
        if exchange.request is None:
            raise K8sNetError(f"{backend}: no packet was sent.", f"It says: {exchange.reason}.")
        frames.append(_wrapped(backend, exchange.request, exchange))
    tallest = max(len(frame.parts) for frame in frames)
    wide = 2 * _EDGE + len(frames) * _COLUMN + (len(frames) - 1) * _GAP
    high = _TOP + tallest * _STEP + _FOOT
    inner = "\n".join(
        line
        for n, frame in enumerate(frames)
        for line in _column(frame, _EDGE + n * (_COLUMN + _GAP), tallest)
    )
    exchange = next(iter(exchanges.values()))
    assert exchange.request is not None
    what = packet_title(exchange.request, exchange.names)
    title = f"{what}. The frame between the nodes, under {_listed([f.backend for f in frames])}"
    said = [_in_words(frame) for frame in frames]
    svg = document(wide, high, (title, " ".join(said)), inner, STYLE + _STYLE)
    caption = f"{title}. Outermost header on top."
    return Picture(svg, "\n".join([f"{title}.", *said]), caption, _bytes_table(frames), SUMMARY)


def _bytes_table(frames: list[Wrapped]) -> tuple[tuple[str, ...], ...]:
    """Every header's bytes on the wire, in hexadecimal; a long payload is cut."""
    rows = [("Backend", "Header", "Size", "Bytes, from the first")]
    for frame in frames:
        for part in frame.parts:
            more = len(part.data) - MOST_BYTES
            shown = part.data[:MOST_BYTES].hex(" ") + (f" … {more} more" if more > 0 else "")
            # Without a first line, the second is set in the letters of a terminal.
            rows.append((frame.backend, part.name, _bytes(part.size), f"\n{shown}"))
    return tuple(rows)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _column(frame: Wrapped, x: float, tallest: int) -> Iterator[str]:
    total = frame.outside + frame.pods
    yield words_at(x, 24, frame.backend, "big")
    more = f"{frame.outside} bytes around the pod's {frame.pods}"
    yield words_at(x, 43, more if frame.outside else "nothing around the pod's packet", "sub")
    yield words_at(x + _COLUMN, 24, f"IP length {total} bytes", "sub", "end")
    y = _TOP + (tallest - len(frame.parts)) * _STEP
    for part in frame.parts:
        box = Box(x, y, _COLUMN, _ROW)
        yield rect(box, "outer" if part.outer else "inner", 6)
        yield words_at(x + 10, y + 19, part.name, "name")
        yield words_at(box.right - 10, y + 19, _bytes(part.size), "sub", "end")
        yield words_at(x + 10, y + 36, part.line, "sub")
        if part.note:
            yield words_at(box.right - 10, y + 36, part.note, "name", "end")
        y += _STEP
    yield words_at(
        x, y + 16, f"TTL {frame.sent} at the sender, {frame.arrived} at the receiver", "sub"
    )


def _bytes(count: int) -> str:
    return f"{count} byte{'' if count == 1 else 's'}"


def _in_words(frame: Wrapped) -> str:
    parts = "; ".join(
        ", ".join(x for x in (f"{p.name} {_bytes(p.size)}", p.line, p.note) if x)
        for p in frame.parts
    )
    return (
        f"{frame.backend}: {frame.outside} bytes around the pod's {frame.pods}. {parts}. "
        f"The TTL is {frame.sent} at the sender and {frame.arrived} at the receiver."
    )


# -- the ruler ------------------------------------------------------------------------------------

_PX, _BAR, _LINE, _LEFT = 6.8, 44.0, 118.0, 16.0
_LENGTH = 900.0


def draw_mtu(exchanges: Mapping[str, Exchange]) -> Picture:
    """The longest packet of each exchange along the wire's MTU: outer headers, headers, payload.

    Parameters: ``exchanges`` by name, each of which has sent as much as fits into one packet.
    Raises ``K8sNetError`` if an exchange put nothing on the wire between the nodes.
    """
    frames = [_wrapped(name, _longest(name, e), e) for name, e in exchanges.items()]
    mtu = max(frame.outside + frame.pods for frame in frames)
    high = 12 + len(frames) * _LINE
    rows = "\n".join(
        line for n, frame in enumerate(frames) for line in _ruler(frame, mtu, 12 + n * _LINE)
    )
    title = f"Where {mtu} bytes go: outer headers, and the pod's packet"
    said = [
        f"{f.backend}: {f.outside} bytes of outer headers, {f.pods} bytes for the pod's packet, "
        f"of which {f.payload} are payload."
        for f in frames
    ]
    svg = document(_LENGTH + 2 * _LEFT, high, (title, " ".join(said)), rows, STYLE + _STYLE)
    caption = f"{title}. Headers are drawn to scale; the payload is cut short."
    return Picture(svg, "\n".join([f"{title}.", *said]), caption)


def _longest(name: str, exchange: Exchange) -> Trace:
    found = [trace for trace in exchange.packets if _on_the_wire(trace, exchange) is not None]
    if not found:
        raise K8sNetError(f"{name}: nothing was sent from node to node.")
    return max(found, key=lambda trace: _on_the_wire(trace, exchange).length)  # type: ignore[union-attr]


def _ruler(frame: Wrapped, mtu: int, y: float) -> Iterator[str]:
    wraps = [part for part in frame.parts[1:] if part.outer]
    inner = [part for part in frame.parts if not part.outer]
    bar, x, end = y + 50, _LEFT, _LEFT + _LENGTH * (frame.outside + frame.pods) / mtu
    yield words_at(x, y + 18, frame.backend, "big")
    yield words_at(x + 96, y + 18, f"largest payload: {frame.payload} bytes", "name")
    start = x + frame.outside * _PX
    if wraps:
        yield from _brace(x, start, bar - 5, f"{frame.outside} bytes outside")
    yield from _brace(start, end, bar - 5, f"the pod's packet, its MTU: {frame.pods} bytes")
    for part in [*wraps, *inner]:
        last = part is frame.parts[-1]
        wide = end - x if last else part.size * _PX
        kind = "outer" if part.outer else "load" if part.name == "payload" else "inner"
        yield rect(Box(x, bar, wide, _BAR), kind, 3)
        yield words_at(x + wide / 2, bar + 18, part.name.rpartition(" ")[2], "sub", "middle")
        yield words_at(x + wide / 2, bar + 35, str(part.size), "name", "middle")
        if last:
            yield _tear(x + wide * 0.8, bar)
        x += wide


def _brace(left: float, right: float, y: float, said: str) -> Iterator[str]:
    ends = (
        Point(left + 2, y),
        Point(left + 2, y - 6),
        Point(right - 2, y - 6),
        Point(right - 2, y),
    )
    yield f'<path class="brace" d="{path_data(ends)}"/>'
    yield words_at((left + right) / 2, y - 11, said, "sub", "middle")


def _tear(x: float, y: float) -> str:
    """Two zigzag lines: here a piece is left out."""
    found = ""
    for shift in (0.0, 9.0):
        points = [
            Point(x + shift + (5 if n % 2 else -5), y - 3 + n * (_BAR + 6) / 4) for n in range(5)
        ]
        found += path_data(tuple(points))
    return f'<path class="tear" d="{found}"/>'
