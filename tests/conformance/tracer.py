"""Follows a packet through rules' text as the tracer of kube-proxy's own tests does.

That tracer is no kernel: chance goes both ways, so that all endpoints are found; ``--rcheck``,
``--mark`` and ``--ctstate`` never match; nothing walks KUBE-POSTROUTING. See the collection's
README (3.3). An option that is not known here is not understood.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from tests.conformance.case import NotUnderstood

Chains = Mapping[str, Sequence[str]]
FILTER = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL")
#: Options that never match, by the words behind them.
NEVER = {"--rcheck": 0, "--mark": 1, "--ctstate": 1}
#: Options that say nothing about a packet here, by the words behind them.
IDLE = {"--comment": 1, "--name": 1, "--seconds": 1, "--reap": 0, "--set": 0, "--mode": 1,
        "--nfacct-name": 1}  # fmt: skip
MATCHES = {"comment", "tcp", "udp", "sctp", "recent", "statistic", "mark", "conntrack", "addrtype",
           "nfacct"}  # fmt: skip
ENDS = ("ACCEPT", "DROP", "REJECT")


class Flow(NamedTuple):
    """A packet: addresses, port, protocol; ``local`` are the node's own addresses."""

    source: str
    dest: str
    port: int
    proto: str
    local: frozenset[str]


class Ended(NamedTuple):
    """What became of it: the outcome, every endpoint chance could give, and if it is marked."""

    outcome: str
    targets: list[str]
    masquerade: bool


class Parsed(NamedTuple):
    """A rule: whether it matches the flow (None: never), if chance decides, and its target."""

    matches: bool
    chance: bool
    target: str
    argument: str


class Tracer:
    """One packet on its way."""

    def __init__(self, nat: Chains, filter: Chains, flow: Flow) -> None:
        self.nat, self.filter, self.flow = nat, filter, flow
        self.targets: list[str] = []
        self.masquerade = False

    def run(self) -> Ended:
        """nat PREROUTING, then filter."""
        self._walk(self.nat, "KUBE-SERVICES")
        if self.targets:
            ip, _, port = self.targets[0].rpartition(":")
            self.flow = self.flow._replace(dest=ip.strip("[]"), port=int(port))
        for chain in FILTER:
            end = self._walk(self.filter, chain)
            if end in ENDS:
                return Ended(end, [], self.masquerade)
        return Ended("DNAT" if self.targets else "NONE", self.targets, self.masquerade)

    def _walk(self, chains: Chains, name: str) -> str:
        """How a chain ended: one of ``ENDS``, DNAT, or nothing."""
        if name == "KUBE-MARK-MASQ":
            self.masquerade = True
            return ""
        for spec in chains.get(name, ()):
            rule = _parse(spec, self.flow)
            if not rule.matches:
                continue
            if rule.target == "DNAT":
                self.targets.append(rule.argument)
                return "DNAT"
            end = rule.target if rule.target in ENDS else ""
            if rule.target and not end:
                if rule.target not in chains:
                    raise AssertionError(f"{name} jumps to {rule.target}, which is not there")
                end = self._walk(chains, rule.target)
            if end and not rule.chance:
                return end
        return ""


def _parse(spec: str, flow: Flow) -> Parsed:
    matches, chance, target, argument = True, False, "", ""
    words = _Words(shlex.split(spec))
    for negated, option in words:
        hit = True
        if option == "-m":
            if words.take() not in MATCHES:
                raise NotUnderstood(f"the match of {spec}")
        elif option in NEVER:
            words.skip(NEVER[option])
            matches, negated = False, False
        elif option in IDLE:
            words.skip(IDLE[option])
        elif option == "--probability":
            words.skip(1)
            chance = True
        elif option == "-j":
            target = words.take()
            if target == "DNAT":
                assert words.take() == "--to-destination", spec
                argument = words.take()
        else:
            hit = _test(option, words.take(), flow)
        matches = matches and hit is not negated
    return Parsed(matches, chance, target, argument)


def _test(option: str, word: str, flow: Flow) -> bool:
    if option == "-p":
        return word == flow.proto
    if option == "--dport":
        return int(word) == flow.port
    if option in ("-s", "-d"):
        ip = ip_address(flow.source if option == "-s" else flow.dest)
        return ip in ip_network(word)
    if option in ("--src-type", "--dst-type") and word == "LOCAL":
        return (flow.source if option == "--src-type" else flow.dest) in flow.local
    raise NotUnderstood(f"the option {option} {word}")


class _Words:
    """The words of a rule: options, each with whether ``!`` stands in front."""

    def __init__(self, words: list[str]) -> None:
        self.words, self.at = words, 0

    def take(self) -> str:
        self.at += 1
        return self.words[self.at - 1]

    def skip(self, count: int) -> None:
        self.at += count

    def __iter__(self) -> Iterator[tuple[bool, str]]:
        while self.at < len(self.words):
            negated = self.words[self.at] == "!"
            self.at += negated
            yield negated, self.take()
