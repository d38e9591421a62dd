"""All that can become of a packet: ``Cluster.outcomes``, and what it costs in rules."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.kernel.flow_runner import warm_cluster

THIRD = Fraction(1, 3)
BACKENDS = ["10.1.20.3:8080", "10.1.20.4:8080", "10.1.30.2:8080"]

#: who sends what -> every fate: probability, outcome, receiver, source there, destination there.
CASES = {
    "pod to ClusterIP": (
        ("web2", "10.96.0.10", 80), {},
        [(THIRD, "delivered", pod, "10.1.15.2", ip)
         for pod, ip in zip(("backend", "backend-b", "backend-c"), BACKENDS, strict=True)],
    ),
    "hairpin is masqueraded": (
        ("backend", "10.96.0.10", 80), {},
        [(THIRD, "delivered", "backend", "10.1.20.1", BACKENDS[0]),
         (THIRD, "delivered", "backend-b", "10.1.20.3", BACKENDS[1]),
         (THIRD, "delivered", "backend-c", "10.1.20.3", BACKENDS[2])],
    ),
    "UDP, two endpoints": (
        ("web2", "10.96.0.53", 53), {"proto": "udp"},
        [(Fraction(1, 2), "delivered", "backend", "10.1.15.2", "10.1.20.3:53"),
         (Fraction(1, 2), "delivered", "backend-c", "10.1.15.2", "10.1.30.2:53")],
    ),
    "one endpoint": (
        ("client", "192.168.66.12", 30081), {},
        [(1, "delivered", "backend", "192.168.66.100", "10.1.20.3:8080")],
    ),
    "policy Local, no endpoint here": (
        ("client", "192.168.66.11", 30081), {},
        [(1, "dropped", "node1", "192.168.66.100", "192.168.66.11:30081")],
    ),
    "no endpoints": (
        ("web2", "10.96.0.20", 80), {}, [(1, "rejected", "node1", "10.1.15.2", "10.96.0.20:80")]
    ),
    "nothing left to chance": (
        ("web2", "10.1.20.3", 8080), {},
        [(1, "delivered", "backend", "10.1.15.2", "10.1.20.3:8080")],
    ),
    "no route: nothing is sent": (
        ("router", "10.1.20.3", 80), {}, [(1, "unreachable", "router", "", "")]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_fate(case):
    args, options, wanted = CASES[case]
    found = warm_cluster("vxlan").outcomes(*args, **options)
    assert [(f.probability, f.outcome, f.receiver, f.src, f.dst) for f in found] == wanted
    assert sum(f.probability for f in found) == 1


def test_the_cluster_itself_stays_as_it_is():
    cluster = warm_cluster("vxlan").clone()
    before = {n: cluster[n].sh("conntrack -L") for n in cluster.nodes}
    chance = cluster.network.random.getstate()
    cluster.outcomes("web2", "10.96.0.10", 80)
    assert {n: cluster[n].sh("conntrack -L") for n in cluster.nodes} == before
    assert cluster.network.random.getstate() == chance


def test_a_pinned_endpoint_is_one_fate():
    (fate,) = warm_cluster("vxlan").outcomes("web2", "10.96.0.10", 80, endpoint="backend-b")
    assert (fate.probability, fate.receiver) == (1, "backend-b")
    assert str(fate) == "    1  delivered    10.1.15.2 > 10.1.20.4:8080 at backend-b"


def test_ways_that_end_alike_are_one_fate():
    """Every SYN that FORWARD drops is drawn anew; all of it is one fate an endpoint."""
    cluster = warm_cluster("vxlan").clone()
    cluster["node1"].sh("iptables -I FORWARD -d 10.1.30.2 -j DROP")
    found = cluster.outcomes("web2", "10.96.0.10", 80)
    assert sum(f.probability for f in found) == 1
    assert len({(f.outcome, f.receiver, f.dst) for f in found}) == len(found)
    (lost,) = [f for f in found if f.outcome == "dropped"]
    assert lost.probability < THIRD  # it is retried, and drawn again


def test_the_rules_that_a_kernel_evaluates():
    """A rule more for each endpoint that was passed over."""
    found = warm_cluster("vxlan").outcomes("web2", "10.96.0.10", 80)
    first, second, third = (f.exchange.request.evaluated["node1"] for f in found)
    assert (second - first, third - second) == (1, 1)
