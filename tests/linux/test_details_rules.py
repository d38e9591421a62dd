"""What no test looked at until tools/mutate.py planted faults there: connections and rules.

What the kernel does is from its sources, named in each test; where Linux 6.18 or iptables 1.8.9 itself
was asked, the test says so.
"""

from __future__ import annotations

from typing import Any

import pytest

from k8snetlib import Cluster
from k8snetlib.linux.conntrack import TIMEOUTS, Connection, Table, Tuple
from k8snetlib.linux.conntrack_tcp import IGNORE, INVALID, following
from k8snetlib.linux.netfilter.rule import Nat, Probe
from k8snetlib.linux.netfilter.save import restore, save
from k8snetlib.linux.netfilter.syntax import RuleError, parse_rule
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.packet import (
    ACK,
    FIN,
    PROTO_ICMP,
    PROTO_TCP,
    PSH,
    RST,
    SYN,
    IPv4,
    Packet,
    Tcp,
    stack_of,
)
from tests.linux.test_conntrack import HANDSHAKE, feed, tcp
from tests.linux.test_details import WEB2, said, walk, warm
from tests.packets import loaded

# -- conntrack ------------------------------------------------------------------------------------


#: nf_conntrack's defaults in seconds (nf_conntrack_proto_tcp.c, _udp.c, _icmp.c, _generic.c).
SECONDS = {
    "SYN_SENT": 120, "SYN_RECV": 60, "ESTABLISHED": 432_000, "FIN_WAIT": 120, "CLOSE_WAIT": 60,
    "LAST_ACK": 30, "TIME_WAIT": 120, "CLOSE": 10, "SYN_SENT2": 120, "udp": 30, "udp_stream": 120,
    "icmp": 30, "generic": 600,
}  # fmt: skip


def test_the_kernel_s_time_outs() -> None:
    assert SECONDS == TIMEOUTS


#: State -> what follows a SYN, SYN/ACK, FIN, ACK and RST of the first side, then of the other:
#: tcp_conntracks of nf_conntrack_proto_tcp.c, read down its columns (-: INVALID, .: IGNORE).
FOLLOWS = {
    "":            "SYN_SENT - - ESTABLISHED -             - - - - -",
    "SYN_SENT":    "SYN_SENT - - - CLOSE                   SYN_SENT2 SYN_RECV - . CLOSE",
    "SYN_RECV":    ". SYN_RECV FIN_WAIT ESTABLISHED CLOSE  - . FIN_WAIT SYN_RECV CLOSE",
    "ESTABLISHED": ". - FIN_WAIT ESTABLISHED CLOSE         - . FIN_WAIT ESTABLISHED CLOSE",
    "FIN_WAIT":    ". - LAST_ACK CLOSE_WAIT CLOSE          - . LAST_ACK CLOSE_WAIT CLOSE",
    "CLOSE_WAIT":  ". - LAST_ACK CLOSE_WAIT CLOSE          - . LAST_ACK CLOSE_WAIT CLOSE",
    "LAST_ACK":    ". - LAST_ACK TIME_WAIT CLOSE           - . LAST_ACK TIME_WAIT CLOSE",
    "TIME_WAIT":   "SYN_SENT - TIME_WAIT TIME_WAIT CLOSE   SYN_SENT . TIME_WAIT TIME_WAIT CLOSE",
    "CLOSE":       "SYN_SENT - CLOSE CLOSE CLOSE           - . CLOSE CLOSE CLOSE",
    "SYN_SENT2":   "SYN_SENT2 SYN_RECV - - CLOSE           SYN_SENT2 SYN_RECV - . CLOSE",
}  # fmt: skip


@pytest.mark.parametrize(("state", "row"), FOLLOWS.items(), ids=FOLLOWS)
def test_the_kernel_s_table_of_states(state: str, row: str) -> None:
    segments = [(back, flags) for back in (False, True)
                for flags in (SYN, SYN | ACK, FIN | ACK, ACK, RST)]  # fmt: skip
    for (back, flags), word in zip(segments, row.split(), strict=True):
        expected = {"-": INVALID, ".": IGNORE}.get(word, word)
        assert following(state, flags, reply=back) == expected, (flags, back)


def test_every_segment_renews_the_time_of_its_state() -> None:
    table = Table()
    for n, (packet, _, state) in enumerate(HANDSHAKE):
        feed(table, packet, float(n))
        (conn,) = table.connections(float(n))
        assert conn.expires == n + TIMEOUTS[state]


