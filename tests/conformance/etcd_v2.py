"""Reads ``etcd_v2*.json``: what the tests of etcd's v2 store say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from k8snetlib.etcd.v2 import Tree
from k8snetlib.etcd.v2_watch import History, Poll
from k8snetlib.etcd.v2_words import EtcdV2Error, Event, Node
from tests.conformance.case import Case, NotUnderstood
from tests.conformance.etcd_kv import CASE_FIELDS, checked, in_range
from tests.conformance.expectation import PROSE, compare, only

NODE = {
    "key": lambda node: node.key,
    "value": lambda node: node.value,
    "dir": lambda node: node.dir,
    "ttl": lambda node: node.ttl,
    "modifiedIndex": lambda node: node.modified_index,
    "createdIndex": lambda node: node.created_index,
}


def show(node: Node | None, wanted: Any) -> Any:
    """The fields of a node that the case names."""
    if node is None or wanted is None:
        return None if node is None else {name: look(node) for name, look in NODE.items()}
    only("prev", wanted, NODE)
    return {name: NODE[name](node) for name in wanted}


def keys(node: Node) -> list[str]:
    return [child.key for child in node.nodes]


def of_node(look: Callable[[Node], Any]) -> Callable[[Event], Any]:
    return lambda event: look(event.node)


EVENT: dict[str, Any] = {
    **{name: of_node(look) for name, look in NODE.items()},
    "action": lambda event: event.action,
    "index": lambda event: event.index,
    "prev": lambda event, wanted: show(event.prev, wanted),
    "ttlRange": lambda event, wanted: in_range(event.node.ttl, wanted),
    "children": lambda event: keys(event.node),
    "grandchildren": lambda event: {
        child.key: keys(child) for child in event.node.nodes if child.nodes
    },
    "none": lambda event: False,
}  # fmt: skip
NOTHING = {"none": lambda event: True}
ERROR = {
    "errorCode": lambda error: error.code,
    "message": lambda error: error.message,
    "cause": lambda error: error.cause,
    "index": lambda error: error.index,
}
POLL = {"startIndex": lambda poll: poll.start_index}

#: op -> the fields it may have.
FIELDS = {
    "create": {"key", "value", "dir", "unique", "ttlMs", "refresh"},
    "set": {"key", "value", "dir", "ttlMs", "refresh"},
    "update": {"key", "value", "ttlMs", "refresh"},
    "cas": {"key", "value", "prevValue", "prevIndex", "ttlMs", "refresh"},
    "cad": {"key", "prevValue", "prevIndex"},
    "delete": {"key", "dir", "recursive"},
    "get": {"key", "recursive", "sorted"},
    "watch": {"id", "key", "recursive", "stream", "waitIndex"},
    "event": {"watch"},
    "advance": {"ms"},
    "history": {"capacity", "events"},
    "scan": {"key", "recursive", "waitIndex"},
}


class Player:
    """Plays the steps of a case. Each op is a method and returns its answer."""

    def __init__(self) -> None:
        self.now = 0
        self.tree = Tree(lambda: self.now / 1000)
        self.polls: dict[str, Poll] = {}
        self.past = History()
        self.asserted = 0

    def play(self, step: dict[str, Any]) -> None:
        op = step["op"]
        if op not in FIELDS:
            raise NotUnderstood(f"op {op}")
        fields = {name: value for name, value in step.items() if name not in {"op", "expect"}}
        only(op, fields, FIELDS[op])
        given = {name: value for name, value in fields.items() if name not in PROSE}
        expect = step.get("expect", {})
        try:
            answer = getattr(self, f"op_{op}")(**given)
        except EtcdV2Error as error:
            if "errorCode" not in expect:
                raise AssertionError(f"{op} {fields}: {error.code} {error}") from error
            answer = error
        known = {EtcdV2Error: ERROR, Event: EVENT, Poll: POLL}.get(_kind(answer), NOTHING)
        if "expect" in step:
            self.asserted += compare(f"{op} {fields}", expect, answer, known)

    def op_create(self, key, value="", dir=False, unique=False, ttlMs=None, refresh=False):  # noqa: N803
        # The store makes the node all the same: there is nothing yet to refresh.
        return self.tree.create(key, value, directory=dir, unique=unique, ttl=_seconds(ttlMs))

    def op_set(self, key, value="", dir=False, ttlMs=None, refresh=False):  # noqa: N803
        return self.tree.set(key, value, directory=dir, ttl=_seconds(ttlMs), refresh=refresh)

    def op_update(self, key, value="", ttlMs=None, refresh=False):  # noqa: N803
        return self.tree.update(key, value, ttl=_seconds(ttlMs), refresh=refresh)

    def op_cas(self, key, value, prevValue="", prevIndex=0, ttlMs=None, refresh=False):  # noqa: N803
        return self.tree.compare_and_swap(
            key, value, prev_value=prevValue, prev_index=prevIndex,
            ttl=_seconds(ttlMs), refresh=refresh,
        )  # fmt: skip

    def op_cad(self, key, prevValue="", prevIndex=0):  # noqa: N803
        return self.tree.compare_and_delete(key, prev_value=prevValue, prev_index=prevIndex)

    def op_delete(self, key, dir=False, recursive=False):
        return self.tree.delete(key, directory=dir, recursive=recursive)

    def op_get(self, key, recursive=False, sorted=False):
        return self.tree.get(key, recursive=recursive)  # ours are always sorted

    def op_watch(self, id, key, recursive=False, stream=False, waitIndex=0):  # noqa: N803
        poll = self.tree.watch(key, recursive=recursive, stream=stream, wait_index=waitIndex)
        self.polls[id] = poll
        return poll

    def op_event(self, watch):
        return self.polls[watch].event()

    def op_advance(self, ms):
        self.now += ms
        self.tree.tick()

    def op_history(self, capacity, events):
        self.past = History(capacity)
        for action, key, index in events:
            if action not in {"create", "delete", "deleteDir", "set", "update"}:
                raise NotUnderstood(f"history: {action}")
            gone = Node(key, None, True) if action == "deleteDir" else None
            node = Node(key, modified_index=index)
            self.past.add(Event("delete" if gone else action, node, gone, index))

    def op_scan(self, key, recursive, waitIndex):  # noqa: N803
        return self.past.scan(key, recursive, waitIndex)


def _kind(answer: Any) -> type:
    return next((each for each in (EtcdV2Error, Event, Poll) if isinstance(answer, each)), object)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def run(case: dict[str, Any]) -> tuple[int, tuple[str, ...]]:
    only(case["id"], case, CASE_FIELDS)
    player = Player()
    for step in case["steps"]:
        player.play(step)
    return player.asserted, ()


def cases(document: dict[str, Any]) -> Iterator[Case]:
    for case in checked(document):
        yield Case(case["id"], partial(run, case))
