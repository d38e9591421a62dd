"""What lives here: ``Cluster``, the few verbs of a lesson.

Build a cluster, send something, read what happened, change something, send again. All knowledge of
packets is in ``linux``; all knowledge of flannel and Kubernetes in their rooms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from k8snetlib.address import is_ip
from k8snetlib.errors import K8sNetError, UnknownName, unknown_name
from k8snetlib.kube.api import ClusterSpec, EndpointSlice, Pod, Service, Workload, example_spec
from k8snetlib.linux import exchange
from k8snetlib.linux.clock import parse_seconds
from k8snetlib.linux.netns import Netns
from k8snetlib.topology import Topology
from k8snetlib.trace import Exchange

if TYPE_CHECKING:
    from random import Random

    from k8snetlib.dumps.node import Dumps
    from k8snetlib.etcd.agent import EtcdServer
    from k8snetlib.etcd.store import Client
    from k8snetlib.fates import Fate
    from k8snetlib.flannel.daemon import Flanneld
    from k8snetlib.kube.apiserver import ApiServer
    from k8snetlib.kube.lookup import Target
    from k8snetlib.kube.proxy.daemon import KubeProxy
    from k8snetlib.linux.chance import Dice

Object = TypeVar("Object")


class Cluster:
    """A cluster whose packets can be followed.

    Parameters: ``spec`` says what there is; ``seed`` fixes every random choice.
    """

    def __init__(self, spec: ClusterSpec, *, seed: int = 0) -> None:
        from k8snetlib import assembly  # etcd, flannel and iptables load with the first cluster

        self._spec = spec
        self.network = assembly.assemble(spec, seed)
        self._seen = self._api().revision

    @classmethod
    def example(
        cls, backend: str = "udp", proxy_mode: str = "iptables", *, flanneld: str = "--ip-masq",
        docker_masquerade: bool = False, seed: int = 0,
    ) -> Cluster:  # fmt: skip
        """The running example of the course: the article's cluster, made complete.

        Parameters: ``backend`` is udp, vxlan or host-gw; ``proxy_mode`` iptables,
        nftables, ipvs or none (no kube-proxy runs, and no Service is served); ``flanneld`` is
        flanneld's command line on every node; ``docker_masquerade`` leaves
        Docker's own masquerade rule on (pods of other nodes then see the node's overlay address
        instead of the pod's); ``seed`` fixes every random choice.

        >>> Cluster.example().connect("web2", "10.1.20.3", port=8080).outcome
        'delivered'
        """
        spec = example_spec(backend, proxy_mode, flanneld, docker_masquerade=docker_masquerade)
        return cls(spec, seed=seed)

    @classmethod
    def from_manifests(cls, *paths: str, seed: int = 0) -> Cluster:
        """A cluster from Kubernetes manifests: YAML files, or folders of them."""
        from k8snetlib.kube.manifests import read_manifests

        return cls(read_manifests(*paths), seed=seed)

    @classmethod
    def from_dumps(cls, machines: Mapping[str, str | Dumps], *, seed: int = 0) -> Cluster:
        """Real machines, as they printed themselves: their devices, routes, neighbours and rules.

        Parameters: name -> the folder with its dumps (``ip-addr.txt``, ``ip-route.txt``,
        ``iptables-save.txt`` … see docs/importing.md), or the ``Dumps`` themselves. A packet is
        followed to where the dumps end; the exchange's ``reason`` says where that is. What is not
        modelled is named in one ``PassedOver`` warning. Raises ``BadDump`` with file and line.
        """
        from k8snetlib.dumps import files

        other = object.__new__(cls)
        other.network, other._spec = files.read_machines(machines, seed)
        other._seen = other._api().revision
        return other

    @property
    def spec(self) -> ClusterSpec:
        """What there is now: as the cluster was built, with the pods, workloads, Services and
        EndpointSlices that the API server knows."""
        api = self._api()
        if api.revision != self._seen:
            self._seen = api.revision
            old = self._spec
            self._spec = old._replace(
                pods=_in_order(old.pods, [pod for pod in api.list(Pod) if pod.ip]),
                workloads=_in_order(old.workloads, api.list(Workload)),
                services=_in_order(old.services, api.list(Service)),
                slices=_in_order(old.slices, api.list(EndpointSlice)),
            )
        return self._spec

    def _api(self) -> ApiServer:
        from k8snetlib.kube.apiserver import api_server

        return api_server(self.network)

    # -- names ----------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Netns:
        """The network namespace of a pod, a node, or a machine, by any name people use."""
        return self._namespace(name)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes."""
        return tuple(node.name for node in self.spec.nodes)

    @property
    def pods(self) -> tuple[str, ...]:
        """The names of the pods."""
        return tuple(pod.name for pod in self.spec.pods)

    def _aliases(self) -> dict[str, str]:
        """Every name people may write for a namespace -> the namespace's own name."""
        aliases = {name: name for name in self.network.netns}
        names = self._pod_names()
        count = Counter(name for _, name in names)
        for (namespace, name), own in names.items():
            if count[name] == 1:
                aliases |= {name: own, f"pod/{name}": own}
            aliases |= {f"{namespace}/{name}": own, f"pod/{namespace}/{name}": own}
        for node in self.spec.nodes:
            aliases[f"node/{node.name}"] = node.name
        return aliases

    def _pod_names(self) -> dict[tuple[str, str], str]:
        from k8snetlib.assembly import netns_names

        return netns_names(self.spec)

    def _workload_pods(self) -> dict[str, str]:
        """The names of workloads -> the namespace of their first pod."""
        from k8snetlib.kube import lookup

        return lookup.first_pods(self.spec.workloads, self.spec.pods, self._pod_names())

    def _namespace(self, name: str) -> Netns:
        aliases = {**self._workload_pods(), **self._aliases()}
        if name in aliases:
            return self.network.netns[aliases[name]]
        if is_ip(name):
            owners = [ns for ns in self.network.netns.values() if name in ns.local]
            owners = [ns for ns in owners if not name.startswith("127.")]
            if len(owners) == 1:
                return owners[0]
            if owners:
                names = ", ".join(ns.name for ns in owners)
                raise UnknownName(f"{name} belongs to more than one host: {names}.", "Use a name.")
        raise unknown_name("pod, node or host", name, aliases)

    def address_of(self, name: str) -> str:
        """The address behind a name: a pod's, a node's, a host's, a Service's, or an address.

        A headless Service has the address of a ready endpoint, as its DNS name. Raises
        ``UnknownName`` with the nearest names, also if a name means more than one thing.
        """
        return self._target(name, None, "icmp").ip

    def _target(
        self, name: str, port: int | str | None, proto: str, pinned: str | None = None
    ) -> Target:
        """Address and port behind a name; a Service's ports have names too."""
        from k8snetlib.kube import lookup

        aliases, api = self._aliases(), self._api()
        if is_ip(name):
            return lookup.Target(name, lookup.number(name, port))
        services = lookup.named(api.list(Service), name)
        if not services and name not in aliases:
            name, written = lookup.split_port(name)
            services = lookup.named(api.list(Service), name)
            port = port or written
        if len(services) + (name in aliases) > 1:
            meant = [f"svc/{s.namespace}/{s.name}" for s in services]
            meant += [f"pod/{name}"] if name in aliases else []
            raise UnknownName(f"'{name}' means more than one thing.", f"{' or '.join(meant)}?")
        if services:
            slices = api.list(EndpointSlice)
            return lookup.target_of(services[0], slices, port, proto, pinned)
        if name not in aliases:
            aliases = {**self._workload_pods(), **aliases}
        if name not in aliases:
            own = [*(s.name for s in api.list(Service)), *aliases]
            raise unknown_name("pod, node, host or Service", name, own)
        ns = self.network.netns[aliases[name]]
        own_ips = {node.name: node.ip for node in self.spec.nodes}
        for device in ("eth0", "lan0"):
            if device in ns.devices and ns.devices[device].addresses:
                own_ips.setdefault(ns.name, ns.devices[device].addresses[0].ip)
        if ns.name in own_ips:
            return lookup.Target(own_ips[ns.name], lookup.number(name, port))
        raise K8sNetError(f"{name} has no address of its own.", "Send to a pod, a node or a host.")

    # -- sending --------------------------------------------------------------------------------

    def connect(
        self,
        source: str,
        target: str,
        port: int | str | None = None,
        *,
        sport: int | None = None,
        endpoint: str | None = None,
        ttl: int | None = None,
        payload: bytes | int = b"GET / HTTP/1.1\r\n\r\n",
        df: bool = True,
    ) -> Exchange:
        """A TCP connection: SYN, SYN/ACK, ACK, request, reply.

        Parameters: ``source`` and ``target`` are names or addresses; ``port`` and ``sport`` are
        ports (``port`` may be the name of a Service's port, or None if it has only one; ``sport``
        None: the kernel draws one); ``endpoint`` pins what a Service would choose;
        ``ttl`` is the first TTL; ``payload`` is the request, or how many bytes it has; ``df`` is
        the don't-fragment bit. Returns the ``Exchange``, whatever became of it. Raises
        ``UnknownName`` or ``BadPacket`` for names and numbers that cannot be.
        """
        return self.send(
            source, target, port, proto="tcp", sport=sport, endpoint=endpoint, ttl=ttl,
            payload=payload, df=df,
        )  # fmt: skip

    def ping(self, source: str, target: str, **options: Any) -> Exchange:
        """One ICMP echo request of 56 bytes; ``options`` as for ``send``."""
        return self.send(source, target, proto="icmp", **options)

    def send(
        self,
        source: str,
        target: str,
        port: int | str | None = None,
        *,
        proto: str = "udp",
        sport: int | None = None,
        endpoint: str | None = None,
        ttl: int | None = None,
        payload: bytes | int | None = None,
        df: bool = True,
    ) -> Exchange:
        """Sends a TCP connection, a UDP datagram or an ICMP echo request, and waits for the answer.

        Parameters as for ``connect``; ``proto`` is tcp, udp or icmp. ``endpoint`` has no effect
        where nothing is chosen.
        """
        ns = self._namespace(source)
        network = self.network
        network.pinned = self._endpoint(endpoint) if endpoint is not None else None
        dst, port = self._target(target, port, proto, network.pinned)
        return exchange.send(
            network, ns, dst, port, proto=proto, sport=sport, ttl=ttl, payload=payload, df=df,
            names=(source, target),
        )  # fmt: skip

    def outcomes(
        self, source: str, target: str, port: int | str | None = None, *, proto: str = "tcp",
        **options: Any,
    ) -> tuple[Fate, ...]:  # fmt: skip
        """All that can become of a packet, each with its exact probability.

        Parameters as for ``send``. Nothing is sent in this cluster: every way in which the kernels'
        load balancing can fall is tried on a copy of its own. Ways that end alike, with the same
        receiver and under the same addresses, are one fate. The likeliest comes first. Round robin
        (IPVS) draws nothing: it has one fate, whose turn it is.
        """
        from k8snetlib.fates import fates
        from k8snetlib.linux.chance import every_way

        def run(dice: Callable[[Random], Dice]) -> Exchange:
            copy = self.clone()
            copy.network.dice = dice(copy.network.random)
            return copy.send(source, target, port, proto=proto, **options)

        return fates(every_way(run))

    def _endpoint(self, name: str) -> str | None:
        containers = {f"{pod.name}-{c.name}" for pod in self.spec.pods for c in pod.containers[1:]}
        return None if name in containers else self.address_of(self._namespace(name).name)

    # -- change ---------------------------------------------------------------------------------

    def advance(self, time: str | float) -> None:
        """Lets time pass: ``"25h"``, ``"90s"``, ``"1h30m"``, or a number of seconds."""
        self.network.advance(parse_seconds(time))

    def flanneld(self, node: str) -> Flanneld:
        """flanneld on a node: its lease, what it knows, its journal. Raises ``UnknownName``."""
        from k8snetlib.flannel.daemon import Flanneld

        ns = self._namespace(node)
        found = ns.services.get("flanneld")
        if not isinstance(found, Flanneld):
            raise unknown_name("node", node, self.nodes)
        return found

    def stop_flanneld(self, node: str) -> None:
        """flanneld on a node ends (``systemctl stop flanneld``): flannel0 vanishes with it; all
        else that it told the kernel stays."""
        flanneld = self.flanneld(node)
        if flanneld.state == "inactive":
            raise K8sNetError(
                f"flanneld does not run on {node}.", f"It runs on: {self._with_flanneld()}."
            )
        flanneld.stop()

    def start_flanneld(self, node: str, options: str | None = None) -> None:
        """Starts flanneld on a node again; ``options`` is its new command line (None: as before).

        Whether it gets a lease is another matter: see ``cluster[node].sh("systemctl status
        flanneld")`` and ``journalctl -u flanneld``.
        """
        flanneld = self.flanneld(node)
        if flanneld.running:
            raise K8sNetError(f"flanneld runs on {node} already.", "Restart it.")
        if options is not None:
            flanneld.configure(options)
        flanneld.start()

    def restart_flanneld(self, node: str, options: str | None = None) -> None:
        """``systemctl restart flanneld``, perhaps with another command line."""
        flanneld = self.flanneld(node)
        if options is not None:
            flanneld.configure(options)
        flanneld.stop()
        flanneld.start()

    def _with_flanneld(self) -> str:
        running = [n for n in self.nodes if self.flanneld(n).running]
        return ", ".join(running) or "no node"

    # -- Kubernetes -----------------------------------------------------------------------------

    def kubectl(self, command: str, stdin: str = "") -> str:
        """Types ``kubectl COMMAND`` where nothing cuts the way to the API server, and returns what
        it prints; ``stdin`` is the text that ``-f -`` reads. Raises ``BadCommand``.

        >>> Cluster.example().kubectl("get nodes -o name")
        'node/node1\\nnode/node2\\nnode/node3'
        """
        from k8snetlib.kube import kubectl

        return kubectl.typed(self.network, command, stdin)

    def kube_proxy(self, node: str) -> KubeProxy:
        """kube-proxy on a node: its mode, its options, its journal. Raises ``UnknownName``."""
        from k8snetlib.kube.proxy.daemon import KubeProxy

        found = self._namespace(node).services.get("kube-proxy")
        if not isinstance(found, KubeProxy):
            raise unknown_name("node with a kube-proxy", node, self.nodes)
        return found

    # -- etcd -----------------------------------------------------------------------------------

    @property
    def etcd(self) -> Client:
        """A connection to the cluster's etcd that nothing cuts: ``cluster.etcd.range(…)``."""
        return self._etcd().way()

    def _etcd(self) -> EtcdServer:
        from k8snetlib.etcd.agent import EtcdServer

        if "etcd" not in self.network.agents:
            raise K8sNetError(
                "flannel keeps no leases in etcd here: it runs with --kube-subnet-mgr.",
                "They are in the Nodes' annotations.",
            )
        server = self.network.agents["etcd"]
        assert isinstance(server, EtcdServer)
        return server

    def cut_from_etcd(self, node: str) -> None:
        """The node no longer reaches etcd; all else goes on."""
        self._etcd().cut(self.flanneld(node).ns.name)

    def reconnect(self, node: str) -> None:
        """The node reaches etcd again."""
        self._etcd().reconnect(self.flanneld(node).ns.name)

    def stop_etcd(self) -> None:
        """All of etcd is down: nobody reaches it, and no lease runs out."""
        self._etcd().stop()

    def start_etcd(self) -> None:
        """etcd is back with all its keys, and every lease has its full time again."""
        self._etcd().start()

    # -- copies ---------------------------------------------------------------------------------

    def clone(self) -> Cluster:
        """An independent copy, for a what-if."""
        other = object.__new__(Cluster)
        other._spec, other._seen = self._spec, self._seen
        other.network = self.network.clone()
        return other

    def restore(self, copy: Cluster) -> None:
        """Becomes what ``copy`` (see ``clone``) is now; the copy can be used again.

        Namespaces taken out before (``node1 = cluster["node1"]``) belong to what is gone.
        """
        other = copy.clone()
        self._spec, self._seen, self.network = other._spec, other._seen, other.network

    @property
    def names(self) -> Mapping[str, str]:
        """Who owns which IPv4 address now."""
        return self.network.names.ips

    @property
    def topology(self) -> Topology:
        """The cluster as it is now, for pictures."""
        return self.network.topology


def _in_order(old: tuple[Object, ...], now: list[Object]) -> tuple[Object, ...]:
    """What there is now: what was there before first, in its old order."""
    from k8snetlib.kube.apiserver import key_of

    left = {key_of(each): each for each in now}
    known = [left.pop(key) for key in map(key_of, old) if key in left]
    return (*known, *left.values())
