"""What lives here: a class graded by the workers of a Dask cluster that exists already.

Files are read here, as always; workers get batches of answers' sources, without names. Records
are written here, one by one as they arrive, so ``--resume`` works as it does locally.

* A worker that is lost loses nothing: Dask gives its tasks to another.
* Whatever goes wrong with a batch, its submissions are tried again at the end, each alone on the
  cluster: who shared a worker with a culprit is none. What is lost even then is ``worker-lost``.
* If we are interrupted, what is queued is cancelled. If we are killed, the scheduler does so.

What may not live here: what a worker does (``station``).
Source: distributed.dask.org, "Resilience", "API" (Client.submit, as_completed).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from k8snetlib.errors import K8sNetError
from k8snetlib.grade.record import Graded, in_order
from k8snetlib.grade.run import Books, Class, Taken, Tell
from k8snetlib.grade.sandbox import NoFence
from k8snetlib.grade.station import BadStation, Order, compare, grade_some, identity, present

#: Seconds until the scheduler must have answered, and until there must be a worker.
ANSWER, WORKERS = 5, 10
#: At most so many submissions in one task, and so many characters of answers.
BATCH, CHARACTERS = 8, 2_000_000


class BadCluster(K8sNetError):
    """The Dask cluster cannot be used as asked."""


def grade(
    group: Class, address: str, tell: Tell,
    ready: Callable[[Mapping[str, str]], None] = lambda isolations: None,
) -> list[Graded]:  # fmt: skip
    """Grades a class on the cluster at ``address``; every row's record, in order.

    Parameters: ``tell`` hears of every record, ``ready`` of each worker's isolation, by the
    worker's address, before anything runs. Raises ``BadCluster``, ``BadStation`` and ``NoFence``.
    """
    with _connected(address) as client:
        order = _order(group)
        isolations = _present(client, order)
        books = Books(group, tell, "; ".join(sorted(set(isolations.values()))), each=False)
        ready(isolations)
        queue = []
        for row in group.rows:
            entry = books.take_in(row)
            if isinstance(entry, Taken):
                queue.append(entry)
            else:
                books.enter(*entry)
        _Sending(client, order, books).all(queue, len(isolations))
    return in_order(books.done)


def _order(group: Class) -> Order:
    from k8snetlib.course.checking import VISIBLE_SEED
    from k8snetlib.grade.run import hidden_seeds

    numbers = tuple(exercise.id for exercise in group.exercises)
    seeds = (VISIBLE_SEED, *hidden_seeds(group.seed))
    return Order(identity(numbers), numbers, seeds, group.weak)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of the scheduler; raises ``BadCluster`` if there is none, or it has no worker."""
    try:
        from distributed import Client
    except ImportError:
        raise BadCluster(
            "--scheduler needs Dask, which is not installed here.",
            "Install it with: pip install 'k8snetlib[dask]'",
        ) from None
    # What becomes of workers is said by us, in words.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        asyncio.run(asyncio.wait_for(_greet(address), ANSWER))
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError, TypeError, TimeoutError) as error:
        raise BadCluster(
            f"No Dask scheduler answers at {address}: {_first_line(error)}",
            "An address looks like tcp://HOST:8786.",
        ) from None
    try:
        try:
            client.wait_for_workers(1, timeout=WORKERS)
        except TimeoutError:
            raise BadCluster(
                f"The Dask cluster at {address} has no worker.",
                f"Start one with: dask worker {address}",
            ) from None
        yield client
    finally:
        client.close(timeout=ANSWER)


