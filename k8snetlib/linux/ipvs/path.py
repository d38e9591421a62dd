"""What lives here: how IPVS takes a packet, and gives it to a real server.

IPVS is no table of rules. It hangs in three hooks, each time behind the rules::

    INPUT   after filter   the packet is for an address of this host: is that a virtual server?
    OUTPUT  after nat      the same for a process of this host
    FORWARD after filter   answers on their way back (in INPUT and OUTPUT, too)

A request gets the real server's address and port, and if the real server is another machine the
packet begins anew as if this host had sent it: it is routed, its TTL is one less, and OUTPUT and
POSTROUTING see it, where the iptables that kube-proxy left may masquerade it. An answer gets the
virtual server's address and port as its source. With ``net.ipv4.vs.conntrack`` 1 the conntrack
entry expects the real server's answer; with 0 IPVS takes its packets away from conntrack, and so
from all NAT. A virtual server without a usable real server answers ICMP port unreachable.

What may not live here: the choice (``schedulers``), state (``table``).

Simplified here: **nothing of IPVS could be compared with a kernel**, since none with IPVS was at
hand: it follows the kernel's source by reading alone. No fragments of answers that conntrack does
not put together, no errors about answers that do not come to a virtual server's own address.

Source: ip_vs_core.c (ip_vs_in_hook, ip_vs_out_hook), ip_vs_xmit.c (ip_vs_nat_xmit), ip_vs_nfct.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from k8snetlib.linux import icmp
from k8snetlib.linux.conntrack import Seen, Tuple, rewrite
from k8snetlib.linux.ipvs.schedulers import SCHEDULERS
from k8snetlib.linux.ipvs.states import following
from k8snetlib.linux.ipvs.table import (
    Connection,
    RealServer,
    Template,
    VirtualServer,
    with_port,
)
from k8snetlib.packet import (
    FRAG_NEEDED,
    PORT_UNREACHABLE,
    PROTO_NAMES,
    SYN,
    TIME_EXCEEDED,
    UNREACHABLE,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    stack_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns
    from k8snetlib.linux.stack import Visit

_UNTRACKED = Seen(None, "UNTRACKED", False)
#: Errors that are passed on; IPVS leaves redirects alone.
_PASSED_ON = (UNREACHABLE, TIME_EXCEEDED)


class Balanced(NamedTuple):
    """What decided: a virtual server (``PROTO IP:PORT SCHEDULER``) and the real server chosen."""

    virtual: str
    real: str

    def __str__(self) -> str:
        return f"{self.virtual} -> {self.real}"


def _setting(ns: Netns, name: str, default: int = 0) -> int:
    return ns.sysctls.get(f"net.ipv4.vs.{name}", default)


def forget_expired(ns: Netns, now: float) -> None:
    """Forgets what is over at ``now`` (seconds); a connection takes its conntrack entry along."""
    for connection in ns.ipvs.expire(now):
        if connection.tracked:
            _drop_conntrack(ns, connection, now)


def _drop_conntrack(ns: Netns, connection: Connection, now: float) -> None:
    proto, client, cport, virtual, vport = connection.ends
    number = next((n for n, name in PROTO_NAMES.items() if name == proto), 0)
    found = ns.conntrack.find(Tuple(number, client, cport, virtual, vport), now)
    if found is not None:
        ns.conntrack.remove(found[0])


# -- answers --------------------------------------------------------------------------------------


def reply(visit: Visit, hook: str, packet: Packet, device: str) -> Packet:
    """An answer of a real server gets the virtual server's address; all else stays as it is."""
    ipvs = visit.ns.ipvs
    if visit.balanced or not ipvs.answers:
        return packet
    forget_expired(visit.ns, visit.network.now)
    ip, l4 = cast(IPv4, packet.headers[0]), packet.headers[1] if packet.headers[1:] else None
    if type(l4) is Icmp and l4.type in _PASSED_ON:
        return _error_back(visit, hook, packet, device)
    if not isinstance(l4, Tcp | Udp):
        return packet
    found = ipvs.answers.get((PROTO_NAMES[ip.proto], ip.src, l4.sport, ip.dst, l4.dport))
    if found is None:
        return packet
    after = rewrite(packet, Tuple(0, *found.virtual, "", 0), source=True)
    state = following(found.state, l4.flags, from_client=False) if type(l4) is Tcp else "UDP"
    _count(visit, found, packet, state, back=True)
    why = "an answer of the real server {}: it leaves with the virtual server's address, {}"
    args = (found.server, with_port(*found.virtual))
    _step(visit, hook, "pass", device, after, why, args, found, packet)
    return after


