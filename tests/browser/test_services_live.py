"""The race and the matrix of entries, live in a real JupyterLab: by mouse, by keyboard, as the model
says."""

from __future__ import annotations

import re
import statistics

import pytest

from k8snetlib import Cluster
from k8snetlib.cost import curve
from k8snetlib.views import entry_matrix, step_race
from tests.browser.conftest import artefacts, axe, restart_and_run_all, set_theme

pytestmark = pytest.mark.browser

RACE, TABLE = ".k8snet-player", ".k8snet-table"
CELLS = [
    "from k8snetlib import Cluster\n"
    "from k8snetlib.cost import curve\n"
    "from k8snetlib.views import *\n"
    "modes = ('iptables', 'nftables', 'ipvs')\n"
    "costs = [cost for mode in modes for cost in curve(mode, (6, 96, 996))]\n"
    "walks = {m: Cluster.example('host-gw', m).connect('web2', 'backend-svc', port=80,"
    " endpoint='backend') for m in modes}\n"
    "cluster = Cluster.example('host-gw')\n"
    "walked = Cluster.example('host-gw', 'ipvs')\n"
    "_ = [walked.connect('web2', 'backend-svc', 80) for _ in range(4)]",
    "step_race(costs, walks)",
    "matrix = entry_matrix(cluster, 'backend-svc', 'backend-local')\nmatrix",
    "matrix",
    "packet_flow(walks['iptables'].request, 'node1')",
    "chain_map(Cluster.example('host-gw', 'nftables'), 'backend-svc', 'node1')",
    "chain_map(walked, 'backend-svc', 'node1')",
]


def all_there(page):
    page.wait_for_function(
        f"document.querySelectorAll('{RACE}').length === 1 && "
        f"document.querySelectorAll('{TABLE}').length === 2"
    )


@pytest.fixture(scope="module")
def page(open_notebook):
    page = open_notebook(CELLS, reduced_motion="reduce")
    all_there(page)
    yield page
    assert page.errors == []
    assert page.offsite == []


@pytest.fixture(scope="module")
def race():
    modes = ("iptables", "nftables", "ipvs")
    costs = [cost for mode in modes for cost in curve(mode, (6, 96, 996))]
    walks = {
        m: Cluster.example("host-gw", m).connect("web2", "backend-svc", port=80, endpoint="backend")
        for m in modes
    }
    return step_race(costs, walks).data


@pytest.fixture(scope="module")
def matrix():
    return entry_matrix(Cluster.example("host-gw"), "backend-svc", "backend-local").data


def rows(table):
    return [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]


# -- the race -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["keyboard", "mouse"])
@pytest.mark.parametrize("which", [0, 1], ids=["services", "rules"])
def test_the_race(page, race, which, by):
    player = page.locator(RACE)
    player.locator("select").select_option(str(which))
    player.locator("input[type=range]").press("Home")
    for n, step in enumerate(race["packets"][which]["steps"]):
        if n and by == "mouse":
            player.get_by_role("button", name="Step forward").click()
        elif n:
            player.press("ArrowRight")
        assert player.locator(".why").inner_text() == step["reason"]
        assert rows(player.locator(".tables table")) == step["tables"][0]["rows"]
        # The packets stand where the numbers say, and each lane tells its own number.
        placed = player.locator(".token").evaluate_all(
            "tokens => tokens.map((one) => one.getAttribute('transform'))"
        )
        told = [step["at"], *(token[:2] for token in step["tokens"])]
        found = [[float(x) for x in re.findall(r"[\d.]+", one)] for one in placed]
        assert sorted(found) == sorted(told)
        shown = player.locator(".reached text").evaluate_all(
            "all => all.filter((one) => getComputedStyle(one).display !== 'none')"
            ".map((one) => one.textContent)"
        )
        assert [re.sub(r",| rules?", "", words).replace(": ", ":") for words in shown] == [
            step["anchor"],
            *step["anchors"],
        ]


# -- the matrix -----------------------------------------------------------------------------------


def cell(table, grid, row, column):
    one = table.locator("[role=grid]").nth(grid).locator("tbody tr").nth(row)
    return one.locator("td").nth(column)


def told(table, matrix, n, way=0):
    """Beside the table stands what the model says of this cell."""
    wanted = matrix["cells"][n]
    now = wanted["ways"][way]
    says = table.locator(".says")
    assert says.locator(".name").inner_text() == wanted["name"]
    assert says.locator("dd").all_inner_texts() == [words for _, words in now["facts"]]
    rules = table.locator(".rules li")
    assert rules.count() == len(now["rules"])
    for item, rule in zip(rules.all(), now["rules"], strict=True):
        text = item.inner_text()
        assert rule["where"] in text and all(line in text for line in rule["by"].splitlines())
    drawn = table.locator(".stage svg > g").last.evaluate("g => g.querySelectorAll('.way').length")
    assert drawn == now["ink"].count('class="way')
    assert table.locator("[aria-selected=true]").count() == 1


