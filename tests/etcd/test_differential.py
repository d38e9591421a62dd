"""The same random requests to the store and to a real server: the same answers, to the last field.

What differed once stands in ``FOUND``, by its name, and is played first.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from k8snetlib.etcd import api
from k8snetlib.etcd.store import Store
from tests.etcd.rebased import Rebased

KEYS = [b"\0", b"a", b"ab", b"abc", b"b", b"c", b"\xff"]
ENDS = [None, b"", b"\0", b"a", b"ab", b"b", b"c", b"d", b"\xff", b"\xff\xff"]
LEASES = [0, 0, 0, 1, 2, 3]

keys = st.sampled_from(KEYS)
ends = st.sampled_from(ENDS)
values = st.sampled_from([b"", b"1", b"2", b"10"])
# 0 and less are not rebased (and there is nothing to learn from -1).
revisions = st.integers(0, 12)
ranges = st.builds(
    api.Range, keys, ends, revisions, st.integers(-1, 3), st.booleans(), st.booleans(),
    st.sampled_from(["NONE", "ASCEND", "DESCEND"]),
    st.sampled_from(["KEY", "VERSION", "CREATE", "MOD", "VALUE"]),
    *[st.sampled_from([0, 0, 0, 3, 5])] * 4,
)  # fmt: skip
puts = st.builds(
    api.Put, keys, values, st.sampled_from(LEASES), st.booleans(),
    *[st.sampled_from([False, False, False, True])] * 2,
)  # fmt: skip
deletes = st.builds(api.DeleteRange, keys, ends, st.booleans())
compares = st.one_of(
    st.builds(api.Compare, st.just("VALUE"), keys, st.sampled_from("=<>"), values, ends),
    st.builds(
        api.Compare, st.sampled_from(["VERSION", "CREATE", "MOD", "LEASE"]), keys,
        st.sampled_from(["=", "!=", "<", ">"]), st.integers(0, 6), ends,
    ),
)  # fmt: skip


def txns(inner: Any) -> Any:
    branch = st.lists(inner, max_size=3).map(tuple)
    return st.builds(api.Txn, st.lists(compares, max_size=2).map(tuple), branch, branch)


requests = st.recursive(st.one_of(ranges, puts, deletes), txns, max_leaves=8)
ids = st.sampled_from([1, 2, 3])
steps = st.one_of(
    requests, requests, puts, txns(requests),
    st.tuples(st.just("compact"), st.integers(1, 12)),
    st.tuples(st.just("grant"), st.sampled_from([-1, 0, 1, 100, 9_000_000_000, 9_000_000_001]), ids),
    st.tuples(st.just("revoke"), ids),
    st.tuples(st.just("keep_alive"), ids),
    st.tuples(st.just("time_to_live"), ids),
    st.tuples(st.just("leases")),
)  # fmt: skip

METHODS = {api.Range: "range", api.Put: "put", api.DeleteRange: "delete_range", api.Txn: "txn"}


def do(etcd: api.Etcd, step: Any) -> Any:
    """Carries a step out; an answer that depends on the clock is made to stand still."""
    try:
        if type(step) in METHODS:
            return getattr(etcd, METHODS[type(step)])(step)
        name, *rest = step
        if name == "time_to_live":
            lease = etcd.time_to_live(*rest, keys=True)
            assert lease.granted >= lease.ttl >= -1
            return lease._replace(ttl=min(lease.ttl, 0))
        if name == "leases":
            return sorted(etcd.leases())
        return getattr(etcd, name)(*rest)
    except api.EtcdError as error:
        return error.message


def history(etcd: api.Etcd, start: int) -> list[api.Event]:
    watch = etcd.watch(b"\0", b"\0", start, prev_kv=True)
    events = [event for response in watch.pending() for event in response.events]
    watch.cancel()
    return events


def differ(server: Any, script: list[Any]) -> None:
    store, real = Store(), Rebased(server)
    compacted = 0
    for number, step in enumerate(script):
        ours, theirs = do(store, step), do(real, step)
        assert ours == theirs, f"step {number}: {step}\n store {ours}\n etcd  {theirs}"
        compacted = max(compacted, store.mvcc.compacted)
    # From the compacted revision itself a 3.4 server forgets deletions; newer ones do not.
    start = max(compacted + 1, 2)
    if start <= store.mvcc.revision:
        assert history(store, start) == history(real, start)


K = b"a"
FOUND: dict[str, list[Any]] = {
    "conditions-see-the-state-before": [
        api.Txn(
            success=(
                api.Put(K, b"1"),
                api.Txn((api.Compare("VERSION", K, "=", 0),), (api.Put(b"b", b"then"),)),
            )
        ),
        api.Range(b"b"),
    ],
    "a-delete-to-the-end-overlaps-nothing": [
        api.Txn(success=(api.Put(b"b", b"1"), api.DeleteRange(K, b"\0"))),
        api.Range(b"\0", b"\0"),
    ],
}


@pytest.mark.parametrize("name", FOUND)
def test_found(name, server):
    differ(server, FOUND[name])


def test_random(server):
    server.settle = 2.0  # the watch at the end always has something to say

    @settings(phases=[Phase.generate], max_examples=int(__import__("os").environ.get("N", "30")))
    @given(st.lists(steps, min_size=5, max_size=14))
    def run(script):
        differ(server, script)

    run()
