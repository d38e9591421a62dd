"""What lives here: the controller manager and the scheduler, as one agent of the network.

It watches the API server and, when something changed, does what follows from it:

* a workload gets the pods that it lacks, and loses those that are too many;
* a pod without a node gets one;
* a Service with a selector gets EndpointSlices that say which pods are behind it, and how they are;
* a node that nobody has heard of for 50 seconds is not ready, and its pods are not ready either,
  until it is heard of again.

What is there when it starts is left as it is: it acts on changes only. Services without a selector
are somebody else's work.

What may not live here: the pods' namespaces (see ``kubelet``), the rules (see ``proxy``).

Simplified here: all at once, in one agent that never fails; a Deployment makes its pods itself, and
never exchanges them for others; no pod is moved away from a node that is not ready.
Source: Kubernetes' pkg/controller (replicaset, endpointslice, nodelifecycle), pkg/scheduler.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING

from k8snetlib.kube.api import EndpointSlice, Node, Pod, Service, Workload
from k8snetlib.kube.apiserver import DELETED, ApiServer, Key, api_server, key_of
from k8snetlib.kube.assigned import Scheduler, has_labels
from k8snetlib.kube.endpoint_slices import PodsByLabel, slices_of
from k8snetlib.kube.workloads import pods_of

if TYPE_CHECKING:
    from k8snetlib.linux.network import Network

#: After how many seconds of silence a node is not ready (``--node-monitor-grace-period``).
GRACE = 50.0


class ControllerManager:
    """All controllers, and the scheduler. ``heard`` says whether a node's kubelet is heard of."""

    name = "kube-controller-manager"

    def __init__(self, network: Network, heard: Callable[[Network, str], bool]) -> None:
        self.network = network
        self.heard = heard
        self.seen = self.api.revision
        #: Since when nobody has heard of a node.
        self.silent: dict[str, float] = {}
        self.not_ready: set[str] = set()
        self._unready: set[Key] = set()
        #: Pods that there were: their names are not given again.
        self._gone: set[Key] = set()
        self.api.watched_by(self.name, "")

    @property
    def api(self) -> ApiServer:
        """The API server it watches."""
        return api_server(self.network)

    # -- an agent -------------------------------------------------------------------------------

    def due(self) -> float:
        """At once if something changed; else when the next silent node is given up."""
        api = self.api
        if not api.running:
            return inf
        self._listen()
        waiting = [since + GRACE for n, since in self.silent.items() if n not in self.not_ready]
        back = any(name not in self.silent for name in self.not_ready)
        return self.network.now if back or api.revision != self.seen else min(waiting, default=inf)

    def _listen(self) -> None:
        for node in self.api.list(Node):
            if self.heard(self.network, node.name):
                self.silent.pop(node.name, None)
            else:
                self.silent.setdefault(node.name, self.network.now)

    def act(self) -> None:
        """Does what follows from what has changed."""
        api = self.api
        with api.at_once():
            self._watch_nodes()
            while self.seen != api.revision:
                changes, self.seen = list(api.since(self.seen)), api.revision
                for change in changes:
                    if change.verb == DELETED and isinstance(change.value, Pod):
                        self._gone.add(key_of(change.value))
                    if change.verb == DELETED and isinstance(change.value, Workload):
                        self._collect(change.value)
                if any(isinstance(change.value, Pod | Workload) for change in changes):
                    self._replicate()
                    self._schedule()
                self._slice(changed_services(api, [(c.value, c.before) for c in changes]))

    # -- workloads ------------------------------------------------------------------------------

    def _collect(self, workload: Workload) -> None:
        """A workload is gone: so are its pods, unless another one owns them."""
        others = self.api.list(Workload, workload.namespace)
        for pod in self.api.list(Pod, workload.namespace):
            if owns(workload, pod) and not any(owns(other, pod) for other in others):
                self.api.terminate(pod)

    def _replicate(self) -> None:
        """Every workload gets as many pods as it wants."""
        api = self.api
        for workload in api.list(Workload):
            pods = api.list(Pod, workload.namespace)
            own = [pod for pod in pods if owns(workload, pod) and not pod.terminating]
            if workload.kind != "DaemonSet":
                for pod in self._too_many(own, workload):
                    api.terminate(pod)
            taken = {pod.name for pod in pods}
            if workload.kind != "StatefulSet":
                taken |= {name for namespace, name in self._gone if namespace == workload.namespace}
            nodes = [n.name for n in api.list(Node) if has_labels(n, workload.template)]
            for pod in pods_of(workload, own, taken, nodes):
                api.put(pod)

    def _too_many(self, own: list[Pod], workload: Workload) -> list[Pod]:
        """Which pods go: of a StatefulSet the last ones, else first those that are not ready, then
        those with the most neighbours, then the youngest."""
        if workload.kind == "StatefulSet":
            wanted = {f"{workload.name}-{at}" for at in range(workload.replicas)}
            return [pod for pod in own if pod.name not in wanted]
        load = Counter(pod.node for pod in own)

        def order(pod: Pod) -> tuple[bool, int, float, str]:
            stored = self.api.stored(Pod, pod.namespace, pod.name)
            return pod.ready and bool(pod.ip), -load[pod.node], -stored.created, pod.name

        return sorted(own, key=order)[: max(0, len(own) - workload.replicas)]

    def _schedule(self) -> None:
        """Pods without a node get the one that has the fewest."""
        api, pods = self.api, self.api.list(Pod)
        waiting = [pod for pod in pods if not pod.node and not pod.terminating]
        if waiting:
            nodes = [node for node in api.list(Node) if node.name not in self.not_ready]
            scheduler = Scheduler(nodes, [pod for pod in pods if pod.node])
            for pod in waiting:
                placed = scheduler.place(pod)
                if placed is not None:
                    api.put(placed)

    # -- EndpointSlices -------------------------------------------------------------------------

    def _slice(self, services: Iterable[Key]) -> None:
        """The slices of these Services are made anew from the pods that there are."""
        api, services = self.api, list(services)
        if not services:
            return
        by_label = PodsByLabel(api.list(Pod))
        there: dict[Key, list[EndpointSlice]] = {}
        for found in api.list(EndpointSlice):
            there.setdefault((found.namespace, found.service), []).append(found)
        for key in services:
            service, own = api.find(Service, *key), there.get(key, [])
            wanted: tuple[EndpointSlice, ...] = ()
            if service is not None:
                wanted = _named_as(own, slices_of(service, by_label.selected(service)))
            names = {found.name for found in wanted}
            for found in own:
                if found.name not in names:
                    api.delete(EndpointSlice, *key_of(found))
            for found in wanted:
                api.put(found)

    # -- nodes ----------------------------------------------------------------------------------

    def _watch_nodes(self) -> None:
        """Nodes that are silent for too long, and those that are heard of again."""
        self._listen()
        now = self.network.now
        late = {name for name, since in self.silent.items() if since + GRACE <= now}
        for pod in self.api.list(Pod):
            key = key_of(pod)
            if pod.node in late and pod.node not in self.not_ready and pod.ready:
                self._unready.add(key)
                self.api.put(pod._replace(ready=False))
            elif pod.node in self.not_ready - late and key in self._unready:
                self._unready.discard(key)
                self.api.put(pod._replace(ready=True))
        self.not_ready = late

    def clone(self, network: Network) -> ControllerManager:
        """The same controllers in a copy of the network."""
        other = object.__new__(ControllerManager)
        other.network, other.heard, other.seen = network, self.heard, self.seen
        other.silent, other.not_ready = dict(self.silent), set(self.not_ready)
        other._unready, other._gone = set(self._unready), set(self._gone)
        return other