def _error_back(visit: Visit, hook: str, packet: Packet, device: str) -> Packet:
    """An ICMP error about a request: the client knows the virtual server alone."""
    quoted = packet.payload.packet if isinstance(packet.payload, Slice) else None
    ends = _ends(quoted)
    if quoted is None or ends is None:
        return packet
    proto, client, cport, real, rport = ends
    found = visit.ns.ipvs.answers.get((proto, real, rport, client, cport))
    if found is None:
        return packet
    inside = rewrite(quoted, Tuple(0, "", 0, *found.virtual), source=False)
    ip = cast(IPv4, packet.headers[0])._replace(src=found.virtual[0])
    after = _with_quote(packet, ip, inside)
    why = "an ICMP error about a request to the real server {}: it comes from {} for the client"
    _step(visit, hook, "pass", device, after, why, (found.server, found.virtual[0]), found, packet)
    return after


# -- requests -------------------------------------------------------------------------------------


def request(visit: Visit, hook: str, packet: Packet, device: str) -> Packet | None:
    """A packet for this host may be for a virtual server: then it goes to a real one.

    Returns the packet if it goes on in this hook (nobody's, or a real server on this very host);
    None if it went another way, or ends here.
    """
    if visit.balanced:
        return packet
    forget_expired(visit.ns, visit.network.now)
    ns = visit.ns
    l4 = packet.headers[1] if packet.headers[1:] else None
    if type(l4) is Icmp:
        return _error_on(visit, hook, packet, device) if l4.type in _PASSED_ON else packet
    ends = _ends(packet)
    if ends is None:
        return packet
    found = ns.ipvs.connections.get(ends)
    new = found is None
    if found is not None and _is_stale(ns, found, l4):
        if not _ended(visit, hook, packet, device, found):
            return None
        new = True
    if found is None or new:
        if type(l4) is Tcp and not l4.flags & SYN:
            return packet  # only a SYN begins a connection; anything else is left to this host
        visit.evaluated += 1
        service = ns.ipvs.services.get((ends[0], *ends[3:]))
        if service is None:
            return packet
        found = _schedule(visit, hook, packet, device, service)
        if found is None:
            return None
    state = following(found.state, l4.flags, from_client=True) if type(l4) is Tcp else "UDP"
    _count(visit, found, packet, state, back=False)
    after = rewrite(packet, Tuple(0, "", 0, found.server.ip, found.server.port), source=False)
    why, args = _why(found, new=new)
    return _send_on(visit, hook, packet, after, device, found, why, args)


def _why(found: Connection, *, new: bool) -> tuple[str, tuple[object, ...]]:
    service, server = found.service, found.server
    if not new:
        why = "part of a connection to the virtual server {}: it goes on to {}"
        return why, (with_port(*found.virtual), server)
    if found.template is not None and found.template.connections > 1:
        return "{}: the client {} stays with {} (persistent)", (service, found.client[0], server)
    why = "the virtual server {}: its scheduler chooses {} for this new connection"
    return why, (service, server)


