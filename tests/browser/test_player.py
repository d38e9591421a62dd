"""The step player and the pictures in a real JupyterLab: what a learner sees is what the Trace says."""

from __future__ import annotations

import re
import statistics

import pytest

from k8snetlib import Cluster
from k8snetlib.views.text import packet_title
from k8snetlib.words import annotate
from tests.browser.conftest import axe, restart_and_run_all

pytestmark = pytest.mark.browser

#: flanneld's command line for nodes without any rule: their steps are counted here.
BARE = "--ip-masq=false --iptables-forward-rules=false"
CELLS = [
    "from k8snetlib import Cluster\n"
    "from k8snetlib.views import draw, play\n"
    f"cluster = Cluster.example('udp', 'none', flanneld='{BARE}')\n"
    "exchange = cluster.connect('web2', '10.1.20.3', port=8080)",
    "player = play(exchange)\nplayer",
    "player",
    "draw(exchange, 'both')",
    "draw(cluster)",
]
PLAYER = ".k8snet-player"


@pytest.fixture(scope="module")
def exchange():
    return Cluster.example("udp", "none", flanneld=BARE).connect("web2", "10.1.20.3", port=8080)


@pytest.fixture(scope="module")
def page(open_notebook):
    page = open_notebook(CELLS)
    page.wait_for_function(f"document.querySelectorAll('{PLAYER}').length === 2")
    return page


@pytest.fixture
def player(page):
    """The first player, back at the request's first step."""
    first = page.locator(PLAYER).first
    first.locator("select").select_option("2")
    yield first
    assert page.errors == []
    assert page.offsite == []


def said(player) -> str:
    return player.locator(".why").inner_text()


def count(player) -> int:
    return int(re.match(r"Step (\d+)", player.locator(".slide label").inner_text())[1])


def test_every_step_is_told_as_the_trace_says(player, exchange):
    slider = player.locator("input[type=range]")
    slider.focus()
    slider.press("Home")
    seen = [said(player)]
    for _ in exchange.request.steps[1:]:
        slider.press("ArrowRight")
        seen.append(said(player))
    assert seen == [annotate(step.reason, exchange.names) for step in exchange.request.steps]
    assert player.locator(".verdict").inner_text().endswith("arrived")


@pytest.mark.parametrize(
    ("keys", "step"),
    [
        (["ArrowRight"] * 3, 4),
        (["ArrowRight", "ArrowRight", "ArrowLeft"], 2),
        (["End"], 34),
        (["End", "ArrowRight"], 34),
        (["End", "Home"], 1),
    ],
    ids=["right", "left", "end", "beyond the end", "home"],
)
def test_keys_on_the_player(player, keys, step):
    player.focus()
    for key in keys:
        player.press(key)
    assert count(player) == step


def test_the_mouse_on_the_slider(player):
    box = player.locator("input[type=range]").bounding_box()
    assert box
    player.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert 15 <= count(player) <= 20


@pytest.mark.parametrize(
    ("buttons", "step"),
    [
        (["Step forward"], 2),
        (["Last step"], 34),
        (["Last step", "Step back"], 33),
        (["Step forward", "Step forward", "First step"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_buttons(player, buttons, step):
    for name in buttons:
        player.get_by_role("button", name=name).click()
    assert count(player) == step


def test_space_plays_and_pauses(player):
    player.focus()
    player.press(" ")
    assert player.get_by_role("button", name="Pause").count() == 1
    player.page.wait_for_function(
        f"document.querySelector('{PLAYER} input[type=range]').value === '2'", timeout=5000
    )
    player.press(" ")
    assert player.get_by_role("button", name="Play", exact=True).count() == 1
    assert count(player) == 2


def test_every_packet_can_be_chosen(player, exchange):
    options = player.locator("option").all_inner_texts()
    for trace, option in zip(exchange.packets, options, strict=True):
        assert packet_title(trace, exchange.names) in option
        player.locator("select").select_option(option)
        assert player.locator(".slide label").inner_text() == f"Step 1 of {len(trace.steps)}"


def test_a_changed_field_is_marked_in_words(player, exchange):
    forward = [step.stage for step in exchange.request.steps].index("forward")
    player.focus()
    for _ in range(forward):
        player.press("ArrowRight")
    assert "TTL 63 (changed, was 64)" in player.locator(".f.changed").inner_text()
    assert player.locator(".here").get_attribute("data-anchor") == "node1:ip"


def test_bytes_on_demand(player):
    assert player.locator(".hex").count() == 0
    player.get_by_label("Show the bytes").check()
    assert player.locator(".hex").first.inner_text().startswith("45 00 00 3c")
    player.get_by_label("Show the bytes").uncheck()


def test_a_parked_packet_leads_to_its_question(player):
    player.focus()
    player.press("ArrowRight")
    player.press("ArrowRight")
    player.get_by_role("button", name="Watch that question").click()
    chosen = player.locator("select").evaluate("select => select.selectedOptions[0].text")
    assert chosen == "1. ARP: who has 10.1.15.1 (docker0 of node1)? asks web2, to everybody"
    player.get_by_role("button", name="Back to the packet that waits").click()
    assert (player.locator("select").input_value(), count(player)) == ("2", 3)


def test_two_players_do_not_share_ids(page):
    ids = page.evaluate(
        f"[...document.querySelectorAll('{PLAYER} [id]')].map((element) => element.id)"
    )
    assert ids and len(ids) == len(set(ids))
    second = page.locator(PLAYER).nth(1)
    before = count(page.locator(PLAYER).first)
    second.get_by_role("button", name="Last step").click()
    assert (count(second), count(page.locator(PLAYER).first)) == (34, before)


def test_axe_finds_nothing(page):
    assert axe(page, ".k8snet-player", ".k8snet-figure") == []


def test_restart_and_run_all(page):
    restart_and_run_all(page)
    page.wait_for_function(f"document.querySelectorAll('{PLAYER}').length === 2")
    assert page.locator(PLAYER).first.locator(".slide label").inner_text() == "Step 1 of 34"


def test_a_step_is_quick(player):
    times = player.locator("input[type=range]").evaluate(
        """async (slider) => {
            const found = [];
            for (let n = 1; n <= 30; n++) {
                const start = performance.now();
                slider.value = n;
                slider.dispatchEvent(new Event('input'));
                slider.getBoundingClientRect();
                found.push(performance.now() - start);
                await new Promise(requestAnimationFrame);
            }
            return found;
        }"""
    )
    median = statistics.median(times)
    assert median < 50, f"median of {len(times)} steps: {median:.1f} ms"
