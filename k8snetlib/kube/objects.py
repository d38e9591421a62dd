"""What lives here: from the documents of manifests to objects, kind by kind.

Which document is of which kind, whether it is there twice, and what is left out. What each kind's
fields mean stands in a module of its own (``pod_objects``, ``service_objects`` …).

What may not live here: files and YAML (see ``manifests``), what only all objects together tell (see
``compose``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from k8snetlib.errors import BadManifest
from k8snetlib.kube import (
    endpoints_objects,
    node_objects,
    pod_objects,
    service_objects,
    workload_objects,
)
from k8snetlib.kube.api import EndpointSlice, NetworkSpec, Pod, Service, Workload
from k8snetlib.kube.fields import Fields, Place
from k8snetlib.kube.network import network
from k8snetlib.kube.node_objects import NodeDraft


class Objects:
    """Everything that was read, kind by kind; ``passed_over`` says what was left out, and why.

    ``sliced`` are the Services (namespace, name) that have an EndpointSlice; ``endpoints`` the
    slices that Endpoints stand for. ``host_ips`` are addresses of nodes that pods told.
    ``no_node_ports``: load balancers that want none. ``places``: where each object stood.
    """

    __slots__ = (
        "endpoints", "host_ips", "networks", "no_node_ports", "nodes", "passed_over", "places",
        "pods", "services", "sliced", "slices", "workloads",
    )  # fmt: skip

    def __init__(self) -> None:
        self.networks: list[NetworkSpec] = []
        self.nodes: list[NodeDraft] = []
        self.host_ips: dict[str, str] = {}
        self.pods: list[Pod] = []
        self.workloads: list[Workload] = []
        self.services: list[Service] = []
        self.no_node_ports: set[tuple[str, str]] = set()
        self.slices: list[EndpointSlice] = []
        self.sliced: set[tuple[str, str]] = set()
        self.endpoints: list[EndpointSlice] = []
        self.passed_over: list[str] = []
        self.places: dict[str, tuple[Place, int]] = {}

    def once(self, doc: Fields, what: str) -> None:
        """Refuses what is there a second time: an object, or an address that only one may have."""
        line = doc.line("metadata")
        if what in self.places:
            place, first = self.places[what]
            before = place._replace(what="").at(first)
            hint = "Give each object once." if what == doc.place.what else ""
            rest = "" if what == doc.place.what else f": {what}"
            problem = f"{doc.place.at(line)}{rest} is there twice, first in {before}."
            raise BadManifest(problem, hint)
        self.places[what] = doc.place, line


# -- one function a kind --------------------------------------------------------------------------


def node(doc: Fields, objects: Objects) -> None:
    """A Node. Its address is nobody else's."""
    found = node_objects.node(doc)
    if found.ip:
        objects.once(doc, f"address {found.ip}")
    objects.nodes.append(found)


def pod(doc: Fields, objects: Objects) -> None:
    """A Pod, unless it has ended or does not run yet. Its address is nobody else's."""
    why = pod_objects.why_not(doc)
    if why:
        objects.passed_over.append(f"{doc.place.what}, {why}")
        return
    found = pod_objects.pod(doc, objects.passed_over)
    if found.ip and not found.host_network:
        objects.once(doc, f"address {found.ip}")
    objects.pods.append(found)
    status = doc.fields("status", optional=True)
    if found.node and ":" not in status.text("hostIP", ":"):
        objects.host_ips[found.node] = status.ip("hostIP")


def workload(doc: Fields, objects: Objects) -> None:
    """A Deployment, ReplicaSet, StatefulSet or DaemonSet."""
    objects.workloads.append(workload_objects.workload(doc, objects.passed_over))


def service(doc: Fields, objects: Objects) -> None:
    """A Service. Its cluster IP and its node ports are nobody else's."""
    found = service_objects.service(doc)
    if found.has_address:
        objects.once(doc, f"cluster IP {found.cluster_ip}")
    for number in {port.node_port for port in found.ports} - {0}:
        objects.once(doc, f"node port {number}")
    if not doc.fields("spec").flag("allocateLoadBalancerNodePorts", True):
        objects.no_node_ports.add((found.namespace, found.name))
    objects.services.append(found)


