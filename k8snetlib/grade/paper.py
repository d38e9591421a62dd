"""What lives here: the sheet on which feedback and analysis are written.

A sheet is one HTML file that fetches nothing and runs nothing: its Content-Security-Policy forbids
both, so even a stranger's words could not. Colours follow the reader's theme; on paper they are the
light ones, and nothing is cut off.

What may not live here: what a sheet says.

Source: Content Security Policy Level 3; CSS Paged Media Level 3.
"""

from __future__ import annotations

import re
from html import escape

from k8snetlib.course.report import SIGNS
from k8snetlib.course.rubric import STATUSES
from k8snetlib.views.marks import FONT
from k8snetlib.views.palette import theme_css, variables

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = (
    f"body{{margin:0;font:16px/1.5 {FONT};background:var(--k-ground);color:var(--k-ink)}}"
    "main{max-width:60rem;margin:0 auto;padding:20px 16px 40px;overflow-wrap:anywhere}"
    "h1{font-size:26px;line-height:1.25;margin:6px 0}"
    "h2{font-size:20px;line-height:1.3;margin:28px 0 4px}h3{font-size:16px;margin:14px 0 2px}"
    "p{margin:6px 0;max-width:44rem}.soft{color:var(--k-muted)}.big{font-size:22px;font-weight:650}"
    ".pass{color:var(--k-good)}.fail{color:var(--k-bad)}.not-attempted{color:var(--k-muted)}"
    ".error,.internal-error{color:var(--k-packet-ink)}.st{font-weight:650}"
    "ul.items{list-style:none;margin:8px 0;padding:0}"
    "ul.items>li{border-top:1px solid var(--k-hairline);padding:8px 0}"
    ".row{display:flex;gap:4px 14px;flex-wrap:wrap;align-items:baseline}"
    ".row .st{flex:0 0 9.5rem}.row .what{flex:1 1 14rem}.row .pts{color:var(--k-muted)}"
    ".find{border-left:4px solid var(--k-line);padding:0 0 0 12px;margin:8px 0 8px 2px}"
    ".note{border:1px solid var(--k-line);border-radius:8px;background:var(--k-card);"
    "padding:10px 14px;margin:12px 0}"
    "summary{cursor:pointer;padding:4px 0}"
    ":is(summary,a,[tabindex]):focus-visible{outline:2px solid var(--k-packet);outline-offset:2px}"
    "a{color:var(--k-node-ink)}"
    ".scroll{overflow-x:auto;margin:6px 0}"
    "pre{background:var(--k-card);border:1px solid var(--k-hairline);border-radius:8px;"
    "padding:8px 10px;margin:6px 0;font-size:13px;line-height:1.45;max-height:24em;overflow:auto;"
    "overflow-wrap:normal}"
    "table{border-collapse:collapse;margin:8px 0;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;font-weight:650;padding:4px 0}"
    "th,td{text-align:left;vertical-align:top;padding:5px 14px 5px 0;"
    "border-bottom:1px solid var(--k-hairline)}th{font-weight:650}"
    ".num{text-align:right;white-space:nowrap}td,th{overflow-wrap:normal}"
)
_PRINT = (
    "@media print{@page{size:A4 %s;margin:14mm}"
    f"html body.k8snet,body .k8snet{{{variables(False)}color-scheme:light}}"
    "body{font-size:11pt}ul.items>li{padding:3px 0}main{max-width:none;padding:0}"
    "h1{font-size:18pt}h2{font-size:14pt;margin-top:14px}"
    "h2,h2+p,h3,.row,.find>p,summary{break-after:avoid}tr,.note,svg{break-inside:avoid-page}"
    "pre{max-height:none;overflow:visible;white-space:pre-wrap;font-size:8.5pt}"
    ".scroll{overflow:visible}.k8snet-svg{min-width:0!important;max-width:100%%!important;"
    "height:auto;break-inside:avoid}"
    # What is folded away is opened: nobody can click on paper.
    "details::details-content{content-visibility:visible;height:auto}summary{list-style:none}"
    # The picture's own text, twice as long as the picture, stays on the screen.
    ".twice{display:none}}"
)
_MARK = re.compile(r'id="(k[0-9a-f]{10})-')


def sheet(title: str, body: str, style: str = "", *, wide: bool = False) -> str:
    """A whole page. ``wide``: it holds pictures, which on paper need the long side."""
    paper = _PRINT % ("landscape" if wide else "portrait")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{theme_css()}{_STYLE}{style}{paper}</style>\n"
        f'</head>\n<body class="k8snet">\n<main>\n{body}\n</main>\n</body>\n</html>\n'
    )


def status_html(status: str) -> str:
    """The status of an item or task as a sign and a word."""
    return (
        f'<span class="st {status}"><span aria-hidden="true">{SIGNS[status]}</span> '
        f"{STATUSES[status]}</span>"
    )


def picture_html(svg: str, number: int, label: str) -> str:
    """A picture that scrolls if it must. ``number`` tells apart the ids of equal pictures."""
    for mark in set(_MARK.findall(svg)):
        svg = svg.replace(mark, f"{mark}n{number}")
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(label, quote=True)}">'
        f"{svg}</div>"
    )


def words_html(text: str, label: str) -> str:
    """A text as a terminal would show it."""
    name = escape(label, quote=True)
    return f'<pre tabindex="0" role="group" aria-label="{name}">{escape(text)}</pre>'


def count(number: int, what: str) -> str:
    """``1 point``, ``2 points``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
