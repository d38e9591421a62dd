"""An incident in a real JupyterLab, from the ticket to the answer, without a mouse."""

from __future__ import annotations

import pytest

from tests.browser.conftest import SCREENS, axe, keep

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
