"""Still pictures: the same cluster gives the same text, whoever cannot see it is told the same.

When a picture changed, ``build/pictures/NAME.html`` shows both versions. ``K8SNET_UPDATE_PICTURES=1
pytest tests/views`` stores the pictures of today; look at them first.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html import escape
from pathlib import Path

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.trace import rule_line
from k8snetlib.views import address_bands, draw, packet_flow, play, pod_xray
from k8snetlib.views.geometry import Box
from k8snetlib.views.layout import lay_out
from k8snetlib.views.plan import SMALL
from k8snetlib.views.scene import words_of
from k8snetlib.views.walk import nodes_met
from tests.clusters import renumbered
from tests.views.compare import changed
from tests.views.conftest import nodes_with_pods
from tests.views.paper import overlap

DATA = Path(__file__).parent / "data"
SVG = "{http://www.w3.org/2000/svg}"

PICTURES = {
    "cluster": lambda cluster, exchange: draw(cluster),
    "request": lambda cluster, exchange: draw(exchange),
    "both": lambda cluster, exchange: draw(exchange, "both"),
    "arp": lambda cluster, exchange: draw(exchange, 3),
    "one-node": lambda cluster, exchange: draw(nodes_with_pods([2])),
    "vxlan": lambda cluster, exchange: draw(Cluster.example("vxlan").ping("web2", "backend")),
    "host-gw": lambda cluster, exchange: draw(Cluster.example("host-gw").ping("web2", "backend")),
    "xray": lambda cluster, exchange: pod_xray(cluster["web1"]),
    "xray-node": lambda cluster, exchange: pod_xray(cluster["node1"]),
    "flow-alone": lambda cluster, exchange: packet_flow(),
    "flow": lambda cluster, exchange: packet_flow(exchange.request, "node1"),
    "bands": lambda cluster, exchange: address_bands(cluster),
    "bands-clash": lambda cluster, exchange: address_bands(renumbered()),
    "twelve-nodes": lambda cluster, exchange: draw(nodes_with_pods([0, 1, 2, 3, 5, 2] * 2)),
    "forty-nodes": lambda cluster, exchange: draw(nodes_with_pods([0, 1, 2, 5, 6] * 8)),
    "five-hundred-nodes": lambda cluster, exchange: draw(nodes_with_pods([2] * 500)),
}


@pytest.fixture(params=PICTURES)
def name(request):
    return request.param


@pytest.fixture
def picture(name, cluster, exchange):
    return PICTURES[name](cluster, exchange)


def test_same_as_stored(name, picture):
    said = changed(name, picture.svg + "\n", DATA / f"{name}.svg")
    assert not said, said


def test_drawing_twice_gives_the_same_text(name, picture):
    fresh = Cluster.example()
    again = PICTURES[name](fresh, Cluster.example().connect("web2", "10.1.20.3", port=8080))
    assert again.svg == picture.svg


def test_well_formed_and_named(picture):
    root = ElementTree.fromstring(picture.svg)
    assert root.get("role") == "img"
    named = [root.find(f"{SVG}{tag}") for tag in ("title", "desc")]
    assert all(element is not None and element.text for element in named)
    assert root.get("aria-labelledby") == " ".join(element.get("id") for element in named)


def test_html_first_then_words(picture):
    bundle = picture._repr_mimebundle_()
    assert list(bundle) == ["text/html", "image/svg+xml", "text/plain"]
    assert picture.svg in bundle["text/html"]
    assert bundle["text/plain"] == picture.text == repr(picture)


def test_words_tell_every_thing(cluster):
    text = draw(cluster).text
    for said in ("3 nodes, 5 pods", "node1 (192.168.66.11)", "web2 10.1.15.2", "docker0",
                 "TUN device flannel0 read by flanneld", "ext (203.0.113.10)"):  # fmt: skip
        assert said in text


def test_table_holds_every_reason(exchange):
    html = draw(exchange).html
    assert html.count("<tr>") == len(exchange.request.steps) + 1
    assert "TTL 64 becomes 63" in html and "✓ arrived" in html


def test_ids_differ_between_pictures(cluster, exchange):
    ids = [element.get("id")
           for picture in (draw(cluster), draw(exchange), draw(exchange, "reply"))
           for element in ElementTree.fromstring(picture.svg).iter() if element.get("id")]  # fmt: skip
    assert len(ids) == len(set(ids)) == 6


def test_request_and_reply_differ_by_more_than_colour(exchange):
    svg = draw(exchange, "both").svg
    assert "1 request: TCP SYN" in svg and "2 reply: TCP SYN/ACK" in svg
    assert svg.count('class="way reply"') == 1 and "stroke-dasharray:9 6" in svg


def test_a_cross_where_a_packet_ends():
    cluster = Cluster.example(flanneld="--ip-masq=false")
    lost = cluster.connect("web2", "ext", port=80)
    assert lost.reply is None
    answer = next(trace for trace in lost.packets if not trace.delivered)
    assert "cannot go on</text>" in draw(lost, answer).svg
    assert "cannot go on</text>" not in draw(lost).svg


def test_the_cross_is_clear_of_the_number_of_its_stop():
    """Also at the right edge, where it stands to the left of the stop."""
    cluster = Cluster.example("host-gw")
    cluster["node1"].sh("iptables -t nat -I POSTROUTING -s 203.0.113.10 -j ACCEPT")
    lost = cluster.connect("ext", "node1", 30080, endpoint="backend")
    answer = next(trace for trace in lost.packets if trace.label == "TCP SA")
    svg = draw(lost, answer).svg
    badge = badge_of(svg)
    assert badge.right <= float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])
    for x, y in re.findall(r'class="stop "><circle cx="([\d.]+)" cy="([\d.]+)"', svg):
        assert not overlap(badge, Box(float(x) - 10, float(y) - 10, 20, 20))


def badge_of(svg):
    ((x, y, wide, high),) = re.findall(
        r'class="end"><rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg
    )
    return Box(float(x), float(y), float(wide), float(high))


#: What is sent, so that a packet ends there.
ENDS = {
    "at a machine on the right": lambda c: c.connect("ext", "node1", 30080, endpoint="backend"),
    "in a node": lambda c: c.connect("ext", "node1", 30081),
    "at the router": lambda c: c.ping("ext", "backend"),
    "in a pod": lambda c: c.connect("web2", "backend", 81),
}


@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
@pytest.mark.parametrize("case", ENDS)
def test_the_cross_covers_no_word(case, backend):
    cluster = Cluster.example(backend)
    cluster.ping("web2", "backend")
    for node in cluster.nodes:
        cluster[node].sh("iptables -t nat -I POSTROUTING -s 203.0.113.10 -j ACCEPT")
    exchange = ENDS[case](cluster)
    ended = [trace for trace in exchange.packets
             if trace.steps[0].packet.arp is None and 'class="end"' in draw(exchange, trace).svg]  # fmt: skip
    for trace in ended:
        words = words_of(lay_out(exchange.topology, nodes_met((trace,), exchange.topology)))
        badge = badge_of(draw(exchange, trace).svg)
        hidden = [box for box in words if overlap(badge, box)]
        # In a pod there is no room that is quite free: less than half a letter's height.
        assert all(min(badge.bottom, b.bottom) - max(badge.y, b.y) < 4 for b in hidden), hidden
        assert not hidden or case == "in a pod"
    assert ended


def test_a_frame_says_when_it_scrolls(exchange):
    """Exactly where the picture is not drawn smaller any more."""
    picture = draw(exchange)
    least = int(re.search(r"min-width:(\d+)px", picture.svg)[1])
    assert f"@container (max-width:{least - 1}px){{.k8snet-frame.w{least}::after" in picture.html
    assert f'<div class="k8snet-frame w{least}"><div class="k8snet-scroll" tabindex="0"' in (
        picture.html
    )


def test_both_without_a_reply_is_the_request(exchange):
    silent = exchange._replace(reply_at=None)
    assert draw(silent, "both").text == draw(silent).text


def test_no_packet_at_all_is_told(exchange):
    sent = exchange._replace(
        packets=(), request_at=None, reply_at=None, outcome="unreachable", reason="no route"
    )
    for shown in (draw(sent), play(sent).still):
        assert shown.text == "No packet was sent. Outcome of the exchange: unreachable: no route."
    assert set(play(sent)._repr_mimebundle_()) == {"text/html", "image/svg+xml", "text/plain"}


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (-1, "Packets: 0 to 10."),
        (99, "Packets: 0 to 10."),
        ("answer", "'request', 'reply', 'both' or a number"),
    ],
)
def test_no_such_packet(exchange, packet, said):
    with pytest.raises(UnknownName, match=re.escape(said)):
        draw(exchange, packet)


@pytest.mark.parametrize(
    "pods",
    [[0], [1], [9], [2, 2], [5, 5, 5], [2] * 7, [1, 0, 3, 8, 2, 2, 2, 2, 1, 1, 1, 4]],
    ids=lambda pods: f"{len(pods)} nodes",
)
def test_boxes_keep_their_distance(pods):
    layout = lay_out(nodes_with_pods(pods))
    solid = [
        item for item in layout.items if item.kind in ("pod", "bridge", "hub", "tun", "daemon")
    ]
    for item in layout.items:
        assert item.box.x >= 0 and item.box.right <= layout.width, item
        assert item.box.y >= 0 and item.box.bottom <= layout.height, item
    for n, one in enumerate(solid):
        for other in solid[n + 1 :]:
            apart = (
                one.box.right <= other.box.x
                or other.box.right <= one.box.x
                or one.box.bottom <= other.box.y
                or other.box.bottom <= one.box.y
            )
            assert apart, f"{one.anchor} and {other.anchor} overlap"


def test_small_text_stays_readable(cluster):
    """At a width of 1000 px the smallest text is at least 11 px."""
    assert SMALL * 1000 / lay_out(cluster.topology).width >= 11


def test_an_empty_cluster_can_be_drawn():
    assert "An empty cluster." in draw(nodes_with_pods([])).text or draw(nodes_with_pods([])).svg


def test_the_table_lists_all_rules_the_words_only_the_last(service):
    picture = draw(service)
    step = next(step for step in service.request.steps if step.stage == "nat PREROUTING")
    lines = [rule_line(rule) for rule in step.rules]
    assert len(lines) == 4
    assert all(f"<li><code>rule: {escape(line)}</code></li>" in picture.html for line in lines)
    assert f"[rule: {lines[-1]}]" in picture.text
    assert lines[0] not in picture.text


@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
def test_numbers_of_a_way_keep_apart(backend):
    """Each badge of a way can be read: none hides another."""
    svg = draw(Cluster.example(backend).connect("web2", "backend", port=8080)).svg
    badges = [(float(x), float(y)) for x, y in
              re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="10"/>', svg)]  # fmt: skip
    assert len(badges) > 5
    for n, (x, y) in enumerate(badges):
        for u, v in badges[n + 1 :]:
            assert (x - u) ** 2 + (y - v) ** 2 >= 17**2, (x, y, u, v)
