"""Every lesson and every exercise in a real JupyterLab: opens, runs to its end, looks right.

Screenshots of each lesson in the light and the dark theme are kept as artefacts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from k8snetlib.course.prediction import cards
from tests.browser.conftest import ROOT, artefacts, axe

pytestmark = pytest.mark.browser

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "exercises").glob("*/exercise.ipynb"))
OURS = [".k8snet-player", ".k8snet-figure", ".k8snet-card", ".k8snet-report"]


@pytest.fixture(autouse=True)
def _one_page_at_a_time(open_notebook: Any) -> Iterator[None]:
    yield
    open_notebook.close_all()


def serious(page: Any) -> list[tuple[str, str]]:
    """What axe calls serious or critical in our own outputs."""
    return axe(page, *OURS, impact=("serious", "critical"))


def whole(page: Any, path: Path) -> None:
    """A screenshot of the whole notebook, however long it is."""
    height = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.jp-WindowedPanel-outer, .jp-Notebook')]"
        ".map((part) => part.scrollHeight))"
    )
    page.set_viewport_size({"width": 1280, "height": min(int(height) + 120, 16_000)})
    page.evaluate(
        "[...document.querySelectorAll('.jp-WindowedPanel-outer, .jp-Notebook')]"
        ".forEach((part) => part.scrollTo(0, 0))"
    )
    page.wait_for_timeout(500)
    page.screenshot(path=str(path))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_runs_to_its_end(open_notebook: Any, lesson: Path, theme: str) -> None:
    """No cell fails, nothing leaves this machine, our outputs have no serious axe issue."""
    page = open_notebook(lesson, theme=theme)
    page.wait_for_selector(".k8snet-player, .k8snet-figure")
    page.wait_for_timeout(500)
    whole(page, artefacts() / f"lesson-{lesson.stem}-{theme}.png")
    assert page.errors == []
    assert page.offsite == []
    assert serious(page) == []


def test_a_prediction_card_reacts_to_mouse_and_keyboard(open_notebook: Any) -> None:
    """A click, and Enter on a focused choice: the reaction is shown, politely announced."""
    card = cards()["03-ttl"]
    page = open_notebook(["from k8snetlib.course import predict", "predict('03-ttl')"])
    box = page.locator(".k8snet-card")
    box.wait_for()
    buttons = box.locator("button")
    assert buttons.count() == len(card.choices)
    for n, choice in enumerate(card.choices):
        assert choice.text in buttons.nth(n).inner_text()
    buttons.nth(1).click()
    page.wait_for_function(
        "words => document.querySelector('.k8snet-card').innerText.includes(words)",
        arg=card.choices[1].reaction,
    )
    buttons.nth(0).focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "words => document.querySelector('.k8snet-card').innerText.includes(words)",
        arg=card.choices[0].reaction,
    )
    assert "polite" in (box.locator("[role=status]").last.get_attribute("aria-live") or "")
    assert serious(page) == []


def test_a_narrow_card_cuts_no_choice(open_notebook: Any) -> None:
    """Its long choices take several lines, and every word is there."""
    code = ["from k8snetlib.course import predict", "predict('10-lost')"]
    page = open_notebook(code, viewport={"width": 480, "height": 900})
    page.locator(".k8snet-choice").first.wait_for()
    sizes = page.locator(".k8snet-choice").evaluate_all(
        "all => all.map((one) => [one.scrollWidth <= one.clientWidth,"
        " one.scrollHeight <= one.clientHeight, one.clientHeight])"
    )
    assert all(wide and high for wide, high, _ in sizes), sizes
    assert max(size for *_, size in sizes) > 40, "one that needs two lines has them"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda p: p.parent.name)
def test_an_untouched_exercise_runs_and_says_not_attempted(
    open_notebook: Any, exercise: Path
) -> None:
    """*Run All* goes through; every check says "not attempted"; no traceback."""
    page = open_notebook(exercise)
    page.wait_for_timeout(500)
    text = page.locator(".jp-Notebook").inner_text()
    assert "not attempted" in text
    assert "Traceback" not in text
    whole(page, artefacts() / f"exercise-{exercise.parent.name}.png")
    assert page.errors == []
    assert page.offsite == []
    assert serious(page) == []
