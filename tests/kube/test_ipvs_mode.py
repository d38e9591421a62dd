"""kube-proxy in IPVS mode on the example cluster, as a table of flows; and how it changes state."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from k8snetlib import Cluster, Exchange
from k8snetlib.errors import NotModelled
from k8snetlib.kube.api import (
    EndpointSlice,
)
from k8snetlib.lab.cli import run_script, run_verify

NODE1, NODE2 = "192.168.66.11", "192.168.66.12"


class Flow(NamedTuple):
    """Who sends what to whom; how it ends and where; what the receiver sees as its source."""

    source: str
    target: str
    port: int | None
    outcome: str
    end: str
    seen: str = ""
    proto: str = "tcp"
    says: str = ""


FLOWS = {
    "pod to cluster ip": Flow("web2", "10.96.0.10", 80, "delivered", "backend-c", "10.1.15.2"),
    "pod to cluster ip, udp": Flow(
        "web2", "10.96.0.53", 53, "delivered", "backend-c", "10.1.15.2", "udp",
    ),
    "pod to cluster ip, backend on its own node": Flow(
        "backend-b", "10.96.0.11", 80, "delivered", "backend", "10.1.20.4",
    ),
    "hairpin": Flow("backend", "10.96.0.11", 80, "delivered", "backend", "10.1.20.1"),
    "node to cluster ip": Flow("node1", "10.96.0.10", 80, "delivered", "backend-c", "10.1.15.0"),
    "node to cluster ip, udp": Flow(
        "node3", "10.96.0.53", 53, "delivered", "backend-c", "10.1.30.1", "udp",
    ),
    "pod to node port, own node": Flow("web2", NODE1, 30080, "delivered", "backend-c", "10.1.15.0"),
    "pod to node port, other node": Flow(
        "web2", NODE2, 30080, "delivered", "backend-c", "10.1.20.0",
    ),
    "pod to node port on the bridge": Flow(
        "web2", "10.1.15.1", 30080, "delivered", "backend-c", "10.1.15.0",
    ),
    "node to its own node port": Flow("node1", NODE1, 30080, "delivered", "backend-c", "10.1.15.0"),
    "node to another's node port": Flow(
        "node1", NODE2, 30080, "delivered", "backend-c", "10.1.20.0",
    ),
    "outside to node port": Flow("client", NODE1, 30080, "delivered", "backend-c", "10.1.15.0"),
    "beyond the router to node port": Flow(
        "ext", NODE1, 30080, "delivered", "backend-c", "10.1.15.0",
    ),
    "outside, Local, endpoint here": Flow(
        "client", NODE2, 30081, "delivered", "backend", "192.168.66.100",
    ),
    "outside, Local, no endpoint here": Flow(
        "client", NODE1, 30081, "delivered", "backend", "10.1.15.0", says="FLANNEL-POSTRTG",
    ),
    "pod, Local, no endpoint here": Flow("web2", NODE1, 30081, "delivered", "backend", "10.1.15.2"),
    "no endpoints": Flow(
        "web2", "10.96.0.20", 80, "refused", "node1", says="has no real server: tell the sender",
    ),
    "no endpoints, udp": Flow(
        "web2", "10.96.0.20", 53, "refused", "node1", proto="udp", says="has no real server",
    ),
    "no endpoints, node": Flow("node1", "10.96.0.20", 80, "refused", "node1", says="no real"),
    "no endpoints, node port": Flow("client", NODE1, 30082, "refused", "node1", says="no real"),
    "ping to a cluster ip": Flow(
        "web2", "10.96.0.10", None, "rejected", "node1", proto="icmp", says="KUBE-IPVS-IPS",
    ),
    "ping from the node": Flow(
        "node1", "10.96.0.10", None, "rejected", "node1", proto="icmp", says="KUBE-IPVS-IPS",
    ),
    "wrong port": Flow("web2", "10.96.0.10", 81, "rejected", "node1", says="KUBE-IPVS-IPS"),
    "a port of the node by a cluster ip": Flow(
        "web2", "10.96.0.10", 10250, "rejected", "node1", says="KUBE-IPVS-IPS",
    ),
    "node port on localhost": Flow("node1", "127.0.0.1", 30080, "refused", "node1", says="reset"),
    "the node's own port": Flow("web2", NODE1, 10250, "delivered", "node1", "10.1.15.2"),
    "cluster ip from outside": Flow("client", "10.96.0.10", 80, "unreachable", "router"),
}  # fmt: skip


@pytest.fixture(scope="module")
def example() -> Cluster:
    return Cluster.example(proxy_mode="ipvs")


def sent(cluster: Cluster, source: str, target: str, port: int | None, proto: str) -> Exchange:
    """One send, on a copy."""
    copy = cluster.clone()
    if proto == "icmp":
        return copy.ping(source, target)
    return copy.send(source, target, port, proto=proto)


@pytest.mark.parametrize("name", FLOWS)
def test_flow(example: Cluster, name: str) -> None:
    """Its fate, the receiver, the source that it sees, and a word of the reason."""
    flow = FLOWS[name]
    exchange = sent(example, flow.source, flow.target, flow.port, flow.proto)
    request = exchange.request
    assert request is not None
    assert (exchange.outcome, request.end) == (flow.outcome, flow.end), exchange
    if flow.seen:
        assert request.last.packet.ip.src == flow.seen
        assert exchange.reply is not None
        assert exchange.reply.last.packet.ip.src == flow.target, "the answer is the target's"
    rules = [str(rule) for step in request.steps for rule in step.rules]
    assert flow.says in "\n".join([request.last.reason, *rules]), exchange


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
@pytest.mark.parametrize(
    ("source", "target", "port"),
    [("web2", "10.96.0.10", 80), ("node1", "10.96.0.10", 80), ("client", NODE1, 30080),
     ("backend", "10.96.0.11", 80), ("ext", NODE2, 30081)],
)  # fmt: skip
def test_other_backends(backend: str, source: str, target: str, port: int) -> None:
    """The overlay is another; IPVS is the same."""
    assert Cluster.example(backend, proxy_mode="ipvs").connect(source, target, port).ok


def test_a_ping_is_answered_where_the_filter_is_gone(example: Cluster) -> None:
    """The address is the node's own: only KUBE-IPVS-FILTER (since Kubernetes 1.27) stands between,
    until kube-proxy puts it back half a minute later."""
    copy = example.clone()
    copy["node1"].sh("iptables -F KUBE-IPVS-FILTER")
    exchange = copy.ping("web2", "10.96.0.10")
    assert exchange.ok
    assert exchange.request is not None and exchange.request.end == "node1"
    assert copy.connect("web2", "10.96.0.10", 10250).ok, "and the node's own ports are open there"
    copy.advance(31)
    assert copy.ping("web2", "10.96.0.10").outcome == "rejected"


def test_round_robin_on_each_node(example: Cluster) -> None:
    """Not chance: each node counts for itself, and knows nothing of the others."""
    copy = example.clone()

    def four(source: str) -> list[str]:
        found = [copy.connect(source, "10.96.0.10", 80).request for _ in range(4)]
        return [trace.end for trace in found if trace is not None]

    once = ["backend-c", "backend-b", "backend", "backend-c"]
    assert four("web2") == once
    assert four("backend") == once
    assert four("web1") == ["backend-b", "backend", "backend-c", "backend-b"], "goes on"


def test_all_fates_are_one(example: Cluster) -> None:
    """Nothing is left to chance."""
    (fate,) = example.outcomes("web2", "10.96.0.10", 80)
    assert fate.probability == 1


def test_connections_go_on_while_a_real_server_leaves(example: Cluster) -> None:
    """Graceful termination: weight 0 while a connection lives, then it is gone. Over UDP at once."""
    copy = example.clone()
    ns = copy["node1"]
    copy.connect("web2", "10.96.0.10", 80, endpoint="backend")
    copy.send("web2", "10.96.0.53", 53, proto="udp", endpoint="backend")
    for name, service in (("backend-svc-1", "backend-svc"), ("kube-dns-1", "kube-dns")):
        _without(copy, name, service, "10.1.20.3")
    rows = {line.split()[1]: line.split()[3:] for line in
            ns.sh("ipvsadm -Ln -t 10.96.0.10:80").splitlines()[3:]}  # fmt: skip
    assert rows["10.1.20.3:8080"] == ["0", "0", "1"], "weight 0, one connection still"
    assert "10.1.20.3:53" not in ns.sh("ipvsadm -Ln -u 10.96.0.53:53"), "udp does not wait"
    assert "10.1.20.3" not in copy["node2"].sh("ipvsadm -Ln -t 10.96.0.10:80"), "idle there: gone"
    copy.advance(60)
    assert "10.1.20.3" in ns.sh("ipvsadm -Ln -t 10.96.0.10:80"), "TIME_WAIT is two minutes"
    copy.advance(130)
    assert "10.1.20.3" not in ns.sh("ipvsadm -Ln -t 10.96.0.10:80")
    assert all(not a.proxier.leaving for a in copy.network.agents if hasattr(a, "proxier"))


def test_a_leaving_real_server_that_is_wanted_again(example: Cluster) -> None:
    """It is taken off the list and gets its weight back."""
    copy = example.clone()
    copy.connect("web2", "10.96.0.10", 80, endpoint="backend")
    whole = _without(copy, "backend-svc-1", "backend-svc", "10.1.20.3")
    _api(copy).put(whole)
    copy.network.settle()
    server = copy["node1"].ipvs.service(("tcp", "10.96.0.10", 80)).server("10.1.20.3", 8080)
    assert server is not None and (server.weight, server.active, server.inactive) == (1, 0, 0)
    copy.advance(300)
    assert len(copy["node1"].ipvs.service(("tcp", "10.96.0.10", 80)).servers) == 3


def _api(cluster: Cluster) -> Any:
    return cluster.network.agents["apiserver"]


def _without(cluster: Cluster, name: str, service: str, ip: str) -> EndpointSlice:
    """Takes an endpoint out of a slice; returns the slice as it was."""
    (before,) = [s for s in _api(cluster).list(EndpointSlice) if s.service == service]
    assert before.name == name
    left = tuple(e for e in before.endpoints if e.ip != ip)
    _api(cluster).put(before._replace(endpoints=left))
    cluster.network.settle()
    found: EndpointSlice = before
    return found


def test_it_looks_again_every_half_minute(example: Cluster) -> None:
    """flannel0 came after the first sync, and has node ports then; what somebody deleted is back."""
    copy = example.clone()
    ns = copy["node1"]
    assert ("tcp", "10.1.15.0", 30080) not in ns.ipvs.services
    copy.advance(31)
    assert ("tcp", "10.1.15.0", 30080) in ns.ipvs.services
    ns.sh("ipvsadm -D -t 10.96.0.10:80; ip addr del 10.96.0.11/32 dev kube-ipvs0")
    ns.sh("ipvsadm -A -t 198.51.100.7:80 -s rr; iptables -t nat -F KUBE-SERVICES")
    assert copy.connect("web2", "10.96.0.10", 80).outcome == "refused"
    copy.advance(31)
    assert copy.connect("web2", "10.96.0.10", 80).ok
    assert ns.is_local("10.96.0.11")
    assert ("tcp", "198.51.100.7", 80) not in ns.ipvs.services
    assert copy.connect("node1", "10.96.0.10", 80).ok


def test_it_stays_when_kube_proxy_is_stopped_and_comes_again(example: Cluster) -> None:
    """The kernel goes on as it was told; a new process sets weights to 1."""
    copy = example.clone()
    ns = copy["node1"]
    ns.sh("systemctl stop kube-proxy")
    assert copy.connect("web2", "10.96.0.10", 80).ok
    ns.sh("ipvsadm -e -t 10.96.0.10:80 -r 10.1.20.3:8080 -m -w 0")
    ns.sh("systemctl start kube-proxy")
    assert {s.weight for s in ns.ipvs.service(("tcp", "10.96.0.10", 80)).servers} == {1}


def test_nothing_is_checked_against_a_kernel(example: Cluster) -> None:
    """verify and script say so in one sentence."""
    for run in (run_verify, run_script):
        with pytest.raises(NotModelled, match="IPVS cannot be checked against a kernel"):
            run(example)
