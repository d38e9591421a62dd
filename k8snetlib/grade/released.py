"""What lives here: whether an exercise is as it was released, or somebody edited it since.

A teacher may edit an exercise, or solve it in place; then grades are not those of the course. So
``exercises/released.txt`` names a fingerprint of each exercise, every record the one it was graded
with, and the teacher hears of a difference. ``tools/released.py`` writes the file, a test keeps it
fresh. It guards against mistakes, not against somebody who edits both.

What may not live here: what an exercise holds (``course.exercise``).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from k8snetlib.course.exercise import Exercise
from k8snetlib.grade.intake import digest

MANIFEST = "released.txt"


def exercise_hash(exercise: Exercise, notebook: Path | None = None) -> str:
    """A fingerprint of all that decides about points: notebook, rubric, table of tasks."""
    rubric = sorted(exercise.folder.glob("checks*.py"))
    files = [notebook or exercise.notebook, exercise.folder / "exercise.toml", *rubric]
    return digest(*(path.read_bytes() for path in files))


def manifest_text(exercises: Iterable[Exercise]) -> str:
    """What ``released.txt`` says of these exercises: a line each, its folder and fingerprint."""
    return "".join(f"{e.folder.name} {exercise_hash(e)}\n" for e in exercises)


def released_hash(exercise: Exercise) -> str:
    """The fingerprint with which an exercise was released; empty if that is not known."""
    try:
        text = (exercise.folder.parent / MANIFEST).read_text(encoding="utf-8")
    except OSError:
        return ""
    pairs = (line.split() for line in text.splitlines())
    known = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    return known.get(exercise.folder.name, "")


def compared(exercise: Exercise, used: str) -> str:
    """How the fingerprint that was ``used`` compares with the released one, in words."""
    known = released_hash(exercise)
    if not known:
        return "no release of it is known"
    return "as released" if used == known else "changed since the release"
