"""What lives here: sockets, and how arriving packets find them.

A packet for this host goes to the socket that fits best: for TCP an existing connection (all four
of addresses and ports), else a listener on that address and port, else a listener on 0.0.0.0. With
no socket at all the kernel itself answers: a TCP reset, or ICMP port unreachable for UDP.

Every container of a pod has its sockets in the pod's one namespace: they share ports, and reach
each other by 127.0.0.1.

The TCP here goes as far as the course needs: SYN, SYN/ACK, ACK, one request, one reply, FIN, and
resets. Sources: RFC 9293, RFC 1122 §4.

Simplified here: no retransmission, no windows, no separate acknowledgement of data; a server
answers each request with one segment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from k8snetlib.errors import K8sNetError
from k8snetlib.linux import icmp, vxlan
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.tcp import TcpSocket, shrink, tcp_in
from k8snetlib.packet import (
    ECHO_REPLY,
    ECHO_REQUEST,
    FRAG_NEEDED,
    PORT_UNREACHABLE,
    PROTO_UDP,
    REDIRECT,
    TIME_EXCEEDED,
    UNREACHABLE,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    stack_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.network import Flight, Network
    from k8snetlib.linux.stack import Visit

__all__ = ["Client", "Listener", "TcpSocket", "UdpSocket", "deliver", "listen"]


#: How long a learned path MTU is believed, in seconds (net.ipv4.route.mtu_expires).
PMTU_EXPIRES = 600.0


class Listener(NamedTuple):
    """A listening socket. ``ip`` is the bound address (0.0.0.0: any); ``process`` is the container
    or daemon that holds it; ``tunnel`` is the VXLAN device that it belongs to, if any; ``reply`` is
    what it answers (None: a line that names itself). ``serve`` makes an answer of a datagram's
    bytes and the namespace it came to, or None for those that it does not understand."""

    proto: str
    ip: str
    port: int
    process: str
    reply: bytes | None = None
    tunnel: str | None = None
    serve: Callable[[Netns, bytes], bytes | None] | None = None

    def __str__(self) -> str:
        return f"{self.proto} {self.ip}:{self.port} ({self.process})"

    def answer(self, peer: str, length: int) -> bytes:
        """What the server says: who it is, whom it sees as its peer, how many bytes it got."""
        if self.reply is not None:
            return self.reply
        return f"I am {self.process}. I see {peer}. I got {length} bytes.\n".encode()


class UdpSocket(NamedTuple):
    """Someone who waits for a datagram on (ip, port), or for an echo reply (ip, identifier)."""

    ip: str
    port: int
    client: Client


class Client:
    """Someone who waits for an answer; the one place where an exchange's end is noticed.

    ``verdict`` stays empty until an answer has come; ``request`` and ``reply`` are the packets.
    """

    __slots__ = ("payload", "reason", "reply", "reply_payload", "request", "verdict")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.verdict = ""
        self.reason = ""
        self.request: Flight | None = None
        self.reply: Flight | None = None
        self.reply_payload: bytes | Slice = b""

    def heard(self, flight: Flight) -> None:
        """The first packet that came back: the reply to the first one sent."""
        if self.reply is None:
            self.reply = flight

    def end(self, verdict: str, reason: str) -> None:
        """Notes how it ended; only the first end counts."""
        if not self.verdict:
            self.verdict, self.reason = verdict, reason


def listen(ns: Netns, listener: Listener) -> Listener:
    """``bind`` and ``listen``; raises ``K8sNetError`` if the port is taken in this namespace.

    An address that is bound on 0.0.0.0 conflicts with every other binding of the port, since all
    containers of a pod share one port space.
    """
    for proto, ip, port in ns.listeners:
        same = (proto, port) == (listener.proto, listener.port)
        if same and (ip == listener.ip or "0.0.0.0" in (ip, listener.ip)):
            other = ns.listeners[proto, ip, port]
            raise K8sNetError(
                f"{listener.process} cannot listen on {listener.ip}:{listener.port}: "
                f"address already in use by {other.process}.",
                "All containers of a pod share one network namespace, and so one port space.",
            )
    ns.listeners[listener.proto, listener.ip, listener.port] = listener
    return listener


def find_listener(ns: Netns, proto: str, ip: str, port: int) -> Listener | None:
    """The listener for an address and port: an exact binding first, then 0.0.0.0."""
    listeners = ns.listeners
    return listeners.get((proto, ip, port)) or listeners.get((proto, "0.0.0.0", port))


def deliver(visit: Visit, device: Device, packet: Packet) -> None:
    """A packet for this host goes to its socket, or to the kernel itself."""
    transport = packet.headers[1] if len(packet.headers) > 1 else None
    if type(transport) is Tcp:
        tcp_in(visit, device, packet)
    elif type(transport) is Udp:
        _udp_in(visit, device, packet)
    elif type(transport) is Icmp:
        _icmp_in(visit, device, packet, transport)
    else:
        why = "a fragment alone: reassembly is not modelled"
        visit.step("socket", "drop", device.name, packet, why)


# -- UDP ------------------------------------------------------------------------------------------


def _udp_in(visit: Visit, device: Device, packet: Packet) -> None:
    ns = visit.ns
    ip, udp = cast(IPv4, packet.headers[0]), cast(Udp, packet.headers[1])
    listener = find_listener(ns, "udp", ip.dst, udp.dport)
    if listener is not None and listener.tunnel is not None:
        why = "UDP port {} is {}: it belongs to the device {}"
        ends = (udp.dport, listener.process, listener.tunnel)
        visit.step("socket", "pass", device.name, packet, why, ends, listener)
        vxlan.receive(visit, listener, packet)
        return
    if listener is not None:
        process = ns.processes.get(listener.process)
        if process is not None:
            why = "UDP port {} belongs to {}: the daemon gets the datagram"
            args = (udp.dport, listener.process)
            visit.step("socket", "pass", device.name, packet, why, args, listener)
            visit.new_buffer()
            visit.again(process.datagram, packet)
            return
        why = "UDP port {} belongs to {}: delivered; it sees the source {}:{}"
        seen = (udp.dport, listener.process, ip.src, udp.sport)
        visit.step("socket", "deliver", device.name, packet, why, seen, listener)
        said = _served(ns, listener, packet)
        if said is None:
            said = listener.answer(f"{ip.src}:{udp.sport}", len(packet.payload))
        reply = datagram(ns, ip.dst, udp.dport, ip.src, udp.sport, said)
        visit.network.begin(ns, send, reply, listener.process)
        return
    waiting = ns.udp.get((ip.dst, udp.dport))
    if waiting is not None:
        why = "the answer for the process that waits on port {}"
        visit.step("socket", "deliver", device.name, packet, why, (udp.dport,))
        waiting.client.heard(visit.flight)
        waiting.client.reply_payload = packet.payload
        waiting.client.end("delivered", f"{ip.src} answered")
        return
    if ns.open_ended:
        why = "arrives at {}: who listens on UDP port {} there is not known here"
        visit.step("socket", "drop", device.name, packet, why, (ns.name, udp.dport))
        return
    why = "nobody listens on UDP port {}: tell the sender with ICMP port unreachable"
    visit.step("socket", "error", device.name, packet, why, (udp.dport,))
    visit.seen = (
        None  # nf_reset_ct: a socket's packet has left conntrack; the error is tracked anew
    )
    icmp.send_error(visit, device, packet, UNREACHABLE, PORT_UNREACHABLE)


def _served(ns: Netns, listener: Listener, packet: Packet) -> bytes | None:
    if listener.serve is None or listener.reply is not None or isinstance(packet.payload, Slice):
        return None
    return listener.serve(ns, packet.payload)


def datagram(
    ns: Netns,
    src: str,
    sport: int,
    dst: str,
    dport: int,
    payload: bytes,
    *,
    df: bool = True,
    ttl: int | None = None,
) -> Packet:
    """A UDP datagram as this host's kernel builds it (``ttl`` None: its default)."""
    hops = ns.sysctls["net.ipv4.ip_default_ttl"] if ttl is None else ttl
    header = IPv4(src, dst, PROTO_UDP, hops, ns.next_ip_id(), df)
    return stack_of((header, Udp(sport, dport)), payload)


