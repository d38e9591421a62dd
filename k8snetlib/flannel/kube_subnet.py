"""What lives here: flannel's subnet manager over the Kubernetes API (``--kube-subnet-mgr``).

Nothing is allocated here: a node's subnet is its ``spec.podCIDR``, which the controller manager has
given it. What peers must know stands in annotations of the Node object:

    flannel.alpha.coreos.com/public-ip: 192.168.66.11
    flannel.alpha.coreos.com/backend-type: vxlan
    flannel.alpha.coreos.com/backend-data: '{"VNI":1,"VtepMAC":"…"}'
    flannel.alpha.coreos.com/kube-subnet-manager: "true"

There is no TTL: a node's lease ends when its Node object is deleted, however long its flanneld has
been silent. The net-conf comes from a ConfigMap, and its limits are not checked.

Simplified here: no dual stack. Source: flannel's pkg/subnet/kube/kube.go.
"""

from __future__ import annotations

from k8snetlib.etcd.api import EtcdUnreachable
from k8snetlib.flannel.config import NetConf, parse_config
from k8snetlib.flannel.ip import FlannelError
from k8snetlib.flannel.lease import ADDED, REMOVED, Event, Lease, LeaseAttrs
from k8snetlib.flannel.registry import WatchResult
from k8snetlib.kube.api import NO_RANGE, Node
from k8snetlib.kube.apiserver import DELETED, ApiServer

ANNOTATION = "flannel.alpha.coreos.com"


class NodeStream:
    """A watch of the Nodes from one point of their history on."""

    retry_at = 0.0

    def __init__(self, api: ApiServer, host: str, at: int) -> None:
        self.api, self.host, self.at = api, host, at

    def poll(self) -> list[WatchResult]:
        """The leases that came, changed or went since the last call."""
        if not self.api.reachable(self.host):
            return []
        found = []
        for verb, node, before, _ in self.api.since(self.at, Node):
            lease = lease_of(node)
            gone = verb == DELETED
            same = before is not None and not gone and lease_of(before) == lease
            if lease is not None and not same:
                found.append(WatchResult((Event(REMOVED if gone else ADDED, lease),)))
        self.at = self.api.revision
        return found


class KubeSubnetManager:
    """Leases are Node objects. Parameters: ``host`` is this node's name, ``net_conf`` the text of
    the ConfigMap."""

    def __init__(self, api: ApiServer, host: str, net_conf: str) -> None:
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
        node = self.api.find(Node, "", self.host)
        if node is None:
            raise FlannelError(f'node "{self.host}" not found')
        if node.pod_cidr == NO_RANGE:
            raise FlannelError(f'node "{self.host}" pod cidr not assigned')
        network = self.get_network_config().network
        assert network is not None
        ours = {
            f"{ANNOTATION}/backend-type": attrs.backend_type,
            f"{ANNOTATION}/backend-data": attrs.backend_data or "null",
            f"{ANNOTATION}/public-ip": attrs.public_ip,
            f"{ANNOTATION}/kube-subnet-manager": "true",
        }
        self.api.put(node._replace(annotations=tuple({**dict(node.annotations), **ours}.items())))
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
        leases = [lease_of(node) for node in self.api.list(Node)]
        found = tuple(lease for lease in leases if lease is not None)
        return WatchResult((), found), NodeStream(self.api, self.host, self.api.revision)

    def watch_lease(self, lease: Lease) -> None:
        """The own Node is not watched."""

    def expires(self, lease: Lease) -> None:
        """Never."""

    def clone_stream(self, stream: NodeStream) -> NodeStream:
        """A watch of the original on this manager's API, a copy of the original's."""
        return NodeStream(self.api, self.host, stream.at)


def lease_of(node: Node) -> Lease | None:
    """A Node as a lease; None while no flanneld has annotated it."""
    notes = dict(node.annotations)
    if notes.get(f"{ANNOTATION}/kube-subnet-manager") != "true" or node.pod_cidr == NO_RANGE:
        return None
    data = notes.get(f"{ANNOTATION}/backend-data", "null")
    attrs = LeaseAttrs(
        notes.get(f"{ANNOTATION}/public-ip", ""), None, notes.get(f"{ANNOTATION}/backend-type", ""),
        "" if data == "null" else data,
    )  # fmt: skip
    return Lease(node.pod_cidr, attrs)
