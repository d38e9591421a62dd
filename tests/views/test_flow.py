"""The packet-flow drawing: which boxes a packet met, as a table; and what the drawing then shows."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.linux.netfilter.hooks import HOOKS
from k8snetlib.packet import Icmp, IPv4, stack_of
from k8snetlib.stages import is_hook
from k8snetlib.trace import Hop, Step
from k8snetlib.views import packet_flow
from k8snetlib.views.chart import CARDS, TAUGHT, lay_out
from k8snetlib.views.flow import crossed, on_paper, visits, walk
from tests.clusters import bare
from tests.views.conftest import with_rules
from tests.views.paper import crossing, cut, faults, holds, overlap
from tests.views.test_player_data import EXCHANGES

RULES = (
    "iptables -t nat -A PREROUTING -d 10.96.0.99 -p tcp --dport 80 -j DNAT --to-destination 10.1.20.3:8080",
    "iptables -t nat -A POSTROUTING -s 10.1.15.0/24 ! -o docker0 -j MASQUERADE",
    "iptables -A FORWARD -s 10.1.0.0/16 -j ACCEPT",
    "iptables -A FORWARD -d 10.1.20.4 -j REJECT",
)  # fmt: skip


def ruled(*more: str) -> Cluster:
    """The cluster of lesson 07, its ARP caches warm; ``more`` are further commands on node1."""
    cluster = bare("host-gw")
    for pair in (("web2", "backend"), ("web2", "web1"), ("node2", "node1")):
        cluster.ping(*pair)
    for rule in (*RULES, *more):
        cluster["node1"].sh(rule)
    return cluster


def warm(backend: str = "udp") -> Cluster:
    cluster = bare(backend)
    cluster.ping("web2", "backend")
    return cluster


def balanced() -> Cluster:
    """IPVS mode; node1 knows node2's MAC address."""
    cluster = Cluster.example("host-gw", proxy_mode="ipvs")
    cluster.ping("web2", "backend")
    return cluster


def ack(exchange):
    return next(trace for trace in exchange.packets if trace.label == "TCP A")


