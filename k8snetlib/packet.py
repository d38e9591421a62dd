"""What lives here: packets, as immutable stacks of headers.

A packet is a tuple of headers, outermost first, and a payload. Headers are plain named tuples:
to change a field is to make a new header, so a packet that was recorded in a trace can never
change afterwards. An overlay packet is simply a longer stack::

    Ethernet / IPv4 / Udp / IPv4 / Tcp          flannel's udp backend
    Ethernet / IPv4 / Udp / Vxlan / Ethernet / IPv4 / Tcp

``NEXT`` is the table of what may follow what. The public constructor ``Packet(...)`` checks it, and
every field, and refuses what no wire can carry (``BadPacket``). The kernel model, which only makes
legal moves, uses ``stack_of`` and skips the check.

What may not live here: bytes (see ``wire``), devices, marks (a mark belongs to one kernel, not to
the packet), names of hosts.

Simplified here: no IPv6, no IP options, no VLAN tags, no SCTP. Sources: RFC 791 (IPv4), 792
(ICMP), 768 (UDP), 9293 (TCP), 826 (ARP), 7348 (VXLAN).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, cast

from k8snetlib.address import parse_ip, parse_mac
from k8snetlib.errors import BadPacket

PROTO_ICMP, PROTO_TCP, PROTO_UDP = 1, 6, 17
PROTO_NAMES = {PROTO_ICMP: "icmp", PROTO_TCP: "tcp", PROTO_UDP: "udp"}

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32

ECHO_REPLY, UNREACHABLE, REDIRECT, ECHO_REQUEST, TIME_EXCEEDED = 0, 3, 5, 8, 11
NET_UNREACHABLE, HOST_UNREACHABLE, PORT_UNREACHABLE, FRAG_NEEDED = 0, 1, 3, 4
ICMP_ERRORS = frozenset({UNREACHABLE, REDIRECT, TIME_EXCEEDED, 4, 12})


class Ethernet(NamedTuple):
    """An Ethernet II header (14 bytes). The EtherType follows from the next header."""

    src: str
    dst: str


class Arp(NamedTuple):
    """An ARP message for IPv4 over Ethernet (28 bytes); ``op`` 1 asks, 2 answers."""

    op: int
    sender_mac: str
    sender_ip: str
    target_mac: str
    target_ip: str


class IPv4(NamedTuple):
    """An IPv4 header without options (20 bytes). ``offset`` is in bytes, a multiple of 8."""

    src: str
    dst: str
    proto: int
    ttl: int = 64
    id: int = 0
    df: bool = False
    mf: bool = False
    offset: int = 0
    tos: int = 0


class Icmp(NamedTuple):
    """An ICMP header (8 bytes). ``rest`` is its second word: identifier and sequence number of
    an echo, the next hop's MTU of a frag-needed, the gateway of a redirect."""

    type: int
    code: int = 0
    rest: int = 0

    @property
    def ident(self) -> int:
        """Identifier of an echo request or reply."""
        return self.rest >> 16

    @property
    def seq(self) -> int:
        """Sequence number of an echo request or reply."""
        return self.rest & 0xFFFF

    @property
    def mtu(self) -> int:
        """MTU of the next hop, in bytes, in a frag-needed message (RFC 1191)."""
        return self.rest & 0xFFFF

    @property
    def is_error(self) -> bool:
        """True for messages that quote the packet which caused them."""
        return self.type in ICMP_ERRORS


class Tcp(NamedTuple):
    """A TCP header: 20 bytes and ``options`` (a multiple of 4 bytes, at most 40)."""

    sport: int
    dport: int
    flags: int
    seq: int = 0
    ack: int = 0
    window: int = 64240
    options: bytes = b""


class Udp(NamedTuple):
    """A UDP header (8 bytes). With ``checksum`` False the field is sent as zero ("none")."""

    sport: int
    dport: int
    checksum: bool = True


class Vxlan(NamedTuple):
    """A VXLAN header (8 bytes) with its 24-bit network identifier."""

    vni: int


Header: TypeAlias = Ethernet | Arp | IPv4 | Icmp | Tcp | Udp | Vxlan


class Slice(NamedTuple):
    """A part of another packet's bytes: what an ICMP error quotes, what an IP fragment carries.

    ``start`` and ``length`` are in bytes, counted from the first byte of ``packet``.
    """

    packet: Packet
    start: int
    length: int

    def __len__(self) -> int:
        return self.length


