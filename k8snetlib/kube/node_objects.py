"""What lives here: Nodes as documents: read into values, and written again.

A Node that people write has neither an address nor a range for its pods: the kubelet and the
controller manager add them. ``NodeDraft`` is a Node of which not all is known yet.

What may not live here: which address or range a node gets (see ``assigned``).

Source: the Kubernetes API, core/v1 Node.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from k8snetlib.address import Prefix
from k8snetlib.kube.api import Node
from k8snetlib.kube.fields import Fields
from k8snetlib.kube.service_objects import metadata_of

Object = dict[str, Any]

#: Every node has this label; it says no more than the node's name.
HOSTNAME = "kubernetes.io/hostname"
_ASSIGNED = "Write what the cluster assigned, as `kubectl get -o yaml` prints it."


class NodeDraft(NamedTuple):
    """A Node whose address (empty) and range (None) may still be unknown."""

    name: str
    ip: str = ""
    pod_cidr: Prefix | None = None
    labels: tuple[tuple[str, str], ...] = ()


def node(doc: Fields) -> NodeDraft:
    """A Node: ``status.addresses`` (InternalIP), ``spec.podCIDR`` and its labels."""
    _, name = metadata_of(doc)
    spec = doc.fields("spec", optional=True)
    labels = doc.fields("metadata").pairs("labels")
    ranges = [text for text in spec.texts("podCIDRs") if ":" not in text]
    pod_cidr = spec.prefix("podCIDR") if ":" not in spec.text("podCIDR", ":") else None
    if pod_cidr is None and ranges:
        pod_cidr = Prefix.parse(ranges[0])
    return NodeDraft(
        name, _address(doc.fields("status", optional=True)), pod_cidr,
        tuple(label for label in labels if label != (HOSTNAME, name)),
    )  # fmt: skip


def _address(status: Fields) -> str:
    for address in status.each("addresses"):
        if address.text("type") == "InternalIP" and ":" not in address.text("address"):
            return address.ip("address")
    if status.has("addresses"):
        raise status.error("addresses", "has no IPv4 address of type InternalIP.", _ASSIGNED)
    return ""


def node_object(node: Node) -> Object:
    """A Node with its address and its range of pod addresses."""
    addresses = [
        {"type": "InternalIP", "address": node.ip},
        {"type": "Hostname", "address": node.name},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": {HOSTNAME: node.name, **dict(node.labels)}},
        "spec": {"podCIDR": str(node.pod_cidr), "podCIDRs": [str(node.pod_cidr)]},
        "status": {
            "addresses": addresses,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