def test_a_reopened_connection_is_another_one() -> None:
    table = Table()
    for packet, _, _ in HANDSHAKE:
        feed(table, packet)
    (old,) = table.connections(0.0)
    feed(table, tcp(SYN), 1.0)
    (new,) = table.connections(1.0)
    assert new is not old
    assert (new.state, new.started) == ("SYN_SENT", 1.0)


def test_a_protocol_without_ports_has_connections_too() -> None:
    """nf_conntrack_proto_generic."""
    ends = ("10.1.15.2", "10.1.20.3")
    table = Table()
    assert feed(table, Packet(IPv4(*ends, 47)))[0] == "NEW"
    assert feed(table, Packet(IPv4(*ends[::-1], 47)))[0] == "ESTABLISHED"


def test_a_clone_of_a_table_has_equal_connections_of_its_own() -> None:
    table = Table()
    feed(table, tcp(SYN))
    other = table.clone()
    (one,), (two,) = table.connections(0.0), other.connections(0.0)
    assert str(one) == str(two)
    assert one is not two
    assert len(other.entries) == 2


NODE = ("192.168.66.11", "192.168.66.11")
CLASSES = {
    "ordinary": (PROTO_TCP, 40000, 1024, 65535),
    "privileged": (PROTO_TCP, 700, 600, 1023),
    "first privileged": (PROTO_TCP, 512, 600, 1023),
    "last privileged": (PROTO_TCP, 1023, 600, 1023),
    "first ordinary": (PROTO_TCP, 1024, 1024, 65535),
    "low": (PROTO_TCP, 80, 1, 511),
    "last low": (PROTO_TCP, 511, 1, 511),
    "ping identifier": (PROTO_ICMP, 7, 0, 65535),
}


@pytest.mark.parametrize(("proto", "port", "low", "high"), CLASSES.values(), ids=CLASSES)
def test_the_whole_class_of_a_port_can_be_drawn(proto: int, port: int, low: int, high: int) -> None:
    """nf_nat_l4proto_unique_tuple, as far as it is modelled."""
    for drawn, expected in ((0, low), (high - low, high)):
        table, asked = Table(), list[tuple[int, int]]()

        def draw(least: int, most: int, drawn: int = drawn, asked: Any = asked) -> int:
            asked.append((least, most))
            return drawn

        for src in ("10.1.15.2", "10.1.15.3"):
            dport = 8 if proto == PROTO_ICMP else 80
            conn = Connection(Tuple(proto, src, port, "203.0.113.10", dport), 0.0)
            assert table.bind(conn, True, NODE, Nat("MASQUERADE"), draw) == ""
            table.confirm(conn)
        assert asked == [(0, high - low)]
        if expected == port:  # it is taken: the next one, in a circle
            expected = low if port == high else port + 1
        assert conn.reply.inverted.sport == expected


def test_a_port_in_the_range_is_kept_if_it_is_free() -> None:
    table, nat = Table(), Nat("SNAT", ports=(2000, 3000))
    for src, expected in (("10.1.15.2", 2500), ("10.1.15.3", 2000)):
        conn = Connection(Tuple(PROTO_TCP, src, 2500, "203.0.113.10", 80), 0.0)
        assert table.bind(conn, True, NODE, nat, lambda low, high: low) == ""
        table.confirm(conn)
        assert conn.reply.inverted.sport == expected


# -- hooks ----------------------------------------------------------------------------------------


def test_what_conntrack_says_of_a_connection_s_packets() -> None:
    cluster = warm("*filter\n-A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n")
    packets = cluster.connect("node1", "client", 80, sport=4000).packets
    first, answer, part, *_ = [r for _, r in said(packets, "node1", "conntrack")]
    name = "the connection 192.168.66.11:4000>192.168.66.100:80"
    assert first == "conntrack sees a new connection: NEW"
    assert answer == f"conntrack: an answer in {name}: ESTABLISHED"
    assert part == f"conntrack: part of {name}: ESTABLISHED"


def test_nothing_leaves_when_nat_has_no_port_left() -> None:
    cluster = warm(
        "*nat\n-A POSTROUTING -p udp -o eth0 -s 10.1.15.0/24 -j MASQUERADE --to-ports 2000-2001\nCOMMIT\n"
    )
    for sport in (5, 6):
        assert cluster.send("web2", "client", 99, proto="udp", sport=sport).outcome == "refused"
    exchange = cluster.send("web2", "client", 99, proto="udp", sport=7)
    assert exchange.outcome == "dropped"
    assert exchange.request is not None
    assert exchange.request.last.stage == "nat POSTROUTING"
    assert "no UDP port from 2000 to 2001" in exchange.reason


