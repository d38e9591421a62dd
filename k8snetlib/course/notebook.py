"""What lives here: a learner's notebook, read as data: which cell holds which answer.

An answer cell carries three marks: ``metadata.k8snet = {role: "answer", id: "04.lookup"}``, the
cell id ``ans-04-lookup`` and the first line ``# answer: 04.lookup``. Two of them are enough, so one
may be lost. No such cell, or several different ones, is a ``Problem`` with its own status; it is
never a silent zero.

Where a cell stands, its outputs, its tags and its execution count mean nothing here.

What may not live here: judgement. ``run_answers`` executes cells in this very process: it is for
our own tests and for a process that is already fenced in, never for a stranger's notebook.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib.course.collect import Problem, one_line
from k8snetlib.course.exercise import Exercise
from k8snetlib.errors import K8sNetError

MAX_BYTES = 20_000_000
ENOUGH_MARKS = 2


class BadNotebook(K8sNetError):
    """A file that is not a notebook; ``status`` is a short word for the gradebook."""

    def __init__(self, status: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status


class Cell(NamedTuple):
    """One cell, reduced to what matters: its id, kind, source, and the mark in its metadata."""

    id: str
    kind: str
    source: str
    role: str
    answers: str


def read_notebook(path: Path) -> tuple[Cell, ...]:
    """The cells of a notebook file. Raises ``BadNotebook``, whose status names what is wrong."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadNotebook("too-large", f"{path.name} has more than {MAX_BYTES:,} bytes.")
        data = path.read_bytes()
    except OSError as error:
        raise BadNotebook("unreadable", f"{path.name} cannot be read: {error.strerror}.") from None
    return parse_notebook(data, path.name)


def parse_notebook(data: bytes, name: str = "The notebook") -> tuple[Cell, ...]:
    """The cells of a notebook's bytes; errors as for ``read_notebook``."""
    try:
        # Checkpoints and partly written files are not UTF-8 or not JSON.
        document = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise BadNotebook(
            "not-json", f"{name} is not a notebook: it is no JSON document."
        ) from None
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list) or document.get("nbformat") != 4:
        raise BadNotebook("not-a-notebook", f"{name} is not a notebook of format 4.")
    return tuple(_cell(cell) for cell in cells if isinstance(cell, dict))


def _cell(cell: Mapping[str, Any]) -> Cell:
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    metadata = cell.get("metadata")
    mark = metadata.get("k8snet") if isinstance(metadata, dict) else None
    mark = mark if isinstance(mark, dict) else {}
    text = source if isinstance(source, str) else ""
    return Cell(
        str(cell.get("id", "")), str(cell.get("cell_type", "")), text,
        str(mark.get("role", "")), str(mark.get("id", "")),
    )  # fmt: skip


def cell_id(task_id: str) -> str:
    """The id of a task's answer cell: ``ans-04-lookup``."""
    return "ans-" + task_id.replace(".", "-").replace("_", "-")


def first_line(task_id: str) -> str:
    """The first line of a task's answer cell: ``# answer: 04.lookup``."""
    return f"# answer: {task_id}"


def marks(cell: Cell, task_id: str) -> int:
    """How many of the three marks of a task's answer cell this cell carries."""
    opening = " ".join(cell.source.lstrip().partition("\n")[0].split())
    return (
        (cell.role == "answer" and cell.answers == task_id)
        + (cell.id == cell_id(task_id))
        + (opening == first_line(task_id))
    )


def find_answer(cells: Iterable[Cell], task_id: str) -> Cell | Problem:
    """The cell that holds a task's answer, or why there is none."""
    found = [cell for cell in cells if marks(cell, task_id) >= ENOUGH_MARKS]
    if not found:
        text = (
            f"No cell is marked as the answer to {task_id}. Its first line is missing or changed."
        )
        return Problem("missing", text)
    if len({cell.source.strip() for cell in found}) > 1:
        text = f"{len(found)} different cells are marked as the answer to {task_id}. Keep one."
        return Problem("several", text)
    if found[0].kind != "code":
        return Problem("not-code", f"The answer to {task_id} is no longer a code cell.")
    return found[0]


def answer_sources(cells: Iterable[Cell], exercise: Exercise) -> dict[str, str | Problem]:
    """The source of each task's answer, by task id."""
    known = tuple(cells)
    found = {task.id: find_answer(known, task.id) for task in exercise.tasks}
    return {key: cell if isinstance(cell, Problem) else cell.source for key, cell in found.items()}


def setup_sources(exercise: Exercise) -> tuple[str, ...]:
    """The sources of the setup cells of the pristine notebook; a learner's own do not count."""
    return tuple(c.source for c in read_notebook(exercise.notebook) if c.role == "setup")


def run_answers(
    exercise: Exercise, sources: Mapping[str, str | Problem], setup: Iterable[str] = ()
) -> dict[str, object]:
    """Executes setup and answers in a fresh namespace; returns the answers by task id.

    A cell that raises becomes a ``Problem`` for its own task only.
    """
    namespace: dict[str, Any] = {"__name__": "__answers__"}
    for prepared in setup:
        exec(compile(prepared, "<setup>", "exec"), namespace)
    answers: dict[str, object] = {}
    for task in exercise.tasks:
        source = sources.get(task.id, Problem("missing", f"There is no answer to {task.id}."))
        if isinstance(source, Problem):
            answers[task.id] = source
            continue
        try:
            exec(compile(source, f"<answer {task.id}>", "exec"), namespace)
        except (Exception, SystemExit) as error:
            answers[task.id] = Problem("error", f"The cell raised {one_line(error)}.")
            continue
        if task.name in namespace:
            answers[task.id] = namespace[task.name]
    return answers
