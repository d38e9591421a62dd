"""Reads ``kubeproxy_nftables*.json``: what kube-proxy's own tests of its nftables mode expect.

A dump is compared twice: as text, command by command, with all that the syncs wrote; and as what
the model's nftables makes of it, with what lies in its kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from k8snetlib.kube.proxy.nftables import Proxier
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.nftables.listing import list_chain, list_set
from k8snetlib.linux.nftables.ruleset import Nftables
from k8snetlib.linux.nftables.table import Table
from tests.conformance.case import Case, NotUnderstood, known
from tests.conformance.kubeproxy import Objects, cases_in_steps, config
from tests.conformance.nftrace import NftTracer
from tests.conformance.tracer import Flow

#: Options of the iptables mode alone, which these cases do not name.
OTHERS = {"localhostNodePorts": True, "nfacctCounters": [], "randomFully": True,
          "conntrackTCPLiberal": False}  # fmt: skip


class _Written:
    """What commands have made, as text: the fake nft of kube-proxy's own tests."""

    def __init__(self) -> None:
        self.things: dict[tuple[str, ...], str] = {}
        self.rules: dict[str, list[str]] = {}

    def carry_out(self, line: str) -> None:
        """One command."""
        verb, kind, _, _, *rest = line.split(" ")
        name = "" if kind == "table" else rest[0]
        key = (kind, name)
        if kind == "rule":
            self.rules[name].append(line)
            return
        if kind == "element":
            inner = line.partition("{ ")[2].rpartition(" }")[0]
            text = inner.split(" comment ")[0] if verb == "add" else inner
            key = (kind, name, text.split(" : ")[0])
        if verb == "add":
            self.things.setdefault(key, line)
            if kind == "chain":
                self.rules.setdefault(name, [])
        elif verb == "delete":
            del self.things[key]
            if kind == "chain":
                assert not self.rules.pop(name), f"{line}: it is not empty"
        elif verb == "flush" and kind == "chain":
            self.rules[name].clear()
        else:
            raise NotUnderstood(line)

    def lines(self) -> list[str]:
        """All of it; the rules of a chain in their order."""
        rules = [line for lines in self.rules.values() for line in lines]
        return [*self.things.values(), *rules]


class _Recorded(Proxier):
    """A kube-proxy whose every command is noted."""

    def __init__(self, ns: Netns, options: Mapping[str, Any]) -> None:
        super().__init__(ns, config_of(options))
        self.written = _Written()

    def _write(self, commands: tuple[str, ...]) -> str:
        error = super()._write(commands)
        for line in commands if not error else ():
            self.written.carry_out(line)
        return error


def config_of(options: Mapping[str, Any]) -> Any:
    """kube-proxy's options of a case."""
    options = {**OTHERS, **options}
    cidrs = options.pop("serviceCIDRs", "")
    cidrs = cidrs.split(",") if isinstance(cidrs, str) else cidrs
    return config(options)._replace(service_cidrs=tuple(c.strip() for c in cidrs if c.strip()))


