"""Tables that are the picture: heads for a screen reader, the same words in both forms."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from k8snetlib.views.grid import SIGNS, Cell, Grid, Tables

HEADS = (("in", "source"), ("in", "target"), ("", "by"), ("out", "source"), ("out", "target"))
ROWS = (
    (Cell(("one",)), Cell(("a", "A & B")), Cell(("b",)), Cell(("c",)), Cell(("d",), "⇄"),
     Cell(("e",))),
    (Cell(("all",)), Cell(("i",), "", 2), Cell(("j",)), Cell(("k",)), Cell(("l",))),
    (Cell(("two",)), Cell(("f",)), Cell(("g",)), Cell(("h",)), Cell(("gone",), "✕", 2)),
)  # fmt: skip
GRID = Grid("A <table>", "what", HEADS, ROWS, frozenset({2}))


@pytest.fixture
def root():
    return ElementTree.fromstring(re.search(r"<table.*</table>", GRID.html, re.S)[0])


def test_words():
    assert GRID.text.splitlines() == [
        "A <table>.",
        "  one: in source: a (A & B); in target: b; by: c; out source: ⇄ d; out target: e.",
        "  all: in: i; by: j; out source: k; out target: l.",
        "  two: in source: f; in target: g; by: h; out: ✕ gone.",
    ]


def test_heads_span_their_groups(root):
    upper, lower = root.findall("./thead/tr")
    assert [(th.text, th.get("colspan"), th.get("rowspan"), th.get("scope")) for th in upper] == [
        ("what", None, "2", "col"), ("in", "2", None, "colgroup"), ("by", None, "2", "col"),
        ("out", "2", None, "colgroup"),
    ]  # fmt: skip
    assert [th.text for th in lower] == ["source", "target", "source", "target"]
    assert root.find("caption").text == "A <table>"


def test_every_row_fills_the_columns(root):
    rows = root.findall("./tbody/tr")
    for row in rows:
        assert row[0].get("scope") == "row"
        assert sum(int(cell.get("colspan", 1)) for cell in row[1:]) == len(HEADS)
    assert [row.get("class") for row in rows] == [None, None, "first"]


def test_every_cell_names_its_column_for_a_narrow_screen(root):
    row = root.find("./tbody/tr")
    named = [cell.get("data-head") for cell in row[1:]]
    assert named == ["in source", "in target", "by", "out source", "out target"]
    roles = {element.get("role") for element in root.iter() if element.tag in ("tr", "th", "td")}
    assert None not in roles, "a browser forgets what a table is when its display changes"


def test_a_colour_is_never_alone(root):
    for cell in root.iter("td"):
        kinds = set((cell.get("class") or "").split()) & set(SIGNS.values())
        assert bool(kinds) == any(sign in "".join(cell.itertext()) for sign in SIGNS)


def test_bundle():
    tables = Tables("Title.", (GRID, GRID), ("A note.",))
    assert tables.text == f"Title.\n{GRID.text}\n{GRID.text}\nA note."
    assert repr(tables) == tables.text
    assert list(tables._repr_mimebundle_()) == ["text/html", "text/plain"]
    assert tables.html.count("<table") == 2 and "<script" not in tables.html
