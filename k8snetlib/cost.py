"""What lives here: what a Service costs the kernel that balances it, counted and not guessed.

A new connection to a Service is walked through the node's real rules, in a cluster with many other
Services; ``Trace.evaluated`` says how many rules that kernel had to test. In iptables mode all
Services' rules stand in one chain, so the number grows with them, and depends on where the Service
stands. kube-proxy writes them in no particular order: in the ``middle`` is what one has to expect.

Simplified here: a rule counts as one test, a lookup in a map or in IPVS's table too, whatever each
takes in nanoseconds. How long a real kernel takes is in ``benchmarks/bench_connect.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.errors import BadManifest, unknown_name
from k8snetlib.kube.api import ClusterSpec, Pod, Service, ServicePort, example_spec, slice_of

PLACES = ("first", "middle", "last")


class Cost(NamedTuple):
    """How many rules one kernel tests for the first packet of a connection to a Service.

    ``services`` is how many Services the cluster has; ``place`` where this one stands among them.
    """

    mode: str
    services: int
    place: str
    evaluated: int


def crowded(spec: ClusterSpec, services: int, place: str = "last") -> ClusterSpec:
    """A cluster with ``services`` Services more, each with one pod of the cluster behind it.

    kube-proxy here writes Services in the order of their names, so the others' names decide whether
    the cluster's own stand ``first``, in the ``middle`` or ``last``. Raises ``BadManifest`` if the
    Service network has not that many addresses.
    """
    if place not in PLACES:
        raise unknown_name("place", place, PLACES)
    before = {"first": 0, "middle": services // 2, "last": services}[place]
    more = list(_more(spec, services, before))
    return spec._replace(
        services=(*spec.services, *(service for service, _ in more)),
        slices=(*spec.slices, *(slice_of(service, [pod]) for service, pod in more)),
    )


def _more(spec: ClusterSpec, count: int, before: int) -> Iterator[tuple[Service, Pod]]:
    taken = {service.cluster_ip for service in spec.services}
    net = spec.network.service_network
    size = 1 << 32 - net.length
    free = (ip for i in range(1, size - 1) if (ip := net.host(i)) not in taken)
    addresses = list(islice(free, count))
    if len(addresses) < count:
        raise BadManifest(
            f"{net} has no room for {count} Services more.", "Widen the Service network."
        )
    port = ServicePort("http", "tcp", 80, 8080)
    for at, ip in enumerate(addresses):
        namespace = "alpha" if at < before else "zulu"
        yield Service(f"other-{at:05}", ip, (port,), namespace), spec.pods[at % len(spec.pods)]


def connection(
    mode: str, services: int, place: str = "middle", *, spec: ClusterSpec | None = None
) -> Cost:
    """The cost of web2's connection to backend-svc in the example cluster, on web2's node.

    ``mode`` is kube-proxy's; ``services`` how many other Services there are; ``spec`` another
    cluster with these two.
    """
    spec = spec or example_spec("host-gw", mode)
    spec = spec._replace(network=spec.network._replace(proxy_mode=mode))
    cluster = Cluster(crowded(spec, services, place))
    exchange = cluster.connect("web2", "backend-svc", port=80, endpoint="backend")
    assert exchange.request is not None
    node = next(pod.node for pod in spec.pods if pod.name == "web2")
    return Cost(mode, len(cluster.spec.services), place, exchange.request.evaluated[node])


def curve(mode: str, sizes: Iterable[int], place: str = "middle") -> tuple[Cost, ...]:
    """``connection`` for several numbers of Services."""
    return tuple(connection(mode, size, place) for size in sizes)
