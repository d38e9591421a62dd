"""Backends side by side, and the MTU ruler: what the pictures say is what the packets are."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.views import draw_mtu, draw_stacks, stacks
from k8snetlib.views.geometry import text_width
from k8snetlib.wire import encode

SVG = "{http://www.w3.org/2000/svg}"
BACKENDS = ("udp", "vxlan", "host-gw")


@pytest.fixture(scope="module")
def clusters():
    return {backend: Cluster.example(backend) for backend in BACKENDS}


@pytest.fixture(scope="module")
def pictures(clusters):
    syn = {b: c.clone().connect("web2", "backend", 8080) for b, c in clusters.items()}
    full = {
        b: c.clone().ping("web2", "backend", payload=c["web2"].devices["eth0"].mtu - 28)
        for b, c in clusters.items()
    }
    return {"stacks": draw_stacks(syn), "mtu": draw_mtu(full)}


@pytest.fixture(params=["stacks", "mtu"])
def picture(request, pictures):
    return pictures[request.param]


def test_it_is_named_and_told_in_words(picture):
    root = ElementTree.fromstring(picture.svg)
    assert root.get("role") == "img"
    named = [root.find(f"{SVG}{tag}") for tag in ("title", "desc")]
    assert all(element.text for element in named)
    assert root.get("aria-labelledby") == " ".join(element.get("id") for element in named)
    assert named[0].text in picture.text
    for backend in BACKENDS:
        assert f"\n{backend}: " in picture.text
        assert f"{backend}: " in named[1].text
    assert list(picture._repr_mimebundle_()) == ["text/html", "image/svg+xml", "text/plain"]


def test_the_same_packets_give_the_same_text(clusters, pictures):
    again = draw_stacks(
        {b: c.clone().connect("web2", "backend", 8080) for b, c in clusters.items()}
    )
    assert again.svg == pictures["stacks"].svg


def test_bytes_on_demand(clusters, pictures):
    """Closed at first; the headers of each backend, one after the other, are its frame."""
    html = pictures["stacks"].html
    assert "<details><summary>The bytes of every header</summary>" in html
    rows = re.findall(r"<tr><td>([\w-]+)</td><td>([^<]+)</td>.*?<code>([0-9a-f ]+)</code>", html)
    for backend, cluster in clusters.items():
        exchange = cluster.clone().connect("web2", "backend", 8080)
        frame = next(f for f in exchange.request.frames if f.netns == "switch")
        ours = [(name, code) for at, name, code in rows if at == backend]
        assert bytes.fromhex("".join(code for _, code in ours)) == encode(frame.packet)
        assert ours[0][0].endswith("Ethernet") and ours[-1][0] == "TCP"


def test_a_long_payload_is_cut(clusters):
    sent = clusters["udp"].clone().ping("web2", "backend", payload=200)
    html = draw_stacks({"udp": sent}).html
    assert "… 136 more</code>" in html


SIZES = {"big": (16.0, True), "name": (14.0, True), "sub": (12.0, False)}


def test_every_text_keeps_within_its_box(picture):
    """A text that begins or is centred inside a box ends inside it; none leaves the picture."""
    root = ElementTree.fromstring(picture.svg)
    _, _, wide, high = map(float, root.get("viewBox").split())
    boxes = [
        tuple(float(r.get(k)) for k in ("x", "y", "width", "height"))
        for r in root.iter(f"{SVG}rect")
    ]
    inside = 0
    for text in root.iter(f"{SVG}text"):
        x, y = float(text.get("x")), float(text.get("y"))
        size, bold = SIZES[text.get("class")]
        # The generous estimate is for names of any font; what is drawn here is digits and words.
        length = 0.88 * text_width(text.text, size, bold)
        left = x - {"middle": length / 2, "end": length}.get(text.get("text-anchor"), 0.0)
        assert left >= 0 and left + length <= wide and y <= high, text.text
        for bx, by, bw, bh in boxes:
            if by < y < by + bh and bx <= x <= bx + bw:
                assert bx <= left and left + length <= bx + bw, text.text
                inside += 1
    assert inside >= 20


def test_boxes_do_not_overlap(picture):
    root = ElementTree.fromstring(picture.svg)
    boxes = [
        tuple(float(r.get(k)) for k in ("x", "y", "width", "height"))
        for r in root.iter(f"{SVG}rect")
    ]
    for n, (x, y, w, h) in enumerate(boxes):
        for u, v, s, t in boxes[n + 1 :]:
            assert x + w <= u + 0.15 or u + s <= x + 0.15 or y + h <= v or v + t <= y


def test_the_pod_s_packet_is_at_one_height(pictures):
    """TCP stands in the lowest row of each column; outer and inner differ by words too."""
    root = ElementTree.fromstring(pictures["stacks"].svg)
    lines = [(t.text, float(t.get("y"))) for t in root.iter(f"{SVG}text")]
    assert len({y for words, y in lines if words == "TCP"}) == 1
    words = [text for text, _ in lines]
    assert words.count("outer IPv4") == words.count("inner IPv4") == 2
    assert words.count("outer Ethernet") == words.count("inner Ethernet") == 1


@pytest.mark.parametrize(
    ("backend", "outside", "mtu", "payload", "ttl"),
    [("udp", 28, 1472, 1444, 60), ("vxlan", 50, 1450, 1422, 62), ("host-gw", 0, 1500, 1472, 62)],
)
def test_the_numbers(pictures, backend, outside, mtu, payload, ttl):
    """28, 50 and 0 bytes around the pod's packet; what is left of 1500."""
    row = next(r for r in pictures["mtu"].text.splitlines() if r.startswith(f"{backend}: "))
    assert [int(n) for n in re.findall(r"(\d+) (?:bytes|are payload)", row)] == [
        outside,
        mtu,
        payload,
    ]
    row = next(r for r in pictures["stacks"].text.splitlines() if r.startswith(f"{backend}: "))
    assert row.startswith(f"{backend}: {outside} bytes around the pod's 60. ")
    assert row.endswith(f"The TTL is 64 at the sender and {ttl} at the receiver.")


def test_only_packets_decide(clusters):
    """A wider wire, a wider ruler: nothing about a backend is written into the picture."""
    wide = clusters["vxlan"].clone()
    for ns in wide.network.netns.values():
        for name, device in list(ns.devices.items()):
            if device.kind != "lo":
                ns.update_device(name, mtu=device.mtu + 7500)
    said = draw_mtu({"jumbo": wide.ping("web2", "backend", payload=8950 - 28)}).text
    assert "jumbo: 50 bytes of outer headers, 8950 bytes for the pod's packet" in said
    assert "Where 9000 bytes go" in said


def test_what_cannot_be_drawn_is_said(clusters):
    near = clusters["udp"].clone().ping("web2", "web1")
    lost = clusters["vxlan"].clone()
    lost["node1"].sh("bridge fdb del 0e:f1:0a:01:14:00 dev flannel.1")
    silent = lost.ping("web2", "backend")
    unsent = clusters["vxlan"].clone().ping("web2", "backend", payload=1423)
    for wrong in (near, silent):
        with pytest.raises(K8sNetError, match="did not get from node to node"):
            draw_stacks({"x": wrong})
    with pytest.raises(K8sNetError, match="no packet was sent"):
        draw_stacks({"x": unsent})
    with pytest.raises(K8sNetError, match="nothing was sent"):
        draw_mtu({"x": near})


def test_colours_are_the_palette_s():
    used = set(re.findall(r"var\(--k-([\w-]+)\)", stacks._STYLE))
    assert used == {"node-fill", "node", "pod-fill", "pod", "kernel-fill", "line"}
