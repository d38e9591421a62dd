"""Rules that a program makes, rather than reads: what nobody says is what the kernel assumes."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.linux.netfilter.matches import (
    Conntrack,
    IcmpType,
    Limit,
    Mark,
    MatchSet,
    Multiport,
    Recent,
    Statistic,
)
from k8snetlib.linux.netfilter.rule import Probe
from k8snetlib.linux.netfilter.save import restore, save
from k8snetlib.linux.netfilter.syntax import RuleError, parse_rule
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.linux.netfilter.targets import Jump, Log, Nat, Reject, SetMark
from k8snetlib.packet import PROTO_UDP, IPv4, Udp, stack_of

MADE = {
    "-m icmp --icmp-type 3": IcmpType(3),
    "-m multiport --dports 80,90:99": Multiport("dports", ((80, 80), (90, 99))),
    "-m conntrack --ctstate RELATED,ESTABLISHED": Conntrack(frozenset({"ESTABLISHED", "RELATED"})),
    "-m conntrack --ctstatus ASSURED": Conntrack(status=frozenset({"ASSURED"})),
    "-m mark --mark 0x5": Mark(5),
    "-m set --match-set S src": MatchSet("S", ("src",)),
    "-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource": Recent("set"),
    "-m limit --limit 3/min": Limit("3/min"),
    "-m statistic --mode nth --every 3 --packet 0": Statistic("nth", every=3),
    "-j A": Jump("A"),
    "-j REJECT --reject-with icmp-port-unreachable": Reject(),
    "-j MARK --set-xmark 0x5/0xffffffff": SetMark(5),
    "-j MASQUERADE": Nat("MASQUERADE"),
    "-j LOG": Log(),
}


@pytest.mark.parametrize(("text", "made"), MADE.items(), ids=MADE)
def test_what_is_made_by_hand_is_what_is_read(text: str, made: object) -> None:
    rule = parse_rule(f"-p icmp {text}" if "icmp-type" in text else text)
    assert (*rule.matches, rule.target)[0] == made
    assert str(made) == text


def test_whoever_watches_the_rules_hears_of_every_change() -> None:
    ruleset, heard = Ruleset(), [0]
    ruleset.watchers["test"] = lambda: heard.append(len(ruleset.table("filter")))
    ruleset.new_chain("filter", "CANARY")
    ruleset.change("filter", "CANARY", [parse_rule("-j DROP")])
    ruleset.change("filter", "CANARY", [])
    ruleset.delete_chain("filter", "CANARY")
    assert heard == [0, 4, 4, 4, 3]


def test_a_rule_s_comment() -> None:
    told = parse_rule('-p udp -m udp --dport 53 -m comment --comment "to DNS" -j ACCEPT')
    assert told.comment == "to DNS"
    assert parse_rule("-p udp -m udp --dport 53 -j ACCEPT").comment == ""


def test_a_chain_that_is_not_there() -> None:
    with pytest.raises(K8sNetError, match=r"no chain in table filter called 'FORWRD'.*FORWARD"):
        Cluster.example()["node1"].ruleset.chain("filter", "FORWRD")


class _Set:
    """An ipset of addresses."""

    def contains(self, p: Probe, flags: tuple[str, ...]) -> bool:
        return "10.1.15.2" in {"src": (p.ip.src,), "dst": (p.ip.dst,)}[flags[0]]


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("-m set --match-set PODS src", [True, False]),
        ("-m set ! --match-set PODS src", [False, True]),
        ("-m set --match-set PODS dst", [False, False]),
        ("-m set --match-set NONE src", [False, False]),
    ],
)
def test_a_set_decides(text: str, hits: list[bool]) -> None:
    """``Netns.ipsets`` holds whatever can say what it contains."""
    node1 = Cluster.example()["node1"]
    node1.ipsets["PODS"] = _Set()
    (test,) = parse_rule(text).compile()
    packets = [
        stack_of((IPv4(src, "10.1.20.3", PROTO_UDP), Udp(1, 2)))
        for src in ("10.1.15.2", "10.1.15.3")
    ]
    probes = [Probe(node1, packet, "docker0", "eth0", 0, 0.0, lambda: 0.5) for packet in packets]
    assert [test(p) for p in probes] == hits


def test_counters_are_printed_only_if_asked_for() -> None:
    """A user chain has no policy, so it has nothing to count."""
    cluster = Cluster.example()
    node1 = cluster["node1"]
    restore(
        node1.ruleset,
        "*filter\n:FORWARD ACCEPT\n:U - [0:0]\n-A FORWARD -j U\n-A U -p udp\nCOMMIT\n",
    )
    assert cluster.ping("web2", "backend").ok
    counted, plain = save(node1.ruleset, counters=True), save(node1.ruleset)
    assert ":FORWARD ACCEPT [2:168]\n" in counted
    assert ":U - [0:0]\n" in counted
    assert "[2:168] -A FORWARD -j U\n[0:0] -A U" in counted
    assert ":FORWARD ACCEPT [0:0]\n" in plain
    assert "\n-A FORWARD -j U\n" in plain


@pytest.mark.parametrize("noflush", [True, False])
def test_what_a_restored_text_does_not_name(noflush: bool) -> None:
    """iptables-restore(8), -n: the chains that are not named keep their rules."""
    ruleset = Ruleset()
    restore(ruleset, "*filter\n:U - [0:0]\n-A INPUT -j U\n-A U -j ACCEPT\nCOMMIT\n")
    restore(ruleset, "*filter\n:V - [0:0]\n-A V -j DROP\nCOMMIT\n", noflush=noflush)
    kept = ["-A INPUT -j U", "-A U -j ACCEPT"] if noflush else []
    rules = [line for line in save(ruleset).splitlines() if line.startswith("-A")]
    assert rules == [*kept, "-A V -j DROP"]


def test_no_text_drops_in_the_nat_table() -> None:
    """A policy may: iptables-restore 1.8.9 takes it."""
    ruleset = Ruleset()
    with pytest.raises(RuleError, match="the use of DROP is therefore inhibited"):
        restore(ruleset, "*nat\n-A OUTPUT -j DROP\nCOMMIT\n")
    restore(ruleset, "*nat\n:OUTPUT DROP\nCOMMIT\n")
    assert ":OUTPUT DROP" in save(ruleset)


def test_a_copy_remembers_whom_it_has_seen() -> None:
    """``-m recent`` in a what-if: its list is a copy, too."""
    cluster = Cluster.example()
    rules = "-A INPUT -p icmp -m recent --rcheck --name SEEN -j DROP\n-A INPUT -p udp -m recent --set --name SEEN\n"
    restore(cluster["node1"].ruleset, f"*filter\n{rules}COMMIT\n")
    cluster.send("web2", "node1", 53, proto="udp")
    twin = cluster.clone()
    assert twin.ping("web2", "node1").outcome == "dropped"
    twin.send("web1", "node1", 53, proto="udp")
    assert twin.ping("web1", "node1").outcome == "dropped"
    assert cluster.ping("web1", "node1").ok
