"""The rubric of 01.pairs: who sees which source address, and by which rule.

The model sends the same packets when the check runs; nothing here says what it will find.
``checks_code`` holds the rubrics of the tasks in which code is written, ``checks_known`` the rest.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same

CHAIN = "FLANNEL-POSTRTG"


@lru_cache(maxsize=8)
def walk(target: str) -> Exchange:
    """web2 pings a host of the example cluster."""
    return Cluster.example().ping("web2", target)


@lru_cache(maxsize=1)
def by_docker() -> Exchange:
    """web2 connects to backend while Docker's own masquerade is on."""
    return Cluster.example(docker_masquerade=True).connect("web2", "backend", port=8080)


def chain_lines(chain: str, *, docker: bool = False) -> list[str]:
    """The rules of a chain in the nat table of node1, in order."""
    node1 = Cluster.example(docker_masquerade=docker)["node1"]
    lines = node1.sh(f"iptables -t nat -S {chain}").splitlines()
    return [line for line in lines if line.startswith("-A ")]


def decided(exchange: Exchange, chain: str, lines: list[str]) -> int:
    """The number of the rule of that chain that decided about web2's packet on node1; 0: none."""
    assert exchange.request is not None
    found = [
        str(rule).partition(" | ")[2]
        for hop in exchange.request.hops
        if hop.netns == "node1"
        for step in hop.steps
        if step.stage == "nat POSTROUTING"
        for rule in step.rules
    ]
    jumps = ("-j FLANNEL-", "-j KUBE-")
    mine = [line for line in found if line.startswith(f"-A {chain} ")]
    mine = [line for line in mine if not any(jump in line for jump in jumps)]
    return lines.index(mine[0]) + 1 if mine else 0


@lru_cache(maxsize=1)
def flannel_lines() -> list[str]:
    """The rules of flannel's chain on node1."""
    return chain_lines(CHAIN)


@lru_cache(maxsize=8)
def truth(target: str) -> tuple[str, int]:
    """(the source that the receiver sees, the number of the rule that decided)."""
    exchange = walk(target)
    assert exchange.request is not None
    return exchange.request.last.packet.ip.src, decided(exchange, CHAIN, flannel_lines())


def rule_number(value: Any, lines: list[str]) -> Any:
    """A rule's number from ``2``, ``"rule 2"`` or the rule itself; 0 for ``"none"``."""
    value = forms.whole(value)
    text = forms.words(value)
    if not isinstance(text, str):
        return value
    text = text.strip().removeprefix("iptables -t nat ")
    if text in lines:
        return lines.index(text) + 1
    if text.lower() in ("none", "no rule", "no", "-", "nothing"):
        return 0
    number = re.fullmatch(r"(?:rule|line|no\.?|#)?\s*#?(\d+)", text.lower())
    return int(number[1]) if number else text


def _said(answer: dict[str, Any], *targets: str) -> list[tuple[Any, Any]]:
    return [
        (
            forms.address(answer[f"{target}.seen"], walk("node2").names),
            rule_number(answer[f"{target}.rule"], flannel_lines()),
        )
        for target in targets
    ]


def _seen_by(said: list[tuple[Any, Any]]) -> list[Any]:
    return [seen for seen, _ in said]


_WRONG_RULE = "The addresses are right, but another rule decided. The first rule that fits does."
_SEEN_WRONG = "This receiver sees another source address. Take flannel's rules from the top."


def _otherwise(said: list[tuple[Any, Any]], right: list[tuple[Any, Any]], at: str) -> Findings:
    text = _WRONG_RULE if same(_seen_by(said), _seen_by(right)) else _SEEN_WRONG
    return fail(text, None, walk(at))


def check_pods(answer: dict[str, Any], seed: int) -> Findings:
    """web2 to web1 and to backend."""
    targets = ("web1", "backend")
    said, right = _said(answer, *targets), [truth(target) for target in targets]
    if same(said, right):
        return ()
    if any(seen != "" and seen in (truth("node2")[0], "10.1.15.1", "10.1.15.0")
           for seen in _seen_by(said)):  # fmt: skip
        text = (
            "You seem to think that a pod hides behind its node, as it does with Docker alone. "
            "Between pods nobody translates."
        )
        return fail(text, "HIDDEN", walk("backend"))
    if same(_seen_by(said), _seen_by(right)) and 0 in [rule for _, rule in said]:
        text = (
            "You seem to think that a packet between two pods meets no rule of node1. "
            "node1 sends both packets on, so both meet this chain."
        )
        return fail(text, "BRIDGE_BARE", walk("web1"))
    return _otherwise(said, right, "backend")


def check_own(answer: dict[str, Any], seed: int) -> Findings:
    """web2 to its own node."""
    said, right = _said(answer, "node1"), [truth("node1")]
    if same(said, right):
        return ()
    if same(said, [truth("node2")]):
        text = (
            "You seem to think that every node lies outside for a pod. "
            "A packet for web2's own node is not sent on, so it never meets this chain."
        )
        return fail(text, "NODE_IS_OUTSIDE", walk("node1"))
    if same(_seen_by(said), _seen_by(right)):
        text = (
            "You seem to think that every packet goes through this chain. "
            "Does a packet for node1 itself leave node1 at all?"
        )
        return fail(text, "OWN_SENT_ON", walk("node1"))
    return _otherwise(said, right, "node1")


