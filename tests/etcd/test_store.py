"""The store's own behaviour: what its clock, its clients and its clones do, as tables."""

from __future__ import annotations

import pytest

from k8snetlib.etcd.api import (
    FROM_KEY,
    Compare,
    DeleteRange,
    EtcdError,
    EtcdUnreachable,
    Put,
    Range,
    Txn,
    Watch,
    prefix_end,
)
from k8snetlib.etcd.lessor import FIRST_ID
from k8snetlib.etcd.store import Store

ALL = (b"\0", FROM_KEY)


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return Store(clock)


def told(watch: Watch) -> list[str]:
    """What a watch says, an event a line."""
    return [
        f"{event.kv.mod_revision} {event.type} {event.kv.key.decode()}"
        for response in watch.pending()
        for event in response.events
    ]


def keys(store: Store, revision: int = 0) -> str:
    return b" ".join(kv.key for kv in store.range(Range(*ALL, revision)).kvs).decode()


# -- leases and the clock --------------------------------------------------------------------------

#: when (seconds), what is done, and what a watch on everything has seen by then.
EXPIRY = [
    # Both are due together: the earlier time first, whichever was granted first.
    ("two at once", [(0, "grant 1 20"), (0, "grant 2 10"), (0, "put a 1"), (0, "put b 2")],
     30, ["4 DELETE b", "5 DELETE a"]),
    # The same time: in the order of the grants.
    ("the same second", [(0, "grant 2 10"), (0, "grant 1 10"), (0, "put a 1"), (0, "put b 2")],
     30, ["4 DELETE b", "5 DELETE a"]),
    ("one revision a lease", [(0, "grant 1 10"), (0, "put b 1"), (0, "put a 1")],
     10, ["4 DELETE a", "4 DELETE b"]),
    ("not a moment early", [(0, "grant 1 10"), (0, "put a 1")], 9.999, []),
    ("at its time", [(0, "grant 1 10"), (0, "put a 1")], 10, ["3 DELETE a"]),
    ("kept alive", [(0, "grant 1 10"), (0, "put a 1"), (6, "keep 1")], 15.9, []),
    ("kept alive once", [(0, "grant 1 10"), (0, "put a 1"), (6, "keep 1")], 16, ["3 DELETE a"]),
    ("kept alive too late", [(0, "grant 1 10"), (0, "put a 1"), (10, "keep 1")], 16, ["3 DELETE a"]),
    ("moved to another lease", [(0, "grant 1 10"), (0, "grant 2 90"), (0, "put a 1"),
     (0, "put a 2")], 10, []),
    ("detached", [(0, "grant 1 10"), (0, "put a 1"), (0, "put a 0")], 100, []),
    ("deleted before", [(0, "grant 1 10"), (0, "put a 1"), (0, "del a"), (0, "put a 0")], 10,
     ["3 DELETE a"]),
    ("without keys", [(0, "grant 1 10")], 10, []),
    ("raised to the least", [(0, "grant 1 1"), (0, "put a 1")], 1.9, []),
    ("revoked before", [(0, "grant 1 10"), (0, "put a 1"), (3, "revoke 1"), (4, "put a 0")], 20,
     ["3 DELETE a"]),
    ("granted again", [(0, "grant 1 10"), (3, "revoke 1"), (4, "grant 1 50"), (4, "put a 1")], 20, []),
    ("granted anew", [(0, "grant 1 10"), (10, "grant 1 10"), (10, "put a 1")], 19, []),
    ("stopped meanwhile", [(0, "grant 1 10"), (0, "put a 1"), (5, "stop"), (50, "start")], 60.9, []),
    ("a new leader gives all of it", [(0, "grant 1 10"), (0, "put a 1"), (5, "stop"), (50, "start")],
     61, ["3 DELETE a"]),
    ("dead before it stopped", [(0, "grant 1 10"), (0, "put a 1"), (12, "stop"), (50, "start")], 50,
     ["3 DELETE a"]),
    ("restarted", [(0, "grant 1 10"), (0, "put a 1"), (9, "restart")], 19.9, []),
]  # fmt: skip


