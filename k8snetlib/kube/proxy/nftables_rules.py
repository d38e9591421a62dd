"""What lives here: what one Service port comes to in nftables: elements of maps, chains, sets.

A packet for a Service is looked up by its address, protocol and port in the map ``service-ips`` (or
by its port in ``service-nodeports``), and goes to the port's own chains: ``external-`` (it came
from outside), ``service-`` or ``local-`` (choose an endpoint: of the cluster, of this node),
``endpoint-`` (translate the address). Before all that, ``firewall-`` lets only some sources
through. Where there is no endpoint, a map says drop or reject.

What may not live here: the chains that stand once on a node, and what is written when
(``nftables``).

Source: kube-proxy's pkg/proxy/nftables/proxier.go (syncProxyRules).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.names import nft_name
from k8snetlib.kube.proxy.state import EndpointInfo, ServicePortInfo
from k8snetlib.kube.proxy.topology import Categorized, categorize

CLUSTER_IPS, NODE_PORT_IPS = "cluster-ips", "nodeport-ips"
SERVICE_IPS, NODE_PORTS, FIREWALL_IPS = "service-ips", "service-nodeports", "firewall-ips"
NO_SERVICES, NO_NODE_PORTS = "no-endpoint-services", "no-endpoint-nodeports"
MARK_MASQ, REJECT = "mark-for-masquerade", "reject-chain"


class ElementAt(NamedTuple):
    """Where an element stands: the set or map, and its key as text (``1.2.3.4 . tcp . 80``)."""

    name: str
    key: str


class PortRules(NamedTuple):
    """What one Service port comes to: ``elements`` with their text behind the key, ``sets`` and
    ``chains`` with the text of what is in them. The last two tell that a Local policy finds no
    endpoint on this node, though there are some elsewhere."""

    elements: Mapping[ElementAt, str]
    sets: Mapping[str, str]
    chains: Mapping[str, tuple[str, ...]]
    no_local_internal: bool
    no_local_external: bool


def words_of(family: str) -> tuple[str, str]:
    """How a family of addresses is called in a rule, and as a type."""
    return ("ip6", "ipv6_addr") if family == "IPv6" else ("ip", "ipv4_addr")


def port_rules(
    info: ServicePortInfo, endpoints: Sequence[EndpointInfo], config: ProxyConfig
) -> PortRules:
    """The rules of a Service port on a node."""
    return _Port(info, categorize(endpoints, info, dict(config.labels)), config).rules()


class _Port:
    """One Service port on one node, while its rules are written."""

    __slots__ = (
        "config", "external_ok", "firewalled", "found", "info", "internal_ok", "ip", "kind", "some",
    )  # fmt: skip

    def __init__(self, info: ServicePortInfo, found: Categorized, config: ProxyConfig) -> None:
        self.info, self.found, self.config = info, found, config
        self.ip, self.kind = words_of(config.family)
        self.some, here = found.any_node, bool(found.local)
        self.internal_ok = self.some and (here or not info.internal_local)
        self.external_ok = self.some and (here or not info.external_local)
        self.firewalled = bool(info.balancers and info.source_ranges)

    def name(self, kind: str, endpoint: str = "") -> str:
        """The name of one of the port's chains or sets."""
        return f"{kind}-{nft_name(*self.info.name, endpoint)}"

    def rules(self) -> PortRules:
        """All of them."""
        sets = {}
        if self.info.affinity_seconds:
            timeout = f"timeout {self.info.affinity_seconds}s"
            text = f"{{ type {self.kind} ; flags dynamic,timeout ; {timeout} ; }}"
            sets = {self.name("affinity", str(e)): text for e in self.found.reachable}
        return PortRules(
            dict(self._elements()), sets, dict(self._chains()), self.some and not self.internal_ok,
            self.some and self.info.external and not self.external_ok,
        )  # fmt: skip

    # -- elements -------------------------------------------------------------------------------

    def _at(self, name: str, ip: str) -> ElementAt:
        return ElementAt(name, f"{ip} . {self.info.proto} . {self.info.port}")

    def _refused(self) -> str:
        """Drop if there is an endpoint, only not here; else reject."""
        verdict = "drop" if self.some else f"goto {REJECT}"
        return f'comment "{self.info.name}" : {verdict}'

    def _elements(self) -> Iterator[tuple[ElementAt, str]]:
        info = self.info
        yield ElementAt(CLUSTER_IPS, info.cluster_ip), ""
        if self.internal_ok:
            yield self._at(SERVICE_IPS, info.cluster_ip), f": goto {self._internal()}"
        else:
            yield self._at(NO_SERVICES, info.cluster_ip), self._refused()
        outside = f": goto {self.name('external')}"
        for ip in (*info.external_ips, *info.balancers):
            if self.some:
                yield self._at(SERVICE_IPS, ip), outside
            if not self.external_ok:
                yield self._at(NO_SERVICES, ip), self._refused()
        if self.firewalled:
            for ip in info.balancers:
                yield self._at(FIREWALL_IPS, ip), f": goto {self.name('firewall')}"
        if info.node_port:
            key = f"{info.proto} . {info.node_port}"
            if self.some:
                yield ElementAt(NODE_PORTS, key), outside
            if not self.external_ok:
                yield ElementAt(NO_NODE_PORTS, key), self._refused()

    # -- chains ---------------------------------------------------------------------------------

    def _internal(self) -> str:
        return self.name("local" if self.info.internal_local else "service")

    def _chains(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        found = self.found
        for kind, endpoints in (("service", found.cluster), ("local", found.local)):
            if endpoints:
                name = self.name(kind)
                yield name, (*self._masquerade(name), *self._choose(endpoints))
        if self.some and self.info.external:
            yield self.name("external"), tuple(self._external())
        if self.firewalled:
            yield self.name("firewall"), (self._firewall(),)
        for endpoint in found.reachable:
            yield self.name("endpoint", str(endpoint)), tuple(self._endpoint(endpoint))

    def _masquerade(self, name: str) -> Iterator[str]:
        """What goes to the cluster IP and comes from no pod gets the node's address."""
        config = self.config
        if not self.internal_ok or name != self._internal():
            return
        front = f"{self.ip} daddr {self.info.cluster_ip}"
        if config.masquerade_all:
            yield f"{front} jump {MARK_MASQ}"
        elif config.detector.implemented:
            yield f"{front} {config.detector.nft(False)} jump {MARK_MASQ}"

    def _choose(self, endpoints: Sequence[EndpointInfo]) -> Iterator[str]:
        if self.info.affinity_seconds:
            for endpoint in endpoints:
                known = self.name("affinity", str(endpoint))
                target = self.name("endpoint", str(endpoint))
                yield f"{self.ip} saddr @{known} goto {target}"
        ways = " , ".join(
            f"{n} : goto {self.name('endpoint', str(endpoint))}"
            for n, endpoint in enumerate(endpoints)
        )
        yield f"numgen random mod {len(endpoints)} vmap {{ {ways} }}"

    def _external(self) -> Iterator[str]:
        detector, cluster = self.config.detector, self.name("service")
        if not self.info.external_local:
            yield f"jump {MARK_MASQ}"
        else:
            # Without a choice of this node's endpoints alone, the source's address can stay.
            if detector.implemented:
                note = 'comment "short-circuit pod traffic"'
                yield f"{detector.nft(True)} goto {cluster} {note}"
            local = "fib saddr type local"
            yield f'{local} jump {MARK_MASQ} comment "masquerade local traffic"'
            yield f'{local} goto {cluster} comment "short-circuit local traffic"'
        if self.external_ok:
            yield f"goto {self.name('local') if self.info.external_local else cluster}"

    def _firewall(self) -> str:
        """Who may not come in. A node that may also speaks with the balancer's own address."""
        sources = list(self.info.source_ranges)
        node = ip_address(self.config.node_ip)
        if any(node in ip_network(cidr, strict=False) for cidr in sources):
            sources += self.info.balancers
        return f"{self.ip} saddr != {{ {' , '.join(sources)} }} drop"

    def _endpoint(self, endpoint: EndpointInfo) -> Iterator[str]:
        yield f"{self.ip} saddr {endpoint.ip} jump {MARK_MASQ}"
        if self.info.affinity_seconds:
            yield f"update @{self.name('affinity', str(endpoint))} {{ {self.ip} saddr }}"
        yield f"meta l4proto {self.info.proto} dnat to {endpoint}"
