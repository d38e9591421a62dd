"""The rubrics of 10.port and 10.decides: find a free port, and the rule that decides.

Packets walk through a generated cluster whose node masquerades into a few ports (10.port); rules
run in a kernel's own nat table (10.decides).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from k8snetlib import Cluster, Exchange
from k8snetlib.address import Prefix
from k8snetlib.course import forms
from k8snetlib.course.generate import generated_spec
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
from k8snetlib.linux.netfilter.probe import Probe
from k8snetlib.packet import PROTO_NAMES, IPv4, Packet, Udp

Entry = tuple[str, str, int, int]


class Case(NamedTuple):
    """What was sent before, and the packet in question: (protocol, destination, its port, source
    port). ``ports`` are those that the rule may give."""

    group: str
    before: tuple[Entry, ...]
    packet: Entry
    ports: tuple[int, int]


# -- 10.port ----------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def ready(seed: int) -> tuple[Cluster, str, str]:
    """A cluster in which nothing masquerades yet; the addresses of ext and client."""
    spec = generated_spec(seed)
    network = spec.network._replace(backend="host-gw", flanneld="--ip-masq=false")
    cluster = Cluster(spec._replace(network=network))
    return cluster, cluster.address_of("ext"), cluster.address_of("client")


@lru_cache(maxsize=16)
def cases(seed: int) -> tuple[Case, ...]:
    """Ports that are free, taken, taken elsewhere only, outside the range, or all taken."""
    _, ext, client = ready(seed)
    dice = random.Random(f"ports {seed}")
    low = dice.randint(20_000, 50_000)
    few, wide = (low, low + 2), (low, low + 400)
    own = low + 1
    dns, far = ("udp", ext, 53), dice.randint(5_000, 9_000)
    all_three = tuple((*dns, port) for port in range(low, low + 3))
    return (
        Case("keep", (), (*dns, own), few),
        Case("keep", ((*dns, low),), (*dns, own), wide),
        Case("keep", ((*dns, low),), (*dns, low + 2), few),
        Case("clash", ((*dns, own),), (*dns, own), few),
        Case("clash", ((*dns, own), (*dns, low + 2)), (*dns, own), few),
        Case("clash", ((*dns, own),), (*dns, own), wide),
        Case("elsewhere", (("udp", client, 53, own),), (*dns, own), few),
        Case("elsewhere", (("udp", ext, 5353, own),), (*dns, own), few),
        Case("elsewhere", (("tcp", ext, 80, own),), ("udp", ext, 80, own), few),
        Case("elsewhere", tuple(("udp", client, 53, e[3]) for e in all_three), (*dns, own), few),
        Case("outside", (), (*dns, far), few),
        Case("outside", ((*dns, low),), (*dns, far), few),
        Case("full", all_three, (*dns, own), few),
        Case("full", all_three, (*dns, far), few),
    )


@lru_cache(maxsize=64)
def walked(seed: int, case: Case) -> tuple[tuple[Entry, ...], Exchange]:
    """What node1's table holds when the packet comes, and how the packet fared."""
    cluster = ready(seed)[0].clone()
    for proto in ("udp", "tcp"):
        to = f"--to-ports {case.ports[0]}-{case.ports[1]}"
        cluster["node1"].sh(f"iptables -t nat -A POSTROUTING -o eth0 -p {proto} -j MASQUERADE {to}")
    for proto, dst, dport, sport in case.before:
        cluster.send("web1", dst, dport, proto=proto, sport=sport)
    held = tuple(
        (PROTO_NAMES[c.reply.proto], c.reply.src, c.reply.sport, c.reply.dport)
        for c in cluster["node1"].conntrack.connections(cluster.network.now)
        if c.reply != c.original.inverted
    )
    proto, dst, dport, sport = case.packet
    return held, cluster.send("web2", dst, dport, proto=proto, sport=sport)


def port_calls(seed: int) -> tuple[Call, ...]:
    """One call a case."""
    return tuple(
        Call(c.group, ([list(e) for e in walked(seed, c)[0]], *c.packet, *c.ports))
        for c in cases(seed)
    )


def given(seed: int, case: Case) -> int | None:
    """The port that the kernel gave; None: the packet was dropped."""
    exchange = walked(seed, case)[1]
    assert exchange.request is not None
    if exchange.outcome == "dropped":
        return None
    port: int = exchange.request.last.packet.transport.sport
    return port


def fits(seed: int, case: Case, said: Any) -> bool:
    """True if the kernel could give that port. A free port is as good as the one that it took."""
    truth = given(seed, case)
    if truth is None or truth == case.packet[3]:
        return same(said, truth)
    held = {entry[3] for entry in walked(seed, case)[0] if entry[:3] == case.packet[:3]}
    return type(said) is int and case.ports[0] <= said <= case.ports[1] and said not in held


