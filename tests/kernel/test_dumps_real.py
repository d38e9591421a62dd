"""A real node's dumps, taken now, and read: what it then prints is what the real one printed."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.dumps.node import Dumps
from k8snetlib.lab.kernel import Lab
from tests.conftest import require_root, require_tool

SETTINGS = ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables")


@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
def test_a_node_of_the_lab(backend):
    require_root()
    for tool in ("ip", "bridge", "iptables-save", "sysctl", "ping"):
        require_tool(tool)
    with Lab(Cluster.example(backend).network, trace=False) as lab:
        lab.run("web2", "ping", "-c1", "-W1", "10.1.15.1")
        told = {
            "ip_addr": lab.run("node1", "ip", "-d", "addr"),
            "ip_route": lab.run("node1", "ip", "route", "show", "table", "all"),
            "ip_neigh": lab.run("node1", "ip", "neigh"),
            "bridge_fdb": lab.run("node1", "bridge", "fdb"),
            "iptables_save": lab.run("node1", "iptables-save"),
            "sysctl": lab.run("node1", "sysctl", *SETTINGS),
        }
        shown = {
            command: lab.run("node1", *command.split())
            for command in ("ip route", "ip neigh", "bridge fdb", "iptables-save")
        }
    cluster = Cluster.from_dumps({"node1": Dumps(**{k: (v, k) for k, v in told.items()})})
    node1 = cluster["node1"]
    for command, real in shown.items():
        assert lines_of(node1.sh(command)) == lines_of(real), command
    for name, device in Cluster.example(backend)["node1"].devices.items():
        own = node1.devices[name]
        assert (own.kind, own.mtu, own.addresses, own.master, own.hairpin) == (
            device.kind, device.mtu, device.addresses, device.master, device.hairpin,
        )  # fmt: skip
    assert cluster.ping("10.1.15.2", "10.1.15.1").outcome == "delivered"


def lines_of(text: str) -> list[str]:
    """What counts, in an order of its own: no comments, counters, multicast groups or DELAY."""
    kept = []
    for line in text.splitlines():
        line = line.split(" [")[0].rstrip()
        groups = line.endswith("self permanent") and " dst " not in line
        if line and line[0] != "#" and not groups:
            kept.append(line)
    return sorted(kept)
