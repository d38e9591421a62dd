"""What lives here: ``packet_flow``: which boxes of the packet-flow drawing a packet met, in order.

A packet's visit to one kernel (a ``Hop``) is read step by step; ``walk`` says for each step in
which card of the drawing (``chart``) it happened. Boxes that met the packet are lit and numbered;
what they decided stands beside, and how many rules matched. A hook on the way in which no rule was
asked is crossed: it has a dashed edge.

Two boxes are told apart by the way alone: ``conntrack`` in PREROUTING looks at what has arrived, in
OUTPUT at what this host sends; where it *drops* it is the box that confirms a new connection.

What may not live here: positions (``chart``), decisions: it reads a ``Trace`` and nothing else.

Simplified here: a box that a packet met more than once shows what it decided last; ``confirm`` is
lit only where it drops, for the trace has no step of it otherwise; a bridged frame's PREROUTING is
shown only if a rule was asked there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from k8snetlib.errors import UnknownName, unknown_name
from k8snetlib.stages import is_hook
from k8snetlib.story import rule_words
from k8snetlib.trace import NO_NAMES, Hop, Names, Step, Trace, rule_line
from k8snetlib.views.chart import CARD_HEAD, CARDS, STYLE, Chart, draw_edges, lay_out
from k8snetlib.views.geometry import Box, Point
from k8snetlib.views.picture import Picture
from k8snetlib.views.sheet import Sheet, width_of
from k8snetlib.views.text import VERDICT_WORDS, packet_title
from k8snetlib.words import annotate


class Met(NamedTuple):
    """One step in the drawing: its number, the card and row it happened in, and ``way``: the cards
    from the step before to this one, both included (one card: the packet stayed; none: a visit
    begins)."""

    number: int
    card: str
    row: str
    step: Step
    way: tuple[str, ...]


#: Hooks that lie between two cards, and leave no step if no rule was asked there.
_BETWEEN = {
    ("in", "routing"): ("PREROUTING",),
    ("routing", "process"): ("INPUT",),
    ("routing", "POSTROUTING"): ("FORWARD",),
    ("routing", "out"): ("FORWARD", "POSTROUTING"),
    ("FORWARD", "out"): ("POSTROUTING",),
    ("own", "POSTROUTING"): ("OUTPUT",),
    ("own", "out"): ("OUTPUT", "POSTROUTING"),
    ("OUTPUT", "out"): ("POSTROUTING",),
}
_PROCESS = frozenset({"socket", "icmp", "flanneld", "vxlan"})


class _Walk:
    """Where a packet is in the drawing, step after step of one visit."""

    def __init__(self) -> None:
        self.card = ""
        self.own = False  # sent by this host
        self.forwarded = False
        self.filtered = False  # netfilter saw it on the bridge (br_netfilter)
        self.bridges: set[str] = set()
        self.waited = False  # a piece that waited for its packet, and goes on as a piece

    def place(self, step: Step) -> tuple[str, str]:
        """The card and the row of a step."""
        stage = step.stage
        table, _, hook = stage.partition(" ")
        if is_hook(stage):
            return hook, table
        if stage == "conntrack":
            return self._conntrack(step)
        if stage == "receive":
            return ("bridge" if step.device in self.bridges else "in"), stage
        if stage == "route":
            self.own = self.own or self.card == "INPUT"  # IPVS sends it on from there
            return ("own" if self.own else "routing"), stage
        if stage == "neighbour":
            on_bridge = self.card in ("PREROUTING", "bridge") and not self.own
            return ("bridge" if on_bridge else "out"), stage
        if stage == "arp":
            return (self.card if self.card in ("in", "bridge") else "out"), stage
        if stage == "fragment":
            leaving = self.own or self.forwarded or self.card in ("", "POSTROUTING", "FORWARD")
            leaving, self.waited = leaving or self.waited, True
            return ("out" if leaving else "routing" if self.card == "routing" else "in"), stage
        if stage in _PROCESS:
            return "process", stage
        return {"bridge": "bridge", "forward": "routing"}.get(stage, "out"), stage

    def _conntrack(self, step: Step) -> tuple[str, str]:
        if step.verdict == "drop":
            local = self.card in ("routing", "INPUT") and not self.forwarded
            return ("INPUT" if local else "POSTROUTING"), "confirm"
        return ("OUTPUT" if self.own else "PREROUTING"), "conntrack"

    def go(self, card: str, step: Step) -> tuple[str, ...]:
        """Goes to the card of a step; returns the cards on the way."""
        last = self.card
        way = self._way(last, card)
        if card == "process":
            self.own, self.forwarded, self.filtered = True, False, False
            self.bridges = set()
        elif step.stage == "receive" and card == "in":
            self.own = self.forwarded = self.filtered = False
            self.bridges = set()
        elif step.stage == "arp" and card == "out":
            self.own = True
        self.forwarded = self.forwarded or step.stage == "forward"
        self.filtered = self.filtered or (card == "PREROUTING" and not self.own)
        if step.stage == "bridge":
            self.bridges.add(step.device)
        self.card = card
        return way

    def _way(self, last: str, card: str) -> tuple[str, ...]:
        if not last:
            return ()
        if last == card:
            return (card,)
        between = _BETWEEN.get((last, card), ())
        if (last, card) == ("bridge", "routing") and not self.filtered:
            between = ("PREROUTING",)
        if last == "bridge" and self.filtered and not (self.own or self.forwarded):
            between = {"out": ("FORWARD", "POSTROUTING"), "POSTROUTING": ("FORWARD",)}.get(
                card, between
            )
        if (last, card) == ("out", "bridge") and not (self.own or self.forwarded):
            return ("bridge", card)[:1]  # a flood goes on from the bridge, it does not come back
        return (last, *between, card)


def walk(hops: Sequence[Hop]) -> tuple[Met, ...]:
    """Every step of one or more visits to one kernel, with its place in the drawing."""
    found: list[Met] = []
    for hop in hops:
        at = _Walk()
        for step in hop.steps:
            card, row = at.place(step)
            found.append(Met(len(found) + 1, card, row, step, at.go(card, step)))
    return tuple(found)


def visits(what: Hop | Trace, netns: str = "") -> tuple[Hop, ...]:
    """The visits that are meant; raises ``UnknownName`` if the packet was never there."""
    if isinstance(what, Hop):
        return (what,)
    found = tuple(hop for hop in what.hops if hop.netns == netns)
    if not found:
        seen = list(dict.fromkeys(hop.netns for hop in what.hops))
        if not netns:
            raise UnknownName("Whose kernel is meant?", f"This packet saw: {', '.join(seen)}.")
        raise unknown_name("namespace on this packet's way", netns, seen)
    return found


# -- words ----------------------------------------------------------------------------------------


def verdict_words(step: Step) -> str:
    """What a box decided: a sign, a word, and for rules how many matched."""
    sign, word = VERDICT_WORDS.get(step.verdict, ("", step.verdict))
    if not is_hook(step.stage) or step.stage.startswith("ipvs"):
        return f"{sign} {word}"
    lines = [rule_line(rule) for rule in step.rules]
    count = sum(not line.startswith(":") for line in lines)
    by = f"{count} rule{'' if count == 1 else 's'}" if count else "policy" if lines else "no rule"
    if step.verdict == "pass":
        return f"{sign} {by}"
    if str(step.by).startswith("policy"):
        by = "policy"
    return f"{sign} {'rejected' if step.verdict == 'error' else word}, {by}"


def box_words(met: Met) -> str:
    """The name of a box: ``nat PREROUTING``, ``route``, ``confirm INPUT``."""
    if met.card.isupper():
        return f"{met.row} {met.card}"
    return met.step.stage


def crossed(found: Sequence[Met]) -> tuple[str, ...]:
    """The hooks on the way in which no box recorded a step: no rule was asked there."""
    lit = {met.card for met in found}
    on_the_way = dict.fromkeys(card for met in found for card in met.way)
    return tuple(card for card in on_the_way if card not in lit)


def _rows(found: Sequence[Met], names: Names) -> tuple[tuple[str, ...], ...]:
    rows: list[tuple[str, ...]] = [("No.", "Box", "Device", "What happens, and why", "Verdict")]
    for met in found:
        step = met.step
        why = "\n".join([annotate(step.reason, names), *map(rule_words, step.rules)])
        said = (str(met.number), box_words(met), step.device or "none", why, verdict_words(step))
        rows.append(said)
    return tuple(rows)


def _told(found: Sequence[Met]) -> str:
    """The boxes in words, in order; a crossed hook in its place."""
    if not found:
        return "No box: nothing was recorded here."
    empty, lines = set(crossed(found)), []
    for met in found:
        for card in met.way[:-1]:
            if card in empty:
                empty.discard(card)
                lines.append(f"    {card}: crossed, no rule asked")
        device = f" ({met.step.device})" if met.step.device else ""
        lines.append(f"{met.number:>3} {box_words(met)}{device}: {verdict_words(met.step)}")
    return "\n".join(lines)


# -- the drawing ----------------------------------------------------------------------------------


def _edges(found: Sequence[Met]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for met in found for pair in pairwise(met.way))


def _extra(found: Sequence[Met]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys((met.card, met.row) for met in found))


def blank(sheet: Sheet, chart: Chart, found: Sequence[Met] = ()) -> None:
    """Cards and rows; those that a packet met are lit."""
    lit = {(met.card, met.row): met for met in found}
    met_cards, empty = {met.card for met in found}, set(crossed(found))
    for card, box in chart.cards.items():
        state = " on" if card in met_cards else " crossed" if card in empty else ""
        tone = "" if state or not found else "faint"
        with sheet.group():
            sheet.box(box, f"card{state}", 10)
            head = Point(box.x + 12, box.y + 20)
            title = "process, VXLAN" if (card, "vxlan") in lit else CARDS[card][0]
            sheet.words(box, head, title, "strong", "", tone)
            if aside := _aside(card, found, state):
                behind = head.x + width_of(title, "strong")
                rest = Box(behind, box.y, box.right - behind, CARD_HEAD)
                sheet.words(rest, Point(box.right - 10, head.y), aside, "small", "end")
        for (where, row), at in chart.rows.items():
            if where == card:
                numbers = [m.number for m in found if (m.card, m.row) == (card, row)]
                _row(sheet, at, (card, row), lit.get((card, row)), numbers)


def _aside(card: str, found: Sequence[Met], state: str) -> str:
    """What stands beside a card's title: the devices, or that nothing happened here."""
    if state == " crossed":
        return "crossed"
    devices = dict.fromkeys(m.step.device for m in found if m.card == card and m.step.device)
    if card not in ("in", "out", "bridge") or not devices:
        return ""
    return ", ".join(devices) if len(devices) < 3 else f"{len(devices)} devices"


