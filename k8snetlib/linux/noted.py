"""What lives here: what bridges and hosts learned during one walk, in the order of happening.

A ``Notes`` is the record of one walk. The tables of a namespace (its bridges' forwarding databases,
its neighbours) are noted as they were when the walk first came to them; from then on every frame
that a bridge got and every entry that was learned, confirmed or forgotten. Pictures that show
tables beside packets read this, and nothing is derived twice.

What may not live here: when an entry is learned (``bridge``, ``neighbour``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns
    from k8snetlib.linux.stack import Visit


class Tables(NamedTuple):
    """The entries of one namespace: forwarding databases (``fdb``), and neighbours."""

    fdb: tuple[Any, ...]
    neighbours: tuple[Any, ...]


class Bridged(NamedTuple):
    """A bridge got a frame: packet ``n``, its visit ``hop`` there, and from which ``step`` on the
    trace tells of it. ``port`` is where it came in ("": from the host itself)."""

    netns: str
    bridge: str
    port: str
    n: int
    hop: int
    step: int
    time: float


class Learned(NamedTuple):
    """An entry (an ``FdbEntry`` or a ``Neighbour``) was learned or confirmed; ``gone``: forgotten,
    for it was too old."""

    netns: str
    entry: Any
    gone: bool = False


class Tally(NamedTuple):
    """The record of a finished walk: the tables before (by namespace), and what happened then."""

    before: Mapping[str, Tables]
    events: tuple[Bridged | Learned, ...]


class Notes:
    """The record of a walk under way."""

    __slots__ = ("before", "events")

    def __init__(self) -> None:
        self.before: dict[str, Tables] = {}
        self.events: list[Any] = []

    def came_to(self, ns: Netns) -> None:
        """The walk comes to a namespace: its tables are noted, if they are not yet."""
        if ns.name not in self.before:
            fdb, neighbours = ns.fdb.values(), ns.neighbours.values()
            self.before[ns.name] = Tables(tuple(fdb), tuple(neighbours))

    def bridged(self, visit: Visit, bridge: str, port: str) -> None:
        """A bridge gets a frame; before it learns anything."""
        self.came_to(visit.ns)
        self.events.append((visit, bridge, port, len(visit.steps), visit.network.now))

    def learned(self, ns: Netns, entry: Any, *, gone: bool = False) -> None:
        """An entry is about to be stored, or (``gone``) to be deleted."""
        self.came_to(ns)
        self.events.append(Learned(ns.name, entry, gone))

    def freeze(self, places: Mapping[int, int]) -> Tally:
        """The finished record; ``places`` says which packet a flight (by ``id``) became."""
        events: list[Bridged | Learned] = []
        hops: dict[int, dict[int, int]] = {}  # flight -> visit -> its place among the hops
        for event in self.events:
            if isinstance(event, Learned):
                events.append(event)
                continue
            visit, bridge, port, step, time = event
            flight = id(visit.flight)
            if flight not in hops:
                told = (one for one in visit.flight.visits if one.steps)
                hops[flight] = {id(one): hop for hop, one in enumerate(told)}
            if flight in places and id(visit) in hops[flight]:
                n, hop = places[flight], hops[flight][id(visit)]
                events.append(Bridged(visit.ns.name, bridge, port, n, hop, step, time))
        return Tally(dict(self.before), tuple(events))
