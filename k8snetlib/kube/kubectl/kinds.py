"""What lives here: the kinds of objects that kubectl knows here, under all their names."""

from __future__ import annotations

from typing import Any, NamedTuple

from k8snetlib.errors import BadCommand, nearest
from k8snetlib.kube.api import EndpointSlice, Node, Pod, Service, Workload


class Kind(NamedTuple):
    """One kind: as it is written alone and in numbers, in manifests, its API group, its short
    names, and the type of its values (None: Endpoints, which are made of EndpointSlices)."""

    name: str
    plural: str
    title: str
    group: str
    short: tuple[str, ...]
    type: type[Any] | None

    @property
    def namespaced(self) -> bool:
        """True if its objects are in namespaces."""
        return self.type is not Node

    @property
    def resource(self) -> str:
        """As the API server's errors call it: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def named(self, name: str) -> str:
        """An object as kubectl's own lines call it: ``deployment.apps/web``."""
        return f"{self.name}.{self.group}/{name}" if self.group else f"{self.name}/{name}"

    def key(self, name: str) -> str:
        """The name under which the API server keeps the object (see ``apiserver.key_of``)."""
        return f"{self.title}/{name}" if self.type is Workload else name


NODE = Kind("node", "nodes", "Node", "", ("no",), Node)
POD = Kind("pod", "pods", "Pod", "", ("po",), Pod)
SERVICE = Kind("service", "services", "Service", "", ("svc",), Service)
SLICE = Kind(
    "endpointslice", "endpointslices", "EndpointSlice", "discovery.k8s.io", (), EndpointSlice
)
ENDPOINTS = Kind("endpoints", "endpoints", "Endpoints", "", ("ep",), None)
DEPLOYMENT = Kind("deployment", "deployments", "Deployment", "apps", ("deploy",), Workload)
REPLICA_SET = Kind("replicaset", "replicasets", "ReplicaSet", "apps", ("rs",), Workload)
STATEFUL_SET = Kind("statefulset", "statefulsets", "StatefulSet", "apps", ("sts",), Workload)
DAEMON_SET = Kind("daemonset", "daemonsets", "DaemonSet", "apps", ("ds",), Workload)
KINDS = (NODE, POD, SERVICE, SLICE, ENDPOINTS, DEPLOYMENT, REPLICA_SET, STATEFUL_SET, DAEMON_SET)
#: What ``kubectl get all`` means.
ALL = (POD, SERVICE, DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET)

_CONFIG = (
    "flannel's and kube-proxy's are files of each node: /etc/kube-flannel, /var/lib/kube-proxy."
)
_EVENTS = "Here: journalctl -u kubelet, on the pod's node."
#: Kinds that are not modelled, and where to look instead.
_INSTEAD = {
    "cm": _CONFIG, "configmap": _CONFIG, "configmaps": _CONFIG,
    "ev": _EVENTS, "event": _EVENTS, "events": _EVENTS,
}  # fmt: skip


def kind_named(word: str) -> Kind:
    """The kind that a word means, in any of its forms; raises ``BadCommand`` in kubectl's words."""
    plain = word.lower()
    for kind in KINDS:
        full = {f"{n}.{kind.group}" for n in (kind.name, kind.plural)} if kind.group else set()
        if plain in {kind.name, kind.plural, *kind.short, *full}:
            return kind
    known = [name for kind in KINDS for name in (kind.plural, *kind.short)]
    near = nearest(plain, known, 1)
    raise BadCommand(
        f'error: the server doesn\'t have a resource type "{word}"',
        _INSTEAD.get(plain)
        or (f"Did you mean {near[0]}? " if near else "") + f"Here: {', '.join(known)}.",
    )


def kind_of(value: Any) -> Kind:
    """The kind of a value."""
    title = value.kind if isinstance(value, Workload) else type(value).__name__
    return next(kind for kind in KINDS if kind.title == title)
