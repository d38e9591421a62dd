"""The model against the real kernel: every recorded flow agrees, frame by frame, or is listed.

``K8SNET_FLOWS=DIR`` compares another folder of recordings. ``not-yet.toml`` names the flows that need
what later work brings; a listed flow that agrees is a failure too, so the list can only shrink.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from k8snetlib.errors import K8sNetError
from tests.kernel.flow_runner import Unsupported, load, run

Record = Callable[[str, object], None]

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("K8SNET_FLOWS") or HERE / "flows")
FILES = sorted(FOLDER.glob("*.json"))
NOT_YET = {
    name: group["reason"]
    for group in tomllib.loads((HERE / "not-yet.toml").read_text())["flows"]
    for name in group["names"]
}


def _name(path: Path) -> str:
    return path.stem.replace("__", "/", 1)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_the_model_agrees_with_the_kernel(path: Path, record_property: Record) -> None:
    """Frames and results agree; for a listed flow, they must not (else the list is stale)."""
    listed = NOT_YET.get(_name(path))
    try:
        result = run(load(path))
    except (Unsupported, K8sNetError) as error:
        if listed:
            record_property("kernel flows not yet", 1)
            return
        pytest.fail(f"{_name(path)}: {error}")
    if listed:
        assert result.differences, f"{_name(path)} agrees: take it off not-yet.toml"
        record_property("kernel flows not yet", 1)
        return
    assert not result.differences, "\n".join(result.differences)
    record_property("kernel flows agree", 1)
    record_property("kernel packets", result.packets)
    record_property("kernel frames", result.frames)


def test_the_folder_holds_flows_and_the_list_names_only_these() -> None:
    """An empty folder would pass everything; a misspelt name in the list would hide nothing."""
    assert FILES, f"no recordings in {FOLDER}"
    if not os.environ.get("K8SNET_FLOWS"):
        assert set(NOT_YET) <= {_name(path) for path in FILES}
