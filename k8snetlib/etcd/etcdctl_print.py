"""What lives here: how ``etcdctl`` prints an answer: for people, as fields, as JSON, as a table.

Each format is a class with one method an answer; a method returns lines. What a format does not
carry, it refuses as etcdctl does. Keys and values are bytes: JSON has them in base64.

Simplified here: who answers is always the one member that etcd makes by default, in its second
term; the size of its database and the indexes of its log are not modelled, so ``endpoint status``
shows the revision as the index.
Source: etcd's etcdctl/ctlv3/command/printer_*.go.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from k8snetlib.errors import BadCommand
from k8snetlib.etcd.api import (
    DeleteResponse,
    KeyValue,
    Lease,
    PutResponse,
    RangeResponse,
    TxnResponse,
    WatchResponse,
)

#: What the model was compared with.
VERSION = "3.4.23"
#: The ids that follow from etcd's defaults: one member, "default", at http://localhost:2380.
CLUSTER_ID = 0xCDF818194E3A8C32
MEMBER_ID = 0x8E9E05C52164694D
RAFT_TERM = 2
DB_SIZE = 20480
MEMBER = ("started", "default", "http://localhost:2380", "http://localhost:2379", "false")
STATUS_TITLES = (
    "ENDPOINT", "ID", "VERSION", "DB SIZE", "IS LEADER", "IS LEARNER", "RAFT TERM", "RAFT INDEX",
    "RAFT APPLIED INDEX", "ERRORS",
)  # fmt: skip
MEMBER_TITLES = ("ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER")


def text(data: bytes) -> str:
    """Bytes as a terminal shows them."""
    return data.decode("utf-8", "replace")


def _status(endpoint: str, revision: int) -> list[str]:
    member, size = f"{MEMBER_ID:x}", f"{DB_SIZE // 1000} kB"
    index = str(revision)
    return [endpoint, member, VERSION, size, "true", "false", str(RAFT_TERM), index, index, ""]


class Printer:
    """A format that carries nothing yet. ``name`` is what ``--write-out`` calls it."""

    name: ClassVar[str] = ""

    def _no(self, *_: Any) -> list[str]:
        raise BadCommand(
            f"Error: {self.name} not supported as output format",
            "It is one for endpoint status, endpoint health and member list.",
        )

    range = put = delete = txn = grant = revoke = time_to_live = keep_alive = leases = _no
    watch = status = health = members = _no


class Simple(Printer):
    """For people. ``value_only`` leaves the keys out."""

    name = "simple"

    def __init__(self, *, value_only: bool = False) -> None:
        self._value_only = value_only

    def _kv(self, kv: KeyValue) -> list[str]:
        return [text(kv.value)] if self._value_only else [text(kv.key), text(kv.value)]

    def _kvs(self, kvs: Iterable[KeyValue]) -> list[str]:
        return [line for kv in kvs for line in self._kv(kv)]

    def range(self, answer: RangeResponse) -> list[str]:
        """Keys and values, a line each."""
        return self._kvs(answer.kvs)

    def put(self, answer: PutResponse) -> list[str]:
        """OK, and what there was."""
        return ["OK", *(self._kv(answer.prev_kv) if answer.prev_kv else ())]

    def delete(self, answer: DeleteResponse) -> list[str]:
        """How many, and what they were."""
        return [str(answer.deleted), *self._kvs(answer.prev_kvs)]

    def txn(self, answer: TxnResponse) -> list[str]:
        """Which branch, and its answers after a blank line each."""
        lines = ["SUCCESS" if answer.succeeded else "FAILURE"]
        for each in answer.responses:
            lines += ["", *_dispatch(self, each)]
        return lines

    def grant(self, lease: Lease, revision: int) -> list[str]:
        """The new lease."""
        return [f"lease {lease.id:016x} granted with TTL({lease.ttl}s)"]

    def revoke(self, lease: int, revision: int) -> list[str]:
        """The lease that was."""
        return [f"lease {lease:016x} revoked"]

    def keep_alive(self, lease: Lease, revision: int) -> list[str]:
        """The lease and its time."""
        return [f"lease {lease.id:016x} keepalived with TTL({lease.ttl})"]

    def time_to_live(self, lease: Lease, revision: int, keys: bool) -> list[str]:
        """What is left of a lease."""
        if lease.ttl == -1 and not lease.granted:
            return [f"lease {lease.id:016x} already expired"]
        attached = f", attached keys([{' '.join(map(text, lease.keys))}])" if keys else ""
        granted, left = f"granted with TTL({lease.granted}s)", f"remaining({lease.ttl}s)"
        return [f"lease {lease.id:016x} {granted}, {left}{attached}"]

    def leases(self, ids: Sequence[int], revision: int) -> list[str]:
        """How many, and their ids."""
        return [f"found {len(ids)} leases", *(f"{lease:016x}" for lease in ids)]

    def watch(self, answer: WatchResponse) -> list[str]:
        """Of each event the type, what there was (if asked for), and what there is."""
        lines: list[str] = []
        for event in answer.events:
            before = self._kv(event.prev_kv) if event.prev_kv else []
            lines += [event.type, *before, *self._kv(event.kv)]
        return lines

    def status(self, endpoint: str, revision: int) -> list[str]:
        """One line, with commas."""
        return [", ".join(_status(endpoint, revision))]

    def health(self, endpoint: str) -> list[str]:
        """One line."""
        return [f"{endpoint} is healthy: successfully committed proposal: took = 1ms"]

    def members(self) -> list[str]:
        """One line, with commas."""
        return [", ".join([f"{MEMBER_ID:x}", *MEMBER])]


class Fields(Printer):
    """Each field on a line of its own."""

    name = "fields"

    def _header(self, revision: int, inner: bool = False) -> list[str]:
        # The answers within a transaction know the revision only.
        cluster, member, term = (0, 0, 0) if inner else (CLUSTER_ID, MEMBER_ID, RAFT_TERM)
        return [
            f'"ClusterID" : {cluster}',
            f'"MemberID" : {member}',
            f'"Revision" : {revision}',
            f'"RaftTerm" : {term}',
        ]

    def _kv(self, kv: KeyValue, prefix: str = "") -> list[str]:
        return [
            f'"{prefix}Key" : {_quoted(kv.key)}',
            f'"{prefix}CreateRevision" : {kv.create_revision}',
            f'"{prefix}ModRevision" : {kv.mod_revision}',
            f'"{prefix}Version" : {kv.version}',
            f'"{prefix}Value" : {_quoted(kv.value)}',
            f'"{prefix}Lease" : {kv.lease}',
        ]

    def range(self, answer: RangeResponse, inner: bool = False) -> list[str]:
        """Header, keys, whether there is more, how many there are."""
        lines = self._header(answer.revision, inner)
        for kv in answer.kvs:
            lines += self._kv(kv)
        return [*lines, f'"More" : {str(answer.more).lower()}', f'"Count" : {answer.count}']

    def put(self, answer: PutResponse, inner: bool = False) -> list[str]:
        """Header, and what there was."""
        before = self._kv(answer.prev_kv, "Prev") if answer.prev_kv else []
        return self._header(answer.revision, inner) + before

    def delete(self, answer: DeleteResponse, inner: bool = False) -> list[str]:
        """Header, how many, and what they were."""
        lines = [*self._header(answer.revision, inner), f'"Deleted" : {answer.deleted}']
        for kv in answer.prev_kvs:
            lines += self._kv(kv, "Prev")
        return lines

    def txn(self, answer: TxnResponse) -> list[str]:
        """Header, which branch, and its answers."""
        lines = self._header(answer.revision)
        lines.append(f'"Succeeded" : {str(answer.succeeded).lower()}')
        for each in answer.responses:
            lines += _dispatch(self, each, True)
        return lines

    def grant(self, lease: Lease, revision: int) -> list[str]:
        """Header, id and time."""
        return [*self._header(revision), f'"ID" : {lease.id}', f'"TTL" : {lease.ttl}']

    keep_alive = grant

    def revoke(self, lease: int, revision: int) -> list[str]:
        """The header."""
        return self._header(revision)

    def time_to_live(self, lease: Lease, revision: int, keys: bool) -> list[str]:
        """Header, times and keys."""
        return [
            *self._header(revision),
            f'"ID" : {lease.id}',
            f'"TTL" : {lease.ttl}',
            f'"GrantedTTL" : {lease.granted}',
            *(f'"Key" : {_quoted(key)}' for key in lease.keys),
        ]

    def leases(self, ids: Sequence[int], revision: int) -> list[str]:
        """Header and ids."""
        return [*self._header(revision), *(f'"ID" : {lease}' for lease in ids)]

    def watch(self, answer: WatchResponse) -> list[str]:
        """Header and events."""
        lines = self._header(answer.revision)
        for event in answer.events:
            before = self._kv(event.prev_kv, "Prev") if event.prev_kv else []
            lines += [f'"Type" : {event.type}', *before, *self._kv(event.kv)]
        return lines

    def status(self, endpoint: str, revision: int) -> list[str]:
        """Header and the member's numbers."""
        return [
            *self._header(revision),
            f'"Version" : "{VERSION}"',
            f'"DBSize" : {DB_SIZE}',
            f'"Leader" : {MEMBER_ID}',
            '"IsLearner" : false',
            f'"RaftIndex" : {revision}',
            f'"RaftTerm" : {RAFT_TERM}',
            f'"RaftAppliedIndex" : {revision}',
            '"Errors" : []',
            f'"Endpoint" : "{endpoint}"',
            "",
        ]


