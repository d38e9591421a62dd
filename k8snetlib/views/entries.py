"""What lives here: all that can become of a connection to a node port, as values.

An ``Entry`` is one way in: a Service's port on a node, and a client of some kind; its ends are all
that can become of it, computed by ``Cluster.outcomes``: every way in which the kernels' chances can
fall, each with a specimen of its packets.

What may not live here: policies; whoever wrote the rules knows them.

Simplified here: one client of each kind; of the pods of a node one that is no endpoint, if any; of
the hosts outside one beyond the router, if any.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.errors import K8sNetError, unknown_name
from k8snetlib.fates import Fate
from k8snetlib.kube.api import EndpointSlice, Pod, Service, ServicePort
from k8snetlib.kube.apiserver import api_server
from k8snetlib.trace import Exchange
from k8snetlib.words import owner_words

#: Kinds of clients, in the order of the rows: from where they come.
CLIENTS = (
    "a host outside", "a pod on that node", "a pod on another node", "a process on that node"
)  # fmt: skip


class End(NamedTuple):
    """One of all that can become of a connection: how likely it is, how it ends and where, which
    source is seen there (``owner`` is whose address that is), and whether it is the client's own.
    ``exchange`` is one that ends so, if the ends come from a model.
    """

    probability: Fraction
    outcome: str
    receiver: str
    seen: str
    owner: str
    kept: bool
    exchange: Exchange | None = None


class Entry(NamedTuple):
    """A cell of the matrix: a Service's node port on a node, used by a client of some kind.

    ``client`` is empty if there is no such client; ``ends`` are then empty as well.
    """

    service: str
    policy: str
    port: int
    node: str
    kind: str
    client: str
    ends: tuple[End, ...]


def entries_of(cluster: Cluster, service: str) -> tuple[Entry, ...]:
    """Every cell of one Service's matrix, row by row (its first node port)."""
    found, port = _service(cluster, service)
    behind = _endpoints(cluster, found)
    return tuple(
        _entry(cluster, found, port, node, kind, _client(cluster, kind, node, behind))
        for kind in CLIENTS
        for node in cluster.nodes
    )


def _service(cluster: Cluster, name: str) -> tuple[Service, ServicePort]:
    plain = name.removeprefix("svc/").removeprefix("service/")
    services = api_server(cluster.network).list(Service)
    found = [s for s in services if plain in (s.name, f"{s.namespace}/{s.name}")]
    found.sort(key=lambda s: s.namespace != "default")
    if not found:
        raise unknown_name("Service", plain, [s.name for s in services])
    ports = [port for port in found[0].ports if port.node_port]
    if not ports:
        raise K8sNetError(f"{plain} has no node port.", "Its type is to be NodePort.")
    return found[0], ports[0]


def _endpoints(cluster: Cluster, service: Service) -> set[str]:
    slices = api_server(cluster.network).list(EndpointSlice)
    return {
        endpoint.ip
        for piece in slices
        if (piece.namespace, piece.service) == (service.namespace, service.name)
        for endpoint in piece.endpoints
    }


def _client(cluster: Cluster, kind: str, node: str, behind: set[str]) -> str:
    """The client of a kind for an entry node ("": there is none)."""
    if kind == CLIENTS[3]:
        return node
    if kind == CLIENTS[0]:
        hosts = sorted(cluster.spec.network.hosts, key=lambda host: not host.beyond_router)
        return hosts[0].name if hosts else ""
    here = kind == CLIENTS[1]
    pods = [pod for pod in cluster.spec.pods if (pod.node == node) is here and _plain(pod)]
    pods.sort(key=lambda pod: pod.ip in behind)
    return pods[0].name if pods else ""


def _plain(pod: Pod) -> bool:
    return not pod.host_network and not pod.terminating


def _entry(
    cluster: Cluster, service: Service, port: ServicePort, node: str, kind: str, client: str
) -> Entry:
    ends: tuple[End, ...] = ()
    if client:
        address = cluster.address_of(node)
        fates = cluster.outcomes(client, address, port.node_port, proto=port.proto)
        ends = tuple(_end(cluster, fate) for fate in fates)
    return Entry(
        service.name, service.external_traffic_policy, port.node_port, node, kind, client, ends
    )


def _end(cluster: Cluster, fate: Fate) -> End:
    request = fate.exchange.request
    sent = request.steps[0].packet.innermost.ip.src if request else ""
    owner = owner_words(cluster.names.get(fate.src, ""))
    return End(fate.probability, fate.outcome, fate.receiver, fate.src, owner, fate.src == sent,
               fate.exchange)  # fmt: skip