def endpoint_slice(doc: Fields, objects: Objects) -> None:
    """An EndpointSlice: endpoints of one Service."""
    found = service_objects.endpoint_slice(doc)
    if not found.service:
        objects.passed_over.append(f"{doc.place.what}, which names no Service")
        return
    objects.sliced.add((found.namespace, found.service))
    if found.family != "IPv4":
        objects.passed_over.append(f"{doc.place.what}, which is not for IPv4")
    else:
        objects.slices.append(found)


def endpoints(doc: Fields, objects: Objects) -> None:
    """Endpoints, which count where no EndpointSlice exists."""
    objects.endpoints.extend(endpoints_objects.endpoints(doc))


def cluster_network(doc: Fields, objects: Objects) -> None:
    """Our own ClusterNetwork (``network.yaml``)."""
    if objects.networks:
        raise doc.error("kind", "is ClusterNetwork a second time.", "A cluster has one network.")
    objects.networks.append(network(doc.fields("spec")))


#: (kind, group of the apiVersion) -> its parser.
PARSERS: Mapping[tuple[str, str], Callable[[Fields, Objects], None]] = {
    ("Node", ""): node,
    ("Pod", ""): pod,
    **{(kind, "apps"): workload for kind in workload_objects.KINDS},
    ("Service", ""): service,
    ("EndpointSlice", "discovery.k8s.io"): endpoint_slice,
    ("Endpoints", ""): endpoints,
    ("ClusterNetwork", "k8snetlib"): cluster_network,
}
_WITHOUT_NAMESPACE = ("Node", "ClusterNetwork", "Namespace")


def parse(doc: Fields, objects: Objects) -> None:
    """Reads one object, or every object of a ``List``, into ``objects``."""
    kind, version = doc.text("kind"), doc.text("apiVersion")
    if kind.endswith("List") and doc.has("items"):
        for item in doc.each("items"):
            parse(_item(item, kind, version), objects)
        return
    if kind.endswith("List") and "items" in doc.data:
        return  # nothing of this kind was there
    metadata = doc.fields("metadata", optional=True)
    name = metadata.text("name", "?")
    namespace = "" if kind in _WITHOUT_NAMESPACE else metadata.text("namespace", "default") + "/"
    doc.place = doc.place._replace(what=f"{kind} {namespace}{name}")
    group = version.partition("/")[0] if "/" in version else ""
    parser = PARSERS.get((kind, group))
    if parser is None:
        objects.passed_over.append(doc.place.what)
        return
    _check_name(doc.fields("metadata"), kind)
    if parser is not cluster_network:
        objects.once(doc, doc.place.what)
    parser(doc, objects)


def _check_name(metadata: Fields, kind: str) -> None:
    """The API server takes DNS names only: RFC 1035 for a Service, RFC 1123 for all else."""
    name = metadata.text("name")
    letter = "[a-z]" if kind == "Service" else "[a-z0-9]"
    label = f"{letter}([-a-z0-9]*[a-z0-9])?"
    if kind == "Service":
        pattern, most, hint = label, 63, "a letter first, then"
    else:
        pattern, most, hint = rf"{label}(\.{label})*", 253, ""
    if len(name) > most or not re.fullmatch(pattern, name):
        shown = name if len(name) <= 40 else f"{name[:37]}…"
        hint = f"At most {most} characters: {hint} small letters, digits and hyphens".replace(
            "  ", " "
        )
        raise metadata.error("name", f"is '{shown}', which is no name for a {kind}.", f"{hint}.")


def _item(item: Fields, kind: str, version: str) -> Fields:
    """An object of a list. kubectl leaves kind and version out of a typed list's (PodList …)."""
    if kind == "List" or "kind" in item.data:
        return item
    missing: dict[str, Any] = {"kind": kind.removesuffix("List"), "apiVersion": version}
    return item.with_more(missing)
