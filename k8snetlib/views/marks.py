"""What lives here: the few marks that every picture is made of, and the SVG document around them.

What may not live here: what a picture shows, and where.
"""

from __future__ import annotations

from hashlib import sha256
from html import escape

from k8snetlib.views.geometry import Box, number
from k8snetlib.views.palette import theme_css
from k8snetlib.views.plan import NAME, SMALL

FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',Arial,sans-serif"

#: The ground and the letters of every picture.
BASE_STYLE = (
    f".k8snet-svg{{background:var(--k-ground);border-radius:10px;font-family:{FONT};"
    "font-variant-numeric:tabular-nums}"
    ".k8snet-svg text{fill:var(--k-ink)}"
)
#: How text looks in the pictures of clusters; sizes are px at the picture's natural width.
TEXT_STYLE = BASE_STYLE + (
    f".k8snet-svg .name{{font-size:{NAME:g}px;font-weight:650}}"
    f".k8snet-svg .sub{{font-size:{SMALL:g}px;fill:var(--k-muted)}}"
    f".k8snet-svg .tag{{font-size:{SMALL:g}px;fill:var(--k-muted);font-style:italic}}"
)


def text(x: float, y: float, words: str, kind: str, anchor: str = "") -> str:
    """One line of text; ``kind`` is its class, ``anchor`` middle or end."""
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{number(x)}" y="{number(y)}" class="{kind}"{where}>{escape(words)}</text>'


def rect(box: Box, kind: str, radius: float = 6) -> str:
    """A rectangle with round corners; ``kind`` is its class."""
    size = f'width="{number(box.w)}" height="{number(box.h)}"'
    where = f'x="{number(box.x)}" y="{number(box.y)}"'
    return f'<rect class="{kind}" {where} {size} rx="{number(radius)}"/>'


def store(x: float, y: float, kind: str) -> str:
    """The mark of etcd, 16 px wide and 20 high: a store that keeps what daemons write."""
    sides = f"M{number(x)} {number(y + 4)}v12a8 4 0 0 0 16 0v-12"
    lid = "a8 4 0 0 0 -16 0a8 4 0 0 0 16 0"
    return f'<path class="{kind}" d="{sides}{lid}"/>'


def document(
    width: float, height: float, said: tuple[str, str], inner: str, style: str,
    sizes: tuple[float, float] = (0.84, 1.25),
) -> str:  # fmt: skip
    """The whole picture. ``said`` names it and tells it in words; ``inner`` is what it shows. The
    ids inside follow from the content: same picture, same text. ``sizes`` is how far it shrinks and
    grows, in times its width."""
    title, desc = said
    mark = sha256("\n".join((title, desc, inner)).encode()).hexdigest()[:10]
    # On a wide page not much larger than life, on a narrow one still readable (it then scrolls).
    size = f"max-width:{width * sizes[1]:.0f}px;min-width:{width * sizes[0]:.0f}px"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="k8snet k8snet-svg" role="img" '
        f'viewBox="0 0 {number(width)} {number(height)}" style="{size}" '
        f'aria-labelledby="k{mark}-t k{mark}-d">\n'
        f'<title id="k{mark}-t">{escape(title)}</title>\n'
        f'<desc id="k{mark}-d">{escape(desc)}</desc>\n'
        f"<style>{theme_css()}{style}</style>\n{inner}\n</svg>"
    )
