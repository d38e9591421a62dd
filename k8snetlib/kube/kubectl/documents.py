"""What lives here: values as documents, as the API server hands them out, and back.

A document has more in its metadata than a value knows: its age, revision, an identity. Going back,
documents are read by the same parsers as manifests, so that what is wrong in a patch is refused as
it would be in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from k8snetlib.errors import BadCommand, BadManifest, nearest
from k8snetlib.kube.api import EndpointSlice, Node, Pod, Service, Workload
from k8snetlib.kube.apiserver import ApiServer, Stored
from k8snetlib.kube.assigned import with_cluster_ips, with_node_ports
from k8snetlib.kube.fields import Fields, Place
from k8snetlib.kube.kubectl.endpoints import Endpoints
from k8snetlib.kube.kubectl.kinds import KINDS, Kind
from k8snetlib.kube.kubectl.words import rfc3339
from k8snetlib.kube.node_objects import HOSTNAME, node_object
from k8snetlib.kube.objects import Objects, parse
from k8snetlib.kube.pod_objects import template_object
from k8snetlib.kube.service_objects import SERVICE_LABEL, service_object, slice_object
from k8snetlib.kube.workload_objects import workload_object

Object = dict[str, Any]


def labels_of(value: Any) -> dict[str, str]:
    """The labels of an object, those included that are there by themselves."""
    if isinstance(value, Node):
        return {HOSTNAME: value.name, "kubernetes.io/os": "linux", **dict(value.labels)}
    if isinstance(value, EndpointSlice):
        return {SERVICE_LABEL: value.service}
    return dict(getattr(value, "labels", ()))


# -- out ------------------------------------------------------------------------------------------


def document_of(api: ApiServer, value: Any) -> Object:
    """An object as people would write it, completely."""
    if isinstance(value, Pod):
        return _pod(api, value)
    if isinstance(value, Service):
        document = service_object(value)
        defaults = {"internalTrafficPolicy": "Cluster", "sessionAffinity": "None"}
        document["spec"] = {**defaults, **document["spec"]}
        return {**document, "status": document.get("status", {"loadBalancer": {}})}
    if isinstance(value, Node):
        document = node_object(value)
        if value.annotations:
            document["metadata"]["annotations"] = dict(value.annotations)
        return document
    if isinstance(value, Workload):
        return workload_object(value)
    if isinstance(value, Endpoints):
        return _endpoints(value)
    pods = {(pod.name, pod.ip): pod.namespace for pod in api.list(Pod)}
    return slice_object(value, pods)


def stored_document(api: ApiServer, value: Any, stored: Stored) -> Object:
    """An object as the API server hands it out, with all its metadata."""
    document = document_of(api, value)
    what = f"{document['kind']}/{getattr(value, 'namespace', '')}/{value.name}/{stored.created}"
    digest = sha256(what.encode()).hexdigest()
    parts = (digest[:8], digest[8:12], f"4{digest[13:16]}", f"a{digest[17:20]}", digest[20:32])
    document["metadata"] |= {
        "creationTimestamp": rfc3339(stored.created),
        "resourceVersion": str(stored.revision),
        "uid": "-".join(parts),
    }
    return document


def _pod(api: ApiServer, pod: Pod) -> Object:
    """A Pod in any state: it may wait for a node, or for its address."""
    shape = template_object(pod)
    metadata = {"name": pod.name, "namespace": pod.namespace, **shape["metadata"]}
    if pod.terminating:
        metadata["deletionTimestamp"] = rfc3339(
            api.deadlines.get((pod.namespace, pod.name), api.network.now)
        )
    spec = {"nodeName": pod.node, **shape["spec"]} if pod.node else shape["spec"]
    status: Object = {"phase": "Running" if pod.ip else "Pending"}
    ready = bool(pod.ip) and pod.ready
    status["conditions"] = [{"type": "Ready", "status": str(ready)}]
    node = api.find(Node, "", pod.node)
    if node is not None:
        status["hostIP"] = node.ip
    if pod.ip:
        status |= {"podIP": pod.ip, "podIPs": [{"ip": pod.ip}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _endpoints(value: Endpoints) -> Object:
    subsets = []
    for ports, behind in value.subsets:
        subset: Object = {}
        for key, ready in (("addresses", True), ("notReadyAddresses", False)):
            found = [_address(e.ip, e.node, e.pod) for e in behind if e.ready == ready]
            if found:
                subset[key] = found
        subset["ports"] = [
            {"name": p.name, "port": p.port, "protocol": p.proto.upper()} for p in ports
        ]
        subsets.append(subset)
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": value.name, "namespace": value.namespace},
        "subsets": subsets,
    }


def _address(ip: str, node: str, pod: str) -> Object:
    found: Object = {"ip": ip}
    if node:
        found["nodeName"] = node
    return {**found, "targetRef": {"kind": "Pod", "name": pod}} if pod else found


# -- in -------------------------------------------------------------------------------------------


def value_of(api: ApiServer, document: Mapping[str, Any], file: str, number: int = 1) -> Any:
    """The value that a document describes, completed as the API server would.

    Raises ``BadCommand`` in kubectl's words for kinds that do not exist, and for what is wrong.
    """
    kind, name = _kind(document, file)
    objects = Objects()
    try:
        parse(Fields(document, Place(file, number)), objects)
    except BadManifest as error:
        said = f'The {kind.title} "{name}" is invalid: {error.message}'
        raise BadCommand(said, error.hint) from None
    if objects.nodes:
        return _node(api, objects.nodes[0].name, dict(objects.nodes[0].labels))
    for found in (objects.pods, objects.workloads, objects.slices):
        if found:
            return found[0]
    if objects.services:
        return completed(api, objects.services[0], objects.no_node_ports)
    why = "; ".join(objects.passed_over) or f"{kind.title} {name}"
    raise BadCommand(f"error: not modelled here: {why}.", f"Here: {_kinds()}.")


def _kinds() -> str:
    return ", ".join(kind.title for kind in KINDS)


def _kind(document: Mapping[str, Any], file: str) -> tuple[Kind, str]:
    title, version = str(document.get("kind", "")), str(document.get("apiVersion", ""))
    metadata = document.get("metadata")
    name = str(metadata.get("name", "")) if isinstance(metadata, Mapping) else ""
    if not title or not version:
        missing = "kind" if not title else "apiVersion"
        raise BadCommand(f'error: error validating "{file}": {missing} not set')
    group = version.partition("/")[0] if "/" in version else ""
    for kind in KINDS:
        if (kind.title, kind.group) == (title, group):
            return kind, name
    near = nearest(title, [kind.title for kind in KINDS], 1)
    raise BadCommand(
        f'error: resource mapping not found for name: "{name}" namespace: "" from "{file}": '
        f'no matches for kind "{title}" in version "{version}"',
        (f"Did you mean {near[0]}? " if near else "") + f"Modelled here: {_kinds()}.",
    )


def _node(api: ApiServer, name: str, labels: dict[str, str]) -> Node:
    node = api.find(Node, "", name)
    if node is None:
        raise BadCommand(f"A Node is a machine: {name} is none of this cluster.")
    return node._replace(labels=tuple(labels.items()))


def completed(
    api: ApiServer, service: Service, without: set[tuple[str, str]] | None = None
) -> Service:
    """A Service with a cluster IP and node ports, if it needs some and has none; without node ports
    if it is no longer of a type that has some."""
    old = api.find(Service, service.namespace, service.name)
    if old is not None and _on_nodes(old) and not _on_nodes(service):
        ports = tuple(port._replace(node_port=0) for port in service.ports)
        service = service._replace(ports=ports, health_check_node_port=0)
    others = [
        s for s in api.list(Service) if (s.namespace, s.name) != (service.namespace, service.name)
    ]
    alone = {(s.namespace, s.name) for s in others} | (without or set())
    for other in others:
        if service.has_address and other.cluster_ip == service.cluster_ip:
            raise invalid("Service", service.name, "spec.clusterIPs[0]: Invalid value: "
                          f'["{service.cluster_ip}"]: failed to allocate IP {service.cluster_ip}: '
                          "provided IP is already allocated")  # fmt: skip
        used = {port.node_port for port in other.ports} - {0}
        for at, port in enumerate(service.ports):
            if port.node_port in used:
                raise invalid("Service", service.name, f"spec.ports[{at}].nodePort: Invalid value: "
                              f"{port.node_port}: provided port is already allocated")  # fmt: skip
    if old is not None and old.type == service.type and _portless(service) <= _portless(old):
        alone.add((service.namespace, service.name))
    return with_node_ports(with_cluster_ips([*others, service], api.service_range), alone)[-1]


def _on_nodes(service: Service) -> bool:
    """Whether a Service's type gives it node ports."""
    return service.type in ("NodePort", "LoadBalancer")


