"""What lives here: IPVS's state in one namespace: virtual servers, real servers, connections.

A *virtual server* is a protocol, an address and a port; behind it stand *real servers*, each with a
weight. The first packet of a connection makes the scheduler choose one; the connection remembers
the choice, so every later packet goes there as well, and an answer gets the virtual server's
address back. A *persistent* virtual server remembers the client too (a template).

What may not live here: packets (``path``), the choice (``schedulers``).

Simplified here: forwarding is by NAT alone (``Masq``), as kube-proxy has it; no thresholds, no
firewall marks, no virtual server for all ports, no synchronisation; what is over its time is
noticed when somebody looks at the table next.

Nothing here could be compared with a kernel: see ``path``.

Source: ipvsadm(8), ip_vs_ctl.c, ip_vs_conn.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from k8snetlib.errors import K8sNetError, unknown_name
from k8snetlib.linux.ipvs.schedulers import NOT_MODELLED, SCHEDULERS
from k8snetlib.linux.ipvs.states import TIMEOUTS

if TYPE_CHECKING:
    from k8snetlib.linux.netfilter.tables import Ruleset

Key = tuple[str, str, int]
Ends = tuple[str, str, int, str, int]
PROTOCOLS = ("tcp", "udp", "sctp")


def with_port(ip: str, port: int) -> str:
    """``10.1.20.3:8080``, ``[fd00::1]:53``."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


class Counters(NamedTuple):
    """Connections, packets and bytes, to the real server (in) and back (out)."""

    conns: int = 0
    in_packets: int = 0
    out_packets: int = 0
    in_bytes: int = 0
    out_bytes: int = 0


class _Counted:
    """What has counters."""

    __slots__ = ("counters",)

    counters: Counters

    def count(self, size: int, *, back: bool) -> None:
        """One packet more, of ``size`` bytes."""
        conns, ins, outs, in_bytes, out_bytes = self.counters
        if back:
            self.counters = Counters(conns, ins, outs + 1, in_bytes, out_bytes + size)
        else:
            self.counters = Counters(conns, ins + 1, outs, in_bytes + size, out_bytes)

    def begin(self) -> None:
        """One connection more."""
        self.counters = self.counters._replace(conns=self.counters.conns + 1)


class RealServer(_Counted):
    """One real server of one virtual server. ``weight`` 0: it gets no new connections.

    ``active`` are its established TCP connections, ``inactive`` all others; ``persistent`` the
    clients bound to it; ``available`` is False once it was deleted.
    """

    __slots__ = ("active", "available", "inactive", "ip", "persistent", "port", "weight")

    def __init__(self, ip: str, port: int, weight: int = 1) -> None:
        self.ip, self.port, self.weight = ip, port, weight
        self.active = self.inactive = self.persistent = 0
        self.available = True
        self.counters = Counters()

    def __str__(self) -> str:
        return with_port(self.ip, self.port)


