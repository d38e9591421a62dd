"""A small class from end to end: what everybody gets, and what a kill -9 leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from k8snetlib.course.exercise import Exercise
from k8snetlib.course.graded import DATA
from k8snetlib.course.notebook import cell_id
from k8snetlib.grade.record import Graded, read_records
from k8snetlib.grade.run import BadFolder, chosen_seed, hidden_seeds, workplace
from tests.conftest import require_root, require_tool
from tests.exercises.bank import EXERCISES, ROOT, misconceptions, solutions

E00, E04 = (next(e for e in EXERCISES if e.id == number) for number in ("00", "04"))
#: The points of the task that some of them lose.
LOOKUP = E04.task("04.lookup").points
SKIPS = "# NBVAL_SKIP\ncheck('00.first')"
pytestmark = [pytest.mark.root, pytest.mark.slow]

#: learner: status, points of the first item's task, a word of the sentence
EXPECTED = {
    "ada": ("graded", 5, ""),
    "bob": ("graded", None, ""),
    "cy-stub": ("graded", 0, ""),
    "dee-loops": ("time-limit", E04.points - LOOKUP, "ran out of time"),
    "eve-exits": ("crashed", E04.points - LOOKUP, "ended itself"),
    "fay-broken": ("not-json", 0, "JSON"),
    "gil-marks": ("graded", 0, ""),
    "hal-link": ("unreadable", 0, "link"),
    "ida-huge": ("graded", E04.points - LOOKUP, ""),
}


def hand_in(folder: Path, learner: str, exercise: Exercise, sources: dict[str, str]) -> Path:
    path = folder / learner / exercise.folder.name / "exercise.ipynb"
    path.parent.mkdir(parents=True)
    notebook = json.loads(exercise.notebook.read_text(encoding="utf-8"))
    by_id = {cell["id"]: cell for cell in notebook["cells"]}
    for name, source in sources.items():
        by_id[name if name in by_id else cell_id(name)]["source"] = source
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def submissions(tmp_path_factory) -> Path:
    require_root()
    require_tool("bwrap")
    folder = tmp_path_factory.mktemp("class") / "submissions"
    right = solutions(E04)[0].sources
    hand_in(folder, "ada", E00, solutions(E00)[0].sources)
    hand_in(folder, "bob", E00, misconceptions(E00)[0].sources)
    hand_in(folder, "cy-stub", E00, {})
    loop = "def lookup(routes, dst):\n    while True: pass"
    hand_in(folder, "dee-loops", E04, right | {"04.lookup": f"# answer: 04.lookup\n{loop}"})
    leave = "# answer: 04.lookup\nimport os\nos._exit(0)"
    hand_in(folder, "eve-exits", E04, right | {"04.lookup": leave})
    broken = hand_in(folder, "fay-broken", E00, {})
    broken.write_bytes(broken.read_bytes()[:-300])
    marks = {"chk-00-first": SKIPS, "setup-00": "raise SystemExit"}
    hand_in(folder, "gil-marks", E00, marks)
    link = hand_in(folder, "hal-link", E00, {})
    link.unlink()
    link.symlink_to(folder / "ada" / E00.folder.name / "exercise.ipynb")
    noise = "def lookup(routes, dst):\n    print('x' * 1_000_000)\n    return 10 ** 400"
    hand_in(folder, "ida-huge", E04, right | {"04.lookup": f"# answer: 04.lookup\n{noise}"})
    return folder


def command(submissions: Path, out: Path, *options: str) -> list[str]:
    # Relative, as a teacher types it; the grader runs in ROOT.
    given = os.path.relpath(out, ROOT)
    words = [sys.executable, "-m", "k8snetlib", "grade", str(submissions), "--out", given]
    return [*words, "--seed", "7", *options]


def run(submissions: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(submissions, out, *options), cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip


def records(out: Path) -> dict[str, Graded]:
    """Each learner's record, without what differs from run to run."""
    return {r.learner: r._replace(seconds=0.0) for r in read_records(out / "records")}


