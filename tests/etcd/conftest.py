"""A real etcd server for the tests of this folder, and the line that says what was run on it."""

from __future__ import annotations

import json
import subprocess
from collections import Counter

import pytest

from tests.conftest import require_tool


@pytest.fixture(scope="session")
def etcd_address(tmp_path_factory):
    """The address of a running server, shared by all tests."""
    program = require_tool("etcd")
    from k8snetlib.etcd.server import running

    with running(tmp_path_factory.mktemp("etcd"), program) as address:
        yield address


@pytest.fixture
def server(etcd_address):
    """A client of the running server, which may hold anything."""
    from k8snetlib.etcd.server import Gateway

    host, _, port = etcd_address.partition(":")
    return Gateway(host, int(port))


@pytest.fixture(scope="session")
def etcd_version():
    """The version of the real server, such as 3.4.23."""
    told = subprocess.run(
        [require_tool("etcd"), "--version"], capture_output=True, text=True, check=True, timeout=20
    )
    return told.stdout.splitlines()[0].rpartition(" ")[2]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Adds up the conformance cases that ran on the real server."""
    cases: Counter[str] = Counter()
    asserted: Counter[str] = Counter()
    left: set[str] = set()
    for report in terminalreporter.stats.get("passed", []):
        for key, value in getattr(report, "user_properties", ()):
            if key == "real etcd":
                version, count = json.loads(value)
                cases[version] += 1
                asserted[version] += count
            elif key == "left to the model":
                left.update(json.loads(value))
    for version in cases:
        terminalreporter.section("the same cases on a real server")
        terminalreporter.write_line(
            f"etcd {version}: {cases[version]} cases, {asserted[version]} assertions; "
            f"left to the model: {len(left)}, by rule"
        )
