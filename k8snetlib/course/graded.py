"""What lives here: what ``check`` does in a grader's hands: it judges answers that were collected.

The grader runs the pristine notebook under nbval and puts a file beside it (``DATA``): answers as
plain JSON, the seeds they were asked with, and a number that only this run knows. No learner code
is in this process. A check then judges that data instead of the names in the notebook, writes what
it found into ``RECORD`` and raises, as under nbval, unless everything passes.

An item passes if it passes for *every* seed. ``visible`` is what the learner's own check says.

What may not live here: how answers were collected, grades of a class (``grade``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from k8snetlib.course.exercise import Task
from k8snetlib.course.judge import judge_task
from k8snetlib.course.report import ItemResult, TaskResult, witness_text
from k8snetlib.course.rubric import INTERNAL, PASS, Finding

#: Set by the grader in the environment of its kernels.
UNDER_GRADER = "K8SNET_GRADING"
#: The grader's files, in the folder of the notebook.
DATA = "answers.json"


def record_file(task_id: str) -> str:
    """The file in which a check leaves what it found: ``record-04.lookup.json``."""
    return f"record-{task_id}.json"


def judge_for_grader(task: Task, folder: Path) -> TaskResult:
    """Judges a task's collected answers, and leaves the record for the grader in ``folder``."""
    given = json.loads((folder / DATA).read_text(encoding="utf-8"))
    judged = [
        judge_task(task, given["collected"][str(seed)].get(task.id, {}), seed)
        for seed in given["seeds"]
    ]
    whole = over_all_seeds(judged)
    record = {"nonce": given["nonce"], "task": task_record(whole, judged[0])}
    fresh = folder / f"{record_file(task.id)}.new"
    fresh.write_text(json.dumps(record), encoding="utf-8")
    fresh.replace(folder / record_file(task.id))
    return whole


def over_all_seeds(judged: Sequence[TaskResult]) -> TaskResult:
    """One result from the results for several seeds: each item as it is where it is worst."""
    items = tuple(_worst(same) for same in zip(*(one.items for one in judged), strict=True))
    return judged[0]._replace(items=items)


def _worst(results: Sequence[ItemResult]) -> ItemResult:
    """The first result that is no pass; a check of ours that broke decides only if none failed."""
    failed = [one for one in results if one.status != PASS]
    known = [one for one in failed if one.status != INTERNAL]
    return (known or failed or list(results))[0]


def task_record(whole: TaskResult, visible: TaskResult) -> dict[str, Any]:
    """A task's result as JSON-ready values, with pictures; see ``grade.record``."""
    seen: Mapping[str, str] = {item.id: item.status for item in visible.items}
    return {
        "id": whole.id, "title": whole.title, "status": whole.status, "points": whole.points,
        "of": whole.of,
        "items": [
            {
                "id": item.id, "title": item.title, "status": item.status, "visible": seen[item.id],
                "points": item.points, "of": item.of,
                "findings": [_finding(finding) for finding in item.findings],
            }
            for item in whole.items
        ],
    }  # fmt: skip


def _finding(finding: Finding) -> dict[str, Any]:
    picture = None
    if finding.witness is not None and not isinstance(finding.witness, str):
        try:
            from k8snetlib.views import draw

            picture = draw(finding.witness).svg
        except ImportError:
            picture = None
    text = witness_text(finding.witness) or None
    return {"text": finding.text, "belief": finding.belief, "witness": text, "picture": picture}
