"""kube-proxy's nftables mode: packets, what is left behind, and what differs from iptables mode."""

from __future__ import annotations

from typing import Any

import pytest

from k8snetlib import Cluster
from k8snetlib.kube.api import (
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Ingress,
    Service,
    ServicePort,
)
from k8snetlib.kube.apiserver import api_server
from k8snetlib.kube.proxy.config import Detector, NodePortAddresses, ProxyConfig
from k8snetlib.kube.proxy.nftables import Proxier
from k8snetlib.kube.proxy.state import EndpointsMap, ServiceMap, endpoints_map, service_map
from k8snetlib.linux.chance import Dice
from k8snetlib.linux.netfilter.rule import Probe
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Network
from k8snetlib.packet import PROTO_TCP, SYN, IPv4, Packet, Tcp

NODE1, NODE2 = "192.168.66.11", "192.168.66.12"


@pytest.fixture(scope="module")
def both() -> dict[str, Cluster]:
    return {mode: Cluster.example(proxy_mode=mode) for mode in ("iptables", "nftables")}


def fates(cluster: Cluster, source: str, target: str, port: int, proto: str = "tcp") -> list[str]:
    return sorted(map(str, cluster.outcomes(source, target, port, proto=proto)))


# -- packets --------------------------------------------------------------------------------------

ALIKE: list[tuple[Any, ...]] = [
    ("web2", "10.96.0.10", 80),
    ("node1", "10.96.0.10", 80),
    ("backend", "10.96.0.10", 80),
    ("ext", NODE1, 30080),
    ("client", NODE2, 30081),
    ("ext", NODE1, 30081),
    ("web2", NODE1, 30081),
    ("web2", "10.96.0.20", 80),
    ("ext", NODE1, 30082),
    ("web2", "10.96.0.53", 53, "udp"),
    ("web2", "10.96.0.20", 53, "udp"),
    ("web2", "10.1.20.3", 8080),
    ("web2", "203.0.113.10", 80),
]


@pytest.mark.parametrize("flow", ALIKE, ids=lambda f: "-".join(map(str, f)))
def test_both_modes_do_the_same(both: dict[str, Cluster], flow: tuple[Any, ...]) -> None:
    assert fates(both["nftables"], *flow) == fates(both["iptables"], *flow)


#: What differs: how it ends in iptables mode, in nftables mode.
DIFFERENT = {
    "a port that the Service has not": (("web2", "10.96.0.10", 81), "unreachable", "rejected"),
    "an address that no Service has": (("web2", "10.96.7.7", 80), "unreachable", "dropped"),
    "a node port on 127.0.0.1": (("node1", "127.0.0.1", 30080), "delivered", "refused"),
    "a node port on another address": (("node1", "10.1.15.1", 30080), "delivered", "refused"),
}


@pytest.mark.parametrize(("flow", "iptables", "nftables"), DIFFERENT.values(), ids=DIFFERENT)
def test_where_the_modes_differ(
    both: dict[str, Cluster], flow: tuple[str, str, int], iptables: str, nftables: str
) -> None:
    ends = {mode: {fate.outcome for fate in both[mode].outcomes(*flow)} for mode in both}
    assert ends == {"iptables": {iptables}, "nftables": {nftables}}


def test_a_client_comes_back_to_its_endpoint_until_the_time_is_over() -> None:
    cluster = Cluster.example(proxy_mode="nftables")
    api = api_server(cluster.network)
    service = next(s for s in api.list(Service) if s.name == "backend-svc")
    api.put(service._replace(affinity_seconds=100))

    def ends() -> set[str]:
        return {fate.receiver for fate in cluster.outcomes("web2", "10.96.0.10", 80)}

    assert len(ends()) == 3
    exchange = cluster.connect("web2", "10.96.0.10", 80, endpoint="backend-b")
    assert exchange.ok
    assert ends() == {"backend-b"}
    assert "10.1.15.2 expires" in cluster["node1"].sh("nft list ruleset")
    cluster.advance("101s")
    assert len(ends()) == 3


