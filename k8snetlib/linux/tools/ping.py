"""What lives here: ``ping``, with the output of iputils.

A probe goes out each second, answers and errors are noted as they come, and all of it is one walk:
``tcpdump`` can show it afterwards. Only what the clock of the model says is printed as a time; a
hop takes none there, so an answer that did not have to wait came after ``time=0.000 ms``.

Where the target was given by name, those who answer are printed with theirs (``-n``: without).

Simplified here: IPv4 only; ``-c`` must be given, since nobody can press Ctrl-C; names are asked for
when all is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from k8snetlib.address import is_ip
from k8snetlib.errors import BadCommand
from k8snetlib.linux import sockets
from k8snetlib.linux.exchange import EPHEMERAL, joined, payload_of
from k8snetlib.linux.network import Flight, Network
from k8snetlib.linux.resolver import name_of
from k8snetlib.linux.tools.names import look_up
from k8snetlib.linux.tools.words import Words
from k8snetlib.packet import (
    ECHO_REPLY,
    ECHO_REQUEST,
    FRAG_NEEDED,
    PROTO_ICMP,
    TIME_EXCEEDED,
    UNREACHABLE,
    Icmp,
    IPv4,
    Packet,
    Slice,
    stack_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns
    from k8snetlib.trace import Trace

#: How long the last probes are waited for, in seconds, if none was ever answered.
LINGER = 10.0
_FLAGS = {"-n": "numeric", "-4": "ipv4", "-q": "quiet"}
_HERE = "-c N, -i SECONDS, -s BYTES, -M do|want|dont, -t TTL, -W SECONDS, -q, -n"
_ERRORS = {
    0: "Destination Net Unreachable", 1: "Destination Host Unreachable",
    2: "Destination Protocol Unreachable", 3: "Destination Port Unreachable",
    9: "Destination Net Prohibited", 10: "Destination Host Prohibited", 13: "Packet filtered",
}  # fmt: skip


class Options(NamedTuple):
    """What was asked for: counts, bytes, seconds; ``discover`` is do, want or dont; ``name`` is
    what the address ``dst`` is called; ``numeric``: nobody is asked for names."""

    dst: str
    probes: int
    interval: float = 1.0
    size: int = 56
    discover: str = "want"
    ttl: int | None = None
    wait: float | None = None
    quiet: bool = False
    numeric: bool = False
    name: str = ""


class Heard(sockets.Client):
    """Waits for any number of answers, and notes when each came."""

    __slots__ = ("answers", "network")

    def __init__(self, network: Network, payload: bytes) -> None:
        super().__init__(payload)
        self.network = network
        self.answers: list[tuple[float, Packet]] = []

    def heard(self, flight: Flight) -> None:
        """Notes an answer, as the packet that arrived."""
        self.answers.append((self.network.now, flight.visits[-1].steps[-1].packet))

    def end(self, verdict: str, reason: str) -> None:
        """No answer is the last one: ping counts for itself."""


def run(ns: Netns, words: list[str]) -> str:
    """``ping -c N [-i S] [-s BYTES] [-M do|want|dont] [-t TTL] [-W S] [-q] [-n] ADDRESS``"""
    options = _options(words)
    network = ns.network
    assert network is not None, "a namespace outside of a network has nobody to ping"
    found = look_up(ns, options.dst, "ping: {}: Name or service not known")
    if not found.ip:
        return f"ping: {options.dst}: {found.problem}"
    src = sockets.source_address(network, ns, found.ip)
    if src is None:
        return "ping: connect: Network is unreachable"
    numeric = options.numeric or is_ip(options.dst)
    options = options._replace(dst=found.ip, name=found.canonical, numeric=numeric)
    session = _Session(ns, network, src, options)
    traces = session.walk()
    names = session.look_up_names()
    network.last = joined(found.packets, traces, names)
    return session.text()


def _options(words: list[str]) -> Options:
    line, given = Words(words), dict[str, str]()
    flags = set[str]()
    while line:
        word = line.next()
        if word in _FLAGS:
            flags.add(_FLAGS[word])
        elif word[:2] in ("-c", "-i", "-s", "-M", "-t", "-W"):
            given[word[1]] = word[2:] or (line.next() if line else "")
        elif word.startswith("-"):
            raise BadCommand(f"ping: '{word}' is not modelled.", f"Here: {_HERE}.")
        else:
            given["dst"] = word
    if "dst" not in given:
        raise BadCommand("ping: usage error: Destination address required", "ping -c 1 ADDRESS")
    if "c" not in given:
        raise BadCommand("ping without -c never ends.", "Say how often: ping -c 3 ADDRESS.")
    discover = given.get("M", "want")
    if discover not in ("do", "want", "dont"):
        raise BadCommand(f"ping: invalid -M argument: {discover}", "do, want or dont.")
    return Options(
        given["dst"],
        int(_number(given["c"], 1, 10_000)),
        _number(given.get("i", "1"), 0.002, 3600),
        int(_number(given.get("s", "56"), 0, 65_000)),
        discover,
        int(_number(given["t"], 1, 255)) if "t" in given else None,
        _number(given["W"], 0, 3600) if "W" in given else None,
        "quiet" in flags,
        "numeric" in flags,
    )


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadCommand(f"ping: invalid argument: '{text}'", "Give a number.") from None
    if not low <= value <= high:
        raise BadCommand(
            f"ping: invalid argument: '{text}': out of range: {low:g} <= value <= {high:g}"
        )
    return value


class _Session:
    """One run of ping."""

    def __init__(self, ns: Netns, network: Network, src: str, options: Options) -> None:
        self.ns, self.network, self.src, self.options = ns, network, src, options
        self.client = Heard(network, payload_of(options.size, "icmp"))
        self.ident = network.random.randint(*EPHEMERAL)
        self.sent: dict[int, float] = {}
        #: A line: what stands before the address of who answered, the address, what comes after.
        self.lines: list[tuple[str, str, str]] = []
        self.names: dict[str, str] = {}
        self.times: list[float] = []
        self.errors = self.pipe = self.read = 0
        self.began = self.last = network.now

    def walk(self) -> tuple[Trace, ...]:
        """Sends and waits; returns what went over the wires."""
        network, options = self.network, self.options
        flights = network.record()
        key = (options.dst, self.ident)
        self.ns.pings[key] = sockets.UdpSocket(self.src, self.ident, self.client)
        for n in range(options.probes):
            self._send(n + 1)
            if n + 1 < options.probes:
                network.advance(options.interval)
                self._hear()
        wait = LINGER if options.wait is None else options.wait
        if not self.times or options.wait is not None:
            network.run(self._done, wait)
        network.settle()
        self._hear()
        del self.ns.pings[key]
        return Network.freeze(flights)[0]

    def look_up_names(self) -> tuple[Trace, ...]:
        """Asks for the names of those who answered, and returns the packets of that."""
        packets: tuple[Trace, ...] = ()
        if not self.options.numeric:
            for ip in dict.fromkeys(ip for _, ip, _ in self.lines if ip):
                found = name_of(self.ns, ip)
                self.names[ip] = f"{found.canonical} ({ip})"
                packets += found.packets
        return packets

    def text(self) -> str:
        """What ping prints."""
        lines = [f"{before}{self.names.get(ip, ip)}{after}" for before, ip, after in self.lines]
        return "\n".join([*self._head(), *lines, "", *self._tail(self.last - self.began)])

    def _send(self, seq: int) -> None:
        ns, options = self.ns, self.options
        self.sent[seq] = self.last = self.network.now
        length, limit = 28 + options.size, sockets.path_mtu(ns, options.dst)
        if options.discover == "do" and length > limit:
            self.errors += 1
            self.lines.append((f"ping: local error: message too long, mtu={limit}", "", ""))
            return
        df = options.discover == "do" or (options.discover == "want" and length <= limit)
        ttl = options.ttl or ns.sysctls["net.ipv4.ip_default_ttl"]
        header = IPv4(self.src, options.dst, PROTO_ICMP, ttl, ns.next_ip_id(), df)
        request = Icmp(ECHO_REQUEST, 0, self.ident << 16 | seq & 0xFFFF)
        packet = stack_of((header, request), self.client.payload)
        self.network.begin(ns, sockets.send, packet, "ping")

    def _done(self) -> bool:
        self._hear()
        return len(self.times) + self.errors >= self.options.probes

    def _hear(self) -> None:
        """Turns what was heard since the last time into lines."""
        for when, packet in self.client.answers[self.read :]:
            self.read += 1
            self.last = when
            ip, message = cast(IPv4, packet.headers[0]), cast(Icmp, packet.headers[1])
            seq = message.seq
            if message.type != ECHO_REPLY:
                quoted = cast(Slice, packet.payload).packet.headers[1]
                seq = cast(Icmp, quoted).seq
                self.errors += 1
                self._print("From ", ip.src, f" icmp_seq={seq} {_said(message)}")
            else:
                took = (when - self.sent[seq]) * 1000
                self.times.append(took)
                size = len(packet.payload) + 8
                after = f": icmp_seq={seq} ttl={ip.ttl} time={_ms(took)} ms"
                self._print(f"{size} bytes from ", ip.src, after)
            self.pipe = max(self.pipe, len(self.sent) - seq + 1)

    def _print(self, before: str, ip: str, after: str) -> None:
        if not self.options.quiet:
            self.lines.append((before, ip, after))

    def _head(self) -> list[str]:
        size = self.options.size
        name, dst = self.options.name, self.options.dst
        return [f"PING {name} ({dst}) {size}({size + 28}) bytes of data."]

    def _tail(self, took: float) -> list[str]:
        sent, received = len(self.sent), len(self.times)
        errors = f", +{self.errors} errors" if self.errors else ""
        loss = (sent - received) * 100 / sent
        end = ""
        if received:
            mean = sum(self.times) / received
            deviation = max(0.0, sum(t * t for t in self.times) / received - mean * mean) ** 0.5
            figures = (min(self.times), mean, max(self.times), deviation)
            end = f"rtt min/avg/max/mdev = {'/'.join(f'{f:.3f}' for f in figures)} ms"
        if self.pipe > 1:
            end += f"{', ' if end else ''}pipe {self.pipe}"
        return [
            f"--- {self.options.name} ping statistics ---",
            f"{sent} packets transmitted, {received} received{errors}, {loss:g}% packet loss, "
            f"time {took * 1000:.0f}ms",
            end,
        ]


def _said(message: Icmp) -> str:
    if message.type == UNREACHABLE:
        if message.code == FRAG_NEEDED:
            return f"Frag needed and DF set (mtu = {message.mtu})"
        return _ERRORS.get(message.code, f"Dest Unreachable, Bad Code: {message.code}")
    return "Time to live exceeded" if message.type == TIME_EXCEEDED else "Unknown ICMP message"


def _ms(took: float) -> str:
    """Milliseconds as ping prints them: four digits that count, three of them behind the point."""
    return f"{took:.{3 if took < 1 else 2 if took < 10 else 1 if took < 100 else 0}f}"
