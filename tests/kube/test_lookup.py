"""A Service by every name that people write, and where its packets go first."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadPacket, K8sNetError, UnknownName
from k8snetlib.kube.api import Service, ServicePort, slice_of
from k8snetlib.kube.apiserver import api_server

TWO = (ServicePort("http", "tcp", 80, 8080), ServicePort("metrics", "tcp", 9100))


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    cluster = Cluster.example()
    api = api_server(cluster.network)
    pods = {pod.name: pod for pod in cluster.spec.pods}
    headless = Service("backend-pods", "None", (ServicePort("http", "tcp", 80, 8080),))
    api.put(headless)
    api.put(slice_of(headless, [pods["backend-b"], pods["backend-c"]]))
    api.put(Service("many", "10.96.0.90", TWO))
    api.put(Service("nobody", "None", TWO))
    api.put(Service("away", "", (), type="ExternalName", external_name="example.org"))
    api.put(Service("web1", "10.96.0.91", TWO))
    for namespace in ("a", "b"):
        api.put(Service("twin", f"10.96.0.9{2 + (namespace == 'b')}", TWO, namespace))
    return cluster


NAMES = {
    "backend-svc": "10.96.0.10",
    "svc/backend-svc": "10.96.0.10",
    "service/backend-svc": "10.96.0.10",
    "svc/backend-svc:http": "10.96.0.10",
    "default/backend-svc": "10.96.0.10",
    "svc/default/backend-svc:http": "10.96.0.10",
    "backend-svc.default": "10.96.0.10",
    "backend-svc.default.svc": "10.96.0.10",
    "backend-svc.default.svc.cluster.local": "10.96.0.10",
    "kube-dns": "10.96.0.53",
    "kube-system/kube-dns": "10.96.0.53",
    "a/twin": "10.96.0.92",
    "svc/web1": "10.96.0.91",
    "pod/web1": "10.1.15.3",
    "backend-pods": "10.1.20.4",
    "web2": "10.1.15.2",
    "node1": "192.168.66.11",
    "10.1.2.3": "10.1.2.3",
}


@pytest.mark.parametrize(("name", "ip"), NAMES.items(), ids=NAMES)
def test_address_of(cluster: Cluster, name: str, ip: str) -> None:
    assert cluster.address_of(name) == ip


REFUSED: dict[str, tuple[str, int | str | None, type[K8sNetError], str]] = {
    "a pod and a Service": ("web1", 80, UnknownName, "svc/default/web1 or pod/web1"),
    "in two namespaces": ("twin", 80, UnknownName, "svc/a/twin or svc/b/twin"),
    "a misspelt one": ("backnd-svc", 80, UnknownName, "Did you mean backend-svc"),
    "which of its ports": ("many", None, BadPacket, "http 80, metrics 9100"),
    "no such port": ("many", "https", UnknownName, "It has: http, metrics"),
    "a name for a pod's port": ("web2", "http", BadPacket, "Only a Service's ports have names"),
    "a pod without a port": ("web2", None, BadPacket, "needs a destination port"),
    "a headless one without endpoints": ("nobody", 80, UnknownName, "no ready endpoint"),
    "a name for elsewhere": ("away", 80, BadPacket, "example.org"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(cluster: Cluster, case: tuple[str, int | str | None, type, str]) -> None:
    target, port, kind, says = case
    with pytest.raises(kind, match=says):
        cluster.connect("web2", target, port)


PORTS = {
    "its only one": ("backend-svc", None, "10.96.0.10:80"),
    "by name": ("backend-svc", "http", "10.96.0.10:80"),
    "in the target": ("svc/backend-svc:http", None, "10.96.0.10:80"),
    "a number in the target": ("backend-svc:80", None, "10.96.0.10:80"),
    "a headless one's is its pods'": ("backend-pods", "http", "10.1.20.4:8080"),
}


@pytest.mark.parametrize("case", PORTS.values(), ids=PORTS)
def test_ports(cluster: Cluster, case: tuple[str, str | None, str]) -> None:
    target, port, where = case
    exchange = cluster.connect("web2", target, port)
    assert exchange.outcome == "delivered"
    assert f">{where} " in str(exchange.request.frames[0])


def test_endpoint_pins_what_is_chosen(cluster: Cluster) -> None:
    for name in ("backend", "backend-b", "backend-c"):
        exchange = cluster.connect("web2", "backend-svc", endpoint=name)
        assert exchange.request.hops[-1].netns == name
    pinned = cluster.connect("web2", "backend-pods", 8080, endpoint="backend-c")
    assert pinned.request.hops[-1].netns == "backend-c"
