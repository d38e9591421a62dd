"""Reads ``kubeproxy_iptables*.json``: what kube-proxy's own tests of its iptables mode expect.

The rules are compared as text, as handed to ``iptables-restore``; packets are followed through what
lies in the kernel then. Whatever of it is IPv4 must also be readable for the model's netfilter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from k8snetlib.kube.proxy.iptables import Proxier, Restore
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.linux.netfilter.written import WrittenChain, read_spec
from k8snetlib.linux.netns import Netns
from tests.conformance.case import Case, NotUnderstood, known
from tests.conformance.kubeproxy import Objects, cases_in_steps, config
from tests.conformance.tracer import Flow, Tracer

#: Chains whose rules come in the order of Services, which says nothing.
UNORDERED = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL")
EMPTY = Restore(False, {}, {}, ())


class _Run:
    """One case: a kube-proxy, and what was applied to it."""

    def __init__(self, test: Mapping[str, Any]) -> None:
        options = test["options"]
        self.config = config(options)
        ip_mode = options.get("featureLoadBalancerIPMode", True)
        self.objects = Objects(self.config.node, self.config.family, ip_mode=ip_mode)
        self.proxier = Proxier(Netns(self.config.node, "node"), self.config)
        self.count = 0

    def step(self, step: Mapping[str, Any]) -> None:
        """Applies, syncs, looks."""
        known(step, {"comment", "apply", "sync", "expect"})
        for op in step.get("apply", ()):
            if not self.objects.apply(op):
                self._special(op)
        if step.get("sync"):
            if step["sync"] == "force":
                self.proxier.need_full = True
            elif step["sync"] is not True:
                raise NotUnderstood(f"sync {step['sync']}")
            self.proxier.sync(*self.objects.maps)
            self._readable()
        for name, wanted in step.get("expect", {}).items():
            if name not in EXPECTATIONS:
                raise NotUnderstood(f"an expectation '{name}'")
            self.count += EXPECTATIONS[name](self, wanted)

    def _special(self, op: Mapping[str, Any]) -> None:
        ruleset = self.proxier.ruleset
        if op["op"] == "corruptAppendRule":
            known(op, {"op", "table", "chain", "rule", "comment"})
            rules = ruleset.chain(op["table"], op["chain"]).rules
            ruleset.change(op["table"], op["chain"], (*rules, read_spec(op["rule"])))
        elif op["op"] == "setLastIPTablesCleanup":
            known(op, {"op", "ageSeconds", "comment"})
            self.proxier.last_cleanup = self.proxier.now - op["ageSeconds"]
        elif op["op"] == "loadIptables":
            known(op, {"op", "filter", "nat", "comment"})
            for table in {"filter", "nat"} & set(op):
                _load(ruleset, table, op[table])
        else:
            raise NotUnderstood(f"an op '{op['op']}'")

    def _readable(self) -> None:
        """The model's netfilter can read all of it."""
        if self.config.family != "IPv4":
            return
        for restore in [self.proxier.restore or EMPTY]:
            for table in (restore.filter, restore.nat):
                for specs in list(table.values())[:200]:
                    for spec in specs:
                        read_spec(spec)

    # -- looking ----------------------------------------------------------------------------------

    @property
    def restore(self) -> Restore:
        """What the last sync wrote."""
        assert self.proxier.restore is not None, "nothing was synced"
        return self.proxier.restore

    def text(self) -> list[str]:
        """The lines of the last sync, declarations of chains among them."""
        found = []
        for table, chains in (("filter", self.restore.filter), ("nat", self.restore.nat)):
            found += [f"*{table}", *(f":{chain} - [0:0]" for chain in chains)]
            if table == "nat":
                found += [f":{chain} - [0:0]" for chain in self.restore.deleted]
            found += [*self.restore.lines(table), "COMMIT"]
        return found

    def kernel(self, table: str) -> dict[str, Sequence[str]]:
        """The chains that are in the kernel now, as text."""
        chains = self.proxier.ruleset.table(table)
        return {n: c.specs for n, c in chains.items() if isinstance(c, WrittenChain)}

    def flows(self, wanted: list[Mapping[str, Any]]) -> int:
        """Every packet ends as it should."""
        assert not self.proxier.error, self.proxier.error
        nat, filter = self.kernel("nat"), self.kernel("filter")
        local = frozenset({"127.0.0.1", "::1", *self.config.node_ips})
        for flow in wanted:
            known(flow, {"name", "sourceIP", "destIP", "destPort", "protocol", "expect", "note"})
            known(flow["expect"], {"outcome", "dnatTargets", "masquerade"})
            packet = Flow(flow["sourceIP"], flow["destIP"], flow["destPort"],
                          (flow["protocol"] or "TCP").lower(), local)  # fmt: skip
            ended = Tracer(nat, filter, packet).run()
            expected = flow["expect"]
            assert ended.outcome == expected["outcome"], (flow, ended)
            assert ended.targets == (expected["dnatTargets"] or []), (flow, ended)
            assert ended.masquerade == expected["masquerade"], (flow, ended)
        return len(wanted)

    def restored(self, wanted: Mapping[str, Any]) -> int:
        """The last sync wrote exactly this."""
        known(wanted, {"full", "filter", "nat", "note"})
        assert self.restore.full is wanted["full"]
        for table, chains in (("filter", self.restore.filter), ("nat", self.restore.nat)):
            expected = wanted[table]
            known(expected, {"chains", "rules", "deletedChains"})
            deleted = self.restore.deleted if table == "nat" else ()
            assert sorted(deleted) == sorted(expected.get("deletedChains") or [])
            assert sorted({*chains, *deleted}) == sorted(expected["chains"])
            ours = {name: list(specs) for name, specs in chains.items() if specs}
            theirs: dict[str, list[str]] = {}
            for line in expected["rules"]:
                verb, name, spec = line.split(" ", 2)
                assert verb == "-A", line
                theirs.setdefault(name, []).append(spec)
            last = theirs.get("KUBE-SERVICES", [""])[-1] if table == "nat" else ""
            if "must be the last rule" in last:
                assert ours["KUBE-SERVICES"][-1] == last
            for name in UNORDERED:
                for side in (ours, theirs):
                    side.get(name, []).sort()
            assert ours == theirs
        return 3

    def chain_equals(self, wanted: list[Mapping[str, Any]]) -> int:
        """Chains of the kernel hold exactly these rules."""
        for chain in wanted:
            known(chain, {"table", "chain", "rules"})
            name = chain["chain"]
            ours = [f"-A {name} {spec}" for spec in self.kernel(chain["table"]).get(name, ())]
            theirs = list(chain["rules"])
            if name in UNORDERED:
                ours.sort(), theirs.sort()
            assert ours == theirs
        return len(wanted)

    def contains(self, wanted: list[str], *, there: bool = True) -> int:
        """Lines, or what lines begin with."""
        text = self.text()
        for line in wanted:
            assert any(own.startswith(line) for own in text) is there, line
        return len(wanted)

    def sep_lines(self, *, comments: bool) -> int:
        """How many lines of endpoints translate an address (with a comment)."""
        lines = [line for line in self.text() if line.startswith("-A KUBE-SEP-")]
        lines = [line for line in lines if "-j DNAT" in line]
        return sum("--comment" in line for line in lines) if comments else len(lines)

    def has_dest(self, wanted: Mapping[str, Any]) -> int:
        """Whether nat KUBE-SERVICES has a rule for an address."""
        known(wanted, {"ip", "present"})
        specs = self.kernel("nat")["KUBE-SERVICES"]
        assert any(f" -d {wanted['ip']} " in spec for spec in specs) is wanted["present"]
        return 1

    def metric(self) -> bool:
        """What kube-proxy says it has in its tables is what lies there."""
        return all(
            self.proxier.rules_total(table) == sum(map(len, self.kernel(table).values()))
            == sum(line.startswith("-A") for line in self.restore.lines(table))
            for table in ("nat", "filter")
        )  # fmt: skip


