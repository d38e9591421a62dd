"""What lives here: who acts by itself on the model's clock, and who of them comes next.

An agent is a server or a daemon: etcd, a flanneld. It has no timers. It says, when asked, at which
time it will next act by itself (``due``: infinity is never), and does so when that time has come
(``act``). The network asks again only after it has acted, or after something it looks at has
changed (``look``): what a daemon would find unchanged every five seconds for a day costs nothing.

Since an agent's plans are plain values of its own, a copy of the network copies the agents, and
nothing that was going to happen is lost. Agents that are due together act in the order in which
they were added.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Protocol

from k8snetlib.errors import K8sNetError

if TYPE_CHECKING:
    from k8snetlib.linux.network import Network

#: More rounds than this at one moment means that agents keep waking each other.
MOST_ROUNDS = 1_000


class Agent(Protocol):
    """Something that acts by itself."""

    name: str

    def due(self) -> float:
        """The model's time, in seconds, at which it acts next, as things stand."""

    def act(self) -> None:
        """Does what is due now."""

    def clone(self, network: Network) -> Agent:
        """The same agent in a copy of the network, which has its namespaces already."""


class Agents:
    """All agents of a network."""

    __slots__ = ("_alarms", "_all", "_busy", "_due", "_look", "_order")

    def __init__(self) -> None:
        self._all: dict[str, Agent] = {}
        self._order: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._alarms: list[tuple[float, int, str]] = []
        self._look: dict[str, None] = {}
        self._busy = 0

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._all.values())

    def __getitem__(self, name: str) -> Agent:
        return self._all[name]

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def add(self, agent: Agent) -> None:
        """From now on the agent is asked; raises ``K8sNetError`` if its name is taken."""
        if agent.name in self._all:
            raise K8sNetError(f"There is already an agent called {agent.name}.")
        self._order[agent.name] = len(self._order)
        self._all[agent.name] = agent
        self._look[agent.name] = None

    def look(self, name: str) -> None:
        """Something that the agent looks at has changed: it will be asked again."""
        self._look[name] = None

    @property
    def busy(self) -> bool:
        """True while agents act, or are held back."""
        return self._busy > 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Within, nobody acts: what several changes bring about comes after the last of them."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    def next(self) -> float:
        """When the next agent acts."""
        self._ask()
        alarms, due = self._alarms, self._due
        while alarms and due.get(alarms[0][2]) != alarms[0][0]:
            heapq.heappop(alarms)
        return alarms[0][0] if alarms else inf

    def act(self, now: float) -> bool:
        """Lets all agents act that are due at ``now``, until none is; True if one did."""
        if self._busy or not (self._look or self._alarms):
            return False
        rounds = 0
        with self.hold():
            while self.next() <= now:
                for name in self._take(now):
                    self._look[name] = None
                    self._all[name].act()
                rounds += 1
                if rounds > MOST_ROUNDS:
                    raise K8sNetError(f"After {rounds} rounds {name} still finds things to do.")
        return rounds > 0

    def _take(self, now: float) -> list[str]:
        """All who are due now, in their order. One round for all of them: what the first one's act
        means for the others, they see when it is their turn, together with all else."""
        names = []
        while self.next() <= now:
            _, _, name = heapq.heappop(self._alarms)
            del self._due[name]
            names.append(name)
        return sorted(names, key=self._order.__getitem__)

    def _ask(self) -> None:
        while self._look:
            names, self._look = self._look, {}
            for name in names:
                when = self._all[name].due()
                if when == self._due.get(name):
                    continue
                if when == inf:
                    self._due.pop(name, None)
                else:
                    self._due[name] = when
                    heapq.heappush(self._alarms, (when, self._order[name], name))

    def clone_into(self, network: Network) -> None:
        """Copies of all agents, for a copy of the network."""
        for agent in self._all.values():
            network.agents.add(agent.clone(network))
