"""The rubrics of 10.seen and 10.reply: predictions about the example cluster.

The model walks the same packets when the check runs; nothing here says what it will find.
The other tasks' rubrics stand in ``checks_*.py`` beside this file.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail

OFF = "--ip-masq=false"
TARGETS = {"backend_c": "backend-c", "node3": "node3", "ext": "ext"}


@lru_cache(maxsize=3)
def cluster(way: str) -> Cluster:
    """The example cluster with host-gw, and flannel's masquerade, Docker's, or none."""
    flanneld = "--ip-masq" if way == "flannel" else OFF
    made = Cluster.example("host-gw", flanneld=flanneld, docker_masquerade=way == "docker")
    made["client"].sh("ip route add 10.1.0.0/16 via 192.168.66.11")
    return made


# -- 10.seen --------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def ping(way: str, source: str, target: str) -> Exchange:
    """One echo request."""
    return cluster(way).clone().ping(source, target)


def source_of(exchange: Exchange) -> str:
    """The source address that the receiver sees."""
    assert exchange.request is not None
    src: str = exchange.request.last.packet.ip.src
    return src


@lru_cache(maxsize=16)
def rule(way: str, source: str, target: str) -> int | None:
    """The number of the rule that decided, in FLANNEL-POSTRTG of node1; None: no rule did."""
    request = ping(way, source, target).request
    assert request is not None
    matched = [
        str(m) for hop in request.hops if hop.netns == "node1" for s in hop.steps for m in s.rules
    ]
    lines = [m.partition(" | ")[2] for m in matched if m.startswith("nat:FLANNEL-POSTRTG rule ")]
    saved = cluster(way)["node1"].sh("iptables -t nat -S FLANNEL-POSTRTG").splitlines()
    rules = [line for line in saved if line.startswith("-A")]
    return rules.index(lines[-1]) + 1 if lines else None


def address(value: Any) -> Any:
    """An IPv4 address from the forms in which people write it."""
    return forms.address(value, cluster("none").network.names)


POD, NODE, OVERLAY, BRIDGE = "web1", "node1", "10.1.15.0", "10.1.15.1"


def own(name: str) -> str:
    """A machine's own address."""
    return cluster("none").address_of(name)


_INET = (
    "You seem to think that only traffic to the internet is masqueraded. "
    "The rule asks whether the packet leaves the pod network."
)
_SEED = (
    "You seem to think that another pod always sees a pod's own address. "
    "Docker's rule spares what leaves by docker0 only."
)
_ROUTABLE = (
    "You seem to think that a pod's address is good everywhere. The router has no route back to it."
)
_BRIDGE = (
    "You seem to take the address of the device where the packet came in. "
    "MASQUERADE takes that of the device by which it leaves."
)
_OVERLAY = "You seem to think of another backend. With host-gw the packet leaves by eth0."


def _answers(answer: dict[str, Any], way: str, *keys: str) -> list[tuple[str, Any]]:
    return [(key, address(answer[f"{way}.{key}"])) for key in keys]


def _router(said: Any, exchange: Exchange) -> Findings:
    """A finding if the router's address is given."""
    ips = {a.ip for dev in cluster("none")["router"].devices.values() for a in dev.addresses}
    if said not in ips:
        return ()
    text = "You seem to think that the router translates as well. Here it only forwards."
    return fail(text, "ROUTER_NATS", exchange)


def check_flannel(answer: dict[str, Any], seed: int) -> Findings:
    """flannel's masquerade."""
    for key, said in _answers(answer, "flannel", *TARGETS):
        exchange = ping("flannel", POD, TARGETS[key])
        if said == source_of(exchange):
            continue
        if said == own(POD) and key == "node3":
            return fail(_INET, "MASQ_INET", exchange)
        if said == own(POD):
            return fail(_ROUTABLE, "ROUTABLE", exchange)
        if said == BRIDGE:
            return fail(_BRIDGE, "IN_DEVICE", exchange)
        if said == own(NODE):
            text = (
                "You seem to think that flannel masquerades whatever leaves the node. "
                "It spares what goes to other pods."
            )
            return fail(text, "ALL_MASQ", exchange)
        other = fail("Which address does the packet have when it leaves node1?", None, exchange)
        return _router(said, exchange) or other
    return ()


_RULES = ("rule.backend_c", "rule.node3")


def rule_number(value: Any) -> Any:
    """A whole number, also from ``rule 5`` or ``#5``."""
    found = re.fullmatch(r"(?:rule|no\.?|#)?\s*(\d+)", forms.words(value).lower()) if isinstance(
        value, str) else None  # fmt: skip
    return int(found[1]) if found else forms.whole(value)


