"""What lives here: judging collected answers: the pristine notebook, run under nbval on that data.

``Bench`` lays a copy of each exercise into the work folder and remembers its hash. For every
submission there is a folder with the pristine notebook and ``answers.json`` (``course.graded``).
A session runs many of them, one after the other (``standby``, ``session``).

Points need two witnesses that agree: nbval's outcome of the check cell (exactly *passed* or
*failed*; not skipped, xfail or xpass), and the record that the check left, with this run's nonce.
Anything else is ``Unproven``: it goes to a person, not to zero.

What may not live here: learner code; how sessions keep a kernel (``session``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib.course.exercise import BadExercise, Exercise
from k8snetlib.course.graded import DATA, UNDER_GRADER, record_file
from k8snetlib.course.notebook import read_notebook
from k8snetlib.grade.released import exercise_hash

#: A session's environment variables: the pipe for its lines, and the grader's process.
PIPE, GRADER = "K8SNET_SESSION_PIPE", "K8SNET_SESSION_GRADER"
#: Seconds for one cell of ours, and for a session between two finished notebooks.
CELL, SILENCE = 60, 240
NOTEBOOK = "exercise.ipynb"


class Unproven(Exception):
    """Outcome and record of a check do not agree, or one is missing."""


class Case(NamedTuple):
    """One submission on its way to be judged."""

    key: str
    exercise: Exercise
    folder: Path
    nonce: str


class Bench:
    """Where judging happens: pristine copies of the exercises in the new folder ``work``."""

    def __init__(self, work: Path, exercises: Sequence[Exercise]) -> None:
        work.mkdir()
        self.work = work
        self.ready: list[_Session] = []
        self.hashes: dict[str, str] = {}
        self.check_cells: dict[str, dict[str, str]] = {}
        (work / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        for exercise in exercises:
            self.hashes[exercise.id] = exercise_hash(exercise)
            self.check_cells[exercise.id] = _check_cells(exercise)
            ignore = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(exercise.folder, self._home(exercise), ignore=ignore)

    def _home(self, exercise: Exercise) -> Path:
        return self.work / exercise.folder.name

    def lay(
        self, key: str, exercise: Exercise, seeds: Sequence[int],
        collected: Mapping[int, Mapping[str, Any]],
    ) -> Case:  # fmt: skip
        """Prepares a submission's folder: the pristine notebook, and the answers beside it."""
        folder = self._home(exercise) / key
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(self._home(exercise) / NOTEBOOK, folder / NOTEBOOK)
        case = Case(key, exercise, folder, secrets.token_hex(16))
        data = {"nonce": case.nonce, "seeds": list(seeds), "collected": collected}
        (folder / DATA).write_text(json.dumps(data), encoding="utf-8")
        return case

    def warm(self, count: int) -> None:
        """Starts sessions that will be needed, so that they are ready then."""
        for _ in range(count):
            self.ready.append(_start(self.work))

    def close(self) -> None:
        """Ends the sessions that were not needed."""
        while self.ready:
            self.ready.pop().dismiss()

    async def session(self, cases: Sequence[Case]) -> AsyncIterator[tuple[Case, dict[str, str]]]:
        """Runs the cases' notebooks in one session; yields each case with its cells' outcomes.

        A case that the session did not come to is not yielded.
        """
        by_key = {case.key: case for case in cases}
        session = self.ready.pop() if self.ready else _start(self.work)
        async for line in session.run([case.folder / NOTEBOOK for case in cases]):
            case = by_key.pop(line["folder"], None)
            if case is not None:
                yield case, line["cells"]

    def report(self, case: Case, cells: Mapping[str, str]) -> dict[str, Any]:
        """The report of a judged case; see ``record.Graded``. Raises ``Unproven``."""
        exercise = case.exercise
        if exercise_hash(exercise, case.folder / NOTEBOOK) != self.hashes[exercise.id]:
            raise Unproven("The exercise changed while it was graded.")
        tasks = []
        for task in exercise.tasks:
            outcome = cells.get(self.check_cells[exercise.id][task.id], "missing")
            if outcome not in ("passed", "failed"):
                raise Unproven(f"The check of {task.id} did not run: {outcome}.")
            found = _record(case, task.id)
            whole = all(item["status"] == "pass" for item in found["items"])
            if whole != (outcome == "passed") or found["of"] != task.points:
                raise Unproven(f"The check of {task.id} and its record do not agree.")
            tasks.append(found)
        points = sum(task["points"] for task in tasks)
        return {
            "exercise": exercise.id, "title": exercise.title, "points": points,
            "of": exercise.points, "tasks": tasks,
        }  # fmt: skip

    def clear(self, case: Case) -> None:
        """Removes a case's folder."""
        shutil.rmtree(case.folder, ignore_errors=True)


