"""What lives here: a real etcd server behind ``api.Etcd``: starting one, and speaking to it.

``running`` starts the ``etcd`` program on this machine, on ports of its own of the loopback
interface, and ends it afterwards. ``Gateway`` speaks to a server over its JSON gateway, with the
client library etcd3gw (the optional extra ``etcd``). That library knows addresses, sessions and
status codes; it has no calls for most conditions, or for a watch from an earlier revision, so the
gateway's messages are written here.

This is the one place of this room that touches the world; ``import k8snetlib`` does not load it,
and neither does the store. Source: etcd's api/etcdserverpb/rpc.proto and its JSON mapping.
"""

from __future__ import annotations

import ctypes
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from etcd3gw import exceptions
from etcd3gw.client import Etcd3Client

from k8snetlib.errors import K8sNetError
from k8snetlib.etcd.api import (
    Compare,
    DeleteRange,
    DeleteResponse,
    EtcdError,
    Event,
    KeyValue,
    Lease,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Txn,
    TxnResponse,
    WatchResponse,
)
from k8snetlib.etcd.refusal import refused, unreachable

#: How long a server may take to start, and to answer, in seconds.
PATIENCE = 20.0
#: How long a watch waits for an event that may never come, in seconds. An open watch is told at
#: once; one that starts in the past is served every tenth of a second.
SETTLE = 0.5

_PR_SET_PDEATHSIG = 1
_RESULTS = {"=": "EQUAL", "!=": "NOT_EQUAL", ">": "GREATER", "<": "LESS"}
_OPERANDS = {"CREATE": "create_revision", "MOD": "mod_revision"}