def test_a_translation_that_changes_nothing_passes_and_says_so() -> None:
    """A node masquerades itself as itself; and what is translated once is not noted twice."""
    cluster = warm(
        "*nat\n-A POSTROUTING -o eth0 -j MASQUERADE\n-A OUTPUT -p tcp --dport 99 -j REDIRECT --to-ports 10250\nCOMMIT\n"
    )
    packets = cluster.connect("node1", "client", 80).packets
    assert said(packets, "node1", "nat POSTROUTING")[0] == (
        "pass",
        "nat POSTROUTING changes nothing",
    )
    redirected = cluster.connect("node1", "10.1.15.1", 99)
    assert redirected.ok
    assert len(said((redirected.packets[0],), "node1", "nat OUTPUT")) == 1
    assert said((redirected.packets[0],), "node1", "nat PREROUTING") == []


RESETS = [
    pytest.param(SYN, 0xFFFFFFFF, 0, b"", (RST | ACK, 0, 0), id="SYN at the end of the numbers"),
    pytest.param(SYN, 1000, 0, b"", (RST | ACK, 0, 1001), id="SYN"),
    pytest.param(PSH, 1000, 0, b"abc", (RST | ACK, 0, 1003), id="data without ACK"),
    pytest.param(ACK | PSH, 1000, 77, b"abc", (RST, 77, 0), id="data"),
]


@pytest.mark.parametrize("by", ["rule", "host"])
@pytest.mark.parametrize(("flags", "seq", "ack", "payload", "reset"), RESETS)
def test_the_numbers_of_a_reset(
    by: str, flags: int, seq: int, ack: int, payload: bytes, reset: tuple[int, int, int]
) -> None:
    """RFC 9293 §3.10.7.1; nf_reject_ip_tcphdr_put says the same."""
    rules = "*filter\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\nCOMMIT\n"
    cluster = warm(rules if by == "rule" else "")
    packet = stack_of((IPv4(WEB2, "10.1.20.3", PROTO_TCP), Tcp(4000, 9, flags, seq, ack)), payload)
    answer = walk(cluster, "web2", packet)[1].frames[-1].packet
    header = answer.transport
    assert isinstance(header, Tcp)
    assert (answer.ip.src, header.sport, header.dport) == ("10.1.20.3", 9, 4000)
    assert (header.flags, header.seq, header.ack) == reset


def test_a_fin_counts_in_the_reset_that_answers_it() -> None:
    packet = stack_of((IPv4(WEB2, "10.1.20.3", PROTO_TCP), Tcp(4000, 9, FIN, 1000)), b"abc")
    header = walk(warm(), "web2", packet)[1].frames[-1].packet.transport
    assert isinstance(header, Tcp)
    assert (header.flags, header.ack) == (RST | ACK, 1004)


def test_a_redirect_about_a_half_made_translation_is_dropped() -> None:
    """nf_nat_icmp_reply_translation. Linux 6.18 sent none about a flow's first packet, then one."""
    cluster = Cluster.example()
    cluster["router"].sh("ip route add 10.1.15.0/24 via 192.168.66.11")
    cluster["router"].sh("iptables -t nat -A POSTROUTING -s 10.9.9.9 -j MASQUERADE")
    cluster.ping("client", "web1")
    cluster.advance("1m")
    told = [
        "redirect" in " ".join(t.label for t in exchange.packets if t.end == "client")
        for exchange in (cluster.ping("client", "web2", sport=7) for _ in range(2))
        if cluster.advance("1s") is None
    ]
    assert told == [False, True]


# -- rules ----------------------------------------------------------------------------------------

SEGMENT = Packet(IPv4(WEB2, "10.96.0.10", PROTO_TCP), Tcp(40000, 80, SYN))
LATER = Packet(IPv4(WEB2, "10.96.0.10", PROTO_TCP, offset=1480))
HITS = [
    ("-p tcp -m tcp --dport 80", LATER, False),
    ("-p tcp -m tcp --sport 40000", LATER, False),
    ("-p tcp -m tcp --sport 1:39999", SEGMENT, False),
    ("-p tcp -m tcp ! --sport 40000", SEGMENT, False),
    ("-p tcp -m tcp --dport 1:80", SEGMENT, True),
    ("-p tcp -m tcp --sport 1:40000", SEGMENT, True),
    ("-p tcp -m multiport --dports 1:80", SEGMENT, True),
    ("-i docket+", SEGMENT, False),
    ("-i docker0+", SEGMENT, True),
    ("-m statistic --mode random --probability 0.5", SEGMENT, False),
]


