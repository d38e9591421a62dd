"""What a class believes: counted by hand here, and by the analysis."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from k8snetlib.grade.analysis import (
    DISCRIMINATION,
    ItemStat,
    analyse,
    analysis_json,
    beliefs_csv,
    items_csv,
    point_biserial,
)
from k8snetlib.grade.gradebook import Book, make_book
from k8snetlib.grade.output import write_outputs
from k8snetlib.grade.overview import MOST, beliefs_picture, overview_html
from k8snetlib.grade.record import Graded
from k8snetlib.grade.roster import Person
from tests.exercises import bank
from tests.grade.records import E00, E04, a_class, failed, graded

FIRST = "FIRST_MATCH__top_down"


@pytest.fixture(scope="module")
def book() -> Book:
    return make_book(a_class(), [E04], (Person("absent"), *(Person(r.learner) for r in a_class())))


def test_items(book: Book) -> None:
    stats = {stat.id: stat for stat in analyse(book).items}
    assert set(stats) == {item.id for item in E04.items}
    longest = stats["04.lookup.longest"]
    assert longest[4:8] == (9, 3, 0, 1) and longest.seen == 13
    assert longest.failing == pytest.approx(3 / 13)
    # Our own fault counts neither for nor against a learner.
    assert stats["04.lookup.default"].seen == 12


def test_discrimination_is_of_this_item_against_the_rest(book: Book) -> None:
    stats = {stat.id: stat for stat in analyse(book).items}
    # By hand: has it = 9 of 13; the rest is all other points (8 full, 3 first), 2 less (ours), 0
    # (none).
    others = E04.points - 3
    rest, has = [others] * 11 + [others - 2, 0], [1] * 8 + [0] * 3 + [1, 0]
    mean = sum(rest) / 13
    spread = (sum((r - mean) ** 2 for r in rest) / 13) ** 0.5
    p = sum(has) / 13
    right = sum(r for r, h in zip(rest, has, strict=True) if h) / sum(has)
    wrong = sum(r for r, h in zip(rest, has, strict=True) if not h) / (13 - sum(has))
    by_hand = (right - wrong) / spread * (p * (1 - p)) ** 0.5
    assert stats["04.lookup.longest"].discrimination == pytest.approx(by_hand, abs=0.005)


@pytest.mark.parametrize(
    ("has", "rest", "expected"),
    [
        ([1, 0] * 5, [9, 1] * 5, 1.0),
        ([1, 0] * 5, [1, 9] * 5, -1.0),
        ([1, 1, 0, 0] * 3, [1, 0] * 6, 0.0),
        ([1] * 10, list(range(10)), None),
        ([1, 0] * 5, [3] * 10, None),
        ([1, 0] * 4, [9, 1] * 4, None),
        ([], [], None),
    ],
    ids=["perfect", "reversed", "nothing", "all-have-it", "no-spread", "too-few", "nobody"],
)
def test_point_biserial(has: list[int], rest: list[int], expected: float | None) -> None:
    assert point_biserial(has, rest) == expected


@pytest.mark.parametrize(
    ("counts", "discrimination", "note"),
    [
        ((12, 0, 0, 0), None, "Everybody has it."),
        ((2, 9, 1, 0), 0.4, "Most do not have it: talk about it."),
        ((6, 6, 0, 0), -0.2, "Those who have it do worse in the rest: look at the item."),
        ((6, 6, 0, 0), 0.5, ""),
        ((3, 0, 0, 0), None, ""),
    ],
)
def test_notes(counts: tuple[int, int, int, int], discrimination: float | None, note: str) -> None:
    assert ItemStat("04", "x", "t", 1, *counts, discrimination).note == note


def test_beliefs_are_counted_once_a_learner(book: Book) -> None:
    (first,) = analyse(book).beliefs
    told = graded("x", FIRST).items[0]["findings"][0]["text"]
    assert first == ("04", "FIRST_MATCH", told, ("04.lookup.longest",), 3, 13)
    twice = analyse(make_book([graded("x", "LAST_MATCH__bottom_up")], [E04])).beliefs
    assert [(b.belief, b.learners, len(b.items)) for b in twice] == [("LAST_MATCH", 1, 2)]


def test_statuses_and_medians(book: Book) -> None:
    assert dict(analyse(book).statuses) == {"graded": 13, "missing": 1, "not-json": 1}
    assert analyse(book).medians == (("04", float(E04.points), E04.points),)


def test_tables_and_json_agree(book: Book) -> None:
    numbers = analyse(book)
    told = json.loads(analysis_json(numbers))
    items = list(csv.DictReader(io.StringIO(items_csv(numbers))))
    assert [row["item"] for row in items] == [i["id"] for i in told["items"]]
    assert {row["item"]: row["right"] for row in items}["04.lookup.longest"] == "9"
    assert [row["belief"] for row in csv.DictReader(io.StringIO(beliefs_csv(numbers)))] == ["FIRST_MATCH"]  # fmt: skip


def test_picture_and_words(book: Book) -> None:
    page = overview_html(book, left_out=["x.pdf: not a notebook."])
    for words in ("FIRST_MATCH", "3 of 13 (23%)", DISCRIMINATION, "It is cut off.", "Our check broke at 04.lookup.default.", "Isolation: none.", "x.pdf: not a notebook.", "nothing was handed in"):  # fmt: skip
        assert words in page, words
    assert page.count("<svg") == 1 and "<script" not in page


def test_a_class_with_many_beliefs(tmp_path: Path) -> None:
    records = [graded(f"x{n}", answer.name) for n, answer in enumerate(bank.misconceptions(E04))]
    beliefs = analyse(make_book(records, [E04])).beliefs
    assert {b.belief for b in beliefs} == {b for task in E04.tasks for b in task.beliefs}
    svg = beliefs_picture(beliefs).svg
    assert svg.count('class="bar"') == MOST < len(beliefs)
    widths = [float(w) for w in re.findall(r'class="bar"[^>]*width="([\d.]+)"', svg)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("records", [[], [failed("x", "unreadable")]], ids=["nobody", "no-report"])
def test_a_class_of_nobody(records: list[Graded]) -> None:
    page = overview_html(make_book(records, [E00, E04]))
    assert "No wrong belief was seen." in page and "<svg" not in page


def test_everything_is_written_and_twice_the_same(tmp_path: Path) -> None:
    records = [*a_class(), graded("Ada_moodle7"), failed("<evil>/../x", "killed")]
    books = [make_book(order, [E04]) for order in (records, records[::-1])]
    for name, book in zip("ab", books, strict=True):
        paths = write_outputs(book, tmp_path / name)
        assert len(paths) == len(set(paths)) == 10 + 2 * len(records)
        assert all(path.is_relative_to(tmp_path / name) for path in paths)
    for path in (p for p in (tmp_path / "a").rglob("*") if p.is_file()):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    page = (tmp_path / "a" / "overview.html").read_text()
    links = re.findall(r'href="([^"]+)"', page)
    assert len(links) == len(records) and all((tmp_path / "a" / link).is_file() for link in links)


def test_a_page_of_an_earlier_run_goes(tmp_path: Path) -> None:
    """A second run with other submissions leaves no page behind, and nothing of anybody else."""
    write_outputs(make_book([graded("ada"), failed("eve", "ambiguous")], [E04]), tmp_path)
    (tmp_path / "feedback" / "my notes.md").write_text("x")
    write_outputs(make_book([graded("ada")], [E04]), tmp_path)
    names = sorted(path.name.partition("-")[2][:3] for path in (tmp_path / "feedback").glob("04*"))
    assert names == ["ada", "ada"]
    assert (tmp_path / "feedback" / "my notes.md").is_file()
