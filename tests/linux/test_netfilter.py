"""Rules: what they say, what they match, in which order, and what the trace tells of it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from k8snetlib import Cluster, Exchange
from k8snetlib.errors import K8sNetError
from k8snetlib.linux.netfilter.chain import Chain
from k8snetlib.linux.netfilter.rule import Probe
from k8snetlib.linux.netfilter.save import restore, save
from k8snetlib.linux.netfilter.syntax import RuleError, parse_rule
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.packet import (
    ACK,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    SYN,
    Icmp,
    IPv4,
    Packet,
    Tcp,
    Udp,
)
from tests.packets import loaded

KERNEL = Path(__file__).parents[1] / "kernel"

# -- text -----------------------------------------------------------------------------------------

ROUND_TRIP = [
    "-s 10.1.15.0/24 -d 10.1.0.0/16 -j RETURN",
    "! -s 10.1.0.0/16 ! -d 224.0.0.0/4 -i eth0 ! -o docker0 -p tcp -j ACCEPT",
    '-p tcp -m comment --comment "two words" -m tcp --dport 80 -j KUBE-SVC-X',
    "-p tcp -m tcp --sport 1024:65535 ! --dport 22 --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
    "-p udp -m udp --dport 53 -j DNAT --to-destination 10.1.20.3:53",
    "-p icmp -m icmp --icmp-type 8 -j ACCEPT",
    "-p tcp -m multiport --dports 80,443,8000:8080 -j ACCEPT",
    "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
    "-m conntrack --ctstatus ASSURED -j ACCEPT",
    "-m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-A",
    "-m statistic --mode nth --every 3 --packet 0 -j KUBE-SEP-A",
    "-m addrtype --src-type LOCAL --dst-type LOCAL -j KUBE-NODEPORTS",
    "-m recent --rcheck --seconds 10800 --reap --name A --mask 255.255.255.255 --rsource -j B",
    "-m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT",
    "-m physdev ! --physdev-is-in -j ACCEPT",
    "-m limit --limit 10/sec --limit-burst 20 -j ACCEPT",
    "-j MARK --set-xmark 0x4000/0x4000",
    "-j MASQUERADE --random-fully",
    "-p tcp -j MASQUERADE --to-ports 1024-2048",
    "-j SNAT --to-source 192.168.66.11",
    "-p tcp -j REDIRECT --to-ports 8080",
    "-j REJECT --reject-with icmp-port-unreachable",
    '-j LOG --log-prefix "dropped: "',
    "-g ELSEWHERE",
    "-m comment --comment only-counts",
]


@pytest.mark.parametrize("text", ROUND_TRIP)
def test_text_and_value_are_each_others_inverse(text: str) -> None:
    rule = parse_rule(text)
    assert str(rule) == text
    assert parse_rule(str(rule)) == rule


SHORT_FORMS = {
    "-s 10.1.15.2 -j DROP": "-s 10.1.15.2/32 -j DROP",
    "-s 10.1.0.0/255.255.0.0 -j DROP": "-s 10.1.0.0/16 -j DROP",
    "-d 0.0.0.0/0 -j DROP": "-j DROP",
    "-p tcp --dport 80 -j ACCEPT": "-p tcp -m tcp --dport 80 -j ACCEPT",
    "-p tcp --syn -j ACCEPT": "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT",
    "-p icmp --icmp-type echo-request -j ACCEPT": "-p icmp -m icmp --icmp-type 8 -j ACCEPT",
    "-j REJECT": "-j REJECT --reject-with icmp-port-unreachable",
    "-j MARK --or-mark 0x4000": "-j MARK --set-xmark 0x4000/0x4000",
    "-j MARK --xor-mark 0x4000": "-j MARK --set-xmark 0x4000/0x0",
    "-j MARK --and-mark 0xff": "-j MARK --set-xmark 0x0/0xffffff00",
    "-j MARK --set-mark 1": "-j MARK --set-xmark 0x1/0xffffffff",
    "-p all -j ACCEPT": "-j ACCEPT",
}


@pytest.mark.parametrize(("typed", "printed"), SHORT_FORMS.items(), ids=SHORT_FORMS)
def test_what_people_type_prints_in_full(typed: str, printed: str) -> None:
    assert str(parse_rule(typed)) == printed


MISTAKES = {
    "-p tcp --dport 99999 -j DROP": r"column 16: '99999' is no port",
    "-p tcp --dport 90:80": r"column 16: the range 90:80 runs backwards",
    "-m foo -j DROP": r"column 4: the match 'foo' is not modelled. Expected comment, tcp",
    "-s 10.1.1 -j DROP": r"column 4: '10.1.1' is no address",
    "--dport 80 -j DROP": r"column 1: '--dport' is not known here. Expected first -m sctp or -m",
    "-m conntrack --ctstate FOO": r"column 24: 'FOO' is no conntrack state",
    "-m statistic --mode random --probability 2": r"'2' is no probability",
    "-j REJECT --reject-with x": r"cannot reject with 'x'",
    "-j DNAT": r"DNAT needs --to-destination",
    "-j DNAT --to-destination 10.1.1.2:80": r"Need TCP, UDP, SCTP or DCCP with port specification",
    "-p gre -j REDIRECT --to-ports 80": r"Need TCP, UDP, SCTP or DCCP",
    "-j": r"the line ends where a target should stand",
    "-m mark -j DROP": r"-m mark stands without its option",
    "-p 999x -j DROP": r"'999x' is no protocol",
}


@pytest.mark.parametrize(("text", "says"), MISTAKES.items(), ids=MISTAKES)
def test_a_mistake_names_line_column_and_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(RuleError, match=says):
        parse_rule(text)


@pytest.mark.parametrize("node", ["node1", "node2", "node3"])
def test_a_real_node_s_rules_round_trip(node: str) -> None:
    text = (KERNEL / f"{node}.iptables-save.txt").read_text()
    ruleset = Ruleset()
    restore(ruleset, text)
    assert save(ruleset) == text
    assert ruleset.tracks


BROKEN_FILES = {
    "*filter\n-A INPUT -j NOWHERE\nCOMMIT\n": "Line 3.*chain INPUT.*NOWHERE",
    "*filtre\nCOMMIT\n": "Line 1, column 2.*Did you mean filter",
    "*filter\n-A FOO -j DROP\nCOMMIT\n": "Line 2, column 4.*no chain called 'FOO'",
    "*filter\n-Q INPUT -j DROP\n": "'-Q' is not known here",
    "*filter\n-A INPUT -s 10.1.1.1.1 -j DROP\nCOMMIT\n": "Line 2, column 13: '10.1.1.1.1'",
}


@pytest.mark.parametrize(("text", "says"), BROKEN_FILES.items(), ids=repr)
def test_restore_is_all_or_nothing(text: str, says: str) -> None:
    ruleset = Ruleset()
    restore(ruleset, "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 10.9.9.9/32 -j DROP\nCOMMIT\n")
    before = save(ruleset)
    with pytest.raises(RuleError, match=says):
        restore(ruleset, text)
    assert save(ruleset) == before


# -- matching -------------------------------------------------------------------------------------

TCP_SYN = Packet(IPv4("10.1.15.2", "10.96.0.10", PROTO_TCP), Tcp(40000, 80, SYN))
TCP_ACK = Packet(IPv4("10.1.15.2", "10.96.0.10", PROTO_TCP), Tcp(40000, 80, ACK))
DNS = Packet(IPv4("10.1.15.2", "10.96.0.53", PROTO_UDP), Udp(40000, 53))
PING = Packet(IPv4("10.1.15.2", "192.168.66.11", PROTO_ICMP), Icmp(8))
MULTICAST = Packet(IPv4("10.1.15.2", "224.0.0.5", 89))


def matches(text: str, packet: Packet, **probe: object) -> bool:
    """Does a rule match a packet that came into node1 by docker0 and leaves by eth0?"""
    ns = Cluster.example()["node1"]
    p = Probe(ns, packet, "docker0", "eth0", 0, 100.0, loaded(0.5))
    for name, value in probe.items():
        setattr(p, name, value)
    return all(test(p) for test in parse_rule(text).compile())


MATCHES: list[tuple[str, Packet, bool]] = [
    ("-s 10.1.15.0/24", TCP_SYN, True),
    ("! -s 10.1.15.0/24", TCP_SYN, False),
    ("-d 10.96.0.10/32", DNS, False),
    ("-i docker0 -o eth0", TCP_SYN, True),
    ("-i dock+", TCP_SYN, True),
    ("! -i docker0", TCP_SYN, False),
    ("-o eth1", TCP_SYN, False),
    ("-p tcp", DNS, False),
    ("! -p tcp", DNS, True),
    ("-p tcp -m tcp --dport 80", TCP_SYN, True),
    ("-p tcp -m tcp --dport 81:90", TCP_SYN, False),
    ("-p tcp -m tcp ! --dport 80", TCP_SYN, False),
    ("-p tcp -m tcp --sport 40000", TCP_SYN, True),
    ("-p udp -m udp --dport 53", DNS, True),
    ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", TCP_SYN, True),
    ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", TCP_ACK, False),
    ("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN", TCP_ACK, True),
    ("-p icmp -m icmp --icmp-type 8", PING, True),
    ("-p icmp -m icmp --icmp-type 0", PING, False),
    ("-p icmp -m icmp --icmp-type any", PING, True),
    ("-p tcp -m multiport --dports 22,80:90", TCP_SYN, True),
    ("-p tcp -m multiport --sports 22,80:90", TCP_SYN, False),
    ("-p tcp -m multiport --ports 40000", TCP_SYN, True),
    ("-p tcp -m multiport ! --dports 80", TCP_SYN, False),
    ("-m addrtype --dst-type LOCAL", PING, True),
    ("-m addrtype --dst-type LOCAL", TCP_SYN, False),
    ("-m addrtype ! --dst-type LOCAL", TCP_SYN, True),
    ("-m addrtype --dst-type MULTICAST", MULTICAST, True),
    ("-m addrtype --src-type UNICAST", TCP_SYN, True),
    ("-m statistic --mode random --probability 0.6", TCP_SYN, True),
    ("-m statistic --mode random --probability 0.4", TCP_SYN, False),
    ("-m statistic --mode random ! --probability 0.4", TCP_SYN, True),
    ("-m comment --comment anything", TCP_SYN, True),
    ("-m mark --mark 0x0", TCP_SYN, True),
    ("-m mark ! --mark 0x4000/0x4000", TCP_SYN, True),
]


@pytest.mark.parametrize(("text", "packet", "expected"), MATCHES, ids=lambda v: str(v)[:60])
def test_matching(text: str, packet: Packet, expected: bool) -> None:
    assert matches(text, packet) is expected


@pytest.mark.parametrize(
    ("text", "probe", "expected"),
    [
        ("-m mark --mark 0x4000/0x4000", {"mark": 0x4001}, True),
        ("-m mark --mark 0x4000", {"mark": 0x4001}, False),
        ("-m conntrack --ctstate NEW", {"state": "NEW"}, True),
        ("-m conntrack --ctstate RELATED,ESTABLISHED", {"state": "NEW"}, False),
        ("-m conntrack ! --ctstate INVALID", {"state": "NEW"}, True),
        ("-m state --state ESTABLISHED", {"state": "ESTABLISHED"}, True),
        ("-m physdev --physdev-in veth-web2", {"physin": "veth-web2"}, True),
        ("-m physdev ! --physdev-is-in", {}, True),
        ("-m physdev --physdev-is-bridged", {"physin": "a", "physout": "b"}, True),
        ("-m physdev --physdev-is-bridged", {"physin": "a"}, False),
    ],
)
def test_matching_what_the_kernel_knows(
    text: str, probe: dict[str, object], expected: bool
) -> None:
    assert matches(text, TCP_SYN, **probe) is expected


def test_recent_remembers_and_forgets() -> None:
    """kube-proxy's session affinity: set, found for so many seconds, then reaped."""
    ns = Cluster.example()["node1"]

    def check(text: str, now: float) -> bool:
        p = Probe(ns, TCP_SYN, "docker0", "", 0, now, loaded(0.0))
        return all(test(p) for test in parse_rule(text).compile())

    found = "-m recent --rcheck --seconds 10 --reap --name A --rsource"
    assert not check(found, 0.0)
    assert check("-m recent --set --name A --rsource", 0.0)
    assert check(found, 9.0)
    assert not check("-m recent --rcheck --name B --rsource", 9.0)
    assert not check(found, 10.0)
    assert not ns.recent["A"], "reaped"


