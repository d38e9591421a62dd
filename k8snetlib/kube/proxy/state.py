"""What lives here: what kube-proxy knows: every port of every Service, and the endpoints behind it.

The objects of the API are turned into two maps by ``ServicePortName``. All three modes (iptables,
nftables, IPVS) read nothing else, so what they may differ in is only what they tell the kernel.

What may not live here: which endpoints a Service uses (``topology``), options (``config``), rules.

Simplified here: the maps are made anew from all objects; the real one follows changes.

Source: kube-proxy's pkg/proxy/servicechangetracker.go, serviceport.go, endpointschangetracker.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from k8snetlib.kube.api import EndpointSlice, Service, ServicePort

FAMILIES = ("IPv4", "IPv6")


def family_of(ip: str) -> str:
    """IPv4 or IPv6.

    >>> family_of("fd00::1")
    'IPv6'
    """
    return "IPv6" if ":" in ip else "IPv4"


def with_port(ip: str, port: int) -> str:
    """An address and a port, as Go joins them.

    >>> with_port("10.1.20.3", 8080), with_port("fd00::1", 53)
    ('10.1.20.3:8080', '[fd00::1]:53')
    """
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


class ServicePortName(NamedTuple):
    """The name of one port of a Service; ``proto`` is tcp, udp or sctp.

    >>> str(ServicePortName("default", "backend-svc", "http", "tcp"))
    'default/backend-svc:http'
    """

    namespace: str
    name: str
    port: str
    proto: str

    def __str__(self) -> str:
        service = f"{self.namespace}/{self.name}"
        return f"{service}:{self.port}" if self.port else service


class ServicePortInfo(NamedTuple):
    """One port of a Service, as far as one family of addresses goes.

    ``affinity_seconds`` 0: none. ``balancers`` are the load balancer's addresses that the nodes
    see; ``source_ranges`` who may come in by them (empty: everybody).
    """

    name: ServicePortName
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    balancers: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity_seconds: int = 0
    internal_local: bool = False
    external_local: bool = False
    health_check_node_port: int = 0

    @property
    def proto(self) -> str:
        """tcp, udp or sctp."""
        return self.name.proto

    @property
    def external(self) -> bool:
        """True if it can be reached from outside the cluster."""
        return bool(self.node_port or self.external_ips or self.balancers)

    @property
    def uses_cluster_endpoints(self) -> bool:
        """True if some traffic may go to endpoints on any node."""
        return not self.internal_local or self.external

    @property
    def uses_local_endpoints(self) -> bool:
        """True if some traffic may go to endpoints on this node only."""
        return self.internal_local or (self.external and self.external_local)


class EndpointInfo(NamedTuple):
    """One endpoint of a Service port. ``local``: it is on this node."""

    ip: str
    port: int
    local: bool = False
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone_hints: tuple[str, ...] = ()

    def __str__(self) -> str:
        return with_port(self.ip, self.port)


ServiceMap = dict[ServicePortName, ServicePortInfo]
EndpointsMap = dict[ServicePortName, tuple[EndpointInfo, ...]]


def service_map(services: Iterable[Service], family: str = "IPv4") -> ServiceMap:
    """Every port of every Service that has a virtual address of the family."""
    found: ServiceMap = {}
    for service in services:
        if not service.has_address or family_of(service.cluster_ip) != family:
            continue
        for port in service.ports:
            name = ServicePortName(service.namespace, service.name, port.name, port.proto)
            found[name] = _info(name, service, port, family)
    return found


def _info(
    name: ServicePortName, service: Service, port: ServicePort, family: str
) -> ServicePortInfo:
    outside = service.type in ("NodePort", "LoadBalancer")
    local = service.external_traffic_policy == "Local"
    return ServicePortInfo(
        name=name,
        cluster_ip=service.cluster_ip,
        port=port.port,
        node_port=port.node_port,
        external_ips=tuple(ip for ip in service.external_ips if family_of(ip) == family),
        balancers=tuple(
            i.ip for i in service.ingress if i.mode == "VIP" and family_of(i.ip) == family
        ),
        source_ranges=tuple(r for r in service.source_ranges if family_of(r) == family),
        affinity_seconds=service.affinity_seconds,
        internal_local=service.internal_traffic_policy == "Local",
        external_local=local and (outside or bool(service.external_ips)),
        health_check_node_port=service.health_check_node_port
        if service.type == "LoadBalancer" and local
        else 0,
    )


def endpoints_map(slices: Iterable[EndpointSlice], node: str, family: str = "IPv4") -> EndpointsMap:
    """The endpoints behind every Service port, in the order of their text (``IP:PORT``).

    An address that stands in several slices of a Service counts once; the later slice (by name)
    has the word. ``node`` is the name of the node on which this kube-proxy runs.
    """
    found: dict[ServicePortName, dict[str, EndpointInfo]] = {}
    for one in sorted(slices, key=lambda s: (s.namespace, s.service, s.name)):
        if one.family != family or not one.service:
            continue
        for port in one.ports:
            name = ServicePortName(one.namespace, one.service, port.name, port.proto)
            endpoints = found.setdefault(name, {})
            for e in one.endpoints:
                info = EndpointInfo(
                    e.ip, port.port, bool(node) and e.node == node, e.ready, e.serving,
                    e.terminating, e.zone_hints,
                )  # fmt: skip
                endpoints[str(info)] = info
    return {
        name: tuple(endpoints[text] for text in sorted(endpoints))
        for name, endpoints in found.items()
    }


def health_check_ports(services: ServiceMap) -> dict[tuple[str, str], int]:
    """The health-check node port of every Service (namespace, name) that has one."""
    return {
        name[:2]: info.health_check_node_port
        for name, info in services.items()
        if info.health_check_node_port
    }


def local_ready_endpoints(endpoints: EndpointsMap) -> dict[tuple[str, str], set[str]]:
    """The addresses of the ready endpoints on this node, by Service; this is what the health check
    answers with."""
    found: dict[tuple[str, str], set[str]] = {}
    for name, own in endpoints.items():
        ips = {e.ip for e in own if e.local and e.ready}
        if ips:
            found.setdefault(name[:2], set()).update(ips)
    return found


# -- from one sync to the next --------------------------------------------------------------------

Rules = TypeVar("Rules")


class Written(NamedTuple, Generic[Rules]):
    """One port as it was when its rules were made, and those rules."""

    info: ServicePortInfo
    endpoints: tuple[EndpointInfo, ...]
    rules: Rules


def rewritten(
    old: Mapping[ServicePortName, Written[Rules]], services: ServiceMap, endpoints: EndpointsMap,
    make: Callable[[ServicePortInfo, tuple[EndpointInfo, ...]], Rules], *, full: bool,
) -> tuple[dict[ServicePortName, Written[Rules]], list[ServicePortName]]:  # fmt: skip
    """All ports as they are now, and the names of those whose rules ``make`` made anew: all ports
    of every Service of which one changed, came or went, or with ``full`` all there are."""
    dirty: set[tuple[str, str]] = {name[:2] for name in old.keys() - services.keys()}
    for name, info in services.items():
        known = old.get(name)
        if known is None or known.info != info or known.endpoints != endpoints.get(name, ()):
            dirty.add(name[:2])
    now: dict[ServicePortName, Written[Rules]] = {}
    changed = []
    for name, info in services.items():
        if full or name[:2] in dirty:
            own = endpoints.get(name, ())
            now[name] = Written(info, own, make(info, own))
            changed.append(name)
        else:
            now[name] = old[name]
    return now, changed
