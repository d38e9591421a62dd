"""The conformance cases on a real etcd server: all that a client can ask for, by rule."""

from __future__ import annotations

import json

import pytest

from k8snetlib.etcd import api
from tests.conformance import etcd_kv
from tests.conformance.test_conformance import FOLDER
from tests.etcd.rebased import Rebased

CASES = [
    case
    for path in sorted(FOLDER.glob("etcd_kv*.json"))
    for case in etcd_kv.checked(json.loads(path.read_text(encoding="utf-8")))
]
ON_A_SERVER = [case for case in CASES if etcd_kv.on_a_server(case)]


@pytest.mark.parametrize("case", ON_A_SERVER, ids=[case["id"] for case in ON_A_SERVER])
def test_case(case, server, etcd_version, record_property):
    asserted, _ = etcd_kv.play(case, etcd_kv.Player(Rebased(server)))
    record_property("real etcd", json.dumps([etcd_version, asserted]))


def test_what_is_left_to_the_model(record_property):
    left = [case["id"] for case in CASES if not etcd_kv.on_a_server(case)]
    assert 0 < len(left) < len(ON_A_SERVER), left
    record_property("left to the model", json.dumps(left))


def test_nobody_answers(unused_port):
    from k8snetlib.etcd.server import Gateway

    etcd = Gateway("127.0.0.1", unused_port)
    for call in (lambda: etcd.leases(), lambda: etcd.watch(b"a")):
        with pytest.raises(api.EtcdUnreachable, match="context deadline exceeded"):
            call()


def test_a_watch_whose_server_dies(tmp_path):
    from k8snetlib.etcd.server import Gateway, running
    from tests.conftest import require_tool

    with running(tmp_path, require_tool("etcd")) as address:
        etcd = Gateway("127.0.0.1", int(address.rpartition(":")[2]))
        watch = etcd.watch(b"a", api.FROM_KEY)
        etcd.put(api.Put(b"b", b"1"))
        assert [event.kv.key for each in watch.pending() for event in each.events] == [b"b"]
    with pytest.raises(api.EtcdUnreachable):
        watch.pending()


def test_a_server_that_does_not_start(tmp_path):
    from k8snetlib.errors import K8sNetError
    from k8snetlib.etcd.server import running
    from tests.conftest import require_tool

    (tmp_path / "data").write_text("in the way")
    program = require_tool("etcd")
    with pytest.raises(K8sNetError, match="did not come up"), running(tmp_path, program):
        pass


@pytest.fixture
def unused_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
    return port
