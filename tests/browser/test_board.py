"""The progress board in a real JupyterLab: a table that a screen reader can walk, at every width."""

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
    table = page.locator(BOARD).first.get_by_role("table")
    assert table.locator("caption").inner_text() == "1 of 3 tasks done, 6 of 18 points."
    heads = table.get_by_role("columnheader").all_inner_texts()
    assert heads == ["Exercise", "Task", "Level", "State", "Points"]
    rows = table.get_by_role("rowheader").all_inner_texts()
    assert rows == [
        "00 · Start here", "00.hello\nSay who answered",
        "04 · Cross node by UDP, with a <b>long</b> name", "04.trace\nFind the dropping rule",
        "04.mend\nMend it",
    ]  # fmt: skip


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
