"""The comparison and the MTU ruler: every number is one of the walk's."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.views import step_backends, step_mtu
from k8snetlib.views.backend_steps import PLACES, lane_of

NAMES = ("udp", "vxlan", "host-gw")


@pytest.fixture(scope="module")
def clusters():
    return {name: Cluster.example(name) for name in NAMES}


@pytest.fixture(scope="module")
def walks(clusters):
    return {n: c.connect("web2", "backend", port=8080, sport=40000) for n, c in clusters.items()}


@pytest.fixture(scope="module")
def compared(walks):
    return step_backends(walks)


@pytest.fixture(scope="module")
def ruler(clusters):
    return step_mtu(clusters)


def anchors_of(data):
    return {element.get("data-anchor") for element in ElementTree.fromstring(data["scene"]).iter()}


@pytest.mark.parametrize("which", ["compared", "ruler"])
def test_json_and_places_in_the_picture(which, request):
    player = request.getfixturevalue(which)
    assert json.loads(json.dumps(player.data)) == player.data
    there = anchors_of(player.data)
    for packet in player.data["packets"]:
        for step in packet["steps"]:
            assert {step["anchor"], *step["anchors"]} <= there
            assert step["reason"].split(": ", 1)[1] in player.still.text


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_of_the_way_has_its_place(walks, name):
    """In order, from the first frame of the request to its last."""
    request = walks[name].request
    frames = [frame for frame in lane_of(name, walks[name]).frames if frame is not None]
    places = [request.frames.index(frame) for frame in frames]
    assert places == sorted(places)
    assert frames[0] is request.frames[0] and frames[-1] is request.frames[-1]
    kinds = [walks[name].topology.host(f.netns).port(f.device).kind for f in frames]
    assert kinds.count("tun") == (2 if name == "udp" else 0)
    assert kinds.count("vxlan") == (2 if name == "vxlan" else 0)


def test_bytes_and_ttl_are_those_of_the_frames(walks, compared):
    data = compared.data["packets"][0]
    assert [step["place"] for step in data["steps"]] == list(PLACES)
    for at, step in enumerate(data["steps"]):
        for n, (name, walk) in enumerate(walks.items()):
            frame = lane_of(name, walk).frames[at]
            row, column = step["tables"][0]["rows"][n], step["columns"][n]
            if frame is None:
                assert row[1] == "not there" and f"{name}:{at}" not in anchors_lit(step)
                continue
            assert row[1:3] == [f"{frame.netns}:{frame.device}", str(frame.packet.ip_length)]
            assert row[4] == str(frame.packet.innermost.ip.ttl)
            look = data["states"][column["state"]]
            assert len(look["layers"]) >= len(frame.packet.headers)
    between = data["steps"][4]["tables"][0]["rows"]
    assert [row[3] for row in between] == ["28", "50", "0"]


def anchors_lit(step):
    return {step["anchor"], *step["anchors"]}


def test_a_packet_that_does_not_get_there():
    cluster = Cluster.example()
    with pytest.raises(K8sNetError):
        step_backends({"udp": cluster.ping("web2", "web1")})


def test_the_ruler_says_what_a_ping_does(clusters, ruler):
    for df, packet in zip((True, False), ruler.data["packets"], strict=True):
        for step in packet["steps"]:
            size = int(step["place"].split()[0])
            for row in step["tables"][0]["rows"]:
                cluster = clusters[row[0]].clone()
                ping = cluster.ping("web2", "backend", payload=size, df=df)
                assert row[1] == str(size + 28)
                assert ("fits" in row[2] or "cut" in row[2]) is ping.ok
                assert ("too big" in row[2]) is (ping.outcome == "too-big")
                mtu = cluster["web2"].devices["eth0"].mtu
                assert ("fits" in row[2]) is (size + 28 <= mtu)


def test_the_limits_are_on_the_ruler(ruler):
    there = {int(step["place"].split()[0]) for step in ruler.data["packets"][0]["steps"]}
    assert {1422, 1423, 1444, 1445, 1472, 1473} <= there


def test_a_black_hole_is_told(clusters):
    hole = clusters["vxlan"].clone()
    hole["switch"].sh("ip link set p-node2 mtu 1400")
    data = step_mtu({"hole": hole}, sizes=(1322, 1422)).data
    said = [step["reason"] for step in data["packets"][0]["steps"]]
    assert said == ["1350 bytes of IP: hole fits", "1450 bytes of IP: hole lost: nobody is told"]


def test_the_clusters_stay_as_they_are():
    cluster = Cluster.example()
    before = dict(cluster["web2"].neighbours)
    step_mtu({"udp": cluster}, sizes=(56,))
    assert cluster["web2"].neighbours == before
