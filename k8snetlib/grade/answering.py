"""What lives here: one learner's answers, run behind the fence; what they said, and how it ended.

A run writes one line a finished task (see ``strict``), so a task that hangs or kills its process
costs the points of that task alone: it gets the status, and a fresh run asks the tasks after it.
Each task may take an equal share of the exercise's time limit, by the clock on the wall.

What may not live here: what fences are made of (``sandbox``), judgement (``judging``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from k8snetlib.course.collect import Problem
from k8snetlib.course.exercise import Exercise
from k8snetlib.grade.inside import NO_MEMORY, NO_SETUP
from k8snetlib.grade.sandbox import LIMITS, SITE, Fence
from k8snetlib.grade.strict import MAX_LINE, MAX_OUTPUT, Heard, NotStrict, hear

#: Seconds that a run may take until it is ready: it is our own code until then.
START = 30.0
#: Seconds for the last processes behind a fence to go, once it was taken down.
GOING = 2.0
#: A task never gets less than so many seconds.
LEAST = 2.0
TEXTS = {
    "time-limit": "Your answer ran out of time: {share:g} seconds are allowed for this task.",
    "memory-limit": "Your answer needed more memory than is allowed.",
    "killed": "The process of your answer was killed.",
    "crashed": "Your answer ended its own process.",
    "no-result": "Your answer left a result that cannot be read.",
}


class Broken(Exception):
    """Our own part of the run failed: the fence, or the setup. Never the learner's fault."""


class Asked(NamedTuple):
    """What is the same for every submission of an exercise; ``questions`` by seed, then task."""

    exercise: Exercise
    setup: tuple[str, ...]
    seeds: tuple[int, ...]
    questions: Mapping[int, Mapping[str, Any]]

    @property
    def share(self) -> float:
        """Seconds that one task may take."""
        return max(LEAST, self.exercise.time_limit / len(self.exercise.tasks))


class Answers(NamedTuple):
    """What was collected, by seed and task, and the first thing that stopped a run ("": none)."""

    collected: dict[int, dict[str, Any]]
    stopped: str = ""


async def answer(
    asked: Asked, sources: Mapping[str, str | Problem], fence: Fence, uid: int,
    slow: Callable[[], None] = lambda: None,
) -> Answers:  # fmt: skip
    """Runs a submission's answers. ``slow`` is called once a run takes longer than usual.

    Raises ``Broken`` if the fence or the setup fails.
    """
    collected: dict[int, dict[str, Any]] = {seed: {} for seed in asked.seeds}
    runnable: list[dict[str, Any]] = []
    for task in asked.exercise.tasks:
        source = sources[task.id]
        if isinstance(source, Problem):
            for seed in asked.seeds:
                collected[seed][task.id] = {"status": source.status, "text": source.text}
        else:
            runnable.append({"id": task.id, "name": task.name, "source": source, "ask": True})
    stopped = ""
    while any(task["ask"] for task in runnable):
        heard, how = await _run(asked, runnable, fence, uid, slow)
        for (seed, task_id), record in heard.collected.items():
            collected[seed][task_id] = record
        left: list[str] = [
            t["id"] for t in runnable if t["ask"] and not _whole(heard, t["id"], asked.seeds)
        ]
        if not left:
            break
        how = how or "no-result"  # it said that it had come to its end
        stopped = stopped or how
        # The culprit is not run again; what was done before it gives its names to what follows.
        culprit: str = next((task_id for task_id in left if task_id == heard.at_work), left[0])
        for seed in asked.seeds:
            text = TEXTS[how].format(share=asked.share)
            collected[seed][culprit] = {"status": how, "text": text}
        runnable = [t | {"ask": t["id"] in left} for t in runnable if t["id"] != culprit]
    return Answers(collected, stopped)


def _whole(heard: Heard, task_id: str, seeds: tuple[int, ...]) -> bool:
    return all((seed, task_id) in heard.collected for seed in seeds)


