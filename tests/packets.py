"""Packets of every shape that a wire can carry: named examples, and hypothesis' endless supply."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from k8snetlib.address import ip_text
from k8snetlib.linux.chance import Dice
from k8snetlib.packet import (
    ACK,
    ECHO_REPLY,
    ECHO_REQUEST,
    FRAG_NEEDED,
    ICMP_ERRORS,
    PORT_UNREACHABLE,
    PSH,
    SYN,
    TIME_EXCEEDED,
    UNREACHABLE,
    Arp,
    Ethernet,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    Vxlan,
)
from k8snetlib.wire import FLANNEL_UDP_PORTS, VXLAN_PORTS, encode

POD, NODE, TUNNEL = "02:42:0a:01:0f:02", "02:66:c0:a8:42:0b", "0e:f1:0a:01:0f:00"
PEER_POD, PEER_NODE, PEER_TUNNEL = "02:42:0a:01:14:03", "02:66:c0:a8:42:0c", "0e:f1:0a:01:14:00"
POD_LINK = Ethernet(POD, "02:42:0a:01:0f:01")
NODE_LINK, TUNNEL_LINK = Ethernet(NODE, PEER_NODE), Ethernet(TUNNEL, PEER_TUNNEL)
#: Maximum segment size, SACK permitted, time stamps, window scale: a Linux SYN.
SYN_OPTIONS = bytes.fromhex("020405820402080a00000001000000000103030a")


def inner(proto: int, ttl: int = 64, **more: int | bool) -> IPv4:
    return IPv4("10.1.15.2", "10.1.20.3", proto, ttl=ttl, **more)  # type: ignore[arg-type]


def outer(df: bool = False) -> IPv4:
    return IPv4("192.168.66.11", "192.168.66.12", 17, id=4711, df=df)


SYN_HEADERS = inner(6, ttl=63, df=True), Tcp(40003, 8080, SYN, 305419896, options=SYN_OPTIONS)
FLANNEL_UDP = NODE_LINK, outer(df=True), Udp(8285, 8285)
FLANNEL_VXLAN = NODE_LINK, outer(), Udp(42014, 8472, checksum=False), Vxlan(1), TUNNEL_LINK
DATAGRAM = Packet(POD_LINK, inner(17, id=77), Udp(40000, 53), payload=bytes(range(256)) * 12)
QUOTED = Packet(inner(17, ttl=1, id=9), Udp(40001, 33434), payload=b"probe" * 4)


def fragments(whole: Packet, mtu: int) -> list[Packet]:
    """``whole`` (Ethernet, IPv4, transport) as a Linux router cuts it up for ``mtu`` bytes."""
    link, ip, transport, *rest = whole.headers
    assert not rest
    assert isinstance(ip, IPv4)
    step = (mtu - 20) // 8 * 8
    first = Packet(link, ip._replace(mf=True), transport, payload=Slice(whole, 14 + 28, step - 8))
    pieces = [first]
    body = whole.length - 34
    for offset in range(step, body, step):
        size = min(step, body - offset)
        cut = ip._replace(mf=offset + size < body, offset=offset)
        pieces.append(Packet(link, cut, payload=Slice(whole, 34 + offset, size)))
    return pieces


EXAMPLES: dict[str, Packet] = {
    "tcp-syn": Packet(POD_LINK, *SYN_HEADERS),
    "tcp-data": Packet(POD_LINK, inner(6), Tcp(8080, 80, ACK | PSH, 1, 2), payload=b"GET / odd"),
    "udp": Packet(POD_LINK, inner(17), Udp(40000, 53), payload=b"who is backend-svc?"),
    "udp-empty": Packet(POD_LINK, inner(17), Udp(40000, 53)),
    "udp-no-checksum": Packet(POD_LINK, inner(17), Udp(40000, 53, checksum=False), payload=b"x"),
    "echo-request": Packet(
        POD_LINK, inner(1), Icmp(ECHO_REQUEST, 0, 7 << 16 | 1), payload=b"ping!"
    ),
    "echo-reply": Packet(POD_LINK, inner(1), Icmp(ECHO_REPLY, 0, 7 << 16 | 1), payload=b"ping!"),
    "arp-request": Packet(
        Ethernet(POD, "ff:ff:ff:ff:ff:ff"),
        Arp(1, POD, "10.1.15.2", "00:00:00:00:00:00", "10.1.15.1"),
    ),
    "arp-reply": Packet(
        Ethernet("02:42:0a:01:0f:01", POD),
        Arp(2, "02:42:0a:01:0f:01", "10.1.15.1", POD, "10.1.15.2"),
    ),
    "port-unreachable": Packet(
        POD_LINK,
        inner(1, tos=0xC0),
        Icmp(UNREACHABLE, PORT_UNREACHABLE),
        payload=Slice(QUOTED, 0, 48),
    ),
    "frag-needed": Packet(
        POD_LINK, inner(1), Icmp(UNREACHABLE, FRAG_NEEDED, 1450), payload=Slice(DATAGRAM, 14, 548)
    ),
    "ttl-exceeded": Packet(POD_LINK, inner(1), Icmp(TIME_EXCEEDED), payload=encode(QUOTED)[:28]),
    "tun": Packet(*SYN_HEADERS),
    "flannel-udp": Packet(*FLANNEL_UDP, *SYN_HEADERS),
    "flannel-udp-icmp": Packet(*FLANNEL_UDP, inner(1), Icmp(ECHO_REQUEST, 0, 99), payload=b"odd"),
    "vxlan": Packet(*FLANNEL_VXLAN, *SYN_HEADERS),
    "vxlan-checksum": Packet(
        NODE_LINK, outer(), Udp(42014, 8472), Vxlan(1), TUNNEL_LINK, *SYN_HEADERS
    ),
    "vxlan-udp": Packet(*FLANNEL_VXLAN, inner(17), Udp(40000, 53), payload=b"odd"),
    "vxlan-arp": Packet(
        *FLANNEL_VXLAN, Arp(1, TUNNEL, "10.1.15.0", "00:00:00:00:00:00", "10.1.20.0")
    ),
    "vxlan-icmp-error": Packet(
        *FLANNEL_VXLAN, inner(1), Icmp(UNREACHABLE, PORT_UNREACHABLE), payload=Slice(QUOTED, 0, 48)
    ),
    "first-fragment": fragments(DATAGRAM, 1500)[0],
    "middle-fragment": fragments(DATAGRAM, 1500)[1],
    "last-fragment": fragments(DATAGRAM, 1500)[-1],
    "vxlan-first-fragment": Packet(
        *FLANNEL_VXLAN, *fragments(DATAGRAM, 1450)[0].headers[1:], payload=Slice(DATAGRAM, 42, 1416)
    ),
    "other-protocol": Packet(POD_LINK, inner(253), payload=b"an experiment"),
}


def plain(packet: Packet) -> Packet:
    """What ``decode`` makes of ``packet``: slices are bytes, a fragment is not looked into."""
    headers, payload = packet
    data = encode(packet)
    for at, header in enumerate(headers):
        if isinstance(header, IPv4) and header.mf:
            carried = data[len(data) - header_bytes(headers[at + 1 :]) - len(payload) :]
            return Packet(*headers[: at + 1], payload=carried)
    return Packet(*headers, payload=data[len(data) - len(payload) :])


def header_bytes(headers: tuple[object, ...]) -> int:
    sizes = {Ethernet: 14, Arp: 28, IPv4: 20, Icmp: 8, Udp: 8, Vxlan: 8}
    return sum(20 + len(h.options) if isinstance(h, Tcp) else sizes[type(h)] for h in headers)


_words = st.integers(0, 0xFFFF)
_longs = st.integers(0, 0xFFFFFFFF)
_ips = st.builds(ip_text, _longs)
_macs = st.binary(min_size=6, max_size=6).map(lambda raw: raw.hex(":"))
_links = st.builds(Ethernet, _macs, _macs)
_plain_ports = _words.filter(lambda port: port not in FLANNEL_UDP_PORTS | VXLAN_PORTS)
_options = st.integers(0, 10).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))
_bodies = st.binary(max_size=70)


@st.composite
def ip_headers(draw: st.DrawFn, proto: int) -> IPv4:
    byte = st.integers(0, 255)
    ttl, ident, df, tos = draw(byte), draw(_words), draw(st.booleans()), draw(byte)
    return IPv4(draw(_ips), draw(_ips), proto, ttl, ident, df, tos=tos)


@st.composite
def ip_packets(draw: st.DrawFn) -> Packet:
    """An IPv4 packet without encapsulation, whole or a fragment."""
    kind = draw(st.sampled_from(["tcp", "udp", "icmp", "error", "fragment", "other"]))
    body = draw(_bodies)
    match kind:
        case "tcp":
            flags = draw(st.integers(0, 63))
            numbers = draw(_words), draw(_words), flags, draw(_longs), draw(_longs), draw(_words)
            return Packet(draw(ip_headers(6)), Tcp(*numbers, draw(_options)), payload=body)
        case "udp":
            udp = Udp(draw(_words), draw(_plain_ports), draw(st.booleans()))
            return Packet(draw(ip_headers(17)), udp, payload=body)
        case "icmp":
            icmp = Icmp(
                draw(st.sampled_from([0, 8, 13, 255])), draw(st.integers(0, 255)), draw(_longs)
            )
            return Packet(draw(ip_headers(1)), icmp, payload=body)
        case "error":
            icmp = Icmp(
                draw(st.sampled_from(sorted(ICMP_ERRORS))), draw(st.integers(0, 15)), draw(_longs)
            )
            quote = draw(st.binary(min_size=28, max_size=68))
            return Packet(draw(ip_headers(1)), icmp, payload=quote)
        case "fragment":
            mf = draw(st.booleans())
            offset = 8 * draw(st.integers(0 if mf else 1, 8191))
            proto = draw(st.sampled_from([1, 6, 17, 89]))
            return Packet(draw(ip_headers(proto))._replace(mf=mf, offset=offset), payload=body)
    return Packet(draw(ip_headers(89)), payload=body)


@st.composite
def frames(draw: st.DrawFn) -> Packet:
    """An Ethernet frame: ARP, or an IPv4 packet, perhaps wrapped by one overlay or by two."""
    if draw(st.integers(0, 5)) == 0:
        arp = Arp(draw(st.sampled_from([1, 2])), draw(_macs), draw(_ips), draw(_macs), draw(_ips))
        packet = Packet(draw(_links), arp)
    else:
        bare = draw(ip_packets())
        packet = Packet(draw(_links), *bare.headers, payload=bare.payload)
    for _ in range(draw(st.integers(0, 2))):
        link, ip, wanted = draw(_links), draw(ip_headers(17)), draw(st.booleans())
        if packet.arp is None and draw(st.booleans()):
            wrap = link, ip, Udp(8285, 8285, wanted)
            packet = Packet(*wrap, *packet.headers[1:], payload=packet.payload)
        else:
            udp = Udp(draw(_words), draw(st.sampled_from(sorted(VXLAN_PORTS))), wanted)
            vxlan = Vxlan(draw(st.integers(0, 0xFFFFFF)))
            packet = Packet(link, ip, udp, vxlan, *packet.headers, payload=packet.payload)
    return packet


#: Any legal packet, with a link layer or without (a TUN device).
packets = st.one_of(frames(), ip_packets())


class _Always(Random):
    """A source of chance that always says the same."""

    def random(self) -> float:
        return float(self.value)


def loaded(value: float) -> Dice:
    """Dice that always draw ``value``, from 0 up to, not including, 1."""
    source = _Always()
    source.value = value  # type: ignore[attr-defined]
    return Dice(source)
