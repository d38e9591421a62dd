"""What lives here: the packet-flow drawing of one kernel: its boxes, and the arrows between them.

::

                      INPUT ──> process ──> routing ──> OUTPUT
                        ↑                                  │
         PREROUTING ─> routing ──────> FORWARD ──────> POSTROUTING
             ↑          ↑ bridge ↑                         ↓
             in ──────> └────────┘ ──────────────────────> out

Each card has rows; a row is one box of the walk (a ``Step.stage``). The rows of the five hooks are
``HOOKS``, the model's own order. Lines run between cards only, so they cross no words; a way
through a hook in which nothing had to be done runs through it as well. The line from INPUT to the
routing of own packets is there only if it was walked: IPVS sends a packet on from INPUT.

What may not live here: which boxes a packet met (``flow``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from k8snetlib.linux.netfilter.hooks import HOOKS
from k8snetlib.views.geometry import Box, Point
from k8snetlib.views.sheet import Sheet

MARGIN, GAP, RISE = 26.0, 34.0, 34.0
CARD_W, CARD_HEAD, ROW_H, CARD_FOOT = 216.0, 29.0, 22.5, 8.0

STYLE = (
    ".k8snet-svg .card.on{fill:var(--k-ground);stroke:var(--k-packet);stroke-width:2.6}"
    ".k8snet-svg .card.crossed{fill:var(--k-ground);stroke:var(--k-packet);stroke-width:2;"
    "stroke-dasharray:6 4}"
    ".k8snet-svg .row{fill:none;stroke:none}"
    ".k8snet-svg .row.on{fill:var(--k-packet-fill);stroke:var(--k-packet);stroke-width:1.3}"
    ".k8snet-svg .row.on.bad{stroke:var(--k-bad);stroke-width:2.4}"
    ".k8snet-svg .edge.on{stroke:var(--k-packet);stroke-width:5}"
    ".k8snet-svg .tip.on{fill:var(--k-packet)}"
    ".k8snet-svg .jump{fill:none;stroke:var(--k-packet);stroke-width:3;stroke-dasharray:3 5}"
)

#: card -> its title and the rows it always has.
CARDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "INPUT": ("INPUT", HOOKS["INPUT"]),
    "process": ("process", ("socket",)),
    "own": ("routing of own packets", ("route",)),
    "OUTPUT": ("OUTPUT", HOOKS["OUTPUT"]),
    "PREROUTING": ("PREROUTING", HOOKS["PREROUTING"]),
    "routing": ("routing", ("route", "forward")),
    "FORWARD": ("FORWARD", HOOKS["FORWARD"]),
    "POSTROUTING": ("POSTROUTING", HOOKS["POSTROUTING"]),
    "in": ("in", ("receive",)),
    "bridge": ("bridge", ("bridge",)),
    "out": ("out", ("neighbour", "transmit")),
}

Way = tuple[Point, ...]


class Chart(NamedTuple):
    """The drawing as positions: a box per card and per (card, row), a line per pair of cards."""

    width: float
    height: float
    cards: Mapping[str, Box]
    rows: Mapping[tuple[str, str], Box]
    edges: Mapping[tuple[str, str], Way]
    legend: Box


def lay_out(extra: tuple[tuple[str, str], ...] = ()) -> Chart:
    """Where everything stands; ``extra`` are (card, row) pairs beyond those of ``CARDS``."""
    rows_of = {
        card: tuple(dict.fromkeys((*rows, *(row for at, row in extra if at == card))))
        for card, (_, rows) in CARDS.items()
    }
    tall = {c: CARD_HEAD + ROW_H * len(rows) + CARD_FOOT for c, rows in rows_of.items()}
    x = [MARGIN + n * (CARD_W + GAP) for n in range(4)]
    upper = max(tall["INPUT"], tall["OUTPUT"], tall["process"] + tall["own"] + RISE)
    middle = max(tall[c] for c in ("PREROUTING", "routing", "FORWARD", "POSTROUTING"))
    lower = max(tall[c] for c in ("in", "bridge", "out"))
    y = [MARGIN, MARGIN + upper + RISE, MARGIN + upper + middle + 2 * RISE]
    cards = {
        "INPUT": Box(x[1], y[0], CARD_W, upper),
        "process": Box(x[2], y[0], CARD_W, tall["process"]),
        "own": Box(x[2], y[0] + upper - tall["own"], CARD_W, tall["own"]),
        "OUTPUT": Box(x[3], y[0], CARD_W, upper),
        "PREROUTING": Box(x[0], y[1], CARD_W, middle),
        "routing": Box(x[1], y[1], CARD_W, middle),
        "FORWARD": Box(x[2], y[1], CARD_W, middle),
        "POSTROUTING": Box(x[3], y[1], CARD_W, middle),
        "in": Box(x[0], y[2], CARD_W, lower),
        "bridge": Box(x[1], y[2], 2 * CARD_W + GAP, lower),
        "out": Box(x[3], y[2], CARD_W, lower),
    }
    rows = {
        (card, row): Box(box.x + 5, box.y + CARD_HEAD + n * ROW_H, box.w - 10, ROW_H - 2)
        for card, box in cards.items()
        for n, row in enumerate(rows_of[card])
    }
    legend = Box(x[0], y[0], CARD_W, upper)
    return Chart(x[3] + CARD_W + MARGIN, y[2] + lower + MARGIN, cards, rows, _edges(cards), legend)


def _across(left: Box, right: Box, down: float = 15.0) -> Way:
    y = right.y + down
    return (Point(left.right, y), Point(right.x, y))


def _up(below: Box, above: Box, x: float) -> Way:
    return (Point(x, below.y), Point(x, above.bottom))


def _edges(at: Mapping[str, Box]) -> dict[tuple[str, str], Way]:
    """Every line that a packet can take from card to card."""
    middle = {card: box.x + box.w / 2 for card, box in at.items()}
    pre, bridge, route = at["PREROUTING"], at["bridge"], at["routing"]
    between = (pre.bottom + bridge.y) / 2
    down = (
        Point(pre.right - 24, pre.bottom), Point(pre.right - 24, between),
        Point(bridge.x + 30, between), Point(bridge.x + 30, bridge.y),
    )  # fmt: skip
    own = at["own"]
    edges = {
        ("in", "PREROUTING"): _up(at["in"], pre, middle["in"]),
        ("PREROUTING", "routing"): _across(pre, route),
        ("routing", "INPUT"): _up(route, at["INPUT"], middle["routing"]),
        ("INPUT", "process"): _across(at["INPUT"], at["process"]),
        ("INPUT", "own"): _across(at["INPUT"], own),
        ("process", "own"): (
            Point(middle["own"], at["process"].bottom), Point(middle["own"], own.y)
        ),
        ("own", "OUTPUT"): (
            Point(own.right, own.y + 15), Point(at["OUTPUT"].x, own.y + 15)
        ),
        ("OUTPUT", "POSTROUTING"): _up(at["POSTROUTING"], at["OUTPUT"], middle["OUTPUT"])[::-1],
        ("routing", "FORWARD"): _across(route, at["FORWARD"]),
        ("FORWARD", "POSTROUTING"): _across(at["FORWARD"], at["POSTROUTING"]),
        ("POSTROUTING", "out"): _up(at["out"], at["POSTROUTING"], middle["out"])[::-1],
        ("in", "bridge"): _across(at["in"], bridge),
        ("bridge", "out"): _across(bridge, at["out"]),
        ("PREROUTING", "bridge"): down,
        ("bridge", "PREROUTING"): down[::-1],
        ("bridge", "routing"): _up(bridge, route, middle["routing"]),
        ("bridge", "FORWARD"): _up(bridge, at["FORWARD"], middle["FORWARD"]),
        ("out", "bridge"): _across(bridge, at["out"], 32.0)[::-1],
        ("OUTPUT", "own"): (
            Point(at["OUTPUT"].x, own.y + 32), Point(own.right, own.y + 32)
        ),
    }  # fmt: skip
    return {**edges, **_jumps(at)}


def _jumps(at: Mapping[str, Box]) -> dict[tuple[str, str], Way]:
    """Ways round the outside: ``lo`` turns a packet round, a tunnel gives it to a process."""
    first, last, process = at["in"], at["out"], at["process"]
    left, right, top = first.x - 13, last.right + 13, process.y - 13
    low, side = last.bottom + 13, first.y + 20
    door = process.x + process.w / 2
    return {
        ("out", "in"): (
            Point(door + 200, last.bottom), Point(door + 200, low), Point(first.x + 100, low),
            Point(first.x + 100, first.bottom),
        ),
        ("out", "process"): (
            Point(last.right, side), Point(right, side), Point(right, top),
            Point(door + 30, top), Point(door + 30, process.y),
        ),
        ("process", "in"): (
            Point(door - 30, process.y), Point(door - 30, top), Point(left, top),
            Point(left, side), Point(first.x, side),
        ),
    }  # fmt: skip


JUMPS = frozenset({("out", "in"), ("out", "process"), ("process", "in")})
#: Lines that are drawn even if no packet has taken them: the drawing as it is taught.
TAUGHT = (
    ("in", "PREROUTING"), ("PREROUTING", "routing"), ("routing", "INPUT"), ("INPUT", "process"),
    ("process", "own"), ("own", "OUTPUT"), ("OUTPUT", "POSTROUTING"), ("routing", "FORWARD"),
    ("FORWARD", "POSTROUTING"), ("POSTROUTING", "out"), ("in", "bridge"), ("bridge", "out"),
)  # fmt: skip


def draw_edges(sheet: Sheet, chart: Chart, walked: tuple[tuple[str, str], ...]) -> None:
    """All taught lines, and on top of them those that were walked."""
    for pair in TAUGHT:
        if pair not in walked:
            sheet.arrow(chart.edges[pair], "")
    for pair in dict.fromkeys(walked):
        line = chart.edges.get(pair)
        if line and pair in JUMPS:
            sheet.line(line, "jump")
            sheet.arrow(line[-2:], "on", 5)
        elif line:
            sheet.arrow(line, "on", 9)
