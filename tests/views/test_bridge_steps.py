"""The bridge stepper: its tables are the live ones, its frames those of the trace."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.linux.noted import Bridged
from k8snetlib.views import step_bridge
from k8snetlib.words import annotate

FLOWS = {
    "same node": (lambda c: c.ping("web1", "web2"), "node1", "docker0"),
    "from outside": (lambda c: c.connect("web2", "10.1.20.3", port=8080), "node2", "docker0"),
    "switch": (lambda c: c.connect("web2", "10.1.20.3", port=8080), "switch", "br0"),
    "Service on one bridge": (
        lambda c: c.connect("backend", "10.96.0.10", port=80, endpoint="backend-b"),
        "node2", "docker0"),
    "nobody there": (lambda c: c.ping("web2", "10.1.15.77"), "node1", "docker0"),
}  # fmt: skip


@pytest.fixture(params=FLOWS)
def walked(request):
    cluster = Cluster.example()
    flow, netns, bridge = FLOWS[request.param]
    return cluster, flow(cluster), netns, bridge


def steps_of(player):
    return player.data["packets"][0]["steps"]


def test_the_last_tables_are_the_live_ones(walked):
    cluster, exchange, netns, bridge = walked
    player = step_bridge(exchange, netns)
    assert json.loads(json.dumps(player.data)) == player.data
    fdb, *arp = steps_of(player)[-1]["tables"]
    live = {(e.mac, e.port) for e in cluster[netns].fdb.values() if e.bridge == bridge}
    assert {(row[0].partition(" ")[0], row[1]) for row in fdb["rows"]} == live
    assert arp
    for table in arp:
        name = table["caption"].removeprefix("ARP table of ").partition(",")[0]
        told = {
            (row[0].partition(" ")[0], row[1].partition(" ")[0], row[2].partition(",")[0])
            for row in table["rows"]
            if row[0]
        }
        here = [
            e for e in cluster[name].neighbours.values() if name != netns or e.dev == bridge
        ]  # fmt: skip
        if netns == "switch":
            here = [e for e in here if e.dev in ("eth0", "lan0")]
        assert told == {(e.ip, e.mac or "not", e.state) for e in here}


def test_the_frames_are_those_of_the_trace(walked):
    _, exchange, netns, bridge = walked
    frames = [e for e in exchange.tally.events if isinstance(e, Bridged) and e.netns == netns]
    steps = steps_of(step_bridge(exchange, netns))
    assert len(steps) == 2 * len(frames)
    seen = [f for t in exchange.packets for f in t.frames if f.netns == netns]
    came = [(f.device, f.time) for f in seen if f.direction == "in" and f.device != bridge]
    own = {port.name for port in exchange.topology.host(netns).ports if port.master == bridge}
    assert sorted((e.port, e.time) for e in frames if e.port) == sorted(
        one for one in came if one[0] in own
    )
    for frame, out in zip(frames, steps[1::2], strict=True):
        hop = exchange.packets[frame.n].hops[frame.hop]
        assert hop.netns == netns
        reasons = {annotate(step.reason, exchange.names) for step in hop.steps[frame.step :]}
        assert out["reason"] in reasons


def test_a_ping_to_a_neighbour():
    steps = steps_of(step_bridge(Cluster.example().ping("web1", "web2"), "node1"))
    assert [step["word"] for step in steps[1::2]] == [
        "flooded", "forwarded", "forwarded", "forwarded"
    ]  # fmt: skip
    learned = [
        (n, table["caption"], row[0])
        for n, step in enumerate(steps)
        for table in step["tables"]
        for row, mark in zip(table["rows"], table["marks"], strict=True)
        if mark == "new"
    ]
    assert learned == [
        (0, "FDB of docker0", "02:42:0a:01:0f:03 (web1:eth0)"),
        (1, "ARP table of web2", "10.1.15.3 (web1)"),
        (2, "FDB of docker0", "02:42:0a:01:0f:02 (web2:eth0)"),
        (3, "ARP table of web1", "10.1.15.2 (web2)"),
    ]


def test_an_old_entry_is_forgotten():
    cluster = Cluster.example()
    cluster.ping("web1", "web2")
    cluster.advance(301)
    steps = steps_of(step_bridge(cluster.ping("web1", "web2"), "node1"))
    assert steps[1]["word"] == "flooded"
    fdb = steps[1]["tables"][0]
    assert [r[2] for r, m in zip(fdb["rows"], fdb["marks"], strict=True) if m == "gone"] == [
        "forgotten: too old"
    ]
    assert steps[0]["tables"][0]["rows"][1][2] == "301 s old, counts no more"
    assert steps[3]["word"] == "forwarded"


def test_places_in_the_picture(walked):
    _, exchange, netns, _ = walked
    data = step_bridge(exchange, netns).data
    scene = ElementTree.fromstring(data["scene"])
    anchors = {element.get("data-anchor") for element in scene.iter()}
    for step in steps_of(step_bridge(exchange, netns)):
        assert {step["anchor"], *step.get("anchors", ())} <= anchors
        assert step["path"].startswith("M")


def test_the_still_picture_says_the_same(walked):
    _, exchange, netns, _ = walked
    player = step_bridge(exchange, netns)
    words = player.still._repr_mimebundle_()["text/plain"]
    assert all(step["reason"] in words for step in steps_of(player))


def test_no_bridge_there(exchange):
    with pytest.raises(UnknownName):
        step_bridge(exchange, "web2")
    with pytest.raises(UnknownName):
        step_bridge(exchange, "node1", "cni0")


def test_a_walk_that_is_over_is_not_changed_by_the_next():
    cluster = Cluster.example()
    first = cluster.ping("web1", "web2")
    told = step_bridge(first, "node1").data
    cluster.ping("web1", "web2")
    cluster.connect("web2", "10.1.20.3", port=8080)
    assert step_bridge(first, "node1").data == told
