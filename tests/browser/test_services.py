"""The pictures of Services in a real JupyterLab: words inside their boxes, tables that are tables, in
both themes and on a narrow screen."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from tests.browser.conftest import artefacts
from tests.browser.test_pictures import MISPLACED, SCREENS

pytestmark = pytest.mark.browser

CELLS = [
    """\
from k8snetlib.views import chain_map, entry_matrix, nat_table, race
from tests.kernel.flow_runner import warm_cluster
cluster = warm_cluster("vxlan").clone()
exchange = cluster.connect("client", "192.168.66.11", 30080, endpoint="backend-b")
costs = {"iptables": lambda n: n + 14, "IPVS": lambda n: 17, "nftables": lambda n: 9}
""",
    "chain_map(cluster, 'backend-svc', node='node1')",
    "chain_map(cluster, 'backend-local', node='node2')",
    "nat_table(exchange, 'node1')",
    "nat_table(cluster, 'node1')",
    "race([(mode, n, cost(n)) for mode, cost in costs.items() for n in (1, 10, 100, 1000)])",
    "entry_matrix(cluster, 'backend-svc', 'backend-local')",
]
FIGURES, DRAWN, TABLES = 6, 3, 5


@pytest.fixture(scope="module", params=SCREENS)
def page(request, open_notebook):
    page = open_notebook(CELLS, **SCREENS[request.param])
    page.screen = request.param
    return page


def test_words_are_where_they_belong(page: Any) -> None:
    figures = page.locator(".k8snet-figure:visible")
    assert figures.count() == FIGURES
    for n in range(FIGURES):
        figures.nth(n).scroll_into_view_if_needed()
        figures.nth(n).screenshot(path=str(artefacts() / f"service-{n}-{page.screen}.png"))
    assert page.evaluate(MISPLACED) == []
    assert (page.errors, page.offsite) == ([], [])


def test_text_is_large_enough_to_read(page: Any) -> None:
    """A narrow screen has a form of its own, so that nothing has to shrink."""
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('.k8snet-figure svg.k8snet-svg')]
            .filter((svg) => svg.getBoundingClientRect().width)
            .map((svg) => 12.5 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"""
    )
    assert len(sizes) == DRAWN and min(sizes) >= 10


def test_tables_stay_tables(page: Any) -> None:
    """Rows, heads and cells are found as such, also where they are shown as blocks."""
    tables = page.locator("table.grid")
    assert tables.count() == TABLES
    rows = tables.first.get_by_role("row")
    assert rows.count() == 2 + 5, "two of heads, one for each packet"
    assert tables.first.get_by_role("rowheader").first.inner_text() == "0 TCP SYN"
    cell = tables.first.locator("tbody td").first
    assert cell.inner_text().startswith("192.168.66.100:")
    shown = cell.evaluate("(cell) => getComputedStyle(cell, '::before').content")
    assert shown == ('"before source"' if page.screen == "narrow" else "none")


def test_axe_finds_nothing(page: Any) -> None:
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.evaluate(
        "() => axe.run({include: [['.k8snet-figure']]}, {resultTypes: ['violations']})"
    )
    bad = [(v["id"], [node["html"][:90] for node in v["nodes"]]) for v in found["violations"]]
    assert bad == [], json.dumps(bad, indent=1)
