"""What lives here: what a cluster assigns to objects that were written without it.

Nodes get addresses and ranges, pods nodes and addresses, Services cluster IPs and node ports: what
the kubelet, the controller manager, the scheduler, the CNI plugin and the API server would do.
Everything goes by order, nothing by chance: the same manifests always give the same cluster.

What may not live here: documents (see ``objects``), devices, routes.

Simplified here: the scheduler knows node names, ``nodeSelector`` and ports of the host; neither
resources nor affinity nor taints.
Source: Kubernetes' pkg/registry/core/service/ipallocator and portallocator (where they begin),
pkg/controller/nodeipam; containernetworking/plugins' host-local.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence

from k8snetlib.address import Prefix, ip_text
from k8snetlib.errors import BadManifest
from k8snetlib.kube.api import NetworkSpec, Node, Pod, Service
from k8snetlib.kube.network import range_around
from k8snetlib.kube.node_objects import HOSTNAME, NodeDraft

#: The nodes of a cluster whose manifests name none.
DEFAULT_NODES = ("node1", "node2", "node3")
#: The first address that a node gets by itself: .1 is the router's, those below are people's.
_FIRST_NODE = 11
NODE_PORTS = range(30000, 32768)
_RANGE_HINT = "Give a larger range in a network.yaml (docs/manifests.md)."


# -- nodes ----------------------------------------------------------------------------------------


def nodes(drafts: Iterable[NodeDraft], network: NetworkSpec, pods: Iterable[Pod]) -> list[Node]:
    """The Nodes, each with an address of the node network and a range of the pod network.

    A missing address is the lowest free one from .11. A missing range is the one around the
    addresses that the node's pods have, or the next free one of the pod network (its first is left
    out, as flannel does).
    """
    drafts, pods = list(drafts), list(pods)
    net = network.node_network
    used = {draft.ip for draft in drafts} | {host.ip for host in network.hosts} | {net.host(1)}
    addresses = _free(net, used, _FIRST_NODE)
    ranges: list[Prefix] = [d.pod_cidr for d in drafts if d.pod_cidr is not None]
    found = []
    for draft in drafts:
        ip = draft.ip or _next(addresses, f"Node {draft.name}", net)
        cidr = draft.pod_cidr
        if cidr is None:
            own = [pod.ip for pod in pods if pod.node == draft.name and _is_inside(pod)]
            cidr = _range_of(own, ranges) or _free_range(network, ranges, draft.name)
            ranges.append(cidr)
        found.append(Node(draft.name, ip, cidr, draft.labels))
    return found


def _is_inside(pod: Pod) -> bool:
    return bool(pod.ip) and not pod.host_network


def _range_of(addresses: list[str], taken: Sequence[Prefix]) -> Prefix | None:
    """The range around addresses that pods have already, if it is nobody else's."""
    found = range_around([Prefix.parse(ip) for ip in addresses], 24)
    if found is None or any(found.overlaps(other) for other in taken):
        return None
    return found


def _free_range(network: NetworkSpec, taken: Sequence[Prefix], name: str) -> Prefix:
    net = network.pod_network
    length = network.subnet_len or (24 if net.length < 23 else net.length + 2)
    size, count = 1 << 32 - length, 1 << max(0, length - net.length)
    for at in (*range(1, count), 0):
        found = Prefix(net.net + at * size, length)
        if length <= 30 and not any(found.overlaps(other) for other in taken):
            return found
    raise BadManifest(f"Node {name}: no /{length} of {net} is free for its pods.", _RANGE_HINT)


# -- pods -----------------------------------------------------------------------------------------


class Scheduler:
    """Gives each pod the node that has the fewest, the first of several. ``pods``: those that are
    on a node already."""

    __slots__ = ("_load", "_nodes", "_ports")

    def __init__(self, nodes: Iterable[Node], pods: Iterable[Pod]) -> None:
        self._nodes = list(nodes)
        self._load: Counter[str] = Counter()
        self._ports: set[tuple[str, str, int]] = set()
        for pod in pods:
            self._remember(pod)

    def _remember(self, pod: Pod) -> None:
        self._load[pod.node] += 1
        self._ports |= {(pod.node, *port) for port in _host_ports(pod)}

    def place(self, pod: Pod) -> Pod | None:
        """The pod with its node; None if no node suits it."""
        ports = list(_host_ports(pod))
        suited = [
            node
            for node in self._nodes
            if has_labels(node, pod)
            and not (ports and any((node.name, *port) in self._ports for port in ports))
        ]
        if not suited:
            return None
        placed = pod._replace(node=min(suited, key=lambda node: self._load[node.name]).name)
        self._remember(placed)
        return placed