class VirtualServer(_Counted):
    """One virtual server. ``servers`` are in the kernel's order, the newest first; ``persistent``
    is for how many seconds a client stays with its server (0: it does not); ``flags`` are the
    scheduler's (``mh-port``). ``last`` and ``level`` are where a round robin stands."""

    __slots__ = ("flags", "ip", "last", "level", "persistent", "port", "proto", "scheduler",
                 "servers")  # fmt: skip

    def __init__(
        self, proto: str, ip: str, port: int, scheduler: str = "wlc", persistent: int = 0,
        flags: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.proto, self.ip, self.port = proto, ip, port
        self.scheduler, self.persistent = scheduler, persistent
        self.flags = frozenset(flags)
        self.servers: list[RealServer] = []
        self.last: RealServer | None = None
        self.level = 0
        self.counters = Counters()

    @property
    def key(self) -> Key:
        """Protocol, address and port: by these it is found."""
        return self.proto, self.ip, self.port

    def __str__(self) -> str:
        return f"{self.proto.upper()} {with_port(self.ip, self.port)} {self.scheduler}"

    def server(self, ip: str, port: int) -> RealServer | None:
        """The real server with this address and port."""
        return next((s for s in self.servers if (s.ip, s.port) == (ip, port)), None)

    def behind_last(self, *, wrap: bool = True) -> list[RealServer]:
        """The servers behind the last one chosen, then (``wrap``) those up to it."""
        at = self.servers.index(self.last) + 1 if self.last in self.servers else 0
        return self.servers[at:] + (self.servers[:at] if wrap else [])


class Connection:
    """One connection. ``client`` and ``virtual`` are (address, port); ``expires`` in seconds on the
    model's clock; ``tracked``: conntrack follows it too."""

    __slots__ = ("client", "expires", "proto", "server", "service", "state", "template", "tracked",
                 "virtual")  # fmt: skip

    def __init__(
        self, proto: str, client: tuple[str, int], virtual: tuple[str, int], server: RealServer,
        service: VirtualServer,
    ) -> None:  # fmt: skip
        self.proto, self.client, self.virtual = proto, client, virtual
        self.server, self.service = server, service
        self.state = "UDP" if proto == "udp" else "NONE"
        self.expires = 0.0
        self.tracked = False
        self.template: Template | None = None

    @property
    def ends(self) -> Ends:
        """As a packet of the client has it: protocol, client, virtual server."""
        return (self.proto, *self.client, *self.virtual)

    @property
    def answer(self) -> Ends:
        """As an answer of the real server has it: protocol, real server, client."""
        return (self.proto, self.server.ip, self.server.port, *self.client)

    def __str__(self) -> str:
        client, virtual = with_port(*self.client), with_port(*self.virtual)
        return f"{self.proto.upper()} {client} -> {virtual} -> {self.server}"


class Template:
    """A client of a persistent virtual server, and the real server that it stays with."""

    __slots__ = ("client", "connections", "expires", "server", "service")

    def __init__(self, client: str, server: RealServer, service: VirtualServer) -> None:
        self.client, self.server, self.service = client, server, service
        self.expires = 0.0
        self.connections = 0


class Ipvs:
    """IPVS in one namespace. It hangs itself into netfilter's hooks with the first virtual server,
    and out of them with the last; ``ruleset``, which has the hooks, is told of every change."""

    __slots__ = ("_earliest", "answers", "connections", "ruleset", "services", "templates",
                 "timeouts")  # fmt: skip

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.services: dict[Key, VirtualServer] = {}
        self.connections: dict[Ends, Connection] = {}
        self.answers: dict[Ends, Connection] = {}
        self.templates: dict[tuple[Key, str], Template] = {}
        self.timeouts = dict(TIMEOUTS)
        self._earliest = inf

    # -- virtual and real servers ---------------------------------------------------------------

    def add(self, service: VirtualServer) -> VirtualServer:
        """``ipvsadm -A``; raises ``K8sNetError`` if it is there, or its scheduler is unknown."""
        if service.key in self.services:
            raise K8sNetError("Service already exists")
        check_scheduler(service.scheduler)
        self.services[service.key] = service
        self._hang()
        return service

    def virtual_servers(self) -> list[VirtualServer]:
        """All, as ``ipvsadm`` sorts them: protocol, address, port."""
        return sorted(self.services.values(), key=_place)

    def service(self, key: Key) -> VirtualServer:
        """The virtual server of that name; raises ``K8sNetError`` if there is none."""
        try:
            return self.services[key]
        except KeyError:
            raise K8sNetError("Service not defined", _those(self.services.values())) from None

    def edit(self, key: Key, scheduler: str, persistent: int, flags: Iterable[str] = ()) -> None:
        """``ipvsadm -E``: another scheduler or persistence; connections go on."""
        check_scheduler(scheduler)
        service = self.service(key)
        if scheduler != service.scheduler:
            service.last, service.level = None, 0
        service.scheduler, service.persistent = scheduler, persistent
        service.flags = frozenset(flags)
        self._hang()

    def delete(self, key: Key) -> None:
        """``ipvsadm -D``: the virtual server and its real servers. Connections stay until their
        next packet."""
        for server in self.service(key).servers:
            server.available = False
        del self.services[key]
        self._hang()

    def flush(self) -> None:
        """``ipvsadm -C``"""
        for key in list(self.services):
            self.delete(key)

    def add_server(self, key: Key, ip: str, port: int, weight: int = 1) -> RealServer:
        """``ipvsadm -a``: the newest stands in front; raises ``K8sNetError`` if it is there."""
        service = self.service(key)
        if service.server(ip, port) is not None:
            raise K8sNetError("Destination already exists")
        server = RealServer(ip, port, weight)
        service.servers.insert(0, server)
        self._hang()
        return server

    def edit_server(self, key: Key, ip: str, port: int, weight: int) -> None:
        """``ipvsadm -e``: another weight; raises ``K8sNetError`` if it is not there."""
        self._server(key, ip, port).weight = weight
        self._hang()

    def delete_server(self, key: Key, ip: str, port: int) -> None:
        """``ipvsadm -d``: its connections are ended by their next packet."""
        service, server = self.service(key), self._server(key, ip, port)
        if service.last is server:
            at = service.servers.index(server)
            service.last = service.servers[at - 1] if at else None
        service.servers.remove(server)
        server.available = False
        self._hang()

    def _server(self, key: Key, ip: str, port: int) -> RealServer:
        server = self.service(key).server(ip, port)
        if server is None:
            raise K8sNetError("No such destination", _those(self.service(key).servers))
        return server

    def _hang(self) -> None:
        self.ruleset.ipvs = bool(self.services)
        self.ruleset.changed()

    # -- connections ----------------------------------------------------------------------------

    def keep(self, connection: Connection, now: float) -> None:
        """A new connection."""
        self.connections[connection.ends] = self.answers[connection.answer] = connection
        connection.server.inactive += 1
        connection.server.begin()
        connection.service.begin()
        self.refresh(connection, connection.state, now)

    def refresh(self, connection: Connection, state: str, now: float) -> None:
        """A packet was seen: the connection's state may be another, and its time begins anew."""
        active, server = connection.state == "ESTABLISHED", connection.server
        if active != (state == "ESTABLISHED"):
            change = -1 if active else 1
            server.active, server.inactive = server.active + change, server.inactive - change
        connection.state = state
        connection.expires = now + self.timeouts[state]
        self._earliest = min(self._earliest, connection.expires)

    def remember(self, template: Template, now: float) -> None:
        """A client of a persistent virtual server stays where it is, from now on for so long."""
        key = (template.service.key, template.client)
        if key not in self.templates:
            template.server.persistent += 1
        self.templates[key] = template
        template.expires = now + template.service.persistent
        self._earliest = min(self._earliest, template.expires)

    def forget(self, connection: Connection) -> None:
        """The connection is over."""
        if self.connections.pop(connection.ends, None) is None:
            return
        self.answers.pop(connection.answer, None)
        if connection.state == "ESTABLISHED":
            connection.server.active -= 1
        else:
            connection.server.inactive -= 1
        if connection.template is not None:
            connection.template.connections -= 1

    def forget_template(self, template: Template) -> None:
        """The client is free to go elsewhere."""
        self.templates.pop((template.service.key, template.client), None)
        template.server.persistent -= 1

    def expire(self, now: float) -> tuple[Connection, ...]:
        """Forgets what is over its time; returns the connections among it."""
        if now < self._earliest:
            return ()
        over = tuple(c for c in self.connections.values() if c.expires <= now)
        for connection in over:
            self.forget(connection)
        for template in [t for t in self.templates.values() if t.expires <= now]:
            if template.connections:
                template.expires = now + 60.0  # as long as a connection of the client lives
            else:
                self.forget_template(template)
        times = [c.expires for c in self.connections.values()]
        times += [t.expires for t in self.templates.values()]
        self._earliest = min(times, default=inf)
        return over

    # -- copies ---------------------------------------------------------------------------------

    def clone(self, ruleset: Ruleset) -> Ipvs:
        """An independent copy for the copy of a namespace, whose rules are ``ruleset``."""
        other = Ipvs(ruleset)
        ruleset.ipvs = self.ruleset.ipvs
        other.timeouts, other._earliest = dict(self.timeouts), self._earliest
        copies: dict[int, Any] = {}

        def copy(thing: Any) -> Any:
            if thing is None:
                return None
            if id(thing) not in copies:
                copies[id(thing)] = made = object.__new__(type(thing))
                for kind in type(thing).__mro__:
                    for name in getattr(kind, "__slots__", ()):
                        setattr(made, name, getattr(thing, name))
            return copies[id(thing)]

        for key, service in self.services.items():
            other.services[key] = made = copy(service)
            made.servers, made.last = [copy(s) for s in service.servers], copy(service.last)
        for template in self.templates.values():
            made = copy(template)
            made.server, made.service = copy(template.server), copy(template.service)
            other.templates[made.service.key, made.client] = made
        for connection in self.connections.values():
            made = copy(connection)
            made.server, made.service = copy(connection.server), copy(connection.service)
            made.template = copy(connection.template)
            other.connections[made.ends] = other.answers[made.answer] = made
        return other


def _place(server: VirtualServer) -> tuple[int, int, int, int]:
    address = ip_address(server.ip)
    return address.version, PROTOCOLS.index(server.proto), int(address), server.port


def check_scheduler(name: str) -> None:
    """Raises ``UnknownName`` for a scheduler that the kernel has not, or the model has not."""
    if name not in SCHEDULERS:
        known = ", ".join(SCHEDULERS)
        if name in NOT_MODELLED:
            raise K8sNetError(f"The scheduler {name} is not modelled.", f"Here: {known}.")
        raise unknown_name("scheduler", name, SCHEDULERS)


def _those(things: Iterable[object]) -> str:
    return f"There are: {', '.join(map(str, things)) or 'none'}."
