"""The wheel carries the whole package, its data files included, and nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parent.parent
MATERIAL = "k8snetlib/course/material"
NOISE = {".pyc", ".pyo"}


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("wheel"))
    [wheel] = WheelBuilder(str(ROOT)).build(directory=folder, versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_package(names):
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "k8snetlib").rglob("*")
        if path.is_file() and path.suffix not in NOISE
    }
    course = {
        f"{MATERIAL}/{path.relative_to(ROOT).as_posix()}"
        for folder in ("notebooks", "exercises")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in {".ipynb", ".py", ".toml"} and path.name != "ruff.toml"
    } | {f"{MATERIAL}/conftest.py", f"{MATERIAL}/exercises/released.txt"}
    shipped = {name for name in names if ".dist-info/" not in name}
    assert shipped >= package
    assert shipped - package >= course
    rest = shipped - package - course
    assert not rest, "only the package and the course may be in the wheel"


@pytest.mark.parametrize("name", ["METADATA", "entry_points.txt", "licenses/LICENSE"])
def test_what_pip_needs(names, name):
    assert any(n.endswith(f".dist-info/{name}") for n in names), sorted(names)