async def _run(
    asked: Asked, tasks: list[dict[str, Any]], fence: Fence, uid: int, slow: Callable[[], None]
) -> tuple[Heard, str]:
    """One process behind the fence: what it said, and what stopped it ("": it came to its end)."""
    job = fence.job(uid) | {
        "limits": LIMITS | {"CPU": int(asked.share * len(tasks)) + 5},
        "setup": asked.setup,
        "tasks": [
            task | {"questions": [[s, asked.questions[s][task["id"]]] for s in asked.seeds]}
            for task in tasks
        ],
    }
    program = f"{SITE}/inside.py" if not fence.weak else str(fence.site / "inside.py")
    process = await asyncio.create_subprocess_exec(
        *fence.command(), program, cwd="/", limit=MAX_LINE, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    alarm = asyncio.get_running_loop().call_later(SLOW, slow)
    try:
        return await _listen(process, job, asked)
    finally:
        alarm.cancel()
        await end(process)
        if fence.weak and os.geteuid() == 0:
            _kill_all_of(uid)


#: Seconds after which a run is slow: it then gives its place in the queue to another.
SLOW = 2.0


async def _listen(
    process: asyncio.subprocess.Process, job: dict[str, Any], asked: Asked
) -> tuple[Heard, str]:
    assert process.stdin and process.stdout and process.stderr
    with contextlib.suppress(ConnectionError):
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
    heard, total = Heard(), 0
    names = [task.id for task in asked.exercise.tasks]
    deadline = time.monotonic() + START
    while not heard.ended:
        try:
            left = max(0.0, deadline - time.monotonic())
            line = await asyncio.wait_for(process.stdout.readline(), left)
        except TimeoutError:
            if not heard.ready:
                raise Broken(f"the fence did not start within {START:g} seconds") from None
            return heard, "time-limit"
        except ValueError:  # a line longer than the stream's limit
            return heard, "no-result"
        if not line:
            return heard, await _how_it_ended(process, heard)
        total += len(line)
        try:
            if total > MAX_OUTPUT:
                raise NotStrict("too much output")
            before = heard
            heard = hear(heard, line, asked.seeds, names)
        except NotStrict:
            if not heard.ready:
                raise Broken(f"the setup failed: {line[:300].decode('utf-8', 'replace')}") from None
            return heard, "no-result"
        if heard.at_work != before.at_work:
            deadline = time.monotonic() + asked.share
    return heard, ""


async def _how_it_ended(process: asyncio.subprocess.Process, heard: Heard) -> str:
    """The status of a run whose lines ended too early. Raises ``Broken`` if it never began."""
    assert process.stderr
    try:
        status = await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        return "no-result"  # it closed its only way out, and lives on
    if not heard.ready:
        said = (await process.stderr.read(2000)).decode("utf-8", "replace").strip()
        what = "the setup" if status == NO_SETUP else "the fence"
        raise Broken(f"{what} failed (exit status {status}): {said or 'no message'}")
    # A shell and bubblewrap report a signal as 128 and its number.
    signal_number = -status if status < 0 else status - 128
    if signal_number == signal.SIGXCPU:
        return "time-limit"
    if status == NO_MEMORY:
        return "memory-limit"
    return "killed" if signal_number == signal.SIGKILL else "crashed"


async def end(process: asyncio.subprocess.Process) -> None:
    """Kills a process and everything behind its fence, and waits until it is gone."""
    if process.returncode is None:
        # Not Process.kill(): it reaps the child behind asyncio's back.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    # The pipe ends when its last holder is gone: then nothing outlived the fence.
    if process.stdout is not None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.stdout.read(), GOING)


def _kill_all_of(uid: int) -> None:
    """Without a process namespace, what a learner's code left behind is found by its user id."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == uid:
                    os.kill(int(entry.name), signal.SIGKILL)
