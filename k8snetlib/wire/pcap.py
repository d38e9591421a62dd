"""What lives here: capture files. What tcpdump would have written, for Wireshark to read.

One device makes a classic pcap file, as ``tcpdump -i DEV -w`` writes it. All devices together make
a pcapng file with one interface for each, a direction and a comment (the packet's label) on every
packet. Devices with a link layer are Ethernet, a TUN device is raw IP.

Frames stand in order of the model's clock. Frames of one instant are put one microsecond apart, in
the order in which they happened, so that no reader can mix them up.

What may not live here: what goes *into* a packet (``encode``).

Simplified here: packets are never cut short (no snap length), and there is no reader.
Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, tcpdump.org/linktypes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from k8snetlib.errors import BadPacket, K8sNetError, unknown_name
from k8snetlib.trace import Frame, label_of
from k8snetlib.wire.encode import encode

LINKTYPE_ETHERNET, LINKTYPE_RAW = 1, 101
_LINK_NAMES = {LINKTYPE_ETHERNET: "Ethernet", LINKTYPE_RAW: "raw IP"}
_SNAPLEN = 262144  # tcpdump's default: nothing of ours is longer

_PCAP_HEADER = struct.Struct("<IHHiIII").pack
_PCAP_RECORD = struct.Struct("<IIII").pack

_SECTION, _INTERFACE, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
_OPT_COMMENT, _SHB_USERAPPL, _IF_NAME, _EPB_FLAGS = 1, 4, 2, 2
_DIRECTION = {"in": 1, "out": 2}


def linktype_of(frame: Frame) -> int:
    """1 (Ethernet) or 101 (raw IP): how a capture file calls what this frame begins with."""
    return LINKTYPE_RAW if frame.packet.ethernet is None else LINKTYPE_ETHERNET


def pcap_bytes(frames: Iterable[Frame], linktype: int) -> bytes:
    """A classic pcap file (little-endian, microseconds) of ``frames``.

    Parameters: ``linktype`` is 1 (Ethernet) or 101 (raw IP) for the whole file. Raises
    ``BadPacket`` for a frame of another kind.
    """
    parts = [_PCAP_HEADER(0xA1B2C3D4, 2, 4, 0, 0, _SNAPLEN, linktype)]
    for micros, frame in _stamped(frames):
        own = linktype_of(frame)
        if own != linktype:
            raise BadPacket(
                f"A frame on {frame.netns}:{frame.device} is {_LINK_NAMES[own]} (link type {own}), "
                f"but the file is for link type {linktype}.",
                "A pcap file holds one link type; pcapng holds several.",
            )
        data = encode(frame.packet)
        parts.append(_PCAP_RECORD(*divmod(micros, 1_000_000), len(data), len(data)))
        parts.append(data)
    return b"".join(parts)


def pcapng_bytes(frames: Iterable[Frame]) -> bytes:
    """A pcapng file of ``frames``, with one interface for each device (``if_name`` NETNS:DEV).

    Each packet carries its direction (``epb_flags``) and its label as a comment.
    """
    parts = [_block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1), _SECTION_OPTIONS)]
    interfaces: dict[tuple[str, int], int] = {}
    packets = []
    for micros, frame in _stamped(frames):
        key = f"{frame.netns}:{frame.device}", linktype_of(frame)
        if key not in interfaces:
            interfaces[key] = len(interfaces)
            head = struct.pack("<HHI", key[1], 0, _SNAPLEN)
            parts.append(_block(_INTERFACE, head, [(_IF_NAME, key[0].encode())]))
        data = encode(frame.packet)
        head = struct.pack(
            "<IIIII", interfaces[key], micros >> 32, micros & 0xFFFFFFFF, len(data), len(data)
        )
        options = [
            (_OPT_COMMENT, label_of(frame.packet, frame.names).encode()),
            (_EPB_FLAGS, struct.pack("<I", _DIRECTION[frame.direction])),
        ]
        packets.append(_block(_ENHANCED_PACKET, head + _padded(data), options))
    return b"".join(parts + packets)


_SECTION_OPTIONS = [(_SHB_USERAPPL, b"k8snetlib")]


def _stamped(frames: Iterable[Frame]) -> Iterator[tuple[int, Frame]]:
    """Each frame with its time in microseconds, strictly rising."""
    last = -1
    for frame in sorted(frames, key=lambda frame: frame.time):
        last = max(last + 1, round(frame.time * 1_000_000))
        yield last, frame


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, head: bytes, options: Sequence[tuple[int, bytes]]) -> bytes:
    """One pcapng block: type, length, content, options (each filled up to 4 bytes), length."""
    tail = b"".join(struct.pack("<HH", code, len(text)) + _padded(text) for code, text in options)
    length = struct.pack("<I", 12 + len(head) + len(tail) + 4)
    return struct.pack("<I", kind) + length + head + tail + bytes(4) + length


def write_pcap(
    path: str | os.PathLike[str], frames: Iterable[Frame], device: str | None = None
) -> int:
    """Writes ``frames`` to the file ``path`` and returns how many packets it holds.

    With ``device`` (``"node1:eth0"``) only that device's frames, as pcap; without, all of them, as
    pcapng. The file appears complete or not at all: it is written under another name in the same
    folder first. Raises ``UnknownName`` if no frame was seen on ``device``, ``K8sNetError`` if
    the file cannot be written, ``BadPacket`` as ``encode`` does.
    """
    chosen = list(frames)
    if device is None:
        content = pcapng_bytes(chosen)
    else:
        known = {f"{frame.netns}:{frame.device}" for frame in chosen}
        if device not in known:
            raise unknown_name("device", device, known)
        chosen = [frame for frame in chosen if f"{frame.netns}:{frame.device}" == device]
        content = pcap_bytes(chosen, linktype_of(chosen[0]))
    write_whole(path, content)
    return len(chosen)


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file that appears complete or not at all. Raises ``K8sNetError`` if it cannot."""
    try:
        _write(os.fspath(path), content)
    except OSError as error:
        raise K8sNetError(
            f"Cannot write '{os.fspath(path)}': {error.strerror or error}.",
            "Name a file in a folder that exists and that you may write to.",
        ) from error


def _write(path: str, content: bytes) -> None:
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise IsADirectoryError(0, "it is a folder")
    if os.path.exists(target) and not os.path.isfile(target):
        # /dev/stdout, a named pipe: renaming a file over it would destroy it.
        with open(target, "wb") as stream:
            stream.write(content)
        return
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        with open(temporary, "xb") as stream:
            stream.write(content)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
