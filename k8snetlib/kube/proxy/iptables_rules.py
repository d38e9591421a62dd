"""What lives here: what one Service port comes to as iptables rules, as text for iptables-restore.

A packet for a Service finds its virtual address in ``KUBE-SERVICES`` (or its port in
``KUBE-NODEPORTS``), and from there goes through the port's own chains: ``KUBE-EXT`` (it came from
outside), ``KUBE-FW`` (only from some sources), ``KUBE-SVC`` or ``KUBE-SVL`` (choose an endpoint: of
the cluster, of this node), ``KUBE-SEP`` (translate the address).

What may not live here: the chains that stand once on a node, and what is written when
(``iptables``).

Source: kube-proxy's pkg/proxy/iptables/proxier.go (syncProxyRules).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.names import endpoint_chain, service_chain
from k8snetlib.kube.proxy.state import EndpointInfo, ServicePortInfo
from k8snetlib.kube.proxy.topology import Categorized, categorize

MARK_MASQ = "KUBE-MARK-MASQ"
LOCALHOST_COUNTER = "localhost_nps_accepted_pkts"

Specs = tuple[str, ...]


class PortRules(NamedTuple):
    """The rules of one Service port, each without ``-A CHAIN``.

    ``services`` and ``node_ports`` stand in those chains of nat; ``no_endpoints``, ``external``,
    ``health`` and ``firewall`` in filter's KUBE-SERVICES, KUBE-EXTERNAL-SERVICES, KUBE-NODEPORTS
    and KUBE-PROXY-FIREWALL; ``chains`` are the port's own. The last two tell that a Local policy
    finds no endpoint on this node, though there are some elsewhere.
    """

    services: Specs
    node_ports: Specs
    no_endpoints: Specs
    external: Specs
    health: Specs
    firewall: Specs
    chains: Mapping[str, Specs]
    no_local_internal: bool
    no_local_external: bool


def comment(text: str) -> str:
    """The words of a comment; quoted if it has blanks.

    >>> comment("ns1/svc1:p80"), comment("no endpoints")
    ('-m comment --comment ns1/svc1:p80', '-m comment --comment "no endpoints"')
    """
    return f'-m comment --comment "{text}"' if " " in text else f"-m comment --comment {text}"


def probability(n: int) -> str:
    """One of ``n``, as kube-proxy prints it.

    >>> probability(3)
    '0.3333333333'
    """
    return f"{1 / n:.10f}"


def port_rules(
    info: ServicePortInfo, endpoints: Sequence[EndpointInfo], config: ProxyConfig, *, large: bool
) -> PortRules:
    """The rules of a Service port on a node; ``large``: the endpoints' rules have no comments."""
    return _Port(info, categorize(endpoints, info, dict(config.labels)), config, large).rules()


