"""The runtime's side of CNI: calls, what they change, what is lost; and the table of calls."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError, UnknownName
from k8snetlib.kube.cni.runtime import FILES, NODE, POD, Change, Runtime
from k8snetlib.views import plugin_calls
from tests.course.proofs_12 import CONFIG


@pytest.fixture
def runtime() -> Runtime:
    return Runtime(Cluster.example()["node1"], CONFIG)


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (POD, ["veth eth0", "10.77.0.2/29 on eth0", "route default via 10.77.0.1 dev eth0",
               "route 10.77.0.0/29 dev eth0"]),
        (NODE, ["bridge cni0", "10.77.0.1/29 on cni0", "a veth, a port of cni0",
                "route 10.77.0.0/29 dev cni0"]),
        (FILES, ["10.77.0.2: red eth0", "last_reserved_ip.0: 10.77.0.2"]),
    ],
    ids=[POD, NODE, FILES],
)  # fmt: skip
def test_an_add_tells_what_it_changed(runtime, where, what):
    told = runtime.add("red")
    assert [change.what for change in told.changes if change.where == where] == what
    assert {change.sign for change in told.changes} == {"+"}


def test_a_del_takes_back_what_is_the_pods(runtime):
    made, gone = runtime.add("red"), runtime.delete("red")
    own = {c.what for c in made.changes if c.where == POD} | {"a veth, a port of cni0"}
    assert {c.what for c in gone.changes} == own | {"10.77.0.2: red eth0"}
    assert {c.sign for c in gone.changes} == {"−"}
    assert "red" not in runtime.network.netns


def test_two_cables_are_two_changes(runtime):
    runtime.add("red")
    assert Change(NODE, "+", "a veth, a port of cni0") in runtime.add("blue").changes


def test_a_refused_add_leaves_no_namespace(runtime):
    for n in range(5):
        assert runtime.add(f"p{n}").address == f"10.77.0.{n + 2}/29"
    told = runtime.add("one-more")
    assert "no IP addresses available" in told.error and told.address == ""
    assert [t.command for t in runtime.log[-2:]] == ["ADD", "DEL"]
    assert "one-more" not in runtime.network.netns


def test_a_second_add_is_refused_and_takes_nothing_away(runtime):
    first, second = runtime.add("red"), runtime.add("red")
    assert "already exists" in second.error and second.changes == ()
    assert "red" in runtime.network.netns and first.address == "10.77.0.2/29"


def test_a_lost_pod_leaks_its_address_until_del(runtime):
    runtime.add("red")
    runtime.lose("red")
    runtime.lose("red")
    assert "10.77.0.2" in runtime.node.sh("ls /var/lib/cni/networks/shop")
    assert not [d for d in runtime.node.devices.values() if d.master == "cni0"]
    assert runtime.delete("red").changes == (Change(FILES, "−", "10.77.0.2: red eth0"),)


def test_a_pod_can_send_to_the_node_and_to_its_neighbour(runtime):
    runtime.add("red")
    runtime.add("blue")
    for target in ("10.77.0.1", "10.77.0.3"):
        assert " 0% packet loss" in runtime.network["red"].sh(f"ping -c 1 {target}")


def test_misuse_is_said():
    node = Cluster.example()["node1"]
    with pytest.raises(K8sNetError, match="needs a 'type'"):
        Runtime(node, {"name": "x"})
    with pytest.raises(UnknownName, match="node2"):
        Runtime(node, CONFIG).lose("node2")


def test_the_table_has_a_row_for_each_call(runtime):
    assert "None yet." in str(plugin_calls(runtime))
    runtime.add("red")
    runtime.add("red")
    runtime.delete("red")
    (grid,) = plugin_calls(runtime).grids
    assert [row[0].words for row in grid.rows] == ["1. ADD red", "2. ADD red", "3. DEL red"]
    assert [row[1].sign for row in grid.rows] == ["✓", "✕", "✓"]
    assert [len(row) for row in grid.rows] == [5, 5, 5]
    (shorter,) = plugin_calls(runtime, since=2).grids
    assert shorter.rows == grid.rows[2:]
