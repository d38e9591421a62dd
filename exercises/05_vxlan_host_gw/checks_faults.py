"""The rubric of 05.router and 05.faults: what becomes of pings when something stands in the way.

The model walks the same packets when the check runs; nothing here says what it will find.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange, K8sNetError
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same

Answer = dict[str, Any]


@lru_cache(maxsize=2)
def example(backend: str) -> Cluster:
    """The example cluster, to be cloned."""
    return Cluster.example(backend)


def by(exchange: Exchange, netns: str, stage: str, at: int = 0) -> Any:
    """What decided at that namespace's steps of that stage; ``at`` counts from 0."""
    assert exchange.request is not None
    steps = [step for hop in exchange.request.hops if hop.netns == netns for step in hop.steps]
    return [step.by for step in steps if step.stage == stage and step.by is not None][at]


def told(exchange: Exchange) -> str:
    """The namespace that received an ICMP error, or nobody."""
    errors = [
        trace
        for trace in exchange.packets
        if trace.label.startswith("ICMP") and "echo" not in trace.label
    ]
    return errors[0].end if errors else "nobody"


# -- 05.router ------------------------------------------------------------------------------------

BEHIND, PODS, POD, MAC = "203.0.113.10", "10.1.99.0/24", "10.1.99.5", "0e:f1:0a:01:63:00"


@lru_cache(maxsize=1)
def accepted() -> bool:
    """Whether the kernel of node1 takes a route by a node behind the router."""
    cluster = example("host-gw").clone()
    try:
        said = cluster["node1"].sh(f"ip route add {PODS} via {BEHIND}")
    except K8sNetError:
        return False
    return "invalid" not in said


@lru_cache(maxsize=2)
def behind(backend: str) -> Exchange:
    """web2 pings a pod behind the router."""
    cluster = example(backend).clone()
    node1 = cluster["node1"]
    if backend == "host-gw":
        node1.sh(f"ip route add {PODS} via 192.168.66.1")
    else:
        gateway = PODS.partition("/")[0]
        node1.sh(f"ip route add {PODS} via {gateway} dev flannel.1 onlink")
        node1.sh(f"ip neigh replace {gateway} lladdr {MAC} dev flannel.1 nud permanent")
        node1.sh(f"bridge fdb replace {MAC} dev flannel.1 dst {BEHIND}")
    return cluster.ping("web2", POD)


def router_sees(exchange: Exchange) -> str:
    """The first destination address in the packet as it arrives at the router."""
    assert exchange.request is not None
    ip = next(f for f in exchange.request.frames if f.netns == "router").packet.ip
    assert ip is not None
    return ip.dst


def end(exchange: Exchange) -> str:
    """Where the request ended."""
    assert exchange.request is not None
    return exchange.request.end


def _place(value: Any) -> Any:
    """A namespace; node4 is the machine that stands there."""
    said = forms.host(value)
    return "ext" if said in ("node4", BEHIND) else said


def _nobody(value: Any) -> Any:
    said = forms.host(value)
    return "nobody" if said in ("nobody", "no one", "noone", "none", "no-one", "-") else said


def check_accepted(answer: Answer, seed: int) -> Findings:
    """Does the kernel take the route?"""
    if same(forms.yes(answer["accepted"]), accepted()):
        return ()
    text = (
        "You seem to think that a next hop may be anywhere. "
        "The kernel wants a neighbour on one of its links."
    )
    return fail(text, "HOSTGW_L3")


def check_hostgw(answer: Answer, seed: int) -> Findings:
    """host-gw by way of the router."""
    walk = behind("host-gw")
    said = forms.words(answer["hostgw.dst"]), _place(answer["hostgw.ends_in"])
    if same(said, (router_sees(walk), end(walk))):
        return ()
    if said[1] == "ext":
        text = (
            "You seem to think that host-gw works across routers. "
            "Nothing is wrapped, so each router must know the pods."
        )
        return fail(text, "HOSTGW_L3", walk)
    if said[0] in (BEHIND, "192.168.66.1", PODS.partition("/")[0]):
        text = (
            "You seem to think that host-gw writes a node's address into the packet. "
            "A next hop changes the MAC address only."
        )
        return fail(text, "HOSTGW_L3", walk)
    if said[1] in ("node1", "web2"):
        text = (
            "You seem to think that node1 keeps the ping. "
            "Its new route names a neighbour, and that is enough to send."
        )
        return fail(text, "SENDER_STOPS", walk)
    return fail("Follow the ping to its last step: where is it, and which address is asked?",
                None, walk)  # fmt: skip