#: What iptables 1.8.9 (nf_tables) printed with ``-S`` for what was typed.
PRINTED = {
    **{
        f"-p icmp --icmp-type {name} -j DROP": f"-p icmp -m icmp --icmp-type {number} -j DROP"
        for name, number in {
            "any": "any", "echo-reply": "0", "pong": "0", "destination-unreachable": "3",
            "network-unreachable": "3/0", "host-unreachable": "3/1", "protocol-unreachable": "3/2",
            "port-unreachable": "3/3", "fragmentation-needed": "3/4", "source-quench": "4",
            "redirect": "5", "echo-request": "8", "ping": "8", "time-exceeded": "11",
            "ttl-exceeded": "11", "ttl-zero-during-transit": "11/0", "parameter-problem": "12",
        }.items()
    },
    **{
        f"-j REJECT --reject-with {icmp}{name}": f"-j REJECT --reject-with icmp-{name}{rest}"
        for name, rest in {
            "net-unreach": "able", "host-unreach": "able", "proto-unreach": "able",
            "port-unreach": "able", "net-prohib": "ited", "host-prohib": "ited", "admin-prohib": "ited",
        }.items() for icmp in ("", "icmp-")
    },
    "-p tcp -j REJECT --reject-with tcp-rst": "-p tcp -j REJECT --reject-with tcp-reset",
    **{
        f"-p tcp --tcp-flags {typed} -j DROP": f"-p tcp -m tcp --tcp-flags {shown} -j DROP"
        for typed, shown in {
            "ALL NONE": "FIN,SYN,RST,PSH,ACK,URG NONE", "SYN,FIN SYN": "FIN,SYN SYN",
            "PSH,URG PSH": "PSH,URG PSH", "RST,ACK RST": "RST,ACK RST",
        }.items()
    },
    **{
        f"-p {typed} -j DROP": f"-p {shown} -j DROP"
        for typed, shown in {
            "sctp": "sctp", "esp": "esp", "ah": "ah", "gre": "gre", "47": "gre", "51": "ah",
            "132": "sctp",
        }.items()
    },
    **{
        f"-m limit --limit {typed} -j DROP": f"-m limit --limit {shown} -j DROP"
        for typed, shown in {
            "6/min": "6/min", "2/hour": "2/hour", "3/day": "3/day", "5/second": "5/sec",
            "120/min": "2/sec", "7/hour": "7/hour", "20/minute": "20/min", "36/hour": "36/hour",
            "9953/hour": "9955/hour", "50000/day": "50000/day", "54000/day": "2250/hour",
        }.items()
    },
    **{
        f"-m physdev {text} -j DROP": f"-m physdev {text} -j DROP"
        for text in (
            "--physdev-is-out", "! --physdev-is-out", "--physdev-is-in", "--physdev-out veth+",
            "! --physdev-in eth0 --physdev-is-bridged", "! --physdev-is-bridged",
        )
    },
    "-p tcp --dport :80 --sport 1024: -j DROP": "-p tcp -m tcp --sport 1024:65535 --dport 0:80 -j DROP",
    "-p udp --dport 53 -j DROP": "-p udp -m udp --dport 53 -j DROP",
    "-m recent ! --rcheck --name A --rsource -j DROP": "-m recent ! --rcheck --name A --mask 255.255.255.255 --rsource -j DROP",
    "-j MARK --set-mark 4294967295": "-j MARK --set-xmark 0xffffffff/0xffffffff",
    "-j MARK --or-mark 4294967295": "-j MARK --set-xmark 0xffffffff/0xffffffff",
}  # fmt: skip


@pytest.mark.parametrize(("typed", "shown"), PRINTED.items(), ids=PRINTED)
def test_every_name_prints_as_iptables_prints_it(typed: str, shown: str) -> None:
    assert str(parse_rule(typed)) == shown
    assert str(parse_rule(shown)) == shown


REFUSED = {
    "-p icmp -m icmp -j DROP": "-m icmp stands without its option",
    "-m mark --mark x -j DROP": "column 16: 'x' is no mark",
    "-p tcp --dport 80:x -j DROP": "column 16: '80:x' is no port",
    "-p tcp --dport x -j DROP": "column 16: 'x' is no port",
    "-m statistic --mode odd -j DROP": "column 21: there is no mode 'odd'",
    "-j MARK --no-mark 1": "column 9: MARK has no option '--no-mark'",
    "-j MARK --or-mark 4294967296": "column 19: 4294967296 is out of range",
}


@pytest.mark.parametrize(("text", "says"), REFUSED.items(), ids=REFUSED)
def test_a_refusal_points_at_the_word(text: str, says: str) -> None:
    with pytest.raises(RuleError, match=says):
        parse_rule(text)


