"""The scripts behind make: stored notebooks without noise, environments that know their recipe."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat.v4 as v4
import pytest

from tools import environment, notebooks


def out(name, text):
    return v4.new_output("stream", name=name, text=text)


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        pytest.param([], [], id="none"),
        pytest.param([("stdout", "a"), ("stdout", "b")], [("stdout", "ab")], id="joined"),
        pytest.param(
            [("stdout", "a"), ("stderr", "b"), ("stdout", "c")],
            [("stdout", "a"), ("stderr", "b"), ("stdout", "c")],
            id="two-streams-stay-apart",
        ),
    ],
)
def test_printed_text_is_one_piece(pieces, whole):
    joined = notebooks.joined([out(*piece) for piece in pieces])
    assert [(o.name, o.text) for o in joined] == whole


def test_a_picture_ends_a_piece_of_text():
    picture = v4.new_output("display_data", {"text/html": "<svg/>"})
    outputs = [out("stdout", "a"), picture, out("stdout", "b")]
    assert notebooks.joined(outputs) == outputs


def test_only_what_a_lesson_says_is_stored():
    cell = v4.new_code_cell(
        "x", metadata={"execution": {"iopub.status.busy": "now"}, "tags": ["t"]}
    )
    view = {notebooks.WIDGET_VIEW: {"model_id": "random"}, "text/html": "<svg/>"}
    cell.outputs = [v4.new_output("display_data", view)]
    notebook = v4.new_notebook(cells=[cell], metadata={"widgets": {}, "title": "kept"})
    notebooks.quieten(notebook)
    assert dict(cell.metadata) == {"tags": ["t"]}
    assert dict(cell.outputs[0].data) == {"text/html": "<svg/>"}
    assert dict(notebook.metadata) == {
        "title": "kept",
        "kernelspec": notebooks.KERNEL,
        "language_info": {"name": "python"},
    }


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Which environments were built, without building any."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text("one")
    log = []

    def create(folder: Path) -> None:
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "python").touch()
        log.append(folder.name)

    monkeypatch.setattr(environment, "create", create)
    monkeypatch.setattr(environment, "install", lambda folder, requirements: None)

    def run(*arguments: str) -> list[str]:
        log.clear()
        monkeypatch.setattr(sys, "argv", ["environment.py", *arguments])
        environment.main()
        return list(log)

    run.root = tmp_path
    return run


def test_an_environment_is_built_once(built):
    assert built(".venv-x", "a") == [".venv-x"]
    assert built(".venv-x", "a") == []


def test_other_requirements_or_pyproject_build_it_again(built):
    built(".venv-x", "a")
    assert built(".venv-x", "b") == [".venv-x"]
    (built.root / "pyproject.toml").write_text("two")
    assert built(".venv-x", "b") == [".venv-x"]


def test_a_moved_folder_builds_it_again(built, tmp_path, monkeypatch):
    built(".venv-x", "a")
    moved = tmp_path.with_name("moved here")
    tmp_path.rename(moved)
    monkeypatch.setattr(environment, "ROOT", moved)
    assert built(".venv-x", "a") == [".venv-x"]


def test_a_failed_installation_is_not_remembered(built, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(environment, "install", lambda folder, requirements: sys.exit("no network"))
        with pytest.raises(SystemExit, match="no network"):
            built(".venv-x", "a")
    assert built(".venv-x", "a") == [".venv-x"]
