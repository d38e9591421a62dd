"""What lives here: ``Cluster``, the few verbs of a lesson.

Build a cluster, send something, read what happened, change something, send again. All knowledge of
packets is in ``linux``; all knowledge of flannel and Kubernetes in their rooms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k8snetlib import assembly
from k8snetlib.address import is_ip
from k8snetlib.errors import BadPacket, K8sNetError, NotModelled, UnknownName, unknown_name
from k8snetlib.kube.api import ClusterSpec, example_spec
from k8snetlib.linux import sockets, tcp
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Flight, Network
from k8snetlib.packet import ECHO_REQUEST, PROTO_ICMP, Icmp, IPv4, check_port, stack_of
from k8snetlib.topology import Topology
from k8snetlib.trace import Exchange, Trace

#: How long, in seconds, a sender waits for an answer before it gives up.
PATIENCE = 5.0

_EPHEMERAL = (32768, 60999)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Cluster:
    """A cluster whose packets can be followed.

    Parameters: ``spec`` says what there is; ``seed`` fixes every random choice.
    """

    def __init__(self, spec: ClusterSpec, *, seed: int = 0) -> None:
        self.spec = spec
        self.network = assembly.assemble(spec, seed)

    @classmethod
    def example(
        cls, backend: str = "udp", proxy_mode: str = "iptables", *, seed: int = 0
    ) -> Cluster:
        """The running example of the course: the article's cluster, made complete.

        >>> Cluster.example().connect("web2", "10.1.20.3", port=8080).outcome
        'delivered'
        """
        return cls(example_spec(backend, proxy_mode), seed=seed)

    @classmethod
    def from_manifests(cls, *paths: str, seed: int = 0) -> Cluster:
        """A cluster from Kubernetes manifests: YAML files, or folders of them."""
        from k8snetlib.kube.manifests import read_manifests

        return cls(read_manifests(*paths), seed=seed)

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
        for pod in self.spec.pods:
            for alias in (f"pod/{pod.name}", f"{pod.namespace}/{pod.name}"):
                aliases[alias] = pod.name
            aliases[f"pod/{pod.namespace}/{pod.name}"] = pod.name
        for node in self.spec.nodes:
            aliases[f"node/{node.name}"] = node.name
        return aliases

    def _namespace(self, name: str) -> Netns:
        aliases = self._aliases()
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
        """The address behind a name: a pod's, a node's, a host's, or an address itself.

        Raises ``UnknownName`` with the nearest names; ``NotModelled`` for a Service, until
        kube-proxy is part of the model.
        """
        if is_ip(name):
            return name
        plain = name.removeprefix("svc/").removeprefix("service/").split(":")[0]
        services = {s.name: s for s in self.spec.services}
        services |= {f"{s.namespace}/{s.name}": s for s in self.spec.services}
        aliases = self._aliases()
        if name not in aliases and plain in services:
            raise NotModelled(
                f"'{name}' is a Service, and this version has no kube-proxy yet.",
                "Send to a pod, a node or an address.",
            )
        if name not in aliases:
            raise unknown_name("pod, node, host or Service", name, {**aliases, **services})
        ns = self.network.netns[aliases[name]]
        for device in ("eth0", "lan0"):
            if device in ns.devices and ns.devices[device].addresses:
                return ns.devices[device].addresses[0].ip
        raise K8sNetError(f"{name} has no address of its own.", "Send to a pod, a node or a host.")

    # -- sending --------------------------------------------------------------------------------

    def connect(
        self,
        source: str,
        target: str,
        port: int,
        *,
        sport: int | None = None,
        endpoint: str | None = None,
        ttl: int | None = None,
        payload: bytes | int = b"GET / HTTP/1.1\r\n\r\n",
        df: bool = True,
    ) -> Exchange:
        """A TCP connection: SYN, SYN/ACK, ACK, request, reply.

        Parameters: ``source`` and ``target`` are names or addresses; ``port`` and ``sport`` are
        ports (``sport`` None: the kernel draws one); ``endpoint`` pins what a Service would choose;
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
        port: int | None = None,
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
        if proto not in ("tcp", "udp", "icmp"):
            raise K8sNetError(f"There is no protocol '{proto}' here.", "Use tcp, udp or icmp.")
        ns, dst = self._namespace(source), self.address_of(target)
        data = _payload(payload, proto)
        if proto != "icmp":
            if port is None:
                raise BadPacket(f"{proto} needs a destination port.", "Give port=…")
            check_port(port, "Destination port")
        if sport is not None:
            check_port(sport, "Source port")
        if ttl is not None and not 1 <= ttl <= 255:
            raise BadPacket(f"TTL {ttl} is out of range.", "Allowed: 1 to 255.")
        self.network.pinned = self._endpoint(endpoint) if endpoint is not None else None
        began, flights = self.network.now, self.network.record()
        client = sockets.Client(data)
        src = sockets.source_address(self.network, ns, dst)
        if src is None:
            client.end("unreachable", f"{ns.name} has no route to {dst}: the send fails at once")
        elif proto != "tcp" and df and (limit := sockets.path_mtu(ns, dst)) < 28 + len(data):
            why = "{} bytes are more than the path takes ({}): the send fails at once (EMSGSIZE)"
            client.end("too-big", why.format(28 + len(data), limit))
        else:
            sender = _Sender(self.network, ns, src, dst, client, ttl, df)
            sender.send(proto, port or 0, sport)
            self.network.run(lambda: bool(client.verdict), PATIENCE)
            sender.close()
        return self._exchange(source, target, proto, client, flights, began)

    def _endpoint(self, name: str) -> str | None:
        containers = {f"{pod.name}-{c.name}" for pod in self.spec.pods for c in pod.containers[1:]}
        return None if name in containers else self.address_of(self._namespace(name).name)

    def _exchange(
        self, source: str, target: str, proto: str, client: sockets.Client,
        flights: list[Flight], began: float,
    ) -> Exchange:  # fmt: skip
        elapsed = self.network.now - began
        packets, places = Network.freeze(flights)
        request_at = places.get(id(client.request))
        reply_at = places.get(id(client.reply))
        outcome, reason = client.verdict, client.reason
        if not outcome:
            outcome, reason = _silent_end(packets)
        network = self.network
        network.record()
        return Exchange(
            source, target, proto, outcome, reason, packets, request_at, reply_at, elapsed,
            network.names, network.topology,
        )  # fmt: skip

    # -- change ---------------------------------------------------------------------------------

    def advance(self, time: str | float) -> None:
        """Lets time pass: ``"25h"``, ``"90s"``, ``"1h30m"``, or a number of seconds."""
        self.network.advance(parse_seconds(time))

    def stop_flanneld(self, node: str) -> None:
        """flanneld on a node ends (``systemctl stop flanneld``): flannel0 vanishes with it."""
        ns = self._namespace(node)
        proxy = ns.processes.get("flanneld")
        if proxy is None:
            raise K8sNetError(
                f"flanneld does not run on {node}.", f"It runs on: {self._with_flanneld()}."
            )
        proxy.stop(ns)

    def start_flanneld(self, node: str) -> None:
        """Starts flanneld on a node again."""
        ns = self._namespace(node)
        if ns.name not in self.nodes:
            raise unknown_name("node", node, self.nodes)
        if "flanneld" in ns.processes:
            raise K8sNetError(f"flanneld runs on {node} already.")
        assembly.start_flanneld(self.network, self.spec, ns.name)

    def _with_flanneld(self) -> str:
        running = [n for n in self.nodes if "flanneld" in self.network[n].processes]
        return ", ".join(running) or "no node"

    def clone(self) -> Cluster:
        """An independent copy, for a what-if."""
        other = object.__new__(Cluster)
        other.spec = self.spec
        other.network = self.network.clone()
        return other

    @property
    def names(self) -> Mapping[str, str]:
        """Who owns which IPv4 address now."""
        return self.network.names.ips

    @property
    def topology(self) -> Topology:
        """The cluster as it is now, for pictures."""
        return self.network.topology


