"""A class on a Dask cluster of two real processes: the same records, whoever dies meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from k8snetlib import cli
from k8snetlib.grade import remote, run, station
from k8snetlib.grade.layouts import find_submissions
from k8snetlib.grade.record import Graded, read_records
from tests.conftest import missing, require_root, require_tool
from tests.exercises.bank import EXERCISES, ROOT, misconceptions, solutions
from tests.grade.dask_mines import MINE
from tests.grade.test_run import hand_in, wait_until

try:
    import dask
    import distributed
except ImportError:
    missing("Dask is not installed: pip install 'k8snetlib[dask]'")

E00 = EXERCISES[0]
TASK = E00.tasks[0].id
pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture(scope="module")
def submissions(tmp_path_factory) -> Path:
    require_root()
    require_tool("bwrap")
    folder = tmp_path_factory.mktemp("class") / "submissions"
    hand_in(folder, "ada", E00, solutions(E00)[0].sources)
    hand_in(folder, "bob", E00, misconceptions(E00)[0].sources)
    hand_in(folder, "cy-stub", E00, {})
    hand_in(folder, "dee", E00, solutions(E00)[-1].sources)
    hand_in(folder, "eve-exits", E00, {TASK: f"# answer: {TASK}\nimport os\nos._exit(0)"})
    broken = hand_in(folder, "fay-broken", E00, {})
    broken.write_bytes(broken.read_bytes()[:-300])
    return folder


@contextmanager
def two_workers(scratch: Path) -> Iterator[Any]:
    """Two workers, each a process with a nanny that starts it again."""
    settings = {
        "distributed.scheduler.allowed-failures": 1,
        "distributed.nanny.pre-spawn-environ.PYTHONPATH": str(ROOT),
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
            dashboard_address="127.0.0.1:0", preload=["tests.grade.dask_mines"],
            local_directory=str(scratch), silence_logs=50,
        ) as made,
    ):  # fmt: skip
        yield made
        made.close(timeout=60)  # a worker may have to finish what nobody waits for


@pytest.fixture(scope="module")
def workers(tmp_path_factory) -> Iterator[Any]:
    with two_workers(tmp_path_factory.mktemp("dask")) as made:
        yield made


@pytest.fixture
def cluster(workers) -> Any:
    """The cluster, when a worker that a test before this one killed is there again."""
    assert wait_until(lambda: len(workers.scheduler.workers) == 2, 60)
    return workers


@pytest.fixture
def doomed(tmp_path) -> Iterator[Any]:
    """A cluster of its own for a test that kills worker after worker.

    Dask's nanny does not replace a worker that dies while the nanny still starts it
    (distributed 2026.8, Nanny._on_worker_exit), so one may stay missing.
    """
    with two_workers(tmp_path / "dask") as made:
        yield made


def class_of(submissions: Path, out: Path) -> run.Class:
    found = find_submissions([submissions], out, [e.id for e in EXERCISES], "")
    rows = [*found.submissions, *found.refused]
    needed = [e for e in EXERCISES if any(row.exercise == e.id for row in rows)]
    return run.Class(rows, found.names, needed, out, 2, 7)


def graded(
    submissions: Path, out: Path, address: str = "", tell: run.Tell = lambda *_: None,
    resume: bool = False,
) -> dict[str, Graded]:  # fmt: skip
    """Each learner's record, on this machine or on a cluster; as returned, and as written."""
    with run.workplace(out, resume) as work:
        group = class_of(submissions, out)
        if address:
            records = remote.grade(group, address, tell)
        else:
            records, _ = run.grade(group, work, tell)
    assert read_records(out / "records") == records
    return {record.learner: record for record in records}


def same(records: dict[str, Graded]) -> dict[str, Graded]:
    """Without what may differ from machine to machine."""
    return {k: r._replace(seconds=0.0, isolation="") for k, r in records.items()}


@pytest.fixture(scope="module")
def here(submissions, tmp_path_factory) -> dict[str, Graded]:
    records = graded(submissions, tmp_path_factory.mktemp("here") / "out")
    statuses = {name: record.status for name, record in records.items()}
    assert statuses == dict.fromkeys(statuses, "graded") | {
        "eve-exits": "crashed",
        "fay-broken": "not-json",
    }
    assert records["ada"].points == E00.points
    return records


def strike(cluster: Any) -> Callable[[Graded, bool], None]:
    """Kills, at the first record from a worker, a worker that is at work on others."""

    def tell(record: Graded, was_there: bool) -> None:
        if tell.killed or not record.isolation:
            return
        busy = [w for w in cluster.scheduler.workers.values() if w.processing]
        assert busy, "nobody is at work any more"
        tell.lost = {task.key for task in busy[0].processing}
        nanny = next(n for n in cluster.workers.values() if n.worker_address == busy[0].address)
        os.kill(nanny.process.pid, signal.SIGKILL)
        tell.killed = busy[0].address

    tell.killed = ""
    return tell


