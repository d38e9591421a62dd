"""The rubric of 07.input and 07.forward: whom a filter rule stops.

The model walks the same packets when the check runs; nothing here says what it will find.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.trace import Trace

Answer = dict[str, Any]


@lru_cache(maxsize=1)
def bare() -> Cluster:
    """host-gw, no kube-proxy, and no FORWARD rules of flanneld's."""
    return Cluster.example("host-gw", proxy_mode="none", flanneld="--iptables-forward-rules=false")


def steps_of(trace: Trace, netns: str) -> list[Any]:
    """A packet's steps in one namespace."""
    return [step for hop in trace.hops if hop.netns == netns for step in hop.steps]


def pkts(cluster: Cluster, node: str, table: str, chain: str) -> int:
    """The pkts of a chain's first rule, as ``iptables -vnxL`` prints them."""
    lines = cluster[node].sh(f"iptables -t {table} -vnxL {chain}").splitlines()
    return int(lines[2].split()[0])


# -- 07.input -------------------------------------------------------------------------------------

ATTEMPTS = {
    "input": "iptables -I INPUT -p tcp --dport 30080 -j DROP",
    "forward_30080": "iptables -I FORWARD -p tcp --dport 30080 -j DROP",
    "forward_8080": "iptables -I FORWARD -p tcp --dport 8080 -j DROP",
    "raw_30080": "iptables -t raw -I PREROUTING -p tcp --dport 30080 -j DROP",
}


@lru_cache(maxsize=1)
def proxied() -> Cluster:
    """host-gw and kube-proxy in iptables mode."""
    return Cluster.example("host-gw")


@lru_cache(maxsize=4)
def attempt(name: str) -> tuple[Exchange, int]:
    """client connects to node1:30080 under one more rule: the walk, and the INPUT rule's pkts."""
    cluster = proxied().clone()
    cluster["node1"].sh(ATTEMPTS[name])
    exchange = cluster.connect("client", "node1", port=30080, endpoint="backend")
    return exchange, pkts(cluster, "node1", "filter", "INPUT") if name == "input" else 0


def check_answered(answer: Answer, seed: int) -> Findings:
    """Does the INPUT rule protect the port?"""
    exchange, matched = attempt("input")
    said = forms.yes(answer["answered"]), forms.whole(answer["pkts"])
    if same(said, (exchange.ok, matched)):
        return ()
    text = (
        "You seem to think that an INPUT rule protects a NodePort. "
        "Only what node1 itself receives crosses INPUT."
    )
    return fail(text, "INPUT_FW", exchange)


def check_seen(answer: Answer, seed: int) -> Findings:
    """Which chain of filter sees the SYN, and under which port."""
    exchange, _ = attempt("input")
    assert exchange.request is not None
    step = next(s for s in steps_of(exchange.request, "node1") if s.stage.startswith("filter"))
    wanted = [step.stage], step.packet.transport.dport
    said = forms.chains(answer["chain"]), forms.whole(answer["dport"])
    if same(said, wanted):
        return ()
    if "filter INPUT" in said[0]:
        text = (
            "You seem to think that all that is sent to node1 crosses INPUT. "
            "After DNAT it is for a pod."
        )
        return fail(text, "INPUT_FW", exchange)
    if said[1] == 30080:
        text = (
            "You seem to think that DNAT comes after this chain. "
            "It has changed address and port before routing."
        )
        return fail(text, "DNAT_POST", exchange)
    return fail("Follow the SYN on node1: which box of filter is lit, and what is the port there?",
                None, exchange)  # fmt: skip


def check_stops(answer: Answer, seed: int) -> Findings:
    """Which other rules stop the client."""
    names = ("forward_30080", "forward_8080", "raw_30080")
    said = [forms.yes(answer[f"stops.{name}"]) for name in names]
    wanted = [not attempt(name)[0].ok for name in names]
    if same(said, wanted):
        return ()
    wrong = next(n for n, *two in zip(names, said, wanted, strict=True) if not same(*two))
    witness = attempt(wrong)[0]
    if said[:2] == [True, False]:
        text = (
            "You seem to think that FORWARD sees the old port. "
            "DNAT has changed address and port before routing."
        )
        return fail(text, "DNAT_POST", witness)
    if said[:2] == [False, True]:
        text = (
            "You seem to think that nat comes first in PREROUTING. "
            "The table raw speaks before all others."
        )
        return fail(text, "NAT_FIRST", witness)
    if said[:2] == [True, True]:
        text = (
            "You seem to think that either port will do. "
            "At one place a packet has one destination port only."
        )
        return fail(text, "TABLE_MATTERS_NOT", witness)
    return fail("For each rule: which port does the SYN have when it gets there?", None, witness)


# -- 07.forward -----------------------------------------------------------------------------------

