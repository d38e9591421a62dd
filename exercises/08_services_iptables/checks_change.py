"""The rubrics of 08.stopped, 08.keep and 08.bridge: what lasts, what follows, and what fails.

The example cluster, changed with the commands of the task, answers when the check runs.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail

REQUESTS = 30
BACKENDS = ("backend", "backend-b", "backend-c")


def ends(cluster: Cluster, source: str, target: str, port: int, **options: Any) -> list[str]:
    """Where new connections can end, in the order of the alphabet."""
    return sorted({fate.receiver for fate in cluster.outcomes(source, target, port, **options)})


# -- 08.stopped -----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def stopped() -> Cluster:
    """kube-proxy stops on node2; then a pod gets unready, and a Service another port."""
    cluster = Cluster.example("host-gw")
    cluster["node2"].sh("systemctl stop kube-proxy")
    status = json.dumps({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    cluster.kubectl(f"patch pod backend-c --subresource=status -p '{status}'")
    ports = json.dumps({"spec": {"ports": [{"name": "http", "port": 8000, "targetPort": 8080}]}})
    cluster.kubectl(f"patch svc backend-local --type=merge -p '{ports}'")
    return cluster


@lru_cache(maxsize=8)
def ways(source: str, target: str, port: int) -> tuple[list[str], Exchange]:
    """Where new connections can end; and one of them."""
    found = ends(stopped(), source, target, port)
    return found, stopped().clone().connect(source, target, port)


_DOWN = (
    "You seem to think that Services stop with kube-proxy. "
    "Its rules are in the kernel, and stay there."
)
_FOLLOW = (
    "You seem to think that every node's rules follow by themselves. "
    "On node2 nobody writes rules any more."
)


def check_old(answer: dict[str, Any], seed: int) -> Findings:
    """What the node without kube-proxy still does."""
    said = forms.hosts(forms.empty(answer["old.from_backend"]))
    right, exchange = ways("backend", "backend-svc", 80)
    if said == right:
        return ()
    if said == []:
        return fail(_DOWN, "PROXY_DOWN", exchange)
    if said == ways("web2", "backend-svc", 80)[0]:
        return fail(_FOLLOW, "RULES_FOLLOW", exchange)
    return fail("node2's rules are those of the moment when kube-proxy stopped.", None, exchange)


def check_ready(answer: dict[str, Any], seed: int) -> Findings:
    """What the other nodes do."""
    said = forms.hosts(forms.empty(answer["old.from_web2"]))
    right, exchange = ways("web2", "backend-svc", 80)
    if said == right:
        return ()
    if said == []:
        return fail(_DOWN, "PROXY_DOWN", exchange)
    if said == sorted(BACKENDS):
        text = (
            "You seem to think that a running pod gets traffic in any case. "
            "An endpoint must be ready as well."
        )
        return fail(text, "READY", exchange)
    return fail("node1 has a kube-proxy. Which endpoints does it keep?", None, exchange)


def check_new(answer: dict[str, Any], seed: int) -> Findings:
    """A port that came later."""
    pairs = [(name, ways(name, "10.96.0.11", 8000)) for name in ("backend-b", "web2")]
    for name, (right, exchange) in pairs:
        said = answer[f"new.from_{name.replace('-', '_')}"]
        said = forms.host(said[0] if isinstance(said, list) and len(said) == 1 else said)
        if [said] == right:
            continue
        if name == "backend-b" and said in (pairs[1][1][0][0], *BACKENDS):
            return fail(_FOLLOW, "RULES_FOLLOW", exchange)
        if name == "web2":
            return fail("web2's own node has a kube-proxy that follows.", None, exchange)
        text = "No rule of node2 knows this port. What decides about a packet that no rule takes?"
        return fail(text, None, exchange)
    return ()


@lru_cache(maxsize=1)
def udp() -> dict[str, list[str]]:
    """empty-svc gets a second endpoint while web2 goes on sending from port 5000."""
    cluster = Cluster.example("host-gw")
    cluster.kubectl("label pod backend-c dns=yes")
    picks = json.dumps({"spec": {"selector": {"dns": "yes"}}})
    cluster.kubectl(f"patch svc empty-svc -p '{picks}'")
    cluster.send("web2", "empty-svc", 53, sport=5000)
    cluster.kubectl("label pod backend dns=yes")
    found = {
        "same": ends(cluster, "web2", "empty-svc", 53, proto="udp", sport=5000),
        "other": ends(cluster, "web2", "empty-svc", 53, proto="udp", sport=5001),
    }
    cluster.advance("10m")
    return found | {"later": ends(cluster, "web2", "empty-svc", 53, proto="udp", sport=5000)}


def check_udp(answer: dict[str, Any], seed: int) -> Findings:
    """Who gets a UDP client's next datagram."""
    said = {key: forms.hosts(forms.empty(answer[f"udp.{key}"])) for key in udp()}
    if said == udp():
        return ()
    if said["same"] == udp()["other"] or said["same"] == ["backend"]:
        text = (
            "You seem to think that a UDP client follows new endpoints at once. "
            "UDP has no connections, but conntrack remembers the flow."
        )
        return fail(text, "UDP_CT")
    if said["later"] == udp()["same"]:
        text = (
            "You seem to think that conntrack never forgets a UDP flow. "
            "After a silence of minutes the entry is gone."
        )
        return fail(text, "CT_FOREVER")
    if said["other"] == udp()["same"]:
        text = (
            "You seem to think that conntrack knows a client by its address. "
            "The port is part of a flow as well."
        )
        return fail(text, "STICKY")
    if ["backend"] in said.values():
        text = (
            "You seem to think that the newest endpoint takes every new flow. "
            "All endpoints take part in the draw."
        )
        return fail(text, "NEWEST")
    return fail("Which of the three datagrams fits an entry that conntrack still has?")


