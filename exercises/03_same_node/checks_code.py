"""The rubrics of 03.bridge and 03.resolve. The model's own bridge carries the same frames, and its
routing and neighbour tables answer the same questions."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from k8snetlib.address import BROADCAST_MAC, Prefix, mac_for
from k8snetlib.course.rubric import (
    Belief,
    Call,
    Findings,
    Item,
    Reply,
    compare,
    fail,
    same,
    wrong_type,
)
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.route import Route
from k8snetlib.packet import Ethernet, IPv4, Udp, stack_of

# -- 03.bridge ------------------------------------------------------------------------------------

#: (time in seconds, port it came in by, source MAC address, destination MAC address)
Came = tuple[int, str, str, str]
FORGETS = 300


@lru_cache(maxsize=16)
def bridge_calls(seed: int) -> tuple[Call, ...]:
    """Frames for a bridge of four ports; what is asked is in each case the last of them."""
    dice = random.Random(f"bridge {seed}")
    ports = [f"veth-{name}" for name in dice.sample(["web", "db", "mail", "cart", "blog"], 4)]
    p, q, r, s = ports
    last = dice.sample(range(2, 250), 4)
    a, b, c, d = (mac_for("02:42", f"10.{dice.randint(2, 90)}.15.{host}") for host in last)
    cases: dict[str, list[list[Came]]] = {
        "learn": [
            [(0, p, a, b), (1, q, b, a)],
            [(0, p, a, b), (1, q, b, a), (2, p, a, b)],
            [(0, r, c, BROADCAST_MAC), (1, s, d, c)],
            [(0, r, c, d), (1, p, a, b), (2, q, b, c)],
        ],
        "flood": [
            [(0, p, a, BROADCAST_MAC)],
            [(0, q, b, c)],
            [(0, p, a, b), (1, q, b, a), (2, q, b, BROADCAST_MAC)],
            [(0, p, a, b), (1, q, b, a), (2, r, c, d)],
            [(0, p, a, b), (1, q, b, a)],
            [(0, p, a, b), (1, q, c, b)],
        ],
        "same": [
            [(0, p, a, b), (1, p, b, a)],
            [(0, p, a, b), (1, p, b, a), (2, q, c, d), (3, p, a, b)],
            [(0, p, a, b), (1, q, b, a)],
        ],
        "moved": [
            [(0, p, a, b), (1, q, b, a), (2, r, a, b), (3, q, b, a)],
            [(0, s, d, c), (1, q, d, c), (2, p, a, d)],
        ],
        "age": [
            [(0, p, a, b), (FORGETS + dice.randint(20, 90), q, b, a)],
            [(0, p, a, b), (FORGETS, q, b, a)],
            [(0, p, a, b), (20, q, b, a)],
            [(0, p, a, b), (100, q, b, a)],
            [(0, p, a, b), (200, p, a, b), (FORGETS + 50, q, b, a)],
            [(0, p, a, b), (200, q, b, a), (FORGETS + 50, q, b, a)],
        ],
    }
    return tuple(Call(group, (frames, ports)) for group, all_ in cases.items() for frames in all_)


def carried(frames: Sequence[Came], ports: Sequence[str]) -> list[list[str]]:
    """By which ports the model's bridge sends each frame on."""
    network = Network()
    switch = network.add(Netns("switch", "switch"))
    switch.add_device(Device("br0", "bridge", "0a:5b:00:00:00:01"))
    for at, port in enumerate(ports):
        other = network.add(Netns(f"behind {port}", "host"))
        ends = f"0a:5b:00:00:01:{at:02x}", f"0a:5b:00:00:02:{at:02x}"
        network.wire((switch, port, ends[0]), (other, "eth0", ends[1]))
        switch.enslave(port, "br0")
    sent = []
    for time, port, src, dst in frames:
        network.advance(time - network.now)
        ip = IPv4("192.0.2.1", "192.0.2.2", 17)
        flight = network.flight(stack_of((Ethernet(src, dst), ip, Udp(1, 9)), b""))
        network.frame_arrives("switch", port, flight.first, flight)
        network.settle()
        out = [f.device for _, f in flight.frames if (f.netns, f.direction) == ("switch", "out")]
        sent.append(sorted(out))
    return sent


