"""ARP: asking, answering, learning, parking, giving up."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.linux.neighbour import current_state, flush
from k8snetlib.linux.netns import Neighbour


@pytest.fixture
def cluster() -> Cluster:
    """A fresh cluster: cold caches."""
    return Cluster.example()


def test_the_asked_one_learns_the_asker(cluster: Cluster) -> None:
    """web1 needs no question of its own to answer web2."""
    exchange = cluster.ping("web2", "web1")
    labels = [trace.label for trace in exchange.packets]
    assert labels == [
        "ARP who-has 10.1.15.3 tell 10.1.15.2",
        "ARP 10.1.15.3 is-at web1:eth0",
        "ICMP echo-request",
        "ICMP echo-reply",
    ]
    asker = cluster["web1"].neighbours["eth0", "10.1.15.2"]
    answered = cluster["web2"].neighbours["eth0", "10.1.15.3"]
    assert (asker.mac, asker.state) == ("02:42:0a:01:0f:02", "STALE")
    assert (answered.mac, answered.state) == ("02:42:0a:01:0f:03", "REACHABLE")


def test_bystanders_learn_nothing(cluster: Cluster) -> None:
    """node1 and web1 hear web2's question for the gateway; only the gateway keeps it."""
    cluster.ping("web2", "node1")
    assert not cluster["web1"].neighbours
    assert ("docker0", "10.1.15.2") in cluster["node1"].neighbours


def test_a_second_exchange_asks_nobody(cluster: Cluster) -> None:
    """Warm caches: no ARP at all, and the parked packet of the first walk keeps its identity."""
    first = cluster.ping("web2", "backend")
    second = cluster.ping("web2", "backend")
    assert [t.label for t in second.packets] == ["ICMP echo-request", "ICMP echo-reply"]
    assert first.request is not None
    parked = [s for s in first.request.steps if s.verdict == "park"]
    assert [s.args[0] for s in parked] == ["10.1.15.1", "192.168.66.12", "10.1.20.3"]


def test_three_questions_then_host_unreachable(cluster: Cluster) -> None:
    """One second apart; the entry is FAILED; both parked senders are told."""
    exchange = cluster.ping("web2", "10.1.15.99")
    asked = [t for t in exchange.packets if t.label.startswith("ARP who-has 10.1.15.99")]
    assert [t.frames[0].time for t in asked] == [0.0, 1.0, 2.0]
    assert exchange.outcome == "unreachable"
    assert exchange.elapsed == 3.0
    assert cluster["web2"].neighbours["eth0", "10.1.15.99"].state == "FAILED"
    reply = exchange.reply
    assert reply is not None
    assert str(reply.frames[0]).startswith("web2:lo out [zero>zero] 10.1.15.2>10.1.15.2 ttl64 len")


def test_a_failed_neighbour_is_asked_for_again(cluster: Cluster) -> None:
    """FAILED does not mean never: the next packet starts a new question."""
    cluster.ping("web2", "10.1.15.99")
    again = cluster.ping("web2", "10.1.15.99")
    assert sum(t.label.startswith("ARP") for t in again.packets) == 3


def test_a_permanent_entry_is_neither_learned_over_nor_flushed(cluster: Cluster) -> None:
    """What an administrator (or flanneld) wrote stays."""
    web1 = cluster["web1"]
    fixed = Neighbour("10.1.15.2", "eth0", "02:00:00:00:00:99", "PERMANENT")
    web1.neighbours["eth0", "10.1.15.2"] = fixed
    exchange = cluster.ping("web2", "web1")
    assert web1.neighbours["eth0", "10.1.15.2"] == fixed
    assert exchange.outcome == "lost"  # the answer goes to a MAC address that nobody has
    flush(web1)
    assert web1.neighbours == {("eth0", "10.1.15.2"): fixed}


def test_a_changed_mac_address_is_learned_from_the_next_question(cluster: Cluster) -> None:
    """The entry follows the sender of an ARP request for this host."""
    cluster.ping("web2", "web1")
    cluster["web2"].update_device("eth0", mac="02:42:0a:01:0f:ee")
    flush(cluster["web2"])
    assert cluster.ping("web2", "web1").ok
    assert cluster["web1"].neighbours["eth0", "10.1.15.2"].mac == "02:42:0a:01:0f:ee"


def test_reachable_turns_stale_with_time(cluster: Cluster) -> None:
    """After base_reachable_time without confirmation; STALE is still used."""
    cluster.ping("web2", "web1")
    entry, web2 = cluster["web2"].neighbours["eth0", "10.1.15.3"], cluster["web2"]
    assert current_state(entry, web2, 30.0) == "REACHABLE"
    assert current_state(entry, web2, 30.1) == "STALE"
    cluster.advance("1h")
    assert cluster.ping("web2", "web1").packets[0].label == "ICMP echo-request"


def test_an_answer_that_nobody_asked_for_teaches_nothing(cluster: Cluster) -> None:
    """The kernel's default (arp_accept=0)."""
    from k8snetlib.linux import neighbour
    from k8snetlib.packet import Arp, Ethernet, Packet

    web1, web2 = cluster["web1"], cluster["web2"]
    mine, theirs = web2.devices["eth0"].mac, web1.devices["eth0"].mac
    forged = Packet(Ethernet(mine, theirs), Arp(2, mine, "10.1.15.1", theirs, "10.1.15.3"))
    cluster.network.begin(web2, neighbour.ask, forged, web2.devices["eth0"])
    cluster.network.settle()
    assert not web1.neighbours


def test_all_packets_that_waited_go_in_their_order(cluster: Cluster) -> None:
    """Two datagrams parked on one question leave in the order in which they came."""
    from k8snetlib.linux import sockets

    network, web2 = cluster.network, cluster["web2"]
    network.record()
    for payload in (b"first", b"second"):
        packet = sockets.datagram(web2, "10.1.15.2", 40000, "10.1.15.3", 53, payload)
        network.begin(web2, sockets.send, packet, "web2")
    network.settle()
    traces, _ = network.freeze(network.flights)
    sent = [t for t in traces if t.label == "UDP" and t.frames[0].netns == "web2"]
    assert [t.frames[0].packet.payload for t in sent] == [b"first", b"second"]
    assert sum(t.label.startswith("ARP who-has 10.1.15.3") for t in traces) == 1
