"""What lives here: the table control: finished tables of which a cell can be chosen.

In a notebook it is a widget (``table.js``): choose a cell by mouse or arrow keys, and what it
stands for is shown beside the table. Where there are no widgets it is the tables alone, which say
the same in words. The browser side decides nothing; the data is one JSON document::

    {"title": "…", "notes": ["…"],
     "scene": "<svg …>", "picture": "The walk",   a picture, standing still
     "grids": [{"caption": "…", "corner": "from", "heads": ["enters by node1"],
                "rows": [{"head": "…", "cells": [0, null]}]}],      a cell is a place in "cells"
     "cells": [{"name": "ext enters by node1", "lines": [["⇄", "changed", "10.1.15.0 (node1)"]],
                "sub": "client: web1", "ways": [{
                    "title": "1/3: answered by backend",
                    "facts": [["source", "…"]],
                    "rules": [{"where": "node1 · nat PREROUTING", "said": "…", "by": "-A …"}],
                    "ink": "<path …>", "words": "Picture of …"}]}]}

``ink`` is drawn into the scene while its way is shown.

What may not live here: what a table shows.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.resources import files
from os import PathLike
from typing import Any

from k8snetlib.views import export
from k8snetlib.views.grid import Grid, Tables
from k8snetlib.views.live import bundle, style


class LiveTables(Tables):
    """Tables of which a cell can be chosen; ``data`` is what the browser gets, worked out when
    first asked for."""

    __slots__ = ("_data", "_make", "_widget")

    def __init__(
        self,
        title: str,
        grids: tuple[Grid, ...],
        notes: tuple[str, ...],
        make: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(title, grids, notes)
        self._make = make
        self._data: dict[str, Any] | None = None
        self._widget: Any = None

    @property
    def data(self) -> dict[str, Any]:
        """What the live form shows (see the module's docstring)."""
        if self._data is None:
            self._data = self._make()
        return self._data

    @property
    def widget(self) -> Any:
        """The live form, made when first asked for; None if anywidget is not installed, or if no
        cell can be chosen."""
        if self._widget is None and self.data["cells"]:
            try:
                from k8snetlib.views.table_widget import TableWidget
            except ImportError:
                return None
            self._widget = TableWidget(data=self.data)
        return self._widget

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return bundle(super()._repr_mimebundle_(), self.widget, options)

    def to_html(self, path: str | PathLike[str]) -> None:
        """Writes a page in which cells can be chosen, with the tables in words below.

        The page opens from disk and fetches nothing. Raises ``K8sNetError`` if the file cannot be
        written.
        """
        script = files("k8snetlib.views").joinpath("table.js").read_text(encoding="utf-8")
        body = (
            f'<div class="unscripted">{self.html}</div>'
            '<details class="told"><summary>The same in words: every cell</summary>'
            f"<pre>{escape(self.text)}</pre></details>"
        )
        css = f"{style('table')}.lively .unscripted{{display:none}}"
        export.write(path, export.page(self.title, body, css, script, self.data))