class Json(Printer):
    """One line of JSON, without what is zero."""

    name = "json"

    def _line(self, answer: Any) -> list[str]:
        return [json.dumps(answer, separators=(",", ":"))]

    def _header(self, revision: int) -> dict[str, int]:
        ids = {"cluster_id": CLUSTER_ID, "member_id": MEMBER_ID}
        return ids | {"revision": revision, "raft_term": RAFT_TERM}

    def range(self, answer: RangeResponse) -> list[str]:
        """Header, keys, more, count."""
        return self._line({"header": self._header(answer.revision), **_range(answer)})

    def put(self, answer: PutResponse) -> list[str]:
        """Header, and what there was."""
        return self._line({"header": self._header(answer.revision), **_put(answer)})

    def delete(self, answer: DeleteResponse) -> list[str]:
        """Header, how many, and what they were."""
        return self._line({"header": self._header(answer.revision), **_delete(answer)})

    def txn(self, answer: TxnResponse) -> list[str]:
        """Header, which branch, and its answers."""
        inner = [{"Response": _inner(each)} for each in answer.responses]
        fields = _present({"succeeded": answer.succeeded, "responses": inner})
        return self._line({"header": self._header(answer.revision), **fields})

    def grant(self, lease: Lease, revision: int) -> list[str]:
        """Header, id and time."""
        return self._line(self._header(revision) | {"ID": lease.id, "TTL": lease.ttl, "Error": ""})

    def keep_alive(self, lease: Lease, revision: int) -> list[str]:
        """Header, id and time."""
        return self._line(self._header(revision) | {"ID": lease.id, "TTL": lease.ttl})

    def revoke(self, lease: int, revision: int) -> list[str]:
        """The header."""
        return self._line({"header": self._header(revision)})

    def time_to_live(self, lease: Lease, revision: int, keys: bool) -> list[str]:
        """Header, times and keys."""
        times = {"id": lease.id, "ttl": lease.ttl, "granted-ttl": lease.granted}
        attached = [b64encode(key).decode() for key in lease.keys] or None
        return self._line(self._header(revision) | times | {"keys": attached})

    def leases(self, ids: Sequence[int], revision: int) -> list[str]:
        """Header and ids."""
        return self._line(self._header(revision) | {"leases": [{"id": lease} for lease in ids]})

    def watch(self, answer: WatchResponse) -> list[str]:
        """Header and events."""
        events = [
            _present(
                {
                    "type": int(event.type == "DELETE"),
                    "kv": _kv(event.kv),
                    "prev_kv": event.prev_kv and _kv(event.prev_kv),
                }
            )
            for event in answer.events
        ]
        rest = {"CompactRevision": 0, "Canceled": False, "Created": False}
        return self._line({"Header": self._header(answer.revision), "Events": events, **rest})

    def status(self, endpoint: str, revision: int) -> list[str]:
        """Header and the member's numbers."""
        status = {
            "header": self._header(revision), "version": VERSION, "dbSize": DB_SIZE,
            "leader": MEMBER_ID, "raftIndex": revision, "raftTerm": RAFT_TERM,
            "raftAppliedIndex": revision, "dbSizeInUse": DB_SIZE,
        }  # fmt: skip
        return self._line([{"Endpoint": endpoint, "Status": status}])

    def health(self, endpoint: str) -> list[str]:
        """Whether it is."""
        return self._line([{"endpoint": endpoint, "health": True, "took": "1ms"}])


