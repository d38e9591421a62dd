"""The rubric of 10.port: find a free port.

Packets walk through a generated cluster whose node masquerades into a few ports.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Call, Findings, Item, Reply, fail, same, wrong_type
from k8snetlib.packet import PROTO_NAMES

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
        Case("clash", ((*dns, low), (*dns, own)), (*dns, own), few),
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

_LAST = (
    "You seem to leave out the last port. "
    "--to-ports names the first and the last one that may be given."
)


def _free(case: Case) -> list[int]:
    """The ports of the range that nothing held before."""
    held = {entry[3] for entry in case.before}
    return [port for port in range(case.ports[0], case.ports[1] + 1) if port not in held]


#: group -> (belief, text, does this wrong value show it?)
Sign = tuple[str, str, Callable[[Case, Any], bool]]
SIGNS: Mapping[str, tuple[Sign, ...]] = {
    "keep": (
        ("HALF_OPEN", _LAST,
         lambda case, said: case.packet[3] == case.ports[1]),
        ("ALWAYS_NEW", "You seem to think that a new port is always drawn. "
         "Here a port that is free is kept.", lambda case, said: isinstance(said, int)),
    ),
    "clash": (
        ("ALWAYS_KEEP", _STUBBORN, lambda case, said: said == case.packet[3]),
        ("HALF_OPEN", _LAST, lambda case, said: said is None and _free(case) == [case.ports[1]]),
        ("UPWARDS", "You seem to look upwards from the packet's own port only. "
         "A free port may be below it.",
         lambda case, said: said is None and max(_free(case)) < case.packet[3]),
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


def _given(value: Any) -> Any:
    """A port; or None, from the words for a packet that is dropped."""
    text = value.strip().lower() if isinstance(value, str) else value
    dropped = text is False or text in ("none", "no", "no port", "drop", "dropped")
    return None if dropped else forms.whole(value)


def _check_port(group: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        read = [r._replace(value=_given(r.value)) for r in replies]
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


CALLS = {"10.port": port_calls}

_PORT_ITEMS = (
    ("keep", 1, "A port that is free"),
    ("clash", 2, "A port that is taken"),
    ("elsewhere", 3, "A port that is taken elsewhere"),
    ("outside", 1, "A port that the rule does not allow"),
    ("full", 1, "No port is left"),
)

ITEMS = tuple(
    Item(f"10.port.{g}", points, title, _check_port(g)) for g, points, title in _PORT_ITEMS
)