def check_told(answer: Answer, seed: int) -> Findings:
    """Who hears of it."""
    walk = behind("host-gw")
    said = _nobody(answer["hostgw.told"])
    if said == told(walk):
        return ()
    if said == "web2":
        text = (
            "You seem to think that an ICMP error finds the pod in any case. "
            "It needs a route back to the pod."
        )
        return fail(text, "ICMP_TO_POD", walk)
    if said in ("node1", "router"):
        text = (
            "You seem to think that an error goes to a router on the way. "
            "It goes to the failed packet's source address."
        )
        return fail(text, "ICMP_TO_NODE", walk)
    return fail(
        "Look at the router's last step: what does it try, and what is missing?", None, walk
    )


def check_vxlan(answer: Answer, seed: int) -> Findings:
    """vxlan by way of the router."""
    walk = behind("vxlan")
    said = forms.words(answer["vxlan.dst"]), _place(answer["vxlan.ends_in"])
    if same(said, (router_sees(walk), end(walk))):
        return ()
    if said[0] == POD:
        text = (
            "You seem to think that the router sees the pod's address. "
            "It reads the outermost IP header only."
        )
        return fail(text, "POD_OUTER", walk)
    if said[1] == "router":
        text = (
            "You seem to think that vxlan needs neighbours, too. "
            "Its outer packet is for a node, and is routed."
        )
        return fail(text, "VXLAN_L2", walk)
    if said[0] in ("192.168.66.1", PODS.partition("/")[0]):
        text = (
            "You seem to think that a next hop's address stands in the packet. "
            "A packet names only its two ends."
        )
        return fail(text, "NEXT_HOP_INSIDE", walk)
    if said[1] in ("node1", "web2"):
        text = (
            "You seem to think that node1 keeps the ping. "
            "The wrapped packet is routed like any other packet."
        )
        return fail(text, "SENDER_STOPS", walk)
    return fail("Follow the outer packet: whose address does it carry?", None, walk)


def check_outer_route(answer: Answer, seed: int) -> Findings:
    """The route of the outer packet."""
    walk = behind("vxlan")
    said, wanted = (
        forms.route(answer["vxlan.route"]),
        forms.route(str(by(walk, "node1", "route", 1))),
    )
    if same(said, wanted):
        return ()
    if same(said, forms.route(str(by(walk, "node1", "route")))):
        text = (
            "You seem to think that the inner packet's route decides about the outer one. "
            "node1 looks up a route twice."
        )
        return fail(text, "ONLINK_OUTER", walk)
    if isinstance(said, tuple) and str(said[0]).startswith("10.1."):
        text = "You seem to look up a pod's address. The outer packet is for a node."
        return fail(text, "ONLINK_OUTER", walk)
    if isinstance(said, tuple) and str(said[0]).startswith("203.0.113."):
        text = (
            "You seem to expect a route of its own for this node. "
            "node1 sends it as it sends everything else to the outside."
        )
        return fail(text, "ROUTE_PER_NODE", walk)
    if isinstance(said, tuple) and str(said[0]).startswith("192.168."):
        text = (
            "You seem to think that the new node is on node1's own link. "
            "Compare its address with this prefix."
        )
        return fail(text, "ON_LINK", walk)
    text = "This route does not decide about the outer packet. Which contains its destination?"
    return fail(text, None, walk)


# -- 05.faults ------------------------------------------------------------------------------------

FAULTS = {
    "new_mac": ("node2", "ip link set flannel.1 address 0e:f1:0a:01:14:99"),
    "blocked": ("node2", "iptables -I INPUT -p udp --dport 8472 -j DROP"),
    "narrow": ("switch", "ip link set p-node2 mtu 1400"),
}


@lru_cache(maxsize=4)
def broken(fault: str) -> tuple[Exchange, Exchange, Exchange]:
    """A ping of the nodes, a small and a large one of the pods."""
    cluster = example("vxlan").clone()
    cluster.ping("web2", "backend-c")  # web2 knows its gateway: ARP does not hide how it ends
    where, command = FAULTS[fault]
    cluster[where].sh(command)
    return (
        cluster.ping("node1", "node2"),
        cluster.ping("web2", "backend"),
        cluster.ping("web2", "backend", payload=1400),
    )


_OVERLAY = (
    "You seem to think that the overlay works because the nodes ping each other. "
    "Their ping is not wrapped."
)


