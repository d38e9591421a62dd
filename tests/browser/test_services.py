"""The pictures of Services in a real JupyterLab: words inside their boxes, tables that are tables, in
both themes and on a narrow screen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import SCREENS
from tests.browser.figures import check_figures

pytestmark = pytest.mark.browser

CELLS = [
    """\
from k8snetlib.views import chain_map, nat_table, race
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
]
FIGURES, DRAWN, TABLES = 5, 3, 3


@pytest.fixture(scope="module", params=SCREENS)
def page(request, open_notebook):
    page = open_notebook(CELLS, **SCREENS[request.param])
    page.screen = request.param
    return page


def test_pictures_can_be_read(page: Any) -> None:
    check_figures(page, "service", FIGURES, DRAWN, 12.5)


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
