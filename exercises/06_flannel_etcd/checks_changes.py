"""The rubric of 06.changes: what flannel does, and does not do, when the cluster changes.

The model plays the same changes when the check runs; nothing here says what it will find.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.address import Prefix
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.etcd.api import Range
from k8snetlib.kube.api import example_spec

Answer = dict[str, Any]


def by(exchange: Exchange, netns: str, stage: str) -> Any:
    """What decided at that namespace's first step of that stage."""
    assert exchange.request is not None
    steps = [step for hop in exchange.request.hops if hop.netns == netns for step in hop.steps]
    return next(step.by for step in steps if step.stage == stage and step.by is not None)


@lru_cache(maxsize=1)
def example() -> Cluster:
    """The example cluster under vxlan; every pod knows its gateway."""
    cluster = Cluster.example("vxlan")
    for source, target in (("web2", "backend"), ("web2", "backend-c"), ("backend", "backend-b")):
        cluster.ping(source, target)
    return cluster


_NONE_LEFT = (
    "You seem to think that no route is left for the address. "
    "One line of each table takes every address."
)

POD = """apiVersion: v1
kind: Pod
metadata: {name: fresh}
spec:
  nodeName: node2
  containers: [{name: web, image: nginx}]
"""


@lru_cache(maxsize=1)
def new_pod() -> tuple[int, str]:
    """How many writes etcd sees when a pod starts on node2, and the key for its range."""
    cluster = example().clone()
    prefix = b"/coreos.com/network/subnets/"
    before = cluster.etcd.range(Range(prefix)).revision
    cluster.kubectl("apply -f -", stdin=POD)
    cluster.advance("60s")
    lease = cluster.flanneld("node2").lease
    assert lease is not None
    key = prefix.decode() + str(lease.subnet).replace("/", "-")
    return cluster.etcd.range(Range(prefix)).revision - before, key


@lru_cache(maxsize=1)
def gone() -> Cluster:
    """node2 left while node1's flanneld was down; now it runs again."""
    cluster = Cluster.example("host-gw")
    cluster.stop_flanneld("node1")
    cluster.stop_flanneld("node2")
    cluster["node3"].sh("etcdctl del /coreos.com/network/subnets/10.1.20.0-24")
    cluster.start_flanneld("node1")
    cluster.advance("60s")
    return cluster


@lru_cache(maxsize=2)
def way(node: str) -> Any:
    """The route of a node for backend's address, in the cluster that node2 has left."""
    pod = {"node1": "web2", "node3": "backend-c"}[node]
    return forms.route(str(by(gone().clone().ping(pod, "10.1.20.3"), node, "route")))


@lru_cache(maxsize=1)
def mismatched() -> tuple[dict[str, bool], Exchange]:
    """flannel's Network is 10.1.0.0/20: (where flanneld runs, a ping from web2 to backend)."""
    spec = example_spec("vxlan", flanneld="--kube-subnet-mgr")
    network = spec.network._replace(pod_network=Prefix.parse("10.1.0.0/20"))
    cluster = Cluster(spec._replace(network=network))
    runs = {node: cluster.flanneld(node).running for node in cluster.nodes}
    return runs, cluster.ping("web2", "backend")


@lru_cache(maxsize=1)
def let_pass() -> tuple[Exchange, str]:
    """web2 connects to backend: the walk, and the chain of the last rule in node2's FORWARD."""
    walk = example().clone().connect("web2", "backend", port=8080)
    assert walk.request is not None
    steps = [step for hop in walk.request.hops if hop.netns == "node2" for step in hop.steps]
    rules = next(step.rules for step in steps if step.stage == "filter FORWARD")
    return walk, str(rules[-1]).partition(":")[2].split()[0]


def check_pod(answer: Answer, seed: int) -> Findings:
    """A pod starts."""
    said = forms.whole(answer["pod.writes"]), forms.words(answer["pod.key"])
    writes, key = new_pod()
    if same(said, (writes, key)):
        return ()
    if said[0] != writes or "10.1.20.9" in str(said[1]) or "fresh" in str(said[1]):
        text = (
            "You seem to think that flannel watches every pod's address. "
            "A node's record covers all its pods."
        )
        return fail(text, "POD_WATCH")
    last = str(said[1]).rpartition("/")[2]
    if last == key.rpartition("/")[2]:
        return fail("A part of the key is missing, or too much. Asked is the full key.")
    if last == "24":
        return fail("In a key, the length of a prefix follows in another way. List the keys.")
    if last == "10.1.15.0-24":
        text = (
            "You seem to think that node1 needs its own record. "
            "It looks for the node on which the pod runs."
        )
        return fail(text, "OWN_RECORD")
    if last == "config":
        text = "You seem to think that flannel's configuration names nodes. It names the network."
        return fail(text, "CONFIG_NAMES")
    if last in ("node2", "backend"):
        text = "You seem to think that a record is found by a name. A packet has only an address."
        return fail(text, "BY_NAME")
    return fail("This key does not lead node1 to the pod. List the keys, and look for its range.")


