"""The rubric of exercise 00. Expected values are read from the model's own walks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail


@lru_cache(maxsize=2)
def walk(target: str) -> Exchange:
    """One echo request from web2, and all that follows."""
    return Cluster.example().ping("web2", target)


def ttl_steps(exchange: Exchange) -> dict[str, int]:
    """How much each namespace takes from the request's TTL."""
    assert exchange.request is not None
    taken: dict[str, int] = {}
    for hop in exchange.request.hops:
        for step in hop.steps:
            if step.stage in ("forward", "flanneld"):
                taken[hop.netns] = taken.get(hop.netns, 0) + 1
    return taken


def first_route(exchange: Exchange) -> Any:
    """The route that the sender itself uses."""
    assert exchange.request is not None
    return forms.route(str(next(s.by for s in exchange.request.steps if s.stage == "route")))


def ended(answer: dict[str, Any], seed: int) -> Findings:
    """Where the packet for backend ended."""
    far = walk("backend")
    assert far.request is not None
    said = forms.host(answer["ended_in"])
    if said == far.request.end:
        return ()
    if said in ("node1", "node2", "node3"):
        text = (
            "You seem to think that a packet for a pod ends at the pod's node. "
            "The node passes it on: a pod has a network namespace of its own."
        )
        return fail(text, "NODE_RECEIVES", far)
    if said in far.names.ips:
        return fail("This is an address. Which namespace has it? Write its name.")
    return fail("The packet did not end there. Read the last line of its walk.", None, far)


def lost(answer: dict[str, Any], seed: int) -> Findings:
    """How much of the TTL is lost on the way to backend, and where."""
    far = walk("backend")
    steps = ttl_steps(far)
    said, where = forms.whole(answer["ttl_lost"]), forms.hosts(answer["taken_by"])
    right = sum(steps.values())
    if (said, where) == (right, sorted(steps)) and type(said) is int:
        return ()
    if isinstance(where, list) and {"flannel0", "flanneld"} & set(where):
        text = (
            "You seem to take a device or a process for a namespace. "
            "flannel0 and flanneld are parts of a node: name the node."
        )
        return fail(text, "PART_IS_NS", far)
    if isinstance(where, list) and {"web2", "backend"} & set(where):
        text = (
            "You seem to think that the two ends take from the TTL, too. "
            "Only who sends a packet on does: read the lines with 'becomes'."
        )
        return fail(text, "ENDS_TAKE", far)
    if isinstance(where, list) and any(name not in steps for name in where):
        text = (
            "You seem to think that a bridge or a switch takes from the TTL. "
            "A bridge looks at MAC addresses only."
        )
        return fail(text, "TTL_BRIDGE", far)
    if type(said) is int and said > 32:
        text = "You seem to give what is left of the TTL. The question is what was taken from it."
        return fail(text, "TTL_LEFT", far)
    if said == 1:
        text = "You seem to think that an overlay is one hop. Each router on the way counts."
        return fail(text, "ONE_HOP", far)
    if said == len(steps):
        text = (
            "You seem to think that only the kernels take from the TTL. "
            "With the udp backend, a process on the way counts too."
        )
        return fail(text, "KERNEL_ONLY", far)
    return fail("Number and places do not fit the walk. Count its TTL lines.", None, far)


def near(answer: dict[str, Any], seed: int) -> Findings:
    """The same for web1, on web2's own node."""
    same = walk("web1")
    said, route = forms.whole(answer["near_ttl_lost"]), forms.route(answer["near_route"])
    right = sum(ttl_steps(same).values())
    if type(said) is int and said == right and route == first_route(same):
        return ()
    if route == first_route(walk("backend")):
        text = (
            "You seem to think that pods of one node are in different subnets, "
            "so that a gateway stands between them. They share one subnet and one bridge."
        )
        return fail(text, "DIFF_SUBNETS", same)
    if route == first_route(same):
        text = "You seem to think that the bridge between two pods takes from the TTL."
        return fail(text, "TTL_BRIDGE", same)
    return fail("The route is not the one that web2 uses for web1.", None, same)


ITEMS = (
    Item("00.first.ended", 1, "Where the packet for backend ended", ended, ("ended_in",)),
    Item("00.first.lost", 2, "What it lost on the way, and where", lost, ("ttl_lost", "taken_by")),
    Item(
        "00.first.near",
        2,
        "What the packet for web1 lost, and its route",
        near,
        ("near_ttl_lost", "near_route"),
    ),
)
