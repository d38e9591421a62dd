"""What lives here: from the documents of manifests to a ``ClusterSpec``: one function a kind.

A parser takes one object's ``Fields`` and returns a value. What only all objects together tell (a
Service's endpoints stand in EndpointSlices, names of ports in Pods) is put together in ``compose``.

What may not live here: files and YAML (see ``manifests``).

Simplified here: a pod must be scheduled and have its address already, as in what
``kubectl get -o yaml`` prints; pods on the host's network and finished pods are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from k8snetlib.errors import BadManifest
from k8snetlib.kube import service_objects
from k8snetlib.kube.api import (
    ClusterSpec,
    Container,
    EndpointSlice,
    Listen,
    NetworkSpec,
    Node,
    Pod,
    Service,
    slice_of,
)
from k8snetlib.kube.fields import Fields
from k8snetlib.kube.network import default_network, network
from k8snetlib.kube.service_objects import metadata_of
from k8snetlib.kube.sockets import LISTEN, listens

_ASSIGNED = "Write what the cluster assigned, as `kubectl get -o yaml` prints it."


class PodObject(NamedTuple):
    """A pod, and its ports' names, which only Services ask for."""

    pod: Pod
    port_names: dict[str, int]


class ServiceObject(NamedTuple):
    """A Service, and where it stood."""

    service: Service
    fields: Fields


class Objects:
    """Everything that was read, kind by kind; ``passed_over`` says what was left out, and why;
    ``notes`` what is as it was written, and looks like a mistake."""

    __slots__ = ("networks", "nodes", "notes", "passed_over", "pods", "services", "slices")

    def __init__(self) -> None:
        self.networks: list[NetworkSpec] = []
        self.nodes: list[Node] = []
        self.pods: list[PodObject] = []
        self.services: list[ServiceObject] = []
        self.slices: list[EndpointSlice] = []
        self.passed_over: list[str] = []
        self.notes: list[str] = []


# -- one function a kind --------------------------------------------------------------------------


def node(doc: Fields, objects: Objects) -> None:
    """A Node: ``status.addresses`` (InternalIP) and ``spec.podCIDR``."""
    _, name = metadata_of(doc)
    status = doc.fields("status")
    for address in status.each("addresses"):
        if address.text("type") == "InternalIP" and ":" not in address.text("address"):
            pod_cidr = doc.fields("spec").prefix("podCIDR")
            objects.nodes.append(Node(name, address.ip("address"), pod_cidr))
            return
    raise status.error("addresses", "has no IPv4 address of type InternalIP.", _ASSIGNED)


def pod(doc: Fields, objects: Objects) -> None:
    """A Pod: where it runs, its address, its containers and their sockets."""
    namespace, name = metadata_of(doc)
    spec = doc.fields("spec")
    status = doc.fields("status", optional=True)
    if status.text("phase", "") in ("Succeeded", "Failed"):
        objects.passed_over.append(f"Pod {namespace}/{name}, which has ended")
        return
    if spec.flag("hostNetwork", False):
        objects.passed_over.append(f"Pod {namespace}/{name}, which uses its host's network")
        return
    if not spec.has("nodeName"):
        raise spec.error("nodeName", "is missing: the pod runs nowhere.", _ASSIGNED)
    if not status.has("podIP"):
        raise status.error("podIP", "is missing: the pod has no address.", _ASSIGNED)
    metadata = doc.fields("metadata")
    opened = listens(metadata.fields("annotations", optional=True))
    containers: list[Container] = []
    names: dict[str, int] = {}
    for container in spec.each("containers"):
        containers.append(_container(container, opened, names, objects))
    if not containers:
        raise spec.error("containers", "is missing or empty.", "A pod has at least one container.")
    if opened:
        known = ", ".join(c.name for c in containers)
        raise metadata.fields("annotations").error(
            LISTEN, f"names the container '{next(iter(opened))}'.", f"The pod has: {known}."
        )
    found = Pod(name, spec.text("nodeName"), status.ip("podIP"), tuple(containers), namespace,
                metadata.pairs("labels"), _is_ready(status))  # fmt: skip
    objects.pods.append(PodObject(found, names))


def _container(
    fields: Fields, opened: dict[str, tuple[Listen, ...]], names: dict[str, int], objects: Objects
) -> Container:
    """A container. Takes its entry out of ``opened``; puts its ports' names into ``names``."""
    name = fields.text("name")
    declared = []
    for port in fields.each("ports"):
        number = port.port("containerPort")
        names.setdefault(port.text("name", ""), number)
        proto = port.one_of("protocol", ("TCP", "UDP", "SCTP"), "TCP").lower()
        if proto == "sctp":
            objects.passed_over.append(f"SCTP port {number} of {fields.place.what}")
        else:
            declared.append(Listen(proto, number))
    return Container(name, opened.pop(name, tuple(declared)))


def _is_ready(status: Fields) -> bool:
    conditions = {c.text("type"): c.text("status") for c in status.each("conditions")}
    return conditions.get("Ready", "True") == "True"


def service(doc: Fields, objects: Objects) -> None:
    """A Service: its cluster IP, ports, type and policies."""
    found = service_objects.service(doc)
    if not found.has_address:
        why = "which is a DNS name only" if found.external_name else "which is headless"
        if not found.external_name and not found.cluster_ip:
            raise doc.fields("spec").error("clusterIP", "is missing.", _ASSIGNED)
        objects.passed_over.append(f"Service {found.namespace}/{found.name}, {why}")
        return
    objects.services.append(ServiceObject(found, doc))


