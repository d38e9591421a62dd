"""What lives here: etcd's v3 requests and answers as values, and ``Etcd``, the interface to them.

Two things speak this interface: the store in this process (``store``) and a real etcd server behind
a client. flannel knows only what stands here, so the same code runs against either.

Keys and values are bytes. A range is ``[key, end)``: ``end`` None is the single key, ``b"\\0"`` all
keys from ``key`` on. Times are in seconds. Source: etcd's api/etcdserverpb/rpc.proto.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from k8snetlib.errors import K8sNetError

#: As ``end`` of a range: every key from the first one on.
FROM_KEY = b"\0"


class EtcdError(K8sNetError):
    """What etcd refuses; ``message`` is the text of the real server's gRPC error."""


class EtcdUnreachable(EtcdError):
    """Nobody answered: the server is down, or the way to it is cut."""


class KeyValue(NamedTuple):
    """A key at one revision. ``version`` counts the puts since it was created; ``lease`` 0: none.

    Of a deleted key (in a DELETE event) only ``key`` and ``mod_revision`` are known.
    """

    key: bytes
    value: bytes = b""
    create_revision: int = 0
    mod_revision: int = 0
    version: int = 0
    lease: int = 0


class Event(NamedTuple):
    """One change, as a watcher sees it: ``type`` is PUT or DELETE."""

    type: str
    kv: KeyValue
    prev_kv: KeyValue | None = None


class Range(NamedTuple):
    """A read. ``revision`` 0: now; ``limit`` 0: none; ``sort_target`` is KEY, VERSION, CREATE, MOD
    or VALUE and ``sort_order`` NONE, ASCEND or DESCEND."""

    key: bytes
    end: bytes | None = None
    revision: int = 0
    limit: int = 0
    count_only: bool = False
    keys_only: bool = False
    sort_order: str = "NONE"
    sort_target: str = "KEY"
    min_mod_revision: int = 0
    max_mod_revision: int = 0
    min_create_revision: int = 0
    max_create_revision: int = 0


class Put(NamedTuple):
    """A write. ``lease`` 0 detaches the key from any lease, unless ``ignore_lease``."""

    key: bytes
    value: bytes = b""
    lease: int = 0
    prev_kv: bool = False
    ignore_value: bool = False
    ignore_lease: bool = False


class DeleteRange(NamedTuple):
    """A deletion of a key or a range."""

    key: bytes
    end: bytes | None = None
    prev_kv: bool = False


class Compare(NamedTuple):
    """One condition of a transaction: ``target`` is VALUE, VERSION, CREATE, MOD or LEASE; ``op`` is
    =, !=, > or <; ``operand`` the value compared with (bytes for VALUE, a number otherwise)."""

    target: str
    key: bytes
    op: str
    operand: bytes | int
    end: bytes | None = None


class Txn(NamedTuple):
    """If all of ``compare`` hold, do ``success``, else ``failure``: at once, under one revision."""

    compare: tuple[Compare, ...] = ()
    success: tuple[Range | Put | DeleteRange | Txn, ...] = ()
    failure: tuple[Range | Put | DeleteRange | Txn, ...] = ()


class RangeResponse(NamedTuple):
    """``revision`` is the store's current one, also for a read in the past."""

    revision: int
    kvs: tuple[KeyValue, ...] = ()
    more: bool = False
    count: int = 0  # type: ignore[assignment]  # etcd's word, and tuple's


class PutResponse(NamedTuple):
    """The answer to a put; ``prev_kv`` if it was asked for and there was one."""

    revision: int
    prev_kv: KeyValue | None = None


class DeleteResponse(NamedTuple):
    """How many keys a deletion removed; ``prev_kvs`` if they were asked for."""

    revision: int
    deleted: int = 0
    prev_kvs: tuple[KeyValue, ...] = ()


class TxnResponse(NamedTuple):
    """Whether the conditions held, and one answer for each request on the branch taken."""

    revision: int
    succeeded: bool
    responses: tuple[RangeResponse | PutResponse | DeleteResponse | TxnResponse, ...] = ()


class Lease(NamedTuple):
    """A lease: ``granted`` and ``ttl`` (what is left) in seconds; ``ttl`` -1: there is no such
    lease (any more). ``keys`` are those attached, where they were asked for."""

    id: int
    ttl: int
    granted: int = 0
    keys: tuple[bytes, ...] = ()


class WatchResponse(NamedTuple):
    """Some events in order. ``revision`` is the store's when they were sent. A watch that ends by
    itself says so: ``canceled``, with ``compact_revision`` if its start was compacted away."""

    revision: int
    events: tuple[Event, ...] = ()
    canceled: bool = False
    compact_revision: int = 0


class Watch(Protocol):
    """An open watch. ``revision`` is the store's when it was opened; ``id`` is -1 if the server
    refused it at once (a range that ends before it begins): then it says ``canceled``."""

    id: int
    revision: int

    def pending(self) -> tuple[WatchResponse, ...]:
        """What came since the last call, in order. Raises ``EtcdUnreachable`` if the way is cut."""

    def cancel(self) -> None:
        """Closes the watch."""


class Etcd(Protocol):
    """What etcd does. Everything raises ``EtcdError`` with the server's text when refused, and
    ``EtcdUnreachable`` when nobody answers."""

    def range(self, request: Range) -> RangeResponse:
        """Reads a key or a range, now or at an earlier revision."""

    def put(self, request: Put) -> PutResponse:
        """Writes a key."""

    def delete_range(self, request: DeleteRange) -> DeleteResponse:
        """Deletes a key or a range."""

    def txn(self, request: Txn) -> TxnResponse:
        """Compares, then does one of two lists of requests, atomically."""

    def compact(self, revision: int) -> int:
        """Forgets what was superseded before ``revision``; returns the current revision."""

    def grant(self, ttl: int, id: int = 0) -> Lease:
        """A new lease of ``ttl`` seconds (the server may raise it); ``id`` 0: the server picks."""

    def revoke(self, lease: int) -> None:
        """Ends a lease; all keys attached to it are deleted in one revision."""

    def keep_alive(self, lease: int) -> Lease:
        """Sets a lease's time back to what was granted; ``ttl`` is 0 for an unknown lease."""

    def time_to_live(self, lease: int, *, keys: bool = False) -> Lease:
        """What is left of a lease, and the keys attached to it."""

    def leases(self) -> tuple[int, ...]:
        """The identifiers of all leases."""

    def watch(
        self, key: bytes, end: bytes | None = None, start_revision: int = 0, *,
        prev_kv: bool = False, no_put: bool = False, no_delete: bool = False,
    ) -> Watch:  # fmt: skip
        """Opens a watch on a key or a range; ``start_revision`` is inclusive, 0: from now on."""


def prefix_end(prefix: bytes) -> bytes:
    """The ``end`` of the range of all keys that begin with ``prefix`` (etcd's clientv3).

    >>> prefix_end(b"/coreos.com/")
    b'/coreos.com0'
    """
    bare = prefix.rstrip(b"\xff")
    return bare[:-1] + bytes([bare[-1] + 1]) if bare else FROM_KEY
