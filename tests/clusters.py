"""Clusters that several tests share."""

from __future__ import annotations

from k8snetlib import Cluster


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
