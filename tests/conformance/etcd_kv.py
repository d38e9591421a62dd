"""Reads ``etcd_kv*.json``: what etcd v3's own tests say, played on anything that is an ``Etcd``.

Most cases are played on the store and, by the rule in ``on_a_server``, on a real server too
(tests/etcd/test_server.py). A case of ``level: "mvcc"`` speaks to the storage below the requests,
whose lessor knows every lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from k8snetlib.etcd import api
from k8snetlib.etcd.refusal import LEASE_NOT_FOUND
from k8snetlib.etcd.request import Applier
from k8snetlib.etcd.store import Store
from tests.conformance.case import Case, NotUnderstood
from tests.conformance.expectation import PROSE, compare, only

CASE_FIELDS = {"id", "test", "file", "case", "level", "note", "derived", "origin", "steps"}
#: Ops that no client of a server can ask for.
INTERNAL = {"mvccTxn", "advance", "minTTL", "history"}


def raw(text: str | None) -> bytes | None:
    return None if text is None else text.encode("latin-1")


def text(data: bytes) -> str:
    return data.decode("latin-1")


# -- the requests ----------------------------------------------------------------------------------

NAMES = {
    "key": "key", "value": "value", "end": "end", "lease": "lease", "revision": "revision",
    "limit": "limit", "prevKv": "prev_kv", "ignoreValue": "ignore_value",
    "ignoreLease": "ignore_lease", "countOnly": "count_only", "keysOnly": "keys_only",
    "sortOrder": "sort_order", "sortTarget": "sort_target",
    "minModRevision": "min_mod_revision", "maxModRevision": "max_mod_revision",
    "minCreateRevision": "min_create_revision", "maxCreateRevision": "max_create_revision",
}  # fmt: skip


def build(kind: type, fields: dict[str, Any]) -> Any:
    known = {ours: theirs for theirs, ours in NAMES.items() if ours in kind._fields}
    only(kind.__name__, fields, known.values())
    values = {ours: fields[theirs] for ours, theirs in known.items() if theirs in fields}
    for name in {"key", "value", "end"} & set(values):
        values[name] = raw(values[name])
    for name in {"sort_order", "sort_target"} & set(values):
        values[name] = values[name].upper()
    return kind(**values)


def build_compare(fields: dict[str, Any]) -> api.Compare:
    only("compare", fields, {"key", "end", "target", "result", "value"})
    target, operand = fields["target"].upper(), fields["value"]
    if target not in {"VALUE", "VERSION", "CREATE", "MOD", "LEASE"}:
        raise NotUnderstood(f"compare target {target}")
    operand = raw(operand) if target == "VALUE" else operand
    return api.Compare(
        target, raw(fields["key"]), fields["result"], operand, raw(fields.get("end"))
    )


def build_op(op: dict[str, Any]) -> Any:
    ((kind, fields),) = op.items()
    if kind == "txn":
        return build_txn(fields)
    if kind not in REQUESTS:
        raise NotUnderstood(f"{kind} in a transaction")
    return build(REQUESTS[kind], fields)


def build_txn(fields: dict[str, Any]) -> api.Txn:
    only("txn", fields, {"compare", "success", "failure"})
    return api.Txn(
        tuple(build_compare(each) for each in fields.get("compare", ())),
        tuple(build_op(each) for each in fields.get("success", ())),
        tuple(build_op(each) for each in fields.get("failure", ())),
    )


REQUESTS: dict[str, type] = {
    "put": api.Put,
    "range": api.Range,
    "deleteRange": api.DeleteRange,
}


def generated(part: str, count: int) -> api.Txn:
    """A transaction with a list of ``count`` entries, all with keys of their own."""
    keys = [b"k%d" % number for number in range(count)]
    match part:
        case "compare":
            return api.Txn(compare=tuple(api.Compare("CREATE", key, "=", 0) for key in keys))
        case "success":
            return api.Txn(success=tuple(api.Put(key, b"v") for key in keys))
        case "failure":
            return api.Txn(failure=tuple(api.Put(key, b"v") for key in keys))
        case "nestedTxn":
            nested = [api.Txn(success=(api.Put(key, b"v"),)) for key in keys]
            return api.Txn(success=tuple(nested))
    raise NotUnderstood(f"txnGenerated part {part}")


# -- the answers -----------------------------------------------------------------------------------

KV = {
    "key": lambda kv: text(kv.key),
    "value": lambda kv: text(kv.value),
    "createRevision": lambda kv: kv.create_revision,
    "modRevision": lambda kv: kv.mod_revision,
    "version": lambda kv: kv.version,
    "lease": lambda kv: kv.lease,
}


def show(kv: api.KeyValue | None, wanted: Any) -> Any:
    """A key as a case writes it, with the fields that the case names."""
    if kv is None or wanted is None:
        return None if kv is None else {name: look(kv) for name, look in KV.items()}
    only("key", wanted, KV)
    return {name: KV[name](kv) for name in wanted}


def show_all(kvs: Any, wanted: list[Any]) -> list[Any]:
    pad = [None] * (len(kvs) - len(wanted))
    return [show(kv, one) for kv, one in zip(kvs, wanted + pad, strict=False)]


def show_event(event: api.Event, wanted: Any) -> dict[str, Any]:
    """A DELETE event carries the key and the revision, and nothing else."""
    wanted = wanted or {}
    only("event", wanted, {"type", "kv", "key", "modRevision", "prevKv"})
    kv = event.kv
    if event.type == "DELETE":
        assert kv == api.KeyValue(kv.key, mod_revision=kv.mod_revision), kv
        shown: dict[str, Any] = {"type": "DELETE", "key": text(kv.key)}
        shown["modRevision"] = kv.mod_revision
        if "kv" in wanted:
            shown = {"type": "DELETE", "kv": show(kv, wanted["kv"])}
    else:
        shown = {"type": event.type, "kv": show(kv, wanted.get("kv"))}
    if "prevKv" in wanted:
        shown["prevKv"] = show(event.prev_kv, wanted["prevKv"])
    return shown


def show_events(events: Any, wanted: list[Any]) -> list[Any]:
    pad = [None] * (len(events) - len(wanted))
    return [show_event(event, one) for event, one in zip(events, wanted + pad, strict=False)]


def in_range(value: int, wanted: list[int]) -> Any:
    return wanted if wanted[0] <= value <= wanted[1] else value


REVISION = {"revision": lambda answer: answer.revision}
RANGE = {
    **REVISION,
    "kvs": lambda answer, wanted: show_all(answer.kvs, wanted),
    "keys": lambda answer: [text(kv.key) for kv in answer.kvs],
    "values": lambda answer: [text(kv.value) for kv in answer.kvs],
    "keysValuesLeases": lambda a: [[text(kv.key), text(kv.value), kv.lease] for kv in a.kvs],
    "count": lambda answer: answer.count,
    "more": lambda answer: answer.more,
}
PUT = {
    **REVISION,
    "prevKv": lambda answer, wanted: show(answer.prev_kv, wanted),
    "prevKvValue": lambda answer: answer.prev_kv and text(answer.prev_kv.value),
}
DELETE = {
    **REVISION,
    "deleted": lambda answer: answer.deleted,
    "prevKvs": lambda a, wanted: (
        show_all(a.prev_kvs, wanted) if isinstance(wanted, list) else len(a.prev_kvs)
    ),
    "prevKeys": lambda answer: [text(kv.key) for kv in answer.prev_kvs],
    "prevValues": lambda answer: [text(kv.value) for kv in answer.prev_kvs],
}
LEASE = {
    "id": lambda answer: answer.id,
    "ttl": lambda answer: answer.ttl,
    "grantedTTL": lambda answer: answer.granted,
    "ttlRange": lambda answer, wanted: in_range(answer.ttl, wanted),
    "keys": lambda answer: [text(key) for key in answer.keys],
}
EVENTS = {
    "events": lambda answer, wanted: show_events(answer.events, wanted),
    "keys": lambda answer: [text(event.kv.key) for event in answer.events],
    "types": lambda answer: [event.type for event in answer.events],
    "values": lambda answer: [text(event.kv.value) for event in answer.events],
    "prevValues": lambda a: [event.prev_kv and text(event.prev_kv.value) for event in a.events],
    "modRevisions": lambda answer: [event.kv.mod_revision for event in answer.events],
    "canceled": lambda answer: answer.canceled,
    "compactRevision": lambda answer: answer.compact_revision,
}
OPENED = {
    "created": lambda _: True,  # otherwise it had been refused
    "canceled": lambda answer: answer.canceled,
    "compactRevision": lambda answer: answer.compact_revision,
    "revision": lambda answer: answer.opened,
    "watchId": lambda answer: answer.id,
}
KINDS: list[tuple[type, dict[str, Any]]] = [
    (api.RangeResponse, RANGE),
    (api.PutResponse, PUT),
    (api.DeleteResponse, DELETE),
    (api.Lease, LEASE),
]


def responses(answer: api.TxnResponse, wanted: list[Any]) -> list[Any]:
    assert len(answer.responses) == len(wanted), answer.responses
    for each, expect in zip(answer.responses, wanted, strict=True):
        compare("a response", expect, each, expectations(each))
    return wanted


TXN = {**REVISION, "succeeded": lambda answer: answer.succeeded, "responses": responses}


def expectations(answer: Any) -> dict[str, Any]:
    """What can be expected of an answer of this kind."""
    if isinstance(answer, api.TxnResponse):
        return TXN
    return next((known for kind, known in KINDS if isinstance(answer, kind)), {})


class Seen:
    """What a watch has said since somebody looked."""

    def __init__(self, watch: api.Watch, said: tuple[api.WatchResponse, ...]) -> None:
        self.id, self.opened = watch.id, watch.revision
        self.events = [event for response in said for event in response.events]
        self.canceled = any(response.canceled for response in said)
        self.compact_revision = max((each.compact_revision for each in said), default=0)


# -- playing a case --------------------------------------------------------------------------------


class Player:
    """Plays the steps of a case on ``etcd``. Each op is a method; it returns the answer."""

    def __init__(self, etcd: api.Etcd) -> None:
        self.etcd = etcd
        self.watches: dict[str, api.Watch] = {}
        self.unread: dict[str, tuple[api.WatchResponse, ...]] = {}
        self.asserted = 0

    def play(self, step: dict[str, Any]) -> None:
        fields = {name: value for name, value in step.items() if name not in {"op", "expect"}}
        op, expect = step["op"], step.get("expect")
        method = getattr(self, f"op_{op}", None)
        if method is None:
            raise NotUnderstood(f"op {op}")
        try:
            known, answer = method({k: v for k, v in fields.items() if k not in PROSE})
            error = None
        except api.EtcdError as refusal:
            known, answer, error = {}, None, refusal.message
        rest = dict(expect or {})
        wanted = rest.pop("error", None)
        lapsed = isinstance(answer, api.Lease) and op == "keepAlive" and answer.ttl <= 0
        if lapsed and wanted == LEASE_NOT_FOUND:
            error = wanted  # on the wire only the time says so; it is the client that complains
        assert error == wanted, f"{op} {fields}: should fail with {wanted}, was {error}"
        self.asserted += expect is not None and "error" in expect
        if error is None and expect is not None and (rest or "error" not in expect):
            self.asserted += compare(f"{op} {fields}", rest, answer, known)
        elif rest:
            raise NotUnderstood(f"{op} fails and expects {rest}")

    def request(self, send: Callable[[Any], Any], request: Any) -> Any:
        answer = send(request)
        return expectations(answer), answer

    def op_put(self, fields: dict[str, Any]) -> Any:
        return self.request(self.etcd.put, build(api.Put, fields))

    def op_range(self, fields: dict[str, Any]) -> Any:
        return self.request(self.etcd.range, build(api.Range, fields))

    def op_deleteRange(self, fields: dict[str, Any]) -> Any:  # noqa: N802
        return self.request(self.etcd.delete_range, build(api.DeleteRange, fields))

    def op_txn(self, fields: dict[str, Any]) -> Any:
        return self.request(self.etcd.txn, build_txn(fields))

    def op_txnGenerated(self, fields: dict[str, Any]) -> Any:  # noqa: N802
        only("txnGenerated", fields, {"part", "count"})
        return self.request(self.etcd.txn, generated(fields["part"], fields["count"]))

    def op_compact(self, fields: dict[str, Any]) -> Any:
        only("compact", fields, {"revision"})
        return {"revision": lambda revision: revision}, self.etcd.compact(fields["revision"])

    def op_grant(self, fields: dict[str, Any]) -> Any:
        only("grant", fields, {"ttl", "id"})
        return LEASE, self.etcd.grant(fields["ttl"], fields.get("id", 0))

    def op_revoke(self, fields: dict[str, Any]) -> Any:
        only("revoke", fields, {"id"})
        return {}, self.etcd.revoke(fields["id"])

    def op_keepAlive(self, fields: dict[str, Any]) -> Any:  # noqa: N802
        only("keepAlive", fields, {"id"})
        return LEASE, self.etcd.keep_alive(fields["id"])

    def op_timeToLive(self, fields: dict[str, Any]) -> Any:  # noqa: N802
        only("timeToLive", fields, {"id", "keys"})
        return LEASE, self.etcd.time_to_live(fields["id"], keys=fields.get("keys", False))

    def op_leases(self, fields: dict[str, Any]) -> Any:
        only("leases", fields, ())
        return {"ids": lambda answer: list(answer)}, self.etcd.leases()

    def op_watch(self, fields: dict[str, Any]) -> Any:
        only("watch", fields, {"id", "key", "end", "startRevision", "prevKv", "noPut", "noDelete"})
        watch = self.etcd.watch(
            raw(fields["key"]), raw(fields.get("end")), fields.get("startRevision", 0),
            prev_kv=fields.get("prevKv", False), no_put=fields.get("noPut", False),
            no_delete=fields.get("noDelete", False),
        )  # fmt: skip
        self.watches[fields["id"]] = watch
        # Only a watch into the past has something to say already; "events" will ask for it again.
        said = watch.pending() if fields.get("startRevision") or watch.id < 0 else ()
        self.unread[fields["id"]] = said
        return OPENED, Seen(watch, said)

    def op_events(self, fields: dict[str, Any]) -> Any:
        only("events", fields, {"watch"})
        watch = self.watches[fields["watch"]]
        said = self.unread.pop(fields["watch"], ()) + watch.pending()
        return EVENTS, Seen(watch, said)


class StorePlayer(Player):
    """Plays on a store in this process, whose clock and storage can be got at."""

    def __init__(self, *, mvcc: bool) -> None:
        self.now = 0.0
        self.store = Store(lambda: self.now)
        if mvcc:
            self.store.lessor.require = lambda lease: None  # type: ignore[method-assign]
        super().__init__(self.store)

    def op_advance(self, fields: dict[str, Any]) -> Any:
        only("advance", fields, {"seconds"})
        self.now += fields["seconds"]
        return {}, None

    def op_minTTL(self, fields: dict[str, Any]) -> Any:  # noqa: N802
        only("minTTL", fields, {"seconds"})
        self.store.lessor.min_ttl = fields["seconds"]
        return {}, None

    def op_history(self, fields: dict[str, Any]) -> Any:
        only("history", fields, {"minRevision", "maxRevisionExclusive"})
        changes = self.store.mvcc.changes(fields["minRevision"], fields["maxRevisionExclusive"])
        watch = self.store.watch(b"x")
        return EVENTS, Seen(
            watch, (api.WatchResponse(0, tuple(change.event for change in changes)),)
        )

    def op_mvccTxn(self, fields: dict[str, Any]) -> Any:  # noqa: N802
        only("mvccTxn", fields, {"ops"})
        etcd, self.etcd = self.etcd, Applier(self.store.mvcc, self.store.lessor)
        try:
            for step in fields["ops"]:
                self.play(step)
        finally:
            self.etcd = etcd
        return {"revision": lambda revision: revision}, self.store.mvcc.commit()


def checked(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The cases of a file, with nothing at their top that is not understood."""
    only("the file", document, {"source", "note", "cases"})
    yield from document["cases"]


def play(case: dict[str, Any], player: Player) -> tuple[int, tuple[str, ...]]:
    """Plays a case; returns how many assertions were made."""
    only(case["id"], case, CASE_FIELDS)
    for step in case["steps"]:
        player.play(step)
    return player.asserted, ()


def on_a_server(case: dict[str, Any]) -> bool:
    """The rule for a real server: requests only; no storage level, no clock, no knobs."""
    return case.get("level") is None and not INTERNAL & {step["op"] for step in case["steps"]}


def on_a_store(case: dict[str, Any]) -> tuple[int, tuple[str, ...]]:
    level = case.get("level")
    if level not in {None, "mvcc"}:
        raise NotUnderstood(f"level {level}")
    return play(case, StorePlayer(mvcc=level == "mvcc"))


def cases(document: dict[str, Any]) -> Iterator[Case]:
    for case in checked(document):
        yield Case(case["id"], partial(on_a_store, case))
