"""Connections and NAT: states, the two tuples, both ways of translation, clashes, time-outs."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster, Exchange
from k8snetlib.errors import BadCommand
from k8snetlib.linux.conntrack import FULL, INVALID, TIMEOUTS, Connection, Table, Tuple, tuple_of
from k8snetlib.linux.netfilter.rule import Nat
from k8snetlib.linux.netfilter.save import restore
from k8snetlib.packet import (
    ACK,
    FIN,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    PSH,
    RST,
    SYN,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
)

CLIENT, SERVER = ("10.1.15.2", 40000), ("10.1.20.3", 8080)


def tcp(flags: int, *, back: bool = False) -> Packet:
    """A segment of one connection, from the client or back to it."""
    (src, sport), (dst, dport) = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    return Packet(IPv4(src, dst, PROTO_TCP), Tcp(sport, dport, flags))


def udp(*, back: bool = False) -> Packet:
    (src, sport), (dst, dport) = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    return Packet(IPv4(src, dst, PROTO_UDP), Udp(sport, dport))


def feed(table: Table, packet: Packet, now: float = 0.0) -> tuple[str, str]:
    """One packet comes in and passes all hooks; its word, and the connection's state after it."""
    seen = table.track(packet, now)
    if seen.conn is not None and seen.word != "RELATED":
        table.confirm(seen.conn)
    return seen.word, seen.conn.state if seen.conn else ""


HANDSHAKE = [
    (tcp(SYN), "NEW", "SYN_SENT"),
    (tcp(SYN | ACK, back=True), "ESTABLISHED", "SYN_RECV"),
    (tcp(ACK), "ESTABLISHED", "ESTABLISHED"),
    (tcp(ACK | PSH), "ESTABLISHED", "ESTABLISHED"),
    (tcp(ACK | FIN), "ESTABLISHED", "FIN_WAIT"),
    (tcp(ACK | FIN, back=True), "ESTABLISHED", "LAST_ACK"),
    (tcp(ACK), "ESTABLISHED", "TIME_WAIT"),
]


def test_a_tcp_connection_from_its_first_to_its_last_segment() -> None:
    table = Table()
    for packet, word, state in HANDSHAKE:
        assert feed(table, packet) == (word, state)
    assert len(table) == 1
    (conn,) = table.connections(0.0)
    assert conn.status_words() == {"SEEN_REPLY", "ASSURED", "CONFIRMED"}
    assert conn.packets == [5, 2]
    assert not table.connections(TIMEOUTS["TIME_WAIT"])


def test_a_repeated_syn_is_still_new() -> None:
    table = Table()
    assert feed(table, tcp(SYN)) == ("NEW", "SYN_SENT")
    assert feed(table, tcp(SYN), 1.0) == ("NEW", "SYN_SENT")
    assert len(table) == 1


def test_a_reset_as_the_only_answer_leaves_nothing() -> None:
    table = Table()
    feed(table, tcp(SYN))
    feed(table, tcp(RST | ACK, back=True))
    assert len(table) == 0


def test_a_syn_reopens_a_closed_connection() -> None:
    table = Table()
    for packet, _, _ in HANDSHAKE:
        feed(table, packet)
    assert feed(table, tcp(SYN), 1.0) == ("NEW", "SYN_SENT")
    assert len(table) == 1


@pytest.mark.parametrize(
    "packet",
    [
        tcp(SYN | ACK),
        tcp(RST),
        tcp(FIN),
        Packet(IPv4("10.1.15.2", "10.1.20.3", PROTO_ICMP), Icmp(0, 0, 1)),
    ],
    ids=["syn/ack first", "reset first", "fin first", "echo reply first"],
)
def test_what_cannot_begin_a_connection_is_invalid(packet: Packet) -> None:
    assert Table().track(packet, 0.0) is INVALID


def test_an_acknowledgement_in_mid_stream_is_picked_up() -> None:
    """``nf_conntrack_tcp_loose``: a router that was restarted goes on."""
    assert feed(Table(), tcp(ACK)) == ("NEW", "ESTABLISHED")


