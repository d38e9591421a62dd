"""What lives here: ``Store``, etcd v3 in this process, and ``Client``, one way to reach it.

The store is one server that always agrees with itself: keys with all their revisions (``mvcc``),
leases (``lessor``), requests and transactions (``request``), watches (``watch``). It has no clock
of its own: leases run out on the clock that is passed in, looked at whenever anybody asks anything.
So nothing ever happens behind the caller's back, and the same calls give the same revisions.

    store = Store(clock)
    etcd = store.client(reachable=lambda: link_is_up)     # one node's way to it

``stop`` takes all of etcd away: nobody reaches it and no lease runs out; ``start`` brings it back
as a new leader, which gives every lease its full time again. ``clone`` copies the store for a
what-if; whoever holds a watch takes it along with ``adopt``.

Simplified here: one member, so no elections and no lag between members; no authentication, no
quotas, no alarms; ids that the server picks are counted. Source: etcd's server tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from weakref import WeakSet

from k8snetlib.etcd.api import (
    DeleteRange,
    DeleteResponse,
    Lease,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Txn,
    TxnResponse,
    Watch,
)
from k8snetlib.etcd.lessor import MIN_TTL, Granted, Lessor
from k8snetlib.etcd.mvcc import Mvcc
from k8snetlib.etcd.refusal import unreachable
from k8snetlib.etcd.request import Applier, check
from k8snetlib.etcd.watch import Cursor


def _stands_still() -> float:
    return 0.0


def _always() -> bool:
    return True


def _nothing() -> None:
    return None


class Moment(NamedTuple):
    """When a revision was made, on the clock, and why: by a lease that ``expired`` or was
    ``revoked``; "" is a request. (A real etcd keeps no times; pictures want them.)"""

    revision: int
    time: float
    why: str = ""


class Store:
    """etcd v3, in process; does what ``api.Etcd`` says.

    Parameters: ``clock`` tells the time in seconds (the default stands still); ``min_ttl`` is the
    shortest lease in seconds, to which shorter ones are raised.

    >>> store = Store()
    >>> store.put(Put(b"/coreos.com/network/config", b"{}")).revision
    2
    """

    def __init__(
        self, clock: Callable[[], float] = _stands_still, *, min_ttl: int = MIN_TTL
    ) -> None:
        self._setup(Mvcc(), Lessor(clock, min_ttl))

    def _setup(self, mvcc: Mvcc, lessor: Lessor) -> None:
        self.mvcc, self.lessor = mvcc, lessor
        self.running = True
        self.moments: list[Moment] = []
        self._applier = Applier(mvcc, lessor)
        self._watches: WeakSet[Cursor] = WeakSet()
        self._watch_ids = 0

    def clone(self, clock: Callable[[], float] | None = None) -> Store:
        """A copy on another clock (None: the same). Watches stay behind: see ``adopt``."""
        twin = Store.__new__(Store)
        twin._setup(self.mvcc.clone(), self.lessor.clone(clock or self.lessor.clock))
        twin.running, twin._watch_ids = self.running, self._watch_ids
        twin.moments = self.moments.copy()
        return twin

    # -- being there, or not -------------------------------------------------------------------

    def client(
        self, reachable: Callable[[], bool] = _always, after: Callable[[], None] = _nothing
    ) -> Client:
        """A way to the store that is open while ``reachable()`` says so; ``after()`` is called when
        something was asked for that may change it."""
        return Client(self, reachable, after)

    def stop(self) -> None:
        """All of etcd is gone: nobody reaches it, and no lease runs out."""
        self.tick()
        self.running = False

    def start(self) -> None:
        """etcd is back, with all its keys. Every lease has its full time again, and a second."""
        if not self.running:
            self.running = True
            self.lessor.extend()
            for watch in self._watches:
                watch.cut_off()

    def restart(self) -> None:
        """Stops and starts."""
        self.stop()
        self.start()

    def tick(self) -> None:
        """Ends the leases whose time is up, in order, each under its own revision.

        Every call does this first; it is needed only where nobody calls.
        """
        while self.running and (lease := self.lessor.expired()) is not None:
            self._end(lease, "expired")

    def next_expiry(self) -> float | None:
        """When the next lease will run out, on the clock; None: never, as things stand."""
        return self.lessor.next_expiry() if self.running else None

    # -- api.Etcd ------------------------------------------------------------------------------

    def range(self, request: Range) -> RangeResponse:
        """Reads a key or a range, now or at an earlier revision."""
        self.serve()
        check(request)
        return self._applier.range(request)

    def put(self, request: Put) -> PutResponse:
        """Writes a key."""
        self.serve()
        check(request)
        self.lessor.require(request.lease)
        response = self._applier.put(request)
        self._commit()
        return response

    def delete_range(self, request: DeleteRange) -> DeleteResponse:
        """Deletes a key or a range."""
        self.serve()
        check(request)
        response = self._applier.delete_range(request)
        self._commit()
        return response

    def txn(self, request: Txn) -> TxnResponse:
        """Compares, then does one of two lists of requests, atomically."""
        self.serve()
        check(request)
        response = self._applier.txn(request)
        self._commit()
        return response

    def compact(self, revision: int) -> int:
        """Forgets what was superseded before ``revision``; returns the current revision."""
        self.serve()
        for watch in self._watches:
            watch.deliver()  # what has been sent is safe from the compaction
        self.mvcc.compact(revision)
        self.moments = [each for each in self.moments if each.revision >= revision]
        return self.mvcc.revision

    def grant(self, ttl: int, id: int = 0) -> Lease:
        """A new lease; see ``api.Etcd.grant``."""
        self.serve()
        granted = self.lessor.grant(ttl, id)
        return Lease(granted.id, granted.ttl, granted.ttl)

    def revoke(self, lease: int) -> None:
        """Ends a lease, and all keys attached to it in one revision."""
        self.serve()
        self.lessor.require(lease)
        self._end(lease, "revoked")

    def keep_alive(self, lease: int) -> Lease:
        """Sets a lease's time back to what was granted; ``ttl`` 0: there is none such."""
        self.serve()
        renewed = self.lessor.renew(lease)
        return Lease(lease, renewed.ttl, renewed.ttl) if renewed else Lease(lease, 0)

    def time_to_live(self, lease: int, *, keys: bool = False) -> Lease:
        """What is left of a lease; ``ttl`` -1: there is none such."""
        self.serve()
        found: Granted | None = self.lessor.find(lease)
        if found is None:
            return Lease(lease, -1)
        attached = tuple(self.lessor.keys(lease)) if keys else ()
        return Lease(lease, self.lessor.remaining(found), found.ttl, attached)

    def leases(self) -> tuple[int, ...]:
        """The identifiers of all leases, the one that runs out first in front."""
        self.serve()
        return tuple(lease.id for lease in self.lessor.all())

    def watch(
        self, key: bytes, end: bytes | None = None, start_revision: int = 0, *,
        prev_kv: bool = False, no_put: bool = False, no_delete: bool = False,
    ) -> Cursor:  # fmt: skip
        """Opens a watch; see ``api.Etcd.watch``."""
        return self.client().watch(
            key, end, start_revision, prev_kv=prev_kv, no_put=no_put, no_delete=no_delete
        )

    def adopt(self, watch: Watch) -> Cursor:
        """After ``clone``: the clone's copy of a watch that is open on the original."""
        return self.client().adopt(watch)

    # -- within ----------------------------------------------------------------------------------

    def register(self, watch: Cursor) -> int:
        """Remembers a new watch, and gives it a number."""
        self.remember(watch)
        self._watch_ids += 1
        return self._watch_ids - 1

    def remember(self, watch: Cursor) -> None:
        """Keeps an open watch up to date, for as long as somebody holds it."""
        self._watches.add(watch)

    def serve(self) -> None:
        """What comes before every request: is etcd there, and whose time is up?"""
        if not self.running:
            raise unreachable()
        self.tick()

    def _end(self, lease: int, why: str) -> None:
        for key in self.lessor.keys(lease):
            self._applier.delete_range(DeleteRange(key))
        self.lessor.remove(lease)
        self._commit(why)

    def _commit(self, why: str = "") -> None:
        before = self.mvcc.revision
        if self.mvcc.commit() != before:
            self.moments.append(Moment(self.mvcc.revision, self.lessor.clock(), why))


