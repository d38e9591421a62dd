"""What lives here: the Kubernetes objects that shape the network, as values.

Node, Pod and Service carry the fields that decide where packets go, under the names that the API
has for them (in Python's spelling). ``ClusterSpec`` is one whole cluster: those objects and a
``NetworkSpec`` for what Kubernetes has no object for: the network between the nodes, flannel's
configuration, kube-proxy's mode.

What may not live here: YAML (see ``manifests``), devices, routes.

Simplified here: a container listens on its declared ``containerPort`` numbers, unless ``Listen``
says otherwise; a real container listens on whatever its program opens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from k8snetlib.address import Prefix

BACKENDS = ("udp", "vxlan", "host-gw")
SUBNET_MANAGERS = ("etcd", "kube")
#: ``none``: no kube-proxy runs; Services are addresses that nobody serves.
PROXY_MODES = ("iptables", "nftables", "ipvs", "none")
#: The ``podCIDR`` of a node that has none.
NO_RANGE = Prefix(0, 0)


class Listen(NamedTuple):
    """A socket that a program opens: ``proto`` tcp or udp, a bound address, a port."""

    proto: str
    port: int
    ip: str = "0.0.0.0"

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}/{self.proto}"


class ContainerPort(NamedTuple):
    """A declared port that means more than a number: it has a name, or a port of the host.

    ``proto`` is tcp, udp or sctp; ``host_port`` 0: none; ``host_ip`` empty: every address.
    """

    port: int
    proto: str = "tcp"
    name: str = ""
    host_port: int = 0
    host_ip: str = ""


class Container(NamedTuple):
    """One container of a pod and the sockets its program opens. ``ports`` are the declared ports
    that have a name or a host port."""

    name: str
    listens: tuple[Listen, ...] = ()
    ports: tuple[ContainerPort, ...] = ()


class Pod(NamedTuple):
    """A pod: one network namespace on one node, shared by all its containers.

    ``ready`` is its Ready condition; ``terminating``: it has been deleted and still runs.
    ``host_network``: it has no namespace of its own, ``ip`` is its node's. ``node_selector``:
    labels that its node must have.
    """

    name: str
    node: str
    ip: str
    containers: tuple[Container, ...]
    namespace: str = "default"
    labels: tuple[tuple[str, str], ...] = ()
    ready: bool = True
    terminating: bool = False
    host_network: bool = False
    node_selector: tuple[tuple[str, str], ...] = ()

    @property
    def host_ports(self) -> tuple[ContainerPort, ...]:
        """The ports of its node that lead into it."""
        return tuple(port for c in self.containers for port in c.ports if port.host_port)


class Workload(NamedTuple):
    """What makes pods: a Deployment, ReplicaSet, StatefulSet or DaemonSet (``kind``).

    ``template`` is a pod without name, node and address. Its pods are those of its namespace with
    the labels of ``selector``. ``replicas`` counts for all but a DaemonSet: that has one a node.
    """

    kind: str
    name: str
    template: Pod
    selector: tuple[tuple[str, str], ...]
    replicas: int = 1
    namespace: str = "default"

    def owns(self, pod: Pod) -> bool:
        """True if the pod counts as one of its own."""
        return pod.namespace == self.namespace and set(self.selector) <= set(pod.labels)


class Node(NamedTuple):
    """A node: its address in the node network, and the range its pods get addresses from
    (``NO_RANGE``: the controller manager has given it none)."""

    name: str
    ip: str
    pod_cidr: Prefix
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


# -- Services -------------------------------------------------------------------------------------


class ServicePort(NamedTuple):
    """One port of a Service; ``proto`` is tcp, udp or sctp.

    ``target_port`` is a number, or the name of a container's port; 0: the same as ``port``.
    ``node_port`` 0: none.
    """

    name: str
    proto: str
    port: int
    target_port: int | str = 0
    node_port: int = 0


class Ingress(NamedTuple):
    """An address of a load balancer (``status.loadBalancer.ingress``). ``mode`` Proxy: the balancer
    ends connections itself, so the nodes never see this address."""

    ip: str
    mode: str = "VIP"


class Service(NamedTuple):
    """A Service: a virtual address and how to reach what is behind it.

    ``cluster_ip`` is ``None`` (the word) for a headless one, empty for an ExternalName.
    ``affinity_seconds`` 0: no session affinity. ``selector`` empty: its EndpointSlices are somebody
    else's work.
    """

    name: str
    cluster_ip: str
    ports: tuple[ServicePort, ...]
    namespace: str = "default"
    type: str = "ClusterIP"
    external_traffic_policy: str = "Cluster"
    internal_traffic_policy: str = "Cluster"
    selector: tuple[tuple[str, str], ...] = ()
    external_ips: tuple[str, ...] = ()
    ingress: tuple[Ingress, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity_seconds: int = 0
    health_check_node_port: int = 0
    publish_not_ready: bool = False
    external_name: str = ""

    @property
    def has_address(self) -> bool:
        """True if it has a virtual address: it is neither headless nor a name only."""
        return self.cluster_ip not in ("", "None")


class Endpoint(NamedTuple):
    """One address behind a Service, with the conditions of the EndpointSlice API.

    ``serving`` is readiness whatever else is going on; ``terminating``: its pod is being deleted.
    ``node`` and ``pod`` are names, empty if unknown; ``zone_hints`` the zones it is meant for.
    """

    ip: str
    node: str = ""
    pod: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone_hints: tuple[str, ...] = ()


class EndpointPort(NamedTuple):
    """A port of all endpoints of a slice, by the name of the Service's port."""

    name: str
    proto: str
    port: int


