"""The rubric of 03.receiver and 03.flood: predictions about the example cluster.

The model sends the same pings when the check runs. ``checks_code`` holds the code tasks,
``checks_service`` a Service whose client and endpoint share one bridge.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange, Trace
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.packet import Ethernet
from k8snetlib.trace import Frame, Names

#: The second ping of 03.flood comes so many seconds after the first one.
PAUSE = 400


@lru_cache(maxsize=4)
def walk(target: str) -> Exchange:
    """web2 pings another pod; all caches are empty."""
    return Cluster.example().ping("web2", target)


@lru_cache(maxsize=1)
def again() -> Exchange:
    """web2 pings web1 a second time, after a pause."""
    cluster = Cluster.example()
    cluster.ping("web2", "web1")
    cluster.advance(PAUSE)
    return cluster.ping("web2", "web1")


def frame_at(exchange: Exchange, netns: str, direction: str) -> Frame:
    """The request on eth0 of a pod."""
    assert exchange.request is not None
    frames = exchange.request.frames
    return next(f for f in frames if (f.netns, f.device, f.direction) == (netns, "eth0", direction))


def macs(exchange: Exchange, netns: str, direction: str) -> tuple[str, str]:
    """Whose the two MAC addresses of the request are."""
    link = frame_at(exchange, netns, direction).packet.headers[0]
    assert isinstance(link, Ethernet)
    return exchange.names.mac(link.src), exchange.names.mac(link.dst)


def by(trace: Trace, netns: str, stage: str) -> Any:
    """The entry that decided at a namespace's first step of that stage."""
    return next(
        step.by
        for hop in trace.hops
        if hop.netns == netns
        for step in hop.steps
        if step.stage == stage
    )


def fdb(value: Any, names: Names) -> Any:
    """(owner of the MAC address, port) of an entry, as ``bridge fdb`` prints it or with a name."""
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list):
        value = " dev ".join(map(str, value))
    text = forms.words(value)
    if not isinstance(text, str):
        return value
    parts = re.split(r"\s+|->|,", text.lower())
    parts = [part for part in parts if part and part not in ("dev", "is", "behind", "at")]
    if len(parts) < 2:
        return text
    return end(parts[0], names), parts[1].rpartition(":")[2]


def end(value: Any, names: Names) -> Any:
    """``web2:eth0`` from itself, its MAC address, or the pod's name alone."""
    said = forms.owner(value, names)
    if isinstance(said, str) and f"{said}:eth0" in names.macs.values() and "node" not in said:
        return f"{said}:eth0"
    return said


# -- 03.receiver ----------------------------------------------------------------------------------


def check_macs(answer: dict[str, Any], seed: int) -> Findings:
    """The MAC addresses at web1."""
    exchange = walk("web1")
    said = tuple(end(answer[f"near.{key}"], exchange.names) for key in ("src", "dst"))
    if same(said, macs(exchange, "web1", "in")):
        return ()
    if any(str(one).startswith("node1:") for one in said):
        text = (
            "You seem to think that a bridge writes MAC addresses of its own into a frame. "
            "It only reads them, and passes the frame on."
        )
        return fail(text, "HOP_MAC", exchange)
    if said[::-1] == macs(exchange, "web1", "in"):
        text = "You seem to describe the reply. The request goes from web2 to web1."
        return fail(text, "REPLY_READ", exchange)
    return fail("These two do not share a link here. Who sends, and who receives?", None, exchange)


def check_ttl(answer: dict[str, Any], seed: int) -> Findings:
    """The TTL at web1."""
    exchange = walk("web1")
    said, right = forms.whole(answer["near.ttl"]), frame_at(exchange, "web1", "in").packet.ip.ttl
    if same(said, right):
        return ()
    if isinstance(said, int) and right - 4 <= said < right:
        text = (
            "You seem to think that a bridge takes from the TTL. "
            "Only a router does, and there is none between neighbours."
        )
        return fail(text, "TTL_BRIDGE", exchange)
    return fail("The request begins with TTL 64. Who changes it on this way?", None, exchange)


