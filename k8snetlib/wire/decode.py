"""What lives here: from bytes to a packet. Whatever ``decode`` accepts, ``encode`` writes back.

One reader walks through the bytes, header by header; what a header says about the next one decides
who reads on. A sentence of each error says what is wrong, and at which byte (counted from 0).

Overlays are known by their destination port alone, as in tcpdump. A fragment is never looked
into, not even the first: its transport header is about a datagram that is not here.

What may not live here: tolerance. A field that ``packet`` cannot hold is refused.

Simplified here: no IP options, no TCP urgent pointer, no TCP ECN flags, no VXLAN extensions.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from typing import Literal

from k8snetlib.address import ip_text
from k8snetlib.errors import BadPacket
from k8snetlib.packet import (
    ICMP_ERRORS,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    Arp,
    Ethernet,
    Header,
    Icmp,
    IPv4,
    Packet,
    Tcp,
    Udp,
    Vxlan,
)
from k8snetlib.wire.encode import ETHERTYPE_ARP, ETHERTYPE_IPV4, checksum

#: flannel's udp backend listens here.
FLANNEL_UDP_PORTS = frozenset({8285})
#: Linux' own choice (flannel's default), and IANA's.
VXLAN_PORTS = frozenset({8472, 4789})

_ARP = struct.Struct("!HHBBH6sI6sI").unpack_from
_IPV4 = struct.Struct("!BBHHHBBHII").unpack_from
_ICMP = struct.Struct("!BBHI").unpack_from
_TCP = struct.Struct("!HHIIHHHH").unpack_from
_UDP = struct.Struct("!HHHH").unpack_from
_VXLAN = struct.Struct("!II").unpack_from

_TRANSPORT: dict[int, type] = {PROTO_ICMP: Icmp, PROTO_TCP: Tcp, PROTO_UDP: Udp}


def decode(
    data: bytes,
    *,
    first: Literal["ethernet", "ipv4"] = "ethernet",
    flannel_udp_ports: Collection[int] = FLANNEL_UDP_PORTS,
    vxlan_ports: Collection[int] = VXLAN_PORTS,
    verify: bool = False,
) -> Packet:
    """The packet that ``data`` holds: ``decode(encode(packet)) == packet``, save for slices.

    Parameters: ``first`` is what the first byte belongs to (a TUN device has no Ethernet header);
    a UDP datagram to one of ``flannel_udp_ports`` carries an IPv4 packet, to one of ``vxlan_ports``
    a VXLAN frame (empty: leave it as bytes); ``verify`` checks every checksum on the way.

    Padding behind an IPv4 packet or ARP message in an Ethernet frame is dropped. Quotes in ICMP
    errors, and all that a fragment carries, come back as bytes.

    Raises ``BadPacket`` for bytes that are cut short, contradict themselves, fail a checksum, or
    hold something that a ``Packet`` cannot (see "Simplified here"). Sources: as for ``encode``.
    """
    starts: dict[str, type] = {"ethernet": Ethernet, "ipv4": IPv4}
    if first not in starts:
        raise BadPacket(
            f"A packet cannot begin with '{first}'.", 'Use first="ethernet" or first="ipv4".'
        )
    reader = _Reader(bytes(data), flannel_udp_ports, vxlan_ports, verify)
    kind: type | None = starts[first]
    while kind is not None:
        kind = _READ[kind](reader)
    return Packet(*reader.headers, payload=reader.data[reader.at : reader.end])


class _Reader:
    """Where the reading stands: ``at`` is the next byte, ``end`` the first that does not belong.

    Each method reads one header, moves both, and names the header that follows (None: a payload).
    """

    __slots__ = ("at", "data", "end", "flannel_udp", "headers", "padded", "verify", "vxlan")

    def __init__(
        self, data: bytes, flannel_udp: Collection[int], vxlan: Collection[int], verify: bool
    ) -> None:
        self.data = data
        self.at = 0
        self.end = len(data)
        self.flannel_udp = flannel_udp
        self.vxlan = vxlan
        self.verify = verify
        self.padded = False  # may bytes follow the next header's own length? Only in a frame.
        self.headers: list[Header] = []

    def take(self, what: str, size: int) -> int:
        """Where the next ``size`` bytes begin; they are taken for the header ``what``."""
        at, left = self.at, self.end - self.at
        if left < size:
            raise BadPacket(
                f"The {what} header at byte {at} is cut short: {left} of {size} bytes are there."
            )
        self.at = at + size
        return at

    def set_end(self, what: str, at: int, end: int) -> None:
        """Checks a length field at byte ``at``, which says that the packet stops before ``end``."""
        if not self.at <= end <= self.end:
            raise BadPacket(
                f"The {what} at byte {at} does not fit: it ends the packet before byte {end}, "
                f"but its headers reach to byte {self.at} and the data to byte {self.end}."
            )
        if end < self.end and not self.padded:
            raise BadPacket(f"{self.end - end} bytes too many, from byte {end} on.")
        self.end = end

    def check(self, what: str, field: int, start: int, pseudo: bytes = b"") -> None:
        """With ``verify``: refuses a wrong checksum at byte ``field``; it covers ``pseudo`` and all
        bytes from ``start`` on."""
        data = self.data
        stop = start + 20 if what == "IPv4 header" else self.end
        if not self.verify or checksum(pseudo + data[start:stop]) == 0:
            return
        right = checksum(pseudo + data[start:field] + b"\0\0" + data[field + 2 : stop])
        if what == "UDP" and not right:
            right = 0xFFFF
        stated = int.from_bytes(data[field : field + 2], "big")
        raise BadPacket(
            f"The {what} checksum at byte {field} is 0x{stated:04x}, but should be 0x{right:04x}."
        )

    def ethernet(self) -> type:
        at = self.take("Ethernet", 14)
        dst, src = self.data[at : at + 6], self.data[at + 6 : at + 12]
        ethertype = int.from_bytes(self.data[at + 12 : at + 14], "big")
        self.headers.append(Ethernet(src.hex(":"), dst.hex(":")))
        self.padded = True
        if ethertype == ETHERTYPE_IPV4:
            return IPv4
        if ethertype == ETHERTYPE_ARP:
            return Arp
        raise BadPacket(
            f"The EtherType 0x{ethertype:04x} at byte {at + 12} is neither IPv4 nor ARP.",
            "Known: 0x0800 and 0x0806.",
        )

    def arp(self) -> None:
        at = self.take("ARP", 28)
        *kind, op, sender_mac, sender, target_mac, target = _ARP(self.data, at)
        if kind != [1, ETHERTYPE_IPV4, 6, 4]:
            raise BadPacket(f"The ARP message at byte {at} is not about IPv4 over Ethernet.")
        if op not in (1, 2):
            raise BadPacket(f"The ARP operation {op} at byte {at + 6} is neither 1 nor 2.")
        macs = sender_mac.hex(":"), target_mac.hex(":")
        self.headers.append(Arp(op, macs[0], ip_text(sender), macs[1], ip_text(target)))
        self.end = self.at

    def ipv4(self) -> type | None:
        at = self.take("IPv4", 20)
        first, tos, total, ident, fragment, ttl, proto, _, src, dst = _IPV4(self.data, at)
        if first != 0x45:
            version, words = first >> 4, first & 15
            if version != 4:
                raise BadPacket(f"The IP version at byte {at} is {version}, not 4.")
            raise BadPacket(
                f"The IPv4 header length at byte {at} is {4 * words} bytes, not 20.",
                "IP options are not modelled.",
            )
        if fragment & 0x8000:
            raise BadPacket(f"The reserved bit at byte {at + 6} is set in the IPv4 header.")
        self.set_end("IPv4 total length", at + 2, at + total)
        self.padded = False
        self.check("IPv4 header", at + 10, at)
        df, mf, offset = bool(fragment & 0x4000), bool(fragment & 0x2000), (fragment & 0x1FFF) * 8
        source, target = ip_text(src), ip_text(dst)
        self.headers.append(IPv4(source, target, proto, ttl, ident, df, mf, offset, tos))
        return None if mf or offset else _TRANSPORT.get(proto)

    def pseudo_header(self, start: int) -> bytes:
        """Addresses, protocol and length, as TCP and UDP sum them up (RFC 9293 §3.1)."""
        addresses = self.data[start - 8 : start]
        return addresses + struct.pack("!HH", self.data[start - 11], self.end - start)

    def icmp(self) -> None:
        at = self.take("ICMP", 8)
        kind, code, _, rest = _ICMP(self.data, at)
        self.check("ICMP", at + 2, at)
        if kind in ICMP_ERRORS and self.end - self.at < 28:
            raise BadPacket(
                f"The ICMP error at byte {at} quotes {self.end - self.at} bytes, not 28 or more."
            )
        self.headers.append(Icmp(kind, code, rest))

    def tcp(self) -> None:
        at = self.take("TCP", 20)
        sport, dport, seq, ack, size_and_flags, window, _, urgent = _TCP(self.data, at)
        size = (size_and_flags >> 12) * 4
        if size < 20:
            raise BadPacket(f"The TCP header length at byte {at + 12} is {size} bytes, under 20.")
        options_at = self.take("TCP options", size - 20)
        self.check("TCP", at + 16, at, self.pseudo_header(at))
        if size_and_flags & 0x0FC0:
            raise BadPacket(f"TCP flags other than SAFRPU are set at byte {at + 12}.")
        if urgent:
            raise BadPacket(f"The TCP urgent pointer at byte {at + 18} is not 0.")
        options = self.data[options_at : self.at]
        self.headers.append(Tcp(sport, dport, size_and_flags & 63, seq, ack, window, options))

    def udp(self) -> type | None:
        at = self.take("UDP", 8)
        sport, dport, length, stated = _UDP(self.data, at)
        self.set_end("UDP length", at + 4, at + length)
        if stated:
            self.check("UDP", at + 6, at, self.pseudo_header(at))
        self.headers.append(Udp(sport, dport, stated != 0))
        if dport in self.vxlan:
            return Vxlan
        return IPv4 if dport in self.flannel_udp else None

    def vxlan_header(self) -> type:
        at = self.take("VXLAN", 8)
        flags, vni = _VXLAN(self.data, at)
        if flags != 0x08000000 or vni & 0xFF:
            raise BadPacket(
                f"The VXLAN header at byte {at} has other flags than I, or reserved bits set."
            )
        self.headers.append(Vxlan(vni >> 8))
        return Ethernet


_READ: dict[type, Callable[[_Reader], type | None]] = {
    Ethernet: _Reader.ethernet,
    Arp: _Reader.arp,
    IPv4: _Reader.ipv4,
    Icmp: _Reader.icmp,
    Tcp: _Reader.tcp,
    Udp: _Reader.udp,
    Vxlan: _Reader.vxlan_header,
}
