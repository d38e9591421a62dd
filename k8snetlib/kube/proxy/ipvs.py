"""What lives here: kube-proxy in IPVS mode: how its plan gets into the kernel of its node.

A sync compares: what is missing is added, what differs is changed, and virtual servers that the
plan does not know are deleted (unless ``exclude_cidrs`` spares them). A real server that is no
longer wanted ends gracefully: it gets weight 0, so that no new connection goes there, and is
deleted when its last connection is gone; over UDP at once. After a restart the first sync sets all
weights to 1 again.

What may not live here: what is wanted (``ipvs_plan``, ``ipvs_rules``).

Simplified here: for IPv6 virtual servers, real servers and sets are made, rules and addresses are
not, as the model's packets are IPv4; rules that stay keep their counters; real servers come in the
order of their text, where a real kube-proxy has them in any order.
Source: kube-proxy's pkg/proxy/ipvs/proxier.go, graceful_termination.go, netlink_linux.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import ceil, inf

from k8snetlib.address import mac_for
from k8snetlib.errors import K8sNetError
from k8snetlib.kube.proxy import ipvs_rules
from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.ipvs_plan import DEVICE, Plan, Wanted, is_excluded, make_plan
from k8snetlib.kube.proxy.ipvs_sets import SETS, empty_sets, set_name
from k8snetlib.kube.proxy.state import EndpointsMap, ServiceMap, family_of
from k8snetlib.linux.ipset import destroy
from k8snetlib.linux.ipvs.path import forget_expired
from k8snetlib.linux.ipvs.table import Ipvs, Key, VirtualServer
from k8snetlib.linux.netfilter.chain import Chain
from k8snetlib.linux.netfilter.rule import Jump
from k8snetlib.linux.netfilter.syntax import parse_rule
from k8snetlib.linux.netns import Device, Netns

#: How often kube-proxy looks whether the connections of a leaving real server are gone, in seconds.
GRACEFUL_PERIOD = 60.0
#: The sysctls that this mode sets on its node.
SYSCTLS = {
    "net.ipv4.vs.conntrack": 1,
    "net.ipv4.vs.expire_nodest_conn": 1,
    "net.ipv4.vs.expire_quiescent_template": 1,
    "net.ipv4.ip_forward": 1,
}
STRICT_ARP = {"net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2}
#: An address that documentation alone may use: can the kernel hold a virtual server at all?
PROBE = ("tcp", "198.51.100.0", 20000)
_LEAST_IPSET = (6, 0)

_parsed = lru_cache(4096)(parse_rule)
Leaving = tuple[Key, str, int]


class Proxier:
    """kube-proxy in IPVS mode on one node. ``plan`` is that of the last sync (None: none yet);
    ``leaving`` are real servers that end gracefully: (virtual server, address, port)."""

    def __init__(self, ns: Netns, config: ProxyConfig) -> None:
        self.ns, self.config = ns, config
        self.plan: Plan | None = None
        self.leaving: dict[Leaving, None] = {}
        self.full_period = config.sync_period
        self._first = True
        self._next_check = self._now + GRACEFUL_PERIOD
        ns.sysctls |= SYSCTLS | (STRICT_ARP if config.strict_arp else {})

    # -- syncing --------------------------------------------------------------------------------

    def sync(self, services: ServiceMap, endpoints: EndpointsMap) -> None:
        """Brings the kernel to what the maps say, from whatever it held before."""
        self._ensure_chains()
        self._ensure_device()
        plan = make_plan(self.config, services, endpoints, self._addresses())
        forget_expired(self.ns, self._now)
        self._sync_virtual(plan)
        self._sync_sets(plan)
        self._sync_rules(plan)
        self._unbind(plan)
        self._delete_others(plan)
        self.plan, self._first = plan, False

    def _addresses(self) -> dict[str, list[str]]:
        devices = {d.name: [a.ip for a in d.addresses] for d in self.ns.devices.values()}
        if self.config.family == "IPv6":
            return {"eth0": [ip for ip in self.config.node_ips if family_of(ip) == "IPv6"]}
        return devices

    def _ensure_chains(self) -> None:
        if self.config.family == "IPv6":
            return
        ruleset = self.ns.ruleset
        for table, chains in ipvs_rules.CHAINS.items():
            for chain in chains:
                ruleset.ensure_chain(table, chain)
        for jump in ipvs_rules.JUMPS:
            ruleset.ensure_rule(jump.table, jump.chain, _parsed(jump.text), front=True)

    def _ensure_device(self) -> None:
        if DEVICE not in self.ns.devices:
            mac = mac_for("0a:d0", self.config.node_ip) if "." in self.config.node_ip else ""
            self.ns.add_device(Device(DEVICE, "dummy", mac or "0a:d0:00:00:00:01", up=False))

    def _sync_virtual(self, plan: Plan) -> None:
        before = {a.ip for a in self.ns.devices[DEVICE].addresses}
        for key, wanted in plan.virtual.items():
            ensure_service(self.ns, key, self.config.scheduler, wanted, before)
            self._sync_servers(key, wanted)

    def _sync_servers(self, key: Key, wanted: Wanted) -> None:
        ipvs = self.ns.ipvs
        now = {(s.ip, s.port): s for s in ipvs.service(key).servers}
        for ip, port in wanted.servers:
            server = now.get((ip, port))
            if server is not None and self._first:
                server.weight = 1
            if (key, ip, port) in self.leaving:
                # What was to go is wanted again: away with it at once, and in anew.
                del self.leaving[key, ip, port]
                if server is not None:
                    ipvs.delete_server(key, ip, port)
                    server = None
            if server is None:
                ipvs.add_server(key, ip, port)
        for ip, port in now.keys() - set(wanted.servers):
            if (key, ip, port) not in self.leaving:
                self._let_go(key, ip, port)

    def _sync_sets(self, plan: Plan) -> None:
        for name, made in empty_sets(self.config.family).items():
            self.ns.ipsets[made.name] = made.with_entries(plan.sets[name])

    def _sync_rules(self, plan: Plan) -> None:
        if self.config.family == "IPv6":
            return
        ruleset = self.ns.ruleset
        for table, chains in ipvs_rules.rules(self.config, plan).items():
            for name, texts in chains.items():
                made = tuple(_parsed(text) for text in texts)
                if ruleset.chain(table, name).rules != made:
                    ruleset.put(table, Chain(name, made))

    def _unbind(self, plan: Plan) -> None:
        bound = set(plan.bound)
        for address in self.ns.devices[DEVICE].addresses:
            if address.ip not in bound:
                self.ns.remove_address(DEVICE, str(address))

    def _delete_others(self, plan: Plan) -> None:
        delete_legacy(self.ns.ipvs, plan.virtual, self.config)
        services = self.ns.ipvs.services
        self.leaving = {one: None for one in self.leaving if one[0] in services}

    # -- graceful termination -------------------------------------------------------------------

    def _let_go(self, key: Key, ip: str, port: int) -> None:
        """A real server is no longer wanted: it goes, at once or when its connections are gone."""
        if not self._gone(key, ip, port):
            self.ns.ipvs.edit_server(key, ip, port, 0)
            self.leaving[key, ip, port] = None

    @property
    def _now(self) -> float:
        return self.ns.network.now if self.ns.network is not None else 0.0

    def due(self) -> float:
        """When it acts by itself: at the next look at what leaves; never if nothing does."""
        if not self.leaving:
            return inf
        late = max(0.0, self._now - self._next_check)
        self._next_check += ceil(late / GRACEFUL_PERIOD) * GRACEFUL_PERIOD
        return self._next_check

    def act(self) -> None:
        """Once a minute: deletes the real servers whose connections are gone."""
        forget_expired(self.ns, self._now)
        self.leaving = {one: None for one in self.leaving if not self._gone(*one)}
        self._next_check = self._now + GRACEFUL_PERIOD

    def _gone(self, key: Key, ip: str, port: int) -> bool:
        service = self.ns.ipvs.services.get(key)
        server = service.server(ip, port) if service is not None else None
        if server is None:
            return True
        if key[0] != "udp" and server.active + server.inactive:
            return False
        self.ns.ipvs.delete_server(key, ip, port)
        return True

    # -- the end --------------------------------------------------------------------------------

    def clean_up(self) -> None:
        """Takes away virtual servers, the device, rules and sets; sysctls stay as they are."""
        clean_up(self.ns, self.config.family)
        self.plan, self.leaving = None, {}

    def clone(self, ns: Netns) -> Proxier:
        """The same for the copy of its namespace."""
        other = object.__new__(Proxier)
        other.ns, other.config, other.plan = ns, self.config, self.plan
        other.leaving, other._first = dict(self.leaving), self._first
        other.full_period, other._next_check = self.full_period, self._next_check
        return other


def ensure_service(
    ns: Netns, key: Key, scheduler: str, wanted: Wanted, bound: set[str] | None = None
) -> VirtualServer:
    """The virtual server as it should be: made, or changed in place. Its address is put on
    ``kube-ipvs0`` if it belongs there and is not among ``bound``."""
    ipvs = ns.ipvs
    service = ipvs.services.get(key)
    if service is None:
        made = VirtualServer(*key, scheduler, wanted.persistent, wanted.flags)
        service = ipvs.add(made)
    elif (service.scheduler, service.persistent, service.flags) != (
        scheduler, wanted.persistent, wanted.flags,
    ):  # fmt: skip
        ipvs.edit(key, scheduler, wanted.persistent, wanted.flags)
    ip = key[1]
    if wanted.bound and "." in ip and ip not in (bound or ()):
        if ns.local.get(ip) != DEVICE:
            ns.add_address(DEVICE, f"{ip}/32")
    return service


def delete_legacy(ipvs: Ipvs, wanted: Mapping[Key, object], config: ProxyConfig) -> None:
    """Deletes the virtual servers of this family that nobody wants; those in ``exclude_cidrs`` are
    somebody else's."""
    for key in list(ipvs.services):
        ip = key[1]
        if key in wanted or family_of(ip) != config.family:
            continue
        if not is_excluded(ip, config.exclude_cidrs):
            ipvs.delete(key)


