"""The rubric of 07.tuples and 07.second: what conntrack remembers.

The model walks the same packets when the check runs; nothing here says what it will find.
``checks_filter`` holds the other predictions, ``checks_verdict`` and ``checks_publish`` the tasks
in which code is written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.trace import Trace

Answer = dict[str, Any]
RULES = (
    "iptables -t nat -A PREROUTING -d 10.96.0.99 -p tcp --dport 80"
    " -j DNAT --to-destination 10.1.20.4:8080",
    "iptables -t nat -A POSTROUTING -s 10.1.15.0/24 ! -o docker0 -j MASQUERADE",
    "iptables -A FORWARD -s 10.1.0.0/16 -j ACCEPT",
)
SPORT = 40007


@lru_cache(maxsize=1)
def bare() -> Cluster:
    """host-gw, no kube-proxy, and no FORWARD rules of flanneld's."""
    return Cluster.example("host-gw", proxy_mode="none", flanneld="--iptables-forward-rules=false")


def steps_of(trace: Trace, netns: str) -> list[Any]:
    """A packet's steps in one namespace."""
    return [step for hop in trace.hops if hop.netns == netns for step in hop.steps]


def met(trace: Trace, netns: str = "node1") -> list[str]:
    """The tables and chains there in which some rule matched."""
    return sorted({step.stage for step in steps_of(trace, netns) if step.rules})


def packet(exchange: Exchange, label: str) -> Trace:
    """The first packet with that label."""
    return next(trace for trace in exchange.packets if trace.label == label)


# -- 07.tuples ------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def walk() -> Exchange:
    """web1 connects to 10.96.0.99:80, under the three rules."""
    cluster = bare().clone()
    for rule in RULES:
        cluster["node1"].sh(rule)
    return cluster.connect("web1", "10.96.0.99", port=80, sport=SPORT)


@lru_cache(maxsize=1)
def entry() -> dict[str, tuple[str, str, int, int]]:
    """The connection's two tuples in node1's conntrack: source, destination, ports."""
    request = walk().request
    assert request is not None
    last = next(s.by for s in steps_of(request, "node1")[::-1] if s.stage == "nat POSTROUTING")
    found = {}
    for name, tuple_ in (("original", last.original), ("reply", last.reply)):
        found[name] = (tuple_.src, tuple_.dst, tuple_.sport, tuple_.dport)
    return found


def address(value: Any) -> Any:
    """An address from itself, from ``ADDRESS:PORT`` or from its owner's name."""
    return forms.address(value, bare().network.names)


@lru_cache(maxsize=1)
def bridge() -> str:
    """The address of node1's bridge."""
    names = bare().network.names.ips
    return next(ip for ip, name in names.items() if name == "node1 docker0")


def _tuple(answer: Answer, name: str) -> tuple[Any, ...]:
    ends = [address(answer[f"{name}.{key}"]) for key in ("src", "dst")]
    return (*ends, *(forms.whole(answer[f"{name}.{key}"]) for key in ("sport", "dport")))


def check_original(answer: Answer, seed: int) -> Findings:
    """The tuple of the packets that web1 sends."""
    said, right, reply = _tuple(answer, "original"), entry()["original"], entry()["reply"]
    if same(said, right):
        return ()
    if said[0] == reply[1] or said[1] == reply[0] or said[3] == reply[2]:
        text = (
            "You seem to think that the first tuple shows the translated packet. "
            "conntrack looks before nat does."
        )
        return fail(text, "TRANSLATED_FIRST")
    return fail("The first tuple is the SYN as web1 sent it. Read its addresses and ports.")


_BRIDGE = (
    "You seem to think that MASQUERADE puts in the bridge's address. "
    "It takes the address of the device by which the packet leaves."
)


