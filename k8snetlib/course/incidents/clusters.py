"""What lives here: the clusters that incidents begin with, and what several of them need."""

from __future__ import annotations

from functools import lru_cache
from random import Random

from k8snetlib.cluster import Cluster
from k8snetlib.kube.api import Pod

#: Where flannel keeps its leases in etcd.
LEASES = "/coreos.com/network/subnets"
#: flanneld's UDP port, by backend.
PORT = {"udp": 8285, "vxlan": 8472}


@lru_cache(maxsize=16)
def whole(
    backend: str = "vxlan", mode: str = "iptables", *, flanneld: str = "--ip-masq"
) -> Cluster:
    """The example cluster, whole. Nobody may change it: clone it."""
    return Cluster.example(backend, mode, flanneld=flanneld)


def typed(cluster: Cluster, machine: str, *commands: str) -> None:
    """Commands at a machine's prompt."""
    for command in commands:
        cluster[machine].sh(command)


def other_nodes(cluster: Cluster, node: str) -> list[str]:
    """All nodes but one."""
    return [name for name in cluster.nodes if name != node]


def pods_on(cluster: Cluster, node: str) -> list[Pod]:
    """The pods of a node."""
    return [pod for pod in cluster.spec.pods if pod.node == node]


def a_pod_on(cluster: Cluster, node: str, dice: Random) -> Pod:
    """Some pod of a node."""
    return dice.choice(pods_on(cluster, node))


def ip_of(cluster: Cluster, node: str) -> str:
    """A node's address in the node network."""
    return next(one.ip for one in cluster.spec.nodes if one.name == node)


def range_of(cluster: Cluster, node: str) -> str:
    """The range of a node's pods, without its last part: ``10.1.15``."""
    cidr = next(one.pod_cidr for one in cluster.spec.nodes if one.name == node)
    return str(cidr).rpartition(".")[0]
