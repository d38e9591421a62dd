"""What lives here: ``draw``, the still pictures: a cluster, or a packet's way through it.

A picture shows itself in a notebook (as HTML with the SVG inside, so that its title and description
reach a screen reader), tells the same in words (``text``, and a table below the picture), and
becomes a file: ``to_html``, ``to_svg``, ``to_png``.

What may not live here: positions, colours, the step player.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape, unescape
from itertools import pairwise
from os import PathLike
from typing import Any, TypeAlias

from k8snetlib.cluster import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.story import rule_words
from k8snetlib.topology import Topology
from k8snetlib.trace import Exchange, Trace
from k8snetlib.views import export, scene
from k8snetlib.views.geometry import Box, Point, keep_right, number, path_data, text_width
from k8snetlib.views.layout import lay_out
from k8snetlib.views.marks import FONT
from k8snetlib.views.palette import theme_css
from k8snetlib.views.plan import Layout
from k8snetlib.views.text import VERDICT_WORDS, decider, packet_title, place_words
from k8snetlib.views.walk import Stop, lines, nodes_met, spots, stops
from k8snetlib.words import annotate

#: Which packet of an exchange: its number, ``"request"``, ``"reply"``, or the packet itself.
Which: TypeAlias = int | str | Trace | None

FIGURE_STYLE = (
    f".k8snet-figure{{font-family:{FONT};color:var(--k-ink);background:var(--k-ground);"
    "border-radius:10px;padding:6px;max-width:1240px;box-sizing:border-box}"
    ".k8snet-scroll{overflow-x:auto}"
    ".k8snet-frame{container-type:inline-size}"
    ".k8snet-frame::after{font-size:13px;color:var(--k-muted)}"
    ".k8snet-scroll svg{display:block;width:100%;height:auto}"
    ".k8snet-narrow{display:none}"
    "@media (max-width:640px){.k8snet-broad{display:none}.k8snet-narrow{display:block}}"
    ".k8snet-figure .caption{margin:6px 8px;font-size:14px;line-height:1.45}"
    ".k8snet-figure details{margin:4px 8px;font-size:14px}"
    ".k8snet-figure summary{cursor:pointer;padding:4px 0}"
    ".k8snet-figure table{border-collapse:collapse;margin:6px 0;font-size:13px;color:var(--k-ink)}"
    ".k8snet-figure th,.k8snet-figure td{text-align:left;vertical-align:top;padding:4px 10px;"
    "border:0;border-bottom:1px solid var(--k-hairline);background:var(--k-ground);"
    "color:var(--k-ink);white-space:normal}"
    ".k8snet-figure td ol{margin:2px 0 2px 20px;padding:0}"
    ".k8snet-figure td code{font-size:12px;background:none;color:var(--k-ink);"
    "overflow-wrap:anywhere}"
)


class Picture:
    """A finished picture: ``svg`` (a whole SVG document) and ``text`` (the same in words).

    ``caption`` is one line of text, ``table`` the rows below the picture, its head first;
    ``summary`` is what opens the table, ``opened`` whether it is open from the start. ``narrow`` is
    the same picture for a narrow screen, if it needs another one there.
    """

    __slots__ = ("_caption", "_narrow", "_opened", "_summary", "_table", "svg", "text")

    def __init__(
        self,
        svg: str,
        text: str,
        caption: str = "",
        table: tuple[tuple[str, ...], ...] = (),
        summary: str = "The same in words: every step",
        narrow: str = "",
        *,
        opened: bool = False,
    ) -> None:
        self.svg = svg
        self.text = text
        self._caption = caption
        self._table = table
        self._summary = summary
        self._narrow = narrow
        self._opened = opened

    def __repr__(self) -> str:
        return self.text

    @property
    def title(self) -> str:
        """What the picture is called, in one line."""
        return unescape(self.svg.partition("<title")[2].partition(">")[2].partition("<")[0])

    @property
    def html(self) -> str:
        """The picture, its caption and its table as one piece of HTML."""
        parts = [f"<style>{theme_css()}{FIGURE_STYLE}</style>", _framed(self.svg, "Picture")]
        if self._narrow:
            parts[1:] = [
                f'<div class="k8snet-broad">{_framed(self.svg, "Picture")}</div>',
                f'<div class="k8snet-narrow">{_framed(self._narrow, "Picture")}</div>',
            ]
        if self._caption:
            parts.append(f'<p class="caption">{escape(self._caption)}</p>')
        if self._table:
            parts.append(_table(self._table, self._summary, opened=self._opened))
        return f'<div class="k8snet k8snet-figure">{"".join(parts)}</div>'

    def to_html(self, path: str | PathLike[str]) -> None:
        """Writes a page with the picture and its words, which opens from disk and fetches nothing.

        Raises ``K8sNetError`` if the file cannot be written, as the other two do.
        """
        export.write(path, export.page(self.title, self.html))

    def to_svg(self, path: str | PathLike[str], theme: str = "") -> None:
        """Writes an SVG file. With a ``theme``, ``light`` or ``dark``, its colours are written out,
        as drawing programs need it; without, it follows its reader's."""
        svg = export.in_theme(self.svg, theme) if theme else self.svg
        export.write(path, svg + "\n")

    def to_png(self, path: str | PathLike[str], theme: str = "light", scale: float = 2.0) -> None:
        """Writes a PNG file; ``scale`` is how many pixels one px of the picture gets, 0.1 to 8.

        Raises ``K8sNetError`` if the library for it is not installed.
        """
        export.write(path, export.png_bytes(self.svg, theme, scale))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # HTML first: there the picture has its table. Converters to PDF take the bare picture.
        return {"text/html": self.html, "image/svg+xml": self.svg, "text/plain": self.text}


