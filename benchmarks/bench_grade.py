"""Grading beside nbgrader and otter, on this machine, in one run; and a class of 300.

    python benchmarks/bench_grade.py                 20 copies of one notebook with each grader
    python benchmarks/bench_grade.py --class 300     a mixed class with ours, and a kill -9 midway
    python benchmarks/bench_grade.py --class 300 --copies 0    the class alone

nbgrader and otter are installed into build/bench-grade (a minute, once). They grade three trivial
tasks; ours grades exercise 12 (five tasks, one of them an incident, with hidden seeds), isolated.
Each grader gets as many processes as it offers itself: nbgrader and otter one, ours --jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "build" / "bench-grade"
OTHERS = HOME / "venv"
sys.path.insert(0, str(ROOT))

TASKS = [
    ("double", "x", "2 * x", "double(4) == 8"),
    ("last", "xs", "xs[-1]", "last([1, 2]) == 2"),
    ("words", "t", "len(t.split())", "words('a b') == 2"),
]
OTTER = """
import sys, time
from otter.api import grade_submission
import glob
for path in sorted(glob.glob("subs/*.ipynb")):
    grade_submission(path, glob.glob("dist/autograder/*.zip")[0], quiet=True)
"""
HOSTILE = {
    "loop": "while True: pass",
    "exit": "import os; os._exit(0)",
    "memory": "x = bytearray(3 << 30)",
    "forks": "import os\nwhile True: os.fork()",
    "parent": "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "threads": "import threading, time\n"
    "[threading.Thread(target=time.sleep, args=(600,)).start() for _ in range(5)]",
    "output": "print('x' * 50_000_000)",
}


def notebook(cells: list[dict[str, Any]]) -> str:
    """A notebook's text."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(
        {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    )


def cell(kind: str, cell_id: str, source: str, **metadata: Any) -> dict[str, Any]:
    """One cell."""
    code = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": cell_id, "metadata": metadata, "source": source} | code


def others(env: dict[str, str]) -> None:
    """nbgrader and otter, in an environment of their own."""
    if not (OTHERS / "bin" / "otter").exists():
        HOME.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", OTHERS], check=True)
        pip = [OTHERS / "bin" / "pip", "install", "-q", "nbgrader", "otter-grader"]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
        kernel = [OTHERS / "bin" / "python", "-m", "ipykernel", "install", "--sys-prefix"]
        subprocess.run([*kernel, "--name", "python3"], check=True, capture_output=True)


def timed(command: list[str], where: Path, env: dict[str, str]) -> float:
    """Seconds that a command takes; raises if it fails."""
    before = time.perf_counter()
    quiet = subprocess.DEVNULL
    subprocess.run(
        command, cwd=where, env=env, check=True, stdout=quiet, stderr=quiet, timeout=3600
    )
    return time.perf_counter() - before


def nbgrader(copies: int, env: dict[str, str]) -> float:
    """Seconds for ``copies`` submissions."""
    where = HOME / "nbgrader"
    shutil.rmtree(where, ignore_errors=True)
    cells = []
    for name, arg, answer, test in TASKS:
        told = {"schema_version": 3, "locked": False, "grade": False, "solution": True,
                "task": False, "grade_id": f"a-{name}"}  # fmt: skip
        source = f"def {name}({arg}):\n    ### BEGIN SOLUTION\n    return {answer}\n"
        cells.append(cell("code", f"a{name}", source + "    ### END SOLUTION", nbgrader=told))
        told = told | {"locked": True, "grade": True, "solution": False, "points": 1,
                       "grade_id": f"t-{name}"}  # fmt: skip
        cells.append(cell("code", f"t{name}", f"assert {test}", nbgrader=told))
    source_file = where / "source/ps1/nb.ipynb"
    source_file.parent.mkdir(parents=True)
    source_file.write_text(notebook(cells))
    timed(["nbgrader", "generate_assignment", "ps1"], where, env)
    for n in range(copies):
        mine = where / f"submitted/s{n:03}/ps1"
        mine.mkdir(parents=True)
        shutil.copy(source_file, mine)
    return timed(["nbgrader", "autograde", "ps1"], where, env)