class Table(Printer):
    """A table, for what has columns."""

    name = "table"

    def status(self, endpoint: str, revision: int) -> list[str]:
        """A row for the one endpoint."""
        return _table(STATUS_TITLES, _status(endpoint, revision))

    def health(self, endpoint: str) -> list[str]:
        """A row for the one endpoint."""
        return _table(("ENDPOINT", "HEALTH", "TOOK", "ERROR"), [endpoint, "true", "1ms", ""])

    def members(self) -> list[str]:
        """A row for the one member."""
        return _table(MEMBER_TITLES, [f"{MEMBER_ID:x}", *MEMBER])


PRINTERS: dict[str, type[Printer]] = {each.name: each for each in (Simple, Fields, Json, Table)}


def _dispatch(printer: Any, answer: Any, *inner: bool) -> list[str]:
    kinds = {RangeResponse: "range", PutResponse: "put", DeleteResponse: "delete"}
    lines: list[str] = getattr(printer, kinds[type(answer)])(answer, *inner)
    return lines


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """Go's omitempty."""
    return {name: value for name, value in fields.items() if value}


def _kv(kv: KeyValue) -> dict[str, Any]:
    return _present(
        {
            "key": b64encode(kv.key).decode(),
            "create_revision": kv.create_revision,
            "mod_revision": kv.mod_revision,
            "version": kv.version,
            "value": b64encode(kv.value).decode(),
            "lease": kv.lease,
        }
    )