@pytest.fixture(scope="module")
def first(submissions, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("graded") / "out"
    done = run(submissions, out, "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bubblewrap" in done.stderr
    return out


@pytest.mark.parametrize("learner", EXPECTED)
def test_everybody_has_a_row(first, learner):
    status, points, said = EXPECTED[learner]
    record = records(first)[learner]
    assert record.status == status, record
    assert said in record.text
    if points is not None:
        assert record.points == points, record.items
    assert bool(record.report) == (status not in ("not-json", "unreadable"))


def test_a_wrong_answer_is_told_its_belief(first):
    (item, belief), *_ = misconceptions(E00)[0].finds.items()
    found = {i["id"]: i for i in records(first)["bob"].items}[item]
    assert found["status"] == "fail" and found["findings"][0]["belief"] == belief


def test_nothing_else_is_left(first):
    assert not (first / ".work").exists() and not (first / ".lock").exists()
    assert {"gradebook.csv", "overview.html", "records", "run.json"} <= set(os.listdir(first))
    assert processes_of(first) == []


def test_what_has_not_changed_is_kept(first, submissions, tmp_path):
    """Resumed, only the changed submission is graded again; and without --resume nothing is."""
    out, theirs = tmp_path / "out", tmp_path / "submissions"
    shutil.copytree(first, out)
    shutil.copytree(submissions, theirs, symlinks=True)
    refused = run(theirs, out)
    assert refused.returncode == 2 and "--resume" in refused.stderr
    shutil.rmtree(theirs / "cy-stub")
    hand_in(theirs, "cy-stub", E00, solutions(E00)[0].sources)
    before = {r.learner: r for r in read_records(out / "records")}
    assert run(theirs, out, "--resume").returncode == 0
    after = {r.learner: r for r in read_records(out / "records")}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"cy-stub"} and after["cy-stub"].points == E00.points


def processes_of(out: Path) -> list[str]:
    """Command lines of processes that name ``out``."""
    return [words for words in commands().values() if str(out) in words]


def commands() -> dict[int, str]:
    """Process number -> command line, of all that live."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, ValueError):
                continue
            if words:
                found[int(entry.name)] = words
    return found


def family(number: int) -> set[tuple[int, str]]:
    """A process and all below it, each with the moment of its birth."""
    children: dict[int, list[int]] = {}
    born = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.name))
                born[int(entry.name)] = fields[19]
    found, waiting = set(), [number]
    while waiting:
        one = waiting.pop()
        if one in born:
            found.add((one, born[one]))
            waiting += children.get(one, [])
    return found


def living(family_before: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those of a family that are still there."""
    return {one for number, _ in family_before for one in family(number)} & family_before


def wait_until(true, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("moment", ["answers", "judging"])
def test_kill_9_and_resume(first, submissions, tmp_path, moment):
    """Records stay whole, every process goes, nothing is lost; and the same seed gives the same
    records, whatever the number of jobs."""
    out = tmp_path / "out"
    grader = subprocess.Popen(
        command(submissions, out, "--jobs", "2"), cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    signs = {
        "answers": lambda: any("/site/inside.py" in words for words in processes_of(out)),
        "judging": lambda: any((out / ".work" / "judging").rglob(DATA)),
    }
    try:
        assert wait_until(signs[moment], 60)
        wait_until(lambda: len(family(grader.pid)) > 3, 20)
        all_of_it = family(grader.pid)
    finally:
        grader.send_signal(signal.SIGKILL)
        grader.wait()
    assert len(all_of_it) > 3, "the grader and those that it started"
    assert wait_until(lambda: not living(all_of_it), 10), living(all_of_it)
    assert processes_of(out) == []
    done = run(submissions, out, "--resume", "--jobs", "5")
    assert done.returncode == 0, done.stderr
    assert records(out) == records(first)
    assert not (out / ".work").exists()


def test_one_grader_at_a_time(tmp_path):
    second = workplace(tmp_path / "out", True)
    with (
        workplace(tmp_path / "out", False),
        pytest.raises(BadFolder, match="Another grader"),
        second,
    ):
        pass
    assert not (tmp_path / "out").exists(), "nothing came of it"


def test_seeds():
    """Hidden seeds follow from the seed, differ from the visible one, and are drawn if not given."""
    assert hidden_seeds(7) == hidden_seeds(7) != hidden_seeds(8)
    assert 1 not in hidden_seeds(7) and len(set(hidden_seeds(7))) == 2


def test_the_seed_of_a_resumed_run(tmp_path):
    (tmp_path / "run.json").write_text('{"seed": 41}')
    assert chosen_seed(tmp_path, None, True) == 41
    assert chosen_seed(tmp_path, 5, True) == 5
    drawn = {chosen_seed(tmp_path, None, False) for _ in range(5)}
    assert len(drawn) > 1


def test_the_work_folder_is_named_in_full(tmp_path, monkeypatch):
    """``--out grades`` is relative, and what runs behind the fence starts elsewhere."""
    monkeypatch.chdir(tmp_path)
    with workplace(Path("grades"), False) as work:
        assert work.is_absolute() and work.parent == tmp_path / "grades"
