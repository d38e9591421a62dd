"""What lives here: a machine's daemons as systemd sees them: units, their states, their journal.

A unit is started and stopped (``systemctl``), and started again by systemd when it ends by itself
(``Restart=``, ``RestartSec=``). What it writes goes to the journal with the model's time; the
model's clock starts at midnight of 1 January 2000, UTC.

``Service`` alone is a unit that only exists (kubelet, say). A daemon that does something is a
subclass, and an agent on the network's clock.

Simplified here: no dependencies between units, no start limits; the journal keeps a unit's last
thousand lines. Source: systemd.service(5), systemctl(1), journalctl(1).
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.errors import K8sNetError
from k8snetlib.linux.clock import journal_time, klog_head

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns
    from k8snetlib.linux.network import Network

KEPT_LINES = 1000
#: The states of a unit, as ``systemctl is-active`` prints them.
ACTIVE, INACTIVE, ACTIVATING, FAILED = "active", "inactive", "activating", "failed"


class Line(NamedTuple):
    """A line of the journal: the model's time in seconds, who wrote it (with its process number),
    and the text. ``level`` and ``source`` are there if the daemon writes lines as klog does."""

    time: float
    writer: str
    pid: int
    text: str
    level: str = ""
    source: str = ""

    @property
    def message(self) -> str:
        """What the daemon wrote."""
        if not self.level:
            return self.text
        return f"{klog_head(self.level, self.time, self.pid, self.source)} {self.text}"

    def __str__(self) -> str:
        return f"{journal_time(self.time)} {self.writer}[{self.pid}]: {self.message}"


class Service:
    """One unit of a machine.

    Parameters: ``ns`` is the machine; ``description`` and ``command`` are those of the unit file;
    ``restart_sec`` is after how many seconds systemd starts it again when it ended by itself (None:
    never).
    """

    def __init__(
        self, ns: Netns, name: str, description: str, command: str,
        restart_sec: float | None = None,
    ) -> None:  # fmt: skip
        self.ns = ns
        self.unit = name
        self.name = f"{ns.name}/{name}"
        self.description = description
        self.command = command
        self.restart_sec = restart_sec
        self.state = INACTIVE
        self.since = 0.0
        self.pid = 0
        self.exit_status = 0
        self.restart_at = inf
        self.restarts = 0
        self.journal: deque[Line] = deque(maxlen=KEPT_LINES)

    # -- what systemctl does --------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """True while there is a process."""
        return self.state == ACTIVE

    def start(self) -> None:
        """Starts the unit; one that runs is left alone."""
        if self.state == ACTIVE:
            return
        self.restarts = 0
        with self.network.agents.hold():
            self._launch()
        self.network.settle()

    def stop(self) -> None:
        """Stops the unit; systemd does not start it again."""
        self.restart_at = inf
        if self.state == ACTIVE:
            with self.network.agents.hold():
                self._systemd(f"Stopping {self.unit}.service - {self.description}...")
                self.end()
                self._systemd(f"{self.unit}.service: Deactivated successfully.")
                self._systemd(f"Stopped {self.unit}.service - {self.description}.")
        self._become(INACTIVE)
        self.network.settle()

    def restart(self) -> None:
        """Stops it, if it runs, and starts it."""
        self.stop()
        self.start()

    # -- what happens by itself -----------------------------------------------------------------

    def exited(self, status: int) -> None:
        """The process ended by itself; systemd may start it again later."""
        self.exit_status = status
        unit = f"{self.unit}.service"
        if status:
            text = f"Main process exited, code=exited, status={status}/FAILURE"
            self._systemd(f"{unit}: {text}")
            self._systemd(f"{unit}: Failed with result 'exit-code'.")
        else:
            self._systemd(f"{unit}: Deactivated successfully.")
        if self.restart_sec is None:
            self._become(FAILED if status else INACTIVE)
            return
        self._become(ACTIVATING)
        self.restart_at = self.now + self.restart_sec

    def due(self) -> float:
        """When it acts next: when systemd starts it again."""
        return self.restart_at

    def act(self) -> None:
        """systemd starts it again."""
        if self.now < self.restart_at:
            return
        self.restarts += 1
        text = f"Scheduled restart job, restart counter is at {self.restarts}."
        self._systemd(f"{self.unit}.service: {text}")
        self._launch()

    def _launch(self) -> None:
        self.restart_at = inf
        self.pid = self.ns.next_pid()
        self._become(ACTIVE)
        self._systemd(f"Started {self.unit}.service - {self.description}.")
        self.begin()

    def begin(self) -> None:
        """What the process does first; a subclass's."""

    def end(self) -> None:
        """What the process does when it is told to end; a subclass's."""

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state, self.since = state, self.now
        self.look()

    # -- time and words -------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The model's time in seconds."""
        return self.network.now

    @property
    def network(self) -> Network:
        """The network that the machine is part of."""
        if self.ns.network is None:
            raise K8sNetError(f"{self.ns.name} is in no network.")
        return self.ns.network

    def look(self) -> None:
        """What it is going to do may have changed."""
        if self.name in self.network.agents:
            self.network.agents.look(self.name)

    def say(self, level: str, source: str, text: str) -> None:
        """The process writes a line as klog does; level I, W or E, and the source file."""
        self.journal.append(Line(self.now, self.unit, self.pid, text, level, source))

    def _systemd(self, text: str) -> None:
        self.journal.append(Line(self.now, "systemd", 1, text))

    # -- copies ---------------------------------------------------------------------------------

    def clone(self, network: Network) -> Service:
        """The same unit on the same machine of a copied network."""
        ns = network.netns[self.ns.name]
        other = Service(ns, self.unit, self.description, self.command, self.restart_sec)
        self.copy_state(other)
        return other

    def copy_state(self, other: Service) -> None:
        """Puts the unit's state into a copy of it, and the copy into its machine."""
        other.state, other.since, other.pid = self.state, self.since, self.pid
        other.exit_status, other.restart_at = self.exit_status, self.restart_at
        other.restarts = self.restarts
        other.journal = self.journal.copy()
        other.ns.services[self.unit] = other


def install(service: Service) -> Service:
    """Puts a unit on its machine, and on the clock of its network."""
    service.ns.services[service.unit] = service
    service.network.agents.add(service)
    return service
