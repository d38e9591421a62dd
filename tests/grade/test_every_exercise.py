"""Every exercise can be graded: its setup runs behind the fence, its accepted answer is right there
too, and its stub is not attempted."""

from __future__ import annotations

import asyncio

import pytest

from k8snetlib.course.collect import questions
from k8snetlib.course.judge import judge_collected
from k8snetlib.course.notebook import answer_sources, setup_sources
from k8snetlib.grade.answering import Asked, answer
from k8snetlib.grade.intake import read_bytes, read_cells
from k8snetlib.grade.sandbox import Fence, choose_fence, stage
from tests.conftest import require_root, require_tool
from tests.exercises.bank import EXERCISES, name_of, solutions
from tests.grade.fenced import uid

SEED = 4711


@pytest.fixture(scope="module")
def fence(tmp_path_factory) -> Fence:
    require_root()
    require_tool("bwrap")
    site = tmp_path_factory.mktemp("fence") / "site"
    site.mkdir()
    return choose_fence(stage(site))


@pytest.mark.root
@pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
def test_behind_the_fence(fence, exercise):
    setup, asked = setup_sources(exercise), questions(exercise, SEED)
    run = Asked(exercise, setup, (SEED,), {SEED: asked})
    right = solutions(exercise)[0].sources
    found = asyncio.run(answer(run, right, fence, uid()))
    assert found.stopped == ""
    report = judge_collected(exercise, found.collected[SEED], SEED)
    assert report.passed, str(report)
    stub = answer_sources(read_cells(read_bytes(exercise.notebook), "stub"), exercise)
    untouched = asyncio.run(answer(run, stub, fence, uid())).collected[SEED]
    assert {record["status"] for record in untouched.values()} == {"not-attempted"}