class _Sender:
    """One process that sends once and waits."""

    def __init__(
        self, network: Network, ns: Netns, src: str, dst: str, client: sockets.Client,
        ttl: int | None, df: bool,
    ) -> None:  # fmt: skip
        self.network, self.ns, self.src, self.dst = network, ns, src, dst
        self.client, self.ttl, self.df = client, ttl, df
        self.process = ns.name
        self.key: tuple[str, int, str, int] | None = None

    def send(self, proto: str, port: int, sport: int | None) -> None:
        network, ns, client = self.network, self.ns, self.client
        local = sport if sport is not None else self._free_port(proto)
        if proto == "tcp":
            self.key = (self.src, local, self.dst, port)
            if self.key in ns.tcp:
                raise K8sNetError(f"{ns.name} still has a connection from port {local}.")
            ends = (self.src, local), (self.dst, port)
            tcp.connect(network, ns, self.process, *ends, client, df=self.df, ttl=self.ttl)
            return
        waiting = sockets.UdpSocket(self.src, local, client)
        if proto == "udp":
            self.udp = ns.udp, (self.src, local)
            packet = sockets.datagram(
                ns, self.src, local, self.dst, port, client.payload, df=self.df, ttl=self.ttl
            )
        else:
            self.udp = ns.pings, (self.dst, local)
            ttl = ns.sysctls["net.ipv4.ip_default_ttl"] if self.ttl is None else self.ttl
            header = IPv4(self.src, self.dst, PROTO_ICMP, ttl, ns.next_ip_id(), self.df)
            packet = stack_of((header, Icmp(ECHO_REQUEST, 0, local << 16 | 1)), client.payload)
        self.udp[0][self.udp[1]] = waiting
        client.request = network.begin(ns, sockets.send, packet, self.process)

    def _free_port(self, proto: str) -> int:
        ns = self.ns
        taken = {key[1] for key in ns.tcp} if proto == "tcp" else {port for _, port in ns.udp}
        low, high = _EPHEMERAL
        for _ in range(1000):
            port = self.network.random.randint(low, high)
            if port not in taken:
                return port
        raise K8sNetError(f"{ns.name} has no free source port left.")

    def close(self) -> None:
        """The process is done: its socket closes. The teardown is walked, but not recorded."""
        network = self.network
        if self.key is None:
            self.udp[0].pop(self.udp[1], None)
            return
        recorded = network.flights
        network.record()
        tcp.close(network, self.ns, self.key)
        network.settle()
        network.flights = recorded


