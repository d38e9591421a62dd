"""The progress board in a real JupyterLab: tables that a screen reader can walk, at every width."""

from __future__ import annotations

import pytest

from tests.browser.conftest import axe

pytestmark = pytest.mark.browser

BOARD = ".k8snet-report"
CELLS = [
    "from k8snetlib.course.scoreboard import Board, Row\n"
    "one, two = '00 · Start here', '04 · Cross node by UDP, with a <b>long</b> name'\n"
    "board = Board((\n"
    "    Row(one, '00.hello', 'Say who answered', 'basic', 2, 'pass', 4, 4),\n"
    "    Row(two, '04.trace', 'Find the dropping rule', 'basic', 10, 'fail', 2, 6),\n"
    "    Row(two, '04.mend', 'Mend it', 'advanced', 20, 'not-attempted', 0, 8),\n"
    "), ('The progress file was kept aside.',))\n"
    "board",
    "board",
]


@pytest.fixture(scope="module", params=[("light", 1280), ("dark", 1280), ("light", 400)], ids=str)
def page(open_notebook, request):
    theme, width = request.param
    page = open_notebook(
        CELLS, theme=theme, color_scheme=theme, viewport={"width": width, "height": 900}
    )
    yield page
    assert page.errors == []
    assert page.offsite == []


def test_every_cell_has_its_row_and_its_column(page):
    board = page.locator(BOARD).first
    assert "1 of 3 tasks done, 6 of 18 points." in board.inner_text()
    folded, opened = board.locator("details").all()
    assert opened.get_attribute("open") is not None and folded.get_attribute("open") is None
    heads = opened.get_by_role("columnheader").all_inner_texts()
    assert heads == ["Task", "Level", "State", "Points"]
    rows = opened.get_by_role("rowheader").all_inner_texts()
    assert rows == ["04.trace\nFind the dropping rule", "04.mend\nMend it"]
    assert "04 · Cross node by UDP, with a <b>long</b> name: 0 of 2 tasks" in opened.inner_text()


def test_a_finished_exercise_opens_by_the_keyboard(page):
    summary = page.locator(BOARD).first.locator("summary").first
    assert summary.inner_text() == "✓ 00 · Start here: 1 of 1 task, 4 of 4 points, done"
    summary.press("Enter")
    table = page.locator(BOARD).first.get_by_role("table", name="00 · Start here")
    assert table.get_by_role("rowheader").all_inner_texts() == ["00.hello\nSay who answered"]
    summary.press("Enter")


def test_nothing_sticks_out_and_no_word_is_cut(page):
    board = page.locator(BOARD).first
    wide = board.evaluate("element => element.scrollWidth - element.clientWidth")
    assert wide <= 1
    broken = board.evaluate(
        """element => [...element.querySelectorAll('td, th')]
            .filter((cell) => cell.getBoundingClientRect().width < 34)
            .map((cell) => cell.textContent)"""
    )
    assert broken == []


def test_axe_finds_nothing(page):
    assert axe(page, BOARD) == []
