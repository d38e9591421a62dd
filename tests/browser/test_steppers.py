"""The player's other contents in a real JupyterLab: by mouse, by keyboard, as the trace says."""

from __future__ import annotations

import re
import statistics

import pytest

from k8snetlib import Cluster
from k8snetlib.views import (
    play,
    step_backends,
    step_bridge,
    step_mtu,
    step_rules,
    step_timeline,
)
from tests.browser.conftest import axe, restart_and_run_all

pytestmark = pytest.mark.browser

PLAYER = ".k8snet-player"
#: What is shown -> the cell that shows it (the players of a page, from top to bottom).
SHOWN = {
    "why": "play(exchange)",
    "rules": "step_rules(exchange.request, 'node1')",
    "bridge": "step_bridge(exchange, 'node2')",
    "backends": "step_backends({n: c.connect('web2', 'backend', port=8080) for n, c in all3.items()})",
    "mtu": "step_mtu(all3)",
    "etcd": "step_timeline(cluster)",
}
CELLS = [
    "from k8snetlib import Cluster\n"
    "from k8snetlib.views import *\n"
    "cluster = Cluster.example('udp')\n"
    "exchange = cluster.connect('web2', 'backend-svc', port=80, endpoint='backend')\n"
    "all3 = {name: Cluster.example(name) for name in ('udp', 'vxlan', 'host-gw')}",
    *SHOWN.values(),
    next(iter(SHOWN.values())),
]


@pytest.fixture(scope="module")
def exchange():
    return Cluster.example("udp").connect("web2", "backend-svc", port=80, endpoint="backend")


def players_are_there(page):
    page.wait_for_function(f"document.querySelectorAll('{PLAYER}').length === {len(CELLS) - 1}")


@pytest.fixture(scope="module")
def page(open_notebook):
    page = open_notebook(CELLS, reduced_motion="reduce")
    players_are_there(page)
    yield page
    assert page.errors == []
    assert page.offsite == []


def shown(page, what):
    """The player of a name, at its first step."""
    player = page.locator(PLAYER).nth(list(SHOWN).index(what))
    player.locator("input[type=range]").press("Home")
    return player


def count(player) -> int:
    return int(re.match(r"Step (\d+)", player.locator(".slide label").inner_text())[1])


def rows(table):
    return [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]


def test_why_by_keyboard(page, exchange):
    data = play(exchange).data
    player = shown(page, "why")
    player.locator("select").select_option(str(exchange.request_at))
    steps = data["packets"][exchange.request_at]["steps"]
    at = next(n for n, step in enumerate(steps) if step["stage"] == "nat PREROUTING")
    player.focus()
    for _ in range(at):
        player.press("ArrowRight")
    summary = player.locator(".whybox summary")
    assert summary.inner_text() == "Why? Show me the rules"
    summary.focus()
    summary.press("Enter")
    why = steps[at]["why"]
    tables = player.locator(".because table")
    tables.first.wait_for()  # a browser tells of the opening a moment later
    assert tables.count() == len(why["chains"])
    for chain, table in zip(why["chains"], tables.all(), strict=True):
        assert table.locator("caption").inner_text() == chain["name"]
        assert rows(table) == chain["rows"]
        assert table.locator("tr.hit").count() == 1
    # It stays open, and tells of the step that is shown.
    summary.press("ArrowRight")
    assert count(player) == at + 2
    player.press("End")
    assert player.locator(".because code").all_inner_texts()[0] == steps[-1]["why"]["entry"]


def test_why_by_mouse(page, exchange):
    player = shown(page, "why")
    player.locator("select").select_option(str(exchange.request_at))
    for _ in range(2):
        player.get_by_role("button", name="Step forward").click()
    summary = player.locator(".whybox summary")  # it waits for an answer
    assert summary.inner_text() == "Why? No entry decided"
    player.get_by_role("button", name="Step back").click()
    details = player.locator("details.whybox")
    if not details.evaluate("details => details.open"):
        player.locator(".whybox summary").click()
    player.locator(".because li").first.wait_for()
    commands = player.locator(".because li").all_inner_texts()
    assert commands == ["ip route get 10.96.0.10", "ip route"]
    assert "See it yourself, on web2" in player.locator(".because").inner_text()


