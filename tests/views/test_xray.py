"""The X-ray shows what the namespace holds, whoever it belongs to, and nothing is cut or covered."""

from __future__ import annotations

import re

import pytest

from k8snetlib import Cluster
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.sockets import Listener, listen
from k8snetlib.views import pod_xray
from k8snetlib.views.geometry import Box, Point
from k8snetlib.views.sheet import Sheet
from k8snetlib.views.xray import _Drawing, container_of
from tests.views.paper import cut, faults


def pod(*containers: str, **sockets: list[str]) -> Netns:
    """A pod alone in the world: ``web=["tcp 0.0.0.0 80"]``."""
    ns = Netns("p", "pod")
    ns.containers = containers
    for name, opened in sockets.items():
        for text in opened:
            proto, ip, port = text.split()
            listen(ns, Listener(proto, ip, int(port), f"p-{name}"))
    return ns


def six() -> Netns:
    ns = Cluster.example()["web2"]
    ns.containers = ("pause", *(f"c{n}" for n in range(1, 7)))
    for n in range(1, 7):
        listen(ns, Listener("tcp", "127.0.0.1", 9000 + n, f"web2-c{n}"))
    return ns


NAMESPACES = {
    "web1": lambda: Cluster.example()["web1"],
    "one container": lambda: Cluster.example()["backend"],
    "six containers": six,
    "nothing but pause": lambda: pod("pause"),
    "no container": pod,
    "no socket": lambda: pod("pause", "web"),
    "many sockets": lambda: pod("pause", "web", web=[f"tcp 0.0.0.0 {n}" for n in range(80, 88)]),
    "a node": lambda: Cluster.example()["node1"],
    "a node with VXLAN": lambda: Cluster.example("vxlan")["node1"],
    "a switch": lambda: Cluster.example().network["switch"],
    "the internet": lambda: Cluster.example()["ext"],
}


@pytest.fixture(params=NAMESPACES)
def ns(request):
    return NAMESPACES[request.param]()


def test_nothing_is_covered_or_cut(ns):
    drawing = _Drawing(ns)
    sheet = drawing.draw()
    assert faults(sheet, drawing.width, drawing.height) == []
    assert cut(sheet) == []


def test_every_container_socket_and_device_is_named(ns):
    picture = pod_xray(ns)
    for name in (*ns.containers, *ns.devices):
        assert re.search(rf">[^<]*\b{re.escape(name)}\b[^<]*</text>", picture.svg), name
    for proto, ip, port in ns.listeners:
        assert f">{ip}:{port}/{proto}</text>" in picture.svg
        assert f"{ip}:{port}/{proto}" in picture.text
    for device in ns.devices.values():
        assert all(str(address) in picture.text for address in device.addresses)


def test_long_names_are_cut_in_the_picture_alone():
    ns = pod("pause", "a-container-with-a-name-that-no-box-can-ever-hold-completely-x9")
    drawing = _Drawing(ns)
    sheet = drawing.draw()
    assert faults(sheet, drawing.width, drawing.height) == []
    assert len(cut(sheet)) == 1 and cut(sheet)[0].startswith("a-container-with-a-name")
    assert ns.containers[1] in pod_xray(ns).text


@pytest.mark.parametrize(
    ("socket", "reaches", "says"),
    [
        ("0.0.0.0", ["lo", "eth0"], "every address"),
        ("127.0.0.1", ["lo"], "inside only"),
        ("127.0.0.9", ["lo"], "inside only"),
        ("10.1.15.2", ["eth0"], "this address"),
        ("10.9.9.9", [], "no such address here"),
    ],
)
def test_a_socket_reaches_the_devices_it_is_bound_to(socket, reaches, says):
    """Its line has a dot on each of these devices, and ends at the last."""
    ns = Cluster.example()["web2"]
    ns.listeners.clear()
    listen(ns, Listener("tcp", socket, 5000, "web2"))
    drawing = _Drawing(ns)
    svg = "\n".join(drawing.draw().parts)
    heights = {
        drawing._row(at).y + drawing._row(at).h / 2: device.name
        for at, device in enumerate(drawing.devices)
    }
    dots = [
        heights[float(y)]
        for y in re.findall(r'class="tap[^"]*" cx="[^"]+" cy="([^"]+)" r="5.5"', svg)
    ]
    assert dots == reaches
    assert f">{says}</text>" in svg
    ends = re.findall(r'<path class="wire[^"]*" d="M[^L]+L[\d.]+ ([\d.]+)"/>', svg)
    assert [heights.get(float(y)) for y in ends][: len(reaches[:1])] == reaches[-1:]


