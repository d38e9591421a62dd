"""Random rules and random packets: the model against the kernel, and the smallest case that differs.

The network is small, and has everything that decides::

    a 10.0.1.2 ─┐                    ┌─ c 10.0.2.2 (all hosts: default route via n)
                ├─ br0 10.0.1.1  n  eth0 10.0.2.1 (default route via c)
    b 10.0.1.3 ─┘      (bridge-nf-call-iptables, hairpin ports, a router)

Only ``n`` has rules. A case is a ruleset as text and some packets, each sent raw by one of the hosts.
Frames on every device, rule counters (packets and bytes) and connections must agree. What depends on
real time or real chance is left out: ``limit``, ``statistic --mode random``, redirects.
"""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from k8snetlib.address import Prefix, mac_for
from k8snetlib.errors import K8sNetError
from k8snetlib.lab import compare, rules
from k8snetlib.lab.compare import Ports
from k8snetlib.lab.frames import frames_of, walks
from k8snetlib.lab.kernel import Lab
from k8snetlib.linux import sockets
from k8snetlib.linux.netfilter import save
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.route import Route
from k8snetlib.linux.stack import Visit
from k8snetlib.packet import ACK, FIN, PSH, RST, SYN, Icmp, IPv4, Packet, Tcp, Udp, stack_of
from k8snetlib.trace import Trace
from k8snetlib.wire import encode

A, B, C, N1, N2, VIRTUAL, NOWHERE = (
    "10.0.1.2", "10.0.1.3", "10.0.2.2", "10.0.1.1", "10.0.2.1", "10.96.0.1", "172.16.0.1",
)  # fmt: skip
OWNER = {A: "a", B: "b", C: "c", N1: "n", N2: "n"}
ADDRESSES = {"a": (A,), "b": (B,), "c": (C,), "n": (N1, N2)}
PORTS = (53, 80, 8080, 30080, 40000, 40001, 600, 100)
OPEN = 8080
#: What a Linux SYN offers: segment size, selective acknowledgement, time stamps, window scale.
OPTIONS = bytes.fromhex("020405b40402080a00000001000000000103030a")


class Shot(NamedTuple):
    """One packet, and the host that sends it."""

    host: str
    packet: Packet

    def __str__(self) -> str:
        ip, l4 = self.packet.ip, self.packet.transport
        return f"Shot({self.host!r}, stack_of(({ip!r}, {l4!r}), {self.packet.payload!r})),"


def network() -> Network:
    """The three hosts and the router between them, with warm neighbour caches."""
    net = Network()
    n = net.add(Netns("n", "node"))
    hosts = {name: net.add(Netns(name, "host")) for name in "abc"}
    n.add_device(Device("br0", "bridge", mac_for("02:42", N1)))
    n.add_address("br0", f"{N1}/24")
    n.sysctls |= {
        "net.ipv4.ip_forward": 1,
        "net.ipv4.conf.all.route_localnet": 1,
        "net.ipv4.conf.all.send_redirects": 0,
        "net.bridge.bridge-nf-call-iptables": 1,
        "net.netfilter.nf_conntrack_tcp_be_liberal": 1,
    }
    for name in "ab":
        ip = ADDRESSES[name][0]
        here, there = (
            (hosts[name], "eth0", mac_for("02:42", ip)),
            (n, f"p-{name}", mac_for("0a:fe", ip)),
        )
        net.wire(here, there)
        n.enslave(f"p-{name}", "br0", hairpin=True)
    net.wire((hosts["c"], "eth0", mac_for("02:66", C)), (n, "eth0", mac_for("02:66", N2)))
    n.add_address("eth0", f"{N2}/24")
    # Without a route the kernel would say so, but only so often a second (route/error_burst).
    n.routes.add(Route(Prefix(0, 0), "eth0", via=C))
    for name, host in hosts.items():
        host.add_address("eth0", f"{ADDRESSES[name][0]}/24")
        host.routes.add(Route(Prefix(0, 0), "eth0", via=N2 if name == "c" else N1))
        host.sysctls["net.ipv4.tcp_synack_retries"] = 0
        sockets.listen(host, sockets.Listener("tcp", "0.0.0.0", OPEN, name))
    for one in (A, B, C, N1, N2):
        for other in (A, B, C):
            if OWNER[one] != OWNER[other]:
                ping = stack_of((IPv4(one, other, 1), Icmp(8)), b"warm")
                net.begin(net[OWNER[one]], sockets.send, ping, "warm")
                net.settle()
    net.record()
    return net