@pytest.mark.parametrize(("name", "script", "end", "seen"), EXPIRY, ids=[row[0] for row in EXPIRY])
def test_expiry(name, script, end, seen, clock, store):
    watch = store.watch(*ALL, no_put=True)
    for when, line in script:
        clock.now = when
        verb, *words = line.split()
        match verb:
            case "grant":
                store.grant(int(words[1]), int(words[0]))
            case "put":
                store.put(Put(words[0].encode(), b"", int(words[1])))
            case "del":
                store.delete_range(DeleteRange(words[0].encode()))
            case "keep":
                store.keep_alive(int(words[0]))
            case "revoke":
                store.revoke(int(words[0]))
            case _:
                getattr(store, verb)()
    clock.now = end
    assert told(watch) == seen


def test_next_expiry(clock, store):
    assert store.next_expiry() is None
    store.grant(20, 1), store.grant(10, 2)
    assert store.next_expiry() == 10
    clock.now = 5
    store.keep_alive(2), store.revoke(1)
    assert store.next_expiry() == 15
    store.stop()
    assert store.next_expiry() is None


def test_the_server_counts_its_ids(store):
    first, second = store.grant(10), store.grant(10, FIRST_ID + 2)
    assert (first.id, second.id) == (FIRST_ID, FIRST_ID + 2)
    assert store.grant(10).id == FIRST_ID + 3  # the next one is taken
    store.revoke(FIRST_ID)
    assert store.grant(10).id == FIRST_ID + 4  # and an old one does not come back


def test_what_is_left(clock, store):
    store.grant(10, 1)
    store.put(Put(b"b", lease=1)), store.put(Put(b"a", lease=1))
    clock.now = 3.5
    assert store.time_to_live(1, keys=True) == (1, 6, 10, (b"a", b"b"))
    assert store.time_to_live(1).keys == ()
    assert store.keep_alive(1).ttl == 10
    clock.now = 14
    assert store.time_to_live(1) == (1, -1, 0, ())
    assert store.keep_alive(1).ttl == 0
    assert store.leases() == ()


def test_leases_in_the_order_of_their_end(clock, store):
    for lease, ttl in ((1, 30), (2, 10), (3, 20), (4, 20)):
        store.grant(ttl, lease)
    assert store.leases() == (2, 3, 4, 1)
    clock.now = 5
    store.keep_alive(3)
    assert store.leases() == (2, 4, 3, 1)


# -- watches ---------------------------------------------------------------------------------------


def test_a_watch_misses_nothing_and_repeats_nothing(store):
    watch = store.watch(b"a", b"c")
    late = []
    for number in range(50):
        store.put(Put(b"%c" % b"abc"[number % 3], b"%d" % number))
        if number % 7 == 0:
            late += told(watch)
    late += told(watch)
    assert late == [f"{n + 2} PUT {'abc'[n % 3]}" for n in range(50) if n % 3 < 2]
    assert told(watch) == []
    past = store.watch(b"a", b"c", 2)
    assert told(past) == late


def test_responses_keep_a_revision_together(store):
    store.put(Put(b"x"))
    watch = store.watch(*ALL, 1)
    store.txn(Txn(success=(Put(b"a"), Put(b"b"))))
    store.put(Put(b"c"))
    shape = [(response.revision, len(response.events)) for response in watch.pending()]
    assert shape == [(2, 1), (3, 2), (4, 1)]
    again = store.watch(*ALL, 2)  # what is past comes at once, and bears the current revision
    assert [(response.revision, len(response.events)) for response in again.pending()] == [(4, 4)]


def test_a_watch_in_the_future_waits(store):
    watch = store.watch(b"a", None, 4)
    for _ in range(4):
        store.put(Put(b"a"))
    assert told(watch) == ["4 PUT a", "5 PUT a"]


def test_filters_and_previous_values(store):
    store.put(Put(b"a", b"1"))
    watch = store.watch(b"a", no_delete=True, prev_kv=True)
    store.put(Put(b"a", b"2")), store.delete_range(DeleteRange(b"a")), store.put(Put(b"a", b"3"))
    events = [event for response in watch.pending() for event in response.events]
    assert [event.prev_kv and event.prev_kv.value for event in events] == [b"1", None]


def test_a_cancelled_watch_is_silent(store):
    watch = store.watch(b"a")
    store.put(Put(b"a"))
    watch.cancel()
    store.put(Put(b"a"))
    assert watch.pending() == ()


def test_compaction_does_not_touch_an_open_watch(store):
    watch = store.watch(b"a")
    for _ in range(3):
        store.put(Put(b"a"))
    store.compact(4)
    assert told(watch) == ["2 PUT a", "3 PUT a", "4 PUT a"]
    late = store.watch(b"a", None, 3)
    (response,) = late.pending()
    assert response == (4, (), True, 4)
    assert late.pending() == () and told(store.watch(b"a", None, 4)) == ["4 PUT a"]


