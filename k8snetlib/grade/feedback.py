"""What lives here: what a learner is told of a submission, as a page (HTML) and as Markdown.

Both say the same: points, each item, the finding and its witness, and how it was graded. A page
never says "all right" of more than was looked at: it counts *visible* items, those of the check in
the notebook, and says beside them what other clusters changed. No hint is given here.

A submission that could not be graded gets one sentence that says what to do.

What may not live here: what only a teacher needs (isolation, seconds, other learners).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from itertools import count as counter
from pathlib import Path
from typing import Any

from k8snetlib.course.rubric import INTERNAL, PASS, STATUSES
from k8snetlib.grade.paper import count, picture_html, sheet, status_html, words_html
from k8snetlib.grade.record import STATUSES as RECORD_STATUSES
from k8snetlib.grade.record import Graded, record_name

#: What a learner should do; every status that is not "graded" has its sentence.
TO_DO: Mapping[str, str] = {
    "too-large": "Clear the outputs of your notebook, save it, and hand it in again.",
    "unreadable": "Open your notebook, save it, and hand in the .ipynb file itself.",
    "not-json": "The upload was cut off, or this is another file. Hand in your notebook again.",
    "not-a-notebook": "Hand in the .ipynb file of the exercise.",
    "unknown-exercise": "Hand in the course's own notebook with your answers in its answer cells.",
    "ambiguous": "Tell your teacher which of your files counts.",
    "time-limit": "Look for a loop in your answers that never ends, then run the notebook again.",
    "memory-limit": "Look for a list or a text in your answers that grows without end.",
    "killed": "Run the whole notebook once in a fresh kernel: Kernel > Restart and Run All.",
    "crashed": "Take out what ends the process, such as exit(), and run the notebook again.",
    "no-result": "Run the whole notebook once in a fresh kernel: Kernel > Restart and Run All.",
    "internal-error": "You need not do anything: our own part broke, and a person looks at it.",
    "worker-lost": "You need not do anything yet: a person looks at it.",
}
_RULES = (
    "Only your answer cells counted: outputs, tags, other cells and the order of cells changed "
    "nothing. Your answers ran in an empty folder, without a network."
)


def page_name(record: Graded) -> str:
    """The name of a record's pages, without its ending: different for every submission."""
    return Path(record_name(record.learner, record.exercise, record.source)).stem


def heading(record: Graded) -> str:
    """What the submission is: ``Exercise 04: across nodes``."""
    if not record.exercise:
        return "Your submission"
    title = record.report["title"] if record.report else ""
    return f"Exercise {record.exercise}" + (f": {title}" if title else "")


def summary(record: Graded) -> list[str]:
    """The result in sentences: points, visible items, other clusters, what is still open."""
    said = []
    report = record.report
    if report:
        said.append(f"{report['points']} of {count(report['of'], 'point')}.")
        items = record.items
        seen = sum(item.get("visible", item["status"]) == PASS for item in items)
        said.append(f"{seen} of {count(len(items), 'visible item')} right.")
        if lost := _only_visible(record):
            which = "One of them is" if lost == 1 else f"{lost} of them are"
            said.append(f"{which} right in the notebook's check, but not on other clusters.")
    if record.status != "graded":
        said.append(_sentence(RECORD_STATUSES[record.status]))
        said += [_sentence(record.text)] if record.text else []
        said.append(TO_DO[record.status])
    elif record.needs_review:
        said.append("A check of ours broke. The points are not final: a person looks at it.")
    return said


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _only_visible(record: Graded) -> int:
    return sum(map(_passed_only_visibly, record.items))


def _passed_only_visibly(item: Mapping[str, Any]) -> bool:
    return item.get("visible") == PASS and item["status"] not in (PASS, INTERNAL)


def rules(record: Graded) -> str:
    """How the submission was graded, for its learner; empty if nothing ran."""
    if not record.report:
        return ""
    asked = len(record.seeds)
    others = f" They were asked about {asked} sets of clusters; a point needs all of them."
    return _RULES + (others if asked > 1 else "")


# -- HTML -----------------------------------------------------------------------------------------


