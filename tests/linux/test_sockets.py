"""Sockets: what leaves them if nobody says otherwise, and whom an error reaches."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.linux import exchange, sockets, tcp
from k8snetlib.packet import ACK, FIN, PROTO_TCP, PROTO_UDP, PSH, IPv4, Tcp, Udp, stack_of
from tests.linux.test_details import WEB2, said, walk, warm

WEB1 = "10.1.15.3"


@pytest.mark.parametrize("proto", ["tcp", "udp", "icmp"])
def test_a_kernel_forbids_fragments_unless_a_process_asks_for_them(proto: str) -> None:
    """net.ipv4.ip_no_pmtu_disc is 0: whoever sends wants to learn the path's MTU (ip(7))."""
    cluster = warm()
    for df in ({}, {"df": True}, {"df": False}):
        sent = exchange.send(cluster.network, cluster["web2"], WEB1, 80, proto=proto, **df)
        assert sent.request is not None
        assert sent.request.frames[0].packet.ip.df is df.get("df", True)


def test_an_error_about_a_server_s_answer_reaches_no_process() -> None:
    """The client is gone when the answer comes; the server's socket is not connected: udp_err()."""
    cluster = warm()
    question = stack_of((IPv4(WEB2, WEB1, PROTO_UDP), Udp(4000, 53)), b"?")
    traces = walk(cluster, "web2", question)
    ((verdict, reason),) = [step for step in said(traces, "web1", "icmp") if "unreach" in step[1]]
    assert verdict == "ignore"
    assert reason == (
        "ICMP port unreachable from 10.1.15.2: it quotes web1, whose socket is not connected and is "
        "not told"
    )


def test_a_client_s_fin_counts_as_one_byte() -> None:
    """RFC 9293 §3.10.4: the acknowledgement of the server's FIN comes after the client's own."""
    cluster = warm()
    network, web2 = cluster.network, cluster["web2"]
    client, ends = sockets.Client(b"GET / HTTP/1.1\r\n\r\n"), ((WEB2, 4000), (WEB1, 80))
    tcp.connect(network, web2, "web2", *ends, client)
    network.settle()
    network.record()
    tcp.close(network, web2, (*ends[0], *ends[1]))
    network.settle()
    segments = [t.frames[0].packet.transport for t in network.freeze(network.flights)[0]]
    assert all(isinstance(s, Tcp) for s in segments)
    first, answer, last = (s for s in segments if isinstance(s, Tcp))
    assert (first.flags, answer.flags, last.flags) == (FIN | ACK, FIN | ACK, ACK)
    assert (answer.seq, answer.ack) == (first.ack, first.seq + 1)
    assert (last.seq, last.ack) == (first.seq + 1, answer.seq + 1)


@pytest.mark.parametrize(("flags", "name"), [(FIN, "F"), (0, "TCP without flags"), (PSH, "P")])
def test_what_cannot_open_a_connection(flags: int, name: str) -> None:
    """tcp_rcv_state_process() in LISTEN: neither SYN, nor ACK, nor RST."""
    traces = walk(warm(), "web2", stack_of((IPv4(WEB2, WEB1, PROTO_TCP), Tcp(4000, 80, flags))))
    ((verdict, reason),) = said(traces, "web1", "socket")
    assert verdict == "drop"
    assert reason == f"a {name} segment cannot open a connection: ignored"


def test_time_stamps_are_milliseconds() -> None:
    """RFC 7323; tcp_clock_ms()."""
    cluster = Cluster.example()
    cluster.advance("90.5s")
    cluster.connect("web2", "web1", 80)
    assert "TS val 90500 ecr" in cluster["web2"].sh("tcpdump -n -i eth0 tcp")


def test_a_copy_waits_until_nothing_moves() -> None:
    cluster = Cluster.example()
    network, web2 = cluster.network, cluster["web2"]
    packet = sockets.datagram(web2, WEB2, 4000, WEB1, 53, b"?")
    network.begin(web2, sockets.send, packet, "web2")
    twin = network.clone()
    for one in (network, twin):
        assert ("eth0", WEB1) in one["web2"].neighbours
