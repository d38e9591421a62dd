"""kube-proxy as a daemon: what it notices, what stays without it, what it cleans up."""

from __future__ import annotations

from math import inf

import pytest

from k8snetlib import Cluster
from k8snetlib.address import Prefix
from k8snetlib.errors import NotModelled
from k8snetlib.kube.api import Endpoint, EndpointSlice, Ingress, Node, Service, ServicePort
from k8snetlib.kube.apiserver import ApiServer, api_server
from k8snetlib.kube.proxy import daemon
from k8snetlib.linux.exchange import send

WEB = Service("web", "10.96.0.77", (ServicePort("http", "tcp", 80),))


def slice_of(*ips: str, port: tuple[str, str, int] = ("http", "tcp", 80)) -> EndpointSlice:
    from k8snetlib.kube.api import EndpointPort

    return EndpointSlice("web-1", "web", tuple(map(Endpoint, ips)), (EndpointPort(*port),))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster.example()


def api(cluster: Cluster) -> ApiServer:
    return api_server(cluster.network)


def outcome(cluster: Cluster, target: str = "10.96.0.77") -> str:
    return cluster.connect("web2", target, 80).outcome


def test_a_service_works_as_soon_as_it_is_there(cluster: Cluster) -> None:
    assert outcome(cluster) == "unreachable", "an address that nobody serves is simply routed"
    api(cluster).put(WEB)
    assert outcome(cluster) == "rejected"
    api(cluster).put(slice_of("10.1.15.3"))
    assert outcome(cluster) == "delivered"
    api(cluster).delete(Service, "default", "web")
    assert outcome(cluster) == "unreachable"
    assert "web" not in cluster["node1"].sh("iptables-save").replace("backend", "")


def test_what_is_in_the_kernel_stays_without_it(cluster: Cluster) -> None:
    """Stopped, it hears nothing; started again, it knows everything, and leaves no old chains."""
    api(cluster).put(WEB)
    api(cluster).put(slice_of("10.1.15.3"))
    before = cluster["node1"].sh("iptables-save")
    cluster["node1"].sh("systemctl stop kube-proxy")
    assert cluster["node1"].sh("iptables-save") == before
    assert outcome(cluster) == "delivered"
    api(cluster).put(slice_of("10.1.15.2"))
    assert cluster["node1"].sh("iptables-save") == before
    assert "10.1.15.2:80" in cluster["node2"].sh("iptables-save")
    cluster["node1"].sh("systemctl start kube-proxy")
    after = cluster["node1"].sh("iptables-save")
    assert "--to-destination 10.1.15.2:80" in after
    assert "10.1.15.3:80" not in after


def test_a_node_that_is_cut_off_hears_nothing(cluster: Cluster) -> None:
    api(cluster).cut("node1")
    api(cluster).put(WEB)
    api(cluster).put(slice_of("10.1.15.3"))
    assert outcome(cluster) == "unreachable"
    assert cluster.connect("backend", "10.96.0.77", 80).outcome == "delivered"
    api(cluster).reconnect("node1")
    assert outcome(cluster) == "delivered"


def test_a_copy_goes_its_own_way(cluster: Cluster) -> None:
    other = cluster.clone()
    api(other).put(WEB)
    api(other).put(slice_of("10.1.15.3"))
    assert (outcome(other), outcome(cluster)) == ("delivered", "unreachable")
    cluster["node1"].sh("systemctl stop kube-proxy")
    assert other.kube_proxy("node1").running


def test_a_pods_change_is_none_of_its_business(cluster: Cluster) -> None:
    """The counters of rewritten chains begin anew; that of KUBE-SERVICES goes on."""
    cluster.connect("web2", "backend-svc")
    first = cluster.spec.pods[0]
    api(cluster).put(first._replace(labels=(("app", "x"),)))
    counted = cluster["node1"].sh("iptables-save -c -t nat")
    assert "[1:60] -A KUBE-SERVICES -d 10.96.0.10/32" in counted


