"""What lives here: what the kernel says of nftables' own tables, in the words of the model.

The path of one packet comes from ``nft monitor trace``. Where there are such tables, the paths
through those of iptables are not compared, only their counters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from k8snetlib.lab.compare import ends
from k8snetlib.lab.native import tables_of
from k8snetlib.lab.rules import Path, ends_of
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.nftables.listing import list_table
from k8snetlib.linux.nftables.table import Matched, Table
from k8snetlib.trace import Trace

_LINE = re.compile(r"trace id (\w+) (ip \S+) (\S+) (packet:|rule|policy) ?(.*)")
_RULE = re.compile(r"(.*) \(verdict (.*)\)$")
_FIELD = re.compile(r"\b(ip saddr|ip daddr|(?:tcp|udp) sport|(?:tcp|udp) dport) (\S+)")


def differences(ns: Netns, kernel: Iterable[str]) -> Iterator[str]:
    """What the kernel lists of these tables, and the model does not, line by line; and vice versa.

    ``kernel`` is what ``nft list table`` printed for each of ``tables_of``, in order.
    """
    for table, text in zip(tables_of(ns), kernel, strict=True):
        theirs, ours = text.splitlines(), list_table(table, None).splitlines()
        if theirs != ours:
            for line in theirs:
                if line not in ours:
                    yield f"{ns.name}: only nft of the kernel lists {line.strip()}"
            for line in ours:
                if line not in theirs:
                    yield f"{ns.name}: only the model lists {line.strip()}"
            if sorted(theirs) == sorted(ours):
                yield f"{ns.name}: {table.full_name} is listed in another order"


def paths(text: str, tables: Iterable[Table]) -> list[Path]:
    """Each run of a packet through a base chain, as ``nft monitor trace`` tells it."""
    own = {table.full_name: table for table in tables}
    found: list[Path] = []
    begun: dict[str, tuple[str, list[str]]] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or match[2] not in own:
            continue
        mark, table, chain, kind, rest = match.groups()
        if kind == "packet:":
            field = {key.split()[-1]: value for key, value in _FIELD.findall(rest)}
            begun[mark] = (ends_of(field, "saddr", "daddr", "sport", "dport"), [])
            continue
        here, lines = begun.setdefault(mark, ("?", []))
        if kind == "policy":
            lines.append(f"{table}:{chain} policy {rest.split()[0].upper()}")
            over = True
        else:
            rule = _RULE.match(rest)
            assert rule is not None, line
            lines.append(f"{table}:{chain} rule {rule[2]} | add rule {table} {chain} {rule[1]}")
            over = rule[2] in ("accept", "drop")
        if over:
            # A chain that has no rule and accepts is not even asked in the model.
            if len(lines) > 1 or own[table].chains[chain].rules or "ACCEPT" not in lines[0]:
                found.append(Path(here, tuple(lines)))
            begun[mark] = (here, [])
    return found


def passes(trace: Trace, netns: str) -> Iterator[Path]:
    """The same of a packet of the model."""
    for hop in trace.hops:
        for step in hop.steps if hop.netns == netns else ():
            run: list[str] = []
            for rule in step.rules:
                if isinstance(rule, Matched):
                    run.append(str(rule))
                    if rule.rule is None or rule.verdict in ("accept", "drop"):
                        yield Path(ends(step.before or step.packet), tuple(run))
                        run = []
