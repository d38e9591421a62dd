"""What a person gets to see when a picture changed."""

from __future__ import annotations

import base64
import re

import pytest

from tests.views import compare

OLD = '<svg xmlns="http://www.w3.org/2000/svg"><a/>\n<text>old & worn</text>\n</svg>\n'
NEW = '<svg xmlns="http://www.w3.org/2000/svg"><a/>\n<text>new</text>\n</svg>\n'


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("K8SNET_PICTURES", str(tmp_path / "pages"))
    monkeypatch.delenv(compare.UPDATE, raising=False)
    (tmp_path / "stored.svg").write_text(OLD, "utf-8")
    return tmp_path


def images(page):
    found = re.findall(r'alt="([^"]+)" src="data:image/svg\+xml;base64,([^"]+)"', page)
    return [(words, base64.b64decode(code).decode()) for words, code in found]


def test_the_page_shows_both_and_where_they_differ(places):
    said = compare.changed("walk", NEW, places / "stored.svg")
    at = places / "pages" / "walk.html"
    assert said == f"the picture 'walk' changed: {at.as_uri()} shows both versions"
    page = at.read_text("utf-8")
    both = [("walk, as stored", OLD), ("walk, as drawn now", NEW)]
    assert images(page) == [*both, *both]  # side by side, and one over the other
    assert "<del>-&lt;text&gt;old &amp; worn&lt;/text&gt;</del>" in page
    assert "<ins>+&lt;text&gt;new&lt;/text&gt;</ins>" in page
    assert "<a/>" not in page


def test_a_picture_without_a_stored_one(places):
    said = compare.changed("new", NEW, places / "none.svg")
    assert "new.html" in said
    page = (places / "pages" / "new.html").read_text("utf-8")
    assert images(page) == [("new, as drawn now", NEW)] and "There is none yet" in page


def test_nothing_is_said_of_the_same_picture(places):
    """A page of an earlier change goes away."""
    compare.changed("walk", NEW, places / "stored.svg")
    assert compare.changed("walk", OLD, places / "stored.svg") == ""
    assert list((places / "pages").iterdir()) == []


def test_storing_what_is_drawn(places, monkeypatch):
    monkeypatch.setenv(compare.UPDATE, "1")
    assert compare.changed("walk", NEW, places / "stored.svg") == ""
    assert (places / "stored.svg").read_text("utf-8") == NEW


def test_without_a_word_it_is_a_build_artefact(monkeypatch):
    monkeypatch.delenv("K8SNET_PICTURES")
    assert compare.folder() == compare.ROOT / "build" / "pictures"
