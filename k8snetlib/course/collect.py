"""What lives here: the first of two stages. Learner code runs here, and leaves plain JSON.

``questions(exercise, seed)`` says what to ask: plain JSON, without any expected value, so it may be
handed to a process that is not trusted. ``collect(questions, answers)`` asks, and returns what was
answered, again as plain JSON. ``judge`` reads nothing else.

The forms, by task id::

    questions: {"name": "lookup", "kind": "code", "calls": [{"group": "longest", "args": […]}]}
    collected: {"status": "answered", "calls": [{"value": …} | {"error": "KeyError: …"}]}
               {"status": "answered", "value": …}
               {"status": "not-attempted"}
               {"status": "error" | "missing" | "several" | …, "text": "one sentence"}

What may not live here: expected values, judgement, limits of time and memory (the grader's).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from k8snetlib.course.exercise import Exercise
from k8snetlib.course.plain import from_plain, is_blank, to_plain

LONGEST_MESSAGE = 200


class Problem(NamedTuple):
    """An answer that could not even be read: its cell is missing, twice there, or raised.

    ``status`` is a short word for the gradebook, ``text`` one sentence for the learner.
    """

    status: str
    text: str


def questions(exercise: Exercise, seed: int) -> dict[str, Any]:
    """What to ask for each task, as plain JSON without any expected value."""
    asked: dict[str, Any] = {}
    for task in exercise.tasks:
        asked[task.id] = {"name": task.name, "kind": task.kind}
        if task.calls is not None:
            asked[task.id]["calls"] = [
                {"group": call.group, "args": [_carried(a) for a in call.args]}
                for call in task.calls(seed)
            ]
    return asked


def _carried(argument: object) -> Any:
    return to_plain(argument, keep_tuples=True)


def answers_in(exercise: Exercise, namespace: Mapping[str, object]) -> dict[str, object]:
    """The answers that a namespace holds, by task id; a name that is not set is left out."""
    return {task.id: namespace[task.name] for task in exercise.tasks if task.name in namespace}


def collect(asked: Mapping[str, Any], answers: Mapping[str, object]) -> dict[str, Any]:
    """Asks every question of ``asked`` and returns the answers as plain JSON. Only an interrupt
    from outside (``KeyboardInterrupt``) gets through; whatever else a learner's code does becomes
    a status."""
    return {task_id: _collect(asked[task_id], answers.get(task_id)) for task_id in asked}


def _collect(question: Mapping[str, Any], answer: object) -> dict[str, Any]:
    if isinstance(answer, Problem):
        return {"status": answer.status, "text": answer.text}
    if answer is None or answer is ...:
        return {"status": "not-attempted"}
    if question["kind"] == "value":
        value = to_plain(answer)
        blank = is_blank(value)
        return {"status": "not-attempted"} if blank else {"status": "answered", "value": value}
    if not callable(answer):
        what = type(answer).__name__
        text = f"{question['name']} must be a function. Here it is a {what}."
        return {"status": "wrong-kind", "text": text}
    calls = [_ask(answer, call["args"]) for call in question["calls"]]
    untouched = all(call == {"value": None} or call.get("stub") for call in calls)
    return {"status": "not-attempted"} if untouched else {"status": "answered", "calls": calls}


def _ask(function: Callable[..., object], args: list[Any]) -> dict[str, Any]:
    try:
        # from_plain makes fresh values: what one call changes, the next one does not see.
        return {"value": to_plain(function(*from_plain(args)))}
    except NotImplementedError:
        return {"error": "NotImplementedError", "stub": True}
    except (Exception, SystemExit) as error:
        return {"error": one_line(error)}


def one_line(error: BaseException) -> str:
    """An exception in one line: its name, what it says, and the line of the learner's code."""
    try:
        said = " ".join(str(error).split())
    except Exception:  # a learner's exception class may refuse to be read
        said = ""
    if len(said) > LONGEST_MESSAGE:
        said = said[:LONGEST_MESSAGE] + "…"
    name = type(error).__name__
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_learners(f.filename)]
    if isinstance(error, SyntaxError):
        where = f" (line {error.lineno})"
        said = error.msg
    else:
        where = f" (line {frames[-1].lineno})" if frames else ""
    return f"{name}: {said}{where}" if said else f"{name}{where}"


def _is_learners(filename: str) -> bool:
    """True for code typed into a cell (IPython keeps it as a temporary file) or read from one."""
    return filename.startswith(("<answer", "<ipython-input")) or "ipykernel_" in filename