def test_the_firewall_comes_before_the_translation() -> None:
    cluster = Cluster.example(proxy_mode="nftables")
    api = api_server(cluster.network)
    service = next(s for s in api.list(Service) if s.name == "backend-svc")
    api.put(service._replace(
        type="LoadBalancer", ingress=(Ingress("192.168.66.11"),),
        source_ranges=("203.0.113.0/24", "192.168.66.100/32"),
    ))  # fmt: skip
    assert cluster.connect("ext", NODE1, 80).ok
    exchange = cluster.connect("web2", NODE1, 80)
    assert exchange.outcome == "dropped"
    assert exchange.request is not None
    assert exchange.request.last.stage == "nft PREROUTING"


# -- one Proxier ----------------------------------------------------------------------------------


def config(**options: Any) -> ProxyConfig:
    plain = {"node": "node1", "node_ip": NODE1, "node_ips": (NODE1, "10.1.15.1", "127.0.0.1"),
             "detector": Detector("CIDR", "10.1.0.0/16"),
             "service_cidrs": ("10.96.0.0/16",)}  # fmt: skip
    return ProxyConfig(**{**plain, **options})


def proxier(**options: Any) -> Proxier:
    network = Network()
    ns = network.add(Netns("node1", "node"))
    return Proxier(ns, config(**options))


def state(*names: str, endpoint: str = "10.1.20.3") -> tuple[ServiceMap, EndpointsMap]:
    services = [
        Service(name, f"10.96.{1 + n // 200}.{n % 200}", (ServicePort("http", "tcp", 80),))
        for n, name in enumerate(names, 1)
    ]
    slices = [
        EndpointSlice(f"{name}-1", name, (Endpoint(endpoint),), (EndpointPort("http", "tcp", 80),))
        for name in names
    ]
    return service_map(services), endpoints_map(slices, "node1")


def names(proxier: Proxier) -> set[str]:
    assert proxier.table is not None
    return {name.partition("-")[2][9:] for name in proxier.table.chains if "/" in name}


def test_a_second_sync_with_nothing_new_writes_nothing() -> None:
    ours = proxier()
    ours.sync(*state("a", "b"))
    assert len(ours.transaction) > 40
    ours.sync(*state("a", "b"))
    assert ours.transaction == ()


def test_chains_of_a_service_that_is_gone_are_emptied_and_later_deleted() -> None:
    ours = proxier()
    assert ours.ns.network is not None
    ours.sync(*state("a", "b"))
    ours.sync(*state("a"))
    gone = {"default/b/tcp/http", "default/b/tcp/http__10.1.20.3/80"}
    assert gone < names(ours)
    assert ours.table is not None
    assert not any(c.rules for name, c in ours.table.chains.items() if "/b/" in name)
    ours.ns.network.advance(1.0)
    ours.sync(*state("a"))
    assert gone < names(ours), "not within a second"
    ours.ns.network.advance(0.5)
    ours.sync(*state("a"))
    assert not gone & names(ours)


def test_a_service_that_comes_back_keeps_its_chains() -> None:
    ours = proxier()
    assert ours.ns.network is not None
    ours.sync(*state("a", "b"))
    ours.sync(*state("a"))
    ours.sync(*state("a", "b"))
    ours.ns.network.advance(5)
    ours.sync(*state("a", "b"))
    assert "default/b/tcp/http" in names(ours)
    assert ours.stale == {}


def test_a_new_kube_proxy_takes_over_what_it_finds() -> None:
    """It keeps the elements that are right, and clears away what the former one left."""
    former = proxier()
    former.sync(*state("a", "b"))
    ours = Proxier(former.ns, config())
    ours.sync(*state("a"))
    fresh = proxier()
    fresh.sync(*state("a"))
    assert ours.table is not None
    assert fresh.table is not None
    assert ours.table.sets == fresh.table.sets
    assert not any(line.startswith("add element") for line in ours.transaction)
    assert ours.ns.network is not None
    ours.ns.network.advance(2)
    ours.sync(*state("a"))
    assert set(ours.table.chains) == set(fresh.table.chains)


def test_affinity_sets_go_with_their_endpoints() -> None:
    ours = proxier()
    services, endpoints = state("a")
    sticky = {name: info._replace(affinity_seconds=10800) for name, info in services.items()}
    ours.sync(sticky, endpoints)
    assert ours.table is not None
    assert [n for n in ours.table.sets if n.startswith("affinity-")]
    ours.sync(services, endpoints)
    assert ours.error == ""
    assert not [n for n in ours.table.sets if n.startswith("affinity-")]


