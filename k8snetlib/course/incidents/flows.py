"""What lives here: what is sent to find out how a cluster is: flows, and what becomes of each.

``flows_of`` lists the flows that every incident looks at: pod to pod on the same and on another
node, small and large, pod to Service, node port, out to the internet, node to pod, and whether a
node forwards for a stranger. ``observe`` sends one in a copy of the cluster.

What may not live here: what should become of a flow (the whole cluster says that).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.kube.api import Pod, Workload
from k8snetlib.kube.apiserver import api_server
from k8snetlib.kube.controllers import owns
from k8snetlib.trace import Exchange

#: A transfer that is more than one packet with every backend, in bytes.
LARGE = 3000
#: Before a peak, in seconds: what conntrack remembers of closed connections (120 s) is gone then.
A_QUIET_TIME = 130.0
#: What becomes of a flow whose sender or receiver is not there.
NOBODY = "nobody of that name"


class Flow(NamedTuple):
    """Something to send. ``size`` is the request in bytes (0: the usual one); ``spread``: every
    choice of a load balancer counts; ``first`` is typed before, as (machine, command); ``peak``: so
    many connections of the same kind were opened just before."""

    source: str
    target: str
    port: int | None = None
    proto: str = "icmp"
    size: int = 0
    spread: bool = False
    sport: int | None = None
    first: tuple[tuple[str, str], ...] = ()
    peak: int = 0

    def __str__(self) -> str:
        what = {"icmp": "ping"}.get(self.proto, f"{self.proto.upper()} port {self.port}")
        large = f", {self.size} bytes" if self.size else ""
        through = " through a node" if self.first else ""
        peak = f", after {self.peak} others" if self.peak else ""
        return f"{self.source} → {self.target}{through} ({what}{large}{peak})"


class Seen(NamedTuple):
    """What became of a flow: ``ends`` are all (outcome, receiver, source that the receiver saw);
    ``exchange`` is one of them, the worst; None if nothing could be sent."""

    ends: frozenset[tuple[str, str, str]]
    exchange: Exchange | None

    @property
    def fates(self) -> frozenset[tuple[str, str]]:
        """The ends, whatever source address was seen."""
        return frozenset((outcome, receiver) for outcome, receiver, _ in self.ends)

    @property
    def ok(self) -> bool:
        """True if every way ends well."""
        return all(outcome == "delivered" for outcome, _, _ in self.ends)


def observe(cluster: Cluster, flow: Flow) -> Seen:
    """Sends a flow in a copy of the cluster."""
    copy = cluster.clone()
    try:
        for machine, command in flow.first:
            copy[machine].sh(command)
        if flow.peak:
            copy.advance(A_QUIET_TIME)
        for _ in range(flow.peak):
            copy.send(flow.source, flow.target, flow.port, proto=flow.proto)
        exchanges = list(_sent(copy, flow))
    except K8sNetError:
        return Seen(frozenset({(NOBODY, "", "")}), None)
    ends = {_end(copy, one): one for one in exchanges}
    worst = min(ends, key=lambda end: (end[0] == "delivered", end))
    if cluster.spec.network.proxy_mode == "ipvs" and flow.spread:
        # Whose turn it is does not matter.
        return Seen(frozenset((end[0], "*", end[2]) for end in ends), ends[worst])
    return Seen(frozenset(ends), ends[worst])


def _sent(copy: Cluster, flow: Flow) -> Iterator[Exchange]:
    payload = {"payload": flow.size} if flow.size else {}
    if flow.spread:
        fates = copy.outcomes(
            flow.source, flow.target, flow.port, proto=flow.proto, sport=flow.sport, **payload
        )
        yield from (fate.exchange for fate in fates)
        return
    yield copy.send(
        flow.source, flow.target, flow.port, proto=flow.proto, sport=flow.sport,
        payload=flow.size or (b"GET / HTTP/1.1\r\n\r\n" if flow.proto == "tcp" else None),
    )  # fmt: skip


def _end(cluster: Cluster, exchange: Exchange) -> tuple[str, str, str]:
    request = exchange.request
    if request is None or not request.steps:
        return exchange.outcome, "", ""
    if not request.delivered:
        return exchange.outcome, who(cluster, request.end), ""
    ip = request.last.packet.innermost.ip.src
    return exchange.outcome, who(cluster, request.end), _owner(cluster, ip)


def _owner(cluster: Cluster, ip: str) -> str:
    """Whose address it is; of several that a device has, those behind the first as they are."""
    name = cluster.names.get(ip, ip)
    ns = cluster.network.netns.get(name)
    if ns is not None and "eth0" in ns.devices:
        first = [address.ip for address in ns.devices["eth0"].addresses][:1]
        return who(cluster, name) if [ip] == first else ip
    return name


def who(cluster: Cluster, name: str) -> str:
    """A pod's workload, if it has one (its name changes with each new pod); else the name."""
    api = api_server(cluster.network)
    workloads = api.list(Workload)
    if not workloads:
        return name
    for pod in api.list(Pod):
        if pod.name == name:
            return next((one.name for one in workloads if owns(one, pod)), name)
    return name


