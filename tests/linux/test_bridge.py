"""The learning bridge: learn, forward, flood, filter, age; hairpin; its own MAC addresses."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster, Trace
from k8snetlib.linux import bridge
from k8snetlib.linux.netns import BRIDGE_AGEING


def boxes(trace: Trace, netns: str, stage: str) -> list[str]:
    """The reasons of one stage in one namespace."""
    return [s.reason for h in trace.hops if h.netns == netns for s in h.steps if s.stage == stage]


@pytest.fixture
def cluster() -> Cluster:
    """A fresh cluster: nothing learned yet."""
    return Cluster.example()


def test_it_learns_from_the_source_and_forwards_by_the_destination(cluster: Cluster) -> None:
    """After one exchange both pods are known behind their own ports."""
    exchange = cluster.ping("web2", "web1")
    node1 = cluster["node1"]
    for pod in ("web1", "web2"):
        entry = node1.fdb["docker0", cluster[pod].devices["eth0"].mac]
        assert (entry.port, entry.local) == (f"veth-{pod}", False)
    request = exchange.request
    assert request is not None
    assert boxes(request, "node1", "bridge") == [
        "the forwarding database says 02:42:0a:01:0f:03 is behind veth-web1"
    ]
    assert [hop.netns for hop in request.hops] == ["web2", "node1", "web1"]


def test_an_unknown_destination_is_flooded_to_all_other_ports(cluster: Cluster) -> None:
    """The neighbour table still knows the MAC address, but the bridge has forgotten it."""
    cluster.ping("backend", "backend-b")
    node2 = cluster["node2"]
    node2.fdb = {key: entry for key, entry in node2.fdb.items() if entry.local}
    request = cluster.ping("backend", "backend-b").request
    assert request is not None
    (said,) = boxes(request, "node2", "bridge")
    assert "nobody knows yet where 02:42:0a:01:14:04 is" in said
    # Hairpin is on, so the flood goes back to the sender too, who puts it aside.
    ignored = [h for h in request.hops if h.netns == "backend" and h.device == "eth0"]
    assert [s.verdict for s in ignored[0].steps] == ["pass", "ignore"]


def test_entries_age(cluster: Cluster) -> None:
    """Not refreshed for 300 seconds: forgotten."""
    cluster.ping("web2", "web1")
    node1, mac = cluster["node1"], cluster["web1"].devices["eth0"].mac
    now = cluster.network.now
    assert bridge.lookup(node1, "docker0", mac, now + BRIDGE_AGEING - 1) is not None
    assert bridge.lookup(node1, "docker0", mac, now + BRIDGE_AGEING) is None
    assert ("docker0", mac) not in node1.fdb


def test_a_station_that_moves_is_learned_anew(cluster: Cluster) -> None:
    """The last port that a source was seen on wins; a bridge's own entry never moves."""
    node1 = cluster["node1"]
    mac = cluster["web1"].devices["eth0"].mac
    bridge.learn(node1, "docker0", "veth-web1", mac, 1.0)
    bridge.learn(node1, "docker0", "veth-web2", mac, 2.0)
    assert node1.fdb["docker0", mac].port == "veth-web2"
    own = node1.devices["veth-web1"].mac
    bridge.learn(node1, "docker0", "veth-web2", own, 3.0)
    assert node1.fdb["docker0", own].port == "veth-web1"


@pytest.mark.parametrize(("hairpin", "copies"), [(True, 1), (False, 0)], ids=["on", "off"])
def test_hairpin_decides_whether_a_port_gets_its_own_broadcast(hairpin: bool, copies: int) -> None:
    """docker0's ports reflect an ARP request to its own sender only in hairpin mode."""
    cluster = Cluster.example()
    for port in ("veth-web1", "veth-web2"):
        cluster["node1"].update_device(port, hairpin=hairpin)
    arp = cluster.ping("web2", "web1").packets[0]
    assert arp.label == "ARP who-has 10.1.15.3 tell 10.1.15.2"
    back = [h for h in arp.hops if h.netns == "web2" and h.device == "eth0"]
    assert len(back) == copies


def test_a_frame_for_the_port_it_came_from_is_dropped_without_hairpin() -> None:
    """A pod that sends to its own address through the bridge needs hairpin mode."""
    from k8snetlib.linux.stack import Visit
    from k8snetlib.packet import Ethernet, IPv4, stack_of

    cluster = Cluster.example()
    cluster.ping("web2", "web1")
    cluster["node1"].update_device("veth-web2", hairpin=False)
    mac = cluster["web2"].devices["eth0"].mac
    frame = stack_of((Ethernet(mac, mac), IPv4("10.1.15.2", "10.1.15.2", 89)))
    network = cluster.network
    network.record()
    network.begin(cluster["web2"], Visit.transmit, frame, cluster["web2"].devices["eth0"])
    network.settle()
    (trace,), _ = network.freeze(network.flights)
    assert trace.last.verdict == "drop"
    assert "hairpin mode is off" in trace.last.reason


def test_the_bridge_costs_no_ttl_and_keeps_the_macs(cluster: Cluster) -> None:
    """A bridge is no router (belief TTL_BRIDGE)."""
    request = cluster.ping("web2", "web1").request
    assert request is not None
    frames = [frame.packet for frame in request.frames]
    assert len({(p.ethernet, p.ip.ttl) for p in frames}) == 1
    assert frames[0].ip.ttl == 64


def test_a_bridge_that_is_down_forwards_nothing(cluster: Cluster) -> None:
    """Neither between its ports nor to its host."""
    cluster.ping("web2", "web1")
    cluster["node1"].update_device("docker0", up=False)
    exchange = cluster.ping("web2", "web1")
    assert exchange.outcome == "lost"
    assert exchange.reason.endswith("docker0 is down")
