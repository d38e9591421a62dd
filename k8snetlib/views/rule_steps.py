"""What lives here: ``step_rules``: the rules that a packet met in one kernel, forward and back.

The player once more: its picture is the packet-flow drawing, its steps are the ends of stretches of
a chain (``rules.asked``), and a table shows the chain around each. Beside it stands how many rules
this kernel has tested so far; the last step is the verdict.

What may not live here: what a rule does (``rules``), which box it is (``flow``).
"""

from __future__ import annotations

from typing import Any

from k8snetlib.errors import UnknownName
from k8snetlib.packet import Packet
from k8snetlib.stages import STAGES, is_hook
from k8snetlib.trace import NO_NAMES, Exchange, Names, Step, Trace
from k8snetlib.views.chart import Chart, lay_out
from k8snetlib.views.flow import packet_flow, visits, walk
from k8snetlib.views.flow_steps import placed, scene
from k8snetlib.views.headers import changes, state
from k8snetlib.views.picture import Picture
from k8snetlib.views.player import Player
from k8snetlib.views.rules import Asked, asked, effect, listing
from k8snetlib.views.text import VERDICT_WORDS, packet_title
from k8snetlib.words import annotate

HEAD = ["No.", "Rule", "What became of it"]


def step_rules(what: Trace | Exchange, netns: str) -> Player:
    """The rule stepper: every rule that a packet met in one kernel, iptables' or nftables'.

    Parameters: ``what`` is a packet (``exchange.request``), or an exchange for all its packets;
    ``netns`` is whose kernel. Raises ``UnknownName`` if no rule was asked there.
    """
    several = what.packets if isinstance(what, Exchange) else (what,)
    traces = [trace for trace in several if _has_rules(trace, netns)]
    if not traces:
        if isinstance(what, Trace):
            visits(what, netns)
        said = "Rules stand on nodes. Was the packet there, and does a rule concern it?"
        raise UnknownName(f"No rule was asked in {netns}.", said)
    request = what.request if isinstance(what, Exchange) else None
    first = request if request in traces else traces[0]
    assert first is not None
    data = rules_data(traces, netns, traces.index(first))
    return Player(data, _still(data, first, netns))


def _has_rules(trace: Trace, netns: str) -> bool:
    steps = (step for hop in trace.hops if hop.netns == netns for step in hop.steps)
    return any(step.rules or _stopped_by_policy(step) for step in steps)


def _stopped_by_policy(step: Step) -> bool:
    """A chain without any rule leaves no line in the trace, but its policy may end the packet."""
    return not step.rules and is_hook(step.stage) and step.verdict != "pass"


def rules_data(traces: list[Trace], netns: str, start: int = 0) -> dict[str, Any]:
    """What the rule stepper shows, as ``player_data``; a step's ``tables`` hold its chain."""
    met = [walk(visits(trace, netns)) for trace in traces]
    chart = lay_out(tuple((one.card, one.row) for found in met for one in found))
    packets = [_packet(trace, netns, chart) for trace in traces]
    stages = {step["stage"] for packet in packets for step in packet["steps"]}
    return {
        "title": f"the rules of {netns}",
        "outcome": "",
        "reason": "",
        "foot": "A rule matched, was passed over, or was never reached.",
        "scene": scene(chart, netns),
        "picture": f"Packet-flow drawing of {netns}",
        "start": start,
        "stages": {stage: words for stage, words in STAGES.items() if stage in stages},
        "packets": packets,
    }


def _packet(trace: Trace, netns: str, chart: Chart) -> dict[str, Any]:
    hops = visits(trace, netns)
    names = trace.frames[0].names if trace.frames else NO_NAMES
    states: dict[Packet, int] = {}
    steps: list[dict[str, Any]] = []
    way, before, count = "", None, 0
    for met in walk(hops):
        here = placed(chart, {}, met, before)
        way, before = way + here["path"], met
        stretches = tuple(asked(met.step.rules))
        for one in stretches:
            count += one.evaluated
            last = one is stretches[-1]
            found = _step(netns, met.step, one, names, count=count, last=last)
            packet = met.step.packet if last else met.step.before or met.step.packet
            at = {"anchor": here["anchor"], "at": here["at"], "path": way or _stand(here)}
            way = ""
            steps.append(found | at | {"state": states.setdefault(packet, len(states))})
        if _stopped_by_policy(met.step):
            table, _, chain = met.step.stage.partition(" ")
            base = Asked("policy", table, chain, (), 0, 0, None, 0)
            found = _step(netns, met.step, base, names, count=count, last=True)
            at = {"anchor": here["anchor"], "at": here["at"], "path": way}
            way = ""
            steps.append(found | at | {"state": states.setdefault(met.step.packet, len(states))})
    steps.append(_verdict(steps[-1], sum(hop.evaluated for hop in hops)))
    return {
        "n": trace.n,
        "title": packet_title(trace, names),
        "role": "",
        "states": [state(look, names) for look in states],
        "steps": steps,
    }


