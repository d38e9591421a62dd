"""What must hold for every exercise, judged in this process (tests of nbval: test_nbval.py)."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from k8snetlib.course.collect import collect, questions
from k8snetlib.course.exercise import Exercise
from k8snetlib.course.judge import judge, judge_collected
from k8snetlib.course.notebook import (
    answer_sources,
    parse_notebook,
    read_notebook,
    run_answers,
)
from k8snetlib.course.page import report_html
from tests.exercises.bank import (
    EXERCISES,
    SEEDS,
    Answer,
    each,
    judged,
    misconceptions,
    name_of,
    setup,
    solutions,
    well_formed,
)

exercises = pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
seeds = pytest.mark.parametrize("seed", SEEDS)


def beliefs(report) -> set[tuple[str, str | None]]:
    return {(item, belief) for item, (status, belief) in report.vector.items() if status != "pass"}


@seeds
@pytest.mark.parametrize("answer", each("solutions"), ids=name_of)
def test_a_solution_gets_full_points(answer: Answer, seed: int):
    report = judged(answer.name, answer.exercise, seed)
    assert report.passed and report.points == answer.exercise.points, str(report)


@seeds
@exercises
def test_the_untouched_stub_is_not_attempted(exercise: Exercise, seed: int):
    sources = answer_sources(read_notebook(exercise.notebook), exercise)
    answers = run_answers(exercise, sources, setup(exercise))
    report = judge(exercise, answers, seed)
    assert set(answers) == {task.id for task in exercise.tasks}
    assert report.points == 0
    assert {item.status for item in report.items} == {"not-attempted"}, str(report)
    assert not any(item.findings for item in report.items)


@exercises
def test_an_empty_notebook_gets_nothing(exercise: Exercise):
    cells = parse_notebook(b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')
    report = judge(exercise, run_answers(exercise, answer_sources(cells, exercise)))
    assert report.points == 0
    assert {task.items[0].findings[0].text for task in report.tasks} == {
        f"No cell is marked as the answer to {task.id}. Its first line is missing or changed."
        for task in exercise.tasks
    }


@seeds
@pytest.mark.parametrize("answer", each("misconceptions"), ids=name_of)
def test_a_misconception_gets_its_exact_vector(answer: Answer, seed: int):
    report = judged(answer.name, answer.exercise, seed)
    assert answer.finds, "the file's docstring names no finding"
    assert beliefs(report) == set(answer.finds.items()), str(report)
    failed = {item.id: item for item in report.items if item.status != "pass"}
    assert {item.status for item in failed.values()} == {"fail"}, str(report)
    lost = sum(item.of for item in failed.values())
    assert report.points == answer.exercise.points - lost


@pytest.mark.parametrize("answer", each("misconceptions"), ids=name_of)
def test_a_misconception_is_named_after_its_belief(answer: Answer):
    assert answer.name.partition("__")[0] in answer.finds.values()


@exercises
def test_every_belief_of_the_toml_is_recognised_by_its_task(exercise: Exercise):
    seen = {
        (item.rpartition(".")[0], belief)
        for answer in misconceptions(exercise)
        for item, belief in answer.finds.items()
        if belief
    }
    told = {(task.id, belief) for task in exercise.tasks for belief in task.beliefs}
    assert seen == told


@exercises
def test_there_are_enough_misconceptions(exercise: Exercise):
    assert len(misconceptions(exercise)) >= 4
    assert len({answer.name.partition("__")[0] for answer in misconceptions(exercise)}) >= 4


@exercises
def test_a_code_task_has_two_solutions(exercise: Exercise):
    for task in exercise.tasks:
        if task.kind == "code":
            assert len({answer.sources[task.id] for answer in solutions(exercise)}) >= 2, task.id


@exercises
def test_no_item_is_idle(exercise: Exercise):
    """Leaving out any one item lets some misconception through with full points."""
    alone = Counter(
        next(iter(answer.finds)) for answer in misconceptions(exercise) if len(answer.finds) == 1
    )
    assert [item.id for item in exercise.items if not alone[item.id]] == []


@seeds
@pytest.mark.parametrize("answer", each("solutions")[:4], ids=name_of)
def test_the_two_stages_meet_in_plain_json(answer: Answer, seed: int):
    exercise = answer.exercise
    answers = run_answers(exercise, answer.sources, setup(exercise))
    asked = json.loads(json.dumps(questions(exercise, seed), allow_nan=False))
    told = json.loads(json.dumps(collect(asked, answers), allow_nan=False))
    assert judge_collected(exercise, told, seed).passed
    assert judge_collected(exercise, told, seed) == judge(exercise, answers, seed)


@exercises
def test_what_the_matrix_shares_changes_no_report(exercise: Exercise):
    """The bank judges like answers once; a whole judgement of its own says the same."""
    answer = misconceptions(exercise)[-1]
    answers = run_answers(exercise, answer.sources, setup(exercise))
    whole, shared = judge(exercise, answers, SEEDS[1]), judged(answer.name, exercise, SEEDS[1])
    assert (whole.to_dict(), str(whole)) == (shared.to_dict(), str(shared))


@exercises
def test_no_visible_seed_holds_the_answer(exercise: Exercise):
    """Answers that fit the questions of one seed do not fit those of another."""
    answers = run_answers(exercise, solutions(exercise)[0].sources, setup(exercise))
    told = collect(questions(exercise, 1), answers)
    for task in exercise.tasks:
        if task.kind == "code":
            one = judge_collected(exercise, told, 2).only(task.id)
            assert not one.passed, f"{task.id} asks the same for every seed"


@pytest.mark.parametrize("answer", each("misconceptions"), ids=name_of)
def test_a_report_says_the_same_as_text_and_page(answer):
    report = judged(answer.name, answer.exercise, 1)
    html = report_html(report)
    page = well_formed(html)
    shown = " ".join("".join(page.itertext()).split())
    for item in report.items:
        assert item.title in shown
        for finding in item.findings:
            assert finding.text in shown and finding.text in str(report)
    assert "<script" not in html
    data = report.to_dict()
    assert data["points"] == report.points
    assert [f["belief"] for t in data["tasks"] for i in t["items"] for f in i["findings"]] == [
        f.belief for i in report.items for f in i.findings
    ]


def sentences(text: str) -> list[str]:
    return [s for s in text.replace("?", ".").replace(": ", ". ").split(". ") if s]


@exercises
def test_findings_and_hints_are_short(exercise):
    texts = [hint for task in exercise.tasks for hint in task.hints]
    for answer in misconceptions(exercise):
        texts += [f.text for item in judged(answer.name, exercise, 1).items for f in item.findings]
    for text in texts:
        assert max(len(s.split()) for s in sentences(text)) <= 20, text
