"""What lives here: a packet's bytes with their meaning, for pictures and for people.

``fields`` names every byte of a packet: header by header, field by field, without gap or overlap.
The values are read from the encoded bytes, so they show what is really sent, checksums included.
``_LAYOUT`` is the table of all header formats.

What may not live here: colours, widths, HTML (see ``views``).

Simplified here: fields that share a byte (IPv4 version and header length) stand together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from k8snetlib.address import ip_text
from k8snetlib.packet import (
    ECHO_REPLY,
    ECHO_REQUEST,
    FRAG_NEEDED,
    PROTO_NAMES,
    REDIRECT,
    UNREACHABLE,
    Arp,
    Ethernet,
    Header,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    Vxlan,
    flag_letters,
)
from k8snetlib.wire.encode import encode


class Field(NamedTuple):
    """Some bytes of a packet that mean one thing.

    ``layer`` is the header's place in ``packet.headers`` (one more: the payload), ``header`` its
    name (``TCP``; ``payload``). ``offset`` counts bytes from the start of the packet, ``length``
    is in bytes; ``value`` is text.
    """

    layer: int
    header: str
    name: str
    offset: int
    length: int
    value: str


_Read = Callable[[bytes], str]


def _number(data: bytes) -> str:
    return str(int.from_bytes(data, "big"))


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"


def _mac(data: bytes) -> str:
    return data.hex(":")


def _ip(data: bytes) -> str:
    return ip_text(int.from_bytes(data, "big"))


def _named(names: dict[int, str], form: str = "{}") -> _Read:
    """Reads a number and adds its name, if it has one: ``6 (TCP)``."""

    def read(data: bytes) -> str:
        value = int.from_bytes(data, "big")
        name = names.get(value)
        return form.format(value) + (f" ({name})" if name else "")

    return read


def _version(data: bytes) -> str:
    return f"version {data[0] >> 4}, {(data[0] & 15) * 4} bytes"


def _fragment(data: bytes) -> str:
    value = int.from_bytes(data, "big")
    flags = [name for bit, name in ((0x4000, "DF"), (0x2000, "MF")) if value & bit]
    return ", ".join([*flags, f"offset {(value & 0x1FFF) * 8}"])


def _size_and_flags(data: bytes) -> str:
    return f"{(data[0] >> 4) * 4} bytes, flags {flag_letters(data[1] & 63) or 'none'}"


_ethertype = _named({0x0800: "IPv4", 0x0806: "ARP"}, "0x{:04x}")
_udp_checksum = _named({0: "none"}, "0x{:04x}")
_protocol = _named({number: name.upper() for number, name in PROTO_NAMES.items()})
_icmp_type = _named(
    {
        0: "echo reply",
        3: "destination unreachable",
        5: "redirect",
        8: "echo request",
        11: "time exceeded",
    }
)

_NAMES: dict[type, str] = {
    Ethernet: "Ethernet",
    Arp: "ARP",
    IPv4: "IPv4",
    Icmp: "ICMP",
    Tcp: "TCP",
    Udp: "UDP",
    Vxlan: "VXLAN",
}

#: Each header's fields in order: name, length in bytes, how to read it.
_LAYOUT: dict[type, tuple[tuple[str, int, _Read], ...]] = {
    Ethernet: (("destination", 6, _mac), ("source", 6, _mac), ("EtherType", 2, _ethertype)),
    Arp: (
        ("hardware type", 2, _named({1: "Ethernet"})),
        ("protocol type", 2, _ethertype),
        ("hardware address length", 1, _number),
        ("protocol address length", 1, _number),
        ("operation", 2, _named({1: "request", 2: "reply"})),
        ("sender MAC", 6, _mac),
        ("sender IP", 4, _ip),
        ("target MAC", 6, _mac),
        ("target IP", 4, _ip),
    ),
    IPv4: (
        ("version, header length", 1, _version),
        ("type of service", 1, _hex),
        ("total length", 2, _number),
        ("identification", 2, _number),
        ("flags, fragment offset", 2, _fragment),
        ("time to live", 1, _number),
        ("protocol", 1, _protocol),
        ("header checksum", 2, _hex),
        ("source", 4, _ip),
        ("destination", 4, _ip),
    ),
    Icmp: (("type", 1, _icmp_type), ("code", 1, _number), ("checksum", 2, _hex)),
    Tcp: (
        ("source port", 2, _number),
        ("destination port", 2, _number),
        ("sequence number", 4, _number),
        ("acknowledgement number", 4, _number),
        ("header length, flags", 2, _size_and_flags),
        ("window", 2, _number),
        ("checksum", 2, _hex),
        ("urgent pointer", 2, _number),
    ),
    Udp: (
        ("source port", 2, _number),
        ("destination port", 2, _number),
        ("length", 2, _number),
        ("checksum", 2, _udp_checksum),
    ),
    Vxlan: (
        ("flags", 1, _named({8: "I: the VNI is valid"}, "0x{:02x}")),
        ("reserved", 3, _number),
        ("VNI", 3, _number),
        ("reserved", 1, _number),
    ),
}


def _layout(header: Header) -> tuple[tuple[str, int, _Read], ...]:
    layout = _LAYOUT[type(header)]
    if type(header) is Tcp and header.options:
        return (*layout, ("options", len(header.options), _hex))
    if type(header) is not Icmp:
        return layout
    if header.type in (ECHO_REQUEST, ECHO_REPLY):
        return (*layout, ("identifier", 2, _number), ("sequence number", 2, _number))
    if header.type == REDIRECT:
        return (*layout, ("gateway", 4, _ip))
    if (header.type, header.code) == (UNREACHABLE, FRAG_NEEDED):
        return (*layout, ("unused", 2, _number), ("next-hop MTU", 2, _number))
    return (*layout, ("unused", 4, _number))


def fields(packet: Packet) -> tuple[Field, ...]:
    """Every byte of ``packet`` and what it means: header by header, then the payload.

    The fields follow each other without gap or overlap, from byte 0 to the end of
    ``encode(packet)``. Raises ``BadPacket`` as ``encode`` does.
    """
    data = encode(packet)
    found: list[Field] = []
    at = 0
    for layer, header in enumerate(packet.headers):
        name = _NAMES[type(header)]
        for what, length, read in _layout(header):
            value = read(data[at : at + length])
            found.append(Field(layer, name, what, at, length, value))
            at += length
    if at < len(data):
        length = len(data) - at
        value = f"{length} byte{'' if length == 1 else 's'}"
        what = _payload_name(packet)
        found.append(Field(len(packet.headers), "payload", what, at, length, value))
    return tuple(found)


def _payload_name(packet: Packet) -> str:
    last = packet.headers[-1]
    if type(last) is Icmp and last.is_error:
        return "quoted packet"
    if isinstance(packet.payload, Slice) or (type(last) is IPv4 and (last.mf or last.offset)):
        return "part of a datagram"
    return "data"


def hexdump(packet: Packet) -> str:
    """The bytes of ``packet`` as ``tcpdump -XX`` prints them: offset, hexadecimal, ASCII.

    Sixteen bytes a line, no newline at the end. What ASCII cannot print shows as a dot.
    """
    data = encode(packet)
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = "".join(chr(byte) if 33 <= byte <= 126 else "." for byte in row)
        lines.append(f"0x{at:04x}:  {row.hex(' ', -2):39}  {text}")
    return "\n".join(lines)
