"""What lives here: captured bytes as packets and walks, in the words of the model.

A packet keeps its identity on its whole way: what identifies it (``identity``) survives address
translation and tunnels. ``walks`` groups frames by packet, packets in the order of their first
frame, and drops what the comparison leaves out: the teardown of TCP connections, and pure
acknowledgements after the first.

Each frame has the time at which it passed. In one namespace frames keep the order in which its tap
saw them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from k8snetlib.lab.tap import Raw
from k8snetlib.packet import (
    ACK,
    FIN,
    PROTO_ICMP,
    PROTO_UDP,
    SYN,
    Arp,
    Header,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    stack_of,
)
from k8snetlib.trace import Frame, Names, label_of
from k8snetlib.wire import decode

#: EtherTypes that are looked at: IPv4 and ARP. The lab has no other traffic of interest.
_KNOWN = (b"\x08\x00", b"\x08\x06")


class Walk(NamedTuple):
    """One packet's frames, with its label: what a ``Trace`` is in the model."""

    label: str
    frames: tuple[Frame, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The capture lines."""
        return tuple(map(str, self.frames))


def in_order(raw: Iterable[Raw]) -> list[Raw]:
    """All frames by time; those of one namespace keep their order."""
    by_netns: dict[str, list[tuple[int, int, Raw]]] = {}
    for at, frame in enumerate(raw):
        queue = by_netns.setdefault(frame.netns, [])
        latest = max(frame.time, queue[-1][0]) if queue else frame.time
        queue.append((latest, at, frame))
    return [frame for _, _, frame in heapq.merge(*by_netns.values(), key=lambda item: item[:1])]


def frames_of(raw: Iterable[Raw], names: Names) -> list[Frame]:
    """Captured frames as the model writes them; what is neither IPv4 nor ARP is left out.

    Raises ``BadPacket`` for bytes that ``wire.decode`` refuses.
    """
    found = []
    for one in in_order(raw):
        if one.link and one.data[12:14] not in _KNOWN:
            continue
        first: Literal["ethernet", "ipv4"] = "ethernet" if one.link else "ipv4"
        packet = _look_into_first_fragment(decode(one.data, first=first))
        frame = Frame(one.netns, one.device, one.direction, packet, one.time / 1e9, names)
        found.append(frame)
    return found


def _look_into_first_fragment(packet: Packet) -> Packet:
    """``decode`` looks into no fragment; the first one of a datagram has its ports, though."""
    head, payload = packet.headers[-1], packet.payload
    if type(head) is not IPv4 or not head.mf or head.offset or isinstance(payload, Slice):
        return packet
    begun = _transport(head.proto, payload)
    if begun is None:
        return packet
    return stack_of((*packet.headers, begun), payload[8:])


def _transport(proto: int, payload: bytes) -> Header | None:
    if proto == PROTO_UDP and len(payload) >= 8:
        return Udp(int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big"))
    if proto == PROTO_ICMP and len(payload) >= 8:
        return Icmp(payload[0], payload[1], int.from_bytes(payload[4:8], "big"))
    return None


def identity(packet: Packet) -> tuple[object, ...]:
    """What stays the same of a packet on its whole way, through NAT and tunnels."""
    inner = packet.innermost
    head = inner.headers[0]
    if type(head) is Arp:
        return (head.op, head.sender_mac, head.sender_ip, head.target_ip)
    assert type(head) is IPv4
    l4 = inner.headers[1] if len(inner.headers) > 1 else None
    mine: tuple[object, ...] = ()
    payload = inner.payload if isinstance(inner.payload, bytes) else b""
    if type(l4) is Tcp:
        mine = (l4.seq, l4.ack, l4.flags, len(payload))
    elif type(l4) is Icmp and l4.is_error:
        mine = (l4.type, l4.code)
    elif type(l4) is Icmp:
        mine = (l4.type, payload[:16])
    elif type(l4) is Udp:
        mine = (payload[:16],)
    return (head.proto, head.id, head.offset, mine)


def walks(frames: Iterable[Frame], *, everything: bool = False) -> list[Walk]:
    """Frames grouped by packet; unless ``everything`` is asked for, without TCP's teardown and
    later pure acknowledgements."""
    groups: list[list[Frame]] = []
    latest: dict[tuple[object, ...], list[Frame]] = {}
    for frame in frames:
        key = identity(frame.packet)
        group = latest.get(key)
        if group is None or _begins_anew(group[0], frame):
            group = latest[key] = []
            groups.append(group)
        group.append(frame)
    found = [Walk(label_of(group[0].packet, group[0].names), tuple(group)) for group in groups]
    return found if everything else list(_of_interest(found))


def _begins_anew(first: Frame, frame: Frame) -> bool:
    """The same packet at its first place again: another one that merely looks the same."""
    return first[:3] == frame[:3] and str(first) == str(frame)


def _of_interest(found: Iterable[Walk]) -> Iterator[Walk]:
    opening: set[str] = set()  # who has sent a SYN and not yet acknowledged the answer
    for walk in found:
        origin = walk.frames[0].netns
        inner = walk.frames[0].packet.innermost
        tcp = inner.transport if type(inner.headers[0]) is IPv4 else None
        if type(tcp) is Tcp:
            if tcp.flags & FIN:
                continue
            if tcp.flags & (SYN | ACK) == SYN:
                opening.add(origin)
            if tcp.flags == ACK and not len(inner.payload):
                if origin not in opening:
                    continue
                opening.discard(origin)
        yield walk
