"""What lives here: connection tracking, and NAT as what it is: two tuples per connection.

A connection has an *original* tuple, as its first packet came in, and a *reply* tuple, as answers
will come in. Without NAT one is the other inverted. NAT changes only the reply tuple; from then on
one sentence says it all: **a packet of either direction must leave looking like the other tuple
inverted, destination early (PREROUTING, OUTPUT), source late (POSTROUTING, INPUT)**.

A new connection is kept in the table only when its first packet has passed the last hook
(``confirm``): a packet dropped on the way leaves nothing behind. Where the table is full, a new
connection's first packet is dropped as soon as conntrack sees it (``FULL``).

Simplified here: no zones, no helpers and expectations, no TCP window tracking; a full table is full
(the kernel first looks for a connection without an answer in eight of its 262,144 buckets, and
seldom finds one there where the limit is small); of a range of addresses NAT always takes the first
(the kernel spreads by a hash); on a clash NAT tries every port (the kernel tries 128 from one
place, then 64 from another and so on; since 6.6 it takes over a port whose TCP connection is in
TIME_WAIT).
Source: nf_conntrack_core.c, nf_nat_core.c, RFC 5382.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from k8snetlib.linux import conntrack_tcp as tcp
from k8snetlib.packet import (
    ECHO_REPLY,
    ECHO_REQUEST,
    PROTO_ICMP,
    PROTO_NAMES,
    PROTO_TCP,
    PROTO_UDP,
    RST,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    stack_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.netfilter.rule import Nat


class Tuple(NamedTuple):
    """One direction of a connection. For ICMP ``sport`` is the identifier, ``dport`` the type."""

    proto: int
    src: str
    sport: int
    dst: str
    dport: int

    @property
    def inverted(self) -> Tuple:
        """The same connection seen from the other end."""
        if self.proto == PROTO_ICMP:
            kind = _ICMP_ANSWER.get(self.dport, self.dport)
            return Tuple(self.proto, self.dst, self.sport, self.src, kind)
        return Tuple(self.proto, self.dst, self.dport, self.src, self.sport)

    def __str__(self) -> str:
        if self.proto == PROTO_ICMP:
            return f"{self.src}>{self.dst} type {self.dport}"
        return f"{self.src}:{self.sport}>{self.dst}:{self.dport}"


_ICMP_ANSWER = {ECHO_REQUEST: ECHO_REPLY, ECHO_REPLY: ECHO_REQUEST, 13: 14, 14: 13}

#: Seconds until an idle entry is forgotten (nf_conntrack_* sysctls).
TIMEOUTS = {
    "SYN_SENT": 120.0, "SYN_RECV": 60.0, "ESTABLISHED": 432000.0, "FIN_WAIT": 120.0,
    "CLOSE_WAIT": 60.0, "LAST_ACK": 30.0, "TIME_WAIT": 120.0, "CLOSE": 10.0, "SYN_SENT2": 120.0,
    "udp": 30.0, "udp_stream": 120.0, "icmp": 30.0, "generic": 600.0,
}  # fmt: skip


class Connection:
    """One entry of the table. ``expires`` is on the model's clock, in seconds."""

    __slots__ = (
        "assured", "closing", "confirmed", "dnat", "dnat_done", "expires", "last", "mark",
        "original", "packets", "reply", "seen_reply", "snat", "snat_done", "started", "state",
    )  # fmt: skip

    def __init__(self, original: Tuple, now: float) -> None:
        self.original = original
        self.reply = original.inverted
        self.state = ""
        self.last = (False, "")
        self.closing = False
        self.seen_reply = self.assured = self.confirmed = False
        self.snat = self.dnat = self.snat_done = self.dnat_done = False
        self.mark = 0
        self.packets = [0, 0]
        self.started = now
        self.expires = now

    def status_words(self) -> frozenset[str]:
        """The words of ``--ctstatus`` that hold (NONE is the empty mask: it never does)."""
        pairs = (
            ("SEEN_REPLY", self.seen_reply),
            ("ASSURED", self.assured),
            ("CONFIRMED", self.confirmed),
        )
        return frozenset(word for word, holds in pairs if holds)

    def copy(self) -> Connection:
        """An independent copy, for a what-if."""
        other = object.__new__(Connection)
        for name in Connection.__slots__:
            setattr(other, name, getattr(self, name))
        other.packets = list(self.packets)
        return other

    @property
    def entry(self) -> Entry:
        """This connection as it is now, as a value."""
        return Entry(self.original, self.reply, self.seen_reply)

    def __str__(self) -> str:
        return str(self.entry)