def check_rules(answer: dict[str, Any], seed: int) -> Findings:
    """Which of flannel's rules decided."""
    for path in _RULES:
        target = TARGETS[path.partition(".")[2]]
        said, right = rule_number(answer[path]), rule("flannel", POD, target)
        if said == right:
            continue
        if right is not None and said == right - 1:
            return fail("You seem to count from 0. iptables counts rules from 1.", "FROM_ZERO")
        if target == "node3" and said == 6:
            text = (
                "You seem to think that the last rule is about what leaves for other machines. "
                "It is about packets that come from outside to pods."
            )
            return fail(text, "LAST_RULE")
        if target == "backend-c" and said == right + 1:
            text = "You seem to read source and destination the other way round. -s is the source."
            return fail(text, "SWAPPED")
        if target == "backend-c" and said == rule("flannel", POD, "ext"):
            text = (
                "You seem to go on behind a RETURN. "
                "The packet leaves the chain there, and is spared."
            )
            return fail(text, "RETURN_GOES_ON")
        return fail("Compare source and destination with the rules, from the top.")
    return ()


def check_docker(answer: dict[str, Any], seed: int) -> Findings:
    """Docker's masquerade."""
    for key, said in _answers(answer, "docker", *TARGETS):
        exchange = ping("docker", POD, TARGETS[key])
        if said == source_of(exchange):
            continue
        if said == own(POD) and key == "backend_c":
            return fail(_SEED, "SEED_SRC", exchange)
        if said == own(POD) and key == "node3":
            return fail(_INET, "MASQ_INET", exchange)
        if said == own(POD):
            return fail(_ROUTABLE, "ROUTABLE", exchange)
        if said == BRIDGE:
            return fail(_BRIDGE, "IN_DEVICE", exchange)
        if said == OVERLAY:
            return fail(_OVERLAY, "OVERLAY_SRC", exchange)
        other = fail("By which device does the packet leave node1?", None, exchange)
        return _router(said, exchange) or other
    return ()


_NONE = ("none.ext_sees", "none.answer_ends_in")


def check_none(answer: dict[str, Any], seed: int) -> Findings:
    """No masquerade at all."""
    exchange = ping("none", POD, "ext")
    answered = next(p for p in exchange.packets if p.label == "ICMP echo-reply")
    said = address(answer[_NONE[0]]), forms.host(answer[_NONE[1]])
    if said == (source_of(exchange), answered.end):
        return ()
    if forms.nobody(said[0]) == "nobody" or said[0] in ("drop", "dropped", "lost"):
        text = (
            "You seem to think that a pod's address cannot leave the cluster. "
            "Routers look at the destination only."
        )
        return fail(text, "NEVER_LEAVES", exchange)
    if said[0] == own(NODE):
        text = (
            "You seem to think that somebody always masquerades. "
            "Routing alone never changes a source address."
        )
        return fail(text, "ALWAYS_NAT", exchange)
    if said[1] == POD:
        text = (
            "You seem to think that an answer knows the way by which the request came. "
            "Every router looks its destination up."
        )
        return fail(text, "SAME_WAY_BACK", exchange)
    if found := _router(said[0], exchange):
        return found
    if said[1] == NODE:
        text = (
            "You seem to think that everybody has a route to the pods. "
            "Only the nodes have such routes."
        )
        return fail(text, "ROUTER_KNOWS", exchange)
    if said[1] == "ext":
        text = (
            "You seem to think that ext cannot send the answer. "
            "Its default route takes every destination."
        )
        return fail(text, "EXT_CANNOT", exchange)
    return fail("Follow the answer: who has a route for its destination?", None, exchange)


# -- 10.reply -------------------------------------------------------------------------------------

SPORT = 40000


@lru_cache(maxsize=1)
def reply() -> dict[str, Any]:
    """web2's connection to ext through one MASQUERADE rule."""
    made = cluster("none").clone()
    made["node1"].sh("iptables -t nat -A POSTROUTING -s 10.1.0.0/16 -o eth0 -j MASQUERADE")
    exchange = made.connect("web2", "ext", port=80, sport=SPORT)
    assert exchange.reply is not None
    counted = made["node1"].sh("iptables -t nat -vnL POSTROUTING").splitlines()[-1].split()[0]
    node1 = [hop for hop in exchange.reply.hops if hop.netns == "node1"]
    nat = [m for hop in node1 for s in hop.steps if s.stage.startswith("nat") for m in s.rules]
    seen = {
        f.device: f"{f.packet.ip.dst}:{f.packet.transport.dport}"
        for f in exchange.reply.frames
        if f.netns == "node1" and f.device in ("eth0", "docker0")
    }
    return {
        "rule_counted": int(counted),
        "answer_met": len(nat),
        "on_eth0": seen["eth0"],
        "on_docker0": seen["docker0"],
    }