def test_rules_forward_and_back(page, exchange):
    data = step_rules(exchange.request, "node1").data
    player = shown(page, "rules")
    steps = data["packets"][0]["steps"]
    seen = []
    for step in steps:
        seen.append(player.locator(".why").inner_text())
        for table, told in zip(player.locator(".tables table").all(), step["tables"], strict=True):
            assert rows(table) == told["rows"]
            assert rows(table)[told["marks"].index("hit")][1] == table.locator(
                "tr.hit td").nth(1).inner_text()  # fmt: skip
        player.locator("input[type=range]").press("ArrowRight")
    assert seen == [step["reason"] for step in steps]
    player.get_by_role("button", name="Step back").click()
    assert player.locator(".why").inner_text() == steps[-2]["reason"]
    assert player.locator(".note").first.inner_text() == steps[-2]["note"]


def test_tables_change_with_the_frames(page, exchange):
    data = step_bridge(exchange, "node2").data
    player = shown(page, "bridge")
    for n, step in enumerate(data["packets"][0]["steps"]):
        if n:
            player.get_by_role("button", name="Step forward").click()
        tables = player.locator(".tables table").all()
        assert [table.locator("caption").inner_text() for table in tables] == [
            told["caption"] for told in step["tables"]
        ]
        for table, told in zip(tables, step["tables"], strict=True):
            assert rows(table) == told["rows"]
            assert table.locator("tr.new").count() == told["marks"].count("new")
        assert player.locator(".token").count() == 1 + len(step.get("tokens", []))
        assert player.locator(".verdict").inner_text().endswith(step["word"])


@pytest.fixture(scope="module")
def all3():
    return {name: Cluster.example(name) for name in ("udp", "vxlan", "host-gw")}


def test_three_walks_in_step(page, all3):
    walks = {n: c.connect("web2", "backend", port=8080) for n, c in all3.items()}
    data = step_backends(walks).data
    player = shown(page, "backends")
    for step in data["packets"][0]["steps"]:
        columns = player.locator(".column").all()
        for column, told in zip(columns, step["columns"], strict=True):
            look = data["packets"][0]["states"][told["state"]]
            assert f"{look['bytes']} bytes" in column.locator(".stacktitle").inner_text()
            assert column.locator(".layer").count() == len(look["layers"])
        assert rows(player.locator(".tables table")) == step["tables"][0]["rows"]
        player.locator("input[type=range]").press("ArrowRight")


def test_the_ruler_by_mouse(page, all3):
    data = step_mtu(all3).data
    player = shown(page, "mtu")
    player.locator("select").select_option("1")
    box = player.locator("input[type=range]").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    step = data["packets"][1]["steps"][count(player) - 1]
    assert 4 < count(player) < 13
    assert player.locator(".why").inner_text() == step["reason"]
    assert rows(player.locator(".tables table")) == step["tables"][0]["rows"]
    assert player.locator(".headers").is_hidden()


def test_revision_by_revision(page):
    data = step_timeline(Cluster.example("udp")).data
    player = shown(page, "etcd")
    for n, step in enumerate(data["packets"][0]["steps"]):
        if n:
            player.get_by_role("button", name="Step forward").click()
        assert f"Step {n + 1} of" in player.locator(".where").inner_text()
        for table, told in zip(player.locator(".tables table").all(), step["tables"], strict=True):
            assert rows(table) == told["rows"]


def test_axe_finds_nothing(page):
    for details in page.locator("details.whybox").all():
        details.evaluate("details => { details.open = true }")
    assert axe(page, PLAYER) == []


@pytest.mark.parametrize("what", SHOWN)
def test_a_step_is_quick(page, what):
    """Data to picture, with "why?" open, in the browser alone."""
    player = shown(page, what)
    times = player.locator("input[type=range]").evaluate(
        """async (slider) => {
            const found = [];
            for (let n = 1; n <= 40; n++) {
                const start = performance.now();
                slider.value = 1 + n % Number(slider.max);
                slider.dispatchEvent(new Event('input'));
                slider.getBoundingClientRect();
                found.push(performance.now() - start);
                await new Promise(requestAnimationFrame);
            }
            return found;
        }"""
    )
    median = statistics.median(times)
    assert median < 50, f"{what}: median of {len(times)} steps: {median:.1f} ms"


def test_restart_and_run_all(page):
    restart_and_run_all(page)
    players_are_there(page)
    assert all(count(player) == 1 for player in page.locator(PLAYER).all())
