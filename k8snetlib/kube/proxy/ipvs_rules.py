"""What lives here: the iptables rules that IPVS mode still needs, as text.

IPVS chooses and translates; iptables marks what must be masqueraded, masquerades it, lets node
ports' health checks in, and keeps strangers off. Rules ask ipsets, so their number does not grow
with the number of Services.

Source: kube-proxy's pkg/proxy/ipvs/proxier.go (writeIptablesRules, createAndLinkKubeChain).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from k8snetlib.kube.proxy import ipvs_sets as s
from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.ipvs_plan import Plan
from k8snetlib.kube.proxy.ipvs_sets import SETS, set_name

SERVICES, POSTROUTING, NODE_PORT = "KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT"
LOAD_BALANCER, MARK_MASQ, FORWARD = "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ", "KUBE-FORWARD"
FIREWALL, SOURCE_RANGES = "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL"
FILTER, OUT_FILTER = "KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER"

#: table -> kube-proxy's own chains, in the order in which they are declared.
CHAINS: Mapping[str, tuple[str, ...]] = {
    "nat": (SERVICES, POSTROUTING, NODE_PORT, LOAD_BALANCER, MARK_MASQ),
    "filter": (FORWARD, NODE_PORT, FIREWALL, SOURCE_RANGES, FILTER, OUT_FILTER),
}


class HookJump(NamedTuple):
    """A jump out of one of the kernel's chains."""

    table: str
    chain: str
    target: str
    comment: str

    @property
    def text(self) -> str:
        """The rule behind ``-A CHAIN``."""
        return f'-m comment --comment "{self.comment}" -j {self.target}'


#: In this order each is put in front of its chain if it is not there: so they stand the other way
#: round.
JUMPS = (
    HookJump("nat", "OUTPUT", SERVICES, "kubernetes service portals"),
    HookJump("nat", "PREROUTING", SERVICES, "kubernetes service portals"),
    HookJump("nat", "POSTROUTING", POSTROUTING, "kubernetes postrouting rules"),
    HookJump("filter", "FORWARD", FORWARD, "kubernetes forwarding rules"),
    HookJump("filter", "INPUT", NODE_PORT, "kubernetes health check rules"),
    HookJump("filter", "INPUT", FIREWALL, "kube-proxy firewall rules"),
    HookJump("filter", "FORWARD", FIREWALL, "kube-proxy firewall rules"),
    HookJump("filter", "INPUT", FILTER, "kubernetes ipvs access filter"),
    HookJump("filter", "OUTPUT", OUT_FILTER, "kubernetes ipvs access filter"),
)

#: (set, table, chain, target, ends of the packet, protocol): written only if the set has entries.
_BY_SET = (
    (s.LOOP_BACK, "nat", POSTROUTING, "MASQUERADE", "dst,dst,src", ""),
    (s.BALANCER, "nat", SERVICES, LOAD_BALANCER, "dst,dst", ""),
    (s.BALANCER_LOCAL, "nat", LOAD_BALANCER, "RETURN", "dst,dst", ""),
    (s.NODE_PORT_LOCAL["tcp"], "nat", NODE_PORT, "RETURN", "dst", "tcp"),
    (s.NODE_PORT["tcp"], "nat", NODE_PORT, MARK_MASQ, "dst", "tcp"),
    (s.NODE_PORT_LOCAL["udp"], "nat", NODE_PORT, "RETURN", "dst", "udp"),
    (s.NODE_PORT["udp"], "nat", NODE_PORT, MARK_MASQ, "dst", "udp"),
    (s.NODE_PORT_LOCAL["sctp"], "nat", NODE_PORT, "RETURN", "dst,dst", "sctp"),
    (s.NODE_PORT["sctp"], "nat", NODE_PORT, MARK_MASQ, "dst,dst", "sctp"),
    (s.BALANCER_FW, "filter", FIREWALL, SOURCE_RANGES, "dst,dst", ""),
    (s.BALANCER_SOURCE_CIDR, "filter", SOURCE_RANGES, "RETURN", "dst,dst,src", ""),
    (s.BALANCER_SOURCE_IP, "filter", SOURCE_RANGES, "RETURN", "dst,dst,src", ""),
)
_FROM_OUTSIDE = "-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL"
_TO_HERE = "-m addrtype --dst-type LOCAL"

#: One rule: its table, its chain, its text.
Line = tuple[str, str, str]


