"""What lives here: ``step_race``: kube-proxy's modes side by side, each in a lane of its own.

The player once more. A lane is as long as the rules that a new connection has to pass, on one scale
for all lanes. The race is run twice: as the number of Services grows, every step a measurement as
``race`` draws it; and rule by rule for one packet, in step, until each kernel is through.

What may not live here: counting (``Trace.evaluated``, ``cost``), what a rule does (``rules``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log10
from typing import Any, NamedTuple

from k8snetlib.errors import K8sNetError, UnknownName
from k8snetlib.trace import Exchange, Trace
from k8snetlib.views.flow import visits
from k8snetlib.views.geometry import Box, Point
from k8snetlib.views.picture import Picture
from k8snetlib.views.player import Player
from k8snetlib.views.race import Run, count_words, drawn_race, lanes_of, rules_words
from k8snetlib.views.rules import asked, effect, text_of, why_not
from k8snetlib.views.sheet import Sheet

_LEFT, _WIDE, _TOP, _LANE = 96.0, 900.0, 44.0, 76.0
#: Where in a lane the packet runs, and where its number stands, from the lane's top.
_TRACK, _NUMBER = 46.0, 20.0
STYLE = (
    ".k8snet-svg .track{fill:none;stroke:var(--k-line);stroke-width:2}"
    ".k8snet-svg .scale{fill:none;stroke:var(--k-hairline);stroke-width:1}"
    ".k8snet-svg .lap{fill:none;stroke:var(--k-muted);stroke-width:3}"
    ".k8snet-svg .reached text{display:none}.k8snet-svg .reached .here text{display:inline}"
    ".k8snet-svg .reached .here .lap{stroke:var(--k-packet)}"
)


class Tested(NamedTuple):
    """One rule that a kernel tested: in which box and chain, its text, what became of it."""

    stage: str
    chain: str
    rule: str
    became: str


def step_race(
    results: Iterable[Sequence[object]],
    walks: Mapping[str, Exchange] | None = None,
    netns: str = "node1",
) -> Player:
    """The race of kube-proxy's modes, to be stepped through.

    Parameters: ``results`` as for ``race``; ``walks`` are exchanges by the same modes: their
    requests race rule by rule in the kernel of ``netns``. Raises ``K8sNetError`` as ``race`` does,
    and if the walks are of other modes; ``UnknownName`` if a request never came to ``netns``.
    """
    lanes = lanes_of(results)
    if walks is not None and set(walks) != set(lanes):
        raise K8sNetError(
            f"The walks are of {', '.join(walks)}, the results of {', '.join(lanes)}.",
            "Give one walk for each mode of the results.",
        )
    tests = {}
    for mode in lanes if walks else ():
        request = (walks or {})[mode].request
        if request is None:
            raise UnknownName(f"{mode}: no packet was sent.")
        tests[mode] = tuple(tested(request, netns))
    return Player(race_data(lanes, tests, netns), _still(lanes, tests))


def in_chain(one: Tested) -> str:
    """The rule with its chain: iptables' own words name it already."""
    return one.rule if one.rule.startswith("-A ") else f"{one.chain}: {one.rule}"


def tested(trace: Trace, netns: str) -> Iterator[Tested]:
    """Every rule that one kernel tested for a packet, in order; a look-up in IPVS is one too."""
    for hop in visits(trace, netns):
        for step in hop.steps:
            packet = step.before or step.packet
            for one in asked(step.rules):
                for rule in one.rules[one.start : one.place]:
                    said = why_not(rule, packet, step.stage.partition(" ")[2], step.device)
                    text = text_of(one, rule)
                    yield Tested(step.stage, one.chain, text, f"passed over: {said}")
                if one.kind == "matched":
                    rule = one.line.rule
                    yield Tested(step.stage, one.chain, text_of(one, rule), effect(one))
            if step.stage.startswith("ipvs "):
                yield Tested(step.stage, "table of virtual servers", str(step.by), step.reason)


