"""What lives here: flannel's own iptables rules, and how it keeps them in place and in order.

``--ip-masq`` (nat): traffic between pods leaves as it is, traffic of pods to anywhere else gets the
node's address, and so does traffic to the pods whose source is no pod. What kube-proxy has marked
is left to kube-proxy. ``--iptables-forward-rules`` (filter): what comes from or goes to a pod is
forwarded, whatever the policy of FORWARD says.

At the start flannel empties its chain; then it deletes those of its rules that are there and
appends all of them, in one ``iptables-restore``. Every five seconds it looks whether each rule is
there, no matter where. If one is missing, all are deleted and appended again, so they may move
behind what others have appended meanwhile. When flanneld ends, the rules stay.

Simplified here: IPv4 only; ``EnableNFTables`` is read, and the rules are these all the same.
Source: flannel's pkg/trafficmngr/iptables/iptables.go.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from k8snetlib.linux.netfilter.chain import Chain
from k8snetlib.linux.netfilter.rule import Rule
from k8snetlib.linux.netfilter.syntax import parse_rule
from k8snetlib.linux.netfilter.tables import Ruleset

POSTRTG, FWD = "FLANNEL-POSTRTG", "FLANNEL-FWD"
#: The bit by which kube-proxy says: masquerade this.
KUBE_PROXY_MARK = "0x4000/0x4000"
MULTICAST, MULTICAST6 = "224.0.0.0/4", "ff00::/8"


class FlannelRule(NamedTuple):
    """One rule: where it stands, and its text as iptables takes it."""

    table: str
    chain: str
    spec: str

    def __str__(self) -> str:
        return f"-A {self.chain} {self.spec}"

    @property
    def rule(self) -> Rule:
        """The rule as the model's netfilter has it."""
        return _parsed(self.spec)


_parsed = lru_cache(4096)(parse_rule)


@lru_cache(4096)
def masq_rules(
    cluster: str, pods: str, *, random_fully: bool = True, ipv6: bool = False
) -> tuple[FlannelRule, ...]:
    """The rules of ``--ip-masq``, in order. ``cluster`` is the whole pod network, ``pods`` this
    node's part of it, both as text."""
    note = '-m comment --comment "flanneld masq"'
    masquerade = "-j MASQUERADE --random-fully" if random_fully else "-j MASQUERADE"
    multicast = MULTICAST6 if ipv6 else MULTICAST
    inside = (
        f"-m mark --mark {KUBE_PROXY_MARK} {note} -j RETURN",
        f"-s {pods} -d {cluster} {note} -j RETURN",
        f"-s {cluster} -d {pods} {note} -j RETURN",
        f"! -s {cluster} -d {pods} {note} -j RETURN",
        f"-s {cluster} ! -d {multicast} {note} {masquerade}",
        f"! -s {cluster} -d {cluster} {note} {masquerade}",
    )
    jump = FlannelRule("nat", "POSTROUTING", f"{note} -j {POSTRTG}")
    return (jump, *(FlannelRule("nat", POSTRTG, spec) for spec in inside))


@lru_cache(64)
def forward_rules(cluster: str) -> tuple[FlannelRule, ...]:
    """The rules of ``--iptables-forward-rules``, in order."""
    note = '-m comment --comment "flanneld forward"'
    return (
        FlannelRule("filter", "FORWARD", f"{note} -j {FWD}"),
        FlannelRule("filter", FWD, f"-s {cluster} {note} -j ACCEPT"),
        FlannelRule("filter", FWD, f"-d {cluster} {note} -j ACCEPT"),
    )


def exist(ruleset: Ruleset, rules: tuple[FlannelRule, ...]) -> bool:
    """True if every rule is there; their order does not count."""
    return all(_is_there(ruleset, rule) for rule in rules)


def _is_there(ruleset: Ruleset, rule: FlannelRule) -> bool:
    chain = ruleset.tables.get(rule.table, {}).get(rule.chain)
    return chain is not None and rule.rule in chain.rules


def restore_lines(ruleset: Ruleset, rules: tuple[FlannelRule, ...]) -> dict[str, list[str]]:
    """What flannel hands to ``iptables-restore --noflush``, by table: each rule that is there is
    deleted first, and all are appended."""
    lines: dict[str, list[str]] = {}
    for rule in rules:
        table = lines.setdefault(rule.table, [])
        if _is_there(ruleset, rule):
            table.append(f"-D {rule.chain} {rule.spec}")
        table.append(str(rule))
    return lines


def teardown_lines(ruleset: Ruleset, rules: tuple[FlannelRule, ...]) -> dict[str, list[str]]:
    """What flannel hands over to take its rules away: those that are there, by table."""
    lines: dict[str, list[str]] = {}
    for rule in rules:
        if _is_there(ruleset, rule):
            lines.setdefault(rule.table, []).append(f"-D {rule.chain} {rule.spec}")
    return lines


def apply(ruleset: Ruleset, lines: dict[str, list[str]]) -> None:
    """``iptables-restore --noflush`` for ``-A`` and ``-D`` lines; missing chains are made first."""
    for table, commands in lines.items():
        work: dict[str, list[Rule]] = {}
        for command in commands:
            verb, name, spec = command.split(" ", 2)
            ruleset.ensure_chain(table, name)
            rules = work.setdefault(name, list(ruleset.tables[table][name].rules))
            if verb == "-D":
                rules.remove(_parsed(spec))
            else:
                rules.append(_parsed(spec))
        for name, rules in work.items():
            ruleset.change(table, name, rules)


def make_chain(ruleset: Ruleset, table: str, name: str) -> None:
    """Makes a chain, or empties the one that is there."""
    ruleset.put(table, Chain(name))


def bootstrap(ruleset: Ruleset, rules: tuple[FlannelRule, ...]) -> None:
    """All rules, in order, at the end of their chains."""
    apply(ruleset, restore_lines(ruleset, rules))


def teardown(ruleset: Ruleset, rules: tuple[FlannelRule, ...]) -> None:
    """Takes the rules away; the chains stay."""
    apply(ruleset, teardown_lines(ruleset, rules))
