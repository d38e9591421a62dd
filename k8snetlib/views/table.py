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
from os import PathLike
from typing import Any

from k8snetlib.views import export
from k8snetlib.views.grid import Grid, Tables
from k8snetlib.views.live import Live, script, style


class LiveTables(Live, Tables):
    """Tables of which a cell can be chosen; ``data`` is what the browser gets, worked out when
    first asked for."""

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

    @property
    def data(self) -> dict[str, Any]:
        """What the live form shows (see the module's docstring)."""
        if self._data is None:
            self._data = self._make()
        return self._data

    def _make_widget(self) -> Any:
        if not self.data["cells"]:
            return None
        from k8snetlib.views.table_widget import TableWidget

        return TableWidget(data=self.data)

    def _still(self) -> dict[str, Any]:
        return Tables._repr_mimebundle_(self)

    def to_html(self, path: str | PathLike[str]) -> None:
        """Writes a page in which cells can be chosen, with the tables in words below.

        The page opens from disk and fetches nothing. Raises ``K8sNetError`` if the file cannot be
        written.
        """
        body = (
            f'<div class="unscripted">{self.html}</div>'
            '<details class="told"><summary>The same in words: every cell</summary>'
            f"<pre>{escape(self.text)}</pre></details>"
        )
        css = f"{style('table')}.lively .unscripted{{display:none}}"
        export.write(path, export.page(self.title, body, css, script("table"), self.data))
