"""A teacher hears of an exercise that was edited since its release."""

from __future__ import annotations

import json
import shutil

import pytest

from k8snetlib.course.exercise import Exercise, read_exercise
from k8snetlib.grade.gradebook import grades_json, make_book
from k8snetlib.grade.overview import overview_html
from k8snetlib.grade.released import MANIFEST, compared, exercise_hash, manifest_text
from tests.exercises.bank import EXERCISES, ROOT
from tests.grade.records import E04, graded


def test_the_manifest_is_fresh():
    """After an exercise was changed on purpose: python tools/released.py"""
    stored = (ROOT / "exercises" / MANIFEST).read_text(encoding="utf-8")
    assert stored == manifest_text(EXERCISES)


@pytest.fixture
def copy(tmp_path) -> Exercise:
    """Exercise 04 in a folder that may be edited."""
    shutil.copytree(E04.folder, tmp_path / E04.folder.name)
    shutil.copy(ROOT / "exercises" / MANIFEST, tmp_path)
    return read_exercise(tmp_path / E04.folder.name)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (None, "as released"),
        ("exercise.ipynb", "changed since the release"),
        ("exercise.toml", "changed since the release"),
        ("checks.py", "changed since the release"),
        ("checks_more.py", "changed since the release"),
        ("notes.txt", "as released"),
        (f"../{MANIFEST}", "no release of it is known"),
    ],
)
def test_what_counts_as_a_change(copy, file, said):
    if file:
        with (copy.folder / file).open("a") as opened:
            opened.write("\n")
    if file == f"../{MANIFEST}":
        (copy.folder / file).write_text("05_other abc\nhalf a line and more\n")
    assert compared(copy, exercise_hash(copy)) == said


def test_the_teacher_reads_it():
    """Page and JSON name each fingerprint that was used, and say what it is."""
    now = exercise_hash(E04)
    book = make_book([graded("ada", pristine=now), graded("bob", pristine="f" * 64)], [E04])
    page = overview_html(book)
    assert f"Exercise 04: as released <code>{now[:12]}</code>" in page
    assert "Exercise 04: changed since the release <code>ffffffffffff</code>" in page
    (told,) = json.loads(grades_json(book))["exercises"]
    assert told["graded_with"] == {now: "as released", "f" * 64: "changed since the release"}
