"""The race: every lane stands where the model's count says, and names the rule that is tested."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from k8snetlib import Cluster
from k8snetlib.cost import curve
from k8snetlib.errors import K8sNetError, UnknownName
from k8snetlib.views import race, step_race

MODES = ("iptables", "nftables", "ipvs")
IPVS = "table of virtual servers"
SIZES = (5, 10, 300)


@pytest.fixture(scope="module")
def walks():
    return {
        mode: Cluster.example("host-gw", mode).connect(
            "web2", "backend-svc", port=80, endpoint="backend"
        )
        for mode in MODES
    }


@pytest.fixture(scope="module")
def costs():
    return [cost for mode in MODES for cost in curve(mode, (1, 6, 296))]


@pytest.fixture(scope="module")
def player(costs, walks):
    return step_race(costs, walks)


def xs(step):
    """Where the lanes' packets stand, from left to right."""
    return [step["at"][0], *(x for x, _, _ in step["tokens"])]


@pytest.mark.parametrize("at", range(len(SIZES)))
def test_a_step_is_the_measurement(player, costs, at):
    step = player.data["packets"][0]["steps"][at]
    size = SIZES[at]
    found = {cost.mode: cost.evaluated for cost in costs if cost.services == size}
    assert step["place"] == f"{size} Services"
    rows = step["tables"][0]["rows"]
    assert {mode: int(tested) for mode, tested, _ in rows} == found
    for mode, tested in found.items():
        assert f"{mode} tests {tested} rules" in step["reason"]
    assert step["word"] == "nftables tests the fewest rules"
    # As far as it has tested: the order on the scale is that of the numbers.
    order = sorted(zip(found.values(), xs(step), strict=True))
    assert [x for _, x in order] == sorted(xs(step))
    assert len(set(xs(step))) == len(set(found.values()))
    assert [step["anchor"], *step["anchors"]] == [f"{m}:{n}" for m, n in found.items()]


@pytest.mark.parametrize("mode", MODES)
def test_as_many_tests_as_the_kernel_counted(player, walks, mode):
    lane = MODES.index(mode)
    steps = player.data["packets"][1]["steps"]
    total = walks[mode].request.evaluated["node1"]
    rows = [step["tables"][0]["rows"][lane] for step in steps]
    assert [row[1] for row in rows] == [f"{min(n, total)} of {total}" for n in range(len(steps))]
    assert all(row[2] for row in rows[1 : total + 1]), "each test names its rule"
    assert [row[3] for row in rows[total + 1 :]] == [f"through, after {total} rules"] * (
        len(rows) - total - 1
    )
    places = [xs(step)[lane] for step in steps]
    assert all(a < b for a, b in pairwise(places[: total + 1]))
    assert len(set(places[total:])) == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_matched_rules_are_those_of_the_trace(player, walks, mode):
    lane = MODES.index(mode)
    steps = player.data["packets"][1]["steps"]
    hops = [hop for hop in walks[mode].request.hops if hop.netns == "node1"]
    matched = [str(line.rule) for hop in hops for step in hop.steps for line in step.rules
               if line.rule is not None]  # fmt: skip
    rows = [step["tables"][0]["rows"][lane] for step in steps]
    marks = [step["tables"][0]["marks"][lane] for step in steps]
    hit = [row for row, mark in zip(rows, marks, strict=True) if mark == "hit"]
    hit = [row[2] for row in hit if not row[2].startswith(IPVS)]
    assert len(hit) == len(matched)
    for shown, rule in zip(hit, matched, strict=True):
        assert re.fullmatch(rf"(-A \S+ |\S+: ){re.escape(rule)}", shown)


def test_the_look_up_in_ipvs_is_a_test_of_its_own(player):
    rows = [step["tables"][0]["rows"][2] for step in player.data["packets"][1]["steps"]]
    (look,) = [row for row in rows if row[2].startswith(IPVS)]
    assert look[2] == f"{IPVS}: TCP 10.96.0.10:80 rr -> 10.1.20.3:8080"


def test_every_anchor_is_in_the_scene(player):
    for packet in player.data["packets"]:
        for step in packet["steps"]:
            for name in (step["anchor"], *step["anchors"]):
                assert f'data-anchor="{name}"' in player.data["scene"]


def test_the_still_form_says_the_same(player, costs):
    alone = race(costs).text
    assert repr(player).startswith(alone)
    last = player.data["packets"][1]["steps"][-1]["tables"][0]["rows"][0]
    assert last[3] in repr(player).splitlines()[-1] and "Picture" in player.still.html
    assert player.still.svg == race(costs).svg
    assert "<td>test 25</td>" in player.still.html


def test_without_walks_there_is_one_race():
    results = [("a", 1, 0), ("a", 10_000, 7), ("b", 10_000, 5023)]
    (only,) = step_race(results).data["packets"]
    assert [step["place"] for step in only["steps"]] == ["1 Service", "10,000 Services"]
    assert only["steps"][0]["tables"][0]["rows"] == [
        ["a", "0", "no more"],
        ["b", "not measured", ""],
    ]
    assert only["steps"][1]["tables"][0]["rows"][0] == ["a", "7", "+7"]


def test_what_cannot_race(costs, walks):
    with pytest.raises(K8sNetError, match="walks are of iptables"):
        step_race(costs, {"iptables": walks["iptables"]})
    with pytest.raises(UnknownName):
        step_race(costs, walks, "node3")
    with pytest.raises(K8sNetError, match="nothing to race"):
        step_race([])