@lru_cache(maxsize=256)
def _truth(frames: tuple[Came, ...], ports: tuple[str, ...]) -> list[list[str]]:
    return carried(frames, ports)


def right_ports(frames: Sequence[Came], ports: Sequence[str]) -> list[list[str]]:
    """The model's answer, computed once."""
    return _truth(tuple(map(tuple, frames)), tuple(ports))  # type: ignore[arg-type]


def believed(
    *,
    learn: str = "src",
    broadcast_teaches: bool = True,
    port: str = "newest",
    fresh: str = "last",
    unknown: str = "flood",
    back: bool = False,
    same_port: str = "drop",
    limit: int = FORGETS,
) -> Callable[[Sequence[Came], Sequence[str]], list[list[str]]]:
    """What a bridge does of which somebody gets one thing wrong: from what it learns, whether the
    newest port counts, since when an entry is fresh, and where frames go."""

    def predicts(frames: Sequence[Came], ports: Sequence[str]) -> list[list[str]]:
        table: dict[str, tuple[str, float]] = {}
        sent = []
        for time, came, src, dst in frames:
            known = table.get(src)
            key = src if learn == "src" else dst
            if learn in ("src", "dst") and (broadcast_teaches or dst != BROADCAST_MAC):
                at = known[0] if known and port == "first" else came
                table[key] = at, known[1] if known and fresh == "first" else time
            entry = table.get(dst) if dst != BROADCAST_MAC else None
            if entry and fresh != "ever" and time - entry[1] >= limit:
                entry = None
            if entry and fresh == "used":
                table[dst] = entry[0], time
            if entry and entry[0] == came and same_port == "flood":
                entry = None
            all_ports = [p for p in ports if back or p != came]
            if entry is None:
                out = all_ports if unknown == "flood" or dst == BROADCAST_MAC else []
            else:
                out = [entry[0]] if entry[0] != came or same_port == "back" else []
            sent.append(sorted(out))
            if learn == "dst after":
                table[dst] = came, time
        return sent

    return predicts


_LEARN_DST = (
    "You seem to learn from the destination. "
    "A frame proves where its sender is, and nothing about its receiver."
)

BRIDGE_BELIEFS = (
    Belief(
        "LEARN_DST",
        _LEARN_DST,
        believed(learn="dst"),
    ),
    Belief("LEARN_DST", _LEARN_DST, believed(learn="dst after")),
    Belief(
        "HUB",
        "You seem to think that a bridge sends every frame everywhere. That is a hub.",
        believed(learn="nothing"),
    ),
    Belief(
        "NO_LEARN_BROADCAST",
        "You seem to think that a broadcast teaches nothing. It has a source like any other frame.",
        believed(broadcast_teaches=False),
    ),
    Belief(
        "BACK",
        "You seem to send a flooded frame back by the port it came from. "
        "Without hairpin mode a bridge does not.",
        believed(back=True),
    ),
    Belief(
        "UNKNOWN_DROP",
        "You seem to think that a frame for an unknown address is dropped. "
        "A bridge that does not know tries every port.",
        believed(unknown="drop"),
    ),
    Belief(
        "BACK_PORT",
        "You seem to send a frame back to where it came from. "
        "There its receiver has already got it.",
        believed(same_port="back"),
    ),
    Belief(
        "SAME_FLOODS",
        "You seem to flood a frame whose receiver is behind the port it came from. "
        "The receiver has already got it: nothing is left to do.",
        believed(same_port="flood"),
    ),
    Belief(
        "FIRST_SEEN",
        "You seem to think that the first port counts. A host may move: the newest frame is right.",
        believed(port="first"),
    ),
    Belief(
        "NO_AGEING",
        "You seem to think that a bridge remembers for ever. Look at the times.",
        believed(fresh="ever"),
    ),
    Belief(
        "AT_300",
        "You seem to keep an address for one moment too long. It is forgotten after 300 seconds.",
        believed(limit=FORGETS + 1),
    ),
    Belief(
        "FIRST_TIME",
        "You seem to count from an address's first frame. Each new frame makes it fresh again.",
        believed(fresh="first"),
    ),
    Belief(
        "USE_REFRESHES",
        "You seem to think that a frame *for* an address keeps it fresh. "
        "Only a frame *from* it shows where it is.",
        believed(fresh="used"),
    ),
)