def test_a_worker_is_killed_midway(cluster, submissions, here, tmp_path):
    """Nothing is lost, nothing is there twice, and all is as if one machine had done it."""
    told: list[str] = []
    kill = strike(cluster)

    def tell(record: Graded, was_there: bool) -> None:
        told.append(record.learner)
        kill(record, was_there)

    there = graded(submissions, tmp_path / "out", cluster.scheduler_address, tell)
    assert kill.killed and kill.lost
    assert sorted(told) == sorted(here)
    assert same(there) == same(here)
    for record in there.values():
        if record.status != "not-json":
            assert record.isolation.startswith("bubblewrap: ")
            assert "on Dask worker " in record.isolation
    assert wait_until(lambda: len(cluster.scheduler.workers) == 2, 30)
    assert kill.killed not in cluster.scheduler.workers
    assert not list(Path(cluster.workers[0].local_directory).rglob("grade-*"))
    # Resumed on this machine, there is nothing left to do.
    kept: list[bool] = []
    again = graded(
        submissions, tmp_path / "out", tell=lambda _, was_there: kept.append(was_there), resume=True
    )
    assert again == there and kept == [True] * len(here)


def test_a_submission_that_takes_its_workers_along(doomed, submissions, here, tmp_path):
    """It ends in the review list; those who shared a batch with it have what they earned."""
    theirs = tmp_path / "submissions"
    hand_in(theirs, "ada", E00, solutions(E00)[0].sources)
    hand_in(theirs, "mallory", E00, {TASK: f"# answer: {TASK}\n{MINE}"})
    done = CliRunner().invoke(
        cli.main,
        ["grade", str(theirs), "--out", str(tmp_path / "out"), "--seed", "7",
         "--scheduler", doomed.scheduler_address],
    )  # fmt: skip
    assert done.exit_code == 3, done.output
    assert "Isolation at tcp://127.0.0.1" in done.output and "2/2" in done.output
    assert "to look at: mallory" in done.output
    records = {r.learner: r for r in read_records(tmp_path / "out" / "records")}
    assert records["mallory"].status == "worker-lost" and records["mallory"].report is None
    assert records["ada"].points == E00.points and set(records) == {"ada", "mallory"}
    assert "mallory" in (tmp_path / "out" / "review.csv").read_text(encoding="utf-8")


def test_interrupted(cluster, submissions, tmp_path):
    """Ctrl-C: what is queued is cancelled, what was graded is kept, the workers live on."""

    def tell(record: Graded, was_there: bool) -> None:
        if record.isolation:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        graded(submissions, tmp_path / "out", cluster.scheduler_address, tell)
    assert wait_until(lambda: not cluster.scheduler.tasks, 10), cluster.scheduler.tasks
    assert len(cluster.scheduler.workers) == 2
    assert read_records(tmp_path / "out" / "records")
    assert not (tmp_path / "out" / ".work").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k8snetlib": "0.0.0 (000000000000)"}, "has k8snetlib .*; here it is 0.0.0"),
        ({"exercise 00": "another"}, "has exercise 00 .*; here it is another"),
        ({"exercise 99": "new"}, "has exercise 99 missing"),
    ],
    ids=["library", "exercise", "unknown exercise"],
)
def test_workers_that_differ(cluster, submissions, tmp_path, monkeypatch, change, said):
    """They are told apart before anything runs, and nothing is left."""
    ours = station.identity(["00"]) | change
    monkeypatch.setattr(remote, "identity", lambda exercises: ours)
    with pytest.raises(station.BadStation, match=f"Dask worker at tcp://127.* {said}"):
        graded(submissions, tmp_path / "out", cluster.scheduler_address)
    assert not (tmp_path / "out").exists()


def test_a_worker_that_comes_late_and_differs(cluster, submissions, tmp_path, monkeypatch):
    """Each task looks again."""
    ours = station.identity(["00"]) | {"k8snetlib": "0.0.0"}
    monkeypatch.setattr(remote, "identity", lambda exercises: ours)
    monkeypatch.setattr(remote, "_present", lambda client, order: {"one": "none"})
    with pytest.raises(station.BadStation, match=r"here it is 0\.0\.0"):
        graded(submissions, tmp_path / "out", cluster.scheduler_address)


def command(submissions: Path, out: Path, address: str) -> tuple[int, str]:
    words = ["grade", str(submissions), "--out", str(out), "--scheduler", address]
    done = CliRunner().invoke(cli.main, words)
    return done.exit_code, done.output


@pytest.mark.parametrize("address", ["closed port", "nonsense://here", "silent"])
def test_no_scheduler(submissions, tmp_path, monkeypatch, address):
    """A clear line after a few seconds, and nothing is left."""
    monkeypatch.setattr(remote, "ANSWER", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if address == "closed port":
            silent.close()
        where = address if "://" in address else f"tcp://127.0.0.1:{port}"
        status, said = command(submissions, tmp_path / "out", where)
    assert status == 2 and f"No Dask scheduler answers at {where}" in said, said
    assert not (tmp_path / "out").exists()


def test_no_worker(submissions, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "WORKERS", 1)
    with distributed.LocalCluster(
        n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as empty:
        status, said = command(submissions, tmp_path / "out", empty.scheduler_address)
    assert status == 2 and "has no worker" in said, said


def test_without_dask(submissions, tmp_path):
    """As on a machine without the extra."""
    program = (
        "import sys; sys.modules['distributed'] = None; from k8snetlib.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "grade", str(submissions), "--out", str(tmp_path / "out"),
         "--scheduler", "tcp://127.0.0.1:8786"],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "pip install 'k8snetlib[dask]'" in done.stderr, done.stderr