def send(visit: Visit, process: str, packet: Packet) -> None:
    """A process hands a packet to its kernel."""
    ip, transport = cast(IPv4, packet.headers[0]), packet.headers[1]
    if isinstance(transport, Tcp | Udp):
        why = "{} sends from {}:{} to {}:{}"
        args: tuple[object, ...] = (process, ip.src, transport.sport, ip.dst, transport.dport)
    else:
        why, args = "{} sends an echo request from {} to {}", (process, ip.src, ip.dst)
    visit.step("socket", "pass", "", packet, why, args)
    visit.originate(packet)


# -- ICMP -----------------------------------------------------------------------------------------


def _icmp_in(visit: Visit, device: Device, packet: Packet, message: Icmp) -> None:
    if message.type == ECHO_REQUEST:
        icmp.echo(visit, device, packet)
    elif message.type == ECHO_REPLY:
        _echo_reply_in(visit, device, packet, message)
    elif message.is_error:
        _error_in(visit, device, packet, message)
    else:
        why = "ICMP type {}: nobody here wants it"
        visit.step("icmp", "ignore", device.name, packet, why, (message.type,))


def _echo_reply_in(visit: Visit, device: Device, packet: Packet, message: Icmp) -> None:
    ip = cast(IPv4, packet.headers[0])
    waiting = visit.ns.pings.get((ip.src, message.ident))
    if waiting is None:
        why = "an echo reply that no ping waits for"
        visit.step("icmp", "ignore", device.name, packet, why)
        return
    why = "the echo reply for ping (identifier {}, sequence {})"
    args = (message.ident, message.seq)
    visit.step("socket", "deliver", device.name, packet, why, args)
    waiting.client.heard(visit.flight)
    waiting.client.reply_payload = packet.payload
    waiting.client.end("delivered", f"{ip.src} answered the echo request")


