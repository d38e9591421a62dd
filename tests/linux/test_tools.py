"""The prompt of a namespace: what it prints, what it changes, what it refuses.

That the output is the real tools' is proved in ``tests/kernel/test_tools_real.py``, as root.
"""

from __future__ import annotations

import re

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.tools import READERS, TOOLS
from k8snetlib.linux.tools.instead import INSTEAD

ROUTES = """\
default via 192.168.66.1 dev eth0
10.1.0.0/16 dev flannel0 scope link
10.1.15.0/24 dev docker0 proto kernel scope link src 10.1.15.1
192.168.66.0/24 dev eth0 proto kernel scope link src 192.168.66.11"""

BRIEF = """\
lo               UNKNOWN        127.0.0.1/8
eth0@if3         UP             192.168.66.11/24
docker0          UP             10.1.15.1/24
veth-web1@if2    UP
veth-web2@if2    UP
flannel0         UNKNOWN        10.1.15.0/32"""

FLANNEL0 = """\
6: flannel0: <POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1472 qdisc pfifo_fast state UNKNOWN mode DEFAULT group default qlen 500
    link/none"""

ETH0 = """\
2: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1472 qdisc noqueue state UP group default qlen 1000
    link/ether 02:42:0a:01:0f:03 brd ff:ff:ff:ff:ff:ff link-netns node1
    inet 10.1.15.3/24 scope global eth0
       valid_lft forever preferred_lft forever"""

SOCKETS = """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
udp   UNCONN 0      0            0.0.0.0:53        0.0.0.0:*    users:(("web1",pid=1,fd=4))
tcp   LISTEN 0      4096         0.0.0.0:80        0.0.0.0:*    users:(("web1",pid=1,fd=3))
tcp   LISTEN 0      4096       127.0.0.1:9000      0.0.0.0:*    users:(("web1-sidecar",pid=2,fd=3))"""

PRINTS = [
    ("node1", "hostname", "node1"),
    ("node1", "hostname -I", "192.168.66.11 10.1.15.1 10.1.15.0"),
    ("node1", "ip route", ROUTES),
    ("node1", "ip r", ROUTES),
    ("node1", "ip -4 route list", ROUTES),
    ("node1", "ip -d r s", ROUTES),
    ("node1", "sudo ip route", ROUTES),
    ("node1", "# the routes\nip route\n", ROUTES),
    ("node1", "ip -br addr", BRIEF),
    ("node1", "ip link show flannel0", FLANNEL0),
    ("node1", "ip l show dev flannel0", FLANNEL0),
    ("web1", "ip a s eth0", ETH0),
    ("web1", "ip neigh", ""),
    ("web1", "ss -lntup", SOCKETS),
    ("node1", "ip route get 10.1.20.3", "10.1.20.3 dev flannel0 src 10.1.15.0 uid 0\n    cache"),
    ("router", "ip route get 10.1.20.3", "RTNETLINK answers: Network is unreachable"),
    ("node1", "sysctl net.ipv4.ip_forward", "net.ipv4.ip_forward = 1"),
    ("node1", "sysctl -n net/ipv4/ip_forward", "1"),
    ("node1", "sysctl net.ipv4.ip_forward=0", "net.ipv4.ip_forward = 0"),
    ("node1", "sysctl -qw net.ipv4.ip_forward=0", ""),
    ("node1", "sysctl -e net.no.such", ""),
    ("node1", "hostname && hostname; hostname", "node1\nnode1\nnode1"),
    ("node1", "", ""),
]


@pytest.mark.parametrize(("ns", "command", "text"), PRINTS, ids=[f"{n}$ {c}" for n, c, _ in PRINTS])
def test_prints(ns, command, text):
    assert Cluster.example()[ns].sh(command) == text