MENDS = {
    "one": ("iptables -A FORWARD -d 10.1.20.0/24 -j ACCEPT",),
    "two": (
        "iptables -A FORWARD -d 10.1.20.0/24 -j ACCEPT",
        "iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ),
}
FLOWS = {
    "web2_backend": ("web2", "backend"), "web2_node2": ("web2", "node2"),
    "node2_web2": ("node2", "web2"), "backend_backend_b": ("backend", "backend-b"),
}  # fmt: skip


@lru_cache(maxsize=16)
def dropping(source: str, target: str, mend: str = "") -> Exchange:
    """A ping where node2's FORWARD policy is DROP."""
    cluster = bare().clone()
    cluster.ping(source, target)
    cluster["node2"].sh("iptables -P FORWARD DROP")
    for command in MENDS.get(mend, ()):
        cluster["node2"].sh(command)
    # Conntrack must not know the ping that warmed ARP up.
    cluster["node2"].sh("conntrack -F")
    return cluster.ping(source, target)


def check_flows(answer: Answer, seed: int) -> Findings:
    """Who still talks."""
    said = {key: forms.yes(answer[key]) for key in FLOWS}
    wanted = {key: dropping(*flow).ok for key, flow in FLOWS.items()}
    wrong = [key for key in FLOWS if not same(said[key], wanted[key])]
    if not wrong:
        return ()
    witness = dropping(*FLOWS[wrong[0]])
    if "web2_backend" in wrong:
        text = (
            "You seem to think that right routes mean that packets flow. "
            "A filter decides whether they may pass."
        )
        return fail(text, "FWD", witness)
    if "backend_backend_b" in wrong:
        text = (
            "You seem to think that bridged packets do not cross FORWARD. "
            "With bridge-nf-call-iptables=1 they do."
        )
        return fail(text, "BRIDGE_FREE", witness)
    text = (
        "You seem to think that a node's own packets cross FORWARD. "
        "They cross INPUT and OUTPUT only."
    )
    return fail(text, "OWN_TOO", witness)


def devices(value: Any) -> Any:
    """The devices that a text or a list names, in the order of the alphabet."""
    if forms.none(value):
        return []
    found = re.findall(r"(?<![\w-])(?:eth|docker|veth|flannel|cni|lo\b)[\w.-]*", str(value).lower())
    return sorted(set(found)) or value


def check_tap(answer: Answer, seed: int) -> Findings:
    """Where tcpdump shows the request on node2."""
    walk = dropping(*FLOWS["web2_backend"])
    assert walk.request is not None
    wanted = sorted({f.device for f in walk.request.frames if f.netns == "node2"})
    said = devices(answer["seen_on"])
    if same(said, wanted):
        return ()
    if said == []:
        text = (
            "You seem to think that tcpdump shows only what iptables let pass. "
            "What comes in is shown before any rule."
        )
        return fail(text, "TAP", walk)
    if isinstance(said, list) and set(wanted) < set(said):
        text = (
            "You seem to think that the packet reaches a device behind FORWARD. "
            "It was dropped before it was sent there."
        )
        return fail(text, "TAP_BEHIND", walk)
    return fail("The request comes in on one device of node2. On which, and does it go further?",
                None, walk)  # fmt: skip


def check_mend(answer: Answer, seed: int) -> Findings:
    """One rule, or two."""
    said = {key: forms.yes(answer[f"mended.{key}"]) for key in MENDS}
    walks = {key: dropping(*FLOWS["web2_backend"], key) for key in MENDS}
    if all(same(said[key], walks[key].ok) for key in MENDS):
        return ()
    if not same(said["one"], walks["one"].ok):
        text = (
            "You seem to think that the answer needs no rule in filter. "
            "conntrack translates by itself, but it lets nothing pass."
        )
        return fail(text, "REPLY_FREE", walks["one"])
    text = (
        "You seem to think that the answer needs a rule with its addresses. "
        "A rule may ask conntrack for the state."
    )
    return fail(text, "NO_MEMORY", walks["two"])


ITEMS = (
    Item("07.input.answered", 2, "Is the port protected?", check_answered, ("answered", "pkts")),
    Item("07.input.seen", 3, "The chain that sees the SYN", check_seen, ("chain", "dport")),
    Item("07.input.stops", 3, "Rules that stop the client", check_stops,
         tuple(f"stops.{name}" for name in ("forward_30080", "forward_8080", "raw_30080"))),
    Item("07.forward.flows", 4, "Who still talks", check_flows, tuple(FLOWS)),
    Item("07.forward.tap", 2, "What tcpdump shows", check_tap, ("seen_on",)),
    Item("07.forward.mend", 3, "One rule, or two", check_mend,
         tuple(f"mended.{key}" for key in MENDS)),
)  # fmt: skip