def _check_cells(exercise: Exercise) -> dict[str, str]:
    """The id of each task's check cell in the pristine notebook."""
    cells = [cell for cell in read_notebook(exercise.notebook) if cell.role == "check"]
    found = {cell.answers: cell.id for cell in cells}
    for task in exercise.tasks:
        if task.id not in found:
            raise BadExercise(f"{exercise.folder.name}/{NOTEBOOK} has no check cell for {task.id}.")
    return found


def _record(case: Case, task_id: str) -> dict[str, Any]:
    try:
        text = (case.folder / record_file(task_id)).read_text(encoding="utf-8")
        record = json.loads(text)
        nonce, task = record["nonce"], record["task"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Unproven(f"The check of {task_id} left no record.") from None
    if nonce != case.nonce or task["id"] != task_id:
        raise Unproven(f"The record of {task_id} is not of this run.")
    return dict(task)


class _Session(NamedTuple):
    """A session's process, ready for notebooks, and where its lines come from."""

    process: subprocess.Popen[bytes]
    reader: int

    async def run(self, notebooks: Sequence[Path]) -> AsyncIterator[dict[str, Any]]:
        """Runs the notebooks and yields the session's lines (see ``session``)."""
        with os.fdopen(self.reader, "rb", buffering=0) as pipe:
            try:
                self._tell(json.dumps([str(path) for path in notebooks]) + "\n")
                stream = asyncio.StreamReader(limit=1_000_000)
                transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                    lambda: asyncio.StreamReaderProtocol(stream), pipe
                )
                try:
                    with contextlib.suppress(TimeoutError):
                        while line := await asyncio.wait_for(stream.readline(), SILENCE):
                            yield json.loads(line)
                finally:
                    transport.close()
            finally:
                await asyncio.to_thread(self._stop)

    def dismiss(self) -> None:
        """Ends it without notebooks."""
        os.close(self.reader)
        self._tell("")
        self._stop()

    def _tell(self, line: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self.process.stdin as pipe:
            pipe.write(line.encode())

    def _stop(self) -> None:
        """Waits for a session that is about to end; ends it otherwise. Its kernel follows."""
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _start(work: Path) -> _Session:
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            _command(work), cwd=work, env=_environment(work, writer), pass_fds=[writer],
            start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return _Session(process, reader)


def _command(work: Path) -> list[str]:
    return [
        sys.executable, "-m", "k8snetlib.grade.standby", "-q", "--color=no", "--noconftest",
        "-c", str(work / "pytest.ini"), "--rootdir", str(work),
        "-p", "no:cacheprovider", "-p", "nbval.plugin", "-p", "k8snetlib.course.nbval_plugin",
        "-p", "k8snetlib.grade.session",
        "--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL}",
    ]  # fmt: skip


def _environment(work: Path, pipe: int) -> dict[str, str]:
    """The session's environment: our library wherever we have it from, and nothing that pytest
    would take for options."""
    ours = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([ours, *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
    return kept | {
        "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONHASHSEED": "0",
        # A learner's or teacher's own settings have no part in this, and nothing is left at home.
        "JUPYTER_RUNTIME_DIR": str(work / "jupyter"), "JUPYTER_CONFIG_DIR": str(work / "jupyter"),
        "IPYTHONDIR": str(work / "ipython"),
        UNDER_GRADER: "1", PIPE: str(pipe), GRADER: str(os.getpid()),
    }  # fmt: skip
