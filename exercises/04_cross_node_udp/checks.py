"""The rubric of 04.headers and 04.stopped: predictions about the example cluster.

The model walks the same packets when the check runs; nothing here says what it will find.
``checks_lookup`` and ``checks_packets`` hold the rubrics of the tasks in which code is written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.packet import Ethernet, IPv4, Tcp, Udp

SPORT, DPORT, GATEWAY = 40004, 8080, "192.168.66.1"


@lru_cache(maxsize=4)
def walk(without: str = "") -> Exchange:
    """web2 connects to backend; flanneld on the node ``without`` has stopped."""
    cluster = Cluster.example()
    if without:
        cluster.stop_flanneld(without)
    return cluster.connect("web2", "backend", port=DPORT, sport=SPORT)


@lru_cache(maxsize=1)
def on_the_wire() -> dict[str, Any]:
    """The headers of the SYN as it leaves eth0 of node1, and the entries that decided."""
    exchange = walk()
    assert exchange.request is not None
    frame = next(
        f
        for f in exchange.request.frames
        if (f.netns, f.device, f.direction) == ("node1", "eth0", "out")
    )
    link, outer, udp, inner, tcp = frame.packet.headers
    assert isinstance(link, Ethernet) and isinstance(outer, IPv4) and isinstance(udp, Udp)
    assert isinstance(inner, IPv4) and isinstance(tcp, Tcp)
    return {
        "macs": (exchange.names.mac(link.src), exchange.names.mac(link.dst)),
        "outer": (outer.src, outer.dst, udp.sport, udp.dport),
        "inner": (inner.src, inner.dst, tcp.sport, tcp.dport),
        "ttl": (outer.ttl, inner.ttl),
        "route": forms.route(str(entry(exchange, "route"))),
        "lease": forms.lease(str(entry(exchange, "flanneld"))),
    }


def entry(exchange: Exchange, stage: str) -> Any:
    """What decided at node1's first step of that stage."""
    assert exchange.request is not None
    steps = [step for hop in exchange.request.hops if hop.netns == "node1" for step in hop.steps]
    return next(step.by for step in steps if step.stage == stage)


# -- 04.headers -----------------------------------------------------------------------------------


def check_macs(answer: dict[str, Any], seed: int) -> Findings:
    """Who the frame is from and to."""
    exchange = walk()
    said = tuple(forms.owner(answer[f"ethernet.{end}"], exchange.names) for end in ("src", "dst"))
    source, target = on_the_wire()["macs"]
    if said == (source, target):
        return ()
    if said[1] == "backend:eth0":
        text = (
            "You seem to think that the destination MAC is the far pod's. "
            "A MAC address is good for one link only."
        )
        return fail(text, "MAC_E2E")
    if any("flannel0" in str(end) for end in said):
        text = (
            "You seem to think that flannel0 is a bridge with a MAC address. It has no link layer."
        )
        return fail(text, "FLANNEL_BRIDGE")
    if any(str(end).startswith(("switch:", "router:")) for end in said):
        text = (
            "You seem to address the frame to a switch or a router. "
            "The switch only passes frames on, and both nodes are on one link."
        )
        return fail(text, "SWITCH_MAC")
    if said == ("web2:eth0", "node1:docker0"):
        text = (
            "You seem to describe the first link, from the pod to its node. Look at eth0 instead."
        )
        return fail(text, "FIRST_LINK")
    if any("docker0" in str(end) for end in said):
        text = (
            "You seem to think that the bridges of two nodes share a link. "
            "A bridge joins one node to its own pods."
        )
        return fail(text, "BRIDGE_LINK")
    if (target, source) == said:
        return fail("The two are the other way round: node1 sends.")
    if said[1] == target:
        text = (
            "You seem to think that the frame keeps its first source MAC address. "
            "Whoever puts a packet on a link writes its own."
        )
        return fail(text, "SRC_MAC_KEPT")
    return fail("These are not the two ends of this link. Which two interfaces share it?")


def _four(answer: dict[str, Any], part: str) -> tuple[Any, ...]:
    names = walk().names
    ends = [forms.address(answer[f"{part}.{key}"], names) for key in ("src", "dst")]
    return (*ends, *(forms.whole(answer[f"{part}.{key}"]) for key in ("sport", "dport")))


