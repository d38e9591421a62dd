"""Damaged notebooks: every one is a row with a named status, or an answer for each task."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from k8snetlib.course.collect import Problem
from k8snetlib.course.notebook import BadNotebook, answer_sources
from k8snetlib.grade.intake import read_bytes, read_cells
from k8snetlib.grade.layouts import find_submissions
from k8snetlib.grade.record import STATUSES
from tests.grade.mutants import KINDS, mutant
from tests.grade.records import E04

GOOD = E04.notebook.read_bytes()
#: What a task's answer may be, if it is no source.
PROBLEMS = {"missing", "several", "not-code", "error"}


def what_becomes_of(data: bytes) -> str:
    """The one row of a file, as far as intake goes: its status, or ``taken``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "class" / "ada_04.ipynb"
        path.parent.mkdir()
        path.write_bytes(data)
        found = find_submissions([path.parent], Path(folder) / "unpacked", ("00", "04"))
        assert len(found.submissions) + len(found.refused) == 1 and not found.left_out
        if found.refused:
            assert found.refused[0].text
            return found.refused[0].status
        assert found.submissions[0].learner == "ada"
        try:
            cells = read_cells(read_bytes(found.submissions[0].path), path.name)
            sources = answer_sources(cells, E04)
        except BadNotebook as error:
            return error.status
    assert sources.keys() == {task.id for task in E04.tasks}
    for source in sources.values():
        if isinstance(source, Problem):
            assert source.status in PROBLEMS and source.text
        else:
            assert isinstance(source, str)
    return "taken"


def test_an_unharmed_notebook_is_taken() -> None:
    assert what_becomes_of(GOOD) == "taken"


@settings(max_examples=400)
@given(st.randoms(use_true_random=False))
def test_a_damaged_notebook(dice: random.Random) -> None:
    assert what_becomes_of(mutant(GOOD, dice)) in {*STATUSES, "taken"}


@settings(max_examples=200)
@given(st.binary(max_size=2000))
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 100_000)
@example(b'{"cells": [], "nbformat": ' + b"9" * 5000 + b"}")
@example(b'{"nbformat": 4, "cells": {"0": 1}}')
@example(b'{"nbformat": 3, "worksheets": [null]}')
@example(b"%PDF-1.7")
@example(b"PK\x03\x04")
def test_any_bytes(data: bytes) -> None:
    assert what_becomes_of(data) in STATUSES


def test_a_file_beyond_the_cap() -> None:
    assert what_becomes_of(GOOD + b" " * 20_000_001) == "too-large"


@pytest.mark.parametrize(
    "kind", sorted(set(KINDS), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__
)
def test_every_kind_of_damage_is_real(kind: object) -> None:
    """A mutator that changed nothing would prove nothing."""
    assert callable(kind)
    changed = [kind(GOOD, random.Random(seed)) != GOOD for seed in range(20)]
    assert sum(changed) >= 15
