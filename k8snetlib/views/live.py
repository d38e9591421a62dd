"""What lives here: what every control with a live and a still form shares.

In a notebook with widgets the live form is shown, with the still one beside it for places without
(GitHub, nbval); where anywidget is not installed, the still form alone.

anywidget 0.11 gives a widget two seconds to begin in the page, then says "Failed to initialize
model" and never shows it. On a machine with far too much to do that happens; run the cell again.

What may not live here: what a control shows (``player``, ``prompt``, ``build``).
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from k8snetlib.views.marks import FONT
from k8snetlib.views.palette import theme_css


class Live:
    """What shows itself, live where there are widgets: a base for controls, which say ``_still``
    and ``_make_widget``."""

    _widget: Any = None

    @property
    def widget(self) -> Any:
        """The live widget, made when first asked for; None if anywidget is not installed, or if
        there is nothing to show."""
        if self._widget is None:
            try:
                self._widget = self._make_widget()
            except ImportError:
                return None
        return self._widget

    def _make_widget(self) -> Any:
        """The live form; raises ``ImportError`` where there are no widgets."""
        raise NotImplementedError

    def _still(self) -> dict[str, Any]:
        """The still form, by MIME type."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Both forms for IPython."""
        widget, still = self.widget, self._still()
        if widget is None:
            return still
        shown = widget._repr_mimebundle_(**options)
        live, metadata = shown if isinstance(shown, tuple) else (shown, {})
        both = {**live, **still}
        return (both, metadata) if metadata else both


def news(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """What of ``new`` is not in ``old``: the values that changed. Of a list that lost items at its
    beginning and got some at its end only these: ``{"gone": 2, "more": [...]}``.

    >>> news({"a": [1, 2], "b": 1, "c": 1}, {"a": [2, 3], "b": 1, "c": 2})
    {'a': {'gone': 1, 'more': [3]}, 'c': 2}
    """
    changed = {key: value for key, value in new.items() if key not in old or old[key] != value}
    for key, value in changed.items():
        before = old.get(key)
        if not (isinstance(value, list) and isinstance(before, list)):
            continue
        for gone in range(len(before)):
            kept = len(before) - gone
            if before[gone:] == value[:kept]:
                changed[key] = {"gone": gone, "more": value[kept:]}
                break
    return changed


def _text(name: str) -> str:
    return files("k8snetlib.views").joinpath(name).read_text(encoding="utf-8")


def script(name: str) -> str:
    """The whole script of a control: ``live.js``, and ``NAME.js``."""
    return _text("live.js") + _text(f"{name}.js")


def style(name: str) -> str:
    """The whole style sheet of a control: the palette, ``live.css``, and ``NAME.css``, for the
    class ``k8snet-NAME``."""
    font = f".k8snet-{name}{{font-family:{FONT}}}"
    return f"{theme_css()}{font}\n{_text('live.css')}{_text(f'{name}.css')}"
