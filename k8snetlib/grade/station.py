"""What lives here: what a Dask worker does for ``k8snet grade --scheduler``: a few submissions.

A worker gets the sources of answers and nothing else: no name, no file. It needs the same library
and exercises as the client, which it proves by ``identity`` before each task. It chooses the
strongest fence of its own machine, once a process, and names it and itself in what it returns.

All of it lies in the worker's own folder, which Dask removes, also after a worker was killed.

What may not live here: what the client does (``remote``); how grading is done (``run``).
"""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib import __version__
from k8snetlib.course.exercise import all_exercises
from k8snetlib.errors import K8sNetError
from k8snetlib.grade.answering import Asked
from k8snetlib.grade.intake import digest
from k8snetlib.grade.judging import Bench
from k8snetlib.grade.record import Graded
from k8snetlib.grade.released import exercise_hash
from k8snetlib.grade.run import SLOW_PLACES, Line, Taken, ask
from k8snetlib.grade.sandbox import Fence, choose_fence, free_uids, stage


class BadStation(K8sNetError):
    """A Dask worker that cannot grade as the client would."""


class Order(NamedTuple):
    """What is the same for all tasks of a run. ``identity`` is the client's own."""

    identity: dict[str, str]
    exercises: tuple[str, ...]
    seeds: tuple[int, ...]
    weak: bool


def identity(exercises: Sequence[str]) -> dict[str, str]:
    """What must be the same on client and workers, for results to be the same: name and value."""
    ours = Path(__file__).resolve().parents[1]
    sources = sorted(path for path in ours.rglob("*.py") if "material" not in path.parts)
    parts = [part for path in sources for part in (str(path.relative_to(ours)), path.read_text())]
    known = {exercise.id: exercise for exercise in all_exercises()}
    found = {
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "k8snetlib": f"{__version__} ({digest(*map(str.encode, parts))[:12]})",
    }
    for number in exercises:
        one = known.get(number)
        found[f"exercise {number}"] = exercise_hash(one)[:12] if one else "missing"
    return found


def compare(where: str, theirs: dict[str, str], ours: dict[str, str]) -> None:
    """Raises ``BadStation`` with the first difference between a worker and the client."""
    for what, value in ours.items():
        if theirs.get(what) != value:
            raise BadStation(
                f"{where} has {what} {theirs.get(what, 'missing')}; here it is {value}.",
                "Install the same k8snetlib everywhere: one image for scheduler and workers.",
            )


class _Station:
    """What a worker's process makes once."""

    def __init__(self, folder: Path, weak: bool) -> None:
        self.folder = folder
        if weak:  # without a file system of its own an answer must get as far as the library
            folder.chmod(0o711)
        site = Path(tempfile.mkdtemp(prefix="site-", dir=folder))
        site.chmod(0o711)
        self.fence: Fence = choose_fence(stage(site / "site"), weak=weak)
        self.uids: list[int] = []
        self._claims: list[socket.socket] = []

    def take_uids(self, count: int) -> list[int]:
        """User ids that no other worker of this machine uses; they are ours until we end."""
        while len(self.uids) < count:
            free = free_uids(10_000)
            random.SystemRandom().shuffle(free)
            for uid in free:
                claim = socket.socket(socket.AF_UNIX)
                try:
                    claim.bind(f"\0k8snet answers {uid}")
                except OSError:  # another worker was first
                    claim.close()
                    continue
                self._claims.append(claim)
                self.uids.append(uid)
                break
        taken, self.uids = self.uids[:count], self.uids[count:]
        return taken


_stations: dict[tuple[str, bool], _Station] = {}
_lock = threading.Lock()


def _station(folder: str, weak: bool) -> _Station:
    with _lock:
        if (folder, weak) not in _stations:
            _stations[folder, weak] = _Station(Path(folder), weak)
        return _stations[folder, weak]


@cache
def _identity(exercises: tuple[str, ...]) -> dict[str, str]:
    return identity(exercises)


@cache
def _asked(exercises: tuple[str, ...], seeds: tuple[int, ...]) -> dict[str, Asked]:
    return ask([one for one in all_exercises() if one.id in exercises], seeds)


def _isolation(fence: Fence, name: object) -> str:
    return f"{fence.text}; on Dask worker {name} ({socket.gethostname()})"


async def present(order: Order, dask_worker: Any) -> tuple[dict[str, str], str]:
    """Runs on every worker before anything else: its identity, and its isolation in one sentence.

    Raises ``NoFence``. ``dask_worker`` is filled in by Dask.
    """
    theirs = await asyncio.to_thread(_identity, order.exercises)
    if theirs != order.identity:
        return theirs, ""
    station = await asyncio.to_thread(_station, dask_worker.local_directory, order.weak)
    return theirs, _isolation(station.fence, dask_worker.name)


def grade_some(order: Order, taken: Sequence[Taken]) -> list[Graded]:
    """The task: answers and judging of a few submissions; their drafts completed, in order.

    Raises ``BadStation`` and ``NoFence``.
    """
    from distributed import get_worker

    worker = get_worker()
    compare(f"Dask worker {worker.name}", _identity(order.exercises), order.identity)
    station = _station(worker.local_directory, order.weak)
    isolation = _isolation(station.fence, worker.name)
    needed = {one.exercise for one in taken}
    asked = {k: v for k, v in _asked(order.exercises, order.seeds).items() if k in needed}
    with _lock:
        uids = station.take_uids(1 + SLOW_PLACES)
    done: dict[str, Graded] = {}

    def enter(graded: Graded, _: bool) -> None:
        done[graded.source] = graded._replace(isolation=isolation)

    with tempfile.TemporaryDirectory(prefix="grade-", dir=station.folder) as folder:
        try:
            exercises = [one.exercise for one in asked.values()]
            with closing(Bench(Path(folder) / "judging", exercises)) as bench:
                bench.warm(1)
                line = Line(asked, station.fence, bench, 1, uids)
                asyncio.run(line.all(taken, lambda one: one, enter))
        finally:
            with _lock:
                station.uids += uids
    return [done[one.draft.source] for one in taken]
