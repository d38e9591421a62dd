"""What lives here: the step player's data for one kernel: its scene is the packet-flow drawing.

``player.player_data`` has worked out every step already; here the steps of other namespaces are
left out, and each of the others gets its place in the drawing (``flow.walk``). Same data, same
player, same buttons.

What may not live here: what a step says (``player``), which box it is (``flow``).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from k8snetlib.trace import Exchange
from k8snetlib.views.chart import CARDS, STYLE, Chart, draw_edges, lay_out
from k8snetlib.views.flow import Met, blank, legend, walk
from k8snetlib.views.geometry import Point, number, path_data
from k8snetlib.views.sheet import Sheet


def at_kernel(data: dict[str, Any], exchange: Exchange, netns: str, first: int) -> dict[str, Any]:
    """``data`` of ``player_data``, narrowed to what happened in one namespace.

    Parameters: ``first`` is the number of the packet shown first; it was in ``netns``.
    """
    met = [walk([hop for hop in trace.hops if hop.netns == netns]) for trace in exchange.packets]
    there = [at for at, found in enumerate(met) if found]
    new_place = {at: place for place, at in enumerate(there)}
    chart = lay_out(tuple((one.card, one.row) for found in met for one in found))
    packets = []
    for at in there:
        packet = data["packets"][at]
        own = [step for step in packet["steps"] if step["netns"] == netns]
        steps = [
            placed(chart, step, here, before) | {"see": new_place.get(step["see"])}
            for step, here, before in zip(own, met[at], (None, *met[at]), strict=False)
        ]
        packets.append(packet | {"steps": steps})
    stages = {step["stage"] for packet in packets for step in packet["steps"]}
    return data | {
        "title": f"{data['title']}, at {netns}",
        "scene": scene(chart, netns),
        "picture": f"Packet-flow drawing of {netns}",
        "start": next(new_place[at] for at in there if exchange.packets[at].n == first),
        "stages": {stage: words for stage, words in data["stages"].items() if stage in stages},
        "packets": packets,
    }


def scene(chart: Chart, netns: str) -> str:
    """The drawing of a namespace that nothing has walked through yet."""
    sheet = Sheet()
    draw_edges(sheet, chart, ())
    blank(sheet, chart)
    legend(sheet, chart, (netns, "The kernel of this namespace,", "box by box."))
    title = f"The packet-flow drawing of {netns}"
    hooks = ", ".join(card for card in CARDS if card.isupper())
    # Smaller than the still drawing, so that what the step says is in sight below it.
    return sheet.svg((chart.width, chart.height), title, f"Its hooks: {hooks}.", STYLE, 0.92)


def _middle(chart: Chart, met: Met) -> Point:
    """Where a packet stands in a row: before its name."""
    box = chart.rows[met.card, met.row]
    return Point(box.x + 11, box.y + box.h / 2)


def placed(
    chart: Chart, step: dict[str, Any], met: Met, before: Met | None
) -> dict[str, Any]:  # fmt: skip
    """A step with its place in the drawing. The way leads from card to card; within a card from
    row to row."""
    here = _middle(chart, met)
    lines = [chart.edges[pair] for pair in pairwise(met.way) if pair in chart.edges]
    last = _middle(chart, before) if before and met.way == (met.card,) else here
    lines.append((last, here) if last != here else (here, Point(here.x, here.y + 0.1)))
    return step | {
        "place": CARDS[met.card][0],
        "anchor": f"{met.card}:{met.row}",
        "path": "".join(map(path_data, lines)),
        "at": [float(number(here.x)), float(number(here.y))],
    }
