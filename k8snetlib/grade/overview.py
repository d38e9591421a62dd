"""What lives here: the teacher's page: results, what the class believes, items, what to look at.

It is a sheet as the feedback pages are: it fetches and runs nothing. The picture is a bar chart of
wrong beliefs; a table beside it says the same in words.

What may not live here: counting (``analysis``), what learners read (``feedback``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from k8snetlib.grade.analysis import DISCRIMINATION, Analysis, BeliefStat, analyse
from k8snetlib.grade.feedback import page_name
from k8snetlib.grade.gradebook import MISSING, Book, Row
from k8snetlib.grade.paper import count, picture_html, sheet
from k8snetlib.grade.record import STATUSES
from k8snetlib.views.geometry import Box
from k8snetlib.views.marks import TEXT_STYLE, document, rect, text
from k8snetlib.views.picture import Picture

#: The most bars of the picture; the table has all.
MOST = 12
_WIDE, _BAR, _STEP, _TOP = 720.0, 14.0, 46.0, 16.0
_STYLE = (
    TEXT_STYLE + ".k8snet-svg .bar{fill:var(--k-process)}.k8snet-svg .all{fill:var(--k-card);"
    "stroke:var(--k-hairline)}"
)


def beliefs_picture(beliefs: Sequence[BeliefStat]) -> Picture:
    """A bar for each wrong belief, the most frequent first; as long as the share of learners."""
    shown = beliefs[:MOST]
    inner = []
    for number, stat in enumerate(shown):
        y = _TOP + number * _STEP
        name = f"{stat.exercise} · {stat.belief}"
        inner.append(text(16, y + 12, name, "name"))
        inner.append(text(_WIDE - 16, y + 12, _of(stat), "sub", "end"))
        inner.append(rect(Box(16, y + 19, _WIDE - 32, _BAR), "all", 3))
        inner.append(rect(Box(16, y + 19, max(3, (_WIDE - 32) * stat.share), _BAR), "bar", 3))
    said = "; ".join(f"{s.belief}: {_of(s)}" for s in shown)
    title = "What the class believes"
    svg = document(_WIDE, _TOP + _STEP * len(shown), (title, said), "".join(inner), _STYLE)
    return Picture(svg, f"{title}. {said}.")


def _of(stat: BeliefStat) -> str:
    return f"{stat.learners} of {stat.seen} ({stat.share:.0%})"


def overview_html(book: Book, feedback: str = "feedback", left_out: Sequence[str] = ()) -> str:
    """The teacher's page.

    Parameters: ``feedback`` is the folder of the feedback pages, seen from this one; ``left_out``
    says of files that are no submission why not.
    """
    analysis = analyse(book)
    handed = sum(row.status != MISSING for row in book.rows)
    learners = len({row.learner for row in book.rows})
    parts = [
        "<h1>Grades of the class</h1>",
        f'<p class="big">{count(handed, "submission")} of {count(learners, "learner")}</p>',
        *(f"<p>Isolation: {escape(fence)}.</p>" for fence in _fences(book)),
        _exercises(book),
        _medians(analysis),
        _statuses(analysis),
        _review(book.review),
        _beliefs(analysis.beliefs),
        _items(analysis),
        _learners(book.rows, feedback),
        _left_out(left_out),
    ]
    return sheet("Grades of the class", "\n".join(part for part in parts if part))


def _fences(book: Book) -> list[str]:
    """What stood between learners' code and this machine; more than one after a resumed run."""
    return sorted({row.record.isolation for row in book.rows if row.record} - {""})


def _exercises(book: Book) -> str:
    """Whether grades are those of the course, or of an exercise that somebody edited."""
    told = [
        f"<li>Exercise {e.id}: {escape(said)} <code>{used[:12]}</code></li>"
        for e in book.exercises
        for used, said in book.used(e)
    ]
    return f"<ul>{''.join(told)}</ul>" if told else ""


