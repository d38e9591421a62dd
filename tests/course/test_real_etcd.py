"""The lesson's real etcd: it serves, it ends; where it is missing the model's stands in."""

from __future__ import annotations

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


def test_a_real_server_serves_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("etcd")
    monkeypatch.delenv("K8SNET_NBVAL", raising=False)
    before = set(Path("/tmp").glob("k8snet-etcd-*"))
    real = RealEtcd()
    try:
        assert (real.missing, real.note) == ("", "")
        assert race(real.api) == ([True, False], b"node8")
        assert set(Path("/tmp").glob("k8snet-etcd-*")) - before, "a folder of its own"
    finally:
        real.stop()
    with pytest.raises(K8sNetError):
        real.api.range(Range(b"x"))
    real.stop()


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
