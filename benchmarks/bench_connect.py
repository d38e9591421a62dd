"""A real kernel's connects through kube-proxy's rules, beside how many rules the model counts.

    sudo python benchmarks/bench_connect.py

Two network namespaces and a cable between them: a client with the rules that the model's kube-proxy
writes for node1, and a server with backend-svc's endpoints. The client connects to the ClusterIP of
backend-svc, whose rules stand behind those of all other Services. Median microseconds of
``connect`` (the handshake), for iptables and nftables mode and several numbers of Services. IPVS is
not measured: few test machines have the module. Everything is gone afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from k8snetlib import Cluster
from k8snetlib.cost import connection, crowded
from k8snetlib.kube.api import example_spec

SIZES = (10, 100, 1_000, 10_000)
ENDPOINTS = ("10.1.20.3", "10.1.20.4", "10.1.30.2")
CLIENT = """
import socket, statistics, time
took = []
for _ in range(400):
    with socket.socket() as one:
        one.settimeout(2)
        start = time.perf_counter_ns()
        one.connect(("10.96.0.10", 80))
        took.append(time.perf_counter_ns() - start)
print(statistics.median(took[50:]) / 1000)
"""
SERVER = """
import socket
one = socket.create_server(("0.0.0.0", 8080), backlog=512)
print("ready", flush=True)
while True:
    one.accept()[0].close()
"""


def inside(ns: str, *words: str, text: str = "") -> str:
    """Runs a command in a namespace and returns what it printed."""
    command = ["ip", "netns", "exec", ns, *words]
    return subprocess.run(
        command, check=True, input=text, capture_output=True, text=True, timeout=300
    ).stdout


def build(client: str, server: str) -> None:
    """The two namespaces, with addresses and routes."""
    for ns in (client, server):
        subprocess.run(["ip", "netns", "add", ns], check=True)
        inside(ns, "ip", "link", "set", "lo", "up")
    subprocess.run(
        [
            "ip",
            "-n",
            client,
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "eth0",
            "netns",
            server,
        ],
        check=True,
    )
    for ns, ips in ((client, ("10.1.15.1",)), (server, ENDPOINTS)):
        for ip in ips:
            inside(ns, "ip", "address", "add", f"{ip}/16", "dev", "eth0")
        inside(ns, "ip", "link", "set", "eth0", "up")
    inside(client, "ip", "route", "add", "default", "via", ENDPOINTS[0])


def measure(client: str, mode: str, services: int) -> float:
    """Loads node1's rules and returns the median connect in microseconds."""
    spec = example_spec("host-gw", mode, "--ip-masq=false --iptables-forward-rules=false")
    node = Cluster(crowded(spec, services, "last"))["node1"]
    inside(client, "nft", "flush", "ruleset")
    if mode == "iptables":
        inside(client, "iptables-restore", text=node.sh("iptables-save") + "\n")
    else:
        inside(client, "nft", "-f", "-", text=node.sh("nft list table ip kube-proxy") + "\n")
    return float(inside(client, sys.executable, "-c", CLIENT))


def main() -> None:
    """Prints the figures."""
    if os.geteuid():
        print("Not measured: this needs root, for it makes network namespaces.")
        return
    client, server = f"k8sb-{os.getpid()}-c", f"k8sb-{os.getpid()}-s"
    listening = None
    try:
        build(client, server)
        listening = subprocess.Popen(
            ["ip", "netns", "exec", server, sys.executable, "-c", SERVER], stdout=subprocess.PIPE
        )
        assert listening.stdout is not None
        listening.stdout.readline()
        for mode in ("iptables", "nftables"):
            for size in SIZES:
                start = time.perf_counter()
                took = measure(client, mode, size)
                rules = connection(mode, size, "last").evaluated
                whole = time.perf_counter() - start
                print(
                    f"{mode}, {size:>6} Services: the kernel connects in {took:.0f} us; a node's "
                    f"kernel tests {rules} rules for a pod's SYN ({whole:.0f} s in all)"
                )
    finally:
        if listening is not None:
            listening.kill()
            listening.wait()
        for ns in (client, server):
            subprocess.run(["ip", "netns", "delete", ns], check=False, capture_output=True)


if __name__ == "__main__":
    main()
