"""What lives here: flannel's subnet manager over the Kubernetes API (``--kube-subnet-mgr``).

Nothing is allocated here: a node's subnet is its ``spec.podCIDR``, which the controller manager has
given it. What peers must know stands in annotations of the Node object:

    flannel.alpha.coreos.com/public-ip: 192.168.66.11
    flannel.alpha.coreos.com/backend-type: vxlan
    flannel.alpha.coreos.com/backend-data: '{"VNI":1,"VtepMAC":"…"}'
    flannel.alpha.coreos.com/kube-subnet-manager: "true"

There is no TTL: a node's lease ends when its Node object is deleted, however long its flanneld has
been silent. The net-conf comes from a ConfigMap, and its limits are not checked.

Simplified here: ``NodeApi`` is all of the API server that this needs: Node objects and a watch of
them. No dual stack. Source: flannel's pkg/subnet/kube/kube.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.address import Prefix
from k8snetlib.errors import unknown_name
from k8snetlib.etcd.api import EtcdUnreachable
from k8snetlib.flannel.config import NetConf, parse_config
from k8snetlib.flannel.ip import FlannelError
from k8snetlib.flannel.lease import ADDED, REMOVED, Event, Lease, LeaseAttrs
from k8snetlib.flannel.registry import WatchResult

if TYPE_CHECKING:
    from k8snetlib.linux.network import Network

ANNOTATION = "flannel.alpha.coreos.com"


class NodeObject(NamedTuple):
    """What flannel reads and writes of a Node: its range and its annotations."""

    name: str
    pod_cidr: Prefix | None
    annotations: Mapping[str, str] = {}


class NodeApi:
    """The API server's Node objects, as an agent of the network: it tells those who watch."""

    name = "apiserver"

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: dict[str, NodeObject] = {}
        self.log: list[tuple[str, NodeObject, NodeObject | None]] = []
        self.watchers: dict[str, str] = {}
        self.cuts: set[str] = set()
        self.running = True

    @property
    def revision(self) -> int:
        """How many changes there have been."""
        return len(self.log)

    def reachable(self, host: str) -> bool:
        """True if a machine reaches the API server."""
        return self.running and host not in self.cuts

    def put(self, node: NodeObject) -> None:
        """Creates or changes a Node."""
        before = self.nodes.get(node.name)
        if before != node:
            self.nodes[node.name] = node
            self._changed(ADDED, node, before)

    def delete(self, name: str) -> None:
        """``kubectl delete node NAME``; raises ``UnknownName``."""
        if name not in self.nodes:
            raise unknown_name("Node", name, self.nodes)
        node = self.nodes.pop(name)
        self._changed(REMOVED, node, node)

    def _changed(self, kind: str, node: NodeObject, before: NodeObject | None) -> None:
        self.log.append((kind, node, before))
        self.look()

    def cut(self, host: str) -> None:
        """The way from a machine is cut."""
        self.cuts.add(host)
        self.look()

    def reconnect(self, host: str) -> None:
        """The way from a machine is open again."""
        self.cuts.discard(host)
        self.look()

    def look(self) -> None:
        """Those who watch look."""
        for agent in self.watchers:
            self.network.agents.look(agent)
        if not self.network.agents.busy:
            self.network.settle()

    def due(self) -> float:
        """It does nothing by itself."""
        return inf

    def act(self) -> None:
        """Nothing to do."""

    def clone(self, network: Network) -> NodeApi:
        """The same objects in a copy of the network."""
        other = NodeApi(network)
        other.nodes, other.log = dict(self.nodes), list(self.log)
        other.watchers, other.cuts = dict(self.watchers), set(self.cuts)
        other.running = self.running
        return other


