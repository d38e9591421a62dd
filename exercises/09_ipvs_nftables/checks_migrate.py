"""The rubric of 09.migrate: what works in which mode, and what kube-proxy says of its future.

The model connects when the check runs; nothing here says what it will find.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail

MODES = ("iptables", "nftables", "ipvs")
NODE_PORT = 30080
ADDRESSES = ("127.0.0.1", "10.1.15.1", "192.168.66.11")


@lru_cache(maxsize=3)
def cluster(mode: str) -> Cluster:
    """The example cluster of the lesson in one mode."""
    return Cluster.example("host-gw", proxy_mode=mode)


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
    """A sorted list of addresses, from a list, a text or a dict of yes and no; ports do not
    count."""
    if isinstance(value, dict):
        value = [address for address, there in value.items() if forms.yes(there) is True]
    if isinstance(value, str):
        if forms.words(value).lower() in ("all", "every", "all of them", "all three"):
            return list(ADDRESSES)
        value = re.findall(r"\d+\.\d+\.\d+\.\d+|localhost|docker0|eth0", value)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return value
    names = {"localhost": "127.0.0.1", "docker0": "10.1.15.1", "eth0": "192.168.66.11"}
    found = {names.get(host, host) for one in value for host in [re.split("[:/]", one)[0].strip()]}
    return [ip for ip in ADDRESSES if ip in found] + sorted(found - set(ADDRESSES))


_NOT_ITS_OWN = (
    "You seem to think that a process on the node cannot use the node's own ports. "
    "Its packets are looked up, too."
)


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
    if said["nftables"] == []:
        return fail(_NOT_ITS_OWN, "NOT_ITS_OWN")
    if said["iptables"] == ["127.0.0.1", "192.168.66.11"]:
        text = (
            "You seem to think that a bridge's address serves no node ports. "
            "One mode asks only whether an address is the node's own."
        )
        return fail(text, "NO_BRIDGE")
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
    if said == []:
        return fail(_NOT_ITS_OWN, "NOT_ITS_OWN")
    return fail("For which addresses of node1 is there a virtual server with this port?")


def _mode(value: Any) -> Any:
    """A mode's name from ``IPVS``, ``the ipvs mode`` or ``nftables mode``."""
    found = re.findall(r"[a-z]+", value.lower()) if isinstance(value, str) else []
    named = [word for word in found if word in MODES]
    return named[0] if len(named) == 1 else value


def check_future(answer: dict[str, Any], seed: int) -> Findings:
    """Which mode goes, and which one comes."""
    said = tuple(_mode(answer[path]) for path in ("deprecated", "advised"))
    if said == journal():
        return ()
    if said == ("iptables", journal()[1]):
        text = (
            "You seem to think that the oldest mode goes first. "
            "kube-proxy's journal says something else."
        )
        return fail(text, "OLDEST_GOES")
    if said[1] == "iptables":
        text = (
            "You seem to think that the older mode is advised again. "
            "kube-proxy's journal names another one."
        )
        return fail(text, "GO_BACK")
    if said[1] == journal()[0] or (said[0] in MODES and said[0] != journal()[0]):
        text = (
            "You seem to think that IPVS is the mode of the future. "
            "kube-proxy's journal says something else."
        )
        return fail(text, "IPVS_FUTURE")
    return fail("Read what kube-proxy says in its journal, in each mode.")


ITEMS = (
    Item("09.migrate.works", 3, "iptables and nftables mode", check_works,
         ("works.iptables", "works.nftables")),
    Item("09.migrate.ipvs", 1, "IPVS mode", check_ipvs, ("works.ipvs",)),
    Item("09.migrate.future", 2, "The mode that goes, the mode that comes", check_future,
         ("deprecated", "advised")),
)  # fmt: skip
