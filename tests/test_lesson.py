"""`make lesson`: what it lays out runs, is judged, and is a lesson like the others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib

import pytest

from k8snetlib.course.exercise import read_exercise
from k8snetlib.course.judge import judge
from k8snetlib.course.notebook import answer_sources, read_notebook, run_answers, setup_sources
from tests import test_notebooks
from tests.test_notebooks import ROOT
from tools import course, lesson

NAME = "90_network_policy"


@pytest.fixture
def course_folder(tmp_path):
    """A course with our lessons' index and nothing else."""
    for path in ("notebooks/course.toml", "notebooks/glossary.toml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def test_it_writes_a_course_that_can_be_read(course_folder):
    written = lesson.lay_out(NAME, course_folder)
    assert all((course_folder / path).is_file() for path in written)
    (mine,) = [entry for entry in course.read_course(course_folder).lessons if entry.id == "90"]
    assert mine.title == "Network policy" and (course_folder / mine.path).is_file()
    assert (course_folder / mine.exercise).is_file()
    cards = tomllib.loads((course_folder / "k8snetlib/course/cards/90.toml").read_text())
    assert list(cards) == ["90-first"]


def test_its_exercise_is_judged(course_folder):
    lesson.lay_out(NAME, course_folder)
    found = read_exercise(course_folder / "exercises" / NAME)
    stub = answer_sources(read_notebook(found.notebook), found)
    setup = setup_sources(found)
    assert {i.status for i in judge(found, run_answers(found, stub, setup)).items} == {
        "not-attempted"
    }
    bank = course_folder / "tests/exercises" / NAME
    for path, points, belief in (
        ("solutions/by_the_model.py", 2, None),
        ("misconceptions/KERNEL_ONLY__kernels.py", 0, "KERNEL_ONLY"),
    ):
        source = "# answer: " + (bank / path).read_text().partition("# answer: ")[2]
        report = judge(found, run_answers(found, {"90.first": source}, setup))
        assert report.points == points, str(report)
        assert report.vector["90.first.ttl"][1] == belief


def test_its_notebooks_pass_the_lint(course_folder):
    lesson.lay_out(NAME, course_folder)
    for path in (f"notebooks/{NAME}.ipynb", f"exercises/{NAME}/exercise.ipynb"):
        test_notebooks.test_form(course_folder / path)
    text = test_notebooks.prose(test_notebooks.read(course_folder / f"notebooks/{NAME}.ipynb"))
    assert "you can now" in text and text.count("<details><summary>") == 2


def test_its_code_runs(course_folder):
    lesson.lay_out(NAME, course_folder)
    notebook = json.loads((course_folder / f"notebooks/{NAME}.ipynb").read_text())
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) == 5
    exec("\n".join(line for line in code if "predict(" not in line), {})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("policy", "no name of a lesson. Write it as 14_network_policy"),
        ("../14_x", "no name of a lesson"),
        ("04_again", "There is a lesson 04 already"),
    ],
)
def test_a_bad_name_writes_nothing(course_folder, name, says):
    before = sorted(course_folder.rglob("*"))
    with pytest.raises(ValueError, match=says):
        lesson.lay_out(name, course_folder)
    assert sorted(course_folder.rglob("*")) == before


def test_nothing_is_overwritten(course_folder):
    mine = course_folder / "exercises" / NAME / "checks.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(ValueError, match=r"checks\.py exists already"):
        lesson.lay_out(NAME, course_folder)
    assert mine.read_text() == "mine" and not (course_folder / f"notebooks/{NAME}.ipynb").exists()


@pytest.mark.parametrize(("words", "status"), [([], 2), ([""], 2), (["policy"], 1)])
def test_the_command_says_what_is_wrong(words, status):
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tools/lesson.py"), *words], capture_output=True, text=True
    )
    assert ran.returncode == status and "14_network_policy" in ran.stderr and ran.stdout == ""
