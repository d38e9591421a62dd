"""What pictures cost: the time to draw clusters of 1 to 500 nodes, and the size of what comes out.

    python benchmarks/bench_views.py

The example cluster with more nodes. Printed for each size, in ms of the processor (medians of 9):
the picture of the cluster, the way of a request and its reply, the step player's data; then the
size of the walk exported as a page, in KiB. Last, a PNG of the walk, where resvg is installed.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from k8snetlib import Cluster
from k8snetlib.address import Prefix, ip_text
from k8snetlib.errors import K8sNetError
from k8snetlib.kube.api import ClusterSpec, Node, example_spec
from k8snetlib.views import draw, play
from k8snetlib.views.export import png_bytes

SIZES = (3, 12, 20, 200, 500)
RUNS = 9
NODES, PODS = Prefix.parse("192.168.64.0/18"), Prefix.parse("10.0.0.0/8")
SERVICES = Prefix.parse("172.20.0.0/16")


def large(count: int) -> ClusterSpec:
    """The example cluster with so many nodes; those that are added have no pods."""
    spec = example_spec("host-gw", "none")
    more = tuple(
        Node(f"node{n}", ip_text(NODES.net + 1024 + n), Prefix(PODS.net + (n + 2**12 << 8), 24))
        for n in range(4, count + 1)
    )
    network = spec.network._replace(node_network=NODES, pod_network=PODS, service_network=SERVICES)
    return spec._replace(nodes=(*spec.nodes, *more), network=network)


def ms(action: Callable[[], object]) -> float:
    """The median of what something takes, in ms of the processor."""
    found = []
    for _ in range(RUNS):
        start = time.process_time()
        action()
        found.append((time.process_time() - start) * 1000)
    return statistics.median(found)


def measure(count: int, folder: Path) -> str:
    """One line of the table."""
    cluster = Cluster(large(count)._replace(services=(), slices=()))
    exchange = cluster.connect("web2", "backend", port=8080)
    assert exchange.ok
    page = folder / f"{count}.html"
    play(exchange).to_html(page)
    times = (
        ms(lambda: draw(cluster)), ms(lambda: draw(exchange, "both")), ms(lambda: play(exchange))
    )  # fmt: skip
    cells = "   ".join(f"{value:12.1f}" for value in times)
    return f"{count:5}   {cells}   {page.stat().st_size / 1024:10.0f}"


def png() -> str:
    """What a PNG of the example's walk costs."""
    picture = draw(Cluster.example().connect("web2", "backend", port=8080), "both")
    try:
        size = len(png_bytes(picture.svg)) / 1024
    except K8sNetError as error:
        return f"PNG: {error}"
    return f"PNG of a walk: {ms(lambda: png_bytes(picture.svg)):.0f} ms, {size:.0f} KiB"


def main() -> None:
    """Prints the table."""
    print("nodes   cluster (ms)   the way (ms)    player (ms)   page (KiB)")
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            print(measure(count, Path(folder)))
    print(png())


if __name__ == "__main__":
    main()
