"""What lives here: a whole class: every submission through intake, answers and judging.

Two stages, each ``jobs`` wide. Answers run one process a submission; one that takes longer than
usual gives its place to the next, so that it delays nobody. Judged are many in one session.

Each record is written when it is known, whole or not at all: after a kill -9 the records are there,
nothing else is (processes die with us; the work folder is swept at the next start), and ``resume``
goes on. A record is valid as long as file, exercise, seeds and this library are the same.

What may not live here: what comes after the records (``feedback``, ``gradebook``, ``analysis``).
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import random
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from k8snetlib import __version__
from k8snetlib.course.checking import VISIBLE_SEED
from k8snetlib.course.collect import Problem, questions
from k8snetlib.course.exercise import Exercise
from k8snetlib.course.notebook import BadNotebook, answer_sources, setup_sources
from k8snetlib.errors import K8sNetError
from k8snetlib.grade.answering import Answers, Asked, Broken, answer
from k8snetlib.grade.intake import digest, read_bytes, read_cells
from k8snetlib.grade.judging import Bench, Case, Unproven
from k8snetlib.grade.record import (
    STATUSES,
    Graded,
    Submission,
    in_order,
    read_records,
    write_record,
)
from k8snetlib.grade.released import exercise_hash
from k8snetlib.grade.sandbox import Fence, choose_fence, free_uids, stage

#: How many hidden seeds there are, besides the one that learners see.
HIDDEN = 2
#: So many slow submissions may run besides the ``jobs`` that are not.
SLOW_PLACES = 8
#: At most so many submissions in one judging session.
BATCH = 24
RECORDS, WORK, LOCK, RUN = "records", ".work", ".lock", "run.json"


class BadFolder(K8sNetError):
    """The output folder cannot be used as asked."""


class Class(NamedTuple):
    """What is to be graded, and where to. ``rows`` are submissions, and records of what was found
    not to be one; ``names`` says how a teacher knows a file; ``seed`` chooses the hidden clusters;
    ``weak`` allows the weakest fence."""

    rows: Sequence[Submission | Graded]
    names: Mapping[Path, str]
    exercises: Sequence[Exercise]
    out: Path
    jobs: int
    seed: int
    weak: bool = False


Row = TypeVar("Row")

#: Called with each record as it becomes known, and with True if it was there before.
Tell = Callable[[Graded, bool], None]


def hidden_seeds(seed: int) -> tuple[int, ...]:
    """The seeds of the hidden clusters; no learner can know them before ``seed`` is chosen."""
    dice = random.Random(f"k8snet grade {seed}")
    return tuple(dice.sample(range(1_000, 1_000_000), HIDDEN))


def chosen_seed(out: Path, seed: int | None, resume: bool) -> int:
    """The seed of a run: given, else that of the run that is resumed, else drawn."""
    if seed is None and resume:
        try:
            seed = int(json.loads((out / RUN).read_text(encoding="utf-8"))["seed"])
        except (OSError, ValueError, KeyError, TypeError):
            seed = None
    return secrets.randbelow(1_000_000) if seed is None else seed


@contextmanager
def workplace(out: Path, resume: bool) -> Iterator[Path]:
    """An empty work folder in ``out``, for one grader at a time; it is gone afterwards.

    Raises ``BadFolder`` if ``out`` holds something and ``resume`` was not asked for.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in out.iterdir()} - {LOCK}
    except OSError as error:
        raise BadFolder(f"Cannot use {out}: {error.strerror}.") from None
    if there and not resume:
        raise BadFolder(f"{out} is not empty.", "Name another folder, or add --resume.")
    with (out / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadFolder(f"Another grader is at work in {out}.") from None
        # In full: what runs behind the fence starts in another folder.
        work = out.resolve() / WORK
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        for torn in (out / RECORDS).glob("*.new"):
            torn.unlink()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            (out / LOCK).unlink(missing_ok=True)
            with suppress(OSError):
                out.rmdir()  # only if nothing came of it


def grade(
    group: Class, work: Path, tell: Tell, ready: Callable[[Fence], None] = lambda fence: None
) -> tuple[list[Graded], Fence]:
    """Grades a class; returns every row's record, in order, and the fence that was in force.

    Parameters: ``work`` is the folder of ``workplace``; ``tell`` hears of every record, ``ready``
    of the fence before anything runs. Raises ``NoFence``.
    """
    site = work / "site"
    site.mkdir()
    with closing(Bench(work / "judging", group.exercises)) as bench:
        bench.warm(min(group.jobs, len(group.rows)))
        fence = choose_fence(stage(site), weak=group.weak)
        books = Books(group, tell, fence.text)
        ready(fence)
        uids = free_uids(group.jobs + SLOW_PLACES)
        line = Line(ask(group.exercises, books.seeds), fence, bench, group.jobs, uids)
        asyncio.run(line.all(group.rows, books.take_in, books.enter))
    return in_order(books.done), fence


def ask(exercises: Sequence[Exercise], seeds: tuple[int, ...]) -> dict[str, Asked]:
    """By exercise, what every submission of it is asked."""
    return {
        e.id: Asked(e, setup_sources(e), seeds, {seed: questions(e, seed) for seed in seeds})
        for e in exercises
    }


class Taken(NamedTuple):
    """A submission that was read: its answers' sources, and a draft of its record."""

    exercise: str
    sources: Mapping[str, str | Problem]
    draft: Graded


#: What a row becomes before its answers run: they are to run, or its record is known already (with
#: True if it was there before).
Entry = Taken | tuple[Graded, bool]


class Books:
    """What goes into the output folder, whoever does the work: a draft of each row, its record.

    ``isolation`` is written into ``run.json`` and, if all answers run behind one fence, into every
    record.
    """

    def __init__(self, group: Class, tell: Tell, isolation: str, each: bool = True) -> None:
        self.names, self.tell = group.names, tell
        self.isolation = isolation if each else ""
        self.seeds = (VISIBLE_SEED, *hidden_seeds(group.seed))
        self.exercises = {exercise.id: exercise for exercise in group.exercises}
        self.hashes = {exercise.id: exercise_hash(exercise) for exercise in group.exercises}
        self.records = group.out / RECORDS
        self.records.mkdir(exist_ok=True)
        run = {"seed": group.seed, "isolation": isolation}
        (group.out / RUN).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
        self.known = {(g.learner, g.exercise, g.source): g for g in read_records(self.records)}
        self.done: list[Graded] = []

    def take_in(self, row: Submission | Graded) -> Entry:
        """Reads a row's file; nothing of it runs."""
        if isinstance(row, Graded):
            return row, False
        draft = Graded(
            row.learner, row.exercise, self.names.get(row.path, row.path.name), "graded",
            seeds=self.seeds, isolation=self.isolation,
        )  # fmt: skip
        exercise = self.exercises.get(row.exercise)
        if exercise is None:
            text = f"The course has no exercise '{row.exercise}'."
            return draft._replace(status="unknown-exercise", text=text), False
        try:
            data = read_bytes(row.path)
            rest = (self.hashes[row.exercise], repr(self.seeds), __version__)
            sign = digest(data, *(part.encode() for part in rest))
            draft = draft._replace(fingerprint=sign, pristine=self.hashes[row.exercise])
            before = self.known.get((draft.learner, draft.exercise, draft.source))
            if before and before.fingerprint == sign and not before.needs_review:
                return before, True
            sources = answer_sources(read_cells(data, row.path.name), exercise)
        except BadNotebook as error:
            status = error.status if error.status in STATUSES else "unreadable"
            return draft._replace(status=status, text=str(error)), False
        except OSError as error:
            return draft._replace(status="internal-error", text=f"{error}"), False
        return Taken(row.exercise, sources, draft)

    def enter(self, graded: Graded, was_there: bool = False) -> None:
        """Keeps a record, whole or not at all, and says so."""
        if not was_there:
            write_record(graded, self.records)
        self.done.append(graded)
        self.tell(graded, was_there)


class _Open(NamedTuple):
    """A submission whose answers are in, on its way to be judged."""

    asked: Asked
    answers: Answers
    draft: Graded
    began: float
    tries: int = 0


class Line:
    """The way of submissions through answers and judging, ``jobs`` at a time.

    As root, answers run under one of ``uids`` each; those may be as many as ``jobs`` and
    ``SLOW_PLACES``.
    """

    def __init__(
        self, asked: Mapping[str, Asked], fence: Fence, bench: Bench, jobs: int, uids: list[int]
    ) -> None:
        self.asked, self.fence, self.bench = asked, fence, bench
        self.jobs, self.uids = jobs, uids
        self.places = asyncio.Semaphore(jobs)
        self.slow_places = SLOW_PLACES
        #: None at the end says that no more will come.
        self.to_judge: asyncio.Queue[_Open | None] = asyncio.Queue()
        self.batch_size = self.unfinished = 0
        self.enter: Callable[[Graded, bool], None]

    async def all(
        self, rows: Sequence[Row], take_in: Callable[[Row], Entry],
        enter: Callable[[Graded, bool], None],
    ) -> None:  # fmt: skip
        """Takes every row in, and hands each record to ``enter`` when it is known."""
        self.enter, self.unfinished = enter, len(rows)
        self.batch_size = min(BATCH, max(1, -(-len(rows) // self.jobs)))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._judge_all())
            for row in rows:
                tasks.create_task(self._one(row, take_in))
            if not rows:
                self.to_judge.put_nowait(None)

    def _finish(self, graded: Graded, was_there: bool = False) -> None:
        self.enter(graded, was_there)
        self.unfinished -= 1
        if not self.unfinished:
            self.to_judge.put_nowait(None)

    # -- the first stage: answers -----------------------------------------------------------------

    async def _one(self, row: Row, take_in: Callable[[Row], Entry]) -> None:
        await self.places.acquire()
        held = True

        def slow() -> None:
            nonlocal held
            if held and self.slow_places:
                held = False
                self.slow_places -= 1
                self.places.release()

        uid = self.uids.pop() if self.uids else 0
        try:
            began = time.monotonic()
            entry = take_in(row)
            if isinstance(entry, Taken):
                opened = await self._answers(entry, slow, uid, began)
            else:
                opened = entry
        finally:
            self.uids.append(uid)
            if held:
                self.places.release()
            else:
                self.slow_places += 1
        if isinstance(opened, _Open):
            await self.to_judge.put(opened)
        else:
            self._finish(*opened)

    async def _answers(
        self, taken: Taken, slow: Callable[[], None], uid: int, began: float
    ) -> _Open | tuple[Graded, bool]:
        asked = self.asked[taken.exercise]
        try:
            answers = await answer(asked, taken.sources, self.fence, uid, slow)
        except (Broken, OSError) as error:
            return taken.draft._replace(status="internal-error", text=f"{error}"), False
        return _Open(asked, answers, taken.draft, began)

    # -- the second stage: judging ----------------------------------------------------------------

    async def _judge_all(self) -> None:
        """Forms batches of what is there, and runs them in at most ``jobs`` sessions."""
        free = asyncio.Semaphore(self.jobs)
        async with asyncio.TaskGroup() as sessions:
            while True:
                await free.acquire()
                batch = await self._batch(self.batch_size)
                if not batch:
                    return
                task = sessions.create_task(self._judge(batch))
                task.add_done_callback(lambda _: free.release())

    async def _batch(self, size: int) -> list[_Open]:
        batch: list[_Open] = []
        while len(batch) < min(size, self.unfinished) or not batch:
            try:
                patience = PATIENCE if batch else None
                opened = await asyncio.wait_for(self.to_judge.get(), patience)
            except TimeoutError:
                break
            if opened is None:
                break
            batch.append(opened)
        return batch

    async def _judge(self, batch: Sequence[_Open]) -> None:
        cases: dict[str, tuple[Case, _Open]] = {}
        for at, opened in enumerate(batch):
            key = f"s{at:03}-{secrets.token_hex(4)}"
            collected = opened.answers.collected
            case = self.bench.lay(key, opened.asked.exercise, opened.asked.seeds, collected)
            cases[key] = case, opened
        waiting = dict(cases)
        async for case, cells in self.bench.session([case for case, _ in cases.values()]):
            _, opened = waiting.pop(case.key)
            self._finish(self._judged(opened, case, cells))
            self.bench.clear(case)
        for case, opened in waiting.values():
            self.bench.clear(case)
            if opened.tries:
                text = "The judging session ended before it came to this submission."
                self._finish(
                    _timed(opened, opened.draft._replace(status="internal-error", text=text))
                )
            else:
                await self.to_judge.put(opened._replace(tries=1))

    def _judged(self, opened: _Open, case: Case, cells: dict[str, str]) -> Graded:
        draft, stopped = opened.draft, opened.answers.stopped
        try:
            report: dict[str, Any] = self.bench.report(case, cells)
        except Unproven as error:
            return _timed(opened, draft._replace(status="internal-error", text=str(error)))
        text = f"Stopped: {STATUSES[stopped]}." if stopped else ""
        status = stopped or "graded"
        return _timed(opened, draft._replace(status=status, text=text, report=report))


#: Seconds that a judging session waits for one more submission before it starts.
PATIENCE = 2.0


def _timed(opened: _Open, graded: Graded) -> Graded:
    return graded._replace(seconds=round(time.monotonic() - opened.began, 3))
