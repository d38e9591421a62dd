"""The etcd readers notice what they do not understand, and what is wrong."""

from __future__ import annotations

import pytest

from tests.conformance import etcd_kv, etcd_v2
from tests.conformance.case import NotUnderstood

PUT = {"op": "put", "key": "a", "value": "1"}
WATCH = {"op": "watch", "id": "w", "key": "a"}
GET = {"op": "range", "key": "a"}

UNKNOWN = [
    (etcd_kv, {"level": "raft"}, []),
    (etcd_kv, {"colour": "red"}, []),
    (etcd_kv, {}, [{"op": "defragment"}]),
    (etcd_kv, {}, [{"op": "put", "key": "a", "colour": "red"}]),
    (etcd_kv, {}, [PUT | {"expect": {"colour": "red"}}]),
    (etcd_kv, {}, [PUT | {"lease": 5, "expect": {"error": "etcdserver: requested lease not found", "revision": 2}}]),
    (etcd_kv, {}, [PUT, GET | {"expect": {"kvs": [{"key": "a", "colour": 1}]}}]),
    (etcd_kv, {}, [{"op": "txn", "compare": [{"key": "a", "target": "colour", "result": "=", "value": 1}]}]),
    (etcd_kv, {}, [{"op": "txn", "success": [{"defragment": {}}]}]),
    (etcd_kv, {}, [{"op": "txn", "success": [{"put": {"key": "a", "colour": 1}}]}]),
    (etcd_kv, {}, [{"op": "txn", "success": [{"put": {"key": "a"}}], "expect": {"responses": [{"colour": 1}]}}]),
    (etcd_kv, {}, [{"op": "txnGenerated", "part": "colour", "count": 1}]),
    (etcd_kv, {}, [WATCH, PUT, {"op": "events", "watch": "w", "expect": {"events": [{"colour": 1}]}}]),
    (etcd_kv, {}, [{"op": "mvccTxn", "ops": [{"op": "compress"}]}]),
    (etcd_v2, {"colour": "red"}, []),
    (etcd_v2, {}, [{"op": "defragment"}]),
    (etcd_v2, {}, [{"op": "create", "key": "/a", "colour": "red"}]),
    (etcd_v2, {}, [{"op": "create", "key": "/a", "expect": {"colour": "red"}}]),
    (etcd_v2, {}, [{"op": "set", "key": "/a"}, {"op": "set", "key": "/a", "expect": {"prev": {"colour": 1}}}]),
    (etcd_v2, {}, [{"op": "history", "capacity": 5, "events": [["paint", "/a", 1]]}]),
]  # fmt: skip

WRONG = [
    (etcd_kv, [PUT | {"expect": {"revision": 3}}]),
    (etcd_kv, [PUT | {"expect": {"error": "etcdserver: no"}}]),
    (etcd_kv, [PUT | {"lease": 5}]),
    (etcd_kv, [PUT | {"lease": 5, "expect": {"error": None}}]),
    (etcd_kv, [PUT | {"lease": 5, "expect": {}}]),
    (etcd_kv, [PUT, GET | {"expect": {"kvs": []}}]),
    (etcd_kv, [PUT, GET | {"expect": {"kvs": [{"key": "a"}, {"key": "b"}]}}]),
    (etcd_kv, [PUT, GET | {"expect": {"kvs": [{"key": "a", "value": "2"}]}}]),
    (etcd_kv, [WATCH, PUT, {"op": "events", "watch": "w", "expect": {"events": []}}]),
    (etcd_kv, [WATCH, {"op": "events", "watch": "w", "expect": {"events": [{"type": "PUT"}]}}]),
    (etcd_kv, [{"op": "grant", "id": 1, "ttl": 9}, {"op": "timeToLive", "id": 1, "expect": {"ttlRange": [1, 8]}}]),
    (etcd_kv, [{"op": "txn", "success": [{"put": {"key": "a"}}], "expect": {"responses": []}}]),
    (etcd_kv, [{"op": "keepAlive", "id": 1, "expect": {"error": "etcdserver: lease already exists"}}]),
    (etcd_v2, [{"op": "create", "key": "/a", "expect": {"index": 2}}]),
    (etcd_v2, [{"op": "get", "key": "/a", "expect": {"action": "get"}}]),
    (etcd_v2, [{"op": "create", "key": "/a", "expect": {"errorCode": 105}}]),
    (etcd_v2, [{"op": "watch", "id": "w", "key": "/a"}, {"op": "event", "watch": "w", "expect": {"action": "set"}}]),
    (etcd_v2, [{"op": "watch", "id": "w", "key": "/a"}, {"op": "set", "key": "/a"}, {"op": "event", "watch": "w", "expect": {"none": True}}]),
]  # fmt: skip


def run(reader, extra, steps):
    (case,) = reader.cases({"cases": [{"id": "case", "steps": steps, **extra}]})
    return case.run()


@pytest.mark.parametrize(("reader", "extra", "steps"), UNKNOWN)
def test_not_understood(reader, extra, steps):
    with pytest.raises(NotUnderstood):
        run(reader, extra, steps)


@pytest.mark.parametrize(("reader", "steps"), WRONG)
def test_wrong(reader, steps):
    with pytest.raises(AssertionError) as caught:
        run(reader, {}, steps)
    # A missing event is not understood where an event is described; both fail.
    assert caught.value.args


def test_unknown_fields_of_the_file():
    with pytest.raises(NotUnderstood):
        list(etcd_kv.cases({"cases": [], "colour": "red"}))
    with pytest.raises(NotUnderstood):
        list(etcd_v2.cases({"cases": [], "colour": "red"}))
