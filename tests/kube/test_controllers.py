"""Controllers and kubelets: what follows when objects change, and what the packets then meet."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.address import Prefix
from k8snetlib.errors import UnknownName
from k8snetlib.kube.api import (
    ClusterSpec,
    Container,
    ContainerPort,
    Endpoint,
    EndpointSlice,
    Listen,
    Node,
    Pod,
    Service,
    Workload,
    example_spec,
)
from k8snetlib.kube.apiserver import ApiServer, api_server

APP = (("app", "api"),)
TEMPLATE = Pod("", "", "", (Container("api", (Listen("tcp", 8080),)),), labels=APP)
DEPLOYMENT = Workload("Deployment", "api", TEMPLATE, APP, 3)
SELECTOR = (("app", "backend"),)


def made(
    workload: Workload | None = None, spec: ClusterSpec | None = None
) -> tuple[Cluster, ApiServer]:
    cluster = Cluster(spec or example_spec("vxlan"))
    api = api_server(cluster.network)
    if workload is not None:
        api.put(workload)
    return cluster, api


def own(api: ApiServer, workload: Workload = DEPLOYMENT) -> list[Pod]:
    return [pod for pod in api.list(Pod) if workload.owns(pod)]


def endpoints(api: ApiServer, service: str = "backend-svc") -> dict[str, Endpoint]:
    return {
        endpoint.ip: endpoint
        for found in api.list(EndpointSlice)
        if found.service == service
        for endpoint in found.endpoints
    }


def selecting(api: ApiServer, selector: tuple[tuple[str, str], ...] = SELECTOR) -> None:
    service = api.get(Service, "default", "backend-svc")
    api.put(service._replace(selector=selector))


# -- workloads ------------------------------------------------------------------------------------

KINDS = [
    (DEPLOYMENT, 3, "api-"),
    (Workload("ReplicaSet", "rs", TEMPLATE, APP, 2), 2, "rs-"),
    (Workload("StatefulSet", "db", TEMPLATE, APP, 2), 2, "db-"),
    (Workload("DaemonSet", "ds", TEMPLATE, APP), 3, "ds-"),
    (DEPLOYMENT._replace(replicas=0), 0, ""),
]


@pytest.mark.parametrize(
    ("workload", "count", "prefix"), KINDS, ids=[f"{w.kind}-{n}" for w, n, _ in KINDS]
)
def test_a_workload_gets_pods_that_packets_reach(
    workload: Workload, count: int, prefix: str
) -> None:
    cluster, api = made(workload)
    pods = own(api, workload)
    assert len(pods) == count and all(pod.name.startswith(prefix) for pod in pods)
    for pod in pods:
        assert api.get(Node, "", pod.node).pod_cidr.contains(pod.ip)
        assert cluster.connect("web2", pod.name, 8080).ok
        assert cluster.connect(pod.name, "backend", 8080).ok
    assert {pod.name for pod in pods} <= set(cluster.pods)


def test_pods_are_spread_over_the_nodes() -> None:
    """node3 has one pod, the others two."""
    _, api = made(DEPLOYMENT._replace(replicas=4))
    assert sorted(pod.node for pod in own(api)) == ["node1", "node2", "node3", "node3"]


def test_scaling_down_takes_pods_away_and_up_makes_new_ones() -> None:
    cluster, api = made(DEPLOYMENT._replace(replicas=4))
    before = {pod.name: pod for pod in own(api)}
    api.put(DEPLOYMENT._replace(replicas=1))
    (left,) = own(api)
    assert left.name in before
    gone = set(before) - {left.name}
    assert not gone & set(cluster.network.netns)
    for name in gone:
        assert before[name].ip not in cluster["node1"].network.names.ips  # type: ignore[union-attr]
    api.put(DEPLOYMENT._replace(replicas=3))
    again = {pod.name: pod for pod in own(api)}
    assert len(again) == 3 and not gone & set(again), "a name is given once"
    new_ips = {pod.ip for name, pod in again.items() if name != left.name}
    assert not new_ips & {pod.ip for pod in before.values()}, "addresses go round"


def test_a_deleted_pod_is_replaced_and_its_name_is_free_of_packets() -> None:
    cluster, api = made(DEPLOYMENT)
    victim = own(api)[0]
    assert cluster.connect("web2", victim.name, 8080).ok
    api.terminate(victim)
    assert len(own(api)) == 3 and victim.name not in {pod.name for pod in own(api)}
    with pytest.raises(UnknownName):
        cluster[victim.name]
    assert cluster.connect("web2", victim.ip, 8080).outcome in ("lost", "unreachable")


def test_a_stateful_set_gives_the_same_name_again() -> None:
    workload = Workload("StatefulSet", "db", TEMPLATE, APP, 2)
    cluster, api = made(workload)
    first = api.get(Pod, "default", "db-0")
    api.terminate(first)
    again = api.get(Pod, "default", "db-0")
    assert not again.terminating and again.ip != first.ip
    assert cluster.connect("web2", "db-0", 8080).ok
    api.put(workload._replace(replicas=1))
    assert [pod.name for pod in own(api, workload)] == ["db-0"]


def test_a_workload_that_goes_takes_its_pods_along() -> None:
    cluster, api = made(DEPLOYMENT)
    names = {pod.name for pod in own(api)}
    api.delete(Workload, "default", "Deployment/api")
    assert not own(api) and not names & set(cluster.network.netns)
    assert set(cluster.pods) == {"web1", "web2", "backend", "backend-b", "backend-c"}


def test_a_pod_for_which_there_is_no_node_waits() -> None:
    template = TEMPLATE._replace(node_selector=(("disk", "ssd"),))
    cluster, api = made(DEPLOYMENT._replace(template=template, replicas=1))
    (pod,) = own(api)
    assert (pod.node, pod.ip) == ("", "") and pod.name not in cluster.pods
    api.put(api.get(Node, "", "node3")._replace(labels=(("disk", "ssd"),)))
    api.put(DEPLOYMENT._replace(template=template, replicas=2))
    assert {pod.node for pod in own(api)} == {"node3"}
    api.terminate(pod._replace(node=""))


# -- EndpointSlices -------------------------------------------------------------------------------


def test_slices_without_a_selector_are_left_alone() -> None:
    _, api = made()
    api.put(api.get(Pod, "default", "backend")._replace(ready=False))
    assert endpoints(api, "backend-local")["10.1.20.3"].ready
    assert not endpoints(api, "backend-svc")["10.1.20.3"].ready


def test_a_selector_makes_slices_and_packets_follow() -> None:
    cluster, api = made()
    selecting(api, (("app", "web"),))
    assert set(endpoints(api)) == {"10.1.15.2", "10.1.15.3"}
    assert cluster.connect("web2", "10.96.0.10", 80).outcome == "refused", "web has no port 8080"
    selecting(api)
    assert set(endpoints(api)) == {"10.1.20.3", "10.1.20.4", "10.1.30.2"}
    assert cluster.connect("web2", "10.96.0.10", 80).ok
    assert len([s for s in api.list(EndpointSlice) if s.service == "backend-svc"]) == 1


CHANGES = [
    ("not ready", lambda pod: pod._replace(ready=False), (False, False, False)),
    ("terminating", lambda pod: pod._replace(terminating=True), (False, True, True)),
    ("both", lambda pod: pod._replace(ready=False, terminating=True), (False, False, True)),
    ("other labels", lambda pod: pod._replace(labels=(("app", "x"),)), None),
]


@pytest.mark.parametrize(
    ("change", "wanted"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES]
)
def test_an_endpoint_is_what_its_pod_is(change, wanted) -> None:  # type: ignore[no-untyped-def]
    """ready, serving, terminating; packets go to the others only."""
    cluster, api = made()
    selecting(api)
    api.put(change(api.get(Pod, "default", "backend")))
    found = endpoints(api).get("10.1.20.3")
    conditions = (found.ready, found.serving, found.terminating) if found else None
    assert conditions == wanted
    reached = set[str]()
    for sport in range(4000, 4012):
        exchange = cluster.connect("web2", "10.96.0.10", 80, sport=sport)
        assert exchange.ok and exchange.request is not None
        reached.add(exchange.request.end)
    assert reached == {"backend-b", "backend-c"}


def test_a_deployment_behind_a_service() -> None:
    _, api = made()
    selecting(api, APP)
    assert not endpoints(api)
    api.put(DEPLOYMENT)
    assert set(endpoints(api)) == {pod.ip for pod in own(api)}
    api.put(DEPLOYMENT._replace(replicas=1))
    assert set(endpoints(api)) == {pod.ip for pod in own(api)} and len(own(api)) == 1
    api.delete(Service, "default", "backend-svc")
    assert not endpoints(api)


# -- kubelet --------------------------------------------------------------------------------------


def test_a_pod_that_takes_its_time_is_terminating() -> None:
    """Grace period: the pod still answers, but new connections go elsewhere; then it is gone."""
    cluster, api = made()
    selecting(api)
    api.terminate(api.get(Pod, "default", "backend"), grace=30.0)
    assert endpoints(api)["10.1.20.3"].terminating
    assert cluster.connect("web2", "10.1.20.3", 8080).ok
    twin = cluster.clone()
    for each in (cluster, twin):
        each.advance("29s")
        assert "backend" in each.network.netns
        each.advance("1s")
        assert "backend" not in each.network.netns and "backend" not in each.pods
        assert set(endpoints(api_server(each.network))) == {"10.1.20.4", "10.1.30.2"}


def test_what_cannot_be_plugged_in_is_told_and_tried_again() -> None:
    """node3's range is full: the next pod waits until another one goes."""
    cluster, api = made()
    node3 = api.get(Node, "", "node3")
    api.put(node3._replace(pod_cidr=Prefix.parse("10.1.30.0/30")))
    api.put(TEMPLATE._replace(name="late", node="node3"))
    assert api.get(Pod, "default", "late").ip == "" and "late" not in cluster.network.netns
    said = cluster["node3"].sh("journalctl -u kubelet -n 1")
    assert 'err="no IP addresses available in range set: 10.1.30.0/30" pod="default/late"' in said
    api.terminate(api.get(Pod, "default", "backend-c"))
    api.put(api.get(Pod, "default", "late")._replace(labels=(("app", "late"),)))
    assert api.get(Pod, "default", "late").ip == "10.1.30.2"