def test_nth_and_limit_count() -> None:
    rule = parse_rule("-m statistic --mode nth --every 3 --packet 0").compile()
    ns = Cluster.example()["node1"]

    def probe(now: float) -> Probe:
        return Probe(ns, TCP_SYN, "", "", 0, now, loaded(0.0))

    assert [rule[0](probe(0)) for _ in range(6)] == [True, False, False, True, False, False]
    limit = parse_rule("-m limit --limit 1/sec --limit-burst 2").compile()[0]
    assert [limit(probe(t)) for t in (0, 0, 0, 1, 1, 5, 5, 5)] == [
        True, True, False, True, False, True, True, False,
    ]  # fmt: skip


def test_a_copy_remembers_for_itself() -> None:
    for match in (
        "-m limit --limit 1/hour --limit-burst 1",
        "-m statistic --mode nth --every 2 --packet 0",
    ):
        cluster = Cluster.example()
        cluster["node1"].sh(f"iptables -A INPUT {match} -j DROP")
        fate = lambda where: where.ping("client", "node1").outcome  # noqa: E731
        fates = [fate(cluster.clone()), fate(cluster), fate(cluster.clone())]
        assert fates[0] == fates[1] != fates[2], match


# -- chains ---------------------------------------------------------------------------------------


def run(text: str, packet: Packet = TCP_SYN, hook: str = "FORWARD", mark: int = 0) -> list[str]:
    """The trace of one run through a table, as the kernel prints it; last the verdict."""
    ruleset = Ruleset()
    restore(ruleset, text)
    table = text[1:].split()[0]
    p = Probe(Cluster.example()["node1"], packet, "docker0", "eth0", mark, 0.0, loaded(0.5))
    result = ruleset.run(table, hook, p)
    said = [str(m).split(" | ")[0] for m in result.matched]
    return [*said, result.verdict, f"mark {p.mark:#x}", f"evaluated {p.evaluated}"]