def otter(copies: int, env: dict[str, str]) -> float:
    """Seconds for ``copies`` submissions, in one process."""
    where = HOME / "otter"
    shutil.rmtree(where, ignore_errors=True)
    (where / "subs").mkdir(parents=True)
    cells = [cell("raw", "c0", "# ASSIGNMENT CONFIG\nrequirements: []\n")]
    for name, arg, answer, test in TASKS:
        check = cell("code", f"t{name}", test)
        check["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "True"},
                             "metadata": {}, "execution_count": 1}]  # fmt: skip
        cells += [
            cell("raw", f"q{name}", f"# BEGIN QUESTION\nname: {name}\npoints: 1\n"),
            cell("markdown", f"m{name}", name),
            cell("raw", f"bs{name}", "# BEGIN SOLUTION"),
            cell("code", f"s{name}", f"def {name}({arg}):\n    return {answer} # SOLUTION"),
            cell("raw", f"es{name}", "# END SOLUTION"),
            cell("raw", f"bt{name}", "# BEGIN TESTS"), check,
            cell("raw", f"et{name}", "# END TESTS"), cell("raw", f"eq{name}", "# END QUESTION"),
        ]  # fmt: skip
    (where / "nb.ipynb").write_text(notebook(cells))
    timed(["otter", "assign", "nb.ipynb", "dist"], where, env)
    for n in range(copies):
        shutil.copy(where / "dist/autograder/nb.ipynb", where / f"subs/s{n:03}.ipynb")
    return timed([str(OTHERS / "bin" / "python"), "-c", OTTER], where, env)


# -- ours -----------------------------------------------------------------------------------------


def submission(number: str, sources: dict[str, str], extra: str = "") -> str:
    """The exercise's notebook with these answers; ``extra`` goes before the first answer."""
    (folder,) = (ROOT / "exercises").glob(f"{number}_*")
    document = json.loads((folder / "exercise.ipynb").read_text(encoding="utf-8"))
    for one in document["cells"]:
        told = one["metadata"].get("k8snet", {})
        if told.get("role") == "answer" and told["id"] in sources:
            head, _, rest = sources[told["id"]].partition("\n")
            one["source"] = f"{head}\n{extra}\n{rest}"
            extra = ""
    return json.dumps(document)


