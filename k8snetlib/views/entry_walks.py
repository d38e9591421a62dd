"""What lives here: what is shown beside the matrix of entries: the walk of the chosen cell.

For every way in, and for every end that it can have: which source address the endpoint sees, how it
ends, which rules decided that, and the walk in the picture of the cluster. The scene is one for all
cells.

What may not live here: how a rule is read (``rules``), HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from k8snetlib.trace import Exchange, Hop, Step, rule_line
from k8snetlib.views import scene
from k8snetlib.views.entries import End, Entry
from k8snetlib.views.grid import SIGNS, Cell, Grid
from k8snetlib.views.layout import lay_out
from k8snetlib.views.picture import way_words, ways_on
from k8snetlib.views.plan import Layout
from k8snetlib.views.text import decider
from k8snetlib.views.walk import nodes_met
from k8snetlib.words import annotate


def walks_data(title: str, grids: Sequence[Grid], entries: Sequence[Entry]) -> dict[str, Any]:
    """What the live matrix shows, as ``table`` describes it.

    Parameters: ``grids`` are the tables of ``entries``, which stand in their order, row by row.
    """
    exchanges = [end.exchange for entry in entries for end in entry.ends if end.exchange]
    layout = None
    if exchanges:
        packets = [trace for exchange in exchanges for trace in _drawn(exchange)]
        topology = exchanges[0].topology
        layout = lay_out(topology, nodes_met(packets, topology))
    cells: list[dict[str, Any]] = []
    waiting = list(entries)
    shown = [_grid(grid, waiting, cells, layout) for grid in grids]
    drawing = ""
    if layout is not None:
        drawing = scene.svg(layout, "The cluster, and the chosen walk", scene.in_words(layout))
    return {
        "title": title,
        "notes": ["Keys: the arrows choose a cell, Home and End the ends of a row."],
        "scene": drawing,
        "picture": "The walk of the chosen cell",
        "grids": shown,
        "cells": cells,
    }


def _grid(
    grid: Grid, waiting: list[Entry], cells: list[dict[str, Any]], layout: Layout | None
) -> dict[str, Any]:
    rows = []
    for head, *others in grid.rows:
        places: list[int | None] = []
        for (_, node), cell in zip(grid.heads, others, strict=True):
            entry = waiting.pop(0)
            assert entry.node == node
            if layout is None or not entry.ends:
                places.append(None)
                continue
            places.append(len(cells))
            cells.append(_cell(entry, cell, layout))
        rows.append({"head": head.words, "cells": places})
    return {
        "caption": grid.caption,
        "corner": grid.corner,
        "heads": [f"{group} {name}".strip() for group, name in grid.heads],
        "rows": rows,
    }


def _cell(entry: Entry, cell: Cell, layout: Layout) -> dict[str, Any]:
    # Whose address that is stands beside the table: cells are to be small.
    signed = [(cell.sign, cell.lines[0]), *((line[0], line[2:]) for line in cell.lines[1:])]
    lines = [
        [sign, SIGNS[sign], words.partition(" (")[0]] for sign, words in signed if sign in SIGNS
    ]
    sub = next((line for line in cell.lines if line.startswith("client: ")), "")
    who = f"a process on {entry.node}" if entry.client == entry.node else entry.client
    name = f"{who} enters by {entry.node}: {entry.service}, policy {entry.policy}"
    ways = [_way(end, entry, layout) for end in entry.ends]
    return {"name": name, "lines": lines, "sub": sub, "ways": ways}


def _way(end: End, entry: Entry, layout: Layout) -> dict[str, Any]:
    exchange = end.exchange
    assert exchange is not None
    ink, title, ways = ways_on(layout, exchange, _drawn(exchange))
    answered = end.outcome == "delivered"
    chance = "always" if end.probability == 1 else str(end.probability)
    who = f"answered by {end.receiver}" if answered else f"{end.outcome}, at {end.receiver}"
    seen = f"{end.seen} ({end.owner})" if end.owner else end.seen
    own = "the client's own address" if end.kept else f"translated: the client is {entry.client}"
    rules = list(deciding(exchange))
    reason = annotate(exchange.reason, exchange.names)
    # Where a rule ended it, that rule tells why.
    fate = who if not answered and rules else f"{end.outcome}: {reason}"
    return {
        "title": f"{chance}: {who}",
        "facts": [
            ["Source seen", f"{seen}, {own}" if answered else "none: no endpoint sees it"],
            ["Fate", fate],
        ],
        "rules": rules,
        "ink": ink,
        "words": f"{title}. {way_words(layout, ways)}",
    }


def _drawn(exchange: Exchange) -> tuple[Any, ...]:
    """The request, and its reply if it got one."""
    found = (exchange.request, exchange.reply)
    return tuple(trace for trace in found if trace is not None)


def deciding(exchange: Exchange) -> Iterator[dict[str, str]]:
    """Where the request's addresses were decided, and where it ended before its goal.

    The box that translated, and on the same kernel the one that might have (``POSTROUTING``); each
    with the rule that decided there, and those that marked the packet before.
    """
    request = exchange.request
    if request is None:
        return
    choosing = {hop.netns for hop in request.hops for step in hop.steps if _moved(step, "dst")}
    for hop in request.hops:
        for step in hop.steps:
            source = step.stage == "nat POSTROUTING" and hop.netns in choosing
            translated = _moved(step, "dst") or _moved(step, "src")
            if translated or source or step.verdict in ("drop", "error"):
                yield _told(exchange, hop, step)


def _moved(step: Step, side: str) -> bool:
    """True if address translation gave the packet another source or destination."""
    if not step.stage.startswith(("nat ", "ipvs ")) or step.before is None:
        return False
    before, now = step.before.innermost.ip, step.packet.innermost.ip
    return bool(getattr(before, side) != getattr(now, side))


def _told(exchange: Exchange, hop: Hop, step: Step) -> dict[str, str]:
    rules = [rule_line(line) for line in step.rules]
    marks = [rule for rule in rules[:-1] if "-j MARK " in rule or "meta mark set" in rule]
    if step.stage == "nat POSTROUTING":
        marks = []  # there the mark is taken off again
    return {
        "where": f"{hop.netns} · {step.stage}",
        "said": annotate(step.reason, exchange.names),
        "by": "\n".join([*marks, *map(_policy, rules[-1:])] or [decider(step)]),
    }


def _policy(rule: str) -> str:
    """A rule as it is; of a chain's policy, that it is one."""
    return f"no rule took it: policy {rule[1:]}" if rule.startswith(":") else rule
