"""What lives here: the table control as an anywidget. Only ``table.LiveTables`` imports this."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from k8snetlib.views.live import style


class TableWidget(anywidget.AnyWidget):
    """The live table. ``data`` is what ``LiveTables.data`` says; it never changes."""

    _esm = files("k8snetlib.views").joinpath("table.js").read_text(encoding="utf-8")
    _css = style("table")
    data: Any = traitlets.Dict().tag(sync=True)
