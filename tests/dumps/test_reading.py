"""What the real tools print, line by line: read, left out, named, or refused with its place."""

from __future__ import annotations

import pytest

from k8snetlib.address import Prefix
from k8snetlib.dumps import entries
from k8snetlib.dumps.links import links
from k8snetlib.errors import BadDump
from k8snetlib.linux.netns import Address, FdbEntry, Neighbour, VxlanConfig
from k8snetlib.linux.route import Route


def route(prefix, *more, **named):
    return Route(Prefix.parse(prefix), *more, **named)


ROUTES = [
    ("default via 192.168.66.1 dev eth0 proto dhcp src 192.168.66.11 metric 100",
     [route("default", "eth0", "192.168.66.1", "192.168.66.11", "dhcp", metric=100)]),
    ("10.1.15.0/24 dev docker0 proto kernel scope link src 10.1.15.1 linkdown",
     [route("10.1.15.0/24", "docker0", None, "10.1.15.1", "kernel", "link")]),
    ("10.1.20.0/24 via 10.1.20.0 dev flannel.1 onlink",
     [route("10.1.20.0/24", "flannel.1", "10.1.20.0", onlink=True)]),
    ("10.244.1.7 dev cali0a1b2c3d4e5 scope link", [route("10.244.1.7/32", "cali0a1b2c3d4e5", scope="link")]),
    ("10.9.0.0/16 via 10.0.0.2 dev eth0 proto bird mtu 1400 advmss 1360 table main",
     [route("10.9.0.0/16", "eth0", "10.0.0.2", proto="bird")]),
    ("unicast 10.9.0.0/16 via 10.0.0.2 dev eth0 proto boot", [route("10.9.0.0/16", "eth0", "10.0.0.2")]),
    ("local 10.1.15.1 dev docker0 table local proto kernel scope host src 10.1.15.1", []),
    ("broadcast 10.1.15.255 dev docker0 table local proto kernel scope link src 10.1.15.1", []),
    ("fe80::/64 dev flannel.1 proto kernel metric 256 pref medium", []),
    ("multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium", []),
    ("10.9.0.0/16 via 10.0.0.2 dev eth0 dead linkdown", []),
    ("default proto static metric 20\n\tnexthop via 10.0.0.1 dev eth0 weight 1\n\tnexthop via 10.0.0.2 dev eth1 weight 1",
     [route("default", "eth0", "10.0.0.1", proto="static", metric=20)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"), ROUTES, ids=[text.partition("\n")[0] for text, _ in ROUTES]
)
def test_routes(text, found):
    assert list(entries.routes(text, "r", [])) == found


PASSED = [
    ("blackhole 10.244.120.64/26 proto bird", "r, line 1: blackhole 10.244.120.64/26 proto bird"),
    ("default via 10.0.0.1 dev eth1 table 220", "r, line 1: default via 10.0.0.1 dev eth1 table 220"),
    ("local 10.96.0.0/12 dev lo table local scope host", "r, line 1: local 10.96.0.0/12 dev lo table local scope host"),
    ("10.0.0.0/8 encap mpls 100 via 10.0.0.1 dev eth0", "r, line 1: 10.0.0.0/8 encap mpls 100 via 10.0.0.1 dev eth0"),
    ("\ndefault proto static\n\tnexthop via 10.0.0.1 dev eth0", "r, line 3: all but the first next hop of default"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), PASSED, ids=[says for _, says in PASSED])
def test_routes_that_decide_and_are_not_modelled(text, says):
    named: list[str] = []
    list(entries.routes(text, "r", named))
    assert named == [says]


BAD = [
    (entries.routes, "x\ndefault via 10.0.0.1 dev", "r, line 2: nothing stands behind 'dev'"),
    (entries.routes, "default via 10.0.0.1 dev eth0 wobble 3", "'wobble' is unknown in a route"),
    (entries.routes, "10.0.0.1/8 dev eth0", "has host bits set"),
    (entries.routes, "default via 10.0.0.1", "a route needs a device"),
    (entries.routes, "foo bar\n10.0.0.0/8 dev eth0", "r, line 1: a route needs a device"),
    (
        entries.routes,
        "10.0.0.0/8 dev eth0\n10.9.0.0/16 proto static",
        "r, line 2: a route needs a device",
    ),
    (entries.routes, "10.0.0.0/8 dev eth0 metric x", "'metric x' is no number"),
    (entries.neighbours, "10.0.0.1 dev eth0", "'10.0.0.1 dev eth0' is no neighbour"),
    (entries.neighbours, "10.0.0.1 dev eth0 lladdr xx STALE", "'xx' is not a MAC address"),
    (entries.forwarding, "02:42:0a:01:0f:02 master docker0", "is no forwarding entry"),
    (entries.sysctls, "net.ipv4.ip_forward", "is no setting"),
    (links, "    inet 10.0.0.1/8 scope global eth0", "r, line 1: this belongs to no device"),
    (links, "default via 10.0.0.1 dev eth0", "begins no device"),
    (links, "1: lo: <LOOPBACK> qdisc noop", "there is no mtu"),
]


@pytest.mark.parametrize(("read", "text", "says"), BAD, ids=[says for _, _, says in BAD])
def test_refused(read, text, says):
    more = ([],) if read is entries.routes else ()
    with pytest.raises(BadDump) as caught:
        list(read(text.replace("x\n", "10.0.0.0/8 dev eth0\n"), "r", *more))
    assert says in caught.value.message and caught.value.message.startswith("r, line ")


def test_neighbours():
    text = """\
10.1.15.2 dev docker0 lladdr 02:42:0a:01:0f:02 DELAY
10.0.0.9 dev eth0 FAILED
10.0.0.8 dev eth0 lladdr 02:00:00:00:00:08 extern_learn NOARP
10.0.0.7 dev eth0 lladdr 02:00:00:00:00:07 used 10/5/3 probes 1 STALE
10.0.0.6 dev eth0 proxy
fe80::1 dev eth0 lladdr 02:00:00:00:00:01 router REACHABLE
"""
    assert list(entries.neighbours(text, "n")) == [
        Neighbour("10.1.15.2", "docker0", "02:42:0a:01:0f:02", "DELAY"),
        Neighbour("10.0.0.9", "eth0", None, "FAILED"),
        Neighbour("10.0.0.8", "eth0", "02:00:00:00:00:08", "NOARP"),
        Neighbour("10.0.0.7", "eth0", "02:00:00:00:00:07", "STALE"),
    ]


def test_forwarding():
    text = """\
33:33:00:00:00:01 dev docker0 self permanent
02:42:0a:01:0f:02 dev veth1 master docker0
0a:fe:0a:01:0f:02 dev veth1 vlan 1 master docker0 permanent
0e:f1:0a:01:14:00 dev flannel.1 dst 192.168.66.12 self permanent
00:00:00:00:00:00 dev vx0 dst fd00::2 self permanent
"""
    learned, own, tunnel = entries.forwarding(text, "f")
    assert learned[0] == FdbEntry("02:42:0a:01:0f:02", "veth1", "docker0")
    assert own[0] == FdbEntry("0a:fe:0a:01:0f:02", "veth1", "docker0", local=True)
    assert tunnel == (None, ("flannel.1", "0e:f1:0a:01:14:00"), "192.168.66.12")


def test_sysctls():
    text = "net.ipv4.ip_forward = 1\nnet/ipv4/conf/all/rp_filter = 2\nkernel.osrelease = 6.1\n"
    assert dict(entries.sysctls(text, "s")) == {
        "net.ipv4.ip_forward": 1,
        "net.ipv4.conf.all.rp_filter": 2,
    }


LINKS = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0  allmulti 0 minmtu 0 maxmtu 0
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
2: ens3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9000 qdisc mq state UP group default qlen 1000
    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 68 maxmtu 65535
    altname enp0s3
    inet 10.0.0.11/24 metric 100 brd 10.0.0.255 scope global dynamic ens3
       valid_lft 85000sec preferred_lft 85000sec
    inet6 fe80::1/64 scope link
       valid_lft forever preferred_lft forever
3: tunl0@NONE: <NOARP> mtu 1480 qdisc noop state DOWN group default qlen 1000
    link/ipip 0.0.0.0 brd 0.0.0.0 promiscuity 0
    ipip any remote any local any ttl inherit nopmtudisc
4: cni0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1450 qdisc noqueue state DOWN group default
    link/ether 02:42:0a:01:0f:01 brd ff:ff:ff:ff:ff:ff promiscuity 0
    bridge forward_delay 1500 hello_time 200
    inet 10.1.15.1/24 brd 10.1.15.255 scope global cni0
5: veth0a1b@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master cni0 state UP
    link/ether 0a:fe:0a:01:0f:02 brd ff:ff:ff:ff:ff:ff link-netnsid 0 promiscuity 1
    veth
    bridge_slave state forwarding priority 32 cost 2 hairpin on guard off
6: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN
    link/ether 0e:f1:0a:01:0f:00 brd ff:ff:ff:ff:ff:ff promiscuity 0
    vxlan id 1 local 10.0.0.11 dev ens3 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300
    inet 10.1.15.0/32 scope global flannel.1
7: flannel0: <POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1472 qdisc pfifo_fast state UNKNOWN
    link/none promiscuity 0
    tun type tun pi off vnet_hdr off persist off
    inet 10.1.15.0 peer 10.1.0.0/16 scope global flannel0
"""


def test_links():
    found = {link.name: link for link in links(LINKS, "l")}
    assert [(link.name, link.kind) for link in found.values()] == [
        ("lo", "lo"), ("ens3", "wire"), ("tunl0", "ipip"), ("cni0", "bridge"), ("veth0a1b", "veth"),
        ("flannel.1", "vxlan"), ("flannel0", "tun"),
    ]  # fmt: skip
    assert (found["ens3"].mtu, found["ens3"].addresses) == (9000, (Address("10.0.0.11", 24),))
    assert found["flannel.1"].vxlan == VxlanConfig(1, "10.0.0.11", 8472)
    veth = found["veth0a1b"]
    assert (veth.master, veth.behind, veth.hairpin, veth.up, veth.ifindex) == (
        "cni0",
        "if2",
        True,
        True,
        5,
    )
    assert not found["tunl0"].up and found["cni0"].up
    assert found["flannel0"].addresses == (Address("10.1.15.0", 32),)


def test_links_without_details():
    """`ip addr` alone: a master is a bridge, a pair shows by its name, the rest is a wire."""
    plain = "\n".join(
        line for line in LINKS.splitlines()
        if line.split()[0] not in ("bridge", "veth", "bridge_slave", "vxlan", "tun", "ipip")
    )  # fmt: skip
    kinds = [link.kind for link in links(plain, "l")]
    assert kinds == ["lo", "wire", "veth", "bridge", "veth", "wire", "tun"]
