"""MTU: fragments, reassembly, what does not fit, and who is told; VXLAN and host-gw beside UDP."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8snetlib import Cluster
from k8snetlib.address import Prefix, mac_for
from k8snetlib.linux.fragment import split
from k8snetlib.linux.netfilter.save import restore
from k8snetlib.linux.netns import Device, Neighbour, Netns, VxlanConfig
from k8snetlib.linux.route import Route
from k8snetlib.linux.sockets import Listener, listen
from k8snetlib.packet import PROTO_UDP, IPv4, Packet, Udp
from k8snetlib.wire import encode

BACKENDS = {"udp": (1472, 60), "vxlan": (1450, 62), "host-gw": (1500, 62)}
RULES = "*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n"


@given(st.integers(60, 4000), st.integers(0, 6000))
def test_the_pieces_are_the_whole_s_bytes(mtu: int, size: int) -> None:
    """No piece is too long; put side by side they are the datagram, byte for byte."""
    header = IPv4("10.1.15.2", "10.1.20.3", PROTO_UDP, id=7)
    whole = Packet(header, Udp(1, 2), payload=bytes(i % 251 for i in range(size)))
    pieces = split(whole, mtu) if whole.length > mtu else [whole]
    data = b""
    for n, piece in enumerate(pieces):
        assert piece.length <= mtu
        assert piece.ip.offset == len(data)
        assert piece.ip.mf is (n < len(pieces) - 1)
        data += encode(piece)[20:]
    assert data == encode(whole)[20:]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tracks", [False, True], ids=["no conntrack", "conntrack"])
def test_what_fits_what_is_cut_what_is_refused(backend: str, tracks: bool) -> None:
    """At the MTU: one packet; one byte more: two fragments, or EMSGSIZE with don't-fragment."""
    mtu, ttl = BACKENDS[backend]
    cluster = Cluster.example(backend)
    if tracks:
        for node in cluster.nodes:
            restore(cluster[node].ruleset, RULES)
    fits = cluster.ping("web2", "backend", payload=mtu - 28)
    assert fits.ok, f"{fits}"
    assert fits.request is not None
    assert fits.request.last.packet.innermost.ip.ttl == ttl
    refused = cluster.ping("web2", "backend", payload=mtu - 27)
    assert (refused.outcome, refused.packets) == ("too-big", ())
    assert refused.reason.startswith(f"{mtu + 1} bytes are more than the path takes ({mtu})")
    cut = cluster.ping("web2", "backend", payload=mtu - 27, df=False)
    assert cut.ok, f"{cut}"
    assert any(t.label.startswith("IP fragment") for t in cut.packets)
    for ns in cluster.network.netns.values():
        assert not ns.fragments


def narrow(cluster: Cluster, mtu: int) -> Cluster:
    """A link between the nodes that takes less than the pods believe."""
    for node in cluster.nodes:
        cluster[node].update_device("eth0", mtu=mtu)
    return cluster


def test_a_router_that_cannot_pass_a_packet_says_so_and_the_sender_learns() -> None:
    cluster = narrow(Cluster.example("host-gw"), 1400)
    first = cluster.ping("web2", "backend", payload=1400)
    assert first.outcome == "too-big"
    assert first.reply is not None
    assert first.reply.label == "ICMP frag-needed mtu=1400"
    second = cluster.ping("web2", "backend", payload=1400)
    assert second.packets == (), "the kernel remembers the path's MTU"
    assert "(1400)" in second.reason
    assert cluster.ping("web2", "backend", payload=1372).ok
    cluster.advance("11m")
    assert cluster.ping("web2", "backend", payload=1400).packets, "forgotten after ten minutes"


def test_vxlan_s_three_entries_decide() -> None:
    """Route, neighbour and forwarding entry: take one away, and the walk ends there."""
    ends: dict[str, Any] = {
        "route": lambda ns: ns.routes.remove(next(r for r in ns.routes if "20.0/24" in str(r))),
        "vxlan": lambda ns: ns.vxlan_fdb.clear(),
    }
    for stage, harm in ends.items():
        cluster = Cluster.example("vxlan")
        assert cluster.ping("web2", "backend").ok
        harm(cluster["node1"])
        exchange = cluster.ping("web2", "backend")
        assert exchange.request is not None
        found = [s for s in exchange.request.steps if s.verdict in ("drop", "error")]
        if stage == "vxlan":
            assert found[-1].stage == "vxlan"
            assert "no forwarding entry" in found[-1].reason
        else:
            assert exchange.request.end == "router"


