"""What lives here: one iptables rule, as typed values.

A rule has a head (``-s -d -i -o -p``), matches in the order in which they were given, and a target.
``syntax`` parses the text that it prints. Matches are tested in order, and testing stops at the
first that says no: a ``recent --set`` behind a match that failed sets nothing.

What may not live here: chains and verdicts of chains (``tables``), connections (``conntrack``).
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.address import Prefix, mask
from k8snetlib.linux.netfilter.match_ipvs import IpvsMatch
from k8snetlib.linux.netfilter.matches import (
    ADDR_TYPES,
    CT_STATES,
    CT_STATUS,
    AddrType,
    Comment,
    Conntrack,
    IcmpType,
    Limit,
    Mark,
    Match,
    MatchSet,
    Multiport,
    Physdev,
    Ports,
    Recent,
    Statistic,
    address_type,
    same_device,
)  # fmt: skip
from k8snetlib.linux.netfilter.nfacct import Nfacct
from k8snetlib.linux.netfilter.probe import Probe, Test, no, quoted
from k8snetlib.linux.netfilter.targets import Jump, Log, Nat, Reject, SetMark, Target, Verdict
from k8snetlib.packet import PROTO_NAMES

__all__ = [
    "ADDR_TYPES", "CT_STATES", "CT_STATUS", "AddrType", "Comment", "Conntrack", "IcmpType",
    "IpvsMatch", "Jump", "Limit", "Log", "Mark", "Match", "MatchSet", "Multiport", "Nat", "Nfacct",
    "Physdev", "Ports", "Probe", "Recent", "Reject", "Rule", "SetMark", "Statistic", "Target",
    "Test", "Verdict", "address_type", "quoted", "same_device",
]  # fmt: skip

_PROTO_TEXT = PROTO_NAMES | {47: "gre", 50: "esp", 51: "ah", 132: "sctp"}


class Rule(NamedTuple):
    """One rule of a chain. Heads are (value, negated) or None; ``target`` None only counts.

    ``str(rule)`` is the text after ``-A CHAIN``, as iptables-save prints it.
    """

    source: tuple[Prefix, bool] | None = None
    dest: tuple[Prefix, bool] | None = None
    in_dev: tuple[str, bool] | None = None
    out_dev: tuple[str, bool] | None = None
    proto: tuple[int, bool] | None = None
    fragment: tuple[bool, bool] | None = None
    matches: tuple[Match, ...] = ()
    target: Target | None = None

    def __str__(self) -> str:
        words: list[str] = []
        for option, prefix in (("-s", self.source), ("-d", self.dest)):
            if prefix:
                words.append(f"{no(prefix[1])}{option} {prefix[0]}")
        for option, dev in (("-i", self.in_dev), ("-o", self.out_dev)):
            if dev:
                words.append(f"{no(dev[1])}{option} {dev[0]}")
        if self.proto:
            name = _PROTO_TEXT.get(self.proto[0], str(self.proto[0]))
            words.append(f"{no(self.proto[1])}-p {name}")
        if self.fragment:
            words.append(f"{no(self.fragment[1])}-f")
        words += [str(match) for match in self.matches]
        if self.target is not None:
            words.append(str(self.target))
        return " ".join(words)

    @property
    def comment(self) -> str:
        """The rule's comment ("" if it has none)."""
        return next((m.text for m in self.matches if type(m) is Comment), "")

    def compile(self) -> tuple[Test, ...]:
        """The tests a packet must pass, cheapest and most telling first."""
        tests: list[Test] = []
        if self.dest:
            tests.append(_address_test("dst", *self.dest))
        if self.source:
            tests.append(_address_test("src", *self.source))
        if self.proto and not self._implied(*self.proto):
            wanted, negated = self.proto
            tests.append(lambda p: (p.ip.proto == wanted) is not negated)
        if self.in_dev:
            name_in, not_in = self.in_dev
            tests.append(lambda p: same_device(name_in, p.in_dev) is not not_in)
        if self.out_dev:
            name_out, not_out = self.out_dev
            tests.append(lambda p: same_device(name_out, p.out_dev) is not not_out)
        if self.fragment:
            later = not self.fragment[1]
            tests.append(lambda p: bool(p.ip.offset) is later)
        tests += [test for match in self.matches if (test := match.test()) is not None]
        return tuple(tests)

    def _implied(self, proto: int, negated: bool) -> bool:
        """True if a match tests the protocol anyway: only a TCP packet can pass ``-m tcp``."""
        by = [_PROTO_TEXT.get(proto)] if not negated else []
        return any(type(m) is Ports and m.proto in by for m in self.matches)


def _address_test(field: str, prefix: Prefix, negated: bool) -> Test:
    net, bits = prefix.net, mask(prefix.length)
    if field == "dst":
        return lambda p: (p.dst & bits == net) is not negated
    return lambda p: (p.src & bits == net) is not negated