def race_data(
    lanes: Mapping[str, Sequence[Run]], tests: Mapping[str, Sequence[Tested]], netns: str
) -> dict[str, Any]:
    """What the race shows, in the form of ``player.player_data``; its packets are the two races."""
    sizes = sorted({run.services for lane in lanes.values() for run in lane})
    numbers = {
        mode: sorted({run.evaluated for run in lane} | ({len(tests[mode])} if tests else set()))
        for mode, lane in lanes.items()
    }
    most = max(found[-1] for found in numbers.values())
    steps = [_grown(lanes, at, sizes, most) for at in range(len(sizes))]
    races = [("as the number of Services grows", steps)]
    if tests:
        longest = max(map(len, tests.values()))
        by_rule = [_ruled(tests, at, most) for at in range(longest + 1)]
        races.append((f"rule by rule, for one packet in {netns}", by_rule))
    return {
        "title": "the race of kube-proxy's modes",
        "outcome": "",
        "reason": "",
        "foot": "A look-up in a map or in IPVS counts as one rule. The scale is logarithmic.",
        "scene": _scene(numbers, tests, most),
        "picture": "A lane for each mode",
        "which": "Race",
        "start": 0,
        "stages": {},
        "packets": [
            {"n": n, "title": title, "role": "", "states": [], "steps": steps}
            for n, (title, steps) in enumerate(races)
        ],
    }


def _x(number: int, most: int) -> float:
    """Where a number stands on the scale: 0 at its beginning, each ten times as far as the last."""
    if not number:
        return _LEFT
    first = 40.0
    return round(_LEFT + first + (_WIDE - first) * log10(number) / max(1.0, log10(most)), 1)


def _at(lane: int, number: int, most: int) -> Point:
    return Point(_x(number, most), _TOP + lane * _LANE + _TRACK)


def _step(
    now: Mapping[str, int], before: Mapping[str, int], most: int, told: dict[str, Any]
) -> dict[str, Any]:
    """A step: where every lane's packet is, having tested so many rules; it comes from
    ``before``."""
    here = [_at(n, number, most) for n, number in enumerate(now.values())]
    way = "".join(
        f"M{_x(before.get(mode, 0), most):g} {p.y:g}L{max(p.x, _LEFT + 0.1):g} {p.y:g}"
        for mode, p in zip(now, here, strict=True)
    )
    anchors = [f"{mode}:{number}" for mode, number in now.items()]
    return {
        "netns": "", "stage": "", "device": "", "anchor": anchors[0], "anchors": anchors[1:],
        "path": way, "at": [here[0].x, here[0].y],
        "tokens": [[p.x, p.y, "pass"] for p in here[1:]], "verdict": "pass", "sign": "→",
        "by": "", "rules": [], "note": "", "change": "", "see": None, "why": None, **told,
    }  # fmt: skip


def _grown(
    lanes: Mapping[str, Sequence[Run]], at: int, sizes: Sequence[int], most: int
) -> dict[str, Any]:
    """One number of Services. Each starts anew: a lane's way is that of this measurement."""
    found = {mode: {r.services: r.evaluated for r in lane} for mode, lane in lanes.items()}
    size = sizes[at]
    now = {mode: runs[size] for mode, runs in found.items() if size in runs}
    rows = []
    for mode, runs in found.items():
        first = min(runs)
        more = runs[size] - runs[first] if size in runs else 0
        said = f"{more:+,}" if more else "no more"
        rows.append([mode, f"{runs[size]:,}" if size in runs else "not measured",
                     said if size in runs else ""])  # fmt: skip
    fewest = [mode for mode, number in now.items() if number == min(now.values())]
    tests = f"{' and '.join(fewest)} {'tests' if len(fewest) == 1 else 'test'} the fewest rules"
    said = ", ".join(f"{mode} tests {rules_words(number)}" for mode, number in now.items())
    shown = {mode: now.get(mode, 0) for mode in lanes}
    return _step(shown, {}, most, {
        "fresh": True,
        "place": count_words(size),
        "reason": f"for one new connection, {said}",
        "word": tests if len(now) > 1 else "measured",
        "tables": [{
            "caption": f"With {count_words(size)}",
            "head": ["mode", "rules tested", f"more than with {count_words(sizes[0])}"],
            "rows": rows, "marks": [], "code": 0,
        }],
    })  # fmt: skip