def test_a_pod_that_cannot_start_leaves_nothing_behind() -> None:
    """Two containers want the same port."""
    cluster, api = made()
    twice = tuple(Container(name, (Listen("tcp", 80),)) for name in ("a", "b"))
    api.put(TEMPLATE._replace(name="twins", node="node3", containers=twice))
    assert "address already in use" in cluster["node3"].sh("journalctl -u kubelet -n 1")
    assert "twins" not in cluster.network.netns
    assert "veth-twins" not in cluster["node3"].sh("ip -br link")
    assert cluster.connect("web2", "backend-c", 8080).ok


def test_a_live_connection_dies_with_its_pod_but_conntrack_remembers() -> None:
    cluster, api = made()
    assert cluster.connect("web2", "10.96.0.10", 80, endpoint="backend").ok
    api.terminate(api.get(Pod, "default", "backend"))
    assert "dst=10.96.0.10" in cluster["node1"].sh("conntrack -L -p tcp")
    assert "veth-backend:" not in cluster["node2"].sh("ip -br link")
    assert "10.1.20.3" not in cluster["node2"].sh("bridge fdb show br docker0")


def test_without_kubelet_nothing_is_plugged_or_unplugged() -> None:
    cluster, api = made()
    cluster["node3"].sh("systemctl stop kubelet")
    api.put(DEPLOYMENT)
    waiting = [pod for pod in own(api) if pod.node == "node3"]
    assert waiting and not any(pod.ip for pod in waiting)
    api.terminate(api.get(Pod, "default", "backend-c"))
    assert api.get(Pod, "default", "backend-c").terminating
    assert cluster.connect("web2", "backend-c", 8080).ok
    cluster["node3"].sh("systemctl start kubelet")
    assert "backend-c" not in cluster.network.netns
    assert all(pod.ip for pod in own(api))