# -- 08.keep --------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def keep() -> dict[str, Any]:
    """One connection, and as many as requests: who answers, and what the rule counts."""
    one = Cluster.example("host-gw")
    exchange = one.connect("web1", "backend-svc", payload=REQUESTS * 40)
    sent = [p for p in exchange.packets if p.hops[0].netns == "web1"]
    tcp = [p for p in sent if p.label.startswith("TCP")]
    many = Cluster.example("host-gw")
    for _ in range(REQUESTS):
        many.connect("web2", "backend-svc")
    fates = many.outcomes("web2", "backend-svc")
    sure = REQUESTS if len(fates) == 1 else 0
    return {
        "one.backends": len({packet.end for packet in tcp}),
        "one.counted": counted(one),
        "each.counted": counted(many),
        "each.expected": int(REQUESTS * fates[0].probability),
        "each.least": sure,
    }


def counted(cluster: Cluster) -> int:
    """What backend-svc's rule in KUBE-SERVICES on node1 has counted."""
    lines = cluster["node1"].sh("iptables -t nat -vnL KUBE-SERVICES").splitlines()
    (ours,) = [line for line in lines if "default/backend-svc:http" in line]
    return int(ours.split()[0])


def _numbers(answer: dict[str, Any], *paths: str) -> list[Any]:
    return [forms.whole(answer[path]) for path in paths]


_ONE = ("one.backends", "one.counted")
_COUNTED = ("each.counted",)
_SPREAD = ("each.expected", "each.least")


def check_one(answer: dict[str, Any], seed: int) -> Findings:
    """One connection with many requests."""
    backends, count = _numbers(answer, *_ONE)
    if [backends, count] == [keep()[path] for path in _ONE]:
        return ()
    if backends == len(BACKENDS):
        text = (
            "You seem to think that each request is balanced. "
            "A request on an open connection is no new connection."
        )
        return fail(text, "PER_REQ")
    if backends == keep()["one.backends"] and isinstance(count, int) and count > 1:
        text = (
            "You seem to think that nat rules see all packets of a connection. "
            "After the first one, conntrack translates."
        )
        return fail(text, "NAT_EVERY")
    return fail("How many times is an endpoint chosen, while one connection lasts?")


def check_counted(answer: dict[str, Any], seed: int) -> Findings:
    """Many connections with one request each."""
    said = forms.whole(answer[_COUNTED[0]])
    if said == keep()[_COUNTED[0]]:
        return ()
    if isinstance(said, int) and said > REQUESTS:
        text = (
            "You seem to think that nat rules see all packets of a connection. "
            "After the first one, conntrack translates."
        )
        return fail(text, "NAT_EVERY")
    if said == keep()["one.counted"]:
        text = (
            "You seem to think that a client is remembered. "
            "Without session affinity every new connection is drawn anew."
        )
        return fail(text, "STICKY")
    return fail("Which packets of these connections meet the rule?")


def check_spread(answer: dict[str, Any], seed: int) -> Findings:
    """How even the spread is."""
    expected, least = _numbers(answer, *_SPREAD)
    right = [keep()[path] for path in _SPREAD]
    if [expected, least] == right:
        return ()
    if expected == right[0] and least == right[0]:
        text = (
            "You seem to think that the backends take turns. "
            "Each connection is a draw, and draws may be uneven."
        )
        return fail(text, "RR")
    if expected == right[0] and isinstance(least, int) and least > right[1]:
        text = "You seem to trust in luck. How sure is it that a backend is drawn at all?"
        return fail(text, "LUCK")
    return fail("What share has each backend on average? And is any draw sure to hit it?")


