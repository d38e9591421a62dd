"""What lives here: ``Tree``, the store of etcd's first API (v2), in which flannel began.

A tree of nodes: files, which have a value, and directories, which have children. One *index* counts
the changes of the whole tree. There are no leases: every node may have a time to live of its own.
There are no transactions: one node is compared and swapped.

A watch is a long poll: it answers *once*, and its owner asks again from the event's
``modified_index`` + 1. What happened in between is found in the history, the last 1000 events of
the whole tree; who comes later than that is told so, must read afresh, and go on from there.

Names that begin with ``_`` are hidden from listings and from watches above them.

Simplified here: no HTTP; the index begins at 0 (a real cluster's has moved a little when it comes
up). Source: etcd's server/etcdserver/api/v2store and the v2.3 documentation.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from math import ceil
from typing import NamedTuple

from k8snetlib.etcd.v2_watch import History, Hub, Poll
from k8snetlib.etcd.v2_words import (
    COMPARE_FAILED,
    DIRECTORY_NOT_EMPTY,
    KEY_EXISTS,
    KEY_NOT_FOUND,
    NOT_A_DIRECTORY,
    NOT_A_FILE,
    ROOT_READ_ONLY,
    EtcdV2Error,
    Event,
    Node,
)


class _Node:
    """A node of the tree: a file, or with ``children`` a directory."""

    def __init__(self, path: str, value: str | None, index: int, parent: _Node | None) -> None:
        self.path, self.value, self.parent = path, value, parent
        self.created = self.modified = index
        self.expires: float | None = None
        self.children: dict[str, _Node] = {}

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    @property
    def is_dir(self) -> bool:
        return self.value is None

    def below(self) -> Iterator[_Node]:
        """The node and all below it, the deepest first."""
        for child in list(self.children.values()):
            yield from child.below()
        yield self


class _Time(NamedTuple):
    """When a node's time is up; ``order`` keeps those apart that are up together."""

    expires: float
    order: int
    node: _Node


