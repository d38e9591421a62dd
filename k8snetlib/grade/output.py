"""What lives here: the folder that grading leaves behind, written from records alone.

::

    overview.html                       the teacher's page
    gradebook.csv  grades.json          every row
    review.csv                          what a person must look at
    canvas.csv  moodle.csv  moodle-worksheet-04.csv
    items.csv  beliefs.csv  analysis.json
    feedback/04-ada-1a2b3c4d.html, .md  one pair a submission

Every file appears whole or not at all, and the same records give the same files. A feedback page of
an earlier run, whose submission is there no more, is removed.

What may not live here: what stands in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from k8snetlib.grade.analysis import analyse, analysis_json, beliefs_csv, items_csv
from k8snetlib.grade.feedback import feedback_html, feedback_markdown, page_name
from k8snetlib.grade.gradebook import Book, gradebook_csv, grades_json, review_csv
from k8snetlib.grade.lms import canvas_csv, moodle_csv, moodle_worksheet
from k8snetlib.grade.overview import overview_html
from k8snetlib.views.export import write

FEEDBACK = "feedback"
_PAGE = re.compile(r"[\w-]+-[0-9a-f]{8}\.(?:html|md)", re.ASCII)
#: Spreadsheets need it to know UTF-8; Canvas and Moodle do not want it.
_BOM = "\ufeff"


def write_outputs(
    book: Book,
    folder: Path,
    assignments: Mapping[str, str] | None = None,
    left_out: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Writes all of it into ``folder`` and returns the paths.

    Parameters: ``assignments`` maps an exercise's id to Canvas's number of its assignment;
    ``left_out`` are the lines of ``layouts.Found``, for the teacher's page. Raises ``K8sNetError``
    if a file cannot be written.
    """
    pages = folder / FEEDBACK
    pages.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in _files(book, assignments, left_out):
        path = folder / name
        write(path, content)
        written.append(path)
    here = {path.name for path in written if path.parent == pages}
    for page in pages.iterdir():
        if page.name not in here and _PAGE.fullmatch(page.name) and not page.is_symlink():
            page.unlink()
    return tuple(written)


def _files(
    book: Book, assignments: Mapping[str, str] | None, left_out: Sequence[str]
) -> Iterator[tuple[str, str]]:
    numbers = analyse(book)
    yield "overview.html", overview_html(book, FEEDBACK, left_out)
    yield "gradebook.csv", _BOM + gradebook_csv(book)
    yield "review.csv", _BOM + review_csv(book)
    yield "grades.json", grades_json(book)
    yield "canvas.csv", canvas_csv(book, assignments)
    yield "moodle.csv", moodle_csv(book)
    yield "items.csv", _BOM + items_csv(numbers)
    yield "beliefs.csv", _BOM + beliefs_csv(numbers)
    yield "analysis.json", analysis_json(numbers)
    for exercise in book.exercises:
        sheet = moodle_worksheet(book, exercise)
        if sheet.count("\n") > 1:
            yield f"moodle-worksheet-{exercise.id}.csv", sheet
    for row in book.rows:
        if row.record:
            name = f"{FEEDBACK}/{page_name(row.record)}"
            yield f"{name}.html", feedback_html(row.record)
            yield f"{name}.md", feedback_markdown(row.record)