def check_reply(answer: Answer, seed: int) -> Findings:
    """The tuple of the answers."""
    said, (src, dst, sport, dport) = _tuple(answer, "reply"), entry()["original"]
    right = entry()["reply"]
    if same(said, right):
        return ()
    # None: whatever stands there.
    beliefs = (
        ((None, right[0], None, None), "NOT_TURNED",
         "You seem to show a packet on its way to the pod. The second tuple is its answer."),
        ((*right[:2], right[3], None), "NOT_TURNED",
         "You seem to turn the addresses round, but not the ports. They change places, too."),
        ((*right[:2], dport, sport), "DNAT_FORGOTTEN",
         "You seem to keep the old port. DNAT has changed the port as well."),
        ((dst, src, dport, sport), "TURNED_ONLY",
         "You seem to turn the first tuple round. With NAT, the answer comes in otherwise."),
        ((dst, right[1], None, sport), "DNAT_FORGOTTEN",
         "You seem to forget the DNAT. The pod answers from its own address and port."),
        ((right[0], src, None, sport), "SNAT_FORGOTTEN",
         "You seem to forget the MASQUERADE. The pod answers to the source that it saw."),
        ((None, bridge(), None, None), "MASQ_BRIDGE", _BRIDGE),
    )  # fmt: skip
    for predicted, belief, text in beliefs:
        if all(
            one is None or same(*two) for one, *two in zip(predicted, said, predicted, strict=True)
        ):
            return fail(text, belief)
    return fail("The second tuple is the answer as it comes in on node1. Who sends it, to whom?")


def check_sees(answer: Answer, seed: int) -> Findings:
    """Whom the two ends see."""
    exchange = walk()
    assert exchange.request is not None and exchange.reply is not None
    said = [address(answer[key]) for key in ("backend_sees", "web1_sees")]
    ends = [exchange.request.last.packet.ip, exchange.reply.last.packet.ip]
    wanted = [ip.src for ip in ends if ip is not None]
    if same(said, wanted):
        return ()
    original, reply = entry()["original"], entry()["reply"]
    if said[0] == original[0]:
        text = "You seem to think that backend-b sees web1. MASQUERADE has put another source."
        return fail(text, "SRC_KEPT", exchange)
    if said[0] == bridge():
        return fail(_BRIDGE, "MASQ_BRIDGE", exchange)
    if said[1] == reply[0]:
        text = (
            "You seem to think that the answer shows the pod's address. "
            "web1 would not know such a connection."
        )
        return fail(text, "ANSWER_FROM_POD", exchange)
    if said[0] == wanted[0]:
        text = "web1 waits for an answer from the address that it asked. This is another one."
        return fail(text, None, exchange)
    return fail("Look at the packets where they arrive: at backend-b, and at web1.", None, exchange)


def check_route(answer: Answer, seed: int) -> Findings:
    """The route of the SYN."""
    exchange = walk()
    assert exchange.request is not None
    routes = [s.by for s in steps_of(exchange.request, "node1") if s.stage == "route"]
    if forms.is_route(answer["route"], str(routes[0])):
        return ()
    said = forms.route(answer["route"])
    if isinstance(said, tuple) and said[0] == "0.0.0.0/0":
        text = (
            "You seem to think that a forwarded packet is DNATed after routing. "
            "The route must fit the new destination."
        )
        return fail(text, "DNAT_POST", exchange)
    return fail("This route does not decide about the SYN. Which contains its new destination?",
                None, exchange)  # fmt: skip


def check_rule(answer: Answer, seed: int) -> Findings:
    """Which rule translates the answer."""
    exchange = walk()
    assert exchange.reply is not None
    none = not [stage for stage in met(exchange.reply) if stage.startswith("nat")]
    said = answer["rule"]
    memory = str(said).lower().startswith("conntrack")
    if none and (memory or forms.none(said)) and "ROUTING" not in str(said).upper():
        return ()
    text = "You seem to think that replies need their own rule. The connection is remembered."
    return fail(text, "SNAT_REPLY", exchange)


