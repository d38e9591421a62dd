"""What lives here: the colours of all pictures, for light and for dark, and how they become CSS.

The hues are those of Okabe and Ito, which colour-blind people can tell apart, and for the reply a
violet that they can tell from the node's blue; lightness is tuned until text reads well in both
themes (WCAG 2.2, 1.4.3: at least 4.5 to 1). ``TEXT_ON`` lists which
text stands on which ground, and a test does the sum for every pair. A colour never says anything
alone: next to it there is always a word, a shape or a dash.

What may not live here: positions, words.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Role -> (light, dark).
COLOURS: Mapping[str, tuple[str, str]] = {
    "ground": ("#ffffff", "#14181d"),
    "card": ("#f6f8fa", "#1d232a"),
    "ink": ("#16202b", "#eef2f6"),
    "muted": ("#47525e", "#b4bfca"),
    "line": ("#7d8894", "#74808c"),
    "hairline": ("#d3dae1", "#3a444e"),
    "node": ("#0072b2", "#56b4e9"),
    "node-ink": ("#005a8e", "#8fcdf2"),
    "node-fill": ("#eef6fc", "#15242f"),
    "node-band": ("#cfe5f4", "#1d3d54"),
    "pod": ("#00805d", "#27b98d"),
    "pod-ink": ("#006247", "#6fdcb9"),
    "pod-fill": ("#e6f6f0", "#12302a"),
    "pod-band": ("#bfe8d9", "#17493c"),
    "service": ("#a8457c", "#e39cc4"),
    "service-ink": ("#8a3164", "#eeb6d4"),
    "process": ("#5b6672", "#9aa6b2"),
    "process-fill": ("#fffbe9", "#332e1b"),
    "kernel-fill": ("#ffffff", "#1a2028"),
    "packet": ("#d05b00", "#ff9a4d"),
    "packet-ink": ("#a34700", "#ffb27a"),
    "packet-fill": ("#fff0e3", "#3d2613"),
    "on-packet": ("#ffffff", "#1a1206"),
    "packet-deep": ("#b54e00", "#ffa55f"),
    "reply": ("#7a1fd0", "#a970ff"),
    "on-reply": ("#ffffff", "#1f0f26"),
    "good": ("#006247", "#6fdcb9"),
    "bad": ("#a4262c", "#ff9d9d"),
}

#: Which text colours stand on which grounds.
TEXT_ON: Mapping[str, tuple[str, ...]] = {
    "ink": (
        *("ground", "card", "node-fill", "node-band", "pod-fill", "pod-band", "process-fill"),
        *("kernel-fill", "packet-fill"),
    ),
    "muted": (
        *("ground", "card", "node-fill", "node-band", "pod-fill", "pod-band", "process-fill"),
        *("kernel-fill", "packet-fill"),
    ),
    "node-ink": ("ground", "card", "node-fill", "node-band"),
    "pod-ink": ("ground", "card", "pod-fill", "pod-band"),
    "service-ink": ("ground", "card"),
    "packet-ink": ("ground", "card", "packet-fill", "kernel-fill"),
    "on-packet": ("packet-deep",),
    "on-reply": ("reply",),
    "good": ("ground", "card", "pod-fill"),
    "bad": ("ground", "card", "packet-fill", "pod-band", "kernel-fill"),
}


def variables(dark: bool) -> str:
    """The palette as CSS custom properties: ``--k-ink:#16202b;…``."""
    return "".join(f"--k-{role}:{pair[dark]};" for role, pair in COLOURS.items())


def theme_css(scope: str = ".k8snet") -> str:
    """Sets the palette on every element of class ``scope``.

    The reader's system decides (``prefers-color-scheme``), unless the page says which theme it is
    in: JupyterLab does, and so does VS Code.
    """
    light, dark = variables(False), variables(True)
    lab_dark = f'[data-jp-theme-light="false"] {scope},.vscode-dark {scope}'
    lab_light = f'[data-jp-theme-light="true"] {scope},.vscode-light {scope}'
    return (
        f"{scope}{{{light}color-scheme:light;}}"
        f"@media (prefers-color-scheme:dark){{{scope}{{{dark}color-scheme:dark;}}}}"
        f"{lab_light}{{{light}color-scheme:light;}}"
        f"{lab_dark}{{{dark}color-scheme:dark;}}"
    )


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours ``#rrggbb``, 1 to 21 (WCAG 2.2, relative luminance)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(colour[at : at + 2]) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
