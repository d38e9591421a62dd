"""A screenshot of every widget in light, dark and narrow: ``build/screenshots/NAME-SCREEN.png``.

People look at them; a test sees that nothing is wider than its place, that the ground is the
theme's, and that axe finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.browser.conftest import SCREENS, axe, keep

pytestmark = pytest.mark.browser

PLAYER = ".k8snet-player"


def steps(count: int) -> Callable[[Any], None]:
    """So many steps forward; "why?" open where there is one."""

    def act(player: Any) -> None:
        player.focus()
        for _ in range(count):
            player.press("ArrowRight")
        if player.locator(".whybox summary").is_visible():
            player.locator("details.whybox").evaluate("details => { details.open = true }")

    return act


def typed(console: Any) -> None:
    console.get_by_role("textbox", name="node1$ command").fill("ip route get 10.1.20.3")


def added(builder: Any) -> None:
    builder.get_by_label("New").select_option("service")
    builder.get_by_label("Name", exact=True).fill("web")
    builder.get_by_label("Selector").fill("app=web")
    builder.get_by_role("button", name="Add the Service").click()
    builder.get_by_text("web1, web2 behind it.").wait_for()


def chosen(card: Any) -> None:
    card.locator("button").nth(1).click()
    card.locator("[role=status] b").wait_for()


def dropped(table: Any) -> None:
    table.get_by_role("gridcell").filter(has_text="dropped").first.click()


class Shown(NamedTuple):
    """A widget: the cell that shows it, its element, what is done before the screenshot."""

    code: str
    selector: str = PLAYER
    act: Callable[[Any], None] = steps(7)


SETUP = """\
from k8snetlib import Cluster
from k8snetlib.cost import curve
from k8snetlib.views import *
from k8snetlib.course import predict
from k8snetlib.course.scoreboard import Board, Row
cluster = Cluster.example("udp")
exchange = cluster.connect("web2", "backend-svc", port=80, endpoint="backend")
all3 = {name: Cluster.example(name) for name in ("udp", "vxlan", "host-gw")}
walks = {name: one.connect("web2", "backend", port=8080) for name, one in all3.items()}
console = prompt(Cluster.example(), "node1")
for line in ("ip -br a", "iptables -S FORWARD", "iptable -S"):
    console.run(line)
rows = (
    Row("00 · Start here", "00.hello", "Say who answered", "basic", 2, "pass", 4, 4),
    Row("04 · Cross node", "04.trace", "Find the dropping rule", "basic", 10, "fail", 2, 6),
    Row("04 · Cross node", "04.mend", "Mend it", "advanced", 20, "not-attempted", 0, 8),
)
modes = ("iptables", "nftables", "ipvs")
costs = [cost for mode in modes for cost in curve(mode, (6, 96, 996))]
races = {
    mode: Cluster.example("host-gw", mode).connect("web2", "backend-svc", port=80, endpoint="backend")
    for mode in modes
}
"""
WIDGETS = {
    "player": Shown("play(exchange)", act=steps(12)),
    "kernel": Shown("play(exchange, netns='node1')"),
    "rule": Shown("step_rules(exchange.request, 'node1')"),
    "bridge": Shown("step_bridge(exchange, 'node2')"),
    "backends": Shown("step_backends(walks)", act=steps(4)),
    "mtu": Shown("step_mtu(all3)"),
    "etcd": Shown("step_timeline(cluster)"),
    "prompt": Shown("console", ".k8snet-prompt", typed),
    "builder": Shown("build(Cluster.example())", ".k8snet-builder", added),
    "card": Shown("predict('03-ttl')", ".k8snet-card", chosen),
    "board": Shown("Board(rows)", ".k8snet-report", lambda _: None),
    "race": Shown("step_race(costs, races)", act=steps(2)),
    "entry-matrix": Shown(
        "entry_matrix(cluster, 'backend-svc', 'backend-local')", ".k8snet-table", dropped
    ),
}


@pytest.fixture(scope="module", params=SCREENS)
def page(request, open_notebook):
    # Tall enough for the largest one: what is outside its scrolled place is not in a screenshot.
    screen = SCREENS[request.param]
    wide = {"width": screen["viewport"]["width"], "height": 3300}
    cells = [SETUP, *(shown.code for shown in WIDGETS.values())]
    page = open_notebook(cells, theme=screen["theme"], viewport=wide, reduced_motion="reduce")
    page.screen, page.theme = request.param, screen["theme"]
    yield page
    assert (page.errors, page.offsite) == ([], [])


@pytest.mark.parametrize("name", WIDGETS)
def test_the_looks(page: Any, name: str) -> None:
    shown = WIDGETS[name]
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(1 + list(WIDGETS).index(name))
    element = cell.locator(f"{shown.selector}:visible").first
    element.wait_for()
    shown.act(element)
    keep(element, f"{name}-{page.screen}")
    ground = element.evaluate("element => getComputedStyle(element).backgroundColor")
    red = int(re.findall(r"\d+", ground)[0])
    assert "rgba" in ground or (red > 128) == (page.theme == "light")
    for token in element.locator(".token").all():
        assert token.evaluate("token => getComputedStyle(token).transitionDuration") == "0s"


def test_axe_finds_nothing(page: Any) -> None:
    assert axe(page, *{shown.selector for shown in WIDGETS.values()}) == []
