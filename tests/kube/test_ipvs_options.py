"""kube-proxy in IPVS mode: load balancers, external IPs, and its options."""

from __future__ import annotations

from typing import Any

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.kube.api import (
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Ingress,
    Service,
    ServicePort,
)
from k8snetlib.kube.proxy.config import Detector, NodePortAddresses, ProxyConfig
from k8snetlib.kube.proxy.ipvs import Proxier, check_usable, clean_up
from k8snetlib.kube.proxy.state import endpoints_map, service_map
from k8snetlib.linux.ipvs.table import VirtualServer
from k8snetlib.linux.netfilter.save import save
from k8snetlib.linux.netns import Device, Netns

NODE1 = "192.168.66.11"

HTTP = ServicePort("http", "tcp", 80, 8080, 30090)
BALANCED = Service(
    "lb", "10.96.0.30", (HTTP,), type="LoadBalancer", ingress=(Ingress("198.51.100.5"),),
    source_ranges=("192.168.66.100/32",), external_ips=("198.51.100.6",),
)  # fmt: skip
SLICE = EndpointSlice(
    "lb-1", "lb", (Endpoint("10.1.20.3", "node2"), Endpoint("10.1.30.2", "node3")),
    (EndpointPort("http", "tcp", 8080),),
)  # fmt: skip


def with_balancer(**changes: Any) -> Cluster:
    """The example with one more Service; client and ext reach its addresses by node1."""
    cluster = Cluster.example(proxy_mode="ipvs")
    cluster.network.agents["apiserver"].put(BALANCED._replace(**changes))
    cluster.network.agents["apiserver"].put(SLICE)
    cluster.network.settle()
    for name in ("client", "router"):
        cluster[name].sh(f"ip route add 198.51.100.0/24 via {NODE1}")
    return cluster


LB, EXTERNAL = "198.51.100.5", "198.51.100.6"


@pytest.mark.parametrize(
    ("source", "target", "policy", "outcome", "seen"),
    [
        ("client", LB, "Cluster", "delivered", "10.1.15.0"),
        ("ext", LB, "Cluster", "dropped", ""),
        ("web2", LB, "Cluster", "dropped", ""),
        ("node1", LB, "Cluster", "dropped", ""),
        ("ext", EXTERNAL, "Cluster", "delivered", "10.1.15.0"),
        ("web2", EXTERNAL, "Cluster", "delivered", "10.1.15.0"),
        ("node1", EXTERNAL, "Cluster", "delivered", "10.1.15.0"),
        ("web2", LB, "Local", "dropped", ""),
        ("ext", NODE1, "Cluster", "delivered", "10.1.15.0"),
    ],
)
def test_load_balancer(source: str, target: str, policy: str, outcome: str, seen: str) -> None:
    """Source ranges bind the load balancer's address alone; the node itself is in none of them."""
    cluster = with_balancer(external_traffic_policy=policy)
    exchange = cluster.connect(source, target, 30090 if target == NODE1 else 80)
    assert exchange.outcome == outcome, exchange
    assert exchange.request is not None
    if seen:
        assert exchange.request.last.packet.ip.src == seen
    else:
        last = str(exchange.request.last.by)
        assert "-j DROP" in last and ("--vaddr 198.51.100.5" in last) is (source == "node1")


def test_a_node_in_the_source_ranges() -> None:
    """Then its own processes get through, and the loop back to the address is let in."""
    cluster = with_balancer(source_ranges=("192.168.66.0/24",))
    ns = cluster["node1"]
    assert ns.ipsets["KUBE-LOAD-BALANCER-SOURCE-IP"].entries == {"198.51.100.5,tcp:80,198.51.100.5"}
    assert cluster.connect("node1", LB, 80).ok
    assert "vaddr" not in save(ns.ruleset)


