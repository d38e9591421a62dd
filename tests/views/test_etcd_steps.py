"""The etcd scrubber: its keys are etcd's own at every revision, its words the journals'."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.etcd.api import Range
from k8snetlib.views import step_timeline
from tests.views.test_timeline import cut_off, revoked

PREFIX = "/coreos.com/network/"


def steps_of(player):
    return player.data["packets"][0]["steps"]


@pytest.mark.parametrize("make", [Cluster.example, cut_off, revoked])
def test_keys_are_those_of_that_revision(make):
    cluster = make()
    player = step_timeline(cluster)
    assert json.loads(json.dumps(player.data)) == player.data
    revisions = []
    for step in steps_of(player):
        if not step["place"].startswith("revision "):
            continue
        revision = int(step["place"].split()[1])
        revisions.append(revision)
        end = PREFIX[:-1].encode() + b"0"
        live = cluster.etcd.range(Range(PREFIX.encode(), end, revision=revision)).kvs
        told = [row for row in step["tables"][0]["rows"] if row[4] != "deleted"]
        assert [[kv.key.decode(), kv.value.decode(), f"{kv.lease:x}" if kv.lease else "none"]
                for kv in live] == [[PREFIX + row[0], row[1], row[3]] for row in told]  # fmt: skip
        new = [row[2] for row, mark in zip(*(step["tables"][0][k] for k in ("rows", "marks")),
                                           strict=True) if mark == "new"]  # fmt: skip
        assert all(made.endswith(f"changed {revision}") for made in new)
        assert len(new) + len(step["tables"][0]["rows"]) - len(told) == step["reason"].count(": ")
    assert revisions == sorted(set(revisions)) and len(revisions) >= 4


def test_what_is_heard_at_the_end_is_what_flanneld_knows():
    cluster = cut_off()
    last = steps_of(step_timeline(cluster))[-1]["tables"][1]["rows"]
    for node, ranges, *_ in last:
        own = str(cluster.flanneld(node).lease.subnet)
        others = {str(cluster.flanneld(n).lease.subnet) for n in cluster.nodes} - {own}
        assert set(ranges.split(", ")) == others


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("revision 8", "10.1.20.0-24: expired"),
        ("revision 9", "10.1.20.0-24: created"),
        ("what the flannelds say", "node1 − 10.1.20.0/24"),
    ],
)
def test_words(place, said):
    steps = steps_of(step_timeline(cut_off()))
    assert any(step["place"] == place and said in step["reason"] for step in steps)


def test_only_since():
    steps = steps_of(step_timeline(cut_off(), since="24h"))
    assert steps[0]["place"] == "revision 8"
    # What came before is known all the same.
    assert len(steps[0]["tables"][0]["rows"]) == 4


def test_nothing_since():
    player = step_timeline(Cluster.example(), since="1h")
    assert player.widget is None
    assert "Nothing happened" in repr(player)


def test_places_in_the_picture_and_words():
    player = step_timeline(cut_off())
    scene = ElementTree.fromstring(player.data["scene"])
    there = {element.get("data-anchor") for element in scene.iter()}
    for step in steps_of(player):
        assert {step["anchor"], *step["anchors"]} <= there
        assert step["reason"] in player.still.text


def test_without_etcd():
    with pytest.raises(K8sNetError):
        step_timeline(Cluster.example("vxlan", flanneld="--kube-subnet-mgr"))
