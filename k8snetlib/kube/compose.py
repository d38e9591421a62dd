"""What lives here: from all objects together to one ``ClusterSpec``.

Workloads make their pods, what the cluster would assign is assigned (see ``assigned``), Services
without EndpointSlices get those that the controller would write. ``Composed`` says what was filled
in, and what looks like a mistake.

What may not live here: documents and files.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from k8snetlib.errors import BadManifest
from k8snetlib.kube import assigned
from k8snetlib.kube.api import ClusterSpec, EndpointSlice, NetworkSpec, Node, Pod, Service
from k8snetlib.kube.endpoint_slices import PodsByLabel, slices_of, target_port
from k8snetlib.kube.network import default_network
from k8snetlib.kube.node_objects import NodeDraft
from k8snetlib.kube.objects import Objects
from k8snetlib.kube.workloads import pods_of


class Composed(NamedTuple):
    """The cluster; what was filled in, passed over and noted on the way, in words."""

    spec: ClusterSpec
    filled_in: list[str]
    passed_over: list[str]
    noted: list[str]


def compose(objects: Objects) -> Composed:
    """The cluster that all objects together describe; raises ``BadManifest`` if they cannot be."""
    result = Composed(None, [], list(objects.passed_over), [])  # type: ignore[arg-type]
    drafts = _drafts(objects, result)
    network = (objects.networks or [default_network(drafts, objects.pods, objects.services)])[0]
    nodes = assigned.nodes(drafts, network, objects.pods)
    _say_nodes(objects, nodes, result)
    pods = _pods(objects, nodes, result)
    services = _services(objects, network, result)
    slices = _slices(objects, services, pods, result)
    known = {n.ip for n in nodes} | {p.ip for p in pods} | {h.ip for h in network.hosts}
    names = {(pod.name, pod.ip) for pod in pods}
    spec = ClusterSpec(
        network, tuple(nodes), tuple(pods), tuple(services),
        tuple(_with_known_pods(found, known, names, result) for found in slices),
        tuple(objects.workloads),
    )  # fmt: skip
    return result._replace(spec=spec)


# -- nodes ----------------------------------------------------------------------------------------


def _drafts(objects: Objects, result: Composed) -> list[NodeDraft]:
    """The Nodes; without any those on which pods run, or else the default ones."""
    if objects.nodes:
        return [
            draft if draft.ip else draft._replace(ip=objects.host_ips.get(draft.name, ""))
            for draft in objects.nodes
        ]
    names = sorted({pod.node for pod in objects.pods if pod.node}) or assigned.DEFAULT_NODES
    result.filled_in.append(f"{_count(len(names), 'node')} ({_some(names)})")
    return [NodeDraft(name, objects.host_ips.get(name, "")) for name in names]


def _say_nodes(objects: Objects, nodes: list[Node], result: Composed) -> None:
    if not objects.nodes:
        return
    without = [n.name for n in objects.nodes if n.pod_cidr is None or not n.ip]
    if without:
        result.filled_in.append(f"addresses or pod ranges of {_count(len(without), 'node')}")


# -- pods -----------------------------------------------------------------------------------------


def _pods(objects: Objects, nodes: list[Node], result: Composed) -> list[Pod]:
    """All pods: those that were written, and those that the workloads make; each on a node that is
    there, with an address."""
    _check_nodes_of(objects, nodes)
    pods = [*objects.pods, *_made(objects, nodes)]
    made = len(pods) - len(objects.pods)
    scheduler = assigned.Scheduler(nodes, [pod for pod in pods if pod.node])
    placed = []
    for pod in pods:
        on = pod if pod.node else scheduler.place(pod)
        if on is None:
            why = "for which no node has the labels and the ports"
            result.passed_over.append(f"Pod {pod.namespace}/{pod.name}, {why}")
        else:
            placed.append(on)
    if made:
        result.filled_in.append(_count(made, "pod") + " of workloads")
    written = {(pod.namespace, pod.name) for pod in objects.pods if not (pod.node and pod.ip)}
    without = sum((pod.namespace, pod.name) in written for pod in placed)
    if without:
        result.filled_in.append(f"nodes or addresses of {_count(without, 'pod')}")
    return assigned.with_addresses(placed, nodes)


def _check_nodes_of(objects: Objects, nodes: list[Node]) -> None:
    """Refuses pods on nodes that are not there, and addresses out of their node's range."""
    by_name = {node.name: node for node in nodes}
    for pod in objects.pods:
        hint = ""
        on = by_name.get(pod.node)
        if pod.node and on is None:
            problem = f"spec.nodeName is '{pod.node}', an unknown node."
            hint = f"Known: {_some(list(by_name))}."
        elif not on or not pod.ip or pod.host_network or on.pod_cidr.contains(pod.ip):
            continue
        else:
            problem = f"status.podIP is {pod.ip}, not in {on.pod_cidr}, the range of {on.name}."
        place, line = objects.places[f"Pod {pod.namespace}/{pod.name}"]
        raise BadManifest(f"{place.at(line)}: {problem}", hint)


