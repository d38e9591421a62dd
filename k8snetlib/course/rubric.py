"""What lives here: the words in which an exercise's ``checks.py`` is written.

A rubric is a tuple of ``Item``. Each has a check: a pure function ``(answer, seed) -> findings``,
where no finding (or a mere ``note``) means that the item passes. What ``answer`` is depends on the
kind of task:

* a *code* task: the ``Reply`` values of the calls in the item's group (``Call.group`` is the last
  part of the item's id). The checks never see the learner's function itself, only what it returned.
* a *value* task: a dict from each path in ``Item.reads`` to the value that was written there.

``CALLS`` in ``checks.py`` maps a code task's id to ``calls(seed)``. Expected values are computed by
the model, from the seed; no check holds an answer.

A finding names the *belief* behind a wrong answer. A belief is recognised by what it predicts
(``Belief.predicts``), never by guessing: it must explain every reply of the group.

What may not live here: learner code, notebooks, how a report looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from k8snetlib.course.plain import named
from k8snetlib.trace import Exchange

PASS, FAIL, ERROR, NOT_ATTEMPTED, INTERNAL = (
    "pass",
    "fail",
    "error",
    "not-attempted",
    "internal-error",
)

#: Every status of an item, in words.
STATUSES: Mapping[str, str] = {
    PASS: "right",
    FAIL: "not yet",
    ERROR: "error",
    NOT_ATTEMPTED: "not attempted",
    INTERNAL: "our check broke; a person will look at it",
}


class Finding(NamedTuple):
    """What a check found: one or two sentences that name the belief, never the answer.

    ``witness`` is the walk of the packet that the answer loses, or a text; ``item`` and ``status``
    are filled in when the judge collects the findings.
    """

    text: str
    belief: str | None = None
    witness: Exchange | str | None = None
    status: str = FAIL
    item: str = ""


Findings = tuple[Finding, ...]


class Item(NamedTuple):
    """One line of a rubric. ``id`` is the task's id and a name: ``04.lookup.longest``.

    ``reads`` lists, for a value task, the places of the answer this item looks at, as dotted paths.
    """

    id: str
    points: int
    title: str
    check: Callable[[Any, int], Findings]
    reads: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """The id of the task this item belongs to."""
        return self.id.rpartition(".")[0]

    @property
    def group(self) -> str:
        """The last part of the id; the calls of this group are this item's."""
        return self.id.rpartition(".")[2]


class Call(NamedTuple):
    """One call of a learner's function. ``args`` are values that ``to_plain`` can carry."""

    group: str
    args: tuple[Any, ...]


class Reply(NamedTuple):
    """What one call returned, as a plain value (see ``plain.from_plain``)."""

    args: tuple[Any, ...]
    value: Any


class Belief(NamedTuple):
    """A wrong belief: ``predicts(*args)`` is what somebody who holds it would answer; ``text`` is
    the finding that names it."""

    id: str
    text: str
    predicts: Callable[..., Any]


def fail(text: str, belief: str | None = None, witness: Exchange | str | None = None) -> Findings:
    """One finding that fails the item."""
    return (Finding(text, belief, witness),)


def note(text: str, witness: Exchange | str | None = None) -> Findings:
    """A remark on an item that passes."""
    return (Finding(text, None, witness, PASS),)


def same(left: Any, right: Any) -> bool:
    """True if two plain values are equal; True is not 1, and 1.0 is not 1."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


def compare(
    replies: Sequence[Reply],
    truth: Callable[..., Any],
    beliefs: Sequence[Belief],
    otherwise: str,
    *,
    read: Callable[[Any], Any] = lambda value: value,
    equal: Callable[[Any, Any], bool] = same,
    witness: Callable[[Reply], Exchange | str | None] = lambda reply: None,
) -> Findings:
    """Compares each reply with the truth; names the belief that explains *all* replies.

    Parameters: ``truth(*args)`` is the right answer; ``read`` brings equivalent forms of a reply
    into one form; ``otherwise`` is the finding when no belief explains the replies; ``witness``
    makes the evidence from the first wrong reply.
    """
    seen = [Reply(reply.args, read(reply.value)) for reply in replies]
    wrong = [r for r in seen if not equal(r.value, truth(*r.args))]
    if not wrong:
        return ()
    for belief in beliefs:
        if all(equal(reply.value, belief.predicts(*reply.args)) for reply in seen):
            return fail(belief.text, belief.id, witness(wrong[0]))
    return fail(otherwise, None, witness(wrong[0]))


def wrong_type(replies: Sequence[Reply], kinds: tuple[type, ...], wanted: str) -> Findings:
    """A finding if some reply is of another type than ``kinds``; ``wanted`` says it in words."""
    for reply in replies:
        if not isinstance(reply.value, kinds) or isinstance(reply.value, bool):
            return fail(f"The answer must be {wanted}. Here it is {named(reply.value)}.")
    return ()