def test_loopback_differs_by_more_than_colour(cluster):
    svg = pod_xray(cluster["web1"]).svg
    assert svg.count('class="socket inside"') == 1 == svg.count(">inside only</text>")
    assert ".socket.inside{stroke:var(--k-process);stroke-dasharray" in svg


@pytest.mark.parametrize(
    ("process", "container"),
    [("web1", "web"), ("web1-sidecar", "sidecar"), ("sidecar", "sidecar"), ("nc", "nc")],
)
def test_whose_socket(cluster, process, container):
    assert container_of(cluster["web1"], Listener("tcp", "0.0.0.0", 1, process)) == container


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("web1", "pod web1: one network namespace, held open by pause. web (container, joined it)"
         " listens on 0.0.0.0:80/tcp (every address), 0.0.0.0:53/udp (every address). sidecar"
         " (container, joined it) listens on 127.0.0.1:9000/tcp (inside only). Devices: lo"
         " 127.0.0.1/8 (loopback: inside only), eth0 10.1.15.3/24 (cable to node1). The other end"
         " of eth0 is veth-web1 of node1, a port of docker0 10.1.15.1/24."),
        ("no container", "without a pause container. No other container has joined. Devices: lo"
         " 127.0.0.1/8 (loopback: inside only). No cable: this pod is cut off."),
        ("no socket", "web (container, joined it) has no listening socket."),
        ("a node", "the host's own network namespace, without a pause container. kubelet (process)"),
        ("a node", "veth-web1 without address"),
        ("a node with VXLAN", "(the kernel's tunnel) listens on "),
        ("a switch", "No process listens here."),
    ],
)  # fmt: skip
def test_told_in_words(name, said):
    assert said in pod_xray(NAMESPACES[name]()).text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing but pause", "no other container has joined"),
        ("no container", "holds this namespace."),
        ("no socket", "no socket: nobody can connect"),
        ("no socket", "no socket listens here"),
    ],
)
def test_empty_states_are_words(name, said):
    assert f">{said}</text>" in pod_xray(NAMESPACES[name]()).svg


def test_the_table_says_who_can_reach_what(cluster):
    html = pod_xray(cluster["web1"]).html
    assert html.count("<tr>") == 4
    assert "<td>127.0.0.1:9000/tcp</td><td>lo</td><td>only processes in web1</td>" in html
    assert "The same in words: every socket" in html
    assert "<table>" not in pod_xray(NAMESPACES["no socket"]()).html


def test_a_clone_is_seen_as_it_is_now(cluster):
    mended = cluster.clone()
    del mended["web1"].listeners["tcp", "127.0.0.1", 9000]
    assert "9000" not in pod_xray(mended["web1"]).text
    assert "9000" in pod_xray(cluster["web1"]).text
    assert "a port of docker0" in pod_xray(mended["web1"]).text


def test_no_line_runs_through_another_socket():
    """Sockets stand on stairs: the line of each passes left of all below it."""
    svg = "\n".join(_Drawing(NAMESPACES["many sockets"]()).draw().parts)
    lines = [float(x) for x in re.findall(r'<path class="wire" d="M([\d.]+) ', svg)]
    lefts = [float(x) for x in re.findall(r'<rect class="socket" x="([\d.]+)"', svg)]
    assert len(lines) == len(lefts) == 8
    assert all(line < left for n, line in enumerate(lines) for left in lefts[n + 1 :])


@pytest.mark.parametrize("end", ["", "end", "middle"])
def test_words_are_cut_at_both_edges(end):
    sheet, box = Sheet(), Box(10, 10, 100, 20)
    at = {"": 14, "end": 106, "middle": 60}[end]
    sheet.words(box, Point(at, 24), "far too long for such a small box", "plain", end)
    assert cut(sheet) and faults(sheet, 200, 200) == []
