"""What lives here: Pods as documents, and the templates of pods: read into values, written again.

A pod as people write it has no node and no address: the value then has empty ones, and
``assigned`` fills them in.

What may not live here: who makes pods (see ``workload_objects``), where they go (``assigned``).

Simplified here: a container listens on its declared ports (see ``sockets``); probes are not run,
a pod without a Ready condition is ready.
Source: the Kubernetes API, core/v1 Pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from k8snetlib.errors import BadManifest
from k8snetlib.kube.api import Container, ContainerPort, Listen, Node, Pod
from k8snetlib.kube.fields import Fields
from k8snetlib.kube.service_objects import PROTOCOLS, metadata_of
from k8snetlib.kube.sockets import LISTEN, annotation, listens

Object = dict[str, Any]

#: An image must be named; nothing ever pulls this one.
_IMAGE = "k8snetlib/example"
#: A pod that is being deleted has a time; which one decides nothing here.
_DELETED = "1970-01-01T00:00:00Z"


# -- reading --------------------------------------------------------------------------------------


def why_not(doc: Fields) -> str:
    """Why a pod has no place in the network, in words; empty if it has one."""
    status = doc.fields("status", optional=True)
    phase = status.text("phase", "")
    if phase in ("Succeeded", "Failed"):
        return "which has ended"
    if phase == "Pending" and not status.has("podIP"):
        return "which does not run yet"
    if status.has("podIP") and not _address(status):
        return "which has no IPv4 address"
    return ""


def pod(doc: Fields, passed_over: list[str]) -> Pod:
    """The value of a Pod, ``node`` and ``ip`` empty if nobody assigned them. What is left out of it
    is added to ``passed_over``. Raises ``BadManifest``."""
    namespace, name = metadata_of(doc)
    spec, status = doc.fields("spec"), doc.fields("status", optional=True)
    ready = {c.text("type"): c.text("status") for c in status.each("conditions")}
    return template(doc, passed_over)._replace(
        name=name,
        node=spec.text("nodeName", ""),
        ip=_address(status),
        namespace=namespace,
        ready=ready.get("Ready", "True") == "True",
        terminating=doc.fields("metadata").has("deletionTimestamp"),
    )


def _address(status: Fields) -> str:
    """Its first IPv4 address."""
    for one in status.each("podIPs"):
        if ":" not in one.text("ip", ""):
            return one.ip("ip")
    return status.ip("podIP") if ":" not in status.text("podIP", ":") else ""


def template(doc: Fields, passed_over: list[str]) -> Pod:
    """What a pod and a pod template have in common: labels, containers, what a node must offer."""
    metadata, spec = doc.fields("metadata", optional=True), doc.fields("spec")
    opened = listens(metadata.fields("annotations", optional=True))
    host_network = spec.flag("hostNetwork", False)
    # An init container that is always restarted is a sidecar: it runs beside the others.
    sidecars = [c for c in spec.each("initContainers") if c.text("restartPolicy", "") == "Always"]
    containers = tuple(
        _container(container, opened, host_network, passed_over)
        for container in (*spec.each("containers"), *sidecars)
    )
    if not containers:
        raise spec.error("containers", "is missing or empty.", "A pod has at least one container.")
    if opened:
        known = ", ".join(c.name for c in containers)
        raise metadata.fields("annotations").error(
            LISTEN, f"names the container '{next(iter(opened))}'.", f"The pod has: {known}."
        )
    return Pod(
        "", "", "", containers, labels=metadata.pairs("labels"), host_network=host_network,
        node_selector=spec.pairs("nodeSelector"),
    )  # fmt: skip


def _container(
    fields: Fields, opened: dict[str, tuple[Listen, ...]], host_network: bool, passed: list[str]
) -> Container:
    """A container. Takes its entry out of ``opened``."""
    name = fields.text("name")
    sockets, ports = [], []
    for port in fields.each("ports"):
        number = port.port("containerPort")
        proto = port.one_of("protocol", PROTOCOLS, "TCP").lower()
        if proto == "sctp":
            passed.append(f"SCTP port {number} of {fields.place.what}")
        else:
            sockets.append(Listen(proto, number))
        # On the host's network every port is the host's own anyway.
        host = 0 if host_network else port.number("hostPort", 0, 65535, 0)
        ip = port.ip("hostIP") if host and port.text("hostIP", "") else ""
        declared = ContainerPort(number, proto, port.text("name", ""), host, ip)
        if declared.name or declared.host_port:
            ports.append(declared)
    return Container(name, opened.pop(name, tuple(sockets)), tuple(ports))


# -- writing --------------------------------------------------------------------------------------


def pod_object(pod: Pod, nodes: Mapping[str, Node]) -> Object:
    """A running Pod, scheduled and with its address; ``BadManifest`` if its node is unknown."""
    if pod.node not in nodes:
        raise BadManifest(f"Pod {pod.name} names an unknown node '{pod.node}'.")
    shape = template_object(pod)
    metadata: Object = {"name": pod.name, "namespace": pod.namespace, **shape["metadata"]}
    if pod.terminating:
        metadata["deletionTimestamp"] = _DELETED
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": pod.node, **shape["spec"]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(pod.ready)}],
            "hostIP": nodes[pod.node].ip,
            "podIP": pod.ip,
            "podIPs": [{"ip": pod.ip}],
        },
    }


def template_object(pod: Pod) -> Object:
    """The template of a pod: ``metadata`` and ``spec`` of what all its copies share."""
    metadata: Object = {}
    if pod.labels:
        metadata["labels"] = dict(pod.labels)
    opened = annotation(c for c in pod.containers if _declared(c) != c.listens)
    if opened:
        metadata["annotations"] = {LISTEN: opened}
    spec: Object = {}
    if pod.host_network:
        spec["hostNetwork"] = True
    if pod.node_selector:
        spec["nodeSelector"] = dict(pod.node_selector)
    spec["containers"] = [_container_object(container) for container in pod.containers]
    return {"metadata": metadata, "spec": spec}


def _container_object(container: Container) -> Object:
    found: Object = {"name": container.name, "image": _IMAGE}
    ports = [_port_object(port) for port in _ports(container)]
    return {**found, "ports": ports} if ports else found


def _ports(container: Container) -> Iterable[ContainerPort]:
    """The ports to declare: in the order of the sockets, with their names where they have some."""
    left = list(container.ports)
    for socket in container.listens:
        if socket.ip.startswith("127."):
            continue  # nobody's business but the pod's
        named = [p for p in left if (p.port, p.proto) == (socket.port, socket.proto)]
        if named:
            left.remove(named[0])
        yield named[0] if named else ContainerPort(socket.port, socket.proto)
    yield from left


def _declared(container: Container) -> tuple[Listen, ...]:
    """What a reader takes the declared ports for."""
    return tuple(Listen(p.proto, p.port) for p in _ports(container) if p.proto != "sctp")


def _port_object(port: ContainerPort) -> Object:
    found: Object = {"name": port.name} if port.name else {}
    found |= {"containerPort": port.port, "protocol": port.proto.upper()}
    if port.host_port:
        found["hostPort"] = port.host_port
    return {**found, "hostIP": port.host_ip} if port.host_ip else found
