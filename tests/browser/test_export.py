"""The exported page, opened from disk in a real Chromium: it asks for nothing, and it steps."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.views import play, step_backends, step_bridge, step_mtu, step_rules, step_timeline
from k8snetlib.words import annotate
from tests.browser.conftest import artefacts, axe
from tests.clusters import large

pytestmark = pytest.mark.browser

#: A page of one walk stays small enough to be mailed.
LARGEST = 400_000


@pytest.fixture(scope="module")
def exchange():
    return Cluster.example().connect("web2", "backend", port=8080)


@pytest.fixture(scope="module")
def file(exchange, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "walk.html"
    play(exchange).to_html(path)
    return path


SCREENS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 720}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 720}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


@pytest.fixture(scope="module", params=SCREENS)
def page(request, browser, file):
    page = browser.new_page(**SCREENS[request.param])
    page.screen, page.asked, page.wrong = request.param, [], []
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda said: said.type == "error" and page.wrong.append(said.text))
    page.goto(file.as_uri())
    yield page
    page.close()


def test_every_step_by_the_keyboard(page, exchange, file):
    """From the first Tab on, without a mouse; nothing is asked for but the file itself."""
    player = page.locator(".k8snet-player")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.k8snet-player')")
    seen = []
    for _ in exchange.request.steps:
        seen.append(player.locator(".why").inner_text())
        page.keyboard.press("ArrowRight")
    assert seen == [annotate(step.reason, exchange.names) for step in exchange.request.steps]
    page.keyboard.press("Home")
    assert player.locator(".slide label").inner_text().startswith("Step 1 of ")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.screenshot(path=str(artefacts() / f"export-{page.screen}.png"), full_page=True)
    assert (page.asked, page.wrong) == ([file.as_uri()], [])


def test_the_words_are_there(page):
    assert page.locator(".told pre").count() == 1
    page.get_by_text("The same in words: every packet").click()
    assert "web2 (it begins here)" in page.locator(".told pre").inner_text()
    page.get_by_text("The same in words: every packet").click()
    assert page.locator(".still svg:visible").count() == 0


def test_the_page_is_as_wide_as_the_screen(page):
    """What is wider scrolls inside its box."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_theme_is_the_reader_s(page):
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 24, 29)" if page.screen == "dark" else "rgb(255, 255, 255)")


def test_axe_finds_nothing(page):
    assert axe(page, "html") == []


def test_without_scripts_the_picture_stays(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".still svg").is_visible()
    assert page.locator(".k8snet-player").count() == 0
    context.close()


def test_the_page_is_small(file):
    size = file.stat().st_size
    assert size <= LARGEST, f"{size} bytes"


def _waiting():
    cluster = Cluster.example()
    cluster.advance("25h")
    return cluster


FAMILY = {
    "kernel": lambda exchange: play(exchange, netns="node1"),
    "bridge": lambda exchange: step_bridge(exchange, "node1"),
    "rules": lambda exchange: step_rules(exchange, "node1"),
    "backends": lambda exchange: step_backends(
        {name: Cluster.example(name).ping("web2", "backend") for name in ("udp", "vxlan")}
    ),
    "mtu": lambda exchange: step_mtu({"udp": Cluster.example("udp")}),
    "timeline": lambda exchange: step_timeline(_waiting()),
}


@pytest.mark.parametrize("name", FAMILY)
def test_every_player_steps_from_disk(name, browser, exchange, tmp_path):
    file = tmp_path / f"{name}.html"
    FAMILY[name](exchange).to_html(file)
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    asked, wrong = [], []
    page.on("request", lambda one: asked.append(one.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.goto(file.as_uri())
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    seen = [page.locator(".k8snet-player").inner_text()]
    page.keyboard.press("ArrowRight")
    seen.append(page.locator(".k8snet-player").inner_text())
    page.keyboard.press("ArrowLeft")
    assert seen[0] != seen[1] and page.locator(".k8snet-player").inner_text() == seen[0]
    assert (asked, wrong) == ([file.as_uri()], [])
    page.close()


def test_a_large_cluster_scrolls_to_the_packet(browser, tmp_path):
    """The buttons stay near, and the packet in sight, wherever it is among many nodes."""
    file = tmp_path / "large.html"
    exchange = large(120).connect("web2", "backend", port=8080)
    asked = next(n for n, trace in enumerate(exchange.packets) if len(trace.hops) > 100)
    play(exchange, asked).to_html(file)
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(file.as_uri())
    assert page.locator(".buttons").bounding_box()["y"] < 720
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.wait_for_timeout(400)
    stage, token = (page.locator(at).bounding_box() for at in (".stage", ".token"))
    assert stage["y"] <= token["y"] <= stage["y"] + stage["height"] - token["height"]
    assert page.locator(".stage").evaluate("stage => stage.scrollTop") > 0
    page.close()
