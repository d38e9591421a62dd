"""Builds one virtual environment, or leaves it alone if nothing has changed.

    python3 tools/environment.py .venv-test -e '.[test]'

An environment remembers what it was made from: this folder, this Python, these requirements and
the text of pyproject.toml. If any of them differs it is built afresh, so that a package we no
longer ask for cannot linger. Called by make; needs nothing but Python.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECIPE = "k8snet-recipe.json"


def recipe(requirements: list[str]) -> str:
    """Everything an environment depends on, as text."""
    pyproject = (ROOT / "pyproject.toml").read_bytes()
    return json.dumps(
        {
            "folder": str(ROOT),
            "python": [sys.executable, sys.version],
            "requirements": requirements,
            "pyproject": hashlib.sha256(pyproject).hexdigest(),
        },
        indent=1,
    )


def create(folder: Path) -> None:
    """An empty environment with pip; says in one sentence what is missing if it cannot be made."""
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True
    )
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(
            f"{sys.executable} cannot make a virtual environment: install its venv module "
            f"(on Debian and Ubuntu: apt-get install python3-venv).\n{made.stderr.strip()}"
        )


def install(folder: Path, requirements: list[str]) -> None:
    """Installs with the environment's own pip, quietly."""
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq"]
    pip += ["--disable-pip-version-check", *requirements]
    if subprocess.run(pip, cwd=ROOT).returncode:
        sys.exit(f"pip could not fill {folder.name}; what it said stands above. Is the network up?")


def main() -> None:
    """Builds the environment named on the command line if it is not up to date."""
    if len(sys.argv) < 3:
        sys.exit("usage: environment.py FOLDER REQUIREMENT...")
    folder, requirements = ROOT / sys.argv[1], sys.argv[2:]
    wanted = recipe(requirements)
    note = folder / RECIPE
    if (folder / "bin" / "python").exists() and note.exists() and note.read_text() == wanted:
        return
    print(f"Building {folder.name} (once; a minute or so, from the network) …", flush=True)
    began = time.monotonic()
    create(folder)
    install(folder, requirements)
    note.write_text(wanted)
    print(f"{folder.name} is ready after {time.monotonic() - began:.0f} s.", flush=True)


if __name__ == "__main__":
    main()
