"""What lives here: tables that are the picture: real HTML tables, and the same in words.

A cell has lines (the first one counts, the others explain) and may have a sign, which says in a
mark what its colour only repeats. Row and column heads are heads for a screen reader; a table wider
than the page scrolls, by keyboard as well. No script.

What may not live here: what a table shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

from k8snetlib.views.palette import theme_css
from k8snetlib.views.picture import FIGURE_STYLE

#: Sign -> class of the cell that carries it.
SIGNS = {"✓": "good", "⇄": "changed", "✕": "bad"}

_STYLE = (
    ".k8snet-figure table.grid{font-variant-numeric:tabular-nums;font-size:13.5px}"
    ".k8snet-figure table.grid th,.k8snet-figure table.grid td{padding:5px 9px;text-align:left;"
    "vertical-align:top;border-bottom:1px solid var(--k-hairline)}"
    ".k8snet-figure table.grid caption{caption-side:top;text-align:left;font-weight:650;"
    "font-size:14.5px;padding:4px 8px;color:var(--k-ink)}"
    ".k8snet-figure table.grid small{display:block;font-size:12px;font-weight:400;"
    "color:var(--k-muted)}"
    ".k8snet-figure table.grid .first{border-left:2px solid var(--k-line)}"
    ".k8snet-figure table.grid tr.first>*{border-top:2px solid var(--k-line)}"
    ".k8snet-figure table.grid tbody th,.k8snet-figure table.grid .corner{position:sticky;left:0;"
    "z-index:1;background:var(--k-ground)}"
    ".k8snet-figure table.grid .good{color:var(--k-good)}"
    ".k8snet-figure table.grid .changed{color:var(--k-packet-ink)}"
    ".k8snet-figure table.grid .bad{color:var(--k-bad)}"
    ".k8snet-figure table.grid td.changed,.k8snet-figure table.grid td.bad"
    "{background:var(--k-packet-fill)}"
    ".k8snet-figure table.grid td b{font-weight:650}"
    ".k8snet-figure table.grid .key,.k8snet-figure table.grid td i{white-space:nowrap;"
    "font-style:normal}"
)
#: On a narrow screen every row is a block of its own, and every cell says its column.
_NARROW = (
    ".k8snet-figure table.grid thead{position:absolute;left:-9999px}"
    ".k8snet-figure table.grid caption{display:block}"
    ".k8snet-figure table.grid,.k8snet-figure table.grid tbody,.k8snet-figure table.grid tr"
    "{display:block}"
    ".k8snet-figure table.grid tbody th,.k8snet-figure table.grid tbody td{display:block;"
    "border:0;padding:4px 9px;position:static}"
    ".k8snet-figure table.grid .first,.k8snet-figure table.grid tr.first>*{border:0}"
    ".k8snet-figure table.grid tbody tr{border:1px solid var(--k-line);border-radius:8px;"
    "margin:0 0 8px}"
    ".k8snet-figure table.grid tbody th{background:var(--k-card)}"
    ".k8snet-figure table.grid tbody td{position:relative;padding-left:36%}"
    ".k8snet-figure table.grid td i{white-space:normal}"
    ".k8snet-figure table.grid td::before{content:attr(data-head);position:absolute;left:9px;"
    "width:31%;color:var(--k-muted);font-size:12px;font-weight:400}"
)
#: Twice the class: stronger than what JupyterLab says about tables in an output.
GRID_STYLE = f"{_STYLE}@media (max-width:640px){{{_NARROW}}}".replace(
    ".k8snet-figure ", ".k8snet-figure.k8snet-figure "
)


class Cell(NamedTuple):
    """One cell: its lines, of which the first one counts (and those that begin with a sign),
    perhaps a sign of ``SIGNS``, and over how many columns it goes."""

    lines: tuple[str, ...]
    sign: str = ""
    span: int = 1

    @property
    def words(self) -> str:
        """The cell in words: ``⇄ 10.1.30.2:8080 (backend-c)``."""
        first, *others = self.lines or ("",)
        said = f"{self.sign} {first}".strip()
        return said + (f" ({'; '.join(others)})" if others else "")

    @property
    def html(self) -> str:
        """The cell's contents as HTML."""
        first, *others = self.lines or ("",)
        mark = f'<span class="{SIGNS[self.sign]}">{self.sign}</span> ' if self.sign else ""
        words = f"<b>{escape(first)}</b>" if self.sign else escape(first)
        whole = self.sign and " " not in first  # an address stays with its sign
        words = f"<i>{mark}{words}</i>" if whole else mark + words
        return words + "".join(map(_line, others))


def _line(words: str) -> str:
    """A further line of a cell: small, unless it begins with a sign."""
    sign, _, rest = words.partition(" ")
    if sign not in SIGNS:
        return f"<small>{escape(words)}</small>"
    return f'<div class="{SIGNS[sign]}">{sign} <b>{escape(rest)}</b></div>'


