"""What lives here: an exercise's folder, read into values.

``exercises/NN_slug/`` holds ``exercise.toml`` (tasks, points, beliefs, hints), ``checks.py`` (the
rubric, see ``rubric``; a long one goes on in ``checks_*.py``) and ``exercise.ipynb``. Reading them
makes sure that they agree: an exercise whose points do not add up never reaches a learner.

What may not live here: learner code, judgement.
"""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from k8snetlib.course.rubric import Call, Item
from k8snetlib.errors import K8sNetError, unknown_name

KINDS = {"code": "you write a function", "value": "you predict values"}
LEVELS = ("core", "stretch")
HINTS = 3


class BadExercise(K8sNetError):
    """An exercise folder that cannot be read, or whose parts contradict each other."""


class Task(NamedTuple):
    """One task: ``name`` is the function or variable that holds the answer; ``minutes`` is how long
    it should take; ``beliefs`` are the ids of the wrong beliefs its findings can name."""

    id: str
    title: str
    kind: str
    name: str
    points: int
    minutes: int
    level: str
    beliefs: tuple[str, ...]
    hints: tuple[str, ...]
    items: tuple[Item, ...]
    calls: Callable[[int], tuple[Call, ...]] | None = None


class Exercise(NamedTuple):
    """One exercise. ``time_limit`` is in seconds, for all answers together; ``lesson`` names the
    lesson's notebook."""

    id: str
    title: str
    lesson: str
    time_limit: int
    tasks: tuple[Task, ...]
    folder: Path

    @property
    def points(self) -> int:
        """What a full solution earns."""
        return sum(task.points for task in self.tasks)

    @property
    def items(self) -> tuple[Item, ...]:
        """All items of all tasks, in order."""
        return tuple(item for task in self.tasks for item in task.items)

    @property
    def notebook(self) -> Path:
        """The notebook that the learner opens."""
        return self.folder / "exercise.ipynb"

    def task(self, task_id: str) -> Task:
        """The task with that id; raises ``UnknownName`` with the nearest ids."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise unknown_name("task", task_id, [task.id for task in self.tasks])


@lru_cache(maxsize=64)
def read_exercise(folder: Path) -> Exercise:
    """Reads an exercise's folder. Raises ``BadExercise``, which names file and field."""
    path = folder / "exercise.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadExercise(f"{folder.name} has no exercise.toml.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadExercise(f"{folder.name}/exercise.toml cannot be read: {error}.") from None
    items, calls = _rubric(folder)
    read = _Reader(f"{folder.name}/exercise.toml", data)
    tables = read.value("task", list)
    tasks = tuple(_task(_Reader(read.where, table), items, calls) for table in tables)
    known = {task.id for task in tasks}
    for stray in [item.id for item in items if item.task not in known]:
        raise BadExercise(f"{folder.name}/checks.py: item {stray} belongs to no task.")
    return Exercise(
        read.value("id", str), read.value("title", str), read.value("lesson", str),
        read.value("time_limit", int), tasks, folder,
    )  # fmt: skip


class _Reader:
    """Takes typed values out of one table, with errors that name the field."""

    def __init__(self, where: str, table: Mapping[str, Any]) -> None:
        self.where, self.table = where, table

    def value(self, key: str, kind: type) -> Any:
        found = self.table.get(key)
        if type(found) is not kind:
            is_now = "is missing" if found is None else f"is a {type(found).__name__}"
            raise BadExercise(f"{self.where}: '{key}' {is_now}.", f"It must be a {kind.__name__}.")
        return found

    def one_of(self, key: str, allowed: Any) -> str:
        found: str = self.value(key, str)
        if found not in allowed:
            raise BadExercise(
                f"{self.where}: {key} '{found}'.", f"Use one of: {', '.join(allowed)}."
            )
        return found