def check_gone(answer: Answer, seed: int) -> Findings:
    """A node leaves."""
    said = [forms.route(answer[f"gone.{node}"]) for node in ("node1", "node3")]
    wanted = [way("node1"), way("node3")]
    if same(said, wanted):
        return ()
    if same(said[0], wanted[1]):
        text = (
            "You seem to think that routes of dead nodes always vanish. "
            "A flanneld that starts only adds."
        )
        return fail(text, "STALE_ROUTE")
    if same(said[1], wanted[0]):
        text = "You seem to think that node3 keeps the route. Its flanneld saw the lease go."
        return fail(text, "RUNNING_KEEPS")
    raw = [str(answer[f"gone.{node}"]).lower() for node in ("node1", "node3")]
    if any(forms.nobody(one) == "nobody" or "no route" in one for one in raw):
        return fail(_NONE_LEFT, "NONE_LEFT")
    return fail("These routes do not decide there. Which lines contain 10.1.20.3?")


def check_policy(answer: Answer, seed: int) -> Findings:
    """A NetworkPolicy."""
    walk, chain = let_pass()
    said = forms.yes(answer["policy.answered"]), forms.words(answer["policy.chain"])
    words = said[1].upper().split() if isinstance(said[1], str) else []
    if said[0] is walk.ok and chain in words:
        return ()
    if said[0] is not walk.ok:
        text = (
            "You seem to think that flanneld enforces NetworkPolicy. "
            "It reads none, and writes no rule for it."
        )
        return fail(text, "NETPOL", walk)
    if "FORWARD" in words:
        text = "You seem to name the chain that calls others. Which one has the rule that accepts?"
        return fail(text, "CALLER", walk)
    if any(word.startswith("KUBE-") and "POLICY" not in word for word in words):
        text = (
            "You seem to think that kube-proxy lets all pods' packets pass. "
            "Its chains speak of Services and of marked packets."
        )
        return fail(text, "KUBE_ACCEPTS", walk)
    if any("POLICY" in word for word in words):
        text = "You seem to think that somebody made a chain for the policy. Nobody reads it here."
        return fail(text, "NETPOL", walk)
    return fail("In that chain no rule accepts the SYN. Look at node2's FORWARD step again.",
                None, walk)  # fmt: skip


def check_cidr(answer: Answer, seed: int) -> Findings:
    """kubeadm and flannel disagree."""
    runs, walk = mismatched()
    said = {node: forms.yes(answer[f"cidr.{node}"]) for node in runs}
    pods = forms.yes(answer["cidr.pods"])
    if same(said, runs) and same(pods, walk.ok):
        return ()
    if pods is True or all(said.values()):
        text = (
            "You seem to think that Ready means that the ranges agree. "
            "The kubelet does not ask flannel."
        )
        return fail(text, "CIDR", walk)
    if not any(said.values()):
        text = (
            "You seem to think that one wrong range stops every flanneld. "
            "Each asks for its own node's range."
        )
        return fail(text, "ALL_FAIL", walk)
    if said["node1"] is True and (said["node2"], said["node3"]) in ((True, False), (False, True)):
        text = (
            "You seem to guess where a /20 ends. "
            "It ends inside the third number, so count that one in bits."
        )
        return fail(text, "PREFIX_END", walk)
    return fail("Ask for each node: is its range inside flannel's Network?", None, walk)


ITEMS = (
    Item("06.changes.pod", 2, "A pod starts", check_pod, ("pod.writes", "pod.key")),
    Item("06.changes.gone", 2, "A node leaves", check_gone, ("gone.node1", "gone.node3")),
    Item("06.changes.policy", 2, "A NetworkPolicy", check_policy,
         ("policy.answered", "policy.chain")),
    Item("06.changes.cidr", 2, "Two ranges disagree", check_cidr,
         ("cidr.node1", "cidr.node2", "cidr.node3", "cidr.pods")),
)  # fmt: skip
