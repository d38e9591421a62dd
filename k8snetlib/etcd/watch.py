"""What lives here: ``Cursor``, an open watch: a place in the store's log that only moves forward.

A watch never misses a change and never sees one twice: it remembers the revision that comes next,
and every look takes everything from there on. What had happened before the watch was opened comes
in one response, and after that each revision in its own, all events of one revision together.

A watch outlives a cut. Then the client asks again from the revision after the last event *it got*,
as clientv3 does. If that has been compacted meanwhile, the gap cannot be told: the watch is
cancelled with the revision from which on there is a history. A watch that nothing cuts off is not
touched by a compaction: it has been sent everything in time.

Simplified here: no progress notifications, no fragments; a watcher is never too slow.
Source: etcd's server/storage/mvcc/watchable_store.go and client/v3/watch.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from itertools import groupby
from typing import TYPE_CHECKING

from k8snetlib.etcd.api import FROM_KEY, Event, WatchResponse
from k8snetlib.etcd.mvcc import Change
from k8snetlib.etcd.refusal import unreachable

if TYPE_CHECKING:
    from k8snetlib.etcd.store import Client

#: As ``Cursor.id``: the server refused the watch.
REFUSED = -1


class Cursor:
    """An open watch on a store; does what ``api.Watch`` says.

    Parameters: ``client`` is the way to the store; ``hidden`` are the types of event that are not
    wanted; the others are those of ``api.Etcd.watch``.
    """

    def __init__(
        self, client: Client, key: bytes, end: bytes | None, start_revision: int, *,
        prev_kv: bool, hidden: frozenset[str],
    ) -> None:  # fmt: skip
        self.client = client
        self.key, self.end = key, end
        self._prev_kv, self._hidden = prev_kv, hidden
        self.revision = client.store.mvcc.revision
        self._ready: list[WatchResponse] = []
        self._open = not end or end == FROM_KEY or key < end
        self._next = self._resume = start_revision or self.revision + 1
        #: What is not newer than this happened before the watch was (again) in step.
        self._synced = self.revision
        self._cut = False
        self.id = client.store.register(self) if self._open else REFUSED
        if not self._open:
            self._ready = [WatchResponse(self.revision, canceled=True)]

    def on(self, client: Client) -> Cursor:
        """The same watch, at the same place, on a clone of the store."""
        twin = copy(self)
        twin.client, twin._ready = client, self._ready.copy()
        client.store.remember(twin)
        return twin

    def pending(self) -> tuple[WatchResponse, ...]:
        """What came since the last call, in order. Raises ``EtcdUnreachable`` if the way is cut."""
        if not self._connected():
            raise unreachable()
        self.client.store.tick()
        self.deliver()
        responses = tuple(self._ready)
        self._ready.clear()
        for response in responses:
            if response.events:
                self._resume = response.events[-1].kv.mod_revision + 1
        return responses

    def cancel(self) -> None:
        """Closes the watch."""
        self._open = False
        self._ready.clear()

    def cut_off(self) -> None:
        """The stream broke: what was under way is lost, and will be asked for again."""
        self._cut = True

    def deliver(self) -> None:
        """Takes from the log what there is, if the watch is connected."""
        if not self._open or not self._connected():
            return
        store = self.client.store.mvcc
        if self._cut:
            self._cut, self._next, self._synced = False, self._resume, store.revision
            self._ready.clear()
        if self._next < store.compacted:
            self._open = False
            self._ready.append(WatchResponse(store.revision, (), True, store.compacted))
            return
        changes = store.changes(self._next)
        self._next = max(self._next, store.revision + 1)
        for revision, group in groupby(changes, lambda each: max(each.revision, self._synced)):
            events = tuple(self._events(group))
            if events:
                self._ready.append(WatchResponse(revision, events))

    def _connected(self) -> bool:
        if self.client.store.running and self.client.reachable():
            return True
        self._cut = True
        return False

    def _events(self, changes: Iterable[Change]) -> Iterable[Event]:
        compacted = self.client.store.mvcc.compacted
        for change in changes:
            event = change.event
            if event.type in self._hidden or not self._covers(event.kv.key):
                continue
            if self._prev_kv and change.revision > compacted:
                event = event._replace(prev_kv=change.before)
            yield event

    def _covers(self, key: bytes) -> bool:
        if not self.end:
            return key == self.key
        return self.key <= key and (self.end == FROM_KEY or key < self.end)
