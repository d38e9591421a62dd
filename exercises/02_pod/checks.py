"""The rubric of 02.sockets and 02.host: predictions about sockets of the example cluster.

The model opens the same sockets and sends the same packets when the check runs. ``checks_join``
holds the code task, ``checks_restart`` what happens when a process ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.errors import K8sNetError
from k8snetlib.kube.api import ContainerPort, example_spec
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.sockets import Listener, listen

AGENT = """
apiVersion: v1
kind: Pod
metadata: {name: agent}
spec:
  nodeName: node1
  hostNetwork: true
  containers: [{name: agent, image: agent, ports: [{containerPort: 9100}]}]
"""
WEB1 = "10.1.15.3"
NOBODY = "nobody"
_NOTHING = ("none", "nobody", "no one", "noone", "no socket", "nothing", "no", "-", "free")


@lru_cache(maxsize=16)
def walk(source: str, target: str, port: int) -> Exchange:
    """One connection in a fresh example cluster."""
    return Cluster.example().connect(source, target, port=port)


def socket_of(exchange: Exchange) -> str:
    """The socket that answered, as ``ADDRESS:PORT``, or nobody."""
    assert exchange.request is not None
    found = exchange.request.last.by
    return f"{found.ip}:{found.port}" if isinstance(found, Listener) else NOBODY


def facts(exchange: Exchange) -> tuple[str, str]:
    """(outcome, the socket that answered)."""
    return exchange.outcome, socket_of(exchange)


@lru_cache(maxsize=1)
def declared() -> Exchange:
    """web2 connects to port 9000 of web1, whose manifest now lists containerPort 9000."""
    spec = example_spec("udp", "iptables", "--ip-masq")
    web1 = next(pod for pod in spec.pods if pod.name == "web1")
    web, sidecar = web1.containers
    listed = sidecar._replace(ports=(ContainerPort(9000, "tcp", "side"),))
    others = tuple(pod for pod in spec.pods if pod.name != "web1")
    cluster = Cluster(spec._replace(pods=(*others, web1._replace(containers=(web, listed)))))
    return cluster.connect("web2", "web1", port=9000)


def socket(value: Any) -> Any:
    """``0.0.0.0:80`` from itself, ``*:80``, ``tcp 0.0.0.0:80`` or a pair; nobody from its many
    words."""
    if isinstance(value, list):
        value = ":".join(map(str, value))
    text = forms.words(value)
    if not isinstance(text, str):
        return value
    if text.lower() in _NOTHING:
        return NOBODY
    found = re.search(r"([\d.]+|\*|localhost):(\d+)", text.lower())
    if not found:
        return text
    known = {"*": "0.0.0.0", "localhost": "127.0.0.1"}
    return f"{known.get(found[1], found[1])}:{found[2]}"


def _said(answer: dict[str, Any], case: str) -> tuple[Any, Any]:
    return forms.outcome(answer[f"{case}.outcome"]), socket(answer[f"{case}.socket"])


def _case(case: str) -> tuple[str, str]:
    return f"{case}.outcome", f"{case}.socket"


_REFUSES = (
    "You seem to think that a socket refuses. "
    "The kernel does, since no socket fits: so none of them answers."
)
_SILENT = ("lost", "unreachable", "dropped", "timeout")


def check_inside(answer: dict[str, Any], seed: int) -> Findings:
    """From web1 itself to its port 9000, by two addresses."""
    local, own = walk("web1", "127.0.0.1", 9000), walk("web1", WEB1, 9000)
    said = _said(answer, "local"), _said(answer, "own")
    if same(said, (facts(local), facts(own))):
        return ()
    if said[0][0] == own.outcome:
        text = (
            "You seem to think that every container has a loopback device of its own. "
            "The containers of one pod share one."
        )
        return fail(text, "OWN_LOOPBACK", local)
    if said[1][0] == local.outcome:
        text = (
            "You seem to think that inside a pod every socket has every address. "
            "A socket fits only the address that it is bound to."
        )
        return fail(text, "SAME_POD", own)
    if said[1] == (own.outcome, socket_of(local)):
        return fail(_REFUSES, "SOCKET_REFUSES", own)
    return fail("Outcome and socket do not fit. Which socket of web1 has this address?", None, own)


def check_outside(answer: dict[str, Any], seed: int) -> Findings:
    """From web2: to web1's port 9000, and to its own."""
    peer, works = walk("web2", "web1", 9000), walk("web2", "web1", 80).outcome
    near = walk("web2", "127.0.0.1", 9000)
    assert near.request is not None
    said = _said(answer, "peer")
    there = (
        forms.outcome(answer["neighbour.outcome"]),
        forms.host(answer["neighbour.ends_in"]),
    )
    if same((said, there), (facts(peer), (near.outcome, near.request.end))):
        return ()
    if there[0] == works or there[1] in ("web1", "node1"):
        text = (
            "You seem to think that localhost reaches other pods of the node. "
            "Every pod has a loopback device of its own."
        )
        return fail(text, "LOCALHOST_POD", near)
    if said[0] == works:
        text = (
            "You seem to think that 127.0.0.1 in one pod can be reached from another pod. "
            "What comes from outside was never sent to 127.0.0.1."
        )
        return fail(text, "LOCALHOST_POD", peer)
    if said == (peer.outcome, socket_of(walk("web1", "127.0.0.1", 9000))):
        return fail(_REFUSES, "SOCKET_REFUSES", peer)
    if {said[0], there[0]} & set(_SILENT):
        text = (
            "You seem to think that a closed port stays silent. "
            "The packet arrives, and the pod's kernel answers it with a TCP reset."
        )
        return fail(text, "CLOSED_SILENT", peer)
    return fail("One of the two does not end like this. Which sockets fit?", None, peer)


