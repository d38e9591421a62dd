"""What lives here: the matches of iptables, as typed values that print and test.

Each knows how iptables-save prints it, and makes the test that a packet has to pass (None: there is
nothing to test). Some remember (``recent``, ``limit``, ``statistic --mode nth``): in the namespace,
so that a copy of a cluster has a memory of its own.

Simplified here: the matches that the course, flannel, CNI and kube-proxy use; no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from k8snetlib.address import number
from k8snetlib.linux.netfilter.match_ipvs import IpvsMatch
from k8snetlib.linux.netfilter.nfacct import Nfacct
from k8snetlib.linux.netfilter.probe import Probe, Test, no, quoted
from k8snetlib.packet import Icmp, Tcp, Udp

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns


class Comment(NamedTuple):
    """``-m comment --comment TEXT``: always true."""

    text: str

    def __str__(self) -> str:
        return f"-m comment --comment {quoted(self.text)}"

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        return None


class Ports(NamedTuple):
    """``-m tcp|udp --sport|--dport``: ranges of ports, each (low, high, negated) or None; a match
    without any is printed too (``-m tcp``)."""

    proto: str
    source: tuple[int, int, bool] | None = None
    dest: tuple[int, int, bool] | None = None
    flags: tuple[int, int, bool] | None = None

    def __str__(self) -> str:
        words = ["-m", self.proto]
        for option, ports in (("--sport", self.source), ("--dport", self.dest)):
            if ports:
                low, high, negated = ports
                words.append(f"{no(negated)}{option} {low if low == high else f'{low}:{high}'}")
        if self.flags:
            looked_at, wanted, negated = self.flags
            words.append(f"{no(negated)}--tcp-flags {_flags(looked_at)} {_flags(wanted)}")
        return " ".join(words)

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        # No packet of the model carries SCTP, so nothing passes there.
        kind = Tcp if self.proto == "tcp" else Udp if self.proto == "udp" else None
        source, dest, flags = self.source, self.dest, self.flags

        def check(p: Probe) -> bool:
            l4 = p.l4
            if type(l4) is not kind:
                return False
            if dest and (dest[0] <= l4.dport <= dest[1]) is dest[2]:
                return False
            if source and (source[0] <= l4.sport <= source[1]) is source[2]:
                return False
            bits = getattr(l4, "flags", 0)
            return not (flags and (bits & flags[0] == flags[1]) is flags[2])

        return check


_FLAG_NAMES = ((1, "FIN"), (2, "SYN"), (4, "RST"), (8, "PSH"), (16, "ACK"), (32, "URG"))


def _flags(bits: int) -> str:
    return ",".join(name for bit, name in _FLAG_NAMES if bits & bit) or "NONE"


class IcmpType(NamedTuple):
    """``-m icmp --icmp-type T[/C]``; ``kind`` 255 means any."""

    kind: int
    code: int | None = None
    negated: bool = False

    def __str__(self) -> str:
        kind = "any" if self.kind == 255 else str(self.kind)
        code = f"/{self.code}" if self.code is not None else ""
        return f"-m icmp {no(self.negated)}--icmp-type {kind}{code}"

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        kind, code, negated = self

        def check(p: Probe) -> bool:
            l4 = p.l4
            if type(l4) is not Icmp:
                return False
            hit = kind == 255 or (l4.type == kind and (code is None or l4.code == code))
            return hit is not negated

        return check


class Multiport(NamedTuple):
    """``-m multiport --sports|--dports|--ports``: up to 15 ports or ranges."""

    which: str
    ports: tuple[tuple[int, int], ...]
    negated: bool = False

    def __str__(self) -> str:
        shown = ",".join(str(a) if a == b else f"{a}:{b}" for a, b in self.ports)
        return f"-m multiport {no(self.negated)}--{self.which} {shown}"

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        which, ranges, negated = self

        def check(p: Probe) -> bool:
            l4 = p.l4
            if type(l4) is not Tcp and type(l4) is not Udp:
                return False
            ports = []
            if which != "dports":
                ports.append(l4.sport)
            if which != "sports":
                ports.append(l4.dport)
            hit = any(low <= port <= high for port in ports for low, high in ranges)
            return hit is not negated

        return check


CT_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
CT_STATUS = ("NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")


class Conntrack(NamedTuple):
    """``-m conntrack --ctstate S,… --ctstatus S,…``: what conntrack says of the packet."""

    states: frozenset[str] = frozenset()
    negated: bool = False
    status: frozenset[str] = frozenset()
    status_negated: bool = False
    module: str = "conntrack"

    def __str__(self) -> str:
        option = "--state" if self.module == "state" else "--ctstate"
        words = ["-m", self.module]
        if self.states:
            shown = ",".join(s for s in _PRINT_STATES if s in self.states)
            words.append(f"{no(self.negated)}{option} {shown}")
        if self.status:
            shown = ",".join(s for s in CT_STATUS if s in self.status)
            words.append(f"{no(self.status_negated)}--ctstatus {shown}")
        return " ".join(words)

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        states, negated, status, status_negated, _ = self
        if states and not status and not states & {"SNAT", "DNAT"}:
            return lambda p: ((p.state or "INVALID") in states) is not negated

        def check(p: Probe) -> bool:
            conn = p.conn
            if states:
                hit = (p.state or "INVALID") in states  # in raw, conntrack has not looked yet
                if not hit and conn is not None:
                    hit = ("SNAT" in states and conn.snat) or ("DNAT" in states and conn.dnat)
                if hit is negated:
                    return False
            if status:
                if conn is None:  # as xt_conntrack does: nothing to ask, negated or not
                    return bool(states)
                hit = bool(status & conn.status_words())
                if hit is status_negated:
                    return False
            return True

        return check


_PRINT_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")


class Mark(NamedTuple):
    """``-m mark --mark VALUE[/MASK]``."""

    value: int
    bits: int = 0xFFFFFFFF
    negated: bool = False

    def __str__(self) -> str:
        bits = "" if self.bits == 0xFFFFFFFF else f"/{self.bits:#x}"
        return f"-m mark {no(self.negated)}--mark {self.value:#x}{bits}"

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        value, bits, negated = self
        return lambda p: (p.mark & bits == value) is not negated


class Statistic(NamedTuple):
    """``-m statistic --mode random --probability P`` (31-bit fixed point), or ``--mode nth``."""

    mode: str
    fixed: int = 0
    every: int = 0
    packet: int = 0
    negated: bool = False

    @property
    def probability(self) -> float:
        """How often a random match says yes, from 0 to 1."""
        return self.fixed / 0x80000000

    def __str__(self) -> str:
        if self.mode == "random":
            option = f"{no(self.negated)}--probability {self.probability:.11f}"
            return f"-m statistic --mode random {option}"
        every = f"{no(self.negated)}--every {self.every}"
        return f"-m statistic --mode nth {every} --packet {self.packet}"

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        fixed, every, negated = self.fixed, self.every, self.negated
        if self.mode == "random":
            return lambda p: p.dice.hit(fixed) is not negated
        rule, first = object(), every - self.packet - 1

        def nth(p: Probe) -> bool:
            count = p.ns.ruleset.memory.get(rule, first)
            hit = count == every - 1
            p.ns.ruleset.memory[rule] = 0 if hit else count + 1
            return hit is not negated

        return nth


class AddrType(NamedTuple):
    """``-m addrtype --src-type|--dst-type LOCAL,…``: what the address means to this host."""

    source: tuple[frozenset[str], bool] | None = None
    dest: tuple[frozenset[str], bool] | None = None
    limit: str = ""

    def __str__(self) -> str:
        words = ["-m addrtype"]
        for option, types in (("--src-type", self.source), ("--dst-type", self.dest)):
            if types:
                shown = ",".join(t for t in ADDR_TYPES if t in types[0])
                words.append(f"{no(types[1])}{option} {shown}")
        if self.limit:
            words.append(f"--limit-iface-{self.limit}")
        return " ".join(words)

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        source, dest, limit = self
        if dest and not source and not limit and dest[0] == {"LOCAL"}:
            negated = dest[1]
            return lambda p: p.ns.is_local(p.ip.dst) is not negated

        def check(p: Probe) -> bool:
            dev = p.in_dev if limit == "in" else p.out_dev if limit == "out" else ""
            for wanted, address in ((source, p.ip.src), (dest, p.ip.dst)):
                if wanted and (address_type(p.ns, address, dev) in wanted[0]) is wanted[1]:
                    return False
            return True

        return check


ADDR_TYPES = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE",
    "PROHIBIT",
)  # fmt: skip


def address_type(ns: Netns, ip: str, dev: str = "") -> str:
    """What the kernel's routing tables call an address: LOCAL, BROADCAST, MULTICAST, UNICAST, or
    UNREACHABLE without a route. ``dev`` limits LOCAL to one device."""
    if ns.is_local(ip):
        return "LOCAL" if not dev or ns.local.get(ip, "lo") == dev else "UNICAST"
    value = number(ip)
    if value >> 28 == 14:
        return "MULTICAST"
    if any(ns.is_broadcast(ip, name) for name in ns.devices):
        return "BROADCAST"
    return "UNICAST" if ns.routes.lookup(ip) else "UNREACHABLE"


class Recent(NamedTuple):
    """``-m recent --set|--rcheck|--update|--remove``: who was seen here, and when (seconds)."""

    action: str
    name: str = "DEFAULT"
    seconds: int = 0
    reap: bool = False
    hitcount: int = 0
    by: str = "rsource"
    bits: str = "255.255.255.255"
    negated: bool = False

    def __str__(self) -> str:
        words = [f"-m recent {no(self.negated)}--{self.action}"]
        if self.seconds:
            words.append(f"--seconds {self.seconds}")
        if self.reap:
            words.append("--reap")
        if self.hitcount:
            words.append(f"--hitcount {self.hitcount}")
        words.append(f"--name {self.name} --mask {self.bits} --{self.by}")
        return " ".join(words)

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        keep = number(self.bits)

        def check(p: Probe) -> bool:
            address = number(p.ip.src if self.by == "rsource" else p.ip.dst) & keep
            seen = p.ns.recent.setdefault(self.name, {})
            stamps = seen.get(address, ())
            if self.action == "set":
                seen[address] = (*stamps, p.now)[-20:]
                return not self.negated
            if self.action == "remove":
                found = seen.pop(address, None) is not None
                return found is not self.negated
            fresh = [t for t in stamps if not self.seconds or p.now - t < self.seconds]
            if stamps and self.reap and not fresh:
                del seen[address]
            hit = bool(stamps) and bool(fresh) and len(fresh) >= self.hitcount
            if hit and self.action == "update":
                seen[address] = (*stamps, p.now)[-20:]
            return hit is not self.negated

        return check


class MatchSet(NamedTuple):
    """``-m set --match-set NAME src|dst,…``: membership in an ipset."""

    name: str
    flags: tuple[str, ...]
    negated: bool = False

    def __str__(self) -> str:
        return f"-m set {no(self.negated)}--match-set {self.name} {','.join(self.flags)}"

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        name, flags, negated = self

        def check(p: Probe) -> bool:
            found = p.ns.ipsets.get(name)
            return bool(found is not None and found.contains(p, flags)) is not negated

        return check


class Limit(NamedTuple):
    """``-m limit --limit N/UNIT --limit-burst N``: a token bucket."""

    rate: str
    burst: int = 5

    def __str__(self) -> str:
        burst = f" --limit-burst {self.burst}" if self.burst != 5 else ""
        return f"-m limit --limit {self.rate}{burst}"

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        count, _, unit = self.rate.partition("/")
        period = {"sec": 1.0, "min": 60.0, "hour": 3600.0, "day": 86400.0}[unit]
        per_second, burst = int(count) / period, float(self.burst)
        rule = object()

        def check(p: Probe) -> bool:
            left, since = p.ns.ruleset.memory.get(rule, (burst, p.now))
            tokens: float = min(burst, left + (p.now - since) * per_second)
            hit = tokens >= 1.0 - 1e-9
            p.ns.ruleset.memory[rule] = (tokens - 1.0 if hit else tokens, p.now)
            return hit

        return check


class Physdev(NamedTuple):
    """``-m physdev``: the bridge's ports behind ``-i`` and ``-o``; each option (value, negated)."""

    physin: tuple[str, bool] | None = None
    is_in: tuple[bool, bool] | None = None
    physout: tuple[str, bool] | None = None
    is_out: tuple[bool, bool] | None = None
    is_bridged: tuple[bool, bool] | None = None

    def __str__(self) -> str:
        words = ["-m physdev"]
        if self.is_in:
            words.append(f"{no(self.is_in[1])}--physdev-is-in")
        if self.physin:
            words.append(f"{no(self.physin[1])}--physdev-in {self.physin[0]}")
        if self.is_out:
            words.append(f"{no(self.is_out[1])}--physdev-is-out")
        if self.physout:
            words.append(f"{no(self.physout[1])}--physdev-out {self.physout[0]}")
        if self.is_bridged:
            words.append(f"{no(self.is_bridged[1])}--physdev-is-bridged")
        return " ".join(words)

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        physin, is_in, physout, is_out, is_bridged = self

        def check(p: Probe) -> bool:
            facts = (
                (is_in, bool(p.physin)),
                (is_out, bool(p.physout)),
                (is_bridged, bool(p.physin and p.physout)),
            )
            if any(option and fact is option[1] for option, fact in facts):
                return False
            for wanted, port in ((physin, p.physin), (physout, p.physout)):
                if wanted and same_device(wanted[0], port) is wanted[1]:
                    return False
            return True

        return check


Match: TypeAlias = (
    Comment | Ports | IcmpType | Multiport | Conntrack | Mark | Statistic | AddrType | Recent
    | MatchSet | Limit | Nfacct | Physdev | IpvsMatch
)  # fmt: skip


def same_device(pattern: str, name: str) -> bool:
    """``eth0`` is itself; ``veth+`` is every name that begins with veth."""
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern
