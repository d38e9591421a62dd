"""The rubric of 05.headers: a prediction about the example cluster.

The model walks the same packets when the check runs; nothing here says what it will find.
``checks_faults`` holds the other predictions, ``checks_sizes`` and ``checks_entries`` the tasks in
which code is written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.packet import Ethernet, IPv4, Udp
from k8snetlib.trace import Frame

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


def seen(exchange: Exchange, place: str, direction: str) -> Frame:
    """The request as tcpdump saw it there."""
    assert exchange.request is not None
    frames = exchange.request.frames
    return next(f for f in frames if (f"{f.netns}:{f.device}", f.direction) == (place, direction))


# -- 05.headers -----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def walk() -> Exchange:
    """backend-c on node3 connects to web1 on node1."""
    return example("vxlan").clone().connect("backend-c", "web1", port=80, sport=40005)


@lru_cache(maxsize=1)
def right() -> dict[str, Any]:
    """The headers of the SYN as it leaves eth0 of node3, and the entries that decided."""
    exchange = walk()
    names = exchange.names
    link, outer, udp, _, frame, inner, *_ = seen(exchange, "node3:eth0", "out").packet.headers
    assert isinstance(link, Ethernet) and isinstance(outer, IPv4) and isinstance(udp, Udp)
    assert isinstance(frame, Ethernet) and isinstance(inner, IPv4)
    return {
        "ethernet": (names.mac(link.src), names.mac(link.dst)),
        "outer": (outer.src, outer.dst, udp.dport),
        "inner_ethernet": (names.mac(frame.src), names.mac(frame.dst)),
        "ttls": (outer.ttl, inner.ttl),
        "pods": (inner.src, inner.dst),
        "route": forms.route(str(by(exchange, "node3", "route"))),
        "neighbour": named(str(by(exchange, "node3", "neighbour"))),
        "fdb": named(str(by(exchange, "node3", "vxlan"))),
    }


def named(value: Any) -> Any:
    """An entry, with the owner in place of each MAC address."""
    found = forms.entry(value)
    return tuple(map(walk().names.mac, found)) if isinstance(found, tuple) else found


def _owners(answer: Answer, part: str) -> tuple[Any, Any]:
    names = walk().names
    return tuple(forms.owner(answer[f"{part}.{end}"], names) for end in ("src", "dst"))  # type: ignore[return-value]


def check_ethernet(answer: Answer, seed: int) -> Findings:
    """The outer frame's two ends."""
    said = _owners(answer, "ethernet")
    if same(said, right()["ethernet"]):
        return ()
    if "web1:eth0" in said or "backend-c:eth0" in said:
        text = (
            "You seem to think that a MAC address goes from pod to pod. "
            "It is good for one link only."
        )
        return fail(text, "MAC_E2E")
    if any("flannel.1" in str(end) for end in said):
        text = (
            "You seem to think that flannel.1 is on the wire between the nodes. "
            "It only wraps, and hands on."
        )
        return fail(text, "VTEP_OUTSIDE")
    if any(str(end).startswith(("switch:", "router:")) for end in said):
        text = (
            "You seem to address the frame to a switch or a router. "
            "The switch only passes frames on, and both nodes are on one link."
        )
        return fail(text, "SWITCH_MAC")
    if any("docker0" in str(end) for end in said):
        text = (
            "You seem to think that the bridges of two nodes share a link. "
            "A bridge joins one node to its own pods."
        )
        return fail(text, "BRIDGE_LINK")
    if said == tuple(reversed(right()["ethernet"])):
        return fail(_ANSWER, "ANSWER")
    return fail("These are not the ends of the link between the nodes. Which interfaces share it?")


_ANSWER = "You seem to describe the answer. The SYN goes the other way."


