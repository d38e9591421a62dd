"""Real nbval, real kernels: the untouched exercise, one solution and one misconception of each.

One pytest process an exercise runs them, on copies outside the repository, and leaves a JUnit file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from k8snetlib.course.exercise import Exercise
from k8snetlib.course.notebook import cell_id
from tests.exercises.bank import EXERCISES, ROOT, Answer, judged, misconceptions, name_of, solutions

exercises = pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)

VARIANTS = ("stub", "solution", "misconception")


def answer_of(exercise: Exercise, variant: str) -> Answer | None:
    if variant == "stub":
        return None
    return (solutions if variant == "solution" else misconceptions)(exercise)[0]


def copy(exercise: Exercise, to: Path, answer: Answer | None) -> None:
    """The exercise's folder with an answer typed in."""
    shutil.copytree(exercise.folder, to, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    if answer is None:
        return
    path = to / "exercise.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    by_id = {cell["id"]: cell for cell in notebook["cells"]}
    for task_id, source in answer.sources.items():
        by_id[cell_id(task_id)]["source"] = source
    path.write_text(json.dumps(notebook), encoding="utf-8")


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`pytest --nbval-lax` as a learner or a grader starts it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no"]
    command += ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=30"]
    return subprocess.run(
        [*command, *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


class Results(dict[tuple[str, str], dict[str, str | None]]):
    """(exercise, variant) -> cell id -> why the cell failed, or None. An exercise is run, all
    variants in one process, when somebody first asks for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, key: tuple[str, str]) -> dict[str, str | None]:
        exercise = next(e for e in EXERCISES if e.folder.name == key[0])
        folder = self.folder / key[0]
        for variant in VARIANTS:
            copy(exercise, folder / variant / key[0], answer_of(exercise, variant))
        done = run(folder, "-p", "k8snetlib.course.nbval_plugin", "--junitxml=junit.xml", ".")
        assert (folder / "junit.xml").exists(), done.stdout + done.stderr
        self.update({(key[0], variant): {} for variant in VARIANTS})
        for case in ET.parse(folder / "junit.xml").iter("testcase"):
            self._note(case)
        return self[key]

    def _note(self, case: ET.Element) -> None:
        variant, slug = case.attrib["classname"].split(".")[:2]
        failure = case.find("failure")
        assert case.find("error") is None, ET.tostring(case, encoding="unicode")
        text = None if failure is None else (failure.text or "?")
        if case.find("skipped") is not None:
            text = "skipped"
        property_ = case.find("properties/property[@name='cell_id']")
        assert property_ is not None
        self[slug, variant][property_.attrib["value"]] = text


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Results:
    return Results(tmp_path_factory.mktemp("nbval"))


def failures(results, exercise: Exercise, variant: str) -> dict[str, str]:
    return {cell: text for cell, text in results[exercise.folder.name, variant].items() if text}


def check_cell(task_id: str) -> str:
    return cell_id(task_id).replace("ans-", "chk-")


@exercises
def test_the_stub_fails_in_the_right_way(results, exercise):
    failed = failures(results, exercise, "stub")
    assert set(failed) == {check_cell(task.id) for task in exercise.tasks}
    for task in exercise.tasks:
        text = failed[check_cell(task.id)]
        assert f"{task.id}: not attempted, 0 of {task.points} points" in text
        for trace in ("Traceback", "CheckFailed", ".py", "line ", "Cell "):
            assert trace not in text, text


@exercises
def test_a_solution_passes(results, exercise):
    assert failures(results, exercise, "solution") == {}
    ran = results[exercise.folder.name, "solution"]
    assert {check_cell(task.id) for task in exercise.tasks} <= set(ran)


@exercises
def test_a_misconception_fails_at_its_own_check(results, exercise):
    answer = misconceptions(exercise)[0]
    failed = failures(results, exercise, "misconception")
    tasks = {item.rpartition(".")[0] for item in answer.finds}
    assert set(failed) == {check_cell(task_id) for task_id in tasks}
    report = judged(answer.name, exercise, 1)
    for task in (task for task in report.tasks if task.id in tasks):
        text = failed[check_cell(task.id)]
        for finding in (f for item in task.items for f in item.findings):
            assert finding.text in text
        assert "Traceback" not in text and "CheckFailed" not in text


def test_as_a_learner_types_it(tmp_path):
    """From the course's own folder, where conftest.py loads the rules: stub fails, rc 1."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    copy(EXERCISES[0], tmp_path / "exercises" / EXERCISES[0].folder.name, None)
    done = run(tmp_path, f"exercises/{EXERCISES[0].folder.name}", "--override-ini=pythonpath=")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not attempted" in done.stdout
    assert "1 failed" in done.stdout
    assert not (tmp_path / ".k8snet").exists(), "a test run is no progress"


def test_run_all_goes_on_in_a_notebook(tmp_path):
    """Outside nbval a failed check raises nothing, and shows text and HTML."""
    import nbformat
    from nbclient import NotebookClient

    exercise = EXERCISES[-1]
    answer = misconceptions(exercise)[0]
    folder = tmp_path / "exercises" / exercise.folder.name
    copy(exercise, folder, answer)
    notebook = nbformat.read(folder / "exercise.ipynb", as_version=4)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {k: v for k, v in os.environ.items() if k != "K8SNET_NBVAL"}
    client = NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment | {"PYTHONPATH": path})
    by_id = {cell.id: cell for cell in notebook.cells}
    for task in exercise.tasks:
        (output,) = by_id[check_cell(task.id)].outputs
        assert output.output_type == "display_data"
        assert output.data["text/plain"].startswith(f"{task.id}: ")
        assert "<details>" in output.data["text/html"] or "right" in output.data["text/plain"]
    progress = json.loads((tmp_path / ".k8snet" / "progress.json").read_text())
    assert set(progress["tasks"]) == {task.id for task in exercise.tasks}
