"""What lives here: ``race``, what a new connection costs in each mode, as Services grow.

matplotlib draws the curves; they come out in the colours of all our pictures, so that they follow
the page's theme, and with our own title, words and table. Each mode has a mark and a dash of its
own, and its name stands at the end of its curve.

What may not live here: counting (``Trace.evaluated``, ``Fate``): the numbers are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.errors import K8sNetError
from k8snetlib.views.marks import BASE_STYLE, FONT, document
from k8snetlib.views.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: The picture's width and height in px, and its narrow form's.
WIDE, NARROW = (820.0, 430.0), (340.0, 400.0)
#: What stands for a colour until the picture is ours: #RRGGBB -> the palette's name.
_INKS: Mapping[str, str] = {
    "#010101": "ink", "#020202": "muted", "#030303": "line", "#040404": "hairline",
    "#050505": "ground", "#060606": "packet", "#070707": "node", "#080808": "pod",
    "#090909": "service",
}  # fmt: skip
_INK = {name: code for code, name in _INKS.items()}
#: Colour, dash and mark of the lanes, in their order.
_LANES = (
    ("packet", "-", "o"), ("node", "--", "s"), ("pod", "-.", "D"), ("service", ":", "^"),
)  # fmt: skip


class Run(NamedTuple):
    """One measurement: with so many Services, a new connection tests so many rules in a mode."""

    mode: str
    services: int
    evaluated: int


def race(results: Iterable[Sequence[object]]) -> Picture:
    """Rules tested for a new connection against the number of Services, a curve for each mode.

    Parameters: ``results`` are (mode, services, evaluated) triples, or the ``Cost`` values of
    ``k8snetlib.cost`` for one place, in any order.
    Raises ``K8sNetError`` if there is none, or if one is not two numbers of at least 1 and 0.
    """
    return drawn_race(lanes_of(results))


def lanes_of(results: Iterable[Sequence[object]]) -> dict[str, list[Run]]:
    """The measurements of each mode, by the number of Services. Raises as ``race`` does."""
    runs = [_run(result) for result in results]
    if not runs:
        raise K8sNetError("There is nothing to race.", "Give (mode, services, evaluated) triples.")
    lanes = {mode: sorted((r for r in runs if r.mode == mode), key=lambda r: r.services)
             for mode in dict.fromkeys(run.mode for run in runs)}  # fmt: skip
    if len(lanes) > len(_LANES):
        raise K8sNetError(f"There are {len(lanes)} modes.", f"At most {len(_LANES)} can be drawn.")
    return lanes


def drawn_race(
    lanes: Mapping[str, Sequence[Run]], more: tuple[tuple[str, ...], ...] = ()
) -> Picture:  # fmt: skip
    """The picture of ``lanes``; ``more`` are further rows of its table, a cell for each mode."""
    title = "Rules tested for one new connection, as the number of Services grows"
    said = [_told(mode, lane) for mode, lane in lanes.items()]
    svg, narrow = (
        document(*size, (title, " ".join(said)), _drawn(lanes, size), _STYLE, (0.84, 1.25))
        for size in (WIDE, NARROW)
    )
    caption = f"{title}. {' '.join(_growth(mode, lane) for mode, lane in lanes.items())}"
    words = [
        f"{name}: {'; '.join(f'{mode}: {said}' for mode, said in zip(lanes, cells, strict=True))}"
        for name, *cells in more
    ]
    text = "\n".join([f"{title}.", *said, *words])
    summary = "The numbers, and every rule" if more else "The numbers"
    rows = (*_table(lanes), *more)
    return Picture(svg, text, caption, rows, summary, narrow, opened=not more)


def _run(result: Sequence[object]) -> Run:
    match tuple(result):
        case (str(mode), int(services), *_, int(evaluated)) if services >= 1 and evaluated >= 0:
            return Run(mode, services, evaluated)
    raise K8sNetError(
        f"{tuple(result)!r} is no result.",
        "Write (mode, services, evaluated): a name, and whole numbers from 1 and from 0.",
    )


# -- words ----------------------------------------------------------------------------------------


def _told(mode: str, lane: Sequence[Run]) -> str:
    points = "; ".join(f"{count_words(r.services)}: {rules_words(r.evaluated)}" for r in lane)
    return f"{mode}: {points}."


def count_words(services: int) -> str:
    """``1 Service``, ``10,000 Services``."""
    return f"{services:,} Service{'' if services == 1 else 's'}"


def rules_words(number: int) -> str:
    """``1 rule``, ``1,000 rules``."""
    return f"{number:,} rule{'' if number == 1 else 's'}"


def _growth(mode: str, lane: Sequence[Run]) -> str:
    first, last = lane[0], lane[-1]
    if first.services == last.services:
        return f"{mode}: {rules_words(last.evaluated)} with {count_words(last.services)}."
    if first.evaluated == last.evaluated:
        return f"{mode}: always {rules_words(last.evaluated)}."
    return (
        f"{mode}: from {rules_words(first.evaluated)} with {count_words(first.services)} to "
        f"{rules_words(last.evaluated)} with {count_words(last.services)}."
    )


def _table(lanes: Mapping[str, Sequence[Run]]) -> tuple[tuple[str, ...], ...]:
    sizes = sorted({run.services for lane in lanes.values() for run in lane})
    found = {(run.mode, run.services): run.evaluated for lane in lanes.values() for run in lane}
    return (
        ("Services", *lanes),
        *(
            (f"{n:,}", *(f"{found[mode, n]:,}" if (mode, n) in found else "–" for mode in lanes))
            for n in sizes
        ),
    )


# -- ink ------------------------------------------------------------------------------------------

_STYLE = BASE_STYLE


def _drawn(lanes: Mapping[str, Sequence[Run]], size: tuple[float, float]) -> str:
    """The inside of matplotlib's SVG, in our colours and letters."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    salt = f"k8snet{size[0]:.0f}"
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": salt, "font.size": 13.0}):
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72)
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        small = size[0] < 500
        left, right = (52.0, 84.0) if small else (78.0, 148.0)
        place = (left / size[0], 58 / size[1], 1 - (left + right) / size[0], 1 - 96 / size[1])
        _plot(figure.add_axes(place), lanes, small=small)
        paper = StringIO()
        figure.savefig(paper, format="svg", metadata={"Date": None, "Creator": None})
    return _ours(paper.getvalue())