def check_declared(answer: dict[str, Any], seed: int) -> Findings:
    """A containerPort more, and one less."""
    more, less = declared(), walk("web2", "web1", 80)
    said = _said(answer, "declared"), _said(answer, "undeclared")
    if same(said, (facts(more), facts(less))):
        return ()
    if said[0][0] == less.outcome or said[1][0] == more.outcome:
        text = (
            "You seem to think that containerPort opens a port, or closes it. "
            "It only informs; what the program binds counts."
        )
        return fail(text, "CPORT", more if said[0][0] == less.outcome else less)
    return fail("Outcome and socket do not fit. What do the two programs bind?", None, more)


# -- who holds a port -----------------------------------------------------------------------------


def holder(ns: Netns, ip: str, port: int, names: Callable[[str], str]) -> str:
    """The container or daemon because of which a socket cannot be opened, or nobody."""
    try:
        listen(ns, Listener("tcp", ip, port, "new"))
    except K8sNetError as error:
        return names(str(error).partition("in use by ")[2].partition(".")[0])
    return NOBODY


def _container(process: str) -> str:
    """A process's container: the first of a pod has the pod's name in the model."""
    return {"web1": "web", "web1-sidecar": "sidecar"}.get(process, process)


@lru_cache(maxsize=1)
def clashes() -> tuple[str, ...]:
    """Who is in sidecar's way, for three sockets of web1."""
    wanted = (("0.0.0.0", 80), ("127.0.0.1", 80), ("0.0.0.0", 8080))
    return tuple(holder(Cluster.example()["web1"], *one, _container) for one in wanted)


def who(value: Any) -> Any:
    """A container's or daemon's name from itself, ``web1/web``, ``container web``, or the name that
    the model's error has for it."""
    text = forms.words(value)
    if not isinstance(text, str):
        return value
    text = text.lower()
    if text in _NOTHING:
        return NOBODY
    text = re.sub(r" (container|daemon|process)$", "", text)
    return _container(re.split(r"[/ ]", text)[-1])


def check_clash(answer: dict[str, Any], seed: int) -> Findings:
    """Three sockets that sidecar wants."""
    said = tuple(who(answer[f"clash.{key}"]) for key in ("any80", "local80", "any8080"))
    if same(said, clashes()):
        return ()
    if said[0] == NOBODY:
        text = (
            "You seem to think that every container has ports of its own. "
            "All containers of a pod share one port space."
        )
        return fail(text, "OWN_NS")
    if said[1] == NOBODY:
        text = (
            "You seem to think that 127.0.0.1 is free while 0.0.0.0 is taken. "
            "0.0.0.0 means every address, 127.0.0.1 too."
        )
        return fail(text, "ADDRESS_APART")
    if "pause" in said:
        text = (
            "You seem to think that pause holds the ports. "
            "It holds the namespace; a port belongs to the container that listens."
        )
        return fail(text, "PAUSE_LISTENS")
    if said[2] != NOBODY:
        text = (
            "You seem to think that one server on 0.0.0.0 takes every port. "
            "It takes every address, but one port only."
        )
        return fail(text, "ANY_PORT")
    return fail("For one of these sockets, another container is in the way, or none is.")


