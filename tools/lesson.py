"""Lays out a new lesson with its exercise: every file that one has, filled with a small example.

    make lesson NAME=14_network_policy
    python tools/lesson.py 14_network_policy

Written are the lesson and its first prediction card, the exercise (exercise.toml, checks.py,
exercise.ipynb), a solution and a misconception beside the tests, and the entry of course.toml. The
example runs and is judged as it stands; what is still missing for the tests is said at the end.
Nothing that exists is overwritten. docs/authoring.md goes on from there.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"(\d\d)_[a-z][a-z0-9_]*")


def _cell(kind: str, cell_id: str, source: str, role: str = "", task: str = "") -> dict[str, Any]:
    told: dict[str, Any] = {"k8snet": {"role": role} | ({"id": task} if task else {})}
    cell = {
        "cell_type": kind, "id": cell_id, "metadata": told if role else {},
        "source": source.strip("\n").splitlines(keepends=True),
    }  # fmt: skip
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _notebook(cells: list[dict[str, Any]]) -> str:
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def lesson(n: str, slug: str, title: str) -> str:
    """The lesson's notebook, with the arc of all lessons."""
    return _notebook([
        _cell("markdown", "title", f"""
# {title}

A question that a learner really has. One or two sentences.

After this lesson (about 30 minutes) **you can now**:

- do the first thing,
- do the second thing,
- do the third thing.
"""),
        _cell("markdown", "parts", "## The parts\n\nOnly what is new. **Terms** stand out once."),
        _cell("code", "setup", """
from k8snetlib import Cluster
from k8snetlib.course import predict
from k8snetlib.views import play

cluster = Cluster.example()
"""),
        _cell("markdown", "predict", "## Predict"),
        _cell("code", "predict-first", f'predict("{n}-first")'),
        _cell("markdown", "watch", "## Watch\n\nThe walk of one packet, step by step."),
        _cell("code", "walk", 'exchange = cluster.ping("web2", "web1")\nplay(exchange)'),
        _cell("code", "walk-check", 'assert exchange.outcome == "delivered"'),
        _cell("markdown", "inside", "## Look inside\n\nWhat a real tool prints."),
        _cell("code", "route", 'print(cluster["web2"].sh("ip route"))'),
        _cell("markdown", "break", "## Break it\n\nOne change, and the symptom that it makes."),
        _cell("markdown", "article", f"""
## What the model leaves out

Say it here.

Sources: name them.

## Check yourself

[Exercise {n}](../exercises/{slug}/exercise.ipynb)

## Remember

<details><summary>A first question?</summary>
Its answer.
</details>

<details><summary>A second question?</summary>
Its answer.
</details>
"""),
    ])  # fmt: skip


def exercise(n: str, slug: str, title: str) -> str:
    """The exercise's notebook, with one value task."""
    task = f"{n}.first"
    return _notebook([
        _cell("markdown", "txt-title", f"""
# Exercise {n}: {title.lower()}

| task | what | points | time |
|---|---|---|---|
| `{task}` | who takes from the TTL | 2 | 5 min |

Run this cell first:
"""),
        _cell("code", f"setup-{n}", """
from k8snetlib import Cluster
from k8snetlib.course import check, hint

cluster = Cluster.example()
""", "setup"),
        _cell("markdown", f"txt-{n}-first", f"""
## Task `{task}`: who takes from the TTL? (2 points)

`web2` pings `backend`. Predict `ttl`, the TTL that `backend` sees, as a number.
"""),
        _cell("code", f"ans-{n}-first", f"# answer: {task}\nfirst = {{'ttl': None}}",
              "answer", task),
        _cell("code", f"chk-{n}-first", f'check("{task}")', "check", task),
        _cell("code", f"hint-{n}-first", f"""
# Stuck? Remove the # below and run this cell: one hint at a time.
# hint("{task}")
""", "hint", task),
        _cell("markdown", "txt-next", "## What comes next\n\nSay it here."),
    ])  # fmt: skip


TOML = """\
id = "{n}"
title = "{title}"
lesson = "{slug}"
time_limit = 30

[[task]]
id = "{n}.first"
title = "Who takes from the TTL?"
kind = "value"
name = "first"
points = 2
minutes = 5
level = "core"
beliefs = ["KERNEL_ONLY"]
hints = ["A vague one.", "A clearer one.", "One that nearly says it."]
"""