# -- running a case -------------------------------------------------------------------------------


class Ground:
    """The lab, with one raw socket per host, and the model's network to clone."""

    def __init__(self, lab: Lab, base: Network) -> None:
        self.lab, self.base = lab, base
        self.raw = {name: lab.inside(name, _raw_socket) for name in base.netns}
        self.packets = 0
        self.frames = 0

    def close(self) -> None:
        for sock in self.raw.values():
            sock.close()

    def differences(self, text: str, shots: Iterable[Shot]) -> list[str]:
        """Runs one case in both; every difference in words."""
        shots = list(shots)
        # iptables-restore leaves the tables alone that it is not told about.
        text += "".join(f"*{table}\nCOMMIT\n" for table in HOOKS if f"*{table}\n" not in text)
        model = self.base.clone()
        save.restore(model["n"].ruleset, text)
        lab = self.lab
        try:
            lab.run("n", "iptables-restore", said=text)
        except K8sNetError as error:
            at = re.search(r"line (\d+)", str(error))
            raise K8sNetError(
                f"{error} {text.splitlines()[int(at[1]) - 1] if at else ''}"
            ) from error
        lab.forget_connections()
        lab.settle(0.02)
        for shot in shots:
            data = encode(shot.packet)
            with suppress(OSError):  # OUTPUT said no: the model has to say so, too
                self.raw[shot.host].sendto(data, (shot.packet.ip.dst, 0))
        frames = frames_of(lab.settle(), model.names)
        traces = shoot(model, shots)
        ports = Ports({*PORTS, *_ports(shots)})
        found = compare.packets(walks(frames, everything=True), traces, ports)
        self.packets += found.packets
        self.frames += found.frames
        said = lab.rules("n")
        kernel, ours = rules.counters(said), save.save(model["n"].ruleset, counters=True)
        different = list(found.differences)
        different += compare.counts("n", kernel, rules.counters(ours), tcp=False, repeats=False)
        different += _policies(model["n"], said, ours)
        lines = map(rules.connection, lab.connections("n"))
        tracked = map(str, model["n"].conntrack.connections(model.now))
        different += compare.connections("n", lines, tracked, ports, repeats=False)
        return different


def shoot(model: Network, shots: Iterable[Shot]) -> list[Trace]:
    """Sends the packets in the model, one after the other; all walks, in order."""
    flights = model.record()
    for shot in shots:
        model.begin(model[shot.host], Visit.originate, shot.packet)
        model.settle()
    return list(Network.freeze(flights)[0])


def _raw_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
    return sock


def _ports(shots: Iterable[Shot]) -> Iterator[int]:
    for shot in shots:
        l4 = shot.packet.transport
        if isinstance(l4, Tcp | Udp):
            yield from (l4.sport, l4.dport)


def _policies(n: Netns, kernel: str, model: str) -> Iterator[str]:
    theirs, ours = rules.policies(kernel), rules.policies(model)
    for (table, name), count in theirs.items():
        if n.ruleset.chain(table, name).rules and count != ours[table, name]:
            yield f"n {table} {name}: policy: kernel {count}, model {ours[table, name]}"