def check_out(answer: dict[str, Any], seed: int) -> Findings:
    """web2 to another node, and to a host of the internet."""
    said, right = _said(answer, "node2", "ext"), [truth("node2"), truth("ext")]
    if same(said, right):
        return ()
    own = truth("backend")[0]
    if _seen_by(said) == [own, own]:
        text = (
            "You seem to think that the flat promise holds for everybody. "
            "It is a promise about pods."
        )
        return fail(text, "FLAT_EVERYWHERE", walk("node2"))
    if _seen_by(said) == [own, truth("ext")[0]]:
        text = (
            "You seem to think that flannel masquerades internet traffic only. "
            "Read which destinations its rules name."
        )
        return fail(text, "MASQ_INET", walk("node2"))
    if "10.1.15.1" in _seen_by(said):
        return fail(_MASQ_BRIDGE, "MASQ_BRIDGE", walk("node2"))
    if _seen_by(said)[0] == right[0][0] and _seen_by(said)[1] in walk("ext").names.ips:
        text = (
            "You seem to think that the router translates as well. "
            "In this cluster it only routes: ext sees the address that node1 wrote."
        )
        return fail(text, "ROUTER_NATS", walk("ext"))
    return _otherwise(said, right, "node2")


_MASQ_BRIDGE = (
    "You seem to think that MASQUERADE takes docker0's address, since docker0 is the gateway. "
    "It takes that of the device by which the packet leaves."
)


@lru_cache(maxsize=1)
def counted() -> tuple[int, tuple[int, ...]]:
    """(what the deciding rule's counter shows after one connection, other counts of packets)."""
    cluster = Cluster.example()
    exchange = cluster.connect("web2", "node2", port=10250)
    listing = cluster["node1"].sh(f"iptables -t nat -L {CHAIN} -n -v").splitlines()[2:]
    tcp = [packet for packet in exchange.packets if packet.label.startswith("TCP")]
    sent = [packet for packet in tcp if packet.hops[0].netns == "web2"]
    line = listing[truth("node2")[1] - 1]
    return int(line.split()[0]), (len(sent), len(tcp), len(exchange.packets), len(tcp) - len(sent))


def check_count(answer: dict[str, Any], seed: int) -> Findings:
    """How many packets of a connection the rule sees."""
    said = forms.whole(answer["counter"])
    right, others = counted()
    if same(said, right):
        return ()
    if said in others:
        text = (
            "You seem to think that a nat rule sees every packet of a connection. "
            "Look at its counter after one connection."
        )
        return fail(text, "NAT_EVERY")
    return fail("The counter shows another number. Read the first column: pkts.")


@lru_cache(maxsize=1)
def docker_truth() -> tuple[str, int]:
    """The same as ``truth`` with Docker's rule in front, in the chain POSTROUTING."""
    exchange = by_docker()
    assert exchange.request is not None
    lines = chain_lines("POSTROUTING", docker=True)
    return exchange.request.last.packet.ip.src, decided(exchange, "POSTROUTING", lines)


def check_docker(answer: dict[str, Any], seed: int) -> Findings:
    """Docker's own masquerade was left on."""
    lines = chain_lines("POSTROUTING", docker=True)
    seen = forms.address(answer["docker.seen"], by_docker().names)
    said, right = (seen, rule_number(answer["docker.rule"], lines)), docker_truth()
    if same(said, right):
        return ()
    if said[0] == truth("backend")[0]:
        text = (
            "You seem to think that backend sees the pod's own address in any case. "
            "Docker's rule stands before flannel's chain."
        )
        return fail(text, "SEED_SRC", by_docker())
    if said[0] == truth("node2")[0]:
        text = (
            "You seem to think that MASQUERADE always takes the node's main address. "
            "It takes that of the device by which the packet leaves."
        )
        return fail(text, "MASQ_NODE_IP", by_docker())
    if said[0] == "10.1.15.1":
        return fail(_MASQ_BRIDGE, "MASQ_BRIDGE", by_docker())
    if said[0] == right[0]:
        return fail("The address is right, but another rule of POSTROUTING made it.")
    return fail("Follow the SYN: by which device does it leave, and which address has that?")


def _reads(target: str) -> tuple[str, str]:
    return (f"{target}.seen", f"{target}.rule")


ITEMS = (
    Item("01.pairs.pods", 2, "web2 to web1 and to backend", check_pods,
         (*_reads("web1"), *_reads("backend"))),
    Item("01.pairs.own", 2, "web2 to its own node", check_own, _reads("node1")),
    Item("01.pairs.out", 3, "web2 to another node and to the internet", check_out,
         (*_reads("node2"), *_reads("ext"))),
    Item("01.pairs.count", 2, "How often the rule was asked", check_count, ("counter",)),
    Item("01.pairs.docker", 2, "With Docker's own masquerade", check_docker, _reads("docker")),
)  # fmt: skip
