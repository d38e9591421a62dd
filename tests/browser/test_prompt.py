"""The prompt in a real JupyterLab: typed with real keys, and what it shows is what the tools print."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from tests.browser.conftest import axe, restart_and_run_all

pytestmark = pytest.mark.browser

PROMPT = ".k8snet-prompt"
CELLS = [
    "from k8snetlib import Cluster\n"
    "from k8snetlib.views import prompt\n"
    "cluster = Cluster.example()\n"
    "console = prompt(cluster, 'node1')\n"
    "console",
    "console",
]
#: A tool's words that would be harmful if they were read as HTML.
EVIL = "<img src=x onerror=\"document.title='broken'\">"


@pytest.fixture(scope="module")
def page(open_notebook):
    page = open_notebook(CELLS)
    page.wait_for_function(f"document.querySelectorAll('{PROMPT}').length === 2")
    yield page
    assert page.errors == []
    assert page.offsite == []


@pytest.fixture
def console(page):
    """The first prompt, with an empty log, at node1, with the cluster as it was."""
    first = page.locator(PROMPT).first
    first.get_by_role("button", name="Reset the cluster").click()
    first.get_by_role("button", name="Clear the log").click()
    first.get_by_label("Machine").select_option("node1")
    line = first.get_by_role("textbox", name="node1$ command")
    line.fill("")
    page.wait_for_function(f"document.querySelectorAll('{PROMPT} .entry').length === 0")
    line.focus()
    return first


def typed(console, command: str, of: int = 1) -> str:
    """Types a command on the keyboard, where the focus is, and waits for what it prints."""
    page = console.page
    page.keyboard.type(command)
    page.keyboard.press("Enter")
    console.locator(".entry").nth(of - 1).wait_for()
    return console.locator(".entry").nth(of - 1).locator("pre").inner_text()


@pytest.mark.parametrize("command", ["ip route", "ip -br a", "iptables -S FORWARD"])
def test_it_prints_what_the_tool_prints(console, command):
    assert typed(console, command) == Cluster.example()["node1"].sh(command)
    assert console.locator(".typed").inner_text() == f"node1$ {command}"


def test_a_refusal_is_said_in_words(console):
    said = typed(console, "iptable -S")
    assert said == "✗ refused: iptable: command not found."
    assert "Did you mean iptables?" in console.locator(".hint").inner_text()


def test_by_keyboard_alone(console):
    """From the machine to the log and back, without a mouse."""
    page = console.page
    console.get_by_label("Machine").focus()
    page.keyboard.type("web1")
    names = []
    for _ in range(4):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent")
        )
    assert names == [
        "Clear the log", "Reset the cluster", "Commands and what they print", "web1$ command",
    ]  # fmt: skip
    assert typed(console, "hostname") == "web1"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Run"
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("hostname -I")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    console.locator(".entry").nth(1).wait_for()
    assert console.locator(".entry pre").nth(1).inner_text() == "10.1.15.3"


def test_history_with_the_arrow_keys(console):
    page = console.page
    line = console.get_by_role("textbox", name="node1$ command")
    for at, command in enumerate(("hostname", "ip route", "ip neigh"), 1):
        page.keyboard.type(command)
        page.keyboard.press("Enter")
        console.locator(".entry").nth(at - 1).wait_for()
    page.keyboard.type("ip l")
    seen = []
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
        seen.append(line.input_value())
    assert seen == ["ip neigh", "ip route", "hostname", "ip route", "ip neigh", "ip l"]


def test_several_lines(console):
    page = console.page
    page.keyboard.type("hostname")
    page.keyboard.press("Shift+Enter")
    assert typed(console, "hostname -I").startswith("node1\n192.168.66.11")


def test_two_displays_share_one_log_and_each_has_its_machine(console, page):
    second = page.locator(PROMPT).nth(1)
    second.get_by_label("Machine").select_option("web2")
    assert typed(console, "hostname") == "node1"
    assert second.locator(".entry pre").inner_text() == "node1"
    second.get_by_role("textbox", name="web2$ command").focus()
    assert typed(second, "hostname", 2) == "web2"
    assert console.locator(".entry").nth(1).inner_text() == "web2$ hostname\nweb2"
    ids = page.evaluate(f"[...document.querySelectorAll('{PROMPT} [id]')].map((e) => e.id)")
    assert ids and len(ids) == len(set(ids))


def test_the_cluster_is_put_back(console):
    page = console.page
    page.keyboard.type("iptables -I FORWARD -j DROP")
    page.keyboard.press("Enter")
    console.locator(".entry").first.wait_for()
    console.get_by_role("button", name="Reset the cluster").press("Enter")
    console.get_by_text("The cluster was put back to how it was.").wait_for()
    console.get_by_role("textbox", name="node1$ command").focus()
    assert "-A FORWARD -j DROP" not in typed(console, "iptables -S FORWARD", 2)


def test_ctrl_l_and_clear_empty_the_log(console):
    page = console.page
    for empty in ("Control+l", "clear"):
        typed(console, "hostname")
        if "+" in empty:
            page.keyboard.press(empty)
        else:
            page.keyboard.type(empty)
            page.keyboard.press("Enter")
        page.wait_for_function(f"document.querySelectorAll('{PROMPT} .entry').length === 0")


def test_the_log_as_a_script(console):
    page = console.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    typed(console, "hostname")
    console.get_by_text("The log as a script").press("Enter")
    area = console.get_by_role("textbox", name="The log as a script")
    assert area.input_value() == "node1$ hostname"
    console.get_by_role("button", name="Copy as shell lines").press("Enter")
    console.get_by_text("Copied: the script as shell lines.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "node1$ hostname"
    console.get_by_role("button", name="Copy as a Python list").press("Enter")
    console.get_by_text("Copied: the script as a Python list.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert eval(copied) == [{"netns": "node1", "command": "hostname"}]


def test_output_is_never_html(console):
    said = typed(console, f"hostname {EVIL}")
    assert "<img" in said or "onerror" in console.locator(".typed").inner_text()
    assert console.locator("img").count() == 0
    assert console.page.title() != "broken"


def test_a_long_output_scrolls(console):
    output = typed(console, "iptables-save; iptables-save; iptables-save")
    log = console.get_by_role("log")
    box = log.bounding_box()
    assert len(output.splitlines()) > 60
    assert box and box["height"] < 400
    assert log.evaluate("log => log.scrollTop + log.clientHeight >= log.scrollHeight - 2")


def test_axe_finds_nothing(console):
    typed(console, "ip route")
    typed(console, "iptable -S", 2)
    console.locator("details").evaluate("details => { details.open = true }")
    page = console.page
    assert axe(page, PROMPT) == []


def test_restart_and_run_all(page):
    restart_and_run_all(page)
    page.wait_for_function(f"document.querySelectorAll('{PROMPT}').length === 2")
    console = page.locator(PROMPT).first
    console.get_by_role("textbox", name="node1$ command").focus()
    assert typed(console, "hostname") == "node1"
