"""Records as tables: every row is there, no cell is a formula, Canvas and Moodle can read them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from k8snetlib.grade.gradebook import cell, gradebook_csv, grades_json, make_book, review_csv
from k8snetlib.grade.lms import canvas_csv, moodle_csv, moodle_worksheet
from k8snetlib.grade.record import STATUSES
from k8snetlib.grade.roster import BadRoster, Index, Person, read_roster
from tests.grade.records import E00, E04, broken, failed, graded

ADA = Person("ada", "Lovelace, Ada", "12", "S-1", "ada1", "ada@x.edu", "A", "501")
BOB = Person("bob", "Bob, Jr.", "13", "S-2", "bob1", "bob@x.edu", "B", "502")
EVE = Person("eve", 'Eve "E"', "14", "S-3", "eve1", "eve@x.edu")


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def lines(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_row_per_learner_and_exercise_and_a_column_per_item() -> None:
    book = make_book(
        [graded("ada"), graded("bob", "FIRST_MATCH__top_down")], [E00, E04], (ADA, BOB)
    )
    rows = {(row["learner"], row["exercise"]): row for row in read(gradebook_csv(book))}
    assert set(rows) == {(who, number) for who in ("ada", "bob") for number in ("00", "04")}
    items = [item.id for exercise in (E00, E04) for item in exercise.items]
    assert all(item in rows["ada", "04"] for item in items)
    assert rows["ada", "04"]["points"] == rows["ada", "04"]["of"] == str(E04.points)
    assert rows["ada", "04"]["04.lookup.longest"] == "3"
    assert rows["bob", "04"]["04.lookup.longest"] == "0"
    assert int(rows["bob", "04"]["points"]) < E04.points
    assert (rows["ada", "00"]["status"], rows["ada", "00"]["points"]) == ("missing", "")


@pytest.mark.parametrize("status", STATUSES)
def test_no_status_loses_a_row(status: str) -> None:
    """Every status is a row. What was judged has points; what was not is an empty cell to review."""
    book = make_book([failed("eve", status, "It is so.")], [E04], ())
    (row,) = read(gradebook_csv(book))
    judged = status in ("graded", "time-limit", "memory-limit", "killed", "crashed", "no-result")
    assert (row["status"], row["points"]) == (status, "0" if judged else "")
    assert [r["why"] for r in read(review_csv(book))] == ([] if judged else ["It is so."])
    assert len(lines(canvas_csv(book))) == 3


def test_our_own_fault_is_never_zero() -> None:
    book = make_book([broken(graded("ada"), "04.lookup.longest")], [E04], (ADA,))
    (row,) = read(gradebook_csv(book))
    assert (row["points"], row["04.lookup.longest"], row["04.lookup.default"]) == ("", "", "2")
    assert row["review"] == "Our check broke at 04.lookup.longest."
    assert lines(canvas_csv(book))[2][-1] == lines(moodle_csv(book))[1][3] == ""


def test_two_submissions_of_one_person_are_for_a_person_to_decide() -> None:
    book = make_book([graded("ada"), graded("ada1", "FIRST_MATCH__top_down")], [E04], (ADA, BOB))
    assert {r["learner"]: r["points"] for r in read(gradebook_csv(book))} == {"ada": "", "ada1": "", "bob": ""}  # fmt: skip
    assert [r["learner"] for r in read(review_csv(book))] == ["ada", "ada1"]
    assert [row[-1] for row in lines(canvas_csv(book))[2:]] == ["", ""]


@pytest.mark.parametrize(
    "evil",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        '=HYPERLINK("http://x","y")',
        "＝1",
        "\n=1",
    ],
)
def test_no_cell_is_a_formula(evil: str) -> None:
    person = ADA._replace(
        learner=evil, name=evil, section=evil, login=evil, email=evil, sis_id=evil
    )
    record = graded("x")._replace(learner=evil, source=evil)
    for roster in ((person,), ()):
        book = make_book([record, failed(evil, "unreadable", evil, "00")], [E00, E04], roster)
        for text in (gradebook_csv(book), review_csv(book), canvas_csv(book), moodle_csv(book), moodle_worksheet(book, E04)):  # fmt: skip
            for value in (value for row in lines(text) for value in row):
                assert not value.lstrip(" ").startswith(tuple("=+-@\t\r\n＝")), value


@pytest.mark.parametrize(
    "name", ["Łukasz, Ż.", 'O"Brien; x', "李 小龙", "a,b\"c'd", "🦉", "ami\u0301", "two\nlines"]
)
def test_any_name_comes_back(name: str) -> None:
    book = make_book([graded(name)], [E04], ())
    for text in (gradebook_csv(book), moodle_csv(book), canvas_csv(book)):
        assert any(name in row for row in lines(text)), text


def test_numbers_are_not_quoted() -> None:
    assert (cell(0), cell(35), cell(None), cell("-")) == ("0", "35", "", "'-")


CANVAS = [
    ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", f"Exercise 04: {E04.title} (991)"],
    ["    Points Possible", "", "", "", "", str(E04.points)],
    ["Lovelace, Ada", "12", "S-1", "ada1", "A", str(E04.points)],
    ["Bob, Jr.", "13", "S-2", "bob1", "B", ""],
    ["stranger", "", "", "stranger", "", "0"],
    ["x_canvas77", "77", "", "", "", "0"],
]


def test_canvas() -> None:
    records = [graded("ada"), failed("stranger", "crashed"), failed("x_canvas77", "crashed")]
    book = make_book(records, [E04], (ADA, BOB))
    assert lines(canvas_csv(book, {"04": "991"})) == CANVAS


def test_moodle_has_only_people_that_moodle_may_know() -> None:
    """One unknown person would cancel the whole import: a stranger is in the review list instead."""
    book = make_book([graded("ada1"), failed("stranger", "crashed")], [E04], (ADA, BOB))
    head, ada, bob = lines(moodle_csv(book))
    assert head[:3] == ["Email address", "Username", "ID number"] and len(head) == 5
    assert ada[:4] == ["ada@x.edu", "ada1", "S-1", str(E04.points)]
    assert ada[4].startswith(f"{E04.points} of {E04.points} points; 04.lookup: right, 8 of 8")
    assert bob == ["bob@x.edu", "bob1", "S-2", "", ""]
    assert [(r["learner"], r["why"]) for r in read(review_csv(book))] == [("stranger", "This learner is not in the roster.")]  # fmt: skip


def test_moodle_worksheet() -> None:
    records = [
        graded("Ada Lovelace_moodle501"),
        failed("Bo_moodle502", "unreadable"),
        graded("cyd"),
    ]
    rows = read(moodle_worksheet(make_book(records, [E04], ()), E04))
    assert [(r["Identifier"], r["Full name"], r["Grade"]) for r in rows] == [("Participant 501", "Ada Lovelace", str(E04.points))]  # fmt: skip


def test_json_holds_everything_and_no_clock() -> None:
    one = graded("bob", "FIRST_MATCH__top_down")._replace(seconds=1.0)
    book = make_book([one], [E04], (BOB,))
    told = json.loads(grades_json(book))
    items = {item["id"]: item for item in told["rows"][0]["items"]}
    assert items["04.lookup.longest"]["beliefs"] == ["FIRST_MATCH"]
    assert grades_json(make_book([one._replace(seconds=9.0)], [E04], (BOB,))) == grades_json(book)


ROSTERS = [
    ("ours", "learner,id,login,email,section\nada,12,ada1,ada@x.edu,A\n", Person("ada", "", "12", "", "ada1", "ada@x.edu", "A")),
    ("semicolons", "Learner;Email\nada;ada@x.edu\n", Person("ada", email="ada@x.edu")),
    ("bom", "\ufefflearner\r\nada\r\n", Person("ada")),
    ("canvas", "Student,ID,SIS User ID,SIS Login ID,Section,Exercise (9)\n    Points Possible,,,,,35\n\"Lovelace, Ada\",12,S-1,ada1,A,\n\"Student, Test\",99,,,A,\n", Person("", "Lovelace, Ada", "12", "S-1", "ada1", "", "A")),
    ("moodle", "First name,Last name,ID number,Email address\nAda,Lovelace,S-1,ada@x.edu\n", Person("", "Ada Lovelace", "", "S-1", "", "ada@x.edu")),
    ("moodle-worksheet", "Identifier,Full name,Email address,Status,Grade\nParticipant 501,Ada Lovelace,ada@x.edu,Submitted,\n", Person("", "Ada Lovelace", email="ada@x.edu", participant="501")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "person"), [row[1:] for row in ROSTERS], ids=[row[0] for row in ROSTERS])  # fmt: skip
def test_a_roster_is_read_as_it_is(tmp_path: Path, text: str, person: Person) -> None:
    (tmp_path / "roster.csv").write_bytes(text.encode())
    assert read_roster(tmp_path / "roster.csv") == (person,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour\nblue\n", "no column that names people"),
        ("", "no column that names people"),
        ("login\nada\nAda\n", "two people have the login 'ada'"),
    ],
    ids=["no-people", "empty", "twice"],
)
def test_a_bad_roster_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(BadRoster, match=words):
        read_roster(tmp_path / "roster.csv")


TWINS = (Person("", "Kim Lee", "1", participant="7"), Person("", "Kim Lee", "2", participant="8"))


@pytest.mark.parametrize(
    ("learner", "people", "fits"),
    [
        ("ada", (ADA, BOB), ADA),
        ("ADA@x.edu", (ADA, BOB), ADA),
        ("S-2", (ADA, BOB), BOB),
        ("lovelaceada_canvas12", (ADA, BOB), ADA),
        ("Ada Lovelace_moodle501", (ADA, BOB), ADA),
        ("Bob, Jr._moodle999", (ADA, BOB), BOB),
        ("ada_12", (ADA, BOB), None),
        ("12", (ADA, BOB), None),
        ("stranger", (ADA, BOB), None),
        ("Kim Lee", TWINS, None),
        ("Kim Lee_moodle8", TWINS, TWINS[1]),
        ("Kim Lee_moodle9", TWINS, None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_a_learner_is(learner: str, people: tuple[Person, ...], fits: Person | None) -> None:
    assert Index(people).person(learner) == fits


def test_the_class_is_complete() -> None:
    """Everybody of the roster and everybody who handed in has a row, in every table."""
    records = [
        graded("ada"),
        failed("stranger", "unreadable"),
        failed("eve", "unknown-exercise", "?", ""),
    ]
    book = make_book(records, [E04], (ADA, BOB, EVE))
    people = [(row["learner"], row["exercise"]) for row in read(gradebook_csv(book))]
    assert people == [("ada", "04"), ("bob", "04"), ("eve", ""), ("eve", "04"), ("stranger", "04")]
    assert {row[0] for row in lines(canvas_csv(book))[2:]} == {"Lovelace, Ada", "Bob, Jr.", 'Eve "E"', "stranger"}  # fmt: skip