def test_jump_return_goto_and_policy() -> None:
    text = """*filter
:FORWARD DROP [0:0]
:A - [0:0]
:B - [0:0]
-A FORWARD -j A
-A FORWARD -d 10.9.9.9/32 -j ACCEPT
-A FORWARD -g B
-A FORWARD -j ACCEPT
-A A -s 10.1.15.2/32 -j RETURN
-A A -j DROP
-A B -j MARK --set-xmark 0x1/0xffffffff
COMMIT
"""
    assert run(text) == [
        "filter:FORWARD rule JUMP A",
        "filter:A rule RETURN",
        "filter:FORWARD rule GOTO B",
        "filter:B rule CONTINUE",
        "filter:FORWARD policy DROP",
        "DROP",
        "mark 0x1",
        "evaluated 5",
    ]


def test_a_long_chain_gives_what_a_short_one_gives_and_counts_every_rule() -> None:
    """The index must not change the verdict, nor the number of rules a kernel tests."""
    chance = Random(7)
    targets = ("ACCEPT", "DROP", "RETURN")
    for _ in range(60):
        rules = []
        for _ in range(chance.randint(9, 40)):
            words = []
            if chance.random() < 0.6:
                words.append(f"-d 10.96.0.{chance.randint(8, 12)}/32")
            if chance.random() < 0.6:
                port = chance.choice(["78", "79", "80", "81", ":80", "81:", "79:81", "0"])
                words.append(f"-p tcp -m tcp {chance.choice(['', '', '! '])}--dport {port}")
            rules.append(parse_rule(" ".join([*words, "-j", chance.choice(targets)])))
        chain = Chain("FORWARD", rules, "ACCEPT")
        ruleset = Ruleset()
        ruleset.put("filter", chain)
        p = Probe(Cluster.example()["node1"], TCP_SYN, "a", "b", 0, 0.0, loaded(0.5))
        result = ruleset.run("filter", "FORWARD", p)
        hit = next((n for n, r in enumerate(rules) if all(t(p) for t in r.compile())), len(rules))
        word = str(rules[hit].target)[3:] if hit < len(rules) else "ACCEPT"
        assert result.verdict == ("ACCEPT" if word == "RETURN" else word)
        assert p.evaluated == min(hit + 1, len(rules))


