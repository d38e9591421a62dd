"""Rules in few words, and the chains of a load balancer's Service with session affinity."""

from __future__ import annotations

from fractions import Fraction

import pytest

from k8snetlib.linux.netfilter.save import restore
from k8snetlib.linux.netfilter.syntax import parse_rule
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.views.chain_cards import cards_of, columns_of, lay_out
from k8snetlib.views.chain_graph import chain_graph, condition
from k8snetlib.views.chain_map import draw_chains

CONDITIONS = {
    "-d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j X": "to 10.96.0.10, tcp port 80",
    "! -s 10.1.0.0/16 -j X": "not from 10.1.0.0/16",
    "-p udp -m udp --dport 1000:2000 -j X": "udp port 1000-2000",
    "-p tcp -m tcp ! --dport 80 -j X": "not tcp port 80",
    "-p tcp -m tcp -j DNAT --to-destination 10.0.0.1:1": "",
    "-m addrtype --dst-type LOCAL -j X": "to any address of this node",
    "-m addrtype --src-type LOCAL -j X": "from this node itself",
    "-m addrtype ! --dst-type LOCAL -j X": "not to any address of this node",
    "-m addrtype --dst-type BROADCAST -j X": "to an address that is BROADCAST",
    "-m statistic --mode random --probability 0.5 -j X": "",
    "-m recent --rcheck --seconds 10800 --reap --name A --mask 255.255.255.255 --rsource -j X":
        "a client seen in the last 10800 s",
    "-m conntrack --ctstate NEW -j X": "NEW",
    "-m mark ! --mark 0x4000/0x4000 -j RETURN": "not marked",
    "-i eth0 ! -o docker0 -j X": "in by eth0, not out by docker0",
    '-m comment --comment "default/a:http" -j X': "",
    "-m physdev --physdev-is-bridged -j X": "physdev --physdev-is-bridged",
}  # fmt: skip


@pytest.mark.parametrize("rule", CONDITIONS)
def test_a_rule_in_few_words(rule):
    jump = rule.replace("-j X", "-j ACCEPT")
    assert condition(parse_rule(jump)) == CONDITIONS[rule]


SEPS = ("KUBE-SEP-AAAAAAAAAAAAAAAA", "KUBE-SEP-BBBBBBBBBBBBBBBB")
SVC, FW, EXT = (f"KUBE-{kind}-CCCCCCCCCCCCCCCC" for kind in ("SVC", "FW", "EXT"))
SAYS = "-m comment --comment shop/web:http"


def _affinity(n: int) -> str:
    seen = f"--name {SEPS[n]} --mask 255.255.255.255 --rsource"
    return (
        f"-A {SVC} {SAYS} -m recent --rcheck --seconds 600 --reap {seen} -j {SEPS[n]}\n"
        f"-A {SEPS[n]} {SAYS} -s 10.0.0.{n + 1}/32 -j KUBE-MARK-MASQ\n"
        f"-A {SEPS[n]} {SAYS} -p tcp -m recent --set {seen} -m tcp "
        f"-j DNAT --to-destination 10.0.0.{n + 1}:80\n"
    )


#: A Service of type LoadBalancer for one range of clients, with session affinity.
DUMP = (
    "*nat\n"
    + "".join(f":{name} - [0:0]\n" for name in (
        "KUBE-MARK-MASQ", "KUBE-NODEPORTS", "KUBE-SERVICES", SVC, FW, EXT, *SEPS))
    + f"""\
-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES {SAYS} -d 10.96.0.9/32 -p tcp -m tcp --dport 80 -j {SVC}
-A KUBE-SERVICES {SAYS} -d 203.0.113.9/32 -p tcp -m tcp --dport 80 -j {FW}
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS {SAYS} -p tcp -m tcp --dport 30009 -j {EXT}
-A {FW} {SAYS} -s 198.51.100.0/24 -j {EXT}
-A {FW} -m comment --comment "other traffic to shop/web:http will be dropped"
-A {EXT} {SAYS} -j KUBE-MARK-MASQ
-A {EXT} -j {SVC}
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
{_affinity(0)}{_affinity(1)}\
-A {SVC} {SAYS} -m statistic --mode random --probability 0.50000000000 -j {SEPS[0]}
-A {SVC} {SAYS} -j {SEPS[1]}
COMMIT
"""
)  # fmt: skip


@pytest.fixture(scope="module")
def graph():
    ruleset = Ruleset()
    restore(ruleset, DUMP)
    return chain_graph(ruleset, "shop/web")


def test_affinity_is_a_condition_and_chance_is_for_new_clients(graph):
    lines = graph.edges[f"nat {SVC}", f"nat {SEPS[0]}"]["lines"]
    assert [(line.condition, line.chance, line.share) for line in lines] == [
        ("a client seen in the last 600 s", None, None),
        ("", Fraction(1, 2), Fraction(1, 2)),
    ]
    *_, last = graph.edges[f"nat {SVC}", f"nat {SEPS[1]}"]["lines"]
    assert (last.condition, last.share) == ("the rest", Fraction(1, 2))


def test_columns_follow_the_way_of_a_packet(graph):
    column = columns_of(cards_of(graph, {}))
    order = ("KUBE-SERVICES", "KUBE-NODEPORTS", FW, EXT, SVC, *SEPS)
    assert [column[f"nat {name}"] for name in order] == [0, 0, 1, 2, 3, 4, 4]


def test_lines_into_one_card_do_not_cross(graph):
    """Whoever comes from higher up arrives higher up."""
    cards = cards_of(graph, {})
    plan = lay_out(cards)
    into: dict[str, list[tuple[float, float]]] = {}
    for way, _ in plan.ways:
        goal = next(k for k, b in plan.boxes.items() if b.x == way[-1].x and b.y < way[-1].y < b.bottom) \
            if way[-1].x > way[-2].x else ""  # fmt: skip
        into.setdefault(goal, []).append((way[-2].y, way[-3].y if len(way) > 2 else way[-2].y))
    for goal, ends in into.items():
        if goal and len(ends) > 1:
            by_arrival = [start for _, start in sorted(ends)]
            assert by_arrival == sorted(by_arrival), goal


def test_a_rule_without_a_target_goes_on(graph):
    text = draw_chains(graph, "node1", {"10.0.0.1": "web-1"}).text
    assert "  2. everything → goes on: 0" in text
    assert "10.0.0.1:80 (web-1) 1/2 of all, so far 0" in text
