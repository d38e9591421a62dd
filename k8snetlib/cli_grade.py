"""What lives here: ``k8snet grade``, as the command line sees it: words, progress, a summary.

What may not live here: grading itself (``grade``).
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from k8snetlib.errors import K8sNetError, unknown_name

if TYPE_CHECKING:
    from k8snetlib.course.exercise import Exercise
    from k8snetlib.grade.record import Graded, Submission
    from k8snetlib.grade.run import Tell
    from k8snetlib.grade.sandbox import Fence

#: The exit status when everything was graded, but a person must look at something.
REVIEW = 3


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--out",
    metavar="DIR",
    default="grades",
    show_default=True,
    help="Where records, grades and feedback go.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    metavar="N",
    default=os.cpu_count() or 1,
    show_default="one a core",
    help="How many submissions at a time.",
)
@click.option(
    "--seed",
    type=int,
    metavar="S",
    help="Chooses the hidden clusters; drawn if not given. The same seed, the same grades.",
)
@click.option("--roster", metavar="FILE", help="The class, as Canvas or Moodle exports it.")
@click.option("--exercise", metavar="NN", default="", help="All of them are for this exercise.")
@click.option(
    "--canvas",
    metavar="NN=ID",
    multiple=True,
    help="The number of an exercise's assignment in Canvas; may be given once an exercise.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on in DIR: what was graded there and has not changed is kept.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    default="",
    help="Let the workers of the Dask cluster at ADDRESS (tcp://HOST:8786) grade; no --jobs then.",
)
@click.option(
    "--weak-isolation",
    is_flag=True,
    help="Go on even if nothing but resource limits stands before learners' code.",
)
def grade(
    paths: tuple[str, ...], out: str, jobs: int, seed: int | None, roster: str | None,
    exercise: str, canvas: tuple[str, ...], resume: bool, scheduler: str, weak_isolation: bool,
) -> int:  # fmt: skip
    """Grade a class's notebooks.

    PATH is a folder of submissions, a zip, or a notebook; docs/grading.md names the layouts that
    are understood. A learner's code runs behind a fence, and never where it is judged.

    \b
    k8snet grade submissions
    k8snet grade submissions --out grades --jobs 4 --seed 7
    k8snet grade submissions --out grades --resume
    k8snet grade submissions --scheduler tcp://dask.example:8786
    """  # fmt: skip
    _require()
    from k8snetlib.course.exercise import all_exercises
    from k8snetlib.grade import remote, run
    from k8snetlib.grade.gradebook import make_book
    from k8snetlib.grade.layouts import find_submissions
    from k8snetlib.grade.output import write_outputs
    from k8snetlib.grade.roster import read_roster

    known = all_exercises()
    ids = [one.id for one in known]
    assignments = {number: own for number, _, own in (line.partition("=") for line in canvas)}
    for number in filter(None, (exercise, *assignments)):
        if number not in ids:
            raise unknown_name("exercise", number, ids)
    people = read_roster(Path(roster)) if roster else ()
    folder = Path(out)
    with run.workplace(folder, resume) as work:
        unpacked = work / "unpacked"
        unpacked.mkdir()
        found = find_submissions(map(Path, paths), unpacked, ids, exercise)
        for line in found.left_out:
            click.echo(f"left out: {line}", err=True)
        rows: list[Submission | Graded] = [*found.submissions, *found.refused]
        if not rows:
            raise K8sNetError("There is no submission here.", "Name a folder with notebooks.")
        exercises = [e for e in known if any(row.exercise == e.id for row in rows)]
        group = run.Class(
            rows, found.names, exercises, folder, jobs, run.chosen_seed(folder, seed, resume),
            weak_isolation,
        )  # fmt: skip
        _say_changed(exercises)
        with _progress(len(rows)) as tell:
            if scheduler:
                records = remote.grade(group, scheduler, tell, _say_isolations)
            else:
                records, _ = run.grade(group, work, tell, _say_fence)
        book = make_book(records, exercises, people)
        write_outputs(book, folder, assignments, found.left_out)
    return _summary(records, folder, group.seed)


def _require() -> None:
    import importlib.util

    if sys.platform != "linux":
        raise K8sNetError("Grading needs Linux: its kernel isolates learners' code.")
    for module in ("nbval", "ipykernel", "nbformat"):
        if importlib.util.find_spec(module) is None:
            raise K8sNetError(
                f"Grading needs {module}, which is not installed here.",
                "Install it with: pip install 'k8snetlib[course]'",
            )


def _say_fence(fence: Fence) -> None:
    click.echo(f"Isolation: {fence.text}.", err=True)
    if fence.name != "bubblewrap":
        click.echo("A stronger one: apt-get install bubblewrap", err=True)


def _say_changed(exercises: Sequence[Exercise]) -> None:
    from k8snetlib.grade.released import compared, exercise_hash

    for exercise in exercises:
        said = compared(exercise, exercise_hash(exercise))
        if said != "as released":
            click.echo(f"Exercise {exercise.id}: {said}.", err=True)


def _say_isolations(isolations: Mapping[str, str]) -> None:
    for address, isolation in sorted(isolations.items()):
        click.echo(f"Isolation at {address}: {isolation}.", err=True)


@contextmanager
def _progress(total: int) -> Iterator[Tell]:
    """A bar over the submissions, on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left:"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("grading", total=total)

        def tell(graded: Graded, was_there: bool) -> None:
            bar.advance(task)

        yield tell


def _summary(records: Sequence[Graded], out: Path, seed: int) -> int:
    """Says what became of the class; returns the exit status."""
    from k8snetlib.grade.record import STATUSES

    counts = Counter(record.status for record in records)
    for status, count in counts.most_common():
        click.echo(f"{count:5} {STATUSES[status]}")
    review = [record for record in records if record.needs_review]
    for record in review:
        click.echo(f"to look at: {record.source}: {record.text or 'one of our checks broke'}")
    click.echo(f"Written to {out}: overview.html, gradebook.csv, feedback. Seed {seed}.")
    return REVIEW if review else 0
