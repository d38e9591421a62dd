"""Follows a packet through a table of nftables as the tracer of kube-proxy's own tests does.

That tracer is no kernel: a connection is always new, chance goes every way, and no dynamic set holds
anything. See the collection's README (3.3).
"""

from __future__ import annotations

from ipaddress import ip_address

from k8snetlib.linux.nftables.keys import WORDS, Key, show_key, within
from k8snetlib.linux.nftables.selectors import Selector
from k8snetlib.linux.nftables.statements import (
    Flags,
    Match,
    Members,
    NatTo,
    Numgen,
    Refuse,
    Remember,
    SetRef,
    Statement,
    Verdict,
    Vmap,
)
from k8snetlib.linux.nftables.table import Table
from tests.conformance.case import NotUnderstood
from tests.conformance.tracer import Ended, Flow

BEFORE = ("filter-prerouting-pre-dnat", "nat-prerouting")
ENDS = {"drop": "DROP", "accept": "ACCEPT", "return": ""}


class NftTracer:
    """One packet on its way."""

    def __init__(self, table: Table, flow: Flow) -> None:
        self.table, self.flow = table, flow
        self.targets: list[str] = []
        self.masquerade = False

    def run(self) -> Ended:
        """Before and with DNAT; then the filter of what the node itself receives, or forwards."""
        for chain in BEFORE:
            end = self._walk(chain)
            if end in ("DROP", "REJECT"):
                return Ended(end, [], self.masquerade)
        if self.targets:
            ip, _, port = self.targets[0].rpartition(":")
            self.flow = self.flow._replace(dest=ip.strip("[]"), port=int(port))
        local = self.flow.dest in self.flow.local
        end = self._walk("filter-input" if local else "filter-forward")
        if end in ("DROP", "REJECT"):
            return Ended(end, [], self.masquerade)
        return Ended("DNAT" if self.targets else "NONE", self.targets, self.masquerade)

    def _walk(self, name: str) -> str:
        """How a chain ended: DROP, REJECT, DNAT, or nothing."""
        if name == "mark-for-masquerade":
            self.masquerade = True
            return ""
        for rule in self.table.chains[name].rules:
            end, goes_on = self._rule(rule.statements)
            if end or not goes_on:
                return end
        return ""

    def _rule(self, statements: tuple[Statement, ...]) -> tuple[str, bool]:
        """How a rule ended, and if the next one is asked."""
        for s in statements:
            if isinstance(s, Match):
                if not self._matches(s):
                    return "", True
            elif isinstance(s, Vmap) and isinstance(s.left, Numgen):
                assert not isinstance(s.right, SetRef)
                ends = [self._go(verdict) for _, verdict in s.right]  # every way
                return ends[0]
            elif isinstance(s, Vmap):
                assert isinstance(s.right, SetRef)
                found = self.table.verdict(s.right.name, self._value(s.left), 0.0)
                return self._go(found) if found else ("", True)
            elif isinstance(s, Verdict):
                return self._go(s)
            elif isinstance(s, NatTo):
                assert s.low is not None
                assert s.ports is not None
                six = s.family == "ip6"
                ip = show_key(("ipv6_addr" if six else "ipv4_addr",), s.low)
                self.targets.append(f"[{ip}]:{s.ports[0]}" if six else f"{ip}:{s.ports[0]}")
                return "DNAT", False
            elif isinstance(s, Refuse):
                return "REJECT", False
            elif not isinstance(s, Remember):
                raise NotUnderstood(f"the statement {s}")
        return "", True

    def _go(self, verdict: Verdict) -> tuple[str, bool]:
        if not verdict.chain:
            return ENDS[verdict.word], False
        return self._walk(verdict.chain), verdict.word == "jump"

    def _matches(self, s: Match) -> bool:
        selector = s.left[0]
        if selector.words == "ct state":
            assert s.right == Flags(WORDS["ct_state"]["new"])
            return True
        value, right = self._value(s.left), s.right
        if isinstance(right, SetRef):
            return self.table.holds(right.name, value, 0.0) is not s.negated
        assert not isinstance(right, Flags)
        keys: tuple[Key, ...] = right.keys if isinstance(right, Members) else (right,)
        return any(within(key, value) for key in keys) is not s.negated

    def _value(self, left: tuple[Selector, ...]) -> int | tuple[int, ...]:
        values = tuple(self._one(selector.words) for selector in left)
        return values[0] if len(values) == 1 else values

    def _one(self, words: str) -> int:
        flow = self.flow
        types = WORDS["fib_addrtype"]
        values = {
            "saddr": int(ip_address(flow.source)), "daddr": int(ip_address(flow.dest)),
            "l4proto": WORDS["inet_proto"][flow.proto], "dport": flow.port,
            "fib saddr type": types["local" if flow.source in flow.local else "unicast"],
        }  # fmt: skip
        key = words if words in values else words.split()[-1]
        if key not in values:
            raise NotUnderstood(f"the selector {words}")
        return values[key]