def _load(ruleset: Ruleset, table: str, lines: Sequence[str] | str) -> None:
    """A state of the kernel from before: ``:CHAIN`` and ``-A CHAIN …`` lines of one table."""
    found: dict[str, list[str]] = {}
    for line in lines.splitlines() if isinstance(lines, str) else lines:
        words = line.split(" ", 2)
        if line.startswith(":"):
            found.setdefault(words[0][1:], [])
        elif words[0] == "-A":
            found.setdefault(words[1], []).append(words[2])
        elif line.strip() and not line.startswith(("*", "COMMIT", "#")):
            raise NotUnderstood(f"the line {line}")
    base = set(ruleset.table(table))
    ruleset.put_all(table, [WrittenChain(n, s) for n, s in found.items() if n not in base])


def _equal(find: Callable[[_Run], Any]) -> Callable[[_Run, Any], int]:
    def look(run: _Run, wanted: Any) -> int:
        found = find(run)
        assert found == wanted, f"should be {wanted!r}, was {found!r}"
        return 1

    return look


EXPECTATIONS: dict[str, Callable[[_Run, Any], int]] = {
    "packetFlows": _Run.flows,
    "iptablesRestore": _Run.restored,
    "chainEquals": _Run.chain_equals,
    "contains": _Run.contains,
    "notContains": lambda run, wanted: run.contains(wanted, there=False),
    "natRulesTotal": _equal(lambda run: run.proxier.rules_total("nat")),
    "sepDnatLines": _equal(lambda run: run.sep_lines(comments=False)),
    "sepDnatLinesWithComment": _equal(lambda run: run.sep_lines(comments=True)),
    "natKubeServicesHasRuleForDest": _Run.has_dest,
    "noLocalEndpointsInternal": _equal(lambda run: run.proxier.no_local_endpoints()[0]),
    "noLocalEndpointsExternal": _equal(lambda run: run.proxier.no_local_endpoints()[1]),
    "metricEqualsWrittenRules": _equal(_Run.metric),
    "syncError": _equal(lambda run: bool(run.proxier.error)),
    "needFullSyncAfter": _equal(lambda run: run.proxier.need_full),
    "partialRestoreFailures": _equal(lambda run: run.proxier.partial_failures),
}


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each test."""
    return cases_in_steps(document, _Run)
