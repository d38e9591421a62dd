"""An incident in a real JupyterLab, from the ticket to the answer, without a mouse."""

from __future__ import annotations

import pytest

from tests.browser.conftest import CURRENT, ROOT, SCREENS, axe, keep

pytestmark = pytest.mark.browser

TICKET, PROMPT = ".k8snet-report", ".k8snet-prompt"
LOOK, MEND = "iptables -S INPUT", "iptables -D INPUT -p udp --dport 8285 -j DROP"
CELLS = [
    "from k8snetlib.course import incident\nconsole = incident('overlay-port')\nconsole",
    "console.answer('overlay-port-blocked')",
]


@pytest.fixture(scope="module", params=SCREENS)
def page(request, open_notebook):
    screen = SCREENS[request.param]
    wide = {"width": screen["viewport"]["width"], "height": 2000}
    page = open_notebook(CELLS, theme=screen["theme"], viewport=wide)
    page.locator(PROMPT).wait_for()
    page.screen = request.param
    yield page
    assert (page.errors, page.offsite) == ([], [])


def test_from_the_ticket_to_the_answer_by_keyboard(page):
    """Reads the ticket, looks, repairs, and gets the answer cell's source."""
    ticket, console = page.locator(TICKET).first, page.locator(PROMPT)
    ticket.locator("summary").focus()
    page.keyboard.press("Enter")
    row = ticket.get_by_role("row").filter(has_text="overlay-port-blocked")
    assert "a firewall blocks the overlay's UDP port" in row.inner_text()
    keep(ticket, f"incident-ticket-{page.screen}")

    reached = []
    while "command" not in (reached or [""])[-1]:
        assert len(reached) < 12, reached
        page.keyboard.press("Tab")
        name = "document.activeElement.ariaLabel ?? document.activeElement.textContent"
        reached.append(page.evaluate(name))
    for at, line in enumerate((LOOK, MEND)):
        page.keyboard.type(line)
        page.keyboard.press("Enter")
        console.locator(".entry").nth(at).wait_for()
    assert "--dport 8285 -j DROP" in console.locator(".entry pre").first.inner_text()
    keep(console, f"incident-prompt-{page.screen}")

    page.locator(".jp-CodeCell .cm-content").nth(1).focus()
    page.keyboard.press("Control+Enter")
    source = page.locator(f"{TICKET} pre").filter(has_text="iptables -D")
    source.wait_for()
    assert source.inner_text().splitlines() == [
        "repair = {", '    "cause": "overlay-port-blocked",', '    "script": """',
        f"node1$ {MEND}", '""",', "}",
    ]  # fmt: skip
    keep(page.locator(TICKET).last, f"incident-answer-{page.screen}")
    assert axe(page, TICKET, PROMPT, impact=("serious", "critical")) == []


#: Tickets of the exercise *on call*: the machine, what is typed there, the cause, the points.
REPAIRS = {
    "13.ticket1": (
        "node1",
        ["ip route del 10.1.20.0/25", "ip route del 10.1.30.0/25 via 192.168.66.14"],
        "stale-route",
        "6 of 6 points",
    ),
    "13.ticket5": (
        "node1",
        ['sed -i \'s/""/"--ip-masq"/\' /etc/default/flanneld', "systemctl restart flanneld"],
        "no-masquerade",
        "4 of 6 points",
    ),
}


@pytest.fixture(scope="module")
def on_call(open_notebook):
    """The whole exercise, with six prompts on one page."""
    page = open_notebook(ROOT / "exercises/13_on_call/exercise.ipynb")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield page
    assert (page.errors, page.offsite) == ([], [])


def test_no_two_controls_share_an_id(on_call):
    on_call.wait_for_function(f"document.querySelectorAll('{PROMPT}').length >= 6")
    ids = on_call.evaluate("[...document.querySelectorAll('.k8snet [id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("task", REPAIRS)
def test_a_ticket_of_an_exercise_is_repaired_and_judged(on_call, task):
    """Repairs at the prompt, and pastes the source over the answer cell with one click."""
    machine, commands, cause, points = REPAIRS[task]
    cells = {name: _cell(on_call, f"{name}-{task.replace('.', '-')}{end}")
             for name, end in (("look", "-0"), ("ans", ""), ("chk", ""), ("hint", ""))}  # fmt: skip
    console = cells["look"].locator(PROMPT)
    console.get_by_label("Machine").select_option(machine)
    console.get_by_role("textbox", name=f"{machine}$ command").focus()
    for at, line in enumerate(commands):
        on_call.keyboard.type(line)
        on_call.keyboard.press("Enter")
        console.locator(".entry").nth(at).wait_for()

    _run(cells["hint"], f'console_{task[3:]}.answer("{cause}")')
    source = cells["hint"].locator(f"{TICKET} pre")
    source.click()
    on_call.keyboard.press("Control+c")
    _run(cells["ans"])
    _run(cells["chk"], "")
    report = cells["chk"].get_by_text(points)
    report.wait_for()
    assert all(line in cells["ans"].locator(".cm-content").inner_text() for line in commands)
    keep(cells["chk"].locator(TICKET), f"incident-report-{task}")


def _cell(page, name):
    """The cell of that id."""
    ids = page.evaluate(f"[...{CURRENT}.content.model.cells].map((cell) => cell.id)")
    return page.locator(".jp-Cell").nth(ids.index(name))


def _run(cell, text=None):
    """Writes a text into a cell (None: the clipboard, empty: what there is) and runs it."""
    cell.locator(".cm-content").click()
    if text != "":
        cell.page.keyboard.press("Control+a")
    if text is None:
        cell.page.keyboard.press("Control+v")
    elif text:
        cell.page.keyboard.insert_text(text)
    cell.page.keyboard.press("Control+Enter")
    cell.page.wait_for_timeout(100)
    cell.page.wait_for_function(f"{CURRENT}.sessionContext.session.kernel.status === 'idle'")
