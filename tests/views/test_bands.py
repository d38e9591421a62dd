"""The three networks as bands: everybody stands where the devices say, and every text has room."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from k8snetlib import Cluster
from k8snetlib.address import Prefix
from k8snetlib.kube.api import example_spec
from k8snetlib.views import address_bands
from k8snetlib.views.bands import BANDS_STYLE, COL, Used, column, ranges_of, size_words
from k8snetlib.views.geometry import text_width
from tests.clusters import renumbered

SVG = "{http://www.w3.org/2000/svg}"
#: Class of a text -> (size in px, bold); see the style sheet.
SIZES = {"title": (16, True), "name": (14, True), "label": (13, False), "sub": (12, False),
         "tag": (12, False), "warn": (12, True)}  # fmt: skip


def crowded() -> Cluster:
    """Long names, many pods on one node, none on another, one Service more than a row holds."""
    spec = example_spec()
    pod, service = spec.pods[0], spec.services[0]
    pods = [pod._replace(name=f"web-frontend-7d9c5b-{n}", ip=f"10.1.15.{n}") for n in range(2, 20)]
    services = [service._replace(name=f"a-service-with-a-long-name-{n}", cluster_ip=f"10.96.1.{n}")
                for n in range(1, 7)]  # fmt: skip
    return Cluster(spec._replace(pods=tuple(pods), services=tuple(services)))


def bare(**changes: object) -> Cluster:
    return Cluster(example_spec()._replace(**changes))  # type: ignore[arg-type]


CLUSTERS = {
    "example": Cluster.example,
    "host-gw": lambda: Cluster.example("host-gw"),
    "clash": renumbered,
    "crowded": crowded,
    "no-pods": lambda: bare(pods=()),
    "no-services": lambda: bare(services=()),
    "no-nodes": lambda: bare(pods=(), nodes=(), services=()),
    "one-node": lambda: bare(nodes=example_spec().nodes[:1], pods=example_spec().pods[:2]),
}


@pytest.fixture(params=CLUSTERS)
def root(request):
    return ElementTree.fromstring(address_bands(CLUSTERS[request.param]()).svg)


def boxes(root):
    return [
        tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
        if float(rect.get("width")) > 100
    ]


def test_every_text_stays_in_its_box_and_in_its_column(root):
    """A text ends before its box does; the words of a band before its first column."""
    for line in root.iter(f"{SVG}text"):
        size, bold = SIZES[line.get("class").split()[0]]
        x, y, wide = float(line.get("x")), float(line.get("y")), text_width(line.text, size, bold)
        left = x - wide if line.get("text-anchor") == "end" else x
        around = [b for b in boxes(root) if b[0] <= x <= b[0] + b[2] and b[1] < y < b[1] + b[3]]
        if not around:  # beside an arrow, between the bands
            assert line.text.startswith("via "), line.text
            continue
        inner = min(around, key=lambda box: box[2])
        right = inner[0] + inner[2]
        if inner[2] > COL and x < column(0):
            right = column(0)
        assert inner[0] <= left and left + wide <= right, line.text


def test_no_two_texts_overlap(root):
    spans = []
    for line in root.iter(f"{SVG}text"):
        size, bold = SIZES[line.get("class").split()[0]]
        x, y, wide = float(line.get("x")), float(line.get("y")), text_width(line.text, size, bold)
        left = x - wide if line.get("text-anchor") == "end" else x
        spans.append((left, left + wide, y, size, line.text))
    for n, (left, right, y, size, words) in enumerate(spans):
        for a, b, v, other, more in spans[n + 1 :]:
            apart = right <= a or b <= left or abs(y - v) >= min(size, other)
            assert apart, f"{words!r} and {more!r}"


def test_everything_is_in_the_picture(root):
    width, height = (float(part) for part in root.get("viewBox").split()[2:])
    for x, y, w, h in boxes(root):
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height


def test_named_and_told(root):
    assert root.get("role") == "img"
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title.text == "Three networks: Service, Pod and node"
    for said in ("Service network (virtual), 10.96.0.0/16", "Pod network (virtual), 10.1.0.0/16",
                 "Node network (real), 192.168.66.0/24"):  # fmt: skip
        assert said in desc.text


def test_the_words_name_every_address():
    cluster = Cluster.example()
    picture = address_bands(cluster)
    for ip in cluster.names:
        inside = not ip.startswith(("127.", "203.0.113."))
        assert (ip in picture.text) == inside, ip
    for service in cluster.spec.services:
        assert f"{service.name} {service.cluster_ip}" in picture.text
    bundle = picture._repr_mimebundle_()
    assert list(bundle) == ["text/html", "image/svg+xml", "text/plain"]
    assert "<summary>The same in words: who has which address</summary>" in bundle["text/html"]


def test_ranges_follow_the_devices():
    """The map of A4: Pod range to node, with the addresses in their order."""
    one, two, three = ranges_of(Cluster.example())
    assert [(str(r.subnet), r.node.ip) for r in (one, two, three)] == [
        ("10.1.15.0/24", "192.168.66.11"),
        ("10.1.20.0/24", "192.168.66.12"),
        ("10.1.30.0/24", "192.168.66.13"),
    ]
    assert one.used == (
        Used("10.1.15.0", "flannel0", True),
        Used("10.1.15.1", "docker0", True),
        Used("10.1.15.2", "web2", False),
        Used("10.1.15.3", "web1", False),
    )
    assert [r.also for r in (one, two, three)] == [(), (), ()]


def test_a_range_of_two_nodes_is_marked_in_words_and_by_its_edge():
    one, two, three = ranges_of(renumbered())
    assert (one.also, two.also, three.also) == (("node2",), ("node1",), ())
    picture = address_bands(renumbered())
    assert picture.svg.count('class="range twice"') == 2
    assert "! also used by node1" in picture.svg and "! also used by node2" in picture.text
    assert "253 more /24" in address_bands(Cluster.example()).svg
    assert "254 more /24" in picture.svg


def test_a_wider_range_overlaps_all_others():
    cluster = Cluster.example()
    cluster["node2"].sh("ip addr del 10.1.20.1/24 dev docker0")
    cluster["node2"].sh("ip addr add 10.1.20.1/16 dev docker0")
    also = [found.also for found in ranges_of(cluster)]
    assert also == [("node2",), ("node1", "node3"), ("node2",)]
    assert "more /" not in address_bands(cluster).svg, "ranges of two sizes"


def test_free_ranges_are_counted_in_the_size_of_the_nodes():
    nodes = tuple(node._replace(pod_cidr=Prefix(node.pod_cidr.net, 25))
                  for node in example_spec().nodes)  # fmt: skip
    assert "509 more /25" in address_bands(bare(nodes=nodes)).svg


def test_nodes_and_machines_stand_in_the_order_of_their_addresses():
    first, *others = example_spec().nodes
    cluster = bare(nodes=(first._replace(name="zebra"), *others), pods=())
    assert [found.node.name for found in ranges_of(cluster)] == ["zebra", "node2", "node3"]
    assert "router 192.168.66.1, client 192.168.66.100" in address_bands(cluster).text


def test_services_stand_in_the_order_of_their_addresses():
    words = address_bands(Cluster.example()).text
    assert "backend-svc 10.96.0.10, backend-local 10.96.0.11, empty-svc" in words


def test_a_bridge_without_an_address_keeps_the_range_that_was_given():
    cluster = Cluster.example()
    cluster["node2"].sh("ip addr del 10.1.20.1/24 dev docker0")
    assert str(ranges_of(cluster)[1].subnet) == "10.1.20.0/24"


def test_empty_states_say_so():
    assert "no address in use" in address_bands(_without_devices()).svg
    assert "no Services" in address_bands(CLUSTERS["no-services"]()).text
    bare_picture = address_bands(CLUSTERS["no-nodes"]())
    assert bare_picture.svg.count(">no nodes<") == 2
    assert "on no device at all" in bare_picture.text


def _without_devices() -> Cluster:
    cluster = bare(pods=(), nodes=example_spec("host-gw").nodes[:1])
    cluster["node1"].sh("ip addr del 10.1.15.1/24 dev docker0")
    cluster.stop_flanneld("node1")
    return cluster


def test_many_pods_are_counted_not_stacked():
    picture = address_bands(crowded())
    assert ">and 10 more<" in picture.svg
    assert "web-frontend-7d9c5b-19 10.1.15.19" in picture.text
    spec = crowded().spec
    eleven = address_bands(Cluster(spec._replace(pods=spec.pods[:9])))
    assert "and " not in re.sub("<desc.*?</desc>", "", eleven.svg).partition("</style>")[2]


def test_a_service_address_on_a_device_is_told():
    """As kube-proxy's IPVS mode does it."""
    cluster = Cluster.example()
    cluster["node1"].sh("ip addr add 10.96.0.10/32 dev docker0")
    text = address_bands(cluster).text
    assert "on docker0 of node1" in text and "on no device" not in text


def test_the_ruler_has_a_cell_for_every_bit():
    svg = address_bands(Cluster.example()).svg
    assert (svg.count('class="fixed"'), svg.count('class="open"')) == (16 + 16 + 24, 16 + 16 + 8)


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("10.1.0.0/16", "16 free bits: 65,536 addresses"),
        ("10.1.0.0/31", "1 free bit: 2 addresses"),
        ("10.1.0.1/32", "0 free bits: 1 address"),
    ],
)
def test_sizes_in_words(prefix, said):
    assert size_words(Prefix.parse(prefix)) == said


def test_every_class_has_a_style():
    used = set(re.findall(r'class="([\w -]+)"', address_bands(renumbered()).svg))
    for kind in {part for name in used for part in name.split()} - {"k8snet", "k8snet-svg"}:
        assert f".{kind}" in BANDS_STYLE, kind
