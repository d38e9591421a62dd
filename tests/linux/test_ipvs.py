"""IPVS in one kernel: who is chosen, what a packet looks like on its way, what is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from k8snetlib import Cluster, Exchange
from k8snetlib.errors import K8sNetError
from k8snetlib.linux.ipvs.schedulers import SCHEDULERS, bucket
from k8snetlib.linux.ipvs.states import following
from k8snetlib.linux.ipvs.table import Connection, VirtualServer
from k8snetlib.linux.netns import Netns
from k8snetlib.packet import ACK, FIN, RST, SYN
from tests.clusters import with_a_virtual_server

VIP = "10.96.9.9"
KEY = ("tcp", VIP, 80)
SERVERS = ("10.1.20.3", "10.1.20.4", "10.1.30.2")


@pytest.fixture(scope="module")
def plain() -> Cluster:
    """No rules at all on the nodes."""
    flanneld = "--ip-masq=false --iptables-forward-rules=false"
    return Cluster.example(flanneld=flanneld, proxy_mode="none")


@pytest.fixture
def cluster(plain: Cluster) -> Cluster:
    """IPVS on node1 alone, in front of three real servers."""
    return with_a_virtual_server(plain)


def chosen(exchange: Exchange) -> str:
    """Where the request ended."""
    assert exchange.request is not None
    return exchange.request.end


def step(exchange: Exchange, stage: str, at: str = "request") -> Any:
    """The first step of that stage."""
    trace = getattr(exchange, at)
    return next(s for s in trace.steps if s.stage == stage)


# -- schedulers -----------------------------------------------------------------------------------


def virtual(scheduler: str, **weights: int) -> VirtualServer:
    """Real servers 10.0.0.a …, added in this order."""
    made = Netns("n").ipvs.add(VirtualServer("tcp", VIP, 80, scheduler))
    ipvs = Netns("n").ipvs
    ipvs.add(made)
    for name, weight in weights.items():
        ipvs.add_server(KEY, f"10.0.0.{ord(name) - 96}", 80, weight)
    return made


def draws(service: VirtualServer, n: int, client: str = "10.1.15.2") -> str:
    """Whom a scheduler chooses, one after the other."""
    found = [SCHEDULERS[service.scheduler](service, client, 40000 + i) for i in range(n)]
    return "".join(chr(96 + int(s.ip.rpartition(".")[2])) if s else "-" for s in found)


@pytest.mark.parametrize(
    ("scheduler", "weights", "expected"),
    [
        ("rr", {"a": 1, "b": 1, "c": 1}, "cbacba"),
        ("rr", {"a": 1, "b": 0, "c": 1}, "cacaca"),
        ("rr", {"a": 0}, "------"),
        ("rr", {}, "------"),
        ("wrr", {"a": 1, "b": 1, "c": 1}, "cbacba"),
        ("wrr", {"a": 3, "b": 1}, "aabaaa"[:3] + "aab"[:3]),
        ("wrr", {"a": 0, "b": 2}, "bbbbbb"),
        ("wrr", {"a": 0}, "------"),
        ("lc", {"a": 1, "b": 1}, "bbbbbb"),
        ("wlc", {"a": 0, "b": 0}, "------"),
        ("sed", {"a": 2, "b": 1}, "aaaaaa"),
        ("nq", {"a": 2, "b": 1}, "bbbbbb"),
    ],
)  # fmt: skip
def test_schedulers(scheduler: str, weights: dict[str, int], expected: str) -> None:
    """Six choices while nothing else changes; the newest real server stands first."""
    found = draws(virtual(scheduler, **weights), 6)
    if scheduler == "wrr" and weights == {"a": 3, "b": 1}:
        assert sorted(found[:4]) == ["a", "a", "a", "b"]
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("scheduler", "expected"), [("lc", "b"), ("wlc", "a"), ("sed", "a"), ("nq", "b")]
)
def test_schedulers_count_connections(scheduler: str, expected: str) -> None:
    """a weighs 4 and has two active connections, b weighs 1, has none active and 300 inactive."""
    service = virtual(scheduler, a=4, b=1)
    b, a = service.servers
    a.active, b.inactive = 2, 300
    assert draws(service, 1) == {"lc": "b", "wlc": expected, "sed": "a", "nq": "b"}[scheduler]


def test_source_hashing_keeps_a_client() -> None:
    """The bucket of an address is the kernel's; a quiesced server has nothing for its clients."""
    assert (bucket("10.1.15.2"), bucket("10.1.15.3"), bucket("0.0.0.0")) == (
        (0x0A010F02 * 0x61C88647 & 0xFFFFFFFF) >> 24, (0x0A010F03 * 0x61C88647 & 0xFFFFFFFF) >> 24,
        0,
    )  # fmt: skip
    service = virtual("sh", a=1, b=1, c=1)
    kept = {client: draws(service, 5, client) for client in ("10.1.15.2", "10.1.15.3", "10.1.15.4")}
    assert all(len(set(found)) == 1 for found in kept.values())
    assert len(set(kept.values())) > 1, "not all clients have the same server"
    service.server("10.0.0.1", 80).weight = 0  # type: ignore[union-attr]
    for client, found in kept.items():
        assert draws(service, 1, client) == ("-" if found[0] == "a" else found[0])