def synced(ns: Netns, *services: Service, **options: Any) -> Proxier:
    """One sync of a proxier with these options."""
    config = ProxyConfig("node1", NODE1, detector=Detector("CIDR", "10.1.0.0/16"))
    proxier = Proxier(ns, config._replace(**options))
    proxier.sync(service_map(services), endpoints_map([SLICE], "node1"))
    return proxier


def node() -> Netns:
    """A node with two addresses."""
    ns = Netns("node1", "node")
    ns.add_device(Device("eth0", "veth"))
    ns.add_address("eth0", f"{NODE1}/24")
    ns.add_device(Device("eth1", "veth"))
    ns.add_address("eth1", "172.16.0.1/24")
    return ns


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "-s 127.0.0.0/8 | ! -s 10.1.0.0/16 dst,dst"),
        ({"masquerade_all": True}, "-s 127.0.0.0/8 | dst,dst"),
        ({"detector": Detector()}, "-s 127.0.0.0/8 | src,dst"),
        ({"detector": Detector("InterfaceNamePrefix", "veth")},
         "-s 127.0.0.0/8 | ! -i veth+ dst,dst"),
    ],
)  # fmt: skip
def test_who_is_masqueraded(options: dict[str, Any], expected: str) -> None:
    """The rule about cluster IPs, with and without a detector."""
    ns = node()
    synced(ns, BALANCED, **options)
    rules = [str(rule) for rule in ns.ruleset.chain("nat", "KUBE-SERVICES").rules]
    asked = [r for r in rules if "KUBE-CLUSTER-IP" in r and "KUBE-MARK-MASQ" in r]
    first, *words = expected.split(" | ")
    assert rules[0].startswith(first)
    source, _, ends = words[0].rpartition(" ")
    assert asked[0].startswith(source) and f"KUBE-CLUSTER-IP {ends} -j" in asked[0]


OUTSIDE = "-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT"
HERE = "-m addrtype --dst-type LOCAL -j ACCEPT"


@pytest.mark.parametrize(
    ("policy", "name", "targets"),
    [
        ("Cluster", "KUBE-EXTERNAL-IP", ["-j KUBE-MARK-MASQ", OUTSIDE, HERE]),
        ("Local", "KUBE-EXTERNAL-IP-LOCAL", [OUTSIDE, HERE]),
    ],
)
def test_rules_about_external_ips(policy: str, name: str, targets: list[str]) -> None:
    """Masqueraded under the Cluster policy alone; let pass if it comes from outside, or stays."""
    ns = node()
    synced(ns, BALANCED._replace(external_traffic_policy=policy))
    rules = [str(rule) for rule in ns.ruleset.chain("nat", "KUBE-SERVICES").rules]
    asked = f"-m set --match-set {name} dst,dst "
    found = [r.partition(asked)[2] for r in rules if asked in r]
    assert found == targets


def test_node_port_addresses() -> None:
    """Node ports on chosen addresses alone; the loopback device serves none."""
    ns = node()
    synced(ns, BALANCED)
    ports = {ip for _, ip, port in ns.ipvs.services if port == 30090}
    assert ports == {NODE1, "172.16.0.1"}
    chosen = NodePortAddresses(("172.16.0.0/16", "127.0.0.0/8"))
    synced(ns, BALANCED, node_port_addresses=chosen)
    assert {ip for _, ip, port in ns.ipvs.services if port == 30090} == {"172.16.0.1"}


def test_affinity_scheduler_and_arp() -> None:
    """Options that become fields of the virtual servers, or sysctls."""
    ns = node()
    synced(ns, BALANCED._replace(affinity_seconds=10_800), scheduler="mh", strict_arp=True)
    for virtual in ns.ipvs.virtual_servers():
        assert (virtual.scheduler, virtual.persistent) == ("mh", 10_800)
        assert virtual.flags == {"mh-port"}
    assert ns.sysctls["net.ipv4.conf.all.arp_ignore"] == 1
    assert ns.sysctls["net.ipv4.conf.all.arp_announce"] == 2
    for name in ("conntrack", "expire_nodest_conn", "expire_quiescent_template"):
        assert ns.sysctls[f"net.ipv4.vs.{name}"] == 1
    synced(ns, BALANCED)
    assert {(v.scheduler, v.persistent) for v in ns.ipvs.virtual_servers()} == {("rr", 0)}