#: name -> (the packet, where, its boxes in order, the hooks that it crossed).
HOPS = {
    "forwarded, from a bridge": (
        lambda: ruled().connect("web2", "10.96.0.99", port=80).request, "node1",
        "in:receive PREROUTING:conntrack PREROUTING:nat bridge:bridge bridge:receive routing:route"
        " routing:forward FORWARD:filter POSTROUTING:nat out:neighbour out:transmit", ""),
    "its second packet": (
        lambda: ack(ruled().connect("web2", "10.96.0.99", port=80)), "node1",
        "in:receive PREROUTING:conntrack PREROUTING:nat bridge:bridge bridge:receive routing:route"
        " routing:forward FORWARD:filter POSTROUTING:nat out:neighbour out:transmit", ""),
    "forwarded, to a bridge": (
        lambda: ruled().connect("web2", "10.96.0.99", port=80).reply, "node1",
        "in:receive PREROUTING:conntrack PREROUTING:nat routing:route routing:forward"
        " FORWARD:filter POSTROUTING:nat out:neighbour out:transmit bridge:bridge out:transmit", ""),
    "without any rule": (
        lambda: warm("host-gw").ping("web2", "backend").request, "node2",
        "in:receive routing:route routing:forward out:neighbour out:transmit bridge:bridge"
        " out:transmit", "PREROUTING FORWARD POSTROUTING"),
    "local out": (
        lambda: ruled().ping("node1", "node2").request, "node1",
        "process:socket own:route OUTPUT:conntrack POSTROUTING:nat out:neighbour out:transmit", ""),
    "local in": (
        lambda: ruled().ping("node2", "node1").request, "node1",
        "in:receive PREROUTING:conntrack PREROUTING:nat routing:route process:icmp", "INPUT"),
    "local in, dropped": (
        lambda: ruled("iptables -A INPUT -p icmp -j DROP").ping("node2", "node1").request, "node1",
        "in:receive PREROUTING:conntrack PREROUTING:nat routing:route INPUT:filter", ""),
    "balanced by IPVS": (
        lambda: balanced().connect("web2", "backend-svc", port=80, endpoint="backend").request,
        "node1",
        "in:receive PREROUTING:conntrack PREROUTING:nat bridge:bridge bridge:receive routing:route"
        " INPUT:filter INPUT:ipvs own:route OUTPUT:filter POSTROUTING:nat out:neighbour"
        " out:transmit", ""),
    "bridged": (
        lambda: ruled().connect("web2", "web1", port=80).request, "node1",
        "in:receive PREROUTING:conntrack PREROUTING:nat bridge:bridge FORWARD:filter"
        " POSTROUTING:nat out:transmit", ""),
    "bridged, part of a connection": (
        lambda: ack(ruled().connect("web2", "web1", port=80)), "node1",
        "in:receive PREROUTING:conntrack bridge:bridge FORWARD:filter out:transmit", "POSTROUTING"),
    "bridged, no rules": (
        lambda: warm().connect("web2", "web1", port=80).reply, "node1",
        "in:receive bridge:bridge out:transmit", ""),
    "bridged to another address": (
        lambda: with_rules("host-gw").connect(
            "backend", "10.96.0.10", port=80, endpoint="backend-b").request, "node2",
        "in:receive PREROUTING:conntrack PREROUTING:nat bridge:neighbour bridge:neighbour"
        " bridge:bridge FORWARD:filter POSTROUTING:nat out:transmit", ""),
    "dropped by a policy": (
        lambda: ruled("iptables -F FORWARD", "iptables -P FORWARD DROP").ping(
            "web2", "backend").request, "node1",
        "in:receive PREROUTING:conntrack PREROUTING:nat bridge:bridge bridge:receive routing:route"
        " routing:forward FORWARD:filter", ""),
    "rejected": (
        lambda: ruled("iptables -D FORWARD 1").ping("web2", "backend-b").request, "node1",
        "in:receive PREROUTING:conntrack PREROUTING:nat bridge:bridge bridge:receive routing:route"
        " routing:forward FORWARD:filter", ""),
    "the rejection itself": (
        lambda: ruled("iptables -D FORWARD 1").ping("web2", "backend-b").reply, "node1",
        "process:icmp own:route out:neighbour out:transmit bridge:bridge out:transmit",
        "OUTPUT POSTROUTING"),
    "by lo": (
        lambda: ruled().ping("node1", "127.0.0.1").request, "node1",
        "process:socket own:route OUTPUT:conntrack POSTROUTING:nat out:transmit in:receive"
        " routing:route process:icmp", "PREROUTING INPUT"),
    "translated on its way out": (
        lambda: ruled("iptables -t nat -A OUTPUT -d 10.96.0.98 -j DNAT --to-destination 10.1.20.3")
        .ping("node1", "10.96.0.98").request, "node1",
        "process:socket own:route OUTPUT:conntrack OUTPUT:nat own:route POSTROUTING:nat"
        " out:neighbour out:transmit", ""),
    "into a TUN device": (
        lambda: warm().ping("web2", "backend").request, "node1",
        "in:receive bridge:bridge bridge:receive routing:route routing:forward out:tun"
        " process:flanneld own:route out:neighbour out:transmit",
        "PREROUTING FORWARD POSTROUTING OUTPUT"),
    "out of a TUN device": (
        lambda: warm().ping("web2", "backend").request, "node2",
        "in:receive routing:route process:socket process:flanneld in:receive routing:route"
        " routing:forward out:neighbour out:transmit bridge:bridge out:transmit",
        "PREROUTING INPUT FORWARD POSTROUTING"),
    "into a VXLAN device": (
        lambda: warm("vxlan").ping("web2", "backend").request, "node1",
        "in:receive bridge:bridge bridge:receive routing:route routing:forward out:neighbour"
        " out:transmit process:vxlan own:route out:neighbour out:transmit",
        "PREROUTING FORWARD POSTROUTING OUTPUT"),
    "ARP, flooded": (
        lambda: bare().ping("web2", "web1").packets[0], "node1",
        "in:receive bridge:bridge out:transmit out:transmit bridge:receive bridge:arp", ""),
    "ARP, answered": (
        lambda: bare().ping("web2", "web1").packets[1], "web1",
        "out:arp out:transmit", ""),
}  # fmt: skip


@pytest.fixture(scope="module", params=HOPS)
def case(request):
    how, netns, boxes, empty = HOPS[request.param]
    return how(), netns, boxes.split(), empty.split()


def test_boxes_in_order_and_hooks_crossed(case):
    trace, netns, boxes, empty = case
    found = walk(visits(trace, netns))
    assert [f"{met.card}:{met.row}" for met in found] == boxes, packet_flow(trace, netns).text
    assert list(crossed(found)) == empty
    assert [met.number for met in found] == list(range(1, len(boxes) + 1))


def test_those_boxes_are_lit_and_no_others(case):
    trace, netns, boxes, empty = case
    svg = packet_flow(trace, netns).svg
    lit = re.findall(r'<g data-anchor="([^"]+)">\n<rect class="row on', svg)
    assert set(lit) == set(boxes) and len(lit) == len(set(boxes))
    assert svg.count('class="card on"') == len({box.split(":")[0] for box in boxes})
    assert svg.count('class="card crossed"') == len(empty) + bool(empty)  # one in the legend


