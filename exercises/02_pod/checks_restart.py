"""The rubric of 02.restart: what ends with a process, and what ends with a namespace.

The model plays a container's crash as sockets that close, and a new sandbox as what kubelet does
for it: the namespace vanishes, and the pod is plugged in again.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: web1}
spec:
  nodeName: node1
  containers:
  - {name: web, image: web, ports: [{containerPort: 80}]}
  - {name: sidecar, image: sidecar}
"""


@lru_cache(maxsize=1)
def web_down() -> tuple[Exchange, str, list[str]]:
    """web has crashed: (web2 connects to its port, the pod's address, containers that ended)."""
    cluster = Cluster.example()
    web1 = cluster["web1"]
    gone = web1.listeners.pop(("tcp", "0.0.0.0", 80))
    ended = [name for name in web1.containers if name == "web" and gone.process == "web1"]
    return cluster.connect("web2", "web1", port=80), cluster.address_of("web1"), ended


@lru_cache(maxsize=1)
def new_sandbox() -> tuple[str, list[str], Exchange, Any]:
    """pause has ended: (the pod's new address, containers that start again, web2 pings the old
    address, the route of web2 for it)."""
    cluster = Cluster.example()
    old = cluster.address_of("web1")
    cluster.kubectl("delete pod web1")
    cluster.kubectl("apply -f -", stdin=MANIFEST)
    web1 = cluster["web1"]
    route = forms.route(str(cluster["web2"].routes.lookup(old)))
    ping = cluster.ping("web2", old)
    return cluster.address_of("web1"), sorted(web1.containers), ping, route


def containers(value: Any) -> Any:
    """Several containers in any order: a list, or a text with commas or ``and``."""
    found = forms.hosts(value)
    if isinstance(found, list):
        return sorted({re.sub(r"^container\s+", "", name) for name in found} - {"container"})
    return found


def check_down(answer: dict[str, Any], seed: int) -> Findings:
    """web has crashed and is not back yet."""
    walk = web_down()[0]
    assert walk.request is not None
    said = forms.outcome(answer["down.outcome"]), forms.host(answer["down.ends_in"])
    if same(said, (walk.outcome, walk.request.end)):
        return ()
    if said[0] in ("lost", "unreachable", "dropped", "timeout") or said[1] == "node1":
        text = (
            "You seem to think that the pod is gone when its program has crashed. "
            "Its namespace is still there, and a kernel answers for it."
        )
        return fail(text, "APP_IS_POD", walk)
    if said[0] == "delivered":
        text = "You seem to think that a socket outlives its program. It closes with the process."
        return fail(text, "SOCKET_STAYS", walk)
    if said[1] in ("web", "pause", "sidecar"):
        text = (
            "You seem to think that a packet comes to one container. "
            "It comes to the namespace that all of them share."
        )
        return fail(text, "OWN_NS", walk)
    return fail("Follow the SYN: does it arrive, and does a socket fit?", None, walk)


def _after(answer: dict[str, Any], case: str) -> tuple[Any, Any]:
    names = web_down()[0].names
    known = forms.address(answer[f"{case}.address"], names)
    return known, containers(answer[f"{case}.started"])


def check_web(answer: dict[str, Any], seed: int) -> Findings:
    """After web has been started again."""
    _, address, ended = web_down()
    said = _after(answer, "web")
    if same(said, (address, ended)):
        return ()
    if said[0] != address:
        text = (
            "You seem to think that the address belongs to the program. "
            "It belongs to the namespace, and pause holds that."
        )
        return fail(text, "APP_OWNS_NS")
    if same(said[1], new_sandbox()[1]) or said[1] == ["sidecar", "web"]:
        text = (
            "You seem to think that one crash restarts the whole pod. "
            "kubelet starts again what has ended, and nothing else."
        )
        return fail(text, "ALL_RESTART")
    if said[1] == ["pause", "web"]:
        text = "You seem to think that pause starts again with each program. It only waits."
        return fail(text, "PAUSE_AGAIN")
    if forms.empty(answer["web.started"]) == []:
        text = "You seem to think that a crashed program stays down. kubelet looks after it."
        return fail(text, "NO_RESTART")
    return fail("Which processes have ended here? Only these start again.")


def check_pause(answer: dict[str, Any], seed: int) -> Findings:
    """After pause has ended."""
    address, started, *_ = new_sandbox()
    said = _after(answer, "pause")
    if same(said, (address, started)):
        return ()
    if said[1] == ["pause"]:
        text = (
            "You seem to think that pause does nothing, so that its end changes nothing. "
            "It holds the namespace in which all the others live."
        )
        return fail(text, "PAUSE_IDLE")
    if said[0] == web_down()[1]:
        text = (
            "You seem to think that a pod keeps its address for life. "
            "A new sandbox is plugged in anew."
        )
        return fail(text, "IP_KEPT")
    if said[1] == ["sidecar", "web"]:
        text = (
            "You seem to think that the namespace comes back by itself. "
            "Who holds it before the others join?"
        )
        return fail(text, "NS_BY_ITSELF")
    return fail("A new namespace: who must start in it, and which address is the next one?")


def check_old(answer: dict[str, Any], seed: int) -> Findings:
    """Somebody still uses the old address."""
    *_, ping, route = new_sandbox()
    assert ping.request is not None
    said = (
        forms.outcome(answer["old.outcome"]),
        forms.host(answer["old.ends_in"]),
        forms.route(answer["old.route"]),
    )
    if same(said, (ping.outcome, ping.request.end, route)):
        return ()
    if said[0] == "delivered" or said[1] == "web1":
        text = (
            "You seem to think that the old address still leads to the pod. "
            "Nobody has this address now, so nobody answers for it."
        )
        return fail(text, "OLD_ANSWERS", ping)
    if said[2] == ("0.0.0.0/0", "10.1.15.1", "eth0"):
        text = (
            "You seem to think that an address without a pod is reached by the gateway. "
            "The route depends on the prefix, not on who is there."
        )
        return fail(text, "GONE_GATEWAY", ping)
    if said[1] == "node1":
        text = (
            "You seem to think that the node takes the packet. "
            "web2 asks its neighbours by ARP first, and sends nothing while nobody answers."
        )
        return fail(text, "NODE_TAKES", ping)
    if said[0] in ("lost", "dropped"):
        text = (
            "You seem to think that web2 never learns of it. "
            "Its own kernel knows that its question had no answer."
        )
        return fail(text, "NEVER_TOLD", ping)
    if said[0] in ("refused", "rejected"):
        text = "You seem to think that somebody refuses. A refusal needs a host that is there."
        return fail(text, "SOMEBODY_REFUSES", ping)
    if "docker0" in str(said[2]):
        text = "You seem to give the route of node1. Asked is that of web2, with web2's device."
        return fail(text, "NODE_ROUTE", ping)
    if isinstance(said[2], tuple) and said[2][0] == "10.1.0.0/16":
        text = (
            "You seem to think that all pods are on web2's link. "
            "Its link has the pods of one node only."
        )
        return fail(text, "WIDE_LINK", ping)
    return fail("web2 chooses a route, and then asks for a MAC address. Who answers?", None, ping)


ITEMS = (
    Item("02.restart.down", 2, "While web is down", check_down, ("down.outcome", "down.ends_in")),
    Item("02.restart.web", 2, "After web's restart", check_web, ("web.address", "web.started")),
    Item("02.restart.pause", 2, "After the end of pause", check_pause,
         ("pause.address", "pause.started")),
    Item("02.restart.old", 2, "The old address", check_old,
         ("old.outcome", "old.ends_in", "old.route")),
)  # fmt: skip
