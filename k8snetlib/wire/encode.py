"""What lives here: from a packet to its bytes, with every length and checksum filled in.

A packet is written from the inside out: each header is put in front of the bytes it carries, and by
then knows their length and sum. The Internet checksum (RFC 1071) is the remainder modulo 65535
of the covered bytes, read as one big number, negated: 65536 leaves the remainder 1, so every
16-bit word counts for itself wherever it stands. A 32-bit address may be added as it is.

Fragments and quotes (``Slice``) are cut from the bytes of the packet that they name. The transport
header of a *first* fragment belongs to the whole datagram: so do its length and checksum. Its
bytes are therefore those in front of the slice in the whole datagram, never computed afresh.

What may not live here: files, and any opinion on whether a packet is a sensible one.

Simplified here: no Ethernet padding to 60 bytes and no frame check sequence (virtual devices have
neither, and tcpdump shows neither); the TCP urgent pointer is always 0.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import cast

from k8snetlib.address import number
from k8snetlib.errors import BadPacket
from k8snetlib.packet import Arp, Ethernet, Header, Icmp, IPv4, Packet, Slice, Tcp, Udp, size_of

ETHERTYPE_IPV4, ETHERTYPE_ARP = 0x0800, 0x0806

_ARP = struct.Struct("!HHBBH6sI6sI").pack
_IPV4 = struct.Struct("!BBHHHBBHII").pack
_ICMP = struct.Struct("!BBHI").pack
_TCP = struct.Struct("!HHIIHHHH").pack
_UDP = struct.Struct("!HHHH").pack
_VXLAN = struct.Struct("!II").pack

_ETHERTYPE = {IPv4: b"\x08\x00", Arp: b"\x08\x06"}
_VXLAN_FLAGS = 0x08000000  # only I, "the VNI is valid" (RFC 7348 §5)


def checksum(data: bytes) -> int:
    """The Internet checksum of ``data``, a 16-bit number (RFC 1071).

    An odd number of bytes is padded with a zero byte. Over data that includes a correct checksum
    the result is 0.

    >>> hex(checksum(bytes.fromhex("0001f203f4f5f6f7")))
    '0x220d'
    """
    return _negated(_sum(data))


def _sum(data: bytes) -> int:
    value = int.from_bytes(data, "big")
    return value << 8 if len(data) & 1 else value


def _negated(total: int) -> int:
    # In one's complement only zeros sum up to 0; any other multiple of 65535 is 0xffff.
    return -total % 0xFFFF if total else 0xFFFF


def encode(packet: Packet) -> bytes:
    """The bytes of ``packet`` on the wire, from its outermost header to the end of its payload.

    Filled in: the EtherType (from the next header), IPv4 total length and header checksum,
    UDP length, and the TCP, UDP and ICMP checksums with their pseudo-header. A UDP header with
    ``checksum=False`` carries 0, "none"; a checksum that comes out as 0 is sent as 0xffff.

    A ``Slice`` payload is cut from ``encode(slice.packet)``, ``start`` counted from the first
    byte of that packet's outermost header (with Ethernet: from the Ethernet header). In a first
    fragment (``mf``, offset 0) the headers behind the fragmenting IPv4 header are the bytes in
    front of the slice, so that the fragments together are exactly the bytes of the datagram.

    Raises ``BadPacket``: longer than 65,535 bytes from an IPv4 header on, a slice beyond the end of
    its packet, a first fragment with a transport header whose datagram is not known.

    Sources: RFC 791, 792, 768, 826, 894, 1071, 7348, 9293.
    """
    headers, payload = packet
    if type(payload) is Slice:
        count, body = _cut(headers, payload)
    else:
        count, body = len(headers), cast(bytes, payload)
    try:
        for at in range(count - 1, -1, -1):
            header = headers[at]
            if type(header) is IPv4:
                if header.mf and at != count - 1:
                    raise _unknown_datagram(header)
                body = _ipv4(header, len(body)) + body
            elif type(header) is Ethernet:
                body = (
                    _mac(header.dst) + _mac(header.src) + _ETHERTYPE[type(headers[at + 1])] + body
                )
            elif type(header) is Udp:
                body = _udp(cast(IPv4, headers[at - 1]), header, body)
            elif type(header) is Tcp:
                body = _tcp(cast(IPv4, headers[at - 1]), header, body)
            elif type(header) is Icmp:
                total = (header.type << 8 | header.code) + header.rest + _sum(body)
                body = _ICMP(header.type, header.code, _negated(total), header.rest) + body
            elif type(header) is Arp:
                body = _arp(header)
            else:
                body = _VXLAN(_VXLAN_FLAGS, header.vni << 8) + body  # type: ignore[union-attr]
    except struct.error:
        raise _does_not_fit(packet) from None
    return body


@lru_cache(maxsize=65536)
def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _ipv4(ip: IPv4, carried: int) -> bytes:
    src, dst, proto, ttl, ident, df, mf, offset, tos = ip
    source, target = number(src), number(dst)
    fragment = (df and 0x4000) | (mf and 0x2000) | offset >> 3
    total = 20 + carried
    words = 0x4500 + tos + total + ident + fragment + (ttl << 8) + proto + source + target
    return _IPV4(0x45, tos, total, ident, fragment, ttl, proto, -words % 0xFFFF, source, target)


def _udp(ip: IPv4, udp: Udp, body: bytes) -> bytes:
    sport, dport, wanted = udp
    length = 8 + len(body)
    check = 0
    if wanted:
        # The length counts twice: once in the pseudo-header, once in the header (RFC 768).
        pseudo = number(ip.src) + number(ip.dst) + ip.proto + length
        check = -(pseudo + sport + dport + length + _sum(body)) % 0xFFFF or 0xFFFF
    return _UDP(sport, dport, length, check) + body


def _tcp(ip: IPv4, tcp: Tcp, body: bytes) -> bytes:
    sport, dport, flags, seq, ack, window, options = tcp
    body = options + body
    size_and_flags = (5 + (len(options) >> 2)) << 12 | flags
    pseudo = number(ip.src) + number(ip.dst) + ip.proto + 20 + len(body)
    total = pseudo + sport + dport + seq + ack + size_and_flags + window + _sum(body)
    return _TCP(sport, dport, seq, ack, size_and_flags, window, -total % 0xFFFF, 0) + body


def _arp(arp: Arp) -> bytes:
    sender, target = number(arp.sender_ip), number(arp.target_ip)
    return _ARP(
        1, ETHERTYPE_IPV4, 6, 4, arp.op, _mac(arp.sender_mac), sender, _mac(arp.target_mac), target
    )


def _cut(headers: tuple[Header, ...], part: Slice) -> tuple[int, bytes]:
    """How many headers are left to write, and the bytes behind them."""
    whole = encode(part.packet)
    end = part.start + part.length
    if not 0 <= part.start <= end <= len(whole):
        raise BadPacket(
            f"A slice of bytes {part.start} to {end} does not lie within its packet.",
            f"That packet has {len(whole)} bytes.",
        )
    for at, header in enumerate(headers[:-1]):
        if type(header) is IPv4 and header.mf:
            behind = headers[at + 1 :]
            _check_origin(header, behind, part)
            return at + 1, whole[part.start - sum(map(size_of, behind)) : end]
    return len(headers), whole[part.start : end]


def _check_origin(ip: IPv4, behind: tuple[Header, ...], part: Slice) -> None:
    """A first fragment's headers must be those in front of the slice in the whole datagram."""
    origin = part.packet.headers
    count = position = 0
    while position < part.start and count < len(origin):
        position += size_of(origin[count])
        count += 1
    first = count - len(behind) - 1
    if position == part.start and first >= 0 and origin[first + 1 : count] == behind:
        whole = origin[first]
        if type(whole) is IPv4 and (whole.src, whole.dst) == (ip.src, ip.dst):
            return
    raise BadPacket(
        "A first fragment's headers are not those in front of its slice.",
        "Cut it from the very datagram it is a part of, right behind the same headers.",
    )


def _unknown_datagram(ip: IPv4) -> BadPacket:
    return BadPacket(
        f"The first fragment from {ip.src} to {ip.dst} has a transport header, but its datagram is "
        "not known: length and checksum belong to the whole.",
        "Make its payload a Slice of the datagram, or leave the transport header in the bytes.",
    )


def _does_not_fit(packet: Packet) -> BadPacket:
    if packet.length > 0xFFFF:
        return BadPacket(
            f"A packet of {packet.length} bytes is too long.",
            "From an IPv4 header on there is room for 65535 bytes.",
        )
    return BadPacket("A header field is out of its range.", "Packet(...) names it.")
