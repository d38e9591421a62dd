"""Binder can build this: what repo2docker makes of ``binder/``, rendered without Docker.

repo2docker needs an environment of its own (``.venv-binder``), which make, or this test, builds
once. ``make binder`` goes on from here and replays the build for real.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def rendered():
    build = [sys.executable, "tools/environment.py", ".venv-binder", "-e", ".[binder]"]
    python = ROOT / ".venv-binder" / "bin" / "python"
    if not python.exists():
        subprocess.run(build, cwd=ROOT, check=True)
    ran = subprocess.run(
        [str(python), "tools/binder.py", "render"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    ("fact", "pattern"),
    [
        ("buildpack", r"^PythonBuildPack$"),
        ("python", r"^3\.11$"),
        ("base_image", r"buildpack-deps:\d\d\.\d\d$"),
        ("dockerfile", r"(?m)^RUN \./binder/postBuild$"),
        ("dockerfile", r"chmod \+x ['\"]?\.?/?binder/postBuild"),
    ],
    ids=["buildpack", "python", "base-image", "runs-postBuild", "postBuild-executable"],
)
def test_rendered(rendered, fact, pattern):
    assert re.search(pattern, rendered[fact]), rendered[fact]


def test_our_package_is_installed_after_it_was_copied(rendered):
    lines = rendered["dockerfile"].splitlines()
    copied = [n for n, line in enumerate(lines) if re.match(r"COPY\b.* src/ ", line)]
    installed = [n for n, line in enumerate(lines) if re.search(r"pip install .*binder/req", line)]
    assert len(installed) == 1, rendered["dockerfile"]
    assert copied and copied[0] < installed[0], "pip would run where there is no source yet"


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_scripts_say_who_runs_them(name):
    script = ROOT / "binder" / name
    if name == "start" and not script.exists():
        return
    assert script.read_text().startswith("#!/"), "without it the kernel cannot run the script"


def test_binder_installs_the_course():
    wanted = (ROOT / "binder" / "requirements.txt").read_text().split()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert wanted == [".[course]"]
    assert not [need for need in extras["course"] if need.startswith(("jupyterlab", "notebook"))]
