"""What many Services cost: kube-proxy's syncs, and a packet's walk through what they leave.

    python benchmarks/bench_services.py

The example cluster, three nodes, each with a kube-proxy in iptables mode; 10, 1,000 and 10,000
Services more, with three endpoints each. Printed per node: the first sync with all of them, and one
after a single endpoint went. Then a TCP connection through the last Service's ClusterIP: the first
one (the rules' text is read and indexed then), and the median of those that follow. A kernel would
test all rules before the one that matches; the model counts them and skips them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from k8snetlib import Cluster
from k8snetlib.kube.api import Endpoint, EndpointPort, EndpointSlice, Service, ServicePort
from k8snetlib.kube.apiserver import ApiServer, api_server

SIZES = (10, 1_000, 10_000)
ENDPOINTS = (("10.1.20.3", "node2"), ("10.1.20.4", "node2"), ("10.1.30.2", "node3"))


def address(i: int) -> str:
    """The ClusterIP of a Service."""
    return f"10.96.{1 + i // 250}.{1 + i % 250}"


def services(count: int) -> Iterator[tuple[Service, EndpointSlice]]:
    """So many Services with their endpoints."""
    endpoints = tuple(Endpoint(ip, node) for ip, node in ENDPOINTS)
    for i in range(count):
        name, port = f"service-{i}", ServicePort("http", "tcp", 80, 8080)
        behind = (EndpointPort("http", "tcp", 8080),)
        yield (
            Service(name, address(i), (port,)),
            EndpointSlice(f"{name}-1", name, endpoints, behind),
        )


def seconds(action: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def put_all(api: ApiServer, made: list[tuple[Service, EndpointSlice]]) -> None:
    """All of them, before anybody looks."""
    with api.at_once():
        for pair in made:
            for value in pair:
                api.put(value)


def measure(count: int) -> str:
    """One line of the table."""
    cluster = Cluster.example()
    api, made = api_server(cluster.network), list(services(count))
    target, first = address(count - 1), made[0][1]
    fewer = first._replace(endpoints=first.endpoints[:2])
    sync = seconds(lambda: put_all(api, made)) / 3
    change = seconds(lambda: api.put(fewer)) / 3
    walk = [seconds(lambda: cluster.connect("web2", target, 80)) for _ in range(8)]
    exchange = cluster.connect("web2", target, 80)
    assert exchange.ok
    tested = sum(exchange.request.evaluated.values())
    warm = statistics.median(walk[1:]) * 1000
    return (
        f"{count:8,}   {sync:7.2f} s   {change:13.3f} s   {walk[0]:8.3f} s   {warm:4.1f} ms"
        f"   {tested:12,}"
    )


def main() -> None:
    """Prints the table."""
    print("Services   sync/node   one change/node   first walk      walk   rules tested")
    for count in SIZES:
        print(measure(count))


if __name__ == "__main__":
    main()