class Grid(NamedTuple):
    """One table. ``heads`` are the columns: (group, name); an empty group stands alone.

    Each row is its head and then a cell a column; ``breaks`` are the rows before which a new part
    begins.
    """

    caption: str
    corner: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]
    breaks: frozenset[int] = frozenset()

    @property
    def text(self) -> str:
        """The table in words: a line for each row."""
        lines = [f"{self.caption}."]
        for head, *cells in self.rows:
            said = "; ".join(f"{name}: {cell.words}" for name, _, cell in self._placed(cells))
            lines.append(f"  {head.words}: {said}.")
        return "\n".join(lines)

    @property
    def html(self) -> str:
        """The table as HTML."""
        name = escape(self.caption, quote=True)
        body = "".join(self._row(n, row) for n, row in enumerate(self.rows))
        return (
            f'<div class="k8snet-scroll" tabindex="0" role="group" aria-label="{name}">'
            f'<table class="grid" role="table"><caption>{escape(self.caption)}</caption>'
            f'<thead role="rowgroup">{"".join(self._top())}</thead>'
            f'<tbody role="rowgroup">{body}</tbody></table></div>'
        )

    def _placed(self, cells: Sequence[Cell]) -> Iterator[tuple[str, bool, Cell]]:
        """Each cell with the name of its column, and whether a group begins there."""
        at, firsts = 0, self._firsts()
        for cell in cells:
            group, name = self.heads[at]
            named = group if cell.span > 1 and group else f"{group} {name}".strip()
            yield named, firsts[at], cell
            at += cell.span

    def _firsts(self) -> list[bool]:
        """For each column whether a group begins there."""
        groups = [group for group, _ in self.heads]
        return [n == 0 or g != groups[n - 1] or not g for n, g in enumerate(groups)]

    def _top(self) -> Iterator[str]:
        grouped = any(group for group, _ in self.heads)
        rows = ' rowspan="2"' if grouped else ""
        corner = (
            f'<th{rows} scope="col" role="columnheader" class="corner">{escape(self.corner)}</th>'
        )
        upper, lower = [], []
        firsts = self._firsts()
        for n, (group, name) in enumerate(self.heads):
            first = ' class="first"' if firsts[n] else ""
            if not group:
                alone = f'<th{rows} scope="col" role="columnheader"{first}>'
                upper.append(f"{alone}{escape(name)}</th>")
                continue
            if firsts[n]:
                size = sum(1 for other, _ in self.heads if other == group)
                wide = f'{first} colspan="{size}"'
                upper.append(f'<th scope="colgroup" role="columnheader"{wide}>{escape(group)}</th>')
            lower.append(f'<th scope="col" role="columnheader"{first}>{escape(name)}</th>')
        yield f'<tr role="row">{corner}{"".join(upper)}</tr>'
        if grouped:
            yield f'<tr role="row">{"".join(lower)}</tr>'

    def _row(self, n: int, row: tuple[Cell, ...]) -> str:
        head, *cells = row
        found = [f'<th scope="row" role="rowheader" class="key">{head.html}</th>']
        for name, first, cell in self._placed(cells):
            kinds = ["first"] * first + ([SIGNS[cell.sign]] if cell.sign else [])
            named = f' class="{" ".join(kinds)}"' if kinds else ""
            wide = f' colspan="{cell.span}"' if cell.span > 1 else ""
            said = f' data-head="{escape(name, quote=True)}"'
            found.append(f'<td role="cell"{named}{wide}{said}>{cell.html}</td>')
        part = ' class="first"' if n in self.breaks else ""
        return f'<tr role="row"{part}>{"".join(found)}</tr>'


class Tables:
    """One or more finished tables: ``grids`` (the values), ``text`` (in words), ``html``.

    ``title`` and ``notes`` are sentences that stand above and below.
    """

    __slots__ = ("grids", "notes", "title")

    def __init__(self, title: str, grids: tuple[Grid, ...], notes: tuple[str, ...] = ()) -> None:
        self.title = title
        self.grids = grids
        self.notes = notes

    @property
    def text(self) -> str:
        """The same in plain text."""
        return "\n".join([self.title, *(grid.text for grid in self.grids), *self.notes])

    def __repr__(self) -> str:
        return self.text

    @property
    def html(self) -> str:
        """The tables as HTML, with their own style sheet."""
        notes = "".join(f'<p class="caption">{escape(note)}</p>' for note in self.notes)
        return (
            '<div class="k8snet k8snet-figure">'
            f"<style>{theme_css()}{FIGURE_STYLE}{GRID_STYLE}</style>"
            f'<p class="caption">{escape(self.title)}</p>'
            f"{''.join(grid.html for grid in self.grids)}{notes}</div>"
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}
