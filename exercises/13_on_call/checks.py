"""The rubric of 13.halve: four cases, each with what was observed.

The model sends the same packets in the same broken clusters when a check runs, so that each
observation is one. ``checks_hop`` holds the code task, ``checks_incidents`` the incidents.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail
from k8snetlib.kube.api import example_spec

PARTS = ("name", "endpoints", "service", "overlay", "size", "pod")


@lru_cache(maxsize=1)
def observed() -> dict[str, str]:
    """The part that is broken in each case, found by sending."""
    return {"a": _stopped(), "b": _unready(), "c": _blocked(), "d": _hole()}


def _stopped() -> str:
    """node1 without the rule of this Service: the endpoint answers, and so does DNS."""
    cluster = Cluster.example("vxlan")
    node1 = cluster["node1"]
    node1.sh("systemctl stop kube-proxy")
    rules = node1.sh("iptables -t nat -S KUBE-SERVICES").splitlines()
    (rule,) = [rule for rule in rules if "default/backend-svc:http cluster IP" in rule]
    node1.sh(f"iptables -t nat -D {rule.removeprefix('-A ')}")
    if "10.96.0.10" not in cluster["web2"].sh("nslookup backend-svc"):
        return ""
    there = cluster.connect("web2", "10.1.20.3", 8080).outcome == "delivered"
    service = cluster.connect("web2", "10.96.0.10", 80).outcome == "delivered"
    return "service" if there and not service else ""


def _unready() -> str:
    """Running pods that are not ready: the Service refuses, each pod answers."""
    spec = example_spec("vxlan")
    slices = tuple(
        s._replace(endpoints=tuple(e._replace(ready=False, serving=False) for e in s.endpoints))
        if s.service == "backend-svc" else s
        for s in spec.slices
    )  # fmt: skip
    cluster = Cluster(spec._replace(slices=slices))
    refused = cluster.connect("web2", "10.96.0.10", 80).outcome in ("refused", "rejected")
    there = cluster.connect("web2", "10.1.20.3", 8080).outcome == "delivered"
    return "endpoints" if refused and there else ""


def _blocked() -> str:
    """The overlay's port dropped on node2."""
    cluster = Cluster.example("vxlan")
    cluster["node2"].sh("iptables -A INPUT -p udp --dport 8472 -j DROP")
    near = cluster.ping("web2", "web1").outcome == "delivered"
    nodes = cluster.ping("node1", "node2").outcome == "delivered"
    far = cluster.ping("web2", "backend").outcome == "delivered"
    return "overlay" if near and nodes and not far else ""


def _hole() -> str:
    """A link that takes less than its ends believe."""
    cluster = Cluster.example("vxlan")
    cluster["switch"].sh("ip link set p-node2 mtu 1400")
    small = cluster.connect("web2", "backend", 8080).outcome == "delivered"
    large = cluster.connect("web2", "backend", 8080, payload=5000).outcome == "delivered"
    return "size" if small and not large else ""


#: case -> wrong part -> the belief behind it, and what to say.
BELIEFS = {
    "a": {
        "pod": (
            "PING_VIP",
            "You seem to take the silent ping as a proof. "
            "A Service's address answers no ping in iptables mode.",
        ),
    },
    "b": {
        "pod": (
            "READY",
            "You seem to think that something is wrong inside the pods. "
            "They answer at their own addresses.",
        ),
        "service": (
            "READY",
            "You seem to think that Running pods get traffic. "
            "Only ready ones do, so look at who is listed.",
        ),
    },
    "c": {
        "pod": (
            "OVERLAY_FW",
            "You seem to think that the nodes' ping clears the way between them. "
            "The overlay has a port of its own.",
        ),
        "service": (
            "NETPOL",
            "You seem to look for rules about pods. "
            "No Service is used here, and flannel enforces no NetworkPolicy.",
        ),
    },
    "d": {
        "overlay": (
            "MTU",
            "You seem to think that the whole overlay is broken. Small packets pass it, both ways.",
        ),
        "pod": (
            "MTU",
            "You seem to think that a way is fine when small pings pass. "
            "The pod's packets differ in one thing only.",
        ),
    },
}  # fmt: skip


#: case -> part -> the fact that speaks against it.
FACTS = {
    "a": {
        "name": "the name gives an address.",
        "endpoints": "three endpoints are listed, and one answers.",
        "else": "web2 reaches an endpoint on another node, so the way there works.",
    },
    "b": {
        "name": "the name gives an address.",
        "else": "web2 reaches a backend on another node, so the way there works.",
    },
    "c": {
        "size": "a first small packet gets no answer, either.",
        "else": "the pod's own address is used, so neither a name nor a Service is asked.",
    },
    "d": {"else": "small requests to the same address are answered."},
}
#: Other words for a part.
_SAME = {"endpoint": "endpoints", "services": "service", "the service": "service", "dns": "name",
         "mtu": "size", "overlay network": "overlay", "pods": "pod"}  # fmt: skip


def check_case(case: str) -> Any:
    """The check of one case."""

    def check(answer: dict[str, Any], seed: int) -> Findings:
        said = forms.words(answer[case])
        said = _SAME.get(said.lower(), said.lower()) if isinstance(said, str) else said
        if said == observed()[case]:
            return ()
        if said not in PARTS:
            return fail(f"Answer with one of these words: {', '.join(PARTS)}.")
        spoken = f"One fact speaks against it: {FACTS[case].get(said, FACTS[case]['else'])}"
        belief, text = BELIEFS[case].get(said, (None, spoken))
        return fail(text, belief)

    return check


ITEMS = (
    Item("13.halve.a", 2, "Case a", check_case("a"), ("a",)),
    Item("13.halve.b", 2, "Case b", check_case("b"), ("b",)),
    Item("13.halve.c", 2, "Case c", check_case("c"), ("c",)),
    Item("13.halve.d", 2, "Case d", check_case("d"), ("d",)),
)