_ANSWER = "You seem to describe the answer. The SYN goes the other way."


def check_outer(answer: dict[str, Any], seed: int) -> Findings:
    """The outer addresses and ports."""
    said, right, inner = _four(answer, "outer"), on_the_wire()["outer"], on_the_wire()["inner"]
    if same(said, right):
        return ()
    if inner[1] in said[:2] or inner[0] in said[:2]:
        text = (
            "You seem to think that the outer header carries the pods' addresses. "
            "The node network knows no pods."
        )
        return fail(text, "POD_OUTER")
    if 8472 in said or 4789 in said:
        text = "You seem to use VXLAN's port. The udp backend has a port of its own."
        return fail(text, "VXLAN_PORT")
    if said[:2] == right[:2] and said[3] == right[3] and inner[2] != said[2]:
        text = (
            "You seem to think that flanneld sends from a port by chance, as a client does. "
            "It sends from the socket on which it listens."
        )
        return fail(text, "CLIENT_PORT")
    if said[:2] == right[:2] and set(inner[2:]) & set(said[2:]):
        text = (
            "You seem to carry the connection's ports to the outer header. "
            "The outer ports belong to the two flanneld sockets."
        )
        return fail(text, "OVERLAY_PORT")
    if said[:2] == (right[1], right[0]):
        return fail(_ANSWER, "ANSWER")
    if any(str(end).startswith("10.1.") for end in said[:2]):
        text = (
            "You seem to think that the outer packet goes from tunnel to tunnel, or bridge to "
            "bridge. "
            "It travels in the node network."
        )
        return fail(text, "OVERLAY_TARGET")
    if said[1] == GATEWAY:
        text = "You seem to send the outer packet to the router. Both nodes are on one link."
        return fail(text, "BY_ROUTER")
    return fail("Two processes exchange the outer packet. Name their sockets.")


def check_inner(answer: dict[str, Any], seed: int) -> Findings:
    """The inner addresses and ports."""
    said, right = _four(answer, "inner"), on_the_wire()["inner"]
    if same(said, right):
        return ()
    if said[0] != right[0] and same(said[1:], right[1:]):
        text = (
            "You seem to think that a node puts another source address into the packet. "
            "Between pods, flannel translates nothing."
        )
        return fail(text, "SRC_REWRITTEN")
    if same(said, (right[1], right[0], right[3], right[2])) or said[2:] == (right[3], right[2]):
        return fail(_ANSWER, "ANSWER")
    if set(on_the_wire()["outer"][2:]) & set(said[2:]):
        text = (
            "You seem to carry flanneld's port into the inner packet. "
            "The inner packet is wrapped as it was."
        )
        return fail(text, "PORT_INSIDE")
    if said[1] != right[1]:
        text = (
            "You seem to think that the inner packet is for a node or a tunnel. "
            "It is for the same receiver all the way."
        )
        return fail(text, "INNER_TO_NODE")
    return fail("The inner packet is the one that web2 sent. Who is it from and to?")


def check_ttls(answer: dict[str, Any], seed: int) -> Findings:
    """Both TTL values."""
    said = forms.whole(answer["outer.ttl"]), forms.whole(answer["inner.ttl"])
    outer, inner = on_the_wire()["ttl"]
    if same(said, (outer, inner)):
        return ()
    if said[0] != outer:
        text = (
            "You seem to think that the outer header takes over the inner TTL. "
            "The outer packet is a new packet of node1."
        )
        return fail(text, "OUTER_TTL")
    beliefs = {
        inner + 2: (
            "NO_TTL",
            "You seem to think that the inner packet is carried quite unchanged.",
        ),
        inner + 1: (
            "KERNEL_ONLY",
            "You seem to count the kernel only. A process took its share too.",
        ),
        inner - 1: ("TTL_BRIDGE", "You seem to think that a bridge takes from the TTL as well."),
    }
    belief, text = beliefs.get(
        said[1], (None, "Count again who has acted as a router before eth0 of node1.")
    )
    return fail(text, belief)


