"""Answer cells are found by two of their three marks; everything else has a status of its own."""

from __future__ import annotations

import json

import nbformat
import pytest

from k8snetlib.course.collect import Problem
from k8snetlib.course.notebook import (
    BadNotebook,
    Cell,
    answer_sources,
    cell_id,
    find_answer,
    parse_notebook,
    read_notebook,
    run_answers,
)
from tests.exercises.bank import EXERCISES, name_of

T = "04.lookup"
FOUR = next(e for e in EXERCISES if e.id == "04")
FULL = Cell("ans-04-lookup", "code", f"# answer: {T}\nx = 1", "answer", T)
OTHER = Cell("chk-04-lookup", "code", 'check("04.lookup")', "check", T)
COPY = FULL._replace(id="a1b2c3")

exercises = pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)


@pytest.mark.parametrize(
    "cell",
    [
        FULL,
        FULL._replace(id="deadbeef"),
        FULL._replace(role="", answers=""),
        FULL._replace(source="x = 1"),
        FULL._replace(source=f"\n  #  answer:  {T}  \nx = 1"),
    ],
    ids=["all-marks", "id-lost", "metadata-lost", "first-line-lost", "spaces"],
)
def test_one_mark_may_be_lost(cell):
    assert find_answer([OTHER, cell], T) is cell


@pytest.mark.parametrize(
    ("cells", "status"),
    [
        ([], "missing"),
        ([OTHER], "missing"),
        ([FULL._replace(id="x", role="")], "missing"),
        ([FULL._replace(source="y", answers="04.other")], "missing"),
        ([FULL, COPY._replace(source=f"# answer: {T}\nx = 2")], "several"),
        ([FULL._replace(kind="markdown")], "not-code"),
    ],
    ids=["empty", "check-only", "one-mark", "other-task", "two-differ", "markdown"],
)
def test_what_is_not_found_has_a_status(cells, status):
    found = find_answer(cells, T)
    assert isinstance(found, Problem) and found.status == status
    assert T in found.text


def test_a_copy_that_says_the_same_is_no_problem():
    assert find_answer([FULL, COPY], T) == FULL


def test_order_and_place_mean_nothing():
    exercise = FOUR
    cells = read_notebook(exercise.notebook)
    assert answer_sources(cells[::-1], exercise) == answer_sources(cells, exercise)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", "not-json"),
        (b"\xff\xfe\x00", "not-json"),
        (b"{", "not-json"),
        (b"[" * 100_000, "not-json"),
        (b"[]", "not-a-notebook"),
        (b'{"cells": []}', "not-a-notebook"),
        (b'{"cells": {}, "nbformat": 4}', "not-a-notebook"),
        (b'{"worksheets": [], "nbformat": 3}', "not-a-notebook"),
    ],
    ids=["empty", "binary", "cut-off", "deep", "list", "no-format", "cells-dict", "format-3"],
)
def test_a_broken_file_has_a_status(data, status):
    with pytest.raises(BadNotebook) as caught:
        parse_notebook(data, "exercise.ipynb")
    assert caught.value.status == status
    assert "exercise.ipynb" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadNotebook, match="cannot be read"):
        read_notebook(tmp_path / "no.ipynb")


@pytest.mark.parametrize(
    "cell",
    [
        1,
        None,
        {},
        {"source": 7},
        {"source": [1, "a"]},
        {"metadata": []},
        {"metadata": {"k8snet": 1}},
    ],
    ids=repr,
)
def test_an_odd_cell_is_no_answer(cell):
    data = json.dumps({"nbformat": 4, "cells": [cell]}).encode()
    assert isinstance(find_answer(parse_notebook(data), T), Problem)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def lookup(:", "The cell raised SyntaxError"),
        ("x = 1 / 0", "The cell raised ZeroDivisionError: division by zero (line 1)."),
        ("import sys; sys.exit()", "The cell raised SystemExit"),
    ],
)
def test_a_cell_that_raises_is_a_problem_of_its_task_alone(source, text):
    exercise = FOUR
    answers = run_answers(exercise, {T: source, "04.headers": "headers = {}"})
    problem = answers[T]
    assert isinstance(problem, Problem) and problem.status == "error"
    assert problem.text.startswith(text)
    assert answers["04.headers"] == {}


@exercises
def test_the_notebook_itself(exercise):
    """What the house asks of every exercise notebook."""
    notebook = nbformat.read(exercise.notebook, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert notebook.cells[0].cell_type == "markdown"
    heads = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("#")
    ]
    assert heads[0].startswith("# ") and not any(head.startswith("# ") for head in heads[1:])
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            assert len(cell.source.splitlines()) <= 10, cell.id
    for task in exercise.tasks:
        assert f"## Task `{task.id}`" in str(heads) or f"## Stretch task `{task.id}`" in str(heads)
        marked = notebook.cells[ids.index(cell_id(task.id))]
        assert marked.metadata.k8snet == {"role": "answer", "id": task.id}
        assert marked.source.startswith(f"# answer: {task.id}\n")
        check = notebook.cells[ids.index(cell_id(task.id).replace("ans-", "chk-"))]
        assert check.source == f'check("{task.id}")'


@exercises
def test_the_core_fits_in_half_an_hour(exercise):
    core = [task for task in exercise.tasks if task.level == "core"]
    assert sum(task.minutes for task in core) <= 30
    assert len(core) == (1 if exercise.id == "00" else 3)
