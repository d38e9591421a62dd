"""What lives here: a pytest plugin that closes the holes of nbval 0.11.

The repository's ``conftest.py`` loads it, so it acts wherever a notebook is tested: in
``make test``, in the grader, and when a learner types ``pytest --nbval-lax exercises/…``.
Without ``--nbval`` or ``--nbval-lax`` it does nothing and imports nothing.

* A kernel that died fails its cell at once, not after the whole cell time limit.
* A cell that catches the interrupt of the time limit, and ends quietly, has failed.
* Under ``--nbval`` a cell without stored outputs has failed: nothing would have been compared.
* A cell may run for 60 seconds unless ``--nbval-cell-timeout`` says otherwise (nbval: 2000).
* ``-n`` without ``--dist loadfile`` is refused: it would tear a notebook's cells apart.
* The cell's id stands in the JUnit report, so that a result can be found when cells move.
* Kernels find ``K8SNET_NBVAL`` in their environment: there a check that does not pass raises. Its
  report is shown alone, without nbval's words about tracebacks.

What may not live here: judgement of answers. This is about whether a cell ran, not what it said.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from queue import Empty
from typing import Any

import pytest

CELL_TIMEOUT = 60.0
NBVAL_DEFAULT_TIMEOUT = 2000.0
POLL = 0.5
#: The same name as in ``checking``, which this plugin must not load.
UNDER_NBVAL = "K8SNET_NBVAL"
CHECK_SAYS = "k8snet check:"


def pytest_configure(config: pytest.Config) -> None:
    """Switches the plugin on if notebooks are going to be run."""
    option = config.option
    if not (getattr(option, "nbval", False) or getattr(option, "nbval_lax", False)):
        return
    if getattr(option, "dist", "no") in ("load", "worksteal") and getattr(option, "tx", None):
        raise pytest.UsageError("A notebook's cells must stay together: add --dist loadfile to -n.")
    if option.nbval_cell_timeout == NBVAL_DEFAULT_TIMEOUT:
        option.nbval_cell_timeout = CELL_TIMEOUT
    from nbval.kernel import RunningKernel

    RunningKernel.await_reply = await_reply
    os.environ[UNDER_NBVAL] = "1"
    config.add_cleanup(_leave)
    config.pluginmanager.register(NotebookRules(), "k8snet-notebook-rules")


def _leave() -> None:
    os.environ.pop(UNDER_NBVAL, None)


def await_reply(kernel: Any, msg_id: str, timeout: float | None = None) -> None:
    """Waits for the reply to one request; in place of nbval's ``RunningKernel.await_reply``.

    ``timeout`` is in seconds (None: for ever). Raises ``Empty`` when it is over, as nbval expects,
    and ``RuntimeError`` as soon as the kernel is found dead.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = POLL if end is None else end - time.monotonic()
        try:
            message = kernel.get_message("shell", timeout=max(0.01, min(POLL, left)))
        except Empty:
            if not kernel.is_alive():
                raise RuntimeError("The kernel died while it ran this cell.") from None
            if left <= 0:
                raise
            continue
        if message["parent_header"].get("msg_id") != msg_id:
            continue
        if message["content"].get("status") == "aborted":
            raise RuntimeError("The kernel refused to run this cell: an earlier one stopped it.")
        return


class NotebookRules:
    """The hooks that look at every notebook cell before and after it ran."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Puts each cell's id into its JUnit record."""
        for item in items:
            cell = getattr(item, "cell", None)
            if cell is not None:
                item.user_properties.append(("cell_id", cell.get("id", "")))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        """Shows a check's own report and nothing around it."""
        report = yield
        said = getattr(call.excinfo and call.excinfo.value, "inner_traceback", None) or ""
        if said.lstrip().startswith(CHECK_SAYS):
            report.longrepr = said.lstrip().removeprefix(CHECK_SAYS).strip()
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Fails a cell that was never run before, or that outlived its time limit in silence."""
        cell: Any = item
        if not hasattr(item, "cell"):
            return (yield)
        notebook = cell.parent
        stored = cell.cell.execution_count is not None or not cell.cell.source.strip()
        if notebook.compare_outputs and cell.options["check"] and not stored:
            cell.raise_cell_error(
                "This cell has no stored outputs, so there is nothing to compare with. "
                "`make notebooks` runs the lessons and stores them."
            )
        late_before = notebook.timed_out
        result = yield
        if notebook.timed_out and not late_before:
            cell.raise_cell_error(
                "This cell ran out of time: it caught the interrupt and went on.", ""
            )
        return result
