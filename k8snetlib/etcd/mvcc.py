"""What lives here: every key at every revision (MVCC, multi-version concurrency control).

One number, the *revision*, counts the changes of the whole store; an empty store is at 1. A key's
history is a list of its versions. A deletion is a version too, a *tombstone*: it carries only the
key and the revision, and after it the key begins again at version 1. So the past is never
overwritten and can be read, until ``compact`` forgets what was superseded.

Writes are collected: ``put`` and ``delete_range`` write under the next revision, ``commit`` moves
to it. Everything written in between shares that revision, and reads in between see it.

What may not live here: leases, limits, conditions, watchers (``lessor``, ``request``, ``watch``).
Source: etcd's server/storage/mvcc.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from k8snetlib.etcd.api import FROM_KEY, Event, KeyValue
from k8snetlib.etcd.refusal import COMPACTED, FUTURE_REVISION, refused

_MOD = attrgetter("mod_revision")


class Change(NamedTuple):
    """An entry of the log: the event, and what the key was at the revision before (None: it did
    not exist)."""

    event: Event
    before: KeyValue | None

    @property
    def revision(self) -> int:
        """The revision that this change made, with others perhaps."""
        return self.event.kv.mod_revision


_REVISION = attrgetter("revision")


class Mvcc:
    """The keys and their history."""

    def __init__(self) -> None:
        self.revision = 1
        #: What is older can be neither read nor watched; -1: nothing was compacted yet.
        self.compacted = -1
        self._keys: list[bytes] = []
        self._versions: dict[bytes, list[KeyValue]] = {}
        self._log: list[Change] = []
        self._writing = False

    def clone(self) -> Mvcc:
        """A copy: what is written to one does not show in the other."""
        twin = Mvcc()
        twin.revision, twin.compacted = self.revision, self.compacted
        twin._keys = self._keys.copy()
        twin._versions = {key: versions.copy() for key, versions in self._versions.items()}
        twin._log = self._log.copy()
        return twin

    @property
    def now(self) -> int:
        """The revision that a read sees: within a write, that write's."""
        return self.revision + self._writing

    def get(self, key: bytes) -> KeyValue | None:
        """A key as it is now."""
        versions = self._versions.get(key)
        return versions[-1] if versions and versions[-1].version else None

    def range(self, key: bytes, end: bytes | None = None, revision: int = 0) -> list[KeyValue]:
        """The keys of a range in the order of their bytes, at a revision (0 or less: now).

        Raises ``EtcdError`` for a revision that is compacted or still to come.
        """
        if revision > self.now:
            raise refused(FUTURE_REVISION)
        if 0 < revision < self.compacted:
            raise refused(COMPACTED)
        if not end:
            found = [self._at(key, revision)] if key in self._versions else []
        else:
            found = [self._at(each, revision) for each in self._between(key, end)]
        return [kv for kv in found if kv is not None and kv.version]

    def put(self, key: bytes, value: bytes, lease: int = 0) -> int:
        """Writes a key; returns the revision that ``commit`` will make current."""
        before = self.get(key)
        revision = self.revision + 1
        if before is None:
            kv = KeyValue(key, value, revision, revision, 1, lease)
        else:
            kv = KeyValue(key, value, before.create_revision, revision, before.version + 1, lease)
        self._write(Change(Event("PUT", kv), before))
        return revision

    def delete_range(self, key: bytes, end: bytes | None = None) -> list[KeyValue]:
        """Deletes what there is of a range; returns it as it was."""
        doomed = self.range(key, end)
        for kv in doomed:
            tombstone = KeyValue(kv.key, mod_revision=self.revision + 1)
            # What this same write has put was never there for anybody.
            before = self._at(kv.key, self.revision)
            if before is not None and not before.version:
                before = None
            self._write(Change(Event("DELETE", tombstone), before))
        return doomed

    def commit(self) -> int:
        """Ends a write; returns the revision, which is the old one if nothing was written."""
        self.revision, self._writing = self.now, False
        return self.revision

    def changes(self, first: int, before: int | None = None) -> Sequence[Change]:
        """The log from revision ``first`` on, up to but without revision ``before``."""
        start = bisect_left(self._log, first, key=_REVISION)
        if before is None:
            return self._log[start:]
        return self._log[start : bisect_left(self._log, before, key=_REVISION)]

    def compact(self, revision: int) -> None:
        """Forgets what was superseded before ``revision``; the state at ``revision`` stays.

        Raises ``EtcdError`` if that was forgotten already, or is still to come.
        """
        if revision <= self.compacted:
            raise refused(COMPACTED)
        if revision > self.revision:
            raise refused(FUTURE_REVISION)
        self.compacted = revision
        del self._log[: bisect_left(self._log, revision, key=_REVISION)]
        for key in self._keys:
            versions = self._versions[key]
            # The last version up to the revision is the state at it, unless it is a tombstone.
            kept = bisect_right(versions, revision, key=_MOD) - 1
            if kept >= 0:
                del versions[: kept if versions[kept].version else kept + 1]
        self._keys = [key for key in self._keys if self._versions[key]]
        self._versions = {key: self._versions[key] for key in self._keys}

    def _between(self, key: bytes, end: bytes) -> list[bytes]:
        first = bisect_left(self._keys, key)
        last = len(self._keys) if end == FROM_KEY else bisect_left(self._keys, end)
        return self._keys[first:last]

    def _at(self, key: bytes, revision: int) -> KeyValue | None:
        versions = self._versions[key]
        if revision <= 0 or versions[-1].mod_revision <= revision:
            return versions[-1]
        index = bisect_right(versions, revision, key=_MOD)
        return versions[index - 1] if index else None

    def _write(self, change: Change) -> None:
        kv = change.event.kv
        versions = self._versions.get(kv.key)
        if versions is None:
            self._keys.insert(bisect_left(self._keys, kv.key), kv.key)
            self._versions[kv.key] = versions = []
        versions.append(kv)
        self._log.append(change)
        self._writing = True
