"""What lives here: who is connected to whom, as values that pictures can be drawn from.

A ``Topology`` is taken from the kernel's state when a walk ends and travels with its ``Exchange``,
so a picture needs nothing but the result. What may not live here: coordinates, colours (``views``).
"""

from __future__ import annotations

from typing import NamedTuple


class Port(NamedTuple):
    """A network device as a picture needs it; fields as in ``linux.netns.Device``."""

    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    addresses: tuple[str, ...]
    master: str | None
    peer: tuple[str, str] | None
    owner: str | None


class Host(NamedTuple):
    """One network namespace. ``role`` is node, pod, switch, router or host; ``on`` is the node that
    carries a pod (None otherwise); ``containers`` and ``daemons`` are the processes in it."""

    name: str
    role: str
    on: str | None
    containers: tuple[str, ...]
    daemons: tuple[str, ...]
    ports: tuple[Port, ...]

    def port(self, name: str) -> Port | None:
        """The device of that name, if there is one."""
        return next((port for port in self.ports if port.name == name), None)

    @property
    def address(self) -> str | None:
        """The address people know the host by: its first one that is not a loopback address."""
        found = (a for port in self.ports if port.kind != "lo" for a in port.addresses)
        return next(found, None)


class Topology(NamedTuple):
    """All namespaces of a cluster, in the order in which they were made."""

    hosts: tuple[Host, ...]

    def host(self, name: str) -> Host | None:
        """The namespace of that name, if there is one."""
        return next((host for host in self.hosts if host.name == name), None)

    def pods_on(self, node: str) -> tuple[Host, ...]:
        """The pods of one node."""
        return tuple(host for host in self.hosts if host.on == node)

    def role(self, role: str) -> tuple[Host, ...]:
        """All namespaces of one role."""
        return tuple(host for host in self.hosts if host.role == role)


NO_TOPOLOGY = Topology(())