def _ports_of(value: Any) -> Any:
    """One frame's ports, sorted."""
    if isinstance(value, str):
        return [value]
    if value is None:
        return []
    return sorted(map(str, value)) if isinstance(value, list) else value


def read_last(value: Any) -> Any:
    """Where the last frame goes."""
    return _ports_of(value[-1]) if value else value


def read_flood(value: Any) -> Any:
    """The same, but how a flood looks is another item's affair."""
    last = read_last(value)
    return "flooded" if isinstance(last, list) and len(last) > 1 else last


def check_bridge(replies: Sequence[Reply], seed: int) -> Findings:
    """One group of frames: by which ports does the last one leave?"""
    return _bridge(replies, read_last)


def check_age(replies: Sequence[Reply], seed: int) -> Findings:
    """The same, where only forwarding or flooding counts."""
    return _bridge(replies, read_flood)


def _bridge(replies: Sequence[Reply], read: Callable[[Any], Any]) -> Findings:
    wanted = "a list with one list of ports for each frame"
    bad = wrong_type(replies, (list,), wanted)
    if bad:
        return bad
    for reply in replies:
        if len(reply.value) != len(reply.args[0]):
            return fail(f"The answer must be {wanted}.", None, bridge_witness(reply))
    beliefs = [b._replace(predicts=_read_by(read, b.predicts)) for b in BRIDGE_BELIEFS]
    whole = {id(reply.args): reply for reply in replies}
    return compare(
        replies,
        lambda *args: read(right_ports(*args)),
        beliefs,
        "Some frame leaves by other ports than those that a bridge would choose.",
        read=read,
        witness=lambda reply: bridge_witness(whole[id(reply.args)]),
    )