def test_udp_is_a_stream_after_two_seconds_of_answers() -> None:
    table = Table()
    assert feed(table, udp()) == ("NEW", "")
    assert feed(table, udp(back=True), 0.5)[0] == "ESTABLISHED"
    (conn,) = table.connections(1.0)
    assert conn.expires == 0.5 + TIMEOUTS["udp"]
    feed(table, udp(back=True), 2.5)
    assert conn.assured
    assert conn.expires == 2.5 + TIMEOUTS["udp_stream"]
    assert feed(table, udp(), 200.0)[0] == "NEW", "forgotten, so it begins anew"


def test_an_icmp_error_is_related_to_what_it_quotes() -> None:
    table = Table()
    feed(table, tcp(SYN))
    header = IPv4("10.1.20.0", "10.1.15.2", PROTO_ICMP)
    error = Packet(header, Icmp(3, 1), payload=Slice(tcp(SYN), 0, 40))
    seen = table.track(error, 0.0)
    assert (seen.word, seen.reply) == ("RELATED", True)
    stranger = tcp(SYN)._replace(headers=(IPv4("10.9.9.9", "10.1.20.3", 6), Tcp(1, 2, SYN)))
    unknown = Packet(header, Icmp(3, 1), payload=Slice(Packet(*stranger.headers), 0, 40))
    assert table.track(unknown, 0.0) is INVALID


def test_icmp_tuples_answer_each_other() -> None:
    echo = Packet(IPv4("10.1.15.2", "10.1.20.3", PROTO_ICMP), Icmp(8, 0, 7 << 16 | 1))
    reply = Packet(IPv4("10.1.20.3", "10.1.15.2", PROTO_ICMP), Icmp(0, 0, 7 << 16 | 1))
    one, other = tuple_of(echo), tuple_of(reply)
    assert one is not None
    assert one.inverted == other
    assert str(one) == "10.1.15.2>10.1.20.3 type 8"


def test_a_dropped_first_packet_leaves_nothing_behind() -> None:
    table = Table()
    table.track(tcp(SYN), 0.0)
    assert len(table) == 0


def test_a_full_table_refuses_new_connections() -> None:
    table = Table(limit=1)
    feed(table, tcp(SYN))
    assert table.track(udp(), 0.0) is FULL
    assert feed(table, tcp(SYN))[0] == "NEW", "a known connection goes on"
    assert table.track(udp(), 121.0).word == "NEW", "the known one is over its time"
    table.limit = 0
    assert table.track(udp(), 0.0).word == "NEW", "0 is no limit"


# -- NAT: the choice of a tuple -------------------------------------------------------------------

MASQUERADE = Nat("MASQUERADE")
FULLY = Nat("MASQUERADE", random_fully=True)
NODE = ("192.168.66.11", "192.168.66.11")


def first(src: str, sport: int, proto: int = PROTO_TCP) -> Connection:
    return Connection(Tuple(proto, src, sport, "203.0.113.10", 80), 0.0)


def bound(table: Table, conn: Connection, nat: Nat, draw: int = 0) -> tuple[int, str]:
    """The source port after SNAT to the node, and the complaint, if any."""
    why = table.bind(conn, True, NODE, nat, lambda low, high: min(high, low + draw))
    table.confirm(conn)
    return conn.reply.inverted.sport, why


def test_masquerade_keeps_the_port_if_it_is_free() -> None:
    table = Table()
    assert bound(table, first("10.1.15.2", 40000), MASQUERADE) == (40000, "")


@pytest.mark.parametrize(
    ("port", "low", "high"),
    [(40000, 1024, 65535), (700, 600, 1023), (80, 1, 511)],
    ids=["ordinary", "privileged", "low"],
)
def test_on_a_clash_the_port_stays_in_its_class(port: int, low: int, high: int) -> None:
    table = Table()
    bound(table, first("10.1.15.2", port), MASQUERADE)
    chosen, why = bound(table, first("10.1.15.3", port), MASQUERADE, draw=5)
    assert (chosen, why) == (low + 5, "")
    assert low <= chosen <= high


def test_random_fully_never_asks_whether_the_port_is_free() -> None:
    assert bound(Table(), first("10.1.15.2", 40000), FULLY, draw=9) == (1024 + 9, "")


def test_ports_run_out_per_destination_not_per_node() -> None:
    table = Table()
    narrow = Nat("MASQUERADE", ports=(2000, 2001))
    assert bound(table, first("10.1.15.2", 1), narrow)[1] == ""
    assert bound(table, first("10.1.15.3", 2), narrow)[1] == ""
    _, why = bound(table, first("10.1.15.4", 3), narrow)
    said = "no TCP port from 2000 to 2001 of 192.168.66.11 is free towards 203.0.113.10:80"
    assert why == said
    elsewhere = Connection(Tuple(PROTO_TCP, "10.1.15.4", 3, "203.0.113.11", 80), 0.0)
    assert bound(table, elsewhere, narrow)[1] == "", "another destination has all ports again"