def check_small(answer: Answer, seed: int) -> Findings:
    """The small pings."""
    wrong = {}
    for fault in FAULTS:
        said = tuple(forms.yes(answer[f"{fault}.{key}"]) for key in ("nodes", "pods"))
        nodes, pods, _ = broken(fault)
        if not same(said, (nodes.ok, pods.ok)):
            wrong[fault] = said
    if not wrong:
        return ()
    witness = broken(next(iter(wrong)))[1]
    if set(wrong) == {"new_mac"} and wrong["new_mac"] == (True, True):
        text = (
            "You seem to think that node1 asks by ARP for the new MAC address. "
            "Nobody asks for a permanent neighbour."
        )
        return fail(text, "ARP_HEALS", witness)
    if all(said == (True, True) for said in wrong.values()):
        return fail(_OVERLAY, "OVERLAY_FW", witness)
    if any(said[0] is False for said in wrong.values()):
        text = (
            "You seem to think that the nodes' own ping is wrapped, or large. "
            "It goes straight from eth0 to eth0."
        )
        return fail(text, "NODES_TOO", broken(next(iter(wrong)))[0])
    if set(wrong) == {"narrow"}:
        text = (
            "You seem to think that a narrow place stops small packets, too. "
            "It stops only what does not fit."
        )
        return fail(text, "NARROW_ALL", witness)
    return fail("Ask for each ping: is it wrapped, and is it large?", None, witness)


def check_large(answer: Answer, seed: int) -> Findings:
    """The large ping through the narrow place."""
    walk = broken("narrow")[2]
    said = forms.yes(answer["narrow.large"])
    if same(said, walk.ok):
        return ()
    text = (
        "You seem to think that the path is fine because small pings work. "
        "They prove it for small packets only."
    )
    return fail(text, "MTU", walk)


def check_ends(answer: Answer, seed: int) -> Findings:
    """Where the large ping ends."""
    said = [forms.host(answer[f"{fault}.ends_in"]) for fault in FAULTS]
    wanted = [end(broken(fault)[2]) for fault in FAULTS]
    if said == wanted:
        return ()
    fault = next(f for f, one, other in zip(FAULTS, said, wanted, strict=True) if one != other)
    if {"node1", "web2"} & set(map(str, said)):
        text = (
            "You seem to think that the sender's side notices the fault. "
            "To node1, its entries and its MTU are fine."
        )
        return fail(text, "SENDER_STOPS", broken(fault)[2])
    walk, place = broken(fault)[2], said[list(FAULTS).index(fault)]
    if place == "backend":
        text = "You seem to think that the large ping arrives in spite of the fault."
        return fail(text, "ARRIVES", walk)
    if place == "switch":
        text = (
            "You seem to think that the switch knows what is inside a frame. "
            "It looks at MAC addresses and at the size."
        )
        return fail(text, "SWITCH_STOPS", walk)
    if place == "node2":
        text = (
            "You seem to think that a frame which is too large still arrives. "
            "The port before its receiver does not send it."
        )
        return fail(text, "LARGE_ARRIVES", walk)
    return fail("Some ping ends elsewhere. Follow it, step by step.", None, walk)


def check_entry(answer: Answer, seed: int) -> Findings:
    """The stale neighbour of node1."""
    said = forms.entry(answer["new_mac.neighbour"])
    wanted = forms.entry(str(by(broken("new_mac")[1], "node1", "neighbour")))
    if same(said, wanted):
        return ()
    if isinstance(said, tuple) and "0e:f1:0a:01:14:99" in said:
        text = (
            "You seem to think that node1 knows the new MAC address. "
            "Nobody told it, and it does not ask."
        )
        return fail(text, "NEW_MAC_KNOWN")
    if isinstance(said, tuple) and str(said[0]).startswith("192.168."):
        text = (
            "You seem to give the neighbour of the outer packet. The fault is in the frame inside."
        )
        return fail(text, "OUTER_NEIGHBOUR")
    if isinstance(said, tuple) and said[0] == example("vxlan").address_of("backend"):
        text = (
            "You seem to think that node1 has a neighbour entry for each pod. "
            "It has one for each next hop."
        )
        return fail(text, "POD_WATCH")
    return fail("This neighbour does not decide about the packet. Begin with the route.")


ITEMS = (
    Item("05.router.accepted", 1, "A next hop behind the router", check_accepted, ("accepted",)),
    Item("05.router.hostgw", 2, "host-gw by way of the router", check_hostgw,
         ("hostgw.dst", "hostgw.ends_in")),
    Item("05.router.told", 1, "Who receives an ICMP error", check_told, ("hostgw.told",)),
    Item("05.router.vxlan", 2, "vxlan by way of the router", check_vxlan,
         ("vxlan.dst", "vxlan.ends_in")),
    Item("05.router.route", 2, "The route of the outer packet", check_outer_route,
         ("vxlan.route",)),
    Item("05.faults.small", 2, "The small pings", check_small,
         tuple(f"{fault}.{key}" for fault in FAULTS for key in ("nodes", "pods"))),
    Item("05.faults.large", 1, "The large ping", check_large, ("narrow.large",)),
    Item("05.faults.ends", 3, "Where the large pings end", check_ends,
         tuple(f"{fault}.ends_in" for fault in FAULTS)),
    Item("05.faults.entry", 2, "The entry on node1", check_entry, ("new_mac.neighbour",)),
)  # fmt: skip