def _read_by(read: Callable[[Any], Any], predicts: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: read(predicts(*args))


def bridge_witness(reply: Reply) -> str:
    """The frames, and where the answer sends each."""
    frames, ports = reply.args
    lines = [f"ports: {', '.join(ports)}"]
    for at, (time, port, src, dst) in enumerate(frames):
        said = reply.value[at] if at < len(reply.value) else "nothing"
        to = "everybody" if dst == BROADCAST_MAC else dst
        lines.append(f"{time:>4} s  in {port:<10} {src} > {to:<18} you: {said}")
    return "\n".join(lines)


# -- 03.resolve -----------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def resolve_calls(seed: int) -> tuple[Call, ...]:
    """Addresses with prefixes of several lengths, and neighbour tables that know much or little."""
    dice = random.Random(f"resolve {seed}")
    a, b = dice.randint(2, 90), dice.randint(100, 250)
    own, near, other = (f"10.{a}.{b}.{host}" for host in dice.sample(range(130, 142), 3))
    far = f"10.{a}.{b - 80}.3"
    beside = f"10.{a}.{b}.20"
    gateways = {24: f"10.{a}.{b}.1", 16: f"10.{a}.0.1", 28: f"10.{a}.{b}.129"}

    def known(*ips: str) -> dict[str, str]:
        return {ip: mac_for("02:42", ip) for ip in ips}

    def ask(group: str, length: int, table: Mapping[str, str], dst: str) -> Call:
        return Call(group, (f"{own}/{length}", gateways[length], dict(table), dst))

    full = known(near, *gateways.values())
    return (
        ask("near", 24, full, near),
        ask("near", 24, known(gateways[24]), near),
        ask("near", 24, known(other), beside),
        ask("near", 16, full, far),
        ask("near", 16, known(far), far),
        ask("far", 24, full, far),
        ask("far", 24, known(near), far),
        ask("far", 28, full, beside),
        ask("far", 28, known(near), beside),
        ask("far", 24, {}, f"203.0.113.{b}"),
        ask("far", 24, known(far, gateways[24]), far),
        ask("far", 28, known(beside, near), beside),
    )


Table = Mapping[str, str]


def decision(hop: str, table: Table) -> list[str]:
    """Send to the next hop's MAC address, or ask for it."""
    return ["send", table[hop]] if hop in table else ["ask", hop]


def right_decision(address: str, gateway: str, table: Table, dst: str) -> list[str]:
    """What the model's routing table says about the next hop."""
    pod = Netns("pod", "pod")
    pod.add_device(Device("eth0", "veth"))
    pod.add_address("eth0", address)
    pod.routes.add(Route(Prefix(0, 0), "eth0", via=gateway))
    route = pod.routes.lookup(dst)
    assert route is not None
    return decision(route.via or dst, table)


def by_octets(address: str, gateway: str, table: Table, dst: str) -> list[str]:
    """As if every subnet were a /24."""
    near = address.split(".")[:3] == dst.split(".")[:3]
    return decision(dst if near else gateway, table)


def table_first(address: str, gateway: str, table: Table, dst: str) -> list[str]:
    """As if any entry of the neighbour table could be used."""
    if dst in table:
        return decision(dst, table)
    return right_decision(address, gateway, table, dst)


def _or_ask(decided: list[str], dst: str) -> list[str]:
    return decided if decided[0] == "send" else ["ask", dst]


_MAC_E2E = (
    "You seem to look for the MAC address of the far receiver. "
    "On this link only the next hop has one."
)
_TABLE_FIRST = (
    "You seem to ask the neighbour table first. "
    "The routing table decides first: it names the next hop."
)

RESOLVE_BELIEFS = (
    Belief(
        "DIFF_SUBNETS",
        "You seem to send everything by the gateway, as if no two pods shared a subnet. "
        "A neighbour needs no gateway.",
        lambda address, gateway, table, dst: decision(gateway, table),
    ),
    Belief("MAC_E2E", _MAC_E2E, lambda address, gateway, table, dst: decision(dst, table)),
    Belief("MAC_E2E", _MAC_E2E, lambda *args: _or_ask(right_decision(*args), args[3])),
    Belief(
        "MASK24",
        "You seem to take every subnet for a /24. The prefix length says who is a neighbour.",
        by_octets,
    ),
    Belief("TABLE_FIRST", _TABLE_FIRST, table_first),
    Belief(
        "TABLE_FIRST",
        _TABLE_FIRST,
        lambda address, gateway, table, dst: decision(dst if dst in table else gateway, table),
    ),
    Belief(
        "ALWAYS_ASK",
        "You seem to ask by ARP for every packet. What the neighbour table knows is used.",
        lambda *args: ["ask", _hop(*args)],
    ),
)


def _hop(address: str, gateway: str, table: Table, dst: str) -> str:
    return right_decision(address, gateway, {}, dst)[1]


def check_resolve(replies: Sequence[Reply], seed: int) -> Findings:
    """One group of questions."""
    return wrong_type(replies, (list,), "a pair: ('send', MAC) or ('ask', ADDRESS)") or compare(
        replies,
        right_decision,
        RESOLVE_BELIEFS,
        "For some packet the kernel would ask for another address, or send to another one.",
        read=lambda value: [v.strip().lower() if isinstance(v, str) else v for v in value],
        equal=same,
        witness=resolve_witness,
    )


def resolve_witness(reply: Reply) -> str:
    """The situation, and what the answer does in it."""
    address, gateway, table, dst = reply.args
    lines = [f"own address {address}, default via {gateway}, packet for {dst}"]
    lines += [f"  {ip} lladdr {mac}" for ip, mac in table.items()] or ["  no neighbour is known"]
    return "\n".join([*lines, f"You returned {' '.join(map(str, reply.value))}."])


CALLS = {"03.bridge": bridge_calls, "03.resolve": resolve_calls}

ITEMS = (
    Item("03.bridge.learn", 3, "Known receivers", check_bridge),
    Item("03.bridge.flood", 2, "Broadcasts and unknown receivers", check_bridge),
    Item("03.bridge.same", 1, "A receiver behind the same port", check_bridge),
    Item("03.bridge.moved", 2, "A host that moves", check_bridge),
    Item("03.bridge.age", 2, "What is forgotten, and when", check_age),
    Item("03.resolve.near", 4, "Neighbours", check_resolve),
    Item("03.resolve.far", 4, "Hosts beyond the gateway", check_resolve),
)
