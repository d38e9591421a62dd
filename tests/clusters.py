"""Clusters that several tests share."""

from __future__ import annotations

from collections.abc import Iterable

from k8snetlib import Cluster
from k8snetlib.address import Prefix
from k8snetlib.kube.api import Node, example_spec
from k8snetlib.linux.ipvs.table import VirtualServer
from k8snetlib.linux.netns import Device


def bare(backend: str = "udp") -> Cluster:
    """The example cluster without kube-proxy, and with a flanneld that writes no rules: the nodes
    have none at all."""
    return Cluster.example(
        backend, "none", flanneld="--ip-masq=false --iptables-forward-rules=false"
    )


def renumbered() -> Cluster:
    """node2's Docker uses node1's range: backend becomes 10.1.15.2, backend-b 10.1.15.3."""
    cluster = bare()
    for host, device, old, new in (
        ("node2", "docker0", "10.1.20.1", "10.1.15.1"),
        ("backend", "eth0", "10.1.20.3", "10.1.15.2"),
        ("backend-b", "eth0", "10.1.20.4", "10.1.15.3"),
    ):
        cluster[host].sh(f"ip addr del {old}/24 dev {device}")
        cluster[host].sh(f"ip addr add {new}/24 dev {device}")
        if device == "eth0":
            cluster[host].sh("ip route add default via 10.1.15.1 dev eth0")
    return cluster


def with_a_virtual_server(
    cluster: Cluster, node: str = "node1", ip: str = "10.96.9.9", port: int = 80,
    servers: Iterable[str] = ("10.1.20.3", "10.1.20.4", "10.1.30.2"), scheduler: str = "rr",
    persistent: int = 0, proto: str = "tcp", server_port: int = 8080,
) -> Cluster:  # fmt: skip
    """A copy in which IPVS on one node balances a virtual address, set up by hand."""
    copy = cluster.clone()
    ns = copy[node]
    if "kube-ipvs0" not in ns.devices:
        ns.add_device(Device("kube-ipvs0", "dummy", "0a:d0:00:00:00:01", up=False))
    ns.add_address("kube-ipvs0", f"{ip}/32")
    ns.sysctls |= {"net.ipv4.vs.conntrack": 1, "net.ipv4.vs.expire_nodest_conn": 1}
    service = ns.ipvs.add(VirtualServer(proto, ip, port, scheduler, persistent))
    for server in servers:
        ns.ipvs.add_server(service.key, server, server_port)
    return copy


def large(count: int) -> Cluster:
    """The example cluster with more nodes, which have no pods."""
    spec = example_spec("host-gw", "none")
    more = (
        Node(f"node{n}", f"192.168.66.{(10 if n < 90 else 11) + n}", Prefix.parse(f"10.1.{30 + n}.0/24"))
        for n in range(4, count + 1)
    )  # fmt: skip
    return Cluster(spec._replace(nodes=(*spec.nodes, *more)))
