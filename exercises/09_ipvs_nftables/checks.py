"""The rubrics of 09.modes, 09.turns and 09.migrate: one cluster in three modes.

The model sends the same packets when the check runs; nothing here says what it will find.
``checks_tables`` holds the rubrics of the tasks in which code is written.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail

MODES = ("iptables", "nftables", "ipvs")
VIP, WRONG, NODE_PORT = "10.96.0.10", 8080, 30080
ADDRESSES = ("127.0.0.1", "10.1.15.1", "192.168.66.11")


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
    if re.match(r"(the )?(default )?rout|default|0\.0\.0\.0/0|via ", text):
        return "route"
    named = re.search(r"kube-[a-z]+(?:-[a-z]+)*|[a-z]+(?:-[a-z]+)*-c(?:heck|hain)", text)
    return named[0] if named else text


def _said(answer: dict[str, Any], mode: str, what: str) -> tuple[Any, Any]:
    return forms.outcome(answer[f"{mode}.{what}"]), decider(answer[f"{mode}.{what}_by"])


_DECIDER = "In {} mode another chain decides, or a route."


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
        if said[0] == right[0]:
            return fail(_DECIDER.format(mode), None, walk(mode, "ping"))
        other = fail(f"In {mode} mode the ping fares otherwise.", None, walk(mode, "ping"))
        return dropped(said, mode, "ping") or other
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
            return fail(_DECIDER.format(mode), None, exchange)
        other = fail(f"In {mode} mode the packet fares otherwise.", None, exchange)
        return dropped(said, mode, "port") or other
    return ()


def check_device(answer: dict[str, Any], seed: int) -> Findings:
    """Which device has the ClusterIP."""
    for mode in MODES:
        said = forms.nobody(forms.host(answer[f"{mode}.device"]), "none")
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
    said = tuple(forms.host(answer[path]) for path in _NEXT)
    right = tuple(turns()[path] for path in _NEXT)
    if said == right:
        return ()
    if said[0] == right[0] and said[1] == order()[1]:
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
    return fail("What is the worst case of three draws? And of three turns?")


# -- 09.migrate -----------------------------------------------------------------------------------


@lru_cache(maxsize=3)
def works(mode: str) -> list[str]:
    """The addresses at which a process on node1 reaches the node port."""
    return [ip for ip in ADDRESSES if cluster(mode).clone().connect("node1", ip, port=NODE_PORT).ok]


@lru_cache(maxsize=1)
def journal() -> tuple[str, str]:
    """(the mode whose kube-proxy says that it is deprecated, the mode that it names instead)."""
    for mode in MODES:
        text = cluster(mode)["node1"].sh("journalctl -u kube-proxy -o cat")
        match = re.search(r"deprecated.*use '(\w+)' instead", text)
        if match:
            return mode, match[1]
    raise AssertionError("no mode is deprecated")


def addresses(value: Any) -> Any:
    """A sorted list of addresses, from a list or a text; ports do not count."""
    if isinstance(value, str):
        value = re.findall(r"\d+\.\d+\.\d+\.\d+|localhost|docker0|eth0", value)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return value
    names = {"localhost": "127.0.0.1", "docker0": "10.1.15.1", "eth0": "192.168.66.11"}
    found = {names.get(host, host) for one in value for host in [one.partition(":")[0].strip()]}
    return [ip for ip in ADDRESSES if ip in found] + sorted(found - set(ADDRESSES))


def check_works(answer: dict[str, Any], seed: int) -> Findings:
    """Node ports in iptables and nftables mode."""
    said = {mode: addresses(forms.empty(answer[f"works.{mode}"])) for mode in MODES[:2]}
    if all(said[mode] == works(mode) for mode in said):
        return ()
    text = (
        "You seem to think that 127.0.0.1 and the node port go together in every mode. "
        "One mode has a list of addresses for that."
    )
    if "127.0.0.1" in str(said["nftables"]):
        return fail(text, "NP_LOCALHOST", local("nftables"))
    if "127.0.0.1" not in str(said["iptables"]):
        text = (
            "You seem to think that a node port never works on 127.0.0.1. "
            "One mode serves it, with a sysctl's help."
        )
        return fail(text, "NEVER_LOCAL", local("iptables"))
    if "10.1.15.1" in str(said["nftables"]):
        text = (
            "You seem to think that every address of the node serves node ports. "
            "One mode takes the node's main address only."
        )
        return fail(text, "ALL_ADDRESSES")
    return fail("In each mode, print what asks about the address: a rule, or a set.")


@lru_cache(maxsize=3)
def local(mode: str) -> Exchange:
    """A process on node1 connects to the node port on 127.0.0.1."""
    return cluster(mode).clone().connect("node1", "127.0.0.1", port=NODE_PORT)


def check_ipvs(answer: dict[str, Any], seed: int) -> Findings:
    """Node ports in IPVS mode."""
    said = addresses(forms.empty(answer["works.ipvs"]))
    if said == works("ipvs"):
        return ()
    if "127.0.0.1" in str(said):
        text = (
            "You seem to think that 127.0.0.1 and the node port go together in every mode. "
            "Virtual servers are made for other addresses only."
        )
        return fail(text, "NP_LOCALHOST", local("ipvs"))
    if said == works("nftables"):
        text = (
            "You seem to think that IPVS serves node ports as nftables does. "
            "Print its virtual servers: ipvsadm -Ln."
        )
        return fail(text, "AS_NFTABLES")
    return fail("For which addresses of node1 is there a virtual server with this port?")


def check_future(answer: dict[str, Any], seed: int) -> Findings:
    """Which mode goes, and which one comes."""
    said = tuple(forms.host(answer[path]) for path in ("deprecated", "advised"))
    if said == journal():
        return ()
    if said[1] == journal()[0] or (said[0] in MODES and said[0] != journal()[0]):
        text = (
            "You seem to think that IPVS is the mode of the future. "
            "kube-proxy's journal says something else."
        )
        return fail(text, "IPVS_FUTURE")
    return fail("Read what kube-proxy says in its journal, in each mode.")


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
    Item("09.migrate.works", 3, "iptables and nftables mode", check_works,
         ("works.iptables", "works.nftables")),
    Item("09.migrate.ipvs", 1, "IPVS mode", check_ipvs, ("works.ipvs",)),
    Item("09.migrate.future", 2, "The mode that goes, the mode that comes", check_future,
         ("deprecated", "advised")),
)  # fmt: skip
