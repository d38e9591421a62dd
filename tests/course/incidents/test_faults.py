"""Every fault fails for the stated reason, and an expert's short way repairs it completely.

That nothing else broke is asked of about 95 flows, which costs a second or two each time. The faults
that an exercise asks for are judged so by its solutions (``tests/exercises``), the others here, by
their first number. With ``K8SNET_SWEEP=1`` it is asked of all faults and numbers.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from k8snetlib.course.incidents.catalogue import FAULTS
from k8snetlib.course.incidents.causes import CAUSES, OUT, PATH, SERVICE
from k8snetlib.course.incidents.experts import expert_paths
from k8snetlib.course.incidents.flows import NOBODY, observe, why
from k8snetlib.course.incidents.items import filled_in, scene
from k8snetlib.course.incidents.repair import aged, tried
from k8snetlib.course.incidents.verdict import judged, right, still_there

NUMBERS = (1, 2, 77)
ROOT = Path(__file__).resolve().parents[3]
SWEEP = os.environ.get("K8SNET_SWEEP", "") not in ("", "0")
#: The faults that exercises ask for.
ASKED = {
    fault_id
    for path in (ROOT / "exercises").glob("*/checks_incident*.py")
    for fault_id in re.findall(r'incident_items\(\s*"[^"]+", "([^"]+)"', path.read_text("utf-8"))
}

faults = pytest.mark.parametrize("fault_id", FAULTS)
numbers = pytest.mark.parametrize("number", NUMBERS)


@numbers
@faults
def test_the_symptom_is_there_for_the_stated_reason_and_only_where_it_is_broken(fault_id, number):
    shown = scene(fault_id, number)
    assert shown.probes
    for probe in shown.probes:
        whole, broken = right(shown.whole, probe.flow), observe(shown.broken, probe.flow)
        assert whole.ok, f"{probe.flow} in the whole cluster: {whole.ends}"
        assert probe.outcome in {outcome for outcome, _, _ in broken.ends}, broken.ends
        if probe.source:
            assert broken.ends != whole.ends
        else:
            assert not broken.ok and broken.fates != whole.fates
        if probe.outcome == NOBODY:
            continue  # there is no such pod: nothing is sent
        assert broken.exchange is not None and probe.why in why(broken.exchange)
        if probe.where:
            assert broken.exchange.request.end == probe.where


@numbers
@faults
def test_an_experts_way_ends_the_symptom_for_good(fault_id, number):
    shown = scene(fault_id, number)
    repair = tried(shown.broken, filled_in(expert_paths()[fault_id], shown))
    assert not repair.refused and len(repair.commands) <= 12, "a short way is short"
    assert still_there(shown, shown.broken) == list(shown.probes)
    assert still_there(shown, repair.after) == []
    assert still_there(shown, aged(repair.after)) == []


@pytest.mark.parametrize("number", NUMBERS if SWEEP else NUMBERS[:1])
@pytest.mark.parametrize("fault_id", [one for one in FAULTS if SWEEP or one not in ASKED])
def test_an_experts_way_earns_all(fault_id, number):
    shown = scene(fault_id, number)
    found = judged(shown, filled_in(expert_paths()[fault_id], shown))
    assert (found.gone, found.clean, found.lasting) == ((), (), ())


@faults
def test_doing_nothing_earns_nothing(fault_id):
    found = judged(scene(fault_id), "node1$ ip route")
    assert found.gone[0].belief == "NO_REPAIR" and found.clean and found.lasting
    nobody = scene(fault_id).probes[0].outcome == NOBODY
    assert (found.gone[0].witness is None) == nobody


def test_which_node_or_pod_is_hit_depends_on_the_number():
    for fault_id in FAULTS.keys() - {"policy-local", "bridge-nf"}:
        words = {str(sorted(scene(fault_id, number).words.items())) for number in (1, 2, 3, 77)}
        assert len(words) > 1, fault_id


def test_the_same_number_is_the_same_incident():
    for fault in FAULTS.values():
        first, again = scene(fault.id, 5), scene.__wrapped__(fault.id, 5)
        assert again is not first and again.words == first.words
        assert [p.flow for p in again.probes] == [p.flow for p in first.probes]


@faults
def test_the_ticket_and_its_causes(fault_id):
    fault, shown = FAULTS[fault_id], scene(fault_id)
    text = filled_in(f"{fault.title}. {fault.ticket}", shown)
    assert "{" not in text and "}" not in text
    assert fault.others in (PATH, SERVICE, OUT), "several incidents share a list"
    assert fault.cause in fault.others and len(fault.offered) >= 10
    assert set(fault.offered) <= CAUSES.keys()
    assert fault.beliefs.keys() <= set(fault.others) - {fault.cause}
    assert len(fault.beliefs) >= 3
    for sentence in text.replace("? ", ". ").replace(": ", ". ").replace("; ", ". ").split(". "):
        assert len(sentence.split()) <= 20, sentence
    for _, finding in fault.beliefs.values():
        for sentence in finding.replace("? ", ". ").replace("; ", ". ").split(". "):
            assert len(sentence.split()) <= 20, sentence


def test_nothing_in_the_package_repairs():
    assert expert_paths().keys() == FAULTS.keys()


def test_the_exercises_ask_for_faults_that_there_are():
    assert len(ASKED) > 10 and FAULTS.keys() >= ASKED


def test_a_node_without_addresses_says_so_in_host_locals_words():
    """As lesson 12 has it: no address available, and few pods."""
    shown = scene("leaked-addresses")
    said = shown.broken[shown.words["node"]].sh("journalctl -u kubelet")
    assert "failed to allocate for range 0: no IP addresses available in range set: 10.1." in said
    assert "requested IP" not in said
