"""What lives here: from a ``ClusterSpec`` to Kubernetes objects, as kubectl would print them.

One function a kind; each returns plain dictionaries, in the order in which people write fields.

What may not live here: files and YAML (see ``manifests``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from k8snetlib.errors import BadManifest
from k8snetlib.kube.api import (
    ClusterSpec,
    Container,
    EndpointSlice,
    Listen,
    Node,
    Pod,
)
from k8snetlib.kube.network import network_object
from k8snetlib.kube.service_objects import service_object, slice_object
from k8snetlib.kube.sockets import LISTEN, annotation

Object = dict[str, Any]

#: An image must be named; nothing ever pulls this one.
_IMAGE = "k8snetlib/example"
_READY = [{"type": "Ready", "status": "True"}]


def objects_of(spec: ClusterSpec) -> dict[str, list[Object]]:
    """File name -> the documents in it."""
    nodes = {node.name: node for node in spec.nodes}
    pods = {(pod.name, pod.ip) for pod in spec.pods}
    files = {
        "network.yaml": [network_object(spec.network)],
        "nodes.yaml": [node_object(node) for node in spec.nodes],
        "pods.yaml": [pod_object(pod, nodes) for pod in spec.pods],
        "services.yaml": [service_object(service) for service in spec.services],
        "endpointslices.yaml": [slice_object(_checked(found, pods)) for found in spec.slices],
    }
    return {name: documents for name, documents in files.items() if documents}


def _checked(found: EndpointSlice, pods: set[tuple[str, str]]) -> EndpointSlice:
    """The slice; ``BadManifest`` if an endpoint names a pod that is not there."""
    for endpoint in found.endpoints:
        if endpoint.pod and (endpoint.pod, endpoint.ip) not in pods:
            raise BadManifest(
                f"EndpointSlice {found.name} names an unknown endpoint '{endpoint.pod}'.",
                "Add the pod, or leave out the endpoint's pod.",
            )
    return found


def node_object(node: Node) -> Object:
    """A Node with its address and its range of pod addresses."""
    addresses = [
        {"type": "InternalIP", "address": node.ip},
        {"type": "Hostname", "address": node.name},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": {"kubernetes.io/hostname": node.name}},
        "spec": {"podCIDR": str(node.pod_cidr), "podCIDRs": [str(node.pod_cidr)]},
        "status": {"addresses": addresses, "conditions": _conditions()},
    }


def _conditions() -> list[Object]:
    return [dict(condition) for condition in _READY]


def pod_object(pod: Pod, nodes: Mapping[str, Node]) -> Object:
    """A running Pod, scheduled and with its address; ``BadManifest`` if its node is unknown."""
    if pod.node not in nodes:
        raise BadManifest(f"Pod {pod.name} names an unknown node '{pod.node}'.")
    metadata: Object = {"name": pod.name, "namespace": pod.namespace}
    if pod.labels:
        metadata["labels"] = dict(pod.labels)
    opened = annotation(pod.containers)
    if opened:
        metadata["annotations"] = {LISTEN: opened}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": pod.node,
            "containers": [_container(container) for container in pod.containers],
        },
        "status": {
            "phase": "Running",
            "conditions": _conditions(),
            "hostIP": nodes[pod.node].ip,
            "podIP": pod.ip,
            "podIPs": [{"ip": pod.ip}],
        },
    }


def _container(container: Container) -> Object:
    found: Object = {"name": container.name, "image": _IMAGE}
    # A port on 127.0.0.1 is nobody's business but the pod's: it is not declared.
    reachable = [socket for socket in container.listens if not socket.ip.startswith("127.")]
    ports = list(_container_ports(reachable))
    return {**found, "ports": ports} if ports else found


def _container_ports(sockets: Iterable[Listen]) -> Iterable[Object]:
    for socket in sockets:
        yield {"containerPort": socket.port, "protocol": socket.proto.upper()}
