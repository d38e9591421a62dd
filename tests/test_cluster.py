"""The verbs of a lesson: names, sending, mistakes; and the example cluster as it is laid down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k8snetlib import OUTCOMES, Cluster, K8sNetError
from k8snetlib.errors import BadAddress, BadManifest, BadPacket, UnknownName
from k8snetlib.kube.api import Listen, example_spec
from k8snetlib.linux.clock import parse_seconds
from k8snetlib.linux.netfilter.save import restore
from k8snetlib.linux.netfilter.tables import BASE_CHAINS
from k8snetlib.stages import HOOK_BOXES, STAGES, VERDICTS
from tests.clusters import with_a_virtual_server

ENVIRONMENT = json.loads((Path(__file__).parent / "kernel" / "environment.json").read_text())


@pytest.fixture(scope="module")
def example() -> Cluster:
    """One example cluster; these tests change nothing that matters to each other."""
    return Cluster.example()


@pytest.mark.parametrize("netns", ENVIRONMENT["udp"]["ip_route"])
def test_routes_are_those_of_the_recorded_cluster(example: Cluster, netns: str) -> None:
    """Every namespace, every route, as the real cluster had them."""
    assert sorted(map(str, example[netns].routes)) == sorted(ENVIRONMENT["udp"]["ip_route"][netns])


@pytest.mark.parametrize("netns", ENVIRONMENT["udp"]["ip_br_addr"])
def test_devices_and_addresses_are_those_of_the_recorded_cluster(
    example: Cluster, netns: str
) -> None:
    """Every namespace, every device, every address."""
    recorded = {
        line.split()[0].split("@")[0]: tuple(line.split()[2:])
        for line in ENVIRONMENT["udp"]["ip_br_addr"][netns]
    }
    ours = {d.name: tuple(map(str, d.addresses)) for d in example[netns].devices.values()}
    assert ours == recorded


def test_mtus_and_sysctls(example: Cluster) -> None:
    """Pods and docker0 have what flannel's header leaves of 1500 bytes."""
    for netns, device in (("web2", "eth0"), ("node1", "docker0"), ("node1", "flannel0")):
        assert example[netns].devices[device].mtu == 1472
    assert example["node1"].devices["eth0"].mtu == 1500
    assert example["node1"].sysctls["net.ipv4.ip_forward"] == 1
    assert example["node1"].sysctls["net.bridge.bridge-nf-call-iptables"] == 1
    assert example["web2"].sysctls["net.ipv4.ip_forward"] == 0
    assert example["switch"].sysctls["net.bridge.bridge-nf-call-iptables"] == 0


def test_a_pod_is_one_namespace_of_a_pause_container(example: Cluster) -> None:
    """A2: two containers, one port space, one loopback."""
    assert example["web1"].containers == ("pause", "web", "sidecar")
    assert example.connect("web1", "127.0.0.1", 9000).ok
    spec = example_spec()
    web1 = spec.pods[0]
    clash = web1.containers[1]._replace(listens=(Listen("tcp", 80),))
    pods = (web1._replace(containers=(web1.containers[0], clash)), *spec.pods[1:])
    with pytest.raises(K8sNetError, match=r"address already in use by web1.*one port space"):
        Cluster(spec._replace(pods=pods))


@pytest.mark.parametrize(
    "name", ["web2", "pod/web2", "default/web2", "pod/default/web2", "10.1.15.2"]
)
def test_names_resolve_as_people_write_them(example: Cluster, name: str) -> None:
    """All of these are one pod."""
    assert example[name].name == "web2"
    assert example.ping(name, "web1").ok
    assert example.ping("web1", name).ok


