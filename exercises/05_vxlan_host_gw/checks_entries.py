"""The rubric of 05.entries: what flanneld writes for the leases of a generated cluster. The model's
vxlan backend says what is right."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from k8snetlib.address import Prefix, mac_for
from k8snetlib.course import forms
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, fail, same
from k8snetlib.flannel import vxlan
from k8snetlib.kube.api import Node

Lease = dict[str, str]
Leases = Sequence[Lease]
TABLES = ("routes", "neighbours", "fdb")


def lease(node: Node, dice: random.Random, kind: str = vxlan.TYPE) -> Lease:
    """A node's lease, as flannel keeps it; the device's MAC is drawn, as flannel draws it."""
    mac = mac_for("0e:f1", f"{dice.randint(1, 250)}.{dice.randint(0, 250)}.7.{dice.randint(0, 9)}")
    return {
        "subnet": str(node.pod_cidr), "public_ip": node.ip,
        "type": kind, "mac": mac if kind == vxlan.TYPE else "",
    }  # fmt: skip


@lru_cache(maxsize=16)
def entries_calls(seed: int) -> tuple[Call, ...]:
    """Two nodes' leases in any order; then one's own among them; then one of another backend."""
    dice = random.Random(f"entries {seed}")
    own, *nodes = generated_spec(seed).nodes
    far = own._replace(ip=Prefix.parse(f"{own.ip}/24", host_bits=True).host(200),
                       pod_cidr=Prefix.parse("10.200.77.0/24"))  # fmt: skip
    others = [lease(node, dice) for node in (*nodes, far)]
    mine, foreign = lease(own, dice), lease(far, dice, "host-gw")
    mixed = [others[0], mine, others[1]]
    return (
        *(Call(table, (some, own.ip)) for table in TABLES for some in (others, others[1::-1])),
        Call("own", (mixed, own.ip)),
        Call("own", (mixed[::-1], nodes[0].ip)),
        Call("type", ([*others[:2], foreign], own.ip)),
        Call("type", ([foreign, others[0]], own.ip)),
    )


def wanted(leases: Leases, me: str) -> dict[str, list[tuple[str, ...]]]:
    """The entries of the model's own backend, for each lease that counts."""
    found: dict[str, list[tuple[str, ...]]] = {table: [] for table in TABLES}
    for one in leases:
        if one["public_ip"] == me or one["type"] != vxlan.TYPE:
            continue
        made = vxlan.entries(Prefix.parse(one["subnet"]), one["mac"], vxlan.DEVICE)
        found["routes"].append((str(made.route.prefix), made.route.via or ""))
        found["neighbours"].append((made.neighbour.ip, made.neighbour.mac))
        found["fdb"].append((made.mac, one["public_ip"]))
    return {table: sorted(pairs, key=repr) for table, pairs in found.items()}


def _each(make: Callable[[Lease, Prefix], tuple[str, str]]) -> Callable[[Leases, str], Any]:
    def predict(leases: Leases, me: str) -> Any:
        return sorted((make(one, Prefix.parse(one["subnet"])) for one in leases), key=repr)

    return predict


TABLE_BELIEFS = {
    "routes": (
        Belief(
            "VIA_NODE",
            "You seem to take the node's own address as next hop, as host-gw does. "
            "Under vxlan the next hop is inside the overlay.",
            _each(lambda one, subnet: (one["subnet"], one["public_ip"])),
        ),
        Belief(
            "VIA_BRIDGE",
            "You seem to take docker0 of the other node as next hop. "
            "The tunnel ends before it, at another device.",
            _each(lambda one, subnet: (one["subnet"], subnet.host(1))),
        ),
    ),
    "neighbours": (
        Belief(
            "NEIGH_NODE",
            "You seem to make the node's address a neighbour. "
            "On flannel.1 the neighbour is the route's next hop.",
            _each(lambda one, subnet: (one["public_ip"], one["mac"])),
        ),
        Belief(
            "VIA_BRIDGE",
            "You seem to make docker0 of the other node a neighbour. "
            "The tunnel ends before it, at another device.",
            _each(lambda one, subnet: (subnet.host(1), one["mac"])),
        ),
    ),
    "fdb": (
        Belief(
            "FDB_OVERLAY",
            "You seem to send the wrapped frame to an address of the overlay. "
            "Between the nodes only node addresses count.",
            _each(lambda one, subnet: (one["mac"], subnet.network)),
        ),
        Belief(
            "FDB_OVERLAY",
            "You seem to send the wrapped frame to a whole subnet. One node must receive it.",
            _each(lambda one, subnet: (one["mac"], one["subnet"])),
        ),
        Belief(
            "FDB_TURNED",
            "You seem to look up a node's address and find a MAC. "
            "A forwarding entry is found by the MAC.",
            _each(lambda one, subnet: (one["public_ip"], one["mac"])),
        ),
    ),
}  # fmt: skip
_OTHERWISE = {
    "routes": "These are not the routes that flanneld writes. A route has a subnet and a next hop.",
    "neighbours": "These are not flannel.1's neighbours. A neighbour has an address and its MAC.",
    "fdb": "These are not the forwarding entries. Each says behind which node a MAC is.",
}


def _wrong_form(replies: Sequence[Reply]) -> Findings:
    for reply in replies:
        value = reply.value
        if not isinstance(value, dict) or not set(TABLES) <= set(value):
            return fail("The answer must be a dict with the keys routes, neighbours and fdb.")
    return ()


def _check_table(table: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        return _wrong_form(replies) or compare(
            replies,
            lambda *args: wanted(*args)[table],
            TABLE_BELIEFS[table],
            _OTHERWISE[table],
            read=lambda value: forms.entries(value[table]),
        )

    return check


def _subnets(value: Any) -> Any:
    """For whom there are routes: whatever the rest of the entries says."""
    found = forms.entries(value["routes"])
    return (
        sorted({pair[0] if isinstance(pair, tuple) else repr(pair) for pair in found})
        if isinstance(found, list)
        else found
    )


def _everybody(leases: Leases, but: Callable[[Lease], bool] = lambda one: False) -> list[str]:
    return sorted(one["subnet"] for one in leases if not but(one))


def _check_leases(belief: Belief, otherwise: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        return _wrong_form(replies) or compare(
            replies,
            lambda *args: [pair[0] for pair in wanted(*args)["routes"]],
            (belief,),
            otherwise,
            read=_subnets,
            equal=same,
        )

    return check


OWN = Belief(
    "OWN_LEASE",
    "You seem to write entries for this node's own lease too. Its pods are behind docker0.",
    lambda leases, me: _everybody(leases),
)
TYPE = Belief(
    "ANY_TYPE",
    "You seem to think that every lease is a vxlan lease. A host-gw node has no VTEP.",
    lambda leases, me: _everybody(leases, lambda one: one["public_ip"] == me),
)
_LEASES = "Some lease got an entry that it must not have, or got none."

CALLS = {"05.entries": entries_calls}

ITEMS = (
    Item("05.entries.routes", 2, "The routes", _check_table("routes")),
    Item("05.entries.neighbours", 2, "The neighbours", _check_table("neighbours")),
    Item("05.entries.fdb", 2, "The forwarding entries", _check_table("fdb")),
    Item("05.entries.own", 2, "One's own lease", _check_leases(OWN, _LEASES)),
    Item("05.entries.type", 2, "A lease of another backend", _check_leases(TYPE, _LEASES)),
)