@pytest.mark.parametrize("how", ["stopped", "cut off"])
def test_a_silent_node_is_not_ready_after_50_seconds(how: str) -> None:
    cluster, api = made()
    selecting(api)
    if how == "stopped":
        cluster["node3"].sh("systemctl stop kubelet")
    else:
        api.cut("node3")
    cluster.advance("49s")
    assert endpoints(api)["10.1.30.2"].ready
    cluster.advance("2s")
    assert not endpoints(api)["10.1.30.2"].ready and endpoints(api)["10.1.20.3"].ready
    api.put(DEPLOYMENT)
    assert "node3" not in {pod.node for pod in own(api)}, "nothing is scheduled there"
    if how == "stopped":
        cluster["node3"].sh("systemctl start kubelet")
    else:
        api.reconnect("node3")
    assert endpoints(api)["10.1.30.2"].ready


def test_the_api_server_down_stops_all_of_it() -> None:
    cluster, api = made()
    api.stop()
    api.put(DEPLOYMENT)
    assert not own(api)
    api.start()
    assert len(own(api)) == 3
    assert cluster.connect("web2", own(api)[0].name, 8080).ok


# -- hostNetwork, hostPort ------------------------------------------------------------------------

HOST = Pod("agent", "node2", "", (Container("agent", (Listen("tcp", 9100),)),), host_network=True)