def check_inner_ethernet(answer: Answer, seed: int) -> Findings:
    """The frame inside."""
    said = _owners(answer, "inner_ethernet")
    if same(said, right()["inner_ethernet"]):
        return ()
    if said[0] == "backend-c:eth0":
        text = (
            "You seem to think that the pod's own frame is wrapped. "
            "node3 routes first, and routing makes a new frame."
        )
        return fail(text, "FRAME_KEPT")
    if said[1] == "web1:eth0":
        text = (
            "You seem to think that the inner destination MAC is the far pod's. "
            "The inner frame has a next hop of its own."
        )
        return fail(text, "VTEP_MAC")
    if said[1] == "node1:eth0":
        text = (
            "You seem to think that the inner frame goes to node1's eth0. "
            "Only the outer frame knows that interface."
        )
        return fail(text, "ETH0_INSIDE")
    if said[1] == "node1:docker0":
        text = (
            "You seem to think that the tunnel ends at the bridge. "
            "node1 unwraps and routes before docker0 sees the packet."
        )
        return fail(text, "BRIDGE_INSIDE")
    if said == tuple(reversed(right()["inner_ethernet"])):
        return fail(_ANSWER, "ANSWER")
    if str(said[0]).endswith((":docker0", ":eth0")):
        text = (
            "You seem to take a device which the packet only passes before or after. "
            "The inner frame is made where node3's route leads."
        )
        return fail(text, "OTHER_DEVICE")
    return fail("This is not the next hop that node3's route names. Whose MAC has it?")


def check_outer(answer: Answer, seed: int) -> Findings:
    """The outer addresses and the destination port."""
    names = walk().names
    ends = tuple(forms.address(answer[f"outer.{end}"], names) for end in ("src", "dst"))
    port, wanted = forms.whole(answer["outer.dport"]), right()["outer"]
    if same((*ends, port), wanted):
        return ()
    if set(right()["pods"]) & set(map(str, ends)):
        text = (
            "You seem to think that the outer header carries the pods' addresses. "
            "The node network knows no pods."
        )
        return fail(text, "POD_OUTER")
    if ends == wanted[:2] and port == 8285:
        return fail("You seem to use the udp backend's port. vxlan has a port of its own.",
                    "UDP_PORT")  # fmt: skip
    if ends == wanted[:2] and port == 4789:
        text = "You seem to use the port of the RFC. flannel takes the Linux kernel's default."
        return fail(text, "IANA_PORT")
    if ends == (wanted[1], wanted[0]):
        return fail(_ANSWER, "ANSWER")
    if any(str(end).startswith("10.1.") for end in ends):
        text = (
            "You seem to think that the outer packet goes from tunnel to tunnel, or bridge to "
            "bridge. "
            "It travels in the node network."
        )
        return fail(text, "OVERLAY_OUTER")
    if ends == wanted[:2]:
        text = (
            "You seem to carry the connection's ports to the outer header. "
            "The outer port belongs to the tunnel."
        )
        return fail(text, "OVERLAY_PORT")
    return fail("The two nodes exchange the outer packet. Which addresses, and to which port?")


def check_ttls(answer: Answer, seed: int) -> Findings:
    """Both TTL values."""
    said = tuple(forms.whole(answer[f"ttl.{part}"]) for part in ("outer", "inner"))
    outer, inner = right()["ttls"]
    if same(said, (outer, inner)):
        return ()
    if said[0] != outer:
        text = (
            "You seem to think that the outer header takes over the inner TTL. "
            "The outer packet is a new packet of node3."
        )
        return fail(text, "OUTER_TTL")
    if said[1] == inner - 1:
        text = "You seem to count a flanneld on the way. Under vxlan no packet passes through it."
        return fail(text, "USER_SPACE")
    if said[1] == inner + 1:
        text = "You seem to think that the packet is carried quite unchanged. Somebody routed it."
        return fail(text, "NO_TTL")
    return fail("Count again who has acted as a router before eth0 of node3.")