Payload: TypeAlias = bytes | Slice

#: What may follow a header (``None`` as a key: what may stand outermost). ``bytes`` is a payload.
NEXT: dict[type | None, frozenset[type]] = {
    None: frozenset({Ethernet, IPv4}),
    Ethernet: frozenset({Arp, IPv4}),
    Arp: frozenset(),
    IPv4: frozenset({Icmp, Tcp, Udp, bytes}),
    Icmp: frozenset({bytes}),
    Tcp: frozenset({bytes}),
    Udp: frozenset({IPv4, Vxlan, bytes}),
    Vxlan: frozenset({Ethernet}),
}

_PROTO_OF: dict[type, int] = {Icmp: PROTO_ICMP, Tcp: PROTO_TCP, Udp: PROTO_UDP}
#: Bytes of each header; TCP's options come on top.
_SIZE: dict[type, int] = {
    Ethernet: 14, Arp: 28, IPv4: 20, Icmp: 8, Tcp: 20, Udp: 8, Vxlan: 8,
}  # fmt: skip


class _Stack(NamedTuple):
    headers: tuple[Header, ...]
    payload: Payload


class Packet(_Stack):
    """An immutable stack of headers, outermost first, and a payload.

    >>> p = Packet(IPv4("10.1.15.2", "10.1.20.3", PROTO_UDP), Udp(40000, 53), payload=b"hi")
    >>> p.ip.dst, p.length
    ('10.1.20.3', 30)

    Raises ``BadPacket`` for an illegal stack or a field out of range, ``BadAddress`` for a
    malformed address.
    """

    __slots__ = ()

    def __new__(cls, *headers: Header, payload: Payload = b"") -> Packet:
        _check_stack(headers, payload)
        for header in headers:
            _check_fields(header)
        return tuple.__new__(cls, (headers, payload))

    @property
    def ethernet(self) -> Ethernet | None:
        """The outermost header, if it is Ethernet; None on a device without a link layer."""
        first = self.headers[0]
        return first if type(first) is Ethernet else None

    @property
    def arp(self) -> Arp | None:
        """The ARP message, if this is one."""
        last = self.headers[-1]
        return last if type(last) is Arp else None

    @property
    def ip(self) -> IPv4:
        """The outermost IPv4 header; raises ``BadPacket`` on an ARP message."""
        for header in self.headers[:2]:
            if type(header) is IPv4:
                return header
        raise BadPacket("This packet has no IPv4 header: it is an ARP message.")

    @property
    def transport(self) -> Tcp | Udp | Icmp | None:
        """The header behind the outermost IPv4 header; None in a later fragment and in ARP."""
        headers = self.headers
        at = 2 if type(headers[0]) is Ethernet else 1
        found = headers[at] if len(headers) > at else None
        return found if isinstance(found, Tcp | Udp | Icmp) else None

    @property
    def innermost(self) -> Packet:
        """The packet inside all encapsulation, from its IPv4 (or ARP) header on."""
        headers = self.headers
        for at in range(len(headers) - 1, -1, -1):
            if type(headers[at]) in (IPv4, Arp):
                return stack_of(headers[at:], self.payload)
        return self

    @property
    def encapsulated(self) -> bool:
        """True if an overlay carries another packet inside this one."""
        return sum(type(h) is IPv4 for h in self.headers) > 1

    @property
    def length(self) -> int:
        """Length of the whole packet in bytes, without padding and frame check sequence."""
        total = len(self.payload)
        for header in self.headers:
            total += _SIZE[type(header)]
            if type(header) is Tcp:
                total += len(header.options)
        return total

    @property
    def ip_length(self) -> int:
        """Total length in bytes from the outermost IPv4 header on, as that header states it."""
        return self.length - (14 if type(self.headers[0]) is Ethernet else 0)

    def __repr__(self) -> str:
        names = " / ".join(type(h).__name__ for h in self.headers)
        return f"<Packet {names} {len(self.payload)} bytes of payload>"


def stack_of(headers: tuple[Header, ...], payload: Payload = b"") -> Packet:
    """A packet from headers already known to be legal; no check (the kernel model's hot path)."""
    return tuple.__new__(Packet, (headers, payload))


def size_of(header: Header) -> int:
    """Size of one header on the wire, in bytes."""
    return _SIZE[type(header)] + (len(header.options) if type(header) is Tcp else 0)


