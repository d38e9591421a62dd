"""flanneld's udp proxy: its list of routes, its habits with TTL, its life and death."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster, K8sNetError
from k8snetlib.address import Prefix
from k8snetlib.flannel.udp import ProxyRoute, UdpProxy
from k8snetlib.packet import Icmp, Slice, Udp


def proxy_with(*subnets: str) -> UdpProxy:
    """A proxy that knows these subnets, in this order."""
    proxy = UdpProxy(Prefix.parse("10.1.0.0/16"), "192.168.66.11", "10.1.15.0")
    for n, subnet in enumerate(subnets, 12):
        proxy.set_route(Prefix.parse(subnet), f"192.168.66.{n}")
    return proxy


def order(proxy: UdpProxy) -> list[str]:
    """The subnets as they stand in the list."""
    return [str(route.subnet) for route in proxy.routes]


THREE = ("10.1.20.0/24", "10.1.30.0/24", "10.1.40.0/24")


def test_a_hit_is_swapped_to_the_front() -> None:
    """Swapped, not moved: the first entry takes the place of the one that hit."""
    proxy = proxy_with(*THREE)
    found = proxy.find_route("10.1.40.9")
    assert found == ProxyRoute(Prefix.parse("10.1.40.0/24"), "192.168.66.14")
    assert order(proxy) == ["10.1.40.0/24", "10.1.30.0/24", "10.1.20.0/24"]


def test_the_first_match_wins_not_the_longest() -> None:
    """flanneld's own list is searched from the front; leases never overlap, so it may."""
    proxy = proxy_with("10.1.0.0/16", "10.1.20.0/24")
    found = proxy.find_route("10.1.20.3")
    assert found is not None
    assert str(found.subnet) == "10.1.0.0/16"


def test_setting_and_deleting_routes() -> None:
    """A known subnet is updated in place; the last entry fills the gap of a deleted one."""
    proxy = proxy_with(*THREE)
    proxy.set_route(Prefix.parse("10.1.30.0/24"), "192.168.66.99")
    assert order(proxy) == list(THREE)
    assert proxy.routes[1].public_ip == "192.168.66.99"
    proxy.del_route(Prefix.parse("10.1.20.0/24"))
    assert order(proxy) == ["10.1.40.0/24", "10.1.30.0/24"]
    proxy.del_route(Prefix.parse("10.1.99.0/24"))
    assert order(proxy) == ["10.1.40.0/24", "10.1.30.0/24"]
    assert proxy.find_route("10.1.20.3") is None


def test_the_inner_packet_is_carried_unchanged_but_for_its_ttl() -> None:
    """A13: the overlay delivers what it was given; four TTL are used on the way (A7)."""
    request = Cluster.example().connect("web2", "backend", 8080).request
    assert request is not None
    first = request.frames[0].packet.innermost
    last = request.frames[-1].packet.innermost
    assert first.ip.ttl - last.ip.ttl == 4
    assert first.ip._replace(ttl=0) == last.ip._replace(ttl=0)
    assert first.headers[1:] == last.headers[1:]
    assert first.payload == last.payload


def test_the_outer_packet() -> None:
    """Node to node, port 8285 on both sides, don't-fragment, a fresh TTL."""
    request = Cluster.example().connect("web2", "backend", 8080).request
    assert request is not None
    (outer,) = {f.packet.headers[1] for f in request.frames if f.packet.encapsulated}
    assert (outer.src, outer.dst, outer.ttl, outer.df) == (
        "192.168.66.11", "192.168.66.12", 64, True,
    )  # fmt: skip
    wrapped = next(f.packet for f in request.frames if f.packet.encapsulated)
    assert wrapped.transport == Udp(8285, 8285)


def test_no_lease_is_answered_by_flanneld_itself_and_the_kernel_drops_the_answer() -> None:
    """ICMP net unreachable from flannel0's address, TTL 8, quoting 28 bytes. It arrives on flannel0
    with a source address of this very host, and such a packet is a martian (seen on Linux 6.18:
    what a process writes into a TUN device with the device's own address goes nowhere)."""
    exchange = Cluster.example().connect("web2", "10.1.99.1", 80)
    assert (exchange.outcome, exchange.reply) == ("lost", None)
    answer = next(t for t in exchange.packets if t.label == "ICMP net-unreachable")
    assert (answer.end, answer.last.verdict) == ("node1", "drop")
    assert answer.last.reason.endswith("arrived on flannel0: a martian")
    written = answer.frames[0].packet
    assert (written.ip.src, written.ip.ttl) == ("10.1.15.0", 8)
    assert isinstance(written.transport, Icmp)
    assert isinstance(written.payload, Slice)
    assert len(written.payload) == 28


def test_flanneld_never_answers_an_icmp_packet() -> None:
    """RFC 792: no ICMP about ICMP; the ping is simply lost."""
    exchange = Cluster.example().ping("web2", "10.1.99.1")
    assert exchange.outcome == "lost"
    assert exchange.reply is None


@pytest.mark.parametrize(
    ("node", "where", "stage"),
    [("node1", "router", "icmp"), ("node2", "node2", "socket")],
    ids=["sender's node", "receiver's node"],
)
def test_when_flanneld_stops(node: str, where: str, stage: str) -> None:
    """flannel0 and its route vanish with it, so the packet takes the default route to the router,
    or the outer packet finds nobody on port 8285."""
    cluster = Cluster.example()
    assert cluster.ping("web2", "backend").ok
    cluster.stop_flanneld(node)
    assert "flannel0" not in cluster[node].devices
    assert "10.1.0.0/16" not in [str(r.prefix) for r in cluster[node].routes]
    exchange = cluster.connect("web2", "backend", 8080)
    assert exchange.outcome == "lost"
    assert exchange.request is not None
    assert (exchange.request.end, exchange.request.last.stage) == (where, stage)
    assert cluster.ping("web2", "web1").ok, "the same node needs no flanneld"
    cluster.start_flanneld(node)
    assert cluster.connect("web2", "backend", 8080).ok


def test_stopping_twice_and_starting_twice_are_mistakes() -> None:
    """One clear sentence each."""
    cluster = Cluster.example()
    with pytest.raises(K8sNetError, match="runs on node1 already"):
        cluster.start_flanneld("node1")
    cluster.stop_flanneld("node1")
    with pytest.raises(K8sNetError, match=r"does not run on node1\. It runs on: node2, node3"):
        cluster.stop_flanneld("node1")
    with pytest.raises(K8sNetError, match="no node called 'web1'"):
        cluster.start_flanneld("web1")


def test_a_datagram_that_is_no_ip_packet_is_dropped() -> None:
    """Whoever sends rubbish to port 8285 gets no answer."""
    exchange = Cluster.example().send("client", "node1", 8285, payload=b"rubbish")
    assert exchange.outcome == "lost"
    assert "this is none" in exchange.reason


def test_nobody_reads_the_tun() -> None:
    """A process that hangs leaves packets in the device; the kernel tells nobody."""
    cluster = Cluster.example()
    cluster["node1"].processes["flanneld"].running = False
    exchange = cluster.ping("web2", "backend")
    assert exchange.outcome == "lost"
    assert "no process reads it" in exchange.reason


def test_a_clone_of_a_proxy_is_independent() -> None:
    """The order of its list is its own."""
    cluster = Cluster.example()
    other = cluster.clone()
    other.ping("web2", "backend-c")
    mine, theirs = (c["node1"].processes["flanneld"] for c in (cluster, other))
    assert order(mine) == ["10.1.20.0/24", "10.1.30.0/24"]
    assert order(theirs) == ["10.1.30.0/24", "10.1.20.0/24"]
