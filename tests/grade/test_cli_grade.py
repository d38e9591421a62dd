"""``k8snet grade`` as a teacher types it: each thing that can be wrong has one clear line."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from k8snetlib import cli, cli_grade
from k8snetlib.grade import sandbox
from k8snetlib.grade.record import Graded
from tests.exercises.bank import EXERCISES

NOTEBOOK = EXERCISES[0].notebook


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.main, ["grade", *words])
    return done.exit_code, done.output


@pytest.fixture
def submissions(tmp_path):
    folder = tmp_path / "submissions"
    (folder / "ada").mkdir(parents=True)
    (folder / "ada" / "exercise.ipynb").write_bytes(NOTEBOOK.read_bytes())
    return folder


def test_a_path_that_is_not_there(tmp_path):
    status, said = run(str(tmp_path / "nowhere"), "--out", str(tmp_path / "out"))
    assert status == 2 and "There is no file or folder" in said
    assert not (tmp_path / "out").exists()


def test_a_folder_without_submissions(tmp_path):
    (tmp_path / "empty").mkdir()
    status, said = run(str(tmp_path / "empty"), "--out", str(tmp_path / "out"))
    assert status == 2 and "no submission" in said
    assert not (tmp_path / "out").exists()


def test_an_output_folder_in_use(tmp_path, submissions):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    status, said = run(str(submissions), "--out", str(tmp_path / "out"))
    assert status == 2 and "is not empty" in said and "--resume" in said
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_an_output_folder_that_is_a_file(tmp_path, submissions):
    (tmp_path / "out").write_text("")
    status, said = run(str(submissions), "--out", str(tmp_path / "out"))
    assert status == 2 and "Cannot use" in said


def test_no_isolation(tmp_path, submissions, monkeypatch):
    """Limits alone are not taken unless somebody says so."""
    monkeypatch.setattr(sandbox, "_trial", lambda fence: "no such thing.")
    status, said = run(str(submissions), "--out", str(tmp_path / "out"))
    assert status == 2
    assert "cannot be isolated" in said and "bubblewrap" in said and "--weak-isolation" in said


@pytest.mark.parametrize(
    ("works", "weak", "chosen"),
    [
        (("bubblewrap", "namespaces", "limits"), False, "bubblewrap"),
        (("namespaces", "limits"), True, "namespaces"),
        (("limits",), True, "limits"),
        (("limits",), False, None),
        ((), True, None),
    ],
)
def test_the_strongest_fence_is_chosen(tmp_path, monkeypatch, works, weak, chosen):
    monkeypatch.setattr(sandbox, "_trial", lambda fence: "" if fence.name in works else "no.")
    if chosen is None:
        with pytest.raises(sandbox.NoFence):
            sandbox.choose_fence(tmp_path, weak=weak)
        return
    fence = sandbox.choose_fence(tmp_path, weak=weak)
    assert fence.name == chosen
    assert fence.weak == ("WEAK" in fence.text) == (chosen == "limits")


def test_a_trial_that_sees_the_grader_fails(tmp_path, monkeypatch):
    """A fence that shows this machine's files is none, even if Python starts behind it."""
    site = tmp_path / "site"
    site.mkdir()
    fence = sandbox.Fence("bubblewrap", "", sandbox.stage(site))
    bare = [*sandbox.python_inside()]
    monkeypatch.setattr(sandbox, "_bubblewrap", lambda site: bare)
    monkeypatch.setattr(sandbox, "SITE", str(site))
    monkeypatch.setattr(sandbox, "CWD", str(tmp_path))
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert "the grader can be seen" in sandbox._trial(fence)


@pytest.mark.parametrize(
    ("status", "exit_status"),
    [("graded", 0), ("not-json", 0), ("time-limit", 0), ("internal-error", 3), ("ambiguous", 3)],
)
def test_exit_status(tmp_path, capsys, status, exit_status):
    record = Graded("ada", "04", "ada.ipynb", status)
    assert cli_grade._summary([record], tmp_path, 7) == exit_status
    assert ("to look at: ada.ipynb" in capsys.readouterr().out) == (exit_status == 3)