def flag_letters(flags: int) -> str:
    """TCP flags as tcpdump's letters, in the order S A F R P U: 18 is ``SA``, 24 is ``AP``."""
    pairs = ((SYN, "S"), (ACK, "A"), (FIN, "F"), (RST, "R"), (PSH, "P"), (URG, "U"))
    return "".join(letter for bit, letter in pairs if flags & bit)


def _name(kind: type | None) -> str:
    return "nothing" if kind is None else "a payload" if kind is bytes else kind.__name__


def _check_stack(headers: tuple[Header, ...], payload: Payload) -> None:
    previous: type | None = None
    for at, header in enumerate(headers):
        kind = type(header)
        if kind not in NEXT[previous]:
            allowed = ", ".join(sorted(_name(k) for k in NEXT[previous])) or "nothing"
            what = "A packet cannot begin with" if at == 0 else f"{_name(previous)} cannot carry"
            raise BadPacket(f"{what} {_name(kind)}.", f"Allowed there: {allowed}.")
        if previous is IPv4:
            _check_proto(cast(IPv4, headers[at - 1]), kind)
        previous = kind
    if previous is None:
        raise BadPacket("A packet needs at least one header.", "Begin with Ethernet or IPv4.")
    if len(payload) and bytes not in NEXT[previous]:
        raise BadPacket(f"{_name(previous)} cannot carry a payload of bytes.")
    if previous in (Ethernet, Vxlan):
        raise BadPacket(f"{_name(previous)} cannot be the last header.", "Something must follow.")
    if previous is Icmp and cast(Icmp, headers[-1]).is_error and len(payload) < 28:
        raise BadPacket(
            "An ICMP error must quote the packet that caused it.",
            "At least its IPv4 header and 8 bytes more (RFC 792).",
        )


def _check_proto(ip: IPv4, following: type) -> None:
    if ip.offset:
        raise BadPacket("A later fragment (offset > 0) carries bytes, not a transport header.")
    if following in _PROTO_OF and ip.proto != _PROTO_OF[following]:
        raise BadPacket(
            f"The IPv4 header says protocol {ip.proto}, but {_name(following)} follows.",
            f"Use proto={_PROTO_OF[following]}.",
        )


def _in_range(what: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadPacket(f"{what} {value!r} is out of range.", f"Allowed: {low} to {high}.")


def check_port(value: int, what: str = "Port") -> int:
    """``value`` if it is a port number (0 to 65535), else ``BadPacket``."""
    _in_range(what, value, 0, 65535)
    return value


def _check_fields(header: Header) -> None:
    match header:
        case Ethernet():
            parse_mac(header.src), parse_mac(header.dst)
        case Arp():
            parse_mac(header.sender_mac), parse_mac(header.target_mac)
            parse_ip(header.sender_ip), parse_ip(header.target_ip)
            _in_range("ARP operation", header.op, 1, 2)
        case IPv4():
            parse_ip(header.src), parse_ip(header.dst)
            _in_range("Protocol", header.proto, 0, 255)
            _in_range("TTL", header.ttl, 0, 255)
            _in_range("IP identification", header.id, 0, 65535)
            _in_range("Type of service", header.tos, 0, 255)
            _in_range("Fragment offset", header.offset, 0, 65528)
            if header.offset % 8:
                raise BadPacket(f"Fragment offset {header.offset} is not a multiple of 8.")
        case Tcp():
            check_port(header.sport, "Source port"), check_port(header.dport, "Destination port")
            _in_range("TCP flags", header.flags, 0, 63)
            _in_range("Sequence number", header.seq, 0, 0xFFFFFFFF)
            _in_range("Acknowledgement number", header.ack, 0, 0xFFFFFFFF)
            _in_range("Window", header.window, 0, 65535)
            if len(header.options) % 4 or len(header.options) > 40:
                raise BadPacket("TCP options must fill whole 4-byte words, at most 40 bytes.")
        case Udp():
            check_port(header.sport, "Source port"), check_port(header.dport, "Destination port")
        case Icmp():
            _in_range("ICMP type", header.type, 0, 255)
            _in_range("ICMP code", header.code, 0, 255)
            _in_range("ICMP rest of header", header.rest, 0, 0xFFFFFFFF)
        case Vxlan():
            _in_range("VNI", header.vni, 0, (1 << 24) - 1)
