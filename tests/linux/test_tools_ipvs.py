"""``ipvsadm``: what it prints, what it changes, what it refuses; and the dummy device in ``ip``."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.linux.netns import Device, Netns

HEAD = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn"""


@pytest.fixture
def ns() -> Netns:
    """Two virtual servers, typed in."""
    ns = Netns("node1")
    ns.sh("""
        ipvsadm -A -u 10.96.0.53:53 -s sh -p 10800
        ipvsadm -A -t 10.96.0.10:80 -s rr
        ipvsadm -a -t 10.96.0.10:80 -r 10.1.30.2:8080 -m
        ipvsadm -a -t 10.96.0.10:80 -r 10.1.20.3:8080 -m -w 3
        ipvsadm -A -t 10.96.0.9:443 -s mh -b mh-port
    """)
    return ns


def test_list(ns: Netns) -> None:
    """Sorted by protocol, address and port; so are the real servers."""
    assert (
        ns.sh("ipvsadm -Ln")
        == HEAD
        + """
TCP  10.96.0.9:443 mh (mh-port)
TCP  10.96.0.10:80 rr
  -> 10.1.20.3:8080               Masq    3      0          0
  -> 10.1.30.2:8080               Masq    1      0          0
UDP  10.96.0.53:53 sh persistent 10800"""
    )
    assert ns.sh("ipvsadm -L -n") == ns.sh("ipvsadm") == ns.sh("ipvsadm -l --sort")


def test_one_virtual_server(ns: Netns) -> None:
    """Without the line of the version."""
    lines = ns.sh("ipvsadm -Ln -t 10.96.0.9:443").splitlines()
    assert lines == [*HEAD.splitlines()[1:], "TCP  10.96.0.9:443 mh (mh-port)"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("ipvsadm -Ln --timeout", "Timeout (tcp tcpfin udp): 900 120 300"),
        (
            "ipvsadm -Lnc",
            "IPVS connection entries\n"
            "pro expire state       source             virtual            destination",
        ),
        (
            "ipvsadm -Sn",
            "-A -t 10.96.0.9:443 -s mh -b mh-port\n"
            "-A -t 10.96.0.10:80 -s rr\n"
            "-a -t 10.96.0.10:80 -r 10.1.20.3:8080 -m -w 3\n"
            "-a -t 10.96.0.10:80 -r 10.1.30.2:8080 -m -w 1\n"
            "-A -u 10.96.0.53:53 -s sh -p 10800",
        ),
        (
            "ipvsadm -Ln --stats -t 10.96.0.10:80",
            "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n"
            "  -> RemoteAddress:Port\n"
            "TCP  10.96.0.10:80                       0        0        0        0        0\n"
            "  -> 10.1.20.3:8080                      0        0        0        0        0\n"
            "  -> 10.1.30.2:8080                      0        0        0        0        0",
        ),
        (
            "ipvsadm -Ln --persistent-conn -u 10.96.0.53:53",
            "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn\n"
            "  -> RemoteAddress:Port\n"
            "UDP  10.96.0.53:53 sh persistent 10800",
        ),
    ],
    ids=lambda v: v if v.startswith("ipvsadm") else "",
)
def test_other_lists(ns: Netns, command: str, expected: str) -> None:
    """As the real tool's source prints them."""
    assert ns.sh(command) == expected


@pytest.mark.parametrize(
    ("command", "left"),
    [
        ("ipvsadm -D -t 10.96.0.9:443; ipvsadm -D -u 10.96.0.53:53", "TCP 10.96.0.10:80 rr"),
        ("ipvsadm -C", ""),
        ("ipvsadm -C; ipvsadm -A -t 10.96.0.1:443", "TCP 10.96.0.1:443 wlc"),
        (
            "ipvsadm -E -t 10.96.0.9:443 -s lc -p; ipvsadm -D -t 10.96.0.10:80",
            "TCP 10.96.0.9:443 lc, UDP 10.96.0.53:53 sh",
        ),
    ],
)
def test_virtual_servers_come_and_go(ns: Netns, command: str, left: str) -> None:
    """What there is then."""
    ns.sh(command)
    assert ", ".join(map(str, ns.ipvs.virtual_servers())) == left


def test_real_servers_come_and_go(ns: Netns) -> None:
    """Weights change in place; a real server without a port has its virtual server's."""
    service = ns.ipvs.service(("tcp", "10.96.0.10", 80))
    ns.sh("ipvsadm -e -t 10.96.0.10:80 -r 10.1.20.3:8080 -m -w 0")
    ns.sh("ipvsadm -d -t 10.96.0.10:80 -r 10.1.30.2:8080")
    ns.sh("ipvsadm -a -t 10.96.0.10:80 -r 10.1.20.9 -m")
    assert [(str(s), s.weight) for s in service.servers] == [
        ("10.1.20.9:80", 1), ("10.1.20.3:8080", 0),
    ]  # fmt: skip
    ns.sh("ipvsadm -E -t 10.96.0.10:80 -s wrr -p")
    assert (service.scheduler, service.persistent) == ("wrr", 300)