async def _greet(address: str) -> None:
    """Asks the scheduler who it is: a Client waits without end for something that never speaks."""
    from distributed import Security, rpc

    arguments = Security().get_connection_args("client")
    async with rpc(address, connection_args=arguments) as scheduler:
        await scheduler.identity()


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _present(client: Any, order: Order) -> dict[str, str]:
    """Each worker's isolation, by its address; raises if one of them does not fit."""
    answers: dict[str, Any] = client.run(present, order, on_error="return")
    if not answers:
        raise BadCluster("The workers of the Dask cluster have just gone.", "Try again.")
    for address, answer in sorted(answers.items()):
        where = f"The Dask worker at {address}"
        if isinstance(answer, NoFence):
            raise NoFence(f"{where}: {answer.message}", answer.hint)
        if isinstance(answer, BaseException):
            raise BadStation(
                f"{where} cannot grade: {type(answer).__name__}: {_first_line(answer)}.",
                "It needs the same k8snetlib[course,dask] as this machine.",
            )
        compare(where, answer[0], order.identity)
    return {address: isolation for address, (_, isolation) in answers.items()}


class _Sending:
    """The tasks of one run: what is sent, and what comes back."""

    def __init__(self, client: Any, order: Order, books: Books) -> None:
        self.client, self.order, self.books = client, order, books
        self.run = secrets.token_hex(6)
        self.count = itertools.count()
        self.sent: dict[Any, list[Taken]] = {}
        self.suspects: list[Taken] = []

    def all(self, queue: Sequence[Taken], workers: int) -> None:
        """Every submission to its record: first in batches, then those of bad batches alone."""
        size = min(BATCH, max(1, len(queue) // (4 * workers)))
        try:
            self._wait([self._send(batch) for batch in _batches(queue, size)], self._suspect)
            for one in self.suspects:
                self._wait([self._send([one])], self._give_up)
        finally:
            if self.sent:  # interrupted: nothing more shall start
                self.client.cancel(list(self.sent), force=True)

    def _send(self, batch: list[Taken]) -> Any:
        # Whose it is stays here.
        anonymous = [
            taken._replace(draft=Graded("", taken.exercise, str(at), "graded"))
            for at, taken in enumerate(batch)
        ]
        key = f"k8snet-grade-{self.run}-{next(self.count)}"
        future = self.client.submit(grade_some, self.order, anonymous, key=key, pure=False)
        self.sent[future] = batch
        return future

    def _wait(
        self, futures: list[Any], failed: Callable[[list[Taken], BaseException], None]
    ) -> None:
        from distributed import as_completed

        for future in as_completed(futures, loop=self.client.loop):
            batch = self.sent.pop(future)
            if future.status == "finished":
                self._enter(batch, future.result())
                continue
            if future.status == "cancelled":
                raise BadCluster(
                    "The Dask scheduler was lost, or the tasks were cancelled there.",
                    "Go on with --resume: what was graded is kept.",
                )
            error = future.exception()
            if isinstance(error, K8sNetError):
                raise error  # a worker that came later, and does not fit
            failed(batch, error)

    def _enter(self, batch: list[Taken], results: list[Graded]) -> None:
        for taken, result in zip(batch, results, strict=True):
            graded = taken.draft._replace(
                status=result.status, text=result.text, report=result.report,
                isolation=result.isolation, seconds=result.seconds,
            )  # fmt: skip
            self.books.enter(graded)

    def _suspect(self, batch: list[Taken], error: BaseException) -> None:
        self.suspects += batch

    def _give_up(self, batch: list[Taken], error: BaseException) -> None:
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            status, text = "worker-lost", "Every Dask worker that graded it was lost."
        else:
            status = "internal-error"
            text = f"A Dask worker failed: {type(error).__name__}: {_first_line(error)}"
        for taken in batch:
            self.books.enter(taken.draft._replace(status=status, text=text))


def _batches(queue: Sequence[Taken], size: int) -> Iterator[list[Taken]]:
    batch: list[Taken] = []
    room = CHARACTERS
    for taken in queue:
        needs = sum(len(source) for source in taken.sources.values() if isinstance(source, str))
        if batch and (len(batch) == size or needs > room):
            yield batch
            batch, room = [], CHARACTERS
        batch.append(taken)
        room -= needs
    if batch:
        yield batch