FLUSHES = {
    "a flushed chain of its own waits for the next sync": (
        "iptables -t nat -F KUBE-SERVICES", "29m", "unreachable", "31m", "delivered",
    ),
    "flushed jumps wait for the hourly one": (
        "iptables -t nat -F PREROUTING", "59m", "unreachable", "1m", "delivered",
    ),
    "deleted canaries are noticed": (
        "iptables -t mangle -X KUBE-PROXY-CANARY; iptables -t filter -X KUBE-PROXY-CANARY; "
        "iptables -t nat -X KUBE-PROXY-CANARY; iptables -t nat -F PREROUTING",
        "29s", "unreachable", "1s", "delivered",
    ),
    "one canary is enough to be content": (
        "iptables -t mangle -X KUBE-PROXY-CANARY; iptables -t nat -F PREROUTING",
        "10m", "unreachable", "50m", "delivered",
    ),
}  # fmt: skip


@pytest.mark.parametrize("flush", FLUSHES.values(), ids=FLUSHES)
def test_what_others_do_to_its_rules(cluster: Cluster, flush: tuple[str, ...]) -> None:
    command, first, then, second, at_last = flush
    for one in command.split("; "):
        cluster["node1"].sh(one)
    cluster.advance(first)
    assert outcome(cluster, "10.96.0.10") == then
    cluster.advance(second)
    assert outcome(cluster, "10.96.0.10") == at_last


def test_a_change_repairs_its_own_top_chains_but_no_jump(cluster: Cluster) -> None:
    cluster["node1"].sh("iptables -t nat -F KUBE-SERVICES")
    api(cluster).put(WEB)
    assert outcome(cluster, "10.96.0.10") == "delivered"
    cluster["node1"].sh("iptables -t nat -F PREROUTING")
    api(cluster).put(slice_of("10.1.15.3"))
    assert outcome(cluster) == "unreachable"


def test_nothing_to_notice_costs_nothing(cluster: Cluster) -> None:
    """flannel's rules came after its first sync; the next one is its last."""
    assert cluster.kube_proxy("node1").due() == 3600
    cluster.advance("1h")
    assert cluster.kube_proxy("node1").due() == inf


def test_a_sync_that_fails_is_tried_again(cluster: Cluster) -> None:
    """Somebody's own jump to an endpoint's chain keeps that chain from going."""
    node1 = cluster["node1"]
    api(cluster).put(WEB)
    api(cluster).put(slice_of("10.1.15.3"))
    chain = next(w for w in node1.sh("iptables-save").split() if w.startswith("KUBE-SEP-")
                 and f"-A {w} -p tcp -m comment --comment \"default/web:http\"" in
                 node1.sh("iptables-save"))  # fmt: skip
    node1.sh(f"iptables -t nat -A OUTPUT -j {chain}")
    api(cluster).put(slice_of("10.1.15.2"))
    journal = node1.sh("journalctl -u kube-proxy")
    assert "Failed to execute iptables-restore" in journal
    assert 'retryingTime="30s"' in journal
    assert "10.1.15.2:80" not in node1.sh("iptables-save")
    node1.sh(f"iptables -t nat -D OUTPUT -j {chain}")
    cluster.advance("29s")
    assert "10.1.15.2:80" not in node1.sh("iptables-save")
    cluster.advance("1s")
    assert "10.1.15.2:80" in node1.sh("iptables-save")
    assert chain not in node1.sh("iptables-save")


def test_labels_of_the_node_count(cluster: Cluster) -> None:
    """A zone label arrives: hints are followed."""
    hinted = (Endpoint("10.1.15.3", zone_hints=("a",)), Endpoint("10.1.20.3", zone_hints=("b",)))
    api(cluster).put(WEB)
    api(cluster).put(slice_of()._replace(endpoints=hinted))
    assert "10.1.20.3:80" in cluster["node1"].sh("iptables-save")
    node = Node("node1", "192.168.66.11", Prefix.parse("10.1.15.0/24"),
                (("topology.kubernetes.io/zone", "a"),))  # fmt: skip
    api(cluster).put(node)
    assert "10.1.20.3:80 " not in cluster["node1"].sh("iptables-save") + " "
    assert "10.1.20.3:80" in cluster["node2"].sh("iptables-save")