def check_route(answer: dict[str, Any], seed: int) -> Findings:
    """The route that led the packet to flannel0."""
    said, right = forms.route(answer["route"]), on_the_wire()["route"]
    if same(said, right):
        return ()
    if "docker0" in str(said):
        text = (
            "You seem to think that docker0 has a hook which hands packets to flannel0. "
            "Nothing is hooked: the routing table of node1 decides."
        )
        return fail(text, "HOOK")
    if str(said).startswith("('10.1.20.0/24'"):
        text = (
            "You seem to think that node1 has a route for each other node. "
            "With the udp backend one route leads to flannel0, and flanneld has the list."
        )
        return fail(text, "ROUTE_PER_NODE")
    if isinstance(said, tuple) and said[0] == "0.0.0.0/0":
        text = (
            "You seem to think that node1 knows no way to other nodes' pods. "
            "The default route is asked last of all."
        )
        return fail(text, "BY_DEFAULT")
    if isinstance(said, tuple) and str(said[0]).startswith("192.168."):
        return fail(_OUTER_ROUTE, "OUTER_ROUTE")
    return fail("node1 has several routes, and this one did not decide. Print its table.")


_OUTER_ROUTE = (
    "You seem to look up the outer packet. Asked is the route of the packet that the pod sent."
)


def check_lease(answer: dict[str, Any], seed: int) -> Findings:
    """The entry by which flanneld knew where to send."""
    said, right = forms.lease(answer["lease"]), on_the_wire()["lease"]
    if same(said, right):
        return ()
    if on_the_wire()["inner"][1] in str(said):
        text = (
            "You seem to think that flannel knows every pod's address. "
            "It watches one record per node."
        )
        return fail(text, "POD_WATCH")
    if isinstance(said, tuple) and said[0] == right[0]:
        text = (
            "You seem to think that flanneld sends to an address inside the overlay. "
            "The outer packet needs an address of the node network."
        )
        return fail(text, "OVERLAY_TARGET")
    if isinstance(said, tuple) and said[0] == on_the_wire()["route"][0]:
        text = "You seem to take the whole pod network for a lease. A lease is for one node."
        return fail(text, "NET_AS_LEASE")
    if isinstance(said, tuple) and said[1] == on_the_wire()["outer"][0]:
        text = (
            "You seem to take the sender's own record. "
            "flanneld looks for the node to which the packet goes."
        )
        return fail(text, "OWN_RECORD")
    return fail(
        "This is not the record that flanneld found. Which of its subnets contains backend?"
    )


# -- 04.stopped -----------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def after(node: str) -> tuple[Any, str, str]:
    """(route on node1, where the SYN ends, who receives an ICMP error) without flanneld there."""
    exchange = walk(node)
    assert exchange.request is not None
    errors = [t for t in exchange.packets if t.label.startswith("ICMP")]
    told = errors[0].end if errors else "nobody"
    return forms.route(str(entry(exchange, "route"))), exchange.request.end, told


_CONTROL = (
    "You seem to think that flanneld only prepares the way. "
    "With the udp backend every packet passes through the process."
)


def _stopped(answer: dict[str, Any], node: str) -> tuple[Any, Any]:
    return forms.route(answer[f"{node}.route"]), forms.host(answer[f"{node}.ends_in"])


def check_node1(answer: dict[str, Any], seed: int) -> Findings:
    """flanneld stops on the sender's node."""
    said, right = _stopped(answer, "node1"), after("node1")[:2]
    if same(said, right):
        return ()
    if said[1] == walk().request.end:  # type: ignore[union-attr]
        return fail(_CONTROL, "CONTROL_ONLY", walk("node1"))
    if same(said[0], on_the_wire()["route"]):
        text = (
            "You seem to think that flannel0 and its route stay when flanneld ends. "
            "A TUN device lives as long as the process that opened it."
        )
        return fail(text, "TUN_STAYS", walk("node1"))
    if said[1] in ("node1", "web2") or forms.nobody(answer["node1.route"]) == "nobody":
        text = (
            "You seem to think that no route is left, so that the SYN stays. "
            "A default route takes whatever is left over."
        )
        return fail(text, "NO_DEFAULT", walk("node1"))
    if said[1] == "node2":
        text = (
            "You seem to think that the bare packet finds the other node. "
            "Between the nodes nobody knows the pods' addresses."
        )
        return fail(text, "FINDS_NODE", walk("node1"))
    if isinstance(said[0], tuple) and str(said[0][0]).startswith("192.168."):
        return fail(_OUTER_ROUTE, "OUTER_ROUTE", walk("node1"))
    return fail(
        "The SYN takes another way. Follow it with the routes that are left.", None, walk("node1")
    )


