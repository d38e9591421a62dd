"""Rules that a program makes, rather than reads: what nobody says is what the kernel assumes."""

from __future__ import annotations

import pytest

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
from k8snetlib.linux.netfilter.syntax import parse_rule
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.linux.netfilter.targets import Jump, Log, Nat, Reject, SetMark

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
    ruleset.watcher = lambda: heard.append(len(ruleset.table("filter")))
    ruleset.new_chain("filter", "CANARY")
    ruleset.change("filter", "CANARY", [parse_rule("-j DROP")])
    ruleset.change("filter", "CANARY", [])
    ruleset.delete_chain("filter", "CANARY")
    assert heard == [0, 4, 4, 4, 3]