class Entry(NamedTuple):
    """A connection as it was at one moment: what a step of a trace may keep."""

    original: Tuple
    reply: Tuple
    seen_reply: bool

    def __str__(self) -> str:
        proto = PROTO_NAMES.get(self.original.proto, str(self.original.proto))
        unreplied = "" if self.seen_reply else " [UNREPLIED]"
        return f"{proto} | {self.original} | {self.reply}{unreplied}"


class Seen(NamedTuple):
    """What conntrack says of one packet: its connection, its word (NEW, ESTABLISHED, RELATED,
    INVALID, or nothing), and whether it runs in the reply direction."""

    conn: Connection | None
    word: str
    reply: bool


INVALID = Seen(None, "INVALID", False)
#: The table is full: the packet is dropped.
FULL = Seen(None, "", False)


class Table:
    """The conntrack table of one network namespace; ``limit`` is nf_conntrack_max (0: none)."""

    __slots__ = ("by_source", "entries", "limit")

    def __init__(self, limit: int = 262_144) -> None:
        self.entries: dict[Tuple, Connection] = {}
        self.limit = limit

    def clone(self) -> Table:
        """An independent copy with every connection."""
        other = Table(self.limit)
        copies = {id(c): c.copy() for c in set(self.entries.values())}
        other.entries = {t: copies[id(c)] for t, c in self.entries.items()}
        return other

    def __len__(self) -> int:
        return len(self.entries) // 2

    def connections(self, now: float) -> list[Connection]:
        """The live connections, oldest first."""
        self.expire(now)
        return [c for t, c in self.entries.items() if t == c.original]

    def expire(self, now: float) -> None:
        """Forgets what is over its time."""
        for conn in [c for t, c in self.entries.items() if t == c.original and c.expires <= now]:
            self.remove(conn)

    def remove(self, conn: Connection) -> None:
        """Forgets one connection."""
        self.entries.pop(conn.original, None)
        self.entries.pop(conn.reply, None)

    def find(self, key: Tuple, now: float) -> tuple[Connection, bool] | None:
        """The live connection with this tuple, and whether the tuple is its reply."""
        conn = self.entries.get(key)
        if conn is None:
            return None
        if conn.expires <= now:
            self.remove(conn)
            return None
        return conn, key == conn.reply  # where both are the same, the kernel finds the reply first

    # -- a packet comes in ----------------------------------------------------------------------

    def track(self, packet: Packet, now: float) -> Seen:
        """Which connection a packet belongs to; a new one is made, but not yet kept."""
        l4 = packet.headers[1] if len(packet.headers) > 1 else None
        if type(l4) is Icmp and l4.is_error:
            return self._related(packet, now)
        key = tuple_of(packet)
        if key is None:
            return INVALID
        found = self.find(key, now)
        if found is None:
            return self._begin(key, l4, now)
        conn, reply = found
        word = "ESTABLISHED" if reply or conn.seen_reply else "NEW"
        if type(l4) is Tcp:
            state = tcp.following(conn.state, l4.flags, reply=reply)
            if state == tcp.INVALID:
                return INVALID
            if state == "SYN_SENT" and conn.state in ("TIME_WAIT", "CLOSE"):
                if conn.closing or conn.last == (reply, "rst"):
                    self.remove(conn)  # a SYN opens it anew
                    return self._begin(key, l4, now)
                state = tcp.IGNORE
            conn.last = (reply, tcp.kind_of(l4.flags))
            if l4.flags & RST and not conn.seen_reply:
                # Nothing but a reset ever came: there never was a connection.
                self.remove(conn)
                conn.seen_reply = reply
                return Seen(conn, word, reply)
            if state != tcp.IGNORE:
                both = conn.seen_reply and conn.state in ("SYN_RECV", "ESTABLISHED")
                conn.assured = conn.assured or (both and state == "ESTABLISHED")
                conn.closing = conn.closing or (state == "FIN_WAIT" != conn.state)
                conn.state = state
                self._refresh(conn, l4, reply, now)
        else:
            self._refresh(conn, l4, reply, now)
        if reply:
            conn.seen_reply = True
        conn.packets[reply] += 1
        return Seen(conn, word, reply)

    def is_full(self, now: float) -> bool:
        """True if there is no room for one more connection."""
        if not 0 < self.limit <= len(self):
            return False
        self.expire(now)
        return self.limit <= len(self)

    def _begin(self, key: Tuple, l4: object, now: float) -> Seen:
        if self.is_full(now):
            return FULL
        state = ""
        if type(l4) is Tcp:
            state = tcp.following("", l4.flags, reply=False)
            if state == tcp.INVALID:
                return INVALID
        if type(l4) is Icmp and l4.type != ECHO_REQUEST:
            return INVALID
        conn = Connection(key, now)
        conn.state = state
        self._refresh(conn, l4, False, now)
        conn.packets[0] += 1
        return Seen(conn, "NEW", False)

    def _related(self, packet: Packet, now: float) -> Seen:
        quoted = packet.payload.packet if isinstance(packet.payload, Slice) else None
        key = tuple_of(quoted) if quoted is not None else None
        # The quoted packet went the other way: look for the direction that would answer it.
        found = self.find(key.inverted, now) if key is not None else None
        if found is None:
            return INVALID
        conn, answers_reply = found
        return Seen(conn, "RELATED", answers_reply)

    # -- protocols ------------------------------------------------------------------------------

    def _refresh(self, conn: Connection, l4: object, reply: bool, now: float) -> None:
        if type(l4) is Tcp:
            timeout = TIMEOUTS[conn.state]
        elif type(l4) is Udp:
            if reply:
                conn.assured = conn.assured or now - conn.started >= 2.0
            timeout = TIMEOUTS["udp_stream" if conn.assured else "udp"]
        else:
            timeout = TIMEOUTS["icmp"]
        conn.expires = now + timeout

    # -- a packet leaves the last hook ----------------------------------------------------------

    def confirm(self, conn: Connection) -> str:
        """Keeps a new connection; returns why it cannot be ("" if it can).

        Another connection that holds one of its tuples makes it impossible (a clash).
        """
        if conn.confirmed:
            return ""
        if conn.original in self.entries or conn.reply in self.entries:
            return "another connection has the same tuple"
        conn.confirmed = True
        self.entries[conn.original] = conn
        self.entries[conn.reply] = conn
        return ""

    # -- NAT ------------------------------------------------------------------------------------

    def used(self, reply: Tuple, but: Connection) -> bool:
        """True if another connection already expects answers like this."""
        other = self.entries.get(reply)
        return other is not None and other is not but

    def bind(
        self, conn: Connection, source: bool, ip: tuple[str, str] | None, nat: Nat | None,
        draw: Callable[[int, int], int],
    ) -> str:  # fmt: skip
        """Decides what the connection's packets will look like; returns "" or why it cannot be.

        ``source`` says which end changes; ``ip`` is the range of new addresses (None: keep);
        ``nat`` is the rule's target (None: only make sure that the tuple is unique); ``draw``
        draws a whole number from low to high, both included.
        """
        current = conn.reply.inverted
        wanted, why = self._unique(conn, current, source, ip, nat, draw)
        if wanted != current:
            conn.reply = wanted.inverted
            if source:
                conn.snat = True
            else:
                conn.dnat = True
        if source:
            conn.snat_done = True
        else:
            conn.dnat_done = True
        return why

    def _unique(
        self, conn: Connection, current: Tuple, source: bool, ip: tuple[str, str] | None,
        nat: Nat | None, draw: Callable[[int, int], int],
    ) -> tuple[Tuple, str]:  # fmt: skip
        random = nat is not None and (nat.random or nat.random_fully)
        ports = nat.ports if nat is not None else None
        wanted = current
        if ip is not None:
            address = _pick(ip, current.src if source else current.dst)
            wanted = wanted._replace(src=address) if source else wanted._replace(dst=address)
        if not random and ports is None and not self.used(wanted.inverted, conn):
            return wanted, ""
        if ports is not None and not random:
            port = wanted.sport if source else wanted.dport
            fits = ports[0] <= port <= ports[1]
            if fits and (ports[0] == ports[1] or not self.used(wanted.inverted, conn)):
                return wanted, ""
        if not source and ports is None:
            return wanted, ""  # a destination port is never changed without being told to
        return self._search(conn, wanted, source, ports, draw)

    def _search(
        self, conn: Connection, wanted: Tuple, source: bool, ports: tuple[int, int] | None,
        draw: Callable[[int, int], int],
    ) -> tuple[Tuple, str]:  # fmt: skip
        low, high = ports or port_class(wanted)
        size = high - low + 1
        start = draw(0, size - 1) if size > 1 else 0
        for step in range(size):
            port = low + (start + step) % size
            tried = wanted._replace(sport=port) if source else wanted._replace(dport=port)
            if not self.used(tried.inverted, conn):
                return tried, ""
        if not source:
            return tried, ""  # the source may still make the difference, in INPUT or POSTROUTING
        return wanted, _none_free(wanted, low, high)


