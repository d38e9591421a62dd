"""The X-ray, the timeline and the packet-flow drawing in a real JupyterLab: words inside their boxes, in both
themes and on a narrow screen; the drawing walked by the player's own buttons and keys."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from k8snetlib import Cluster
from k8snetlib.words import annotate
from tests.browser.conftest import artefacts

pytestmark = pytest.mark.browser

BARE = "--ip-masq=false --iptables-forward-rules=false"
SETUP = f"""\
from k8snetlib import Cluster
from k8snetlib.views import packet_flow, play, pod_xray, timeline
cluster = Cluster.example("host-gw", "none", flanneld="{BARE}")
node1 = cluster["node1"]
node1.sh("iptables -t nat -A POSTROUTING -s 10.1.15.0/24 ! -o docker0 -j MASQUERADE")
node1.sh("iptables -A FORWARD -s 10.1.0.0/16 -j ACCEPT")
exchange = cluster.connect("web2", "backend", port=8080)
cut = Cluster.example()
cut.cut_from_etcd("node2")
cut.advance("25h")
cut.reconnect("node2")
cut.advance("5s")
"""
CELLS = [
    SETUP,
    "pod_xray(cluster['web1'])",
    "pod_xray(node1)",
    "timeline(cut)",
    "packet_flow()",
    "packet_flow(exchange.request, 'node1')",
    "packet_flow(Cluster.example().ping('web2', 'backend').request, 'node2')",
    "play(exchange, netns='node1')",
]
FIGURES = 6
PLAYER = ".k8snet-player"
#: Words whose real extent, as this browser sets them, leaves the rectangle of their group, or
#: which lie on other words of their picture.
MISPLACED = """() => {
    const pictures = [...document.querySelectorAll('svg.k8snet-svg')]
        .filter((svg) => svg.getBoundingClientRect().width);
    const out = (a, b) => a.x < b.x - 0.5 || a.y < b.y - 0.5
        || a.x + a.width > b.x + b.width + 0.5 || a.y + a.height > b.y + b.height + 0.5;
    const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width
        && a.y < b.y + b.height - 4 && b.y < a.y + a.height - 4;
    return pictures.flatMap((svg) => {
        const words = [...svg.querySelectorAll('text')].map((text) => [text, text.getBBox()]);
        const left = words.filter(([text, box]) => {
            const frames = [...text.closest('g')?.querySelectorAll('rect') ?? []];
            // A lane of the timeline has many boxes, and its name stands before the first.
            if (frames.some((frame) => frame.matches('.key, .daemon, .gone')))
                return frames.some((frame) => meet(box, frame.getBBox()))
                    && frames.every((frame) => out(box, frame.getBBox()));
            return frames.length && out(box, frames[0].getBBox());
        }).map(([text]) => 'outside: ' + text.textContent);
        const pairs = words.flatMap(([text, box], n) => words.slice(n + 1)
            .filter(([, other]) => meet(box, other))
            .map(([other]) => text.textContent + ' on ' + other.textContent));
        return left.concat(pairs);
    });
}"""


@pytest.fixture(scope="module")
def exchange():
    cluster = Cluster.example("host-gw", "none", flanneld=BARE)
    for line in SETUP.splitlines():
        if line.startswith("node1.sh"):
            cluster["node1"].sh(line.split('"')[1])
    return cluster.connect("web2", "backend", port=8080)


SCREENS = {
    "light": {"theme": "light", "viewport": {"width": 1280, "height": 720}},
    "dark": {"theme": "dark", "viewport": {"width": 1280, "height": 720}},
    "narrow": {"theme": "light", "viewport": {"width": 390, "height": 844}},
}


@pytest.fixture(scope="module", params=SCREENS)
def page(request, open_notebook):
    page = open_notebook(CELLS, **SCREENS[request.param])
    page.screen = request.param
    page.wait_for_function(f"document.querySelectorAll('{PLAYER}').length === 1")
    return page


def test_words_are_where_they_belong(page: Any) -> None:
    figures = page.locator(".k8snet-figure:visible")
    assert figures.count() == FIGURES
    for n in range(FIGURES):
        figures.nth(n).scroll_into_view_if_needed()
        figures.nth(n).screenshot(path=str(artefacts() / f"picture-{n}-{page.screen}.png"))
    assert page.evaluate(MISPLACED) == []
    assert (page.errors, page.offsite) == ([], [])


def test_text_is_large_enough_to_read(page: Any) -> None:
    """On a narrow screen a picture scrolls rather than shrink its words below 10 px."""
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('.k8snet-figure svg.k8snet-svg')]
            .filter((svg) => svg.getBoundingClientRect().width)
            .map((svg) => 12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"""
    )
    assert len(sizes) == FIGURES and min(sizes) >= 10


def test_axe_finds_nothing(page: Any) -> None:
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.evaluate(
        "() => axe.run({include: [['.k8snet-player'], ['.k8snet-figure']]},"
        " {resultTypes: ['violations']})"
    )
    bad = [(v["id"], [node["html"][:90] for node in v["nodes"]]) for v in found["violations"]]
    assert bad == [], json.dumps(bad, indent=1)


def test_the_drawing_is_walked_with_the_keys(page: Any, exchange: Any) -> None:
    """Every box of node1 is told as the trace says, forward and back again."""
    steps = [s for hop in exchange.request.hops if hop.netns == "node1" for s in hop.steps]
    told = [annotate(step.reason, exchange.names) for step in steps]
    player = page.locator(PLAYER)
    player.focus()
    player.press("Home")
    seen = []
    for _ in steps:
        seen.append(player.locator(".why").inner_text())
        player.press("ArrowRight")
    assert seen == told
    at = [step.stage for step in steps].index("filter FORWARD")
    for _ in range(len(steps) - 1 - at):
        player.press("ArrowLeft")
    assert player.locator(".here").get_attribute("data-anchor") == "FORWARD:filter"
    assert "-A FORWARD -s 10.1.0.0/16 -j ACCEPT" in player.locator(".rules").inner_text()
    name = "Packet-flow drawing of node1"
    assert player.get_by_role("group", name=name).count() == 1
    player.screenshot(path=str(artefacts() / f"walked-{page.screen}.png"))
