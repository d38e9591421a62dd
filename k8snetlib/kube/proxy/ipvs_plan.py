"""What lives here: what kube-proxy in IPVS mode wants the kernel to hold, as one value.

For each Service port: a virtual server per address (cluster IP, external IPs, load balancer's
addresses, and with a node port every address of the node), the real servers behind each, entries of
ipsets, and the addresses that belong on ``kube-ipvs0``.

A Service without endpoints keeps its virtual servers, with nothing behind them. Where a Local
policy finds no endpoint on this node, the endpoints of all nodes are taken instead (not so in
iptables mode); if the policy is the internal one of a Service that nobody can reach from outside,
there are none to take.

What may not live here: how it gets there (``ipvs``), rules (``ipvs_rules``).

Source: kube-proxy's pkg/proxy/ipvs/proxier.go (syncProxyRules, syncEndpoint).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from k8snetlib.kube.proxy import ipvs_sets as s
from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.state import (
    EndpointInfo,
    EndpointsMap,
    ServiceMap,
    ServicePortInfo,
    family_of,
)
from k8snetlib.kube.proxy.topology import categorize
from k8snetlib.linux.ipvs.table import Key

DEVICE = "kube-ipvs0"


class Wanted(NamedTuple):
    """One virtual server: persistence in seconds (0: none), flags of the scheduler, whether its
    address belongs on ``kube-ipvs0``, and its real servers (address, port)."""

    persistent: int
    flags: frozenset[str]
    bound: bool
    servers: tuple[tuple[str, int], ...]


class Refused(NamedTuple):
    """A load balancer's address that processes of this node may not use: they are in none of its
    source ranges."""

    ip: str
    proto: str
    port: int


class Plan(NamedTuple):
    """What one sync wants. ``sets`` are entries by the set's name; ``no_local_internal`` and
    ``no_local_external`` are Services (``NAMESPACE/NAME``) whose Local policy found no endpoint
    here though there are some elsewhere: kube-proxy counts them."""

    virtual: Mapping[Key, Wanted]
    sets: Mapping[str, frozenset[str]]
    bound: tuple[str, ...]
    refused: tuple[Refused, ...]
    no_local_internal: frozenset[str]
    no_local_external: frozenset[str]


def is_node_address(ip: str, family: str) -> bool:
    """True if an address counts as one of a node's: of this family, neither loopback nor (IPv6)
    link-local; an IPv4 address mapped into IPv6 is an IPv4 address.

    >>> is_node_address("169.254.0.1", "IPv4"), is_node_address("fe80::1", "IPv6")
    (True, False)
    """
    address = ip_address(ip)
    address = getattr(address, "ipv4_mapped", None) or address
    if f"IPv{address.version}" != family or address.is_loopback:
        return False
    return family == "IPv4" or not address.is_link_local


def node_addresses(devices: Mapping[str, Iterable[str]], family: str) -> tuple[str, ...]:
    """The addresses of a node: of all its devices (name -> addresses), without those that stand on
    ``kube-ipvs0`` (or stand there as well)."""
    virtual = set(devices.get(DEVICE, ()))
    found = [ip for name, ips in devices.items() for ip in ips if name != DEVICE]
    return tuple(dict.fromkeys(
        ip for ip in found if is_node_address(ip, family) and ip not in virtual
    ))  # fmt: skip


def make_plan(
    config: ProxyConfig, services: ServiceMap, endpoints: EndpointsMap,
    devices: Mapping[str, Iterable[str]],
) -> Plan:  # fmt: skip
    """The plan for all Service ports; ``devices`` are the node's (name -> its addresses)."""
    making = _Making(config, node_addresses(devices, config.family), devices)
    for name in sorted(services):
        making.service(services[name], endpoints.get(name, ()))
    making.sets[s.IPVS_IPS] = set(making.bound)
    return Plan(
        making.virtual, {name: frozenset(found) for name, found in making.sets.items()},
        tuple(making.bound), tuple(making.refused), frozenset(making.no_internal),
        frozenset(making.no_external),
    )  # fmt: skip