# -- 07.second ------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def counted() -> dict[str, int]:
    """How often each of the three rules matched after two connections of web1."""
    cluster = bare().clone()
    node1 = cluster["node1"]
    for rule in RULES:
        node1.sh(rule)
    for sport in (SPORT, SPORT + 1):
        cluster.connect("web1", "10.96.0.99", port=80, sport=sport)
    places = {"dnat": ("nat", "PREROUTING"), "masquerade": ("nat", "POSTROUTING"),
              "forward": ("filter", "FORWARD")}  # fmt: skip
    return {key: pkts(cluster, "node1", *place) for key, place in places.items()}


def pkts(cluster: Cluster, node: str, table: str, chain: str) -> int:
    """The pkts of a chain's first rule, as ``iptables -vnxL`` prints them."""
    lines = cluster[node].sh(f"iptables -t {table} -vnxL {chain}").splitlines()
    return int(lines[2].split()[0])


_NAT_EVERY = (
    "You seem to think that nat rules see every packet of a connection. "
    "conntrack remembers what they said."
)


def check_counts(answer: Answer, seed: int) -> Findings:
    """How often the two nat rules matched."""
    said = [forms.whole(answer[key]) for key in ("dnat", "masquerade")]
    wanted = [counted()["dnat"], counted()["masquerade"]]
    if same(said, wanted):
        return ()
    numbers = [n for n in said if isinstance(n, int) and not isinstance(n, bool)]
    if any(n > max(wanted) for n in numbers):
        return fail(_NAT_EVERY, "NAT_EVERY")
    if 1 in numbers:
        text = (
            "You seem to think that a nat rule is asked once for ever. Each connection asks anew."
        )
        return fail(text, "NAT_ONCE_EVER")
    return fail("Each of the two rules matched for some packets of the two connections. Which?")


def check_filter(answer: Answer, seed: int) -> Findings:
    """Whether the filter rule matched more often."""
    more = counted()["forward"] > counted()["dnat"]
    if same(forms.yes(answer["forward_more"]), more):
        return ()
    text = "You seem to think that filter rules see the first packet only. They see every packet."
    return fail(text, "FILTER_ONCE")


def _check_met(key: str, label: str) -> Any:
    def check(answer: Answer, seed: int) -> Findings:
        trace = packet(walk(), label)
        said = forms.chains(answer[key])
        if same(said, met(trace)):
            return ()
        if said in ([], "conntrack"):
            text = (
                "You seem to think that filter rules do not see this packet. "
                "They see every packet of a connection."
            )
            return fail(text, "SKIPS_FILTER")
        if isinstance(said, list) and any(name.startswith("nat ") for name in said):
            if key == "answer":
                text = "You seem to think that replies need their own nat rule. None is asked."
                return fail(text, "SNAT_REPLY")
            return fail(_NAT_EVERY, "NAT_EVERY")
        return fail("This is not where a rule matched. Look at step.rules of the packet.")

    return check


_FOUR = ("src", "dst", "sport", "dport")

ITEMS = (
    Item("07.tuples.original", 1, "The first tuple", check_original,
         tuple(f"original.{key}" for key in _FOUR)),
    Item("07.tuples.reply", 3, "The second tuple", check_reply,
         tuple(f"reply.{key}" for key in _FOUR)),
    Item("07.tuples.sees", 2, "Whom the ends see", check_sees, ("backend_sees", "web1_sees")),
    Item("07.tuples.route", 2, "The route on node1", check_route, ("route",)),
    Item("07.tuples.rule", 2, "The rule for the answer", check_rule, ("rule",)),
    Item("07.second.counts", 2, "The nat rules' counters", check_counts, ("dnat", "masquerade")),
    Item("07.second.filter", 1, "The filter rule's counter", check_filter, ("forward_more",)),
    Item("07.second.ack", 2, "What the ACK meets", _check_met("ack", "TCP A"), ("ack",)),
    Item("07.second.answer", 2, "What the SYN/ACK meets", _check_met("answer", "TCP SA"),
         ("answer",)),
)  # fmt: skip
