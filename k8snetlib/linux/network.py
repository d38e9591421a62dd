"""What lives here: the wires between namespaces, the clock, and the walk until nothing moves.

``Network.run`` takes the oldest thing that moves (a frame that arrives on a device, a packet that a
host sends) and lets one namespace handle it; that may put new things at the end of the queue. When
the queue is empty, nothing moves: time may jump to the next timer (an ARP request is repeated, a
connect gives up), or the walk is over. First in, first out: what a kernel hands to a wire first
arrives first.

Time is a number in seconds that only ``run`` and ``advance`` change; chance comes from one seeded
source. The same seed and the same commands give the same walk. Daemons act by themselves on the
same clock (see ``agents``).

Simplified here: a hop takes no time, wires lose nothing, and every queue is long enough.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from random import Random
from typing import Any

from k8snetlib.address import BROADCAST_MAC
from k8snetlib.errors import K8sNetError, unknown_name
from k8snetlib.linux.agents import Agents
from k8snetlib.linux.chance import Dice
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.noted import Notes
from k8snetlib.linux.stack import Visit
from k8snetlib.packet import Packet
from k8snetlib.topology import Host, Port, Topology
from k8snetlib.trace import Frame, Hop, Names, Trace, label_of

#: More moves than this in one walk means that something goes round in circles.
MOST_MOVES = 200_000

Box = Callable[..., None]


class Flight:
    """One packet under way: its identity from first sender to last receiver, and its record."""

    __slots__ = ("born", "cause", "first", "frames", "names", "seen", "visits")

    def __init__(self, first: Packet, born: int, names: Names, cause: str = "") -> None:
        self.first = first
        self.born = born
        self.names = names
        self.cause = cause
        self.seen: Any = None
        self.visits: list[Visit] = []
        self.frames: list[tuple[int, Frame]] = []

    @property
    def order(self) -> int:
        """Where this packet stands among the others: by its first frame."""
        return self.frames[0][0] if self.frames else self.born

    def freeze(self, n: int) -> Trace:
        """The record so far, as a ``Trace`` that can no longer change."""
        hops = tuple(
            Hop(v.ns.name, v.device, tuple(v.steps), v.evaluated) for v in self.visits if v.steps
        )
        frames = tuple(frame for _, frame in self.frames)
        return Trace(n, label_of(self.first, self.names), hops, frames)


class Network:
    """Namespaces, the wires between them, a clock and a source of chance.

    Parameters: ``seed`` fixes every random choice (source ports, load balancing …).
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.dice = Dice(self.random)
        self.now = 0.0
        self.netns: dict[str, Netns] = {}
        self.agents = Agents()
        self.flights: list[Flight] = []
        self.notes = Notes()
        self.pinned: str | None = None
        self.last: tuple[Trace, ...] = ()
        self.sequence = 0
        self._queue: deque[tuple[Box, Netns, str, tuple[Any, ...], Flight]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._names: Names | None = None
        self._topology: Topology | None = None

    # -- building -------------------------------------------------------------------------------

    def add(self, ns: Netns) -> Netns:
        """Adds a namespace; raises ``K8sNetError`` if the name is taken."""
        if ns.name in self.netns:
            raise K8sNetError(f"There is already a network namespace called {ns.name}.")
        self.netns[ns.name] = ns
        ns.network = self
        self.forget_names()
        return ns

    def wire(self, a: tuple[Netns, str, str], b: tuple[Netns, str, str], mtu: int = 1500) -> None:
        """A veth pair: two devices, each (namespace, name, MAC), that hand frames to each other."""
        for (ns, name, mac), (other, other_name, _) in ((a, b), (b, a)):
            ns.add_device(Device(name, "veth", mac, mtu, peer=(other.name, other_name)))

    @property
    def names(self) -> Names:
        """Who owns which MAC and IPv4 address now; traces keep the value of their time."""
        if self._names is None:
            macs: dict[str, str] = {}
            ips: dict[str, str] = {}
            for ns in self.netns.values():
                for device in ns.devices.values():
                    if device.kind == "dummy":
                        continue  # the addresses of Services are on every node, so of none
                    if device.kind != "lo":
                        macs.setdefault(device.mac, f"{ns.name}:{device.name}")
                    for address in device.addresses:
                        if not address.ip.startswith("127."):
                            several = ns.role not in ("pod", "host") and device.name != "eth0"
                            owner = f"{ns.name} {device.name}" if several else ns.name
                            ips.setdefault(address.ip, owner)
            macs.pop(BROADCAST_MAC, None)
            self._names = Names(macs, ips)
        return self._names

    def forget_names(self) -> None:
        """Devices or addresses changed: the next trace gets a fresh table of names."""
        self._names = None
        self._topology = None

    @property
    def topology(self) -> Topology:
        """Who is connected to whom now, as a value."""
        if self._topology is None:
            self._topology = Topology(tuple(self._host(ns) for ns in self.netns.values()))
        return self._topology

    def _host(self, ns: Netns) -> Host:
        ports = tuple(
            Port(
                d.name, d.kind, d.mac, d.mtu, d.up, tuple(map(str, d.addresses)), d.master, d.peer,
                d.owner,
            )
            for d in ns.devices.values()
        )  # fmt: skip
        on = None
        if ns.role == "pod" and "eth0" in ns.devices:
            peer = ns.devices["eth0"].peer
            on = peer[0] if peer else None
        return Host(ns.name, ns.role, on, ns.containers, tuple(ns.processes), ports)

    # -- things that move -----------------------------------------------------------------------

    def flight(self, first: Packet, cause: str = "") -> Flight:
        """A new packet's identity, recorded among the flights of this walk."""
        self.sequence += 1
        flight = Flight(first, self.sequence, self.names, cause)
        self.flights.append(flight)
        return flight

    def frame_arrives(self, ns_name: str, device: str, frame: Packet, flight: Flight) -> None:
        """Puts a frame on a device at the end of the queue."""
        self._queue.append((Visit.frame_in, self.netns[ns_name], device, (device, frame), flight))

    def begin(self, ns: Netns, box: Box, packet: Packet, *args: Any, cause: str = "") -> Flight:
        """A host begins to send a packet of its own: ``box`` is where it enters the drawing."""
        flight = self.flight(packet, cause)
        self._queue.append((box, ns, "", (*args, packet), flight))
        return flight

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Calls ``action`` when so many seconds have passed on the model's clock."""
        self.sequence += 1
        heapq.heappush(self._timers, (self.now + seconds, self.sequence, action))

    # -- time -----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Moves everything that can move now; the clock stands still."""
        self._walk()
        if self.agents.act(self.now):
            self._walk()

    def _walk(self) -> None:
        queue = self._queue
        moves = 0
        while queue:
            box, ns, device, args, flight = queue.popleft()
            visit = Visit(self, ns, device, flight)
            if flight.seen is not None:  # the first visit inherits the connection it answers
                visit.seen, flight.seen = flight.seen, None
            box(visit, *args)
            while visit.todo:
                following, more = visit.todo.pop(0)
                following(visit, *more)
            moves += 1
            if moves > MOST_MOVES:
                queue.clear()
                raise K8sNetError(
                    f"After {MOST_MOVES} moves packets still go round in circles.",
                    "Look for two bridges joined by two wires.",
                )

    def run(self, until: Callable[[], bool], patience: float) -> None:
        """Walks until ``until()`` is true or nothing moves for ``patience`` more seconds."""
        deadline = self.now + patience
        self.settle()
        while not until():
            if self._next() > deadline:
                self.now = deadline
                return
            self._fire()

    def advance(self, seconds: float) -> None:
        """Lets time pass: timers fire in their order, and what they start is walked to its end."""
        if seconds < 0:
            raise K8sNetError("Time cannot run backwards.", "Give a positive number of seconds.")
        if not seconds < inf:
            raise K8sNetError(f"{seconds} is no span of time.", "Give a number of seconds.")
        deadline = self.now + seconds
        self.settle()
        while self._next() <= deadline:
            self._fire()
        self.now = deadline

    def _next(self) -> float:
        """When something happens next by itself: a packet's timer, or a daemon's."""
        timer = self._timers[0][0] if self._timers else inf
        return min(timer, self.agents.next())

    def _fire(self) -> None:
        when = self._next()
        self.now = max(self.now, when)
        if self._timers and self._timers[0][0] <= when:
            heapq.heappop(self._timers)[2]()
        self.settle()

    # -- records --------------------------------------------------------------------------------

    def record(self) -> list[Flight]:
        """Starts a new record and returns it; flights of earlier walks are left behind."""
        self.flights, self.notes = [], Notes()
        return self.flights

    @staticmethod
    def freeze(flights: Iterable[Flight]) -> tuple[tuple[Trace, ...], dict[int, int]]:
        """Traces in the order of their first frames, and where each flight (by ``id``) went."""
        ordered = sorted(flights, key=lambda flight: flight.order)
        places = {id(flight): n for n, flight in enumerate(ordered)}
        return tuple(flight.freeze(n) for n, flight in enumerate(ordered)), places

    # -- access ---------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Netns:
        try:
            return self.netns[name]
        except KeyError:
            raise unknown_name("network namespace", name, self.netns) from None

    def clone(self) -> Network:
        """An independent copy, for a what-if; nothing may be moving.

        Daemons come along, with what they are going to do next. Timers of packets stay behind: a
        copy has no packet under way.
        """
        self.settle()
        other = Network(self.seed)
        other.random.setstate(self.random.getstate())
        other.now = self.now
        for ns in self.netns.values():
            other.add(ns.clone())
        self.agents.clone_into(other)
        return other
