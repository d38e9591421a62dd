"""What lives here: which exercise a notebook is for, read from its cells or from its name.

A notebook is somebody's: it may be cut off, of another format, or no notebook at all. Every mark of
a cell that names a task counts as one vote, and the exercise with most votes wins.

What may not live here: what the answers are (``intake``), whose they are (``layouts``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from k8snetlib.course.notebook import MAX_BYTES

#: Two exercises have equally many marks.
SEVERAL = "several"

_TASK = re.compile(r"(\d\d)\.\w+")
_CELL_ID = re.compile(r"(?:ans|chk)-(\d\d)-|setup-(\d\d)$")
_FIRST_LINE = re.compile(r"\s*#\s*answer:\s*(\d\d)\.\w+")
_LINE = re.compile(r"#\s*answer:\s*(\d\d)\.\w+")
#: What otter adds to a name: 2026_11_25T10_30_00_123456.
_WHEN = re.compile(r"_?\d{4}_\d\d_\d\dT[\d_]+")
_IN_NAME = re.compile(r"(?:^|(?<=[_\- ]))(\d\d)(?=$|[_\-. ])")
_TAIL = re.compile(r"[_\- ]+(\d\d)(?:_[a-z0-9_]+)?$")


def exercise_in_notebook(path: Path, known: Collection[str]) -> str:
    """The exercise that the cells name: its id, ``""`` if none does, ``SEVERAL`` if two tie.

    Where no cell tells (another format, cut off, no JSON), the first lines of answers still do.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            return ""
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError:
        return ""
    try:
        votes = list(_votes(json.loads(text)))
    except (ValueError, RecursionError):
        votes = []
    return _winner(votes or _LINE.findall(text), known)


def _winner(votes: list[str], known: Collection[str]) -> str:
    most = Counter(vote for vote in votes if vote in known).most_common(2)
    if not most:
        return ""
    tie = len(most) == 2 and most[0][1] == most[1][1]
    return SEVERAL if tie else most[0][0]


def _votes(document: Any) -> Iterator[str]:
    cells = document.get("cells") if isinstance(document, dict) else None
    for cell in cells if isinstance(cells, list) else ():
        if not isinstance(cell, dict):
            continue
        metadata = cell.get("metadata")
        mark = metadata.get("k8snet") if isinstance(metadata, dict) else None
        said = str(mark.get("id", "")) if isinstance(mark, dict) else ""
        source = cell.get("source", "")
        opening = source[0] if isinstance(source, list) and source else source
        for pattern, text in (
            (_TASK, said),
            (_CELL_ID, str(cell.get("id", ""))),
            (_FIRST_LINE, opening if isinstance(opening, str) else ""),
        ):
            if found := pattern.match(text):
                yield next(number for number in found.groups() if number)


def exercise_in_name(stem: str, known: Collection[str]) -> tuple[str, str]:
    """A file's or folder's name without its exercise, and the exercise (``""`` if it names none).

    ``ada_04``, ``ada-04`` and ``ada_04_cross_node_udp`` are ada's; elsewhere in a name a number
    says the exercise, and stays.
    """
    when = _WHEN.sub("", stem)
    tail = _TAIL.search(when)
    if tail and tail[1] in known and when[: tail.start()]:
        return stem[: tail.start()], tail[1]
    found = {number for number in _IN_NAME.findall(when) if number in known}
    return stem, found.pop() if len(found) == 1 else ""