def _task(read: _Reader, items: tuple[Item, ...], calls: Mapping[str, Any]) -> Task:
    task_id: str = read.value("id", str)
    read.where = f"{read.where}, task {task_id}"
    mine = tuple(item for item in items if item.task == task_id)
    kind = read.one_of("kind", KINDS)
    task = Task(
        task_id, read.value("title", str), kind, read.value("name", str),
        read.value("points", int), read.value("minutes", int), read.one_of("level", LEVELS),
        tuple(read.value("beliefs", list)), tuple(read.value("hints", list)), mine,
        calls.get(task_id),
    )  # fmt: skip
    total = sum(item.points for item in mine)
    if not mine or total != task.points:
        raise BadExercise(
            f"{read.where}: {task.points} points, but its items in checks.py have {total}."
        )
    if len(task.hints) != HINTS:
        raise BadExercise(f"{read.where}: {len(task.hints)} hints.", f"A task has {HINTS} hints.")
    if (task.calls is not None) != (kind == "code"):
        raise BadExercise(f"{read.where}: a code task needs CALLS in checks.py, a value task none.")
    if kind == "value" and not all(item.reads for item in mine):
        raise BadExercise(f"{read.where}: every item of a value task needs reads=(…).")
    return task


def _rubric(folder: Path) -> tuple[tuple[Item, ...], dict[str, Any]]:
    """The items and calls of ``checks.py`` and of every ``checks_*.py`` beside it."""
    items: tuple[Item, ...] = ()
    calls: dict[str, Any] = {}
    for path in (folder / "checks.py", *sorted(folder.glob("checks_*.py"))):
        module = _checks(path)
        found = getattr(module, "ITEMS", None)
        if not isinstance(found, tuple) or not all(isinstance(item, Item) for item in found):
            raise BadExercise(f"{folder.name}/{path.name} needs ITEMS, a tuple of Item.")
        items += found
        calls |= getattr(module, "CALLS", {})
    twice = {item.id for item in items if sum(i.id == item.id for i in items) > 1}
    if twice:
        raise BadExercise(f"{folder.name}: two items are called {sorted(twice)[0]}.")
    return items, calls


def _checks(path: Path) -> ModuleType:
    """One file of checks as a module of its own name: two exercises never share one."""
    folder = path.parent
    name = f"_k8snet_{path.stem}_{folder.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadExercise(f"{folder.name} has no {path.name}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise BadExercise(f"{folder.name}/{path.name} cannot be loaded: {error!r}.") from error
    return module


def course_root(start: Path | None = None) -> Path:
    """The folder that holds ``exercises/``: ``start`` (default: where we are) or one above it.

    Falls back to the folder of an editable install. Raises ``BadExercise`` if there is none.
    """
    here = (start or Path.cwd()).resolve()
    installed = Path(__file__).resolve().parents[2]
    for folder in (here, *here.parents, installed):
        if any((folder / "exercises").glob("*/exercise.toml")):
            return folder
    raise BadExercise(
        f"There is no folder 'exercises' in {here} or above it.",
        "Start inside the course's folder.",
    )


def find_exercise(task_id: str, start: Path | None = None) -> Exercise:
    """The exercise that a task's id names: ``04.lookup`` is in ``exercises/04_…``."""
    number = task_id.partition(".")[0]
    here = (start or Path.cwd()).resolve()
    # A copy of one exercise's folder, without the course around it, is enough.
    for folder in (here, *here.parents):
        if folder.name.startswith(f"{number}_") and (folder / "exercise.toml").is_file():
            return read_exercise(folder)
    folders = sorted((course_root(start) / "exercises").glob("*/exercise.toml"))
    for path in folders:
        if path.parent.name.startswith(f"{number}_"):
            return read_exercise(path.parent)
    raise unknown_name("exercise", number, [path.parent.name[:2] for path in folders])


def all_exercises(root: Path | None = None) -> tuple[Exercise, ...]:
    """Every exercise of the course, by number."""
    folders = (root or course_root()) / "exercises"
    return tuple(read_exercise(path.parent) for path in sorted(folders.glob("*/exercise.toml")))
