"""What lives here: one packet as one line of ``tcpdump``.

A ``Dumper`` remembers the connections it has seen, since tcpdump prints sequence numbers relative
to the first segment of each. Source: tcpdump 4.99's printers, compared with the real one
reading the same frames in ``tests/kernel/test_tools_real2.py``.

Simplified here: of what ports carry only HTTP's first line, VXLAN and DNS are recognised (the real
one takes port 53 for DNS whatever is inside).
"""

from __future__ import annotations

from k8snetlib.address import ip_text
from k8snetlib.linux.tools import dumped_dns
from k8snetlib.linux.tools.services import service_name
from k8snetlib.packet import (
    ACK,
    ECHO_REQUEST,
    FIN,
    FRAG_NEEDED,
    PORT_UNREACHABLE,
    PROTO_NAMES,
    PSH,
    REDIRECT,
    RST,
    SYN,
    TIME_EXCEEDED,
    UNREACHABLE,
    Arp,
    Ethernet,
    Header,
    Icmp,
    IPv4,
    Packet,
    Payload,
    Slice,
    Tcp,
    Udp,
    Vxlan,
    size_of,
    stack_of,
)

_BROADCAST, _ZERO = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"
_ALL = 0xFFFFFFFF
_HTTP_PORTS = {80, 8080, 3128}
_METHODS = ("GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "HTTP/")
_UNREACHABLE = {
    0: "net {} unreachable", 1: "host {} unreachable",
    9: "host {} unreachable - admin prohibited", 10: "host {} unreachable - admin prohibited",
    13: "host {} unreachable - admin prohibited filter",
}  # fmt: skip


class Dumper:
    """Prints packets; ``numeric`` is -n, ``link`` is -e."""

    def __init__(self, *, numeric: bool, link: bool) -> None:
        self.numeric, self.link = numeric, link
        self._first: dict[tuple[str, int, str, int], int] = {}

    def text(self, packet: Packet) -> str:
        """The line for one packet, without its time."""
        headers = packet.headers
        first = headers[0]
        if type(first) is not Ethernet:
            lead = "ip: " if self.link else "IP "
            return lead + self._ip(headers, packet.payload)
        arp = type(headers[1]) is Arp
        what = self._arp(headers[1]) if isinstance(headers[1], Arp) else ""
        text = what or self._ip(headers[1:], packet.payload)
        if not self.link:
            return f"{'ARP, ' if arp else 'IP '}{text}"
        return f"{self._ethernet(first, arp, packet.length)}{text}"

    def _ethernet(self, header: Ethernet, arp: bool, length: int) -> str:
        kind = "ARP (0x0806)" if arp else "IPv4 (0x0800)"
        ends = f"{self._mac(header.src)} > {self._mac(header.dst)}"
        return f"{ends}, ethertype {kind}, length {length}: "

    def _mac(self, mac: str) -> str:
        if self.numeric:
            return mac
        return "Broadcast" if mac == _BROADCAST else f"{mac} (oui Unknown)"

    def _arp(self, arp: Arp) -> str:
        if arp.op == 1:
            known = arp.target_mac not in (_ZERO, _BROADCAST)
            asked = f" ({self._mac(arp.target_mac)})" if known else ""
            return f"Request who-has {arp.target_ip}{asked} tell {arp.sender_ip}, length 28"
        return f"Reply {arp.sender_ip} is-at {self._mac(arp.sender_mac)}, length 28"

    def _ip(self, headers: tuple[Header, ...], payload: Payload) -> str:
        ip, behind = headers[0], headers[1] if len(headers) > 1 else None
        assert isinstance(ip, IPv4)
        ends = f"{ip.src} > {ip.dst}"
        if ip.offset:
            name = "" if self.numeric else PROTO_NAMES.get(ip.proto)
            return f"{ends}: {name or f'ip-proto-{ip.proto}'}"
        if isinstance(behind, Tcp):
            return self._tcp(ip, behind, payload)
        if isinstance(behind, Udp):
            return self._udp(ip, behind, headers[2:], payload)
        if isinstance(behind, Icmp):
            return f"{ends}: ICMP {self._icmp(behind, payload)}, length {8 + len(payload)}"
        return f"{ends}: ip-proto-{ip.proto} {len(payload)}"

    def _port(self, port: int, proto: str) -> str:
        return str(port) if self.numeric else service_name(port, proto)

    def _ends(self, ip: IPv4, header: Tcp | Udp) -> str:
        proto = PROTO_NAMES[ip.proto]
        source, dest = self._port(header.sport, proto), self._port(header.dport, proto)
        return f"{ip.src}.{source} > {ip.dst}.{dest}: "

    def _udp(self, ip: IPv4, udp: Udp, carried: tuple[Header, ...], payload: Payload) -> str:
        if carried and isinstance(carried[0], Vxlan):
            inner = stack_of(carried[1:], payload)
            plain = self.text(inner)
            return (
                f"{self._ends(ip, udp)}OTV, flags [I] (0x08), overlay 0, "
                f"instance {carried[0].vni}\n{plain}"
            )
        length = sum(map(size_of, carried)) + len(payload)
        if ip.mf and isinstance(payload, Slice):  # the length in the header is the whole one's
            length = payload.packet.ip_length - 28
        if dumped_dns.PORT in (udp.sport, udp.dport) and isinstance(payload, bytes):
            text = dumped_dns.dumped(payload)
            if text is not None:
                return f"{self._ends(ip, udp)}{text}"
        return f"{self._ends(ip, udp)}UDP, length {length}"

    # -- TCP ------------------------------------------------------------------------------------

    def _tcp(self, ip: IPv4, tcp: Tcp, payload: Payload) -> str:
        flags = "".join(
            letter for bit, letter in ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P"), (ACK, "."))
            if tcp.flags & bit
        )  # fmt: skip
        length = len(payload)
        seq, ack = self._relative(ip, tcp)
        words = [f"Flags [{flags or 'none'}]"]
        if length or tcp.flags & (SYN | FIN | RST):
            words.append(f"seq {seq}:{seq + length}" if length else f"seq {seq}")
        if tcp.flags & ACK:
            words.append(f"ack {ack}")
        words.append(f"win {tcp.window}")
        if tcp.options:
            words.append(f"options [{_options(tcp.options)}]")
        words.append(f"length {length}{_http(tcp, payload)}")
        return self._ends(ip, tcp) + ", ".join(words)

    def _relative(self, ip: IPv4, tcp: Tcp) -> tuple[int, int]:
        """Sequence and acknowledgement numbers. The first segment with ACK prints its own as they
        are; those after it count from there (tcpdump(1), -S)."""
        if not tcp.flags & ACK:
            return tcp.seq, tcp.ack
        here = (ip.src, tcp.sport, ip.dst, tcp.dport)
        there = (ip.dst, tcp.dport, ip.src, tcp.sport)
        if here not in self._first or tcp.flags & SYN:
            self._first[here], self._first[there] = tcp.seq, tcp.ack - 1
            return tcp.seq, tcp.ack
        return (tcp.seq - self._first[here]) & _ALL, (tcp.ack - self._first[there]) & _ALL

    # -- ICMP -----------------------------------------------------------------------------------

    def _icmp(self, message: Icmp, payload: Payload) -> str:
        kind = message.type
        if kind in (0, ECHO_REQUEST):
            what = "request" if kind else "reply"
            return f"echo {what}, id {message.ident}, seq {message.seq}"
        quoted = payload.packet.headers if isinstance(payload, Slice) else ()
        ip = quoted[0] if quoted else None
        if kind == TIME_EXCEEDED:
            return "ip reassembly time exceeded" if message.code else "time exceeded in-transit"
        if not isinstance(ip, IPv4):
            return f"type-#{kind}"
        if kind == REDIRECT:
            what = "host" if message.code == 1 else "net"
            return f"redirect {ip.dst} to {what} {ip_text(message.rest)}"
        if kind != UNREACHABLE:
            return f"type-#{kind}"
        transport = quoted[1] if len(quoted) > 1 else None
        if message.code == PORT_UNREACHABLE and isinstance(transport, Tcp | Udp):
            name = PROTO_NAMES[ip.proto]
            return f"{ip.dst} {name} port {self._port(transport.dport, name)} unreachable"
        if message.code == FRAG_NEEDED:
            return f"{ip.dst} unreachable - need to frag (mtu {message.mtu})"
        if message.code == 2:
            return f"{ip.dst} protocol {ip.proto} unreachable"
        return _UNREACHABLE.get(message.code, f"{{}} unreachable - #{message.code}").format(ip.dst)


_OPTION_NAMES = {3: "wscale", 2: "mss"}


def _options(data: bytes) -> str:
    """TCP options as tcpdump prints them."""
    words, at = [], 0
    while at < len(data):
        kind = data[at]
        if kind < 2:
            words.append("nop" if kind else "eol")
            at += 1
            continue
        body = data[at + 2 : at + data[at + 1]]
        if kind == 8:
            value, echo = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:], "big")
            words.append(f"TS val {value} ecr {echo}")
        elif kind == 4:
            words.append("sackOK")
        else:
            name = _OPTION_NAMES.get(kind, f"unknown-{kind}")
            words.append(f"{name} {int.from_bytes(body, 'big')}")
        at += data[at + 1]
    return ",".join(words)


def _http(tcp: Tcp, payload: Payload) -> str:
    if not len(payload) or not {tcp.sport, tcp.dport} & _HTTP_PORTS:
        return ""
    data = payload if isinstance(payload, bytes) else b""
    line = data.split(b"\n")[0].decode("latin-1").rstrip("\r")
    return f": HTTP: {line}" if line.startswith(_METHODS) else ": HTTP"
