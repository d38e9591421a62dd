"""The player's data is the Trace, nothing more and nothing less."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from k8snetlib import Cluster
from k8snetlib.views import play
from k8snetlib.views.player import Player, player_data
from k8snetlib.wire import encode
from k8snetlib.words import annotate
from tests.views.conftest import with_rules

EXCHANGES = {
    "other node": lambda c: c.connect("web2", "10.1.20.3", port=8080),
    "same node": lambda c: c.connect("web2", "web1", port=80),
    "ping": lambda c: c.ping("web2", "backend"),
    "closed port": lambda c: c.send("web2", "backend", 9999, proto="udp"),
    "nobody there": lambda c: c.ping("web2", "10.1.15.77"),
    "no such node": lambda c: c.ping("web2", "10.1.99.9"),
    "to the internet": lambda c: c.connect("web2", "ext", port=80),
    "from the client": lambda c: c.connect("client", "ext", port=80),
    "to itself": lambda c: c.ping("web2", "10.1.15.2"),
    "by vxlan": lambda c: Cluster.example("vxlan").connect("web2", "backend", port=8080),
    "by host-gw": lambda c: Cluster.example("host-gw").connect("web2", "backend", port=8080),
    "fragments": lambda c: c.ping("web2", "backend", payload=3000, df=False),
    "a Service": lambda c: with_rules("vxlan").connect("web2", "10.96.0.10", port=80),
    "a Service on one bridge": lambda c: with_rules().connect(
        "backend", "10.96.0.10", port=80, endpoint="backend-b"),
    "a Service without endpoints": lambda c: with_rules().connect("web2", "10.96.0.20", port=80),
}  # fmt: skip


def walk_of(name):
    """The exchange of that name, in a cluster of its own."""
    cluster = Cluster.example()
    if name == "no such node":
        cluster.stop_flanneld("node2")
    return EXCHANGES[name](cluster)


@pytest.fixture(scope="module", params=EXCHANGES)
def walked(request):
    return walk_of(request.param)


@pytest.fixture(scope="module")
def data(exchange):
    return player_data(exchange)


def test_equals_the_trace(walked):
    found = player_data(walked)
    assert json.loads(json.dumps(found)) == found
    assert [p["n"] for p in found["packets"]] == [trace.n for trace in walked.packets]
    for packet, trace in zip(found["packets"], walked.packets, strict=True):
        said = [(s["reason"], s["verdict"], s["stage"], s["device"]) for s in packet["steps"]]
        assert said == [
            (annotate(step.reason, walked.names), step.verdict, step.stage, step.device)
            for step in trace.steps
        ]
        hops = [hop.netns for hop in trace.hops for _ in hop.steps]
        assert [step["netns"] for step in packet["steps"]] == hops


def test_every_step_has_an_anchor_in_the_scene(walked):
    found = player_data(walked)
    scene = ElementTree.fromstring(found["scene"])
    there = {element.get("data-anchor") for element in scene.iter()}
    for packet in found["packets"]:
        for step in packet["steps"]:
            assert step["anchor"] in there, step
            assert step["anchor"].startswith(f"{step['netns']}:"), step
            assert step["path"].startswith("M")


def test_bytes_are_those_on_the_wire(walked):
    for packet, trace in zip(player_data(walked)["packets"], walked.packets, strict=True):
        for shown, step in zip(packet["steps"], trace.steps, strict=True):
            layers = packet["states"][shown["state"]]["layers"]
            assert bytes.fromhex(" ".join(layer["hex"] for layer in layers)) == encode(step.packet)


def test_a_way_without_gaps(exchange, data):
    """A packet to one station is one line: each step begins where the one before ended."""
    steps = data["packets"][exchange.request.n]["steps"]
    for before, after in pairwise(steps):
        x, y = after["path"][1:].split("L")[0].split()
        assert [float(x), float(y)] == before["at"], (before["place"], after["place"])


def places(exchange, netns):
    """The boxes of the request on one host, and where each is drawn."""
    steps = player_data(exchange)["packets"][exchange.request_at]["steps"]
    return [(s["stage"], s["anchor"].partition(":")[2]) for s in steps if s["netns"] == netns]


def test_netfilter_is_where_the_packet_is(service, bridged):
    """A routed packet meets the hooks at the IP stack, a bridged one on the bridge."""
    assert places(bridged, "node2") == [
        ("receive", "veth-backend"), ("conntrack", "docker0"), ("nat PREROUTING", "docker0"),
        ("neighbour", "docker0"), ("neighbour", "docker0"), ("bridge", "docker0"),
        ("filter FORWARD", "docker0"), ("nat POSTROUTING", "docker0"), ("transmit", "veth-backend-b"),
    ]  # fmt: skip
    assert places(service, "node1")[:9] == [
        ("receive", "veth-web2"), ("conntrack", "docker0"), ("nat PREROUTING", "docker0"),
        ("bridge", "docker0"), ("receive", "docker0"), ("route", "ip"), ("forward", "ip"),
        ("filter FORWARD", "ip"), ("nat POSTROUTING", "ip"),
    ]  # fmt: skip
    assert ("nat PREROUTING", "ip") in places(service, "node2")


@pytest.mark.parametrize(
    ("port", "place"), [(80, "web"), (9999, "ip")], ids=["a server", "the kernel says no"]
)
def test_who_has_the_packet_at_the_end(port, place):
    exchange = Cluster.example().connect("web2", "web1", port=port)
    assert places(exchange, "web1")[-1] == ("socket", place)


def test_rules_come_in_order_as_iptables_save_prints_them(service):
    steps = player_data(service)["packets"][service.request_at]["steps"]
    (nat,) = [s for s in steps if s["stage"] == "nat PREROUTING" and s["netns"] == "node1"]
    assert [rule.split()[1].split("-")[0] for rule in nat["rules"]] == ["PREROUTING", *["KUBE"] * 3]
    assert nat["rules"][-1].endswith("-j DNAT --to-destination 10.1.20.3:8080")
    out = next(s for s in steps if s["stage"] == "nat POSTROUTING")
    assert out["rules"][-1] == ":POSTROUTING ACCEPT"


def test_nat_is_marked_in_the_headers(service):
    packet = player_data(service)["packets"][service.request_at]
    (step,) = [s for s in packet["steps"] if s["stage"] == "nat PREROUTING" and s["was"]]
    assert list(step["was"].values()) == ["10.96.0.10", "80"]
    assert step["change"] == "IPv4 to 10.96.0.10 becomes 10.1.20.3; TCP to port 80 becomes 8080"


def test_a_bridge_puts_the_link_header_aside_in_silence(bridged):
    steps = player_data(bridged)["packets"][bridged.request_at]["steps"]
    told = [s["change"] for s in steps if s["netns"] == "node2" and s["change"]]
    assert told == [
        "IPv4 to 10.96.0.10 becomes 10.1.20.4; TCP to port 80 becomes 8080",
        "Ethernet to 02:42:0a:01:14:01 becomes 02:42:0a:01:14:04",
    ]


def step_of(data, stage, netns="node1"):
    return next(
        s for s in data["packets"][2]["steps"] if s["stage"] == stage and s["netns"] == netns
    )


@pytest.mark.parametrize(
    ("stage", "netns", "words", "added", "removed", "was"),
    [
        ("forward", "node1", "IPv4 TTL 64 becomes 63", [], [], ["64"]),
        ("flanneld", "node1", "IPv4 TTL 63 becomes 62; wrapped in IPv4 and UDP", [0, 1], [], ["63"]),
        ("flanneld", "node2", "IPv4 and UDP taken off; IPv4 TTL 62 becomes 61",
         [], ["IPv4", "UDP"], ["62"]),
        ("bridge", "node1", "", [], [], []),
        ("route", "node1", "Ethernet taken off", [], ["Ethernet"], []),
    ],
    ids=["router", "wrapped", "unwrapped", "unchanged", "link header off"],
)  # fmt: skip
def test_marks_of_change(data, stage, netns, words, added, removed, was):
    step = step_of(data, stage, netns)
    assert (step["change"], step["added"], step["removed"]) == (words, added, removed)
    assert list(step["was"].values()) == was


def test_the_marked_field_holds_the_new_value(data):
    step = step_of(data, "forward")
    [(where, was)] = step["was"].items()
    layer, field = map(int, where.split("."))
    name, value, _ = data["packets"][2]["states"][step["state"]]["layers"][layer]["fields"][field]
    assert (name, was, value) == ("TTL", "64", "63")


def test_a_parked_packet_names_its_question(data):
    parked = [s["see"] for s in data["packets"][2]["steps"] if s["verdict"] == "park"]
    assert parked == [0, 3, 5]
    assert data["packets"][3]["title"].startswith("ARP: who has 192.168.66.12 (node2)?")


def test_a_flood_reaches_every_machine(data):
    ends = {step["netns"] for step in data["packets"][3]["steps"] if step["stage"] == "arp"}
    assert ends == {"node1", "switch", "client", "router", "node2", "node3"}


@pytest.mark.parametrize(("packet", "start"), [(None, 2), ("reply", 7), (0, 0)])
def test_where_it_starts(exchange, packet, start):
    assert player_data(exchange, packet)["start"] == start


def test_live_and_still(exchange):
    pytest.importorskip("anywidget")
    player = play(exchange)
    bundle = player._repr_mimebundle_()
    widget = "application/vnd.jupyter.widget-view+json"
    assert set(bundle) == {widget, "text/html", "image/svg+xml", "text/plain"}
    assert bundle["text/html"] == player.still.html
    assert player.widget is player.widget
    assert player.widget.data == player.data


def test_without_anywidget_it_stands_still(exchange, monkeypatch):
    monkeypatch.setitem(sys.modules, "k8snetlib.views.widget", None)
    player = Player(player_data(exchange), play(exchange).still)
    assert player.widget is None
    assert set(player._repr_mimebundle_()) == {"text/html", "image/svg+xml", "text/plain"}


def test_the_same_output_twice(exchange):
    again = Cluster.example().connect("web2", "10.1.20.3", port=8080)
    assert json.dumps(player_data(exchange)) == json.dumps(player_data(again))


def test_importing_views_loads_no_display():
    heavy = "{'IPython', 'anywidget', 'ipywidgets', 'matplotlib', 'networkx', 'numpy'}"
    code = f"import sys, k8snetlib.views; raise SystemExit(str({heavy} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