def test_words_stay_in_their_boxes(case):
    trace, netns, *_ = case
    chart, sheet = on_paper(walk(visits(trace, netns)), ("node1", "a packet"))
    assert faults(sheet, chart.width, chart.height) == []
    assert cut(sheet) == []


def test_told_in_words_in_the_same_order(case):
    trace, netns, boxes, empty = case
    picture = packet_flow(trace, netns)
    lines = picture.text.splitlines()[1:]
    numbered = [line.split()[0] for line in lines if line.lstrip()[0].isdigit()]
    assert numbered == [str(n) for n in range(1, len(boxes) + 1)]
    assert [line.strip() for line in lines if "crossed" in line] == [
        f"{hook}: crossed, no rule asked" for hook in empty
    ]
    assert picture.html.count("<tr>") == len(boxes) + 1
    assert "The same in words: every box" in picture.html


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("forwarded, from a bridge", "3 nat PREROUTING (docker0): → 1 rule"),
        ("its second packet", "3 nat PREROUTING (docker0): → no rule"),
        ("its second packet", "8 filter FORWARD (docker0): → 1 rule"),
        ("bridged", "3 nat PREROUTING (docker0): → policy"),
        ("dropped by a policy", "8 filter FORWARD (docker0): ✕ dropped, policy"),
        ("local in, dropped", "5 filter INPUT (eth0): ✕ dropped, 1 rule"),
        ("rejected", "8 filter FORWARD (docker0): ! rejected, 1 rule"),
        ("local in", "5 icmp (eth0): ✓ arrived"),
    ],
)
def test_verdicts_and_rule_counts(name, line):
    how, netns, *_ = HOPS[name]
    picture = packet_flow(how(), netns)
    assert line in [said.strip() for said in picture.text.splitlines()]
    assert f">{line.partition('): ')[2]}</text>" in picture.svg


def test_a_service_counts_all_rules_that_matched(service):
    picture = packet_flow(service.request, "node1")
    assert "nat PREROUTING (docker0): → 4 rules" in picture.text
    assert len(next(s for s in service.request.steps if s.stage == "nat PREROUTING").rules) == 4


def test_where_it_stops_the_line_stops():
    how, netns, *_ = HOPS["dropped by a policy"]
    svg = packet_flow(how(), netns).svg
    assert svg.count('class="row on bad"') == 1
    assert svg.count('class="edge on"') == 4
    assert "At the end: filter FORWARD throws it away: policy of FORWARD." in packet_flow(how(), netns).html  # fmt: skip


PACKET = stack_of((IPv4("10.0.0.1", "10.0.0.2", 1), Icmp(8)))


def hop(*steps: str) -> Hop:
    """A visit made up of ``STAGE`` or ``STAGE!VERDICT``."""
    made = (text.partition("!") for text in steps)
    return Hop("n", "eth0", tuple(Step(s, v or "pass", "eth0", PACKET, "why") for s, _, v in made))


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        (["receive", "conntrack", "route", "conntrack!drop"], "INPUT:confirm"),
        (["receive", "conntrack", "route", "filter INPUT", "conntrack!drop"], "INPUT:confirm"),
        (["receive", "conntrack", "route", "forward", "conntrack!drop"], "POSTROUTING:confirm"),
        (["socket", "route", "conntrack", "conntrack!drop"], "POSTROUTING:confirm"),
        (["receive", "fragment"], "in:fragment"),
        (["receive", "fragment", "fragment"], "out:fragment"),
        (["receive", "route", "fragment"], "routing:fragment"),
        (["receive", "route", "forward", "fragment"], "out:fragment"),
        (["socket", "route", "fragment"], "out:fragment"),
        (["receive!drop"], "in:receive"),
        (["receive", "route!error"], "routing:route"),
    ],
    ids=" ".join,
)
def test_boxes_told_apart_by_the_way(steps, last):
    met = walk([hop(*steps)])[-1]
    assert f"{met.card}:{met.row}" == last


@pytest.fixture(scope="module", params=EXCHANGES)
def anything(request):
    cluster = bare()
    if request.param == "no such node":
        cluster.stop_flanneld("node2")
    return EXCHANGES[request.param](cluster)


