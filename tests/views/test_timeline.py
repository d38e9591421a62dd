"""The timeline: what etcd's log and the journals tell, and words that stay in their boxes."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.views import timeline
from k8snetlib.views.timeline import history, on_paper
from tests.views.paper import cut, faults


def cut_off() -> Cluster:
    cluster = Cluster.example()
    cluster.cut_from_etcd("node2")
    cluster.advance("25h")
    cluster.reconnect("node2")
    cluster.advance("5s")
    return cluster


def revoked() -> Cluster:
    cluster = Cluster.example()
    cluster["node1"].sh("etcdctl lease revoke 694d000000000002")
    return cluster


@pytest.mark.parametrize("make", [Cluster.example, cut_off, revoked])
def test_words_stay_in_their_boxes(make):
    cluster = make()
    for entries in (history(cluster), ()):
        sheet, width, height = on_paper(cluster, entries)
        assert faults(sheet, width, height) == []
        assert cut(sheet) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (cut_off, "23h0m0s etcd 10.1.15.0-24: renewed, rev 6"),
        (cut_off, "23h0m0s flanneld node2: cannot renew (121×)"),
        (cut_off, "24h0m0s etcd 10.1.20.0-24: expired, rev 8"),
        (cut_off, "24h0m0s flanneld node1: − 10.1.20.0/24"),
        (cut_off, "25h0m0s flanneld node2: lease is gone: ends"),
        (cut_off, "25h0m5s etcd 10.1.20.0-24: created, rev 9"),
        (revoked, "0s etcd 10.1.20.0-24: revoked, rev 6"),
    ],
)
def test_the_words_tell_what_happened(make, said):
    cluster = make()
    for each in (cluster, cluster.clone()):
        assert said in timeline(each).text.splitlines()


def test_since_and_nothing():
    assert "rev 6" not in timeline(cut_off(), "24h").text
    assert "nothing happened" in timeline(Cluster.example(), "1h").svg
    assert "Nothing happened" in timeline(Cluster.example(), "1h").text


def test_without_etcd_there_is_none():
    with pytest.raises(K8sNetError, match="no leases in etcd"):
        timeline(Cluster.example(flanneld="--kube-subnet-mgr"))
