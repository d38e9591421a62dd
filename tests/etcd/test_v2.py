"""The v2 tree beyond etcd's own cases: what flannel's first life depended on."""

from __future__ import annotations

import pytest

from k8snetlib.etcd.v2 import Tree
from k8snetlib.etcd.v2_words import EtcdV2Error

SUBNETS = "/coreos.com/network/subnets"


def test_a_poll_answers_once_and_the_history_tells_the_rest():
    tree = Tree()
    poll = tree.watch(SUBNETS, recursive=True)
    for subnet in ("10.1.15.0-24", "10.1.20.0-24", "10.1.33.0-24"):
        tree.create(f"{SUBNETS}/{subnet}", "{}", ttl=86400)
    seen = []
    while (event := poll.event()) is not None:
        seen.append(event.node.key.rpartition("/")[2])
        assert poll.event() is None
        poll = tree.watch(SUBNETS, recursive=True, wait_index=event.node.modified_index + 1)
    assert seen == ["10.1.15.0-24", "10.1.20.0-24", "10.1.33.0-24"]


def test_who_comes_too_late_reads_afresh():
    tree = Tree(history=1000)
    tree.set("/a", "1")
    for number in range(1001):
        tree.set("/other", str(number))
    with pytest.raises(EtcdV2Error) as caught:
        tree.watch("/a", wait_index=2)
    error = caught.value
    assert (error.code, error.index) == (401, 1002)
    assert error.cause == "the requested history has been cleared [3/2]"
    assert str(error) == (
        "The event in requested index is outdated and cleared "
        "(the requested history has been cleared [3/2])"
    )
    event = tree.get("/a")
    assert (event.node.modified_index, event.index) == (1, 1002)
    assert tree.watch("/a", wait_index=event.index + 1).event() is None


def test_times_to_live():
    now = [0.0]
    tree = Tree(lambda: now[0])
    tree.create("/a", "1", ttl=10)
    assert tree.get("/a").node[3:5] == (10, 10.0)
    now[0] = 3.5
    assert tree.get("/a").node.ttl == 7  # rounded up
    tree.update("/a", "2")  # without a time: for ever
    now[0] = 20
    assert tree.get("/a").node.ttl == 0
    tree.set("/a", "3", ttl=5), tree.set("/a", ttl=50, refresh=True)
    now[0] = 60
    assert tree.get("/a").node.value == "3"
    tree.create("/dir", directory=True, ttl=5), tree.create("/dir/below", "x", ttl=5)
    index = tree.index
    now[0] = 65
    assert tree.index == index + 1  # what is below goes with it
    now[0] = 70
    assert tree.index == index + 2  # and then /a
    with pytest.raises(EtcdV2Error, match="Key not found"):
        tree.get("/a")


REFUSED = [
    (lambda tree: tree.create("/file/below", "x"), 104, "/file"),
    (lambda tree: tree.get("/file/below"), 104, "/file"),
    (lambda tree: tree.set("/file/below", "x"), 104, "/file"),
    (lambda tree: tree.set("/dir", "x"), 102, "/dir"),
    (lambda tree: tree.update("/dir", "x"), 102, "/dir"),
    (lambda tree: tree.delete("/dir"), 102, "/dir"),
    (lambda tree: tree.delete("/dir", directory=True), 108, "/dir"),
    (lambda tree: tree.delete("/none"), 100, "/none"),
    (lambda tree: tree.get("/none/below"), 100, "/none"),
    (lambda tree: tree.set("/none", ttl=5, refresh=True), 100, "/none"),
    (lambda tree: tree.compare_and_swap("/dir", "x", prev_index=1), 102, "/dir"),
    (lambda tree: tree.compare_and_delete("/none", prev_index=1), 100, "/none"),
    (lambda tree: tree.compare_and_delete("/file", prev_value="y", prev_index=9), 101,
     "[y != x] [9 != 2]"),
    (lambda tree: tree.compare_and_swap("/file", "z", prev_index=9), 101, "[9 != 2]"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "code", "cause"), REFUSED)
def test_refused(call, code, cause):
    tree = Tree()
    tree.create("/dir/below", "x"), tree.create("/file", "x")
    with pytest.raises(EtcdV2Error) as caught:
        call(tree)
    assert (caught.value.code, caught.value.cause, caught.value.index) == (code, cause, 2)
    assert tree.index == 2


def test_names_made_by_the_index():
    tree = Tree()
    assert tree.create("/queue", "a", unique=True).node.key == "/queue/00000000000000000001"
    tree.create("/other")
    tree.create("/queue", "b", unique=True)
    assert [node.value for node in tree.get("/queue").node.nodes] == ["a", "b"]


def test_depth():
    tree = Tree()
    tree.create("/a/b/c", "1"), tree.create("/a/_b/c", "1")
    (child,) = tree.get("/a").node.nodes
    assert (child.key, child.nodes) == ("/a/b", ())
    assert tree.get("/a", recursive=True).node.nodes[0].nodes[0].key == "/a/b/c"
    assert tree.get("/a/_b").node.nodes[0].key == "/a/_b/c"


def test_a_stream_that_nobody_reads_is_dropped():
    tree = Tree()
    stream = tree.watch("/a", stream=True)
    for _ in range(102):
        tree.set("/a")
    read = [stream.event() for _ in range(100)]
    assert None not in read and stream.event() is None
    tree.set("/a")
    assert stream.event() is None


def test_a_cancelled_poll():
    tree = Tree()
    poll = tree.watch("/a")
    poll.cancel()
    tree.set("/a")
    assert poll.event() is None


def test_a_refresh_wakes_nobody():
    tree = Tree()
    tree.set("/a", "1", ttl=10)
    poll = tree.watch("/a")
    event = tree.update("/a", ttl=20, refresh=True)
    assert (event.index, event.node.value, event.refresh) == (2, "1", True)
    assert poll.event() is None
    tree.compare_and_swap("/a", "ignored", prev_index=2, ttl=20, refresh=True)
    assert poll.event() is None and tree.get("/a").node.value == "1"
    assert tree.watch("/a", wait_index=2).event() is None
    tree.compare_and_swap("/a", "2", prev_value="1")
    told = poll.event()
    assert told is not None and told.node.value == "2"


def test_deleting_a_directory_tells_who_watches_below():
    tree = Tree()
    tree.create("/a/b", "1")
    poll = tree.watch("/a/b")
    tree.delete("/a", recursive=True)
    told = poll.event()
    assert told is not None and (told.action, told.node.key) == ("delete", "/a")