_NODE_WIDE = (
    "You seem to think that a port is taken for the whole node. "
    "It is taken towards one destination: address, port and protocol."
)
_STUBBORN = (
    "You seem to think that a port is always kept. Two pods would then get answers that look alike."
)

#: group -> (belief, text, does this wrong value show it?)
Sign = tuple[str, str, Callable[[Case, Any], bool]]
SIGNS: Mapping[str, tuple[Sign, ...]] = {
    "keep": (
        ("HALF_OPEN", "You seem to leave out the last port. "
         "--to-ports names the first and the last one that may be given.",
         lambda case, said: case.packet[3] == case.ports[1]),
        ("ALWAYS_NEW", "You seem to think that a new port is always drawn. "
         "Here a port that is free is kept.", lambda case, said: isinstance(said, int)),
    ),
    "clash": (
        ("ALWAYS_KEEP", _STUBBORN, lambda case, said: said == case.packet[3]),
        ("CLASH_DROPS", "You seem to think that a clash loses the packet. "
         "The kernel first looks for another port.", lambda case, said: said is None),
        ("NEXT_PORT", "You seem to take the next port without a look. It may be taken as well, "
         "or outside the range.", lambda case, said: isinstance(said, int)),
    ),
    "elsewhere": (
        ("PORTS_64K", _NODE_WIDE, lambda case, said: said != case.packet[3]),
    ),
    "outside": (
        ("KEEP_OUTSIDE", "You seem to keep a port that the rule does not allow. "
         "--to-ports gives a range.", lambda case, said: said == case.packet[3]),
        ("OUTSIDE_DROPS", "You seem to think that a port outside the range loses the packet. "
         "It gets a port of the range.", lambda case, said: said is None),
    ),
    "full": (
        ("ALWAYS_KEEP", _STUBBORN, lambda case, said: said == case.packet[3]),
        ("BEYOND", "You seem to think that there is always one more port. "
         "The range ends, and the packet is dropped.", lambda case, said: isinstance(said, int)),
    ),
}  # fmt: skip

_PORT = {
    "keep": "The port is free, and the rule allows it.",
    "clash": "Which ports of the range are free towards this destination?",
    "elsewhere": "Compare the destination of each entry with that of the packet.",
    "outside": "Which ports does the rule allow?",
    "full": "No port of the range is left towards this destination.",
}