def test_compaction_keeps_the_state_and_the_deletion_at_its_revision(store):
    store.put(Put(b"a", b"1")), store.put(Put(b"b", b"1")), store.put(Put(b"a", b"2"))
    store.delete_range(DeleteRange(b"b"))
    store.compact(5)
    assert keys(store, 5) == "a"
    # A server before 3.4.36 forgets it: etcd-io/etcd#19179.
    assert told(store.watch(*ALL, 5)) == ["5 DELETE b"]
    watch = store.watch(*ALL, 5, prev_kv=True)
    assert watch.pending()[0].events[0].prev_kv is None  # revision 4 cannot be read any more
    store.put(Put(b"b", b"2"))
    assert store.range(Range(b"b")).kvs[0].version == 1


# -- clients ---------------------------------------------------------------------------------------


def calls(client):
    return {
        "range": lambda: client.range(Range(b"a")),
        "put": lambda: client.put(Put(b"a")),
        "delete_range": lambda: client.delete_range(DeleteRange(b"a")),
        "txn": lambda: client.txn(Txn()),
        "compact": lambda: client.compact(1),
        "grant": lambda: client.grant(5),
        "revoke": lambda: client.revoke(1),
        "keep_alive": lambda: client.keep_alive(1),
        "time_to_live": lambda: client.time_to_live(1),
        "leases": lambda: client.leases(),
        "watch": lambda: client.watch(b"a"),
    }


@pytest.mark.parametrize("name", calls(None))
@pytest.mark.parametrize("how", ["cut", "stopped"])
def test_nobody_answers(name, how, store):
    if how == "stopped":
        store.stop()
    client = store.client(lambda: how != "cut")
    before = store.mvcc.revision, store.lessor.all()
    with pytest.raises(EtcdUnreachable, match="context deadline exceeded"):
        calls(client)[name]()
    assert (store.mvcc.revision, store.lessor.all()) == before


@pytest.mark.parametrize("name", calls(None))
def test_a_client_reaches_the_store(name, store):
    store.grant(10, 1)
    calls(store.client())[name]()


def test_a_cut_watch_goes_on_where_it_was(store):
    up = [True]
    watch = store.client(lambda: up[0]).watch(b"a")
    store.put(Put(b"a"))
    assert told(watch) == ["2 PUT a"]
    up[0] = False
    store.put(Put(b"a"))
    with pytest.raises(EtcdUnreachable):
        watch.pending()
    store.put(Put(b"a"))
    up[0] = True
    (response,) = watch.pending()  # both at once, as what is past
    assert response.revision == 4 and len(response.events) == 2
    store.put(Put(b"a"))
    assert told(watch) == ["5 PUT a"]


#: A watch that has seen revision 2 is cut off (or etcd restarts); how far the store is compacted
#: meanwhile, and whether the watch survives.
CUTS = [("cut", 3, True), ("cut", 4, False), ("restart", 3, True), ("restart", 4, False)]


@pytest.mark.parametrize(("how", "revision", "survives"), CUTS)
def test_compacted_while_cut_off(how, revision, survives, store):
    up = [True]
    watch = store.client(lambda: up[0]).watch(b"a")
    store.put(Put(b"a"))
    assert told(watch) == ["2 PUT a"]
    up[0] = how != "cut"
    store.put(Put(b"a")), store.put(Put(b"a")), store.put(Put(b"other"))
    store.compact(revision)
    if how == "restart":
        store.restart()
    up[0] = True
    if survives:
        assert told(watch) == ["3 PUT a", "4 PUT a"]
    else:
        (response,) = watch.pending()
        assert response.canceled and response.compact_revision == revision


def test_what_was_under_way_is_asked_for_again(store):
    """Sent before the restart, but never read: the client does not have it, so it comes again."""
    watch = store.watch(b"a")
    store.put(Put(b"a")), store.put(Put(b"a"))
    store.compact(2)  # the server has sent both
    store.restart()
    assert told(watch) == ["2 PUT a", "3 PUT a"]
    assert told(watch) == []


# -- clones ----------------------------------------------------------------------------------------


