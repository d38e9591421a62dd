"""The holes of nbval that ``k8snetlib.course.nbval_plugin`` closes, each as a small notebook.

All notebooks run in one pytest of their own; its JUnit report is what the table is compared with.
"""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat.v4 as v4
import pytest

ROOT = Path(__file__).resolve().parent.parent
CAUGHT = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass"

#: name, flag, cells as (source, stored output or None for "never run"), the last cell's fate
TABLE = [
    ("good", "--nbval", [("print(1)", "1\n")], "passed"),
    ("other-output", "--nbval", [("print(1)", "2\n")], "outputs differ"),
    ("never-run", "--nbval", [("print(1)", None)], "no stored outputs"),
    ("never-run-but-empty", "--nbval", [("", None)], "passed"),
    ("never-run-on-purpose", "--nbval", [("# NBVAL_IGNORE_OUTPUT\nprint(1)", None)], "passed"),
    ("lax-never-run", "--nbval-lax", [("print(1)", None)], "passed"),
    ("lax-fails", "--nbval-lax", [("assert 1 == 2", None)], "AssertionError"),
    ("lax-dead-kernel", "--nbval-lax", [("import os\nos._exit(1)", None)], "kernel died"),
    ("lax-time-out", "--nbval-lax", [("while True: pass", None)], "Timeout of 2 seconds"),
    ("lax-swallowed", "--nbval-lax", [(CAUGHT, None)], "caught the interrupt"),
]


def write(path, cells):
    notebook = v4.new_notebook()
    for n, (source, stored) in enumerate(cells):
        cell = v4.new_code_cell(source, id=f"cell-{n}")
        if stored is not None:
            cell.execution_count = n + 1
            cell.outputs = [v4.new_output("stream", name="stdout", text=stored)]
        notebook.cells.append(cell)
    path.write_text(v4.writes(notebook))


def pytest_run(folder, *arguments):
    plugin = ["-p", "k8snetlib.course.nbval_plugin"]
    alone = ["-c", "/dev/null", "--rootdir", str(folder), "-q", "--color=no"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *alone, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module", params=["--nbval", "--nbval-lax"])
def report(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    for name, flag, cells, _ in TABLE:
        if flag == request.param:
            write(folder / f"{name}.ipynb", cells)
    junit = folder / "junit.xml"
    limit = ["--nbval-current-env", "--nbval-cell-timeout=2", f"--junitxml={junit}"]
    ran = pytest_run(folder, request.param, *limit, str(folder))
    assert junit.exists(), ran.stdout + ran.stderr
    return request.param, {case.get("classname"): case for case in ET.parse(junit).iter("testcase")}


def test_fates(report):
    flag, cases = report
    for name, wanted_flag, _, fate in TABLE:
        if wanted_flag != flag:
            continue
        case = cases[f"{name}.ipynb"]
        told = "".join(child.text or "" for child in case if child.tag in ("failure", "error"))
        assert (fate in told) if fate != "passed" else not told, f"{name}: {told or 'passed'}"


def test_cell_ids_are_in_the_report(report):
    for case in report[1].values():
        assert [p.get("value") for p in case.iter("property")] == ["cell-0"]


def test_torn_notebooks_are_refused(tmp_path):
    write(tmp_path / "a.ipynb", [("x = 1", None), ("x", None)])
    ran = pytest_run(tmp_path, "--nbval-lax", "-n", "2", str(tmp_path))
    assert ran.returncode == 4
    assert "--dist loadfile" in ran.stderr


@pytest.mark.parametrize(
    ("given", "used"),
    [([], "60.0"), (["--nbval-cell-timeout=7"], "7.0")],
    ids=["default", "given"],
)
def test_cell_time_limit(tmp_path, given, used):
    (tmp_path / "conftest.py").write_text(
        "def pytest_report_header(config):\n    return f'{config.option.nbval_cell_timeout=}'\n"
    )
    write(tmp_path / "a.ipynb", [("x = 1", None)])
    ran = pytest_run(tmp_path, "-v", "--nbval-lax", "--collect-only", *given, str(tmp_path))
    assert f"nbval_cell_timeout={used}" in ran.stdout, ran.stdout + ran.stderr


def test_without_notebooks_it_imports_nothing():
    script = "import k8snetlib.course.nbval_plugin, sys; sys.exit('nbval' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0
