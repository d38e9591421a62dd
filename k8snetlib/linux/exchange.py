"""What lives here: one process that sends once and waits; what ``Cluster.send``, ping and curl do.

The answer is an ``Exchange``, whatever became of it. A send that fails at once (no route, a message
that is too long for its path) is an exchange without packets.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import cast

from k8snetlib.errors import BadPacket, K8sNetError
from k8snetlib.linux import sockets, tcp
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Flight, Network
from k8snetlib.packet import ECHO_REQUEST, PROTO_ICMP, Icmp, IPv4, Slice, check_port, stack_of
from k8snetlib.trace import Exchange, Trace

#: How long, in seconds, a sender waits for an answer before it gives up.
PATIENCE = 5.0
#: The ports a kernel draws source ports from (net.ipv4.ip_local_port_range).
EPHEMERAL = (32768, 60999)
PROTOCOLS = ("tcp", "udp", "icmp")
#: What is sent if nobody says: a request, a word, as many bytes as ping sends.
DEFAULT_PAYLOAD: dict[str, bytes | int] = {
    "tcp": b"GET / HTTP/1.1\r\n\r\n",
    "udp": b"hello",
    "icmp": 56,
}


def send(
    network: Network,
    ns: Netns,
    dst: str,
    port: int | None = None,
    *,
    proto: str = "udp",
    sport: int | None = None,
    ttl: int | None = None,
    payload: bytes | int | None = None,
    df: bool = True,
    patience: float = PATIENCE,
    names: tuple[str, str] | None = None,
) -> Exchange:
    """A process in ``ns`` sends to the address ``dst`` and waits at most ``patience`` seconds.

    Parameters: ``proto`` is tcp, udp or icmp; ``port`` and ``sport`` are ports (``sport`` None: the
    kernel draws one; for icmp it is the identifier); ``payload`` is the message, or how many bytes
    it has; ``names`` is how the caller calls the two ends. Raises ``BadPacket`` for numbers that
    cannot be.
    """
    _check(proto, port, sport, ttl)
    data = payload_of(payload, proto)
    began, flights = network.now, network.record()
    client = sockets.Client(data)
    src = sockets.source_address(network, ns, dst)
    limit = sockets.path_mtu(ns, dst)
    if src is None:
        client.end("unreachable", f"{ns.name} has no route to {dst}: the send fails at once")
    elif proto != "tcp" and df and 28 + len(data) > limit:
        why = "{} bytes are more than the path takes ({}): the send fails at once (EMSGSIZE)"
        client.end("too-big", why.format(28 + len(data), limit))
    else:
        sender = _Sender(network, ns, src, dst, client, ttl, df)
        sender.send(proto, port or 0, sport)
        network.run(lambda: bool(client.verdict), patience)
        sender.close()
    ends = names or (ns.name, dst)
    return _exchange(network, ends, proto, client, flights, began, patience)


def _check(proto: str, port: int | None, sport: int | None, ttl: int | None) -> None:
    if proto not in PROTOCOLS:
        raise K8sNetError(f"There is no protocol '{proto}' here.", "Use tcp, udp or icmp.")
    if proto != "icmp":
        if port is None:
            raise BadPacket(f"{proto} needs a destination port.", "Give port=…")
        check_port(port, "Destination port")
    if sport is not None:
        check_port(sport, "Source port")
    if ttl is not None and not 1 <= ttl <= 255:
        raise BadPacket(f"TTL {ttl} is out of range.", "Allowed: 1 to 255.")


def payload_of(payload: bytes | int | None, proto: str) -> bytes:
    """The bytes of a message: as given, so many of them, or what the protocol's tool would send."""
    message: bytes | int = DEFAULT_PAYLOAD[proto] if payload is None else payload
    if isinstance(message, int):
        if not 0 <= message <= 65_000:
            what = f"A payload of {message} bytes is out of range."
            raise BadPacket(what, "Allowed: 0 to 65000.")
        return bytes(i & 0xFF for i in range(message))
    return message


