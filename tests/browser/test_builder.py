"""The cluster builder in a real JupyterLab, with mouse and keyboard: what it shows is the cluster."""

from __future__ import annotations

import pytest

from tests.browser.conftest import axe, restart_and_run_all

pytestmark = pytest.mark.browser

BUILDER = ".k8snet-builder"
CELLS = [
    "from k8snetlib import Cluster\n"
    "from k8snetlib.views import build\n"
    "builder = build(Cluster.example())\n"
    "builder",
    "builder",
]


@pytest.fixture(scope="module")
def page(open_notebook):
    page = open_notebook(CELLS)
    page.wait_for_function(f"document.querySelectorAll('{BUILDER}').length === 2")
    yield page
    assert page.errors == []
    assert page.offsite == []


@pytest.fixture
def builder(page):
    """The first builder, with the cluster as it was, about to add a pod."""
    first = page.locator(BUILDER).first
    first.get_by_role("button", name="Reset the cluster").click()
    first.get_by_text("The cluster was put back to how it was.").wait_for()
    first.get_by_label("New").select_option("node")
    first.get_by_label("New").select_option("pod")
    return first


def objects(builder) -> list[str]:
    return builder.get_by_label("Object").locator("option").all_inner_texts()


def test_a_pod_by_mouse(builder):
    builder.get_by_label("Name", exact=True).fill("late")
    builder.get_by_label("Node", exact=True).select_option("node3")
    builder.get_by_role("button", name="Add the Pod").click()
    builder.get_by_text("pod/late runs on node3 with 10.1.30.3.").wait_for()
    assert builder.get_by_label("Object").input_value() == "pod/late"
    assert "nodeName: node3" in builder.get_by_label("pod/late as YAML").inner_text()
    assert builder.locator(".picture").get_by_text("late", exact=True).count() >= 1
    assert builder.get_by_label("Name", exact=True).input_value() == "", "ready for the next one"


def test_a_service_by_keyboard_alone(builder):
    page = builder.page
    builder.get_by_label("New").focus()
    page.keyboard.type("Serv")
    for words in ("web", "app=web", None, "", ""):
        page.keyboard.press("Tab")
        if words:
            page.keyboard.type(words)
    page.keyboard.type("Node")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    builder.locator(".status").get_by_text("web1, web2 behind it.").wait_for()
    assert "and at every node's port 30086" in builder.locator(".status").inner_text()
    assert builder.get_by_label("Object").input_value() == "service/web"
    assert any(name.startswith("endpointslice/web") for name in objects(builder))


def test_enter_in_a_field_adds(builder):
    builder.get_by_label("Name", exact=True).press_sequentially("quick")
    builder.get_by_label("Name", exact=True).press("Enter")
    builder.get_by_text("pod/quick runs on").wait_for()


def test_a_node_and_away_again(builder):
    builder.get_by_label("New").select_option("node")
    builder.get_by_role("button", name="Add the Node").click()
    builder.get_by_text("node4 joined with 192.168.66.14").wait_for()
    assert builder.locator(".picture").get_by_text("node4", exact=True).count() >= 1
    builder.get_by_role("button", name="Remove node/node4").click()
    builder.get_by_text("node4 left; the cluster was built anew.").wait_for()
    assert "node/node4" not in objects(builder)
    assert builder.locator(".picture").get_by_text("node4", exact=True).count() == 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"Name": ""}, "A pod needs a name."),
        ({"Name": "web1"}, "There is a pod called web1 already. Choose another name."),
        ({"Name": "<b>x</b>"}, "'<b>x</b>' is no name for a pod."),
        ({"Name": "p", "Port": "http"}, "The port is a number from 1 to 65535, not 'http'."),
        ({"Name": "p", "Labels": "web"}, "The labels cannot be 'web'. Write KEY=VALUE"),
    ],
    ids=["no name", "taken", "not a name", "no port", "no label"],
)
def test_a_refusal_is_one_sentence_and_keeps_the_form(builder, fields, sentence):
    before = objects(builder)
    for name, value in fields.items():
        builder.get_by_label(name, exact=True).fill(value)
    builder.get_by_role("button", name="Add the Pod").click()
    status = builder.get_by_role("status")
    status.get_by_text(sentence).wait_for()
    assert status.inner_text().startswith("✗ ")
    assert status.locator("b").count() == 0
    assert objects(builder) == before
    assert builder.get_by_label("Name", exact=True).input_value() == fields["Name"]


def test_two_displays_are_one_cluster(builder, page):
    second = page.locator(BUILDER).nth(1)
    builder.get_by_label("Name", exact=True).fill("late")
    builder.get_by_role("button", name="Add the Pod").click()
    second.get_by_text("pod/late runs on").wait_for()
    assert "pod/late" in objects(second)
    ids = page.evaluate(f"[...document.querySelectorAll('{BUILDER} [id]')].map((e) => e.id)")
    assert ids and len(ids) == len(set(ids))


def test_axe_finds_nothing(builder):
    page = builder.page
    builder.get_by_role("button", name="Add the Pod").click()
    builder.get_by_text("A pod needs a name.").wait_for()
    assert axe(page, BUILDER) == []


def test_restart_and_run_all(page):
    restart_and_run_all(page)
    page.wait_for_function(f"document.querySelectorAll('{BUILDER}').length === 2")
    builder = page.locator(BUILDER).first
    builder.get_by_label("Name", exact=True).fill("late")
    builder.get_by_role("button", name="Add the Pod").click()
    builder.get_by_text("pod/late runs on").wait_for()
