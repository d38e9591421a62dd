"""What counts as a difference between model and kernel: the comparison itself, without a kernel."""

from __future__ import annotations

import pytest

from k8snetlib.lab.compare import Ports, paths
from k8snetlib.lab.rules import Path

NEW = Path("10.0.0.1:8285>10.0.0.2:8285", ("filter:OUTPUT rule JUMP NEW-ONLY | …",))
KNOWN = Path("10.0.0.1:8285>10.0.0.2:8285", ("filter:OUTPUT policy ACCEPT",))
OTHER = Path("10.0.0.1:8285>10.0.0.3:8285", ("filter:OUTPUT policy ACCEPT",))


@pytest.mark.parametrize(
    ("kernel", "model", "at_once", "different"),
    [
        ([NEW, KNOWN], [NEW, KNOWN], False, 0),
        ([NEW], [NEW, KNOWN], False, 1),
        ([NEW, KNOWN], [NEW], False, 1),
        ([NEW], [NEW, KNOWN], True, 0),
        ([NEW, KNOWN], [NEW], True, 0),
        ([NEW], [KNOWN], True, 2),
        ([NEW, OTHER], [NEW], True, 1),
        ([NEW], [NEW, OTHER], True, 1),
    ],
)
def test_of_packets_under_way_at_once_one_way_must_agree(
    kernel: list[Path], model: list[Path], at_once: bool, different: int
) -> None:
    ports = Ports({8285})
    _, found = paths("node1", kernel, model, ports, repeats=False, at_once=at_once)
    assert len(found) == different, found
