"""Chains kept as text: read when somebody looks, shared, and otherwise like any other."""

from __future__ import annotations

import pytest

from k8snetlib.linux.netfilter.chain import Chain
from k8snetlib.linux.netfilter.rule import Jump
from k8snetlib.linux.netfilter.save import save
from k8snetlib.linux.netfilter.syntax import RuleError, parse_rule
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.linux.netfilter.written import WrittenChain, jumped_to, targets, written

SPECS = ("-s 10.1.20.3 -j KUBE-MARK-MASQ", "-p tcp -j DNAT --to-destination 10.1.20.3:8080")


def test_it_is_read_when_somebody_looks() -> None:
    chain = WrittenChain("BAD", ["--nonsense"])
    assert chain.specs == ("--nonsense",)
    with pytest.raises(RuleError, match="nonsense"):
        _ = chain.rules


def test_its_rules_are_what_the_text_says() -> None:
    assert written("KUBE-SEP-X", SPECS).rules == tuple(map(parse_rule, SPECS))
    assert written("KUBE-SEP-X", SPECS).policy is None


def test_the_same_text_is_the_same_chain() -> None:
    one = written("KUBE-SEP-X", SPECS)
    assert written("KUBE-SEP-X", list(SPECS)) is one
    assert written("KUBE-SEP-Y", SPECS) is not one
    assert written("KUBE-SEP-X", SPECS[:1]) is not one


def test_it_prints_like_any_other() -> None:
    ours, theirs = Ruleset(), Ruleset()
    for ruleset, kind in ((ours, written), (theirs, lambda n, s: Chain(n, map(parse_rule, s)))):
        ruleset.put_all("nat", [Chain("KUBE-MARK-MASQ"), kind("KUBE-SEP-X", SPECS)])
    assert save(ours) == save(theirs)
    ours.drop_all("nat", ["KUBE-SEP-X", "NOT-THERE"])
    assert "KUBE-SEP-X" not in save(ours)


TARGETS = {
    "-j RETURN": "RETURN",
    "-m comment --comment hello": "",
    '-m comment --comment "x -j y" -j KUBE-SVC-A': "KUBE-SVC-A",
    SPECS[0]: "KUBE-MARK-MASQ",
    SPECS[1]: "DNAT",
}


@pytest.mark.parametrize(("spec", "target"), TARGETS.items(), ids=TARGETS)
def test_jumped_to(spec: str, target: str) -> None:
    assert jumped_to(spec) == target


def test_targets_of_either_kind() -> None:
    assert targets(written("A", SPECS)) == {"KUBE-MARK-MASQ", "DNAT"}
    plain = Chain("A", [parse_rule(SPECS[0]), parse_rule("-j DROP")])
    assert targets(plain) == {"KUBE-MARK-MASQ"}
    assert isinstance(plain.rules[0].target, Jump)
