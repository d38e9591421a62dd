"""Practice: five incidents at random, which the console itself judges."""

from __future__ import annotations

from random import Random

import pytest

from k8snetlib.course import on_call
from k8snetlib.course.exercise import all_exercises
from k8snetlib.course.incidents.catalogue import FAULTS
from k8snetlib.course.incidents.experts import expert_paths
from k8snetlib.course.incidents.flows import observe
from k8snetlib.course.incidents.items import Check, filled_in, scene
from k8snetlib.course.incidents.practice import drawn
from k8snetlib.course.incidents.show import incident
from k8snetlib.errors import BadCommand
from k8snetlib.views.console import read_script

PARTS = ["cause", "gone", "clean", "lasting"]


def statuses(report) -> dict[str, str]:
    return {item.id.rpartition(".")[2]: item.status for item in report.items}


def test_a_draw_has_five_faults_and_no_cause_twice():
    draws = [drawn(Random(seed)) for seed in range(200)]
    for draw in draws:
        assert len(draw) == 5
        assert len({FAULTS[fault_id].cause for fault_id, _ in draw}) == 5
    assert {fault_id for draw in draws for fault_id, _ in draw} == FAULTS.keys()


def test_no_incident_of_an_exercise_is_drawn():
    told = {
        (item.check.fault_id, item.check.number)
        for exercise in all_exercises()
        for item in exercise.items
        if isinstance(item.check, Check)
    }
    assert told and not told & {one for seed in range(200) for one in drawn(Random(seed))}


def test_the_seed_decides(capsys):
    titles = [[console.ticket for console in on_call(seed)] for seed in (3, 3, 4)]
    assert titles[0] == titles[1] != titles[2]
    assert capsys.readouterr().out.count("Ticket: ") == 15


def test_one_ticket_at_a_time(capsys):
    tickets = on_call(3)
    assert capsys.readouterr().out == ""
    next(tickets)
    assert capsys.readouterr().out.count("Ticket: ") == 1
    assert len(list(tickets)) == 4


@pytest.mark.parametrize("seed", [7, 8])
def test_each_is_broken_and_an_expert_repairs_it(seed, capsys):
    for console, (fault_id, number) in zip(
        on_call(seed), drawn(Random(f"on call {seed}")), strict=True
    ):
        shown = scene(fault_id, number)
        assert not all(observe(console.cluster, p.flow).ends == observe(shown.whole, p.flow).ends
                       for p in shown.probes)  # fmt: skip
        console.run("ip route", "node1")
        for machine, command in read_script(filled_in(expert_paths()[fault_id], shown)):
            console.run(command, machine)
        report = console.check(FAULTS[fault_id].cause)
        assert report.passed and list(statuses(report)) == PARTS, str(report)
        assert "looked with 1. A short way has" in str(report)


@pytest.mark.parametrize(
    ("cause", "commands", "failed"),
    [
        ("overlay-port-blocked", [], ["gone", "clean", "lasting"]),
        ("no-route", ["-D INPUT -p udp --dport 8285 -j DROP"], ["cause"]),
        ("overlay-port-blocked", ["-D INPUT -p udp --dport 8285 -j DROP",
                                  "-t nat -I POSTROUTING -j MASQUERADE"], ["clean"]),
        ("gremlins", [], PARTS),
    ],
    ids=["nothing typed", "wrong cause", "masquerade", "no cause"],
)  # fmt: skip
def test_what_is_missing_is_told(cause, commands, failed, capsys):
    console = incident("overlay-port")
    for node in console.cluster.nodes:
        for command in commands:
            console.run(f"iptables {command}", node)
    report = console.check(cause)
    assert [part for part, status in statuses(report).items() if status != "pass"] == failed
    assert report.tasks[0].id == "practice" and report.of == 8


def test_after_a_reset_the_script_begins_anew(capsys):
    console = incident("overlay-port")
    console.run("iptables -F INPUT", "node1")
    console.reset()
    assert statuses(console.check("overlay-port-blocked"))["clean"] != "pass"
    assert "NO_REPAIR" in str(console.check("overlay-port-blocked").vector)


def test_a_tasks_incident_is_checked_in_its_cell(capsys):
    with pytest.raises(BadCommand, match=r"This is the incident of 04\.blocked") as caught:
        incident("04.blocked").check("no-route")
    assert 'check("04.blocked")' in caught.value.hint
