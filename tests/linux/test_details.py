"""What no test looked at until tools/mutate.py planted faults there: rows by room.

What the kernel does is from its sources, named in each test; where Linux 6.18 or iptables 1.8.9 itself
was asked, the test says so.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from k8snetlib import Cluster
from k8snetlib.address import BROADCAST_MAC, Prefix
from k8snetlib.errors import K8sNetError
from k8snetlib.linux import icmp, neighbour, sockets, vxlan
from k8snetlib.linux.fragment import split
from k8snetlib.linux.netfilter.save import restore
from k8snetlib.linux.netns import Neighbour, Netns
from k8snetlib.linux.route import Route
from k8snetlib.linux.stack import Visit
from k8snetlib.packet import (
    ACK,
    FIN,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    RST,
    SYN,
    Arp,
    Ethernet,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    stack_of,
)
from k8snetlib.trace import Trace

WEB2 = "10.1.15.2"


def walk(cluster: Cluster, source: str, packet: Packet) -> tuple[Trace, ...]:
    """Everything that moves when the kernel of ``source`` sends this packet."""
    network = cluster.network
    network.record()
    network.begin(cluster[source], Visit.originate, packet)
    network.settle()
    return network.freeze(network.flights)[0]


def labels(traces: tuple[Trace, ...]) -> list[str]:
    return [t.label for t in traces if not t.label.startswith("ARP")]


def said(traces: tuple[Trace, ...], ns: str, stage: str) -> list[tuple[str, str]]:
    """(verdict, reason) of every step of one stage in one namespace."""
    return [
        (s.verdict, s.reason)
        for t in traces for h in t.hops if h.netns == ns for s in h.steps if s.stage == stage
    ]  # fmt: skip


def warm(rules: str = "") -> Cluster:
    """All neighbours known; then rules on node1."""
    cluster = Cluster.example(proxy_mode="none")
    for target in ("web1", "backend", "node1", "client"):
        cluster.ping("web2", target)
    if rules:
        restore(cluster["node1"].ruleset, rules)
    return cluster


# -- ICMP -----------------------------------------------------------------------------------------


def udp_to(dst: str, **ip: Any) -> Packet:
    return stack_of((IPv4(WEB2, dst, PROTO_UDP, id=9, **ip), Udp(40000, 53)), b"x")


@pytest.mark.parametrize(
    ("packet", "answers"),
    [
        pytest.param(udp_to("10.1.15.1", ttl=64), ["UDP", "ICMP port-unreachable"], id="UDP"),
        pytest.param(
            stack_of((IPv4(WEB2, "10.1.20.3", PROTO_UDP, 1, 9, False, True, 8),), b"12345678"),
            ["IP fragment"], id="a later fragment, TTL 1",
        ),
        pytest.param(
            stack_of((IPv4(WEB2, "10.1.20.3", PROTO_ICMP, 1, 9), Icmp(3, 3)), Slice(udp_to(WEB2), 0, 29)),
            ["ICMP port-unreachable"], id="an ICMP error, TTL 1",
        ),
        pytest.param(
            stack_of((IPv4(WEB2, "10.1.20.3", 89, 1, 9),), b"hello"),
            ["IP", "ICMP ttl-exceeded"], id="OSPF, TTL 1",
        ),
    ],
)  # fmt: skip
def test_what_causes_an_icmp_error(packet: Packet, answers: list[str]) -> None:
    """RFC 1122 §3.2.2: never about an error, never about a later fragment."""
    got = labels(walk(warm(), "web2", packet))
    assert [
        g.split(" at ")[0].split(" offset")[0][: len(a)] for g, a in zip(got, answers, strict=True)
    ] == answers


def test_no_icmp_error_about_a_broadcast() -> None:
    """icmp_send: ``rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)``."""
    cluster = warm("*filter\n-A OUTPUT -p udp -j REJECT\nCOMMIT\n")
    to = {"10.1.15.255": 0, "10.1.20.3": 1}
    for dst, errors in to.items():
        packet = stack_of((IPv4("10.1.15.1", dst, PROTO_UDP, id=9), Udp(1, 2)))
        assert sum(t.startswith("ICMP") for t in labels(walk(cluster, "node1", packet))) == errors


def test_a_host_may_be_told_not_to_answer_pings() -> None:
    cluster = warm()
    cluster["backend"].sysctls["net.ipv4.icmp_echo_ignore_all"] = 1
    exchange = cluster.ping("web2", "backend")
    assert exchange.outcome == "lost"
    assert labels(exchange.packets) == ["ICMP echo-request"]


def test_the_kernel_says_what_it_sends() -> None:
    cluster = warm()
    (answer,) = [
        r for v, r in said(cluster.ping("web2", "web1").packets, "web1", "icmp") if v == "pass"
    ]
    assert (
        answer
        == "the kernel answers 10.1.15.2 itself, from 10.1.15.3: no process is needed for a ping"
    )
    refused = cluster.send("web2", "web1", 99, proto="udp").packets
    ((_, error),) = said(refused, "web1", "icmp")
    assert error.startswith("the kernel reports the error to 10.1.15.2, quoting the packet")


def test_an_echo_request_without_a_way_back() -> None:
    """The answer ends where it begins, and nothing of it is seen on a wire."""
    cluster = warm()
    cluster["web2"].sh("ip route del default")
    packets = cluster.ping("backend", "web2").packets
    answer = next(t for t in packets if t.label == "ICMP echo-reply")
    assert (answer.last.stage, answer.last.verdict, answer.frames) == ("route", "drop", ())


def test_redirects_come_ever_later_and_stop() -> None:
    """Seen on Linux 6.18; ip_rt_send_redirect: the n-th waits for 0.02 s times 2^n; nine are ignored, then silence; what
    is seen in the silence prolongs it (``rate_last = jiffies``); 20.48 s of nothing end it."""
    cluster = Cluster.example()
    router = cluster["router"]
    packet = stack_of((IPv4("192.168.66.100", "10.9.9.9", PROTO_UDP), Udp(1, 2)))
    network, device = cluster.network, next(d for d in router.devices.values() if d.kind == "veth")

    def meet(now: float) -> bool:
        network.now = now
        network.record()
        network.begin(
            router, lambda visit, p: icmp.send_redirect(visit, device, p, "192.168.66.12"), packet
        )
        network.settle()
        errors = [t for t in network.freeze(network.flights)[0] if "redirect" in t.label]
        if errors:
            message = errors[0].steps[0].packet.headers[1]
            assert (message.type, message.code, message.rest) == (5, 1, 0xC0A8420C)
        return bool(errors)

    told = [n / 100 for n in range(2000) if meet(n / 100)]
    gaps = [b - a for a, b in pairwise(told)]
    assert gaps == pytest.approx([0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12], abs=0.011)
    assert not meet(20.0)
    assert not meet(40.4), "the silence began anew at 20.0"
    assert not meet(60.8)
    assert meet(81.3)


# -- ARP ------------------------------------------------------------------------------------------


def test_an_answer_does_not_change_a_permanent_neighbour() -> None:
    """arp_process → neigh_update without NEIGH_UPDATE_F_ADMIN: NUD_PERMANENT stays."""
    cluster = warm()
    web1, web2 = cluster["web1"], cluster["web2"]
    key, other = ("eth0", WEB2), "02:00:00:00:00:99"
    network = cluster.network
    for state, mac in (("PERMANENT", other), ("STALE", web2.devices["eth0"].mac)):
        web1.neighbours[key] = Neighbour(WEB2, "eth0", other, state)
        arp = Arp(2, web2.devices["eth0"].mac, WEB2, web1.devices["eth0"].mac, "10.1.15.3")
        frame = Packet(Ethernet(web2.devices["eth0"].mac, web1.devices["eth0"].mac), arp)
        network.record()
        network.begin(web2, neighbour.ask, frame, web2.devices["eth0"])
        network.settle()
        assert web1.neighbours[key].mac == mac
        (trace,) = network.freeze(network.flights)[0]
        assert trace.last.verdict == ("ignore" if state == "PERMANENT" else "deliver")


# -- namespaces -----------------------------------------------------------------------------------


def test_an_address_s_coming_and_going() -> None:
    """Routes, broadcast address and local address, as fib_frontend.c keeps them."""
    ns = Cluster.example()["node1"]
    ns.add_address("docker0", "10.9.0.1/24")
    ns.add_address("docker0", "10.8.0.1")
    ns.add_address("docker0", "10.7.0.0/31")
    assert str(ns.devices["docker0"].addresses[-2]) == "10.8.0.1/32"
    assert ns.is_broadcast("10.9.0.255", "docker0")
    assert not ns.is_broadcast("10.7.0.1", "docker0")
    assert ns.is_local("10.9.0.1")
    before = {str(r) for r in ns.routes}
    ns.remove_address("docker0", "10.9.0.1/24")
    assert before - {str(r) for r in ns.routes} == {
        "10.9.0.0/24 dev docker0 proto kernel scope link src 10.9.0.1"
    }
    assert not ns.is_local("10.9.0.1")
    assert not ns.is_broadcast("10.9.0.255", "docker0")
    for address in ns.devices["docker0"].addresses:
        ns.remove_address("docker0", str(address))
    assert not [r for r in ns.routes if r.dev == "docker0"]


SOURCES = {
    "preferred": (Route(Prefix.parse("10.9.0.0/16"), "docker0", src="10.1.15.1"), "10.1.15.1"),
    "the subnet of the next hop": (
        Route(Prefix.parse("10.3.0.0/16"), "docker0", via="10.2.0.9"),
        "10.2.0.1",
    ),
    "a link of two hosts (RFC 3021)": (
        Route(Prefix.parse("10.3.0.0/16"), "docker0", via="10.5.0.1"),
        "10.5.0.0",
    ),
    "the subnet itself": (Route(Prefix.parse("10.2.0.0/24"), "docker0"), "10.2.0.1"),
    "the first": (Route(Prefix.parse("10.3.0.0/16"), "docker0"), "10.1.15.1"),
    "a /32 is nobody's neighbour": (Route(Prefix.parse("10.4.0.1/32"), "docker0"), "10.1.15.1"),
    "without an address": (Route(Prefix.parse("10.3.0.0/16"), "veth-web1"), "192.168.66.11"),
}


@pytest.mark.parametrize(("route", "source"), SOURCES.values(), ids=SOURCES)
def test_the_source_address(route: Route, source: str) -> None:
    """fib_info_update_nhc_saddr → inet_select_addr."""
    ns = Cluster.example()["node1"]
    ns.add_address("docker0", "10.2.0.1/24")
    ns.add_address("docker0", "10.4.0.1/32")
    ns.add_address("docker0", "10.5.0.0/31")
    assert ns.source_for(route) == source


def test_a_device_that_is_removed_is_no_port_any_more() -> None:
    ns = Cluster.example()["node1"]
    mac = ns.devices["veth-web1"].mac
    ns.remove_device("veth-web1")
    assert "veth-web1" not in ns.ports["docker0"]
    assert ("docker0", mac) not in ns.fdb
    ns.remove_device("eth0")
    assert "192.168.66.11" not in ns.local


def test_a_device_that_is_down_sees_nothing() -> None:
    cluster = warm()
    cluster["web1"].update_device("eth0", up=False)
    request = cluster.ping("web2", "web1").request
    assert request is not None
    assert (request.last.verdict, request.last.reason) == (
        "drop",
        "eth0 is down: nothing can come in",
    )
    assert request.frames[-1].device != "eth0"


# -- sockets --------------------------------------------------------------------------------------

BINDINGS = [
    ("0.0.0.0", "10.1.15.3", True), ("10.1.15.3", "0.0.0.0", True), ("10.1.15.3", "10.1.15.3", True),
    ("127.0.0.1", "10.1.15.3", False),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two", "clash"), BINDINGS)
def test_who_may_listen_beside_whom(one: str, two: str, clash: bool) -> None:
    ns = Netns("pod")
    sockets.listen(ns, sockets.Listener("tcp", one, 80, "a"))
    sockets.listen(ns, sockets.Listener("udp", two, 80, "b"))
    sockets.listen(ns, sockets.Listener("tcp", two, 81, "b"))
    if clash:
        with pytest.raises(K8sNetError, match="already in use by a"):
            sockets.listen(ns, sockets.Listener("tcp", two, 80, "b"))
    else:
        sockets.listen(ns, sockets.Listener("tcp", two, 80, "b"))


def test_what_sockets_say_of_what_they_get() -> None:
    cluster = warm()
    got = said(cluster.send("web2", "web1", 53, proto="udp", sport=4000).packets, "web1", "socket")
    assert got[0] == (
        "deliver",
        "UDP port 53 belongs to web1: delivered; it sees the source 10.1.15.2:4000",
    )
    told = said(cluster.send("web2", "web1", 99, proto="udp").packets, "web2", "socket")
    assert told[-1] == (
        "deliver",
        "ICMP port unreachable from 10.1.15.3: the waiting process gets the error",
    )


@pytest.mark.parametrize("established", [True, False], ids=["established", "half open"])
def test_a_reset_ends_a_connection(established: bool) -> None:
    """The server's side: the segment is delivered to it, and its socket is gone."""
    cluster = warm()
    restore(
        cluster["web2"].ruleset, "*filter\n-A INPUT -p tcp -j DROP\nCOMMIT\n"
    )  # it knows of nothing
    ends = IPv4(WEB2, "10.1.15.3", PROTO_TCP)
    traces = walk(cluster, "web2", stack_of((ends, Tcp(4000, 80, SYN, 1000))))
    web1 = cluster["web1"]
    key = ("10.1.15.3", 80, WEB2, 4000)
    assert web1.tcp[key].state == "SYN-RECEIVED"
    if established:
        seq = web1.tcp[key].seq
        walk(cluster, "web2", stack_of((ends, Tcp(4000, 80, ACK, 1001, seq))))
        assert web1.tcp[key].state == "ESTABLISHED"
    traces = walk(cluster, "web2", stack_of((ends, Tcp(4000, 80, RST, 1001))))
    assert said(traces, "web1", "socket") == [
        (
            "deliver",
            "the peer reset the connection" if established else "the client reset the connection",
        )
    ]
    assert key not in web1.tcp