@contextmanager
def running(folder: Path, program: str = "etcd") -> Iterator[str]:
    """Starts an etcd server of one member and yields its address, ``127.0.0.1:PORT``.

    Parameters: ``folder`` is where it keeps its data (and its log, ``etcd.log``); ``program`` is
    the command. The server ends with the ``with`` block, and on Linux also if this process (a
    notebook's kernel, say) is killed; the folder stays. Raises ``K8sNetError`` if it does not come
    up.
    """
    client, peer = _free_ports(2)
    command = [
        program, "--name", "k8snet", "--data-dir", str(folder / "data"),
        "--listen-client-urls", f"http://127.0.0.1:{client}",
        "--advertise-client-urls", f"http://127.0.0.1:{client}",
        "--listen-peer-urls", f"http://127.0.0.1:{peer}",
        "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
        "--initial-cluster", f"k8snet=http://127.0.0.1:{peer}",
        "--logger", "zap", "--log-level", "warn",
    ]  # fmt: skip
    with (folder / "etcd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_follow)
    try:
        _wait(process, Gateway("127.0.0.1", client), folder / "etcd.log")
        yield f"127.0.0.1:{client}"
    finally:
        process.kill()
        process.wait()


def _follow() -> None:
    """Runs in the server's process before it is etcd: it is to end when its parent does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait(process: subprocess.Popen[bytes], gateway: Gateway, log: Path) -> None:
    give_up = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < give_up:
        try:
            gateway.range(Range(b"\0", count_only=True))
        except EtcdError:
            time.sleep(0.02)
        else:
            return
    raise K8sNetError("The etcd server did not come up.", log.read_text(errors="replace")[-500:])


class Gateway:
    """A real etcd server, over its JSON gateway; does what ``api.Etcd`` says.

    Parameters: ``host`` and ``port`` of the server; ``settle`` is how long, in seconds, a watch
    waits before it says that nothing is pending.
    """

    def __init__(self, host: str, port: int, *, settle: float = SETTLE) -> None:
        self._client = Etcd3Client(host, port, timeout=PATIENCE, api_path="/v3/")
        self.settle = settle

    def range(self, request: Range) -> RangeResponse:
        """Reads a key or a range, now or at an earlier revision."""
        return _range_response(self._ask("kv/range", _range(request)))

    def put(self, request: Put) -> PutResponse:
        """Writes a key."""
        return _put_response(self._ask("kv/put", _put(request)))

    def delete_range(self, request: DeleteRange) -> DeleteResponse:
        """Deletes a key or a range."""
        return _delete_response(self._ask("kv/deleterange", _delete(request)))

    def txn(self, request: Txn) -> TxnResponse:
        """Compares, then does one of two lists of requests, atomically."""
        return _txn_response(self._ask("kv/txn", _txn(request)))

    def compact(self, revision: int) -> int:
        """Forgets what was superseded before ``revision``; returns the current revision."""
        return _revision(self._ask("kv/compaction", {"revision": revision}))

    def grant(self, ttl: int, id: int = 0) -> Lease:
        """A new lease; see ``api.Etcd.grant``."""
        answer = self._ask("lease/grant", {"TTL": ttl, "ID": id})
        return Lease(int(answer["ID"]), int(answer["TTL"]), int(answer["TTL"]))

    def revoke(self, lease: int) -> None:
        """Ends a lease, and all keys attached to it in one revision."""
        self._ask("lease/revoke", {"ID": lease})

    def keep_alive(self, lease: int) -> Lease:
        """Sets a lease's time back to what was granted; ``ttl`` 0: there is none such."""
        answer = self._ask("lease/keepalive", {"ID": lease})["result"]
        ttl = int(answer.get("TTL", 0))
        return Lease(lease, ttl, ttl)

    def time_to_live(self, lease: int, *, keys: bool = False) -> Lease:
        """What is left of a lease; ``ttl`` -1: there is none such."""
        answer = self._ask("lease/timetolive", {"ID": lease, "keys": keys})
        attached = tuple(sorted(b64decode(key) for key in answer.get("keys", ())))
        granted = int(answer.get("grantedTTL", 0))
        return Lease(lease, int(answer.get("TTL", 0)), granted, attached)

    def leases(self) -> tuple[int, ...]:
        """The identifiers of all leases."""
        answer = self._ask("lease/leases", {})
        return tuple(int(lease["ID"]) for lease in answer.get("leases", ()))

    def watch(
        self, key: bytes, end: bytes | None = None, start_revision: int = 0, *,
        prev_kv: bool = False, no_put: bool = False, no_delete: bool = False,
    ) -> Stream:  # fmt: skip
        """Opens a watch; see ``api.Etcd.watch``."""
        hidden = ["NOPUT"] * no_put + ["NODELETE"] * no_delete
        create = _interval(key, end) | {
            "start_revision": start_revision, "prev_kv": prev_kv, "filters": hidden,
        }  # fmt: skip
        return Stream(self, create)

    def revision(self) -> int:
        """The store's current revision."""
        return self.range(Range(b"\0", count_only=True)).revision

    def open_stream(self, create: dict[str, Any]) -> Any:
        """The answer to a watch request: a response (of requests) that goes on and on."""
        try:
            return self._client.session.post(
                self._client.get_url("/watch"), json={"create_request": create}, stream=True,
                timeout=(PATIENCE, None),
            )  # fmt: skip
        except OSError as error:  # what requests raises is one
            raise unreachable() from error

    def _ask(self, path: str, message: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._client.post(self._client.get_url(path), json=message)
            return answer
        except (exceptions.ConnectionFailedError, exceptions.ConnectionTimeoutError) as error:
            raise unreachable() from error
        except exceptions.Etcd3Exception as error:
            raise _refusal(error.detail_text or "") from error


class Stream:
    """An open watch on a real server; does what ``api.Watch`` says."""

    def __init__(self, gateway: Gateway, create: dict[str, Any]) -> None:
        self._gateway = gateway
        self._arrived = threading.Condition()
        self._ready: list[WatchResponse] = []
        self._seen = 0  # the newest revision in an answer
        self._ended = self._closed = False
        self._response = gateway.open_stream(create)
        lines = self._response.iter_lines()
        created = json.loads(next(lines))["result"]
        self.id = int(created.get("watch_id", 0))
        self.revision = _revision(created)
        if created.get("canceled"):
            self._take(created)
        self._reader = threading.Thread(target=self._read, args=(lines,), daemon=True)
        self._reader.start()

    def pending(self) -> tuple[WatchResponse, ...]:
        """What came since the last call. Nothing tells that nothing will come, so this waits until
        an answer is as new as the store, or for ``settle`` seconds in vain."""
        revision = self._gateway.revision()
        with self._arrived:
            while not self._ended and self._seen < revision:
                if not self._arrived.wait(self._gateway.settle):
                    break
            responses, self._ready = tuple(self._ready), []
            if self._ended and not self._closed and not responses:
                raise unreachable()
            return responses

    def cancel(self) -> None:
        """Closes the watch."""
        self._closed = True
        # Closing would wait for the thread that reads, and that one for the server.
        self._response.raw.shutdown()

    def _read(self, lines: Iterator[bytes]) -> None:
        try:
            for line in lines:
                with self._arrived:
                    self._take(json.loads(line)["result"])
                    self._arrived.notify_all()
                    if self._closed:
                        break
        except OSError:  # the stream broke
            pass
        finally:
            self._response.close()
        with self._arrived:
            self._ended = True
            self._arrived.notify_all()

    def _take(self, answer: dict[str, Any]) -> None:
        events = tuple(_event(each) for each in answer.get("events", ()))
        canceled = bool(answer.get("canceled"))
        self._seen = _revision(answer)
        self._closed = self._closed or canceled
        compacted = int(answer.get("compact_revision", 0))
        self._ready.append(WatchResponse(self._seen, events, canceled, compacted))


def _refusal(body: str) -> EtcdError:
    try:
        return refused(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return EtcdError(f"The etcd server answered with something else than an error: {body}")


# -- messages there --------------------------------------------------------------------------------


def _bytes(data: bytes) -> str:
    return b64encode(data).decode()


def _interval(key: bytes, end: bytes | None) -> dict[str, Any]:
    return {"key": _bytes(key), "range_end": _bytes(end or b"")}


def _range(request: Range) -> dict[str, Any]:
    rest = request._asdict()
    del rest["key"], rest["end"]
    return _interval(request.key, request.end) | rest


def _put(request: Put) -> dict[str, Any]:
    return request._asdict() | {"key": _bytes(request.key), "value": _bytes(request.value)}


def _delete(request: DeleteRange) -> dict[str, Any]:
    return _interval(request.key, request.end) | {"prev_kv": request.prev_kv}


def _compare(compare: Compare) -> dict[str, Any]:
    operand = compare.operand
    return _interval(compare.key, compare.end) | {
        "target": compare.target,
        "result": _RESULTS[compare.op],
        _OPERANDS.get(compare.target, compare.target.lower()): (
            _bytes(operand) if isinstance(operand, bytes) else operand
        ),
    }


def _txn(request: Txn) -> dict[str, Any]:
    return {
        "compare": [_compare(each) for each in request.compare],
        "success": [_operation(each) for each in request.success],
        "failure": [_operation(each) for each in request.failure],
    }


def _operation(request: Range | Put | DeleteRange | Txn) -> dict[str, Any]:
    if isinstance(request, Range):
        return {"request_range": _range(request)}
    if isinstance(request, Put):
        return {"request_put": _put(request)}
    if isinstance(request, DeleteRange):
        return {"request_delete_range": _delete(request)}
    return {"request_txn": _txn(request)}


# -- and back --------------------------------------------------------------------------------------


def _revision(answer: dict[str, Any]) -> int:
    return int(answer.get("header", {}).get("revision", 0))


def _kv(fields: dict[str, Any]) -> KeyValue:
    return KeyValue(
        b64decode(fields.get("key", "")),
        b64decode(fields.get("value", "")),
        *(int(fields.get(name, 0)) for name in KeyValue._fields[2:]),
    )


def _kvs(answer: dict[str, Any], name: str) -> tuple[KeyValue, ...]:
    return tuple(_kv(each) for each in answer.get(name, ()))


def _event(fields: dict[str, Any]) -> Event:
    before = fields.get("prev_kv")
    return Event(fields.get("type", "PUT"), _kv(fields["kv"]), _kv(before) if before else None)


def _range_response(answer: dict[str, Any]) -> RangeResponse:
    more, count = bool(answer.get("more")), int(answer.get("count", 0))
    return RangeResponse(_revision(answer), _kvs(answer, "kvs"), more, count)


def _put_response(answer: dict[str, Any]) -> PutResponse:
    before = answer.get("prev_kv")
    return PutResponse(_revision(answer), _kv(before) if before else None)


def _delete_response(answer: dict[str, Any]) -> DeleteResponse:
    deleted = int(answer.get("deleted", 0))
    return DeleteResponse(_revision(answer), deleted, _kvs(answer, "prev_kvs"))


def _txn_response(answer: dict[str, Any]) -> TxnResponse:
    responses = tuple(_response(each) for each in answer.get("responses", ()))
    return TxnResponse(_revision(answer), bool(answer.get("succeeded")), responses)


def _response(
    answer: dict[str, Any],
) -> RangeResponse | PutResponse | DeleteResponse | TxnResponse:
    if "response_range" in answer:
        return _range_response(answer["response_range"])
    if "response_put" in answer:
        return _put_response(answer["response_put"])
    if "response_delete_range" in answer:
        return _delete_response(answer["response_delete_range"])
    return _txn_response(answer["response_txn"])