#: A change, and what a second command then shows.
CHANGES = [
    ("web2", "ip link set eth0 mtu 1400", "ip link show eth0", "mtu 1400"),
    ("node1", "ip link set flannel0 down", "ip route get 10.1.20.3", "via 192.168.66.1 dev eth0"),
    ("node1", "ip link set docker0 down", "ip route get 10.1.15.2", "dev flannel0"),
    ("node1", "ip route del default", "ip route get 8.8.8.8", "Network is unreachable"),
    ("node1", "ip r a 10.9.0.0/16 via 192.168.66.12", "ip route get 10.9.1.1", "via 192.168.66.12 dev eth0"),
    ("node1", "ip route replace default via 192.168.66.12", "ip route show default", "via 192.168.66.12"),
    ("node1", "sysctl -w net.ipv4.ip_forward=0", "sysctl -n net.ipv4.ip_forward", "0"),
    ("node1", "bridge link set dev veth-web1 hairpin off", "bridge -d link show dev veth-web1", "hairpin off"),
    ("web2", "ip neigh add 10.1.15.1 lladdr 02:42:0a:01:0f:01 dev eth0", "ip neigh", "10.1.15.1 dev eth0 lladdr 02:42:0a:01:0f:01 PERMANENT"),
    ("web2", "ip addr add 10.1.15.9/24 dev eth0", "ip -br addr show eth0", "10.1.15.2/24 10.1.15.9/24"),
    ("web2", "ip addr del 10.1.15.2/24 dev eth0", "ip -br addr show eth0", "eth0@if5         UP"),
    ("web2", "ip addr add 10.1.15.2/16 dev eth0; ip addr del 10.1.15.2/24 dev eth0", "ip route", "10.1.0.0/16 dev eth0 proto kernel scope link src 10.1.15.2"),
    ("web2", "ip addr add 10.1.15.2/16 dev eth0; ip addr del 10.1.15.2/16 dev eth0; ip addr add 10.9.0.1/24 dev eth0", "ip route", "10.1.15.0/24 dev eth0"),
    ("web2", "ip addr add 10.9.0.1/24 dev eth0; ip addr del 10.1.15.2 dev eth0", "ip -br addr show eth0", "UP             10.9.0.1/24"),
    ("node1", "ip link set veth-web1 nomaster", "bridge link", "5: veth-web2"),
    ("web1", "ip link set eth0 down", "ip -br link show eth0", "eth0@if4         DOWN"),
]  # fmt: skip


@pytest.mark.parametrize(("ns", "change", "look", "shows"), CHANGES, ids=[c[1] for c in CHANGES])
def test_changes(ns, change, look, shows):
    space = Cluster.example()[ns]
    before = space.sh(look)
    space.sh(change)
    after = space.sh(look)
    assert shows in after
    assert after != before


#: A change and the fate of a connection from web2 to backend afterwards.
FATES = [
    ("node1", "ip neigh flush all", "delivered"),
    ("node1", "ip link set flannel0 down", "lost"),
    ("node2", "sysctl -w net.ipv4.ip_forward=0", "lost"),
    ("node1", "ip link set veth-web2 down", "lost"),
    ("web2", "ip route del default", "unreachable"),
    ("web2", "ip link set eth0 down", "unreachable"),
    ("web2", "ip link set eth0 down; ip link set eth0 up; ip route add default via 10.1.15.1", "delivered"),
    ("node1", "bridge fdb del 02:42:0a:01:0f:02 dev veth-web2 master", "delivered"),
]  # fmt: skip


@pytest.mark.parametrize(("ns", "change", "fate"), FATES, ids=[f"{n}$ {c}" for n, c, _ in FATES])
def test_packets_meet_the_change(ns, change, fate):
    cluster = Cluster.example()
    assert cluster.connect("web2", "10.1.20.3", port=8080).ok
    cluster[ns].sh(change)
    exchange = cluster.connect("web2", "10.1.20.3", port=8080)
    assert exchange.outcome == fate, str(exchange)


def test_neighbours_and_fdb_after_a_walk():
    cluster = Cluster.example()
    cluster.ping("web2", "web1")
    node1, web2 = cluster["node1"], cluster["web2"]
    assert web2.sh("ip neigh") == "10.1.15.3 dev eth0 lladdr 02:42:0a:01:0f:03 REACHABLE"
    learned = "02:42:0a:01:0f:02 dev veth-web2 master docker0"
    assert learned in node1.sh("bridge fdb show br docker0").splitlines()
    cluster.advance("31s")
    assert web2.sh("ip n").endswith("STALE")
    cluster.advance("5m")
    assert learned not in node1.sh("bridge fdb").splitlines()
    web2.sh("ip neigh flush all")
    assert web2.sh("ip neigh") == ""


