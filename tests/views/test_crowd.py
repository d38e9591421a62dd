"""Large clusters: the nodes on a packet's way in full, the others small, or only counted."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest

from k8snetlib.views import draw
from k8snetlib.views.crowd import FULL, MOST, REST, crowd
from k8snetlib.views.layout import lay_out
from k8snetlib.views.player import player_data
from tests.clusters import large
from tests.views.conftest import nodes_with_pods
from tests.views.paper import overlap


@pytest.fixture(scope="module")
def walked():
    return large(40).connect("web2", "backend", port=8080)


@pytest.mark.parametrize(
    ("count", "path", "full", "small", "rest"),
    [
        (1, (), 1, 0, 0),
        (FULL, (), FULL, 0, 0),
        (FULL + 1, (), 0, FULL + 1, 0),
        (FULL + 1, ("node2",), 1, FULL, 0),
        (MOST, (), 0, MOST, 0),
        (MOST, ("node5", "node9", "switch"), 2, MOST - 2, 0),
        (MOST + 1, (), 3, 0, MOST - 2),
        (MOST + 1, ("node5",), 1, 0, MOST),
        (MOST, [f"node{n}" for n in range(1, 60)], FULL, MOST - FULL, 0),
    ],
)
def test_who_is_drawn_how(count, path, full, small, rest):
    who = crowd(nodes_with_pods([1] * count), path)
    assert [len(some) for some in who] == [full, small, rest]
    first = tuple(name for name in path if name.startswith("node"))[:full]
    assert {node.name for node in who.full} >= set(first)


SIZES = [13, 14, 20, 36, 37, 200, 201, 500]


@pytest.mark.parametrize("path", [(), ("node3", "node7")], ids=["alone", "path"])
@pytest.mark.parametrize("count", SIZES)
def test_everything_has_its_place(count, path):
    layout = lay_out(nodes_with_pods([n % 9 for n in range(count)]), path)
    for item in layout.items:
        assert item.box.x >= 0 and item.box.right <= layout.width, item
        assert item.box.y >= 0 and item.box.bottom <= layout.height, item
    solid = [i for i in layout.items if i.kind in ("node", "tile", "rest", "switch", "machine")]
    for one, other in combinations(solid, 2):
        assert not overlap(one.box, other.box), (one, other)
    assert layout.width <= 1240


@pytest.mark.parametrize("count", [40, MOST])
def test_machines_beside_stand_apart(count):
    topology = large(count).topology
    for path in ((), ("node1", "node2")):
        layout = lay_out(topology, path)
        solid = [i for i in layout.items if i.kind in ("node", "tile", "switch", "machine")]
        for one, other in combinations(solid, 2):
            assert not overlap(one.box, other.box), (one, other)


@pytest.mark.parametrize("count", [13, 200])
def test_every_small_node_hangs_on_the_switch(count):
    layout = lay_out(nodes_with_pods([1] * count))
    bars = [item.box for item in layout.items if item.kind == "switch"]
    ends = [link.points[-1] for link in layout.links if link.kind == "wire"]
    assert len(ends) == count
    for end in ends:
        assert any(end.y in (bar.y, bar.bottom) and bar.x <= end.x <= bar.right for bar in bars)


def test_no_name_is_cut_that_fits():
    labels = [i.label for i in lay_out(nodes_with_pods([1] * MOST)).items if i.kind == "tile"]
    assert labels == [f"node{n}" for n in range(1, MOST + 1)]


def test_a_long_name_is_cut_and_told_whole():
    topology = nodes_with_pods([1] * 13)
    name = "ip-10-0-112-245.eu-central-1.compute.internal"
    node = topology.host("node13")
    hosts = [h._replace(name=name) if h is node else h for h in topology.hosts]
    picture = draw(topology._replace(hosts=tuple(hosts)))
    (cut,) = re.findall(r'class="tilename">(ip-.*?)</text>', picture.svg)
    assert len(cut) > 10 and cut.endswith("…") and name.startswith(cut[:-1])
    assert f"node {name}, " in picture.svg and name in picture.text


def test_pods_are_squares_and_many_are_a_number():
    svg = draw(nodes_with_pods([0, 1, 5, 6] + [0] * 9)).svg
    tiles = re.findall(r'<g data-anchor="node\d+:ip">.*?</g>', svg)
    assert [tile.count('class="pod"') for tile in tiles[:4]] == [0, 1, 5, 1]
    assert "× 6<" in tiles[3] and "×" not in tiles[2]


def test_words_tell_the_small_and_the_counted():
    few = draw(nodes_with_pods([0, 1, 2] + [0] * 10)).text
    assert "Drawn small: node1 (192.168.66.1), 0 pods; node2 (192.168.66.2), 1 pod; node3" in few
    many = draw(nodes_with_pods([2] * 500)).text
    assert "node3 (192.168.66.3): pods pod3-0" in many and "node4 (" not in many
    assert "497 more nodes with 994 pods are not drawn." in many


@pytest.mark.parametrize("count", [40, 220])
def test_every_step_has_a_place(count):
    """Also the steps of a question that every node heard, and of nodes that are only counted."""
    cluster = large(count)
    found = player_data(cluster.connect("web2", "backend", port=8080))
    there = {
        element.get("data-anchor") for element in ElementTree.fromstring(found["scene"]).iter()
    }
    steps = [step for packet in found["packets"] for step in packet["steps"]]
    assert {step["anchor"] for step in steps} <= there
    heard = {step["netns"]: step["anchor"] for step in steps}
    assert heard["node17"] == ("node17:ip" if count == 40 else REST)
    assert {"web2:ip", "node1:docker0", "node2:ip"} <= {step["anchor"] for step in steps}


def test_the_way_is_on_nodes_in_full(walked):
    """Those that only heard an ARP question stay small."""
    svg = draw(walked, "both").svg
    assert sorted(re.findall(r'data-anchor="([\w-]+):docker0"', svg)) == ["node1", "node2"]
    assert svg.count('class="tile"') == 38 and svg.count('class="way ') == 2


def test_a_question_to_everybody_reaches_every_tile(walked):
    asked = next(t for t in walked.packets if t.label.startswith("ARP") and len(t.hops) > 40)
    svg = draw(walked, asked).svg
    assert 'data-anchor="node40:eth0"' in svg and svg.count('class="way ') >= 38


def test_deterministic(walked):
    again = large(40).connect("web2", "backend", port=8080)
    assert draw(again, "both").svg == draw(walked, "both").svg
