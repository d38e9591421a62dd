"""nftables: what packets meet, and in which order."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster, Exchange
from k8snetlib.linux.chance import Dice
from k8snetlib.linux.netfilter.hooks import HOOKS
from k8snetlib.linux.netfilter.rule import Probe
from k8snetlib.linux.nftables.ruleset import Nftables
from k8snetlib.trace import Step, rule_line
from tests.clusters import bare as without_rules
from tests.linux.test_netfilter import TCP_SYN
from tests.test_cluster import with_a_rule_in_every_chain


def bare() -> Cluster:
    """The example cluster without a rule on any node."""
    return without_rules("host-gw")


TABLE = """
table ip t {
	set s { type ipv4_addr; elements = { 1.1.1.1 } }
	map m { type ipv4_addr : verdict; elements = { 1.1.1.1 : goto c } }
	chain c { }
	chain b { type filter hook input priority 0; ip saddr vmap @m; ip saddr @s jump c; }
}
"""


# -- walking --------------------------------------------------------------------------------------


def walk(text: str, source: str = "web2", target: str = "10.1.20.3", **options: object) -> Exchange:
    """A packet through a cluster on whose node1 these are the only rules."""
    cluster = bare()
    cluster["node1"].sh("nft -f -", text)
    options = {"port": 8080, "proto": "tcp", "sport": 40000} | options
    return cluster.send(source, target, **options)


def steps(exchange: Exchange, netns: str = "node1") -> list[Step]:
    assert exchange.request is not None
    return [s for hop in exchange.request.hops if hop.netns == netns for s in hop.steps if s.rules]


def chain(hook: str, *rules: str, kind: str = "filter", priority: str = "0", more: str = "") -> str:
    lines = "\n".join(rules)
    base = f"type {kind} hook {hook} priority {priority};"
    return f"table ip t {{\n{more}\nchain b {{ {base}\n{lines}\n}}\n}}"


#: The chain's rules in FORWARD; how a connection to backend's port 8080 ends.
VERDICTS = {
    "drop": "dropped",
    "accept": "delivered",
    "reject": "rejected",
    "reject with tcp reset": "refused",
    "reject with icmp admin-prohibited": "rejected",
    "tcp dport 8080 drop": "dropped",
    "tcp dport != 8080 drop": "delivered",
    "th dport { 80, 8080 } drop": "dropped",
    "udp dport 8080 drop": "delivered",
    "tcp dport 8000-9000 drop": "dropped",
    "tcp sport 40000 drop": "dropped",
    "ip saddr 10.1.15.0/24 drop": "dropped",
    "ip saddr != 10.1.15.0/24 drop": "delivered",
    "ip saddr { 10.1.15.2, 10.2.0.0/16 } drop": "dropped",
    "ip saddr 10.1.15.3-10.1.15.9 drop": "delivered",
    "ip daddr . th dport { 10.1.20.3 . 8080, 1.1.1.1 . 1 } drop": "dropped",
    'iifname "docker0" drop': "dropped",
    'iifname "dock*" drop': "dropped",
    'oifname != "eth0" drop': "delivered",
    "meta l4proto tcp drop": "dropped",
    "ip protocol icmp drop": "delivered",
    "ct state new drop": "dropped",
    "ct state established,related drop": "delivered",
    "ct status dnat drop": "delivered",
    # Compared as numbers: a new connection is not exactly "new and established" (Linux 6.18).
    "ct state != new,established drop": "dropped",
    "ct state != new drop": "delivered",
    "fib daddr type local drop": "delivered",
    "fib saddr type unicast drop": "dropped",
    "icmp type echo-request drop": "delivered",
    "ip daddr vmap { 10.1.20.3 : drop }": "dropped",
    "ip daddr vmap { 10.1.0.0/16 : drop, 10.9.9.9 : accept }": "dropped",
    "ip daddr vmap { 10.9.9.9 : drop }": "delivered",
    "numgen random mod 1 vmap { 0 : drop }": "dropped",
    "mark set 0x7\nmark 0x7 drop": "dropped",
    "mark set 0x7\nmark set mark xor 0x7\nmark != 0 drop": "delivered",
    "mark set 0x6\nmark set mark or 1\nmark and 0x3 == 0x3 drop": "dropped",
    "mark set 0xff\nmark set mark and 0xf0 xor 0x3\nmark 0xf3 drop": "dropped",
    "return\ndrop": "delivered",
    "continue\ndrop": "dropped",
}


@pytest.mark.parametrize(("rules", "outcome"), VERDICTS.items(), ids=VERDICTS)
def test_a_rule_decides(rules: str, outcome: str) -> None:
    exchange = walk(chain("forward", *rules.split("\n")))
    assert exchange.request is not None
    reached = exchange.request.delivered and exchange.outcome in ("lost", "dropped")
    assert outcome == ("delivered" if reached else exchange.outcome)


def test_jumps_come_back_and_gotos_do_not() -> None:
    """a jumps to one (which returns) and goes on; goto two never comes back here."""
    text = """table ip t {
    chain two { tcp dport 1 drop
      return }
    chain one { ip saddr 10.1.15.2 return
      drop }
    chain b { type filter hook forward priority 0; policy drop;
      jump one
      tcp dport 8080 goto two
      accept } }"""
    (step,) = steps(walk(text))
    assert [str(m) for m in step.rules] == [
        "ip t:b rule jump one | add rule ip t b jump one",
        "ip t:one rule return | add rule ip t one ip saddr 10.1.15.2 return",
        "ip t:b rule goto two | add rule ip t b tcp dport 8080 goto two",
        "ip t:two rule return | add rule ip t two return",
        "ip t:b policy DROP",
    ]
    assert rule_line(step.rules[0]) == "add rule ip t b jump one"
    assert (step.stage, step.verdict) == ("nft FORWARD", "drop")


MAPS = """
map m { type ipv4_addr . inet_proto . inet_service : verdict
  elements = { 10.1.20.3 . tcp . 8080 : goto away, 10.1.20.3 . udp . 53 : drop } }
