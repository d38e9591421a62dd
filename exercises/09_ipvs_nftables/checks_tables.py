"""The rubrics of 09.verdict and 09.more: look a packet up, and count rules.

Packets walk through clusters in nftables mode (09.verdict) and through clusters with many Services
(09.more); what becomes of them, and how many rules they meet, is the right answer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from k8snetlib import Cluster
from k8snetlib.address import Prefix
from k8snetlib.cost import crowded
from k8snetlib.course import forms
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, wrong_type
from k8snetlib.kube.api import Service, ServicePort, example_spec, slice_of

SERVICES = "10.96.0.0/16"
_KEY = r"(\d+\.\d+\.\d+\.\d+) \. (\w+) \. (\d+)[^\n]*?: goto ([^\s,}]+)"


class Packet(NamedTuple):
    """What a packet is looked up by; a ping has no port."""

    dst: str
    proto: str
    port: int | None


@lru_cache(maxsize=16)
def cluster(seed: int) -> tuple[Cluster, tuple[str, ...], int]:
    """A cluster in nftables mode; the addresses of its three Services; a port of the first two.

    The first Service has two TCP ports, the second one port for TCP and for UDP, the third has no
    endpoints.
    """
    dice = random.Random(f"verdicts {seed}")
    spec = generated_spec(seed)
    ips = tuple(f"10.96.{dice.randint(1, 99)}.{last}" for last in dice.sample(range(2, 250), 3))
    shop, dns = dice.randint(81, 440), dice.randint(1024, 9000)
    # A chain's name holds the Service's: so answers to one seed do not fit another.
    first, second = dice.sample(("shop", "cart", "stock", "search", "login", "news", "mail"), 2)
    made = (
        Service(first, ips[0], (ServicePort("http", "tcp", shop, 8080),
                                 ServicePort("https", "tcp", 443, 8080))),
        Service(second, ips[1], (ServicePort("tcp", "tcp", dns, 8080),
                                  ServicePort("udp", "udp", dns, 53))),
        Service("empty", ips[2], (ServicePort("http", "tcp", shop, 8080),)),
    )  # fmt: skip
    behind = [pod for pod in spec.pods if pod.name == "backend"]
    slices = tuple(slice_of(one, behind if one.name != "empty" else []) for one in made)
    network = spec.network._replace(
        backend="host-gw", proxy_mode="nftables", service_network=Prefix.parse(SERVICES)
    )
    whole = spec._replace(network=network, services=made, slices=slices)
    return Cluster(whole), (*ips, behind[0].ip), shop


def elements(seed: int, name: str) -> dict[tuple[str, str, int], str]:
    """A verdict map of node1, read from what ``nft list`` prints."""
    text = cluster(seed)[0]["node1"].sh(f"nft list map ip kube-proxy {name}")
    found = re.findall(_KEY, text)
    return {(ip, proto, int(port)): chain for ip, proto, port, chain in found}


@lru_cache(maxsize=16)
def tables(seed: int) -> tuple[Any, ...]:
    """The arguments that all calls of one seed share."""
    text = cluster(seed)[0]["node1"].sh("nft list set ip kube-proxy cluster-ips")
    known = re.findall(r"\d+\.\d+\.\d+\.\d+", text)
    services = [[*key, chain] for key, chain in elements(seed, "service-ips").items()]
    empty = [list(key) for key in elements(seed, "no-endpoint-services")]
    return (services, empty, known, SERVICES)


@lru_cache(maxsize=16)
def packets(seed: int) -> tuple[tuple[str, Packet], ...]:
    """Packets of every kind, each in the group whose item judges it."""
    _, (shop, names, empty, pod), port = cluster(seed)
    (dns,) = {key[2] for key in elements(seed, "service-ips") if key[0] == names}
    vacant = f"10.96.200.{port % 250 + 1}"
    return (
        ("hit", Packet(shop, "tcp", port)),
        ("hit", Packet(shop, "tcp", 443)),
        ("hit", Packet(names, "tcp", dns)),
        ("hit", Packet(names, "udp", dns)),
        ("empty", Packet(empty, "tcp", port)),
        ("known", Packet(shop, "tcp", port + 1)),
        ("known", Packet(names, "tcp", 443)),
        ("known", Packet(shop, "icmp", None)),
        ("vacant", Packet(vacant, "tcp", port)),
        ("vacant", Packet(vacant, "icmp", None)),
        ("others", Packet(pod, "tcp", 8080)),
        ("others", Packet("203.0.113.10", "tcp", 80)),
        ("others", Packet(pod, "icmp", None)),
    )


def verdict_calls(seed: int) -> tuple[Call, ...]:
    """One call a packet."""
    return tuple(Call(group, (*tables(seed), *packet)) for group, packet in packets(seed))


@lru_cache(maxsize=128)
def walked(seed: int, packet: Packet) -> str | None:
    """What node1 does with web2's packet: the chain it goes to, a word, or None."""
    exchange = cluster(seed)[0].clone().send(
        "web2", packet.dst, packet.port, proto=packet.proto
    )  # fmt: skip
    assert exchange.request is not None
    matched = [str(rule) for step in exchange.request.steps for rule in step.rules]
    chains = [m[1] for rule in matched if (m := re.search(r"rule goto (service-\S+)", rule))]
    if chains:
        return chains[0]
    return {"rejected": "reject", "dropped": "drop"}.get(exchange.outcome)


