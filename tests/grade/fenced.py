"""Answers behind a real fence, without judging: what the tests of fences and of answers share."""

from __future__ import annotations

import asyncio
import time
from functools import cache
from pathlib import Path

from k8snetlib.course.collect import questions
from k8snetlib.course.notebook import setup_sources
from k8snetlib.grade.answering import Answers, Asked, answer
from k8snetlib.grade.sandbox import Fence, free_uids
from tests.exercises.bank import EXERCISES, solutions

#: Two seconds for each of the five tasks.
E04 = next(e for e in EXERCISES if e.id == "04")._replace(time_limit=10)
SEEDS = (1, 5)


@cache
def asked() -> Asked:
    """Exercise 04, with questions for two seeds."""
    return Asked(E04, setup_sources(E04), SEEDS, {seed: questions(E04, seed) for seed in SEEDS})


def uid() -> int:
    """A user id that nothing has."""
    return free_uids(1)[0]


def answers(fence: Fence, lookup: str, user: int, **others: str) -> Answers:
    """What comes out if the answer to 04.lookup is ``lookup``, and the rest is right."""
    sources = solutions(E04)[0].sources | {"04.lookup": lookup}
    sources |= {f"04.{name}": source for name, source in others.items()}
    return asyncio.run(answer(asked(), sources, fence, user))


def left_behind(user: int) -> list[str]:
    """Processes of a user that are still there after a moment."""
    end = time.monotonic() + 5
    while found := [p.name for p in Path("/proc").iterdir() if p.name.isdigit() and _has(p, user)]:
        if time.monotonic() > end:
            return found
        time.sleep(0.05)
    return []


def _has(process: Path, user: int) -> bool:
    try:
        return process.stat().st_uid == user and "zombie" not in (process / "status").read_text()
    except OSError:
        return False
