"""What lives here: the words in which an incident is written.

A ``Fault`` makes, from a number, a ``Scene``: a whole cluster, the same cluster broken, and the
probes that show the symptom. Which node, pod or Service is hit depends on the number.

What may not live here: how a fault is repaired (the expert paths stand beside the exercises).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.course.incidents.flows import Flow


class Probe(NamedTuple):
    """A flow that shows the symptom. In the broken cluster it ends with ``outcome`` at ``where``,
    and the reason holds ``why``; in the whole cluster it ends as it should. ``source``: what shows
    the symptom is the source address that the receiver sees."""

    flow: Flow
    outcome: str
    where: str = ""
    why: str = ""
    source: bool = False


class Scene(NamedTuple):
    """One incident, ready to be looked at. ``words`` fill the ticket and the expert's path; none of
    the clusters may be changed: clone them. ``left`` says what of the fault is still in a cluster
    in which the probes show nothing any more (empty: nothing): it can be covered, and yet there."""

    whole: Cluster
    broken: Cluster
    probes: tuple[Probe, ...]
    words: Mapping[str, str]
    left: Callable[[Cluster], str] = lambda _: ""


class Fault(NamedTuple):
    """A fault of the catalogue.

    ``ticket`` is the symptom in a user's words; ``cause`` and ``others`` are ids of ``CAUSES``:
    what it is, and what else is offered. ``beliefs`` maps a wrong cause to the id of the wrong
    belief behind it and the finding that names it. ``kernel``: a real kernel can show it.
    """

    id: str
    title: str
    ticket: str
    cause: str
    others: tuple[str, ...]
    beliefs: Mapping[str, tuple[str, str]]
    make: Callable[[Random], Scene]
    kernel: bool = True

    @property
    def offered(self) -> tuple[str, ...]:
        """The causes to choose from, in an order that says nothing."""
        return tuple(sorted({self.cause, *self.others}))
