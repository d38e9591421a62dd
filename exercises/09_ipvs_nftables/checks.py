"""The rubrics of 09.modes and 09.turns: one cluster in three modes.

The model sends the same packets when the check runs; nothing here says what it will find.
``checks_tables`` holds the rubrics of the tasks in which code is written, ``checks_migrate`` that
of 09.migrate.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail

MODES = ("iptables", "nftables", "ipvs")
VIP, WRONG = "10.96.0.10", 8080


@lru_cache(maxsize=3)
def cluster(mode: str) -> Cluster:
    """The example cluster of the lesson in one mode."""
    return Cluster.example("host-gw", proxy_mode=mode)


# -- 09.modes -------------------------------------------------------------------------------------


@lru_cache(maxsize=6)
def walk(mode: str, what: str) -> Exchange:
    """web2 pings the ClusterIP, or connects to a port that the Service does not have."""
    copy = cluster(mode).clone()
    return copy.ping("web2", VIP) if what == "ping" else copy.connect("web2", VIP, port=WRONG)


@lru_cache(maxsize=6)
def fate(mode: str, what: str) -> tuple[str, str]:
    """What becomes of the packet; and the chain whose rule decided, or ``route``."""
    exchange = walk(mode, what)
    assert exchange.request is not None
    steps = [s for hop in exchange.request.hops if hop.netns == "node1" for s in hop.steps]
    rules = [rule for rule in steps[-1].rules if " rule " in str(rule)]
    if steps[-1].verdict in ("error", "drop") and rules:
        return exchange.outcome, str(rules[-1]).partition(" rule ")[0].rpartition(":")[2].lower()
    return exchange.outcome, "route"


@lru_cache(maxsize=3)
def device(mode: str) -> str:
    """The device of node1 that has the ClusterIP; or ``none``."""
    node1 = cluster(mode)["node1"]
    found = [name for name, dev in node1.devices.items() if any(a.ip == VIP for a in dev.addresses)]
    return found[0] if found else "none"


def decider(value: Any) -> Any:
    """A chain's name in small letters, from itself or from a rule; ``route`` for a route."""
    text = forms.words(value)
    if not isinstance(text, str):
        return value
    text = text.lower().replace("kube-proxy", "")
    named = re.search(r"kube-[a-z]+(?:-[a-z]+)*|[a-z]+(?:-[a-z]+)*-c(?:heck|hain)", text)
    if named:
        return named[0]
    if re.search(r"\brout|^default|0\.0\.0\.0/0|via ", text):
        return "route"
    return forms.nobody(text, "route")


def _said(answer: dict[str, Any], mode: str, what: str) -> tuple[Any, Any]:
    return forms.outcome(answer[f"{mode}.{what}"]), decider(answer[f"{mode}.{what}_by"])


_DECIDER = "In {} mode another chain decides, or a route."


def _by(said: Any, right: Any, mode: str, what: str) -> Findings:
    """A finding if only the chain is wrong."""
    exchange = walk(mode, what)
    if right[1] == "route" and str(said[1]).startswith("kube-"):
        text = (
            "You seem to think that a chain decides whatever passes it. "
            "A chain in which no rule matches decides nothing."
        )
        return fail(text, "CHAIN_DECIDES", exchange)
    if said[1] == "reject-chain":
        text = (
            "You seem to think that one chain refuses everything. "
            "That one is for Services without endpoints."
        )
        return fail(text, "ONE_REJECTS", exchange)
    if said[1] in ("input", "forward", "filter-input", "filter-forward"):
        text = (
            "You seem to name the chain that calls another one. "
            "Which chain has the rule that says no?"
        )
        return fail(text, "CALLER", exchange)
    return fail(_DECIDER.format(mode), None, exchange)