class EndpointSlice(NamedTuple):
    """Endpoints of one Service (its name is ``service``); ``family`` is IPv4 or IPv6."""

    name: str
    service: str
    endpoints: tuple[Endpoint, ...]
    ports: tuple[EndpointPort, ...]
    namespace: str = "default"
    family: str = "IPv4"


class Host(NamedTuple):
    """A machine that is not part of the cluster: on the node network, or beyond the router."""

    name: str
    ip: str
    beyond_router: bool = False
    listens: tuple[Listen, ...] = ()


class NetworkSpec(NamedTuple):
    """What Kubernetes has no object for. ``mtu`` is that of the node network, in bytes.

    ``bridge`` ``docker0``: Docker plugs the pods in, with ``docker_masquerade`` and
    ``docker_forward_drop`` as its options; any other name: the flannel CNI plugin does.

    Of flannel's net-conf: ``pod_network``, ``subnet_len`` (bits, 0: flannel's default),
    ``subnet_min`` and ``subnet_max`` (empty: the defaults), ``backend`` and ``backend_options``.
    ``flanneld`` is its command line on every node. ``subnet_manager`` is etcd or kube; empty: etcd
    if it would lease the nodes' ranges, else kube.
    """

    node_network: Prefix
    pod_network: Prefix
    service_network: Prefix
    outside_network: Prefix
    hosts: tuple[Host, ...] = ()
    backend: str = "udp"
    backend_options: tuple[tuple[str, int | bool], ...] = ()
    subnet_len: int = 0
    subnet_min: str = ""
    subnet_max: str = ""
    subnet_manager: str = ""
    flanneld: str = "--ip-masq"
    proxy_mode: str = "iptables"
    bridge: str = "docker0"
    hairpin: bool = True
    mtu: int = 1500
    docker_masquerade: bool = False
    docker_forward_drop: bool = False


class ClusterSpec(NamedTuple):
    """One whole cluster, as values; ``Cluster(spec)`` builds its network."""

    network: NetworkSpec
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    services: tuple[Service, ...] = ()
    slices: tuple[EndpointSlice, ...] = ()
    workloads: tuple[Workload, ...] = ()


