"""A stranger's file: whatever it is, it ends as cells or as a named status."""

from __future__ import annotations

import json
import os

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8snetlib.course.notebook import BadNotebook, answer_sources
from k8snetlib.grade.intake import digest, read_bytes, read_cells
from k8snetlib.grade.marks import SEVERAL, exercise_in_notebook
from k8snetlib.grade.record import STATUSES
from tests.exercises.bank import EXERCISES

E04 = next(exercise for exercise in EXERCISES if exercise.id == "04")
PRISTINE = E04.notebook.read_bytes()


def status_of(path) -> str:
    with pytest.raises(BadNotebook) as caught:
        read_cells(read_bytes(path), path.name)
    assert caught.value.status in STATUSES
    return caught.value.status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", "not-json"),
        (PRISTINE[:-200], "not-json"),
        (b"\xff\xfe{}", "not-json"),
        (b"[" * 200_000, "not-json"),
        (b"[]", "not-a-notebook"),
        (b"null", "not-a-notebook"),
        (b'{"nbformat": 4}', "not-a-notebook"),
        (b'{"nbformat": 5, "cells": []}', "not-a-notebook"),
        (b'{"nbformat": true, "cells": []}', "not-a-notebook"),
        (b'{"nbformat": 3, "worksheets": 7}', "not-a-notebook"),
        (b'{"nbformat": 2}', "not-a-notebook"),
        (b'{"nbformat": "4", "cells": []}', "not-a-notebook"),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else value,
)
def test_a_file_that_is_no_notebook(tmp_path, data, status):
    path = tmp_path / "exercise.ipynb"
    path.write_bytes(data)
    assert status_of(path) == status


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("k8snetlib.grade.intake.MAX_BYTES", 1000)
    path = tmp_path / "exercise.ipynb"
    path.write_bytes(PRISTINE)
    assert status_of(path) == "too-large"


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "device", "link"])
def test_a_file_that_is_not_read(tmp_path, kind):
    """A pipe would let the grader wait for ever; a link may lead to somebody else's work."""
    path = tmp_path / "exercise.ipynb"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = type(path)("/dev/zero")
    elif kind == "link":
        (tmp_path / "theirs.ipynb").write_bytes(PRISTINE)
        path.symlink_to("theirs.ipynb")
    assert status_of(path) == "unreadable"


@pytest.mark.parametrize("version", [2, 3])
def test_an_old_format_keeps_its_answers(version):
    document = nbformat.reads(PRISTINE.decode(), as_version=4)
    old = nbformat.convert(document, 3)
    for cell in old.worksheets[0].cells:
        cell.metadata = dict(cell.metadata)
    data = nbformat.writes(old, 3) if version == 3 else json.dumps(old | {"nbformat": 2})
    sources = answer_sources(read_cells(data.encode(), "old"), E04)
    assert sources == answer_sources(read_cells(PRISTINE, "new"), E04)


@pytest.mark.parametrize(
    ("sources", "exercise"),
    [
        (["# answer: 04.lookup\n"], "04"),
        (["\n# answer: 04.lookup\n", "# answer: 00.first", "# answer: 04.headers"], "04"),
        (["# answer: 04.lookup", "# answer: 00.first"], SEVERAL),
        (["# answer: 99.lookup", "# answer: 00.first"], "00"),
        (["print(1)"], ""),
        ([], ""),
    ],
    ids=["one", "most", "tie", "unknown", "none", "empty"],
)
def test_which_exercise(tmp_path, sources, exercise):
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": [{"source": text} for text in sources]}))
    assert exercise_in_notebook(path, ["00", "04"]) == exercise


def test_a_digest_knows_where_a_part_ends():
    assert digest(b"ab", b"c") != digest(b"a", b"bc")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "source", "metadata", "id", "k8snet", "role", "cell_type", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def ends_well(data: bytes) -> bool:
    """True if cells come out, or a named status."""
    try:
        found = answer_sources(read_cells(data, "x"), E04)
    except BadNotebook as error:
        return error.status in STATUSES
    return set(found) == {task.id for task in E04.tasks}


@given(_JSON, st.sampled_from([1, 2, 3, 4, 5]), st.sampled_from(["cells", "worksheets"]))
@settings(max_examples=200)
def test_any_json_has_a_named_end(cells, version, where):
    """Whatever stands where cells should be."""
    assert ends_well(json.dumps({"nbformat": version, where: cells}).encode())


@given(st.integers(0, len(PRISTINE)), st.binary(max_size=4), st.booleans())
@settings(max_examples=150)
def test_a_damaged_file_has_a_named_end(at, junk, cut):
    assert ends_well(PRISTINE[:at] + junk + (b"" if cut else PRISTINE[at + len(junk) :]))