def _otherwise(said: Any, mode: str, what: str) -> Findings:
    """A finding for a wrong fate that means the same for a ping and for a port."""
    exchange = walk(mode, what)
    if said[0] == "dropped" and mode != "iptables":
        text = f"You seem to think that {mode} mode refuses silently. The sender gets an answer."
        return fail(text, "SILENT", exchange)
    if said[0] == "refused":
        text = (
            "You seem to think that the packet comes to a socket, or to none. It never gets so far."
        )
        return fail(text, "NO_SOCKET", exchange)
    packet = {"ping": "ping", "port": "packet"}[what]
    other = fail(f"In {mode} mode the {packet} fares otherwise.", None, exchange)
    return dropped(said, mode, what) or other


def dropped(said: Any, mode: str, what: str) -> Findings:
    """A finding if the packet is said to be dropped where no rule matches it."""
    if said[0] != "dropped" or mode != "iptables":
        return ()
    text = (
        "You seem to think that a packet without a matching rule is dropped. "
        "It is routed like any other packet."
    )
    return fail(text, "NO_MATCH_DROPS", walk(mode, what))


def check_ping(answer: dict[str, Any], seed: int) -> Findings:
    """A ping to the ClusterIP in each mode."""
    for mode in MODES:
        said, right = _said(answer, mode, "ping"), fate(mode, "ping")
        if said == right:
            continue
        if said[0] == "delivered":
            text = (
                "You seem to think that an address which is there answers a ping. "
                "A rule may stand before it, and no Service answers pings itself."
            )
            return fail(text, "PING_VIP", walk(mode, "ping"))
        if mode == "ipvs" and said[0] == "unreachable":
            text = (
                "You seem to think that a ClusterIP never sits on a device. "
                "In one mode it does, so the packet is for this host."
            )
            return fail(text, "VIP_NIC", walk(mode, "ping"))
        if mode == "nftables" and said[0] == "unreachable":
            text = (
                "You seem to think that a ping meets no rule in any mode. "
                "Two modes know all ClusterIPs."
            )
            return fail(text, "IPTABLES_WAY", walk(mode, "ping"))
        if mode == "iptables" and said[0] == "rejected":
            text = (
                "You seem to think that iptables mode has rules for whole addresses. "
                "Its rules ask for protocol and port as well."
            )
            return fail(text, "WHOLE_ADDRESS", walk(mode, "ping"))
        if said[0] == right[0]:
            return _by(said, right, mode, "ping")
        return _otherwise(said, mode, "ping")
    return ()


def check_port(answer: dict[str, Any], seed: int) -> Findings:
    """A port that the Service does not have, in each mode."""
    for mode in MODES:
        said, right = _said(answer, mode, "port"), fate(mode, "port")
        if said == right:
            continue
        exchange = walk(mode, "port")
        if said[0] == "delivered":
            text = (
                "You seem to think that the endpoints' port is open at the Service's address, too. "
                "A Service has only the ports that it names."
            )
            return fail(text, "TARGET_PORT", exchange)
        if mode == "iptables" and said[0] in ("rejected", "refused"):
            text = (
                "You seem to think that a wrong port is refused in every mode. "
                "Here no rule speaks of it at all."
            )
            return fail(text, "WRONG_PORT", exchange)
        if mode != "iptables" and said[0] == "unreachable":
            text = (
                "You seem to think that a wrong port meets no rule in any mode. "
                "Two modes know all ClusterIPs."
            )
            return fail(text, "IPTABLES_WAY", exchange)
        if said[0] == right[0]:
            return _by(said, right, mode, "port")
        return _otherwise(said, mode, "port")
    return ()


def device_name(value: Any) -> Any:
    """``kube-ipvs0`` from itself, ``node1:kube-ipvs0`` or ``kube-ipvs0 (node1)``."""
    name = forms.host(value)
    return name.rpartition(":")[2].strip() if isinstance(name, str) else name


def check_device(answer: dict[str, Any], seed: int) -> Findings:
    """Which device has the ClusterIP."""
    for mode in MODES:
        said = forms.nobody(device_name(answer[f"{mode}.device"]), "none")
        if said == device(mode):
            continue
        if said == "none":
            text = (
                "You seem to think that a ClusterIP never sits on a device. "
                "One mode must have the packet routed to the host itself."
            )
            return fail(text, "VIP_NIC")
        if device(mode) == "none":
            text = (
                f"You seem to think that {mode} mode needs the address on a device. "
                "A rule can match an address that nobody has."
            )
            return fail(text, "VIP_NEEDS_NIC")
        return fail("Print node1's devices: ip addr.")
    return ()


