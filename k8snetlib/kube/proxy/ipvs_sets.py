"""What lives here: the ipsets of kube-proxy's IPVS mode: their names, types, and what they are for.

Source: kube-proxy's pkg/proxy/ipvs/ipset.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from k8snetlib.linux.ipset import IpSet

LOOP_BACK = "KUBE-LOOP-BACK"
CLUSTER_IP = "KUBE-CLUSTER-IP"
EXTERNAL_IP = "KUBE-EXTERNAL-IP"
EXTERNAL_IP_LOCAL = "KUBE-EXTERNAL-IP-LOCAL"
BALANCER = "KUBE-LOAD-BALANCER"
BALANCER_FW = "KUBE-LOAD-BALANCER-FW"
BALANCER_LOCAL = "KUBE-LOAD-BALANCER-LOCAL"
BALANCER_SOURCE_IP = "KUBE-LOAD-BALANCER-SOURCE-IP"
BALANCER_SOURCE_CIDR = "KUBE-LOAD-BALANCER-SOURCE-CIDR"
NODE_PORT = {"tcp": "KUBE-NODE-PORT-TCP", "udp": "KUBE-NODE-PORT-UDP",
             "sctp": "KUBE-NODE-PORT-SCTP-HASH"}  # fmt: skip
NODE_PORT_LOCAL = {"tcp": "KUBE-NODE-PORT-LOCAL-TCP", "udp": "KUBE-NODE-PORT-LOCAL-UDP",
                   "sctp": "KUBE-NODE-PORT-LOCAL-SCTP-HASH"}  # fmt: skip
HEALTH_CHECK = "KUBE-HEALTH-CHECK-NODE-PORT"
IPVS_IPS = "KUBE-IPVS-IPS"

#: The kernel takes names of at most so many characters.
LONGEST_NAME = 31


class SetInfo(NamedTuple):
    """One set: its type, and the comment of the rules that ask about it."""

    kind: str
    comment: str


#: In the order in which kube-proxy makes them.
SETS: Mapping[str, SetInfo] = {
    LOOP_BACK: SetInfo(
        "hash:ip,port,ip",
        "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose",
    ),
    CLUSTER_IP: SetInfo(
        "hash:ip,port", "Kubernetes service cluster ip + port for masquerade purpose"
    ),
    EXTERNAL_IP: SetInfo(
        "hash:ip,port", "Kubernetes service external ip + port for masquerade and filter purpose"
    ),
    EXTERNAL_IP_LOCAL: SetInfo(
        "hash:ip,port", "Kubernetes service external ip + port with externalTrafficPolicy=local"
    ),
    BALANCER: SetInfo("hash:ip,port", "Kubernetes service lb portal"),
    BALANCER_FW: SetInfo(
        "hash:ip,port",
        "Kubernetes service load balancer ip + port for load balancer with sourceRange",
    ),
    BALANCER_LOCAL: SetInfo(
        "hash:ip,port",
        "Kubernetes service load balancer ip + port with externalTrafficPolicy=local",
    ),
    BALANCER_SOURCE_IP: SetInfo(
        "hash:ip,port,ip",
        "Kubernetes service load balancer ip + port + source IP for packet filter purpose",
    ),
    BALANCER_SOURCE_CIDR: SetInfo(
        "hash:ip,port,net",
        "Kubernetes service load balancer ip + port + source cidr for packet filter purpose",
    ),
    NODE_PORT["tcp"]: SetInfo("bitmap:port", "Kubernetes nodeport TCP port for masquerade purpose"),
    NODE_PORT_LOCAL["tcp"]: SetInfo(
        "bitmap:port", "Kubernetes nodeport TCP port with externalTrafficPolicy=local"
    ),
    NODE_PORT["udp"]: SetInfo("bitmap:port", "Kubernetes nodeport UDP port for masquerade purpose"),
    NODE_PORT_LOCAL["udp"]: SetInfo(
        "bitmap:port", "Kubernetes nodeport UDP port with externalTrafficPolicy=local"
    ),
    NODE_PORT["sctp"]: SetInfo(
        "hash:ip,port",
        "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
    ),
    NODE_PORT_LOCAL["sctp"]: SetInfo(
        "hash:ip,port",
        "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
    ),
    HEALTH_CHECK: SetInfo("bitmap:port", "Kubernetes health check node port"),
    IPVS_IPS: SetInfo("hash:ip", "Addresses on the ipvs interface"),
}


def set_name(name: str, family: str) -> str:
    """The name of a set in the kernel: those for IPv6 have a 6 in it.

    >>> set_name("KUBE-LOAD-BALANCER-SOURCE-CIDR", "IPv6")
    'KUBE-6-LOAD-BALANCER-SOURCE-CID'
    """
    if family == "IPv4":
        return name
    return name.replace("KUBE-", "KUBE-6-", 1)[:LONGEST_NAME]


def empty_sets(family: str) -> dict[str, IpSet]:
    """All sets without entries, under the name that kube-proxy's source has for them."""
    inet = "inet" if family == "IPv4" else "inet6"
    return {
        name: IpSet(set_name(name, family), info.kind, family=inet) for name, info in SETS.items()
    }
