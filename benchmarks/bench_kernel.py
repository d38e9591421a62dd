"""The model's connections beside the kernel's, in one run (root, network namespaces).

    sudo python benchmarks/bench_kernel.py

The example cluster with flannel's vxlan backend and the recorded rules of kube-proxy. The kernel's
figure is a Python client's ``connect`` in the pod's namespace: three packets. The model's is a
whole ``Cluster.connect``, every decision with its reason, and the same divided by the packets that
the exchange shows (the teardown is walked too, not counted).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from k8snetlib import Cluster, Exchange
from k8snetlib.lab.script import script
from k8snetlib.linux.netfilter.save import restore

RULES = Path(__file__).parents[1] / "tests" / "kernel"
PATHS = {
    "pod -> pod": ("web2", "10.1.20.3", 8080),
    "pod -> ClusterIP": ("web2", "10.96.0.10", 80),
    "client -> NodePort": ("client", "192.168.66.11", 30080),
}
CLIENT = """
import socket, statistics, sys, time
took = []
for _ in range(300):
    with socket.socket() as one:
        one.settimeout(2)
        start = time.perf_counter_ns()
        one.connect((sys.argv[1], int(sys.argv[2])))
        took.append(time.perf_counter_ns() - start)
print(statistics.median(took[50:]) / 1000)
"""


def in_kernel(lab: str, prefix: str) -> dict[str, float]:
    """Median microseconds of a real connect, per path; the namespaces are gone afterwards."""
    try:
        subprocess.run(["sh", lab, "up"], check=True, stdout=subprocess.DEVNULL)
        time.sleep(1)  # the servers open their sockets
        return {
            name: float(
                subprocess.check_output(
                    f"ip netns exec {prefix}{source}".split()  # noqa: RUF005
                    + [sys.executable, "-c", CLIENT, target, str(port)]
                )
            )
            for name, (source, target, port) in PATHS.items()
        }
    finally:
        subprocess.run(["sh", lab, "down"], check=True, stdout=subprocess.DEVNULL)


def in_model(connect: Callable[[], Exchange]) -> tuple[float, int]:
    """Median microseconds of a connection, and how many packets it walks."""
    packets = sum(1 for trace in connect().packets if not trace.label.startswith("ARP"))
    took = []
    for _ in range(300):
        start = time.perf_counter_ns()
        connect()
        took.append(time.perf_counter_ns() - start)
    return statistics.median(took) / 1000, packets


def main() -> None:
    """Prints the figures."""
    if os.geteuid():
        print("Not measured: this needs root, for it makes network namespaces.")
        return
    cluster = Cluster.example("vxlan")
    for node in cluster.nodes:
        restore(cluster[node].ruleset, (RULES / f"{node}.iptables-save.txt").read_text())
    for source, target, port in PATHS.values():
        cluster.connect(source, target, port)
    prefix = f"k8sb-{os.getpid()}-"
    with tempfile.TemporaryDirectory() as folder:
        lab = Path(folder) / "lab.sh"
        lab.write_text(script(cluster, prefix))
        real = in_kernel(str(lab), prefix)
    for name, way in PATHS.items():
        whole, packets = in_model(lambda way=way: cluster.connect(*way))
        print(
            f"{name}: the kernel connects in {real[name]:.0f} us; the model walks {packets} "
            f"packets in {whole:.0f} us, {whole / packets:.0f} us each"
        )


if __name__ == "__main__":
    main()
