"""What lives here: the program of a judging session, ready before its notebooks are known.

    python -m k8snetlib.grade.standby OPTION...

It loads pytest and nbval and starts the kernel, which takes longer than judging, while the grader
still collects answers. Then it waits for one line, the notebooks as a list in JSON, and runs pytest
over them. If that line never comes, it was not needed and ends.

What may not live here: how notebooks share a kernel (``session``).
"""

from __future__ import annotations

import json
import os
import sys

import pytest

from k8snetlib.grade.judging import GRADER
from k8snetlib.grade.session import SharedKernel, die_with


def main() -> int:
    """Gets ready, waits, runs; returns pytest's exit status."""
    die_with(int(os.environ[GRADER]))
    SharedKernel.prepare(os.getcwd())
    try:
        notebooks = json.loads(sys.stdin.readline() or "[]")
        return int(pytest.main([*sys.argv[1:], *notebooks])) if notebooks else 0
    finally:
        SharedKernel.end()


if __name__ == "__main__":
    sys.exit(main())