# -- what somebody might think -------------------------------------------------------------------


def found(services: Sequence[Sequence[Any]], *wanted: Any) -> str | None:
    """The chain of the first entry whose fields agree; ``None`` in ``wanted`` agrees with all."""
    for *key, chain in services:
        if all(want in (None, has) for want, has in zip(wanted, key, strict=True)):
            return str(chain)
    return None


def instead(**words: Any) -> Any:
    """The way through the tables, with some verdicts exchanged: those for ``empty``, ``known``,
    ``vacant`` and ``others``."""

    def predicts(
        services: Any, empty: Any, known: Any, network: str, dst: str, proto: str, port: Any
    ) -> Any:
        chain = found(services, dst, proto, port) if port is not None else None
        if chain is not None:
            return chain
        if [dst, proto, port] in empty:
            return words.get("empty", "reject")
        if dst in known:
            return words.get("known", "reject")
        if dst in Prefix.parse(network):
            return words.get("vacant", "drop")
        return words.get("others")

    return predicts


def _any_protocol(services: Any, *rest: Any) -> str | None:
    return found(services, rest[3], None, rest[5])


def _address_only(services: Any, *rest: Any) -> str | None:
    return found(services, rest[3], None, None)


def _no_ping(*args: Any) -> Any:
    return None if args[5] == "icmp" else instead()(*args)


_PING = (
    "You seem to think that kube-proxy's tables let every ping pass. "
    "The last two ask for the address only, whatever the protocol."
)
_NO_MATCH = (
    "You seem to think that a packet without an entry is routed on, as in iptables mode. "
    "nftables mode knows all ClusterIPs."
)
_UNUSED = (
    "You seem to think that an unused address is routed on, as in iptables mode. "
    "nftables mode knows the whole range."
)
_ADDRESS = (
    "You seem to look up the address alone. "
    "A Service may have several ports, and each has a chain of its own."
)

BELIEFS: Mapping[str, tuple[Belief, ...]] = {
    "hit": (
        Belief("KNOWN_FIRST", "You seem to ask the list of known addresses first. "
               "Then no Service would be reached at all.", lambda *args: "reject"),
        Belief("ADDRESS_ONLY", _ADDRESS, _address_only),
        Belief("ANY_PROTOCOL", "You seem to look up address and port only. TCP and UDP ports with "
               "one number are two different ports.", _any_protocol),
    ),
    "empty": (
        Belief("EMPTY_DROPS", "You seem to think that a Service without endpoints stays silent. "
               "The client is told at once.", instead(empty="drop")),
        Belief("EMPTY_PASSES", "You seem to think that a Service without endpoints is unknown. "
               "It has an entry, in a map of its own.", instead(empty=None)),
    ),
    "known": (
        Belief("IPTABLES_WAY", _NO_MATCH, instead(known=None)),
        Belief("SILENT", "You seem to think that a wrong port is dropped silently. "
               "The sender gets an answer.", instead(known="drop")),
        Belief("ADDRESS_ONLY", _ADDRESS, _address_only),
        Belief("PING_FREE", _PING, _no_ping),
        Belief("PING_FREE", _PING, lambda *args: _no_ping(*args) or "accept"),
    ),
    "vacant": (
        Belief("PING_FREE", _PING, _no_ping),
        Belief("VACANT_PASSES", _UNUSED,
               instead(vacant=None)),
        Belief("VACANT_REJECTS", "You seem to treat an unused address like a wrong port. "
               "For an address that nobody has, there is no answer.", instead(vacant="reject")),
    ),
    "others": (
        Belief("ALL_REFUSED", "You seem to refuse what is no Service. "
               "Pods and the internet must stay reachable.", instead(others="reject")),
        Belief("ALL_REFUSED", "You seem to drop what is no Service. "
               "Pods and the internet must stay reachable.", instead(others="drop")),
    ),
}  # fmt: skip

