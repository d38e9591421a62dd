"""What lives here: reading what a learner's process wrote. It may hold anything, so it is read
strictly: a capped length, no NaN, no number beyond 64 bits, no key twice, no deep nesting, no text
that UTF-8 cannot carry, and exactly the shape that ``inside`` writes.

One line a thing that happened::

    {"ready": true}                                          setup has run
    {"begin": "04.lookup"}                                   from here on this task is at work
    {"task": "04.lookup", "seed": 1, "collected": {…}}       see course.collect
    {"end": true}

What may not live here: processes, judgement.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from k8snetlib.errors import K8sNetError

MAX_LINE, MAX_OUTPUT = 4_000_000, 16_000_000
MAX_DEPTH, MAX_TEXT = 40, 1_000
LOWEST, HIGHEST = -(1 << 63), (1 << 64) - 1
#: What ``collect`` and ``inside`` say about a task; a grader's own words cannot be forged.
STATUSES = {"answered", "not-attempted", "error", "wrong-kind"}


class NotStrict(K8sNetError):
    """A line that our own code inside the fence would never have written."""


class Heard(NamedTuple):
    """What the lines said so far. ``collected`` maps a seed and a task to the answer's record."""

    collected: Mapping[tuple[int, str], dict[str, Any]] = {}
    ready: bool = False
    at_work: str | None = None
    ended: bool = False


def strict_json(data: bytes) -> Any:
    """The value of a JSON document, or ``NotStrict``."""
    if len(data) > MAX_LINE:
        raise NotStrict("a line is too long")
    try:
        value = json.loads(
            data.decode("utf-8"), parse_constant=_no, parse_int=_int, parse_float=_float,
            object_pairs_hook=_object,
        )  # fmt: skip
    except (ValueError, RecursionError):
        raise NotStrict("a line is no strict JSON") from None
    _look_through(value)
    return value


def _no(name: str) -> Any:
    raise ValueError(name)


def _int(digits: str) -> int:
    number = int(digits[:30])
    if len(digits) > 30 or not LOWEST <= number <= HIGHEST:
        raise ValueError("beyond 64 bits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if abs(number) == float("inf"):
        raise ValueError("not finite")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _look_through(value: Any) -> None:
    """Raises for deep nesting and for lone surrogates; needs no stack of its own."""
    waiting = [(value, 0)]
    while waiting:
        thing, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise NotStrict("a line is nested too deeply")
        if isinstance(thing, dict):
            waiting += [(part, depth + 1) for pair in thing.items() for part in pair]
        elif isinstance(thing, list):
            waiting += [(part, depth + 1) for part in thing]
        elif isinstance(thing, str) and not thing.isascii():
            try:
                thing.encode("utf-8")
            except UnicodeEncodeError:
                raise NotStrict("a text is no UTF-8") from None


def hear(heard: Heard, line: bytes, seeds: Collection[int], tasks: Collection[str]) -> Heard:
    """What is known after one more line; raises ``NotStrict`` for a line of any other shape."""
    said = strict_json(line)
    if not isinstance(said, dict) or heard.ended:
        raise NotStrict("a line of another shape")
    if said == {"ready": True}:
        return heard._replace(ready=True)
    if not heard.ready:
        raise NotStrict("an answer before the setup")
    if said == {"end": True}:
        return heard._replace(at_work=None, ended=True)
    if said.keys() == {"begin"} and said["begin"] in tasks:
        return heard._replace(at_work=said["begin"])
    if said.keys() != {"task", "seed", "collected"}:
        raise NotStrict("a line of another shape")
    seed, task = said["seed"], said["task"]
    if type(seed) is not int or seed not in seeds or task != heard.at_work:
        raise NotStrict("an answer to nothing that was asked")
    if (seed, task) in heard.collected:
        raise NotStrict("the same answer twice")
    known = {**heard.collected, (seed, task): _collected(said["collected"])}
    return heard._replace(collected=known)


def _collected(record: Any) -> dict[str, Any]:
    """A record of ``course.collect``, every field of the type that it has there."""
    if not isinstance(record, dict) or record.get("status") not in STATUSES:
        raise NotStrict("an answer without a status")
    allowed = {"status", "text"} if record["status"] != "answered" else {"status", "value", "calls"}
    text, calls = record.get("text", ""), record.get("calls", [])
    if not record.keys() <= allowed or not _short(text) or not isinstance(calls, list):
        raise NotStrict("an answer of another shape")
    for call in calls:
        if not isinstance(call, dict) or not call.keys() <= {"value", "error", "stub"}:
            raise NotStrict("a call of another shape")
        if not _short(call.get("error", "")):
            raise NotStrict("an error of another shape")
    return record


def _short(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= MAX_TEXT
