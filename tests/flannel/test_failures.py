"""Every failure of flannel, in every backend: it breaks what it says, is seen, and is mended."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from k8snetlib.reach import all_pairs
from tests.flannel.failures.run import BACKENDS, FATES, TALKS, Moment, Run, Said, played
from tests.flannel.failures.table import ASKED, FAILURES
from tools import failures as page

RUNS = [
    pytest.param(failure, backend, id=f"{failure.key}-{backend}")
    for failure in FAILURES
    for backend in failure.backends
]
#: Failures of which no pod that runs ever notices anything, for these backends.
HARMLESS = {("subnet-env-missing", backend) for backend in BACKENDS} | {
    ("etcd-lost", "vxlan"), ("etcd-lost", "host-gw"),
}  # fmt: skip

LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

run_of = cache(played)


@pytest.mark.parametrize(("failure", "backend"), RUNS)
def test_who_talks_to_whom(failure, backend):
    """At each moment, in each column, what was expected; and the commands showed it (``sees``)."""
    for moment in run_of(failure, backend).moments:
        assert moment.measured == moment.expected, moment.when


@pytest.mark.parametrize(("failure", "backend"), RUNS)
def test_it_breaks_is_seen_and_is_mended(failure, backend):
    run = run_of(failure, backend)
    assert run.moments[-1].sound, "the last moment is the repaired cluster"
    broken = [moment for moment in run.moments if not moment.sound]
    assert bool(broken) == ((failure.key, backend) not in HARMLESS)
    assert run.said("break") and run.said("look") and run.said("repair")
    last = run.story.index(broken[-1]) if broken else 0
    after = [s for s in run.story[last:] if isinstance(s, Said) and s.kind != "look"]
    assert after, "something was done between the last broken moment and the sound one"


@pytest.mark.parametrize(("failure", "backend"), RUNS)
def test_in_the_end_everybody_talks(failure, backend):
    """Not only the pairs of the table: all pods and nodes."""
    pairs = all_pairs(run_of(failure, backend).cluster)
    assert {pair.fate for pair in pairs} <= {"reached", "translated"}


def test_every_fate_and_every_failure_is_there():
    """The issue's list, and what was added to it."""
    moments = [m for p in RUNS for m in run_of(*p.values).moments]
    seen = {word for m in moments for text in m.measured.values() for word in text.split(" / ")}
    assert seen == set(FATES)
    assert len({failure.key for failure in FAILURES}) == len(FAILURES) == 19
    assert set(ASKED) <= {failure.key for failure in FAILURES}


def test_a_redirect_is_never_why_nobody_answered():
    """It is about another way to go; that it is dropped harms nobody."""
    reasons = [r for p in RUNS for m in run_of(*p.values).moments for r in m.reasons.values()]
    assert any("ICMP echo-reply ended at" in reason for reason in reasons)
    assert not any("redirect" in reason for reason in reasons)


def test_a_wrong_expectation_is_noticed():
    run = Run("host-gw")
    run.breaks("node1", "ip route del 10.1.20.0/24")
    run.talk("at once")
    (moment,) = run.moments
    assert isinstance(moment, Moment)
    assert moment.expected["1→2"] == TALKS != moment.measured["1→2"]
    with pytest.raises(AssertionError, match=r"10\.1\.20\.0"):
        run.sees("node1", "ip route", "10.1.20.0/24")


@pytest.mark.parametrize("path", [*LESSONS, page.PAGE], ids=lambda path: path.name)
def test_links_into_the_page_name_a_failure(path):
    text = path.read_text()
    named = re.findall(r"flannel-failures\.md#([\w-]+)", text)
    if path == page.PAGE:
        named = re.findall(r"\]\(#([\w-]+)\)", text)
    assert named or "06" not in path.name
    assert set(named) <= {failure.key for failure in FAILURES}


def test_the_page_is_fresh():
    text = page.page(run_of)
    assert page.PAGE.read_text() == text, "stale: run `python tools/failures.py`"