class _Making:
    """A plan that is being made."""

    def __init__(
        self, config: ProxyConfig, node: tuple[str, ...], devices: Mapping[str, Iterable[str]]
    ) -> None:
        self.config, self.node = config, node
        self.serving = self._serving(devices)
        self.virtual: dict[Key, Wanted] = {}
        self.sets: dict[str, set[str]] = {name: set() for name in s.SETS}
        self.bound: dict[str, None] = {}
        self.refused: list[Refused] = []
        self.no_internal: set[str] = set()
        self.no_external: set[str] = set()
        self.flags = frozenset({"mh-port"} if config.scheduler == "mh" else ())

    def _serving(self, devices: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
        """The addresses on which node ports are served."""
        chosen, family = self.config.node_port_addresses, self.config.family
        if chosen.match_all(family):
            return self.node
        ips = chosen.node_ips(devices, family)
        return tuple(dict.fromkeys(ip for ip in ips if not ip_address(ip).is_loopback))

    def service(self, info: ServicePortInfo, endpoints: tuple[EndpointInfo, ...]) -> None:
        """One port of a Service."""
        proto = info.proto
        for e in endpoints:
            if e.local:
                self.sets[s.LOOP_BACK].add(f"{e.ip},{proto}:{e.port},{e.ip}")
        cluster = self._behind(info, endpoints, local=info.internal_local)
        self.sets[s.CLUSTER_IP].add(f"{info.cluster_ip},{proto}:{info.port}")
        self._virtual(info, info.cluster_ip, info.port, cluster, bound=True)
        if not info.external and not info.health_check_node_port:
            return
        outside = self._behind(info, endpoints, local=info.external_local) if info.external else ()
        for ip in info.external_ips:
            name = s.EXTERNAL_IP_LOCAL if info.external_local else s.EXTERNAL_IP
            self.sets[name].add(f"{ip},{proto}:{info.port}")
            self._virtual(info, ip, info.port, outside, bound=ip not in self.node)
        for ip in info.balancers:
            self._balancer(info, ip)
            self._virtual(info, ip, info.port, outside, bound=ip not in self.node)
        if info.node_port and self.serving:
            self._node_port(info)
            for ip in self.serving:
                self._virtual(info, ip, info.node_port, outside, bound=False)
        if info.health_check_node_port and (self.serving or not info.node_port):
            self.sets[s.HEALTH_CHECK].add(str(info.health_check_node_port))

    def _virtual(
        self, info: ServicePortInfo, ip: str, port: int, servers: tuple[tuple[str, int], ...], *,
        bound: bool,
    ) -> None:  # fmt: skip
        key = (info.proto, ip, port)
        self.virtual[key] = Wanted(info.affinity_seconds, self.flags, bound, servers)
        if bound:
            self.bound[ip] = None

    def _balancer(self, info: ServicePortInfo, ip: str) -> None:
        entry = f"{ip},{info.proto}:{info.port}"
        self.sets[s.BALANCER].add(entry)
        if info.external_local:
            self.sets[s.BALANCER_LOCAL].add(entry)
        if not info.source_ranges:
            return
        self.sets[s.BALANCER_FW].add(entry)
        self.sets[s.BALANCER_SOURCE_CIDR] |= {f"{entry},{cidr}" for cidr in info.source_ranges}
        node = ip_address(self.config.node_ip) if self.config.node_ip else None
        if node is not None and any(node in ip_network(c) for c in info.source_ranges):
            self.sets[s.BALANCER_SOURCE_IP].add(f"{entry},{ip}")
        else:
            self.refused.append(Refused(ip, info.proto, info.port))

    def _node_port(self, info: ServicePortInfo) -> None:
        entries = {str(info.node_port)}
        if info.proto == "sctp":  # here the set knows the node's addresses
            entries = {f"{ip},sctp:{info.node_port}" for ip in self.serving}
        self.sets[s.NODE_PORT[info.proto]] |= entries
        if info.external_local:
            self.sets[s.NODE_PORT_LOCAL[info.proto]] |= entries

    def _behind(
        self, info: ServicePortInfo, endpoints: tuple[EndpointInfo, ...], *, local: bool
    ) -> tuple[tuple[str, int], ...]:
        """The real servers; ``local``: the policy that counts here is Local."""
        found = categorize(endpoints, info, dict(self.config.labels))
        chosen = found.local if local and found.local else found.cluster
        if local and not found.local and found.any_node:
            service = f"{info.name.namespace}/{info.name.name}"
            self.no_internal |= {service} if info.internal_local else set()
            self.no_external |= {service} if info.external_local else set()
        return tuple((e.ip, e.port) for e in chosen or ())


def is_excluded(ip: str, cidrs: Iterable[str]) -> bool:
    """True if a virtual server's address is in one of ``--ipvs-exclude-cidrs``."""
    return any(ip_address(ip) in ip_network(cidr) for cidr in of_family(cidrs, family_of(ip)))


def of_family(cidrs: Iterable[str], family: str) -> tuple[str, ...]:
    """The ranges of one family, in their order."""
    return tuple(cidr for cidr in cidrs if family_of(cidr) == family)
