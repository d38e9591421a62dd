"""The rule stepper tells the rules of the trace, in order, and counts what the kernel tested."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.trace import rule_line
from k8snetlib.views import step_rules

FLOWS = {
    "iptables": lambda: Cluster.example("udp").connect(
        "web2", "10.96.0.10", port=80, endpoint="backend"),
    "nftables": lambda: Cluster.example("vxlan", "nftables").connect(
        "web2", "10.96.0.10", port=80, endpoint="backend"),
    "dropped": lambda: Cluster.example("host-gw").connect("web2", "10.96.0.20", port=80),
}  # fmt: skip


@pytest.fixture(scope="module", params=FLOWS)
def exchange(request):
    return FLOWS[request.param]()


def own(trace):
    hops = [hop for hop in trace.hops if hop.netns == "node1"]
    return hops, [step for hop in hops for step in hop.steps if step.rules]


def test_every_rule_of_the_trace_in_its_order(exchange):
    player = step_rules(exchange.request, "node1")
    assert json.loads(json.dumps(player.data)) == player.data
    hops, there = own(exchange.request)
    *steps, verdict = player.data["packets"][0]["steps"]
    hits = [
        table["rows"][table["marks"].index("hit")] for step in steps for table in step["tables"]
    ]
    matched = [rule_line(line) for step in there for line in step.rules if line.rule is not None]
    lines = [rule for number, rule, _ in hits if number]
    assert all(told.endswith(line) for line, told in zip(lines, matched, strict=True))
    policies = sum(line.rule is None for step in there for line in step.rules)
    assert sum(step["word"] == "policy" for step in steps) == policies
    assert f"after {sum(hop.evaluated for hop in hops)} tests" in verdict["reason"]
    assert f" {sum(hop.evaluated for hop in hops)} so far in node1" in steps[-1]["note"]


def test_the_packet_changes_where_a_rule_changed_it(exchange):
    data = step_rules(exchange.request, "node1").data
    changed = [(s["stage"], s["change"]) for s in data["packets"][0]["steps"] if s["change"]]
    _, there = own(exchange.request)
    assert len(changed) == sum(step.before is not None for step in there)


def test_the_verdict(exchange):
    data = step_rules(exchange.request, "node1").data
    last = data["packets"][0]["steps"][-1]
    _, there = own(exchange.request)
    assert last["verdict"] == there[-1].verdict
    fate = {"pass": "let through", "error": "rejected", "drop": "dropped"}[last["verdict"]]
    assert fate in last["reason"]


def test_all_packets_of_an_exchange_and_places_in_the_drawing(exchange):
    data = step_rules(exchange, "node1").data
    there = [trace.n for trace in exchange.packets if own(trace)[1]]
    assert [packet["n"] for packet in data["packets"]] == there
    assert data["packets"][data["start"]]["n"] == exchange.request_at
    scene = ElementTree.fromstring(data["scene"])
    anchors = {element.get("data-anchor") for element in scene.iter()}
    for packet in data["packets"]:
        for step in packet["steps"]:
            assert step["anchor"] in anchors
            assert step["path"].startswith("M")
            assert 0 <= step["state"] < len(packet["states"])


def test_the_still_picture_says_the_same(exchange):
    player = step_rules(exchange.request, "node1")
    bundle = player.still._repr_mimebundle_()
    for step in player.data["packets"][0]["steps"]:
        assert step["reason"] in bundle["text/plain"]
    assert repr(player) == bundle["text/plain"]


def test_the_policy_of_an_empty_chain():
    cluster = Cluster.example("host-gw", "none", flanneld="--iptables-forward-rules=false")
    cluster["node1"].sh("iptables -P FORWARD DROP")
    lost = cluster.ping("web2", "backend").request
    steps = step_rules(lost, "node1").data["packets"][0]["steps"]
    assert steps[-2]["reason"] == "filter FORWARD throws it away: policy of FORWARD"
    assert (steps[-2]["verdict"], steps[-2]["word"]) == ("drop", "dropped")
    assert "the packet is dropped" in steps[-1]["reason"]


@pytest.mark.parametrize("netns", ["web2", "switch"])
def test_no_rule_there(exchange, netns):
    with pytest.raises(UnknownName):
        step_rules(exchange, netns)
