"""What lives here: kubelet, one node's agent: pods of the API become network namespaces.

It watches the pods of its node. One that is new gets the next address of the node's range and is
plugged in; one that is gone, or whose time is up after it was deleted, is unplugged: its namespace
vanishes with its addresses and its end of the veth pair. What the node's kernel remembers of it
(conntrack entries, neighbours) stays.

While kubelet is stopped, or cut off from the API server, nothing of this happens: pods that run go
on, new ones wait, deleted ones stay *Terminating*.

What cannot be plugged in is told to the journal, and tried again when a pod of the node changes.

Simplified here: a pod's programs run and are ready as soon as it is plugged in; no probes; images
are there; a deleted pod's programs end at once, unless ``--grace-period`` says how long they take.
Source: Kubernetes' pkg/kubelet; CNI's host-local for the order of addresses.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from k8snetlib.errors import K8sNetError
from k8snetlib.kube.api import Node, Pod
from k8snetlib.kube.apiserver import ApiServer, Key, api_server, key_of
from k8snetlib.kube.cni.host_local import DATA_DIR
from k8snetlib.kube.cni.link import remove_link
from k8snetlib.kube.controllers import ControllerManager
from k8snetlib.linux.service import ACTIVE, Service

if TYPE_CHECKING:
    from k8snetlib.kube.api import ClusterSpec
    from k8snetlib.linux.netns import Netns
    from k8snetlib.linux.network import Network

UNIT = "kubelet"


class Kubelet(Service):
    """kubelet on one node. Parameters: ``ns`` is the node; ``spec`` is how the cluster plugs pods
    in; ``plugged`` are the pods that run there, as they began, each with the name of its network
    namespace."""

    def __init__(self, ns: Netns, spec: ClusterSpec) -> None:
        super().__init__(ns, UNIT, "kubelet: The Kubernetes Node Agent", "/usr/bin/kubelet")
        self.spec = spec
        self.seen = -1
        self.last = ""
        self.plugged: dict[Key, tuple[Pod, str]] = {}

    @property
    def api(self) -> ApiServer:
        """The API server it watches."""
        return api_server(self.network)

    def adopt(self, pod: Pod, netns: str) -> None:
        """A pod that was plugged in when the cluster was built."""
        self.plugged[key_of(pod)] = pod, netns
        self.last = max(self.last, pod.ip, key=_number)

    # -- a unit ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """The process starts: it watches; what runs already goes on."""
        self.seen = -1
        self.api.watched_by(self.name, self.ns.name)
        self._tell_controllers()

    def end(self) -> None:
        """The process ends: the pods go on without it."""
        self.api.forget(self.name)
        self._tell_controllers()

    def _tell_controllers(self) -> None:
        if ControllerManager.name in self.network.agents:
            self.network.agents.look(ControllerManager.name)

    def due(self) -> float:
        """At once if something changed; else when a deleted pod's time is up."""
        if self.state != ACTIVE:
            return self.restart_at
        api = self.api
        if not api.reachable(self.ns.name):
            return inf
        if self._news():
            return self.now
        return min((api.deadlines.get(key, inf) for key in self.plugged), default=inf)

    def _news(self) -> bool:
        """True if a pod of this node has changed, or nothing was seen yet."""
        if self.seen < 0:
            return True
        for change in self.api.since(self.seen, Pod):
            if self.ns.name in (change.value.node, change.before and change.before.node):
                return True
        self.seen = self.api.revision
        return False

    def act(self) -> None:
        """Brings the node's namespaces to what the API says."""
        if self.state != ACTIVE:
            super().act()
            return
        api, host = self.api, self.ns.name
        with api.at_once():
            pods = {key_of(pod): pod for pod in api.list(Pod) if pod.node == host}
            for key in pods:
                if api.deadlines.get(key, inf) <= self.now:
                    api.delete(Pod, *key)
            for key in list(self.plugged):
                if api.find(Pod, *key) is None or key not in pods:
                    self._unplug(key)
            for key, pod in pods.items():
                if key not in self.plugged and not pod.terminating:
                    self._plug(pod)
        self.seen = api.revision

    # -- pods -----------------------------------------------------------------------------------

    def _plug(self, pod: Pod) -> None:
        from k8snetlib import assembly

        api, key = self.api, key_of(pod)
        node = api.get(Node, "", self.ns.name)
        taken = pod.name in self.network.netns
        name = f"{pod.namespace}/{pod.name}" if taken else pod.name
        try:
            ip = node.ip if pod.host_network else pod.ip or self._next_address(node)
            pod = pod._replace(ip=ip)
            netns = assembly.plug_pod(self.network, self.spec, pod, name)
        except K8sNetError as error:
            what = f'"Error syncing pod, skipping" err="{error.message}" pod="{"/".join(key)}"'
            self.say("E", "pod_workers.go", what)
            begun = None if pod.host_network else self.network.netns.get(name)
            if begun is not None:
                remove_link(begun, "eth0")
                del self.network.netns[name]
            return
        self.plugged[key] = pod, netns.name
        self.last = ip if not pod.host_network else self.last
        api.put(pod)

    def _next_address(self, node: Node) -> str:
        """The next address behind the last one given that nobody has, round and round. What
        host-local's files hold is taken as well, even if its pod is gone."""
        files = [path for path in self.ns.files if path.startswith(f"{DATA_DIR}/")]
        held = {path.rpartition("/")[2] for path in files}
        used = {pod.ip for pod in self.api.list(Pod)} | held
        size = 1 << 32 - node.pod_cidr.length
        start = _number(self.last) - node.pod_cidr.net if self.last else 1
        for step in range(1, size + 1):
            at = (start + step) % size
            if 1 < at < size - 1 and (ip := node.pod_cidr.host(at)) not in used:
                return ip
        none = "no IP addresses available in range set:"
        if held:
            ends = f"{node.pod_cidr.host(1)}-{node.pod_cidr.host(size - 2)}"
            raise K8sNetError(
                'plugin type="flannel" failed (add): failed to delegate add: '
                f"failed to allocate for range 0: {none} {ends}"
            )
        raise K8sNetError(f"{none} {node.pod_cidr}")

    def _unplug(self, key: Key) -> None:
        pod, name = self.plugged.pop(key)
        unplug_pod(self.network, self.spec, pod, name)

    def clone(self, network: Network) -> Kubelet:
        """The same kubelet on the same node of a copied network."""
        other = Kubelet(network.netns[self.ns.name], self.spec)
        self.copy_state(other)
        other.seen, other.last = self.seen, self.last
        other.plugged = dict(self.plugged)
        return other