def test_hashes_of_destination_and_maglev() -> None:
    """dh looks at the virtual address, mh at the client, and with mh-port at its port as well."""
    assert len(set(draws(virtual("dh", a=1, b=1, c=1), 9))) == 1
    steady = virtual("mh", a=1, b=1, c=1)
    assert len(set(draws(steady, 9))) == 1
    steady.flags = frozenset({"mh-port"})
    assert len(set(draws(steady, 9))) > 1


@pytest.mark.parametrize("name", ["lblc", "nonsense"])
def test_unknown_schedulers_are_refused(name: str) -> None:
    """Both what the kernel has, and what nobody has."""
    with pytest.raises(K8sNetError):
        Netns("n").ipvs.add(VirtualServer(*KEY, name))


# -- states ---------------------------------------------------------------------------------------


def test_the_states_of_a_connection() -> None:
    """A whole one, as IPVS sees it: SYN, SYN/ACK, ACK, FIN of the server, ACK, FIN of the client."""
    state, seen = "NONE", []
    for flags, from_client in ((SYN, True), (SYN | ACK, False), (ACK, True), (FIN | ACK, False),
                               (ACK, True), (FIN | ACK, True), (ACK, False)):  # fmt: skip
        state = following(state, flags, from_client=from_client)
        seen.append(state)
    assert seen == ["SYN_RECV", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "FIN_WAIT", "TIME_WAIT",
                    "TIME_WAIT"]  # fmt: skip
    assert following("SYN_RECV", RST | ACK, from_client=False) == "CLOSE"
    assert following("ESTABLISHED", 0, from_client=True) == "ESTABLISHED"


# -- the way of a packet --------------------------------------------------------------------------


def test_a_pod_s_request_is_balanced_in_input(cluster: Cluster) -> None:
    """Destination and port become the real server's, the TTL one less, the source stays; the
    answer has the virtual server's address again."""
    exchange = cluster.connect("web2", VIP, 80)
    assert exchange.ok and chosen(exchange) == "backend-c"
    taken = step(exchange, "ipvs INPUT")
    assert (taken.before.ip.dst, taken.packet.ip.dst) == (VIP, "10.1.30.2")
    assert (taken.before.ip.ttl, taken.packet.ip.ttl) == (64, 63)
    assert (taken.packet.ip.src, taken.packet.transport.dport) == ("10.1.15.2", 8080)
    assert str(taken.by) == f"TCP {VIP}:80 rr -> 10.1.30.2:8080"
    back = step(exchange, "ipvs FORWARD", "reply")
    assert (back.packet.ip.src, back.packet.transport.sport) == (VIP, 80)
    servers = [chosen(cluster.connect("web2", VIP, 80)) for _ in range(3)]
    assert servers == ["backend-b", "backend", "backend-c"], "round robin"


def test_a_process_of_the_node_itself(cluster: Cluster) -> None:
    """Balanced in OUTPUT. Its source is the virtual address, so without a masquerade the answer
    goes anywhere: that is why kube-proxy marks such packets."""
    exchange = cluster.connect("node1", VIP, 80)
    assert not exchange.ok
    taken = step(exchange, "ipvs OUTPUT")
    assert (taken.packet.ip.src, taken.packet.ip.dst) == (VIP, "10.1.30.2")
    cluster["node1"].sh("iptables -t nat -A POSTROUTING -j MASQUERADE")
    assert cluster.connect("node1", VIP, 80).ok


def test_a_real_server_on_this_very_host(plain: Cluster) -> None:
    """Its packets go on to the socket; the answer is translated in OUTPUT."""
    copy = with_a_virtual_server(plain, servers=("192.168.66.11",), server_port=10250)
    exchange = copy.connect("web2", VIP, 80)
    assert exchange.ok and chosen(exchange) == "node1"
    assert step(exchange, "ipvs INPUT").packet.ip.ttl == 64, "it is no hop"
    assert step(exchange, "ipvs OUTPUT", "reply").packet.ip.src == VIP
    assert copy.connect("node1", VIP, 80).ok, "and from here to here"


