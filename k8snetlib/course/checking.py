"""What lives here: what a learner's cells call: ``check``, ``hint``, ``board``.

``check("04.lookup")`` takes the answer from the caller's own names, so it depends on no cell order:
a name that is not there yet is simply not attempted. In JupyterLab it shows a report and never
raises, so *Run All* goes on. Under nbval (our pytest plugin sets ``K8SNET_NBVAL``) a check that is
not passed raises ``CheckFailed``, which shows itself in a few lines, without a traceback. In a
grader's hands it judges answers that were collected elsewhere (``graded``).

What may not live here: judgement (``judge``), looks (``report``, ``page``), files (``progress``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib.course.collect import answers_in
from k8snetlib.course.exercise import Exercise, all_exercises, course_root, find_exercise
from k8snetlib.course.graded import UNDER_GRADER, judge_for_grader
from k8snetlib.course.judge import judge
from k8snetlib.course.page import card
from k8snetlib.course.progress import store_for
from k8snetlib.course.report import Report, TaskResult
from k8snetlib.course.scoreboard import Board, make_board
from k8snetlib.errors import unknown_name

#: The seed of the checks that a learner sees. A grader uses others.
VISIBLE_SEED = 1
UNDER_NBVAL = "K8SNET_NBVAL"
#: How our pytest plugin knows a check's report among other failures.
CHECK_SAYS = "k8snet check:"


class CheckFailed(Exception):
    """A check that did not pass, under nbval."""

    def __init__(self, report: Report) -> None:
        super().__init__("; ".join(task.summary for task in report.tasks))
        self.report = report

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [CHECK_SAYS, *str(self.report).splitlines()]


def check(task_id: str, /, *, seed: int = VISIBLE_SEED, **given: object) -> None:
    """Checks one task and shows the report.

    Parameters: ``task_id`` as in the task's heading; the answer may be given by its name
    (``check("04.lookup", lookup=my_function)``), else it is looked up where ``check`` is called.
    Raises ``UnknownName`` for an id or a name that the course does not have, and ``CheckFailed``
    under nbval only.
    """
    exercise = find_exercise(task_id)
    task = exercise.task(task_id)
    for name in given:
        if name != task.name:
            raise unknown_name(f"answer to {task_id}", name, [task.name])
    names: Mapping[str, object] = given or sys._getframe(1).f_globals
    alone = exercise._replace(tasks=(task,))
    if os.environ.get(UNDER_GRADER):
        whole = judge_for_grader(task, Path.cwd())
        report = Report(exercise.id, exercise.title, (whole,), seed)
        if not report.passed:
            raise CheckFailed(report)
        return
    report = judge(alone, answers_in(alone, names), seed)
    if os.environ.get(UNDER_NBVAL):
        if not report.passed:
            raise CheckFailed(report)
    else:
        _record(exercise, report.tasks[0])
    show(report)


def hint(task_id: str, /) -> None:
    """Shows the next hint for a task, and those that were shown before, folded away."""
    exercise = find_exercise(task_id)
    task = exercise.task(task_id)
    store = store_for(_root(exercise))
    shown = store.read().get(task_id)
    number = min((shown.hints if shown else 0) + 1, len(task.hints))
    if not os.environ.get(UNDER_NBVAL):
        store.update(task_id, lambda entry: entry._replace(hints=number))
    _say(store.take_news())
    show(Hints(task_id, task.hints[:number], len(task.hints)))


def board() -> Board:
    """The progress board over all exercises."""
    root = course_root()
    store = store_for(root)
    state = store.read()
    return make_board(all_exercises(root), state, store.take_news())


class Hints(NamedTuple):
    """The hints of a task that were asked for so far, newest last."""

    task: str
    texts: tuple[str, ...]
    of: int

    def __str__(self) -> str:
        return f"Hint {len(self.texts)} of {self.of} for {self.task}: {self.texts[-1]}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython has a printer of its own for tuples, and would prefer it to our text.
        printer.text(str(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from html import escape

        number = len(self.texts)
        earlier = "".join(
            f"<details><summary>Hint {at}</summary><p>{escape(text)}</p></details>"
            for at, text in enumerate(self.texts[:-1], 1)
        )
        newest = f"<h3>Hint {number} of {self.of}</h3><p>{escape(self.texts[-1])}</p>"
        html = card(newest + earlier, f"Hint for {self.task}")
        return {"text/html": html, "text/plain": str(self)}


def _root(exercise: Exercise) -> Path:
    """Where an exercise's progress is kept: in the course's folder, or in the lone exercise's."""
    parent = exercise.folder.parent
    return parent.parent if parent.name == "exercises" else exercise.folder


def _record(exercise: Exercise, result: TaskResult) -> None:
    store = store_for(_root(exercise))
    store.record(result)
    _say(store.take_news())


class Note(NamedTuple):
    """One message to the learner."""

    text: str

    def __str__(self) -> str:
        return self.text

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython has a printer of its own for tuples, and would prefer it to our text.
        printer.text(str(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from html import escape

        return {"text/html": card(f"<p>{escape(self.text)}</p>", "Note"), "text/plain": self.text}


def _say(messages: list[str]) -> None:
    for message in messages:
        show(Note(message))


def show(thing: object) -> None:
    """Shows something where the learner looks: the notebook, else the terminal."""
    shell = None
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython

        shell = get_ipython()
    if shell is None:
        sys.stdout.write(f"{thing}\n")
        return
    from IPython.display import display

    display(thing)
