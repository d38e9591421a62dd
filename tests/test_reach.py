"""Who reaches whom: the promise of the flat network, and every way in which a pair can fail it."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.reach import FATES, Pair, all_pairs, hosts_of
from tests.clusters import bare, renumbered
from tests.views.conftest import with_rules


def found(cluster: Cluster, *hosts: str) -> dict[tuple[str, str], Pair]:
    return {(pair.sender, pair.target): pair for pair in all_pairs(cluster, hosts)}


@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
def test_the_promise(backend):
    """A1: every pod reaches every pod, and is seen there under its own address."""
    cluster = Cluster.example(backend)
    pairs = all_pairs(cluster, cluster.pods)
    assert len(pairs) == 20
    for pair in pairs:
        own = cluster.address_of(pair.sender)
        assert (pair.fate, pair.end, pair.sent, pair.seen) == ("reached", pair.target, own, own)


@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
def test_the_promise_holds_with_all_rules_of_a_real_node(backend):
    """And a pod that sends to another node is masqueraded, as flannel's rules say."""
    cluster = with_rules(backend)
    assert {pair.fate for pair in all_pairs(cluster, cluster.pods)} == {"reached"}
    pair = found(cluster, "web2", "node2")["web2", "node2"]
    assert (pair.fate, pair.sent, pair.seen) == ("translated", "10.1.15.2", "192.168.66.11")


def test_hosts_come_node_by_node():
    assert hosts_of(Cluster.example()) == (
        *("web1", "web2", "backend", "backend-b", "backend-c", "node1", "node2", "node3"),
    )
    assert len(all_pairs(Cluster.example())) == 8 * 7


def test_one_range_on_two_nodes():
    """A14's clash: answers by another pod, answers that go astray."""
    pairs = found(renumbered())
    assert pairs["backend-c", "backend"].fate == "wrong host"
    assert pairs["backend-c", "backend"].end == "web2"
    assert pairs["web2", "backend"].end == "web2"
    assert pairs["backend", "backend-c"].fate == "no answer"
    assert pairs["backend", "backend-c"].seen == "10.1.15.2"
    assert pairs["backend", "backend-b"].fate == "reached"


def test_a_policy_that_drops():
    cluster = bare()
    cluster["node1"].sh("iptables -P FORWARD DROP")
    pair = found(cluster, "web2", "backend")["web2", "backend"]
    assert (pair.fate, pair.end, pair.sent, pair.seen) == ("dropped", "node1", "10.1.15.2", "")
    assert found(cluster, "web2", "node1")["web2", "node1"].fate == "reached"


def test_a_host_without_routes_sends_nothing():
    cluster = Cluster.example()
    for route in ("default", "10.1.15.0/24"):
        cluster["web2"].sh(f"ip route del {route}")
    pair = found(cluster, "web2", "backend")["web2", "backend"]
    assert pair.fate == "unreachable" and pair.seen == "" and pair.reason


def test_the_cluster_stays_as_it_was():
    """No cache is filled, no time passes, and no pair leans on another."""
    cluster = Cluster.example()
    all_pairs(cluster)
    assert cluster["web2"].sh("ip neigh") == ""
    assert len(cluster.ping("web2", "web1").packets) == 4, "the ARP question is still to be asked"


def test_unknown_names():
    with pytest.raises(UnknownName, match="web9"):
        all_pairs(Cluster.example(), ["web9", "web1"])


def test_every_name_that_people_use():
    (one, _) = all_pairs(Cluster.example(), ["pod/web1", "10.1.15.2"])
    assert (one.sender, one.target, one.fate) == ("web1", "web2", "reached")


def test_every_fate_occurs():
    seen = {pair.fate for c in (renumbered(), with_rules()) for pair in all_pairs(c)}
    assert set(FATES) <= seen