def test_exclude_cidrs() -> None:
    """Somebody else's virtual servers are spared, if kube-proxy is told."""
    ns = node()
    for ip in ("198.51.100.7", "203.0.113.7"):
        ns.ipvs.add(VirtualServer("tcp", ip, 80, "rr"))
    synced(ns, BALANCED, exclude_cidrs=("198.51.100.0/24",))
    assert ("tcp", "198.51.100.7", 80) in ns.ipvs.services
    assert ("tcp", "203.0.113.7", 80) not in ns.ipvs.services


def test_an_address_of_the_node_is_not_put_on_the_device() -> None:
    """An external IP that another device has already."""
    ns = node()
    synced(ns, BALANCED._replace(external_ips=("172.16.0.1",)))
    assert ns.local["172.16.0.1"] == "eth1"
    assert sorted(a.ip for a in ns.devices["kube-ipvs0"].addresses) == ["10.96.0.30", LB]


def test_a_second_sync_changes_nothing() -> None:
    """Idempotent, down to the order of rules."""
    ns = node()
    proxier = synced(ns, BALANCED)
    before = (save(ns.ruleset), ns.sh("ipvsadm -Sn"), ns.sh("ipset save"), ns.sh("ip addr"))
    proxier.sync(service_map([BALANCED]), endpoints_map([SLICE], "node1"))
    assert (save(ns.ruleset), ns.sh("ipvsadm -Sn"), ns.sh("ipset save"), ns.sh("ip addr")) == before


def test_clean_up_leaves_nothing() -> None:
    """Virtual servers, device, rules and sets go; others' rules stay."""
    ns = node()
    ns.sh("iptables -A INPUT -s 10.9.9.9 -j DROP")
    before = save(ns.ruleset)
    synced(ns, BALANCED).clean_up()
    assert ns.ipvs.services == {} and ns.ipsets == {} and "kube-ipvs0" not in ns.devices
    left = save(ns.ruleset)
    assert "KUBE" not in left and "-A INPUT -s 10.9.9.9/32 -j DROP" in left
    assert before.splitlines()[1] in left
    clean_up(ns)


def test_ipv6_is_kept_as_text() -> None:
    """Virtual servers and sets, no rules and no addresses."""
    ns = node()
    six = Service("six", "fd00::1", (ServicePort("", "tcp", 80),))
    config = ProxyConfig("node1", "", ("fd00::a", "fe80::1", "::1"), family="IPv6")
    proxier = Proxier(ns, config)
    proxier.sync(service_map([six], "IPv6"), {})
    assert [str(v) for v in ns.ipvs.virtual_servers()] == ["TCP [fd00::1]:80 rr"]
    assert ns.ipsets["KUBE-6-CLUSTER-IP"].entries == {"fd00::1,tcp:80"}
    assert ns.ipsets["KUBE-6-CLUSTER-IP"].family == "inet6"
    assert not list(ns.ruleset.rules())
    proxier.clean_up()
    assert ns.ipsets == {}


def test_a_kernel_that_has_the_scheduler_is_not_probed() -> None:
    """A virtual server with it is proof enough; else one is made and taken away."""
    ns = node()
    check_usable(ns.ipvs, "7.17")
    assert ns.ipvs.services == {}
    ns.ipvs.add(VirtualServer("tcp", "198.51.100.0", 20000, "rr"))
    check_usable(ns.ipvs, "7.17", "rr")
    with pytest.raises(K8sNetError, match="too old"):
        check_usable(ns.ipvs, "5.9")
    with pytest.raises(K8sNetError, match="already exists"):
        check_usable(ns.ipvs, "7.17", "sh")
