"""What a connection to a Service costs: counted in the node's rules, in every mode."""

from __future__ import annotations

import pytest

from k8snetlib.cost import PLACES, Cost, connection, crowded, curve
from k8snetlib.errors import BadManifest, UnknownName
from k8snetlib.kube.api import example_spec


def test_iptables_tests_one_rule_more_for_each_service_in_front():
    first, middle, last = (connection("iptables", 60, place).evaluated for place in PLACES)
    assert (middle - first, last - first) == (30, 60)
    assert first == connection("iptables", 0).evaluated


@pytest.mark.parametrize("mode", ["nftables", "ipvs"])
def test_a_lookup_costs_the_same_however_many_services_there_are(mode):
    small, large = curve(mode, (30, 90), "last")
    assert small.evaluated == large.evaluated < connection("iptables", 30).evaluated
    assert small == Cost(mode, 34, "last", small.evaluated)


def test_every_service_of_a_crowd_is_real():
    """Each has an address of its own and one pod behind it, and answers."""
    from k8snetlib import Cluster

    cluster = Cluster(crowded(example_spec("host-gw"), 12, "middle"))
    addresses = [service.cluster_ip for service in cluster.spec.services]
    assert len(set(addresses)) == len(addresses) == 16
    for name in ("alpha/other-00005", "zulu/other-00006"):
        (fate,) = cluster.outcomes("web2", name, 80, proto="tcp")
        assert fate.receiver in cluster.pods
    assert cluster.connect("web2", "backend-svc", 80).ok


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda spec: crowded(spec, 3, "lsat"), UnknownName, "last"),
        (lambda spec: crowded(spec, 70_000), BadManifest, "no room for 70000"),
    ],
    ids=["place", "too-many"],
)
def test_what_cannot_be(call, error, says):
    with pytest.raises(error, match=says):
        call(example_spec())
