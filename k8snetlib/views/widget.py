"""What lives here: the step player as an anywidget. Only ``player.Player`` imports this module.

The browser side is one plain file, ``player.js``, with one style sheet, ``player.css``: no build
step, nothing fetched from elsewhere.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from k8snetlib.views.live import style


class PlayerWidget(anywidget.AnyWidget):
    """The live player. ``data`` is what ``player.player_data`` returns; it never changes."""

    _esm = files("k8snetlib.views").joinpath("player.js").read_text(encoding="utf-8")
    _css = style("player")
    data: Any = traitlets.Dict().tag(sync=True)
