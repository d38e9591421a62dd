"""What lives here: packets as bytes, for checks: what tcpdump saw of a walk, and small changes.

What may not live here: what is right or wrong; encoding a packet (see ``wire``).
"""

from __future__ import annotations

import struct

from k8snetlib.packet import stack_of
from k8snetlib.trace import Exchange
from k8snetlib.wire import checksum, encode

IP_BYTES = 20
#: Where an IPv4 header keeps its TTL and its checksum (RFC 791).
TTL_AT, SUM_AT = 8, slice(10, 12)


def seen_on(exchange: Exchange, place: str, direction: str) -> bytes:
    """The request as tcpdump saw it on a device, from its first IPv4 header on.

    Parameters: ``place`` as ``node1:eth0``; ``direction`` in or out. Raises ``LookupError`` if the
    request was not seen there.
    """
    assert exchange.request is not None
    for frame in exchange.request.frames:
        if f"{frame.netns}:{frame.device}" == place and frame.direction == direction:
            headers = frame.packet.headers
            bare = headers[1:] if frame.packet.ethernet else headers
            return encode(stack_of(bare, frame.packet.payload))
    raise LookupError(f"{place} {direction}")


def with_checksum(packet: bytes) -> bytes:
    """An IPv4 packet with its header checksum made right."""
    header = packet[:10] + b"\0\0" + packet[12:IP_BYTES]
    return packet[:10] + struct.pack("!H", checksum(header)) + packet[12:]


def aged(packet: bytes, by: int = 1, *, fresh: bool = True) -> bytes:
    """An IPv4 packet with ``by`` less in its TTL; its checksum is made right if ``fresh``."""
    changed = packet[:TTL_AT] + bytes([packet[TTL_AT] - by]) + packet[TTL_AT + 1 :]
    return with_checksum(changed) if fresh else changed