@pytest.mark.parametrize(
    ("text", "ports", "hit"),
    [
        ("! --physdev-is-out", ("a", ""), True), ("--physdev-is-out", ("a", ""), False),
        ("--physdev-is-out", ("a", "b"), True), ("! --physdev-is-out", ("a", "b"), False),
        ("--physdev-is-in", ("", "b"), False), ("! --physdev-is-bridged", ("a", ""), True),
        ("--physdev-out b", ("b", "a"), False), ("! --physdev-out b", ("a", "b"), False),
    ],
)  # fmt: skip
def test_physdev(text: str, ports: tuple[str, str], hit: bool) -> None:
    p = Probe(Cluster.example()["node1"], SEGMENT, "docker0", "docker0", 0, 0.0, loaded(0.5))
    p.physin, p.physout = ports
    assert all(test(p) for test in parse_rule(f"-m physdev {text}").compile()) is hit


REASONS = {
    "icmp-net-unreachable": "net unreachable", "icmp-host-unreachable": "host unreachable",
    "icmp-proto-unreachable": "protocol unreachable", "icmp-port-unreachable": "port unreachable",
    "icmp-net-prohibited": "net prohibited", "icmp-host-prohibited": "host prohibited",
    "icmp-admin-prohibited": "administratively prohibited",
}  # fmt: skip


@pytest.mark.parametrize(("what", "reason"), REASONS.items(), ids=REASONS)
def test_every_rejection_is_told_by_its_name(what: str, reason: str) -> None:
    """RFC 1812 §5.2.7.1; the error's own type of service is internetwork control (§4.3.2.5)."""
    cluster = warm(f"*filter\n-A FORWARD -j REJECT --reject-with {what}\nCOMMIT\n")
    exchange = cluster.connect("web2", "backend", 8080)
    assert (exchange.outcome, exchange.reason) == ("rejected", f"10.1.15.1 said ICMP {reason}")
    assert exchange.reply is not None
    assert exchange.reply.frames[0].packet.ip.tos == 0xC0


@pytest.mark.parametrize(
    ("text", "packet", "hit"), HITS, ids=[f"{h[0]} {h[1] is LATER}" for h in HITS]
)
def test_matching_at_the_edges(text: str, packet: Packet, hit: bool) -> None:
    """In the kernel's tcp_mt and udp_mt a later fragment matches nothing."""
    p = Probe(Cluster.example()["node1"], packet, "docker0", "eth0", 0, 0.0, loaded(0.5))
    assert all(test(p) for test in parse_rule(text).compile()) is hit


@pytest.mark.parametrize(
    ("text", "times", "hits"),
    [
        ("-m statistic --mode nth --every 3 --packet 1", range(6), [1, 4]),
        ("-m statistic --mode nth --every 3 --packet 2", range(6), [2, 5]),
        ("-m limit --limit 6/min --limit-burst 1", (0, 5, 9, 10, 11, 20), [0, 3, 5]),
        ("-m limit --limit 2/hour --limit-burst 1", (0, 1799, 1800, 3599, 3600), [0, 2, 4]),
    ],
)  # fmt: skip
def test_matches_that_count(text: str, times: range, hits: list[int]) -> None:
    ns, (test,) = Cluster.example()["node1"], parse_rule(text).compile()
    found = [test(Probe(ns, SEGMENT, "", "", 0, float(t), loaded(0.0))) for t in times]
    assert [n for n, hit in enumerate(found) if hit] == hits


def test_recent_keeps_twenty_time_stamps() -> None:
    """xt_recent's ip_pkt_list_tot."""
    ns = Cluster.example()["node1"]
    for action in ("--set", "--update"):
        (test,) = parse_rule(f"-m recent {action} --name {action[2:]} --rsource").compile()
        ns.recent.setdefault(action[2:], {}).setdefault(0x0A010F02, (0.0,))
        for now in range(30):
            assert test(Probe(ns, SEGMENT, "", "", 0, float(now), loaded(0.0)))
        assert ns.recent[action[2:]][0x0A010F02] == tuple(map(float, range(10, 30)))


def test_restore_takes_away_the_chains_that_the_text_has_not() -> None:
    ruleset = Ruleset()
    restore(ruleset, "*filter\n:OLD - [0:0]\n-A OLD -j DROP\nCOMMIT\n")
    restore(ruleset, "*filter\n:NEW - [0:0]\nCOMMIT\n")
    assert set(ruleset.tables["filter"]) == {"INPUT", "FORWARD", "OUTPUT", "NEW"}
    assert "OLD" not in save(ruleset)