def test_the_numbers_of_a_whole_connection() -> None:
    """Every byte, SYN and FIN count once (RFC 9293 §3.4): each side acknowledges what the other sent."""
    cluster = warm()
    exchange = cluster.connect("web2", "web1", 80, sport=4000)
    assert exchange.ok
    network, due = cluster.network, dict[str, int]()
    flights: list[Packet] = [
        t.frames[0].packet for t in exchange.packets if t.label.startswith("TCP")
    ]
    assert len(flights) == 5
    for packet in flights:
        header = packet.transport
        assert isinstance(header, Tcp)
        other = due.get(packet.ip.dst)
        assert header.ack == (other or 0)
        if packet.ip.src in due:
            assert header.seq == due[packet.ip.src]
        counted = len(packet.payload) + bool(header.flags & SYN) + bool(header.flags & FIN)
        due[packet.ip.src] = (header.seq + counted) & 0xFFFFFFFF
    assert network.last == exchange.packets


def test_a_fragment_waits_thirty_seconds() -> None:
    """net.ipv4.ipfrag_time."""
    for wait, whole in ((30.0, True), (30.5, False)):
        cluster = warm()
        packet = stack_of((IPv4(WEB2, "10.1.15.3", PROTO_UDP, id=9), Udp(4000, 53)), bytes(100))
        first, *rest = split(packet, 60)
        walk(cluster, "web2", first)
        cluster.network.now += wait
        traces = [t for piece in rest for t in walk(cluster, "web2", piece)]
        assert ("UDP" in labels(tuple(traces))) is whole, "web1 answers what is whole"