def check_node2(answer: dict[str, Any], seed: int) -> Findings:
    """flanneld stops on the receiver's node."""
    said, right = _stopped(answer, "node2"), after("node2")[:2]
    if same(said, right):
        return ()
    if said[1] == walk().request.end:  # type: ignore[union-attr]
        return fail(_CONTROL, "CONTROL_ONLY", walk("node2"))
    if same(said[0], after("node1")[0]):
        text = (
            "You seem to think that node1 notices at once and drops its route. "
            "Its own flanneld still runs, and the lease of node2 is still valid."
        )
        return fail(text, "LEASE_AT_ONCE", walk("node2"))
    if said[1] in ("node1", "web2"):
        text = (
            "You seem to think that node1 keeps the packet back. "
            "It cannot know yet that nobody listens there."
        )
        return fail(text, "SENDER_STOPS", walk("node2"))
    if isinstance(said[0], tuple) and str(said[0][0]).startswith("192.168."):
        return fail(_OUTER_ROUTE, "OUTER_ROUTE", walk("node2"))
    return fail(
        "The SYN ends elsewhere. Follow the outer packet to its socket.", None, walk("node2")
    )


def check_told(answer: dict[str, Any], seed: int) -> Findings:
    """Who hears of it."""
    said = tuple(_nobody(forms.host(answer[f"{node}.told"])) for node in ("node1", "node2"))
    if said == (after("node1")[2], after("node2")[2]):
        return ()
    if "web2" in said:
        text = (
            "You seem to think that an ICMP error finds the pod in any case. "
            "It goes to the failed packet's source, and needs a route there."
        )
        return fail(text, "ICMP_TO_POD", walk("node2" if said[1] == "web2" else "node1"))
    if said[0] == "node1":
        text = (
            "You seem to think that an error goes to the node that chose the route. "
            "It goes to the failed packet's source address."
        )
        return fail(text, "ICMP_TO_NODE", walk("node1"))
    if said[1] == "nobody" and forms.host(answer["node2.ends_in"]) == after("node2")[1]:
        text = (
            "You seem to think that a closed UDP port is silent. The kernel there answers for it."
        )
        return fail(text, "CLOSED_SILENT", walk("node2"))
    return fail("Look for the ICMP error: who sends it, where to, and does a route exist?")


def _nobody(value: Any) -> Any:
    return "nobody" if value in ("nobody", "no one", "noone", "none", "no-one", "-") else value


_ENDS = ("src", "dst", "sport", "dport")

ITEMS = (
    Item("04.headers.macs", 1, "MAC addresses", check_macs, ("ethernet.src", "ethernet.dst")),
    Item("04.headers.outer", 1, "Outer addresses and ports", check_outer,
         tuple(f"outer.{end}" for end in _ENDS)),
    Item("04.headers.inner", 1, "Inner addresses and ports", check_inner,
         tuple(f"inner.{end}" for end in _ENDS)),
    Item("04.headers.ttls", 2, "Both TTL values", check_ttls, ("outer.ttl", "inner.ttl")),
    Item("04.headers.route", 1, "The route on node1 that decided", check_route, ("route",)),
    Item("04.headers.lease", 2, "The entry of flanneld that decided", check_lease, ("lease",)),
    Item("04.stopped.node1", 2, "flanneld stops on node1", check_node1,
         ("node1.route", "node1.ends_in")),
    Item("04.stopped.node2", 2, "flanneld stops on node2", check_node2,
         ("node2.route", "node2.ends_in")),
    Item("04.stopped.told", 2, "Who receives an ICMP error", check_told,
         ("node1.told", "node2.told", "node2.ends_in")),
)  # fmt: skip
