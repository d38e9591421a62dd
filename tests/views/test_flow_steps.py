"""The player in the packet-flow drawing: the same steps, of one kernel alone, each in its box."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from k8snetlib.errors import UnknownName
from k8snetlib.views import packet_flow, play
from k8snetlib.views.flow import visits, walk
from k8snetlib.views.player import player_data
from tests.views.test_player_data import EXCHANGES, walk_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module", params=EXCHANGES)
def walked(request):
    return walk_of(request.param)


def test_the_steps_of_one_kernel(walked):
    """Same words, same packets as in the whole player; places are those of the drawing."""
    whole = player_data(walked)
    netns = walked.request.hops[0].netns
    data = play(walked, netns=netns).data
    assert json.loads(json.dumps(data)) == data
    there = [p for p in whole["packets"] if any(s["netns"] == netns for s in p["steps"])]
    assert [p["n"] for p in data["packets"]] == [p["n"] for p in there]
    placed = {"place", "anchor", "path", "at", "see"}
    for mine, theirs in zip(data["packets"], there, strict=True):
        found = walk(visits(walked.packets[mine["n"]], netns))
        own = [step for step in theirs["steps"] if step["netns"] == netns]
        for step, whole_step, met in zip(mine["steps"], own, found, strict=True):
            assert {k: v for k, v in step.items() if k not in placed} == {
                k: v for k, v in whole_step.items() if k not in placed
            }
            assert step["anchor"] == f"{met.card}:{met.row}"


def test_every_step_stands_in_its_row(walked):
    netns = walked.request.hops[0].netns
    data = play(walked, netns=netns).data
    rows = {}
    for group in ElementTree.fromstring(data["scene"]).iter(f"{SVG}g"):
        if name := group.get("data-anchor"):
            box = group.find(f"{SVG}rect")
            rows[name] = [float(box.get(side)) for side in ("x", "y", "width", "height")]
    for packet in data["packets"]:
        for step in packet["steps"]:
            x, y, width, height = rows[step["anchor"]]
            assert x <= step["at"][0] <= x + width and y <= step["at"][1] <= y + height
            assert step["path"].startswith("M")


@pytest.mark.parametrize("netns", ["web2", "node1", "node2"])
def test_start_and_questions_point_into_the_shorter_list(exchange, netns):
    """Packets that a namespace never saw are left out, and the places of others move up."""
    data = play(exchange, netns=netns).data
    whole = player_data(exchange)
    assert data["packets"][data["start"]]["n"] == exchange.request.n
    for packet in data["packets"]:
        for step in packet["steps"]:
            if step["see"] is not None:
                asked = data["packets"][step["see"]]["title"]
                assert asked.startswith("ARP: who has")
    waits = [s["see"] for p in data["packets"] for s in p["steps"] if s["verdict"] == "park"]
    before = [s["see"] for p in whole["packets"] for s in p["steps"]
              if s["verdict"] == "park" and s["netns"] == netns]  # fmt: skip
    assert [data["packets"][at]["n"] for at in waits] == before
    assert data["picture"] == f"Packet-flow drawing of {netns}"
    assert data["title"].endswith(f", at {netns}")
    assert set(data["stages"]) == {s["stage"] for p in data["packets"] for s in p["steps"]}


def test_the_way_leads_from_card_to_card_and_from_row_to_row(service):
    data = play(service, netns="node1").data
    steps = {s["anchor"]: s for s in data["packets"][data["start"]]["steps"]}
    _, arrow, dot = steps["PREROUTING:conntrack"]["path"].split("M")
    assert arrow.split("L")[0] != arrow.split("L")[1]
    at = steps["PREROUTING:conntrack"]["at"]
    assert [float(n) for n in dot.split("L")[0].split()] == at
    nat = steps["PREROUTING:nat"]["path"]
    assert nat.count("M") == 1
    start, end = ([float(n) for n in p.split()] for p in nat[1:].split("L"))
    assert start[0] == end[0]
    assert start == steps["PREROUTING:conntrack"]["at"] and end == steps["PREROUTING:nat"]["at"]


def test_the_still_form_is_the_walked_drawing(exchange):
    player = play(exchange, "reply", "node1")
    assert repr(player) == packet_flow(exchange.reply, "node1").text
    assert player.data["packets"][player.data["start"]]["role"] == "reply"


@pytest.mark.parametrize(
    ("packet", "netns", "said"),
    [
        (None, "node9", "Did you mean node2 or node1"),
        (None, "node3", "Did you mean"),
        (0, "backend", "Known: "),
        (99, "node1", "Packets: 0 to 10"),
    ],
    ids=["no such namespace", "not on the way", "an ARP question elsewhere", "no such packet"],
)
def test_never_there(exchange, packet, netns, said):
    with pytest.raises(UnknownName) as caught:
        play(exchange, packet, netns)
    assert said in str(caught.value)