def shrink(
    fails: Callable[[list[str], list[Shot]], bool], lines: list[str], shots: list[Shot]
) -> tuple[list[str], list[Shot]]:
    """The case without every rule and packet that it does not need to fail (greedy)."""
    for step in (8, 4, 2, 1):
        at = 0
        while at < len(shots) and len(shots) > 1:
            fewer = shots[:at] + shots[at + step :]
            if fewer and fails(lines, fewer):
                shots = fewer
            else:
                at += step
    for at in range(len(lines) - 1, -1, -1):
        if lines[at].startswith("-A"):
            fewer_lines = lines[:at] + lines[at + 1 :]
            if fails(fewer_lines, shots):
                lines = fewer_lines
    return lines, shots


@cache
def _base() -> Network:
    return network()


# -- making a case --------------------------------------------------------------------------------

HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


def ruleset(rnd: random.Random) -> list[str]:
    """A random ruleset, as the lines of iptables-restore."""
    lines: list[str] = []
    for table in HOOKS:
        some = rnd.random() < {"raw": 0.25, "mangle": 0.4}.get(table, 0.85)
        users = [f"U{at}" for at in range(rnd.randint(0, 3))] if some else []
        lines.append(f"*{table}")
        for hook in HOOKS[table]:
            drop = table == "filter" and rnd.random() < 0.08
            lines.append(f":{hook} {'DROP' if drop else 'ACCEPT'} [0:0]")
        lines += [f":{user} - [0:0]" for user in users]
        for hook in HOOKS[table]:
            for _ in range(rnd.randint(0, 4) if some else 0):
                lines.append(f"-A {hook} {_rule(rnd, table, hook, users)}")
        for at, user in enumerate(users):
            for _ in range(rnd.randint(1, 3)):
                lines.append(f"-A {user} {_rule(rnd, table, '', users[at + 1 :])}")
        lines.append("COMMIT")
    return lines


def _rule(rnd: random.Random, table: str, hook: str, below: list[str]) -> str:
    words: list[str] = []
    proto = rnd.choice(["", "", "tcp", "udp", "icmp"])
    target, needs = _target(rnd, table, hook, below)
    proto = needs or proto
    if rnd.random() < 0.35:
        words.append(f"{_bang(rnd)}-s {_prefix(rnd)}")
    if rnd.random() < 0.35:
        words.append(f"{_bang(rnd)}-d {_prefix(rnd)}")
    if hook not in ("OUTPUT", "POSTROUTING", "") and rnd.random() < 0.2:
        words.append(f"{_bang(rnd)}-i {rnd.choice(['br0', 'eth0', 'e+', 'lo'])}")
    if hook not in ("PREROUTING", "INPUT", "") and rnd.random() < 0.2:
        words.append(f"{_bang(rnd)}-o {rnd.choice(['br0', 'eth0', 'br+', 'lo'])}")
    if proto:
        words.append(f"-p {proto}")
    elif rnd.random() < 0.1:
        words.append(f"! -p {rnd.choice(['tcp', 'udp', 'icmp'])}")
    for _ in range(rnd.choice([0, 0, 1, 1, 2])):
        match = _match(rnd, table, hook, proto)
        if match.split()[1:2] not in [w.split()[1:2] for w in words]:  # each module once
            words.append(match)
    words.append(target)
    return " ".join(w for w in words if w)


def _bang(rnd: random.Random) -> str:
    return "! " if rnd.random() < 0.25 else ""


def _prefix(rnd: random.Random) -> str:
    return rnd.choice(
        [A, B, C, N1, N2, VIRTUAL, "10.0.1.0/24", "10.0.2.0/24", "10.0.0.0/16", "127.0.0.0/8"]
    )