def test_a_pod_on_its_hosts_network() -> None:
    """No namespace of its own: its name means the node's, its sockets are the node's."""
    cluster, api = made()
    api.put(HOST)
    assert api.get(Pod, "default", "agent").ip == "192.168.66.12"
    assert cluster["agent"] is cluster["node2"]
    assert cluster.connect("web2", "agent", 9100).ok
    assert "9100" in cluster["node2"].sh("ss -lnt")
    api.terminate(api.get(Pod, "default", "agent"))
    assert cluster.connect("web2", "node2", 9100).outcome == "refused"
    assert "node2" in cluster.network.netns and "10250" in cluster["node2"].sh("ss -lnt")


@pytest.mark.parametrize("bridge", ["docker0", "cni0"])
def test_a_port_of_the_host(bridge: str) -> None:
    """Docker publishes it, or the portmap plugin maps it; with the pod the port goes."""
    spec = example_spec("vxlan")
    spec = spec._replace(network=spec.network._replace(bridge=bridge))
    cluster, api = made(spec=spec)
    container = Container("web", (Listen("tcp", 80),), (ContainerPort(80, "tcp", "http", 8088),))
    api.put(Pod("edge", "node3", "", (container,)))
    for source in ("client", "node1", "web2"):
        exchange = cluster.connect(source, "node3", 8088)
        assert exchange.ok and exchange.request is not None and exchange.request.end == "edge"
    assert cluster.connect("client", "node2", 8088).outcome == "refused"
    api.terminate(api.get(Pod, "default", "edge"))
    assert cluster.connect("client", "node3", 8088).outcome == "refused"


def test_two_pods_cannot_have_the_same_port_of_a_host() -> None:
    container = Container("web", (Listen("tcp", 80),), (ContainerPort(80, "tcp", "", 8088),))
    template = TEMPLATE._replace(containers=(container,))
    _, api = made(DEPLOYMENT._replace(template=template, replicas=4))
    assert sorted(pod.node for pod in own(api)) == ["", "node1", "node2", "node3"]
