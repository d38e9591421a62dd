"""The prompt's tools against the real ones: same namespaces, same commands, same output.

The example cluster's devices, addresses and routes are built in network namespaces of our own;
each command is then typed in both. What legitimately differs is made equal first: process numbers,
the namespaces' prefix, the queueing discipline of a TUN device (a setting of the machine), how
fresh a neighbour is, and the multicast groups that the model does not list (``self permanent``).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from tests.conftest import require_root, require_tool

pytestmark = pytest.mark.root

#: Held open by a process in the namespace: its TUN device and its listening sockets.
HOLDER = """
import fcntl, os, socket, struct, sys
keep = []
for word in sys.argv[1:]:
    kind, _, rest = word.partition("=")
    if kind == "tun":
        tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH", rest.encode(), 0x1001))
        keep.append(tun)
    else:
        ip, port = rest.split(":")
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND: the addresses come later
        made.bind((ip, int(port)))
        if kind == "tcp":
            made.listen(4096)
        keep.append(made)
print("ready", flush=True)
sys.stdin.read()
"""
TALK = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'hello', ('{}', 9))"


class RealLab:
    """The namespaces of a model cluster, in the kernel."""

    def __init__(self, cluster):
        self.prefix = f"k8t{os.getpid()}-"
        self.network = cluster.network
        self.holders = []

    def shell(self, ns, command):
        """(text printed, error printed) of a command in a namespace."""
        ran = subprocess.run(
            [require_tool("ip"), "netns", "exec", self.prefix + ns, "sh", "-c", command],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        return ran.stdout, ran.stderr

    def batch(self, lines, ns=None):
        where = ["-n", self.prefix + ns] if ns else []
        subprocess.run(
            [require_tool("ip"), *where, "-batch", "-"],
            input="\n".join(lines), text=True, check=True, capture_output=True, timeout=20,
        )  # fmt: skip

    def build(self):
        spaces = self.network.netns
        self.batch([f"netns add {self.prefix}{name}" for name in spaces])
        for name in spaces:
            self.shell(
                name,
                "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
            )
        self.batch(list(self.devices()))
        for name, ns in spaces.items():
            self.hold(name, ns)
        for name, ns in spaces.items():
            self.configure(name, ns)

    def devices(self):
        made = set()
        for name, ns in self.network.netns.items():
            for d in ns.devices.values():
                here = f"{d.name} index {d.ifindex} address {d.mac} mtu {d.mtu}"
                if d.kind == "bridge":
                    yield f"link add {here} netns {self.prefix}{name} type bridge vlan_default_pvid 0 mcast_snooping 0"
                elif d.kind == "veth" and (name, d.name) not in made:
                    made.add(d.peer)
                    p = self.network.netns[d.peer[0]].devices[d.peer[1]]
                    there = f"{p.name} index {p.ifindex} address {p.mac} mtu {p.mtu} netns {self.prefix}{d.peer[0]}"
                    yield f"link add {here} netns {self.prefix}{name} type veth peer name {there}"

    def hold(self, name, ns):
        words = [f"tun={d.name}" for d in ns.devices.values() if d.kind == "tun"]
        self.batch(["link set lo up"], name)
        words += [f"{s.proto}={s.ip}:{s.port}" for s in ns.listeners.values()]
        if not words:
            return
        holder = subprocess.Popen(
            [require_tool("ip"), "netns", "exec", self.prefix + name, sys.executable, "-c", HOLDER, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.holders.append(holder)
        assert holder.stdout.readline() == "ready\n"

    def configure(self, name, ns):
        lines = []
        for d in ns.devices.values():
            if d.kind == "bridge":
                # Once its MTU was changed by hand, a bridge no longer follows its ports.
                lines.append(f"link set {d.name} mtu {d.mtu - 1}")
            if d.kind in ("tun", "bridge"):
                lines.append(f"link set {d.name} mtu {d.mtu}")
            if d.master:
                lines.append(f"link set {d.name} master {d.master}")
            lines.append(f"link set {d.name} up")
            lines += [f"addr add {a} dev {d.name}" for a in d.addresses if d.kind != "lo"]
        lines += [f"route add {route}" for route in ns.routes if route.proto != "kernel"]
        self.batch(lines, name)
        for d in ns.devices.values():
            if d.hairpin:
                self.shell(name, f"bridge link set dev {d.name} hairpin on")
        for key, value in ns.sysctls.items():
            self.shell(name, f"sysctl -qw {key}={value}")

    def close(self):
        for holder in self.holders:
            holder.stdin.close()
            holder.wait(timeout=10)
            holder.stdout.close()
        for name in self.network.netns:
            command = [require_tool("ip"), "netns", "del", self.prefix + name]
            subprocess.run(command, capture_output=True, check=False)


@pytest.fixture
def pair():
    """The cluster in the model and in the kernel."""
    require_root()
    for tool in ("ip", "bridge", "ss", "sysctl"):
        require_tool(tool)
    cluster = Cluster.example()
    lab = RealLab(cluster)
    try:
        lab.build()
        yield cluster, lab
    finally:
        lab.close()


def plain(text, prefix=""):
    """The output without what legitimately differs."""
    lines = []
    for line in text.replace(prefix, "").splitlines() if prefix else text.splitlines():
        if line.rstrip().endswith("self permanent"):
            continue
        line = re.sub(r'users:\(\("[^"]+",pid=\d+,fd=\d+\)\)', "users:(PROCESS)", line)
        if "POINTOPOINT" in line:
            line = re.sub(r"qdisc \w+", "qdisc Q", line)
        lines.append(re.sub(r"\b(REACHABLE|STALE|DELAY|PROBE)\b", "KNOWN", line).rstrip())
    return lines


#: Where the kernel's order comes from a hash.
UNORDERED = ("ip neigh", "bridge fdb", "ss ")


def compare(pair, ns, command):
    """Types a command in both; waits a little for the kernel to notice that a link went down."""
    cluster, lab = pair
    ours = plain(cluster[ns].sh(command))
    for _ in range(30):
        out, error = lab.shell(ns, command)
        theirs = plain(out + error, lab.prefix)
        if command.startswith(UNORDERED):
            ours, theirs = sorted(ours), sorted(theirs)
        if ours == theirs:
            break
        time.sleep(0.1)
    assert ours == theirs, f"{ns}$ {command}"


READS = [
    "ip addr", "ip link", "ip -br addr", "ip -br link", "ip -o addr", "ip -o link", "ip -4 addr",
    "ip route", "ip route show table local", "ip route show table all", "ip route show dev eth0",
    "ip route show default", "ip route show proto kernel", "ip route show scope link",
    "ip route show match 10.1.20.3", "ip route show root 10.1.0.0/16", "ip addr show up",
    "ip route get 10.1.20.3", "ip route get 8.8.8.8", "ip route get 127.0.0.1",
    "ip a s eth0", "ip l", "ip r", "ip n", "ip link show type bridge", "ip link show type veth",
    "bridge fdb", "bridge link", "bridge -d link", "ss -lntu", "ss -lntup", "ss -tln", "ss -uln",
    "ss -tan", "ss -ltnp", "sysctl net.ipv4.ip_forward net.ipv4.ip_default_ttl",
    "sysctl -n net.ipv4.ip_forward", "sysctl -w net.ipv4.ip_forward=1",
]  # fmt: skip
NODE_READS = [
    "ip route get 10.1.15.2", "ip route get 10.1.15.1", "ip route get 10.1.15.255",
    "ip route get 10.1.20.3 from 10.1.15.2 iif docker0", "ip route get 10.1.20.3 from 10.1.15.1",
    "ip route show via 192.168.66.1", "ip route show src 192.168.66.11", "ip route show metric 0", "ip link show master docker0",
    "bridge fdb show br docker0", "bridge fdb show dev veth-web1", "bridge fdb show brport docker0",
    "bridge link show dev veth-web1", "ip addr show docker0", "ip link show flannel0",
]  # fmt: skip


def test_reads(pair):
    for ns in ("node1", "web1", "switch", "router", "ext"):
        for command in READS:
            if command.endswith(("dev eth0", "s eth0")):
                if "eth0" not in pair[0][ns].devices:
                    continue
            compare(pair, ns, command)
    for command in NODE_READS:
        compare(pair, "node1", command)


def test_after_a_packet(pair):
    cluster, lab = pair
    cluster.send("web1", "web2", port=9)
    lab.shell("web1", f'{sys.executable} -c "{TALK.format("10.1.15.2")}"')
    cluster.send("web1", "backend", port=9)
    lab.shell("web1", f'{sys.executable} -c "{TALK.format("10.1.15.1")}"')
    for ns in ("web1", "web2"):
        compare(pair, ns, "ip neigh")
        compare(pair, ns, "ip neigh show dev eth0")
    compare(pair, "node1", "bridge fdb show br docker0")
    compare(pair, "node1", "ip neigh show dev docker0")


CHANGES = [
    "ip route add 10.9.0.0/16 via 192.168.66.12",
    "ip route add 10.9.0.0/24 dev docker0",
    "ip route add 10.9.0.0/16 via 192.168.66.13 metric 5",
    "ip route add 10.8.0.0/16 via 10.1.20.0 dev flannel0 onlink",
    "ip route add 9.9.9.9 dev eth0 metric 7 proto static src 192.168.66.11",
    "ip route replace 10.9.0.0/16 via 192.168.66.13",
    "ip route change 10.9.0.0/16 via 192.168.66.12",
    "ip route del 10.9.0.0/16",
    "ip route del 10.9.0.0/16 via 192.168.66.13",
    "ip neigh replace 10.1.15.66 lladdr 02:00:00:00:00:66 dev docker0 nud permanent",
    "ip neigh add 10.1.15.67 lladdr 02:00:00:00:00:67 dev docker0 nud stale",
    "ip neigh flush all",
    "ip neigh flush dev docker0 nud permanent",
    "ip neigh add 10.1.15.68 lladdr 02:00:00:00:00:68 dev docker0",
    "ip neigh change 10.1.15.68 lladdr 02:00:00:00:00:69 dev docker0",
    "ip neigh del 10.1.15.68 dev docker0",
    "ip addr add 10.1.15.9/24 dev docker0",
    "ip addr add 10.7.7.7/32 dev docker0",
    "ip addr del 10.7.7.7/32 dev docker0",
    "ip addr del 10.1.15.1/24 dev docker0",
    "ip addr add 10.1.15.1/24 dev docker0",
    "ip addr add 10.1.15.1/20 dev docker0",
    "ip addr del 10.1.15.1/24 dev docker0",
    "ip addr add 10.1.15.1/24 dev docker0",
    "ip addr del 10.1.15.1 dev docker0",
    "ip link set veth-web1 mtu 1400",
    "ip link set dev eth0 mtu 1490 up",
    "bridge link set dev veth-web1 hairpin off",
    "bridge link set dev veth-web1 hairpin on",
    "ip link set veth-web1 down",
    "ip link set veth-web2 down",
    "ip link set veth-web2 up",
    "ip link set veth-web1 up",
    "ip link set veth-web1 nomaster",
    "ip link set veth-web1 master docker0",
    "ip link set flannel0 down",
    "ip link set flannel0 up",
    "ip link set docker0 down",
    "ip link set docker0 up",
    "ip route del default",
    "ip route add default via 192.168.66.1 dev eth0",
    "ip link set eth0 down",
    "ip link set eth0 up",
    "ip addr flush dev docker0",
    "ip route flush dev flannel0",
]
WATCHED = ["ip addr", "ip link", "ip route", "ip route show table local", "ip neigh",
           "bridge -d link", "bridge fdb", "ip -br link", "ip route get 1.1.1.1"]  # fmt: skip


def test_changes(pair):
    for command in CHANGES:
        compare(pair, "node1", command)
        for watched in WATCHED:
            compare(pair, "node1", watched)
        compare(pair, "web1", "ip link")


REFUSED = [
    "ip addr add 10.1.15.1/24 dev docker0",
    "ip addr add 10.1.15.9/24",
    "ip addr del 10.9.9.9/24 dev docker0",
    "ip addr add 10.1.15.300/24 dev docker0",
    "ip addr add 10.1.15.9/33 dev docker0",
    "ip addr add 10.1.15.9/24 dev nosuch",
    "ip addr show dev nosuch",
    "ip route add default via 192.168.66.1",
    "ip route add 10.9.0.0/16 via 172.16.0.1",
    "ip route add 10.9.0.0/16 via 172.16.0.1 dev eth0",
    "ip route add 10.9.0.1/16 dev eth0",
    "ip route add 10.9.0.0/16 dev nosuch",
    "ip route add 10.9.0.0/16",
    "ip route add 10.9.0.0/16 dev eth0 src 1.2.3.4",
    "ip route add nonsense dev eth0",
    "ip route add 10.9.0.0/16 via 192.168.66.12 nonsense",
    "ip route add 10.9.0.0/16 via 192.168.66.12 onlink",
    "ip route add 10.9.0.0/16 dev eth0 onlink",
    "ip route add 10.9.0.0/16 via 192.168.66.11 dev eth0 onlink",
    "ip link set docker0 master docker0",
    "ip link set flannel0 master docker0",
    "ip link set veth-web1 master eth0",
    "ip route del 10.9.0.0/16",
    "ip route change 10.9.0.0/16 dev eth0",
    "ip route get 300.1.1.1",
    "ip route get",
    "ip route show dev nosuch",
    "ip route nonsense",
    "ip nonsense",
    "ip --nonsense addr",
    "ip link show nosuch",
    "ip link set nosuch up",
    "ip link set eth0 mtu 10",
    "ip link set eth0 mtu 70000",
    "ip link set eth0 mtu many",
    "ip link set eth0 nonsense",
    "ip link set",
    "ip neigh show dev nosuch",
    "ip neigh flush",
    "ip neigh del 10.1.15.77 dev docker0",
    "ip neigh add 10.1.15.77 dev docker0",
    "ip neigh add 10.1.15.77 lladdr zz dev docker0",
    "bridge nonsense",
    "bridge fdb show br nosuch",
    "bridge link show dev nosuch",
    "bridge link set dev nosuch hairpin on",
    "bridge link set dev eth0 hairpin on",
    "bridge link set dev veth-web1 hairpin maybe",
    "bridge link set hairpin on",
    "sysctl -w net.ipv4.ip_default_ttl=300",
    "sysctl -w net.ipv4.ip_forward=many",
]


def test_refusals(pair):
    cluster, lab = pair
    for command in REFUSED:
        with pytest.raises(BadCommand) as caught:
            cluster["node1"].sh(command)
        _, error = lab.shell("node1", command)
        assert caught.value.message == error.splitlines()[0], command