# -- NAT: whole walks -----------------------------------------------------------------------------


def cluster_with(rules: str, node: str = "node1") -> Cluster:
    cluster = Cluster.example(flanneld="--iptables-forward-rules=false")  # no other rules
    restore(cluster[node].ruleset, f"*nat\n{rules}\nCOMMIT\n")
    return cluster


def seen_by_server(exchange: Exchange) -> str:
    assert exchange.request is not None
    assert exchange.request.delivered, f"{exchange}"
    packet = exchange.request.last.packet
    return f"{packet.ip.src}:{getattr(packet.transport, 'sport', '')}"


def test_masquerade_and_the_reply_s_way_back() -> None:
    """A11: the server sees the node; the reply needs no rule of its own (SNAT_REPLY)."""
    cluster = cluster_with("-A POSTROUTING -s 10.1.15.0/24 -o eth0 -j MASQUERADE")
    exchange = cluster.connect("web2", "ext", 80, sport=40000)
    assert exchange.ok, f"{exchange}"
    assert seen_by_server(exchange) == "192.168.66.11:40000"
    assert exchange.reply is not None
    at_web2 = exchange.reply.frames[-1].packet
    assert at_web2.ip.dst == "10.1.15.2"
    untranslated = [s for s in exchange.reply.steps if s.stage == "nat PREROUTING"]
    assert [s.rules for s in untranslated] == [()], "no rule is asked for the reply"
    (conn,) = cluster["node1"].conntrack.connections(0.0)
    assert str(conn) == (
        "tcp | 10.1.15.2:40000>203.0.113.10:80 | 203.0.113.10:80>192.168.66.11:40000"
    )


def test_docker_s_masquerade_hides_the_pod_from_backend() -> None:
    """A7: backend sees flannel0's address in place of web2's."""
    cluster = cluster_with("-A POSTROUTING -s 10.1.15.0/24 ! -o docker0 -j MASQUERADE")
    assert seen_by_server(cluster.connect("web2", "backend", 8080, sport=4000)) == "10.1.15.0:4000"
    assert seen_by_server(Cluster.example().connect("web2", "backend", 8080, sport=4000)) == (
        "10.1.15.2:4000"
    )


def test_dnat_is_early_snat_is_late() -> None:
    """A forwarded packet has its new destination before it is routed, its new source after."""
    cluster = cluster_with(
        "-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j DNAT "
        "--to-destination 10.1.20.3:8080\n"
        "-A POSTROUTING -d 10.1.20.3/32 -j SNAT --to-source 10.1.15.1"
    )
    exchange = cluster.connect("web2", "10.96.0.10", 80)
    assert exchange.ok, f"{exchange}"
    assert exchange.request is not None
    frames = {f"{f.netns}:{f.device}": f.packet.innermost for f in exchange.request.frames}
    assert frames["node1:veth-web2"].ip.dst == "10.96.0.10"
    assert frames["node1:docker0"].ip.dst == "10.1.20.3"
    assert frames["node1:docker0"].ip.src == "10.1.15.2"
    assert frames["node1:flannel0"].ip.src == "10.1.15.1"
    assert exchange.reply is not None
    back = exchange.reply.frames[-1].packet
    assert (back.ip.src, back.transport.sport) == ("10.96.0.10", 80)  # type: ignore[union-attr]


def test_only_the_first_packet_of_a_connection_meets_the_nat_rules() -> None:
    """NAT_EVERY: the second packet is translated by memory."""
    cluster = cluster_with("-A POSTROUTING -s 10.1.15.0/24 -o eth0 -j MASQUERADE")
    exchange = cluster.connect("web2", "ext", 80)
    asked = [any(str(r).startswith("nat:") for s in t.steps for r in s.rules)
             for t in exchange.packets if t.label.startswith("TCP")]  # fmt: skip
    assert asked == [True, False, False, False, False]