def _left_out(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    told = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>Files that are no submission</h2><ul>{told}</ul>"


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int) -> str:
    """A table; from column ``numbers`` on, cells are numbers. Cells are HTML."""
    kinds = ["" if at < numbers else ' class="num"' for at in range(len(head))]
    top = "".join(f'<th scope="col"{k}>{h}</th>' for h, k in zip(head, kinds, strict=True))
    body = []
    for first, *rest in rows:
        cells = "".join(f"<td{k}>{c}</td>" for c, k in zip(rest, kinds[1:], strict=True))
        body.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{caption}"><table>'
        f"<caption>{caption}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _medians(analysis: Analysis) -> str:
    said = [
        f"Exercise {e}: half have {m:g} of {of} points or more." for e, m, of in analysis.medians
    ]
    return "".join(f"<p>{line}</p>" for line in said)


def _statuses(analysis: Analysis) -> str:
    words: Mapping[str, str] = {**STATUSES, MISSING: "nothing was handed in"}
    rows = [(escape(words[status]), str(number)) for status, number in analysis.statuses]
    return "<h2>What became of the submissions</h2>" + _table(
        "Statuses", ("status", "rows"), rows, 1
    )


def _review(rows: Sequence[Row]) -> str:
    if not rows:
        return "<h2>To look at</h2><p>Nothing needs a person.</p>"
    told = [
        (
            escape(row.learner), escape(row.exercise), escape(row.why),
            escape(row.record.source if row.record else ""),
        )
        for row in rows
    ]  # fmt: skip
    return (
        "<h2>To look at</h2><p>These rows have no final points, or belong to nobody of the "
        "roster. An empty cell is not a zero.</p>"
        + _table("Rows to look at", ("learner", "exercise", "why", "file"), told, 4)
    )


def _beliefs(beliefs: Sequence[BeliefStat]) -> str:
    if not beliefs:
        return "<h2>What the class believes</h2><p>No wrong belief was seen.</p>"
    rows = [
        (
            f"{s.exercise} · {escape(s.belief)}", escape(s.text), escape(", ".join(s.items)), _of(s)
        )
        for s in beliefs
    ]  # fmt: skip
    more = f" The picture shows the {MOST} most frequent." if len(beliefs) > MOST else ""
    return (
        "<h2>What the class believes</h2>"
        f"<p>How many learners gave an answer that a wrong belief explains.{more}</p>"
        + picture_html(beliefs_picture(beliefs).svg, 1, "What the class believes")
        + _table("Wrong beliefs", ("belief", "what they were told", "items", "learners"), rows, 3)
    )


def _items(analysis: Analysis) -> str:
    rows = [
        (
            f'{escape(i.id)}<br><span class="soft">{escape(i.title)}</span>', escape(i.note),
            f"{i.failing:.0%}", f"{i.not_attempted / i.seen:.0%}" if i.seen else "–",
            "–" if i.discrimination is None else f"{i.discrimination:.2f}",
        )
        for i in analysis.items
    ]  # fmt: skip
    head = ("item", "note", "failing", "not attempted", "discrimination")
    return f"<h2>Items</h2><p>{DISCRIMINATION}</p>" + _table("Items", head, rows, 2)


def _learners(rows: Sequence[Row], feedback: str) -> str:
    told = [
        (
            escape(row.learner), escape(row.exercise), escape(row.status), _link(row, feedback),
            "–" if row.points is None else f"{row.points} of {row.of}",
        )
        for row in rows
    ]  # fmt: skip
    head = ("learner", "exercise", "status", "feedback", "points")
    return "<h2>Learners</h2>" + _table("Learners", head, told, 4)


def _link(row: Row, feedback: str) -> str:
    if row.record is None:
        return "–"
    target = escape(f"{feedback}/{page_name(row.record)}.html", quote=True)
    name = escape(f"{row.learner}, exercise {row.exercise}", quote=True)
    return f'<a href="{target}" aria-label="Feedback of {name}">page</a>'
