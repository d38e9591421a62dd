"""What lives here: ``on_call``: incidents at random, one after another, which belong to no task.

``tickets = on_call(7)`` draws five. ``console = next(tickets)`` shows a ticket and gives the
prompt; ``console.check("the-cause")`` judges the cause, and what was typed, as an exercise would.

What may not live here: points that count, progress.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from k8snetlib.course.incidents.catalogue import FAULTS
from k8snetlib.course.incidents.fault import Fault
from k8snetlib.course.incidents.show import Incident, incident

#: How many tickets a shift has.
A_SHIFT = 5
#: The numbers of practice incidents; those of exercises are smaller.
_NUMBERS = range(100, 1000)


def on_call(seed: int, /) -> Iterator[Incident]:
    """Five incidents, drawn at random: no fault and no cause comes twice.

    Parameters: the same ``seed`` gives the same five. Each ``next`` shows the next ticket, and
    returns the prompt over its broken cluster.
    """
    dice = Random(f"on call {seed}")
    return (incident(fault_id, number=number) for fault_id, number in drawn(dice))


def drawn(dice: Random) -> list[tuple[str, int]]:
    """The faults of one shift, each with its number."""
    by_cause: dict[str, Fault] = {}
    for fault in dice.sample(list(FAULTS.values()), len(FAULTS)):
        by_cause.setdefault(fault.cause, fault)
    return [(fault.id, dice.choice(_NUMBERS)) for fault in list(by_cause.values())[:A_SHIFT]]
