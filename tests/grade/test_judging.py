"""Points need two witnesses that agree: the cell's outcome and the check's record."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from k8snetlib.course import graded
from k8snetlib.course.collect import collect, questions
from k8snetlib.course.judge import judge
from k8snetlib.course.notebook import run_answers, setup_sources
from k8snetlib.course.report import ItemResult, TaskResult
from k8snetlib.course.rubric import ERROR, FAIL, INTERNAL, NOT_ATTEMPTED, PASS, Finding
from k8snetlib.grade.judging import NOTEBOOK, Bench, Case, Unproven
from tests.exercises.bank import EXERCISES, misconceptions, solutions
from tests.grade.test_run import family, living, wait_until

E00, E04 = (next(e for e in EXERCISES if e.id == number) for number in ("00", "04"))
CHECK = "chk-00-first"


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path / "judging", [E00])


def judged(bench: Bench, right: bool) -> Case:
    """A case whose check has left its record."""
    answer = (solutions if right else misconceptions)(E00)[0]
    collected = collect(questions(E00, 1), run_answers(E00, answer.sources, setup_sources(E00)))
    case = bench.lay("s0", E00, [1], {1: collected})
    graded.judge_for_grader(E00.tasks[0], case.folder)
    return case


@pytest.mark.parametrize(("right", "outcome"), [(True, "passed"), (False, "failed")])
def test_outcome_and_record_agree(bench, right, outcome):
    report = bench.report(judged(bench, right), {CHECK: outcome})
    assert report["of"] == E00.points
    assert (report["points"] == E00.points) is right
    assert report["tasks"][0]["items"][0]["visible"] in (PASS, FAIL)


@pytest.mark.parametrize(
    ("right", "cells"),
    [
        (True, {}),
        (True, {CHECK: "failed"}),
        (True, {CHECK: "skipped"}),
        (True, {CHECK: "xfail or xpass"}),
        (True, {CHECK: "twice"}),
        (True, {"chk-04-lookup": "passed"}),
        (False, {CHECK: "passed"}),
    ],
    ids=["missing", "failed", "skipped", "xpass", "twice", "another", "passed"],
)
def test_an_outcome_that_does_not_agree(bench, right, cells):
    with pytest.raises(Unproven):
        bench.report(judged(bench, right), cells)


def other_nonce(record: dict) -> None:
    record["nonce"] = "0" * 32


def other_task(record: dict) -> None:
    record["task"]["id"] = "04.lookup"


def more_points(record: dict) -> None:
    record["task"]["of"] = 100


@pytest.mark.parametrize("forge", [other_nonce, other_task, more_points, dict.clear])
def test_a_record_of_another_run(bench, forge):
    case = judged(bench, True)
    path = case.folder / graded.record_file("00.first")
    record = json.loads(path.read_text())
    forge(record)
    path.write_text(json.dumps(record))
    with pytest.raises(Unproven):
        bench.report(case, {CHECK: "passed"})


def test_no_record(bench):
    case = judged(bench, True)
    (case.folder / graded.record_file("00.first")).unlink()
    with pytest.raises(Unproven, match="no record"):
        bench.report(case, {CHECK: "passed"})


def test_a_notebook_that_changed(bench):
    case = judged(bench, True)
    path = case.folder / NOTEBOOK
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(Unproven, match="changed"):
        bench.report(case, {CHECK: "passed"})


def result(*items: tuple[str, int]) -> TaskResult:
    made = tuple(
        ItemResult(
            f"x.{at}", "t", status, 1 if status == PASS else 0, 1, (Finding(f"seed {seed}"),)
        )
        for at, (status, seed) in enumerate(items)
    )
    return TaskResult("x", "t", (), made)


@pytest.mark.parametrize(
    ("statuses", "whole", "seed"),
    [
        ((PASS, PASS, PASS), PASS, 0),
        ((PASS, FAIL, PASS), FAIL, 1),
        ((FAIL, PASS, ERROR), FAIL, 0),
        ((PASS, PASS, ERROR), ERROR, 2),
        ((PASS, INTERNAL, PASS), INTERNAL, 1),
        ((PASS, INTERNAL, FAIL), FAIL, 2),
        ((NOT_ATTEMPTED,) * 3, NOT_ATTEMPTED, 0),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_an_item_needs_every_seed(statuses, whole, seed):
    found = graded.over_all_seeds([result((s, at)) for at, s in enumerate(statuses)]).items[0]
    assert (found.status, found.points) == (whole, int(whole == PASS))
    assert found.findings[0].text == f"seed {seed}"


@pytest.mark.slow
def test_one_session_judges_many(tmp_path):
    """One kernel, several notebooks: each sees its own answers; the reports are those of
    ``judge`` in one process."""
    bench = Bench(tmp_path / "judging", [E00, E04])
    expected, cases = {}, []
    for exercise in (E04, E00):
        for at, answer in enumerate((solutions(exercise)[0], *misconceptions(exercise)[:2])):
            values = run_answers(exercise, answer.sources, setup_sources(exercise))
            collected = {seed: collect(questions(exercise, seed), values) for seed in (1, 9)}
            case = bench.lay(f"s{at}-{exercise.id}", exercise, (1, 9), collected)
            cases.append(case)
            expected[case.key] = judge(exercise, values, 9).points

    ran: set[str] = set()

    def note(cells: dict[str, str]) -> dict[str, str]:
        ran.update(cells)
        return cells

    async def run() -> dict[str, int]:
        return {
            case.key: bench.report(case, note(cells))["points"]
            async for case, cells in bench.session(cases)
        }

    assert asyncio.run(run()) == expected
    assert len(set(expected.values())) > 2
    needed = {f"setup-{e.id}" for e in (E00, E04)}
    assert ran == needed | {
        f"chk-{t.id}".replace(".", "-").replace("_", "-") for e in (E00, E04) for t in e.tasks
    }, "stubs and hints do not run"


@pytest.mark.slow
def test_a_session_that_was_not_needed(tmp_path):
    """It ends when the grader does, before or after it was ready, and with it its kernel."""
    for wait in (0.0, 4.0):
        bench = Bench(tmp_path / f"judging{wait:.0f}", [E00])
        bench.warm(1)
        (session,) = bench.ready
        time.sleep(wait)
        all_of_it = family(session.process.pid)
        assert len(all_of_it) == (2 if wait else 1), "the session, and its kernel when it is ready"
        bench.close()
        assert session.process.returncode == 0 and not bench.ready
        assert wait_until(lambda gone=all_of_it: not living(gone), 10), living(all_of_it)
