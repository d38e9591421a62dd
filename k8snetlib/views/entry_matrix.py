"""What lives here: ``entry_matrix``, what becomes of a connection to a node port, from everywhere.

Columns are the nodes that a client may enter by, rows the clients; a cell names the source address
that the endpoint sees, or what became of the packet, and who answers with which probability. All
is computed by ``Cluster.outcomes``: every way in which the kernels' chances can fall.

What may not live here: policies; whoever wrote the rules knows them.

Simplified here: one client of each kind; of the pods of a node one that is no endpoint, if any; of
the hosts outside one beyond the router, if any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.errors import K8sNetError, unknown_name
from k8snetlib.fates import Fate
from k8snetlib.kube.api import EndpointSlice, Pod, Service, ServicePort
from k8snetlib.kube.apiserver import api_server
from k8snetlib.views.grid import Cell, Grid, Tables
from k8snetlib.words import owner_words

#: Kinds of clients, in the order of the rows: from where they come.
CLIENTS = (
    "a host outside", "a pod on that node", "a pod on another node", "a process on that node"
)  # fmt: skip

_NOTES = (
    "✓ the endpoint sees the client's own address. ⇄ it sees another one: the source was "
    "translated. ✕ no answer came back.",
)


class End(NamedTuple):
    """One of all that can become of a connection: how likely it is, how it ends and where, which
    source is seen there (``owner`` is whose address that is), and whether it is the client's own.
    """

    probability: Fraction
    outcome: str
    receiver: str
    seen: str
    owner: str
    kept: bool


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


def entry_matrix(what: Cluster | Iterable[Entry], *services: str) -> Tables:
    """Entry node × client for the node ports of one or more Services.

    Parameters: ``what`` is a cluster (nothing is sent in it), with ``services`` as ``NAME`` or
    ``NAMESPACE/NAME``; or the ``Entry`` values themselves. Raises ``UnknownName``, and
    ``K8sNetError`` if a Service has no node port.
    """
    if isinstance(what, Cluster):
        entries = tuple(entry for name in services for entry in entries_of(what, name))
    else:
        entries = tuple(what)
    names = tuple(dict.fromkeys((e.service, e.policy, e.port) for e in entries))
    grids = tuple(_grid(*name, [e for e in entries if (e.service, e.policy, e.port) == name])
                  for name in names)  # fmt: skip
    listed = " and ".join(service for service, _, _ in names)
    title = (
        f"In by a node port: {listed or 'no Service'}. Each cell: the source address that the "
        "endpoint sees, and who answers how often."
    )
    return Tables(title, grids, _NOTES)


# -- computing ------------------------------------------------------------------------------------


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
    return End(fate.probability, fate.outcome, fate.receiver, fate.src, owner, fate.src == sent)


# -- showing --------------------------------------------------------------------------------------


def _grid(service: str, policy: str, port: int, entries: Sequence[Entry]) -> Grid:
    nodes = tuple(dict.fromkeys(entry.node for entry in entries))
    kinds = tuple(dict.fromkeys(entry.kind for entry in entries))
    cells = {(entry.kind, entry.node): entry for entry in entries}
    rows = []
    for kind in kinds:
        clients = {cells[kind, node].client for node in nodes if (kind, node) in cells}
        same = (next(iter(clients)),) if len(clients) == 1 and clients != {""} else ()
        row = [Cell((kind, *same))]
        for node in nodes:
            entry = cells.get((kind, node))
            row.append(_cell(entry, told=bool(same)) if entry else Cell(("–",)))
        rows.append(tuple(row))
    caption = f"{service}, port {port} of every node, externalTrafficPolicy: {policy}"
    heads = tuple(("enters by", node) for node in nodes)
    return Grid(caption, "from", heads, tuple(rows))


def _cell(entry: Entry, *, told: bool) -> Cell:
    if not entry.client:
        return Cell(("–", "no such host" if entry.kind == CLIENTS[0] else "no such pod"))
    lines = list(_lines(entry.ends))
    if not told and not entry.kind.endswith("process on that node"):
        lines.append(f"client: {entry.client}")
    worst = "✕⇄✓"
    signs = [_sign(end) for end in entry.ends]
    sign = min(signs, key=worst.index)
    first = lines[0].removeprefix(f"{sign} ") if lines[0].startswith(sign) else lines[0]
    return Cell((first, *lines[1:]), sign)


def _sign(end: End) -> str:
    return "✕" if end.outcome != "delivered" else "✓" if end.kept else "⇄"


def _lines(ends: Sequence[End]) -> Iterator[str]:
    """What becomes of it: ends with the same sign and source stand together, the worst first."""
    groups: dict[tuple[str, str, str, str], list[End]] = {}
    for end in ends:
        groups.setdefault((_sign(end), end.outcome, end.seen, end.owner), []).append(end)
    for (sign, outcome, seen, owner), group in sorted(
        groups.items(), key=lambda item: "✕⇄✓".index(item[0][0])
    ):
        if sign == "✕":
            yield f"{sign} {outcome}"
            yield f"{_chances(group)}, at {', '.join(end.receiver for end in group)}"
            continue
        yield f"{sign} {seen}" + (f" ({owner})" if owner else "")
        yield f"by {', '.join(end.receiver for end in group)}: {_chances(group)}"


def _chances(group: Sequence[End]) -> str:
    chances = {end.probability for end in group}
    if chances == {Fraction(1)}:
        return "always"
    each = " each" if len(group) > 1 else ""
    if len(chances) == 1:
        return f"{next(iter(chances))}{each}"
    return ", ".join(str(end.probability) for end in group)
