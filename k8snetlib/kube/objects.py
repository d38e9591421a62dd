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
from k8snetlib.kube.api import (
    ClusterSpec,
    Container,
    Listen,
    NetworkSpec,
    Node,
    Pod,
    Service,
    ServicePort,
)
from k8snetlib.kube.fields import Fields
from k8snetlib.kube.network import default_network, network
from k8snetlib.kube.sockets import LISTEN, listens

_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_ASSIGNED = "Write what the cluster assigned, as `kubectl get -o yaml` prints it."


class PodObject(NamedTuple):
    """A pod, and what of it only Services ask for: named ports, and if it is ready."""

    pod: Pod
    port_names: dict[str, int]
    ready: bool


class ServiceObject(NamedTuple):
    """A Service whose named target ports and endpoints are still to be found."""

    service: Service
    targets: tuple[int | str, ...]
    selector: tuple[tuple[str, str], ...]
    fields: Fields


class Slice(NamedTuple):
    """An EndpointSlice: the ready endpoints (pod name or "", address) and the ports by name."""

    service: tuple[str, str]
    endpoints: tuple[tuple[str, str], ...]
    ports: dict[str, int]


class Objects:
    """Everything that was read, kind by kind; ``passed_over`` says what was left out, and why."""

    __slots__ = ("networks", "nodes", "passed_over", "pods", "services", "slices")

    def __init__(self) -> None:
        self.networks: list[NetworkSpec] = []
        self.nodes: list[Node] = []
        self.pods: list[PodObject] = []
        self.services: list[ServiceObject] = []
        self.slices: list[Slice] = []
        self.passed_over: list[str] = []


# -- one function a kind --------------------------------------------------------------------------


def _metadata(doc: Fields) -> tuple[str, str]:
    """Namespace and name."""
    metadata = doc.fields("metadata")
    return metadata.text("namespace", "default"), metadata.text("name")


def node(doc: Fields, objects: Objects) -> None:
    """A Node: ``status.addresses`` (InternalIP) and ``spec.podCIDR``."""
    _, name = _metadata(doc)
    status = doc.fields("status")
    for address in status.each("addresses"):
        if address.text("type") == "InternalIP" and ":" not in address.text("address"):
            pod_cidr = doc.fields("spec").prefix("podCIDR")
            objects.nodes.append(Node(name, address.ip("address"), pod_cidr))
            return
    raise status.error("addresses", "has no IPv4 address of type InternalIP.", _ASSIGNED)


def pod(doc: Fields, objects: Objects) -> None:
    """A Pod: where it runs, its address, its containers and their sockets."""
    namespace, name = _metadata(doc)
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
                metadata.pairs("labels"))  # fmt: skip
    objects.pods.append(PodObject(found, names, _is_ready(status)))


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
    """A Service: its cluster IP, ports, type and traffic policy."""
    namespace, name = _metadata(doc)
    spec = doc.fields("spec")
    kind = spec.one_of("type", _TYPES, "ClusterIP")
    if kind == "ExternalName" or spec.text("clusterIP", "") == "None":
        why = "which is a DNS name only" if kind == "ExternalName" else "which is headless"
        objects.passed_over.append(f"Service {namespace}/{name}, {why}")
        return
    if not spec.has("clusterIP"):
        raise spec.error("clusterIP", "is missing.", _ASSIGNED)
    ports, targets = [], []
    for port in spec.each("ports"):
        proto = port.one_of("protocol", ("TCP", "UDP", "SCTP"), "TCP").lower()
        if proto == "sctp":
            objects.passed_over.append(f"an SCTP port of Service {namespace}/{name}")
            continue
        number = port.port("port")
        node_port = port.number("nodePort", 0, 65535, 0)
        ports.append(ServicePort(port.text("name", ""), proto, number, 0, node_port))
        named = isinstance(port.data.get("targetPort"), str)
        targets.append(port.text("targetPort") if named else _target(port, number))
    policy = spec.one_of("externalTrafficPolicy", ("Cluster", "Local"), "Cluster")
    found = Service(name, spec.ip("clusterIP"), tuple(ports), namespace, kind, policy)
    selector = spec.pairs("selector")
    objects.services.append(ServiceObject(found, tuple(targets), selector, doc))