def test_a_frame_without_ip_leaves_the_tunnel_by_its_lowest_port() -> None:
    question = stack_of(
        (
            Ethernet("02:00:00:00:00:01", BROADCAST_MAC),
            Arp(1, "02:00:00:00:00:01", "10.0.0.1", "00:00:00:00:00:00", "10.0.0.2"),
        )
    )
    assert vxlan.source_port(question) == 32768


def test_segments_have_names() -> None:
    cluster = warm()
    packets = cluster.connect("web2", "web1", 80, sport=4000).packets
    kinds = [
        r.split()[2]
        for v, r in said(packets, "web2", "socket") + said(packets, "web1", "socket")
        if " sends " in r
    ]
    assert kinds == ["SYN", "ACK", "data", "SYN/ACK", "data"]


def test_the_answer_to_a_fin_counts_it() -> None:
    cluster = warm()
    restore(
        cluster["web2"].ruleset, "*filter\n-A INPUT -p tcp -j DROP\nCOMMIT\n"
    )  # it knows of nothing
    ends, key = IPv4(WEB2, "10.1.15.3", PROTO_TCP), ("10.1.15.3", 80, WEB2, 4000)
    walk(cluster, "web2", stack_of((ends, Tcp(4000, 80, SYN, 1000))))
    seq = cluster["web1"].tcp[key].seq
    walk(cluster, "web2", stack_of((ends, Tcp(4000, 80, ACK, 1001, seq))))
    _, closing = walk(cluster, "web2", stack_of((ends, Tcp(4000, 80, FIN | ACK, 1001, seq))))
    header = closing.frames[0].packet.transport
    assert isinstance(header, Tcp)
    assert (header.flags, header.seq, header.ack) == (FIN | ACK, seq, 1002)
    assert cluster["web1"].tcp[key].state == "LAST-ACK"
    walk(cluster, "web2", stack_of((ends, Tcp(4000, 80, ACK, 1002, seq + 1))))
    assert key not in cluster["web1"].tcp


def test_an_error_about_a_daemon_s_datagram_names_the_daemon() -> None:
    cluster = warm()
    cluster.stop_flanneld("node2")
    ignored = [
        r
        for v, r in said(cluster.ping("web2", "backend").packets, "node1", "icmp")
        if v == "ignore"
    ]
    assert ignored == [
        "ICMP port unreachable from 192.168.66.12: it quotes flanneld, whose socket is not connected and is not told"
    ]


def test_a_ping_s_client_gets_the_bytes_back() -> None:
    cluster = warm()
    client = sockets.Client(b"the same bytes")
    web2 = cluster["web2"]
    web2.pings["10.1.15.3", 7] = sockets.UdpSocket(WEB2, 7, client)
    walk(
        cluster,
        "web2",
        stack_of((IPv4(WEB2, "10.1.15.3", PROTO_ICMP), Icmp(8, 0, 7 << 16 | 1)), client.payload),
    )
    assert (client.verdict, client.reply_payload) == ("delivered", b"the same bytes")
