"""What lives here: what etcd refuses, in the texts of its gRPC errors, each with a hint of ours.

The store raises these by name; the client of a real server looks a text up, so that the hint is
the same. Source: etcd's api/v3rpc/rpctypes/error.go.
"""

from __future__ import annotations

from k8snetlib.etcd.api import EtcdError, EtcdUnreachable

EMPTY_KEY = "etcdserver: key is not provided"
KEY_NOT_FOUND = "etcdserver: key not found"
VALUE_PROVIDED = "etcdserver: value is provided"
LEASE_PROVIDED = "etcdserver: lease is provided"
TOO_MANY_OPS = "etcdserver: too many operations in txn request"
DUPLICATE_KEY = "etcdserver: duplicate key given in txn request"
COMPACTED = "etcdserver: mvcc: required revision has been compacted"
FUTURE_REVISION = "etcdserver: mvcc: required revision is a future revision"
LEASE_NOT_FOUND = "etcdserver: requested lease not found"
LEASE_EXISTS = "etcdserver: lease already exists"
LEASE_TTL_TOO_LARGE = "etcdserver: too large lease TTL"
#: What clientv3 (and etcdctl) says after waiting in vain.
UNREACHABLE = "context deadline exceeded"

HINTS = {
    EMPTY_KEY: "A key is at least one byte; all keys are the prefix ''.",
    KEY_NOT_FOUND: "ignore_value and ignore_lease keep what a key has: it must exist.",
    VALUE_PROVIDED: "ignore_value keeps the old value: give none.",
    LEASE_PROVIDED: "ignore_lease keeps the old lease: give none.",
    TOO_MANY_OPS: "At most 128 conditions or requests fit in one list.",
    DUPLICATE_KEY: "One transaction may write a key once only.",
    COMPACTED: "That part of the history is forgotten: read the current state.",
    FUTURE_REVISION: "The store has not come so far yet.",
    LEASE_NOT_FOUND: "It was revoked, it ran out, or it never was: grant a new one.",
    LEASE_EXISTS: "Choose another id, or 0: then the server chooses.",
    LEASE_TTL_TOO_LARGE: "At most 9,000,000,000 seconds.",
}


def refused(text: str) -> EtcdError:
    """The error with this text, and the hint that belongs to it."""
    return EtcdError(text, HINTS.get(text, ""))


def unreachable() -> EtcdUnreachable:
    """Nobody answered in time."""
    return EtcdUnreachable(UNREACHABLE, "etcd is down, or the way to it is cut.")
