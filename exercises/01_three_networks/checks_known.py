"""The rubrics of 01.known and 01.service: what a node knows of pods, and of a Service."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.address import Prefix
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.kube.api import ClusterSpec, Node, example_spec

NEW_PODS = 20


def _spec() -> ClusterSpec:
    return example_spec("host-gw", "iptables", "--ip-masq")


def table(spec: ClusterSpec) -> list[str]:
    """node1's routes, as ``ip route`` prints them."""
    return str(Cluster(spec)["node1"].sh("ip route")).splitlines()


@lru_cache(maxsize=1)
def lines() -> tuple[int, int, int]:
    """How many routes node1 has: now, with more pods on node2, with one more node."""
    spec = _spec()
    backend = next(pod for pod in spec.pods if pod.name == "backend")
    node2 = next(node for node in spec.nodes if node.name == "node2")
    more = tuple(
        backend._replace(name=f"new{at}", ip=node2.pod_cidr.host(100 + at), labels=())
        for at in range(NEW_PODS)
    )
    node4 = Node("node4", spec.network.node_network.host(14), Prefix.parse("10.1.40.0/24"))
    larger = spec._replace(pods=(*spec.pods, *more))
    wider = spec._replace(nodes=(*spec.nodes, node4))
    return len(table(spec)), len(table(larger)), len(table(wider))


def _route_to(cluster: Cluster, node: str, ip: str) -> Any:
    return forms.route(str(cluster[node].routes.lookup(ip)))


@lru_cache(maxsize=1)
def routes() -> dict[str, Any]:
    """The route of node1 to each of three pods."""
    cluster = Cluster(_spec())
    names = ("web1", "web2", "backend")
    return {name: _route_to(cluster, "node1", cluster.address_of(name)) for name in names}


@lru_cache(maxsize=1)
def moved() -> tuple[Exchange, Any]:
    """backend-b's address is now backend-c's, on node3; web2 pings it."""
    cluster = Cluster(_spec())
    ip = cluster.address_of("backend-b")
    cluster["backend-b"].sh(f"ip addr del {ip}/24 dev eth0")
    cluster["backend-c"].sh(f"ip addr add {ip}/24 dev eth0")
    return cluster.ping("web2", ip), _route_to(cluster, "node1", ip)


def check_routes(answer: dict[str, Any], seed: int) -> Findings:
    """By which routes node1 reaches three pods."""
    said = {name: forms.route(answer[name]) for name in ("web1", "web2", "backend")}
    right = routes()
    if same(said, right):
        return ()
    if said["web1"] != said["web2"] and same(said["backend"], right["backend"]):
        text = (
            "You seem to think that pods of one node are in different subnets. "
            "All pods of node1 are in the subnet of its docker0."
        )
        return fail(text, "DIFF_SUBNETS")
    if "flannel0" in str(said["backend"]) or str(said["backend"]).startswith("('10.1.0.0/16'"):
        text = (
            "You seem to think that one route leads to all pods of other nodes. "
            "So it is with flannel0. host-gw has a route for each node."
        )
        return fail(text, "ONE_ROUTE")
    return fail("One of these routes is not the one that decides. Print node1's table.")


def check_lines(answer: dict[str, Any], seed: int) -> Findings:
    """How node1's table grows."""
    now, pods, node = lines()
    said = tuple(forms.whole(answer[key]) for key in ("lines.now", "lines.pods", "lines.node"))
    if same(said, (now, pods, node)):
        return ()
    if isinstance(said[1], int) and said[1] >= now + NEW_PODS:
        text = (
            "You seem to think that flannel tells every node about every pod. "
            "It tells one range for each node."
        )
        return fail(text, "POD_WATCH")
    if said[:2] == (now, pods) and said[2] == now:
        text = (
            "You seem to think that a new node changes nothing here. "
            "It brings a range of its own: how does node1 reach that?"
        )
        return fail(text, "NODE_UNSEEN")
    return fail("Count the lines of ip route, and what each of them is for.")


def check_moved(answer: dict[str, Any], seed: int) -> Findings:
    """An address that has gone to another node."""
    said = forms.route(answer["moved.route"]), forms.host(answer["moved.ends_in"])
    walk, route = moved()
    assert walk.request is not None
    if same(said, (route, walk.request.end)):
        return ()
    if said[1] in ("backend-c", "node3"):
        text = (
            "You seem to think that packets find an address wherever it is. "
            "An address is tied to its node by one route for the whole range."
        )
        return fail(text, "ADDRESS_MOVES", walk)
    return fail("The ping takes another way. Which line of node1's table decides?", None, walk)


