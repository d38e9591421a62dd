"""What lives here: how a process turns a name into an address: files first, then DNS.

``resolve`` does what getaddrinfo of the C library does: ``/etc/hosts``, then the servers of
``/etc/resolv.conf``, over UDP, as packets through this network. A name with fewer dots than
``ndots`` is first tried with each domain of the search list behind it: a pod (``ndots:5``) asks
for ``backend-svc.default.svc.cluster.local`` when somebody types ``backend-svc``.

``ask`` is one query to one server, for ``dig`` and ``nslookup``, which have rules of their own.

Simplified here: A records only (the C library asks for AAAA at the same time); at most three CNAMEs
are followed, within one answer; no TCP; an answer from another address than the server's is ignored
(the socket is connected), but nobody is told so by ICMP. Source: resolv.conf(5), res_nsearch of
glibc.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.address import is_ip
from k8snetlib.errors import BadPacket
from k8snetlib.linux.exchange import heard, send
from k8snetlib.packet import UNREACHABLE, Icmp
from k8snetlib.trace import Trace
from k8snetlib.wire.dns import NOERROR, NXDOMAIN, RD, Edns, Message, Question, decode, encode

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns
    from k8snetlib.trace import Exchange

CONF, HOSTS = "/etc/resolv.conf", "/etc/hosts"
#: What became of a query that got no answer.
TIMED_OUT, REFUSED = "timed out", "connection refused"
HOST_UNREACHABLE, NET_UNREACHABLE = "host unreachable", "network unreachable"
#: The codes of ICMP unreachable: the error, and whether it is final (icmp_err_convert).
_ERRORS = {
    0: (NET_UNREACHABLE, False), 1: (HOST_UNREACHABLE, False), 3: (REFUSED, True),
    9: (NET_UNREACHABLE, True), 10: (HOST_UNREACHABLE, True), 13: (HOST_UNREACHABLE, True),
}  # fmt: skip
#: What getaddrinfo says of a name: it does not exist; nobody could say; it has no address.
UNKNOWN = "Name or service not known"
AGAIN = "Temporary failure in name resolution"
NO_ADDRESS = "No address associated with hostname"


class Config(NamedTuple):
    """``/etc/resolv.conf``; ``timeout`` in seconds."""

    servers: tuple[str, ...] = ("127.0.0.1",)
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: float = 5.0
    attempts: int = 2


class Reply(NamedTuple):
    """What one query brought: the answer (None: there is ``problem`` instead), its length in bytes,
    and how it went on its way."""

    message: Message | None
    problem: str
    size: int
    exchange: Exchange


class Resolved(NamedTuple):
    """The address of a name, or what getaddrinfo says; the packets of the search; the name in full,
    as the files or the servers know it."""

    ip: str
    problem: str = ""
    packets: tuple[Trace, ...] = ()
    canonical: str = ""


def read_config(ns: Netns) -> Config:
    """How this namespace resolves names; without a file a server on 127.0.0.1 is asked."""
    config, servers = Config(), list[str]()
    for line in ns.files.get(CONF, "").splitlines():
        word, *rest = line.split() or [""]
        if word == "nameserver":
            servers += [ip for ip in rest[:1] if is_ip(ip)]
        elif word in ("search", "domain"):
            config = config._replace(search=tuple(rest))
        elif word == "options":
            config = _with_options(config, rest)
    return config._replace(servers=tuple(servers[:3])) if servers else config


def _with_options(config: Config, options: list[str]) -> Config:
    for option in options:
        name, _, value = option.partition(":")
        if value.isdigit():
            if name == "ndots":
                config = config._replace(ndots=min(int(value), 15))
            elif name == "timeout":
                config = config._replace(timeout=float(value))
            elif name == "attempts":
                config = config._replace(attempts=int(value))
    return config


def ask(
    ns: Netns, server: str, question: Question, *, port: int = 53, timeout: float = 5.0,
    flags: int = RD, edns: Edns | None = None, icmp: bool = True,
) -> Reply:  # fmt: skip
    """One query to one server; waits ``timeout`` seconds for its answer.

    ``icmp`` False: the socket hears only of those ICMP errors that Linux takes as final; "host
    unreachable" is not one of them (icmp(7), IP_RECVERR).
    """
    network = ns.network
    assert network is not None, "a namespace outside of a network has nobody to ask"
    began = network.now
    query = Message(network.random.getrandbits(16), flags, question, edns=edns)
    exchange = send(
        network, ns, server, port, proto="udp", payload=encode(query), patience=timeout, df=False
    )
    if not exchange.ok or exchange.reply is None:
        problem, final = _problem(exchange)
        if not final and not icmp:
            problem = TIMED_OUT
            network.advance(max(0.0, began + timeout - network.now))
        return Reply(None, problem, 0, exchange)
    data, source = heard(exchange, ns.name), exchange.reply.last.packet.ip.src
    try:
        message = decode(data)
    except BadPacket:
        message = None
    if message is None or message.id != query.id or source != server:
        network.advance(max(0.0, began + timeout - network.now))
        return Reply(None, TIMED_OUT, 0, exchange)
    return Reply(message, "", len(data), exchange)


def _problem(exchange: Exchange) -> tuple[str, bool]:
    """What became of a query, and whether the kernel takes that as final."""
    if not exchange.packets:
        return NET_UNREACHABLE, True
    message = exchange.reply.last.packet.headers[1] if exchange.reply is not None else None
    if isinstance(message, Icmp) and message.type == UNREACHABLE:
        return _ERRORS.get(message.code, (HOST_UNREACHABLE, False))
    unreachable = exchange.outcome == "unreachable"
    return (HOST_UNREACHABLE, False) if unreachable else (TIMED_OUT, True)


def candidates(name: str, search: tuple[str, ...], ndots: int) -> list[str]:
    """The names that are tried for a name, in this order, each with its last dot.

    >>> candidates("backend-svc", ("default.svc.cluster.local", "cluster.local"), 5)[0]
    'backend-svc.default.svc.cluster.local.'
    """
    if name.endswith("."):
        return [name]
    tried = [f"{name}.{domain.rstrip('.')}." for domain in search]
    return [f"{name}.", *tried] if name.count(".") >= ndots else [*tried, f"{name}."]


def resolve(ns: Netns, name: str, patience: float = inf) -> Resolved:
    """The address of a name, as getaddrinfo finds it; an address is its own.

    After ``patience`` seconds the asker hears no more of it.
    """
    if is_ip(name):
        return Resolved(name, canonical=name)
    for line in ns.files.get(HOSTS, "127.0.0.1 localhost").splitlines():
        ip, *names = line.partition("#")[0].split() or [""]
        if name.rstrip(".") in names and is_ip(ip):
            return Resolved(ip, canonical=names[0])
    assert ns.network is not None, "a namespace outside of a network has nobody to ask"
    until = ns.network.now + patience
    config, packets, problem = read_config(ns), list[Trace](), UNKNOWN
    for candidate in candidates(name, config.search, config.ndots):
        if problem == AGAIN and candidate.rstrip(".") != name.rstrip("."):
            continue  # where nobody answers, only the name as it is is tried as well
        reply, refused = _ask_all(ns, config, Question(candidate, "A"), packets, until)
        if reply is None:
            problem = AGAIN
            if refused:
                break
            continue
        for record in reply.answers:
            if record.type == "A":
                return Resolved(record.data, "", tuple(packets), candidate.rstrip("."))
        if reply.rcode == NOERROR and problem == UNKNOWN:
            problem = NO_ADDRESS
        elif reply.rcode not in (NOERROR, NXDOMAIN):
            problem = AGAIN
    return Resolved("", problem, tuple(packets))


def name_of(ns: Netns, ip: str) -> Resolved:
    """The name of an address, as getnameinfo finds it: the address itself if it has none."""
    for line in ns.files.get(HOSTS, "127.0.0.1 localhost").splitlines():
        known, *names = line.partition("#")[0].split() or [""]
        if known == ip and names:
            return Resolved(ip, canonical=names[0])
    packets: list[Trace] = []
    reply, _ = _ask_all(ns, read_config(ns), Question(reverse(ip), "PTR"), packets, inf)
    found = next((r.data for r in reply.answers if r.type == "PTR"), ip) if reply else ip
    return Resolved(ip, "", tuple(packets), found.rstrip("."))


def reverse(ip: str) -> str:
    """The name under which DNS keeps an address.

    >>> reverse("10.96.0.10")
    '10.0.96.10.in-addr.arpa.'
    """
    return ".".join(reversed(ip.split("."))) + ".in-addr.arpa."


def _ask_all(
    ns: Netns, config: Config, question: Question, packets: list[Trace], until: float
) -> tuple[Message | None, bool]:
    """The first answer of any server; and whether all of them refused to be asked."""
    refused = True
    for _ in range(config.attempts):
        for server in config.servers:
            left = until - ns.network.now if ns.network is not None else 0.0
            if left <= 0:
                return None, True
            reply = ask(ns, server, question, timeout=min(config.timeout, left))
            packets += reply.exchange.packets
            if reply.message is not None:
                return reply.message, False
            refused = refused and reply.problem != TIMED_OUT
    return None, refused
