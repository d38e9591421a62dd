"""What lives here: the endpoint slice controller: which pods stand behind a Service, and how.

Every pod that the selector picks and that has an address is an endpoint; ready, serving and
terminating follow from the pod. A target port that is a name is looked up in each pod, so pods that
call different numbers by one name land in different slices.

What may not live here: EndpointSlices as documents (see ``service_objects``).

Simplified here: slices are made anew from all pods, and called SERVICE-1, SERVICE-2 …, where the
real controller changes as little as it can and draws the names' ends. No topology hints.
Source: Kubernetes' pkg/controller/endpointslice and staging/src/k8s.io/endpointslice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from k8snetlib.kube.api import (
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Pod,
    Service,
    ServicePort,
    Workload,
)

#: How many endpoints a slice holds at most (``--max-endpoints-per-slice``).
MAX_ENDPOINTS = 100


class PodsByLabel:
    """Pods, to be found by namespace and labels without asking each of them."""

    __slots__ = ("_pods",)

    def __init__(self, pods: Iterable[Pod]) -> None:
        self._pods: dict[tuple[str, tuple[str, str]], list[Pod]] = {}
        for pod in pods:
            self.add(pod)

    def add(self, pod: Pod) -> None:
        """One more pod."""
        for label in pod.labels:
            self._pods.setdefault((pod.namespace, label), []).append(pod)

    def selected(self, by: Service | Workload) -> list[Pod]:
        """The pods that a selector picks: all of its labels, in its namespace. An empty one picks
        none."""
        wanted = set(by.selector)
        candidates = [self._pods.get((by.namespace, label), []) for label in wanted]
        return [pod for pod in min(candidates, key=len, default=[]) if wanted <= set(pod.labels)]


def slices_of(service: Service, pods: Iterable[Pod]) -> tuple[EndpointSlice, ...]:
    """The EndpointSlices of a Service, with these pods (that its selector picked) behind it.

    Without any pod it is one slice that holds nothing, as the controller leaves it.
    """
    groups: dict[tuple[EndpointPort, ...], list[Endpoint]] = {}
    for pod in pods:
        if pod.ip:
            groups.setdefault(tuple(_ports(service, pod)), []).append(_endpoint(service, pod))
    parts = [
        (ports, tuple(endpoints[at : at + MAX_ENDPOINTS]))
        for ports, endpoints in groups.items()
        for at in range(0, len(endpoints), MAX_ENDPOINTS)
    ]
    return tuple(
        EndpointSlice(f"{service.name}-{at}", service.name, endpoints, ports, service.namespace)
        for at, (ports, endpoints) in enumerate(parts or [((), ())], start=1)
    )


def _endpoint(service: Service, pod: Pod) -> Endpoint:
    ready = service.publish_not_ready or (pod.ready and not pod.terminating)
    return Endpoint(pod.ip, pod.node, pod.name, ready, pod.ready, pod.terminating)


def _ports(service: Service, pod: Pod) -> Iterator[EndpointPort]:
    for port in service.ports:
        number = target_port(port, pod)
        if number:
            yield EndpointPort(port.name, port.proto, number)


def target_port(port: ServicePort, pod: Pod) -> int:
    """The number of a Service's target port at this pod; 0 if the pod has no port of that name."""
    if not isinstance(port.target_port, str):
        return port.target_port or port.port
    for container in pod.containers:
        for declared in container.ports:
            if (declared.name, declared.proto) == (port.target_port, port.proto):
                return declared.port
    return 0