def test_a_table_that_somebody_deleted_is_made_anew() -> None:
    """The next sync cannot go in; the one after it writes everything."""
    ours = proxier()
    ours.sync(*state("a"))
    ours.ns.sh("nft delete table ip kube-proxy")
    ours.sync(*state("a", "b"))
    assert "No such file or directory" in ours.error
    assert ours.table is None
    ours.sync(*state("a", "b"))
    assert ours.error == ""
    assert "default/a/tcp/http" in names(ours)


def test_clean_up_takes_the_table_and_nothing_else() -> None:
    ours = proxier()
    ours.ns.sh("nft add table ip mine")
    ours.sync(*state("a"))
    ours.clean_up()
    assert ours.ns.sh("nft list tables") == "table ip mine"
    ours.sync(*state("a"))
    assert "default/a/tcp/http" in names(ours)


def test_a_copy_goes_its_own_way() -> None:
    cluster = Cluster.example(proxy_mode="nftables")
    before = cluster["node1"].sh("nft list ruleset")
    copy = cluster.clone()
    api = api_server(copy.network)
    api.delete(Service, "default", "backend-svc")
    assert copy.connect("web2", "10.96.0.10", 80).outcome == "dropped"
    assert cluster["node1"].sh("nft list ruleset") == before
    assert cluster.connect("web2", "10.96.0.10", 80).ok


def test_a_flushed_node_comes_back_when_something_changes_and_30_seconds_are_over() -> None:
    """Nothing watches the table: a transaction that meets nothing fails, and is tried again."""
    cluster = Cluster.example(proxy_mode="nftables")
    cluster["node1"].sh("nft delete table ip kube-proxy")
    cluster.advance("60s")
    assert cluster.connect("web2", "10.96.0.10", 80).outcome == "unreachable"
    api_server(cluster.network).put(Service("new", "10.96.0.99", (ServicePort("", "tcp", 80),)))
    cluster.advance("1s")
    assert "nftables sync failed" in cluster["node1"].sh("journalctl -u kube-proxy")
    assert cluster.connect("web2", "10.96.0.10", 80).outcome == "unreachable"
    cluster.advance("30s")
    assert cluster.connect("web2", "10.96.0.10", 80).ok


NODE_PORTS = {
    "the primary address alone": ((), [NODE1]),
    "a range": (("10.0.0.0/8",), ["10.1.15.1"]),
    "everything, but never loopback": (("0.0.0.0/0",), ["10.1.15.1", NODE1]),
    "loopback alone": (("127.0.0.0/8",), []),
}


@pytest.mark.parametrize(("cidrs", "expected"), NODE_PORTS.values(), ids=NODE_PORTS)
def test_which_addresses_serve_node_ports(cidrs: tuple[str, ...], expected: list[str]) -> None:
    ours = proxier(node_port_addresses=NodePortAddresses(cidrs))
    ours.sync({}, {})
    listed = ours.ns.sh("nft list set ip kube-proxy nodeport-ips")
    assert all(ip in listed for ip in expected)
    assert ("elements" in listed) is bool(expected)
    assert listed.count(".") == 3 * len(expected)


@pytest.mark.parametrize(
    ("detector", "text"),
    [
        (Detector("CIDR", "10.1.0.0/16"), "ip saddr != 10.1.0.0/16 jump"),
        (Detector("BridgeInterface", "docker0"), 'iifname != "docker0" jump'),
        (Detector("InterfaceNamePrefix", "veth"), 'iifname != "veth*" jump'),
    ],
)
def test_how_a_pod_s_traffic_is_known(detector: Detector, text: str) -> None:
    ours = proxier(detector=detector)
    ours.sync(*state("a"))
    assert ours.error == ""
    assert text in ours.ns.sh("nft list ruleset")


def test_finding_a_service_costs_the_same_however_many_there_are() -> None:
    costs = set()
    for many in (1, 400):
        ours = proxier()
        ours.sync(*state(*(f"s{n}" for n in range(many))))
        ns = ours.ns
        assert ns.network is not None
        packet = Packet(IPv4("10.1.15.2", "10.96.1.1", PROTO_TCP), Tcp(40000, 80, SYN))
        p = Probe(ns, packet, "docker0", "", 0, 0.0, Dice(ns.network.random))
        (base,) = ns.ruleset.translators("PREROUTING")
        assert base.run(p).nat is not None
        costs.add(p.evaluated)
    assert costs == {6}