_SOURCE = (
    "You seem to look up the frame's source. "
    "The source is only learned; the destination says where the frame goes."
)


def check_decided(answer: dict[str, Any], seed: int) -> Findings:
    """web2's route, and the entry of docker0."""
    exchange = walk("web1")
    assert exchange.request is not None
    said = forms.route(answer["near.route"]), fdb(answer["near.entry"], exchange.names)
    entry = fdb(str(by(exchange.request, "node1", "bridge")), exchange.names)
    right = forms.route(str(by(exchange.request, "web2", "route"))), entry
    if same(said, right):
        return ()
    if "flannel" in f"{said}":
        text = (
            "You seem to think that docker0 has a hook that hands packets to Flannel. "
            "A bridge looks into its own table, and into nothing else."
        )
        return fail(text, "HOOK", exchange)
    far = walk("backend")
    assert far.request is not None
    if said[0] == forms.route(str(by(far.request, "web2", "route"))):
        text = (
            "You seem to think that pods of one node are in different subnets. "
            "For web2, web1 is a neighbour: no gateway stands between them."
        )
        return fail(text, "DIFF_SUBNETS", exchange)
    if said == (right[0], ("web2:eth0", "veth-web2")):
        return fail(_SOURCE, "LOOKUP_SRC", exchange)
    if said[0] == right[0]:
        return fail("The route is right. But another entry of docker0 decided.", None, exchange)
    return fail("This route did not decide. web2 has two routes: print them.", None, exchange)


def check_far(answer: dict[str, Any], seed: int) -> Findings:
    """The MAC addresses on the way to another node."""
    exchange = walk("backend")
    keys = ("far.dst_at_web2", "far.src_at_backend")
    said = tuple(end(answer[key], exchange.names) for key in keys)
    right = macs(exchange, "web2", "out")[1], macs(exchange, "backend", "in")[0]
    if same(said, right):
        return ()
    if said[0] == "backend:eth0" or said[1] == "web2:eth0":
        text = (
            "You seem to think that a MAC address leads to a pod on another node. "
            "It is good for one link only."
        )
        return fail(text, "MAC_E2E", exchange)
    if any(":veth-" in str(one) for one in said):
        text = (
            "You seem to address a frame to the other end of the cable. "
            "That is only a port of the bridge; the next hop is meant."
        )
        return fail(text, "HOP_MAC", exchange)
    if any(str(one).startswith("node") for one in said):
        text = (
            "You seem to skip a hop. A pod's frame is for the next router on its own link: "
            "where does the default route of that pod lead?"
        )
        return fail(text, "SKIPS_HOP", exchange)
    return fail("Who is the other end of this link? Look at the next hop.", None, exchange)


# -- 03.flood -------------------------------------------------------------------------------------


def leaves_by(trace: Trace) -> list[str]:
    """Where a frame that came in by a port of docker0 goes: ports, and docker0 for the host."""
    found = {
        frame.device
        for frame in trace.frames
        if frame.netns == "node1"
        and (frame.direction == "out" or (frame.device, frame.direction) == ("docker0", "in"))
    }
    return sorted(found)


def ports(value: Any) -> Any:
    """Several ports in any order: a list, or a text with commas or ``and``."""
    found = forms.hosts(value)
    if isinstance(found, list):
        return sorted({name.rpartition(":")[2] for name in found})
    return found


def _wrong_ports(said: Any, right: list[str], exchange: Exchange) -> Findings:
    if not isinstance(said, list) or not set(said) <= {"veth-web1", "veth-web2", "docker0"}:
        return fail("docker0 has two ports, and node1 above it. Write a list of these names.")
    if set(right) - set(said) == {"veth-web2"} and len(right) > 1:
        return fail("Hairpin mode is on: a flooded frame also goes back.", None, exchange)
    if set(said) - set(right) == {"docker0"}:
        text = "Does node1 get this frame? It gets broadcasts, and what is for its own MAC address."
        return fail(text, None, exchange)
    return fail("The frame leaves by other ports. Follow it through docker0.", None, exchange)