def test_vxlan_keeps_the_inner_frame_and_the_same_flow_keeps_its_port() -> None:
    cluster = Cluster.example("vxlan")
    walks = [cluster.connect("web2", "backend", 8080, sport=p) for p in (40000, 40000, 40001)]
    ports = []
    for walk in walks:
        assert walk.request is not None
        outer = next(f.packet for f in walk.request.frames if f.packet.encapsulated)
        assert not outer.ip.df
        assert outer.transport.dport == 8472  # type: ignore[union-attr]
        ports.append(outer.transport.sport)  # type: ignore[union-attr]
        assert 32768 <= ports[-1] <= 60999
    assert ports[0] == ports[1] != ports[2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_tcp_sends_segments_that_fit(backend: str) -> None:
    """The MSS is the smaller of both ends' MTUs less 40; nothing is ever fragmented."""
    mtu, _ = BACKENDS[backend]
    cluster = Cluster.example(backend)
    exchange = cluster.connect("web2", "backend", 8080, payload=5000)
    assert exchange.ok, f"{exchange}"
    sent = [t.frames[0].packet for t in exchange.packets if t.frames[0].netns == "web2"]
    data = [p for p in sent if p.arp is None and len(p.payload)]
    assert sum(len(p.payload) for p in data) == 5000
    assert max(p.ip_length for p in data) == mtu
    assert not any(t.label.startswith("IP fragment") for t in exchange.packets)


def test_tcp_learns_the_path_s_mtu_and_sends_again() -> None:
    """The first large segment meets a narrow link; ICMP says so; the rest is smaller."""
    cluster = narrow(Cluster.example("host-gw"), 1400)
    exchange = cluster.connect("web2", "backend", 8080, payload=5000)
    assert exchange.ok, f"{exchange}"
    assert any(t.label == "ICMP frag-needed mtu=1400" for t in exchange.packets)


def test_a_black_hole_lets_small_pings_through_and_hangs_a_transfer() -> None:
    """MTU: ICMP is filtered, so the sender never learns (a classic)."""
    cluster = narrow(Cluster.example("host-gw"), 1400)
    for node in cluster.nodes:
        rules = "*filter\n-A OUTPUT -p icmp -m icmp --icmp-type 3/4 -j DROP\nCOMMIT\n"
        restore(cluster[node].ruleset, rules)
    assert cluster.ping("web2", "backend").ok
    hangs = cluster.connect("web2", "backend", 8080, payload=5000)
    assert hangs.outcome == "dropped"
    assert cluster.connect("web2", "backend", 8080, payload=500).ok


def test_a_bridge_drops_what_does_not_fit_and_tells_nobody() -> None:
    """The path takes less than eth0 claims; four bytes more (a VLAN tag's room) still pass."""
    cluster = Cluster.example("host-gw")
    cluster["switch"].sh("ip link set p-node2 mtu 1400")
    assert cluster.ping("web2", "backend", payload=1404 - 28).ok
    lost = cluster.ping("web2", "backend", payload=1405 - 28)
    assert lost.outcome == "lost"
    assert lost.request is not None
    last = lost.request.steps[-1]
    assert (lost.request.end, last.stage, last.verdict) == ("switch", "bridge", "drop")
    assert "1405 bytes do not fit into p-node2 (MTU 1400)" in last.reason
    assert not [t for t in lost.packets if t.label.startswith("ICMP frag")], "nobody is told"
    assert cluster.connect("web2", "backend", 8080).ok
    assert cluster.connect("web2", "backend", 8080, payload=5000).outcome == "lost"


def test_the_other_end_of_a_pair_takes_no_longer_frames_either() -> None:
    """The way back: node2's frame leaves, and the switch's port does not take it."""
    cluster = Cluster.example("host-gw")
    cluster["switch"].sh("ip link set p-node2 mtu 1400")
    lost = cluster.ping("backend", "web2", payload=1405 - 28)
    assert lost.outcome == "lost"
    assert lost.request is not None
    last = lost.request.steps[-1]
    assert (lost.request.end, last.stage, last.verdict) == ("node2", "transmit", "drop")
    assert str(lost.request.frames[-1]).startswith("node2:eth0 out")


@pytest.mark.parametrize("df", [True, False])
def test_with_br_netfilter_the_mtu_itself_counts(df: bool) -> None:
    """No four bytes more. Without don't-fragment, pieces as long as the bridge's own MTU: still too
    long for the port (seen in the kernel, see tests/kernel/test_vxlan_real.py)."""
    cluster = Cluster.example("host-gw")
    switch = cluster["switch"]
    switch.sh("ip link set p-node2 mtu 1400")
    switch.sh("sysctl -w net.bridge.bridge-nf-call-iptables=1")
    assert cluster.ping("web2", "backend", payload=1400 - 28, df=df).ok
    over = cluster.ping("web2", "backend", payload=1401 - 28, df=df)
    assert over.ok is not df
    switch.sh("ip link set br0 mtu 1400")
    cut = cluster.ping("web2", "backend", payload=1401 - 28, df=df)
    assert cut.ok is not df
    assert any(t.label.startswith("IP fragment") for t in cut.packets) is not df


@pytest.mark.parametrize("tracks", [False, True], ids=["no conntrack", "conntrack"])
def test_a_firewalled_bridge_cuts_pieces_again_unless_it_put_them_together(tracks: bool) -> None:
    """Pieces of 1500 bytes, and 1400 are possible: br_nf_ip_fragment() refuses to cut what came whole
    only by conntrack's doing (seen in the kernel, see tests/kernel/test_vxlan_real.py)."""
    cluster = Cluster.example("host-gw")
    switch = cluster["switch"]
    for command in ("ip link set p-node2 mtu 1400", "ip link set br0 mtu 1400"):
        switch.sh(command)
    switch.sh("sysctl -w net.bridge.bridge-nf-call-iptables=1")
    if tracks:
        restore(switch.ruleset, RULES)
    sent = cluster.send("web2", "backend", 4000, proto="udp", payload=3000, df=False)
    if tracks:
        data = [t for t in sent.packets if not t.label.startswith("ARP")]
        ends = {(t.end, t.last.stage, t.last.verdict) for t in data}
        assert ends == {("switch", "fragment", "drop"), ("switch", "fragment", "park")}
    else:
        assert sent.outcome == "refused", "whole again: backend says that nobody listens"
        out = [f for t in sent.packets for f in t.frames if "switch:p-node2 out" in str(f)]
        cut = {f.packet.ip.offset for f in out if f.packet.arp is None}
        assert cut == {0, 1376, 1480, 2856, 2960}


def test_a_changed_vtep_mac_is_nobody_s_until_the_peers_know_it() -> None:
    """VTEP_MAC: the inner frame is for a flannel.1, and that must be its MAC address now."""
    cluster = Cluster.example("vxlan")
    cluster.ping("web2", "backend")
    cluster["node2"].sh("ip link set flannel.1 address 0e:f1:0a:01:14:99")
    lost = cluster.ping("web2", "backend")
    assert lost.outcome == "lost"
    assert lost.request is not None
    last = lost.request.steps[-1]
    assert (lost.request.end, last.verdict, last.device) == ("node2", "ignore", "flannel.1")
    assert not [t for t in lost.packets if t.label.startswith("ARP")], "permanent: nobody asks"
    assert cluster.ping("node1", "node2").ok, "OVERLAY_FW: the nodes themselves talk"
    node1 = cluster["node1"]
    node1.sh("ip neigh replace 10.1.20.0 lladdr 0e:f1:0a:01:14:99 dev flannel.1 nud permanent")
    half = cluster.ping("web2", "backend")
    assert half.request is not None
    assert half.request.end == "node1", "no forwarding entry for the new address yet"
    node1.sh("bridge fdb replace 0e:f1:0a:01:14:99 dev flannel.1 dst 192.168.66.12")
    assert cluster.ping("web2", "backend").ok


def _vtep(ns: Netns, subnet: Prefix, node: str) -> None:
    mac, config = mac_for("0e:f1", subnet.network), VxlanConfig(1, node, 8472)
    ns.add_device(Device("flannel.1", "vxlan", mac, 1450, vxlan=config))
    ns.add_address("flannel.1", f"{subnet.network}/32")
    listen(ns, Listener("udp", "0.0.0.0", 8472, "the kernel", tunnel="flannel.1"))


def _lead(ns: Netns, subnet: Prefix, node: str) -> None:
    """The three entries of a peer: its neighbour, its forwarding entry, its route."""
    gateway, mac = subnet.network, mac_for("0e:f1", subnet.network)
    ns.neighbours["flannel.1", gateway] = Neighbour(gateway, "flannel.1", mac, "PERMANENT")
    ns.vxlan_fdb["flannel.1", mac] = node
    ns.routes.replace(Route(subnet, "flannel.1", via=gateway, onlink=True))


def test_vxlan_crosses_a_router_where_host_gw_cannot() -> None:
    """HOSTGW_L3: a node behind the router. The outer packet is for a node, and routers know nodes."""
    cluster = Cluster.example("vxlan")
    far, near = Prefix.parse("10.1.99.0/24"), Prefix.parse("10.1.15.0/24")
    _vtep(cluster["ext"], far, "203.0.113.10")
    _lead(cluster["ext"], near, "192.168.66.11")
    _lead(cluster["node1"], far, "203.0.113.10")
    assert cluster.ping("web2", "10.1.99.0").ok
    gateway = Cluster.example("host-gw")
    gateway["node1"].sh("ip route add 10.1.99.0/24 via 192.168.66.1")
    astray = gateway.ping("web2", "10.1.99.0")
    assert astray.request is not None
    assert (astray.outcome, astray.request.end) == ("lost", "router")
