"""What lives here: what etcd asks of a request before it does it, and how a transaction is done.

Three stages, as on the real server. ``check`` looks at the request alone: empty keys, too many
operations, a key written twice. ``taken`` evaluates the conditions, those of nested transactions
too, all against the state *before* the transaction, and ``admit`` looks whether each request on
the branch taken can be carried out. ``Applier`` then does them; nothing can fail any more, which is
why a transaction is atomic.

Source: etcd's server/etcdserver/api/v3rpc/key.go and server/etcdserver/txn.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from k8snetlib.etcd.api import (
    Compare,
    DeleteRange,
    DeleteResponse,
    KeyValue,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Txn,
    TxnResponse,
)
from k8snetlib.etcd.lessor import Lessor
from k8snetlib.etcd.mvcc import Mvcc
from k8snetlib.etcd.refusal import (
    COMPACTED,
    DUPLICATE_KEY,
    EMPTY_KEY,
    FUTURE_REVISION,
    KEY_NOT_FOUND,
    LEASE_PROVIDED,
    TOO_MANY_OPS,
    VALUE_PROVIDED,
    refused,
)

#: --max-txn-ops of etcd's defaults.
MAX_TXN_OPS = 128

Request: TypeAlias = Range | Put | DeleteRange | Txn
Response: TypeAlias = RangeResponse | PutResponse | DeleteResponse | TxnResponse

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
#: A sort or compare target -> the field of the key.
_FIELDS: dict[str, str] = {
    "KEY": "key",
    "VALUE": "value",
    "VERSION": "version",
    "CREATE": "create_revision",
    "MOD": "mod_revision",
    "LEASE": "lease",
}


def check(request: Request, most: int = MAX_TXN_OPS) -> None:
    """Raises ``EtcdError`` for what is wrong with a request whatever the store holds.

    ``most`` is how many operations are allowed in one list; nested transactions get what their
    parent left over.
    """
    if isinstance(request, Txn):
        _check_txn(request, most)
        _written(request.success)
        _written(request.failure)
        return
    if not request.key:
        raise refused(EMPTY_KEY)
    if isinstance(request, Put):
        if request.ignore_value and request.value:
            raise refused(VALUE_PROVIDED)
        if request.ignore_lease and request.lease:
            raise refused(LEASE_PROVIDED)


def _check_txn(txn: Txn, most: int) -> None:
    longest = max(len(txn.compare), len(txn.success), len(txn.failure))
    if longest > most:
        raise refused(TOO_MANY_OPS)
    if not all(compare.key for compare in txn.compare):
        raise refused(EMPTY_KEY)
    for request in (*txn.success, *txn.failure):
        if isinstance(request, Txn):
            _check_txn(request, most - longest)
        else:
            check(request)


def _written(requests: Sequence[Request]) -> tuple[set[bytes], list[DeleteRange]]:
    """The keys that a branch may put and the ranges it may delete; refuses what overlaps.

    Then and else of one nested transaction exclude each other, so they may put the same key.
    """
    puts: set[bytes] = set()
    deletes = [request for request in requests if isinstance(request, DeleteRange)]

    def put(key: bytes, allowed: set[bytes]) -> None:
        if (key in puts and key not in allowed) or any(_deletes(each, key) for each in deletes):
            raise refused(DUPLICATE_KEY)
        puts.add(key)

    for request in requests:
        if isinstance(request, Txn):
            puts_then, deletes_then = _written(request.success)
            puts_else, deletes_else = _written(request.failure)
            for key in puts_then:
                put(key, set())
            for key in puts_else:
                put(key, puts_then)
            deletes += deletes_then + deletes_else
    for request in requests:
        if isinstance(request, Put):
            put(request.key, set())
    return puts, deletes


def _deletes(request: DeleteRange, key: bytes) -> bool:
    # The end b"\0" ("to the last key") is an ordinary, low end here: so is the real server's check.
    return request.key <= key < request.end if request.end else request.key == key


class Applier:
    """Carries requests out on the keys and leases of a store."""

    def __init__(self, mvcc: Mvcc, lessor: Lessor) -> None:
        self.mvcc = mvcc
        self.lessor = lessor

    def range(self, request: Range) -> RangeResponse:
        """Reads; see ``api.Range``."""
        found = self.mvcc.range(request.key, request.end, request.revision)
        total, now = len(found), self.mvcc.now
        if request.count_only:
            return RangeResponse(now, (), False, total)
        found, more = _select(found, request)
        if request.keys_only:
            found = [kv._replace(value=b"") for kv in found]
        return RangeResponse(now, tuple(found), more, total)

    def put(self, request: Put) -> PutResponse:
        """Writes a key; see ``api.Put``. Raises ``EtcdError`` if what it ignores is not there."""
        before = self.mvcc.get(request.key)
        value, lease = request.value, request.lease
        if request.ignore_value or request.ignore_lease:
            if before is None:
                raise refused(KEY_NOT_FOUND)
            value = before.value if request.ignore_value else value
            lease = before.lease if request.ignore_lease else lease
        revision = self.mvcc.put(request.key, value, lease)
        self.lessor.attach(request.key, lease)
        return PutResponse(revision, before if request.prev_kv else None)

    def delete_range(self, request: DeleteRange) -> DeleteResponse:
        """Deletes a key or a range; see ``api.DeleteRange``."""
        doomed = self.mvcc.delete_range(request.key, request.end)
        for kv in doomed:
            self.lessor.attach(kv.key, 0)
        return DeleteResponse(self.mvcc.now, len(doomed), tuple(doomed) if request.prev_kv else ())

    def txn(self, request: Txn) -> TxnResponse:
        """Evaluates the conditions, then does one of the two lists, or nothing and raises."""
        branches = list(self.taken(request))
        self._admit(request, iter(branches))
        return self._do(request, iter(branches))

    def taken(self, txn: Txn) -> Iterator[bool]:
        """Which branch is taken: of the transaction, then of each nested one on that branch."""
        holds = all(self._holds(compare) for compare in txn.compare)
        yield holds
        for request in txn.success if holds else txn.failure:
            if isinstance(request, Txn):
                yield from self.taken(request)

    def _holds(self, compare: Compare) -> bool:
        found = self.mvcc.range(compare.key, compare.end)
        if not found:
            if compare.target == "VALUE":
                return False  # nothing is neither equal nor unequal to a value
            found = [KeyValue(compare.key)]
        test = _OPERATORS[compare.op]
        field = _FIELDS[compare.target]
        return all(test(getattr(kv, field), compare.operand) for kv in found)

    def _admit(self, txn: Txn, branches: Iterator[bool]) -> None:
        requests = list(_leaves(txn, branches))
        for request in requests:
            if isinstance(request, Put):
                if request.ignore_value or request.ignore_lease:
                    if self.mvcc.get(request.key) is None:
                        raise refused(KEY_NOT_FOUND)
                self.lessor.require(request.lease)
        for request in requests:
            if isinstance(request, Range) and request.revision:
                if request.revision > self.mvcc.revision:
                    raise refused(FUTURE_REVISION)
                if request.revision < self.mvcc.compacted:
                    raise refused(COMPACTED)

    def _do(self, txn: Txn, branches: Iterator[bool]) -> TxnResponse:
        succeeded = next(branches)
        responses: list[Response] = []
        for request in txn.success if succeeded else txn.failure:
            if isinstance(request, Range):
                responses.append(self.range(request))
            elif isinstance(request, Put):
                responses.append(self.put(request))
            elif isinstance(request, DeleteRange):
                responses.append(self.delete_range(request))
            else:
                # The real server leaves the header of an inner answer empty.
                responses.append(self._do(request, branches)._replace(revision=0))
        return TxnResponse(self.mvcc.now, succeeded, tuple(responses))


def _leaves(txn: Txn, branches: Iterator[bool]) -> Iterator[Request]:
    """The requests that a transaction will do, without the nested transactions around them."""
    for request in txn.success if next(branches) else txn.failure:
        if isinstance(request, Txn):
            yield from _leaves(request, branches)
        else:
            yield request


def _select(found: list[KeyValue], request: Range) -> tuple[list[KeyValue], bool]:
    """Filters, sorts and cuts off; and whether something was cut off."""
    limit, target, order = max(request.limit, 0), request.sort_target, request.sort_order
    bounds = (
        ("mod_revision", request.min_mod_revision, request.max_mod_revision),
        ("create_revision", request.min_create_revision, request.max_create_revision),
    )
    filtered = any(low or high for _, low, high in bounds)
    if limit and order == "NONE" and not filtered:
        # Without an order the server fetches no more keys than it needs, and sorts those.
        found = found[: limit + 1]
    for field, low, high in bounds:
        found = [
            kv
            for kv in found
            if (not low or getattr(kv, field) >= low) and (not high or getattr(kv, field) <= high)
        ]
    if target != "KEY" or order != "NONE":
        key = operator.attrgetter(_FIELDS[target])
        found = sorted(found, key=key, reverse=order == "DESCEND")
    if limit and len(found) > limit:
        return found[:limit], True
    return found, False
