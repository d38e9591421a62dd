"""The lesson's real etcd: it serves, it ends; where it is missing the model's stands in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from k8snetlib.course import real_etcd
from k8snetlib.course.real_etcd import RealEtcd
from k8snetlib.errors import K8sNetError
from k8snetlib.etcd.api import Compare, Etcd, Put, Range, Txn
from tests.conftest import require_tool


def race(etcd: Etcd) -> tuple[list[bool], bytes]:
    """Two nodes want one key: who is told that it worked, and what stands there."""
    absent = Compare("VERSION", b"/lesson/10.1.99.0-24", "=", 0)
    told = [
        etcd.txn(Txn((absent,), (Put(b"/lesson/10.1.99.0-24", node),))).succeeded
        for node in (b"node8", b"node9")
    ]
    return told, etcd.range(Range(b"/lesson/10.1.99.0-24")).kvs[0].value


def test_a_real_server_serves_and_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require_tool("etcd")
    monkeypatch.delenv("K8SNET_NBVAL", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    real = RealEtcd()
    try:
        assert (real.missing, real.note) == ("", "")
        assert race(real.api) == ([True, False], b"node8")
        assert len(list(tmp_path.iterdir())) == 1, "a folder of its own"
    finally:
        real.stop()
    with pytest.raises(K8sNetError):
        real.api.range(Range(b"x"))
    assert not list(tmp_path.iterdir())
    real.stop()


def test_the_server_ends_with_a_killed_notebook(tmp_path: Path) -> None:
    require_tool("etcd")
    program = (
        "from k8snetlib.course.real_etcd import RealEtcd; import time\n"
        "real = RealEtcd(); print(real.api._client.port, flush=True); time.sleep(60)"
    )
    command, where = [sys.executable, "-c", program], {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=where) as kernel:
        assert kernel.stdout is not None
        port = int(kernel.stdout.readline().split()[0])
        socket.create_connection(("127.0.0.1", port), 5).close()
        kernel.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("etcd still serves")


@pytest.mark.parametrize("compared", [True, False])
def test_where_it_is_missing_one_sentence_says_so(
    compared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing differs in what is compared."""
    monkeypatch.setattr(real_etcd, "_program", lambda: "")
    monkeypatch.setenv("K8SNET_NBVAL", "1" if compared else "")
    real = RealEtcd()
    assert race(real.api) == ([True, False], b"node8")
    assert real.missing == "The program etcd (Debian: etcd-server)"
    assert real.note == (
        "" if compared else
        "The program etcd (Debian: etcd-server) is not installed here, "
        "so the model's own store stands in for etcd."
    )  # fmt: skip
    real.stop()
