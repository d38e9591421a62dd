"""What lives here: what a learner has earned so far, kept in ``.k8snet/progress.json``.

Rules: the file is written beside itself and then renamed, so a reader meets the old state or the
new one, never half a file. A file that cannot be read is kept aside as ``progress.json.broken-N``.
A folder that cannot be written costs nothing but memory: work goes on, and says so once. Points
never go down: the best check of a task counts.

What may not live here: judgement, and anything that a grader would trust.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib.course.report import TaskResult
from k8snetlib.errors import K8sNetError

FOLDER, FILE, VERSION = ".k8snet", "progress.json", 1


class BadProgress(K8sNetError):
    """Progress that cannot be read."""


class Entry(NamedTuple):
    """One task's progress: the best check's points and status; how many checks and hints."""

    points: int = 0
    status: str = "not-attempted"
    checks: int = 0
    hints: int = 0


State = Mapping[str, Entry]


def parse(text: str) -> dict[str, Entry]:
    """The state that a progress file holds. Raises ``BadProgress``."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise BadProgress(f"It has version {data['version']}, and this course reads {VERSION}.")
        return {str(task): _entry(fields) for task, fields in data["tasks"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadProgress("It is not a progress file.") from None


def _entry(fields: Mapping[str, Any]) -> Entry:
    entry = Entry(**fields)
    numbers = (entry.points, entry.checks, entry.hints)
    if not all(type(n) is int and n >= 0 for n in numbers) or type(entry.status) is not str:
        raise ValueError(fields)
    return entry


def dump(state: State) -> str:
    """A state as the text of a progress file."""
    tasks = {task: entry._asdict() for task, entry in sorted(state.items())}
    return json.dumps({"version": VERSION, "tasks": tasks}, indent=1) + "\n"


def better(one: Entry, other: Entry) -> Entry:
    """The best of two entries for one task."""
    best = one if one.points >= other.points and one.status != "not-attempted" else other
    return best._replace(checks=max(one.checks, other.checks), hints=max(one.hints, other.hints))


def merged(one: State, other: State) -> dict[str, Entry]:
    """Two states as one; of each task the best."""
    result = dict(one)
    for task, entry in other.items():
        result[task] = better(result[task], entry) if task in result else entry
    return result


class Store:
    """The progress kept in one course folder (or, where that cannot be written, in memory).

    ``news`` collects what the learner must be told; ``take_news`` hands it out once.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / FOLDER / FILE
        self.memory: dict[str, Entry] | None = None
        self.news: list[str] = []

    def take_news(self) -> list[str]:
        """What the learner must be told, each message once."""
        news, self.news = self.news, []
        return news

    def read(self) -> dict[str, Entry]:
        """The state now. A broken file is put aside, and the state is empty."""
        if self.memory is not None:
            return dict(self.memory)
        try:
            return parse(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (BadProgress, UnicodeDecodeError) as error:
            why = str(error) if isinstance(error, BadProgress) else "It is not text."
            self._put_aside(why)
        except OSError as error:
            self._give_up(f"{FOLDER}/{FILE} cannot be read ({error.strerror})")
        return dict(self.memory or {})

    def update(self, task: str, change: Callable[[Entry], Entry]) -> Entry:
        """Changes one task's entry and stores it; returns the new entry."""
        with self._locked():
            state = self.read()
            entry = state[task] = change(state.get(task, Entry()))
            self._write(state)
        return entry

    def merge(self, other: State) -> None:
        """Takes in another state; of each task the best stays."""
        with self._locked():
            self._write(merged(self.read(), other))

    def record(self, result: TaskResult) -> Entry:
        """Records a check. An untouched task leaves no trace."""
        if result.status == "not-attempted":
            return self.read().get(result.id, Entry())

        def change(old: Entry) -> Entry:
            now = Entry(result.points, result.status, old.checks + 1, old.hints)
            return better(now, old)

        return self.update(result.id, change)

    # -- files ----------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two notebooks may check at the same moment: one waits for the other."""
        lock = None
        if self.memory is None:
            try:
                self.path.parent.mkdir(exist_ok=True)
                lock = (self.path.parent / "lock").open("w")
                import fcntl  # not on every system: without it the rename alone must do

                fcntl.flock(lock, fcntl.LOCK_EX)
            except (OSError, ImportError):
                pass  # a folder that cannot be written shows itself in _write
        try:
            yield
        finally:
            if lock is not None:
                lock.close()

    def _write(self, state: dict[str, Entry]) -> None:
        if self.memory is not None:
            self.memory = state
            return
        name = ""
        try:
            self.path.parent.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f"{FILE}.", dir=self.path.parent, text=True)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(dump(state))
            os.replace(name, self.path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(name)
            self.memory = state
            self._give_up(f"{FOLDER}/{FILE} cannot be written ({error.strerror})")

    def _give_up(self, why: str) -> None:
        self.memory = self.memory or {}
        self.news.append(
            f"{why}. Your progress is kept only until this kernel stops. The checks work as before."
        )

    def _put_aside(self, why: str) -> None:
        number = 1
        while (aside := self.path.with_name(f"{FILE}.broken-{number}")).exists():
            number += 1
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return  # another notebook was quicker
        except OSError:
            # Nothing may be lost: what cannot be moved must not be written over.
            self._give_up(f"{FOLDER}/{FILE} cannot be used ({why.rstrip('.')}), nor moved aside")
            return
        self.news.append(
            f"{FOLDER}/{FILE} could not be used: {why} It is kept as {aside.name}, "
            "and a new one was started."
        )


_STORES: dict[Path, Store] = {}


def store_for(root: Path) -> Store:
    """The one store of a course folder in this process."""
    return _STORES.setdefault(root.resolve(), Store(root.resolve()))