class Tree:
    """etcd's v2 store, in process.

    Parameters: ``clock`` tells the time in seconds; ``history`` is how many events are kept. A
    ``ttl`` is in seconds; None: for ever. Everything raises ``v2_words.EtcdV2Error``.

    >>> tree = Tree()
    >>> tree.set("/coreos.com/network/config", "{}").node.created_index
    1
    """

    def __init__(self, clock: Callable[[], float] = lambda: 0.0, *, history: int = 1000) -> None:
        self._clock = clock
        self._root = _Node("/", None, 0, None)
        self._index = 0
        self._times: list[_Time] = []
        self._orders = count()
        self._hub = Hub(History(history))

    @property
    def index(self) -> int:
        """The current index (X-Etcd-Index)."""
        self.tick()
        return self._index

    def tick(self) -> None:
        """Removes the nodes whose time is up, the earliest first, each under its own index."""
        while self._times and self._times[0].expires <= self._clock():
            expires, _, node = heappop(self._times)
            if node.expires != expires:
                continue  # removed, or its time was changed
            self._index += 1
            self._remove("expire", node)

    def get(self, key: str, *, recursive: bool = False) -> Event:
        """Reads a node; of a directory its children too, or all below it."""
        self.tick()
        node = self._find(key)
        return Event("get", self._show(node, 2**31 if recursive else 1), None, self._index)

    def create(
        self, key: str, value: str = "", *,
        directory: bool = False, unique: bool = False, ttl: float | None = None,
    ) -> Event:  # fmt: skip
        """Makes a node (PUT ?prevExist=false), and the directories above it. ``unique`` makes it
        below ``key``, named by the index (POST)."""
        self.tick()
        if unique:
            key = f"{key}/{self._index + 1:020d}"
        return self._hub.notify(self._make("create", key, None if directory else value, ttl))

    def set(
        self, key: str, value: str = "", *,
        directory: bool = False, ttl: float | None = None, refresh: bool = False,
    ) -> Event:  # fmt: skip
        """Makes a node or replaces a file (PUT). ``refresh`` only sets the time, wakes nobody."""
        self.tick()
        before = None
        try:
            former = self._find(key)
        except EtcdV2Error as error:
            if error.code != KEY_NOT_FOUND or refresh:
                raise
        else:
            before = self._show(former, 0)
            value = former.value or "" if refresh else value
        event = self._make("set", key, None if directory else value, ttl, replace=True)
        return self._hub.notify(event._replace(prev=before, refresh=refresh))

    def update(
        self, key: str, value: str = "", *, ttl: float | None = None, refresh: bool = False
    ) -> Event:
        """Changes a file (PUT ?prevExist=true), or a directory's time. Without ``ttl`` it stays
        for ever."""
        self.tick()
        self._not_root(key)
        node = self._find(key)
        if node.is_dir and value:
            raise EtcdV2Error(NOT_A_FILE, _clean(key), self._index)
        return self._write("update", node, value, ttl, refresh)

    def compare_and_swap(
        self, key: str, value: str, *, prev_value: str = "", prev_index: int = 0,
        ttl: float | None = None, refresh: bool = False,
    ) -> Event:  # fmt: skip
        """Changes a file if it is as expected; "" and 0 expect nothing."""
        self.tick()
        self._not_root(key)
        node = self._compared(key, prev_value, prev_index)
        return self._write("compareAndSwap", node, value, ttl, refresh)

    def delete(self, key: str, *, directory: bool = False, recursive: bool = False) -> Event:
        """Deletes a file, an empty directory, or with ``recursive`` everything below too."""
        self.tick()
        self._not_root(key)
        node = self._find(key)
        if node.is_dir:
            if not (directory or recursive):
                raise EtcdV2Error(NOT_A_FILE, node.path, self._index)
            if node.children and not recursive:
                raise EtcdV2Error(DIRECTORY_NOT_EMPTY, node.path, self._index)
        self._index += 1
        return self._remove("delete", node)

    def compare_and_delete(self, key: str, *, prev_value: str = "", prev_index: int = 0) -> Event:
        """Deletes a file if it is as expected; "" and 0 expect nothing."""
        self.tick()
        node = self._compared(key, prev_value, prev_index)
        self._index += 1
        return self._remove("compareAndDelete", node)

    def watch(
        self, key: str, *, recursive: bool = False, stream: bool = False, wait_index: int = 0
    ) -> Poll:
        """Waits for a change of a node (or of any below it), the first not before ``wait_index``
        (0: the next one). ``stream`` goes on after the first."""
        self.tick()
        since = wait_index or self._index + 1
        poll = Poll(_clean(key), recursive, stream, since, self._index, self.tick)
        return self._hub.watch(poll)

    # -- within ----------------------------------------------------------------------------------

    def _find(self, key: str) -> _Node:
        node = self._root
        for name in _names(key):
            if not node.is_dir:
                raise EtcdV2Error(NOT_A_DIRECTORY, node.path, self._index)
            child = node.children.get(name)
            if child is None:
                raise EtcdV2Error(KEY_NOT_FOUND, posixpath.join(node.path, name), self._index)
            node = child
        return node

    def _not_root(self, key: str) -> None:
        if _clean(key) == "/":
            raise EtcdV2Error(ROOT_READ_ONLY, "/", self._index)

    def _compared(self, key: str, value: str, index: int) -> _Node:
        node = self._find(key)
        if node.is_dir:
            raise EtcdV2Error(NOT_A_FILE, _clean(key), self._index)
        wrong = []
        if value and value != node.value:
            wrong.append(f"[{value} != {node.value}]")
        if index and index != node.modified:
            wrong.append(f"[{index} != {node.modified}]")
        if wrong:
            raise EtcdV2Error(COMPARE_FAILED, " ".join(wrong), self._index)
        return node

    def _make(
        self, action: str, key: str, value: str | None, ttl: float | None, *, replace: bool = False
    ) -> Event:
        self._not_root(key)
        key, index = _clean(key), self._index + 1
        directory = self._root
        for name in _names(posixpath.dirname(key)):
            child = directory.children.get(name)
            if child is None:
                path = posixpath.join(directory.path, name)
                child = directory.children[name] = _Node(path, None, index, directory)
            if not child.is_dir:
                raise EtcdV2Error(NOT_A_DIRECTORY, child.path, self._index)
            directory = child
        former = directory.children.get(posixpath.basename(key))
        if former is not None:
            if not replace:
                raise EtcdV2Error(KEY_EXISTS, key, self._index)
            if former.is_dir:
                raise EtcdV2Error(NOT_A_FILE, key, self._index)
            former.expires = None
        node = directory.children[posixpath.basename(key)] = _Node(key, value, index, directory)
        self._live(node, ttl)
        self._index = index
        return Event(action, self._show(node, 0), None, index)

    def _write(
        self, action: str, node: _Node, value: str, ttl: float | None, refresh: bool
    ) -> Event:
        before = self._show(node, 0)
        self._index += 1
        if not node.is_dir:
            node.value = node.value if refresh else value
            node.modified = self._index
        self._live(node, ttl)
        after = self._show(node, 0)._replace(modified_index=self._index)
        return self._hub.notify(Event(action, after, before, self._index, refresh))

    def _remove(self, action: str, node: _Node) -> Event:
        before = self._show(node, 0)
        gone = Node(node.path, None, node.is_dir, 0, None, self._index, node.created)
        paths = []
        for each in node.below():
            each.expires = None
            paths.append(each.path)
        assert node.parent is not None
        del node.parent.children[node.name]
        return self._hub.notify(Event(action, gone, before, self._index), paths)

    def _live(self, node: _Node, ttl: float | None) -> None:
        node.expires = None if ttl is None else self._clock() + ttl
        if node.expires is not None:
            heappush(self._times, _Time(node.expires, next(self._orders), node))

    def _show(self, node: _Node, depth: int) -> Node:
        """The node as an answer shows it, with ``depth`` levels of what is below it."""
        left = 0 if node.expires is None else ceil(node.expires - self._clock())
        below = sorted(node.children.values(), key=lambda each: each.path) if depth else []
        nodes = tuple(
            self._show(child, depth - 1) for child in below if not child.name.startswith("_")
        )
        return Node(
            node.path, node.value, node.is_dir, left, node.expires, node.modified, node.created,
            nodes,
        )  # fmt: skip


def _clean(key: str) -> str:
    return posixpath.normpath("/" + key.lstrip("/"))


def _names(key: str) -> list[str]:
    return [name for name in _clean(key).split("/") if name]
