"""What lives here: reports and the board as HTML, for a notebook and for feedback pages.

No script and nothing from the network. Colours come in a light and a dark set, by the reader's
system or by JupyterLab's theme; a status is always a word, its colour only helps. What opens on
request is a ``<details>``: it works without a mouse.

What may not live here: judgement, points.
"""

from __future__ import annotations

from html import escape

from k8snetlib.course.report import SIGNS, ItemResult, Report, TaskResult, witness_text
from k8snetlib.course.rubric import NOT_ATTEMPTED, PASS, STATUSES, Finding
from k8snetlib.trace import Exchange

_LIGHT = "--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--card:#ffffff;--sunk:#f6f8fa;"
_LIGHT += "--pass:#116329;--fail:#a40e26;--error:#8a4600;--open:#57606a;"
_DARK = "--ink:#e6edf3;--soft:#9ea7b3;--line:#3d444d;--card:#161b22;--sunk:#0d1117;"
_DARK += "--pass:#56d364;--fail:#ff8e86;--error:#f0a35e;--open:#9ea7b3;"

_STYLE = (
    f".k8snet-report{{{_LIGHT}color:var(--ink);background:var(--card);border:1px solid var(--line);"
    "border-radius:8px;padding:12px 16px;margin:4px 0;max-width:960px;"
    "font:14px/1.5 system-ui,sans-serif;box-sizing:border-box;overflow-wrap:anywhere}"
    f"@media(prefers-color-scheme:dark){{.k8snet-report{{{_DARK}}}}}"
    f"[data-jp-theme-light='true'] .k8snet-report{{{_LIGHT}}}"
    f"[data-jp-theme-light='false'] .k8snet-report{{{_DARK}}}"
    ".k8snet-report h3{font-size:16px;line-height:1.4;margin:0 0 2px;color:inherit}"
    ".k8snet-report p{margin:4px 0;color:inherit}.k8snet-report .sum{color:var(--soft)}"
    ".k8snet-report .sum .st{margin-right:.6em}"
    ".k8snet-report ul{list-style:none;margin:8px 0;padding:0}"
    ".k8snet-report li.item{border-top:1px solid var(--line);padding:8px 0 6px;margin:0}"
    ".k8snet-report .row{display:flex;gap:10px;align-items:baseline;flex-wrap:wrap}"
    ".k8snet-report .row>span:nth-child(2){flex:1 1 12em}.k8snet-report .pts{color:var(--soft)}"
    ".k8snet-report .st{font-weight:600;min-width:10.5em}"
    ".k8snet-report .pass{color:var(--pass)}.k8snet-report .fail{color:var(--fail)}"
    ".k8snet-report .error,.k8snet-report .internal-error{color:var(--error)}"
    ".k8snet-report .not-attempted{color:var(--open)}"
    ".k8snet-report .find{border-left:3px solid var(--line);padding-left:10px;margin:6px 0 6px 2px}"
    ".k8snet-report details{margin:6px 0}.k8snet-report details details{margin-left:14px}"
    ".k8snet-report summary{cursor:pointer;color:var(--ink);text-decoration:underline dotted}"
    ".k8snet-report summary:focus-visible{outline:2px solid currentColor;outline-offset:2px}"
    ".k8snet-report pre{background:var(--sunk);color:var(--ink);border:1px solid var(--line);"
    "border-radius:6px;padding:8px 10px;margin:6px 0;font-size:12.5px;line-height:1.45;"
    "max-height:26em;overflow:auto;white-space:pre}"
    ".k8snet-report .pic{overflow-x:auto}"
    ".k8snet-report table{border-collapse:collapse;width:100%;margin:8px 0;color:inherit}"
    ".k8snet-report caption{text-align:left;font-weight:600;padding:4px 0}"
    ".k8snet-report th,.k8snet-report td{text-align:left;padding:5px 10px 5px 0;"
    "border-bottom:1px solid var(--line);background:var(--card);vertical-align:top}"
    # In a narrow column the table scrolls: words broken into letters cannot be read.
    ".k8snet-report table{min-width:30em}.k8snet-report tbody th{font-weight:600}"
    # A table of two columns that is folded away has no place of its own to scroll in.
    "@media(max-width:600px){.k8snet-report details>table{min-width:0}}"
    ".k8snet-report th .sum{font-weight:400}"
    ".k8snet-report td.num,.k8snet-report th.num{text-align:right;white-space:nowrap}"
)

#: Twice the class: stronger than what JupyterLab says about tables and lists in an output.
STYLE = _STYLE.replace(".k8snet-report ", ".k8snet-report.k8snet-report ")


def card(inner: str, label: str) -> str:
    """A framed part of a page, with its own style sheet; ``label`` names it for screen readers."""
    return (
        f"<style>{STYLE}</style>"
        '<div class="k8snet-report" role="group" '
        f'aria-label="{escape(label, quote=True)}">{inner}</div>'
    )


def status_html(status: str) -> str:
    """A status as a sign and a word."""
    return (
        f'<span class="st {status}"><span aria-hidden="true">{SIGNS[status]}</span> '
        f"{STATUSES[status]}</span>"
    )


def report_html(report: Report) -> str:
    """A report as one block of HTML per task."""
    return "".join(card(_task(task), f"Check of {task.id}") for task in report.tasks)


def _task(task: TaskResult) -> str:
    parts = [
        f"<h3>{escape(task.id)} · {escape(task.title)}</h3>",
        f'<p class="sum">{status_html(task.status)} {task.points} of {task.of} points</p>',
    ]
    if task.status == NOT_ATTEMPTED:
        parts.append("<p>Write your answer in the cell above, run it, then run this check.</p>")
    parts.append(f"<ul>{''.join(map(_item, task.items))}</ul>")
    if task.status != PASS:
        parts.append(hints_html(task.hints))
    return "".join(parts)


def _item(item: ItemResult) -> str:
    row = (
        f'<div class="row">{status_html(item.status)}<span>{escape(item.title)}</span>'
        f'<span class="pts">{item.points} of {item.of}</span></div>'
    )
    return f'<li class="item">{row}{"".join(map(_finding, item.findings))}</li>'


def _finding(finding: Finding) -> str:
    witness = witness_html(finding.witness)
    return f'<div class="find"><p>{escape(finding.text)}</p>{witness}</div>'


def witness_html(witness: Exchange | str | None) -> str:
    """The witness: a picture of the walk and its text, both folded away."""
    if witness is None:
        return ""
    text = f"<pre tabindex='0'>{escape(witness_text(witness))}</pre>"
    if isinstance(witness, str):
        return f"<details><summary>What your answer does</summary>{text}</details>"
    outcome = escape(f"{witness.outcome}: {witness.reason}")
    picture = picture_html(witness)
    whose = "this packet" if witness.ok else "the packet that your answer loses"
    return (
        f"<details><summary>The walk of {whose}</summary>"
        f"<p>{outcome}</p>{picture}<details><summary>The same in words</summary>{text}</details>"
        "</details>"
    )


def picture_html(exchange: Exchange) -> str:
    """The walk as a picture; empty where pictures are not installed."""
    try:
        from k8snetlib.views import draw
    except ImportError:
        return ""
    return f'<div class="pic" tabindex="0">{draw(exchange).svg}</div>'


def hints_html(hints: tuple[str, ...]) -> str:
    """Hints, each inside the one before: they open one at a time."""
    inner = ""
    for number in range(len(hints), 0, -1):
        text = escape(hints[number - 1])
        inner = f"<details><summary>Hint {number}</summary><p>{text}</p>{inner}</details>"
    return inner