class Client:
    """One way to a store, as a node has it; does what ``api.Etcd`` says.

    While ``reachable()`` is False everything raises ``EtcdUnreachable``. A watch keeps its place
    meanwhile and goes on from there, as clientv3's does. ``after()`` is called behind whatever may
    change the store, refused or not.
    """

    def __init__(
        self, store: Store, reachable: Callable[[], bool] = _always,
        after: Callable[[], None] = _nothing,
    ) -> None:  # fmt: skip
        self.store = store
        self.reachable = reachable
        self.after = after

    def connected(self) -> Store:
        """The store; raises ``EtcdUnreachable`` if it cannot be reached."""
        if not self.reachable():
            raise unreachable()
        return self.store

    @contextmanager
    def _changing(self) -> Iterator[Store]:
        try:
            yield self.connected()
        finally:
            self.after()

    def range(self, request: Range) -> RangeResponse:
        """Reads a key or a range, now or at an earlier revision."""
        return self.connected().range(request)

    def put(self, request: Put) -> PutResponse:
        """Writes a key."""
        with self._changing() as store:
            return store.put(request)

    def delete_range(self, request: DeleteRange) -> DeleteResponse:
        """Deletes a key or a range."""
        with self._changing() as store:
            return store.delete_range(request)

    def txn(self, request: Txn) -> TxnResponse:
        """Compares, then does one of two lists of requests, atomically."""
        with self._changing() as store:
            return store.txn(request)

    def compact(self, revision: int) -> int:
        """Forgets what was superseded before ``revision``; returns the current revision."""
        with self._changing() as store:
            return store.compact(revision)

    def grant(self, ttl: int, id: int = 0) -> Lease:
        """A new lease; see ``api.Etcd.grant``."""
        with self._changing() as store:
            return store.grant(ttl, id)

    def revoke(self, lease: int) -> None:
        """Ends a lease, and all keys attached to it in one revision."""
        with self._changing() as store:
            store.revoke(lease)

    def keep_alive(self, lease: int) -> Lease:
        """Sets a lease's time back to what was granted."""
        with self._changing() as store:
            return store.keep_alive(lease)

    def time_to_live(self, lease: int, *, keys: bool = False) -> Lease:
        """What is left of a lease, and the keys attached to it."""
        return self.connected().time_to_live(lease, keys=keys)

    def leases(self) -> tuple[int, ...]:
        """The identifiers of all leases."""
        return self.connected().leases()

    def watch(
        self, key: bytes, end: bytes | None = None, start_revision: int = 0, *,
        prev_kv: bool = False, no_put: bool = False, no_delete: bool = False,
    ) -> Cursor:  # fmt: skip
        """Opens a watch; see ``api.Etcd.watch``."""
        self.connected().serve()
        hidden = {"PUT": no_put, "DELETE": no_delete}
        return Cursor(
            self, key or b"\0", end, start_revision, prev_kv=prev_kv,
            hidden=frozenset(kind for kind, is_hidden in hidden.items() if is_hidden),
        )  # fmt: skip

    def adopt(self, watch: Watch) -> Cursor:
        """After ``Store.clone``: this client's copy of a watch that is open on the original."""
        assert isinstance(watch, Cursor)
        return watch.on(self)