# -- 08.bridge ------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def without(what: str) -> tuple[list[str], dict[str, Exchange]]:
    """The endpoints that backend-b cannot use any more; and how its connections went."""
    cluster = Cluster.example("host-gw")
    if what == "nf_off":
        cluster["node2"].sh("sysctl -w net.bridge.bridge-nf-call-iptables=0")
    else:
        cluster["node2"].sh("bridge link set dev veth-backend-b hairpin off")
    went = {
        name: cluster.clone().connect("backend-b", "backend-svc", endpoint=name)
        for name in BACKENDS
    }
    return sorted(name for name, exchange in went.items() if not exchange.ok), went


@lru_cache(maxsize=1)
def refused_from() -> str:
    """From which address the answer comes that backend-b's socket does not know."""
    failing, went = without("nf_off")
    exchange = went[failing[0]]
    answers = [p for p in exchange.packets if p.label == "TCP SA" and p.end == "backend-b"]
    return answers[0].last.packet.ip.src


def _names(value: Any) -> Any:
    """The names of endpoints; ``itself`` is the asker's."""
    said = forms.hosts(forms.empty(value))
    if not isinstance(said, list):
        return said
    known = stopped().network.names.ips | {"itself": "backend-b"}
    return sorted({known.get(name, name) for name in said})


def check_nf(answer: dict[str, Any], seed: int) -> Findings:
    """bridge-nf-call-iptables is off."""
    said = _names(answer["nf_off"])
    right, went = without("nf_off")
    if said == right:
        return ()
    if said == []:
        text = (
            "You seem to think that same-node Service traffic needs no sysctl. "
            "The answer crosses the bridge: who turns its address back?"
        )
        return fail(text, "BRNF", went[right[0]])
    if "backend-b" in str(said):
        text = (
            "You seem to think that the way to itself is bridged in both directions. "
            "It is masqueraded: the answer goes to the node."
        )
        return fail(text, "MASQ_BRIDGED", went["backend-b"])
    return fail("Which answers go from port to port, without reaching the node's routing?")


def check_from(answer: dict[str, Any], seed: int) -> Findings:
    """Whose address the lost answer carries."""
    said = forms.address(answer["answer_from"], stopped().network.names)
    if said == refused_from():
        return ()
    if str(said).startswith("10.96."):
        text = (
            "You seem to think that the answer is turned back on the bridge. "
            "Then backend-b would know it, and nothing would fail."
        )
        return fail(text, "TURNED_BACK", without("nf_off")[1]["backend"])
    return fail("The answer arrives as it was sent. Who sent it?")


def check_hairpin(answer: dict[str, Any], seed: int) -> Findings:
    """Hairpin mode is off."""
    said = _names(answer["hairpin_off"])
    right, went = without("hairpin_off")
    if said == right:
        return ()
    if said == []:
        text = (
            "You seem to think that a pod always reaches itself through its Service. "
            "The bridge must send the frame back where it came from."
        )
        return fail(text, "HAIRPIN", went["backend-b"])
    return fail("Which of these frames leaves by the port where it came in?")


ITEMS = (
    Item("08.stopped.old", 2, "The node without kube-proxy", check_old, ("old.from_backend",)),
    Item("08.stopped.ready", 2, "A pod that runs and is not ready", check_ready,
         ("old.from_web2",)),
    Item("08.stopped.new", 2, "A port that came later", check_new,
         ("new.from_backend_b", "new.from_web2")),
    Item("08.stopped.udp", 2, "A UDP client and a new endpoint", check_udp,
         ("udp.same", "udp.other", "udp.later")),
    Item("08.keep.one", 2, "One connection, many requests", check_one, _ONE),
    Item("08.keep.counted", 1, "Many connections", check_counted, _COUNTED),
    Item("08.keep.spread", 2, "How even the spread is", check_spread, _SPREAD),
    Item("08.bridge.nf", 2, "Without bridge-nf-call-iptables", check_nf, ("nf_off",)),
    Item("08.bridge.answer", 1, "The answer that nobody knows", check_from, ("answer_from",)),
    Item("08.bridge.hairpin", 1, "Without hairpin mode", check_hairpin, ("hairpin_off",)),
)  # fmt: skip
