"""The story as text: one whole walk kept word for word, and what must hold for every walk.

After an intended change ``python -m tests.test_story`` writes the kept walk anew; then read it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from k8snetlib import Cluster
from k8snetlib.linux.netfilter.save import restore
from k8snetlib.packet import Ethernet, IPv4, Tcp, Udp, Vxlan, stack_of
from k8snetlib.story import WIDTH, exchange_story, rule_words, trace_story
from k8snetlib.trace import Exchange, Hop, Names, Step, Trace, rule_line
from k8snetlib.words import annotate
from tests.clusters import bare

KEPT = Path(__file__).parent / "data" / "story_cross_node.txt"
NAMES = Names(
    {"02:42:0a:01:14:03": "backend:eth0"}, {"10.1.20.3": "backend", "10.1.15.1": "node1 docker0"}
)


def cross_node():
    return Cluster.example().connect("web2", "10.1.20.3", port=8080, sport=40004)


def changed(ns, command):
    cluster = Cluster.example()
    cluster[ns].sh(command)
    return cluster


RULES = """*nat
-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j WEB
-A WEB -p tcp -m tcp -j DNAT --to-destination 10.1.20.3:8080
-A POSTROUTING -s 10.1.15.0/24 ! -o docker0 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP
-A FORWARD -s 10.1.0.0/16 -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
"""


def ruled(text=RULES, backend="udp"):
    cluster = Cluster.example(backend)
    head = ":PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n:WEB -\n"
    restore(cluster["node1"].ruleset, text.replace("*nat\n", f"*nat\n{head}").replace(
        "*filter\n", "*filter\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n"))  # fmt: skip
    return cluster


WALKS = {
    "cross-node": cross_node,
    "same-node": lambda: Cluster.example().ping("web2", "web1"),
    "sidecar": lambda: Cluster.example().connect("web1", "127.0.0.1", port=9000),
    "refused-tcp": lambda: Cluster.example().connect("web2", "backend", port=99),
    "refused-udp": lambda: Cluster.example().send("web2", "backend", port=99),
    "nobody-has-it": lambda: Cluster.example().ping("web2", "10.1.20.99"),
    "ttl": lambda: Cluster.example().ping("web2", "backend", ttl=1),
    "flanneld-drops-it": lambda: Cluster.example().ping("web2", "backend", ttl=2),
    "outside": lambda: Cluster.example().connect("client", "ext", port=80),
    "no-route": lambda: changed("web2", "ip route del default").ping("web2", "backend"),
    "no-flannel-route": lambda: changed("node1", "ip link set flannel0 down").ping("web2", "backend"),
    "nat": lambda: ruled().connect("web2", "10.96.0.10", port=80),
    "policy": lambda: ruled(RULES.replace("-s 10.1.0.0/16", "-s 10.9.0.0/16")).ping("web2", "backend"),
    "vxlan": lambda: ruled(backend="vxlan").connect("web2", "10.96.0.10", port=80),
    "host-gw": lambda: ruled(backend="host-gw").connect("web2", "10.96.0.10", port=80),
    "fragments": lambda: ruled().ping("web2", "backend", payload=3000, df=False),
    "not-a-router": lambda: changed("node1", "sysctl -w net.ipv4.ip_forward=0").ping("web2", "backend"),
}  # fmt: skip


def test_the_kept_walk():
    assert str(cross_node()) + "\n" == KEPT.read_text(encoding="utf-8"), f"compare with {KEPT}"


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_every_walk(walk):
    exchange = walk()
    story = exchange_story(exchange)
    lines = story.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert not any(line != line.rstrip() for line in lines)
    assert "\x1b" not in story
    assert (
        exchange.source in lines[0] and f"{exchange.proto.upper()}: {exchange.outcome}" in lines[0]
    )
    for trace in exchange.packets:
        told = trace_story(trace)
        assert max(map(len, told.splitlines())) <= WIDTH
        flat = " ".join(told.split())
        for hop in trace.hops:
            came = f"came in on {hop.device}" if hop.device else "it begins here"
            assert f"{hop.netns} ({came})" in flat
        for number, step in enumerate(trace.steps, start=1):
            assert f" {number} " in flat
            assert step.stage in flat
    # Without the owners' names, every reason stands there word for word.
    bare = re.sub(r" \([\w .:-]+\)", "", " ".join(story.split()))
    for step in exchange.request.steps if exchange.request else ():
        reason = re.sub(r" \([\w .:-]+\)", "", step.reason)
        assert reason.removeprefix(step.stage).lstrip(": ") in bare
    full = exchange_story(exchange, rules=True)
    assert max(map(len, full.splitlines())) <= WIDTH
    flat = " ".join(full.split())
    lines = [rule_line(rule) for t in exchange.packets for s in t.steps for rule in s.rules]
    assert all(line in flat for line in lines if line.startswith("-A"))


#: A walk, and what its story must say.
SAYS = [
    ("cross-node", "+ IPv4 192.168.66.11 → 192.168.66.12 TTL 64, UDP 8285 → 8285"),
    ("cross-node", "− IPv4 192.168.66.11 → 192.168.66.12 TTL 64, UDP 8285 → 8285"),
    ("cross-node", "+ Ethernet node2:docker0 → backend:eth0"),
    ("cross-node", "this host is a router here: TTL 64 becomes 63"),
    ("cross-node", "≈ ARP (packets 3 and 4): node1 asks everybody 'who has 192.168.66.12?', node2 answers"),
    ("cross-node", "49 ✓ socket port 8080 belongs to backend"),
    ("cross-node", "The answer: packet 7, TCP SA (SYN/ACK): 10.1.20.3:8080 (backend)"),
    ("cross-node", "in by veth-backend; route '10.1.0.0/16 dev flannel0 scope link'; TTL 64 becomes 63"),
    ("same-node", "is behind veth-web1"),
    ("sidecar", "port 9000 belongs to web1-sidecar"),
    ("refused-tcp", "TCP: refused"),
    ("refused-udp", "✗ socket nobody listens on UDP port 99"),
    ("nobody-has-it", "asks everybody 'who has 10.1.20.99?' 3 times, and nobody answers"),
    ("nobody-has-it", "ICMP: unreachable, after 3 s"),
    ("ttl", "said ICMP TTL exceeded"),
    ("flanneld-drops-it", "No answer came back."),
    ("flanneld-drops-it", "dropped without a word"),
    ("no-route", "No packet left."),
    ("nat", "nat PREROUTING the destination becomes 10.1.20.3:8080 (backend) rule (last of 2): -A WEB -p tcp"),
    ("nat", "filter FORWARD lets it pass rule: -A FORWARD -s 10.1.0.0/16 -j ACCEPT"),
    ("nat", "nat POSTROUTING the source becomes 10.1.15.0:"),
    ("nat", "node1 in by eth0; flanneld unwraps it, TTL 62 becomes 61; destination 10.1.15.0:"),
    ("nat", "source 10.1.20.3:8080 becomes 10.96.0.10:80; out by docker0"),
    ("policy", "✗ filter FORWARD throws it away: policy of FORWARD; nobody is told"),
    ("vxlan", "+ IPv4 192.168.66.11 → 192.168.66.12 TTL 64, UDP"),
    ("vxlan", "VXLAN 1 18 route"),
    ("fragments", "reassembled from"),
    ("not-a-router", "net.ipv4.ip_forward is 0: not a router; nobody is told"),
]  # fmt: skip


@pytest.mark.parametrize(("walk", "says"), SAYS, ids=[f"{w}: {s[:30]}" for w, s in SAYS])
def test_says(walk, says):
    assert says in " ".join(str(WALKS[walk]()).split())


def test_which_rules_are_told():
    """Of all rules the one that decided; with ``rules`` all, and those of every packet."""
    exchange = WALKS["nat"]()
    short, full = exchange_story(exchange), exchange_story(exchange, rules=True)
    jump = "-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j WEB"
    assert jump not in " ".join(short.split())
    head, _, walks = full.partition("The request:")
    assert "Decided by rules:" in head and " ".join(head.split()).count(jump) == 1
    assert " ".join(walks.split()).count(jump) == 1, "nat rules are asked once in a connection"
    later = full.partition("Rules that the other packets met, in order:")[2]
    assert "packet 8, node1, filter FORWARD: rule: -A FORWARD -s 10.1.0.0/16 -j ACCEPT" in later
    assert ", nat " not in later
    without = bare().ping("web2", "backend")
    assert exchange_story(without, rules=True).endswith("No packet met a firewall rule.")


def test_a_link_header_put_aside_and_back_is_no_news():
    """A bridge shows netfilter the bare IP packet; the story tells the header once."""
    told = str(WALKS["nat"]()).count("+ Ethernet web2:eth0 → node1:docker0")
    assert told == 1


RULE_LINES = [
    ("nat:WEB rule ACCEPT | -A WEB -j DNAT", "-A WEB -j DNAT", "rule: -A WEB -j DNAT"),
    ("filter:FORWARD policy DROP", ":FORWARD DROP", "policy of FORWARD: DROP"),
    ("-A WEB -j ACCEPT", "-A WEB -j ACCEPT", "rule: -A WEB -j ACCEPT"),
]


@pytest.mark.parametrize(("trace", "line", "words"), RULE_LINES, ids=["rule", "policy", "bare"])
def test_rule_line(trace, line, words):
    assert (rule_line(trace), rule_words(trace)) == (line, words)


def test_a_trace_alone():
    story = str(cross_node().packets[0])
    assert story.startswith(
        "Packet 0, ARP who-has 10.1.15.1 tell 10.1.15.2: web2:eth0 → everybody\n─"
    )
    assert "web1 (came in on eth0)" in story


ANNOTATED = [
    ("for 10.1.20.3", "for 10.1.20.3 (backend)"),
    ("for 10.1.20.3:8080!", "for 10.1.20.3:8080 (backend)!"),
    ("at 02:42:0a:01:14:03", "at 02:42:0a:01:14:03 (eth0 of backend)"),
    ("10.1.20.3 and 10.1.20.3", "10.1.20.3 (backend) and 10.1.20.3"),
    ("in 10.1.20.0/24", "in 10.1.20.0/24"),
    ("in 10.1.20.3/32", "in 10.1.20.3/32"),
    ("not 110.1.20.3 nor 10.1.20.33", "not 110.1.20.3 nor 10.1.20.33"),
    ("the route 'via 10.1.15.1 dev eth0'", "the route 'via 10.1.15.1 dev eth0'"),
    ("the node's 10.1.15.1 isn't 10.1.20.3", "the node's 10.1.15.1 (docker0 of node1) isn't 10.1.20.3 (backend)"),
    ("10.1.20.3 (backend) said", "10.1.20.3 (backend) said"),
    ("10.9.9.9", "10.9.9.9"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), ANNOTATED, ids=[a[0] for a in ANNOTATED])
def test_annotate(text, told):
    assert annotate(text, NAMES) == told


def test_annotate_leaves_out_what_is_known():
    assert annotate("from 10.1.20.3", NAMES, {"backend"}) == "from 10.1.20.3"


def test_rewritten_addresses_and_vxlan():
    """Boxes that this version does not have yet, but a story can tell: NAT and VXLAN."""
    plain = (IPv4("10.1.15.2", "10.96.0.10", 6), Tcp(40000, 80, 2))
    nat = (IPv4("10.1.15.2", "10.1.20.3", 6, ttl=63), Tcp(40000, 8080, 2))
    outer = (IPv4("192.168.66.11", "192.168.66.12", 17), Udp(42014, 8472), Vxlan(1))
    tunnel = (*outer, Ethernet("0e:f1:0a:01:0f:00", "02:42:0a:01:14:03"), *nat)
    rule = (
        "-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp " + "-m comment --comment x " * 6 + "-j KUBE-SVC"
    )
    steps = (
        Step("socket", "pass", "", stack_of(plain), "sends"),
        Step("route", "pass", "", stack_of(nat), "translated", rules=(rule,)),
        Step("route", "drop", "", stack_of(tunnel), "wrapped"),
    )
    trace = Trace(0, "TCP S", (Hop("node1", "", steps),), ())
    exchange = Exchange("node1", "svc", "tcp", "lost", "gone", (trace,), 0, None, 0.0, NAMES)
    story = str(exchange)
    assert "~ IPv4 10.1.15.2 → 10.96.0.10 becomes 10.1.15.2 → 10.1.20.3" in story
    assert "~ ports 40000 → 80 become 40000 → 8080" in story
    assert "~ TTL 64 becomes 63" in story
    assert (
        "+ IPv4 192.168.66.11 → 192.168.66.12 TTL 64, UDP 42014 → 8472, VXLAN 1, Ethernet" in story
    )
    assert "wrapped; nobody is told" in story
    assert "rule: -A KUBE-SERVICES" in story
    assert max(map(len, story.splitlines())) <= WIDTH


if __name__ == "__main__":
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(f"{cross_node()}\n", encoding="utf-8")


def test_a_long_name_does_not_end_the_story():
    """A pod's name has up to 253 letters: the column beside it is narrow, but there."""
    packet = stack_of((IPv4("10.1.15.2", "10.96.0.10", 6), Tcp(40000, 80, 2)))
    steps = (Step("route", "error", "", packet, "goes nowhere"),)
    trace = Trace(0, "TCP S", (Hop("a" * 200, "", steps),), ())
    exchange = Exchange(
        "a", "svc", "tcp", "lost", "gone", (trace, trace._replace(n=1)), 0, 1, 0.0, NAMES
    )
    assert str(exchange).count("goes nowhere") == 4