# -- 02.host --------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def with_agent() -> Cluster:
    """The example cluster and a pod of node1's own network."""
    cluster = Cluster.example()
    cluster.kubectl("apply -f -", stdin=AGENT)
    return cluster


@lru_cache(maxsize=1)
def agent_facts() -> tuple[str, str]:
    """(its address, the namespace in which its socket is open)."""
    cluster = with_agent()
    pod = next(pod for pod in cluster.spec.pods if pod.name == "agent")
    spaces = cluster.network.netns.values()
    (where,) = [n.name for n in spaces for s in n.listeners.values() if s.process == "agent"]
    return pod.ip, where


def check_address(answer: dict[str, Any], seed: int) -> Findings:
    """agent's address, and the namespace that its containers join."""
    ip, where = agent_facts()
    names = with_agent().network.names
    space = forms.host(answer["namespace"])
    space = space.partition(" ")[0] if isinstance(space, str) else space
    space = where if space in ("host", "node") else space
    said = forms.address(answer["address"], names), space
    if same(said, (ip, where)):
        return ()
    text = (
        "You seem to think that every pod has a namespace and an address of its own. "
        "Read what hostNetwork says in the manifest."
    )
    if said[1] == "agent" or (isinstance(said[0], str) and said[0].startswith("10.1.")):
        return fail(text, "HOST_POD_IP")
    return fail("Which namespace was on this node before any pod, and which address has it?")


@lru_cache(maxsize=1)
def host_clashes() -> tuple[str, ...]:
    """Who is in the way of a second such pod, for three ports."""
    ports = (10250, 80, 9100)
    return tuple(
        holder(with_agent().clone()["node1"], "0.0.0.0", port, _container) for port in ports
    )


def check_ports(answer: dict[str, Any], seed: int) -> Findings:
    """Three ports that a second pod of the node's network wants."""
    said = tuple(who(answer[f"port{port}"]) for port in (10250, 80, 9100))
    right = host_clashes()
    if same(said, right):
        return ()
    if said[1] != NOBODY:
        text = (
            "You seem to think that all pods of a node share the node's ports. "
            "web1 and web2 have namespaces of their own."
        )
        return fail(text, "NODE_PORTS")
    if NOBODY in (said[0], said[2]):
        text = (
            "You seem to think that such a pod has a port space of its own. "
            "It shares that of the node, and of all others of its kind."
        )
        return fail(text, "HOST_OWN")
    return fail("One of these ports is held by another process. ss -tln shows the sockets.")


def check_localhost(answer: dict[str, Any], seed: int) -> Findings:
    """What agent reaches by 127.0.0.1."""
    walks = [with_agent().clone().connect("node1", "127.0.0.1", port=p) for p in (9000, 10250)]
    said = tuple(_said(answer, f"local{port}") for port in (9000, 10250))
    if same(said, tuple(map(facts, walks))):
        return ()
    if said[0][0] == walks[1].outcome:
        text = (
            "You seem to think that localhost reaches other pods of the node. "
            "The node's loopback device is not that of web1."
        )
        return fail(text, "LOCALHOST_POD", walks[0])
    if said[1][0] == walks[0].outcome:
        text = (
            "You seem to think that every pod has a loopback device of its own. "
            "This one lives in the node's namespace."
        )
        return fail(text, "OWN_LOOPBACK", walks[1])
    return fail("Outcome and socket do not fit. Who listens in node1's namespace?", None, walks[1])


ITEMS = (
    Item("02.sockets.inside", 2, "From inside the pod", check_inside,
         (*_case("local"), *_case("own"))),
    Item("02.sockets.outside", 2, "From another pod", check_outside,
         (*_case("peer"), "neighbour.outcome", "neighbour.ends_in")),
    Item("02.sockets.declared", 2, "With and without containerPort", check_declared,
         (*_case("declared"), *_case("undeclared"))),
    Item("02.sockets.clash", 2, "Two containers, one port", check_clash,
         ("clash.any80", "clash.local80", "clash.any8080")),
    Item("02.host.address", 1, "Its address and its namespace", check_address,
         ("address", "namespace")),
    Item("02.host.ports", 2, "Ports of a second such pod", check_ports,
         ("port10250", "port80", "port9100")),
    Item("02.host.localhost", 2, "Its 127.0.0.1", check_localhost,
         (*_case("local9000"), *_case("local10250"))),
)  # fmt: skip
