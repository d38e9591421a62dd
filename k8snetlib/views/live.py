"""What lives here: what every control with a live and a still form shares.

In a notebook with widgets the live form is shown, with the still one beside it for places without
(GitHub, nbval); where anywidget is not installed, the still form alone.

What may not live here: what a control shows (``player``, ``prompt``, ``build``).
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from k8snetlib.views.marks import FONT
from k8snetlib.views.palette import theme_css


def bundle(still: dict[str, Any], widget: Any, options: dict[str, Any]) -> Any:
    """Both forms for IPython: the ``still`` one by MIME type, and the ``widget`` (None: no live
    form)."""
    if widget is None:
        return still
    shown = widget._repr_mimebundle_(**options)
    live, metadata = shown if isinstance(shown, tuple) else (shown, {})
    both = {**live, **still}
    return (both, metadata) if metadata else both


def style(name: str) -> str:
    """The whole style sheet of a control: the palette, and ``NAME.css``, for the class
    ``k8snet-NAME``."""
    sheet = files("k8snetlib.views").joinpath(f"{name}.css").read_text(encoding="utf-8")
    return f"{theme_css()}.k8snet-{name}{{font-family:{FONT}}}\n{sheet}"