_OTHERWISE = {
    "hit": "A packet to a Service goes to another chain. Compare all three parts of the key.",
    "empty": "This is not what happens to a packet for a Service without endpoints.",
    "known": "This is not what happens to a packet for a known ClusterIP and an unknown port.",
    "vacant": "This is not what happens to a packet for an unused address of the range.",
    "others": "A packet that is for no Service meets no verdict of kube-proxy.",
}


def _check(group: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        wanted = "a chain's name, 'reject', 'drop', or None"
        plain = [r._replace(value=None) if r.value is False else r for r in replies]
        return wrong_type(plain, (str, type(None)), wanted) or compare(
            plain,
            lambda *args: walked(seed, Packet(*args[4:])),
            BELIEFS[group],
            _OTHERWISE[group],
            read=_word,
            witness=_asked,
        )

    return check


def _word(value: Any) -> Any:
    """A chain's name without ``goto`` or ``jump``; other words in small letters."""
    text = re.sub(r"^\s*(goto|jump)\s+", "", value).strip() if isinstance(value, str) else value
    small = {
        "none": None, "no": None, "": None, "reject": "reject", "reject-chain": "reject",
        "rejected": "reject", "drop": "drop", "dropped": "drop",
    }  # fmt: skip
    return small.get(text.lower(), text) if isinstance(text, str) else text


def _asked(reply: Reply) -> str:
    *_, dst, proto, port = reply.args
    where = dst if port is None else f"{dst}, port {port}"
    return f"packet         {proto} to {where}\nyou returned   {reply.value}"


# -- 09.more -------------------------------------------------------------------------------------

PLACES = ("first", "middle", "last")


@lru_cache(maxsize=128)
def tested(mode: str, place: str, services: int) -> int:
    """How many rules node1 tests for web2's new connection, beside so many other Services."""
    spec = crowded(example_spec("host-gw", mode), services, place if place in PLACES else "last")
    target, port = ("10.1.20.3", 8080) if place == "pod" else ("backend-svc", 80)
    exchange = Cluster(spec).connect("web2", target, port=port, endpoint="backend")
    assert exchange.request is not None
    return exchange.request.evaluated["node1"]


@lru_cache(maxsize=16)
def sizes(seed: int) -> tuple[int, int]:
    """Two even numbers of other Services."""
    dice = random.Random(f"growth {seed}")
    small = 2 * dice.randint(3, 9)
    return small, small + 2 * dice.randint(10, 40)


def more_calls(seed: int) -> tuple[Call, ...]:
    """The list at three places, the look-ups, and a packet that is for no Service."""
    calls = [Call("list", ("iptables", place, *sizes(seed))) for place in PLACES]
    looked_up = [("nftables", "last"), ("ipvs", "last"), ("nftables", "first"), ("ipvs", "pod")]
    calls += [Call("maps", (*pair, *sizes(seed))) for pair in looked_up]
    return (*calls, Call("pod", ("iptables", "pod", *sizes(seed))))


def right(mode: str, place: str, few: int, many: int) -> int:
    """By how much the number of tested rules grows."""
    return tested(mode, place, many) - tested(mode, place, few)


_ALL = (
    "You seem to think that the whole list is always read. "
    "A packet leaves the list at the rule that matches."
)
_OWN = (
    "You seem to count a rule, or a look-up, that is there before and after. "
    "Only what is added counts."
)
_TOTAL = (
    "You seem to count all rules that are tested. Asked is how many more there are than before."
)
_VIRTUAL = (
    "You seem to think that IPVS reads its virtual servers one by one. "
    "The kernel computes where the entry must be."
)
_NOTHING = (
    "You seem to think that the number of Services costs nothing. "
    "In iptables mode all of them stand in one list."
)


def _linear(place: str, growth: int) -> int:
    return {"first": 0, "middle": growth // 2}.get(place, growth)


def _grows(mode: str, place: str, few: int, many: int, *, plus: tuple[int, ...]) -> int:
    return _linear(place, many - few) + plus[PLACES.index(place)]


def _all_of(mode: str, place: str, few: int, many: int, *, plus: tuple[int, ...]) -> int:
    return _grows(mode, place, 0, many, plus=plus)


MORE: Mapping[str, tuple[Belief, ...]] = {
    "list": (
        Belief("WHOLE_LIST", _ALL, lambda mode, place, few, many: many - few),
        Belief("FREE_LIST", _NOTHING, lambda *_: 0),
        *(Belief("OWN_RULE", _OWN, partial(_grows, plus=plus))
          for plus in ((0, 1, 1), (1, 0, 0), (1, 1, 1))),
        *(Belief("TOTAL", _TOTAL, partial(_all_of, plus=plus))
          for plus in ((0, 0, 0), (1, 0, 0), (1, 1, 1))),
        Belief("ALWAYS_HALF", "You seem to take the average for every place. A Service at the top "
               "of the list is found at once.", lambda mode, place, few, many: (many - few) // 2),
    ),
    "maps": (
        Belief("MAP_IS_LIST", "You seem to think that a map is read entry by entry. "
               "The kernel computes where the entry must be.",
               lambda mode, place, few, many: _linear(place, many - few)),
        Belief("MAP_IS_LIST", "You seem to think that a map is read entry by entry. "
               "The kernel computes where the entry must be.",
               lambda mode, place, few, many: many - few),
        Belief("IPVS_LIST", _VIRTUAL,
               lambda mode, place, few, many: _linear(place, many - few) * (mode == "ipvs")),
        Belief("OWN_RULE", _OWN, lambda *_: 1),
    ),
    "pod": (
        Belief("OWN_RULE", _OWN, lambda mode, place, few, many: many - few + 1),
        Belief("TOTAL", _TOTAL, lambda mode, place, few, many: many),
        Belief("TOTAL", _TOTAL, lambda mode, place, few, many: many + 1),
        Belief("PODS_FREE", "You seem to think that a packet to a pod meets no rule of a Service. "
               "The kernel must read the list to learn that.", lambda *_: 0),
        Belief("PODS_HALF", "You seem to think that such a packet leaves the list half-way. "
               "Which rule would let it out?", lambda mode, place, few, many: (many - few) // 2),
    ),
}  # fmt: skip


_GROWTH = {
    "list": "Count the rules that the packet meets before its own Service's rule.",
    "maps": "How many rules ask the map or IPVS's table, however many entries they have?",
    "pod": "This packet is for no Service. After which rule is it done with the list?",
}


def _check_more(group: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        read = [r._replace(value=_whole(r.value)) for r in replies]
        return wrong_type(read, (int, float), "a whole number") or compare(
            read, right, MORE[group], _GROWTH[group], witness=_grown
        )

    return check


def _whole(value: Any) -> Any:
    value = forms.whole(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _grown(reply: Reply) -> str:
    mode, place, few, many = reply.args
    return f"{mode}, {place}: from {few} to {many} other Services\nyou returned   {reply.value}"


CALLS = {"09.verdict": verdict_calls, "09.more": more_calls}

ITEMS = (
    Item("09.verdict.hit", 3, "Packets for a Service", _check("hit")),
    Item("09.verdict.empty", 1, "A Service without endpoints", _check("empty")),
    Item("09.verdict.known", 2, "A known address, an unknown port", _check("known")),
    Item("09.verdict.vacant", 1, "An address that no Service has", _check("vacant")),
    Item("09.verdict.others", 1, "What is for no Service", _check("others")),
    Item("09.more.list", 3, "A list of rules", _check_more("list")),
    Item("09.more.maps", 2, "A map, and virtual servers", _check_more("maps")),
    Item("09.more.pod", 1, "A packet that is for no Service", _check_more("pod")),
)
