"""What a learner's cells call, and what a report looks like."""

from __future__ import annotations

import re

import pytest

from k8snetlib.course import board, check, hint
from k8snetlib.course.checking import UNDER_NBVAL, CheckFailed
from k8snetlib.course.collect import Problem
from k8snetlib.course.exercise import BadExercise, find_exercise, read_exercise
from k8snetlib.course.judge import judge, judge_collected
from k8snetlib.course.page import _DARK, _LIGHT, report_html
from k8snetlib.course.progress import Store
from k8snetlib.course.report import Report
from k8snetlib.course.scoreboard import Board, Row, board_html
from k8snetlib.errors import UnknownName
from tests.exercises.bank import EXERCISES, judged, solutions, well_formed
from tests.exercises.test_nbval import copy

FOUR = next(e for e in EXERCISES if e.id == "04")
FIRST = {
    "ended_in": "backend", "ttl_lost": 4, "taken_by": ["node1", "node2"],
    "near_ttl_lost": 0, "near_route": "10.1.15.0/24 dev eth0",
}  # fmt: skip


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course folder of its own; we stand in its first exercise, outside nbval."""
    for exercise in EXERCISES:
        copy(exercise, tmp_path / "exercises" / exercise.folder.name, None)
    monkeypatch.chdir(tmp_path / "exercises" / EXERCISES[0].folder.name)
    monkeypatch.delenv(UNDER_NBVAL, raising=False)
    return tmp_path


def test_a_check_shows_and_does_not_raise(course, capsys):
    check("00.first", first={"ended_in": "node2"})
    said = capsys.readouterr().out
    assert "00.first: not yet, 0 of 5 points" in said
    assert "Still open" not in said and "○ not attempted" in said
    assert Store(course).read()["00.first"].checks == 1


def test_a_check_looks_where_it_is_called(course, capsys, monkeypatch):
    monkeypatch.setitem(globals(), "first", FIRST)
    check("00.first")
    assert "00.first: right, 5 of 5 points" in capsys.readouterr().out
    assert Store(course).read()["00.first"].points == 5


def test_a_name_that_is_not_set_is_not_attempted(course, capsys):
    check("04.lookup")
    assert "04.lookup: not attempted, 0 of 8 points" in capsys.readouterr().out
    assert Store(course).read() == {}


def test_under_nbval_it_raises_in_a_few_lines(course, monkeypatch):
    monkeypatch.setenv(UNDER_NBVAL, "1")
    with pytest.raises(CheckFailed) as caught:
        check("04.lookup")
    lines = caught.value._render_traceback_()
    assert lines[1] == "04.lookup: not attempted, 0 of 8 points"
    assert len(lines) == 6 and not any("Traceback" in line for line in lines)
    assert Store(course).read() == {}, "a test run is no progress"


@pytest.mark.parametrize(
    ("task", "given", "near"),
    [("04.lokup", {}, "04.lookup"), ("99.x", {}, "09"), ("04.lookup", {"look": 1}, "lookup")],
)
def test_a_wrong_name_is_misuse(course, task, given, near):
    with pytest.raises(UnknownName, match=near):
        check(task, **given)


def test_hints_come_one_at_a_time(course, capsys):
    task = find_exercise("00.first").task("00.first")
    for number in (1, 2, 3, 3):
        hint("00.first")
        said = capsys.readouterr().out
        assert said.startswith(f"Hint {number} of 3 for 00.first")
        assert [text in said for text in task.hints] == [n == number for n in (1, 2, 3)]
    assert Store(course).read()["00.first"].hints == 3


def test_the_board_lists_every_task(course):
    check("00.first", first=FIRST)
    now = board()
    assert [row.task for row in now.rows] == [t.id for e in EXERCISES for t in e.tasks]
    assert now.points == 5 and now.of == sum(e.points for e in EXERCISES)
    assert f"1 of {len(now.rows)} tasks done, 5 of {now.of} points." in str(now)
    html = well_formed(board_html(now))
    tables = html.findall(".//table")
    assert [table.findtext("caption") for table in tables] == [group.name for group in now.groups]
    assert {th.attrib["scope"] for th in html.iter("th")} == {"col", "row"}
    assert [len(list(table.iter("tr"))) - 1 for table in tables] == [
        len(e.tasks) for e in EXERCISES
    ]


@pytest.mark.parametrize(
    ("statuses", "states", "opened"),
    [
        (["-", "--", "--"], ["not begun", "not begun", "not begun"], [True, False, False]),
        (["+", "--", "--"], ["done", "not begun", "not begun"], [False, True, False]),
        (["+", "--", "x-"], ["done", "not begun", "begun"], [False, False, True]),
        (["+", "+-", "x-"], ["done", "begun", "begun"], [False, True, True]),
        (["+", "++", "++"], ["done", "done", "done"], [False, False, False]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
def test_what_lies_open_on_the_board(statuses, states, opened):
    """What is begun; else the next one. What lies open is listed in the text, too."""
    known = {"+": "pass", "-": "not-attempted", "x": "fail"}
    rows = tuple(
        Row(f"e{number}", f"{number}.{at}", "T", "core", 1, known[sign], 0, 1)
        for number, signs in enumerate(statuses)
        for at, sign in enumerate(signs)
    )
    groups = Board(rows).groups
    assert ([g.state for g in groups], [g.opened for g in groups]) == (states, opened)
    shown = [f" {row.task} " in str(Board(rows)) for row in rows]
    assert shown == [group.opened for group in groups for _ in group.rows]
    details = well_formed(board_html(Board(rows))).findall(".//details")
    assert ["open" in one.attrib for one in details] == opened


def test_broken_progress_is_said_once(course, capsys):
    (course / ".k8snet").mkdir()
    (course / ".k8snet" / "progress.json").write_text("{")
    assert len(board().news) == 1
    assert board().news == ()


# -- reports --------------------------------------------------------------------------------------


def answered(report: Report, status: str) -> bool:
    return any(item.status == status for item in report.items)


def test_a_lost_packet_is_shown_as_text_and_picture():
    report = judged("FIRST_MATCH__top_down", FOUR, 1)
    (finding,) = next(item for item in report.items if item.status == "fail").findings
    assert not isinstance(finding.witness, str) and finding.witness is not None
    assert finding.witness.outcome in ("lost", "unreachable")
    html = report_html(report)
    assert "The walk of the packet that your answer loses" in html and "<svg" in html


def test_hints_are_nested_so_that_they_open_one_by_one():
    page = well_formed(report_html(judge(FOUR, {}).only("04.lookup")))
    depth, inside = 0, page.find("div/details")
    while inside is not None:
        depth, inside = depth + 1, inside.find("details")
    assert depth == 3


def test_a_passed_task_shows_no_hints():
    html = report_html(judged(solutions(FOUR)[0].name, FOUR, 1))
    assert "Hint 1" not in html


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    lin = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * lin[0] + 0.7152 * lin[1] + 0.0722 * lin[2]


@pytest.mark.parametrize("palette", [_LIGHT, _DARK], ids=["light", "dark"])
def test_text_has_enough_contrast(palette):
    colours = dict(re.findall(r"--(\w+):(#\w{6});", palette))
    for paper in ("card", "sunk"):
        for ink in ("ink", "soft", "pass", "fail", "error", "open"):
            one, two = sorted((luminance(colours[ink]), luminance(colours[paper])))
            assert (two + 0.05) / (one + 0.05) >= 4.5, (ink, paper)


# -- odd answers ----------------------------------------------------------------------------------


def boom(*args):
    raise ValueError("no\nreally")


@pytest.mark.parametrize(
    ("task", "answer", "status", "text"),
    [
        ("04.lookup", boom, "error", "Your lookup() raised ValueError: no really"),
        ("04.lookup", lambda: None, "error", "Your lookup() raised TypeError"),
        ("04.lookup", lambda *a: exit(), "error", "Your lookup() raised SystemExit"),
        ("04.lookup", lambda *a: 7, "fail", "Here it is a whole number."),
        ("04.lookup", "text", "fail", "lookup must be a function. Here it is a str."),
        ("04.lookup", lambda *a: None, "not-attempted", None),
        ("04.encapsulate", lambda *a: "4500", "fail", "Here it is a text."),
        ("04.encapsulate", lambda *a: b"", "fail", None),
        ("04.encapsulate", lambda *a: b"\0" * 28, "fail", None),
        ("04.decapsulate", lambda *a: b"", "fail", None),
        ("04.headers", "text", "fail", "headers must be a dict"),
        ("04.headers", {}, "not-attempted", None),
        ("04.headers", {"outer": 3, "route": {}}, "not-attempted", None),
        ("04.headers", {"outer": {"src": "10.1.15.2"}}, "not-attempted", "Still open: outer.dst"),
        ("04.stopped", {"node1": {"route": 5, "ends_in": [], "told": 1.5}}, "fail", None),
        ("04.stopped", Problem("several", "Two cells."), "error", "Two cells."),
    ],
)
def test_an_odd_answer_has_a_plain_result(task, answer, status, text):
    report = judge(FOUR, {task: answer}).only(task)
    assert report.points == 0 or task == "04.encapsulate"
    assert answered(report, status), str(report)
    assert not answered(report, "internal-error"), str(report)
    assert text is None or text in str(report), str(report)


@pytest.mark.parametrize(
    "told",
    [
        {}, {"04.lookup": None}, {"04.lookup": {"status": "answered"}},
        {"04.lookup": {"status": "answered", "calls": []}},
        {"04.lookup": {"status": "answered", "calls": [7] * 12}},
        {"04.lookup": {"status": "answered", "calls": {"a": 1}}},
        {"04.headers": {"status": "answered", "value": [1]}},
        {"04.lookup": {"status": 7}},
    ],
    ids=repr,
)  # fmt: skip
def test_a_forged_record_earns_nothing(told):
    report = judge_collected(FOUR, told, 1)
    assert report.points == 0


def test_one_answer_cannot_spoil_the_arguments_of_the_next():
    def spoil(routes, dst):
        found = real(list(routes), dst)
        routes.clear()
        return found

    names: dict[str, object] = {}
    exec("import ipaddress\n" + solutions(FOUR)[-1].sources["04.lookup"], names)
    real = names["lookup"]
    assert judge(FOUR, {"04.lookup": spoil}).only("04.lookup").points == 8


# -- folders --------------------------------------------------------------------------------------

TOML = """
id = "90"
title = "T"
lesson = "l"
time_limit = 5
[[task]]
id = "90.a"
title = "A"
kind = "value"
name = "a"
points = 1
minutes = 1
level = "core"
beliefs = []
hints = ["1", "2", "3"]
"""
CHECKS = """
from k8snetlib.course.rubric import Item
ITEMS = (Item("90.a.x", 1, "X", lambda answer, seed: (), ("x",)),)
"""


def exercise_folder(tmp_path, toml: str = TOML, checks: str = CHECKS):
    folder = tmp_path / "90_t"
    folder.mkdir()
    (folder / "exercise.toml").write_text(toml)
    (folder / "checks.py").write_text(checks)
    return folder


def test_a_new_exercise_needs_two_files(tmp_path):
    exercise = read_exercise(exercise_folder(tmp_path))
    assert judge(exercise, {"90.a": {"x": 1}}).passed


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('id = "90"', "id = 90", "'id' is a int"),
        ("points = 1", "points = 2", "2 points, but its items in checks.py have 1"),
        ('"3"]', '"3", "4"]', "4 hints"),
        ('kind = "value"', 'kind = "essay"', "Use one of: code, value"),
        ('kind = "value"', 'kind = "code"', "a code task needs CALLS"),
        ('name = "a"', "", "'name' is missing"),
        ('"90.a"', '"90.b"', "items in checks.py have 0"),
        ("[[task]]", "[[task", "cannot be read"),
        ('("x",)', "()", "needs reads"),
        ("ITEMS =", "ITEM =", "needs ITEMS"),
        ("import Item", "import Idem", "cannot be loaded"),
    ],
)
def test_a_bad_exercise_says_where(tmp_path, old, new, text):
    folder = exercise_folder(tmp_path, TOML.replace(old, new), CHECKS.replace(old, new))
    with pytest.raises(BadExercise, match=re.escape(text)):
        read_exercise(folder)


def test_a_check_that_breaks_is_our_fault(tmp_path):
    checks = CHECKS.replace("()", "1 / 0", 1)
    report = judge(read_exercise(exercise_folder(tmp_path, TOML, checks)), {"90.a": {"x": 1}})
    assert report.items[0].status == "internal-error"
    assert "our fault" in str(report)