def check_ask(answer: dict[str, Any], seed: int) -> Findings:
    """Web2's ARP question."""
    exchange = walk("web1")
    said, right = ports(answer["question"]), leaves_by(exchange.packets[0])
    if same(said, right):
        return ()
    if said == ["veth-web1"]:
        text = (
            "You seem to think that a bridge knows whom an ARP question is for. "
            "It is a broadcast, and a bridge reads no IP addresses."
        )
        return fail(text, "ARP_TO_ONE", exchange)
    if isinstance(said, list) and "docker0" not in said and "veth-web1" in said:
        text = (
            "You seem to think that the node hears nothing of its pods' questions. "
            "The bridge has one more way out: up to its own host."
        )
        return fail(text, "NOT_THE_HOST", exchange)
    return _wrong_ports(said, right, exchange)


def check_answer(answer: dict[str, Any], seed: int) -> Findings:
    """Web1's answer, the echo request, and the entry for the first of them."""
    exchange = walk("web1")
    names = exchange.names
    said = (
        ports(answer["answer"]),
        ports(answer["request"]),
        fdb(answer["entry"], names),
    )
    reply, request = exchange.packets[1:3]
    entry = fdb(str(by(reply, "node1", "bridge")), names)
    right = leaves_by(reply), leaves_by(request), entry
    if same(said, right):
        return ()
    if any(isinstance(one, list) and len(one) > 1 for one in said[:2]):
        text = (
            "You seem to think that a bridge floods every frame. "
            "It has learned from the question where web2 is, and from the answer where web1 is."
        )
        return fail(text, "HUB", exchange)
    if said == (*right[:2], ("web1:eth0", "veth-web1")):
        return fail(_SOURCE, "LOOKUP_SRC", exchange)
    if said[:2] == right[:2]:
        return fail("The ports are right. But another entry led the answer.", None, exchange)
    return _wrong_ports(said[0], right[0], exchange)


def check_later(answer: dict[str, Any], seed: int) -> Findings:
    """A second ping after a pause."""
    exchange = again()
    said = forms.yes(answer["later.asks"]), ports(answer["later.request"])
    asked = exchange.packets[0].label.startswith("ARP")
    assert exchange.request is not None
    right = asked, leaves_by(exchange.request)
    if same(said, right):
        return ()
    if said[0] is not asked:
        text = (
            "You seem to take two tables for one. "
            "What docker0 forgets, web2's neighbour table still knows."
        )
        return fail(text, "ONE_TABLE", exchange)
    if said[1] == leaves_by(walk("web1").packets[2]):
        text = (
            "You seem to think that a bridge remembers for ever. "
            "It forgets an address from which nothing came for 300 seconds."
        )
        return fail(text, "NO_AGEING", exchange)
    if isinstance(said[1], list) and set(said[1]) - set(right[1]) == {"docker0"}:
        text = (
            "You seem to think that the node gets every flooded frame. "
            "It gets broadcasts, and what is for its own MAC address."
        )
        return fail(text, "HOST_HEARS_ALL", exchange)
    return _wrong_ports(said[1], right[1], exchange)


def _near(*keys: str) -> tuple[str, ...]:
    return tuple(f"near.{key}" for key in keys)


ITEMS = (
    Item("03.receiver.macs", 2, "MAC addresses at web1", check_macs, _near("src", "dst")),
    Item("03.receiver.ttl", 1, "The TTL at web1", check_ttl, _near("ttl")),
    Item("03.receiver.decided", 3, "What decided on the way", check_decided,
         _near("route", "entry")),
    Item("03.receiver.far", 2, "MAC addresses on the way to backend", check_far,
         ("far.dst_at_web2", "far.src_at_backend")),
    Item("03.flood.ask", 2, "The ARP question", check_ask, ("question",)),
    Item("03.flood.answer", 2, "The ARP answer and the echo request", check_answer,
         ("answer", "request", "entry")),
    Item("03.flood.later", 2, "A second ping, later", check_later,
         ("later.asks", "later.request")),
)  # fmt: skip