def feedback_html(record: Graded) -> str:
    """The page of one submission."""
    first, *rest = summary(record)
    numbers = counter(1)
    tasks = record.report["tasks"] if record.report else []
    parts = [
        f"<h1>{escape(heading(record))}</h1>",
        f'<p class="soft">{escape(record.learner)} · {escape(record.source)}</p>',
        f'<p class="big">{escape(first)}</p>',
        *(f"<p>{escape(sentence)}</p>" for sentence in rest),
        *([f'<p class="soft">{escape(said)}</p>'] if (said := rules(record)) else []),
        *(_task_html(task, numbers) for task in tasks),
    ]
    pictures = any(f["picture"] for item in record.items for f in item["findings"])
    return sheet(f"{heading(record)} · {record.learner}", "\n".join(parts), wide=pictures)


def _task_html(task: Mapping[str, Any], numbers: counter[int]) -> str:
    items = "".join(_item_html(item, numbers) for item in task["items"])
    return (
        f"<section><h2>{escape(task['id'])} · {escape(task['title'])}</h2>"
        f"<p>{status_html(task['status'])}: {task['points']} of {count(task['of'], 'point')}</p>"
        f'<ul class="items">{items}</ul></section>'
    )


def _item_html(item: Mapping[str, Any], numbers: counter[int]) -> str:
    findings = "".join(_finding_html(f, item, numbers) for f in item["findings"])
    if _passed_only_visibly(item):
        findings = f'<p class="soft">{_ELSEWHERE}</p>{findings}'
    return (
        f'<li><div class="row">{status_html(item["status"])}'
        f'<span class="what">{escape(item["title"])}</span>'
        f'<span class="pts">{item["points"]} of {item["of"]}</span></div>{findings}</li>'
    )


_ELSEWHERE = "Right in the notebook's check, but not on other clusters."


def _finding_html(
    finding: Mapping[str, Any], item: Mapping[str, Any], numbers: counter[int]
) -> str:
    witness = ""
    if finding["witness"]:
        number = next(numbers)
        told = words_html(finding["witness"], f"Walk {number} in words, {item['id']}")
        if finding["picture"]:
            shown = picture_html(finding["picture"], number, f"Walk {number}, {item['id']}")
            shown += _folded("The same in words", told, "twice")
            # Open from the start: so it is on paper, too, and everybody may fold it.
            witness = _folded("The packet's walk", shown, opened=True)
        else:
            witness = _folded("What your answer does", told, opened=True)
    return f'<div class="find"><p>{escape(finding["text"])}</p>{witness}</div>'


def _folded(name: str, inner: str, kind: str = "", *, opened: bool = False) -> str:
    marks = (f' class="{kind}"' if kind else "") + (" open" if opened else "")
    return f"<details{marks}><summary>{name}</summary>{inner}</details>"


# -- Markdown -------------------------------------------------------------------------------------


def feedback_markdown(record: Graded) -> str:
    """The same as Markdown (CommonMark), for a comment field or a repository."""
    first, *rest = summary(record)
    lines = [
        f"# {_plain(heading(record))}", "", f"{_plain(record.learner)} · {_plain(record.source)}",
        "", f"**{_plain(first)}**", "", *(f"{_plain(said)}\n" for said in rest),
    ]  # fmt: skip
    if said := rules(record):
        lines += [_plain(said), ""]
    for task in record.report["tasks"] if record.report else []:
        points = f"{task['points']} of {count(task['of'], 'point')}"
        lines += [f"## {_plain(task['id'])} · {_plain(task['title'])}", ""]
        lines += [f"{STATUSES[task['status']]}: {points}", ""]
        for item in task["items"]:
            lines += _item_lines(item)
        lines.append("")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _item_lines(item: Mapping[str, Any]) -> list[str]:
    points = f"{item['points']} of {item['of']}"
    lines = [f"- **{STATUSES[item['status']]}** · {_plain(item['title'])} ({points})"]
    if _passed_only_visibly(item):
        lines += ["", f"  {_ELSEWHERE}"]
    for finding in item["findings"]:
        lines += ["", f"  > {_plain(finding['text'])}"]
        if finding["witness"]:
            lines += ["", *(f"  {line}" for line in _fenced(finding["witness"]))]
    return [*lines, ""] if item["findings"] else lines


def _fenced(text: str) -> list[str]:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *text.splitlines(), fence]


def _plain(text: str) -> str:
    """Words as words: nothing in them is a mark, a link or HTML."""
    flat = " ".join(str(text).split())
    safe = re.sub(r"([\\`*_{}\[\]<>#|!~&])", r"\\\1", flat)
    # A number or a dash at the start of a line would begin a list.
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", re.sub(r"^([-+=])", r"\\\1", safe))
