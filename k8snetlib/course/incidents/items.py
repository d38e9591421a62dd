"""What lives here: an incident as items of a rubric: ``incident_items`` is all that a
``checks.py`` needs.

The answer is ``{"cause": id, "script": text}``. Each item that looks at the repair wants a cause
first: who repairs without a diagnosis has learned little.

Which incident a task shows does not depend on the grader's seed: the script fits one broken cluster
only. Another ``number`` gives another node, pod or Service.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from random import Random
from typing import Any

from k8snetlib.course.incidents.catalogue import FAULTS, fault
from k8snetlib.course.incidents.experts import expert_paths
from k8snetlib.course.incidents.fault import Scene
from k8snetlib.course.incidents.repair import Repair
from k8snetlib.course.incidents.verdict import Verdict, judged
from k8snetlib.course.rubric import Finding, Findings, Item, fail, note
from k8snetlib.views.console import read_script

#: The parts of an incident: the last part of the item id, and its title.
PARTS = (
    ("cause", "The cause is named"),
    ("gone", "The symptom is gone"),
    ("clean", "Nothing else broke, and nothing hides the fault"),
    ("lasting", "It survives a restart of flanneld and kube-proxy"),
)

#: In place of the last two, where they are one.
TOGETHER = ("clean", "Nothing else broke, nothing hides the fault, and it lasts")
#: In place of the last three, where no half of the fault can be repaired.
WHOLE = ("repaired", "The symptom is gone, nothing else broke, and it lasts")


@lru_cache(maxsize=64)
def scene(fault_id: str, number: int = 1) -> Scene:
    """The incident of that fault and number. Raises ``UnknownName``."""
    return fault(fault_id).make(Random(f"{fault_id} {number}"))


@lru_cache(maxsize=64)
def verdict(fault_id: str, number: int, script: str) -> Verdict:
    """What is to be said of a repair."""
    return judged(scene(fault_id, number), script)


class Check:
    """The check of one part: a pure function of the answer. Parameters: ``fault_id`` and
    ``number`` say which incident, ``part`` which item; ``expert`` is the script of an expert;
    ``lasting``: whether a repair lasts is an item of its own."""

    def __init__(
        self, fault_id: str, number: int, part: str, expert: str, lasting: bool = True
    ) -> None:
        self.fault_id, self.number, self.part, self.expert = fault_id, number, part, expert
        self.lasting = lasting

    def __call__(self, answer: Mapping[str, Any], seed: int) -> Findings:
        """The findings; the grader's seed changes nothing."""
        if self.part == "cause":
            return named_cause(self.fault_id, answer["cause"])
        script = answer["script"]
        if not isinstance(script, str):
            return fail("The script must be a text: the lines that the prompt gives.")
        found = verdict(self.fault_id, self.number, script)
        whole = found.gone or (*found.clean, *found.lasting)
        findings: Findings = whole if self.part == WHOLE[0] else getattr(found, self.part)
        if self.part == "clean" and not self.lasting and not found.gone:
            findings += found.lasting
        last = "lasting" if self.lasting else "clean"
        if self.part in (last, WHOLE[0]) and not (found.gone or found.clean or findings):
            right = not named_cause(self.fault_id, answer["cause"])
            return self._beside_the_expert(found.repair) if right else ()
        return findings

    def _beside_the_expert(self, repair: Repair | None) -> Findings:
        """The commands used, beside a short way."""
        if repair is None:
            return ()
        count = len(repair.commands)
        words = f"You changed something with {count} command{'s' * (count != 1)}"
        # An answer cell holds only what changes something: nobody knows there who has looked.
        words += f" and looked with {repair.looked}." if repair.looked else "."
        yours = "\n".join(f"{machine}$ {command}" for machine, command in repair.commands)
        if not self.expert:
            return note(words, yours)
        filled = filled_in(self.expert, scene(self.fault_id, self.number))
        short = len(read_script(filled))
        return note(f"{words} A short way has {short}.", f"{yours}\n\n# a short way\n{filled}")


def filled_in(script: str, of: Scene) -> str:
    """An expert's script with the names of one incident."""
    for word, value in of.words.items():
        script = script.replace(f"{{{word}}}", value)
    return script.strip()


def named_cause(fault_id: str, cause: object) -> Findings:
    """A finding unless the cause is the right one."""
    incident = FAULTS[fault_id]
    said = cause.strip().lower().replace("_", "-") if isinstance(cause, str) else cause
    if said == incident.cause:
        return ()
    if said not in incident.offered:
        return fail("The cause must be one of the ids in the ticket's list.")
    if said in incident.beliefs:
        belief, text = incident.beliefs[str(said)]
        return (Finding(text, belief),)
    return fail("This cause would show itself in another way. Compare with a flow that works.")


def incident_items(
    task_id: str, fault_id: str, *, number: int = 1, points: int = 2, lasting: bool = True,
    halves: bool = True,
) -> tuple[Item, ...]:  # fmt: skip
    """The items of an incident, to be added to a rubric.

    Parameters: ``fault_id`` is one of ``FAULTS``; ``number`` which incident of that fault;
    ``points`` are those of each item. ``lasting`` False: whether the repair lasts is no item of its
    own but a part of ``clean``, for faults that a restart of the daemons hardly touches. ``halves``
    False: the repair is one item, for faults that cannot be repaired by half. Raises
    ``UnknownName``.
    """
    fault(fault_id)
    expert = expert_paths().get(fault_id, "")
    parts: tuple[tuple[str, str], ...] = PARTS if lasting else (*PARTS[:2], TOGETHER)
    if not halves:
        parts = (PARTS[0], WHOLE)
    return tuple(
        Item(
            f"{task_id}.{part}", points, title, Check(fault_id, number, part, expert, lasting),
            ("cause",) if part == "cause" else ("cause", "script"),
        )
        for part, title in parts
    )  # fmt: skip