def _is_stale(ns: Netns, found: Connection, l4: object) -> bool:
    """True if a connection must not get this packet: its server is gone, or a SYN begins anew where
    the old connection is as good as over."""
    if not found.server.available:
        return True
    begins = type(l4) is Tcp and bool(l4.flags & SYN) and bool(_setting(ns, "conn_reuse_mode", 1))
    quiesced = not found.server.weight and bool(_setting(ns, "expire_nodest_conn"))
    return begins and (quiesced or found.state in ("TIME_WAIT", "CLOSE"))


def _ended(visit: Visit, hook: str, packet: Packet, device: str, found: Connection) -> bool:
    """Ends a stale connection; True if this packet may begin another."""
    why = "the real server {} is gone: IPVS throws its packets away"
    seen = visit.seen
    if found.server.available or _setting(visit.ns, "expire_nodest_conn"):
        visit.ns.ipvs.forget(found)
        old = seen is not None and seen.conn is not None and seen.conn.confirmed
        if not (found.tracked and old):
            return True
        _drop_conntrack(visit.ns, found, visit.network.now)
        why = (
            "the real server {} is gone: the connection ends here, and the next packet begins anew"
        )
    _step(visit, hook, "drop", device, packet, why, (found.server,), found)
    return False


def _schedule(
    visit: Visit, hook: str, packet: Packet, device: str, service: VirtualServer
) -> Connection | None:
    """A new connection with a real server; None: there is none, and the client was told."""
    ns, now = visit.ns, visit.network.now
    _, client, cport, *_ = cast(tuple[str, str, int, str, int], _ends(packet))
    template = ns.ipvs.templates.get((service.key, client)) if service.persistent else None
    if template is not None and not _holds(ns, template):
        ns.ipvs.forget_template(template)
        template = None
    server = template.server if template is not None else _choose(visit, service, client, cport)
    if server is None:
        what = "no real server" if not service.servers else "no real server that takes connections"
        why = "the virtual server {} has {}: tell the sender with ICMP port unreachable"
        by = Balanced(str(service), "nobody")
        visit.step(f"ipvs {hook}", "error", device, packet, why, (service, what), by)
        arrived = ns.devices.get(device)
        icmp.send_error(visit, arrived, packet, UNREACHABLE, PORT_UNREACHABLE)
        return None
    virtual = (service.ip, service.port)
    found = Connection(service.proto, (client, cport), virtual, server, service)
    found.tracked = bool(_setting(ns, "conntrack"))
    ns.ipvs.keep(found, now)
    if service.persistent:
        found.template = template or Template(client, server, service)
        found.template.connections += 1
        ns.ipvs.remember(found.template, now)
    return found


def _holds(ns: Netns, template: Template) -> bool:
    quiesced = not template.server.weight and _setting(ns, "expire_quiescent_template")
    return template.server.available and not quiesced


def _choose(visit: Visit, service: VirtualServer, client: str, port: int) -> RealServer | None:
    pinned = visit.network.pinned
    for server in service.servers if pinned is not None else ():
        if server.ip == pinned and server.weight > 0:
            service.last = server
            return server
    return SCHEDULERS[service.scheduler](service, client, port)


def _error_on(visit: Visit, hook: str, packet: Packet, device: str) -> Packet | None:
    """An ICMP error about an answer: the real server sent it, so it is told."""
    quoted = packet.payload.packet if isinstance(packet.payload, Slice) else None
    ends = _ends(quoted)
    if quoted is None or ends is None:
        return packet
    proto, virtual, vport, client, cport = ends
    found = visit.ns.ipvs.connections.get((proto, client, cport, virtual, vport))
    if found is None:
        return packet
    server = found.server
    inside = rewrite(quoted, Tuple(0, server.ip, server.port, "", 0), source=True)
    ip = cast(IPv4, packet.headers[0])._replace(dst=server.ip)
    why = "an ICMP error about an answer of the real server {}: it is passed on to it"
    after = _with_quote(packet, ip, inside)
    return _send_on(visit, hook, packet, after, device, found, why, (server,))


