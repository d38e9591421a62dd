"""The iptables mode's text where the real one's own tests leave gaps: one line of it a case."""

from __future__ import annotations

from typing import Any

import pytest

from k8snetlib.kube.proxy.config import Detector, NodePortAddresses, ProxyConfig
from k8snetlib.kube.proxy.iptables import Proxier
from k8snetlib.kube.proxy.state import EndpointInfo, ServicePortInfo, ServicePortName
from k8snetlib.linux.netns import Netns

CONFIG = ProxyConfig("node1", "192.168.66.11", ("192.168.66.11", "10.1.15.1", "2001:db8::1"),
                     detector=Detector("CIDR", "10.1.0.0/16"))  # fmt: skip
NAME = ServicePortName("ns", "web", "http", "tcp")
ONE = (EndpointInfo("10.1.20.3", 8080),)
HERE = (EndpointInfo("10.1.15.3", 8080, local=True),)
THREE = tuple(EndpointInfo(f"10.1.20.{n}", 8080) for n in (3, 4, 5))
BALANCED: dict[str, Any] = {"balancers": ("1.2.3.4",), "source_ranges": ("192.168.0.0/16",)}


def lines(
    service: dict[str, Any], endpoints: tuple[EndpointInfo, ...], config: dict[str, Any]
) -> list[str]:
    """All lines of a first sync with one Service port."""
    fields = {"cluster_ip": "10.96.0.10", "port": 80, "name": NAME} | service
    info = ServicePortInfo(**fields)
    proxier = Proxier(Netns("node1", "node"), CONFIG._replace(**config))
    proxier.sync({info.name: info}, {info.name: endpoints})
    assert proxier.restore is not None and not proxier.error
    return [line for table in ("filter", "nat") for line in proxier.restore.lines(table)]


