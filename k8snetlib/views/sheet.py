"""What lives here: a sheet of paper on which boxes, words and lines are put one by one.

For the pictures that are not maps of a cluster (``xray``, ``chart``). Every word is put into a box
and remembers it, so a test can ask whether it stays inside. Words too long for their box are cut,
with three dots; the whole is in the picture's words.

What may not live here: what the boxes mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from itertools import pairwise
from typing import NamedTuple

from k8snetlib.views.geometry import Box, Point, number, path_data, text_width
from k8snetlib.views.marks import BASE_STYLE, document, rect, text

#: Kind of word -> (size in px at the picture's natural width, bold).
KINDS: dict[str, tuple[float, bool]] = {
    "title": (15.0, True),
    "strong": (13.5, True),
    "plain": (13.5, False),
    "small": (12.5, False),
    "badge": (12.0, True),
}

STYLE = (
    BASE_STYLE
    + "".join(
        f".k8snet-svg .{kind}{{font-size:{size:g}px;font-weight:{650 if bold else 400}}}"
        for kind, (size, bold) in KINDS.items()
    )
    + ".k8snet-svg .small{fill:var(--k-muted)}"
    ".k8snet-svg .faint{fill:var(--k-muted)}"
    ".k8snet-svg .wrong{fill:var(--k-bad)}"
    ".k8snet-svg .card{fill:var(--k-card);stroke:var(--k-line);stroke-width:1.3}"
    ".k8snet-svg .badge{fill:var(--k-on-packet);text-anchor:middle}"
    ".k8snet-svg .pill{fill:var(--k-packet-deep)}"
    ".k8snet-svg .edge{fill:none;stroke:var(--k-line);stroke-width:2}"
    ".k8snet-svg .tip{fill:var(--k-line)}"
)


class Label(NamedTuple):
    """Words in a box: ``x`` is where they begin (``end`` "end": where they end; "middle")."""

    box: Box
    x: float
    y: float
    words: str
    kind: str
    end: str

    @property
    def extent(self) -> Box:
        """About the room that the words take; errs on the large side."""
        size, width = KINDS[self.kind][0], width_of(self.words, self.kind)
        left = self.x - {"": 0.0, "middle": width / 2, "end": width}[self.end]
        return Box(left, self.y - 0.8 * size, width, 1.05 * size)


def width_of(words: str, kind: str) -> float:
    """About how wide words of a kind are, in px; a 1 is as wide as any digit (tabular-nums)."""
    return text_width(words.replace("1", "0"), *KINDS[kind])


def fitted(words: str, kind: str, room: float) -> str:
    """The words, cut to what fits into ``room`` px."""
    if width_of(words, kind) <= room:
        return words
    while words and width_of(words + "…", kind) > room:
        words = words[:-1]
    return words.rstrip() + "…"


class Sheet:
    """Collects what is drawn, in drawing order, and where words stand."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.labels: list[Label] = []

    @contextmanager
    def group(self, anchor: str = "", tip: str = "") -> Iterator[None]:
        """What is drawn inside is one thing, which the step player finds by its anchor."""
        name = f' data-anchor="{escape(anchor)}"' if anchor else ""
        self.parts.append(f"<g{name}>" + (f"<title>{escape(tip)}</title>" if tip else ""))
        yield
        self.parts.append("</g>")

    def box(self, box: Box, kind: str, radius: float = 8) -> None:
        """A rectangle with round corners."""
        self.parts.append(rect(box, kind, radius))

    def words(
        self, box: Box, at: Point, words: str, kind: str, end: str = "", tone: str = ""
    ) -> None:
        """Words in a box, cut at its edges; ``tone`` is one more class (``faint``, ``wrong``)."""
        room = {
            "": box.right - at.x - 3, "end": at.x - box.x - 3, "middle": box.w - 4
        }[end]  # fmt: skip
        label = Label(box, at.x, at.y, fitted(words, kind, room), kind, end)
        self.labels.append(label)
        self.parts.append(text(at.x, at.y, label.words, f"{kind} {tone}".strip(), end))

    def badge(self, at: Point, words: str) -> float:
        """A number in a pill, whose left end has its middle at ``at``; returns its width in px."""
        width = max(20.0, width_of(words, "badge") + 8)
        box = Box(at.x, at.y - 9, width, 18)
        self.box(box, "pill", 9)
        self.words(box, Point(at.x + width / 2, at.y + 4.2), words, "badge", "middle")
        return width

    def line(self, points: tuple[Point, ...], kind: str) -> None:
        """A line through the points."""
        self.parts.append(f'<path class="{kind}" d="{path_data(points)}"/>')

    def arrow(self, points: tuple[Point, ...], kind: str, size: float = 7.0) -> None:
        """A line with a head at its last point."""
        *_, (a, b) = pairwise(points)
        dx, dy = _sign(b.x - a.x), _sign(b.y - a.y)
        self.line((*points[:-1], Point(b.x - dx * size, b.y - dy * size)), f"edge {kind}".strip())
        corners = (
            (b.x, b.y),
            (b.x - dx * size * 1.5 - dy * size, b.y - dy * size * 1.5 + dx * size),
            (b.x - dx * size * 1.5 + dy * size, b.y - dy * size * 1.5 - dx * size),
        )
        at = " ".join(f"{number(x)},{number(y)}" for x, y in corners)
        self.parts.append(f'<polygon class="{f"tip {kind}".strip()}" points="{at}"/>')

    def dot(self, at: Point, kind: str, radius: float = 4.0) -> None:
        """A filled circle."""
        middle = f'cx="{number(at.x)}" cy="{number(at.y)}"'
        self.parts.append(f'<circle class="{kind}" {middle} r="{number(radius)}"/>')

    def svg(
        self, size: tuple[float, float], title: str, desc: str, style: str, most: float = 1.04
    ) -> str:  # fmt: skip
        """The finished picture; ``size`` is its width and height in px, ``most`` how many times
        that it may grow on a wide page."""
        inner = "\n".join(self.parts)
        return document(*size, (title, desc), inner, STYLE + style, (0.84, most))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