def _target(rnd: random.Random, table: str, hook: str, below: list[str]) -> tuple[str, str]:
    """A target, and the protocol it needs."""
    if below and rnd.random() < 0.3:
        return f"-{rnd.choice('jjg')} {rnd.choice(below)}", ""
    roll = rnd.random()
    if roll < 0.15:
        return "", ""
    if roll < 0.3:
        value, bits = rnd.choice([1, 2, 0x4000]), rnd.choice(["0x1", "0x4000", "0xffffffff", "0x0"])
        return rnd.choice([f"-j MARK --set-xmark {value:#x}/{bits}", f"-j MARK --or-mark {value}",
                           f"-j MARK --xor-mark {value}", f"-j MARK --set-mark {value}"]), ""  # fmt: skip
    if table == "nat" and roll < 0.8 and hook:
        return _nat(rnd, hook)
    if table == "filter" and roll < 0.45:
        how = rnd.choice(["icmp-port-unreachable", "icmp-admin-prohibited", "icmp-host-unreachable",
                          "icmp-net-prohibited", "tcp-reset", "icmp-proto-unreachable"])  # fmt: skip
        return f"-j REJECT --reject-with {how}", "tcp" if how == "tcp-reset" else ""
    words = ["ACCEPT", "RETURN"] if table == "nat" else ["ACCEPT", "ACCEPT", "RETURN", "DROP"]
    return f"-j {rnd.choice(words)}", ""


def _nat(rnd: random.Random, hook: str) -> tuple[str, str]:
    port = rnd.choice(["", "", f":{rnd.choice(PORTS)}"])
    needs = rnd.choice(["tcp", "udp"]) if port else ""
    if hook in ("PREROUTING", "OUTPUT"):
        if rnd.random() < 0.15:
            to = f" --to-ports {rnd.choice(PORTS)}" if needs else ""
            return f"-j REDIRECT{to}", needs
        return f"-j DNAT --to-destination {rnd.choice([A, B, C, N1, N2, '127.0.0.1'])}{port}", needs
    if hook == "POSTROUTING" and rnd.random() < 0.5:
        return "-j MASQUERADE", ""
    return f"-j SNAT --to-source {rnd.choice([N1, N2])}", ""


def _match(rnd: random.Random, table: str, hook: str, proto: str) -> str:
    roll = rnd.random()
    if proto in ("tcp", "udp") and roll < 0.45:
        return _port_match(rnd, proto)
    if proto == "icmp" and roll < 0.4:
        kind = rnd.choice(["8", "0", "3", "3/3", "11", "any", "3/0"])
        return f"-m icmp {'' if kind == 'any' else _bang(rnd)}--icmp-type {kind}"
    choice = rnd.choice(
        ["ct", "ct", "mark", "mark", "addr", "comment", "nth", "recent", "phys", "frag"]
    )
    if choice == "ct":
        words = rnd.sample(
            ["NEW", "ESTABLISHED", "RELATED", "INVALID", "DNAT", "SNAT", "UNTRACKED"],
            rnd.randint(1, 3),
        )
        if rnd.random() < 0.2:
            status = rnd.choice(["SEEN_REPLY", "CONFIRMED", "ASSURED", "NONE"])
            return f"-m conntrack {_bang(rnd)}--ctstatus {status}"
        return f"-m conntrack {_bang(rnd)}--ctstate {','.join(words)}"
    if choice == "mark":
        return f"-m mark {_bang(rnd)}--mark {rnd.choice(['0x1', '0x4000/0x4000', '0x0/0x1', '0x2/0x3'])}"
    if choice == "addr":
        kinds = rnd.choice(["LOCAL", "UNICAST", "BROADCAST", "LOCAL,BROADCAST", "MULTICAST"])
        return f"-m addrtype {_bang(rnd)}--{rnd.choice(['src', 'dst'])}-type {kinds}"
    if choice == "comment":
        return f'-m comment --comment "{rnd.choice(["x", "a b", "ns/svc:http"])}"'
    if choice == "nth":
        every = rnd.randint(2, 4)
        return f"-m statistic --mode nth {_bang(rnd)}--every {every} --packet {rnd.randint(0, every - 1)}"
    if choice == "recent":
        action = rnd.choice(
            ["--set", "--rcheck", "--update", "--remove", "--rcheck --seconds 60 --hitcount 2"]
        )
        side = rnd.choice(["--rsource", "--rdest"])
        return f"-m recent {_bang(rnd)}{action} --name r{rnd.randint(1, 2)} {side}"
    if choice == "phys" and hook in ("PREROUTING", "INPUT", "FORWARD"):
        return rnd.choice([f"-m physdev {_bang(rnd)}--physdev-in p-{rnd.choice('ab')}",
                           f"-m physdev {_bang(rnd)}--physdev-is-in",
                           f"-m physdev {_bang(rnd)}--physdev-is-bridged"])  # fmt: skip
    return ""