def test_counters_count_packets_and_bytes() -> None:
    cluster = Cluster.example()
    node1 = cluster["node1"]
    restore(node1.ruleset, "*filter\n-A FORWARD -p icmp -j ACCEPT\nCOMMIT\n")
    cluster.ping("web2", "backend")
    cluster.ping("web2", "backend")
    assert "[4:336] -A FORWARD -p icmp -j ACCEPT" in save(node1.ruleset, counters=True)
    other = cluster.clone()
    other.ping("web2", "backend")
    assert "[4:336]" in save(node1.ruleset, counters=True)
    assert "[6:504]" in save(other["node1"].ruleset, counters=True)


def test_chains_are_made_changed_and_deleted_with_care() -> None:
    ruleset = Ruleset()
    ruleset.new_chain("filter", "MINE")
    with pytest.raises(K8sNetError, match="already exists"):
        ruleset.new_chain("filter", "MINE")
    ruleset.change("filter", "FORWARD", [parse_rule("-j MINE")])
    with pytest.raises(K8sNetError, match="still used by FORWARD"):
        ruleset.delete_chain("filter", "MINE")
    ruleset.change("filter", "FORWARD", [])
    ruleset.change("filter", "MINE", [parse_rule("-j DROP")])
    with pytest.raises(K8sNetError, match="is not empty"):
        ruleset.delete_chain("filter", "MINE")
    ruleset.change("filter", "MINE", [])
    ruleset.delete_chain("filter", "MINE")
    with pytest.raises(K8sNetError, match="built-in"):
        ruleset.delete_chain("filter", "INPUT")
    with pytest.raises(K8sNetError, match=r"no table called 'fliter'\. Did you mean filter"):
        ruleset.table("fliter")


