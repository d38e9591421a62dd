"""What lives here: a socket that sees every frame on every device of one network namespace.

The kernel copies each frame into a ring that it shares with us (packet(7), TPACKET_V3), at the
moment the frame passes. A plain packet socket would only point to the frame's buffer, and what a
later router writes into that (fragments, for one) would show in a frame that was captured before.

What may not live here: what the bytes mean (see ``frames``).

Simplified here: a tap that is not read for thousands of frames loses the rest, and says so.
"""

from __future__ import annotations

import mmap
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from k8snetlib.errors import K8sNetError

_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION, _V3 = 263, 5, 6, 10, 2
_ETH_P_ALL, _OUTGOING, _NO_LINK_HEADER = 3, 4, 65534
_BLOCK, _BLOCKS, _FRAME, _RETIRE_MS = 1 << 17, 24, 2048, 3
_MINE = 1

_BLOCK_HEAD = struct.Struct("=8xIII")
_FRAME_HEAD = struct.Struct("=IIIIIIHH")
_LINK = struct.Struct("=HHiHB")


class Raw(NamedTuple):
    """One captured frame. ``time`` in nanoseconds; ``link`` False: a device without link layer."""

    time: int
    netns: str
    device: str
    direction: str
    link: bool
    data: bytes


class Tap:
    """Opens the socket; the calling thread must stand in the namespace called ``netns``."""

    def __init__(self, netns: str) -> None:
        self.netns = netns
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self.socket.setsockopt(_SOL_PACKET, _VERSION, _V3)
        frames = _BLOCK // _FRAME * _BLOCKS
        ring = struct.pack("7I", _BLOCK, _BLOCKS, _FRAME, frames, _RETIRE_MS, 0, 0)
        self.socket.setsockopt(_SOL_PACKET, _RX_RING, ring)
        self._ring = mmap.mmap(self.socket.fileno(), _BLOCK * _BLOCKS)
        self._next = 0
        self._names = dict(socket.if_nameindex())

    def close(self) -> None:
        """Gives the ring and the socket back."""
        self._ring.close()
        self.socket.close()

    def read(self) -> list[Raw]:
        """Every frame since the last call, in order; raises ``K8sNetError`` if some were lost."""
        found: list[Raw] = []
        while True:
            at = self._next * _BLOCK
            status, count, first = _BLOCK_HEAD.unpack_from(self._ring, at)
            if not status & _MINE:
                break
            found += self._block(at + first, count)
            struct.pack_into("=I", self._ring, at + 8, 0)
            self._next = (self._next + 1) % _BLOCKS
        _, lost, _ = struct.unpack("3I", self.socket.getsockopt(_SOL_PACKET, _STATISTICS, 12))
        if lost:
            raise K8sNetError(f"{self.netns}: {lost} frames came faster than they could be noted.")
        return found

    def _block(self, at: int, count: int) -> Iterator[Raw]:
        for _ in range(count):
            following, seconds, rest, size, length, _, mac, _ = _FRAME_HEAD.unpack_from(
                self._ring, at
            )
            _, _, index, hardware, kind = _LINK.unpack_from(self._ring, at + 48)
            if size < length:
                raise K8sNetError(f"{self.netns}: a frame of {length} bytes was cut to {size}.")
            data = self._ring[at + mac : at + mac + size]
            direction = "out" if kind == _OUTGOING else "in"
            device = self._names.get(index, f"device{index}")
            stamp = seconds * 10**9 + rest
            yield Raw(stamp, self.netns, device, direction, hardware != _NO_LINK_HEADER, data)
            at += following
