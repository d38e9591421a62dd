"""What a learner reads: complete, safe, the same as a page and as Markdown, and never too much said."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest

from k8snetlib.grade import feedback
from k8snetlib.grade.feedback import feedback_html, feedback_markdown, page_name, summary
from k8snetlib.grade.record import STATUSES, Graded
from tests.grade.records import E00, E04, broken, failed, graded, with_items

FULL, ITEMS = E04.points, len(E04.items)
LOST = "One of them is right in the notebook's check, but not on other clusters."


def words(page: str) -> str:
    """The words of a page, without its marks."""
    bare = re.sub(r"(?s)<(style|svg|title)\b.*?</\1>", " ", page)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def seeds_differ(record: Graded, item_id: str) -> Graded:
    """The same record, with one item right in the notebook's check alone."""
    lost = {"status": "fail", "points": 0, "visible": "pass"}
    return with_items(record, lambda item: item | lost if item["id"] == item_id else item)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (graded("ada"), [f"{FULL} of {FULL} points.", f"{ITEMS} of {ITEMS} visible items right."]),
        (graded("ada", "FIRST_MATCH__top_down"), [f"{FULL - 3} of {FULL} points.", f"{ITEMS - 1} of {ITEMS} visible items right."]),
        (graded("ada", "stub"), [f"0 of {FULL} points.", f"0 of {ITEMS} visible items right."]),
        (seeds_differ(graded("ada"), "04.lookup.default"), [f"{FULL - 2} of {FULL} points.", f"{ITEMS} of {ITEMS} visible items right.", LOST]),
        (broken(graded("ada"), "04.lookup.default"), [f"{FULL - 2} of {FULL} points.", f"{ITEMS} of {ITEMS} visible items right.", "A check of ours broke. The points are not final: a person looks at it."]),
    ],
    ids=["full", "one-belief", "stub", "other-clusters", "our-fault"],
)  # fmt: skip
def test_summary(record: Graded, said: list[str]) -> None:
    assert summary(record) == said


def test_never_all() -> None:
    """A page counts; it never claims that all is right."""
    for text in (feedback_html(graded("ada")), feedback_markdown(graded("ada"))):
        assert not re.search(r"\ball (passed|right|correct|items)", words(text), re.I)
        assert "visible items" in text


@pytest.mark.parametrize("status", sorted(set(STATUSES) - {"graded"}))
def test_every_status_says_what_to_do(status: str) -> None:
    record = failed("ada", status, "it ended after 30 s")
    for text in (words(feedback_html(record)), feedback_markdown(record)):
        assert feedback.TO_DO[status] in text.replace("\\", "")
        assert "It ended after 30 s." in text
    assert len(feedback.TO_DO[status]) < 120


def test_both_forms_hold_every_item_finding_and_witness() -> None:
    for name in ("FIRST_MATCH__top_down", "MAC_E2E__to_the_pod", "LAST_MATCH__bottom_up"):
        record = graded("ada", name)
        page, text = words(feedback_html(record)), feedback_markdown(record).replace("\\", "")
        for item in record.items:
            assert item["title"] in page and item["title"] in text
            for finding in item["findings"]:
                assert finding["text"] in page and finding["text"] in text
                for line in (finding["witness"] or "").splitlines():
                    assert " ".join(line.split()) in page and line.strip() in text
        # Hints are for the notebook, where they open one at a time.
        assert not any(hint in page for task in E04.tasks for hint in task.hints)


def test_isolation_seconds_and_beliefs_are_for_the_teacher() -> None:
    record = graded("ada", "FIRST_MATCH__top_down", isolation="a paper bag", seconds=12.75)
    for text in (feedback_html(record), feedback_markdown(record)):
        assert "paper bag" not in text and "12.75" not in text and "FIRST_MATCH" not in text


EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover='x' ",
    "</pre></main>",
    "[x](javascript:alert(1))",
    "![x](http://x/y.png)",
    "# big\n# bigger",
    "```\nout of the fence\n````",
    "a | b",
    "<!-- x",
    "&lt;b&gt;",
]


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def poisoned(evil: str) -> Graded:
    said = [{"text": evil, "belief": None, "witness": evil, "picture": None}]
    record = with_items(graded("x"), lambda item: item | {"findings": said, "title": evil})
    return record._replace(learner=evil, source=evil, text=evil, status="crashed")


@pytest.mark.parametrize("evil", EVIL)
def test_a_strangers_words_stay_words(evil: str) -> None:
    calm, wild = Tags(feedback_html(poisoned("calm"))), Tags(feedback_html(poisoned(evil)))
    assert wild.tags == calm.tags and wild.attributes == calm.attributes
    assert "script" not in wild.tags
    assert " ".join(evil.split()) in words(feedback_html(poisoned(evil)))


@pytest.mark.parametrize("evil", EVIL)
def test_markdown_has_no_mark_of_a_stranger(evil: str) -> None:
    text = feedback_markdown(poisoned(evil))
    outside = re.sub(r"(?ms)^  (`{3,})text$.*?^  \1$", "", text)
    bare = re.sub(r"\\.", "", outside)  # what is escaped is no mark
    assert not re.search(r"[<`|&\[\]]|^ *#+ big|^#+ *$", bare, re.M), bare
    assert outside.count("\n## ") == len(E04.tasks)


def test_equal_pictures_have_ids_of_their_own() -> None:
    record = graded("ada", "FIRST_MATCH__top_down")
    same = record.items[0]["findings"]
    page = feedback_html(with_items(record, lambda item: item | {"findings": same}))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert page.count("<svg") == len(record.items) and len(ids) == len(set(ids))
    for reference in re.findall(r'aria-labelledby="([^"]+)"', page):
        assert set(reference.split()) <= set(ids)


def test_a_page_fetches_and_runs_nothing() -> None:
    page = feedback_html(graded("ada", "FIRST_MATCH__top_down"))
    assert "default-src 'none'" in page and "<script" not in page
    assert not re.search(r"(src|href)=|url\(|@import", page)


def test_names_of_pages_differ() -> None:
    records = [failed("Ada", "killed"), failed("ada", "killed"), failed("a/d a", "killed"), failed("a_d_a", "killed"), graded("ada", exercise=E00), failed("../..", "killed")]  # fmt: skip
    names = [page_name(record) for record in records]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in names)
