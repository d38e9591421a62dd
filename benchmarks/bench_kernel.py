"""The model's connections beside the kernel's, in one run (root, network namespaces).

    sudo python benchmarks/bench_kernel.py

The example cluster with flannel's vxlan backend and kube-proxy's own rules. The kernel's
figure is a Python client's ``connect`` in the pod's namespace: three packets. The model's is a
whole ``Cluster.connect``, every decision with its reason, and the same divided by the packets that
were walked: those that the exchange shows, and the teardown's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_walk import PATHS, connection

from k8snetlib import Cluster
from k8snetlib.lab.script import script

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


def main() -> None:
    """Prints the figures."""
    if os.geteuid():
        print("Not measured: this needs root, for it makes network namespaces.")
        return
    cluster = Cluster.example("vxlan")
    for source, target, port in PATHS.values():
        cluster.connect(source, target, port)
    prefix = f"k8sb-{os.getpid()}-"
    with tempfile.TemporaryDirectory() as folder:
        lab = Path(folder) / "lab.sh"
        lab.write_text(script(cluster, prefix))
        real = in_kernel(str(lab), prefix)
    for name, way in PATHS.items():
        walked = connection(cluster, way)
        print(
            f"{name}: the kernel connects in {real[name]:.0f} us; the model walks "
            f"{walked.shown} + {walked.hidden} packets in {walked.us:.0f} us, "
            f"{walked.each:.0f} us each"
        )


if __name__ == "__main__":
    main()
