"""What lives here: the second of two stages. Plain JSON goes in, a ``Report`` comes out.

``judge_collected`` is a pure function of the collected answers and the seed: no learner code runs,
nothing is read from disk. ``judge`` does both stages in one go, for a check cell and for our tests.

A check of ours that breaks gives ``internal-error``: it goes to a person, never to zero points.

What may not live here: how a report looks (``report``), how answers are found (``notebook``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k8snetlib.course.collect import collect, questions
from k8snetlib.course.exercise import Exercise, Task
from k8snetlib.course.plain import from_plain, is_blank, named
from k8snetlib.course.report import ItemResult, Report, TaskResult
from k8snetlib.course.rubric import (
    ERROR,
    FAIL,
    INTERNAL,
    NOT_ATTEMPTED,
    PASS,
    Finding,
    Findings,
    Item,
    Reply,
)

_STATUS_OF = {NOT_ATTEMPTED: NOT_ATTEMPTED, ERROR: ERROR, "wrong-kind": FAIL}


def judge(exercise: Exercise, answers: Mapping[str, object], seed: int = 1) -> Report:
    """Asks and judges in one process. ``answers`` maps a task's id to a function, a value or a
    ``Problem``; a task that is left out was not attempted."""
    asked = questions(exercise, seed)
    return judge_collected(exercise, collect(asked, answers), seed)


def judge_collected(exercise: Exercise, collected: Mapping[str, Any], seed: int) -> Report:
    """Judges what ``collect`` returned. ``seed`` must be the one the questions were made with."""
    tasks = tuple(judge_task(task, collected.get(task.id, {}), seed) for task in exercise.tasks)
    return Report(exercise.id, exercise.title, tasks, seed)


def judge_task(task: Task, collected: Any, seed: int) -> TaskResult:
    """Judges one task's collected answer."""
    collected = collected if isinstance(collected, dict) else {}
    status = collected.get("status", NOT_ATTEMPTED)
    if status != "answered":
        text = str(collected.get("text", ""))
        findings = (Finding(text),) if text else ()
        result = _STATUS_OF.get(status, ERROR)
        items = tuple(
            _result(item, result, findings if at == 0 else ()) for at, item in enumerate(task.items)
        )
        return TaskResult(task.id, task.title, task.hints, items)
    look = _look_at_calls if task.kind == "code" else _look_at_value
    try:
        looked = [look(task, item, collected, seed) for item in task.items]
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
        # Our own ``collect`` never writes such a record; a forged one earns nothing.
        unread = (Finding("The record of this answer could not be read."),)
        looked = [_result(item, ERROR, unread) for item in task.items]
    return TaskResult(task.id, task.title, task.hints, _said_once(looked))


def _said_once(items: list[ItemResult]) -> tuple[ItemResult, ...]:
    """The same error in every item is told at the first one only."""
    told: set[str] = set()
    result = []
    for item in items:
        if item.status == ERROR and all(f.text in told for f in item.findings):
            item = item._replace(findings=())
        told |= {f.text for f in item.findings}
        result.append(item)
    return tuple(result)


def _result(item: Item, status: str, findings: Findings) -> ItemResult:
    marked = tuple(f._replace(item=item.id, status=status) for f in findings)
    return ItemResult(
        item.id, item.title, status, item.points if status == PASS else 0, item.points, marked
    )


def _look_at_calls(task: Task, item: Item, collected: Mapping[str, Any], seed: int) -> ItemResult:
    assert task.calls is not None
    asked, told = task.calls(seed), collected.get("calls")
    if not isinstance(told, list) or len(told) != len(asked):
        return _broken(item, "the answers do not fit the questions")
    replies = []
    for call, got in zip(asked, told, strict=True):
        if call.group != item.group:
            continue
        if "error" in got:
            text = f"Your {task.name}() raised {got['error']}."
            return _result(item, ERROR, (Finding(text),))
        replies.append(Reply(call.args, from_plain(got.get("value"))))
    return _check(item, replies, seed)


def _look_at_value(task: Task, item: Item, collected: Mapping[str, Any], seed: int) -> ItemResult:
    value = from_plain(collected.get("value"))
    if not isinstance(value, dict):
        text = f"{task.name} must be a dict with the keys of the task. Here it is {named(value)}."
        return _result(item, FAIL, (Finding(text),))
    found = {path: _at(value, path) for path in item.reads}
    blank = [path for path, there in found.items() if is_blank(there)]
    if blank:
        still = (Finding(f"Still open: {', '.join(blank)}."),)
        return _result(item, NOT_ATTEMPTED, still if len(blank) < len(found) else ())
    return _check(item, found, seed)


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _check(item: Item, answer: Any, seed: int) -> ItemResult:
    try:
        findings = item.check(answer, seed)
    except Exception as error:  # our own check met something it did not foresee
        return _broken(item, f"{type(error).__name__}: {error}")
    notes_only = all(finding.status == PASS for finding in findings)
    return _result(item, PASS if notes_only else FAIL, findings)


def _broken(item: Item, why: str) -> ItemResult:
    text = f"Our check broke on this answer ({why}). This is our fault: please tell us."
    return _result(item, INTERNAL, (Finding(text),))
