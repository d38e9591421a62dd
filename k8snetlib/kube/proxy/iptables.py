"""What lives here: kube-proxy in iptables mode: what it writes into nat and filter of its node.

A sync writes the chains that stand once on a node in full, and of the Services' own chains those of
Services that changed (a partial sync). All own chains, and the jumps from the kernel's chains to
kube-proxy's, are written by a full sync only: at the start, when the node's labels changed, after a
sync that failed, when the canary chains are gone, and once an hour. What a full sync does not put
right until then stays wrong: a flushed PREROUTING, say.

Chains of Services that are gone are emptied and deleted. Where there are very many endpoints
(large-cluster mode) that happens only now and then, and the endpoints' rules have no comments.

Others' rules in the same tables are left alone. Jumps are put in front of them.

What may not live here: the rules of one Service port (``iptables_rules``), when a sync comes
(``daemon``).

Simplified here: for IPv6 the rules are made, and kept in a ruleset that no packet meets.
Source: kube-proxy's pkg/proxy/iptables/proxier.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import NamedTuple

from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.iptables_rules import MARK_MASQ, PortRules, Specs, comment, port_rules
from k8snetlib.kube.proxy.state import (
    EndpointInfo,
    EndpointsMap,
    ServiceMap,
    ServicePortInfo,
    ServicePortName,
    Written,
    family_of,
    rewritten,
)
from k8snetlib.linux.netfilter.rule import Rule
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.linux.netfilter.written import jumped_to, read_spec, targets, written
from k8snetlib.linux.netns import Netns

#: More endpoints than this: large-cluster mode.
LARGE = 1000
FULL_SYNC_PERIOD = 3600.0
CANARY = "KUBE-PROXY-CANARY"
CANARY_TABLES = ("mangle", "nat", "filter")
SERVICES, NODEPORTS, POSTROUTING = "KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING"
EXTERNAL, FORWARD = "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD"
FIREWALL, LOCALNET = "KUBE-PROXY-FIREWALL", "KUBE-FIREWALL"
#: What the names of the Services' own chains begin with.
OWN = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SEP-")
INVALID_COUNTER = "ct_state_invalid_dropped_pkts"
LAST = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"

_NEW = "-m conntrack --ctstate NEW "
_EXTERNAL = _NEW + comment("kubernetes externally-visible service portals")
_PORTALS = comment("kubernetes service portals")
_BALANCER = _NEW + comment("kubernetes load balancer firewall")

#: (table, chain of the kernel, text, chain of kube-proxy), in the order in which they are put in
#: front, if they are missing. The last two are kubelet's too.
JUMPS = (
    ("filter", "INPUT", _EXTERNAL, EXTERNAL),
    ("filter", "FORWARD", _EXTERNAL, EXTERNAL),
    ("filter", "INPUT", comment("kubernetes health check service ports"), NODEPORTS),
    ("filter", "FORWARD", _NEW + _PORTALS, SERVICES),
    ("filter", "OUTPUT", _NEW + _PORTALS, SERVICES),
    ("filter", "FORWARD", comment("kubernetes forwarding rules"), FORWARD),
    ("filter", "INPUT", _BALANCER, FIREWALL),
    ("filter", "OUTPUT", _BALANCER, FIREWALL),
    ("filter", "FORWARD", _BALANCER, FIREWALL),
    ("nat", "OUTPUT", _PORTALS, SERVICES),
    ("nat", "PREROUTING", _PORTALS, SERVICES),
    ("nat", "POSTROUTING", comment("kubernetes postrouting rules"), POSTROUTING),
)
KUBELET_JUMPS = (("filter", "INPUT", "", LOCALNET), ("filter", "OUTPUT", "", LOCALNET))


def localnet_rule() -> str:
    """The rule that keeps strangers from the node's localhost, which ``route_localnet`` opens."""
    note = comment("block incoming localnet connections")
    states = "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"
    return f"{note} -d 127.0.0.0/8 ! -s 127.0.0.0/8 {states} -j DROP"


class Restore(NamedTuple):
    """What one sync hands to ``iptables-restore --noflush --counters``.

    ``filter`` and ``nat`` are the chains written, with their rules' text (without ``-A CHAIN``);
    ``deleted`` are chains of nat that are declared, and so emptied, and then deleted.
    """

    full: bool
    filter: Mapping[str, Specs]
    nat: Mapping[str, Specs]
    deleted: tuple[str, ...]

    def lines(self, table: str) -> Iterator[str]:
        """The ``-A`` lines of a table, then its ``-X`` lines."""
        for name, specs in (self.nat if table == "nat" else self.filter).items():
            for spec in specs:
                yield f"-A {name} {spec}"
        if table == "nat":
            for name in self.deleted:
                yield f"-X {name}"


