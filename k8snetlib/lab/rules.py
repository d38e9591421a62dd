"""What lives here: what netfilter says of itself, in the words of the model.

Rule counters come from ``iptables-save -c``, connections from ``/proc/net/nf_conntrack``, the path
of one packet through the rules from ``xtables-monitor --trace``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from k8snetlib.lab.kernel import TRACE_TABLE

_COUNTED = re.compile(r"\[(\d+):(\d+)\] (-A (\S+).*)")
_FIELD = re.compile(r"(\S+?)=(\S*)")
_PACKET = re.compile(r"PACKET: \d+ (\w+) (.*)")
_TRACE = re.compile(r" TRACE: \d+ (\w+) ([^:]+):([^:]+):(rule|policy|return):(\S*)\s*(.*)")


class Counter(NamedTuple):
    """One rule, and how many packets with how many bytes it has matched."""

    table: str
    rule: str
    packets: int
    octets: int


class Path(NamedTuple):
    """One packet's way through one base chain: its ends on arrival there, and a line for each rule
    that matched and for the policy, if that decided."""

    ends: str
    lines: tuple[str, ...]


def counters(text: str) -> list[Counter]:
    """The rules of ``iptables-save -c``, table by table, in order."""
    table, found = "", []
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif match := _COUNTED.match(line):
            found.append(Counter(table, match[3].rstrip(), int(match[1]), int(match[2])))
    return found


def growth(before: list[Counter], after: list[Counter]) -> list[Counter]:
    """How far each counter has moved."""
    return [
        now._replace(packets=now.packets - old.packets, octets=now.octets - old.octets)
        for now, old in zip(after, before, strict=True)
    ]


def policies(text: str) -> dict[tuple[str, str], int]:
    """How many packets each base chain's policy decided on, from ``iptables-save -c``."""
    table, found = "", {}
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif match := re.match(r":(\S+) (?!-)\S+ \[(\d+):", line):
            found[table, match[1]] = int(match[2])
    return found


def connection(line: str) -> str:
    """A line of ``/proc/net/nf_conntrack`` as the model prints a connection."""
    proto = line.split()[2]
    one: dict[str, str] = {}
    tuples = []
    for key, value in _FIELD.findall(line):
        if key == "src" and one:
            tuples.append(one)
            one = {}
        one[key] = value
    tuples.append(one)
    shown = [
        f"{t['src']}>{t['dst']} type {t['type']}" if "type" in t
        else f"{t['src']}:{t.get('sport', 0)}>{t['dst']}:{t.get('dport', 0)}"
        for t in tuples[:2]
    ]  # fmt: skip
    unreplied = " [UNREPLIED]" if "[UNREPLIED]" in line else ""
    return f"{proto} | {shown[0]} | {shown[1]}{unreplied}"


def paths(text: str, chains: dict[tuple[str, str], int]) -> list[Path]:
    """Each run of a packet through a base chain, as ``xtables-monitor --trace`` tells it.

    The kernel marks the lines of one packet with a number, but uses numbers again; a run ends at
    its verdict. ``chains`` says how many rules each chain has: a base chain without any decides
    nothing.
    """
    found: list[Path] = []
    ends: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        if packet := _PACKET.match(line):
            ends[packet[1]] = _ends(packet[2])
        elif (trace := _TRACE.match(line)) and trace[2] != TRACE_TABLE and trace[4] != "return":
            mark, table, chain, kind, rest, rule = trace.groups()
            run = lines.setdefault(mark, [])
            if kind == "policy":
                verdict = rest
                if chains.get((table, chain)):
                    run.append(f"{table}:{chain} policy {rest}")
            else:
                verdict = _VERDICTS.get(rest.partition(":")[2], rest.partition(":")[2])
                text = rule.partition(f"-t {table} ")[2].rstrip()
                run.append(f"{table}:{chain} rule {verdict.replace(':', ' ')} | {text}")
            if verdict.partition(":")[0] not in _GO_ON:
                if run:
                    found.append(Path(ends.get(mark, "?"), tuple(run)))
                del lines[mark]
    found += [Path(ends.get(mark, "?"), tuple(run)) for mark, run in lines.items() if run]
    return found


#: xtables-monitor does not know the number of this verdict's name.
_VERDICTS = {"0xfffffffb": "RETURN"}
_GO_ON = ("JUMP", "GOTO", "CONTINUE", "RETURN")


def _ends(text: str) -> str:
    return ends_of(dict(_FIELD.findall(text)), "SRC", "DST", "SPORT", "DPORT")


def ends_of(field: dict[str, str], src: str, dst: str, sport: str, dport: str) -> str:
    """A packet's two ends, from fields of these names; with ports where it has some."""
    if sport in field:
        return f"{field[src]}:{field[sport]}>{field[dst]}:{field[dport]}"
    return f"{field.get(src, '?')}>{field.get(dst, '?')}"
