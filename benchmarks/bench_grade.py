"""Grading a class: seconds a submission, beside plain nbval on the same notebooks.

    python benchmarks/bench_grade.py [COPIES]

COPIES (20) submissions of exercise 04, five tasks each; half are right, half hold a wrong belief.
``k8snet grade`` isolates every submission and judges it on three clusters; plain nbval runs the
notebooks as they are, in one process, on one cluster, and isolates nothing. Wall-clock seconds, on
as many cores as there are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from k8snetlib.course.notebook import cell_id  # noqa: E402
from tests.exercises.bank import EXERCISES, misconceptions, solutions  # noqa: E402

EXERCISE = next(exercise for exercise in EXERCISES if exercise.id == "04")


def hand_in(folder: Path, sources: Mapping[str, str]) -> None:
    """The exercise with answers typed in."""
    folder.mkdir(parents=True)
    notebook = json.loads(EXERCISE.notebook.read_text(encoding="utf-8"))
    by_id = {cell["id"]: cell for cell in notebook["cells"]}
    for task_id, source in sources.items():
        by_id[cell_id(task_id)]["source"] = source
    (folder / "exercise.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def seconds(words: list[str], cwd: Path) -> float:
    """How long a command takes; a failed notebook is no failure of the command."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start


def main() -> None:
    """Measures and prints."""
    copies = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    wrong = misconceptions(EXERCISE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for at in range(copies):
            answer = wrong[at // 2 % len(wrong)] if at % 2 else solutions(EXERCISE)[0]
            place = folder / "submissions" / f"learner{at:03}" / EXERCISE.folder.name
            hand_in(place, answer.sources)
        grade = [
            sys.executable,
            "-m",
            "k8snetlib",
            "grade",
            str(folder / "submissions"),
            "--seed=1",
        ]
        ours = seconds([*grade, f"--out={folder / 'out'}"], ROOT)
        told = json.loads((folder / "out" / "run.json").read_text(encoding="utf-8"))
        nbval = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax"]
        nbval += ["--nbval-current-env", "-p", "k8snetlib.course.nbval_plugin", "-c", os.devnull]
        plain = seconds([*nbval, f"--rootdir={folder}", str(folder / "submissions")], ROOT)
    print(f"{copies} submissions of {len(EXERCISE.tasks)} tasks, {os.cpu_count()} cores")
    print(f"isolation: {told['isolation']}")
    for what, took in (("k8snet grade", ours), ("plain nbval", plain)):
        each, a_minute = took / copies, 60 * copies / took
        print(f"{what:14} {took:7.2f} s   {each:6.3f} s each   {a_minute:6.0f} a minute")
    print(f"ratio {plain / ours:.2f}")


if __name__ == "__main__":
    main()