def endpoint_slice(doc: Fields, objects: Objects) -> None:
    """An EndpointSlice: the endpoints of one Service."""
    found = service_objects.endpoint_slice(doc)
    what = f"EndpointSlice {found.namespace}/{found.name}"
    if found.family != "IPv4":
        objects.passed_over.append(f"{what}, which is not for IPv4")
    elif not found.service:
        objects.passed_over.append(f"{what}, which names no Service")
    else:
        objects.slices.append(found)


def cluster_network(doc: Fields, objects: Objects) -> None:
    """Our own ClusterNetwork (``network.yaml``)."""
    if objects.networks:
        raise doc.error("kind", "is ClusterNetwork a second time.", "A cluster has one network.")
    objects.networks.append(network(doc.fields("spec")))


#: (kind, group of the apiVersion) -> its parser.
PARSERS: Mapping[tuple[str, str], Callable[[Fields, Objects], None]] = {
    ("Node", ""): node,
    ("Pod", ""): pod,
    ("Service", ""): service,
    ("EndpointSlice", "discovery.k8s.io"): endpoint_slice,
    ("ClusterNetwork", "k8snetlib"): cluster_network,
}


def parse(doc: Fields, objects: Objects) -> None:
    """Reads one object, or every object of a ``List``, into ``objects``."""
    kind, version = doc.text("kind"), doc.text("apiVersion")
    if kind.endswith("List") and doc.has("items"):
        for item in doc.each("items"):
            data: dict[str, Any] = dict(item.data)
            # kubectl leaves kind and version out of the items of a typed list (PodList …).
            if kind != "List" and "kind" not in data:
                data |= {"kind": kind.removesuffix("List"), "apiVersion": version}
                item = Fields(data, item.place, item.path)
            parse(item, objects)
        return
    metadata = doc.fields("metadata", optional=True)
    name = metadata.text("name", "?")
    space = (
        "" if kind in ("Node", "ClusterNetwork") else metadata.text("namespace", "default") + "/"
    )
    doc.place = doc.place._replace(what=f"{kind} {space}{name}")
    group = version.partition("/")[0] if "/" in version else ""
    parser = PARSERS.get((kind, group))
    if parser is None:
        objects.passed_over.append(f"{kind} {space}{name}")
    else:
        parser(doc, objects)


# -- together -------------------------------------------------------------------------------------


def compose(objects: Objects) -> ClusterSpec:
    """The cluster that all objects together describe; raises ``BadManifest`` if there is none."""
    if not objects.nodes:
        raise BadManifest("These manifests have no Node.", "A cluster needs at least one.")
    _no_twins(objects)
    nodes = tuple(objects.nodes)
    pods = tuple(p.pod for p in objects.pods)
    services = tuple(s.service for s in objects.services)
    slices = [*objects.slices]
    for found in objects.services:
        own = found.service.namespace, found.service.name
        if own not in {(s.namespace, s.service) for s in slices} and found.service.selector:
            slices.append(_selected(found, objects))
    found_network = objects.networks[0] if objects.networks else default_network(nodes, services)
    known = {n.ip for n in nodes} | {p.ip for p in pods} | {h.ip for h in found_network.hosts}
    names = {(p.name, p.ip) for p in pods}
    slices = [_with_known_pods(found, known, names, objects) for found in slices]
    return ClusterSpec(found_network, nodes, pods, services, tuple(slices))


def _with_known_pods(
    found: EndpointSlice, known: set[str], pods: set[tuple[str, str]], objects: Objects
) -> EndpointSlice:
    """The slice with names of pods that are there. An endpoint that is nobody's address is noted:
    kube-proxy sends packets there all the same."""
    for endpoint in found.endpoints:
        if endpoint.ip not in known:
            service = f"Service {found.namespace}/{found.service}"
            objects.notes.append(f"{endpoint.ip}, an endpoint of {service}, is no pod of these")
    endpoints = tuple(e if (e.pod, e.ip) in pods else e._replace(pod="") for e in found.endpoints)
    return found._replace(endpoints=endpoints)


def _no_twins(objects: Objects) -> None:
    names = [f"Node {n.name}" for n in objects.nodes]
    names += [f"Pod {p.pod.namespace}/{p.pod.name}" for p in objects.pods]
    names += [f"Service {s.service.namespace}/{s.service.name}" for s in objects.services]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadManifest(f"{name} is there twice.", "Give each object once.")
        seen.add(name)


def _selected(found: ServiceObject, objects: Objects) -> EndpointSlice:
    """Without an EndpointSlice: the pods that the selector picks, as the controller would."""
    service = found.service
    wanted = set(service.selector)
    behind = [
        p for p in objects.pods
        if p.pod.namespace == service.namespace and wanted <= set(p.pod.labels)
    ]  # fmt: skip
    ports = []
    for port in service.ports:
        target = port.target_port
        if isinstance(target, str):
            numbers = [p.port_names[target] for p in behind if target in p.port_names]
            if not numbers:
                raise found.fields.fields("spec").error(
                    "ports", f"names the target port '{target}', which no pod behind it has.",
                    "Give its number, or add the pods or the EndpointSlice.",
                )  # fmt: skip
            target = numbers[0]
        ports.append(port._replace(target_port=target))
    return slice_of(service._replace(ports=tuple(ports)), [p.pod for p in behind])
