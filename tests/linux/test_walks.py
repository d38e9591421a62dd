"""Walks through the example cluster, as a table that a network engineer can review.

Each row: who sends what to whom, how it ends, the TTL that arrives, and a word of the reason.
A failing row prints the whole walk.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from k8snetlib import Cluster, Exchange


class Row(NamedTuple):
    """One walk and what must come of it."""

    source: str
    target: str
    options: dict[str, Any]
    outcome: str
    ttl: int | None = None
    says: str = ""
    flanneld: str = "--ip-masq"


TCP, UDP, PING = {"proto": "tcp"}, {"proto": "udp"}, {"proto": "icmp"}
ROWS = {
    "same node": Row("web2", "web1", {**TCP, "port": 80}, "delivered", 64),
    "same node, ping": Row("web2", "web1", PING, "delivered", 64),
    "same node, udp": Row("web2", "web1", {**UDP, "port": 53}, "delivered", 64),
    "across nodes": Row("web2", "backend", {**TCP, "port": 8080}, "delivered", 60),
    "across nodes, ping": Row("web2", "backend", PING, "delivered", 60),
    "across nodes, udp": Row("web1", "backend-c", {**UDP, "port": 53}, "delivered", 60),
    "closed port": Row("web2", "backend", {**TCP, "port": 81}, "refused", 60, "reset"),
    "closed udp port": Row("web2", "backend", {**UDP, "port": 81}, "refused", 60, "port unreach"),
    "pod to its node": Row("web2", "node1", {**TCP, "port": 10250}, "delivered", 64),
    "pod to its bridge": Row("web2", "10.1.15.1", {**TCP, "port": 10250}, "delivered", 64),
    "node to its pod": Row("node1", "web2", {**TCP, "port": 80}, "delivered", 64),
    "node to a far pod": Row("node1", "backend", {**TCP, "port": 8080}, "delivered", 61),
    "node to node": Row("node1", "node2", {**TCP, "port": 10250}, "delivered", 64),
    "client to node": Row("client", "node3", {**TCP, "port": 10250}, "delivered", 64),
    "client beyond router": Row("client", "ext", {**TCP, "port": 80}, "delivered", 63),
    "localhost": Row("web1", "127.0.0.1", {**TCP, "port": 9000}, "delivered", 64),
    "own address": Row("web1", "web1", {**TCP, "port": 80}, "delivered", 64),
    "sidecar from a peer": Row("web2", "web1", {**TCP, "port": 9000}, "refused", 64),
    "localhost is the pod's": Row("web2", "127.0.0.1", {**TCP, "port": 9000}, "refused", 64),
    "nobody there, own subnet": Row("web2", "10.1.15.99", PING, "unreachable", None, "10.1.15.2 s"),
    "nobody there, far subnet": Row("web2", "10.1.20.99", PING, "unreachable", None, "10.1.20.0 s"),
    "no lease": Row("web2", "10.1.99.1", {**TCP, "port": 80}, "lost", None, "a martian"),
    "no lease, ping": Row("web2", "10.1.99.1", PING, "lost", None, "flanneld's routes"),
    "ttl 1": Row("web2", "backend", {**PING, "ttl": 1}, "ttl-exceeded", None, "10.1.15.1 said"),
    "ttl 2": Row("web2", "backend", {**PING, "ttl": 2}, "lost", None, "without a word"),
    "ttl 3": Row("web2", "backend", {**PING, "ttl": 3}, "lost", None, "without a word"),
    "ttl 4": Row("web2", "backend", {**PING, "ttl": 4}, "ttl-exceeded", None, "10.1.20.0 said"),
    "ttl 5": Row("web2", "backend", {**PING, "ttl": 5}, "delivered", 1),
    "pod to the outside": Row("web2", "ext", PING, "delivered", 62, "answered"),
    "pod to the outside, no masquerade": Row(
        "web2", "ext", PING, "lost", 62, "no route to 10.1.15.2", "--ip-masq=false"
    ),
    "client to a pod": Row("client", "web2", PING, "unreachable", None, "192.168.66.1 said"),
}


def run(row: Row) -> Exchange:
    """One walk in a fresh cluster: cold caches."""
    return Cluster.example(flanneld=row.flanneld).send(row.source, row.target, **row.options)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_walk(row: Row) -> None:
    """Fate, reason and TTL at the receiver."""
    exchange = run(row)
    assert exchange.outcome == row.outcome, f"{exchange}"
    assert row.says in exchange.reason, f"{exchange}"
    if row.ttl is not None:
        assert exchange.request is not None
        assert exchange.request.last.packet.innermost.ip.ttl == row.ttl, f"{exchange}"


def test_every_pod_reaches_every_pod_with_its_own_address() -> None:
    """A1: one flat network, and no address is translated on the way."""
    cluster = Cluster.example()
    for one in cluster.spec.pods:
        for other in cluster.spec.pods:
            exchange = cluster.ping(one.name, other.name)
            assert exchange.ok, f"{exchange}"
            assert exchange.request is not None
            assert exchange.request.last.packet.ip.src == one.ip


def test_the_same_seed_gives_the_same_walk() -> None:
    """Chance and time come from outside; another seed draws another source port."""
    walks = [Cluster.example(seed=n).connect("web2", "backend", 8080) for n in (1, 1, 2)]
    texts = [[str(frame) for frame in walk.capture()] for walk in walks]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_a_clone_is_a_what_if() -> None:
    """What happens in the clone leaves no trace in the original."""
    cluster = Cluster.example()
    other = cluster.clone()
    other.stop_flanneld("node1")
    assert other.ping("web2", "backend").outcome == "lost"
    assert cluster.ping("web2", "backend").ok
    assert "flannel0" not in other["node1"].devices
    assert "flannel0" in cluster["node1"].devices
    other["web2"].neighbours.clear()
    assert cluster["web2"].neighbours


def test_connections_leave_no_sockets_behind() -> None:
    """Both sides close; the ports are free for the next connection."""
    cluster = Cluster.example()
    for _ in range(3):
        assert cluster.connect("web2", "backend", 8080, sport=40000).ok
    cluster.ping("web2", "backend")
    cluster.send("web2", "backend", 53, proto="udp")
    for ns in cluster.network.netns.values():
        assert not ns.tcp
        assert not ns.udp
        assert not ns.pings


def test_a_walk_that_goes_in_circles_is_stopped() -> None:
    """Two switches joined by two cables: a broadcast would go round for ever."""
    from k8snetlib.errors import K8sNetError
    from k8snetlib.linux import network as module
    from k8snetlib.linux.netns import Device, Netns

    cluster = Cluster.example()
    network, switch = cluster.network, cluster.network["switch"]
    other = network.add(Netns("switch2", "switch"))
    other.add_device(Device("br0", "bridge", "0a:5b:00:00:00:02"))
    for n in (1, 2):
        ends = (switch, f"x{n}", f"0a:5b:00:00:01:0{n}"), (other, f"x{n}", f"0a:5b:00:00:02:0{n}")
        network.wire(*ends)
        switch.enslave(f"x{n}", "br0")
        other.enslave(f"x{n}", "br0")
    most, module.MOST_MOVES = module.MOST_MOVES, 2000
    try:
        with pytest.raises(K8sNetError, match="round in circles"):
            cluster.ping("node1", "node2")
    finally:
        module.MOST_MOVES = most


def test_a_connection_without_a_request_is_delivered_when_it_stands() -> None:
    """``payload=0``: SYN, SYN/ACK, ACK, and nothing to wait for."""
    cluster = Cluster.example()
    exchange = cluster.connect("web2", "web1", 80, payload=0)
    assert exchange.outcome == "delivered"
    labels = [t.label for t in exchange.packets if not t.label.startswith("ARP")]
    assert labels == ["TCP S", "TCP SA", "TCP A"]
    assert not cluster["web1"].tcp


@pytest.mark.parametrize(
    ("mode", "backend", "client"),
    [(0, "delivered", "delivered"), (1, "lost", "delivered"), (2, "delivered", "delivered")],
    ids=["off", "strict", "loose"],
)
def test_reverse_path_filter(mode: int, backend: str, client: str) -> None:
    """Strict: a packet must come in where the way back to its sender leads out."""
    cluster = Cluster.example()
    node2 = cluster["node2"]
    node2.sh("ip route add 10.1.15.0/24 via 192.168.66.11 dev eth0")  # answers would leave by eth0
    node2.sysctls["net.ipv4.conf.all.rp_filter"] = mode
    exchange = cluster.ping("web2", "backend")
    assert exchange.outcome == backend, f"{exchange}"
    assert cluster.ping("client", "node2").outcome == client
    if mode == 1:
        assert "rp_filter is 1: the way back to 10.1.15.2 is by eth0" in exchange.reason