def _stand(here: dict[str, Any]) -> str:
    x, y = here["at"]
    return f"M{x} {y}L{x + 0.1:g} {y}"


def _step(
    netns: str, step: Step, one: Asked, names: Names, *, count: int, last: bool
) -> dict[str, Any]:
    sign, word = _word(one)
    if last and step.verdict != "pass":
        sign, word = VERDICT_WORDS[step.verdict]
    rows, hit = listing(one, step) if one.line else ([["", "", step.reason]], 0)
    change = changes(step.before if last else None, step.packet, names)
    tested = "1 rule tested" if one.evaluated == 1 else f"{one.evaluated} rules tested"
    return {
        "netns": netns,
        "place": f"{one.table} {one.chain}",
        "stage": step.stage,
        "device": step.device,
        "verdict": step.verdict if last else "pass",
        "sign": sign,
        "word": word,
        "reason": effect(one) if one.line else annotate(step.reason, names),
        "by": "",
        "rules": [],
        "note": f"{tested} here, {count} so far in {netns}; {_inside(one)}.",
        "added": [],
        "removed": [],
        "was": dict(change.was),
        "change": change.words,
        "see": None,
        "why": None,
        "tables": [
            {
                "caption": f"{one.table} {one.chain}",
                "head": HEAD,
                "rows": [[no, rule, annotate(said, names)] for no, rule, said in rows],
                "marks": ["hit" if at == hit else "" for at in range(len(rows))],
            }
        ],
    }


def _word(one: Asked) -> tuple[str, str]:
    if one.kind == "returned":
        return "↩", "returned"
    if one.kind == "policy":
        return "→", "policy"
    word, _, to = one.line.verdict.partition(" ")
    if to:
        return "↪", "jumped"
    return ("↩", "returned") if word.lower() == "return" else ("→", "matched")


def _inside(one: Asked) -> str:
    if one.depth == 0:
        return "no chain waits for this one"
    return f"{one.depth} {'chain waits' if one.depth == 1 else 'chains wait'} for this one"


def _verdict(last: dict[str, Any], evaluated: int) -> dict[str, Any]:
    """The step at the end: what all of it came to."""
    tests = "test" if evaluated == 1 else "tests"
    fate = {"drop": "dropped", "error": "rejected"}.get(last["verdict"], "let through")
    said = f"Verdict of {last['netns']}: the packet is {fate}, after {evaluated} {tests} of rules"
    sign, word = VERDICT_WORDS[last["verdict"]]
    x, y = last["at"]
    return last | {
        "place": "the verdict",
        "reason": f"{said}. A look-up in a map or in IPVS counts as one test",
        "note": "",
        "change": "",
        "was": {},
        "sign": sign,
        "word": word,
        "path": f"M{x} {y}L{x + 0.1:g} {y}",
        "tables": [],
    }


def _still(data: dict[str, Any], trace: Trace, netns: str) -> Picture:
    """The packet-flow drawing, and every stretch of rules in words."""
    drawing = packet_flow(trace, netns)
    rows = [("No.", "Box", "Chain", "What happens", "Rules tested")]
    for n, step in enumerate(data["packets"][data["start"]]["steps"], 1):
        tested = step["note"].partition(" here")[0]
        rows.append((str(n), step["stage"], step["place"], step["reason"], tested))
    told = "\n".join(f"{n:>3} {box}, {chain}: {said}" for n, box, chain, said, _ in rows[1:])
    title = f"The rules that {data['packets'][data['start']]['title']} met in {netns}"
    summary = "The same in words: rule by rule"
    return Picture(drawing.svg, f"{title}:\n{told}", f"{title}.", tuple(rows), summary)
