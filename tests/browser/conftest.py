"""A real JupyterLab and a real Chromium, once per test session.

    page = open_notebook(cells)          # writes, opens and runs a notebook; fails if a cell fails
    page.errors, page.offsite            # what went wrong in the page, what left this machine
    axe(page, ".k8snet-player")          # what axe-core finds
    keep(locator, "player-dark")         # a screenshot: build/screenshots/player-dark.png

The names of the commands and of ``window.jupyterapp`` are JupyterLab's (``--expose-app-in-browser``).
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
#: With a window of its own for every cell that is in sight, cells out of sight lose their outputs.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
#: What a screen's name means to ``open_notebook``.
SCREENS: dict[str, dict[str, Any]] = {
    "light": {"theme": "light", "viewport": {"width": 1280, "height": 720}},
    "dark": {"theme": "dark", "viewport": {"width": 1280, "height": 720}},
    "narrow": {"theme": "light", "viewport": {"width": 390, "height": 844}},
}
CURRENT = "window.jupyterapp?.shell?.currentWidget"
ALL_RAN = f"""() => {{
    const widget = {CURRENT};
    const cells = [...widget.content.model.cells].filter((cell) => cell.type === 'code');
    return cells.every((cell) => cell.executionCount)
        && widget.sessionContext.session.kernel.status === 'idle';
}}"""
CELL_ERRORS = f"""() => [...{CURRENT}.content.model.cells]
    .filter((cell) => cell.type === 'code')
    .flatMap((cell) => cell.outputs.toJSON())
    .filter((output) => output.output_type === 'error')
    .map((output) => output.ename + ': ' + output.evalue)"""


class Lab:
    """A running JupyterLab server of our own, with its own settings and folders."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "notebooks"
        self.folder.mkdir()
        for name, values in SETTINGS.items():
            path = home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        self.token = secrets.token_hex(8)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.log = home / "lab.log"
        own = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        env = {name: str(home / folder) for name, folder in own.items()}
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += ["--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={self.token}", "--expose-app-in-browser"]
        command += [f"--ServerApp.root_dir={self.folder}", "--LabApp.extension_manager=readonly"]
        self.process = subprocess.Popen(
            command,
            env=os.environ | env | {"PYTHONPATH": str(ROOT)},
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    def wait(self) -> None:
        """Until the server answers; fails with its log if it does not."""
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.base}/api/status?token={self.token}", timeout=2)
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise RuntimeError(self.log.read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: make browser")
    server = Lab(tmp_path_factory.mktemp("lab"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: make browser"
    )
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        missing("chromium is not installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


def write_notebook(path: Path, sources: list[str]) -> None:
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{n}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for n, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}}
    path.write_text(json.dumps(notebook | {"nbformat": 4, "nbformat_minor": 5}))


_number = itertools.count(1)


@pytest.fixture(scope="session")
def open_notebook(lab: Lab, browser: Any) -> Iterator[Callable[..., Any]]:
    pages: list[Any] = []

    def open_(sources: list[str] | Path, **options: Any) -> Any:
        if isinstance(sources, Path):
            # A notebook of the course, in a folder as in the repository.
            home = lab.folder / f"course{next(_number)}" / sources.parent.relative_to(ROOT)
            shutil.copytree(sources.parent, home)
            path = home / sources.name
        else:
            path = lab.folder / f"test{next(_number)}.ipynb"
            write_notebook(path, sources)
        theme = options.pop("theme", None)
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}} | options)
        pages.append(page)
        page.errors, page.offsite = [], []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        ours = (lab.base, "data:", "blob:")
        page.on("request", lambda r: r.url.startswith(ours) or page.offsite.append(r.url))
        place = path.relative_to(lab.folder).as_posix()
        page.goto(f"{lab.base}/doc/tree/{place}?token={lab.token}&reset")
        idle = f"{CURRENT}?.sessionContext?.session?.kernel?.status === 'idle'"
        page.wait_for_function(idle, timeout=60_000)
        if theme:
            set_theme(page, theme)
        run_all(page)
        return page

    def close_all() -> None:
        """Ends the kernels and closes the pages: each costs time as long as it is there."""
        while pages:
            page = pages.pop()
            page.evaluate(f"{CURRENT}?.sessionContext?.shutdown()")
            page.close()

    open_.close_all = close_all  # type: ignore[attr-defined]
    yield open_
    close_all()


@pytest.fixture(scope="module", autouse=True)
def _pages_of_one_module(open_notebook: Any) -> Iterator[None]:
    yield
    open_notebook.close_all()


def set_theme(page: Any, theme: str) -> None:
    """Switches JupyterLab to its light or dark theme."""
    name = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme]
    page.evaluate(
        "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name
    )
    dark = str(theme == "light").lower()
    page.wait_for_function(f"document.body.dataset.jpThemeLight === '{dark}'")


def artefacts() -> Path:
    """Where screenshots are kept: K8SNET_ARTEFACTS, else ``build/screenshots``."""
    folder = Path(os.environ.get("K8SNET_ARTEFACTS") or ROOT / "build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep(what: Any, name: str) -> None:
    """Keeps a screenshot of an element, which has to be as wide as its place at most."""
    what.scroll_into_view_if_needed()
    what.screenshot(path=str(artefacts() / f"{name}.png"))
    assert what.evaluate("element => element.scrollWidth - element.clientWidth") <= 1


def axe(page: Any, *ours: str, impact: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """What axe-core finds in the elements of these selectors that are there: the rule, and where.

    Parameters: ``impact`` keeps the findings that weigh so much (empty: all).
    """
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.evaluate(
        """async (ours) => {
            const there = ours.filter((name) => document.querySelector(name));
            const result = await axe.run({include: there.map((name) => [name])},
                                         {resultTypes: ['violations']});
            return result.violations.map((v) =>
                [v.id, v.impact, v.nodes.map((n) => n.html.slice(0, 90)).join(' | ')]);
        }""",
        ours,
    )
    return [(rule, where) for rule, weight, where in found if not impact or weight in impact]


def restart_and_run_all(page: Any) -> None:
    """What *Restart Kernel and Run All Cells* does."""
    page.evaluate(f"async () => {{ await {CURRENT}.sessionContext.session.kernel.restart() }}")
    run_all(page)


def run_all(page: Any, command: str = "notebook:run-all-cells") -> None:
    """Runs all cells; fails with the error of a cell that failed."""
    page.evaluate("command => { window.jupyterapp.commands.execute(command) }", command)
    page.wait_for_timeout(300)
    page.wait_for_function(ALL_RAN, timeout=60_000)
    failed = page.evaluate(CELL_ERRORS)
    assert failed == []