def _row(
    sheet: Sheet, box: Box, name: tuple[str, str], met: Met | None, numbers: list[int]
) -> None:  # fmt: skip
    card, row = name
    y = box.y + 15.5
    bad = met is not None and met.step.verdict in ("drop", "error")
    with sheet.group(f"{card}:{row}"):
        sheet.box(box, f"row{' on' if met else ''}{' bad' if bad else ''}", 6)
        if met is None:
            sheet.words(box, Point(box.x + 30, y), row, "plain", "", "faint")
            return
        number = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}, {numbers[-1]}"
        if len(numbers) > 2:
            number = f"{numbers[0]}…{numbers[-1]}"
        width = sheet.badge(Point(box.x + 4, box.y + box.h / 2), number)
        left = box.x + width + 10
        said = verdict_words(met.step)
        if left + width_of(row, "strong") > box.right - width_of(said, "small") - 14:
            said = said.split()[0]  # the name comes first; the table has the words
        room = Box(box.x, box.y, box.w - width_of(said, "small") - 8, box.h)
        sheet.words(room, Point(left, y), row, "strong")
        sheet.words(box, Point(box.right - 7, y), said, "small", "end", "wrong" if bad else "")


#: What the signs of a walked drawing mean.
SIGNS = {
    "number": "order of the boxes",
    "goes on": "goes on; rules matched",
    "crossed": "crossed: no rule asked",
}