# -- 01.service -----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def vip_ping() -> tuple[Exchange, Any]:
    """web2 pings backend-svc, and node1's route for it."""
    cluster = Cluster.example()
    ip = cluster.address_of("backend-svc")
    return cluster.ping("web2", ip), _route_to(cluster, "node1", ip)


@lru_cache(maxsize=1)
def vip_connect() -> tuple[Exchange, tuple[str, str, str]]:
    """web2 connects to backend-svc: (outcome, network of the destination at both ends)."""
    cluster = Cluster.example()
    exchange = cluster.connect("web2", "backend-svc", port=80)
    assert exchange.request is not None
    first, last = exchange.request.frames[0], exchange.request.frames[-1]
    ends = network_of(cluster, first.packet.ip.dst), network_of(cluster, last.packet.ip.dst)
    return exchange, (exchange.outcome, *ends)


def network_of(cluster: Cluster, ip: str) -> str:
    """node, pod, service, or nothing."""
    net = cluster.spec.network
    known = {"node": net.node_network, "pod": net.pod_network, "service": net.service_network}
    return next((name for name, prefix in known.items() if ip in prefix), "")


def check_ping(answer: dict[str, Any], seed: int) -> Findings:
    """A ping of the Service's address."""
    walk, route = vip_ping()
    assert walk.request is not None
    said = forms.route(answer["ping.route"]), forms.host(answer["ping.ends_in"])
    if same(said, (route, walk.request.end)):
        return ()
    if said[1] in ("node1", "node2", "node3"):
        text = (
            "You seem to think that a device of the node has the Service's address. "
            "In this mode of kube-proxy no device has it."
        )
        return fail(text, "VIP_NIC", walk)
    if isinstance(said[1], str) and said[1].startswith("backend"):
        text = (
            "You seem to think that a pod has the Service's address. "
            "The pods behind a Service do not know it."
        )
        return fail(text, "VIP_ON_POD", walk)
    if said[1] in ("kube-proxy", "proxy"):
        text = (
            "You seem to think that packets pass through the kube-proxy process. "
            "It only writes rules, and no rule is for a ping."
        )
        return fail(text, "PROXY_DATA", walk)
    return fail("The ping ends elsewhere, or by another route. Follow it.", None, walk)


def _network_word(value: Any) -> Any:
    text = forms.words(value)
    return text.lower().removesuffix(" network").rstrip("s") if isinstance(text, str) else value


def check_connect(answer: dict[str, Any], seed: int) -> Findings:
    """A connection to the Service's port."""
    walk, right = vip_connect()
    said = (
        forms.outcome(answer["connect.outcome"]),
        _network_word(answer["connect.leaves_for"]),
        _network_word(answer["connect.arrives_for"]),
    )
    if same(said, right):
        return ()
    if said[0] != right[0]:
        text = (
            "You seem to think that a Service is down because it does not answer a ping. "
            "A ping asks nothing that its rules know."
        )
        return fail(text, "PING_VIP", walk)
    if said[1] == said[2] == right[1]:
        text = (
            "You seem to think that the Service's address arrives at the pod. "
            "A pod takes only what is sent to its own address."
        )
        return fail(text, "VIP_ARRIVES", walk)
    if said[1] == said[2] == right[2]:
        text = (
            "You seem to think that web2 itself chooses the pod. "
            "It knows the Service's address only; its node writes another one into the packet."
        )
        return fail(text, "DNAT_IN_POD", walk)
    return fail("Compare the SYN's destination at its first and at its last device.", None, walk)


ITEMS = (
    Item("01.known.routes", 2, "node1's routes to three pods", check_routes,
         ("web1", "web2", "backend")),
    Item("01.known.lines", 2, "How node1's table grows", check_lines,
         ("lines.now", "lines.pods", "lines.node")),
    Item("01.known.moved", 2, "An address on another node", check_moved,
         ("moved.route", "moved.ends_in")),
    Item("01.service.ping", 2, "A ping", check_ping, ("ping.route", "ping.ends_in")),
    Item("01.service.connect", 3, "A connection", check_connect,
         ("connect.outcome", "connect.leaves_for", "connect.arrives_for")),
)  # fmt: skip
