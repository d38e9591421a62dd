"""What lives here: how pictures become files: a page that stands alone, SVG, PNG.

A page (``page``) holds everything that it shows: its style, its script, its data. It opens from
disk, and its Content-Security-Policy forbids every request. An SVG follows its reader's theme, as
in a notebook; with a theme named (``in_theme``), the colours are written out, for programs that
know no CSS variables. PNG is drawn by resvg, a small library of its own: no browser, no numpy.

What may not live here: what a picture shows.

Source: resvg-py (resvg as a wheel); Content Security Policy Level 3.
"""

from __future__ import annotations

import json
import re
from html import escape
from os import PathLike
from typing import Any, Literal, TypeAlias

from k8snetlib.errors import K8sNetError
from k8snetlib.views.marks import FONT
from k8snetlib.views.palette import COLOURS, theme_css
from k8snetlib.wire.pcap import write_whole

#: The theme that a picture is drawn in.
Theme: TypeAlias = Literal["light", "dark"]
THEMES = ("light", "dark")

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_PAGE_STYLE = (
    f"body{{margin:0;font-family:{FONT};background:var(--k-ground);color:var(--k-ink)}}"
    "main{max-width:1240px;margin:0 auto;padding:12px}"
    "h1{font-size:20px;margin:4px 6px 10px}"
    ".lively .still :is(.k8snet-frame,.k8snet-scroll,.caption){display:none}"
    ".told{margin:4px 14px;font-size:14px}.told summary{cursor:pointer;padding:4px 0}"
    ".told pre{overflow-x:auto;margin:4px 0;font-size:13px;line-height:1.4}"
)


def _theme(theme: str) -> int:
    if theme not in THEMES:
        raise K8sNetError(f"'{theme}' is not a theme.", "Say 'light' or 'dark'.")
    return THEMES.index(theme)


def in_theme(svg: str, theme: str) -> str:
    """The same SVG with the colours of one theme written out. Raises ``K8sNetError`` for another
    word than ``light`` or ``dark``."""
    at = _theme(theme)
    plain = svg.replace(theme_css(), "")
    return re.sub(r"var\(--k-([\w-]+)\)", lambda found: COLOURS[found[1]][at], plain)


def png_bytes(svg: str, theme: str = "light", scale: float = 2.0) -> bytes:
    """A picture as PNG.

    Parameters: ``scale`` is how many pixels one px of the picture gets, 0.1 to 8. Raises
    ``K8sNetError`` if resvg is not installed, or for a theme or scale that does not exist.
    """
    if not 0.1 <= scale <= 8:
        raise K8sNetError(f"Scale {scale:g} is out of range.", "Use 0.1 to 8; 2 is a sharp screen.")
    drawn = in_theme(svg, theme)
    if _resvg(_LETTER, 1) == _resvg(_LETTER.replace("k", ""), 1):
        raise K8sNetError(
            "PNG needs a font, and none of the usual ones is installed here.",
            "Install one (Debian: apt-get install fonts-dejavu-core), or write SVG.",
        )
    return _resvg(drawn, scale, COLOURS["ground"][THEMES.index(theme)])


#: A picture of one letter: resvg leaves out, without a word, what it has no font for.
_LETTER = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20">'
    f'<text x="2" y="15" font-family="{FONT}">k</text></svg>'
)


def _resvg(svg: str, scale: float, ground: str | None = None) -> bytes:
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise K8sNetError(
            "PNG needs the library resvg-py, which is not installed here.",
            "Install it with: pip install 'k8snetlib[png]'; or write SVG, which needs nothing.",
        ) from None
    # Debian's plain installation has this font and no other.
    # It knows the weights of hundreds alone.
    svg = svg.replace("font-weight:650", "font-weight:700")
    options: dict[str, Any] = {"background": ground, "sans_serif_family": "DejaVu Sans"}
    return bytes(svg_to_bytes(svg_string=svg, zoom=scale, **options))


def page(title: str, body: str, style: str = "", script: str = "", data: Any = None) -> str:
    """A whole HTML page that fetches nothing.

    Parameters: ``body`` is HTML; ``script`` the text of an anywidget module with a function
    ``render``, which then draws ``data`` (JSON-ready) before the body.
    """
    live = ""
    if script:
        # Inside a script element nothing is escaped, so no text in it may look like a tag.
        told = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        live = (
            f'<script type="module">\n{script}\n'
            f'const shown = {{ data: {told} }};\n'
            "const model = { get: (name) => shown[name], set() {}, save_changes() {}, on() {},"
            " off() {} };\n"
            'render({ model, el: document.getElementById("live") });\n'
            'document.body.classList.add("lively");\n</script>\n'
        )  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>{theme_css()}{_PAGE_STYLE}{style}</style>\n</head>\n"
        f'<body class="k8snet">\n<main>\n<h1>{escape(title)}</h1>\n<div id="live"></div>\n'
        f"{body}\n</main>\n{live}</body>\n</html>\n"
    )


def write(path: str | PathLike[str], content: str | bytes) -> None:
    """Writes a file, complete or not at all. Raises ``K8sNetError`` if that is not possible."""
    write_whole(path, content.encode() if isinstance(content, str) else content)