def legend(
    sheet: Sheet, chart: Chart, lines: tuple[str, ...], signs: tuple[str, ...] = ()
) -> None:  # fmt: skip
    """Whose kernel this is and, once walked, what the signs mean."""
    box = chart.legend
    with sheet.group():
        sheet.box(box, "row")
        y = box.y + 16
        for n, line in enumerate(lines):
            sheet.words(box, Point(box.x + 2, y), line, "small" if n else "title")
            y += 20
        for sign in signs:
            y += 8
            if sign == "number":
                sheet.badge(Point(box.x + 2, y - 4), "1")
            elif sign == "goes on":
                sheet.words(box, Point(box.x + 4, y), "→", "strong")
            else:
                sheet.box(Box(box.x + 1, y - 12, 22, 15), "card crossed", 4)
            sheet.words(box, Point(box.x + 32, y), SIGNS[sign], "small")
            y += 18


def _in_lines(words: str, room: int = 27) -> tuple[str, ...]:
    """Words broken into lines of about ``room`` letters."""
    lines = [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + len(word) >= room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return (*lines[:2], f"{lines[2]} …") if len(lines) > 3 else tuple(lines)


def packet_flow(what: Hop | Trace | None = None, netns: str = "") -> Picture:
    """The packet-flow drawing of one kernel, with the boxes that a packet met lit and numbered.

    Parameters: ``what`` is a packet's visit (``trace.hops[1]``), or a packet (``exchange.request``)
    and then ``netns`` the namespace that is meant; without it, the drawing alone. Raises
    ``UnknownName`` if the packet was never there. Source: the packet-flow drawing of netfilter.org.
    """
    if what is None:
        return _drawing_alone()
    hops = visits(what, netns)
    found = walk(hops)
    names = what.frames[0].names if isinstance(what, Trace) and what.frames else NO_NAMES
    label = packet_title(what, names) if isinstance(what, Trace) else ""
    where = hops[0].netns
    chart, sheet = on_paper(found, (where, *_in_lines(label)))
    title = f"The packet-flow drawing of {where}, walked"
    title += f" by {label}" if label else ""
    told = _told(found)
    caption = f"{title}. At the end: {annotate(found[-1].step.reason, names)}." if found else ""
    picture = sheet.svg((chart.width, chart.height), title, told, STYLE)
    return Picture(
        picture, f"{title}:\n{told}", caption, _rows(found, names), "The same in words: every box"
    )


def on_paper(found: Sequence[Met], lines: tuple[str, ...]) -> tuple[Chart, Sheet]:
    """The drawing with the boxes of ``found`` lit; ``lines`` say whose it is."""
    chart, sheet = lay_out(_extra(found)), Sheet()
    draw_edges(sheet, chart, _edges(found))
    blank(sheet, chart, found)
    signs = ("number", "goes on", *(("crossed",) if crossed(found) else ()))
    legend(sheet, chart, lines, signs if found else ())
    return chart, sheet


def _drawing_alone() -> Picture:
    said = "Five hooks, in capitals. The tables of a hook speak from top to bottom."
    chart, sheet = on_paper((), ("One kernel", *_in_lines(said)))
    title = "The packet-flow drawing of one kernel"
    hooks = [f"{card}: {', '.join(rows)}" for card, (_, rows) in CARDS.items() if card.isupper()]
    words = (
        "What arrives: in, PREROUTING, routing; then INPUT and a process, or FORWARD, POSTROUTING,"
        " out. What a process sends: routing, OUTPUT, POSTROUTING, out. A bridge leads from in to"
        f" out, too. The boxes of each hook, in order: {'; '.join(hooks)}."
    )
    return Picture(sheet.svg((chart.width, chart.height), title, words, STYLE), f"{title}. {words}")