def check_route(answer: Answer, seed: int) -> Findings:
    """The route of node3."""
    said, wanted = forms.route(answer["route"]), right()["route"]
    if same(said, wanted):
        return ()
    if isinstance(said, tuple) and said[1:2] == right()["outer"][1:2]:
        return fail(_VIA_NODE, "VIA_NODE")
    if isinstance(said, tuple) and str(said[0]).endswith("/16"):
        text = (
            "You seem to think that one route leads to all pods, as in the udp backend. "
            "vxlan has one for each node."
        )
        return fail(text, "ONE_ROUTE")
    if isinstance(said, tuple) and said[0] == "0.0.0.0/0":
        text = (
            "You seem to think that node3 knows no way to other nodes' pods. "
            "The default route is asked last of all."
        )
        return fail(text, "BY_DEFAULT")
    if isinstance(said, tuple) and str(said[0]).startswith("192.168."):
        text = "You seem to look up the outer packet. Asked is the route of the inner one."
        return fail(text, "OUTER_ROUTE")
    if isinstance(said, tuple) and said == (wanted[0], "", wanted[2]):
        text = (
            "You seem to leave out the next hop. "
            "Without one, node3 would look for the pod itself behind the device."
        )
        return fail(text, "NO_NEXT_HOP")
    if isinstance(said, tuple) and said[1:2] == (BRIDGE,):
        return fail(_VIA_BRIDGE, "VIA_BRIDGE")
    return fail("node3 has several routes, and this one did not decide. Print its table.")


BRIDGE = "10.1.15.1"
_VIA_BRIDGE = (
    "You seem to take the far node's bridge as next hop. "
    "A tunnel's next hop is the device at its other end."
)


_VIA_NODE = (
    "You seem to take node1's own address as next hop, as host-gw does. "
    "Under vxlan the next hop is inside the overlay."
)
_POD_WATCH = (
    "You seem to think that node3 has an entry for each pod. flannel knows one record per node."
)


_ETH0 = (
    "You seem to take eth0's MAC address. It is on the outer frame; this entry makes the inner one."
)
_OVERLAY_HOP = (
    "You seem to send the wrapped frame to an address of the overlay. "
    "Between the nodes only node addresses count."
)


def _check_entry(part: str, otherwise: str) -> Any:
    def check(answer: Answer, seed: int) -> Findings:
        said = named(answer[part])
        if same(said, right()[part]):
            return ()
        if isinstance(said, tuple) and {right()["pods"][1], "web1:eth0"} & set(said):
            return fail(_POD_WATCH, "POD_WATCH")
        if isinstance(said, tuple) and "node1:eth0" in said:
            return fail(_ETH0, "ETH0_INSIDE")
        if part == "fdb" and isinstance(said, tuple) and said[1:] == right()["neighbour"][:1]:
            return fail(_OVERLAY_HOP, "FDB_OVERLAY")
        if isinstance(said, tuple) and {BRIDGE, "node1:docker0"} & set(said):
            return fail(_VIA_BRIDGE, "VIA_BRIDGE")
        if isinstance(said, tuple) and {"node3:flannel.1", right()["outer"][0]} & set(said):
            text = "You seem to give node3's own address. The entry is about the other end."
            return fail(text, "OWN_END")
        if part == "neighbour" and isinstance(said, tuple) and said[0] == right()["outer"][1]:
            return fail(_VIA_NODE, "VIA_NODE")
        return fail(otherwise)

    return check


_ENDS = ("src", "dst")

ITEMS = (
    Item("05.headers.ethernet", 1, "The outer frame", check_ethernet,
         tuple(f"ethernet.{end}" for end in _ENDS)),
    Item("05.headers.outer", 1, "Outer addresses and port", check_outer,
         ("outer.src", "outer.dst", "outer.dport")),
    Item("05.headers.inner", 2, "The frame inside", check_inner_ethernet,
         tuple(f"inner_ethernet.{end}" for end in _ENDS)),
    Item("05.headers.ttls", 1, "Both TTL values", check_ttls, ("ttl.outer", "ttl.inner")),
    Item("05.headers.route", 1, "The route on node3", check_route, ("route",)),
    Item("05.headers.neighbour", 1, "The neighbour on node3",
         _check_entry("neighbour", "This is not the neighbour that the route leads to."),
         ("neighbour",)),
    Item("05.headers.fdb", 1, "The forwarding entry on node3",
         _check_entry("fdb", "This is not the entry for the inner frame's destination MAC."),
         ("fdb",)),
)  # fmt: skip
