"""Reads ``flannel_dataplane*.json``: flannel's iptables rules, and host-gw's routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from k8snetlib.flannel import iptables
from k8snetlib.flannel.backend import ExternalInterface
from k8snetlib.flannel.config import NetConf
from k8snetlib.flannel.host_gw import HostGwBackend
from k8snetlib.flannel.ip import parse_cidr
from k8snetlib.flannel.iptables import FlannelRule
from k8snetlib.flannel.lease import Event, Lease, LeaseAttrs
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.route import Route
from tests.conformance.case import Case, NotUnderstood, left_out

ABOUT = {"test", "file", "case", "origin", "note", "derived"}
KIND = "flannel_dataplane"


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    unknown = set(document) - {"source", "schema", "note", "iptablesCases", "routeCases"}
    for name in sorted(unknown):
        yield Case(name, lambda name=name: _fail(f"unknown section {name}"))
    for n, case in enumerate(document.get("iptablesCases", [])):
        yield Case(f"iptables-{n}-{case['case']}", lambda case=case: _rules(case))
    for n, case in enumerate(document.get("routeCases", [])):
        yield Case(f"routes-{n}-{case['case']}", lambda case=case: _routes(case))


def _fail(why: str) -> tuple[int, tuple[str, ...]]:
    raise NotUnderstood(why)


# -- rules ----------------------------------------------------------------------------------------


def _rules(case: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    given = {"clusterCIDR", "leaseSubnet", "randomFully", "table", "rules", "ipFamily",
             "expectRuleCount", "expectRulesFromCode", "expectFirstRestore", "expectSecondRestore",
             "expectTeardown"}  # fmt: skip
    unknown = set(case) - ABOUT - given
    if unknown:
        raise NotUnderstood(f"fields {sorted(unknown)}")
    if "clusterCIDR" in case:
        return _of_a_lease(case)
    return _of_a_test(case)


def _of_a_lease(case: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    cluster, ipv6 = case["clusterCIDR"], ":" in case["clusterCIDR"]
    table = case.get("table", "nat")
    if table == "filter":
        rules = iptables.forward_rules(cluster)
    else:
        random_fully = case.get("randomFully", True)
        pods = case["leaseSubnet"]
        rules = iptables.masq_rules(cluster, pods, random_fully=random_fully, ipv6=ipv6)
    asserted = 0
    if "expectRuleCount" in case:
        assert len(rules) == case["expectRuleCount"]
        asserted += 1
    for name in ("rules", "expectRulesFromCode"):
        if name in case:
            wanted = [line if line.startswith("-A ") else f"-A {line}" for line in case[name]]
            assert [str(rule) for rule in rules] == wanted
            asserted += len(wanted)
    assert {rule.table for rule in rules} == {table}
    return asserted + 1, ()


def _of_a_test(case: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    given = case["rules"]
    if not isinstance(given, dict):
        raise NotUnderstood("rules without a table")
    rules = tuple(
        FlannelRule(table, *line.removeprefix("-A ").split(" ", 1))
        for table, lines in given.items() for line in lines
    )  # fmt: skip
    ruleset = Ruleset()
    first = iptables.restore_lines(ruleset, rules)
    iptables.bootstrap(ruleset, rules)
    asserted = 1
    assert iptables.exist(ruleset, rules)
    if "expectFirstRestore" in case:
        assert first == case["expectFirstRestore"]
        asserted += 1
    if "expectSecondRestore" in case:
        assert iptables.restore_lines(ruleset, rules) == case["expectSecondRestore"]
        before = {c.name: c.rules for t in ruleset.tables.values() for c in t.values()}
        iptables.bootstrap(ruleset, rules)
        after = {c.name: c.rules for t in ruleset.tables.values() for c in t.values()}
        assert before == after, "a second run keeps the order"
        asserted += 2
    if "expectRuleCount" in case:
        assert sum(1 for _ in ruleset.rules()) == case["expectRuleCount"]
        asserted += 1
    if "expectTeardown" in case:
        assert iptables.teardown_lines(ruleset, rules) == case["expectTeardown"]
        iptables.teardown(ruleset, rules)
        assert not list(ruleset.rules())
        asserted += 2
    return asserted, ()


class OnLoopback(HostGwBackend):
    """The test's gateways are addresses of the loopback device: there a kernel takes any."""

    def _refused(self, route: Route) -> str:
        return ""


# -- routes ---------------------------------------------------------------------------------------


def _routes(case: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    unknown = set(case) - ABOUT - {"steps"}
    if unknown:
        raise NotUnderstood(f"fields {sorted(unknown)}")
    if any(":" in step.get("event", {}).get("subnet", "") for step in case["steps"]):
        assert left_out(KIND, "IPv6 routes"), "IPv6 routes are not modelled"
        return 0, ("IPv6 routes",)
    ns = Netns("node", "node")
    iface = ExternalInterface("lo", "127.0.0.1", "127.0.0.1", 65536)
    backend = OnLoopback(ns, NetConf(), iface, lambda level, source, text: None)
    asserted = 0
    for step in case["steps"]:
        event = step["event"]
        attrs = LeaseAttrs(event["publicIP"], None, event.get("backendType", "host-gw"))
        backend.handle([Event(event["type"], Lease(parse_cidr(event["subnet"]), attrs))])
        if "expectRoutes" not in step or set(step) - {"event", "expectRoutes", "comment"}:
            raise NotUnderstood(f"step {sorted(step)}")
        found = [{"dst": str(r.prefix), "gw": r.via} for r in ns.routes if r.via]
        assert found == step["expectRoutes"]
        asserted += 1
    return asserted, ()