class _Run:
    """One case: a kube-proxy, and what was applied to it."""

    def __init__(self, test: Mapping[str, Any]) -> None:
        options = test["options"]
        self.proxier = _Recorded(Netns(options["nodeName"], "node"), options)
        self.config = self.proxier.config
        ip_mode = options.get("featureLoadBalancerIPMode", True)
        self.objects = Objects(self.config.node, self.config.family, ip_mode=ip_mode)
        self.count = 0

    def step(self, step: Mapping[str, Any]) -> None:
        """Applies, syncs, looks."""
        known(step, {"comment", "apply", "sync", "expect"})
        for op in step.get("apply", ()):
            if op["op"] == "ageStaleChains":
                known(op, {"op", "comment", "seconds"})
                age = op.get("seconds", 2)
                self.proxier.stale = {n: t - age for n, t in self.proxier.stale.items()}
            elif not self.objects.apply(op):
                raise NotUnderstood(f"an op '{op['op']}'")
        if step.get("sync"):
            if step["sync"] == "force":
                self.proxier.need_full = True
            elif step["sync"] is not True:
                raise NotUnderstood(f"sync {step['sync']}")
            self.proxier.sync(*self.objects.maps)
            assert not self.proxier.error, self.proxier.error
        for name, wanted in step.get("expect", {}).items():
            if name not in EXPECTATIONS:
                raise NotUnderstood(f"an expectation '{name}'")
            self.count += EXPECTATIONS[name](self, wanted)

    @property
    def table(self) -> Table:
        """kube-proxy's table in the kernel."""
        assert self.proxier.table is not None
        return self.proxier.table

    # -- looking ----------------------------------------------------------------------------------

    def dump(self, wanted: list[str]) -> int:
        """All that was written is this, and so is what lies in the kernel."""
        ours, theirs = self.proxier.written.lines(), list(wanted)
        assert sorted(ours) == sorted(theirs)
        assert _rules(ours) == _rules(theirs)
        made = Nftables()
        made.load("\n".join(_in_order(theirs)))
        other = made.table(self.table.family, self.table.name)
        assert _blocks(self.table) == _blocks(other)
        return len(wanted)

    def flows(self, wanted: list[Mapping[str, Any]]) -> int:
        """Every packet ends as it should."""
        local = frozenset({"127.0.0.1", "::1", *self.config.node_ips})
        for flow in wanted:
            known(flow, {"name", "sourceIP", "destIP", "destPort", "protocol", "expect", "note"})
            known(flow["expect"], {"outcome", "dnatTargets", "masquerade"})
            packet = Flow(flow["sourceIP"], flow["destIP"], flow["destPort"],
                          (flow["protocol"] or "TCP").lower(), local)  # fmt: skip
            ended, expected = NftTracer(self.table, packet).run(), flow["expect"]
            assert ended.outcome == expected["outcome"], (flow, ended)
            assert ended.targets == (expected["dnatTargets"] or []), (flow, ended)
            assert ended.masquerade == expected["masquerade"], (flow, ended)
        return len(wanted)

    def operations(self, wanted: int) -> int:
        """How many commands the last sync's transaction had."""
        assert len(self.proxier.transaction) == wanted, self.proxier.transaction
        return 1

    def has_element(self, wanted: Mapping[str, Any] | list[Mapping[str, Any]]) -> int:
        """Whether a map has a key."""
        all_of_them = [wanted] if isinstance(wanted, Mapping) else wanted
        for one in all_of_them:
            known(one, {"map", "set", "key", "present"})
            name = one.get("map") or one["set"]
            key = ("element", name, " . ".join(one["key"]))
            assert (key in self.proxier.written.things) is one["present"], one
        return len(all_of_them)


def _rules(lines: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("add rule "):
            found.setdefault(line.split(" ")[4], []).append(line)
    return found


_ORDER = ("table", "chain", "set", "map", "rule", "element")


def _in_order(lines: Iterable[str]) -> list[str]:
    return sorted(lines, key=lambda line: _ORDER.index(line.split(" ")[1]))


def _blocks(table: Table) -> set[str]:
    """A table's chains and sets as nft lists them, whatever their order."""
    sets = {list_set(table, name, 0.0) for name in table.sets}
    return sets | {list_chain(table, name) for name in table.chains}


def _equal(find: Callable[[_Run], Any]) -> Callable[[_Run, Any], int]:
    def look(run: _Run, wanted: Any) -> int:
        found = find(run)
        assert found == wanted, f"should be {wanted!r}, was {found!r}"
        return 1

    return look


EXPECTATIONS: dict[str, Callable[[_Run, Any], int]] = {
    "nftDump": _Run.dump,
    "packetFlows": _Run.flows,
    "transactionOperations": _Run.operations,
    "mapHasElement": _Run.has_element,
    "noLocalEndpointsInternal": _equal(lambda run: run.proxier.no_local_endpoints()[0]),
    "noLocalEndpointsExternal": _equal(lambda run: run.proxier.no_local_endpoints()[1]),
    "needFullSyncAfter": _equal(lambda run: run.proxier.need_full),
}


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each test."""
    return cases_in_steps(document, _Run)