def _framed(svg: str, name: str) -> str:
    """A picture in a frame of its own, which scrolls, and says so, where there is less room than
    the picture needs to be read."""
    least = re.search(r"min-width:(\d+)px", svg)
    hint, kind = "", "k8snet-frame"
    if least is not None:
        kind += f" w{least[1]}"
        hint = (
            f"<style>@container (max-width:{int(least[1]) - 1}px){{.k8snet-frame.w{least[1]}::after"
            '{content:"↔ Wider than the page: scroll the picture sideways."}}</style>'
        )
    # In JupyterLab, arrow keys are to scroll the picture, not to go to another cell.
    plain = 'tabindex="0" role="group" data-lm-suppress-shortcuts="true"'
    scroll = f'<div class="k8snet-scroll" {plain} aria-label="{name}">{svg}</div>'
    return f'{hint}<div class="{kind}">{scroll}</div>'


def _table(rows: tuple[tuple[str, ...], ...], summary: str, *, opened: bool = False) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:]
    )
    return (
        f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"
    )


def _cell(text: str) -> str:
    """The first line as it is, the rules below it as a list; without a first line, the second as
    a terminal would show it."""
    reason, *rules = text.splitlines() or [""]
    if rules and not reason:
        return f"<code>{escape(rules[0])}</code>"
    listed = "".join(f"<li><code>{escape(rule)}</code></li>" for rule in rules)
    return escape(reason) + (f"<ol>{listed}</ol>" if listed else "")


def draw(what: Cluster | Topology | Exchange, packet: Which | list[Which] = None) -> Picture:
    """A picture of a cluster, or of a packet's way through it.

    Parameters: ``what`` is a cluster (or its topology), or an exchange; ``packet`` says whose way
    to draw: ``"request"`` (also None), ``"reply"``, ``"both"`` (as far as there is a reply), the
    number of a packet in ``exchange.packets``, the packet itself, or a list of these. Raises
    ``UnknownName`` if the exchange has no such packet.
    """
    if isinstance(what, Exchange):
        if packet is None and not what.packets:
            return _draw_nothing(what)
        several: Sequence[Which] = packet if isinstance(packet, list) else (packet,)
        if packet == "both":
            several = (None, "reply") if what.reply else (None,)
        return _draw_ways(what, tuple(choose(what, one) for one in several))
    topology = what if isinstance(what, Topology) else what.topology
    layout = lay_out(topology)
    nodes, pods = len(topology.role("node")), len(topology.role("pod"))
    title = f"A cluster: {_count(nodes, 'node')}, {_count(pods, 'pod')}"
    words = scene.in_words(layout)
    return Picture(scene.svg(layout, title, words), f"{title}. {words}")


def _count(number_of: int, what: str) -> str:
    return f"{number_of} {what}{'' if number_of == 1 else 's'}"


