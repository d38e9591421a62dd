"""Reads ``kubeproxy_util*.json``: how kube-proxy knows pods' traffic, and its node-port addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from k8snetlib.kube.proxy.config import Detector, NodePortAddresses, detector
from tests.conformance.case import Case, known
from tests.conformance.kubeproxy import ORIGIN

FAMILIES = ("IPv4", "IPv6")


def _fragments(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | {"mode", "argument", "implemented", "iptables", "nftables"})
    made = Detector(case["mode"], case.get("argument", ""))
    assert made.implemented is case.get("implemented", True)
    count = 1
    for kind, write in (("iptables", made.iptables), ("nftables", made.nft)):
        if kind in case:
            known(case[kind], {"ifLocal", "ifNotLocal"})
            for local, name in ((True, "ifLocal"), (False, "ifNotLocal")):
                assert write(local).split() == case[kind][name], (kind, name)
                count += 1
    return count


def _selection(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | {"detectLocalMode", "clusterCIDRs", "nodePodCIDRs", "argument", "expect",
                          "primaryIPFamily", "warning"})  # fmt: skip
    known(case["expect"], FAMILIES)
    ranges = [c for c in case["clusterCIDRs"] if c], [c for c in case.get("nodePodCIDRs", []) if c]
    for family, wanted in case["expect"].items():
        known(wanted, {"mode", "argument"})
        made = detector(case["detectLocalMode"], family, *ranges, case.get("argument", ""))
        assert made == (wanted["mode"], wanted.get("argument", "")), family
    return len(case["expect"])


def _addresses(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | {"nodePortAddresses", "interfaces", "expect"})
    known(case["expect"], FAMILIES)
    made = NodePortAddresses(tuple(case["nodePortAddresses"]))
    for family, wanted in case["expect"].items():
        known(wanted, {"matchAll", "addresses"})
        assert made.match_all(family) is wanted["matchAll"], family
        assert set(made.node_ips(case["interfaces"], family)) == set(wanted["addresses"]), family
    return 2 * len(case["expect"])


def _loopback(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | {"nodePortAddresses", "expect"})
    known(case["expect"], FAMILIES)
    made = NodePortAddresses(tuple(case["nodePortAddresses"]))
    # kube-proxy for IPv6 is asked too, and never has one.
    found = {"IPv4": made.contains_ipv4_loopback(), "IPv6": False}
    assert {family: found[family] for family in case["expect"]} == case["expect"]
    return len(case["expect"])


KINDS: dict[str, Callable[[Mapping[str, Any]], int]] = {
    "localDetectorFragments": _fragments,
    "localDetectorSelection": _selection,
    "nodePortAddressCases": _addresses,
    "ipv4LoopbackCases": _loopback,
}


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each row of the four tables."""
    known(document, {"source", "note", *KINDS})
    for kind, run in KINDS.items():
        for n, case in enumerate(document.get(kind, ())):
            yield Case(f"{kind}-{n}", lambda c=case, r=run: (r(c), ()))