def why(exchange: Exchange) -> str:
    """The reason in the model's words; for a packet merely passed over, what became of it."""
    if exchange.reason.startswith("nobody answered within"):
        for trace in reversed(exchange.packets):
            last = trace.steps[-1]
            if last.verdict == "ignore" and not trace.label.startswith("ARP"):
                return f"{trace.label} ended at {trace.hops[-1].netns}: {last.reason}"
    return exchange.reason


# -- the flows of every incident ------------------------------------------------------------------


def flows_of(cluster: Cluster) -> tuple[Flow, ...]:
    """The flows that are compared before and after a repair."""
    return (*_pods(cluster), *_nodes(cluster), *_services(cluster), *_outside(cluster))


def _own_pods(cluster: Cluster) -> list[Pod]:
    """The pods with a namespace and a name that stay: those of a workload come and go."""
    workloads = api_server(cluster.network).list(Workload)
    return [
        pod
        for pod in cluster.spec.pods
        if not pod.host_network and not any(owns(one, pod) for one in workloads)
    ]


def _first_pods(cluster: Cluster) -> dict[str, Pod]:
    """Node -> the first pod on it that has a namespace of its own."""
    found: dict[str, Pod] = {}
    for pod in _own_pods(cluster):
        found.setdefault(pod.node, pod)
    return found


def _tcp(pod: Pod) -> int | None:
    ports = [one.port for c in pod.containers for one in c.listens if one.proto == "tcp"]
    return ports[0] if ports else None


def _pods(cluster: Cluster) -> Iterator[Flow]:
    names = [pod.name for pod in _own_pods(cluster)]
    yield from (Flow(a, b) for a in names for b in names if a != b)
    first = _first_pods(cluster)
    for pod in _own_pods(cluster):
        others = [one for one in first.values() if one.name != pod.name]
        if (port := _tcp(pod)) is not None:
            yield from (Flow(one.name, pod.name, port, "tcp", LARGE) for one in others)


def _nodes(cluster: Cluster) -> Iterator[Flow]:
    pods = _first_pods(cluster)
    for node in cluster.nodes:
        yield from (Flow(node, pod.name) for pod in pods.values())
        yield from (Flow(pod.name, node) for pod in pods.values())
        yield from (Flow(node, other) for other in cluster.nodes if other != node)


def _services(cluster: Cluster) -> Iterator[Flow]:
    """A Service with a selector is asked by everybody, the others by one pod."""
    if cluster.spec.network.proxy_mode == "none":
        return
    pods = [pod.name for pod in _own_pods(cluster)]
    here, there = cluster.nodes[0], cluster.nodes[-1]
    for service in cluster.spec.services:
        port = service.ports[0]
        for sender in (*pods, here) if service.selector else pods[:1]:
            yield Flow(sender, service.cluster_ip, port.port, port.proto, spread=True)
        if not port.node_port:
            continue
        for node in cluster.nodes if service.selector else (here, there):
            yield Flow("client", node, port.node_port, port.proto, spread=True)
        if service.selector:
            yield Flow(here, "127.0.0.1", port.node_port, port.proto, spread=True)
            yield Flow(pods[0], there, port.node_port, port.proto, spread=True)


def _outside(cluster: Cluster) -> Iterator[Flow]:
    hosts = {host.name: host for host in cluster.spec.network.hosts}
    for host in hosts:
        yield from (Flow(pod.name, host) for pod in _first_pods(cluster).values())
        yield from (Flow(pod.name, host, 80, "tcp") for pod in _first_pods(cluster).values())
        yield from (Flow(node, host) for node in cluster.nodes)
    if {"client", "ext"} <= set(hosts):
        outside = cluster.spec.network.outside_network
        for node in cluster.spec.nodes:
            route = ("client", f"ip route add {outside} via {node.ip}")
            yield Flow("client", "ext", first=(route,))
