"""Clusters and exchanges that the tests of pictures share. They are values, so one is enough."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster, Exchange
from k8snetlib.topology import Host, Port, Topology


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster.example()


@pytest.fixture(scope="session")
def exchange() -> Exchange:
    return Cluster.example().connect("web2", "10.1.20.3", port=8080)


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
