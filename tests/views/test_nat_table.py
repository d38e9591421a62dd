"""The NAT table: tuples before and after, and who translated; compared with the model's own."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.views import nat_table
from k8snetlib.views.nat_table import entries_of, nat_rows
from tests.kernel.flow_runner import warm_cluster

DNAT = "rule: DNAT"
MASQ = "rule: MASQUERADE"
MEMORY = "the connection"

#: who sends what, seen on which node -> each packet: kind, what translated, and which ends changed.
CASES = {
    "to a Service, on the sender's node": (
        ("web2", "10.96.0.10", 80, "backend-c"), "node1",
        [("TCP SYN", DNAT, "d"), ("TCP SYN/ACK", MEMORY, "s"), ("TCP ACK", MEMORY, "d"),
         ("TCP data", MEMORY, "d"), ("TCP data", MEMORY, "s")],
    ),
    "to a Service, on the endpoint's node": (
        ("web2", "10.96.0.10", 80, "backend-c"), "node3",
        [(kind, "nothing", "") for kind in ("TCP SYN", "TCP SYN/ACK", "TCP ACK", "TCP data",
                                            "TCP data")],
    ),
    "by a node port": (
        ("client", "192.168.66.11", 30080, "backend"), "node1",
        [("TCP SYN", "rules: DNAT, MASQUERADE", "sd"), ("TCP SYN/ACK", MEMORY, "sd"),
         ("TCP ACK", MEMORY, "sd"), ("TCP data", MEMORY, "sd"), ("TCP data", MEMORY, "sd")],
    ),
    "to the internet": (
        ("web2", "203.0.113.10", 80, None), "node1",
        [("TCP SYN", MASQ, "s"), ("TCP SYN/ACK", MEMORY, "d"), ("TCP ACK", MEMORY, "s"),
         ("TCP data", MEMORY, "s"), ("TCP data", MEMORY, "d")],
    ),
    "pod to pod": (
        ("web2", "10.1.20.3", 8080, None), "node1",
        [(kind, "nothing", "") for kind in ("TCP SYN", "TCP SYN/ACK", "TCP ACK", "TCP data",
                                            "TCP data")],
    ),
    "policy Local without an endpoint": (
        ("client", "192.168.66.11", 30081, None), "node1", [("TCP SYN", "nothing", None)] * 4,
    ),
}  # fmt: skip


def exchange_of(send):
    source, target, port, endpoint = send
    return warm_cluster("vxlan").clone().connect(source, target, port, endpoint=endpoint)


@pytest.mark.parametrize("case", CASES)
def test_what_changed_and_who_changed_it(case):
    send, node, wanted = CASES[case]
    found = []
    for row in nat_rows(exchange_of(send), node):
        if row.after is None:
            found.append((row.kind, row.by[0], None))
            continue
        source = (row.before.src, row.before.sport) != (row.after.src, row.after.sport)
        target = (row.before.dst, row.before.dport) != (row.after.dst, row.after.dport)
        found.append((row.kind, row.by[0], "s" * source + "d" * target))
    assert found == wanted


@pytest.mark.parametrize("case", CASES)
def test_the_tuples_are_those_of_the_connection(case):
    """A request leaves as its reply tuple inverted, an answer as the original one inverted."""
    send, node, _ = CASES[case]
    exchange = exchange_of(send)
    entries = entries_of(exchange, node)
    for row in nat_rows(exchange, node):
        if row.after is None:
            assert entries == (), "what was thrown away is not remembered"
            continue
        (entry,) = [e for e in entries if row.before in (e.original, e.reply)]
        other = entry.reply if row.before == entry.original else entry.original
        assert row.after == other.inverted


@pytest.mark.parametrize("case", CASES)
def test_table_and_words_hold_every_packet(case):
    send, node, wanted = CASES[case]
    exchange = exchange_of(send)
    table = nat_table(exchange, node)
    packets = table.grids[0]
    assert [row[0].words for row in packets.rows] == [
        f"{n} {kind}" for n, (kind, *_) in zip((r.packet for r in nat_rows(exchange, node)),
                                               wanted, strict=True)
    ]  # fmt: skip
    for row, (_, _, changed) in zip(packets.rows, wanted, strict=True):
        if changed is None:
            assert (row[-1].sign, row[-1].span) == ("✕", 2)
        else:
            signs = ["⇄" if end in changed else "" for end in "sd"]
            assert [cell.sign for cell in row[-2:]] == signs
    for row in packets.rows:
        assert all(line in table.text for cell in row for line in cell.lines)


@pytest.mark.parametrize("case", CASES)
def test_the_connections_two_tuples(case):
    """Each tuple as conntrack has it; a sign where the reply is not the original turned round."""
    send, node, _ = CASES[case]
    exchange = exchange_of(send)
    entries = entries_of(exchange, node)
    grids = nat_table(exchange, node).grids
    assert len(grids) == 1 + bool(entries)
    for entry, row in zip(entries, grids[-1].rows if entries else (), strict=True):
        tuples = [cell.lines[0] for cell in row[1:5]]
        for t, ends in ((entry.original, tuples[:2]), (entry.reply, tuples[2:])):
            assert ends == [f"{t.src}:{t.sport}", f"{t.dst}:{t.dport}"]
        turned = entry.original.inverted
        target = (entry.reply.src, entry.reply.sport) != (turned.src, turned.sport)
        source = (entry.reply.dst, entry.reply.dport) != (turned.dst, turned.dport)
        assert [cell.sign for cell in row[1:5]] == ["", "", "⇄" * target, "⇄" * source]
        assert ("the destination becomes" in row[5].words) is target
        assert ("is masqueraded" in row[5].words) is source
        assert (row[5].words == "not translated") is not (target or source)


def test_the_rule_is_named():
    table = nat_table(exchange_of(("client", "192.168.66.11", 30080, "backend")), "node1")
    by = table.grids[0].rows[0][3]
    assert by.lines == (
        "rules: DNAT, MASQUERADE",
        "PREROUTING, KUBE-SEP-OYAM…: DNAT to 10.1.20.3:8080",
        "POSTROUTING, KUBE-POSTROUTING: MASQUERADE",
    )
    assert table.grids[0].rows[1][3].lines == (MEMORY, "in PREROUTING and POSTROUTING")


BY_MODE = {
    "iptables": ("rules: DNAT, MASQUERADE", "PREROUTING, KUBE-SEP-OYAM…: DNAT to 10.1.20.3:8080",
                 "POSTROUTING, KUBE-POSTROUTING: MASQUERADE"),
    "nftables": ("rules: dnat, masquerade",
                 "PREROUTING, endpoint-H254UWVM…: dnat to 10.1.20.3:8080",
                 "POSTROUTING, masquerading: masquerade"),
    "ipvs": ("IPVS, rule: MASQUERADE",
             "INPUT: IPVS, TCP 192.168.66.11:30080 rr -> 10.1.20.3:8080",
             "POSTROUTING, KUBE-POSTROUTING: MASQUERADE"),
}  # fmt: skip


@pytest.mark.parametrize("mode", BY_MODE)
def test_every_mode_of_kube_proxy(mode):
    """kube-proxy's own state, not the recording: the first packet, an answer, a later packet."""
    cluster = Cluster.example("vxlan", mode)
    exchange = cluster.connect("client", "192.168.66.11", 30080, endpoint="backend")
    rows = [row for row in nat_rows(exchange, "node1") if row.kind.startswith("TCP")]
    assert rows[0].by == BY_MODE[mode]
    words = {row.by[0] for row in rows[1:]}
    both = {f"IPVS, {MEMORY}", f"{MEMORY}, IPVS"}  # requests, and answers
    assert words == ({MEMORY} if mode != "ipvs" else both)
    assert all(row.before != row.after for row in rows)
    assert nat_table(exchange, "node1").title.endswith("5 packets, 5 translated.")


