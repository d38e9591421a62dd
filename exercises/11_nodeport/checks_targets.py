"""The rubric of 11.targets: which endpoints kube-proxy's rules may choose at a node port.

The truth are the receivers that the model finds, over all draws, on a cluster with these endpoints.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster
from k8snetlib.address import Prefix
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, wrong_type
from k8snetlib.kube.api import example_spec

PORT = 30080
SPEC = example_spec()
PODS = str(SPEC.network.pod_network)
#: Who is seen with which source by the entry node: client, entry node -> source address.
SEEN = {
    ("ext", "node1"): "203.0.113.10",
    ("ext", "node2"): "203.0.113.10",
    ("ext", "node3"): "203.0.113.10",
    ("web2", "node1"): "10.1.15.2",
    ("node1", "node1"): "192.168.66.11",
    ("backend-c", "node3"): "10.1.30.2",
    # A pod that calls another node is masqueraded on the way.
    ("web2", "node3"): "192.168.66.11",
    ("web1", "node2"): "192.168.66.11",
}
#: group -> the policy, and each client with its entry node.
GROUPS = {
    "cluster": ("Cluster", (("ext", "node1"), ("web2", "node1"), ("ext", "node2"))),
    "local": ("Local", (("ext", "node1"), ("ext", "node2"), ("ext", "node3"))),
    "inside": ("Local", (("web2", "node1"), ("node1", "node1"), ("backend-c", "node3"))),
    "nodes": ("Local", (("web2", "node3"), ("web1", "node2"))),
}
Endpoints = Sequence[Sequence[str]]


@lru_cache(maxsize=16)
def cluster(policy: str, names: tuple[str, ...]) -> Cluster:
    """The example cluster, in which only these pods are endpoints of backend-svc."""
    slices = tuple(
        s._replace(endpoints=tuple(e for e in s.endpoints if e.pod in names))
        if s.service == "backend-svc" else s
        for s in SPEC.slices
    )  # fmt: skip
    services = tuple(
        s._replace(external_traffic_policy=policy) if s.name == "backend-svc" else s
        for s in SPEC.services
    )
    network = SPEC.network._replace(backend="host-gw")
    return Cluster(SPEC._replace(slices=slices, services=services, network=network))


def calls(seed: int) -> tuple[Call, ...]:
    """Each client and entry node, with endpoints that the seed draws."""
    dice = random.Random(f"11 {seed}")
    homes = {p.name: p.node for p in SPEC.pods if p.name.startswith("backend")}
    addresses = {node.name: node.ip for node in SPEC.nodes}
    some = dice.sample([("backend", "backend-c"), ("backend-b", "backend-c"), tuple(homes)], 3)
    found = []
    for group, (policy, cases) in GROUPS.items():
        for at, (client, node) in enumerate(cases):
            # Two endpoints on the entry node: whoever picks one shows it.
            names = list(homes) if policy == "Local" and node == "node2" else list(some[at])
            dice.shuffle(names)
            bridge = next(n for n in SPEC.nodes if n.name == node).pod_cidr.host(1)
            entry = {"name": node, "addresses": [addresses[node], bridge], "pods": PODS}
            pairs = [[name, homes[name]] for name in names]
            found.append(Call(group, (policy, SEEN[client, node], entry, pairs)))
    return tuple(found)


def truth(policy: str, source: str, entry: dict[str, Any], endpoints: Endpoints) -> list[str]:
    """Every receiver that the model finds."""
    (client,) = {c for (c, node), ip in SEEN.items() if ip == source and node == entry["name"]}
    made = cluster(policy, tuple(sorted(name for name, _ in endpoints)))
    fates = made.outcomes(client, entry["name"], PORT)
    return sorted(f.receiver for f in fates if f.outcome == "delivered")


def _all(endpoints: Endpoints) -> list[str]:
    return sorted(name for name, _ in endpoints)


def _near(entry: dict[str, Any], endpoints: Endpoints) -> list[str]:
    return sorted(name for name, node in endpoints if node == entry["name"])


def _inside(source: str, entry: dict[str, Any]) -> bool:
    return source in entry["addresses"] or source in Prefix.parse(entry["pods"])


def _one(policy: str, source: str, entry: dict[str, Any], endpoints: Endpoints) -> Any:
    near_only = policy == "Local" and not _inside(source, entry)
    return [name for name, node in endpoints if not near_only or node == entry["name"]][:1]


def _node_inside(policy: str, source: str, entry: dict[str, Any], endpoints: Endpoints) -> Any:
    nodes = source.startswith("192.168.66.") or _inside(source, entry)
    return _all(endpoints) if policy == "Cluster" or nodes else _near(entry, endpoints)


BELIEFS = (
    Belief(
        "LOCAL_FIRST",
        "You seem to think that endpoints of the entry node come first. "
        "Under policy Cluster all are alike.",
        lambda policy, source, entry, endpoints: _near(entry, endpoints) or _all(endpoints),
    ),
    Belief(
        "ETP_FWD",
        "You seem to think that policy Local may still choose endpoints elsewhere. "
        "For clients outside it may not.",
        lambda policy, source, entry, endpoints: _all(endpoints),
    ),
    Belief(
        "LOCAL_FOR_ALL",
        "You seem to think that policy Local binds clients inside. It is about clients outside.",
        lambda policy, source, entry, endpoints: _near(entry, endpoints),
    ),
    Belief(
        "NODE_INSIDE",
        "You seem to count every node as inside. For this node's rules, another node is outside.",
        _node_inside,
    ),
)
PODS_ONLY = Belief(
    "NODE_OUTSIDE",
    "You seem to count the entry node's own processes as outside. Nobody is nearer than they.",
    lambda policy, source, entry, endpoints: (
        _all(endpoints)
        if policy == "Cluster" or source in Prefix.parse(entry["pods"])
        else _near(entry, endpoints)
    ),
)
NEAR_ONLY = Belief(
    "NEAR_ONLY",
    "You seem to think that a node serves its own endpoints only. Under policy Cluster all count.",
    lambda policy, source, entry, endpoints: _near(entry, endpoints),
)
CLOSES = Belief(
    "LOCAL_CLOSES",
    "You seem to think that policy Local shuts out clients from outside. "
    "They get the endpoints of their entry node.",
    lambda policy, source, entry, endpoints: [],
)
ONE_ONLY = Belief(
    "ONE_ONLY",
    "You seem to choose one pod yourself. Return all that may be chosen.",
    _one,
)
#: group -> the beliefs that can show there, the likeliest first.
OF = {
    "cluster": (BELIEFS[0], NEAR_ONLY, ONE_ONLY),
    "local": (BELIEFS[1], BELIEFS[0]._replace(id="ETP_FWD", text=BELIEFS[1].text), CLOSES,
              ONE_ONLY),
    "inside": (BELIEFS[2], PODS_ONLY, ONE_ONLY),
    "nodes": (BELIEFS[3], ONE_ONLY),
}  # fmt: skip


def _read(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    names = [v[0] if isinstance(v, list) and v else v for v in value]
    return sorted(map(str, names))


def check_targets(group: str) -> Any:
    """The check of one group of calls."""

    def check(replies: list[Reply], seed: int) -> Findings:
        return wrong_type(replies, (list,), "a list of pods' names") or compare(
            replies, truth, OF[group],
            "Other endpoints can be chosen here. Ask: which policy, and is the source inside?",
            read=_read,
            witness=lambda reply: f"targets{reply.args!r} returned {reply.value!r}.",
        )  # fmt: skip

    return check


CALLS = {"11.targets": calls}

ITEMS = (
    Item("11.targets.cluster", 2, "Policy Cluster", check_targets("cluster")),
    Item("11.targets.local", 2, "Policy Local, from outside", check_targets("local")),
    Item("11.targets.inside", 2, "Policy Local, from inside", check_targets("inside")),
    Item("11.targets.nodes", 2, "Policy Local, from another node", check_targets("nodes")),
)