# -- 09.turns -------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def turns() -> dict[str, Any]:
    """Whose turn it is on each node after web2's first; what is sure in each mode."""
    made = cluster("ipvs").clone()
    made.connect("web2", "backend-svc")
    after = {
        source.replace("-", "_"): made.outcomes(source, "backend-svc")[0].receiver
        for source in ("web1", "backend-b")
    }
    return {f"next.{name}": end for name, end in after.items()} | {
        f"least.{mode}": _least(mode) for mode in MODES
    }


def _least(mode: str) -> int:
    """How many backends three connections in a row reach for sure."""
    one = cluster(mode).clone()
    if len(one.outcomes("web2", "backend-svc")) > 1:
        return 1  # a draw that remembers nothing may fall alike each time
    return len({end_of(one.connect("web2", "backend-svc")) for _ in range(3)})


def end_of(exchange: Exchange) -> str:
    """Where the request ended."""
    assert exchange.request is not None
    return exchange.request.end


_NEXT = ("next.web1", "next.backend_b")
_LEAST = tuple(f"least.{mode}" for mode in MODES)


def check_next(answer: dict[str, Any], seed: int) -> Findings:
    """Whose turn it is."""
    names = cluster("ipvs").network.names.ips
    said = tuple(names.get(one, one) for one in (forms.host(answer[path]) for path in _NEXT))
    right = tuple(turns()[path] for path in _NEXT)
    if said == right:
        return ()
    if said[0] == right[0] and said[1] in order()[1:]:
        text = (
            "You seem to think that all nodes share one turn. "
            "Each node has an IPVS table of its own."
        )
        return fail(text, "ONE_TURN")
    if said[0] == order()[0]:
        text = (
            "You seem to think that each client has its own turn. "
            "The virtual server counts for the node, whoever asks."
        )
        return fail(text, "CLIENT_TURN")
    return fail("Look at the lesson's order of turns. Which node's table is asked?")


@lru_cache(maxsize=1)
def order() -> tuple[str, ...]:
    """Whose turn it is on one node, one after the other."""
    one = cluster("ipvs").clone()
    return tuple(end_of(one.connect("web2", "backend-svc")) for _ in range(3))


def check_least(answer: dict[str, Any], seed: int) -> Findings:
    """What is sure."""
    said = tuple(forms.whole(answer[path]) for path in _LEAST)
    right = tuple(turns()[path] for path in _LEAST)
    if said == right:
        return ()
    if any(one == 3 != sure for one, sure in zip(said, right, strict=True)):
        text = (
            "You seem to think that every mode is round robin. "
            "A draw may fall on the same endpoint three times."
        )
        return fail(text, "RR")
    if said[2] == 1:
        text = "You seem to think that all modes draw. One of them remembers whose turn it is."
        return fail(text, "ALL_RANDOM")
    if 2 in said[:2]:
        text = "You seem to give what is likely. Asked is what holds in the worst case, too."
        return fail(text, "AVERAGE")
    return fail("What is the worst case of three draws? And of three turns?")


ITEMS = (
    *(
        Item(f"09.modes.{what}", 3, title, check,
             tuple(f"{mode}.{key}" for mode in MODES for key in (what, f"{what}_by")))
        for what, title, check in (
            ("ping", "A ping to the ClusterIP", check_ping),
            ("port", "A port that the Service does not have", check_port),
        )
    ),
    Item("09.modes.device", 2, "The device that has the ClusterIP", check_device,
         tuple(f"{mode}.device" for mode in MODES)),
    Item("09.turns.next", 2, "Whose turn it is", check_next, _NEXT),
    Item("09.turns.least", 3, "What is sure", check_least, _LEAST),
)  # fmt: skip