def _exchange(
    network: Network, ends: tuple[str, str], proto: str, client: sockets.Client,
    flights: list[Flight], began: float, patience: float,
) -> Exchange:  # fmt: skip
    packets, places = Network.freeze(flights)
    outcome, reason = client.verdict, client.reason
    if not outcome:
        outcome, reason = silent_end(packets, patience)
    network.last = packets
    return Exchange(
        *ends, proto, outcome, reason, packets, places.get(id(client.request)),
        places.get(id(client.reply)), network.now - began, network.names, network.topology,
        network.notes.freeze(places),
    )  # fmt: skip


def silent_end(packets: tuple[Trace, ...], patience: float = PATIENCE) -> tuple[str, str]:
    """Nobody answered: the last packet that got nowhere says why (a redirect is no part of it)."""
    for trace in reversed(packets):
        last = trace.last
        if trace.label.startswith(("ARP", "ICMP redirect")) or last.verdict not in (
            "drop",
            "error",
        ):
            continue
        # By a rule, a policy or a full table it is dropped; else it is merely lost.
        filtered = " " in last.stage or last.stage == "conntrack"
        outcome = "dropped" if filtered and last.verdict == "drop" else "lost"
        return outcome, f"{trace.label} ended at {trace.end}: {last.reason}"
    return "lost", f"nobody answered within {patience:g} seconds"


def heard(exchange: Exchange, reader: str) -> bytes:
    """The data of the last packet that brought some to the process that asked, in ``reader``."""
    for trace in reversed(exchange.packets):
        if trace.delivered and trace.end == reader and len(trace.last.packet.payload):
            payload = trace.last.packet.payload
            if isinstance(payload, Slice):  # reassembled: the bytes are those of the whole
                payload = payload.packet.payload
            return cast(bytes, payload)
    return b""


def joined(*walks: Iterable[Trace]) -> tuple[Trace, ...]:
    """Several walks as one: their packets, counted anew."""
    return tuple(trace._replace(n=n) for n, trace in enumerate(chain(*walks)))


class _Sender:
    """One process that sends once and waits."""

    def __init__(
        self, network: Network, ns: Netns, src: str, dst: str, client: sockets.Client,
        ttl: int | None, df: bool,
    ) -> None:  # fmt: skip
        self.network, self.ns, self.src, self.dst = network, ns, src, dst
        self.client, self.ttl, self.df = client, ttl, df
        self.process = ns.name
        self.key: tuple[str, int, str, int] | None = None

    def send(self, proto: str, port: int, sport: int | None) -> None:
        network, ns, client = self.network, self.ns, self.client
        local = sport if sport is not None else self._free_port(proto)
        if proto == "tcp":
            self.key = (self.src, local, self.dst, port)
            if self.key in ns.tcp:
                raise K8sNetError(f"{ns.name} still has a connection from port {local}.")
            ends = (self.src, local), (self.dst, port)
            tcp.connect(network, ns, self.process, *ends, client, df=self.df, ttl=self.ttl)
            return
        waiting = sockets.UdpSocket(self.src, local, client)
        if proto == "udp":
            self.waits = ns.udp, (self.src, local)
            packet = sockets.datagram(
                ns, self.src, local, self.dst, port, client.payload, df=self.df, ttl=self.ttl
            )
        else:
            self.waits = ns.pings, (self.dst, local)
            ttl = ns.sysctls["net.ipv4.ip_default_ttl"] if self.ttl is None else self.ttl
            header = IPv4(self.src, self.dst, PROTO_ICMP, ttl, ns.next_ip_id(), self.df)
            packet = stack_of((header, Icmp(ECHO_REQUEST, 0, local << 16 | 1)), client.payload)
        self.waits[0][self.waits[1]] = waiting
        client.request = network.begin(ns, sockets.send, packet, self.process)

    def _free_port(self, proto: str) -> int:
        ns = self.ns
        taken = {key[1] for key in ns.tcp} if proto == "tcp" else {port for _, port in ns.udp}
        for _ in range(1000):
            port = self.network.random.randint(*EPHEMERAL)
            if port not in taken:
                return port
        raise K8sNetError(f"{ns.name} has no free source port left.")

    def close(self) -> None:
        """The process is done: its socket closes. The teardown is walked, but not recorded."""
        network = self.network
        if self.key is None:
            self.waits[0].pop(self.waits[1], None)
            return
        recorded, notes = network.flights, network.notes
        network.record()
        tcp.close(network, self.ns, self.key)
        network.settle()
        network.flights, network.notes = recorded, notes