@pytest.mark.parametrize("source", ["web2", "node1"])
@pytest.mark.parametrize(
    ("servers", "weight", "says"),
    [((), 1, "has no real server:"), (SERVERS, 0, "no real server that takes connections")],
    ids=["none", "all quiesced"],
)
def test_nobody_to_choose(
    plain: Cluster, source: str, servers: tuple[str, ...], weight: int, says: str
) -> None:
    """ICMP port unreachable, from the virtual address."""
    copy = with_a_virtual_server(plain, servers=servers)
    for ip in servers:
        copy["node1"].ipvs.edit_server(KEY, ip, 8080, weight)
    exchange = copy.connect(source, VIP, 80)
    assert (exchange.outcome, exchange.reason) == ("refused", f"{VIP} said ICMP port unreachable")
    assert exchange.request is not None
    assert says in exchange.request.last.reason


def test_what_is_not_balanced_is_left_to_the_host(cluster: Cluster) -> None:
    """The address is local though its device is down: a ping is answered, a closed port refused."""
    assert cluster.ping("web2", VIP).ok
    refused = cluster.connect("web2", VIP, 81)
    assert (refused.outcome, chosen(refused)) == ("refused", "node1")
    assert cluster["node1"].ipvs.connections == {}


def test_the_ttl_and_the_mtu(cluster: Cluster) -> None:
    """IPVS routes, so it takes one from the TTL; a packet too big for the way is told so."""
    exchange = cluster.connect("web2", VIP, 80, ttl=1)
    assert exchange.outcome == "ttl-exceeded"
    assert exchange.request is not None and exchange.request.end == "node1"
    udp = with_a_virtual_server(
        cluster, ip="10.96.9.8", port=53, proto="udp", server_port=53, servers=("10.1.20.3",)
    )
    udp["node1"].sh("ip link set flannel0 mtu 1000")
    assert udp.send("web2", "10.96.9.8", 53, proto="udp", payload=1200).outcome == "too-big"


def test_an_error_about_a_request_looks_as_if_the_virtual_server_sent_it(plain: Cluster) -> None:
    """The real server has no such port: its port unreachable quotes what the client had sent."""
    copy = with_a_virtual_server(
        plain, port=53, proto="udp", server_port=99, servers=("10.1.20.3",)
    )
    exchange = copy.send("web2", VIP, 53, proto="udp")
    assert (exchange.outcome, exchange.reason) == ("refused", f"{VIP} said ICMP port unreachable")
    back = step(exchange, "ipvs FORWARD", "reply")
    assert back.packet.payload.packet.ip.dst == VIP
    assert "an ICMP error about a request to the real server 10.1.20.3:99" in back.reason


def test_loopback_does_not_leave_the_host(cluster: Cluster) -> None:
    """A virtual server on 127.0.0.1 with real servers elsewhere: the packet is thrown away."""
    ns = cluster["node1"]
    ns.sh("ipvsadm -A -t 127.0.0.1:80 -s rr; ipvsadm -a -t 127.0.0.1:80 -r 10.1.20.3:8080 -m")
    exchange = cluster.connect("node1", "127.0.0.1", 80)
    assert exchange.request is not None
    assert "is a loopback address, and the real server" in exchange.request.last.reason
    assert exchange.outcome in ("dropped", "lost")


# -- conntrack ------------------------------------------------------------------------------------


def test_conntrack_expects_the_real_server(cluster: Cluster) -> None:
    """With vs.conntrack 1 the reply tuple is the real server's; with 0 conntrack looks away, and
    nothing is masqueraded."""
    ns = cluster["node1"]
    ns.sh("iptables -t nat -A POSTROUTING -o flannel0 -j MASQUERADE")
    assert cluster.connect("web2", VIP, 80).ok
    (entry,) = [c for c in ns.conntrack.connections(0.0) if c.original.dst == VIP]
    assert (entry.reply.src, entry.reply.sport, entry.reply.dst) == (
        "10.1.30.2", 8080, "10.1.15.0",
    )  # fmt: skip
    ns.sysctls["net.ipv4.vs.conntrack"] = 0
    exchange = cluster.connect("web2", VIP, 80)
    assert exchange.ok
    assert exchange.request is not None
    assert exchange.request.last.packet.ip.src == "10.1.15.2", "not masqueraded"
    assert not any(s.stage == "nat POSTROUTING" and s.before for s in exchange.request.steps
                   if s.packet.ip.dst == "10.1.20.4")  # fmt: skip


