"""kube-proxy in IPVS mode on the example cluster, as a table of flows; and how it changes state."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from k8snetlib import Cluster, Exchange
from k8snetlib.errors import K8sNetError, NotModelled
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
from k8snetlib.lab.cli import run_script, run_verify
from k8snetlib.linux.ipvs.table import VirtualServer
from k8snetlib.linux.netfilter.save import save
from k8snetlib.linux.netns import Netns

NODE1, NODE2 = "192.168.66.11", "192.168.66.12"


class Flow(NamedTuple):
    """Who sends what to whom; how it ends and where; what the receiver sees as its source."""

    source: str
    target: str
    port: int | None
    outcome: str
    end: str
    seen: str = ""
    proto: str = "tcp"
    says: str = ""


FLOWS = {
    "pod to cluster ip": Flow("web2", "10.96.0.10", 80, "delivered", "backend-c", "10.1.15.2"),
    "pod to cluster ip, udp": Flow(
        "web2", "10.96.0.53", 53, "delivered", "backend-c", "10.1.15.2", "udp",
    ),
    "pod to cluster ip, backend on its own node": Flow(
        "backend-b", "10.96.0.11", 80, "delivered", "backend", "10.1.20.4",
    ),
    "hairpin": Flow("backend", "10.96.0.11", 80, "delivered", "backend", "10.1.20.1"),
    "node to cluster ip": Flow("node1", "10.96.0.10", 80, "delivered", "backend-c", "10.1.15.0"),
    "node to cluster ip, udp": Flow(
        "node3", "10.96.0.53", 53, "delivered", "backend-c", "10.1.30.1", "udp",
    ),
    "pod to node port, own node": Flow("web2", NODE1, 30080, "delivered", "backend-c", "10.1.15.0"),
    "pod to node port, other node": Flow(
        "web2", NODE2, 30080, "delivered", "backend-c", "10.1.20.0",
    ),
    "pod to node port on the bridge": Flow(
        "web2", "10.1.15.1", 30080, "delivered", "backend-c", "10.1.15.0",
    ),
    "node to its own node port": Flow("node1", NODE1, 30080, "delivered", "backend-c", "10.1.15.0"),
    "node to another's node port": Flow(
        "node1", NODE2, 30080, "delivered", "backend-c", "10.1.20.0",
    ),
    "outside to node port": Flow("client", NODE1, 30080, "delivered", "backend-c", "10.1.15.0"),
    "beyond the router to node port": Flow(
        "ext", NODE1, 30080, "delivered", "backend-c", "10.1.15.0",
    ),
    "outside, Local, endpoint here": Flow(
        "client", NODE2, 30081, "delivered", "backend", "192.168.66.100",
    ),
    "outside, Local, no endpoint here": Flow(
        "client", NODE1, 30081, "delivered", "backend", "10.1.15.0", says="FLANNEL-POSTRTG",
    ),
    "pod, Local, no endpoint here": Flow("web2", NODE1, 30081, "delivered", "backend", "10.1.15.2"),
    "no endpoints": Flow(
        "web2", "10.96.0.20", 80, "refused", "node1", says="has no real server: tell the sender",
    ),
    "no endpoints, udp": Flow(
        "web2", "10.96.0.20", 53, "refused", "node1", proto="udp", says="has no real server",
    ),
    "no endpoints, node": Flow("node1", "10.96.0.20", 80, "refused", "node1", says="no real"),
    "no endpoints, node port": Flow("client", NODE1, 30082, "refused", "node1", says="no real"),
    "ping to a cluster ip": Flow(
        "web2", "10.96.0.10", None, "rejected", "node1", proto="icmp", says="KUBE-IPVS-IPS",
    ),
    "ping from the node": Flow(
        "node1", "10.96.0.10", None, "rejected", "node1", proto="icmp", says="KUBE-IPVS-IPS",
    ),
    "wrong port": Flow("web2", "10.96.0.10", 81, "rejected", "node1", says="KUBE-IPVS-IPS"),
    "a port of the node by a cluster ip": Flow(
        "web2", "10.96.0.10", 10250, "rejected", "node1", says="KUBE-IPVS-IPS",
    ),
    "node port on localhost": Flow("node1", "127.0.0.1", 30080, "refused", "node1", says="reset"),
    "the node's own port": Flow("web2", NODE1, 10250, "delivered", "node1", "10.1.15.2"),
    "cluster ip from outside": Flow("client", "10.96.0.10", 80, "unreachable", "router"),
}  # fmt: skip


@pytest.fixture(scope="module")
def example() -> Cluster:
    return Cluster.example(proxy_mode="ipvs")


def sent(cluster: Cluster, source: str, target: str, port: int | None, proto: str) -> Exchange:
    """One send, on a copy."""
    copy = cluster.clone()
    if proto == "icmp":
        return copy.ping(source, target)
    return copy.send(source, target, port, proto=proto)


@pytest.mark.parametrize("name", FLOWS)
def test_flow(example: Cluster, name: str) -> None:
    """Its fate, the receiver, the source that it sees, and a word of the reason."""
    flow = FLOWS[name]
    exchange = sent(example, flow.source, flow.target, flow.port, flow.proto)
    request = exchange.request
    assert request is not None
    assert (exchange.outcome, request.end) == (flow.outcome, flow.end), exchange
    if flow.seen:
        assert request.last.packet.ip.src == flow.seen
        assert exchange.reply is not None
        assert exchange.reply.last.packet.ip.src == flow.target, "the answer is the target's"
    rules = [str(rule) for step in request.steps for rule in step.rules]
    assert flow.says in "\n".join([request.last.reason, *rules]), exchange


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
@pytest.mark.parametrize(
    ("source", "target", "port"),
    [("web2", "10.96.0.10", 80), ("node1", "10.96.0.10", 80), ("client", NODE1, 30080),
     ("backend", "10.96.0.11", 80), ("ext", NODE2, 30081)],
)  # fmt: skip
def test_other_backends(backend: str, source: str, target: str, port: int) -> None:
    """The overlay is another; IPVS is the same."""
    assert Cluster.example(backend, proxy_mode="ipvs").connect(source, target, port).ok


def test_a_ping_is_answered_where_the_filter_is_gone(example: Cluster) -> None:
    """The address is the node's own: only KUBE-IPVS-FILTER (since Kubernetes 1.27) stands between,
    until kube-proxy puts it back half a minute later."""
    copy = example.clone()
    copy["node1"].sh("iptables -F KUBE-IPVS-FILTER")
    exchange = copy.ping("web2", "10.96.0.10")
    assert exchange.ok
    assert exchange.request is not None and exchange.request.end == "node1"
    assert copy.connect("web2", "10.96.0.10", 10250).ok, "and the node's own ports are open there"
    copy.advance(31)
    assert copy.ping("web2", "10.96.0.10").outcome == "rejected"


def test_round_robin_on_each_node(example: Cluster) -> None:
    """Not chance: each node counts for itself, and knows nothing of the others."""
    copy = example.clone()

    def four(source: str) -> list[str]:
        found = [copy.connect(source, "10.96.0.10", 80).request for _ in range(4)]
        return [trace.end for trace in found if trace is not None]

    once = ["backend-c", "backend-b", "backend", "backend-c"]
    assert four("web2") == once
    assert four("backend") == once
    assert four("web1") == ["backend-b", "backend", "backend-c", "backend-b"], "goes on"


def test_all_fates_are_one(example: Cluster) -> None:
    """Nothing is left to chance."""
    (fate,) = example.outcomes("web2", "10.96.0.10", 80)
    assert fate.probability == 1


def test_connections_go_on_while_a_real_server_leaves(example: Cluster) -> None:
    """Graceful termination: weight 0 while a connection lives, then it is gone. Over UDP at once."""
    copy = example.clone()
    ns = copy["node1"]
    copy.connect("web2", "10.96.0.10", 80, endpoint="backend")
    copy.send("web2", "10.96.0.53", 53, proto="udp", endpoint="backend")
    for name, service in (("backend-svc-1", "backend-svc"), ("kube-dns-1", "kube-dns")):
        _without(copy, name, service, "10.1.20.3")
    rows = {line.split()[1]: line.split()[3:] for line in
            ns.sh("ipvsadm -Ln -t 10.96.0.10:80").splitlines()[3:]}  # fmt: skip
    assert rows["10.1.20.3:8080"] == ["0", "0", "1"], "weight 0, one connection still"
    assert "10.1.20.3:53" not in ns.sh("ipvsadm -Ln -u 10.96.0.53:53"), "udp does not wait"
    assert "10.1.20.3" not in copy["node2"].sh("ipvsadm -Ln -t 10.96.0.10:80"), "idle there: gone"
    copy.advance(60)
    assert "10.1.20.3" in ns.sh("ipvsadm -Ln -t 10.96.0.10:80"), "TIME_WAIT is two minutes"
    copy.advance(130)
    assert "10.1.20.3" not in ns.sh("ipvsadm -Ln -t 10.96.0.10:80")
    assert all(not a.proxier.leaving for a in copy.network.agents if hasattr(a, "proxier"))


def test_a_leaving_real_server_that_is_wanted_again(example: Cluster) -> None:
    """It is taken off the list and gets its weight back."""
    copy = example.clone()
    copy.connect("web2", "10.96.0.10", 80, endpoint="backend")
    whole = _without(copy, "backend-svc-1", "backend-svc", "10.1.20.3")
    _api(copy).put(whole)
    copy.network.settle()
    server = copy["node1"].ipvs.service(("tcp", "10.96.0.10", 80)).server("10.1.20.3", 8080)
    assert server is not None and (server.weight, server.active, server.inactive) == (1, 0, 0)
    copy.advance(300)
    assert len(copy["node1"].ipvs.service(("tcp", "10.96.0.10", 80)).servers) == 3


def _api(cluster: Cluster) -> Any:
    return cluster.network.agents["apiserver"]


def _without(cluster: Cluster, name: str, service: str, ip: str) -> EndpointSlice:
    """Takes an endpoint out of a slice; returns the slice as it was."""
    (before,) = [s for s in _api(cluster).list(EndpointSlice) if s.service == service]
    assert before.name == name
    left = tuple(e for e in before.endpoints if e.ip != ip)
    _api(cluster).put(before._replace(endpoints=left))
    cluster.network.settle()
    found: EndpointSlice = before
    return found


def test_it_looks_again_every_half_minute(example: Cluster) -> None:
    """flannel0 came after the first sync, and has node ports then; what somebody deleted is back."""
    copy = example.clone()
    ns = copy["node1"]
    assert ("tcp", "10.1.15.0", 30080) not in ns.ipvs.services
    copy.advance(31)
    assert ("tcp", "10.1.15.0", 30080) in ns.ipvs.services
    ns.sh("ipvsadm -D -t 10.96.0.10:80; ip addr del 10.96.0.11/32 dev kube-ipvs0")
    ns.sh("ipvsadm -A -t 198.51.100.7:80 -s rr; iptables -t nat -F KUBE-SERVICES")
    assert copy.connect("web2", "10.96.0.10", 80).outcome == "refused"
    copy.advance(31)
    assert copy.connect("web2", "10.96.0.10", 80).ok
    assert ns.is_local("10.96.0.11")
    assert ("tcp", "198.51.100.7", 80) not in ns.ipvs.services
    assert copy.connect("node1", "10.96.0.10", 80).ok


def test_it_stays_when_kube_proxy_is_stopped_and_comes_again(example: Cluster) -> None:
    """The kernel goes on as it was told; a new process sets weights to 1."""
    copy = example.clone()
    ns = copy["node1"]
    ns.sh("systemctl stop kube-proxy")
    assert copy.connect("web2", "10.96.0.10", 80).ok
    ns.sh("ipvsadm -e -t 10.96.0.10:80 -r 10.1.20.3:8080 -m -w 0")
    ns.sh("systemctl start kube-proxy")
    assert {s.weight for s in ns.ipvs.service(("tcp", "10.96.0.10", 80)).servers} == {1}


def test_nothing_is_checked_against_a_kernel(example: Cluster) -> None:
    """verify and script say so in one sentence."""
    for run in (run_verify, run_script):
        with pytest.raises(NotModelled, match="IPVS cannot be checked against a kernel"):
            run(example)


# -- other Services and options -------------------------------------------------------------------

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
    _api(cluster).put(BALANCED._replace(**changes))
    _api(cluster).put(SLICE)
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
    from k8snetlib.linux.netns import Device

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
