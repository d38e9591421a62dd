"""The rubric of 08.masq and 08.path: predictions about the example cluster.

The model walks the same packets when the check runs; nothing here says what it will find. Beside
this file: ``checks_chains`` and ``checks_chances`` for the tasks in which code is written,
``checks_change`` for the other predictions.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail
from k8snetlib.packet import Tcp

FLOWS = {
    "web1": ("web1", "backend-c"),
    "neighbour": ("backend-b", "backend"),
    "node": ("node1", "backend-b"),
    "outside": ("client", "backend-b"),
    "itself": ("backend-b", "backend-b"),
}


@lru_cache(maxsize=1)
def cluster() -> Cluster:
    """The example cluster of the lesson; the client has a route to the Services through node1."""
    made = Cluster.example("host-gw")
    made["client"].sh("ip route add 10.96.0.0/16 via 192.168.66.11")
    return made


# -- 08.masq --------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def flow(name: str) -> Exchange:
    """One connection to backend-svc, led to one endpoint."""
    source, endpoint = FLOWS[name]
    return cluster().clone().connect(source, "backend-svc", endpoint=endpoint)


@lru_cache(maxsize=8)
def seen(name: str) -> tuple[str, str]:
    """The source address that the endpoint sees; and which kind of chain marked the packet."""
    request = flow(name).request
    assert request is not None
    matched = [m for step in request.steps for m in step.rules]
    marked = [m.chain for m in matched if m.verdict == "JUMP KUBE-MARK-MASQ"]
    return request.last.packet.ip.src, kind(marked[0]) if marked else "none"


def kind(value: Any) -> Any:
    """``KUBE-SVC`` from ``SVC``, a chain's full name or a rule; ``none`` from words for it."""
    text = forms.words(value)
    if forms.none(text) or str(text).lower().startswith("not "):
        return "none"
    found = set(re.findall(r"\b(?:KUBE-)?(SVC|SEP)\b", str(text).upper().replace("_", "-")))
    return f"KUBE-{found.pop()}" if len(found) == 1 else value


def address(value: Any) -> Any:
    """An address from itself or from its owner: ``Pod web1``, ``node2:docker0``, ``node1:eth0``."""
    names = cluster().network.names
    said = re.findall(r"[a-z][\w-]*", str(value).lower())
    owners = [n for n in names.ips.values() if set(n.split()) <= set(said)]
    if "docker0" in said:
        owners = [n for n in owners if "docker0" in n]
    written = re.search(r"\d\.\d", str(value))
    return forms.address(value if written or len(owners) != 1 else owners[0], names)


def _said(answer: dict[str, Any], name: str) -> tuple[Any, Any]:
    return address(answer[f"{name}.source"]), kind(answer[f"{name}.marked_by"])


_HIDES = (
    "You seem to think that a Service hides every client. "
    "Most packets of pods are not marked at all."
)
_BOTH = (
    "You name a rule that marks, but the source stays as it is. Both cannot be true of one packet."
)
_RULE = "The rule that marks stands in another chain. Ask each chain what it compares."


def check_pods(answer: dict[str, Any], seed: int) -> Findings:
    """Pods that reach another pod."""
    for name in ("web1", "neighbour"):
        said = _said(answer, name)
        if said == seen(name):
            continue
        if said[0] != seen(name)[0]:
            return fail(_HIDES, "ALL_MASQ", flow(name))
        return fail(_BOTH, "ALL_MASQ", flow(name))
    return ()


def check_node(answer: dict[str, Any], seed: int) -> Findings:
    """Askers that are no pods."""
    for name in ("node", "outside"):
        said, right = _said(answer, name), seen(name)
        if said == right:
            continue
        asker = cluster().address_of(FLOWS[name][0])
        if said[1] == right[1] and said[0] == asker:
            return fail(_BOTH, None, flow(name))
        if said[1] == "none" or (said[0] == asker != right[0]):
            text = (
                "You seem to think that only pods on the way to themselves are marked. "
                "A rule also marks whoever is no pod."
            )
            return fail(text, "ASYM", flow(name))
        if said[0] == right[0]:
            return fail(_RULE, None, flow(name))
        if said[0] == cluster().address_of("node2"):
            text = (
                "You seem to think that the endpoint's own node translates. "
                "There the packet arrives translated."
            )
            return fail(text, "TARGET_LB", flow(name))
        if said[0] == address("node1 docker0"):
            text = (
                "You seem to think that MASQUERADE puts in the bridge's address. "
                "It takes that of the device by which the packet leaves."
            )
            return fail(text, "MASQ_BRIDGE", flow(name))
        return fail("Which node translates, and by which device does the packet leave it?")
    return ()