def port_class(wanted: Tuple) -> tuple[int, int]:
    """The ports that a source port may change to: privileged ones stay privileged."""
    if wanted.proto == PROTO_ICMP:
        return 0, 65535
    if wanted.sport < 512:
        return 1, 511
    return (600, 1023) if wanted.sport < 1024 else (1024, 65535)


def _none_free(wanted: Tuple, low: int, high: int) -> str:
    if wanted.proto == PROTO_ICMP:
        what, towards = "identifier", wanted.dst
    else:
        what = f"{PROTO_NAMES.get(wanted.proto, str(wanted.proto)).upper()} port"
        towards = f"{wanted.dst}:{wanted.dport}"
    return f"no {what} from {low} to {high} of {wanted.src} is free towards {towards}"


def _pick(addresses: tuple[str, str], now: str) -> str:
    """The first address of a range."""
    return addresses[0]


def tuple_of(packet: Packet) -> Tuple | None:
    """The tuple of a packet that begins with its IPv4 header; None for a later fragment."""
    ip = cast(IPv4, packet.headers[0])
    l4 = packet.headers[1] if len(packet.headers) > 1 else None
    if type(l4) is Tcp:
        return Tuple(PROTO_TCP, ip.src, l4.sport, ip.dst, l4.dport)
    if type(l4) is Udp:
        return Tuple(PROTO_UDP, ip.src, l4.sport, ip.dst, l4.dport)
    if type(l4) is Icmp:
        return Tuple(PROTO_ICMP, ip.src, l4.ident, ip.dst, l4.type)
    return None if ip.offset else Tuple(ip.proto, ip.src, 0, ip.dst, 0)


def rewrite(packet: Packet, look: Tuple, *, source: bool) -> Packet:
    """The packet with its source (or destination) end made to look like that of ``look``."""
    ip = cast(IPv4, packet.headers[0])
    l4 = packet.headers[1]
    if source:
        ip = ip._replace(src=look.src)
        if isinstance(l4, Tcp | Udp):
            l4 = l4._replace(sport=look.sport)
    else:
        ip = ip._replace(dst=look.dst)
        if isinstance(l4, Tcp | Udp):
            l4 = l4._replace(dport=look.dport)
    if type(l4) is Icmp:
        l4 = l4._replace(rest=look.sport << 16 | l4.rest & 0xFFFF)
    if ip == packet.headers[0] and l4 == packet.headers[1]:
        return packet
    return stack_of((ip, l4, *packet.headers[2:]), packet.payload)