def _made(objects: Objects, nodes: list[Node]) -> list[Pod]:
    """The pods that the workloads make."""
    found: list[Pod] = []
    by_label = PodsByLabel(objects.pods)
    taken: dict[str, set[str]] = {}
    for pod in objects.pods:
        taken.setdefault(pod.namespace, set()).add(pod.name)
    # A ReplicaSet's pods are its Deployment's as well; the other way round there would be twins.
    for workload in sorted(objects.workloads, key=lambda w: w.kind != "ReplicaSet"):
        names = taken.setdefault(workload.namespace, set())
        suited = [n.name for n in nodes if assigned.has_labels(n, workload.template)]
        for pod in pods_of(workload, by_label.selected(workload), names, suited):
            names.add(pod.name)
            by_label.add(pod)
            found.append(pod)
    return found


# -- Services -------------------------------------------------------------------------------------


def _services(objects: Objects, network: NetworkSpec, result: Composed) -> list[Service]:
    addressed = assigned.with_cluster_ips(objects.services, network.service_network)
    # What has its cluster IP and a node port has been through the API server.
    done = {
        (service.namespace, service.name)
        for service in objects.services
        if service.has_address and any(port.node_port for port in service.ports)
    }
    complete = assigned.with_node_ports(addressed, objects.no_node_ports | done)
    ips = sum(a.cluster_ip != b.cluster_ip for a, b in zip(objects.services, complete, strict=True))
    ports = sum(a != b for a, b in zip(addressed, complete, strict=True))
    if ips:
        result.filled_in.append("cluster IPs of " + _count(ips, "Service"))
    if ports:
        result.filled_in.append("node ports of " + _count(ports, "Service"))
    return complete


def _slices(
    objects: Objects, services: Iterable[Service], pods: list[Pod], result: Composed
) -> list[EndpointSlice]:
    """The EndpointSlices that were written; where there is none those of the Endpoints, or else
    those that the controller would write."""
    slices = list(objects.slices)
    mirrored: dict[tuple[str, str], list[EndpointSlice]] = {}
    nodes = {pod.ip: pod.node for pod in pods}
    for found in objects.endpoints:
        known = tuple(e._replace(node=e.node or nodes.get(e.ip, "")) for e in found.endpoints)
        own = mirrored.setdefault((found.namespace, found.service), [])
        own.append(found._replace(endpoints=known))
    by_label = PodsByLabel(pods)
    for service in services:
        key = service.namespace, service.name
        if key in objects.sliced or service.type == "ExternalName":
            continue
        if key in mirrored:
            slices += mirrored[key]
        elif service.selector:
            behind = by_label.selected(service)
            slices += slices_of(service, behind)
            _note_names(service, behind, result)
    return slices


def _note_names(service: Service, behind: list[Pod], result: Composed) -> None:
    """A target port that is a name which no pod knows: the Service then has no endpoints."""
    for port in service.ports:
        if behind and not any(target_port(port, pod) for pod in behind):
            what = f"Service {service.namespace}/{service.name}"
            name = f"the target port '{port.target_port}' of {what}"
            result.noted.append(f"{name} is no {port.proto} port of a pod behind it")


def _with_known_pods(
    found: EndpointSlice, known: set[str], pods: set[tuple[str, str]], result: Composed
) -> EndpointSlice:
    """The slice with names of pods that are there. An endpoint that is nobody's address is noted:
    kube-proxy sends packets there all the same."""
    for endpoint in found.endpoints:
        if endpoint.ip not in known:
            service = f"Service {found.namespace}/{found.service}"
            result.noted.append(f"{endpoint.ip}, an endpoint of {service}, is no pod of these")
    endpoints = tuple(e if (e.pod, e.ip) in pods else e._replace(pod="") for e in found.endpoints)
    return found._replace(endpoints=endpoints)


# -- in words -------------------------------------------------------------------------------------


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