MISTAKES: dict[str, tuple[Any, type[K8sNetError], str]] = {
    "unknown source": (lambda c: c.ping("web3", "web1"), UnknownName, "'web3'.* Did you mean web"),
    "unknown target": (lambda c: c.ping("web2", "bakcend"), UnknownName, "Did you mean backend"),
    "unknown namespace": (lambda c: c["nod1"], UnknownName, "Did you mean node1"),
    "malformed address": (lambda c: c.ping("web2", "10.1.15"), UnknownName, "'10.1.15'"),
    "address of nobody": (lambda c: c.ping("10.1.15.77", "web1"), UnknownName, "10.1.15.77"),
    "a Service": (lambda c: c.connect("web2", "bakend-svc", 80), UnknownName, "mean backend-svc"),
    "its port": (lambda c: c.connect("web2", "svc/backend-svc:htp"), UnknownName, "It has: http"),
    "port": (lambda c: c.connect("web2", "web1", 70000), BadPacket, "port 70000 is out of range"),
    "no port": (lambda c: c.send("web2", "web1"), BadPacket, "needs a destination port"),
    "sport": (lambda c: c.connect("web2", "web1", 80, sport=-1), BadPacket, "Source port -1"),
    "ttl": (lambda c: c.ping("web2", "web1", ttl=0), BadPacket, "TTL 0 is out of range"),
    "payload": (lambda c: c.ping("web2", "web1", payload=-1), BadPacket, "payload of -1"),
    "protocol": (lambda c: c.send("web2", "web1", proto="sctp"), K8sNetError, "Use tcp, udp or"),
    "endpoint": (lambda c: c.connect("web2", "web1", 80, endpoint="wb1"), UnknownName, "wb1"),
    "the switch": (lambda c: c.ping("web2", "switch"), K8sNetError, "no address of its own"),
    "time": (lambda c: c.advance("soon"), K8sNetError, "Write 25h, 90s"),
    "for ever": (lambda c: c.advance(float("inf")), K8sNetError, "no span of time"),
    "not a number": (lambda c: c.advance(float("nan")), K8sNetError, "no span of time"),
    "backwards": (lambda c: c.advance(-1), K8sNetError, "cannot run backwards"),
    "device": (lambda c: c["node1"].device("eth1"), UnknownName, "no device in node1 called"),
    "backend": (lambda c: Cluster.example("vlan"), BadManifest, "Use one of: udp, vxlan"),
    "proxy mode": (lambda c: Cluster.example("udp", "ebpf"), BadManifest, "iptables, nftables"),
}


@pytest.mark.parametrize(("act", "kind", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_clear_message(
    example: Cluster, act: Any, kind: type[K8sNetError], says: str
) -> None:
    """What was wrong, and what would be right."""
    with pytest.raises(kind, match=says):
        act(example)


def test_a_spec_that_contradicts_itself_is_refused() -> None:
    """Unknown node, doubled address, doubled name, an address outside its range."""
    spec = example_spec()
    web1, *others = spec.pods
    wrong = {
        "unknown node 'node9'. Known: node1": web1._replace(node="node9"),
        r"both have address 10\.1\.15\.2": web1._replace(ip="10.1.15.2"),
        "'web2' is used twice": web1._replace(name="web2"),
        r"not in 10\.1\.15\.0/24": web1._replace(ip="10.1.16.9"),
    }
    for says, pod in wrong.items():
        with pytest.raises(BadManifest, match=says):
            Cluster(spec._replace(pods=(pod, *others)))
    node1 = spec.nodes[0]._replace(ip="10.9.9.9")
    with pytest.raises(BadManifest, match=r"node1: 10\.9\.9\.9 is not in 192\.168\.66\.0/24"):
        Cluster(spec._replace(nodes=(node1, *spec.nodes[1:])))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("25h", 90000.0), ("1h30m", 5400.0), ("90s", 90.0), ("200ms", 0.2), (3, 3.0), ("1.5m", 90.0)],
)
def test_spans_of_time(text: str | float, seconds: float) -> None:
    """As people write them."""
    assert parse_seconds(text) == pytest.approx(seconds)


def with_a_rule_in_every_chain(cluster: Cluster) -> Cluster:
    """One rule that only counts in every base chain of every table of node1."""
    text = ""
    for table, chains in BASE_CHAINS.items():
        rules = "\n".join(f"-A {chain} -m comment --comment counts" for chain in chains)
        if table == "filter":  # without a rule that asks for it, the kernel does not track
            rules += "\n-A FORWARD -m conntrack --ctstate INVALID -j DROP"
        text += f"*{table}\n{rules}\nCOMMIT\n"
    restore(cluster["node1"].ruleset, text)
    return cluster


def with_a_chain_of_nftables_in_every_hook(cluster: Cluster) -> Cluster:
    """One rule of nftables that accepts, in every hook of node1."""
    for hook in HOOK_BOXES["nft"]:
        chain = f"type filter hook {hook.lower()} priority 10; accept;"
        cluster["node1"].sh("nft -f -", f"table ip t {{ chain {hook} {{ {chain} }} }}")
    return cluster