# -- whole walks ----------------------------------------------------------------------------------


def with_rules(rules: str, node: str = "node1") -> Cluster:
    """The example cluster with rules on one node (the table filter, unless the text says)."""
    cluster = Cluster.example()
    text = rules if rules.startswith("*") else f"*filter\n{rules}\nCOMMIT\n"
    restore(cluster[node].ruleset, text)
    return cluster


def filtered(exchange: Exchange) -> tuple[str, str]:
    """The outcome, and the last box of the request."""
    assert exchange.request is not None
    return exchange.outcome, exchange.request.last.stage


WALKS: dict[str, tuple[str, str, str, dict[str, object], str, str]] = {
    "forward drop": ("-A FORWARD -j DROP", "web2", "backend", {}, "dropped", "filter FORWARD"),
    "forward policy": (":FORWARD DROP", "web2", "backend", {}, "dropped", "filter FORWARD"),
    "input drop": ("-A INPUT -p tcp -j DROP", "web2", "node1", {}, "dropped", "filter INPUT"),
    "output drop": ("-A OUTPUT -d 10.1.20.0/24 -j DROP", "node1", "backend", {}, "dropped",
                    "filter OUTPUT"),
    "input does not protect forwarded": ("-A INPUT -j DROP", "web2", "backend-b", {}, "lost",
                                         "socket"),
    "bridged": ("-A FORWARD -i docker0 -o docker0 -j DROP", "web2", "web1", {}, "dropped",
                "filter FORWARD"),
    "reject": ("-A FORWARD -j REJECT", "web2", "backend", {}, "rejected", "filter FORWARD"),
    "reject with reset": ("-A FORWARD -p tcp -j REJECT --reject-with tcp-reset", "web2", "backend",
                          {}, "refused", "filter FORWARD"),
    "reject prohibited": ("-A INPUT -j REJECT --reject-with icmp-host-prohibited", "web2", "node1",
                          {}, "rejected", "filter INPUT"),
    "reject own": ("-A OUTPUT -d 10.1.20.3 -j REJECT", "node1", "backend", {}, "rejected",
                   "filter OUTPUT"),
    "mangle drops": ("*mangle\n-A FORWARD -j DROP\nCOMMIT\n", "web2", "backend", {}, "dropped",
                     "mangle FORWARD"),
    "raw drops": ("*raw\n-A PREROUTING -i docker0 -j DROP\nCOMMIT\n", "web2", "backend", {},
                  "dropped", "raw PREROUTING"),
}  # fmt: skip


@pytest.mark.parametrize("row", WALKS.values(), ids=WALKS)
def test_walks_that_meet_a_rule(
    row: tuple[str, str, str, dict[str, object], str, str],
) -> None:
    rules, source, target, _, outcome, stage = row
    cluster = with_rules(rules)
    if outcome == "lost":  # everything for node1 itself is dropped, flannel's own packets too
        exchange = cluster.connect(source, target, 8080)
        assert exchange.outcome == "dropped", f"{exchange}"
        reply = next(t for t in exchange.packets if t.label == "TCP SA")
        assert reply.last.stage == "filter INPUT"
        assert exchange.request is not None
        assert exchange.request.delivered
        return
    port = {"node1": 10250, "web1": 80}.get(target, 8080)
    exchange = cluster.connect(source, target, port)
    assert filtered(exchange) == (outcome, stage), f"{exchange}"


def test_the_rule_that_decided_is_in_the_step() -> None:
    cluster = with_rules("-A FORWARD -s 10.1.15.2/32 -p tcp -m tcp --dport 8080 -j DROP")
    exchange = cluster.connect("web2", "backend", 8080)
    assert exchange.request is not None
    step = exchange.request.last
    assert [str(r) for r in step.rules] == [
        "filter:FORWARD rule DROP | -A FORWARD -s 10.1.15.2/32 -p tcp -m tcp --dport 8080 -j DROP"
    ]
    assert "-s 10.1.15.2/32" in step.reason
    assert cluster.connect("web1", "backend", 8080).ok


def test_bridged_packets_meet_rules_only_with_bridge_nf() -> None:
    cluster = with_rules("-A FORWARD -j DROP")
    assert cluster.ping("web2", "web1").outcome == "dropped"
    cluster["node1"].sysctls["net.bridge.bridge-nf-call-iptables"] = 0
    assert cluster.ping("web2", "web1").ok
    assert cluster.ping("web2", "backend").outcome == "dropped"