def owns(workload: Workload, pod: Pod) -> bool:
    """True if the pod is one of the workload's. A Deployment's are those of its ReplicaSet, which
    asks for a ``pod-template-hash`` too: a pod that only has the labels is not adopted."""
    hashed = workload.kind != "Deployment" or "pod-template-hash" in dict(pod.labels)
    return hashed and workload.owns(pod)


def changed_services(api: ApiServer, changes: list[tuple[object, object]]) -> list[Key]:
    """The Services whose endpoints may differ after these changes (each the value and what it was
    before): those that have a selector, or had one before they went."""
    found: dict[Key, None] = {}
    labels: dict[tuple[str, tuple[tuple[str, str], ...]], None] = {}
    for value, before in changes:
        if isinstance(value, Service) and value.selector:
            found[key_of(value)] = None
        if isinstance(value, Pod):
            for pod in (value, before):
                if isinstance(pod, Pod):
                    labels[pod.namespace, pod.labels] = None
    if labels:
        for service in api.list(Service):
            wanted = set(service.selector)
            if wanted and any(
                namespace == service.namespace and wanted <= set(has) for namespace, has in labels
            ):
                found[key_of(service)] = None
    return list(found)


def _named_as(
    own: list[EndpointSlice], wanted: tuple[EndpointSlice, ...]
) -> tuple[EndpointSlice, ...]:
    """The wanted slices, under the names of those that are there already as far as these go."""
    names = [found.name for found in own]
    free = [found.name for found in wanted if found.name not in names]
    return tuple(
        found._replace(name=name) for found, name in zip(wanted, [*names, *free], strict=False)
    )