def _range(answer: RangeResponse) -> dict[str, Any]:
    kvs = [_kv(kv) for kv in answer.kvs]
    return _present({"kvs": kvs, "more": answer.more, "count": answer.count})


def _put(answer: PutResponse) -> dict[str, Any]:
    return _present({"prev_kv": answer.prev_kv and _kv(answer.prev_kv)})


def _delete(answer: DeleteResponse) -> dict[str, Any]:
    kvs = [_kv(kv) for kv in answer.prev_kvs]
    return _present({"deleted": answer.deleted, "prev_kvs": kvs})


def _inner(answer: Any) -> dict[str, Any]:
    header = {"header": {"revision": answer.revision}}
    if isinstance(answer, RangeResponse):
        return {"ResponseRange": header | _range(answer)}
    if isinstance(answer, PutResponse):
        return {"ResponsePut": header | _put(answer)}
    return {"ResponseDeleteRange": header | _delete(answer)}


def _table(titles: Sequence[str], row: Sequence[str]) -> list[str]:
    widths = [max(len(title), len(cell)) for title, cell in zip(titles, row, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    centred = [
        " " * ((width - len(title)) // 2) + title.ljust(width - (width - len(title)) // 2)
        for title, width in zip(titles, widths, strict=True)
    ]
    cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
    lines = [f"| {' | '.join(each)} |" for each in (centred, cells)]
    return [rule, lines[0], rule, lines[1], rule]


_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
            "\v": "\\v", '"': '\\"', "\\": "\\\\"}  # fmt: skip


def _quoted(data: bytes) -> str:
    """Bytes as Go's %q writes them."""
    written = []
    for char in data.decode("utf-8", "surrogateescape"):
        if char in _ESCAPES:
            written.append(_ESCAPES[char])
        elif "\udc80" <= char <= "\udcff":
            written.append(f"\\x{ord(char) - 0xDC00:02x}")
        elif char.isprintable():
            written.append(char)
        elif ord(char) < 0x80:
            written.append(f"\\x{ord(char):02x}")
        else:
            written.append(f"\\u{ord(char):04x}")
    return '"' + "".join(written) + '"'