def _payload(payload: bytes | int | None, proto: str) -> bytes:
    if payload is None:
        payload = 56 if proto == "icmp" else b"hello"
    if isinstance(payload, int):
        if not 0 <= payload <= 65_000:
            raise BadPacket(
                f"A payload of {payload} bytes is out of range.", "Allowed: 0 to 65000."
            )
        return bytes(i & 0xFF for i in range(payload))
    return payload


def _silent_end(packets: tuple[Trace, ...]) -> tuple[str, str]:
    """Nobody answered: the last packet that got nowhere says why."""
    for trace in reversed(packets):
        last = trace.last
        if trace.label.startswith("ARP") or last.verdict not in ("drop", "error"):
            continue
        return "lost", f"{trace.label} ended at {trace.end}: {last.reason}"
    return "lost", f"nobody answered within {PATIENCE:g} seconds"


def parse_seconds(time: str | float) -> float:
    """Seconds from ``"25h"``, ``"1h30m"``, ``"200ms"`` or a number; raises ``K8sNetError``."""
    if isinstance(time, int | float):
        return float(time)
    import re

    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", time)
    if not parts or "".join(n + u for n, u in parts) != time.replace(" ", ""):
        raise K8sNetError(f"'{time}' is not a span of time.", "Write 25h, 90s, 1h30m or 200ms.")
    return sum(float(n) * _UNITS[u] for n, u in parts)