#: A command, words of the refusal, words of the hint.
REFUSALS = [
    ("helm list", "helm: command not found", "Here: bridge, cat, conntrack, curl, dig, etcdctl"),
    ("ipp route", "ipp: command not found", "Did you mean ip?"),
    ("ip route | grep docker0", "no '|'", "splitlines"),
    ("ip route > file", "no '>'", "tee FILE"),
    ("docker ps", "docker: command not found", "kubectl get pods -o wide"),
    ("netstat -lntup", "netstat: command not found", "ss -lntup"),
    ("rm -f /run/flannel/{subnet,other}.env", "No such file or directory", "no patterns"),
    ("ip link set $DEV up", "no variables", ""),
    ("ip link set 'eth0", "open quotation mark", ""),
    ("ip", "Usage", "address, link, neigh, route"),
    ("ip rout", "", None),
    ("ip routes", 'Object "routes" is unknown', "Did you mean route"),
    ("ip rule", "'ip rule' is not modelled", "address, link, neigh, route"),
    ("ip -6 route", "no IPv6", "-4"),
    ("ip -n web2 route", "one namespace", ""),
    ("ip link add x type dummy", "'ip link add' is not modelled", "show"),
    ("ip link set eth1 up", 'Cannot find device "eth1"', "eth0"),
    ("ip link set eth0 mut 1400", 'either "dev" is duplicate, or "mut" is a garbage', "mtu"),
    ("ip link set veth-web1 master eth0", "Operation not supported", "eth0 is no bridge"),
    ("ip link set eth0 mtu", "not complete", "mtu"),
    ("ip route add blackhole 10.9.0.0/16", "blackhole", ""),
    ("ip route add default via 192.168.66.1", "File exists", "ip route replace"),
    ("ip route add 10.9.0.0/16 via 10.77.0.1", "invalid gateway", "10.77.0.1 is on no link of node1"),
    ("ip route show table 5", "FIB table does not exist", "main"),
    ("ip neigh add 10.1.15.7 lladdr 02:00:00:00:00:07 dev docker0 nud odd", "nud state is bad", "stale"),
    ("bridge vlan", "'bridge vlan' is not modelled", "fdb, link"),
    ("bridge fdb get x", "'bridge fdb get' is not modelled", "show"),
    ("bridge link set dev veth-web1 learning off", "not modelled", "hairpin"),
    ("sysctl net.ipv4.ip_foward", "not a setting that is modelled", "Did you mean net.ipv4.ip_forward?"),
    ("sysctl -w net.ipv4.ip_forward", "gives no value", "=1"),
    ("sysctl", "no variables", ""),
    ("sysctl -z", "invalid option", "-a"),
    ("ss -x", "'-x' is not modelled", "-l"),
    ("hostname -f", "not modelled", "-I"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "says", "hint"), REFUSALS, ids=[r[0] for r in REFUSALS])
def test_refusals(command, says, hint):
    node1 = Cluster.example()["node1"]
    if hint is None:  # an abbreviation that iproute2 takes
        assert node1.sh(command) == ROUTES
        return
    with pytest.raises(BadCommand) as caught:
        node1.sh(command)
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_what_came_before_a_refusal_is_done():
    node1 = Cluster.example()["node1"]
    with pytest.raises(BadCommand):
        node1.sh("ip route del default; nonsense")
    assert "default" not in node1.sh("ip route")


def test_a_clone_is_independent():
    cluster = Cluster.example()
    other = cluster.clone()
    other["node1"].sh("ip link set flannel0 down")
    assert "flannel0" in cluster["node1"].sh("ip route")


def test_every_tool_is_documented():
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    assert all(f"`{name}" in text for name in (*TOOLS, *READERS))


def test_a_command_that_was_installed():
    ns = Netns("node1")
    ns.commands["greet"] = lambda here, words, stdin: f"{here.name} {' '.join(words)}\n{stdin}"
    assert ns.sh("greet one 'two three'; hostname", stdin="read\n\nme") == (
        "node1 one two three\nread\n\nme\nnode1"
    )
    twin = ns.clone()
    twin.name = "twin"
    ns.commands.clear()
    assert twin.sh("greet") == "twin"
    with pytest.raises(BadCommand, match="Did you mean greet") as caught:
        twin.sh("gret")
    assert "curl, dig, greet, hostname" in caught.value.hint
    with pytest.raises(BadCommand, match="command not found"):
        ns.sh("greet")


def test_what_is_pointed_to_is_not_there_itself():
    """A name in the list of what to type instead is no command, and points to one that is."""
    node1 = Cluster.example()["node1"]
    here = {*TOOLS, *READERS, *node1.commands}
    assert not here & INSTEAD.keys()
    for name, hint in INSTEAD.items():
        assert here & set(re.findall(r"[a-z-]+", hint)), name