class NodeStream:
    """A watch of the Nodes from one point of their history on."""

    retry_at = 0.0

    def __init__(self, api: NodeApi, host: str, at: int) -> None:
        self.api, self.host, self.at = api, host, at

    def poll(self) -> list[WatchResult]:
        """The leases that came, changed or went since the last call."""
        if not self.api.reachable(self.host):
            return []
        found = []
        for kind, node, before in self.api.log[self.at :]:
            lease = lease_of(node)
            same = before is not None and kind == ADDED and lease_of(before) == lease
            if lease is not None and not same:
                found.append(WatchResult((Event(kind, lease),)))
        self.at = len(self.api.log)
        return found


class KubeSubnetManager:
    """Leases are Node objects. Parameters: ``host`` is this node's name, ``net_conf`` the text of
    the ConfigMap."""

    def __init__(self, api: NodeApi, host: str, net_conf: str) -> None:
        self.api, self.host, self.net_conf = api, host, net_conf

    @property
    def name(self) -> str:
        """As flanneld's journal calls it."""
        return f"Kubernetes Subnet Manager - {self.host}"

    def get_network_config(self) -> NetConf:
        """The net-conf as it is; raises ``FlannelError``."""
        conf = parse_config(self.net_conf)
        if conf.network is None:
            raise FlannelError("could not find an ipv4 network in the flannel configuration")
        return conf

    def acquire_lease(self, attrs: LeaseAttrs) -> Lease:
        """Annotates the own Node, and takes its range; raises ``FlannelError``."""
        if not self.api.reachable(self.host):
            raise EtcdUnreachable("the Kubernetes API server cannot be reached")
        node = self.api.nodes.get(self.host)
        if node is None:
            raise FlannelError(f'node "{self.host}" not found')
        if node.pod_cidr is None:
            raise FlannelError(f'node "{self.host}" pod cidr not assigned')
        network = self.get_network_config().network
        assert network is not None
        ours = {
            f"{ANNOTATION}/backend-type": attrs.backend_type,
            f"{ANNOTATION}/backend-data": attrs.backend_data or "null",
            f"{ANNOTATION}/public-ip": attrs.public_ip,
            f"{ANNOTATION}/kube-subnet-manager": "true",
        }
        self.api.put(node._replace(annotations={**node.annotations, **ours}))
        inside = network.length <= node.pod_cidr.length and network.overlaps(node.pod_cidr)
        if not inside:
            raise FlannelError(
                f'subnet "{network}" specified in the flannel net config doesn\'t contain '
                f'"{node.pod_cidr}" PodCIDR of the "{self.host}" node'
            )
        return Lease(node.pod_cidr, attrs, None, None)

    def renew_lease(self, lease: Lease) -> Lease:
        """There is nothing to renew."""
        return lease

    def watch_leases(self) -> tuple[WatchResult, NodeStream]:
        """The leases of all Nodes now, and a watch of what comes after."""
        leases = [lease_of(node) for node in self.api.nodes.values()]
        found = tuple(lease for lease in leases if lease is not None)
        return WatchResult((), found), NodeStream(self.api, self.host, len(self.api.log))

    def watch_lease(self, lease: Lease) -> None:
        """The own Node is not watched."""

    def expires(self, lease: Lease) -> None:
        """Never."""

    def clone_stream(self, stream: NodeStream) -> NodeStream:
        """A watch of the original on this manager's API, a copy of the original's."""
        return NodeStream(self.api, self.host, stream.at)


def lease_of(node: NodeObject) -> Lease | None:
    """A Node as a lease; None while no flanneld has annotated it."""
    notes = node.annotations
    if notes.get(f"{ANNOTATION}/kube-subnet-manager") != "true" or node.pod_cidr is None:
        return None
    data = notes.get(f"{ANNOTATION}/backend-data", "null")
    attrs = LeaseAttrs(
        notes.get(f"{ANNOTATION}/public-ip", ""), None, notes.get(f"{ANNOTATION}/backend-type", ""),
        "" if data == "null" else data,
    )  # fmt: skip
    return Lease(node.pod_cidr, attrs)
