"""The rubric of 10.decides: which rule of a chain decides about a packet.

The rules run in a kernel's own nat table when the check runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster
from k8snetlib.address import Prefix
from k8snetlib.course import forms
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, wrong_type
from k8snetlib.linux.netfilter.probe import Probe
from k8snetlib.packet import IPv4, Packet, Udp

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


def _spared(rows: Any, *packet: str) -> int | None:
    found = right(rows, *packet)
    return None if found is None or rows[found - 1][3] == "RETURN" else found


def _turned(rows: Any, src: str, dst: str, out: str) -> int | None:
    """As if an exclamation mark turned its whole rule round."""
    plain = matching(rows, src, dst, out, bang=False)
    turned = [any(v.startswith("!") for v in row) for row in rows]
    return _first([n for n, neg in enumerate(turned, start=1) if (n in plain) != neg])


def _source_only(rows: Any, src: str, dst: str, out: str) -> int | None:
    return _first(matching([[row[0], "", "", row[3]] for row in rows], src, dst, out))


def _swapped(rows: Any, src: str, dst: str, out: str) -> int | None:
    return right(rows, dst, src, out)


def _begins(rows: Any, src: str, dst: str, out: str) -> int | None:
    """As if a device's name only had to begin like the rule's."""
    names = (row[2].removeprefix("!") for row in rows)
    return right(rows, src, dst, next((n for n in names if n and out.startswith(n)), out))


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

_ALL = (
    Belief("SOURCE_ONLY", "You seem to compare the source only. "
           "All conditions of a rule must hold.", _source_only),
    Belief("SWAPPED", "You seem to compare the source with the condition of the destination. "
           "In a row, the source stands first.", _swapped),
    Belief("BANG_ALL", "You seem to turn a whole rule round. "
           "An exclamation mark is about the condition at which it stands.", _turned),
)  # fmt: skip

DECIDES: Mapping[str, tuple[Belief, ...]] = {
    "first": (
        Belief("RETURN_GOES_ON", _RETURN, _goes_on),
        Belief("RETURN_IS_NONE", "You seem to think that a RETURN decides nothing. "
               "It decides that the packet is spared.", _spared),
        Belief("LAST_MATCH", "You seem to think that the last match counts. "
               "A packet stops at the first rule that matches.", _last),
        Belief("SPECIFIC", "You seem to think that the narrowest rule wins, as in a routing table. "
               "Rules are asked in their order.", _narrowest),
        Belief("FROM_ZERO", _ZERO, _from_zero),
        Belief("BANG", _BANG, lambda *args: _first(matching(*args, bang=False))),
        *_ALL,
    ),
    "negated": (
        Belief("PODS_ONLY", "You seem to think that only a pod's packets meet these rules. "
               "Some are about packets that come from outside.", _pods_only),
        Belief("BANG", _BANG, lambda *args: _first(matching(*args, bang=False))),
        Belief("FROM_ZERO", _ZERO, _from_zero),
        *_ALL,
    ),
    "device": (
        Belief("NO_DEVICE", "You seem to overlook the device. "
               "Docker's rule spares what leaves by docker0, and nothing else.",
               lambda *args: _first(matching(*args, device=False))),
        Belief("NAME_BEGINS", "You seem to compare how device names begin. "
               "Two different devices may begin alike.", _begins),
        Belief("BANG", _BANG, lambda *args: _first(matching(*args, bang=False))),
        Belief("FROM_ZERO", _ZERO, _from_zero),
        *_ALL,
    ),
    "none": (
        Belief("ALWAYS_A_RULE", "You seem to think that some rule always decides. "
               "Without a match, the chain's policy lets the packet go on unchanged.",
               lambda rows, *_: len(rows)),
        Belief("BANG", _BANG, lambda *args: _first(matching(*args, bang=False))),
        *_ALL,
    ),
}  # fmt: skip

_DECIDES = {
    "first": "Ask the rules from the top. Which is the first whose conditions all hold?",
    "negated": "Read each exclamation mark once more: what must not be true?",
    "device": "Compare the device by which the packet leaves.",
    "none": "No rule of this chain matches the packet. So there is no number.",
}


def _number(value: Any) -> Any:
    """A rule's number; or None, from False or a word for it."""
    none = forms.nobody(value.lower() if isinstance(value, str) else value)
    return None if none == "nobody" else forms.whole(value)


def _check_rule(group: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        read = [r._replace(value=_number(r.value)) for r in replies]
        return wrong_type(read, (int, type(None)), "a rule's number, or None") or compare(
            read, right, DECIDES[group], _DECIDES[group], witness=_asked
        )

    return check


def _asked(reply: Reply) -> str:
    rows, src, dst, out = reply.args
    lines = [
        f"{at}  {source or 'any':22}{target or 'any':22}{device or 'any':10}{verdict}"
        for at, (source, target, device, verdict) in enumerate(rows, start=1)
    ]
    return "\n".join([*lines, f"packet {src} > {dst} by {out}; you returned {reply.value}"])


CALLS = {"10.decides": decides_calls}

_RULE_ITEMS = (
    ("first", 3, "The first match"),
    ("negated", 2, "Conditions turned round"),
    ("device", 1, "The device"),
    ("none", 1, "No match"),
)

ITEMS = tuple(
    Item(f"10.decides.{g}", points, title, _check_rule(g)) for g, points, title in _RULE_ITEMS
)