def _plot(axes: Axes, lanes: Mapping[str, Sequence[Run]], *, small: bool) -> None:
    axes.set_facecolor("none")
    services = [run.services for lane in lanes.values() for run in lane]
    evaluated = [run.evaluated for lane in lanes.values() for run in lane]
    axes.set_xscale("log")
    if min(evaluated) > 0:
        axes.set_yscale("log")
    else:
        axes.set_yscale("symlog", linthresh=1.0)
    axes.set_xlim(min(services) / 1.25, max(max(services), 2 * min(services)) * 1.15)
    axes.set_ylim(0 if min(evaluated) == 0 else min(1.0, *evaluated), max(10, *evaluated) * 2)
    _ticks(axes.xaxis, sorted(set(services)))
    _ticks(axes.yaxis, [1, 10])
    axes.minorticks_off()
    axes.grid(visible=True, color=_INK["hairline"], linewidth=1)
    axes.tick_params(colors=_INK["line"], labelcolor=_INK["ink"], labelsize=13, length=4)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK["line"])
    axes.set_xlabel("Services (each step: ten times as many)", color=_INK["muted"], size=13)
    axes.set_title("rules tested for a new connection", loc="left", color=_INK["ink"], size=13.5,
                   x=-0.15 if small else -0.06, pad=12, weight="bold")  # fmt: skip
    ends = _apart({mode: lane[-1].evaluated for mode, lane in lanes.items()}, axes,
                  36.0 if small else 19.0)  # fmt: skip
    for (mode, lane), (ink, dash, mark) in zip(lanes.items(), _LANES, strict=False):
        axes.plot([r.services for r in lane], [r.evaluated for r in lane], dash, marker=mark,
                  color=_INK[ink], markersize=7, linewidth=2.6, clip_on=False)  # fmt: skip
        number = f"{lane[-1].evaluated:,}"
        said = ((mode, 8.0), (number, -8.0)) if small else ((f"{mode}: {number}", 0.0),)
        for words, up in said:
            axes.annotate(
                words,
                (lane[-1].services, lane[-1].evaluated),
                xytext=(12, ends[mode] + up),
                textcoords="offset points",
                va="center",
                size=13,
                weight="bold",
                color=_INK["ink"],
                annotation_clip=False,
            )


def _ticks(axis: Axis, else_at: Sequence[int]) -> None:
    """Ticks at 1, 10, 100 …, written out, for not everybody reads 10³; where not even two of them
    are in sight, at ``else_at``."""
    low, high = axis.get_view_interval()
    powers = [10**n for n in range(12) if low <= 10**n <= high]
    axis.set_ticks([*([0] if low <= 0 else []), *(powers if len(powers) > 1 else else_at)])
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _apart(ends: Mapping[str, int], axes: Axes, room: float) -> dict[str, float]:
    """How far, in px, each name is moved up from its curve's end, so that no two overlap."""
    heights = {mode: float(axes.transData.transform((1.0, y))[1]) for mode, y in ends.items()}
    moved: dict[str, float] = {}
    free = float("-inf")
    for mode, y in sorted(heights.items(), key=lambda item: item[1]):
        free = max(y, free)
        moved[mode] = free - y
        free += room
    return moved


def _ours(svg: str) -> str:
    """What matplotlib drew, without its own frame, names and style, in the palette's colours."""
    inner = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    inner = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", inner, flags=re.S)
    inner = re.sub(r'<g id="[^"]*"', "<g", inner).replace("xlink:href", "href")
    inner = re.sub(r"<!--.*?-->", "", inner, flags=re.S)
    # One release of matplotlib writes font-family, another one all in one: font.
    inner = re.sub(r"font-family: [^;\"]*; ?", "", inner)
    inner = re.sub(r"(font: [^;\"]*?px) [^;\"]*", rf"\1 {FONT}", inner)
    for code, name in _INKS.items():
        inner = inner.replace(code, f"var(--k-{name})")
    return re.sub(r"\n\s*", "\n", inner).strip()