def test_a_clone_is_independent(clock, store):
    store.grant(10, 1)
    store.put(Put(b"a", b"1", 1)), store.put(Put(b"b", b"1"))
    watch = store.watch(*ALL)
    store.put(Put(b"c"))
    later = Clock()
    later.now = clock.now
    twin = store.clone(later)
    twin_watch = twin.adopt(watch)
    twin.put(Put(b"d")), twin.delete_range(DeleteRange(b"b")), twin.compact(5)
    later.now = 10
    assert told(twin_watch) == ["4 PUT c", "5 PUT d", "6 DELETE b", "7 DELETE a"]
    assert keys(twin) == "c d"
    assert keys(store) == "a b c" and store.leases() == (1,)
    assert told(watch) == ["4 PUT c"] and store.mvcc.compacted == -1
    assert store.grant(10).id == twin.grant(10).id


def test_a_clone_of_a_stopped_store_and_a_cut_client(store):
    watch = store.client(lambda: False)
    store.put(Put(b"a"))
    opened = store.watch(b"a", None, 1)
    store.stop()
    twin = store.clone()
    with pytest.raises(EtcdUnreachable):
        twin.leases()
    twin.start()
    assert told(twin.client().adopt(opened)) == ["2 PUT a"]
    with pytest.raises(EtcdUnreachable):
        watch.range(Range(b"a"))


def test_a_clone_of_a_watch_has_its_own_place(store):
    watch = store.watch(b"a")
    store.put(Put(b"a"))
    store.compact(2)
    twin = store.clone()
    copy = twin.adopt(watch)
    assert told(copy) == told(watch) == ["2 PUT a"]
    assert told(copy) == told(watch) == []


# -- transactions ----------------------------------------------------------------------------------


def test_a_refused_transaction_leaves_no_trace(store):
    store.put(Put(b"a", b"1"))
    watch = store.watch(*ALL)
    bad = Put(b"b", lease=9)
    with pytest.raises(EtcdError, match="requested lease not found"):
        store.txn(Txn(success=(Put(b"a", b"2"), bad)))
    assert store.range(Range(b"a")).kvs[0].value == b"1"
    assert store.put(Put(b"c")).revision == 3 and told(watch) == ["3 PUT c"]
    # On the branch not taken it does not matter.
    assert store.txn(Txn((Compare("VERSION", b"a", "=", 1),), (), (bad,))).succeeded


@pytest.mark.parametrize(
    ("revision", "error"), [(2, "compacted"), (3, None), (4, None), (5, "future"), (0, None)]
)
def test_a_read_in_the_past_within_a_transaction(revision, error, store):
    for _ in range(3):
        store.put(Put(b"a"))
    store.compact(3)
    txn = Txn(success=(Put(b"b"), Range(b"a", None, revision)))
    if error:
        with pytest.raises(EtcdError, match=error):
            store.txn(txn)
        assert store.mvcc.revision == 4
    else:
        read = store.txn(txn).responses[1]
        assert read.kvs[0].mod_revision == (revision or 4) and read.revision == 5


def test_nested_transactions_share_the_allowance(store):
    inner = tuple(Range(b"k") for _ in range(64))
    outer = (Txn(success=inner), *(Range(b"k") for _ in range(63)))
    assert store.txn(Txn(success=outer)).succeeded
    with pytest.raises(EtcdError, match="too many operations"):
        store.txn(Txn(success=(*outer, Range(b"k"))))


@pytest.mark.parametrize(
    ("prefix", "end"),
    [(b"a", b"b"), (b"a\xff", b"b"), (b"\xff", FROM_KEY), (b"", FROM_KEY), (b"/x/", b"/x0")],
)
def test_prefix_end(prefix, end):
    assert prefix_end(prefix) == end


def test_a_thousand_nodes(store):
    prefix = b"/coreos.com/network/subnets/"
    watches = [store.watch(prefix, prefix_end(prefix)) for _ in range(1000)]
    for number in range(1000):
        lease = store.grant(86400).id
        store.put(Put(prefix + b"10.%d.%d.0-24" % divmod(number, 256), b"{}", lease))
    assert [len(told(watch)) for watch in watches[::250]] == [1000] * 4
    assert store.range(Range(prefix, prefix_end(prefix), count_only=True)).count == 1000


def test_a_limit_counts_after_the_filters(store):
    for key in b"abcd":
        store.put(Put(b"%c" % key))
    read = store.range(Range(*ALL, limit=1, min_mod_revision=4))
    assert [kv.key for kv in read.kvs] == [b"c"] and read.more and read.count == 4
    read = store.range(Range(*ALL, limit=1, max_create_revision=2))
    assert [kv.key for kv in read.kvs] == [b"a"] and not read.more