# -- UDP ------------------------------------------------------------------------------------------


def _dns(cluster: Cluster) -> str:
    """Who answers web2's flow from port 5353."""
    network = cluster.network
    exchange = send(network, cluster["web2"], "10.96.0.53", 53, proto="udp", sport=5353)
    return exchange.request.hops[-1].netns if exchange.request else ""


@pytest.mark.parametrize(("cleans", "outcomes"), [(True, {True}), (False, {False})],
                         ids=["cleaned up", "a black hole"])  # fmt: skip
def test_a_udp_flow_to_an_endpoint_that_is_gone(cleans: bool, outcomes: set[bool]) -> None:
    cluster = Cluster.example()
    for node in cluster.nodes:
        cluster.kube_proxy(node).cleans_conntrack = cleans
    first = _dns(cluster)
    assert first in ("backend", "backend-c")
    gone = cluster.address_of(first)
    old = next(s for s in api(cluster).list(EndpointSlice) if s.service == "kube-dns")
    left = tuple(e for e in old.endpoints if e.ip != gone)
    api(cluster).put(old._replace(endpoints=left))
    assert {_dns(cluster) != first} == outcomes


def test_tcp_goes_on(cluster: Cluster) -> None:
    """An entry of conntrack outlives its endpoint."""
    cluster.connect("web2", "backend-svc", sport=4000)
    old = next(s for s in api(cluster).list(EndpointSlice) if s.service == "backend-svc")
    before = len(cluster["node1"].conntrack)
    api(cluster).put(old._replace(endpoints=()))
    assert len(cluster["node1"].conntrack) == before


# -- the rest -------------------------------------------------------------------------------------


def test_a_load_balancer_asks_for_its_health(cluster: Cluster) -> None:
    api(cluster).put(WEB._replace(
        type="LoadBalancer", external_traffic_policy="Local", health_check_node_port=32000,
        ingress=(Ingress("203.0.113.200"),)))  # fmt: skip
    here = slice_of()._replace(endpoints=(Endpoint("10.1.15.3", node="node1"),))
    api(cluster).put(here)
    said = {node: cluster["client"].sh(f"curl http://{node_ip}:32000") for node, node_ip in
            (("node1", "192.168.66.11"), ("node2", "192.168.66.12"))}  # fmt: skip
    assert '"localEndpoints":1' in said["node1"]
    assert '"localEndpoints":0' in said["node2"]
    cluster["node1"].sh("systemctl stop kube-proxy")
    assert cluster.connect("client", "192.168.66.11", 32000).outcome == "refused"


def test_switches(cluster: Cluster) -> None:
    said = cluster["node1"].sh("sysctl net.ipv4.conf.all.route_localnet")
    assert said == "net.ipv4.conf.all.route_localnet = 1"
    assert cluster["node1"].sh("sysctl -n net.netfilter.nf_conntrack_max") == "131072"
    assert "Using iptables Proxier" in cluster["node1"].sh("journalctl -u kube-proxy")


@pytest.mark.parametrize(
    ("conntrack", "limit"),
    [
        ("", "131072"),
        ("conntrack: {}\n", "131072"),
        ("conntrack:\n  maxPerCore: 65536\n", "262144"),
        ("conntrack:\n  maxPerCore: 2\n  min: 8\n", "8"),
        ("conntrack:\n  maxPerCore: 3\n  min: 8\n", "12"),
        ("conntrack:\n  min: 200000\n  tcpCloseWaitTimeout: 1h0m0s\n", "200000"),
        ("conntrack:\n  maxPerCore: 0\n  min: 8\n", "77"),
        ("iptables:\n  min: 8\nmode: iptables\n", "131072"),
    ],
)
def test_how_large_the_connection_table_may_be(
    cluster: Cluster, conntrack: str, limit: str
) -> None:
    """Source: getConntrackMax of kube-proxy; a node here has four processors."""
    node = cluster["node1"]
    node.sh("sysctl -w net.netfilter.nf_conntrack_max=77")
    node.files[daemon.CONFIG] = f"kind: KubeProxyConfiguration\n{conntrack}bindAddress: 0.0.0.0\n"
    node.sh("systemctl restart kube-proxy")
    assert node.sh("sysctl -n net.netfilter.nf_conntrack_max") == limit


