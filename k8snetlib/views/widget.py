"""What lives here: the step player as an anywidget. Only ``player.Player`` imports this module.

The browser side is ``live.js`` and ``player.js``, with one style sheet, ``player.css``: no build
step, nothing fetched from elsewhere.
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from k8snetlib.views.live import script, style


class PlayerWidget(anywidget.AnyWidget):
    """The live player. ``data`` is what ``player.player_data`` returns; it never changes."""

    _esm = script("player")
    _css = style("player")
    data: Any = traitlets.Dict().tag(sync=True)
