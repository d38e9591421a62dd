"""Every case of every conformance file: what the real systems' own tests say, said by the model.

``K8SNET_CONFORMANCE=DIR`` names another folder. A file that no reader reads fails.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import pytest

from tests.conformance.case import HERE, Case

FOLDER = Path(os.environ.get("K8SNET_CONFORMANCE") or HERE)
READERS = sorted(
    (p.stem for p in HERE.glob("*_*.py") if not p.stem.startswith(("test_", "_"))),
    key=len, reverse=True,
)  # fmt: skip


def _cases(path: Path) -> list[Case]:
    reader = next((name for name in READERS if path.stem.startswith(name)), None)
    if reader is None:
        return [Case("(file)", lambda: pytest.fail(f"nothing here reads {path.name}"))]
    module = importlib.import_module(f"tests.conformance.{reader}")
    cases = list(module.cases(json.loads(path.read_text(encoding="utf-8"))))
    return cases or [Case("(file)", lambda: pytest.fail(f"{path.name} holds no case"))]


ALL = [(path, case) for path in sorted(FOLDER.glob("*.json")) for case in _cases(path)]


@pytest.mark.parametrize(
    ("path", "case"), ALL, ids=[f"{path.stem}-{case.name}" for path, case in ALL]
)
def test_case(path, case, record_property):
    asserted, omitted = case.run()
    assert asserted or omitted, "the case asserts nothing"
    record_property("conformance", json.dumps([path.stem, asserted, omitted]))


def test_there_are_cases():
    assert ALL, f"no conformance file in {FOLDER}"