def example_spec(
    backend: str = "udp", proxy_mode: str = "iptables", flanneld: str = "--ip-masq", *,
    docker_masquerade: bool = False,
) -> ClusterSpec:  # fmt: skip
    """The course's running example: three nodes, five pods, four Services (the article's cluster,
    made complete). ``flanneld`` is its command line on every node; ``docker_masquerade``: Docker's
    own rule is left on, the classic mistake."""
    subnets = {"node1": "10.1.15.0/24", "node2": "10.1.20.0/24", "node3": "10.1.30.0/24"}
    nodes = tuple(
        Node(name, f"192.168.66.{11 + i}", Prefix.parse(cidr))
        for i, (name, cidr) in enumerate(subnets.items())
    )
    http, backend_http, dns = Listen("tcp", 80), Listen("tcp", 8080), Listen("udp", 53)
    sidecar = Container("sidecar", (Listen("tcp", 9000, "127.0.0.1"),))
    web, backend_label = (("app", "web"),), (("app", "backend"),)
    pods = (
        Pod("web1", "node1", "10.1.15.3", (Container("web", (http, dns)), sidecar), labels=web),
        Pod("web2", "node1", "10.1.15.2", (Container("web", (http,)),), labels=web),
        Pod("backend", "node2", "10.1.20.3", (Container("backend", (backend_http, dns)),),
            labels=backend_label),
        Pod("backend-b", "node2", "10.1.20.4", (Container("backend", (backend_http,)),),
            labels=backend_label),
        Pod("backend-c", "node3", "10.1.30.2", (Container("backend", (backend_http, dns)),),
            labels=backend_label),
    )  # fmt: skip
    network = _example_network(backend, proxy_mode)._replace(
        flanneld=flanneld, docker_masquerade=docker_masquerade
    )
    services, behind = zip(*_example_services(), strict=True)
    slices = tuple(
        slice_of(service, [p for p in pods if p.name in names])
        for service, names in zip(services, behind, strict=True)
    )
    return ClusterSpec(network, nodes, pods, services, slices)


def slice_of(service: Service, pods: Iterable[Pod]) -> EndpointSlice:
    """The EndpointSlice of a Service with these pods behind it, where one holds them all: at most
    100 pods, whose ports have the same numbers (else ``endpoint_slices.slices_of``)."""
    from k8snetlib.kube.endpoint_slices import slices_of

    (found,) = slices_of(service, pods)
    return found


def _example_network(backend: str, proxy_mode: str) -> NetworkSpec:
    http = Listen("tcp", 80)
    return NetworkSpec(
        node_network=Prefix.parse("192.168.66.0/24"),
        pod_network=Prefix.parse("10.1.0.0/16"),
        service_network=Prefix.parse("10.96.0.0/16"),
        outside_network=Prefix.parse("203.0.113.0/24"),
        hosts=(
            Host("ext", "203.0.113.10", True, (http, Listen("udp", 53))),
            Host("client", "192.168.66.100", False, (http,)),
        ),
        backend=backend,
        proxy_mode=proxy_mode,
    )


def _example_services() -> tuple[tuple[Service, tuple[str, ...]], ...]:
    """The Services, each with the names of the pods behind it."""
    http = ServicePort("http", "tcp", 80, 8080, 30080)
    return (
        (Service("backend-svc", "10.96.0.10", (http,), type="NodePort",
                 selector=(("app", "backend"),)),
         ("backend", "backend-b", "backend-c")),
        (Service("backend-local", "10.96.0.11", (http._replace(node_port=30081),), type="NodePort",
                 external_traffic_policy="Local"), ("backend",)),
        (Service("empty-svc", "10.96.0.20", (http._replace(node_port=30082),
                 ServicePort("udp", "udp", 53, 53)), type="NodePort"), ()),
        (Service("kube-dns", "10.96.0.53", (ServicePort("dns", "udp", 53, 53),),
                 namespace="kube-system"), ("backend", "backend-c")),
    )  # fmt: skip
