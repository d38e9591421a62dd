"""Feedback pages and the overview in a real Chromium: accessible, in both themes, on a narrow screen and on paper."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from k8snetlib.grade.feedback import feedback_html
from k8snetlib.grade.gradebook import make_book
from k8snetlib.grade.overview import overview_html
from tests.browser.conftest import artefacts
from tests.grade.records import E04, a_class, broken, failed, graded

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def _pages_of_one_module() -> None:
    """No notebook is opened here, so no JupyterLab has to start."""


def _evil() -> str:
    words = "<script>document.title = 'got you'</script><img src=x onerror=\"document.title = 'got you'\">"
    return feedback_html(failed(words, "crashed", words))


PAGES = {
    "pictures": lambda: feedback_html(graded("Ada Lovelace", "CONTROL_ONLY__daemon_only_prepares")),
    "full": lambda: feedback_html(graded("ada")),
    "stub": lambda: feedback_html(graded("ada", "stub")),
    "review": lambda: feedback_html(broken(graded("ada", "MAC_E2E__to_the_pod"), "04.lookup.default")),
    "time": lambda: feedback_html(failed("ada", "time-limit", "The answers ran for more than 30 s.")),
    "evil": _evil,
    "overview": lambda: overview_html(make_book(a_class(), [E04]), left_out=["x.pdf: not a notebook."]),
}  # fmt: skip
SCREENS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1100, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1100, "height": 900}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 780}},
}


ALL = [*(("pictures", screen) for screen in SCREENS), ("full", "narrow"), ("stub", "dark"), ("review", "narrow"), ("time", "dark"), ("evil", "light"), ("overview", "dark"), ("overview", "narrow")]  # fmt: skip


@pytest.fixture(params=ALL, ids="-".join)
def page(request: pytest.FixtureRequest, browser: Any, tmp_path: Any) -> Any:
    name, screen = request.param
    path = tmp_path / "feedback.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    page = browser.new_page(**SCREENS[screen])
    page.name, page.trouble = f"grade-{name}-{screen}", []
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("request", lambda r: r.url.startswith("file:") or page.trouble.append(r.url))
    page.goto(path.as_uri())
    yield page
    page.close()


def test_a_page(page: Any) -> None:
    page.screenshot(path=str(artefacts() / f"{page.name}.png"), full_page=True)
    assert page.title() != "got you"
    # On a phone nothing but pictures and texts of a terminal scrolls sideways.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    bad = [(v["id"], [node["html"][:90] for node in v["nodes"]]) for v in found["violations"]]
    assert bad == [], json.dumps(bad, indent=1)
    assert page.trouble == []


def test_on_paper_nothing_is_hidden_or_cut_off(browser: Any, tmp_path: Any) -> None:
    path = tmp_path / "feedback.html"
    record = graded("Ada Lovelace", "SHORTEST__widest_wins")
    path.write_text(feedback_html(record), encoding="utf-8")
    page = browser.new_page(color_scheme="dark", viewport={"width": 960, "height": 700})
    page.goto(path.as_uri())
    page.pdf(path=str(artefacts() / "feedback.pdf"), prefer_css_page_size=True)
    page.emulate_media(media="print", color_scheme="dark")
    told = page.evaluate(
        """() => {
            const ground = getComputedStyle(document.body).backgroundColor;
            const cut = [...document.querySelectorAll('pre, svg, .scroll')]
                .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth
                    && getComputedStyle(e).overflowX !== 'visible');
            const wide = [...document.querySelectorAll('svg')]
                .filter((e) => e.getBoundingClientRect().right > innerWidth + 1);
            const words = [...document.querySelectorAll('details:not(.twice) > pre')]
                .filter((e) => !e.checkVisibility({contentVisibilityAuto: true}));
            return {ground, cut: cut.length, wide: wide.length, hidden: words.length};
        }"""
    )
    page.close()
    assert told == {"ground": "rgb(255, 255, 255)", "cut": 0, "wide": 0, "hidden": 0}
