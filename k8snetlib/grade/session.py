"""What lives here: a pytest plugin for the grader's own sessions: many notebooks, one kernel.

* Starting a kernel takes longer than judging, and no learner code runs here. So one kernel serves a
  whole session: between two notebooks its names are wiped and its working folder changes. A kernel
  that was interrupted or died is not used again.
* The notebook is whole, but only its setup and its checks run: a check here reads the answers from
  their file, so stubs, hints and pictures decide nothing and cost most of the time.
* When a notebook is done, one JSON line goes to the grader, through a pipe whose number is in
  ``PIPE``: the notebook's folder, and the outcome of each cell by its id.
* The session dies with the grader.

What may not live here: points; a cell's outcome counts only together with its record (``judging``);
how a session begins and ends (``standby``).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Generator
from typing import Any, ClassVar

import pytest
from nbval import plugin as nbval_plugin
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel

from k8snetlib.grade.judging import PIPE

_PR_SET_PDEATHSIG = 1

#: The roles of the cells that judging needs.
NEEDED = ("setup", "check")

#: Not ``reset()``: it collects garbage each time, which takes longer than judging.
_WIPE = """
import os
os.chdir({cwd!r})
for name in set(get_ipython().user_ns) - set(get_ipython().user_ns_hidden):
    get_ipython().user_ns.pop(name, None)
"""


def die_with(parent: int) -> None:
    """From now on the kernel kills this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we could say so
        os._exit(1)


class SharedKernel(RunningKernel):  # type: ignore[misc]
    """nbval's kernel, kept for the next notebook."""

    kept: ClassVar[tuple[Any, Any] | None] = None
    _clean = True

    def __init__(self, kernel_name: str, cwd: str | None = None, startup_timeout: float = 60):
        kept, SharedKernel.kept = SharedKernel.kept, None
        if kept is None or not kept[0].is_alive():
            super().__init__(kernel_name, cwd=cwd, startup_timeout=startup_timeout)
        else:
            self.km, self.kc = kept
        wipe = _WIPE.format(cwd=cwd)
        asked = self.kc.execute(wipe, silent=True, store_history=False)
        self.await_reply(asked, timeout=startup_timeout)
        self.await_idle(asked, startup_timeout)

    @classmethod
    def prepare(cls, cwd: str) -> None:
        """Starts the kernel that the first notebook gets."""
        cls(CURRENT_ENV_KERNEL_NAME, cwd=cwd).stop()

    @classmethod
    def end(cls) -> None:
        """Stops the kernel that was kept."""
        kept, cls.kept = cls.kept, None
        if kept is not None:
            kept[1].stop_channels()
            kept[0].shutdown_kernel(now=True)

    def get_message(self, stream: str, timeout: float | None = None) -> Any:
        """As nbval's, which also writes out every message for a log that nobody reads."""
        get = {"iopub": self.kc.get_iopub_msg, "shell": self.kc.get_shell_msg}[stream]
        return get(timeout=timeout)

    def interrupt(self) -> None:
        """As nbval's; this kernel is then not kept."""
        self._clean = False
        super().interrupt()

    def stop(self) -> None:
        """Keeps the kernel, or stops it if something went wrong with it."""
        if self._clean and self.is_alive():
            SharedKernel.kept = self.km, self.kc
        else:
            super().stop()


def pytest_configure(config: pytest.Config) -> None:
    """Puts the shared kernel in nbval's place."""
    nbval_plugin.RunningKernel = SharedKernel
    config.pluginmanager.register(_Outcomes(int(os.environ[PIPE])), "k8snet-outcomes")


def _role(item: Any) -> str:
    """The role of an item's cell: "setup", "answer", "check" …, or nothing."""
    mark = item.cell.get("metadata", {}).get("k8snet", {}) if hasattr(item, "cell") else {}
    return str(mark.get("role", ""))


class _Outcomes:
    """Collects what became of each cell, and says so when its notebook is done."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe
        self.cells: dict[str, str] = {}

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leaves out the cells that judging does not need."""
        left_out = [item for item in items if _role(item) not in NEEDED]
        items[:] = [item for item in items if _role(item) in NEEDED]
        config.hook.pytest_deselected(items=left_out)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: Any, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        report = yield
        cell_id = item.cell.get("id", "") if hasattr(item, "cell") else ""
        outcome = "xfail or xpass" if hasattr(report, "wasxfail") else report.outcome
        # One cell has three reports; whatever is not "passed" stays, and so does an id met twice.
        if report.when == "call" or outcome != "passed":
            twice = report.when == "call" and cell_id in self.cells
            self.cells[cell_id] = "twice" if twice else outcome
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> Generator[None, Any, Any]:
        result = yield
        if nextitem is None or nextitem.parent is not item.parent:
            line = {"folder": item.path.parent.name, "cells": self.cells}
            self.cells = {}
            os.write(self.pipe, json.dumps(line).encode() + b"\n")
        return result