def _ruled(tests: Mapping[str, Sequence[Tested]], at: int, most: int) -> dict[str, Any]:
    """So many rules tested in every lane that has as many."""
    now = {mode: min(at, len(found)) for mode, found in tests.items()}
    before = {mode: min(max(at - 1, 0), len(found)) for mode, found in tests.items()}
    rows, marks = [], []
    for mode, found in tests.items():
        tested_now = 0 < at <= len(found)
        one = found[at - 1] if tested_now else None
        said = [in_chain(one), one.became] if one else ["", _waits(at, len(found))]
        rows.append([mode, f"{now[mode]} of {len(found)}", *said])
        marks.append("hit" if one and not one.became.startswith("passed over") else "")
    through = [mode for mode, found in tests.items() if at >= len(found)]
    running = [mode for mode in tests if mode not in through]
    reason = "the packet has arrived, and no rule is tested yet"
    if at:
        reason = f"tested so far: {', '.join(f'{mode} {n}' for mode, n in now.items())}"
    if through and running:
        reason += f". Through: {', '.join(through)}"
    return _step(now, before, most, {
        "place": f"test {at}" if at else "the start",
        "reason": reason,
        "word": "goes on" if running else "all are through",
        "tables": [{
            "caption": f"Test {at}, lane by lane" if at else "Before the first test",
            "head": ["mode", "tested", "rule", "what became of it"],
            "rows": rows, "marks": marks, "code": 2,
        }],
    })  # fmt: skip


def _waits(at: int, total: int) -> str:
    return f"through, after {rules_words(total)}" if at else "not tested yet"


def _scene(
    numbers: Mapping[str, Sequence[int]], tests: Mapping[str, Sequence[Tested]], most: int
) -> str:
    """The lanes, with a mark at every number that a step measures; and, hidden until the packet is
    there, every number that it comes by.
    """
    sheet = Sheet()
    bottom = _TOP + len(numbers) * _LANE
    sheet.words(Box(0, 2, _LEFT + 30, 30), Point(8, 20), "rules tested", "small")
    for power in (10**n for n in range(12)):
        if power <= max(most, 10):
            x = _x(power, most)
            sheet.line((Point(x, 30), Point(x, bottom)), "scale")
            sheet.words(Box(x - 40, 2, 80, 28), Point(x, 22), f"{power:,}", "small", "middle")
    for n, (mode, found) in enumerate(numbers.items()):
        y = _TOP + n * _LANE
        sheet.box(Box(4, y, _LEFT + _WIDE + 76, _LANE - 10), "card", 8)
        sheet.words(Box(8, y, _LEFT - 12, 60), Point(14, y + _TRACK + 5), mode, "strong")
        sheet.line((_at(n, 0, most), Point(_LEFT + _WIDE, y + _TRACK)), "track")
        sheet.parts.append('<g class="reached">')
        for number in sorted({*found, *range(len(tests.get(mode, ())) + 1)}):
            with sheet.group(f"{mode}:{number}"):
                at = _at(n, number, most)
                if number in found:
                    sheet.line((Point(at.x, at.y - 9), Point(at.x, at.y + 9)), "lap")
                room = Box(at.x - 90, y, 180, 30)
                words = f"{mode}: {rules_words(number)}"
                sheet.words(room, Point(at.x, y + _NUMBER), words, "strong", "middle")
        sheet.parts.append("</g>")
    told = ". ".join(
        f"{mode}: {', '.join(rules_words(number) for number in found)}"
        for mode, found in numbers.items()
    )
    size = (_LEFT + _WIDE + 88, bottom)
    return sheet.svg(size, "The lanes of a race", f"Numbers reached. {told}.", STYLE)


def _still(
    lanes: Mapping[str, Sequence[Run]], tests: Mapping[str, Sequence[Tested]]
) -> Picture:  # fmt: skip
    """The curves, and both races in words."""
    rows = []
    for at in range(max(map(len, tests.values()), default=0)):
        cells = [
            f"{in_chain(one)}: {one.became}" if (one := _nth(found, at)) else ""
            for found in tests.values()
        ]
        rows.append((f"test {at + 1}", *cells))
    return drawn_race(lanes, tuple(rows))


def _nth(found: Sequence[Tested], at: int) -> Tested | None:
    return found[at] if at < len(found) else None