chain away { dnat to 10.1.20.4:8080 }
"""


def test_a_map_finds_the_chain_and_nat_translates() -> None:
    text = chain("prerouting", "ip daddr . meta l4proto . th dport vmap @m", kind="nat",
                 priority="dstnat", more=MAPS)  # fmt: skip
    exchange = walk(text)
    assert exchange.outcome == "delivered"
    assert exchange.request is not None
    assert exchange.request.end == "backend-b"
    (step,) = steps(exchange)
    assert step.stage == "nat PREROUTING"
    assert [m.verdict for m in step.rules] == ["goto away", "accept"]
    assert exchange.reply is not None
    assert exchange.reply.last.packet.innermost.ip.src == "10.1.20.3", "translated back"


@pytest.mark.parametrize(("priority", "outcome"), [("-301", "dropped"), ("-199", "delivered")])
def test_before_conntrack_every_packet_is_invalid(priority: str, outcome: str) -> None:
    """nft_ct.c: no connection and not exempted."""
    text = chain("prerouting", "ct state invalid drop", priority=priority)
    text += "\ntable ip t { chain c { type filter hook forward priority 0; ct state new; } }"
    assert walk(text.replace("ct state new;", "ct state new accept;")).outcome == outcome


def test_th_reads_an_icmp_message_s_type_as_a_port() -> None:
    """An echo request begins with 8 and 0; 0x0800 is 2048."""
    exchange = walk(chain("forward", "th sport 2048 drop"), proto="icmp", port=None, sport=None)
    assert exchange.outcome == "dropped"


def test_masquerade_takes_the_node_s_address() -> None:
    text = chain("postrouting", "masquerade", kind="nat", priority="srcnat")
    exchange = walk(text)
    assert exchange.request is not None
    assert exchange.request.last.packet.innermost.ip.src == "192.168.66.11"


def test_a_sender_is_remembered_as_long_as_the_set_says() -> None:
    """The first packet is remembered; later ones are dropped while 10 s have not passed."""
    cluster = bare()
    more = "set seen { type ipv4_addr; flags dynamic,timeout; timeout 10s; }"
    rules = ("ip saddr != 10.1.15.2 accept", "ip saddr @seen drop", "add @seen { ip saddr }")
    cluster["node1"].sh("nft -f -", chain("forward", *rules, more=more))
    ask = {"port": 53, "proto": "udp"}
    assert cluster.send("web2", "10.1.20.3", **ask).outcome == "delivered"
    assert "10.1.15.2 expires 10s" in cluster["node1"].sh("nft list set ip t seen")
    copy = cluster.clone()
    assert cluster.send("web2", "10.1.20.3", **ask).outcome == "dropped"
    copy.advance("11s")
    assert copy.send("web2", "10.1.20.3", **ask).outcome == "delivered"
    assert "elements" not in cluster.clone()["node1"].sh("nft list set ip t seen")[:60]


def test_update_begins_the_time_anew_and_add_does_not() -> None:
    nft = Nftables()
    nft.load("table ip t { set s { type ipv4_addr; flags dynamic,timeout; timeout 10s; } }")
    table = nft.table("ip", "t")
    assert table.remember("s", 1, 0.0, 0, False)
    assert table.remember("s", 1, 5.0, 0, False)
    assert not table.holds("s", 1, 10.0)
    assert table.remember("s", 1, 10.0, 0, True)
    assert table.remember("s", 1, 15.0, 0, True)
    assert table.holds("s", 1, 24.0)
    assert not table.holds("s", 1, 25.0)


# -- order ----------------------------------------------------------------------------------------


def marked_by(first: str, second: str) -> str:
    """Which of two base chains of these priorities marks a packet first."""
    cluster = bare()
    node = cluster["node1"]
    for number, priority in ((1, first), (2, second)):
        base = f"type filter hook forward priority {priority};"
        node.sh("nft -f -", f"table ip t{number} {{ chain b {{ {base} "
                            f"meta mark 0 mark set {number}; }} }}")  # fmt: skip
    node.sh("nft -f -", "table ip last { chain b { type filter hook forward priority 90; "
                        "mark 1 drop; } }")  # fmt: skip
    outcome = cluster.connect("web2", "10.1.20.3", 8080).outcome
    return "first" if outcome == "dropped" else "second"


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [("0", "1", "first"), ("1", "0", "second"), ("0", "0", "second"), ("-150", "0", "first")],
)
def test_of_equal_priority_the_last_registered_speaks_first(
    first: str, second: str, wins: str
) -> None:
    """Tried out on Linux 6.18."""
    assert marked_by(first, second) == wins


@pytest.mark.parametrize(
    ("priority", "hook", "before"),
    [
        (-301, "prerouting", ["nft", "raw", "conntrack", "mangle", "nat"]),
        (-110, "prerouting", ["raw", "conntrack", "mangle", "nft", "nat"]),
        (-99, "prerouting", ["raw", "conntrack", "mangle", "nat", "nft"]),
        (0, "forward", ["mangle", "nft", "filter", "security"]),
        (1, "forward", ["mangle", "filter", "nft", "security"]),
        (101, "postrouting", ["mangle", "nat", "nft", "confirm"]),
    ],
)
def test_iptables_and_nftables_speak_in_the_order_of_priorities(
    priority: int, hook: str, before: list[str]
) -> None:
    node = with_a_rule_in_every_chain(Cluster.example())["node1"]
    node.sh("nft -f -", chain(hook, "accept", priority=str(priority)))
    ruleset, name = node.ruleset, hook.upper()
    boxes = [b if isinstance(b, str) else "nft" for b in ruleset.active(name, HOOKS[name])]
    assert boxes == before


def test_a_table_of_iptables_that_came_later_speaks_first() -> None:
    node = bare()["node1"]
    node.sh("nft -f -", chain("forward", "accept"))
    node.sh("iptables -A FORWARD -j ACCEPT")
    boxes = node.ruleset.active("FORWARD", ("mangle", "filter", "security"))
    assert [b if isinstance(b, str) else "nft" for b in boxes] == ["filter", "nft"]


@pytest.mark.parametrize(
    ("order", "lands"), [(("nft", "iptables"), "backend"), (("iptables", "nft"), "backend-b")]
)
def test_the_first_translation_counts(order: tuple[str, str], lands: str) -> None:
    """Both want to translate; what was registered last is asked first."""
    cluster = bare()
    node = cluster["node1"]
    commands = {
        "iptables": lambda: node.sh("iptables -t nat -A PREROUTING -d 10.9.9.9 -p tcp "
                                    "-j DNAT --to-destination 10.1.20.3"),
        "nft": lambda: node.sh("nft -f -", chain("prerouting", "ip daddr 10.9.9.9 dnat to "
                                                 "10.1.20.4", kind="nat", priority="-100")),
    }  # fmt: skip
    for name in order:
        commands[name]()
    exchange = cluster.connect("web2", "10.9.9.9", 8080)
    assert exchange.request is not None
    assert exchange.request.end == lands


# -- cost and copies ------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [1, 2000])
def test_a_look_up_costs_the_same_whatever_it_looks_into(many: int) -> None:
    """Two rules are tried: the look-up that finds nothing, and accept."""
    elements = ", ".join(f"10.97.{n // 250}.{n % 250} : drop" for n in range(many))
    more = f"map m {{ type ipv4_addr : verdict; elements = {{ {elements} }} }}"
    cluster = bare()
    node = cluster["node1"]
    node.sh("nft -f -", chain("forward", "ip daddr vmap @m", "accept", more=more))
    p = Probe(node, TCP_SYN, "docker0", "eth0", 0, 0.0, Dice(cluster.network.random))
    (base,) = node.ruleset.active("FORWARD", ())
    base.run(p)
    assert p.evaluated == 2


def test_a_copy_shares_chains_and_changes_alone() -> None:
    cluster = bare()
    cluster["node1"].sh("nft -f -", TABLE)
    before = cluster["node1"].sh("nft list ruleset")
    copy = cluster.clone()
    ours, theirs = (c["node1"].ruleset.nft for c in (cluster, copy))
    assert ours is not None
    assert theirs is not None
    assert ours.table("ip", "t").chains["b"] is theirs.table("ip", "t").chains["b"]
    copy["node1"].sh("nft add element ip t s '{ 7.7.7.7 }'")
    copy["node1"].sh("nft add rule ip t c drop")
    assert cluster["node1"].sh("nft list ruleset") == before
    assert "7.7.7.7" in copy["node1"].sh("nft list set t s")


def test_without_tables_nothing_is_left_to_ask() -> None:
    node = bare()["node1"]
    node.sh("nft -f -", TABLE)
    assert not node.ruleset.empty
    node.sh("nft delete table ip t")
    assert node.ruleset.empty
    assert node.ruleset.nft is None
