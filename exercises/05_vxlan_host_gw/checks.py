"""The rubric of 05.headers, 05.router and 05.faults: predictions about the example cluster.

The model walks the same packets when the check runs; nothing here says what it will find.
``checks_sizes`` and ``checks_entries`` hold the rubrics of the tasks in which code is written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange, K8sNetError
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


def told(exchange: Exchange) -> str:
    """The namespace that received an ICMP error, or nobody."""
    errors = [
        trace
        for trace in exchange.packets
        if trace.label.startswith("ICMP") and "echo" not in trace.label
    ]
    return errors[0].end if errors else "nobody"


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
    return fail("These are not the ends of the link between the nodes. Which interfaces share it?")


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
    return fail("This is not the next hop that node3's route names. Whose MAC has it?")


def check_outer(answer: Answer, seed: int) -> Findings:
    """The outer addresses and the destination port."""
    ends = tuple(forms.words(answer[f"outer.{end}"]) for end in ("src", "dst"))
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
    return fail("node3 has several routes, and this one did not decide. Print its table.")


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
        return fail(otherwise)

    return check


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
    ip = seen(exchange, "router:lan0", "in").packet.ip
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
    if said[0] == BEHIND:
        text = (
            "You seem to think that host-gw writes a node's address into the packet. "
            "A next hop changes the MAC address only."
        )
        return fail(text, "HOSTGW_L3", walk)
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
    if "node1" in said:
        text = (
            "You seem to think that the sender's node notices the fault. "
            "To node1, its entries and its MTU are fine."
        )
        return fail(text, "SENDER_STOPS", broken(fault)[2])
    return fail("Some ping ends elsewhere. Follow it, step by step.", None, broken(fault)[2])


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
    return fail("This neighbour does not decide about the packet. Begin with the route.")


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
