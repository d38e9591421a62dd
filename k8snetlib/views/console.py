"""What lives here: ``Console``, the prompt without its picture: what is typed where, and the log.

A console belongs to one cluster and changes it: what is typed there, the next cell meets. It runs
commands with ``cluster[machine].sh``, so what it prints is what the real tools print; what they
refuse is written down as they say it, and is no exception here.

A *script* is the log as text, to be typed again by ``replay`` or by hand::

    node1$ iptables -P FORWARD ACCEPT
    node1$ kubectl apply -f - <<EOF
    > kind: Service
    > EOF

What may not live here: HTML, anything that a browser does (see ``prompt``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.errors import BadCommand, K8sNetError

#: A line of a script: a machine, its prompt sign, a command.
_LINE = re.compile(r"([\w./-]+)[$#](?: (.*))?")
#: In which order machines are offered: their role -> what the group is called.
GROUPS = {"node": "Nodes", "pod": "Pods", "host": "Machines", "router": "Network",
          "switch": "Network"}  # fmt: skip


class Typed(NamedTuple):
    """One command: where it was typed, what it printed. ``refused``: the tool would not do it, and
    ``output`` is what it said; ``hint`` then says what would be right (may be empty)."""

    machine: str
    command: str
    output: str
    refused: bool = False
    hint: str = ""


class Console:
    """A prompt that goes from machine to machine, and remembers.

    Parameters: ``cluster`` is changed by what is typed; ``machine`` is where it is typed first, by
    any name people use. Raises ``UnknownName``. ``log`` is everything typed since the last
    ``clear``; ``history`` the commands for the arrow keys.
    """

    def __init__(self, cluster: Cluster, machine: str) -> None:
        self.cluster = cluster
        self.machine = cluster[machine].name
        self.log: tuple[Typed, ...] = ()
        self.history: tuple[str, ...] = ()
        #: How many commands of the log lie before the last ``reset``.
        self.stale = 0
        #: How many commands were cleared away: the number of the log's first one.
        self.first = 0
        self._start = cluster.clone()
        self._watchers: list[Callable[[], None]] = []

    def watch(self, told: Callable[[], None]) -> None:
        """``told`` is called after every change."""
        self._watchers.append(told)

    def _tell(self) -> None:
        for told in self._watchers:
            told()

    @property
    def machines(self) -> dict[str, tuple[str, ...]]:
        """The machines that have a prompt now: Nodes, Pods, Machines, Network -> their names."""
        found: dict[str, list[str]] = {group: [] for group in GROUPS.values()}
        for name, ns in self.cluster.network.netns.items():
            found[GROUPS.get(ns.role, "Machines")].append(name)
        return {group: tuple(names) for group, names in found.items() if names}

    # -- typing ---------------------------------------------------------------------------------

    def run(self, command: str, machine: str = "") -> str:
        """Types a command, writes it down, and returns what it prints.

        Parameters: ``machine`` is where (empty: where the last one was typed). ``clear`` clears the
        log, as in any terminal. What the tool refuses is returned in its words. Raises
        ``UnknownName`` for a machine that is not there (any more).
        """
        ns = self.cluster[machine or self.machine]
        self.machine = ns.name
        command = command.strip()
        if not command:
            return ""
        if self.history[-1:] != (command,):
            self.history += (command,)
        if command == "clear":
            self.clear()
            return ""
        try:
            done = Typed(ns.name, command, ns.sh(command))
        except K8sNetError as error:
            done = Typed(ns.name, command, error.message, True, error.hint)
        self.log += (done,)
        self._tell()
        return done.output

    def clear(self) -> None:
        """Empties the log. The cluster stays as it is."""
        self.first += len(self.log)
        self.log, self.stale = (), 0
        self._tell()

    def reset(self) -> None:
        """Puts the cluster back to how it was when this console was made; the log stays, and the
        script begins anew. Namespaces taken out before belong to what is gone: take them again."""
        self.cluster.restore(self._start)
        self.stale = len(self.log)
        if all(self.machine not in names for names in self.machines.values()):
            self.machine = next(iter(self.machines.values()))[0]
        self._tell()

    # -- scripts --------------------------------------------------------------------------------

    @property
    def commands(self) -> list[dict[str, str]]:
        """What was typed since the last ``reset``, without what was refused: ``{"netns": …,
        "command": …}``."""
        kept = [typed for typed in self.log[self.stale :] if not typed.refused]
        return [{"netns": typed.machine, "command": typed.command} for typed in kept]

    def script(self) -> str:
        """The same as lines of a shell, ``node1$ ip route``; what was refused stands there as a
        comment."""
        lines: list[str] = []
        for typed in self.log[self.stale :]:
            written = _lines(typed)
            lines += [f"# {line}" for line in written] if typed.refused else written
        return "\n".join(lines)

    def replay(self, script: str) -> None:
        """Types a script again. Raises ``BadCommand`` for a line that names no machine, and
        ``UnknownName`` for a machine that is not there; nothing is typed then."""
        steps = read_script(script)
        for machine, _ in steps:
            self.cluster[machine]
        for machine, command in steps:
            self.run(command, machine)

    def text(self) -> str:
        """The log in words: as a terminal would show it."""
        lines: list[str] = []
        for at, typed in enumerate(self.log):
            if at == self.stale and at:
                lines.append("(The cluster was put back to how it was.)")
            lines += _lines(typed)
            lines += [part for part in (typed.output, typed.hint) if part]
        if self.stale and self.stale == len(self.log):
            lines.append("(The cluster was put back to how it was.)")
        return "\n".join(lines)


def _lines(typed: Typed) -> list[str]:
    first, *more = typed.command.split("\n")
    return [f"{typed.machine}$ {first}", *(f"> {line}" for line in more)]


def read_script(text: str) -> tuple[tuple[str, str], ...]:
    """The lines of a script as (machine, command). Comments and empty lines are passed over.

    Raises ``BadCommand`` for a line that names no machine.

    >>> read_script("node1$ ip route")
    (('node1', 'ip route'),)
    """
    return tuple(_read(text))


def _read(text: str) -> Iterator[tuple[str, str]]:
    machine, command = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if machine and (line == ">" or line.startswith("> ")):
            command += "\n" + line[2:]
            continue
        if command:
            yield machine, command
        machine, command = "", ""
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise BadCommand(
                f"Line {number} of the script names no machine: '{line.strip()}'.",
                "Write the machine and a dollar sign first, as in 'node1$ ip route'.",
            )
        machine, command = found[1], found[2] or ""
    if command:
        yield machine, command