def choose(exchange: Exchange, packet: Which) -> Trace:
    """The packet of ``exchange`` that is meant; raises ``UnknownName`` if there is none."""
    if isinstance(packet, Trace):
        return packet
    if packet is None:
        if not exchange.packets:
            raise UnknownName("No packet was sent.", f"The exchange says: {exchange.reason}.")
        return exchange.request or exchange.packets[0]
    last = len(exchange.packets) - 1
    if isinstance(packet, int):
        if not 0 <= packet <= last:
            raise UnknownName(f"There is no packet {packet}.", f"Packets: 0 to {last}.")
        return exchange.packets[packet]
    found = {"request": exchange.request, "reply": exchange.reply}.get(packet)
    if found is None:
        what = f"This exchange has no {packet}." if packet in ("request", "reply") else ""
        raise UnknownName(
            what or f"'{packet}' is not a packet of an exchange.",
            "Use 'request', 'reply', 'both' or a number.",
        )
    return found


def _draw_nothing(exchange: Exchange) -> Picture:
    """An exchange in which nothing could be sent: the cluster, and why."""
    layout = lay_out(exchange.topology)
    caption = f"No packet was sent. {_outcome(exchange)}"
    return Picture(scene.svg(layout, caption, scene.in_words(layout)), caption, caption)


def _outcome(exchange: Exchange) -> str:
    said = f"{exchange.outcome}: {annotate(exchange.reason, exchange.names)}"
    return f"Outcome of the exchange: {said.rstrip('.')}."


_Way = tuple[Trace, tuple[Stop, ...], str]


def _draw_ways(exchange: Exchange, traces: tuple[Trace, ...]) -> Picture:
    layout = lay_out(exchange.topology, nodes_met(traces, exchange.topology))
    ink, title, ways = ways_on(layout, exchange, traces)
    caption = f"{title}. {_outcome(exchange)}"
    table = _rows(layout, ways, exchange)
    words = "\n".join(f"{row[0]:>3} {row[1]}: {_short_cell(row[3])}" for row in table[1:])
    picture = scene.svg(layout, title, f"The way: {way_words(layout, ways)}.", ink)
    return Picture(picture, f"{caption}\n{words}", caption, table)


def ways_on(
    layout: Layout, exchange: Exchange, traces: tuple[Trace, ...]
) -> tuple[str, str, list[_Way]]:
    """The ways of packets through a layout: what is drawn into the scene, its title, the stops."""
    extra, ways, said = [], [], []
    for n, trace in enumerate(traces, 1):
        found = spots(trace, layout)
        kind = "reply" if n > 1 else ""
        shift = 3.5 if len(traces) > 1 else 0.0
        extra += [_way(keep_right(line, shift), kind) for line in lines(found)]
        ways.append((trace, stops(found, layout), kind))
        who = "reply" if trace.n == exchange.reply_at else "request"
        named = f"{n} {who}: " if len(traces) > 1 else ""
        said.append(f"{named}{packet_title(trace, exchange.names)}")
    for n, (_, at, kind) in enumerate(ways, 1):
        extra += _numbers(at, kind) if len(ways) == 1 else [_flag(n, at, kind)]
        extra += _stopped(at, layout, extra)
    return "\n".join(extra), "; ".join(said), ways


def way_words(layout: Layout, ways: list[_Way]) -> str:
    """The stops of ways, one after the other."""
    return " then ".join(_stop_words(layout, stop) for _, at, _ in ways for stop in at)


def _stop_words(layout: Layout, stop: Stop) -> str:
    if not stop.place:
        return stop.netns
    return f"{stop.netns} {place_words(layout.topology.host(stop.netns), stop.place)}"


def _rows(
    layout: Layout, ways: list[_Way], exchange: Exchange
) -> tuple[tuple[str, ...], ...]:  # fmt: skip
    rows: list[tuple[str, ...]] = [("No.", "Where", "Box", "What happens, and why", "Verdict")]
    for _, at, _ in ways:
        for stop in at:
            for spot in stop.spots:
                step = spot.step
                host = layout.topology.host(spot.hop.netns)
                reason = annotate(step.reason, exchange.names)
                by = decider(step)
                reason = "\n".join([reason, *map(rule_words, step.rules)])
                if by.startswith(("route:", "neighbour:", "lease:", "forwarding")):
                    reason = reason if str(step.by) in step.reason else f"{reason} [{by}]"
                where = f"{spot.hop.netns} · {place_words(host, spot.place)}"
                sign, word = VERDICT_WORDS.get(step.verdict, ("", step.verdict))
                rows.append((str(stop.number), where, step.stage, reason, f"{sign} {word}"))
    return tuple(rows)


def _short_cell(cell: str) -> str:
    """Of the rules in a cell, only the last: it decided."""
    reason, *rules = cell.splitlines()
    return f"{reason} [{rules[-1]}]" if rules else reason


