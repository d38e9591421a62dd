"""Generated pages are fresh, and links within the repository lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import pictures, simplifications

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)|<img[^>]+src=\"([^\"]+)\"")


def links(text: str) -> list[str]:
    """The targets of Markdown links and pictures that lie within the repository."""
    found = [target or picture for target, _, picture in LINK.findall(text)]
    return [target for target in found if target and "://" not in target]


def test_the_page_of_simplifications_is_fresh() -> None:
    assert simplifications.PAGE.read_text() == simplifications.page(), (
        "stale: run `python tools/simplifications.py`"
    )


def test_the_pictures_of_the_readme_are_fresh() -> None:
    for name, svg in pictures.pictures().items():
        stored = pictures.FOLDER / name
        assert stored.read_text() == svg, f"{name} is stale: run `python tools/pictures.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_pages_lead_somewhere(page: Path) -> None:
    for target in links(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
