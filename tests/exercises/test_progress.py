"""Progress is never lost: not by a broken file, a read-only folder, or two writers at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import pytest

from k8snetlib.course.backup import BadBackup, export_work, restore_work
from k8snetlib.course.progress import (
    BadProgress,
    Entry,
    Store,
    better,
    dump,
    merged,
    parse,
    store_for,
)
from k8snetlib.course.report import ItemResult, TaskResult
from tests.exercises.bank import EXERCISES, ROOT
from tests.exercises.test_nbval import copy


def result(points: int, status: str = "fail") -> TaskResult:
    return TaskResult(
        "04.lookup", "t", (), (ItemResult("04.lookup.a", "t", status, points, 8, ()),)
    )


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path)


def test_it_is_kept_and_read_again(store, tmp_path):
    store.record(result(3))
    store.record(result(8, "pass"))
    assert Store(tmp_path).read() == {"04.lookup": Entry(8, "pass", 2, 0)}
    assert sorted(os.listdir(tmp_path / ".k8snet")) == ["lock", "progress.json"]
    assert store.take_news() == []


def test_points_never_go_down(store):
    store.record(result(8, "pass"))
    store.record(result(0))
    assert store.read()["04.lookup"] == Entry(8, "pass", 2, 0)


def test_an_untouched_task_leaves_no_trace(store, tmp_path):
    store.record(result(0, "not-attempted"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"version": 1}', '{"version": 2, "tasks": {}}',
        '{"version": 1, "tasks": {"a": 1}}', '{"version": 1, "tasks": {"a": {"points": "8"}}}',
        '{"version": 1, "tasks": {"a": {"points": -1}}}',
        '{"version": 1, "tasks": {"a": {"gold": 1}}}', "[" * 100_000,
    ],
    ids=range(11),
)  # fmt: skip
def test_a_broken_file_is_kept_aside(store, tmp_path, text):
    folder = tmp_path / ".k8snet"
    folder.mkdir()
    for number in (1, 2):
        (folder / "progress.json").write_text(text)
        store.record(result(number))
        assert (folder / f"progress.json.broken-{number}").read_text() == text
        news = store.take_news()
        assert len(news) == 1 and f"progress.json.broken-{number}" in news[0]
        assert store.take_news() == []
        assert store.read()["04.lookup"].points == number


def test_bytes_that_are_no_text_are_kept_aside(store, tmp_path):
    (tmp_path / ".k8snet").mkdir()
    (tmp_path / ".k8snet" / "progress.json").write_bytes(b"\xff\xfe")
    assert store.read() == {}
    assert (tmp_path / ".k8snet" / "progress.json.broken-1").read_bytes() == b"\xff\xfe"


@pytest.mark.parametrize("step", ["mkdir", "mkstemp", "replace"])
def test_a_read_only_folder_costs_only_memory(store, tmp_path, monkeypatch, step):
    """Root may write anywhere, so the refusal is played."""

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    target = {"mkdir": "pathlib.Path.mkdir", "mkstemp": "tempfile.mkstemp", "replace": "os.replace"}
    monkeypatch.setattr(target[step], refuse)
    store.record(result(3))
    news = store.take_news()
    assert len(news) == 1 and "Permission denied" in news[0] and "kernel" in news[0]
    store.record(result(8, "pass"))
    assert store.take_news() == []
    assert store.read()["04.lookup"] == Entry(8, "pass", 2, 0)
    folder = tmp_path / ".k8snet"
    assert not folder.exists() or set(os.listdir(folder)) <= {"lock"}


def test_what_cannot_be_moved_is_not_written_over(store, tmp_path, monkeypatch):
    path = tmp_path / ".k8snet" / "progress.json"
    path.parent.mkdir()
    path.write_text("{")

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    store.record(result(3))
    assert path.read_text() == "{"
    assert store.read()["04.lookup"].points == 3
    assert len(store.take_news()) == 1


WRITER = """
import sys
from pathlib import Path
from k8snetlib.course.progress import Store
store = Store(Path(sys.argv[1]))
for n in range(40):
    store.update(f"{sys.argv[2]}.{n}", lambda entry: entry._replace(points=n))
    store.read()
