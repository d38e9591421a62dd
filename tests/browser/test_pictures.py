"""The X-ray, the timeline and the packet-flow drawing in a real JupyterLab: words inside their boxes, in both
themes and on a narrow screen; the drawing walked by the player's own buttons and keys."""

from __future__ import annotations

from typing import Any

import pytest

from k8snetlib import Cluster
from k8snetlib.words import annotate
from tests.browser.conftest import SCREENS, keep
from tests.browser.figures import check_figures

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


@pytest.fixture(scope="module")
def exchange():
    cluster = Cluster.example("host-gw", "none", flanneld=BARE)
    for line in SETUP.splitlines():
        if line.startswith("node1.sh"):
            cluster["node1"].sh(line.split('"')[1])
    return cluster.connect("web2", "backend", port=8080)


@pytest.fixture(scope="module", params=SCREENS)
def page(request, open_notebook):
    page = open_notebook(CELLS, **SCREENS[request.param])
    page.screen = request.param
    page.wait_for_function(f"document.querySelectorAll('{PLAYER}').length === 1")
    return page


def test_pictures_can_be_read(page: Any) -> None:
    check_figures(page, "picture", FIGURES, FIGURES, 12)


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
    keep(player, f"walked-{page.screen}")