# -- on the way -----------------------------------------------------------------------------------


def _send_on(
    visit: Visit, hook: str, packet: Packet, after: Packet, device: str, found: Connection,
    why: str, args: tuple[object, ...],
) -> Packet | None:  # fmt: skip
    """The translated packet goes to its real server: here, or by a route of its own."""
    ns = visit.ns
    ip = cast(IPv4, after.headers[0])
    if ns.is_local(ip.dst):
        _tell_conntrack(visit, found)
        _step(visit, hook, "pass", device, after, why, args, found, packet)
        return after
    if ip.src.startswith("127."):
        why = "the source {} is a loopback address, and the real server {} is another machine"
        _step(visit, hook, "drop", device, packet, why, (ip.src, found.server), found)
        return None
    if ip.ttl <= 1:
        why = "the TTL is {} and IPVS must take one: tell the sender with ICMP TTL exceeded"
        _step(visit, hook, "error", device, packet, why, (ip.ttl,), found)
        icmp.send_error(visit, ns.devices.get(device), packet, TIME_EXCEEDED, 0)
        return None
    lower = stack_of((ip._replace(ttl=ip.ttl - 1), *after.headers[1:]), after.payload)
    _tell_conntrack(visit, found)
    _step(visit, hook, "pass", device, lower, why, args, found, packet)
    route = visit.route_out(lower)
    if route is None:
        return None
    mtu = ns.devices[route.dev].mtu
    if ip.df and lower.length > mtu:
        why = "{} bytes do not fit into {} (MTU {}), and don't-fragment is set: tell the sender"
        _step(visit, hook, "error", device, packet, why, (lower.length, route.dev, mtu), found)
        icmp.send_error(visit, ns.devices.get(device), packet, UNREACHABLE, FRAG_NEEDED, mtu)
        return None
    passed = visit.hook("OUTPUT", lower, "", route.dev)
    if passed is not None:
        visit.ip_output(route, passed)
    return None


def _tell_conntrack(visit: Visit, found: Connection) -> None:
    """The connection's answers will come from the real server; or conntrack is to look away."""
    seen = visit.seen
    if seen is None:
        return
    if not found.tracked:
        visit.seen = _UNTRACKED
    elif seen.conn is not None and not seen.conn.confirmed and not seen.reply:
        server = found.server
        seen.conn.reply = seen.conn.reply._replace(src=server.ip, sport=server.port)


def _count(visit: Visit, found: Connection, packet: Packet, state: str, *, back: bool) -> None:
    visit.ns.ipvs.refresh(found, state, visit.network.now)
    found.server.count(packet.length, back=back)
    found.service.count(packet.length, back=back)


def _step(
    visit: Visit, hook: str, verdict: str, device: str, packet: Packet, why: str,
    args: tuple[object, ...], found: Connection, before: Packet | None = None,
) -> None:  # fmt: skip
    words = tuple(str(a) if isinstance(a, RealServer | VirtualServer) else a for a in args)
    by = Balanced(str(found.service), str(found.server))
    visit.step(f"ipvs {hook}", verdict, device, packet, why, words, by, before)
    visit.balanced = verdict == "pass"


def _ends(packet: Packet | None) -> tuple[str, str, int, str, int] | None:
    """Protocol, source and destination of a packet with ports."""
    if packet is None or not packet.headers[1:]:
        return None
    ip, l4 = cast(IPv4, packet.headers[0]), packet.headers[1]
    if not isinstance(l4, Tcp | Udp):
        return None
    return PROTO_NAMES[ip.proto], ip.src, l4.sport, ip.dst, l4.dport


def _with_quote(packet: Packet, ip: IPv4, inside: Packet) -> Packet:
    payload = cast(Slice, packet.payload)
    quote = Slice(inside, payload.start, payload.length)
    return stack_of((ip, *packet.headers[1:]), quote)
