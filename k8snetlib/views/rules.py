"""What lives here: the way of a packet through the chains of one box, rule by rule.

A step of a trace holds the rules that matched, in order, and each of them its whole chain. From
that follows every rule that the kernel had to ask: those before the matched one, and those of
chains that were entered and left without an answer (``asked``).

What may not live here: how a rule is tested. ``why_not`` reads only the packet's own addresses,
protocol, ports and the device; where another condition said no, it names that condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from k8snetlib.address import mask, number
from k8snetlib.linux.netfilter.matches import Comment, Ports, Statistic
from k8snetlib.linux.netfilter.rule import Rule
from k8snetlib.linux.netfilter.targets import Log, Nat, Reject, SetMark
from k8snetlib.packet import PROTO_NAMES, Packet, Tcp, Udp
from k8snetlib.trace import Step

#: Of the rules passed over in a row at most so many are listed; the others are counted.
MOST = 6


class Asked(NamedTuple):
    """A stretch of one chain: its rules from ``start`` on were tested, up to ``place``.

    ``kind`` is what ended it: ``matched`` (``line`` says which rule), ``returned`` (the chain was
    at its end) or ``policy``. ``depth`` counts the chains that wait for this one.
    """

    kind: str
    table: str
    chain: str
    rules: tuple[Any, ...]
    start: int
    place: int
    line: Any
    depth: int

    @property
    def evaluated(self) -> int:
        """How many rules the kernel had to test here."""
        return self.place - self.start + (self.kind == "matched")


class _Place(NamedTuple):
    chain: str
    rules: tuple[Any, ...]
    at: int


def asked(lines: Iterable[Any]) -> Iterator[Asked]:
    """Every stretch of rules that was tested until the last of ``lines``, a step's rules."""
    back: list[_Place] = []
    here: _Place | None = None
    for line in lines:
        if here is None:
            here = _Place(line.chain, line.among, 0)
        policy = line.rule is None
        while back if policy else here.chain != line.chain:
            yield _end("returned", line, here, len(back))
            here = back.pop()
        if policy:
            if here.chain != line.chain:  # behind a goto
                yield _end("returned", line, here, 0)
                here = _Place(line.chain, line.among, len(line.among))
            yield _end("policy", line, here, 0)
            here = None
            continue
        yield Asked("matched", line.table, *here, line.place, line, len(back))
        word, _, to = line.verdict.partition(" ")
        here = here._replace(at=line.place + 1)
        if word.lower() == "return":
            here = back.pop() if back else here._replace(at=len(here.rules))
        elif to:
            if word.lower() == "jump":
                back.append(here)
            here = _Place(to, line.into, 0)
        elif word.lower() != "continue":
            back, here = [], None


def _end(kind: str, line: Any, here: _Place, depth: int) -> Asked:
    return Asked(kind, line.table, *here, len(here.rules), line, depth)


def effect(one: Asked) -> str:
    """What happens at the end of a stretch, in words."""
    if one.kind == "returned":
        return f"end of {one.chain}: nothing here decided, back to where it was entered"
    if one.kind == "policy":
        return f"end of {one.chain}: its policy decides, {one.line.verdict.upper()}"
    word, _, to = one.line.verdict.partition(" ")
    target = getattr(one.line.rule, "target", None)
    if to:
        return f"matched: {'on to' if word.lower() == 'goto' else 'jump to'} {to}"
    if isinstance(target, SetMark):
        return "matched: marks the packet, and the next rule is asked"
    if target is None and word == "CONTINUE":
        return "matched: counts the packet, and the next rule is asked"
    if isinstance(target, Log):
        return "matched: writes a line to the log, and the next rule is asked"
    if isinstance(target, Nat | Reject):
        return f"matched: {str(target).removeprefix('-j ')}"
    if word.lower() == "return":
        return "matched: back to where the chain was entered"
    return f"matched: {word.upper()}"


def text_of(one: Asked, rule: Any) -> str:
    """A rule of a stretch as it is listed: ``-A CHAIN …``, or nft's own words."""
    return f"-A {one.chain} {rule}".rstrip() if isinstance(rule, Rule) else str(rule)


def listing(one: Asked, step: Step) -> tuple[list[list[str]], int]:
    """The chain's rules around a stretch: number, rule, and what became of it; and which of these
    rows ended it.

    Of many rules passed over, or never reached, only some are listed.
    """
    packet = step.before or step.packet
    hook = step.stage.partition(" ")[2]
    rows: list[list[str]] = []
    first = max(one.start, one.place - MOST)
    if one.start:
        rows.append(["", "", f"{_many(one.start)} asked before"])
    if first > one.start:
        rows.append(["", "", f"{_many(first - one.start)} more, passed over"])
    for at in range(first, one.place):
        said = why_not(one.rules[at], packet, hook, step.device)
        rows.append([str(at + 1), text_of(one, one.rules[at]), f"passed over: {said}"])
    hit = len(rows)
    if one.kind == "matched":
        rows.append([str(one.place + 1), text_of(one, one.line.rule), effect(one)])
    else:
        rows.append(["", "", effect(one)])
    left = len(one.rules) - one.place - 1
    if one.kind == "matched" and left > 0:
        rows.append(["", "", f"{_many(left)} behind it"])
    return rows, hit


def _many(count: int) -> str:
    return f"{count} rule{'' if count == 1 else 's'}"


def why_not(rule: Any, packet: Packet, hook: str, device: str) -> str:
    """Which condition of a rule this packet does not meet, in few words; "" if it is not known to
    miss any."""
    if not isinstance(rule, Rule):
        return "its condition says no"
    ends = (("to", rule.dest, packet.ip.dst), ("from", rule.source, packet.ip.src))
    for side, asked_for, have in ends:
        if asked_for:
            prefix, negated = asked_for
            if (number(have) & mask(prefix.length) == prefix.net) is negated:
                return f"not {side} {prefix}" if not negated else f"{side} {prefix}"
    if rule.proto and (packet.ip.proto == rule.proto[0]) is rule.proto[1]:
        return f"not {PROTO_NAMES.get(rule.proto[0], rule.proto[0])}"
    said = _device(rule, hook, device) or _ports(rule, packet)
    if said:
        return said
    others = [m for m in rule.matches if not isinstance(m, Comment | Ports)]
    if any(isinstance(m, Statistic) for m in others):
        return "chance said no"
    return " ".join(map(str, others)) + " says no" if others else ""


def _device(rule: Rule, hook: str, device: str) -> str:
    """``device`` is where the packet came in; where there is none, where it leaves."""
    side, wanted = "on", rule.in_dev
    if hook in ("OUTPUT", "POSTROUTING"):
        side, wanted = "leaving by", rule.out_dev
    if not wanted or wanted[0].endswith("+"):
        return ""
    name, negated = wanted
    if (name == device) is not negated:
        return ""
    return f"not {side} {name}" if not negated else f"{side} {name}"


def _ports(rule: Rule, packet: Packet) -> str:
    l4 = packet.transport
    if not isinstance(l4, Tcp | Udp):
        return ""
    for match in rule.matches:
        if not isinstance(match, Ports):
            continue
        for side, ports, have in (("to", match.dest, l4.dport), ("from", match.source, l4.sport)):
            if ports and (ports[0] <= have <= ports[1]) is ports[2]:
                low, high, negated = ports
                span = str(low) if low == high else f"{low}:{high}"
                return f"{'' if negated else 'not '}{side} port {span}"
    return ""
