""" "Why?": every rule that a kernel tested is told, and each command shows the entry that decided."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.linux.netfilter.syntax import parse_rule
from k8snetlib.stages import is_hook
from k8snetlib.views.player import player_data
from k8snetlib.views.rules import MOST, asked, why_not
from k8snetlib.views.why import why
from tests.views.conftest import with_rules

MODES = {"iptables": "udp", "nftables": "vxlan", "ipvs": "host-gw", "none": "udp"}
FLOWS = {
    "Service": lambda c: c.connect("web2", "10.96.0.10", port=80, endpoint="backend"),
    "hairpin": lambda c: c.connect("backend", "10.96.0.10", port=80, endpoint="backend"),
    "node port": lambda c: c.connect("client", "192.168.66.11", port=30080),
    "ping": lambda c: c.ping("web2", "backend"),
    "outside": lambda c: c.connect("web2", "ext", port=80),
}


@pytest.fixture(scope="module", params=MODES)
def walked(request):
    cluster = Cluster.example(MODES[request.param], request.param)
    return cluster, [flow(cluster) for flow in FLOWS.values()]


def steps_of(exchanges):
    return [
        (exchange, hop, step)
        for exchange in exchanges
        for trace in exchange.packets
        for hop in trace.hops
        for step in hop.steps
    ]


def test_no_rule_is_left_out(walked):
    """The stretches add up to what the kernel counted (a look-up of IPVS is a test, but no rule)."""
    counted = 0
    for exchange in walked[1]:
        for trace in exchange.packets:
            for hop in trace.hops:
                rules = sum(one.evaluated for step in hop.steps for one in asked(step.rules))
                more = hop.evaluated - rules
                assert 0 <= more <= 2 if walked[0][hop.netns].ipvs.services else more == 0
                counted += rules
    assert counted > 50


def test_the_matched_rules_are_those_of_the_step(walked):
    for _, _, step in steps_of(walked[1]):
        ends = [one.line for one in asked(step.rules) if one.kind != "returned"]
        assert ends == list(step.rules)
        for one in asked(step.rules):
            if one.kind == "matched":
                assert one.rules[one.place] is one.line.rule


def test_no_simple_reason_against_a_rule_that_matched(walked):
    for _, _, step in steps_of(walked[1]):
        packet, hook = step.before or step.packet, step.stage.partition(" ")[2]
        for one in asked(step.rules):
            said = (
                why_not(one.line.rule, packet, hook, step.device) if one.kind == "matched" else ""
            )
            assert said == "" or said.endswith("says no") or said == "chance said no", one.line


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("-d 10.96.0.11/32 -j ACCEPT", "not to 10.96.0.11/32"),
        ("! -d 10.1.0.0/16 -j ACCEPT", "to 10.1.0.0/16"),
        ("-s 10.1.20.0/24 -j ACCEPT", "not from 10.1.20.0/24"),
        ("-p udp -m udp --dport 53 -j ACCEPT", "not udp"),
        ("-p tcp -m tcp --dport 81 -j ACCEPT", "not to port 81"),
        ("-i eth0 -j ACCEPT", "not on eth0"),
        ("-m conntrack --ctstate INVALID -j DROP", "-m conntrack --ctstate INVALID says no"),
        ("-m statistic --mode random --probability 0.5 -j ACCEPT", "chance said no"),
        ("-p tcp -m tcp --dport 8080 -j ACCEPT", ""),
    ],
)
def test_why_a_rule_was_passed_over(exchange, rule, said):
    packet = next(s.packet for s in exchange.request.steps if s.stage == "route")
    assert why_not(parse_rule(rule), packet, "PREROUTING", "docker0") == said


@pytest.mark.parametrize(
    ("rule", "said"),
    [("-o eth0 -j ACCEPT", "not leaving by eth0"), ("! -o flannel0 -j ACCEPT", "leaving by flannel0"),
     ("-o flannel0 -j ACCEPT", "")],
)  # fmt: skip
def test_the_device_by_which_a_packet_leaves(exchange, rule, said):
    packet = next(s.packet for s in exchange.request.steps if s.stage == "route")
    assert why_not(parse_rule(rule), packet, "POSTROUTING", "flannel0") == said


def test_each_command_shows_the_entry_that_decided(walked):
    cluster, exchanges = walked
    kinds = set()
    for exchange, hop, step in steps_of(exchanges):
        found = why(hop, step, exchange.names)
        if found is None:
            assert step.by is None or type(step.by).__name__ in ("Device",), step
            assert not step.rules
            continue
        outputs = [cluster[hop.netns].sh(command) for command in found["commands"]]
        kind = type(step.by).__name__
        kinds.add(kind)
        if kind == "Route":
            assert str(step.by) in outputs[1].replace(" \n", "\n")
            assert f"dev {step.by.dev}" in outputs[0]
        elif kind == "Neighbour":
            assert f"{step.by.ip} lladdr {step.by.mac}" in outputs[0]
        elif kind == "FdbEntry":
            assert str(step.by) in outputs[0]
        elif kind == "ProxyRoute":
            assert str(step.by).partition(" ")[0].replace("/", "-") in outputs[0]
        for chain in found["chains"]:
            listed = cluster[hop.netns].sh(chain["command"])
            for number, rule, _ in chain["rows"]:
                assert not number or rule in listed
    assert {"Route", "Neighbour", "FdbEntry"} <= kinds


def test_a_long_chain_is_cut_short():
    cluster = with_rules()
    lines = "".join(f"-A FORWARD -s 10.9.9.{n}/32 -j DROP\n" for n in range(40))
    text = f"*filter\n{lines}-A FORWARD -j ACCEPT\nCOMMIT\n"
    cluster["node1"].sh("iptables-restore", text)
    exchange = cluster.connect("web2", "10.1.20.3", port=8080)
    data = player_data(exchange)
    steps = data["packets"][exchange.request_at]["steps"]
    chain = next(s for s in steps if s["stage"] == "filter FORWARD")["why"]["chains"][0]
    assert chain["rows"][0] == ["", "", f"{40 - MOST} rules more, passed over"]
    assert chain["rows"][chain["hit"]] == ["41", "-A FORWARD -j ACCEPT", "matched: ACCEPT"]
    assert len(chain["rows"]) == MOST + 2


def test_chains_stay_as_they_were(walked):
    """A rule that comes later is not told of a packet that was before."""
    cluster, exchanges = walked
    told = [why(hop, step, e.names) for e, hop, step in steps_of(exchanges) if is_hook(step.stage)]
    late = cluster.clone()
    late["node1"].sh("iptables -I FORWARD -j DROP")
    again = [why(hop, step, e.names) for e, hop, step in steps_of(exchanges) if is_hook(step.stage)]
    assert told == again
    flow = FLOWS["ping"](late)
    rows = [
        row
        for _, hop, step in steps_of([flow])
        for chain in (why(hop, step, flow.names) or {"chains": []})["chains"]
        for row in chain["rows"]
    ]
    assert ["1", "-A FORWARD -j DROP", "matched: DROP"] in rows