def check_itself(answer: dict[str, Any], seed: int) -> Findings:
    """A pod that is led to itself."""
    said, right = _said(answer, "itself"), seen("itself")
    if said == right:
        return ()
    if said[0] == cluster().address_of("backend-b") or said[1] == "none":
        text = (
            "You seem to think that a pod reaches itself like any other. "
            "With its own source address it would answer itself, past the node."
        )
        return fail(text, "HAIRPIN", flow("itself"))
    if said[0] == cluster().address_of("node2"):
        text = (
            "You seem to think that MASQUERADE always gives the node's main address. "
            "It gives that of the device by which the packet leaves."
        )
        return fail(text, "NODE_ADDRESS", flow("itself"))
    if said[0] == right[0]:
        return fail(_RULE, None, flow("itself"))
    return fail("Which device does the packet leave by, on its way back to the pod?")


# -- 08.path --------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def way(what: str) -> Exchange:
    """web2 connects to backend-svc and is led to backend-c; or it pings the Service's address."""
    if what == "ping":
        return cluster().clone().ping("web2", "10.96.0.10")
    return cluster().clone().connect("web2", "backend-svc", endpoint="backend-c")


@lru_cache(maxsize=1)
def facts() -> dict[str, Any]:
    """What the two walks show."""
    exchange, ping = way("tcp"), way("ping")
    assert exchange.request is not None and exchange.reply is not None and ping.request is not None
    hops = [(hop.netns, step) for hop in exchange.request.hops for step in hop.steps]
    where, step = next(
        (netns, step) for netns, step in hops if any("DNAT" in str(rule) for rule in step.rules)
    )
    wire = next(f for f in exchange.request.frames if (f.netns, f.device) == ("node1", "eth0"))
    routes = [step.by for hop in ping.request.hops if hop.netns == "node1"
              for step in hop.steps if step.stage == "route"]  # fmt: skip
    return {
        "changed": (where, step.stage.lower()),
        "wire": _ends(wire.packet)[1],
        "answer": _ends(exchange.reply.last.packet)[0],
        "ping": (ping.request.end, str(routes[0])),
    }


def _ends(packet: Any) -> tuple[str, str]:
    ip, tcp = packet.ip, packet.transport
    assert isinstance(tcp, Tcp)
    return f"{ip.src}:{tcp.sport}", f"{ip.dst}:{tcp.dport}"


def stage(value: Any) -> Any:
    """``nat prerouting`` from ``PREROUTING``, ``nat/PREROUTING`` or ``nat table, PREROUTING``."""
    found = forms.chains(value)
    return found[0].lower() if isinstance(found, list) and len(found) == 1 else value


def end(value: Any) -> Any:
    """``IP:PORT`` from itself, a pair, ``backend-c:8080``, or ``10.1.30.2, port 8080``."""
    said = forms.end(value)
    found = re.fullmatch(r"([\w.-]+?)(?:,port|:)(\d+)(?:/tcp)?", str(said).lower())
    return f"{address(found[1])}:{found[2]}" if found else said


def check_changed(answer: dict[str, Any], seed: int) -> Findings:
    """Where the destination is changed."""
    where, box = forms.host(answer["changed.netns"]), stage(answer["changed.box"])
    if (where, box) == facts()["changed"]:
        return ()
    if "proxy" in f"{where} {box}":
        text = (
            "You seem to think that packets pass through kube-proxy. "
            "The process writes rules, and the kernel applies them."
        )
        return fail(text, "PROXY_DATA", way("tcp"))
    if where in ("node2", "node3", "backend", "backend-b", "backend-c"):
        text = (
            "You seem to think that the endpoint's own node chooses. "
            "Before the choice, nobody knows which node that is."
        )
        return fail(text, "TARGET_LB", way("tcp"))
    if where == facts()["changed"][0] and box == "nat postrouting":
        text = (
            "You seem to think that the destination is changed after routing. "
            "Then the packet would already be on a wrong way."
        )
        return fail(text, "DNAT_POST", way("tcp"))
    if where == facts()["changed"][0] and str(box).endswith(" prerouting"):
        text = (
            "You seem to think that any table may change an address. "
            "Only one of the tables in this hook does."
        )
        return fail(text, "ANY_TABLE", way("tcp"))
    if where == facts()["changed"][0] and box == "nat output":
        text = (
            "You seem to think that every packet crosses OUTPUT. "
            "A pod's packet arrives from outside, and is forwarded."
        )
        return fail(text, "OUTPUT_ALL", way("tcp"))
    if where == "web2":
        return fail(
            "A pod's kernel knows nothing of Services: no rule stands there.", None, way("tcp")
        )
    return fail(
        "Look for the first box in which the packet's destination changes.", None, way("tcp")
    )