def _port_match(rnd: random.Random, proto: str) -> str:
    roll = rnd.random()
    port, other = sorted(rnd.sample(PORTS, 2))
    if roll < 0.3:
        return (
            f"-m multiport {_bang(rnd)}--{rnd.choice(['dports', 'sports', 'ports'])} {port},{other}"
        )
    if roll < 0.5 and proto == "tcp":
        flags = rnd.choice(["--syn", "--tcp-flags SYN,ACK SYN", "--tcp-flags FIN,RST RST",
                            "--tcp-flags ALL NONE"])  # fmt: skip
        return f"-m tcp {_bang(rnd)}{flags}"
    span = rnd.choice([f"{port}", f"{port}:{other}"])
    return f"-m {proto} {_bang(rnd)}--{rnd.choice(['dport', 'dport', 'sport'])} {span}"


def packets(rnd: random.Random, text: str, count: int) -> list[Shot]:
    """Random packets for a ruleset; some answer what an earlier one brought somebody in the model."""
    model = _base().clone()
    save.restore(model["n"].ruleset, text)
    shots: list[Shot] = []
    for at in range(1, count + 1):
        arrived = [s for s in shots if rnd.random() < 0.5]
        answer = _answer(rnd, model, arrived[-1], at) if arrived and rnd.random() < 0.35 else None
        shots.append(answer or _packet(rnd, at))
    return shots


def _answer(rnd: random.Random, model: Network, shot: Shot, at: int) -> Shot | None:
    """A packet back to whom the receiver of an earlier one saw as its sender."""
    trial = model.clone()
    trace = shoot(trial, [shot])[0]
    if trace.last.verdict not in ("deliver", "error") or trace.end not in "abcn":
        return None
    seen = trace.last.packet.innermost
    l4 = seen.transport
    head = IPv4(seen.ip.dst, seen.ip.src, seen.ip.proto, 64, at, rnd.random() < 0.5)
    if isinstance(l4, Udp):
        return Shot(trace.end, stack_of((head, Udp(l4.dport, l4.sport)), b"back %d" % at))
    if isinstance(l4, Tcp):
        flags = rnd.choice([SYN | ACK, SYN | ACK, ACK, RST | ACK, ACK | PSH, ACK | FIN])
        tcp = Tcp(l4.dport, l4.sport, flags, rnd.getrandbits(30), l4.seq + at, 1000)
        return Shot(trace.end, stack_of((head, tcp)))
    return None


def _packet(rnd: random.Random, at: int) -> Shot:
    host = rnd.choice("aaaabbcccnn")
    src = rnd.choice(ADDRESSES[host])
    dst = rnd.choice([A, B, C, N1, N2, VIRTUAL, VIRTUAL, NOWHERE])
    proto = rnd.choice([6, 6, 17, 17, 1])
    head = IPv4(src, dst, proto, rnd.choice([64, 64, 64, 1, 2]), at, rnd.random() < 0.5)
    sport, dport = rnd.sample(PORTS, 2)  # no host connects to the very socket it speaks from
    if proto == 17:
        return Shot(host, stack_of((head, Udp(sport, dport)), b"hello %d" % at))
    if proto == 1:
        return Shot(host, stack_of((head, Icmp(8, 0, at << 16 | 1)), b"ping %d" % at))
    flags = rnd.choice(
        [SYN, SYN, SYN, SYN, ACK, ACK | PSH, RST, FIN | ACK, SYN | ACK, 0, SYN | FIN]
    )
    ack = rnd.getrandbits(30) if flags & ACK else 0
    tcp = Tcp(sport, dport, flags, rnd.getrandbits(30), ack, 1000, OPTIONS if flags & SYN else b"")
    return Shot(host, stack_of((head, tcp)))
