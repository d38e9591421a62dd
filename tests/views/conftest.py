"""Clusters and exchanges that the tests of pictures share. They are values, so one is enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8snetlib import Cluster, Exchange
from k8snetlib.linux.netfilter.save import restore
from k8snetlib.topology import Host, Port, Topology


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster.example()


@pytest.fixture(scope="session")
def exchange() -> Exchange:
    return Cluster.example().connect("web2", "10.1.20.3", port=8080)


KERNEL = Path(__file__).parents[1] / "kernel"


def with_rules(backend: str = "udp") -> Cluster:
    """The example cluster with the rules that its nodes had in the recording."""
    cluster = Cluster.example(backend)
    for node in cluster.nodes:
        text = (KERNEL / f"{node}.iptables-save.txt").read_text(encoding="utf-8")
        restore(cluster[node].ruleset, text)
    return cluster


@pytest.fixture(scope="session")
def service() -> Exchange:
    """A pod sends to a Service whose endpoint is on another node, by vxlan."""
    return with_rules("vxlan").connect("web2", "10.96.0.10", port=80, endpoint="backend")


@pytest.fixture(scope="session")
def bridged() -> Exchange:
    """A pod sends to a Service whose endpoint is on its own bridge."""
    cluster = with_rules("host-gw")
    return cluster.connect("backend", "10.96.0.10", port=80, endpoint="backend-b")


def nodes_with_pods(pods: list[int]) -> Topology:
    """A topology of ``len(pods)`` nodes; ``pods[i]`` pods on the i-th."""
    hosts, switch = [], [Port("br0", "bridge", "", 1500, True, (), None, None, None)]
    for i, count in enumerate(pods, 1):
        node = f"node{i}"
        ports = [
            Port("eth0", "veth", "", 1500, True, (f"192.168.66.{i}/24",), None,
                 ("switch", f"p-{node}"), None),
            Port("docker0", "bridge", "", 1472, True, (f"10.1.{i}.1/24",), None, None, None),
            Port("flannel0", "tun", "", 1472, True, (f"10.1.{i}.0/32",), None, None, "flanneld"),
        ]  # fmt: skip
        switch.append(Port(f"p-{node}", "veth", "", 1500, True, (), "br0", (node, "eth0"), None))
        for n in range(count):
            pod = f"pod{i}-{n}"
            ports.append(
                Port(f"veth-{pod}", "veth", "", 1472, True, (), "docker0", (pod, "eth0"), None)
            )
            eth0 = Port("eth0", "veth", "", 1472, True, (f"10.1.{i}.{n + 2}/24",), None,
                        (node, f"veth-{pod}"), None)  # fmt: skip
            hosts.append(Host(pod, "pod", node, ("pause", "app"), (), (eth0,)))
        hosts.append(Host(node, "node", None, (), ("flanneld",), tuple(ports)))
    return Topology((Host("switch", "switch", None, (), (), tuple(switch)), *hosts))
