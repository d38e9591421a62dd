"""The hack bank: hostile notebooks, all in one run of ``k8snet grade`` with honest ones among them.

Nobody earns a point that is not earned, honest neighbours keep theirs, nothing hangs, and no process
or file is left behind. ``hacks/expected.toml`` says of each what it tries and what must come out.
Many of them end their own process once they see what they must not see: their status would tell.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from k8snetlib.grade.record import STATUSES, Graded, read_records
from tests.conftest import require_root, require_tool
from tests.exercises import bank
from tests.grade.mutants import mutant
from tests.grade.records import E04

pytestmark = pytest.mark.slow

HACKS = Path(__file__).parent / "hacks"
EXPECTED = tomllib.loads((HACKS / "expected.toml").read_text())
#: Honest notebooks come first, in the middle and last.
HONEST = ("aaa", "mmm", "zzz")
EVIL_NAME = "=cmd|' 'C calc'!A1"
FUZZED = 10
#: What is also tried behind the second fence: all that attacks a fence. K8SNET_EVERY_HACK=1: all.
AT_THE_FENCE = (
    "becomes_root", "child_answers", "closes_every_fd", "daemon", "fills_the_disk",
    "floods_every_fd", "forged_end", "fork_bomb", "imports_the_checks", "kill_parent", "kill_uids",
    "looks_at_callers", "opens_a_socket", "os_exit", "own_namespaces", "reads_gradebook",
    "reads_processes", "reads_solutions", "segfault", "starts_programs", "takes_3_gb",
    "threads_outlive", "writes_outside",
)  # fmt: skip
SAMPLE = sorted(EXPECTED if os.environ.get("K8SNET_EVERY_HACK") else AT_THE_FENCE)
#: All that the second fence needs from outside; without bubblewrap it is chosen.
PROGRAMS = ("unshare", "setpriv", "env", "sh")
#: The whole run took 80 to 130 s where this was written; a hang would take for ever.
LONGEST = 600
CANARY = "k8snet-hack-canary"
PLACES = ("/", "/tmp", "/var/tmp", "/root", "/home", "/dev/shm", "/etc", "/usr", "/work", "/site")


class Run(NamedTuple):
    """What one run of the grader left."""

    records: dict[str, Graded]
    out: Path
    home: Path
    changed: list[str]
    processes: list[str]
    seconds: float


def notebook(answers: dict[str, str]) -> str:
    """The exercise as an honest learner hands it in."""
    document = json.loads(E04.notebook.read_text(encoding="utf-8"))
    for cell in document["cells"]:
        mark = cell["metadata"].get("k8snet", {})
        if mark.get("role") == "answer" and mark["id"] in answers:
            cell["source"] = answers[mark["id"]]
    return json.dumps(document)


def prints(folder: Path) -> dict[str, str]:
    """A fingerprint of every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def processes(nonce: str, out: Path) -> list[str]:
    """The processes that a run left. Ours have its number in their environment; one behind the
    fence has neither that nor a name of ours, but sees our library, which lies below ``out``."""
    place = "/".join(out.parts[-4:])
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = [(folder / name).read_bytes() for name in ("environ", "cmdline", "mountinfo")]
        except OSError:
            continue
        if nonce.encode() in told[0] or any(place.encode() in text for text in told[1:]):
            found.append(f"{folder.name}: {told[1][:200]!r}")
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole bank behind bubblewrap."""
    require_tool("bwrap")
    return graded_class(tmp_path_factory.mktemp("hacks"), EXPECTED, os.environ["PATH"])


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """``SAMPLE`` behind namespaces that were made by hand, as where bubblewrap is missing."""
    require_root()
    root = tmp_path_factory.mktemp("sample")
    (root / "bin").mkdir()
    for name in PROGRAMS:
        (root / "bin" / name).symlink_to(require_tool(name))
    return graded_class(root, SAMPLE, str(root / "bin"))


@pytest.fixture(params=["run", "second"], ids=["bubblewrap", "namespaces"])
def either(request: pytest.FixtureRequest) -> Run:
    """Each of the two runs."""
    found: Run = request.getfixturevalue(request.param)
    return found


def graded_class(root: Path, hacks: Iterable[str], path: str) -> Run:
    """These hacks, honest and fuzzed neighbours, in one run of the grader."""
    given, out, home = root / "class", root / "out", root / "home"
    given.mkdir()
    home.mkdir()
    for name in hacks:
        shutil.copy(HACKS / f"{name}.ipynb", given)
    full = bank.solutions(E04)[0].sources
    first = next(a for a in bank.misconceptions(E04) if a.name == "FIRST_MATCH__top_down").sources
    for name in HONEST:
        (given / f"{name}_full.ipynb").write_text(notebook(full))
        (given / f"{name}_first.ipynb").write_text(notebook(first))
    (given / f"{EVIL_NAME}.ipynb").write_text(notebook({}))
    for number in range(FUZZED):
        name = f"fuzz{number}_04.ipynb"
        (given / name).write_bytes(mutant(notebook(full).encode(), random.Random(number)))
    before, nonce, began = prints(given), secrets.token_hex(16), time.monotonic()
    command = [sys.executable, "-m", "k8snetlib", "grade", str(given), "--out", str(out)]
    subprocess.run(
        [*command, "--seed", "1", "--jobs", "2"],
        env=os.environ | {"HOME": str(home), "TMPDIR": str(home), "K8SNET_HACK_RUN": nonce, "PATH": path},
        timeout=LONGEST, check=False, capture_output=True, cwd=home,
    )  # fmt: skip
    seconds, left = time.monotonic() - began, processes(nonce, out)
    for _ in range(20):
        if left:  # a killed process may need a moment to be gone
            time.sleep(0.1)
            left = processes(nonce, out)
    after = prints(given)
    changed = [name for name in {*before, *after} if before.get(name) != after.get(name)]
    records = {record.learner: record for record in read_records(out / "records")}
    return Run(records, out, home, changed, left, seconds)


def test_the_bank_is_whole() -> None:
    books = {path.stem: json.loads(path.read_text()) for path in HACKS.glob("*.ipynb")}
    assert books.keys() == EXPECTED.keys() and len(books) >= 30
    for name, book in books.items():
        note = book["metadata"]["k8snet_hack"]
        assert note == {"tries": EXPECTED[name]["tries"], "earns": EXPECTED[name]["earns"]}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_hack_earns_nothing_unearned(run: Run, name: str) -> None:
    earns_what_it_should(run.records[name], name)
    assert run.records[name].isolation.startswith("bubblewrap")


@pytest.mark.root
@pytest.mark.parametrize("name", SAMPLE)
def test_nor_behind_the_second_fence(second: Run, name: str) -> None:
    earns_what_it_should(second.records[name], name)
    assert second.records[name].isolation.startswith("kernel namespaces")


def earns_what_it_should(record: Graded, name: str) -> None:
    assert (record.points, record.status in EXPECTED[name]["status"]) == (
        EXPECTED[name]["earns"],
        True,
    ), f"{record.points} points, {record.status}: {record.text}"
    assert not record.needs_review, record.text


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_neighbour_is_not_disturbed(either: Run, name: str) -> None:
    run = either
    full, first = run.records[f"{name}_full"], run.records[f"{name}_first"]
    assert (full.status, full.points) == ("graded", E04.points)
    expected = bank.judged("FIRST_MATCH__top_down", E04, 1).vector
    told = {
        item["id"]: (item["status"], next((f["belief"] for f in item["findings"]), None))
        for item in first.items
    }
    assert (first.status, told) == ("graded", expected)
    assert first.report == run.records[f"{HONEST[0]}_first"].report


@pytest.mark.parametrize("number", range(FUZZED))
def test_a_fuzzed_notebook_ends_in_a_named_status(run: Run, number: int) -> None:
    record = run.records[f"fuzz{number}"]
    assert record.status in STATUSES and record.status != "internal-error", record.text
    assert record.points <= E04.points


def test_nobody_is_lost(run: Run) -> None:
    rows = list(csv.DictReader((run.out / "gradebook.csv").open(encoding="utf-8-sig")))
    honest = {f"{name}_{kind}" for name in HONEST for kind in ("full", "first")}
    fuzzed = {f"fuzz{number}" for number in range(FUZZED)}
    assert {row["learner"] for row in rows} == {*EXPECTED, *honest, *fuzzed, f"'{EVIL_NAME}"}
    assert len(list((run.out / "feedback").glob("*.html"))) == len(rows) == len(run.records)


def test_nothing_is_left(either: Run) -> None:
    run = either
    assert run.processes == []
    assert run.changed == [] and list(run.home.iterdir()) == []
    assert not [path for path in run.out.iterdir() if path.name.startswith(".")]
    assert not [place for place in PLACES if (Path(place) / CANARY).exists()]
    assert not list(run.out.rglob(CANARY))


def test_no_script_of_a_stranger_is_in_a_page(run: Run) -> None:
    for page in run.out.rglob("*.html"):
        assert "<script" not in page.read_text(encoding="utf-8"), page.name


def test_it_did_not_hang(either: Run) -> None:
    assert either.seconds < LONGEST / 2