def clean_up(ns: Netns, family: str = "IPv4") -> None:
    """What ``kube-proxy --cleanup`` takes away of IPVS mode; all virtual servers, whoever made
    them."""
    ns.ipvs.flush()
    if DEVICE in ns.devices:
        ns.remove_device(DEVICE)
    ruleset = ns.ruleset
    for table, own in ipvs_rules.CHAINS.items():
        chains = ruleset.tables.get(table, {})
        for jump in ipvs_rules.JUMPS:
            if jump.table == table and jump.chain in chains:
                rules = chains[jump.chain].rules
                kept = [rule for rule in rules if rule != _parsed(jump.text)]
                if len(kept) < len(rules):
                    ruleset.change(table, jump.chain, kept)
        there = [name for name in own if name in chains]
        for name in there:
            ruleset.put(table, Chain(name))
        for name in there:
            if not _is_used(ruleset.tables[table], name):
                ruleset.delete_chain(table, name)
    for name in SETS:
        if set_name(name, family) in ns.ipsets:
            destroy(ns, set_name(name, family))


def _is_used(chains: Mapping[str, Chain], name: str) -> bool:
    targets = (rule.target for chain in chains.values() for rule in chain.rules)
    return any(isinstance(target, Jump) and target.chain == name for target in targets)


def check_usable(ipvs: Ipvs, ipset_version: str | None, scheduler: str = "") -> None:
    """Whether this kernel can do IPVS mode: tries it with a virtual server that nobody uses.

    ``ipset_version`` is that of the tool (None: it could not be asked). Raises ``K8sNetError``.
    """
    wanted = scheduler or "rr"
    if ipset_version is None:
        raise K8sNetError("The version of ipset could not be found out.", "Is it installed?")
    numbers = tuple(int(part) for part in ipset_version.lstrip("v").split("."))
    if numbers < _LEAST_IPSET:
        raise K8sNetError(f"ipset {ipset_version} is too old for IPVS mode.", "At least 6.0.")
    if any(service.scheduler == wanted for service in ipvs.virtual_servers()):
        return
    ipvs.add(VirtualServer(*PROBE, wanted))
    if not ipvs.virtual_servers():
        raise K8sNetError("This kernel has no IPVS.")
    ipvs.delete(PROBE)