assert not store.take_news()
"""


def test_writers_at_once_lose_nothing(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    start = [sys.executable, "-c", WRITER, str(tmp_path)]
    running = [subprocess.Popen([*start, name], env=environment) for name in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    state = Store(tmp_path).read()
    assert len(state) == 120
    assert all(entry.points == int(task[2:]) for task, entry in state.items())
    assert sorted(os.listdir(tmp_path / ".k8snet")) == ["lock", "progress.json"]


@pytest.mark.parametrize(
    ("one", "other", "best"),
    [
        (Entry(3, "fail", 1, 2), Entry(8, "pass", 4, 0), Entry(8, "pass", 4, 2)),
        (Entry(8, "pass", 1, 0), Entry(8, "fail", 1, 0), Entry(8, "pass", 1, 0)),
        (Entry(0, "not-attempted", 0, 3), Entry(0, "fail", 1, 0), Entry(0, "fail", 1, 3)),
    ],
)
def test_the_better_of_two(one, other, best):
    assert better(one, other) == best


def test_merging_keeps_every_task():
    assert set(merged({"a": Entry(1)}, {"b": Entry(2)})) == {"a", "b"}


def test_a_dump_is_a_json_document():
    state = {"00.first": Entry(5, "pass", 1, 0)}
    assert parse(dump(state)) == state
    assert json.loads(dump(state))["version"] == 1
    with pytest.raises(BadProgress, match="version 9"):
        parse('{"version": 9, "tasks": {}}')


# -- export and restore ---------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path):
    """A course folder of its own, with all exercises."""
    for exercise in EXERCISES:
        copy(exercise, tmp_path / "a" / "exercises" / exercise.folder.name, None)
    return tmp_path / "a"


def test_work_goes_out_and_comes_back(course, tmp_path):
    store_for(course).record(result(8, "pass"))
    book = course / "exercises" / EXERCISES[0].folder.name / "exercise.ipynb"
    written = book.read_text() + "\n"
    book.write_text(written)
    file = export_work(tmp_path / "work.zip", course)
    book.write_text('{"nbformat": 4, "cells": []}')
    (course / ".k8snet" / "progress.json").unlink()
    done = restore_work(file, course)
    assert len(done) == 2 and EXERCISES[0].folder.name in done[1]
    assert book.read_text() == written
    assert (
        book.with_name("exercise.ipynb.before-restore-1").read_text()
        == '{"nbformat": 4, "cells": []}'
    )
    assert store_for(course).read()["04.lookup"].points == 8
    assert len(restore_work(file, course)) == 1, "nothing differs any more"


@pytest.mark.parametrize(
    "members",
    [
        None,
        {},
        {"progress.json": "{"},
        {"progress.json": dump({}), "exercises/00_start_here/exercise.ipynb": "no"},
    ],
    ids=["no-zip", "empty", "broken-progress", "broken-notebook"],
)
def test_what_is_no_backup_changes_nothing(course, tmp_path, members):
    file = tmp_path / "work.zip"
    if members is None:
        file.write_text("hello")
    else:
        with zipfile.ZipFile(file, "w") as archive:
            for name, text in members.items():
                archive.writestr(name, text)
    books = {path: path.read_bytes() for path in course.rglob("*.ipynb")}
    with pytest.raises(BadBackup, match=r"work\.zip cannot be used"):
        restore_work(file, course)
    assert {path: path.read_bytes() for path in course.rglob("*.ipynb")} == books


def test_a_stranger_in_the_zip_is_not_unpacked(course, tmp_path):
    file = tmp_path / "work.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("progress.json", dump({}))
        archive.writestr("../evil.txt", "x")
        archive.writestr("exercises/99_no/exercise.ipynb", "x")
    before = set(tmp_path.rglob("*"))
    restore_work(file, course)
    new = set(tmp_path.rglob("*")) - before
    # Reading an exercise leaves bytecode, unless PYTHONDONTWRITEBYTECODE is set.
    assert not [p for p in new if not {".k8snet", "__pycache__"} & set(p.parts)]
