"""What lives here: ``Parts``, what a cluster is made of: add a node, a pod, a Service; remove one.

Pods and Services go the way they go in any cluster: ``kubectl apply`` and ``kubectl delete``, and
the controllers and kubelets do what follows. A machine cannot be applied. With a node more or less
the cluster is built anew from its objects, so what was changed at its prompts is gone then.

What cannot be is refused before anything happens, in one sentence.

What may not live here: HTML, anything that a browser does (see ``build``).

Simplified here: a pod has one container with one TCP port, a Service one TCP port; everything new
is in the namespace default.
"""

from __future__ import annotations

import re
from typing import Any

from k8snetlib.cluster import Cluster
from k8snetlib.errors import BadManifest, unknown_name
from k8snetlib.kube import assigned
from k8snetlib.kube.api import ClusterSpec, Pod, Service
from k8snetlib.kube.apiserver import api_server
from k8snetlib.kube.manifests import manifest_texts
from k8snetlib.kube.node_objects import NodeDraft
from k8snetlib.kube.render import objects_of

SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9./_-]+)=([A-Za-z0-9._-]*)")


class Parts:
    """The parts of a cluster, which it changes. Every verb returns one line that says what became
    of it, and raises ``BadManifest`` or ``UnknownName`` for what cannot be."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._start = cluster.clone()

    # -- what there is --------------------------------------------------------------------------

    @property
    def manifests(self) -> dict[str, str]:
        """The whole cluster as manifests: a file's name -> its YAML. ``Cluster.from_manifests``
        builds the same cluster from them."""
        return manifest_texts(_without_endpoints(self.cluster.spec))

    @property
    def objects(self) -> dict[str, dict[str, Any]]:
        """Every object of Kubernetes that there is: ``pod/web1`` (in another namespace than default
        ``pod/NAMESPACE/NAME``) -> its document."""
        found = objects_of(_without_endpoints(self.cluster.spec))
        found.pop("network.yaml")
        return {_key(each): each for documents in found.values() for each in documents}

    # -- more of it -----------------------------------------------------------------------------

    def add_node(self, name: str = "") -> str:
        """A machine more, with the next free address and range; empty: the next name as well."""
        spec = self.cluster.spec
        count = len(spec.nodes) + 1
        while not name and f"node{count}" in self.cluster.network.netns:
            count += 1
        name = self._new(name or f"node{count}", "node")
        drafts = [NodeDraft(n.name, n.ip, n.pod_cidr, n.labels) for n in spec.nodes]
        nodes = assigned.nodes([*drafts, NodeDraft(name)], spec.network, spec.pods)
        self._rebuild(spec._replace(nodes=(*spec.nodes, nodes[-1])))
        return (
            f"{name} joined with {nodes[-1].ip}, its pods get addresses of {nodes[-1].pod_cidr}; "
            "the cluster was built anew."
        )

    def add_pod(
        self, name: str, port: int | str = 80, node: str = "", labels: str = ""
    ) -> str:  # fmt: skip
        """A pod whose program listens on a TCP port.

        Parameters: ``node`` is where (empty: the scheduler chooses); ``labels`` are ``app=web,
        tier=front`` (empty: ``app=NAME``).
        """
        name, number = self._new(name, "pod"), _port(port, "The port")
        if node and node not in self.cluster.nodes:
            raise unknown_name("node", node, self.cluster.nodes)
        spec: dict[str, Any] = {
            "containers": [{"name": name, "image": name, "ports": [{"containerPort": number}]}]
        }
        own = _labels(labels, "The labels") or {"app": name}
        self._apply(_document("v1", "Pod", name, spec | ({"nodeName": node} if node else {}), own))
        pod = next((p for p in self.cluster.spec.pods if _is(p, name)), None)
        if pod is None:
            self.cluster.kubectl(f"delete pod {name} --force")
            raise BadManifest(f"Pod {name} would not run: no node has room for it.")
        return f"pod/{name} runs on {pod.node} with {pod.ip}{self._behind(own)}."

    def add_service(
        self, name: str, selector: str, port: int | str = 80, target_port: int | str = "",
        type: str = "ClusterIP",
    ) -> str:  # fmt: skip
        """A Service for the pods that have the labels of ``selector`` (``app=web``).

        Parameters: ``port`` is its TCP port; ``target_port`` that of the pods (empty: the same);
        ``type`` is ClusterIP, NodePort or LoadBalancer.
        """
        self._check_name(name, "Service")
        if name[0].isdigit():
            raise BadManifest(f"A Service's name begins with a letter, and '{name}' does not.")
        if any(_is(service, name) for service in self.cluster.spec.services):
            raise BadManifest(f"There is a Service called {name} already.", "Choose another name.")
        wanted = _labels(selector, "The selector")
        if not wanted:
            raise BadManifest("A Service finds its pods by labels.", "Give some, as in app=web.")
        if type not in SERVICE_TYPES:
            raise BadManifest(
                f"There is no Service type '{type}'.", f"Use one of: {', '.join(SERVICE_TYPES)}."
            )
        number = _port(port, "The port")
        ports = {"port": number, "targetPort": _port(target_port or number, "The target port")}
        fields = {"type": type, "selector": wanted, "ports": [ports]}
        self._apply(_document("v1", "Service", name, fields))
        service = next(s for s in self.cluster.spec.services if _is(s, name))
        node_port = service.ports[0].node_port
        also = f", and at every node's port {node_port}" if node_port else ""
        pods = [p.name for p in self.cluster.spec.pods if _selects(service, p)]
        behind = f"{', '.join(pods)} behind it" if pods else "no pod has these labels yet"
        return f"service/{name} answers at {service.cluster_ip}:{number}{also}; {behind}."

    # -- less of it -----------------------------------------------------------------------------

    def remove(self, what: str) -> str:
        """Takes an object away: ``node/node3`` (with its pods), ``pod/web1``, ``service/web``."""
        if what not in self.objects:
            raise unknown_name("object", what, self.objects)
        kind, *place, name = what.split("/")
        if kind == "node":
            return self._remove_node(name)
        if kind == "endpointslice":
            raise BadManifest(
                "An EndpointSlice follows from its Service and the pods behind it.",
                "Remove one of those.",
            )
        namespace = place[0] if place else "default"
        said = self.cluster.kubectl(f"delete {kind} {name} -n {namespace}")
        self._forget_endpoints()
        return f"{said.splitlines()[0]}."

    def reset(self) -> str:
        """Puts the cluster back to how it was at first."""
        self.cluster.restore(self._start)
        return "The cluster was put back to how it was."

    def _remove_node(self, name: str) -> str:
        spec = self.cluster.spec
        if len(spec.nodes) == 1:
            raise BadManifest(f"{name} is the last node: a cluster has at least one.")
        pods = tuple(pod for pod in spec.pods if pod.node != name)
        gone = [pod.name for pod in spec.pods if pod.node == name]
        nodes = tuple(node for node in spec.nodes if node.name != name)
        self._rebuild(_without_endpoints(spec._replace(nodes=nodes, pods=pods)))
        also = f" with its pods {', '.join(gone)}" if gone else ""
        return f"{name} left{also}; the cluster was built anew."

    # -- how ------------------------------------------------------------------------------------

    def _rebuild(self, spec: ClusterSpec) -> None:
        self.cluster.restore(Cluster(spec, seed=self.cluster.network.seed))

    def _forget_endpoints(self) -> None:
        """What is gone is no endpoint either, of Services without a selector too: nobody else would
        take it out there, and manifests with such an endpoint describe no cluster."""
        api, spec = api_server(self.cluster.network), self.cluster.spec
        with api.at_once():
            for old, new in zip(spec.slices, _without_endpoints(spec).slices, strict=True):
                if old != new:
                    api.put(new)

    def _apply(self, document: dict[str, Any]) -> None:
        from k8snetlib.kube.kubectl.yaml_text import yaml_text

        self.cluster.kubectl("apply -f -", yaml_text(document))

    def _new(self, name: str, kind: str) -> str:
        self._check_name(name, kind)
        if name in self.cluster.network.netns:
            role = self.cluster.network.netns[name].role
            what = {"host": "machine"}.get(role, role)
            raise BadManifest(f"There is a {what} called {name} already.", "Choose another name.")
        return name

    def _check_name(self, name: str, kind: str) -> None:
        if not name:
            raise BadManifest(f"A {kind} needs a name.")
        if not _NAME.fullmatch(name):
            raise BadManifest(
                f"'{name}' is no name for a {kind}.",
                "Names have small letters, digits and dashes inside, at most 63 of them.",
            )

    def _behind(self, labels: dict[str, str]) -> str:
        """Which Services a new pod with these labels is behind, as the end of a sentence."""
        pod = Pod("", "", "", (), labels=tuple(labels.items()))
        names = [s.name for s in self.cluster.spec.services if _selects(s, pod)]
        return f", behind {', '.join(names)}" if names else ""


def _key(document: dict[str, Any]) -> str:
    metadata = document["metadata"]
    namespace = metadata.get("namespace", "default")
    place = "" if namespace == "default" else f"{namespace}/"
    return f"{document['kind'].lower()}/{place}{metadata['name']}"


def _without_endpoints(spec: ClusterSpec) -> ClusterSpec:
    """The spec, its EndpointSlices without the pods that are not there."""
    pods = {(pod.name, pod.ip) for pod in spec.pods}
    slices = (
        found._replace(
            endpoints=tuple(e for e in found.endpoints if not e.pod or (e.pod, e.ip) in pods)
        )
        for found in spec.slices
    )
    return spec._replace(slices=tuple(slices))


def _is(value: Pod | Service, name: str) -> bool:
    return (value.namespace, value.name) == ("default", name)


def _selects(service: Service, pod: Pod) -> bool:
    chosen = service.namespace == pod.namespace and set(service.selector) <= set(pod.labels)
    return bool(service.selector) and chosen


def _document(
    version: str, kind: str, name: str, spec: dict[str, Any], labels: dict[str, str] | None = None
) -> dict[str, Any]:  # fmt: skip
    metadata: dict[str, Any] = {"name": name} | ({"labels": labels} if labels else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _port(text: int | str, what: str) -> int:
    """A port number; raises ``BadManifest``."""
    word = str(text).strip()
    if not (word.isascii() and word.isdigit() and 1 <= int(word) <= 65535):
        raise BadManifest(f"{what} is a number from 1 to 65535, not '{word}'.")
    return int(word)


def _labels(text: str, what: str) -> dict[str, str]:
    """Labels as people write them, ``app=web, tier=front``; raises ``BadManifest``."""
    found = {}
    for part in filter(None, re.split(r"[,\s]+", text)):
        pair = _LABEL.fullmatch(part)
        if pair is None:
            raise BadManifest(f"{what} cannot be '{part}'.", "Write KEY=VALUE, as in app=web.")
        found[pair[1]] = pair[2]
    return found
