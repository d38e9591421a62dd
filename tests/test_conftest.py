"""A missing package or missing root skips with its reason, and fails where it must be there."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import conftest


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        pytest.param(None, pytest.skip.Exception, id="at-home-skips"),
        pytest.param("0", pytest.skip.Exception, id="zero-is-off"),
        pytest.param("1", pytest.fail.Exception, id="in-ci-fails"),
    ],
)
def test_a_missing_tool(monkeypatch, ci, outcome):
    monkeypatch.delenv("K8SNET_CI", raising=False)
    if ci is not None:
        monkeypatch.setenv("K8SNET_CI", ci)
    monkeypatch.setitem(conftest.PACKAGES, "no-such-tool", "no-such-package")
    with pytest.raises(outcome, match="apt-get install no-such-package"):
        conftest.require_tool("no-such-tool")


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        pytest.param("", pytest.skip.Exception, id="at-home-skips"),
        pytest.param("1", pytest.fail.Exception, id="in-ci-fails"),
    ],
)
def test_missing_root(monkeypatch, ci, outcome):
    monkeypatch.setenv("K8SNET_CI", ci)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(outcome, match="needs root"):
        conftest.require_root()


def test_a_tool_that_is_there():
    assert conftest.require_tool("sh").endswith("/sh")


def test_long_files_run_first():
    """Each is there, and comes in its order before all others, which keep theirs."""
    here = Path(conftest.__file__).parent
    assert [name for name in conftest.LONG_FILES if not (here / name).is_file()] == []
    long = [SimpleNamespace(path=here / name) for name in conftest.LONG_FILES]
    short = [SimpleNamespace(path=here / name) for name in ("test_wire.py", "test_address.py")]
    items = [short[0], *long[::-1], short[1]]
    conftest.pytest_collection_modifyitems(items)
    assert items == [*long, *short]