def _portless(service: Service) -> set[str]:
    """The ports of a Service that have no node port."""
    return {port.name for port in service.ports if not port.node_port}


def invalid(kind: str, name: str, why: str) -> BadCommand:
    """What the API server says to an object that cannot be."""
    return BadCommand(f'The {kind} "{name}" is invalid: {why}')


def check_update(old: Any, new: Any) -> None:
    """Refuses what may not change once it is there, in the API server's words."""
    if isinstance(old, Service) and isinstance(new, Service):
        both = old.has_address and new.has_address
        if both and old.cluster_ip != new.cluster_ip:
            raise invalid("Service", new.name, "spec.clusterIPs[0]: Invalid value: "
                          f'["{new.cluster_ip}"]: may not change once set')  # fmt: skip
    if isinstance(old, Pod) and isinstance(new, Pod):
        fixed = ("node", "containers", "host_network", "node_selector")
        if any(getattr(old, field) != getattr(new, field) for field in fixed):
            raise invalid("Pod", new.name, "spec: Forbidden: pod updates may not change fields "
                          "other than `spec.containers[*].image`")  # fmt: skip
    if isinstance(old, Workload) and isinstance(new, Workload) and old.selector != new.selector:
        raise invalid(new.kind, new.name, "spec.selector: Invalid value: field is immutable")