def rules(config: ProxyConfig, plan: Plan) -> dict[str, dict[str, list[str]]]:
    """Every rule of every chain of kube-proxy's own: table -> chain -> texts behind ``-A CHAIN``,
    all chains, also empty ones."""
    found: dict[str, dict[str, list[str]]] = {
        table: {chain: [] for chain in chains} for table, chains in CHAINS.items()
    }
    for table, chain, text in _lines(config, plan):
        found[table][chain].append(text)
    return found


def _lines(config: ProxyConfig, plan: Plan) -> Iterator[Line]:
    loopback = "127.0.0.0/8" if config.family == "IPv4" else "::1/128"
    yield "nat", SERVICES, f"-s {loopback} -j RETURN"
    for name, table, chain, target, ends, proto in _BY_SET:
        if plan.sets[name]:
            head = f"-p {proto} " if proto else ""
            yield table, chain, f"{head}{_asks(config, name, ends)} -j {target}"
    yield from _service_lines(config, plan)
    yield "nat", LOAD_BALANCER, f"-j {MARK_MASQ}"
    yield "filter", SOURCE_RANGES, "-j DROP"
    for refused in plan.refused:
        ip, proto, port = refused
        virtual = f"-m ipvs --vaddr {ip} --vproto {proto} --vport {port}"
        yield "filter", OUT_FILTER, f"-s {ip} {virtual} -j DROP"
    for name in (s.CLUSTER_IP, s.BALANCER):
        if plan.sets[name]:
            yield "nat", SERVICES, f"{_in_set(config, name, 'dst,dst')} -j ACCEPT"
    yield from _fixed_lines(config)


def _service_lines(config: ProxyConfig, plan: Plan) -> Iterator[Line]:
    """What KUBE-SERVICES says of cluster IPs and external IPs."""
    if plan.sets[s.CLUSTER_IP]:
        ends, more = "src,dst", ""
        if config.masquerade_all:
            ends = "dst,dst"
        elif config.detector.implemented:
            ends, more = "dst,dst", f" {config.detector.iptables(False)}"
        yield "nat", SERVICES, f"{_asks(config, s.CLUSTER_IP, ends)}{more} -j {MARK_MASQ}"
    for name in (s.EXTERNAL_IP, s.EXTERNAL_IP_LOCAL):
        if plan.sets[name]:
            asks = _asks(config, name, "dst,dst")
            if name == s.EXTERNAL_IP:
                yield "nat", SERVICES, f"{asks} -j {MARK_MASQ}"
            yield "nat", SERVICES, f"{asks} {_FROM_OUTSIDE} -j ACCEPT"
            yield "nat", SERVICES, f"{asks} {_TO_HERE} -j ACCEPT"
    yield "nat", SERVICES, f"{_TO_HERE} -j {NODE_PORT}"


def _fixed_lines(config: ProxyConfig) -> Iterator[Line]:
    mark = config.mark
    yield (
        "filter",
        FORWARD,
        (
            '-m comment --comment "kubernetes forwarding rules"'
            f" -m mark --mark {mark}/{mark} -j ACCEPT"
        ),
    )
    yield (
        "filter",
        FORWARD,
        (
            '-m comment --comment "kubernetes forwarding conntrack rule"'
            " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        ),
    )
    yield "filter", NODE_PORT, f"{_asks(config, s.HEALTH_CHECK, 'dst')} -j ACCEPT"
    for name in (s.BALANCER, s.CLUSTER_IP, s.EXTERNAL_IP, s.EXTERNAL_IP_LOCAL, s.HEALTH_CHECK):
        ends = "dst" if name == s.HEALTH_CHECK else "dst,dst"
        yield "filter", FILTER, f"{_in_set(config, name, ends)} -j RETURN"
    new = f"-m conntrack --ctstate NEW {_in_set(config, s.IPVS_IPS, 'dst')}"
    yield "filter", FILTER, f"{new} -j REJECT"
    yield "nat", POSTROUTING, f"-m mark ! --mark {mark}/{mark} -j RETURN"
    yield "nat", POSTROUTING, f"-j MARK --xor-mark {mark}"
    fully = " --random-fully" if config.random_fully else ""
    yield (
        "nat",
        POSTROUTING,
        (f'-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE{fully}'),
    )
    yield "nat", MARK_MASQ, f"-j MARK --or-mark {mark}"


def _in_set(config: ProxyConfig, name: str, ends: str) -> str:
    return f"-m set --match-set {set_name(name, config.family)} {ends}"


def _asks(config: ProxyConfig, name: str, ends: str) -> str:
    return f'-m comment --comment "{SETS[name].comment}" {_in_set(config, name, ends)}'