_ERROR_WORDS = {
    0: "net unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    9: "net prohibited",
    10: "host prohibited",
    13: "administratively prohibited",
}


def _error_in(visit: Visit, device: Device, packet: Packet, message: Icmp) -> None:
    """An ICMP error tells the socket whose packet it quotes."""
    ns, ip = visit.ns, cast(IPv4, packet.headers[0])
    quoted = packet.payload.packet if isinstance(packet.payload, Slice) else None
    if message.type == REDIRECT:
        why = "{} says there is a shorter way; this host keeps its routes"
        visit.step("icmp", "ignore", device.name, packet, why, (ip.src,))
        return
    what = "TTL exceeded"
    if message.type == UNREACHABLE:
        what = _ERROR_WORDS.get(message.code, f"unreachable, code {message.code}")
    client = _client_of(ns, quoted) if quoted is not None else None
    if quoted is not None and (message.type, message.code) == (UNREACHABLE, FRAG_NEEDED):
        expires = visit.network.now + PMTU_EXPIRES
        ns.pmtu[cast(IPv4, quoted.headers[0]).dst] = (message.mtu, expires)
        if _shrink_tcp(visit, device, packet, quoted):
            return
    if client is None:
        why, who = "ICMP {} from {}: no socket here sent what it quotes", _daemon_of(ns, quoted)
        if who:
            why = "ICMP {} from {}: it quotes {}, whose socket is not connected and is not told"
        visit.step("icmp", "ignore", device.name, packet, why, (what, ip.src, who))
        return
    why = "ICMP {} from {}: the waiting process gets the error"
    visit.step("socket", "deliver", device.name, packet, why, (what, ip.src))
    client.heard(visit.flight)
    client.end(_error_outcome(visit, message), f"{ip.src} said ICMP {what}")


def _error_outcome(visit: Visit, message: Icmp) -> str:
    if message.type == TIME_EXCEEDED:
        return "ttl-exceeded"
    if visit.flight.cause == "rule":
        return "rejected"
    if message.code == FRAG_NEEDED:
        return "too-big"
    return "refused" if message.code in (2, PORT_UNREACHABLE) else "unreachable"


def _shrink_tcp(visit: Visit, device: Device, packet: Packet, quoted: Packet) -> bool:
    """TCP takes "fragmentation needed" as advice: it sends smaller segments."""
    ip, header = cast(IPv4, quoted.headers[0]), quoted.headers[1]
    if type(header) is not Tcp:
        return False
    key = (ip.src, header.sport, ip.dst, header.dport)
    if key not in visit.ns.tcp or visit.ns.tcp[key].state == "SYN-SENT":
        return False
    why = "the path to {} takes {} bytes at most: send again in smaller segments"
    mtu = cast(Icmp, packet.headers[1]).mtu
    visit.step("socket", "deliver", device.name, packet, why, (ip.dst, mtu))
    shrink(visit.network, visit.ns, key)
    return True


def _daemon_of(ns: Netns, quoted: Packet | None) -> str:
    """The process behind an unconnected UDP socket that sent the quoted datagram ("": none)."""
    transport = quoted.headers[1] if quoted is not None and len(quoted.headers) > 1 else None
    if quoted is None or type(transport) is not Udp:
        return ""
    listener = find_listener(ns, "udp", cast(IPv4, quoted.headers[0]).src, transport.sport)
    return listener.process if listener is not None else ""


def _client_of(ns: Netns, quoted: Packet) -> Client | None:
    ip = cast(IPv4, quoted.headers[0])
    transport = quoted.headers[1] if len(quoted.headers) > 1 else None
    if type(transport) is Tcp:
        socket = ns.tcp.get((ip.src, transport.sport, ip.dst, transport.dport))
        if socket is not None and socket.client is not None:
            if socket.state == "SYN-SENT":
                del ns.tcp[socket.key]
            return socket.client
        return None
    waiting = None
    if type(transport) is Udp:
        waiting = ns.udp.get((ip.src, transport.sport))
    elif type(transport) is Icmp:
        waiting = ns.pings.get((ip.dst, transport.ident))
    return waiting.client if waiting else None


def path_mtu(ns: Netns, dst: str) -> int:
    """The longest packet this host would send towards ``dst`` in one piece, in bytes."""
    if ns.is_local(dst):
        return ns.devices["lo"].mtu
    route = ns.routes.lookup(dst)
    device = ns.devices[route.dev].mtu if route else 1500
    learned = ns.pmtu.get(dst)
    now = ns.network.now if ns.network is not None else 0.0
    return min(device, learned[0]) if learned and learned[1] > now else device


def source_address(network: Network, ns: Netns, dst: str) -> str | None:
    """The source address that this host would use towards ``dst``; None if there is no route."""
    if ns.is_local(dst):
        return dst
    route = ns.routes.lookup(dst)
    return ns.source_for(route) if route else None
