"""What lives here: what the v2 API answers: nodes, events, and errors with their codes.

Source: etcd's server/etcdserver/api/v2error and the v2.3 documentation.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.etcd.api import EtcdError

KEY_NOT_FOUND = 100
COMPARE_FAILED = 101
NOT_A_FILE = 102
NOT_A_DIRECTORY = 104
KEY_EXISTS = 105
ROOT_READ_ONLY = 107
DIRECTORY_NOT_EMPTY = 108
INDEX_CLEARED = 401

MESSAGES = {
    KEY_NOT_FOUND: "Key not found",
    COMPARE_FAILED: "Compare failed",
    NOT_A_FILE: "Not a file",
    NOT_A_DIRECTORY: "Not a directory",
    KEY_EXISTS: "Key already exists",
    ROOT_READ_ONLY: "Root is read only",
    DIRECTORY_NOT_EMPTY: "Directory not empty",
    INDEX_CLEARED: "The event in requested index is outdated and cleared",
}


class EtcdV2Error(EtcdError):
    """What the v2 API refuses: ``code``, ``message``, ``cause`` and the ``index`` of the store."""

    def __init__(self, code: int, cause: str, index: int) -> None:
        super().__init__(MESSAGES[code], f"({cause})")
        self.code, self.cause, self.index = code, cause, index


class Node(NamedTuple):
    """A node in an answer. ``value`` is None for a directory, ``ttl`` 0 for ever; ``expiration`` is
    on the store's clock; ``nodes`` are the children, where they are shown."""

    key: str
    value: str | None = None
    dir: bool = False
    ttl: int = 0
    expiration: float | None = None
    modified_index: int = 0
    created_index: int = 0
    nodes: tuple[Node, ...] = ()


class Event(NamedTuple):
    """What a request did or a watch saw. ``prev`` is the node before; ``index`` is the store's when
    the answer was given; ``refresh``: only the time to live changed, and nobody was woken."""

    action: str
    node: Node
    prev: Node | None
    index: int  # type: ignore[assignment]  # etcd's word, and tuple's
    refresh: bool = False
