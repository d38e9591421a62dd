"""An incident in a real JupyterLab, from the ticket to the answer, without a mouse."""

from __future__ import annotations

import pytest

from tests.browser.conftest import CURRENT, SCREENS, axe, keep

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


#: What the exercise has for each ticket: the prompt, the answer, the check, and a cell to type in.
OF_A_TICKET = (
    'console_{name} = incident("{task}")\nconsole_{name}',
    '# answer: {task}\n{name} = {{"cause": None, "script": None}}',
    'check("{task}")',
    "# mine",
)


@pytest.fixture(scope="module")
def on_call(open_notebook):
    """A page with two tickets of the exercise, so with two prompts."""
    cells = ["from k8snetlib.course import check, incident"]
    cells += [cell.format(task=task, name=task[3:]) for task in REPAIRS for cell in OF_A_TICKET]
    page = open_notebook(cells)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.wait_for_function(f"document.querySelectorAll('{PROMPT}').length === {len(REPAIRS)}")
    yield page
    assert (page.errors, page.offsite) == ([], [])


def test_no_two_controls_share_an_id(on_call):
    ids = on_call.evaluate("[...document.querySelectorAll('.k8snet [id]')].map((e) => e.id)")
    assert ids and len(ids) == len(set(ids))


@pytest.mark.parametrize("task", REPAIRS)
def test_a_ticket_of_an_exercise_is_repaired_and_judged(on_call, task):
    """Repairs at the prompt, and pastes the source over the answer cell with one click."""
    machine, commands, cause, points = REPAIRS[task]
    first = 1 + len(OF_A_TICKET) * list(REPAIRS).index(task)
    look, answer, check, mine = (on_call.locator(".jp-Cell").nth(first + n) for n in range(4))
    console = look.locator(PROMPT)
    console.get_by_label("Machine").select_option(machine)
    console.get_by_role("textbox", name=f"{machine}$ command").focus()
    for at, line in enumerate(commands):
        on_call.keyboard.type(line)
        on_call.keyboard.press("Enter")
        console.locator(".entry").nth(at).wait_for()

    _run(mine, f'console_{task[3:]}.answer("{cause}")')
    mine.locator(f"{TICKET} pre").click()
    on_call.keyboard.press("Control+c")
    _run(answer)
    assert all(line in answer.locator(".cm-content").inner_text() for line in commands)
    _run(check, f'check("{task}")')
    check.get_by_text(points).wait_for()
    keep(check.locator(TICKET), f"incident-report-{task}")


def _run(cell, text=""):
    """Writes a text (empty: what was copied) over what a cell holds, and runs it."""
    cell.locator(".cm-content").click()
    cell.page.keyboard.press("Control+a")
    if text:
        cell.page.keyboard.insert_text(text)
    else:
        cell.page.keyboard.press("Control+v")
    cell.page.keyboard.press("Control+Enter")
    cell.page.wait_for_timeout(100)
    cell.page.wait_for_function(f"{CURRENT}.sessionContext.session.kernel.status === 'idle'")
