"""What lives here: who is told of an event in the v2 tree, and what late comers find of it.

Source: etcd's server/etcdserver/api/v2store, watcher_hub.go and event_history.go.
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Callable, Iterable

from k8snetlib.etcd.v2_words import INDEX_CLEARED, EtcdV2Error, Event

#: So many events may wait in a stream before its watcher is dropped.
STREAM_CAPACITY = 100


class History:
    """The last events of the tree, ``capacity`` of them, whatever their keys."""

    def __init__(self, capacity: int = 1000) -> None:
        self._events: deque[Event] = deque(maxlen=capacity)

    def add(self, event: Event) -> None:
        """Keeps an event; the oldest is forgotten if there is no room."""
        self._events.append(event)

    def scan(self, key: str, recursive: bool, index: int, now: int = 0) -> Event | None:
        """The first event at or after ``index`` that a watcher of ``key`` would get, if any.

        Raises ``EtcdV2Error`` 401 if ``index`` is older than the history; it bears ``now``.
        """
        oldest = self._events[0].node.modified_index if self._events else 0
        if index < oldest:
            cause = f"the requested history has been cleared [{oldest}/{index}]"
            raise EtcdV2Error(INDEX_CLEARED, cause, now)
        for event in self._events:
            if event.node.modified_index >= index and not event.refresh:
                if self._concerns(event, key, recursive):
                    return event
        return None

    @staticmethod
    def _concerns(event: Event, key: str, recursive: bool) -> bool:
        changed = event.node.key
        if changed == key or (recursive and changed.startswith(key.rstrip("/") + "/")):
            return True
        # Of a directory that goes, everything below it goes too.
        directory = event.action in {"delete", "expire"} and event.prev and event.prev.dir
        return bool(directory) and key.startswith(changed)


class Poll:
    """A request that waits for a change; ``start_index`` is the tree's index when it was made."""

    def __init__(
        self, key: str, recursive: bool, stream: bool, since: int, start_index: int,
        look: Callable[[], None],
    ) -> None:  # fmt: skip
        self.key, self.recursive, self.stream = key, recursive, stream
        self.since, self.start_index = since, start_index
        self._look = look
        self._events: deque[Event] = deque()
        self.done = False

    def event(self) -> Event | None:
        """The next event; None while there is none."""
        self._look()
        return self._events.popleft() if self._events else None

    def cancel(self) -> None:
        """Waits no longer."""
        self.done = True

    def tell(self, event: Event) -> None:
        """Hands an event over. That was all, unless it is a stream (which must be read)."""
        if len(self._events) < STREAM_CAPACITY:
            self._events.append(event)
            self.done = self.done or not self.stream
        else:
            self.done = True


class Hub:
    """The watches of a tree, by the node they watch."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._polls: dict[str, list[Poll]] = {}

    def watch(self, poll: Poll) -> Poll:
        """Answers from the history, or remembers the watch. Raises ``EtcdV2Error`` 401."""
        event = self._history.scan(poll.key, poll.recursive, poll.since, poll.start_index)
        if event is not None:
            poll.tell(event._replace(index=poll.start_index))
            poll.done = True
        else:
            self._polls.setdefault(poll.key, []).append(poll)
        return poll

    def notify(self, event: Event, removed: Iterable[str] = ()) -> Event:
        """Tells everybody concerned: the watchers of the paths that were ``removed``, then those of
        the node, and of the directories above it. Returns the event."""
        for path in removed:
            self._tell(event, path, removed=True)
        self._history.add(event)
        if not event.refresh:
            path = "/"
            for name in event.node.key.split("/"):
                path = posixpath.join(path, name)
                self._tell(event, path, removed=False)
        return event

    def _tell(self, event: Event, path: str, *, removed: bool) -> None:
        polls = self._polls.get(path)
        if not polls:
            return
        changed = event.node.key
        for poll in polls:
            wanted = poll.recursive or changed == path or removed
            visible = changed == path or not _hidden(path, changed)
            if wanted and visible and not poll.done and event.node.modified_index >= poll.since:
                poll.tell(event)
        self._polls[path] = [poll for poll in polls if not poll.done]


def _hidden(watched: str, changed: str) -> bool:
    """Is there a hidden name between the node that is watched and the one that changed?"""
    return len(watched) <= len(changed) and "/_" in posixpath.normpath(
        "/" + changed[len(watched) :]
    )