REFUSALS = {
    "ipvsadm -A -t 10.96.0.10:80 -s rr": "Service already exists",
    "ipvsadm -D -t 10.96.0.77:80": "Service not defined",
    "ipvsadm -Ln -t 10.96.0.77:80": "No such service",
    "ipvsadm -a -t 10.96.0.10:80 -r 10.1.20.3:8080 -m": "Destination already exists",
    "ipvsadm -d -t 10.96.0.10:80 -r 10.1.20.77:8080": "No such destination",
    "ipvsadm -A -t 10.96.0.10:http -s rr": "illegal virtual server address",
    "ipvsadm -A -t 10.96.0.10:99999 -s rr": "illegal virtual server address",
    "ipvsadm -a -t 10.96.0.10:80 -r nowhere:80 -m": "illegal real server address",
    "ipvsadm -a -t 10.96.0.10:80 -r 10.1.20.5:80 -m -w much": "illegal weight specified",
    "ipvsadm -A -t 10.96.0.1:80 -s fastest": "fastest",
    "ipvsadm -A -t 10.96.0.1:80 -s lblc": "lblc is not modelled",
    "ipvsadm -a -t 10.96.0.10:80 -r 10.1.20.5:80 -g": "unknown option '-g'",
    "ipvsadm -a -t 10.96.0.10:80 -r 10.1.20.5:80": "The forwarding methods",
    "ipvsadm -a -t 10.96.0.10:80 -m": "You need to supply the 'real-server' option",
    "ipvsadm -A": "You need to supply the 'virtual-service' option",
    "ipvsadm -A -t": "option '-t' needs a value",
    "ipvsadm --frob": "unknown option '--frob'",
}


@pytest.mark.parametrize("command", REFUSALS, ids=lambda c: c)
def test_refusals(ns: Netns, command: str) -> None:
    """In the tool's words where it has them."""
    with pytest.raises(BadCommand) as refused:
        ns.sh(command)
    assert REFUSALS[command] in refused.value.message


def test_connections_are_listed() -> None:
    """A TCP connection that is over, a UDP flow, and how long each still lasts."""
    cluster = Cluster.example(proxy_mode="ipvs")
    cluster.connect("web2", "10.96.0.10", 80, sport=40000)
    cluster.send("web2", "10.96.0.53", 53, proto="udp", sport=40001)
    cluster.advance(10)
    assert cluster["node1"].sh("ipvsadm -Lnc").splitlines()[2:] == [
        "TCP 01:50  TIME_WAIT   10.1.15.2:40000    10.96.0.10:80      10.1.30.2:8080",
        "UDP 04:50  UDP         10.1.15.2:40001    10.96.0.53:53      10.1.30.2:53",
    ]


def test_a_dummy_device() -> None:
    """Down, without ARP, and its addresses are local all the same; up, it swallows packets."""
    ns = Netns("node1")
    ns.add_device(Device("kube-ipvs0", "dummy", "0a:d0:c0:a8:42:0b", up=False))
    ns.add_address("kube-ipvs0", "10.96.0.10/32")
    assert (
        ns.sh("ip addr show kube-ipvs0")
        == """\
2: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default
    link/ether 0a:d0:c0:a8:42:0b brd ff:ff:ff:ff:ff:ff
    inet 10.96.0.10/32 scope global kube-ipvs0
       valid_lft forever preferred_lft forever"""
    )
    assert ns.is_local("10.96.0.10")
    ns.sh("ip link set kube-ipvs0 up")
    first = ns.sh("ip link show kube-ipvs0").splitlines()[0]
    assert "<BROADCAST,NOARP,UP,LOWER_UP> mtu 1500 qdisc noqueue state UNKNOWN" in first
    ns.sh("ip addr del 10.96.0.10/32 dev kube-ipvs0")
    assert not ns.is_local("10.96.0.10")


def test_what_leaves_by_a_dummy_device_is_gone() -> None:
    """A route into nowhere."""
    cluster = Cluster.example(proxy_mode="none")
    ns = cluster["node1"]
    ns.add_device(Device("dummy0", "dummy", "0a:d0:00:00:00:01"))
    ns.sh("ip route add 198.51.100.0/24 dev dummy0")
    exchange = cluster.ping("web2", "198.51.100.1")
    assert exchange.outcome == "lost"
    assert exchange.request is not None
    assert "swallows what leaves by it" in exchange.request.last.reason


@pytest.mark.parametrize(("arp_ignore", "answers"), [(0, True), (1, False)])
def test_arp_for_an_address_of_another_device(arp_ignore: int, answers: bool) -> None:
    """Linux answers for any of its addresses on any device, unless arp_ignore says otherwise."""
    cluster = Cluster.example(proxy_mode="none")
    ns = cluster["node1"]
    ns.add_device(Device("kube-ipvs0", "dummy", "0a:d0:00:00:00:01", up=False))
    ns.add_address("kube-ipvs0", "192.168.66.200/32")
    ns.sysctls["net.ipv4.conf.all.arp_ignore"] = arp_ignore
    assert cluster.ping("client", "192.168.66.200").ok is answers
