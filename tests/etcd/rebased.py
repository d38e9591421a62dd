"""A real server that seems fresh: its revisions are counted from a base.

A server starts in the better part of a second, and there are many cases. So one server is wiped
between them instead: keys, leases, and the revision at that moment becomes 1. Everything else in
etcd's answers does not depend on where the counting began. The one exception: a revision of 0 or
less is not translated, and a compaction outlasts the wipe.
"""

from __future__ import annotations

from typing import Any

from k8snetlib.etcd import api
from k8snetlib.etcd.server import Gateway


class Rebased:
    """``api.Etcd`` on a wiped server."""

    def __init__(self, server: Gateway) -> None:
        self.server = server
        for lease in server.leases():
            server.revoke(lease)
        server.put(api.Put(b"\0"))  # so that the base is newer than any compaction
        server.delete_range(api.DeleteRange(b"\0", api.FROM_KEY))
        self.base = server.revision() - 1

    def _up(self, revision: int) -> int:
        return revision + self.base if revision > 0 else revision

    def _down(self, revision: int) -> int:
        return revision - self.base if revision else 0

    def _kv(self, kv: api.KeyValue) -> api.KeyValue:
        return kv._replace(
            create_revision=self._down(kv.create_revision), mod_revision=self._down(kv.mod_revision)
        )

    def _request(self, request: Any) -> Any:
        if isinstance(request, api.Txn):
            compare = tuple(self._compare(each) for each in request.compare)
            then = tuple(self._request(each) for each in request.success)
            return api.Txn(compare, then, tuple(self._request(each) for each in request.failure))
        if isinstance(request, api.Range):
            names = [name for name in request._fields if name.endswith("revision")]
            return request._replace(**{name: self._up(getattr(request, name)) for name in names})
        return request

    def _compare(self, compare: api.Compare) -> api.Compare:
        if compare.target in {"CREATE", "MOD"}:
            return compare._replace(operand=self._up(compare.operand))
        return compare

    def _response(self, answer: Any) -> Any:
        answer = answer._replace(revision=self._down(answer.revision))
        for name in {"kvs", "prev_kvs"} & set(answer._fields):
            kvs = tuple(self._kv(kv) for kv in getattr(answer, name))
            answer = answer._replace(**{name: kvs})
        if getattr(answer, "prev_kv", None):
            answer = answer._replace(prev_kv=self._kv(answer.prev_kv))
        if isinstance(answer, api.TxnResponse):
            inner = tuple(self._response(each) for each in answer.responses)
            answer = answer._replace(responses=inner)
        return answer

    def range(self, request: api.Range) -> api.RangeResponse:
        return self._response(self.server.range(self._request(request)))

    def put(self, request: api.Put) -> api.PutResponse:
        return self._response(self.server.put(request))

    def delete_range(self, request: api.DeleteRange) -> api.DeleteResponse:
        return self._response(self.server.delete_range(request))

    def txn(self, request: api.Txn) -> api.TxnResponse:
        return self._response(self.server.txn(self._request(request)))

    def compact(self, revision: int) -> int:
        return self._down(self.server.compact(self._up(revision)))

    def grant(self, ttl: int, id: int = 0) -> api.Lease:
        return self.server.grant(ttl, id)

    def revoke(self, lease: int) -> None:
        self.server.revoke(lease)

    def keep_alive(self, lease: int) -> api.Lease:
        return self.server.keep_alive(lease)

    def time_to_live(self, lease: int, *, keys: bool = False) -> api.Lease:
        return self.server.time_to_live(lease, keys=keys)

    def leases(self) -> tuple[int, ...]:
        return self.server.leases()

    def watch(
        self, key: bytes, end: bytes | None = None, start_revision: int = 0, **options: bool
    ) -> RebasedWatch:
        # At revision 1 nothing happens in a fresh store; here it was the wipe.
        start = self._up(max(start_revision, 2)) if start_revision else 0
        return RebasedWatch(self, self.server.watch(key, end, start, **options))


class RebasedWatch:
    """``api.Watch`` on a wiped server."""

    def __init__(self, etcd: Rebased, watch: api.Watch) -> None:
        self.etcd, self.watch = etcd, watch
        self.id, self.revision = watch.id, etcd._down(watch.revision)

    def pending(self) -> tuple[api.WatchResponse, ...]:
        return tuple(self._response(each) for each in self.watch.pending())

    def _response(self, answer: api.WatchResponse) -> api.WatchResponse:
        down, kv = self.etcd._down, self.etcd._kv
        events = tuple(
            event._replace(kv=kv(event.kv), prev_kv=event.prev_kv and kv(event.prev_kv))
            for event in answer.events
        )
        return api.WatchResponse(
            down(answer.revision), events, answer.canceled, down(answer.compact_revision)
        )

    def cancel(self) -> None:
        self.watch.cancel()
