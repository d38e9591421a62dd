"""What lives here: cutting IPv4 packets to fit an MTU, and putting the pieces together again.

A router cuts a packet that is too long for the next link, unless its don't-fragment bit is set;
then it tells the sender with ICMP "fragmentation needed" and the MTU it wanted (RFC 1191). Only the
end host needs to put the pieces together, but a kernel that tracks connections does so on the way
too: conntrack cannot see ports in later pieces. When the packet leaves, it is cut where it was cut
before, or, if a piece is too long for the link by now, anew, and no longer than the longest piece
was. What came in pieces was cut by somebody: its don't-fragment bit stops nobody, and is lost.

Simplified here: pieces that never become whole are forgotten after 30 s without an ICMP error.
Pieces that overlap are put together.

Source: ip_do_fragment() of net/ipv4/ip_output.c; seen in Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, cast

from k8snetlib.packet import IPv4, Packet, Slice, size_of, stack_of

if TYPE_CHECKING:
    from k8snetlib.linux.stack import Visit

FRAGMENT_TIME = 30.0


class Piece(NamedTuple):
    """A fragment that waits for the others, and the visit in which it waits."""

    packet: Packet
    visit: Visit


Resume = Callable[["Visit", Packet], None]


def is_fragment(packet: Packet) -> bool:
    """True if the packet is only a part of a datagram."""
    ip = cast(IPv4, packet.headers[0])
    return ip.mf or ip.offset > 0


def split(packet: Packet, mtu: int, came: Iterable[int] = ()) -> list[Packet]:
    """The packet in pieces of at most ``mtu`` bytes; all but the last fill 8-byte units.

    ``came`` are the offsets of the later pieces that it came in; if all fit, they stay as they are.
    """
    ip = cast(IPv4, packet.headers[0])
    whole = packet
    front = sum(map(size_of, packet.headers[1:]))
    total, step = packet.length - 20, (mtu - 20) // 8 * 8
    starts: Sequence[int] = (0, *sorted(came))
    if len(starts) > 1 and all(b - a <= mtu - 20 for a, b in pairwise((*starts, total))):
        ip = ip._replace(df=False)
    else:
        starts = range(0, total, step)
    pieces = []
    for start, stop in pairwise((*starts, total)):
        length, last = stop - start, stop == total
        header = ip._replace(mf=ip.mf or not last, offset=ip.offset + start)
        if start == 0:
            part = Slice(whole, 20 + front, length - front)
            pieces.append(stack_of((header, *packet.headers[1:]), part))
        else:
            pieces.append(stack_of((header,), Slice(whole, 20 + start, length)))
    return pieces


def gather(visit: Visit, device: str, packet: Packet, resume: Resume) -> Packet | None:
    """Keeps a fragment until all are there; then ``resume`` goes on, in the first piece's visit.

    Returns the packet itself if it is no fragment, else None.
    """
    if not is_fragment(packet):
        return packet
    ns, now = visit.ns, visit.network.now
    ip = cast(IPv4, packet.headers[0])
    key = (ip.src, ip.dst, ip.id, ip.proto)
    since, pieces = ns.fragments.get(key, (now, []))
    if now - since > FRAGMENT_TIME:
        since, pieces = now, []
    pieces = [*pieces, Piece(packet, visit)]
    ns.fragments[key] = (since, pieces)
    if not _complete(pieces):
        why = "a fragment at offset {}: it waits here for the others"
        visit.step("fragment", "park", device, packet, why, (ip.offset,))
        return None
    del ns.fragments[key]
    first = next(piece for piece in pieces if not cast(IPv4, piece.packet.headers[0]).offset)
    whole = _join(first.packet)
    if first.visit is not visit:
        why = "the last fragment that was missing: the {} pieces become one packet again"
        visit.step("fragment", "park", device, packet, why, (len(pieces),))
    why = "reassembled from {} fragments: {} bytes"
    before = first.packet
    first.visit.step(
        "fragment", "pass", device, whole, why, (len(pieces), whole.length), None, before
    )
    first.visit.longest = max(piece.packet.length for piece in pieces)
    first.visit.pieces = {
        cast(IPv4, p.packet.headers[0]).offset: p.visit for p in pieces if p is not first
    }
    visit.again(_go_on, first.visit, whole, resume)
    return None


def _go_on(_: Visit, first: Visit, whole: Packet, resume: Resume) -> None:
    resume(first, whole)
    while first.todo:
        following, args = first.todo.pop(0)
        following(first, *args)


def _complete(pieces: list[Piece]) -> bool:
    spans = sorted(
        (ip.offset, ip.offset + piece.packet.length - 20, ip.mf)
        for piece in pieces
        for ip in (cast(IPv4, piece.packet.headers[0]),)
    )
    end = 0
    for start, stop, _ in spans:
        if start > end:
            return False
        end = max(end, stop)
    return not spans[-1][2]


def _join(first: Packet) -> Packet:
    """The datagram again, with the header that its first piece has now."""
    ip = cast(IPv4, first.headers[0])._replace(mf=False, offset=0)
    payload = first.payload
    while isinstance(payload, Slice):
        payload = payload.packet.payload
    return stack_of((ip, *first.headers[1:]), payload)