CHECKS = '''\
"""The rubric of {n}.first. The model sends the packet when the check runs."""

from __future__ import annotations

from typing import Any

from k8snetlib import Cluster
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same


def check_ttl(answer: dict[str, Any], seed: int) -> Findings:
    """The TTL that backend sees."""
    exchange = Cluster.example(seed=seed).ping("web2", "backend")
    assert exchange.request is not None
    right = exchange.request.last.packet.ip.ttl
    said = forms.whole(answer["ttl"])
    if same(said, right):
        return ()
    if said == right + 2:
        text = "You seem to count the two kernels only. flanneld is a router, too."
        return fail(text, "KERNEL_ONLY", exchange)
    return fail("Count again who has acted as a router.", None, exchange)


ITEMS = (Item("{n}.first.ttl", 2, "The TTL at backend", check_ttl, ("ttl",)),)
'''

SOLUTION = """\
# answer: {n}.first
first = {{"ttl": cluster.ping("web2", "backend").request.last.packet.ip.ttl}}
"""

MISCONCEPTION = '''\
"""Only kernels count as routers.

finds: {n}.first.ttl KERNEL_ONLY
"""

# answer: {n}.first
first = {{"ttl": 62}}
'''

CARDS = """\
[{n}-first]
question = "web2 pings web1, on the same node. Which TTL arrives?"

[[{n}-first.choice]]
text = "64."
reaction = "A bridge looks at MAC addresses only."
right = true

[[{n}-first.choice]]
text = "63."
reaction = "Only a router takes one. A bridge is none."
belief = "TTL_BRIDGE"
"""

ENTRY = """
[[lesson]]
id = "{n}"
slug = "{slug}"
title = "{title}"
shows = "what the lesson shows, in a few words"
question = "The lesson's question?"
minutes = 30
optional = true
needs = ["04"]
summary = "Two or three short sentences."
summary_zh = "兩三句摘要。"
"""

MISSING = """\
Next, as docs/authoring.md says:
  make notebooks             stores the lesson's outputs
  python tools/course.py     writes contents, README's table and Binder's index anew
  tests/course/proofs_*.py   a proof for each prediction card
  misconceptions/            three more: an exercise recognises at least four beliefs
  make test
"""


def files(name: str) -> dict[str, str]:
    """Path -> text, for every new file."""
    n, title = name[:2], name[3:].replace("_", " ").capitalize()
    words = {"n": n, "slug": name, "title": title}
    beside = f"tests/exercises/{name}"
    return {
        f"notebooks/{name}.ipynb": lesson(n, name, title),
        f"k8snetlib/course/cards/{n}.toml": CARDS.format(**words),
        f"exercises/{name}/exercise.toml": TOML.format(**words),
        f"exercises/{name}/checks.py": CHECKS.format(**words),
        f"exercises/{name}/exercise.ipynb": exercise(n, name, title),
        f"{beside}/solutions/by_the_model.py": SOLUTION.format(**words),
        f"{beside}/misconceptions/KERNEL_ONLY__kernels.py": MISCONCEPTION.format(**words),
    }


def lay_out(name: str, root: Path = ROOT) -> list[str]:
    """Writes the files and the entry of course.toml; returns the paths.

    Raises ``ValueError`` with what would be right for a bad name, a number that is taken, or a file
    that is there; then nothing is written.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"'{name}' is no name of a lesson. Write it as 14_network_policy.")
    index = root / "notebooks/course.toml"
    known = index.read_text(encoding="utf-8")
    if f'id = "{name[:2]}"' in known:
        raise ValueError(f"There is a lesson {name[:2]} already. Choose another number.")
    new = files(name)
    there = [path for path in new if (root / path).exists()]
    if there:
        raise ValueError(f"{there[0]} exists already. Nothing was written.")
    for path, text in new.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    words = {"n": name[:2], "slug": name, "title": name[3:].replace("_", " ").capitalize()}
    index.write_text(known + ENTRY.format(**words), encoding="utf-8")
    return [*new, "notebooks/course.toml"]


def main() -> int:
    """``python tools/lesson.py NAME``."""
    if len(sys.argv) != 2 or not sys.argv[1]:
        print("Name the lesson: make lesson NAME=14_network_policy", file=sys.stderr)
        return 2
    try:
        written = lay_out(sys.argv[1])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print("Written:", *written, "", MISSING, sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