def _target(port: Fields, default: int) -> int:
    return port.port("targetPort") if port.has("targetPort") else default


def endpoint_slice(doc: Fields, objects: Objects) -> None:
    """An EndpointSlice: the endpoints of one Service that may get packets."""
    namespace, name = _metadata(doc)
    if doc.text("addressType") != "IPv4":
        objects.passed_over.append(f"EndpointSlice {namespace}/{name}, which is not for IPv4")
        return
    labels = dict(doc.fields("metadata").pairs("labels"))
    of = labels.get("kubernetes.io/service-name")
    if of is None:
        objects.passed_over.append(f"EndpointSlice {namespace}/{name}, which names no Service")
        return
    found = []
    for endpoint in doc.each("endpoints"):
        if not endpoint.fields("conditions", optional=True).flag("ready", True):
            continue
        target = endpoint.fields("targetRef", optional=True)
        pod_name = target.text("name") if target.text("kind", "") == "Pod" else ""
        addresses = endpoint.texts("addresses")
        found.append((pod_name, addresses[0] if addresses else ""))
    ports = {p.text("name", ""): p.port("port") for p in doc.each("ports") if p.has("port")}
    objects.slices.append(Slice((namespace, of), tuple(found), ports))


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
    services = tuple(_finished(s, objects) for s in objects.services)
    found = objects.networks[0] if objects.networks else default_network(nodes, services)
    return ClusterSpec(found, nodes, pods, services)


def _no_twins(objects: Objects) -> None:
    names = [f"Node {n.name}" for n in objects.nodes]
    names += [f"Pod {p.pod.namespace}/{p.pod.name}" for p in objects.pods]
    names += [f"Service {s.service.namespace}/{s.service.name}" for s in objects.services]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadManifest(f"{name} is there twice.", "Give each object once.")
        seen.add(name)


def _finished(found: ServiceObject, objects: Objects) -> Service:
    """A Service with its endpoints and the numbers of its target ports."""
    raw = found.service
    slices = [s for s in objects.slices if s.service == (raw.namespace, raw.name)]
    backing = _from_slices(raw, slices, objects) if slices else _selected(found, objects)
    ports = []
    for port, target in zip(raw.ports, found.targets, strict=True):
        number = target if isinstance(target, int) else None
        if number is None:
            number = next((s.ports[port.name] for s in slices if port.name in s.ports), None)
        if number is None:
            names = [p.port_names for p in backing if target in p.port_names]
            number = names[0][str(target)] if names else None
        if number is None:
            raise found.fields.fields("spec").error(
                "ports", f"names the target port '{target}', which no pod behind it has.",
                "Give its number, or add the pods or the EndpointSlice.",
            )  # fmt: skip
        ports.append(port._replace(target_port=number))
    names_of = tuple(dict.fromkeys(p.pod.name for p in backing))
    return raw._replace(ports=tuple(ports), endpoints=names_of)


def _from_slices(raw: Service, slices: list[Slice], objects: Objects) -> list[PodObject]:
    by_name = {(p.pod.name): p for p in objects.pods}
    by_ip = {p.pod.ip: p for p in objects.pods}
    found = []
    for name, address in (pair for s in slices for pair in s.endpoints):
        behind = by_name.get(name) or by_ip.get(address)
        if behind is None:
            what = f"endpoint {name or address} of Service {raw.namespace}/{raw.name}"
            objects.passed_over.append(f"{what}, which is no pod of these manifests")
        else:
            found.append(behind)
    return found


def _selected(found: ServiceObject, objects: Objects) -> list[PodObject]:
    """Without an EndpointSlice: the ready pods that the selector picks, as the controller would."""
    if not found.selector:
        return []
    wanted, namespace = set(found.selector), found.service.namespace
    return [
        p for p in objects.pods
        if p.ready and p.pod.namespace == namespace and wanted <= set(p.pod.labels)
    ]  # fmt: skip
