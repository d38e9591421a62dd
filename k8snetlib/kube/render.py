"""What lives here: from a ``ClusterSpec`` to Kubernetes objects, as kubectl would print them.

The functions a kind stand in the kinds' own modules; each returns plain dictionaries, in the order
in which people write fields.

What may not live here: files and YAML (see ``manifests``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k8snetlib.errors import BadManifest
from k8snetlib.kube.api import ClusterSpec, EndpointSlice
from k8snetlib.kube.network import network_object
from k8snetlib.kube.node_objects import node_object
from k8snetlib.kube.pod_objects import pod_object
from k8snetlib.kube.service_objects import service_object, slice_object
from k8snetlib.kube.workload_objects import workload_object

Object = dict[str, Any]


def objects_of(spec: ClusterSpec) -> dict[str, list[Object]]:
    """File name -> the documents in it."""
    nodes = {node.name: node for node in spec.nodes}
    pods = {(pod.name, pod.ip): pod.namespace for pod in spec.pods}
    files = {
        "network.yaml": [network_object(spec.network)],
        "nodes.yaml": [node_object(node) for node in spec.nodes],
        "pods.yaml": [pod_object(pod, nodes) for pod in spec.pods],
        "workloads.yaml": [workload_object(workload) for workload in spec.workloads],
        "services.yaml": [service_object(service) for service in spec.services],
        "endpointslices.yaml": [_checked_slice(found, pods) for found in spec.slices],
    }
    return {name: documents for name, documents in files.items() if documents}


def _checked_slice(found: EndpointSlice, namespaces: Mapping[tuple[str, str], str]) -> Object:
    """The slice; ``BadManifest`` if an endpoint names a pod that is not there."""
    for endpoint in found.endpoints:
        if endpoint.pod and (endpoint.pod, endpoint.ip) not in namespaces:
            raise BadManifest(
                f"EndpointSlice {found.name} names an unknown endpoint '{endpoint.pod}'.",
                "Add the pod, or leave out the endpoint's pod.",
            )
    return slice_object(found, namespaces)