def test_an_idle_connection_is_forgotten_after_15_minutes(cluster: Cluster) -> None:
    """Then its next packet is nobody's: this host answers with a reset."""
    ns = cluster["node1"]
    cluster.connect("web2", VIP, 80)
    (found,) = ns.ipvs.connections.values()
    ns.ipvs.refresh(found, "ESTABLISHED", cluster.network.now)
    assert (found.server.active, found.server.inactive) == (1, 0)
    assert "14:59" in ns.sh("ipvsadm -Lnc") or "15:00" in ns.sh("ipvsadm -Lnc")
    cluster.advance(899)
    assert found.ends in ns.ipvs.connections
    ns.sh("ipvsadm -Lnc")
    assert found.ends in ns.ipvs.connections
    cluster.advance(2)
    assert ns.sh("ipvsadm -Lnc").splitlines()[2:] == []
    assert (found.server.active, found.server.inactive) == (0, 0)
    assert not [c for c in ns.conntrack.connections(cluster.network.now) if c.original.dst == VIP]


# -- persistence, and servers that leave ----------------------------------------------------------


def test_a_persistent_virtual_server_keeps_its_clients(plain: Cluster) -> None:
    """Each client stays with its server for so many seconds after its last connection."""
    copy = with_a_virtual_server(plain, persistent=600)
    ns = copy["node1"]
    mine = [chosen(copy.connect("web2", VIP, 80)) for _ in range(3)]
    theirs = [chosen(copy.connect("web1", VIP, 80)) for _ in range(2)]
    assert (set(mine), set(theirs)) == ({"backend-c"}, {"backend-b"})
    again = copy.connect("web2", VIP, 80)
    assert "the client 10.1.15.2 stays with 10.1.30.2:8080" in step(again, "ipvs INPUT").reason
    assert "10.1.15.2:0" in ns.sh("ipvsadm -Lnc")
    assert "persistent 600" in ns.sh("ipvsadm -Ln")
    copy.advance(2000)
    assert chosen(copy.connect("web2", VIP, 80)) == "backend", "free to go elsewhere"


def test_a_quiesced_server_loses_its_clients_if_the_kernel_is_told_so(plain: Cluster) -> None:
    """expire_quiescent_template."""
    for setting, expected in ((0, "backend-c"), (1, "backend-b")):
        copy = with_a_virtual_server(plain, persistent=600)
        ns = copy["node1"]
        ns.sysctls["net.ipv4.vs.expire_quiescent_template"] = setting
        assert chosen(copy.connect("web2", VIP, 80)) == "backend-c"
        ns.ipvs.edit_server(KEY, "10.1.30.2", 8080, 0)
        assert chosen(copy.connect("web2", VIP, 80)) == expected


def test_a_udp_flow_whose_server_is_gone(plain: Cluster) -> None:
    """With expire_nodest_conn the next packet goes elsewhere (with conntrack, the one after it);
    without, packets are thrown away for as long as the entry lives."""
    for setting, tracked, fates in ((1, 0, ["delivered"]), (1, 1, ["dropped", "delivered"]),
                                    (0, 1, ["dropped", "dropped"])):  # fmt: skip
        copy = with_a_virtual_server(
            plain, port=53, proto="udp", server_port=53, servers=("10.1.20.3", "10.1.30.2")
        )
        ns = copy["node1"]
        ns.sh("iptables -t nat -A POSTROUTING -s 10.9.9.9 -j MASQUERADE")
        ns.sysctls |= {"net.ipv4.vs.conntrack": tracked, "net.ipv4.vs.expire_nodest_conn": setting}
        assert chosen(copy.send("web2", VIP, 53, proto="udp", sport=5353)) == "backend-c"
        ns.ipvs.delete_server(("udp", VIP, 53), "10.1.30.2", 53)
        found = [copy.send("web2", VIP, 53, proto="udp", sport=5353).outcome for _ in fates]
        assert ["dropped" if f == "lost" else f for f in found] == fates


def test_a_syn_begins_anew_where_the_old_connection_is_over(cluster: Cluster) -> None:
    """The same source port within TIME_WAIT: conn_reuse_mode."""
    first = chosen(cluster.connect("web2", VIP, 80, sport=40000))
    second = chosen(cluster.connect("web2", VIP, 80, sport=40000))
    assert (first, second) == ("backend-c", "backend-b")
    cluster["node1"].sysctls["net.ipv4.vs.conn_reuse_mode"] = 0
    assert chosen(cluster.connect("web2", VIP, 80, sport=40000)) == "backend-b"


