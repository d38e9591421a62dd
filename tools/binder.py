"""What mybinder.org would build from this repository, without Docker.

    .venv-binder/bin/python tools/binder.py render   the Dockerfile and its facts, as JSON
    .venv-binder/bin/python tools/binder.py replay   the same pip lines and postBuild, for real

`render` asks repo2docker, the program that Binder runs, through its Python interface. `replay`
makes an environment with the versions of Binder's base image (they stand in repo2docker's own lock
file), runs in it every pip line and the postBuild of that Dockerfile, and fails if our requirements
change a package of the base image, if `pip check` complains, or if an exercise cannot be tested.

Not covered: the image's own layers (Debian packages, JupyterHub), and the front end in a browser.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent

#: Packages of the base image that meet ours: PyPI's name, and conda-forge's where it differs.
BASE = {
    "ipykernel": "",
    "ipython": "",
    "ipywidgets": "",
    "jupyter_server": "",
    "jupyterhub": "jupyterhub-base",
    "jupyterlab": "",
    "nbclient": "",
    "nbformat": "",
    "notebook": "",
    "traitlets": "",
}


class Rendered(NamedTuple):
    """What repo2docker decided about this repository."""

    buildpack: str
    python: str
    base_image: str
    dockerfile: str


def render() -> Rendered:
    """The Dockerfile that Binder would build; repo2docker looks at the current folder."""
    from repo2docker.app import Repo2Docker

    app = Repo2Docker()
    os.chdir(ROOT)
    for kind in app.buildpacks:
        pack: Any = kind(base_image=app.base_image)
        pack.platform = "linux/amd64"
        if pack.detect():
            args = {"NB_UID": "1000", "NB_USER": "jovyan", "REPO_DIR": "/home/jovyan"}
            return Rendered(kind.__name__, pack.python_version, app.base_image, pack.render(args))
    sys.exit("repo2docker recognises nothing in this repository.")


def base_versions(python: str) -> dict[str, str]:
    """The versions of the base image, from the lock file that repo2docker ships."""
    import repo2docker

    conda = Path(repo2docker.__file__).parent / "buildpacks" / "conda"
    lock = (conda / f"environment.py-{python}-linux-64.lock").read_text()
    found = dict(re.findall(r"/(?:noarch|linux-64)/([^/\s]+?)-(\d[^-/\s]*)-[^-/\s]+\.conda", lock))
    return {name: found[conda_name or name] for name, conda_name in BASE.items()}


#: What Binder's clone of the repository would not have.
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", ".ipynb_checkpoints")


class Replay:
    """An environment that stands for the image, and the commands that run in it."""

    def __init__(self, scratch: Path, python: str) -> None:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        if here != python:
            sys.exit(
                f"Binder runs Python {python}, this is {here}: make clean, PYTHON=python{python}"
            )
        self.source, home, self.env = scratch / "source", scratch / "home", scratch / "env"
        home.mkdir()
        shutil.copytree(ROOT, self.source, ignore=LEFT_OUT)
        venv.create(self.env, with_pip=True)
        self.pip = str(self.env / "bin" / "pip")
        self.environ = {
            k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON"))
        }
        self.environ |= {
            "PATH": f"{self.env / 'bin'}:{os.environ['PATH']}",
            "HOME": str(home),
            "REPO_DIR": str(self.source),
            "KERNEL_PYTHON_PREFIX": str(self.env),
            "NB_PYTHON_PREFIX": str(self.env),
        }

    def run(self, label: str, *command: str) -> None:
        """Runs one command in the source tree, and says how long it took."""
        began = time.monotonic()
        ran = subprocess.run(
            command,
            cwd=self.source,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if ran.returncode:
            sys.exit(f"FAILED: {label}\n{ran.stdout}")
        print(f"{time.monotonic() - began:5.0f} s  {label}", flush=True)

    def frozen(self) -> set[str]:
        """Every installed package with its version."""
        freeze = [self.pip, "freeze", "--exclude", "k8snetlib"]
        listed = subprocess.run(
            freeze, env=self.environ, capture_output=True, text=True, check=True
        )
        return set(listed.stdout.split())


def replay() -> None:
    """Builds what Binder would build, in a scratch folder, and tries it."""
    rendered = render()
    pins = [f"{name}=={version}" for name, version in base_versions(rendered.python).items()]
    with tempfile.TemporaryDirectory(prefix="k8snet-binder-") as scratch:
        image = Replay(Path(scratch), rendered.python)
        image.run(f"base image: {' '.join(pins)}", image.pip, "install", "-q", *pins)
        before = image.frozen()
        lines = re.findall(r"^RUN (.*pip install .*)$", rendered.dockerfile, re.M)
        lines += re.findall(r"^RUN (\./binder/postBuild)$", rendered.dockerfile, re.M)
        if len(lines) < 2:
            sys.exit("The Dockerfile has no pip line or no postBuild; look at `render`.")
        for line in lines:
            image.run(line, "bash", "-c", line)
        if changed := sorted(before - image.frozen()):
            sys.exit(f"FAILED: our requirements change the base image: {' '.join(changed)}")
        image.run("pip check", image.pip, "check")
        image.run("import", "python", "-c", "import jupyterlab, k8snetlib, anywidget, ipywidgets")
        image.run(
            "k8snet", "python", "-c", "import importlib.metadata as m; m.version('k8snetlib')"
        )
        image.run("nbval", "python", "-m", "pytest", "--nbval-lax", "--collect-only", "notebooks")
    print("Binder would build this.")


def main() -> None:
    """Renders or replays, as the command line says."""
    match sys.argv[1:]:
        case ["render"]:
            print(json.dumps(render()._asdict()))
        case ["replay"]:
            replay()
        case _:
            sys.exit("usage: binder.py render | replay")


if __name__ == "__main__":
    main()