@pytest.mark.parametrize(("mode", "warned"), [("ipvs", True), ("nftables", False)])
def test_ipvs_mode_is_deprecated(mode: str, warned: bool) -> None:
    said = Cluster.example("host-gw", mode)["node1"].sh("journalctl -u kube-proxy")
    assert ("deprecated" in said) is warned
    assert f"Using {mode} Proxier" in said


def test_without_kube_proxy() -> None:
    cluster = Cluster.example(proxy_mode="none")
    assert "kube-proxy" not in cluster["node1"].services
    assert "KUBE" not in cluster["node1"].sh("iptables-save")
    assert outcome(cluster, "10.96.0.10") == "unreachable"


def test_a_mode_that_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(NotModelled, match="mode winkernel"):
        daemon.make_proxier("winkernel", cluster["node1"], cluster.kube_proxy("node1").config)


def test_clean_up_takes_away_its_own_and_nothing_else(cluster: Cluster) -> None:
    bare = Cluster.example(proxy_mode="none")
    proxy = cluster.kube_proxy("node1")
    cluster["node1"].sh("systemctl stop kube-proxy")
    daemon.make_proxier("iptables", proxy.ns, proxy.config).clean_up()
    left = set(cluster["node1"].sh("iptables-save").splitlines())
    extra = left - set(bare["node1"].sh("iptables-save").splitlines())
    names = {"KUBE-FIREWALL", "KUBE-MARK-MASQ", "KUBE-PROXY-CANARY"}
    extra = {line for line in extra if not any(name in line for name in names)}
    assert not {line for line in extra if "KUBE" in line}, extra


def _own(cluster: Cluster, node: str = "node1") -> dict[str, bool]:
    """What of each mode is in a node's kernel."""
    ns = cluster[node]
    return {
        "iptables": "KUBE-SVC-" in ns.sh("iptables-save -t nat"),
        "nftables": "table ip kube-proxy" in ns.sh("nft list ruleset"),
        "ipvs": "kube-ipvs0" in ns.sh("ip -br link"),
    }


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        ("iptables", "nftables", {"nftables"}), ("ipvs", "nftables", {"nftables"}),
        ("nftables", "iptables", {"iptables"}), ("nftables", "ipvs", {"ipvs"}),
        ("iptables", "ipvs", {"iptables", "ipvs"}), ("ipvs", "iptables", {"iptables", "ipvs"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_another_mode_left_behind(before: str, after: str, left: set[str]) -> None:
    """As platformCleanup() has it: iptables and IPVS mode leave each other's rules alone."""
    cluster = Cluster.example("host-gw", before)
    cluster.kube_proxy("node1").switch(after)
    assert {mode for mode, there in _own(cluster).items() if there} == left
    assert cluster.connect("web2", "backend-svc", port=80).ok
    assert _own(cluster, "node2")[before]
    cluster.kube_proxy("node1").switch(before)
    assert _own(cluster)[before] and cluster.connect("web2", "backend-svc", port=80).ok


def test_without_a_mode_in_its_file_the_clusters_own_mode_holds(cluster: Cluster) -> None:
    cluster.kube_proxy("node1").switch("nftables")
    node1 = cluster.clone()["node1"]
    node1.sh("sed -i /^mode/d /var/lib/kube-proxy/config.conf; systemctl restart kube-proxy")
    assert "Using iptables Proxier" in node1.sh("journalctl -u kube-proxy -n 9")


def test_a_switch_to_a_mode_that_is_not_there_changes_nothing(cluster: Cluster) -> None:
    with pytest.raises(NotModelled, match="userspace"):
        cluster.kube_proxy("node1").switch("userspace")
    assert cluster["node1"].sh("systemctl is-active kube-proxy") == "active"
