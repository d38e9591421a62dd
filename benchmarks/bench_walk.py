"""How long one packet's walk takes, with every reason recorded, and what an import costs.

    python benchmarks/bench_walk.py

Prints medians in microseconds. A warm cross-node packet is the article's own: web2 to backend over
flannel's udp backend, without kube-proxy, all caches warm: 26 boxes, 12 frames, two nodes, two
daemons.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from k8snetlib import Cluster, Exchange
from k8snetlib.linux import sockets
from k8snetlib.linux.network import Network

ROUNDS = 2000
#: Connections through kube-proxy's rules: who connects to which address and port.
PATHS = {
    "pod -> pod": ("web2", "10.1.20.3", 8080),
    "pod -> ClusterIP": ("web2", "10.96.0.10", 80),
    "client -> NodePort": ("client", "192.168.66.11", 30080),
}


def median_us(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median of single runs, in microseconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        action()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1000


def one_way(cluster: Cluster, source: str, target: str) -> Callable[[], object]:
    """One UDP datagram from pod to pod, walked to its end; nobody answers it."""
    network: Network = cluster.network
    ns = cluster[source]
    src, dst = cluster.address_of(source), cluster.address_of(target)
    sink = cluster[target]
    cluster.ping(source, target)
    silent = sockets.UdpSocket(dst, 9999, sockets.Client(b""))
    sink.udp[dst, 9999] = silent

    def send() -> object:
        network.record()
        packet = sockets.datagram(ns, src, 40000, dst, 9999, b"hello")
        network.begin(ns, sockets.send, packet, source)
        network.settle()
        return Network.freeze(network.flights)

    return send


class Walked(NamedTuple):
    """A whole connection: its median time in microseconds, and how many packets were walked for
    it: those that the exchange shows, and those of the teardown, which it does not."""

    us: float
    shown: int
    hidden: int

    @property
    def each(self) -> float:
        """Microseconds a packet, with all reasons."""
        return self.us / (self.shown + self.hidden)


def connection(cluster: Cluster, way: tuple[str, str, int]) -> Walked:
    """Measures a warm connection."""
    connect: Callable[[], Exchange] = lambda: cluster.connect(*way)  # noqa: E731
    network, count = cluster.network, 0
    flight = network.flight

    def counting(*args: Any) -> Any:
        nonlocal count
        count += 1
        return flight(*args)

    network.flight = counting  # type: ignore[method-assign]
    shown = len(connect().packets)
    del network.flight
    return Walked(median_us(connect, 300), shown, count - shown)


def import_ms(code: str, rounds: int = 15) -> float:
    """Median wall time of a fresh interpreter, in milliseconds, with bytecode as users have it."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)  # writes the bytecode
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=env)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main() -> None:
    """Prints the figures."""
    cluster = Cluster.example(proxy_mode="none")
    for source, target in (("web2", "backend"), ("web2", "web1")):
        walk = one_way(cluster, source, target)
        walk()
        print(f"one packet {source} -> {target}: {median_us(walk):.0f} us")
    connect = lambda: cluster.connect("web2", "backend", 8080)  # noqa: E731
    connect()
    print(f"connect web2 -> backend, 5 packets and the teardown: {median_us(connect, 500):.0f} us")
    print(f"build the example cluster: {median_us(Cluster.example, 100):.0f} us")
    print(f"clone it: {median_us(cluster.clone, 200):.0f} us")
    ruled = Cluster.example("udp")
    for name, way in PATHS.items():
        ruled.connect(*way)  # no ARP in what is counted
        walked = connection(ruled, way)
        count = f"{walked.shown} + {walked.hidden} packets"
        print(f"connect {name}, with a node's real rules: {walked.each:.0f} us a packet ({count})")
    bare, loaded = import_ms("pass"), import_ms("import k8snetlib")
    print(f"import k8snetlib: {loaded - bare:.0f} ms more than Python itself ({bare:.0f} ms)")


if __name__ == "__main__":
    main()
