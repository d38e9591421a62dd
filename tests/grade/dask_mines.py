"""Loaded by the workers of the tests: an answer with MINE in it takes its worker along.

No learner's code can do so from behind the fence; a machine that runs out of memory can.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from k8snetlib.grade import run

MINE = "# takes its worker along"


def dask_setup(worker: object) -> None:
    """Called by Dask in each new worker."""
    answer = run.answer

    async def mined(asked: Any, sources: Any, *rest: Any) -> Any:
        if any(MINE in str(source) for source in sources.values()):
            os.kill(os.getpid(), signal.SIGKILL)
        return await answer(asked, sources, *rest)

    run.answer = mined
