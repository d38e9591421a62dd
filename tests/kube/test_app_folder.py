"""A cluster out of an ordinary app folder: it can be built, and its workloads have names."""

from __future__ import annotations

import warnings

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadManifest, UnknownName
from k8snetlib.kube.api import Container, Listen, Pod, example_spec
from tests.kube.test_assigned import APP, MORE


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "app.yaml").write_text(APP + MORE, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Cluster.from_manifests(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("web", "web-"), ("deploy/web", "web-"), ("deployment/backend", "backend-"),
        ("default/web", "web-"), ("sts/db", "db-0"), ("db-1", "db-1"), ("data/db-1", "db-1"),
        ("pod/data/db-1", "db-1"), ("ds/agent", "node1"), ("data/sts/db", "db-0"),
    ],
)  # fmt: skip
def test_names(cluster, name, begins):
    assert cluster[name].name.startswith(begins)


def test_a_name_of_nobody(cluster):
    with pytest.raises(UnknownName, match="no pod, node or host called 'sts/web'"):
        cluster["sts/web"]


def test_a_pod_on_the_hosts_network(cluster):
    """It has no namespace of its own: its socket is the node's."""
    agent = next(pod for pod in cluster.spec.pods if pod.host_network and pod.node == "node2")
    assert agent.name not in cluster.network.netns and cluster[agent.name].name == "node2"
    exchange = cluster.connect("web", "192.168.66.12", port=9100)
    assert exchange.outcome == "delivered"
    with pytest.raises(
        BadManifest, match=r"on the network of node1, and its address is 10\.9\.9\.9"
    ):
        Cluster(
            example_spec()._replace(pods=(Pod("x", "node1", "10.9.9.9", (), host_network=True),))
        )


def test_devices_have_names_that_linux_takes(cluster):
    devices = [name for ns in cluster.network.netns.values() for name in ns.devices]
    assert max(map(len, devices)) <= 15 and "veth-db-0" in devices


def test_two_pods_of_one_name():
    """A StatefulSet in two Kubernetes namespaces: each is found by its whole name."""
    http = (Container("c", (Listen("tcp", 80),)),)
    twins = (
        Pod("db-0", "node1", "10.1.15.7", http, "red"), Pod("db-0", "node2", "10.1.20.7", http, "blue"),
    )  # fmt: skip
    cluster = Cluster(example_spec()._replace(pods=twins, services=(), slices=()))
    assert cluster["red/db-0"].name == "red/db-0" and cluster["blue/db-0"].name == "blue/db-0"
    with pytest.raises(UnknownName, match=r"called 'db-0'.*red/db-0"):
        cluster["db-0"]
    assert cluster.connect("red/db-0", "10.1.20.7", port=80).outcome == "delivered"