@pytest.mark.parametrize(("setting", "expected"), [(0, "backend-c"), (1, "backend-b")])
def test_a_syn_does_not_go_to_a_quiesced_server(
    cluster: Cluster, setting: int, expected: str
) -> None:
    """Not even on a connection that IPVS still has, with expire_nodest_conn."""
    ns = cluster["node1"]
    ns.sysctls["net.ipv4.vs.expire_nodest_conn"] = setting
    assert chosen(cluster.connect("web2", VIP, 80, sport=40000)) == "backend-c"
    (found,) = ns.ipvs.connections.values()
    ns.ipvs.refresh(found, "ESTABLISHED", cluster.network.now)
    ns.ipvs.edit_server(KEY, "10.1.30.2", 8080, 0)
    assert chosen(cluster.connect("web2", VIP, 80, sport=40000)) == expected


def test_the_pinned_endpoint_is_chosen(cluster: Cluster) -> None:
    """``endpoint=`` pins what the scheduler would choose."""
    for name in ("backend", "backend-b", "backend"):
        assert chosen(cluster.connect("web2", VIP, 80, endpoint=name)) == name


# -- bookkeeping ----------------------------------------------------------------------------------


def test_a_lookup_counts_as_one_rule() -> None:
    """The virtual server is looked up once for a connection, not for every packet. (Where flanneld
    wraps the packet, the outer one is looked up as well.)"""
    from k8snetlib.linux import stack

    counts = []
    hook = stack.Visit.hook

    def counting(self: Any, *args: Any, **more: Any) -> Any:
        found = hook(self, *args, **more)
        counts.append(self.evaluated)
        return found

    stack.Visit.hook = counting  # type: ignore[method-assign]
    try:
        flanneld = "--ip-masq=false --iptables-forward-rules=false"
        made = Cluster.example("host-gw", flanneld=flanneld, proxy_mode="none")
        with_a_virtual_server(made).connect("web2", VIP, 80)
    finally:
        stack.Visit.hook = hook  # type: ignore[method-assign]
    assert max(counts) == 1


def test_counters(cluster: Cluster) -> None:
    """Of a connection: five packets there, three back, at the virtual and at the real server."""
    cluster.connect("web2", VIP, 80)
    service = cluster["node1"].ipvs.service(KEY)
    for counters in (service.counters, service.servers[0].counters):
        assert (counters.conns, counters.in_packets, counters.out_packets) == (1, 5, 3)


def test_a_copy_goes_its_own_way(plain: Cluster) -> None:
    """Connections, templates and the round robin are copied, and then independent."""
    cluster = with_a_virtual_server(plain, persistent=600)
    cluster.connect("web2", VIP, 80)
    copy = cluster.clone()
    here, there = cluster["node1"].ipvs, copy["node1"].ipvs
    assert list(map(str, there.connections.values())) == list(map(str, here.connections.values()))
    (mine,), (its,) = here.connections.values(), there.connections.values()
    assert its.server is there.service(KEY).servers[0] and its.server is not mine.server
    assert its.template is next(iter(there.templates.values()))
    copy["node1"].sh(f"ipvsadm -d -t {VIP}:80 -r 10.1.20.4:8080")
    copy.connect("web1", VIP, 80)
    assert len(here.service(KEY).servers) == 3
    assert len(here.connections) == 1
    assert chosen(cluster.connect("web1", VIP, 80)) == "backend-b"


def test_without_virtual_servers_ipvs_is_not_in_the_hooks(cluster: Cluster) -> None:
    """It comes with the first one and goes with the last."""
    ns = cluster["node1"]
    assert ns.ruleset.ipvs
    ns.sh("ipvsadm -C")
    assert not ns.ruleset.ipvs
    assert cluster.connect("web2", VIP, 80).outcome == "refused"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda i: i.add(VirtualServer(*KEY)), "Service already exists"),
        (lambda i: i.add_server(KEY, "10.1.20.3", 8080), "Destination already exists"),
        (lambda i: i.delete_server(KEY, "10.9.9.9", 1), "No such destination"),
        (lambda i: i.delete(("udp", VIP, 80)), "Service not defined"),
    ],
)
def test_refusals_of_the_kernel(cluster: Cluster, call: Any, says: str) -> None:
    """In ipvsadm's words."""
    with pytest.raises(K8sNetError, match=says):
        call(cluster["node1"].ipvs)


def test_a_connection_prints_its_three_ends() -> None:
    """For people who look into the table."""
    service = virtual("rr", a=1)
    made = Connection("tcp", ("10.1.15.2", 40000), (VIP, 80), service.servers[0], service)
    assert str(made) == f"TCP 10.1.15.2:40000 -> {VIP}:80 -> 10.0.0.1:80"