def test_every_cell_by_arrow_keys(page, matrix):
    table = page.locator(TABLE).first
    for g, grid in enumerate(matrix["grids"]):
        cell(table, g, 0, 0).focus()
        for r, row in enumerate(grid["rows"]):
            page.keyboard.press("Home")
            for c, n in enumerate(row["cells"]):
                if c:
                    page.keyboard.press("ArrowRight")
                focused = cell(table, g, r, c)
                assert focused.evaluate("td => td === document.activeElement")
                assert focused.get_attribute("aria-selected") == "true"
                told(table, matrix, n)
            page.keyboard.press("ArrowDown")
    # At the edge nothing moves, and the notebook's own keys stay out of it.
    page.keyboard.press("ArrowDown")
    assert cell(table, 1, 3, 2).evaluate("td => td === document.activeElement")


def test_one_stop_of_the_tab_key_for_each_table(page, matrix):
    table = page.locator(TABLE).first
    cell(table, 0, 1, 1).click()
    page.keyboard.press("Tab")
    assert cell(table, 1, 3, 2).evaluate("td => td === document.activeElement")
    told(table, matrix, matrix["grids"][0]["rows"][1]["cells"][1])  # only focused, not chosen
    page.keyboard.press("Enter")
    told(table, matrix, matrix["grids"][1]["rows"][3]["cells"][2])


def test_by_mouse_and_the_ways_of_a_cell(page, matrix):
    table = page.locator(TABLE).first
    n = matrix["grids"][0]["rows"][0]["cells"][1]
    cell(table, 0, 0, 1).click()
    told(table, matrix, n)
    for way in range(len(matrix["cells"][n]["ways"])):
        table.get_by_label("What can become of it").select_option(str(way))
        told(table, matrix, n, way)
    cell(table, 1, 0, 0).click()
    assert table.locator("select").is_hidden()
    assert table.locator(".stage .end").count() == 1, "dropped: a cross"


def test_two_tables_of_one_matrix_go_their_own_ways(page, matrix):
    first, second = page.locator(TABLE).all()
    cell(first, 0, 0, 0).click()
    cell(second, 1, 1, 1).click()
    told(first, matrix, matrix["grids"][0]["rows"][0]["cells"][0])
    told(second, matrix, matrix["grids"][1]["rows"][1]["cells"][1])
    ids = page.locator(f"{TABLE} [id]").evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))


def test_changes_are_announced_politely(page):
    for table in page.locator(TABLE).all():
        assert table.locator("[aria-live]").get_attribute("aria-live") == "polite"
        # Not the drawing, nor the long rules: what changed in a sentence or two.
        assert len(table.locator("[aria-live]").inner_text()) < 400


def test_axe_finds_nothing(page):
    assert axe(page, TABLE, RACE) == []


def test_a_choice_is_quick(page):
    times = page.locator(TABLE).first.evaluate(
        """async (table) => {
            const cells = [...table.querySelectorAll('[role=gridcell]')];
            const found = [];
            for (let n = 1; n <= 40; n++) {
                const start = performance.now();
                cells[n % cells.length].click();
                table.getBoundingClientRect();
                found.push(performance.now() - start);
                await new Promise(requestAnimationFrame);
            }
            return found;
        }"""
    )
    median = statistics.median(times)
    assert median < 50, f"median of {len(times)} choices: {median:.1f} ms"


SAYS = """(frame) => getComputedStyle(frame, '::after').content.includes('sideways')"""
FRAMES = ".k8snet-figure .k8snet-frame:visible"


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (500, "light"), (500, "dark")])
def test_a_wide_picture_scrolls_in_its_frame_and_says_so(page, width, theme):
    set_theme(page, theme)
    page.set_viewport_size({"width": width, "height": 1400})
    page.wait_for_timeout(200)
    frames = [one for one in page.locator(FRAMES).all() if one.locator("svg").count()]
    assert len(frames) >= 3
    for n, frame in enumerate(frames):
        scroll = frame.locator(".k8snet-scroll")
        scrolls = scroll.evaluate("one => one.scrollWidth > one.clientWidth + 1")
        assert frame.evaluate(SAYS) is scrolls
        assert frame.evaluate("one => one.scrollWidth <= one.clientWidth + 1"), "not the page"
        if scrolls:  # by keyboard as well
            scroll.focus()
            for _ in range(3):
                page.keyboard.press("ArrowRight")
            page.wait_for_timeout(600)
            assert scroll.evaluate("one => one.scrollLeft") > 0
        frame.screenshot(path=str(artefacts() / f"frame-{n}-{width}-{theme}.png"))
    page.set_viewport_size({"width": 1280, "height": 900})


def test_restart_and_run_all(page):
    restart_and_run_all(page)
    all_there(page)
    first, second = page.locator(TABLE).all()
    assert first.locator("[aria-selected=true]").count() == 1
    assert second.locator("[aria-selected=true]").count() == 1
