"""What lives here: the table control as an anywidget. Only ``table.LiveTables`` imports this."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from k8snetlib.views.live import script, style


class TableWidget(anywidget.AnyWidget):
    """The live table. ``data`` is what ``LiveTables.data`` says; it never changes."""

    _esm = script("table")
    _css = style("table")
    data: Any = traitlets.Dict().tag(sync=True)