def check_wire(answer: dict[str, Any], seed: int) -> Findings:
    """The destination between the nodes."""
    said = end(answer["wire"])
    if said == facts()["wire"]:
        return ()
    if str(said).startswith("10.96."):
        text = (
            "You seem to think that the Service's address travels between the nodes. "
            "It is gone before node1 looks up a route."
        )
        return fail(text, "VIP_TRAVELS", way("tcp"))
    if said == f"{facts()['wire'].partition(':')[0]}:80":
        text = (
            "You seem to think that the port stays as it is. "
            "An endpoint may listen on another port than its Service."
        )
        return fail(text, "SAME_PORT", way("tcp"))
    if str(said).startswith("192.168.66."):
        text = (
            "You seem to think that the next hop becomes the destination. "
            "The next hop gives the frame its MAC address, and nothing more."
        )
        return fail(text, "NEXT_HOP", way("tcp"))
    return fail("A SYN between two nodes goes to one pod, at the port where it listens.")


def check_answer(answer: dict[str, Any], seed: int) -> Findings:
    """The source of the answer."""
    said = end(answer["answer"])
    if said == facts()["answer"]:
        return ()
    if str(said).partition(":")[0] == facts()["wire"].partition(":")[0]:
        text = (
            "You seem to think that the client sees the endpoint's address. "
            "Its socket waits for an answer from the address that it asked."
        )
        return fail(text, "SNAT_REPLY", way("tcp"))
    return fail("From which address and port does web2's socket expect an answer?")


def check_ping(answer: dict[str, Any], seed: int) -> Findings:
    """What becomes of a ping to the Service's address."""
    said, (ends_in, route) = forms.host(answer["ping.ends_in"]), facts()["ping"]
    if said == ends_in and forms.is_route(_default(answer["ping.route"]), route):
        return ()
    if str(said).startswith("backend") or said in ("kube-proxy", "web2"):
        text = (
            "You seem to think that a Service answers pings. "
            "Its rules are about TCP and port 80 only."
        )
        return fail(text, "PING_VIP", way("ping"))
    if said in ("node1", "kube-ipvs0"):
        text = (
            "You seem to think that node1 has the Service's address. "
            "In iptables mode no device has it."
        )
        return fail(text, "VIP_NIC", way("ping"))
    return fail(
        "No rule matches the ping. So node1's routing table alone decides.", None, way("ping")
    )


def _default(value: Any) -> Any:
    """``default`` in front of a bare ``via …``."""
    text = forms.words(value)
    return f"default {text}" if isinstance(text, str) and text.startswith("via ") else value


_MASQ = {
    "pods": ("web1", "neighbour"), "node": ("node", "outside"), "itself": ("itself",),
}  # fmt: skip

ITEMS = (
    *(
        Item(f"08.masq.{item}", points, title, check,
             tuple(f"{name}.{what}" for name in _MASQ[item] for what in ("source", "marked_by")))
        for item, points, title, check in (
            ("pods", 2, "Pods that reach other pods", check_pods),
            ("node", 3, "Askers that are no pods", check_node),
            ("itself", 3, "A pod that is led to itself", check_itself),
        )
    ),
    Item("08.path.changed", 2, "Where the destination changes", check_changed,
         ("changed.netns", "changed.box")),
    Item("08.path.wire", 1, "The destination between the nodes", check_wire, ("wire",)),
    Item("08.path.answer", 1, "The source of the answer", check_answer, ("answer",)),
    Item("08.path.ping", 2, "A ping to the Service", check_ping, ("ping.ends_in", "ping.route")),
)  # fmt: skip