def unplug_pod(network: Network, spec: ClusterSpec, pod: Pod, name: str) -> None:
    """What is left of a pod when it has ended: nothing. Its namespace ``name`` vanishes with its
    end of the veth pair, published ports are closed; a pod of the host's network closes its sockets
    there. The node's conntrack and neighbours do not hear of it."""
    from k8snetlib import assembly

    host = network[pod.node]
    if pod.host_network:
        own = {pod.name, *(f"{pod.name}-{container.name}" for container in pod.containers)}
        for key in [key for key, found in host.listeners.items() if found.process in own]:
            del host.listeners[key]
        return
    node = next(n for n in spec.nodes if n.name == pod.node)
    ns = network[name]
    if assembly.by_docker(spec):
        from k8snetlib.kube import docker

        for port in assembly.published(pod):
            docker.unpublish(host, assembly.docker_conf(spec, node), port)
        docker.disconnect(ns)
    else:
        from k8snetlib.kube.cni import node as cni

        names = cni.PodNames(pod.namespace, pod.name, pod.ip)
        cni.unplug(host, names, ns.name, pod.host_ports)
    del network.netns[name]
    network.forget_names()


def _number(ip: str) -> int:
    from k8snetlib.address import number

    return number(ip) if ip else 0


def is_heard(network: Network, node: str) -> bool:
    """True if a node's kubelet runs and reaches the API server."""
    ns = network.netns.get(node)
    kubelet = ns.services.get(UNIT) if ns is not None else None
    running = kubelet is not None and kubelet.running
    return running and api_server(network).reachable(node)