Case = tuple[dict[str, Any], tuple[EndpointInfo, ...], dict[str, Any], str, int]
#: name -> Service, endpoints, options, a piece of text, in how many lines it stands
CASES: dict[str, Case] = {
    "the first of three": ({}, THREE, {}, "10.1.20.3:8080\" -m statistic --mode random --probability 0.3333333333 -j", 1),
    "the second of three": ({}, THREE, {}, "10.1.20.4:8080\" -m statistic --mode random --probability 0.5000000000 -j", 1),
    "the last of three": ({}, THREE, {}, '-> 10.1.20.5:8080" -j KUBE-SEP-', 1),
    "affinity": ({"affinity_seconds": 77}, THREE, {}, "--rcheck --seconds 77 --reap -j KUBE-SEP-", 3),
    "affinity is set where it is translated": ({"affinity_seconds": 77}, THREE, {}, "--set -m tcp -p tcp -j DNAT", 3),
    "no affinity": ({}, THREE, {}, "-m recent", 0),
    "the node itself is in the source ranges": (BALANCED, ONE, {}, "-s 1.2.3.4 -j KUBE-EXT-", 1),
    "the node itself is not": (BALANCED | {"source_ranges": ("10.0.0.0/8",)}, ONE, {}, "-s 1.2.3.4 -j KUBE-EXT-", 0),
    "a balancer without endpoints has no firewall": (BALANCED, (), {}, "KUBE-FW-", 0),
    "by bridge": ({}, ONE, {"detector": Detector("BridgeInterface", "cni0")}, "--dport 80 ! -i cni0 -j KUBE-MARK-MASQ", 1),
    "by prefix": ({}, ONE, {"detector": Detector("InterfaceNamePrefix", "veth")}, "! -i veth+ -j KUBE-MARK-MASQ", 1),
    "masquerade-all": ({}, ONE, {"masquerade_all": True}, "-d 10.96.0.10 --dport 80 -j KUBE-MARK-MASQ", 1),
    "another mark": ({}, ONE, {"masquerade_bit": 5}, "--or-mark 0x20", 1),
    "random-fully": ({}, ONE, {}, "-j MASQUERADE --random-fully", 1),
    "plain masquerade": ({}, ONE, {"random_fully": False}, "-j MASQUERADE --random-fully", 0),
    "invalid packets": ({}, ONE, {}, "--ctstate INVALID -j DROP", 1),
    "a liberal conntrack": ({}, ONE, {"tcp_liberal": True}, "--ctstate INVALID", 0),
    "node ports everywhere": ({}, ONE, {}, "--dst-type LOCAL -j KUBE-NODEPORTS", 1),
    "but on localhost": ({}, ONE, {"localhost_node_ports": False}, "--dst-type LOCAL ! -d 127.0.0.0/8 -j KUBE-NODEPORTS", 1),
    "on some addresses": ({}, ONE, {"node_port_addresses": NodePortAddresses(("192.168.66.0/24", "127.0.0.0/8"))}, "chain\" -d 192.168.66.11 -j KUBE-NODEPORTS", 1),
    "on localhost's too": ({}, ONE, {"node_port_addresses": NodePortAddresses(("192.168.66.0/24", "127.0.0.0/8"))}, "-d 127.0.0.1 -j KUBE-NODEPORTS", 1),
    "or not": ({}, ONE, {"node_port_addresses": NodePortAddresses(("127.0.0.0/8",)), "localhost_node_ports": False}, "-j KUBE-NODEPORTS", 0),
    "IPv6 never on localhost": ({"cluster_ip": "fd00::10"}, (), {"family": "IPv6"}, "--dst-type LOCAL ! -d ::1/128 -j KUBE-NODEPORTS", 1),
    "IPv6 on some addresses": ({"cluster_ip": "fd00::10"}, (), {"family": "IPv6", "node_port_addresses": NodePortAddresses(("2001:db8::/64", "::1/128"))}, "-j KUBE-NODEPORTS", 1),
    "IPv6 needs no localnet firewall": ({"cluster_ip": "fd00::10"}, (), {"family": "IPv6"}, "-A KUBE-FIREWALL", 0),
    "IPv6 endpoints": ({"cluster_ip": "fd00::10"}, (EndpointInfo("fd00::2", 80),), {"family": "IPv6"}, "--to-destination [fd00::2]:80", 1),
    "a Local policy without a local endpoint": ({"node_port": 30000, "external_local": True}, ONE, {}, '"ns/web:http has no local endpoints" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30000 -j DROP', 1),
    "a Local policy without any": ({"node_port": 30000, "external_local": True}, (), {}, '"ns/web:http has no endpoints" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30000 -j REJECT', 1),
    "a Local policy still serves the node": ({"node_port": 30000, "external_local": True}, ONE, {}, "route LOCAL traffic for", 1),
    "but strangers only with one": ({"node_port": 30000, "external_local": True}, HERE, {}, "-A KUBE-EXT-HMALVVKA6APKJPPY -j KUBE-SVL-", 1),
    "internal Local": ({"internal_local": True}, HERE, {}, "-d 10.96.0.10 --dport 80 -j KUBE-SVL-", 1),
    "internal Local has no SVC chain": ({"internal_local": True}, HERE, {}, "KUBE-SVC-", 0),
    "an unnamed port": ({"name": NAME._replace(port="")}, ONE, {}, '"ns/web cluster IP"', 2),
    "UDP": ({"name": NAME._replace(proto="udp")}, ONE, {}, "-m udp -p udp -d 10.96.0.10 --dport 80", 2),
    "SCTP": ({"name": NAME._replace(proto="sctp")}, ONE, {}, "-m sctp -p sctp -j DNAT", 1),
    "health is asked by TCP": ({"name": NAME._replace(proto="udp"), "health_check_node_port": 32000}, (), {}, "-m tcp -p tcp --dport 32000 -j ACCEPT", 1),
    "terminating ones if there are no others": ({}, (EndpointInfo("10.1.20.3", 1, ready=False, terminating=True),), {}, "--to-destination 10.1.20.3:1", 1),
    "but not beside others": ({}, (*ONE, EndpointInfo("10.1.20.9", 1, ready=False, terminating=True)), {}, "10.1.20.9", 0),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_text(case: Case) -> None:
    service, endpoints, config, piece, times = case
    made = lines(service, endpoints, config)
    assert sum(piece in line for line in made) == times, "\n".join(made)


def test_the_jump_to_the_node_ports_is_the_last() -> None:
    made = [line for line in lines({"external_ips": ("203.0.113.9",)}, ONE, {})
            if line.startswith("-A KUBE-SERVICES") and "-j KUBE" in line]  # fmt: skip
    assert made[-1].endswith("-j KUBE-NODEPORTS")
    assert len(made) == 3


def test_syncing_twice_writes_no_service_again() -> None:
    info = ServicePortInfo(NAME, "10.96.0.10", 80)
    proxier = Proxier(Netns("node1", "node"), CONFIG)
    proxier.sync({NAME: info}, {NAME: ONE})
    first = {name: chain.rules for name, chain in proxier.ruleset.table("nat").items()}
    proxier.sync({NAME: info}, {NAME: ONE})
    assert proxier.restore is not None and not proxier.restore.full
    assert not [name for name in proxier.restore.nat if name.startswith("KUBE-SVC-")]
    assert {n: c.rules for n, c in proxier.ruleset.table("nat").items()} == first


def test_a_copy_syncs_by_itself() -> None:
    info = ServicePortInfo(NAME, "10.96.0.10", 80)
    ns = Netns("node1", "node")
    proxier = Proxier(ns, CONFIG)
    proxier.sync({NAME: info}, {NAME: ONE})
    twin_ns = ns.clone()
    twin = proxier.clone(twin_ns)
    twin.sync({}, {})
    assert twin.restore is not None and not twin.restore.full
    assert not [n for n in twin_ns.ruleset.table("nat") if n.startswith("KUBE-SVC-")]
    assert [n for n in ns.ruleset.table("nat") if n.startswith("KUBE-SVC-")]