def _check_port(group: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        read = [r._replace(value=forms.whole(r.value)) for r in replies]
        bad = wrong_type(read, (int, type(None)), "a port, or None")
        judged = list(zip([c for c in cases(seed) if c.group == group], read, strict=True))
        wrong = [(case, r) for case, r in judged if not fits(seed, case, r.value)]
        if bad or not wrong:
            return bad
        case, reply = wrong[0]
        evidence = walked(seed, case)[1] if group != "clash" else _table(reply)
        for belief, text, shows in SIGNS[group]:
            if all(shows(c, r.value) for c, r in wrong):
                return fail(text, belief, evidence)
        return fail(_PORT[group], None, evidence)

    return check


def _table(reply: Reply) -> str:
    held, proto, dst, dport, sport, low, high = reply.args
    rows = [f"in use   {e[0]} to {e[1]}:{e[2]} from port {e[3]}" for e in held]
    asked = f"packet   {proto} to {dst}:{dport} from port {sport}, allowed {low}-{high}"
    return "\n".join([*rows, asked, f"you gave {reply.value}"])


# -- 10.decides -----------------------------------------------------------------------------------

Row = tuple[str, str, str, str]
FLANNEL, DOCKER = "flannel", "docker"


@lru_cache(maxsize=16)
def chains(seed: int) -> Mapping[str, tuple[Row, ...]]:
    """Chains of generated nodes, and some that were put together by chance."""
    dice = random.Random(f"chains {seed}")
    spec = generated_spec(seed)
    pods, own = str(spec.network.pod_network), str(spec.nodes[0].pod_cidr)
    one = spec.pods[1].ip
    flannel = (
        (own, pods, "", "RETURN"),
        (pods, own, "", "RETURN"),
        (f"!{pods}", own, "", "RETURN"),
        (pods, "!224.0.0.0/4", "", "MASQUERADE"),
        (f"!{pods}", pods, "", "MASQUERADE"),
    )
    docker = ((own, "", "!docker0", "MASQUERADE"), (pods, "", "docker0", "MASQUERADE"))
    mixed = [
        (own, "", "eth0", "MASQUERADE"),
        (pods, f"!{pods}", "", "RETURN"),
        ("", f"!{own}", "!docker0", "MASQUERADE"),
    ]
    dice.shuffle(mixed)
    # Never first: so the narrowest rule is not the one that decides.
    mixed.insert(dice.randint(1, 3), (f"{one}/32", "", "", "RETURN"))
    turned = [
        (f"!{own}", pods, "", "MASQUERADE"),
        (own, f"!{pods}", "", "MASQUERADE"),
        (f"!{pods}", f"!{pods}", "", "MASQUERADE"),
    ]
    dice.shuffle(turned)
    return {FLANNEL: flannel, DOCKER: docker, "mixed": tuple(mixed), "turned": tuple(turned)}


@lru_cache(maxsize=16)
def decides_calls(seed: int) -> tuple[Call, ...]:
    """Packets of pods, of nodes and from outside, through each chain."""
    spec = generated_spec(seed)
    ips = {pod.name: pod.ip for pod in spec.pods} | {node.name: node.ip for node in spec.nodes}
    ips["client"] = spec.network.hosts[1].ip
    ext = spec.network.hosts[0].ip

    def call(group: str, chain: str, src: str, dst: str, out: str) -> Call:
        rows = [list(row) for row in chains(seed)[chain]]
        return Call(group, (rows, ips[src], ips.get(dst, ext), out))

    return (
        call("first", FLANNEL, "web2", "backend", "eth0"),
        call("first", FLANNEL, "web2", "ext", "eth0"),
        call("first", FLANNEL, "web1", "node2", "eth0"),
        call("first", "mixed", "web2", "ext", "eth0"),
        call("first", "mixed", "web1", "backend", "eth0"),
        call("negated", FLANNEL, "client", "backend", "eth0"),
        call("negated", "turned", "client", "backend", "eth0"),
        call("negated", "turned", "web2", "ext", "eth0"),
        call("negated", "turned", "client", "ext", "eth0"),
        call("device", DOCKER, "web2", "web1", "docker0"),
        call("device", DOCKER, "web2", "backend", "eth0"),
        call("device", DOCKER, "web2", "backend", "flannel0"),
        call("device", DOCKER, "web2", "backend", "docker01"),
        call("none", DOCKER, "client", "backend", "eth0"),
        call("none", FLANNEL, "node1", "ext", "eth0"),
        call("none", "mixed", "client", "web2", "docker0"),
    )


@lru_cache(maxsize=256)
def decided(rows: tuple[Row, ...], src: str, dst: str, out: str) -> int | None:
    """Which rule of the chain a kernel stops at, counted from 1; None: no rule matches."""
    node1 = Cluster.example("host-gw", proxy_mode="none", flanneld="--ip-masq=false")["node1"]
    node1.sh("iptables -t nat -N TEST && iptables -t nat -A POSTROUTING -j TEST")
    for source, target, device, verdict in rows:
        words = [*_word("-s", source), *_word("-d", target), *_word("-o", device)]
        node1.sh(" ".join(["iptables -t nat -A TEST", *words, "-j", verdict]))
    packet = Packet(IPv4(src, dst, 17), Udp(4000, 53))
    probe = Probe(node1, packet, "", out, 0, 0.0, node1.network.dice)
    matched = [str(m) for m in node1.ruleset.run("nat", "POSTROUTING", probe).matched]
    lines = [m.partition(" | ")[2] for m in matched if m.startswith("nat:TEST rule ")]
    if not lines:
        return None
    saved = [r for r in node1.sh("iptables -t nat -S TEST").splitlines() if r.startswith("-A")]
    return saved.index(lines[0]) + 1


def _word(option: str, value: str) -> list[str]:
    if not value:
        return []
    return ["!", option, value[1:]] if value.startswith("!") else [option, value]


def right(rows: Any, src: str, dst: str, out: str) -> int | None:
    """What the kernel says."""
    return decided(tuple(tuple(row) for row in rows), src, dst, out)


def matching(
    rows: Any, src: str, dst: str, out: str, *, bang: bool = True, device: bool = True
) -> list[int]:
    """The rules that match. ``bang`` False: as if no ``!`` stood there; ``device`` False: as if no
    device were named."""

    def holds(value: str, test: Callable[[str], bool]) -> bool:
        if not value:
            return True
        plain = value.removeprefix("!")
        return test(plain) != (bang and value.startswith("!"))

    return [
        at
        for at, (source, target, dev, _) in enumerate(rows, start=1)
        if holds(source, lambda v: src in Prefix.parse(v))
        and holds(target, lambda v: dst in Prefix.parse(v))
        and (not device or holds(dev, lambda v: v == out))
    ]


def _first(found: Sequence[int]) -> int | None:
    return found[0] if found else None


def _last(rows: Any, *packet: str) -> int | None:
    return (matching(rows, *packet) or [None])[-1]  # type: ignore[list-item]


def _goes_on(rows: Any, *packet: str) -> int | None:
    return _first([at for at in matching(rows, *packet) if rows[at - 1][3] != "RETURN"])


def _from_zero(*args: Any) -> int | None:
    found = right(*args)
    return None if found is None else found - 1


def _narrowest(rows: Any, *packet: str) -> int | None:
    def bits(at: int) -> int:
        ends = (value for value in rows[at - 1][:2] if value)
        return sum(Prefix.parse(value.removeprefix("!")).length for value in ends)

    return max(matching(rows, *packet), key=bits, default=None)


def _pods_only(rows: Any, *packet: str) -> int | None:
    return _first([at for at in matching(rows, *packet) if not rows[at - 1][0].startswith("!")])


_ZERO = "You seem to count from 0. iptables counts rules from 1."
_BANG = (
    "You seem to overlook the exclamation mark. It turns one condition round, and only that one."
)
_RETURN = "You seem to go on behind a RETURN. The packet leaves the chain there, and is spared."

DECIDES: Mapping[str, tuple[Belief, ...]] = {
    "first": (
        Belief("RETURN_GOES_ON", _RETURN, _goes_on),
        Belief("LAST_MATCH", "You seem to think that the last match counts. "
               "A packet stops at the first rule that matches.", _last),
        Belief("SPECIFIC", "You seem to think that the narrowest rule wins, as in a routing table. "
               "Rules are asked in their order.", _narrowest),
        Belief("FROM_ZERO", _ZERO, _from_zero),
        Belief("BANG", _BANG, lambda *args: _first(matching(*args, bang=False))),
    ),
    "negated": (
        Belief("PODS_ONLY", "You seem to think that only a pod's packets meet these rules. "
               "Some are about packets that come from outside.", _pods_only),
        Belief("BANG", _BANG, lambda *args: _first(matching(*args, bang=False))),
        Belief("FROM_ZERO", _ZERO, _from_zero),
    ),
    "device": (
        Belief("NO_DEVICE", "You seem to overlook the device. "
               "Docker's rule spares what leaves by docker0, and nothing else.",
               lambda *args: _first(matching(*args, device=False))),
        Belief("BANG", _BANG, lambda *args: _first(matching(*args, bang=False))),
        Belief("FROM_ZERO", _ZERO, _from_zero),
    ),
    "none": (
        Belief("ALWAYS_A_RULE", "You seem to think that some rule always decides. "
               "Without a match, the chain's policy lets the packet go on unchanged.",
               lambda rows, *_: len(rows)),
        Belief("BANG", _BANG, lambda *args: _first(matching(*args, bang=False))),
    ),
}  # fmt: skip

_DECIDES = {
    "first": "Ask the rules from the top. Which is the first whose conditions all hold?",
    "negated": "Read each exclamation mark once more: what must not be true?",
    "device": "Compare the device by which the packet leaves.",
    "none": "No rule of this chain matches the packet.",
}


def _check_rule(group: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        return wrong_type(replies, (int, str, type(None)), "a rule's number, or None") or compare(
            replies, right, DECIDES[group], _DECIDES[group], read=forms.whole, witness=_asked
        )

    return check


def _asked(reply: Reply) -> str:
    rows, src, dst, out = reply.args
    lines = [
        f"{at}  {source or 'any':22}{target or 'any':22}{device or 'any':10}{verdict}"
        for at, (source, target, device, verdict) in enumerate(rows, start=1)
    ]
    return "\n".join([*lines, f"packet {src} > {dst} by {out}; you returned {reply.value}"])


CALLS = {"10.port": port_calls, "10.decides": decides_calls}

_PORT_ITEMS = (
    ("keep", 1, "A port that is free"),
    ("clash", 2, "A port that is taken"),
    ("elsewhere", 3, "A port that is taken elsewhere"),
    ("outside", 1, "A port that the rule does not allow"),
    ("full", 1, "No port is left"),
)
_RULE_ITEMS = (
    ("first", 3, "The first match"),
    ("negated", 2, "Conditions turned round"),
    ("device", 1, "The device"),
    ("none", 1, "No match"),
)

ITEMS = (
    *(Item(f"10.port.{g}", points, title, _check_port(g)) for g, points, title in _PORT_ITEMS),
    *(Item(f"10.decides.{g}", points, title, _check_rule(g)) for g, points, title in _RULE_ITEMS),
)