def test_connections_of_a_node_now():
    cluster = warm_cluster("vxlan").clone()
    assert nat_table(cluster, "node1").text == (
        "Connection tracking on node1: 0 connections, none translated."
    )
    cluster.connect("web2", "10.1.20.3", 8080)
    cluster.connect("web2", "203.0.113.10", 80)
    table = nat_table(cluster, "node1")
    held = cluster["node1"].conntrack.connections(cluster.network.now)
    (grid,) = table.grids
    assert len(grid.rows) == len(held)
    first = grid.rows[0]
    masked = next(c for c in held if c.snat)
    assert first[0].lines[0] == f"tcp {masked.state}"
    assert first[1].words == f"{masked.original.src}:{masked.original.sport} (web2)"
    assert first[4].words == f"⇄ {masked.reply.dst}:{masked.reply.dport} (node1)"
    assert first[5].words == f"web2 is masqueraded: {masked.reply.dst}:{masked.reply.dport}"
    assert [row[5].words for row in grid.rows[1:]] == ["not translated"] * (len(held) - 1)
    assert f"kept for {masked.expires - cluster.network.now:,.0f} s" in table.text


def test_a_changed_port_alone_is_told():
    """Two pods' connections with one source port: the second gets another."""
    cluster = warm_cluster("vxlan").clone()
    node = cluster["node1"]
    node.sh("iptables -t nat -F FLANNEL-POSTRTG")
    node.sh("iptables -t nat -A POSTROUTING -s 192.168.66.11 -p tcp -j MASQUERADE --to-ports 5000")
    cluster.connect("node1", "203.0.113.10", 80, sport=4000)
    text = nat_table(cluster, "node1").text
    assert "node1 keeps its address, with another port: 192.168.66.11:5000" in text


def test_a_rule_of_the_hook_itself_names_it_once():
    """A rule of another chain says which: FLANNEL-POSTRTG."""
    cluster = warm_cluster("vxlan").clone()
    by = [nat_rows(cluster.connect("web2", "ext", 80, sport=4000), "node1")[0].by]
    cluster["node1"].sh("iptables -t nat -F FLANNEL-POSTRTG")
    cluster["node1"].sh("iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE")
    by.append(nat_rows(cluster.connect("web2", "ext", 80, sport=4001), "node1")[0].by)
    assert [said for _, said in by] == [
        "POSTROUTING, FLANNEL-POSTRTG: MASQUERADE",
        "POSTROUTING: MASQUERADE",
    ]


def test_nobody_came_by():
    exchange = exchange_of(("web2", "10.1.20.3", 8080, None))
    assert "None of its packets came here." in nat_table(exchange, "node3").text


@pytest.mark.parametrize("what", ["exchange", "cluster"])
def test_a_wrong_name(what):
    cluster = warm_cluster("vxlan")
    given = cluster if what == "cluster" else exchange_of(("web2", "10.1.20.3", 8080, None))
    with pytest.raises(UnknownName, match="Did you mean node1"):
        nat_table(given, "node11")