def test_a_live_connection_outlives_the_removal_of_its_rules() -> None:
    """conntrack remembers; only new connections ask the rules."""
    cluster = cluster_with("-A POSTROUTING -s 10.1.15.0/24 -o eth0 -j MASQUERADE")
    first_ping = cluster.ping("web2", "ext", sport=77)
    assert first_ping.ok
    # Some rule must still need conntrack, or the kernel stops tracking altogether.
    other = "*nat\n-A POSTROUTING -s 10.9.9.9/32 -j MASQUERADE\nCOMMIT\n"
    restore(cluster["node1"].ruleset, other)
    assert cluster.ping("web2", "ext", sport=77).ok, "the same identifier: the same connection"
    assert cluster.ping("web2", "ext", sport=78).outcome == "lost"
    cluster.advance("1m")
    assert cluster.ping("web2", "ext", sport=77).outcome == "lost", "forgotten after 30 s"


def test_an_icmp_error_comes_back_translated() -> None:
    """The pod gets the error about its own packet, though the router quoted the node's."""
    cluster = cluster_with("-A POSTROUTING -s 10.1.15.0/24 -o eth0 -j MASQUERADE")
    exchange = cluster.send("web2", "ext", 99, proto="udp", sport=5000)
    assert exchange.outcome == "refused"
    assert exchange.reply is not None
    error = exchange.reply.frames[-1].packet
    assert error.ip.dst == "10.1.15.2"
    assert isinstance(error.payload, Slice)
    assert error.payload.packet.ip.src == "10.1.15.2"


def test_redirect_and_output_dnat() -> None:
    """REDIRECT sends to the host itself; DNAT in OUTPUT routes again."""
    cluster = cluster_with("-A PREROUTING -p tcp -m tcp --dport 99 -j REDIRECT --to-ports 10250")
    assert cluster.connect("web2", "node1", 99).ok
    cluster = cluster_with(
        "-A OUTPUT -d 10.96.0.10/32 -p tcp -j DNAT --to-destination 10.1.20.3:8080"
    )
    assert cluster.connect("node1", "10.96.0.10", 80).ok


@pytest.mark.parametrize(
    ("room", "outcomes"),
    [(0, ["dropped", "dropped"]), (1, ["delivered", "dropped"]), (2, ["delivered", "delivered"])],
)
def test_a_full_conntrack_table_drops_new_connections(room: int, outcomes: list[str]) -> None:
    """Found by who looks at the count and the limit; what is known already goes on."""
    cluster = cluster_with("-A POSTROUTING -o eth0 -s 10.1.15.0/24 -j MASQUERADE")
    node1 = cluster["node1"]
    assert cluster.ping("web2", "ext", sport=7).ok
    count = int(node1.sh("sysctl -n net.netfilter.nf_conntrack_count"))
    assert count == int(node1.sh("conntrack -C")) > 0
    node1.sh(f"sysctl -w net.netfilter.nf_conntrack_max={count + room}")
    exchanges = [cluster.connect("web2", "ext", 80, sport=4000 + n) for n in range(2)]
    assert [exchange.outcome for exchange in exchanges] == outcomes
    for exchange in exchanges:
        said = f"nf_conntrack: table full, dropping packet ({count + room} connections)"
        assert exchange.ok or said in exchange.reason
    assert cluster.ping("web2", "ext", sport=7).ok
    cluster.advance("10d")
    assert cluster.connect("web2", "ext", 80).ok or not room


@pytest.mark.parametrize(
    ("netns", "words", "says"),
    [
        ("node1", "net.netfilter.nf_conntrack_count=1", "permission denied on key"),
        ("web1", "net.netfilter.nf_conntrack_max=1", "permission denied on key"),
        ("node1", "net.netfilter.nf_conntrack_max=-1", "Invalid argument"),
    ],
)
def test_what_the_limit_cannot_be(netns: str, words: str, says: str) -> None:
    with pytest.raises(BadCommand, match=says):
        Cluster.example()[netns].sh(f"sysctl -w {words}")


def test_a_clone_has_connections_of_its_own() -> None:
    cluster = cluster_with("-A POSTROUTING -s 10.1.15.0/24 -o eth0 -j MASQUERADE")
    cluster.ping("web2", "ext")
    other = cluster.clone()
    other.advance("1h")
    assert not other["node1"].conntrack.connections(other.network.now)
    (conn,) = cluster["node1"].conntrack.connections(cluster.network.now)
    assert conn.seen_reply