def has_labels(node: Node, pod: Pod) -> bool:
    """True if the node has the labels that the pod asks for. Every node runs Linux, whatever its
    labels say."""
    if not pod.node_selector:
        return True
    labels = {(HOSTNAME, node.name), ("kubernetes.io/os", "linux"), *node.labels}
    return set(pod.node_selector) <= labels


def _host_ports(pod: Pod) -> Iterator[tuple[str, int]]:
    for container in pod.containers:
        yield from ((port.proto, port.host_port) for port in container.ports if port.host_port)
        if pod.host_network:
            yield from ((s.proto, s.port) for s in container.listens if s.ip == "0.0.0.0")


def with_addresses(pods: Iterable[Pod], nodes: Iterable[Node]) -> list[Pod]:
    """The pods, each with an address: its node's on the host's network, else the lowest free one
    of its node's range from .2 (.1 is the bridge's), as host-local gives them to a fresh node."""
    by_name, pods = {node.name: node for node in nodes}, list(pods)
    used = {pod.ip for pod in pods}
    free: dict[str, Iterator[str]] = {}
    found = []
    for pod in pods:
        if not pod.ip and pod.node in by_name:
            node = by_name[pod.node]
            addresses = free.setdefault(node.name, _free(node.pod_cidr, used, 2))
            what = f"Pod {pod.namespace}/{pod.name}"
            ip = node.ip if pod.host_network else _next(addresses, what, node.pod_cidr)
            pod = pod._replace(ip=ip)
        found.append(pod)
    return found


# -- Services -------------------------------------------------------------------------------------


def with_cluster_ips(services: Iterable[Service], network: Prefix) -> list[Service]:
    """The Services, each with a cluster IP, unless it is a name only.

    Like the API server, this begins above the range's lower band, which people use for addresses
    that they choose: a sixteenth of the range, at least 16 and at most 256 addresses.
    """
    services = list(services)
    used = {service.cluster_ip for service in services}
    size = 1 << 32 - network.length
    band = min(max(16, size // 16), 256)
    free = _free(network, used, 1 + band if size > band + 2 else 1)
    found = []
    for service in services:
        if not service.cluster_ip and service.type != "ExternalName":
            what = f"Service {service.namespace}/{service.name}"
            service = service._replace(cluster_ip=_next(free, what, network))
        found.append(service)
    return found


def with_node_ports(
    services: Iterable[Service], without: Container[tuple[str, str]] = ()
) -> list[Service]:
    """The Services of the types NodePort and LoadBalancer with a node port for every port.

    The first is 30086: the 86 below are people's own choice. ``without``: (namespace, name) of
    Services that stay as they are.
    """
    services = list(services)
    used = {port.node_port for service in services for port in service.ports}
    used |= {service.health_check_node_port for service in services}
    free = (port for port in (*NODE_PORTS[86:], *NODE_PORTS[:86]) if port not in used)
    found = []
    for service in services:
        if service.type in ("NodePort", "LoadBalancer") and service.has_address:
            what = f"Service {service.namespace}/{service.name}"
            if (service.namespace, service.name) not in without:
                ports = tuple(
                    port if port.node_port else port._replace(node_port=_port(free, what))
                    for port in service.ports
                )
                service = service._replace(ports=ports)
            local = service.external_traffic_policy == "Local"
            if service.type == "LoadBalancer" and local and not service.health_check_node_port:
                service = service._replace(health_check_node_port=_port(free, what))
        found.append(service)
    return found


# -- in order -------------------------------------------------------------------------------------


def _port(free: Iterator[int], what: str) -> int:
    found = next(free, 0)
    if not found:
        raise BadManifest(f"{what}: all node ports are taken.", "There are 30000 to 32767.")
    return found


def _free(prefix: Prefix, used: Container[str], first: int) -> Iterator[str]:
    """The addresses of a network that nobody has, from number ``first`` on, then those below."""
    last = (1 << 32 - prefix.length) - 1  # the broadcast address
    for at in (*range(min(first, last), last), *range(2, min(first, last))):
        ip = ip_text(prefix.net + at)
        if ip not in used:
            yield ip


def _next(free: Iterator[str], what: str, network: Prefix) -> str:
    found = next(free, "")
    if not found:
        raise BadManifest(f"{what}: no address of {network} is free.", _RANGE_HINT)
    return found