def _way(points: tuple[Point, ...], kind: str) -> str:
    arrows = "".join(
        _arrow(a, b, kind) for a, b in pairwise(points) if abs(a.x - b.x) + abs(a.y - b.y) >= 34
    )
    return f'<path class="way {kind}" d="{path_data(points)}"/>{arrows}'


def _arrow(a: Point, b: Point, kind: str) -> str:
    """An arrow head in the middle of a stretch."""
    x, y = (a.x + b.x) / 2, (a.y + b.y) / 2
    length = abs(a.x - b.x) + abs(a.y - b.y)
    dx, dy = (b.x - a.x) / length, (b.y - a.y) / length
    tip, back, half = 8.0, 6.0, 8.0
    corners = (
        (x + dx * tip, y + dy * tip),
        (x - dx * back - dy * half, y - dy * back + dx * half),
        (x - dx * back + dy * half, y - dy * back - dx * half),
    )
    points = " ".join(f"{number(p)},{number(q)}" for p, q in corners)
    return f'<polygon class="arrow {kind}" points="{points}"/>'


def _badge(at: Point, words: str, kind: str) -> str:
    middle = f'cx="{number(at.x)}" cy="{number(at.y)}"'
    text = f'<text x="{number(at.x)}" y="{number(at.y + 4.3)}">{escape(words)}</text>'
    return f'<g class="stop {kind}"><circle {middle} r="10"/>{text}</g>'


def _numbers(at: tuple[Stop, ...], kind: str) -> list[str]:
    """A number at every stop, where the packet stands there."""
    found = []
    for n, stop in enumerate(at):
        first, last = stop.spots[0], stop.spots[-1]
        point = first.points[0] if n == 0 else last.points[-1]
        if 0 < n < len(at) - 1:
            own = [s for s in stop.spots if not stop.place or s.place == stop.place]
            point = (own or list(stop.spots))[0].points[-1]
        found.append(_badge(point, str(stop.number), kind))
    return found


def _stopped(at: tuple[Stop, ...], layout: Layout, drawn: list[str]) -> list[str]:
    """A cross where the packet could not go on, clear of words and of the numbers ``drawn``."""
    spots_here = [spot for stop in at for spot in stop.spots]
    if any(spot.step.verdict == "deliver" for spot in spots_here):
        return []
    ends = [spot for spot in spots_here if spot.step.verdict in ("drop", "error")]
    if not ends:
        return []
    word = VERDICT_WORDS[ends[-1].step.verdict][1]
    wide = max(108.0, 34 + text_width(word, 12, bold=True))
    circles = [
        Box(float(x) - 10, float(y) - 10, 20, 20)
        for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', "".join(drawn))
    ]
    place = _free(ends[-1].points[-1], wide, layout, [*scene.words_of(layout), *circles])
    x, y = place.x, place.y + 11
    cross = path_data((Point(x + 4, y - 7), Point(x + 18, y + 7)))
    cross += path_data((Point(x + 18, y - 7), Point(x + 4, y + 7)))
    size = f'width="{number(wide)}" height="22" rx="11"'
    box = f'<rect x="{number(x)}" y="{number(y - 11)}" {size}/>'
    text = f'<text x="{number(x + 24)}" y="{number(y + 4.3)}">{word}</text>'
    return [f'<g class="end">{box}<path d="{cross}"/>{text}</g>']


def _free(stop: Point, wide: float, layout: Layout, taken: list[Box]) -> Box:
    """Where words of a width stand beside a stop: where they cover least, the nearest first."""
    places = [
        Box(stop.x + side, stop.y - 11 + down, wide, 22)
        for down in (0, 12, -12, 18, -18, 25, -25, 36, -36)
        for side in (10, -wide - 18)
    ]
    inside = [box for box in places if box.x >= 4 and box.right <= layout.width - 12]

    def covered(box: Box) -> float:
        """How many px² of words would be hidden."""
        return sum(
            max(0.0, min(box.right, one.right) - max(box.x, one.x))
            * max(0.0, min(box.bottom, one.bottom) - max(box.y, one.y))
            for one in taken
        )

    return min(inside or places, key=covered)


def _flag(n: int, at: tuple[Stop, ...], kind: str) -> str:
    """The number of a whole way, at its start."""
    start = at[0].spots[0].points[0]
    return _badge(Point(start.x + (14 if n == 1 else -14), start.y + 12), str(n), kind)