def test_everything_recorded_is_from_the_closed_sets() -> None:
    """Stages, verdicts and outcomes; every reason can be read; every hop has a step."""
    plain, vxlan = Cluster.example(), Cluster.example("vxlan")
    ruled = with_a_rule_in_every_chain(Cluster.example())
    chained = with_a_chain_of_nftables_in_every_hook(Cluster.example())
    seen: set[str] = set()
    walks: list[tuple[Cluster, str, dict[str, Any]]] = [
        (plain, "backend", {"port": 8080, "proto": "tcp"}),
        (plain, "10.1.99.1", {"port": 80, "proto": "tcp"}),
        (plain, "10.1.15.99", {"proto": "icmp"}),
        (plain, "backend", {"proto": "icmp", "ttl": 2}),
        (plain, "web1", {"port": 53, "proto": "udp"}),
        (plain, "backend", {"proto": "icmp", "payload": 3000, "df": False}),
        (vxlan, "backend", {"port": 8080, "proto": "tcp"}),
        (ruled, "backend", {"port": 8080, "proto": "tcp"}),
        (ruled, "node1", {"port": 10250, "proto": "tcp"}),
        (with_a_virtual_server(plain), "10.96.9.9", {"port": 80, "proto": "tcp"}),
        (chained, "backend", {"port": 8080, "proto": "tcp"}),
        (chained, "node1", {"port": 10250, "proto": "tcp"}),
    ]
    balanced = with_a_virtual_server(plain).connect("node1", "10.96.9.9", 80)
    assert balanced.ok
    seen |= {step.stage for trace in balanced.packets for step in trace.steps}
    for cluster, target, options in walks:
        exchange = cluster.send("web2", target, **options)
        assert exchange.outcome in OUTCOMES
        for trace in exchange.packets:
            assert all(hop.steps for hop in trace.hops)
            for step in trace.steps:
                assert step.stage in STAGES
                assert step.verdict in VERDICTS
                assert step.reason
                assert "{" not in step.reason
                seen.add(step.stage)
    missing = set(STAGES) - seen
    assert not missing, "stages that no walk meets: remove them or test them"


def test_request_and_reply_are_the_first_packet_and_its_answer(example: Cluster) -> None:
    """For TCP the SYN and the SYN/ACK."""
    exchange = example.connect("web2", "backend", 8080)
    assert exchange.request is not None
    assert exchange.reply is not None
    assert (exchange.request.label, exchange.reply.label) == ("TCP S", "TCP SA")
    labels = [t.label for t in exchange.packets if not t.label.startswith("ARP")]
    assert labels == ["TCP S", "TCP SA", "TCP A", "TCP AP", "TCP AP"]


def test_a_send_without_a_route_sends_nothing(example: Cluster) -> None:
    """It fails at once, before any packet (ENETUNREACH)."""
    cluster = example.clone()
    for route in list(cluster["web2"].routes):
        cluster["web2"].routes.remove(route)
    exchange = cluster.ping("web2", "backend")
    assert (exchange.outcome, exchange.packets, exchange.request) == ("unreachable", (), None)
    assert "no route to 10.1.20.3" in exchange.reason


def test_values_cannot_be_changed(example: Cluster) -> None:
    """A result is a value: nobody can edit history."""
    exchange = example.ping("web2", "web1")
    for thing, field in ((exchange, "outcome"), (exchange.packets[0], "label")):
        with pytest.raises(AttributeError):
            setattr(thing, field, "changed")


def test_a_malformed_address_inside_a_header_is_refused() -> None:
    """The address module's own error, not a traceback from arithmetic."""
    with pytest.raises(BadAddress):
        Cluster.example()["web2"].add_address("eth0", "10.1.15.999/24")


def test_a_cluster_becomes_what_a_copy_of_it_was(example):
    cluster = example.clone()
    copy = cluster.clone()
    cluster["node1"].sh("iptables -I FORWARD -j DROP")
    cluster.kubectl("delete pod web1")
    assert cluster.connect("web2", "10.1.20.3", 8080).outcome == "dropped"
    for _ in range(2):  # the copy can be used again
        cluster.restore(copy)
        assert cluster.connect("web2", "10.1.20.3", 8080).outcome == "delivered"
        assert (cluster.pods, cluster.spec) == (example.pods, example.spec)
        cluster["node1"].sh("iptables -I FORWARD -j DROP")
    assert copy.connect("web2", "10.1.20.3", 8080).outcome == "delivered"