class _Port:
    """One Service port on one node, while its rules are written."""

    __slots__ = ("config", "external_ok", "found", "info", "internal_ok", "large", "name", "to")

    def __init__(
        self, info: ServicePortInfo, found: Categorized, config: ProxyConfig, large: bool
    ) -> None:
        self.info, self.found, self.config, self.large = info, found, config, large
        self.name = str(info.name)
        self.to = f"-m {info.proto} -p {info.proto}"
        here = bool(found.local)
        self.internal_ok = found.any_node and (here or not info.internal_local)
        self.external_ok = found.any_node and (here or not info.external_local)

    def chain(self, kind: str) -> str:
        """The name of one of the port's chains."""
        return service_chain(kind, self.name, self.info.proto)

    @property
    def firewalled(self) -> bool:
        """True if the balancer's addresses are only for some sources."""
        return bool(self.found.any_node and self.info.balancers and self.info.source_ranges)

    def rules(self) -> PortRules:
        """All of them."""
        info, some = self.info, self.found.any_node
        return PortRules(
            services=tuple(self._services()),
            node_ports=tuple(self._node_ports()) if some and info.node_port else (),
            no_endpoints=() if self.internal_ok else (self._refuse(info.cluster_ip),),
            external=() if self.external_ok else tuple(self._external()),
            health=tuple(self._health()),
            firewall=tuple(self._firewall()) if self.firewalled else (),
            chains={name: tuple(specs) for name, specs in self._chains() if specs},
            no_local_internal=some and not self.internal_ok,
            no_local_external=some and info.external and not self.external_ok,
        )

    # -- the chains that all Services share -----------------------------------------------------

    def _at(self, ip: str, what: str = "") -> str:
        return f"{comment(f'{self.name}{what}')} {self.to} -d {ip} --dport {self.info.port}"

    def _services(self) -> Iterator[str]:
        info = self.info
        if self.internal_ok:
            yield f"{self._at(info.cluster_ip, ' cluster IP')} -j {self._internal()}"
        if not self.found.any_node:
            return
        for ip in info.external_ips:
            yield f"{self._at(ip, ' external IP')} -j {self.chain('EXT')}"
        kind = "FW" if self.firewalled else "EXT"
        for ip in info.balancers:
            yield f"{self._at(ip, ' loadbalancer IP')} -j {self.chain(kind)}"

    def _internal(self) -> str:
        return self.chain("SVL" if self.info.internal_local else "SVC")

    def _node_ports(self) -> Iterator[str]:
        config, front, port = self.config, f"{comment(self.name)} {self.to}", self.info.node_port
        target = f"-j {self.chain('EXT')}"
        counted = LOCALHOST_COUNTER in config.nfacct
        if config.family == "IPv4" and config.localhost_node_ports and counted:
            counter = f"-m nfacct --nfacct-name {LOCALHOST_COUNTER}"
            yield f"{front} -d 127.0.0.0/8 --dport {port} {counter} {target}"
        yield f"{front} --dport {port} {target}"

    def _refuse(self, ip: str = "") -> str:
        """REJECT if there is no endpoint at all; DROP if there is one, only not here."""
        some = self.found.any_node
        note = comment(f"{self.name} has no {'local ' if some else ''}endpoints")
        target = "-j DROP" if some else "-j REJECT"
        if ip:
            return f"{note} {self.to} -d {ip} --dport {self.info.port} {target}"
        local = "-m addrtype --dst-type LOCAL"
        return f"{note} {local} {self.to} --dport {self.info.node_port} {target}"

    def _external(self) -> Iterator[str]:
        info = self.info
        for ip in (*info.external_ips, *info.balancers):
            yield self._refuse(ip)
        if info.node_port:
            yield self._refuse()

    def _health(self) -> Iterator[str]:
        port = self.info.health_check_node_port
        if port:
            note = comment(f"{self.name} health check node port")
            yield f"{note} -m tcp -p tcp --dport {port} -j ACCEPT"

    def _firewall(self) -> Iterator[str]:
        what = f" traffic not accepted by {self.chain('FW')}"
        for ip in self.info.balancers:
            yield f"{self._at(ip, what)} -j DROP"

    # -- the port's own chains ------------------------------------------------------------------

    def _chains(self) -> Iterator[tuple[str, Iterable[str]]]:
        info, found = self.info, self.found
        if found.any_node and info.external:
            yield self.chain("EXT"), list(self._ext())
        if self.firewalled:
            yield self.chain("FW"), list(self._fw())
        for kind, endpoints in (("SVC", found.cluster), ("SVL", found.local)):
            name = self.chain(kind)
            specs = [*self._masquerade(name), *self._choose(endpoints or ())]
            yield name, specs
        for endpoint in found.reachable:
            name = endpoint_chain(self.name, info.proto, str(endpoint))
            yield name, self._endpoint(endpoint, name)

    def _masquerade(self, name: str) -> Iterator[str]:
        """What goes to the cluster IP and comes from no pod gets the node's address."""
        if not self.internal_ok or name != self._internal():
            return
        front, detector = self._at(self.info.cluster_ip, " cluster IP"), self.config.detector
        if self.config.masquerade_all:
            yield f"{front} -j {MARK_MASQ}"
        elif detector.implemented:
            yield f"{front} {detector.iptables(False)} -j {MARK_MASQ}"

    def _ext(self) -> Iterator[str]:
        detector, cluster = self.config.detector, self.chain("SVC")
        what = f"traffic for {self.name} external destinations"
        if not self.info.external_local:
            yield f"{comment(f'masquerade {what}')} -j {MARK_MASQ}"
        else:
            local = "-m addrtype --src-type LOCAL"
            if detector.implemented:
                yield f"{comment(f'pod {what}')} {detector.iptables(True)} -j {cluster}"
            yield f"{comment(f'masquerade LOCAL {what}')} {local} -j {MARK_MASQ}"
            yield f"{comment(f'route LOCAL {what}')} {local} -j {cluster}"
        if self.external_ok:
            yield f"-j {self.chain('SVL' if self.info.external_local else 'SVC')}"

    def _fw(self) -> Iterator[str]:
        info, target = self.info, f"-j {self.chain('EXT')}"
        note, node = comment(f"{self.name} loadbalancer IP"), self.config.node_ip
        for cidr in info.source_ranges:
            yield f"{note} -s {cidr} {target}"
        if any(_contains(cidr, node) for cidr in info.source_ranges):
            for ip in info.balancers:
                yield f"{note} -s {ip} {target}"
        yield comment(f"other traffic to {self.name} will be dropped by KUBE-PROXY-FIREWALL")

    def _choose(self, endpoints: Sequence[EndpointInfo]) -> Iterator[str]:
        """Affinity first; then each of n endpoints with a probability of 1/n altogether."""
        info, left = self.info, len(endpoints)
        chains = [endpoint_chain(self.name, info.proto, str(e)) for e in endpoints]
        notes = [self._note(f"{self.name} -> {e}") for e in endpoints]
        if info.affinity_seconds:
            for note, chain in zip(notes, chains, strict=True):
                seen = f"--rcheck --seconds {info.affinity_seconds} --reap"
                yield f"{note}-m recent --name {chain} {seen} -j {chain}"
        for at, (note, chain) in enumerate(zip(notes, chains, strict=True)):
            chance = f"-m statistic --mode random --probability {probability(left - at)} "
            yield f"{note}{chance if at < left - 1 else ''}-j {chain}"

    def _note(self, text: str) -> str:
        return "" if self.large else f"{comment(text)} "

    def _endpoint(self, endpoint: EndpointInfo, chain: str) -> Iterable[str]:
        note = self._note(self.name)
        recent = f"-m recent --name {chain} --set " if self.info.affinity_seconds else ""
        return (
            f"{note}-s {endpoint.ip} -j {MARK_MASQ}",
            f"{note}{recent}{self.to} -j DNAT --to-destination {endpoint}",
        )


def _contains(cidr: str, ip: str) -> bool:
    return bool(ip) and ip_address(ip) in ip_network(cidr, strict=False)
