"""What lives here: as much TCP as the course needs (RFC 9293).

::

    client                         server
    SYN-SENT      -- SYN -->
                  <-- SYN/ACK --   SYN-RECEIVED      (or RST: nobody listens)
    ESTABLISHED   -- ACK -->       ESTABLISHED
                  -- request -->
                  <-- reply --
    FIN-WAIT-1    -- FIN -->
                  <-- FIN --       LAST-ACK
    TIME-WAIT     -- ACK -->       closed

The segments carry real sequence numbers and the options Linux sends, so that lengths and bytes are
right. The initial sequence number is a hash of the connection and the network's seed (RFC 6528).

Simplified here: see ``sockets``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast
from zlib import crc32

from k8snetlib.linux.netns import Device, Netns
from k8snetlib.packet import (
    ACK,
    FIN,
    PROTO_TCP,
    PSH,
    RST,
    SYN,
    IPv4,
    Packet,
    Tcp,
    flag_letters,
    stack_of,
)

#: When an unanswered SYN is repeated, in seconds after the first (tcp_syn_linear_timeouts).
SYN_REPEATS = (1.0, 2.0, 3.0)

if TYPE_CHECKING:
    from k8snetlib.linux.network import Network
    from k8snetlib.linux.sockets import Client, Listener
    from k8snetlib.linux.stack import Visit


class TcpSocket(NamedTuple):
    """One end of a TCP connection. ``seq`` is the next number to send, ``ack`` the next one due;
    ``mss`` is the longest segment the peer takes, in bytes; ``heard`` counts the bytes of a message
    that is still coming in; ``unheard`` is what was sent and has not been answered yet."""

    ip: str
    port: int
    peer: str
    peer_port: int
    state: str
    seq: int
    ack: int
    process: str
    client: Client | None = None
    listener: Listener | None = None
    df: bool = True
    ttl: int | None = None
    mss: int = 536
    heard: int = 0
    unheard: bytes = b""

    @property
    def key(self) -> tuple[str, int, str, int]:
        """Both addresses and both ports: what identifies a connection."""
        return (self.ip, self.port, self.peer, self.peer_port)


def connect(
    network: Network,
    ns: Netns,
    process: str,
    src: tuple[str, int],
    dst: tuple[str, int],
    client: Client,
    *,
    df: bool = True,
    ttl: int | None = None,
) -> None:
    """A process opens a connection: its kernel sends a SYN."""
    seq = _initial_sequence(network, *src, *dst)
    socket = TcpSocket(*src, *dst, "SYN-SENT", seq, 0, process, client, None, df, ttl)
    packet = _segment(network, ns, socket, SYN)
    ns.tcp[socket.key] = socket._replace(seq=_plus(seq, 1))
    client.request = network.begin(ns, _send, packet, process)
    for seconds in SYN_REPEATS:
        network.after(seconds, lambda: _repeat_syn(network, ns, socket.key, packet, client))


def _repeat_syn(
    network: Network, ns: Netns, key: tuple[str, int, str, int], packet: Packet, client: Client
) -> None:
    """An unanswered SYN is sent again."""
    socket = ns.tcp.get(key)
    if socket is not None and socket.state == "SYN-SENT" and socket.client is client:
        ip = cast(IPv4, packet.headers[0])._replace(id=ns.next_ip_id())
        again = stack_of((ip, *packet.headers[1:]))
        network.begin(ns, _send, again, socket.process)


def tcp_in(visit: Visit, device: Device, packet: Packet) -> None:
    """A TCP segment for this host."""
    ns = visit.ns
    ip, tcp = cast(IPv4, packet.headers[0]), cast(Tcp, packet.headers[1])
    socket = ns.tcp.get((ip.dst, tcp.dport, ip.src, tcp.sport))
    if socket is not None:
        _STATES[socket.state](visit, device, packet, socket)
        return
    listener = ns.listeners.get(("tcp", ip.dst, tcp.dport))
    listener = listener or ns.listeners.get(("tcp", "0.0.0.0", tcp.dport))
    if listener is not None and tcp.flags & (SYN | ACK | RST | FIN) == SYN:
        _accept(visit, device, packet, listener)
    elif listener is not None and not tcp.flags & (ACK | RST):
        why = "a {} segment cannot open a connection: ignored"
        args = (flag_letters(tcp.flags) or "TCP without flags",)
        visit.step("socket", "drop", device.name, packet, why, args)
    elif tcp.flags & RST:
        why = "a reset for a connection that is not here"
        visit.step("socket", "ignore", device.name, packet, why)
    else:
        _reset(visit, device, packet)


def _accept(visit: Visit, device: Device, packet: Packet, listener: Listener) -> None:
    ns, network = visit.ns, visit.network
    ip, tcp = cast(IPv4, packet.headers[0]), cast(Tcp, packet.headers[1])
    why = "port {} belongs to {}: it sees {}:{} and answers with SYN/ACK"
    args = (tcp.dport, listener.process, ip.src, tcp.sport)
    visit.step("socket", "deliver", device.name, packet, why, args, listener)
    seq = _initial_sequence(network, ip.dst, tcp.dport, ip.src, tcp.sport)
    socket = TcpSocket(
        ip.dst, tcp.dport, ip.src, tcp.sport, "SYN-RECEIVED", seq, _plus(tcp.seq, 1),
        listener.process, None, listener, mss=_mss_option(tcp),
    )  # fmt: skip
    answer = _segment(network, ns, socket, SYN | ACK)
    ns.tcp[socket.key] = socket._replace(seq=_plus(seq, 1))
    network.begin(ns, _send, answer, listener.process)


def _reset(visit: Visit, device: Device, packet: Packet) -> None:
    ns, network = visit.ns, visit.network
    ip, tcp = cast(IPv4, packet.headers[0]), cast(Tcp, packet.headers[1])
    if ns.open_ended:
        why = "arrives at {}: who listens on TCP port {} there is not known here"
        visit.step("socket", "drop", device.name, packet, why, (ns.name, tcp.dport))
        return
    if tcp.flags & ACK:
        why = "no connection {}:{} to port {} is known here: answer with a reset"
        args: tuple[object, ...] = (ip.src, tcp.sport, tcp.dport)
        header = Tcp(tcp.dport, tcp.sport, RST, tcp.ack, 0, 0)
    else:
        why, args = "nobody listens on TCP port {}: answer with a reset", (tcp.dport,)
        length = len(packet.payload) + bool(tcp.flags & SYN) + bool(tcp.flags & FIN)
        header = Tcp(tcp.dport, tcp.sport, RST | ACK, 0, _plus(tcp.seq, length), 0)
    visit.step("socket", "error", device.name, packet, why, args)
    ttl = ns.sysctls["net.ipv4.ip_default_ttl"]
    network.begin(ns, _send, stack_of((IPv4(ip.dst, ip.src, PROTO_TCP, ttl, 0, True), header)), "")


# -- one function per state -----------------------------------------------------------------------


def _syn_sent(visit: Visit, device: Device, packet: Packet, socket: TcpSocket) -> None:
    ns, network = visit.ns, visit.network
    tcp = cast(Tcp, packet.headers[1])
    client = cast("Client", socket.client)
    if tcp.flags & RST:
        why = "{}:{} answered with a reset: connection refused"
        args = (socket.peer, socket.peer_port)
        visit.step("socket", "deliver", device.name, packet, why, args)
        del ns.tcp[socket.key]
        client.heard(visit.flight)
        client.end("refused", f"{socket.peer} answered with a TCP reset")
        return
    if tcp.flags & (SYN | ACK) != SYN | ACK:
        _unexpected(visit, device, packet, socket)
        return
    why = "{} has the SYN/ACK: the connection stands; ACK, then the request"
    visit.step("socket", "deliver", device.name, packet, why, (socket.process,))
    client.heard(visit.flight)
    open_ = socket._replace(state="ESTABLISHED", ack=_plus(tcp.seq, 1), mss=_mss_option(tcp))
    network.begin(ns, _send, _segment(network, ns, open_, ACK), socket.process)
    if not client.payload:  # nothing to ask: that the connection stands is the answer
        ns.tcp[socket.key] = open_
        client.end("delivered", f"{socket.peer}:{socket.peer_port} accepted the connection")
        return
    _say(network, ns, open_, client.payload)


def _syn_received(visit: Visit, device: Device, packet: Packet, socket: TcpSocket) -> None:
    tcp = cast(Tcp, packet.headers[1])
    if tcp.flags & RST:
        visit.step("socket", "deliver", device.name, packet, "the client reset the connection")
        del visit.ns.tcp[socket.key]
    elif tcp.flags & SYN or not tcp.flags & ACK:
        _unexpected(visit, device, packet, socket)
    elif len(packet.payload):
        visit.ns.tcp[socket.key] = socket = socket._replace(state="ESTABLISHED")
        _established(visit, device, packet, socket)
    else:
        why = "the handshake is complete: {} and {}:{} are connected"
        args = (socket.process, socket.peer, socket.peer_port)
        visit.step("socket", "deliver", device.name, packet, why, args)
        visit.ns.tcp[socket.key] = socket._replace(state="ESTABLISHED")


def _established(visit: Visit, device: Device, packet: Packet, socket: TcpSocket) -> None:
    ns, network = visit.ns, visit.network
    tcp = cast(Tcp, packet.headers[1])
    length = len(packet.payload)
    if tcp.flags & RST:
        visit.step("socket", "deliver", device.name, packet, "the peer reset the connection")
        del ns.tcp[socket.key]
        if socket.client is not None:
            socket.client.end("refused", f"{socket.peer} reset the connection")
    elif tcp.flags & FIN:
        visit.step("socket", "deliver", device.name, packet, "the peer closes; so do we")
        closing = socket._replace(state="LAST-ACK", ack=_plus(tcp.seq, length + 1))
        network.begin(ns, _send, _segment(network, ns, closing, ACK | FIN), socket.process)
        ns.tcp[socket.key] = closing._replace(seq=_plus(closing.seq, 1))
    elif length and tcp.seq != socket.ack:
        why = "a segment that does not continue what came before: ignored"
        visit.step("socket", "ignore", device.name, packet, why)
    elif length:
        _data(visit, device, packet, socket)
    else:
        visit.step("socket", "deliver", device.name, packet, "an acknowledgement")


def _data(visit: Visit, device: Device, packet: Packet, socket: TcpSocket) -> None:
    """A part of a message; with PSH it is complete, and is answered (or is the answer)."""
    ns, network = visit.ns, visit.network
    tcp = cast(Tcp, packet.headers[1])
    total = socket.heard + len(packet.payload)
    socket = socket._replace(ack=_plus(tcp.seq, len(packet.payload)), heard=total, unheard=b"")
    ns.tcp[socket.key] = socket
    if not tcp.flags & PSH:
        why = "{} has {} bytes; more will come"
        visit.step("socket", "deliver", device.name, packet, why, (socket.process, total))
        return
    socket = socket._replace(heard=0)
    ns.tcp[socket.key] = socket
    if socket.listener is not None:
        why = "{} has the request ({} bytes) and replies"
        visit.step("socket", "deliver", device.name, packet, why, (socket.process, total))
        peer = f"{socket.peer}:{socket.peer_port}"
        _say(network, ns, socket, socket.listener.answer(peer, total))
    elif socket.client is not None:
        why = "{} has the reply ({} bytes)"
        visit.step("socket", "deliver", device.name, packet, why, (socket.process, total))
        socket.client.reply_payload = packet.payload
        socket.client.end("delivered", f"{socket.peer}:{socket.peer_port} answered")


def _say(network: Network, ns: Netns, socket: TcpSocket, message: bytes) -> None:
    """Sends a message in segments that fit both the peer and the path; the last one has PSH."""
    size = _segment_size(ns, socket)
    start = socket._replace(unheard=message)
    for at in range(0, len(message), size):
        part = message[at : at + size]
        flags = ACK | PSH if at + size >= len(message) else ACK
        network.begin(ns, _send, _segment(network, ns, socket, flags, part), socket.process)
        socket = socket._replace(seq=_plus(socket.seq, len(part)))
    ns.tcp[socket.key] = start._replace(seq=socket.seq)


def shrink(network: Network, ns: Netns, key: tuple[str, int, str, int]) -> None:
    """The path takes less than was sent: sends the unanswered message again, in smaller pieces."""
    socket = ns.tcp.get(key)
    if socket is not None and socket.state == "ESTABLISHED" and socket.unheard:
        back = (socket.seq - len(socket.unheard)) & 0xFFFFFFFF
        _say(network, ns, socket._replace(seq=back), socket.unheard)


def _segment_size(ns: Netns, socket: TcpSocket) -> int:
    """Bytes of data in one segment: what the peer takes and the path fits, less the time stamps."""
    learned = ns.pmtu.get(socket.peer)
    now = ns.network.now if ns.network is not None else 0.0
    path = learned[0] - 40 if learned and learned[1] > now else 65_535
    return max(8, min(socket.mss, _mss(ns, socket), path) - 12)


def _mss_option(tcp: Tcp) -> int:
    """The maximum segment size that a SYN announces (RFC 9293 §3.7.1); 536 if it does not."""
    options = tcp.options
    if options[:2] == b"\x02\x04":
        return int.from_bytes(options[2:4], "big")
    return 536


def _fin_wait(visit: Visit, device: Device, packet: Packet, socket: TcpSocket) -> None:
    ns, network = visit.ns, visit.network
    tcp = cast(Tcp, packet.headers[1])
    if tcp.flags & (FIN | RST):
        visit.step("socket", "deliver", device.name, packet, "both sides have closed")
        del ns.tcp[socket.key]
        if tcp.flags & FIN:
            last = socket._replace(ack=_plus(tcp.seq, len(packet.payload) + 1))
            network.begin(ns, _send, _segment(network, ns, last, ACK), socket.process)
    else:
        visit.step("socket", "deliver", device.name, packet, "an acknowledgement while closing")


def _last_ack(visit: Visit, device: Device, packet: Packet, socket: TcpSocket) -> None:
    visit.step("socket", "deliver", device.name, packet, "the last acknowledgement: closed")
    del visit.ns.tcp[socket.key]


def _unexpected(visit: Visit, device: Device, packet: Packet, socket: TcpSocket) -> None:
    flags = flag_letters(cast(Tcp, packet.headers[1]).flags)
    why = "a {} segment does not fit a connection in {}: ignored"
    visit.step("socket", "ignore", device.name, packet, why, (flags, socket.state))


_STATES = {
    "SYN-SENT": _syn_sent,
    "SYN-RECEIVED": _syn_received,
    "ESTABLISHED": _established,
    "FIN-WAIT-1": _fin_wait,
    "LAST-ACK": _last_ack,
}


def close(network: Network, ns: Netns, key: tuple[str, int, str, int]) -> None:
    """A client closes its connection: FIN, if it stands; else the socket is simply gone."""
    socket = ns.tcp.get(key)
    if socket is None:
        return
    if socket.state != "ESTABLISHED":
        del ns.tcp[key]
        return
    network.begin(ns, _send, _segment(network, ns, socket, ACK | FIN), socket.process)
    ns.tcp[key] = socket._replace(state="FIN-WAIT-1", seq=_plus(socket.seq, 1))


# -- segments -------------------------------------------------------------------------------------


def _send(visit: Visit, process: str, packet: Packet) -> None:
    ip, tcp = cast(IPv4, packet.headers[0]), cast(Tcp, packet.headers[1])
    why = "{} sends {} from {}:{} to {}:{}"
    kind = _NAMES.get(tcp.flags, flag_letters(tcp.flags))
    args = (process or "the kernel", kind, ip.src, tcp.sport, ip.dst, tcp.dport)
    visit.step("socket", "pass", "", packet, why, args)
    visit.originate(packet)


_NAMES = {
    SYN: "SYN",
    SYN | ACK: "SYN/ACK",
    ACK: "ACK",
    ACK | PSH: "data",
    ACK | FIN: "FIN",
    RST: "a reset",
    RST | ACK: "a reset",
}


def _segment(
    network: Network, ns: Netns, socket: TcpSocket, flags: int, payload: bytes = b""
) -> Packet:
    ttl = ns.sysctls["net.ipv4.ip_default_ttl"] if socket.ttl is None else socket.ttl
    ip = IPv4(socket.ip, socket.peer, PROTO_TCP, ttl, ns.next_ip_id(), socket.df)
    stamp = int(network.now * 1000) & 0xFFFFFFFF
    clock = (b"\x08\x0a" + stamp.to_bytes(4, "big")) + bytes(4)
    if flags & SYN:
        mss = _mss(ns, socket)
        options = b"\x02\x04" + mss.to_bytes(2, "big") + b"\x04\x02" + clock + b"\x01\x03\x03\x07"
    else:
        options = b"\x01\x01" + clock
    tcp = Tcp(socket.port, socket.peer_port, flags, socket.seq, socket.ack, 64240, options)
    return stack_of((ip, tcp), payload)


def _mss(ns: Netns, socket: TcpSocket) -> int:
    """The largest segment this end wants: the MTU of its device, less 40 bytes of headers."""
    if ns.is_local(socket.peer):
        return ns.devices["lo"].mtu - 40 & 0xFFFF
    route = ns.routes.lookup(socket.peer)
    return (ns.devices[route.dev].mtu if route and route.dev in ns.devices else 1500) - 40


def _initial_sequence(network: Network, ip: str, port: int, peer: str, peer_port: int) -> int:
    return crc32(f"{network.seed} {ip}:{port} {peer}:{peer_port}".encode())


def _plus(seq: int, n: int) -> int:
    return (seq + n) & 0xFFFFFFFF
