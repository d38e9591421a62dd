"""What lives here: what kube-proxy's nftables mode has once on a node, whatever Services there are.

Two rules find the Service of a packet, however many there are: one look-up in ``service-ips``, one
in ``service-nodeports``. The firewall comes before the address is translated (priority -110, where
DNAT has -100).

Source: kube-proxy's pkg/proxy/nftables/proxier.go (setupNFTables).
"""

from __future__ import annotations

from collections.abc import Iterator

from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.nftables_rules import (
    CLUSTER_IPS,
    FIREWALL_IPS,
    MARK_MASQ,
    NO_NODE_PORTS,
    NO_SERVICES,
    NODE_PORT_IPS,
    NODE_PORTS,
    REJECT,
    SERVICE_IPS,
    words_of,
)

TABLE = "kube-proxy"
_NEW = "ct state new"
#: base chain -> type, hook, priority, and the chains it leads to with the test before each.
BASE = {
    "filter-prerouting-pre-dnat": ("filter", "prerouting", -110, ((_NEW, "firewall-check"),)),
    "filter-output-pre-dnat": ("filter", "output", -110, ((_NEW, "firewall-check"),)),
    "filter-input": ("filter", "input", 0, (
        (_NEW, "nodeport-endpoints-check"), (_NEW, "service-endpoints-check"))),
    "filter-forward": ("filter", "forward", 0, (
        (_NEW, "service-endpoints-check"), (_NEW, "cluster-ips-check"))),
    "filter-output": ("filter", "output", 0, (
        (_NEW, "service-endpoints-check"), (_NEW, "cluster-ips-check"))),
    "nat-prerouting": ("nat", "prerouting", -100, (("", "services"),)),
    "nat-output": ("nat", "output", -100, (("", "services"),)),
    "nat-postrouting": ("nat", "postrouting", 100, (("", "masquerading"),)),
}  # fmt: skip
_SETS = {CLUSTER_IPS: "Active ClusterIPs", NODE_PORT_IPS: "IPs that accept NodePort traffic"}
_BY_IP, _BY_PORT = "{} . inet_proto . inet_service", "inet_proto . inet_service"
_MAPS = {
    FIREWALL_IPS: (_BY_IP, "destinations that are subject to LoadBalancerSourceRanges"),
    NO_NODE_PORTS: (_BY_PORT, "vmap to drop or reject packets to service nodeports with no "
                              "endpoints"),
    NO_SERVICES: (_BY_IP, "vmap to drop or reject packets to services with no endpoints"),
    SERVICE_IPS: (_BY_IP, "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
    NODE_PORTS: (_BY_PORT, "NodePort traffic"),
}  # fmt: skip
_REJECT_NOTE = "helper for @no-endpoint-services / @no-endpoint-nodeports"


def chains(config: ProxyConfig) -> dict[str, tuple[str, ...]]:
    """The chains that stand once on a node, with their rules."""
    ip, _ = words_of(config.family)
    mark = config.mark
    by_ip, at_node = f"{ip} daddr . meta l4proto . th dport", f"{ip} daddr @{NODE_PORT_IPS}"
    by_port = f"{at_node} meta l4proto . th dport"
    unknown = 'comment "Reject traffic to invalid ports of ClusterIPs"'
    unallocated = 'comment "Drop traffic to unallocated ClusterIPs"'
    ranges = " , ".join(config.service_cidrs)
    own: dict[str, tuple[str, ...]] = {
        name: tuple(f"{test} jump {target}".lstrip() for test, target in jumps)
        for name, (_, _, _, jumps) in BASE.items()
    }
    return own | {
        "cluster-ips-check": (
            f"{ip} daddr @{CLUSTER_IPS} reject {unknown}",
            *([f"{ip} daddr {{ {ranges} }} drop {unallocated}"] if ranges else []),
        ),
        "firewall-check": (f"{by_ip} vmap @{FIREWALL_IPS}",),
        MARK_MASQ: (f"mark set mark or {mark}",),
        "masquerading": (
            f"mark and {mark} == 0 return",
            # A packet that comes by once more must not be masqueraded a second time.
            f"mark set mark xor {mark}",
            "masquerade fully-random",
        ),
        "nodeport-endpoints-check": (f"{by_port} vmap @{NO_NODE_PORTS}",),
        REJECT: ("reject",),
        "services": (f"{by_ip} vmap @{SERVICE_IPS}", f"{by_port} vmap @{NODE_PORTS}"),
        "service-endpoints-check": (f"{by_ip} vmap @{NO_SERVICES}",),
    }


def setup(config: ProxyConfig) -> Iterator[str]:
    """The commands that make all this (or leave what is there, with its rules anew)."""
    ip, kind = words_of(config.family)
    at = f"{ip} {TABLE}"
    yield f'add table {at} {{ comment "rules for kube-proxy" ; }}'
    for name, note in _SETS.items():
        yield f'add set {at} {name} {{ type {kind} ; comment "{note}" ; }}'
    for name, (key, note) in _MAPS.items():
        yield f'add map {at} {name} {{ type {key.format(kind)} : verdict ; comment "{note}" ; }}'
    everything = chains(config)
    for name in everything:
        text = ""
        if name in BASE:
            type_, hook, priority, _ = BASE[name]
            text = f" {{ type {type_} hook {hook} priority {priority} ; }}"
        elif name == REJECT:
            text = f' {{ comment "{_REJECT_NOTE}" ; }}'
        yield f"add chain {at} {name}{text}"
        yield f"flush chain {at} {name}"
    for name, rules in everything.items():
        for rule in rules:
            yield f"add rule {at} {name} {rule}"