def test_every_visit_can_be_drawn(anything):
    """Each step once, in order; a hook's boxes in the kernel's order; every way along a line."""
    for trace in anything.packets:
        for netns in dict.fromkeys(hop.netns for hop in trace.hops):
            hops = visits(trace, netns)
            found = walk(hops)
            assert [met.step for met in found] == [step for hop in hops for step in hop.steps]
            chart = lay_out(tuple((met.card, met.row) for met in found))
            for before, met in pairwise(found):
                lines = set(pairwise(met.way)) - {("in", "out")}  # a piece that waited
                assert lines <= set(chart.edges), met
                if is_hook(met.step.stage) and before.card == met.card:
                    order = HOOKS[met.card]
                    assert order.index(before.row) < order.index(met.row)
            _, sheet = on_paper(found, (netns,))
            assert faults(sheet, chart.width, chart.height) == []


def test_a_hop_alone_is_enough(exchange):
    visit = exchange.request.hops[1]
    assert visit.netns == "node1"
    boxes = packet_flow(visit).text.splitlines()[1:]
    assert boxes == packet_flow(exchange.request, "node1").text.splitlines()[1:]


def test_a_visit_without_steps_is_words():
    picture = packet_flow(Hop("node1", "eth0", ()))
    assert picture.text == (
        "The packet-flow drawing of node1, walked:\nNo box: nothing was recorded here."
    )
    assert "row on" not in picture.svg


@pytest.mark.parametrize(
    ("netns", "said"), [("", "This packet saw: web2, node1"), ("node3", "node1"), ("nod1", "node1")]
)
def test_never_there(exchange, netns, said):
    with pytest.raises(UnknownName) as caught:
        packet_flow(exchange.request, netns)
    assert said in str(caught.value)


# -- the drawing itself -----------------------------------------------------------------------------


def test_the_rows_of_a_hook_are_the_kernels_order():
    svg = packet_flow().svg
    for hook, tables in HOOKS.items():
        rows = re.findall(rf'data-anchor="{hook}:([a-z]+)"', svg)
        heights = [float(y) for y in re.findall(
            rf'data-anchor="{hook}:[a-z]+">\n<rect class="row" x="[^"]+" y="([^"]+)"', svg)]  # fmt: skip
        assert tuple(rows) == tables
        assert heights == sorted(heights) and len(heights) == len(tables)


def test_cards_keep_apart_and_lines_keep_off_words():
    extra = (*(("process", row) for row in ("icmp", "flanneld", "vxlan")), ("out", "tun"))
    chart = lay_out((*extra, *extra))
    boxes = list(chart.cards.values())
    for n, one in enumerate(boxes):
        assert not any(overlap(one, other) for other in boxes[n + 1 :])
    for (card, _), row in chart.rows.items():
        assert holds(chart.cards[card], row)
    assert len(set(chart.rows.values())) == len(chart.rows)
    for pair, line in chart.edges.items():
        assert not any(crossing(line, row) for row in chart.rows.values()), pair
        assert not crossing(line, chart.legend), pair
        assert all(0 <= x <= chart.width and 0 <= y <= chart.height for x, y in line), pair
    assert set(TAUGHT) <= set(chart.edges)
    assert {card for pair in TAUGHT for card in pair} == set(CARDS)


def test_the_drawing_alone_fits():
    chart, sheet = on_paper((), ("One kernel",))
    assert faults(sheet, chart.width, chart.height) == []
    assert cut(sheet) == []
    words = packet_flow().text
    assert all(f"{hook}: {', '.join(tables)}" in words for hook, tables in HOOKS.items())


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("forwarded, from a bridge",
         "in>PREROUTING PREROUTING>bridge bridge>routing routing>FORWARD FORWARD>POSTROUTING"
         " POSTROUTING>out"),
        ("into a TUN device",
         "in>bridge bridge>PREROUTING PREROUTING>routing routing>FORWARD FORWARD>POSTROUTING"
         " POSTROUTING>out out>process process>own own>OUTPUT OUTPUT>POSTROUTING POSTROUTING>out"),
        ("bridged, part of a connection",
         "in>PREROUTING PREROUTING>bridge bridge>FORWARD FORWARD>POSTROUTING POSTROUTING>out"),
        ("bridged, no rules", "in>bridge bridge>out"),
        ("ARP, flooded", "in>bridge bridge>out"),
        ("the rejection itself",
         "process>own own>OUTPUT OUTPUT>POSTROUTING POSTROUTING>out out>bridge bridge>out"),
    ],
)  # fmt: skip
def test_lines_that_were_walked(name, way):
    how, netns, *_ = HOPS[name]
    found = walk(visits(how(), netns))
    assert [f"{a}>{b}" for met in found for a, b in pairwise(met.way)] == way.split()


def test_an_arp_answer_leaves_by_the_bridge():
    answer = bare().ping("web2", "node1").packets[1]
    ways = [met.way for met in walk(visits(answer, "node1"))]
    assert ways == [(), ("out",), ("out", "bridge"), ("bridge", "out")]