def class_of(size: int, where: Path, seed: int = 1) -> dict[str, int]:
    """A class's folder: right, partly right, named wrong, broken, hostile; how many of each."""
    from tests.exercises.bank import EXERCISES, misconceptions, solutions

    dice = random.Random(seed)
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    counts: dict[str, int] = {}
    for n in range(size):
        exercise = dice.choice(EXERCISES)
        right = solutions(exercise)[0].sources
        kind = dice.choices(["right", "partly", "wrong", "broken", "hostile"], [40, 20, 25, 10, 5])[
            0
        ]
        counts[kind] = counts.get(kind, 0) + 1
        path = where / f"learner{n:03}_{exercise.id}.ipynb"
        if kind == "partly":
            some = dict(dice.sample(sorted(right.items()), max(1, len(right) // 2)))
            path.write_text(submission(exercise.id, some))
        elif kind == "wrong":
            wrong = dice.choice(misconceptions(exercise)).sources
            path.write_text(submission(exercise.id, wrong))
        elif kind == "broken":
            text = submission(exercise.id, right)
            path.write_text(text[: len(text) // dice.randint(2, 9)])
        elif kind == "hostile":
            attack = dice.choice(sorted(HOSTILE.values()))
            path.write_text(submission(exercise.id, right, attack))
        else:
            path.write_text(submission(exercise.id, right))
    return counts


def grade(folder: Path, out: Path, jobs: int, *more: str) -> list[str]:
    """Our command line."""
    return [sys.executable, "-m", "k8snetlib", "grade", str(folder), "--out", str(out),
            "--jobs", str(jobs), *more]  # fmt: skip


def ours(copies: int, jobs: int) -> float:
    """Seconds for ``copies`` of a right answer to exercise 12."""
    from tests.exercises.bank import EXERCISES, solutions

    exercise = next(e for e in EXERCISES if e.id == "12")
    folder, out = HOME / "ours", HOME / "ours-out"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    folder.mkdir(parents=True)
    for n in range(copies):
        text = submission("12", solutions(exercise)[0].sources)
        (folder / f"s{n:03}_12.ipynb").write_text(text)
    return timed(grade(folder, out, jobs), ROOT, dict(os.environ))


def processes() -> set[int]:
    """The ids of all processes of this machine."""
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}


class Peak(NamedTuple):
    """The most memory that was seen, in MB: of one process, and of all together."""

    largest: float
    total: float


def watched(command: list[str]) -> Peak:
    """Runs a command to its end; looks four times a second at the memory of all its processes."""
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet)
    peak = Peak(0.0, 0.0)
    while child.poll() is None:
        used = [memory(pid) for pid in family(child.pid)]
        peak = Peak(max([peak.largest, *used]), max(peak.total, sum(used)))
        time.sleep(0.25)
    return peak


def family(pid: int) -> set[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for other in processes():
        try:
            told = Path(f"/proc/{other}/stat").read_text()
        except OSError:
            continue
        children.setdefault(int(told.rpartition(")")[2].split()[1]), []).append(other)
    found, waiting = set(), [pid]
    while waiting:
        found.add(one := waiting.pop())
        waiting += children.get(one, [])
    return found


def memory(pid: int) -> float:
    """A process's memory in MB, its part of what it shares with others counted once (Pss)."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in told.splitlines() if line.startswith("Pss:")) / 1024


def rows(out: Path) -> int:
    """Rows of the gradebook."""
    return len((out / "gradebook.csv").read_text(encoding="utf-8").splitlines()) - 1


def a_class(size: int, jobs: int) -> None:
    """Grades a mixed class; then once more with a kill -9 midway, and a resume."""
    folder, out = HOME / "class", HOME / "class-out"
    counts = class_of(size, folder)
    print(f"{size} submissions: {counts}")
    grades = []
    for killed in (False, True):
        shutil.rmtree(out, ignore_errors=True)
        before, files = processes(), set(Path("/tmp").iterdir())
        start = time.perf_counter()
        if killed:
            child = subprocess.Popen(
                grade(folder, out, jobs, "--seed", "7"), cwd=ROOT, stderr=subprocess.DEVNULL
            )
            while child.poll() is None and len(list((out / "records").glob("*.json"))) < size // 3:
                time.sleep(0.2)
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            done = len(list((out / "records").glob("*.json")))
            print(f"kill -9 after {time.perf_counter() - start:.0f} s with {done} records")
        more = ("--resume",) if killed else ("--seed", "7")
        peak = watched(grade(folder, out, jobs, *more))
        took = time.perf_counter() - start
        time.sleep(2)
        left = [p for p in processes() - before if _of_this_run(p, out)]
        temp = [p.name for p in set(Path("/tmp").iterdir()) - files if "k8snet" in p.name]
        print(
            f"{'with kill and resume' if killed else 'in one go'}: {took:.0f} s, "
            f"{size / took * 60:.0f} a minute, "
            f"largest process {peak.largest:.0f} MB, all together {peak.total:.0f} MB, "
            f"rows lost {size - rows(out)}, processes left {len(left)}, files left {len(temp)}",
            flush=True,
        )
        grades.append((out / "gradebook.csv").read_text(encoding="utf-8"))
    print(f"the same grades both times: {'yes' if grades[0] == grades[1] else 'NO'}", flush=True)


def _of_this_run(pid: int, out: Path) -> bool:
    """Our processes name ``out`` in their command line; one behind the fence sees a part of it."""
    place = "/".join(out.parts[-3:]).encode()
    try:
        told = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "mountinfo")]
    except OSError:
        return False
    return any(place in text for text in told)


def main() -> None:
    """Prints seconds for each submission, and the load of the machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--class", dest="size", type=int, default=0, metavar="N")
    given = parser.parse_args()
    HOME.mkdir(parents=True, exist_ok=True)
    # As on a teacher's machine: what is compiled once stays so, for each of the graders.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    if given.size:
        a_class(given.size, given.jobs)
    if not given.copies:
        return
    env = os.environ | {"PATH": f"{OTHERS / 'bin'}:{os.environ['PATH']}"}
    env.pop("PYTHONPATH", None)
    others(env)
    for name, seconds in (
        (f"k8snet grade --jobs {given.jobs}", ours(given.copies, given.jobs)),
        ("nbgrader autograde", nbgrader(given.copies, env)),
        ("otter, one process", otter(given.copies, env)),
    ):
        print(f"{name:24} {seconds / given.copies:.2f} s each ({given.copies} copies)")


if __name__ == "__main__":
    main()