@lru_cache(maxsize=1)
def flushed() -> dict[str, str]:
    """The rule is deleted while a UDP flow lives: the source that ext sees, old port and new."""
    made = cluster("none").clone()
    made["node1"].sh("iptables -t nat -A POSTROUTING -s 10.1.0.0/16 -o eth0 -j MASQUERADE")
    made.send("web2", "ext", 53, sport=4000)
    made["node1"].sh("iptables -t nat -D POSTROUTING -s 10.1.0.0/16 -o eth0 -j MASQUERADE")
    return {
        name: source_of(made.clone().send("web2", "ext", 53, sport=port))
        for name, port in (("known", 4000), ("new", 4001))
    }


_COUNTS = ("rule_counted", "answer_met")
_ENDS = ("on_eth0", "on_docker0")
_FLOWS = ("after.known", "after.new")


def _count(value: Any) -> Any:
    """A whole number; 0 from False or a word for none."""
    none = forms.nobody(value.lower() if isinstance(value, str) else value)
    return 0 if none == "nobody" else forms.whole(value)


def _end(value: Any) -> Any:
    """``IP:PORT``, also from a name and a port."""
    text = forms.end(value)
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return f"{address(host)}:{port}" if host else text


def check_counts(answer: dict[str, Any], seed: int) -> Findings:
    """How many packets meet which rule."""
    said = tuple(_count(answer[path]) for path in _COUNTS)
    if said == tuple(reply()[path] for path in _COUNTS):
        return ()
    if isinstance(said[0], int) and said[0] > reply()["rule_counted"]:
        text = (
            "You seem to think that a nat rule sees every packet. "
            "It is asked once for a connection."
        )
        return fail(text, "NAT_EVERY")
    if isinstance(said[1], int) and said[1] > reply()["answer_met"]:
        text = (
            "You seem to think that answers need a rule of their own. "
            "What knows the connection turns them back."
        )
        return fail(text, "SNAT_REPLY")
    return fail("For which packets of a connection is the nat table asked?")


def check_ends(answer: dict[str, Any], seed: int) -> Findings:
    """Where the answer is sent to, before node1 and behind it."""
    said = tuple(_end(answer[path]) for path in _ENDS)
    right = tuple(reply()[path] for path in _ENDS)
    if said == right:
        return ()
    if said[0] == right[1]:
        text = (
            "You seem to think that ext answers to the pod. "
            "ext knows only the source that it has seen."
        )
        return fail(text, "ANSWER_TO_POD")
    if said[1] == right[0]:
        text = (
            "You seem to think that the pod gets the answer as it came to node1. "
            "Its socket has another address."
        )
        return fail(text, "NOT_TURNED_BACK")
    for one in said:
        if one == f"{own('ext')}:80":
            text = "You seem to give where the answer comes from. Asked is where it goes to."
            return fail(text, "SOURCE_END")
        if str(one).endswith(":80"):
            text = (
                "You seem to keep the request's destination port. "
                "In an answer the two ports change places."
            )
            return fail(text, "SAME_PORT")
    if said[1] == f"{BRIDGE}:{SPORT}":
        text = (
            "You seem to think that the device where a packet leaves is its destination. "
            "It only hands the packet on."
        )
        return fail(text, "DEVICE_END")
    return fail("To which address and port does ext answer? And which socket waits in web2?")


def check_flushed(answer: dict[str, Any], seed: int) -> Findings:
    """The rule is gone, and the flow goes on."""
    said = {path.partition(".")[2]: address(answer[path]) for path in _FLOWS}
    if said == flushed():
        return ()
    if said["known"] == flushed()["new"]:
        text = (
            "You seem to think that the translation ends with its rule. "
            "The rule only made an entry, and that one stays."
        )
        return fail(text, "RULE_TRANSLATES")
    if said["new"] == flushed()["known"]:
        text = (
            "You seem to think that what is known about one flow holds for others. "
            "A new source port makes a new connection."
        )
        return fail(text, "NODE_REMEMBERS")
    if forms.nobody(said["new"]) == "nobody":
        text = (
            "You seem to think that without a rule no packet leaves. Routing needs no translation."
        )
        return fail(text, "NEVER_LEAVES")
    return fail("Which of the two datagrams belongs to a connection that conntrack knows?")


ITEMS = (
    Item("10.seen.flannel", 3, "flannel's masquerade", check_flannel,
         tuple(f"flannel.{key}" for key in TARGETS)),
    Item("10.seen.rules", 2, "The rules that decided", check_rules, _RULES),
    Item("10.seen.docker", 2, "Docker's masquerade", check_docker,
         tuple(f"docker.{key}" for key in TARGETS)),
    Item("10.seen.none", 2, "No masquerade", check_none, _NONE),
    Item("10.reply.counts", 2, "Which packets meet a rule", check_counts, _COUNTS),
    Item("10.reply.ends", 1, "Where the answer goes", check_ends, _ENDS),
    Item("10.reply.flushed", 2, "The rule is gone", check_flushed, _FLOWS),
)  # fmt: skip