class Proxier:
    """kube-proxy's iptables mode on one node.

    ``restore`` is what the last sync wrote; ``error`` why it failed ("" if it did not).
    """

    def __init__(self, ns: Netns, config: ProxyConfig) -> None:
        self.ns, self.config = ns, config
        self.ruleset = ns.ruleset if config.family == "IPv4" else Ruleset()
        self.need_full = True
        self.last_full = self.last_cleanup = -inf
        self.partial_failures = 0
        self.restore: Restore | None = None
        self.error = ""
        self._ports: dict[ServicePortName, Written[PortRules]] = {}

    @property
    def now(self) -> float:
        """The model's time in seconds."""
        return self.ns.network.now if self.ns.network else 0.0

    # -- a sync ---------------------------------------------------------------------------------

    def sync(self, services: ServiceMap, endpoints: EndpointsMap) -> None:
        """Writes what is missing for these Services; afterwards ``error`` tells whether it went in.

        An ``iptables-restore`` is all or nothing: one that fails changes nothing, and the next sync
        will be a full one.
        """
        full = self.need_full or self.now - self.last_full >= FULL_SYNC_PERIOD
        if full:
            self._ensure_jumps()
        large = sum(len(endpoints.get(name, ())) for name in services) > LARGE
        changed = self._update(services, endpoints, full=full, large=large)
        self.restore = self._restore(changed, full=full, large=large)
        self.error = self._refused(self.restore)
        if self.error:
            self.need_full = True
            self.partial_failures += not full
            return
        self._write(self.restore)
        self.need_full = False
        if full:
            self.last_full = self.now

    def _ensure_jumps(self) -> None:
        ruleset = self.ruleset
        for table in CANARY_TABLES:
            ruleset.table(table)
            ruleset.ensure_chain(table, CANARY)
        for table, chain, text, target in (*JUMPS, *KUBELET_JUMPS):
            ruleset.ensure_chain(table, target)
            ruleset.ensure_rule(table, chain, _jump(text, target), front=True)

    def canary_gone(self) -> bool:
        """True if somebody deleted kube-proxy's canary chains: all of them, in every table."""
        return not any(CANARY in self.ruleset.tables.get(t, {}) for t in CANARY_TABLES)

    def _update(
        self, services: ServiceMap, endpoints: EndpointsMap, *, full: bool, large: bool
    ) -> list[ServicePortName]:
        """Makes the rules of all Services of which a port changed; returns those ports."""

        def make(info: ServicePortInfo, own: tuple[EndpointInfo, ...]) -> PortRules:
            return port_rules(info, own, self.config, large=large)

        self._ports, changed = rewritten(self._ports, services, endpoints, make, full=full)
        return changed

    def _restore(self, changed: Iterable[ServicePortName], *, full: bool, large: bool) -> Restore:
        ports = self._ports
        nat = self._fixed_nat()
        for name in changed:
            nat.update(ports[name].rules.chains)
        deleted: tuple[str, ...] = ()
        if not large or self.now - self.last_cleanup > self.config.sync_period:
            alive = {chain for port in ports.values() for chain in port.rules.chains}
            there = self.ruleset.table("nat")
            deleted = tuple(c for c in there if c.startswith(OWN) and c not in alive)
            self.last_cleanup = self.now
        return Restore(full, self._filter(), nat, deleted)

    # -- the chains that stand once on a node ---------------------------------------------------

    def _all(self) -> Iterator[PortRules]:
        return (port.rules for port in self._ports.values())

    def _fixed_nat(self) -> dict[str, Specs]:
        mark = self.config.mark
        fully = " --random-fully" if self.config.random_fully else ""
        note = comment("kubernetes service traffic requiring SNAT")
        return {
            POSTROUTING: (
                f"-m mark ! --mark {mark}/{mark} -j RETURN",
                f"-j MARK --xor-mark {mark}",
                f"{note} -j MASQUERADE{fully}",
            ),
            MARK_MASQ: (f"-j MARK --or-mark {mark}",),
            NODEPORTS: tuple(spec for port in self._all() for spec in port.node_ports),
            SERVICES: (
                *(spec for port in self._all() for spec in port.services),
                *self._to_node_ports(),
            ),
        }

    def _to_node_ports(self) -> Iterator[str]:
        config, target = self.config, f"-j {NODEPORTS}"
        six = config.family == "IPv6"
        localhost = config.localhost_node_ports and not six
        if config.node_port_addresses.match_all(config.family):
            but = " ! -d ::1/128" if six else "" if localhost else " ! -d 127.0.0.0/8"
            yield f"{comment(LAST)} -m addrtype --dst-type LOCAL{but} {target}"
            return
        for ip in self._node_ips():
            if localhost or not (ip.startswith("127.") or ip == "::1"):
                yield f"{comment(LAST)} -d {ip} {target}"

    def _node_ips(self) -> tuple[str, ...]:
        """The node's addresses that serve node ports."""
        own = self.config.node_ips or tuple(
            address.ip for device in self.ns.devices.values() for address in device.addresses
        )
        lengths = {"IPv4": 32, "IPv6": 128}
        there = dict.fromkeys(("127.0.0.1", "::1", *own))
        addresses = {"": [f"{ip}/{lengths[family_of(ip)]}" for ip in there]}
        return self.config.node_port_addresses.node_ips(addresses, self.config.family)

    def _filter(self) -> dict[str, Specs]:
        config, mark = self.config, self.config.mark
        counter = f" -m nfacct --nfacct-name {INVALID_COUNTER}"
        counted = counter if INVALID_COUNTER in config.nfacct else ""
        note = comment("kubernetes forwarding conntrack rule")
        localnet = config.family == "IPv4" and config.localhost_node_ports
        invalid = (f"-m conntrack --ctstate INVALID{counted} -j DROP",)
        return {
            SERVICES: tuple(spec for port in self._all() for spec in port.no_endpoints),
            EXTERNAL: tuple(spec for port in self._all() for spec in port.external),
            FORWARD: (
                *(() if config.tcp_liberal else invalid),
                f"{comment('kubernetes forwarding rules')} -m mark --mark {mark}/{mark} -j ACCEPT",
                f"{note} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            ),
            NODEPORTS: tuple(spec for port in self._all() for spec in port.health),
            FIREWALL: tuple(spec for port in self._all() for spec in port.firewall),
            LOCALNET: (localnet_rule(),) if localnet else (),
        }

    # -- writing --------------------------------------------------------------------------------

    def _refused(self, restore: Restore) -> str:
        """Why the kernel would not take it: a jump to a chain that is not (or no longer) there."""
        there, gone = self.ruleset.table("nat"), set(restore.deleted)
        for name, specs in restore.nat.items():
            for spec in specs:
                target = jumped_to(spec)
                known = target in restore.nat or (target in there and target not in gone)
                if target.startswith("KUBE-") and not known:
                    return f"chain {name} jumps to {target}, which does not exist"
        for name, chain in there.items() if gone else ():
            if name not in restore.nat and name not in gone:
                still = targets(chain) & gone
                if still:
                    return f"CHAIN_DEL failed (Device or resource busy): chain {min(still)}"
        return ""

    def _write(self, restore: Restore) -> None:
        for table, chains in (("filter", restore.filter), ("nat", restore.nat)):
            self.ruleset.put_all(table, [written(*chain) for chain in chains.items()])
        self.ruleset.drop_all("nat", restore.deleted)

    # -- what is there --------------------------------------------------------------------------

    def rules_total(self, table: str) -> int:
        """How many rules kube-proxy has in a table now (``sync_proxy_rules_iptables_total``)."""
        fixed = self._fixed_nat() if table == "nat" else self._filter()
        total = sum(map(len, fixed.values()))
        if table == "nat":
            total += sum(len(specs) for port in self._all() for specs in port.chains.values())
        return total

    def no_local_endpoints(self) -> tuple[int, int]:
        """How many ports have traffic of a Local policy, internal and external, and no endpoint on
        this node (``sync_proxy_rules_no_local_endpoints_total``)."""
        ports = list(self._all())
        return sum(p.no_local_internal for p in ports), sum(p.no_local_external for p in ports)

    # -- the end --------------------------------------------------------------------------------

    def clean_up(self) -> None:
        """``kube-proxy --cleanup``: the jumps and chains go. KUBE-MARK-MASQ, the canaries and
        kubelet's KUBE-FIREWALL stay."""
        ruleset = self.ruleset
        for table, chain, text, target in JUMPS:
            here, jump = ruleset.table(table)[chain], _jump(text, target)
            if jump in here.rules:
                ruleset.change(table, chain, [rule for rule in here.rules if rule != jump])
        fixed = {"nat": (SERVICES, NODEPORTS, POSTROUTING),
                 "filter": (SERVICES, EXTERNAL, FORWARD, NODEPORTS, FIREWALL)}  # fmt: skip
        for table, names in fixed.items():
            there = ruleset.table(table)
            ruleset.drop_all(table, [n for n in there if n in names or n.startswith(OWN)])
        self._ports = {}
        self.need_full = True

    def clone(self, ns: Netns) -> Proxier:
        """The same for a copy of the node."""
        other = Proxier(ns, self.config)
        if self.config.family != "IPv4":
            other.ruleset = self.ruleset.clone()
        other.need_full, other.last_full = self.need_full, self.last_full
        other.last_cleanup, other.partial_failures = self.last_cleanup, self.partial_failures
        other.restore, other.error, other._ports = self.restore, self.error, self._ports
        return other


def _jump(text: str, target: str) -> Rule:
    return read_spec(f"{text} -j {target}".lstrip())


def kubelet_rules(ruleset: Ruleset) -> None:
    """What kubelet puts into the filter table when it starts: its firewall against packets to
    127.0.0.0/8 from elsewhere. kube-proxy finds the jumps, and leaves them where they are."""
    for table, chain, text, target in KUBELET_JUMPS:
        ruleset.ensure_chain(table, target)
        ruleset.ensure_rule(table, chain, _jump(text, target), front=True)
    ruleset.ensure_rule("filter", LOCALNET, read_spec(localnet_rule()))
