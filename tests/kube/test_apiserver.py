"""The API server: objects by name, their history, and who hears of a change."""

from __future__ import annotations

from math import inf

import pytest

from k8snetlib import Cluster
from k8snetlib.address import Prefix
from k8snetlib.errors import UnknownName
from k8snetlib.kube.api import EndpointSlice, Node, Pod, Service
from k8snetlib.kube.apiserver import ADDED, DELETED, MODIFIED, ApiServer, api_server
from k8snetlib.linux.network import Network

NODE = Node("node1", "192.168.66.11", Prefix.parse("10.1.15.0/24"))
POD = Pod("web", "node1", "10.1.15.2", ())


class Watcher:
    """An agent of node1 that notes at which revision it was asked again; it never acts."""

    name = "watcher"

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self.asked: list[tuple[int, bool]] = []

    def due(self) -> float:
        self.asked.append((self.api.revision, self.api.reachable("node1")))
        return inf

    def act(self) -> None: ...

    def clone(self, network: Network) -> Watcher:
        return Watcher(api_server(network))


def server() -> ApiServer:
    network = Network()
    api = ApiServer(network)
    network.agents.add(api)
    return api


def watched() -> tuple[ApiServer, Watcher]:
    api = server()
    watcher = Watcher(api)
    api.network.agents.add(watcher)
    api.watched_by("watcher", "node1")
    api.network.settle()
    watcher.asked.clear()
    return api, watcher


@pytest.mark.parametrize("backend", ["udp", "vxlan"])
@pytest.mark.parametrize("flanneld", ["--ip-masq", "--ip-masq --kube-subnet-mgr"])
def test_a_cluster_has_one_with_all_its_objects(backend: str, flanneld: str) -> None:
    cluster = Cluster.example(backend, flanneld=flanneld)
    api = api_server(cluster.network)
    for kind, wanted in (
        (Pod, cluster.spec.pods),
        (Service, cluster.spec.services),
        (EndpointSlice, cluster.spec.slices),
    ):
        assert set(api.list(kind)) == set(wanted)
    assert [node.name for node in api.list(Node)] == ["node1", "node2", "node3"]
    annotated = bool(api.get(Node, "", "node1").annotations)
    assert annotated == ("--kube-subnet-mgr" in flanneld)


def test_objects_stand_in_the_order_of_namespace_and_name() -> None:
    api = server()
    for namespace, name in (("default", "b"), ("a", "z"), ("default", "a")):
        api.put(POD._replace(namespace=namespace, name=name))
    assert [(p.namespace, p.name) for p in api.list(Pod)] == [
        ("a", "z"), ("default", "a"), ("default", "b")
    ]  # fmt: skip
    assert [p.name for p in api.list(Pod, "default")] == ["a", "b"]


def test_the_history_says_what_happened() -> None:
    api = server()
    api.put(NODE)
    api.put(NODE)  # no change
    api.put(POD)
    api.network.advance(5)
    api.put(POD._replace(ready=False))
    api.delete(Pod, "default", "web")
    assert [(c.verb, type(c.value).__name__, c.time) for c in api.log] == [
        (ADDED, "Node", 0.0), (ADDED, "Pod", 0.0), (MODIFIED, "Pod", 5.0), (DELETED, "Pod", 5.0)
    ]  # fmt: skip
    assert api.log[2].before == POD
    assert [c.verb for c in api.since(1, Pod)] == [ADDED, MODIFIED, DELETED]
    assert [c.verb for c in api.since(2)] == [MODIFIED, DELETED]
    assert api.find(Pod, "default", "web") is None


def test_an_object_keeps_its_age_and_gets_a_new_revision() -> None:
    api = server()
    api.put(POD)
    api.network.advance(5)
    api.put(NODE)
    api.put(POD._replace(ready=False))
    stored = api.stored(Pod, "default", "web")
    assert (stored.created, stored.revision) == (0.0, 3)


@pytest.mark.parametrize("verb", ["get", "delete"])
def test_what_is_not_there_is_named(verb: str) -> None:
    api = server()
    api.put(POD)
    with pytest.raises(UnknownName, match="no Pod called 'wep'") as caught:
        getattr(api, verb)(Pod, "default", "wep")
    assert "web" in caught.value.hint


@pytest.mark.parametrize(
    ("act", "heard"),
    [
        pytest.param(lambda api: api.put(POD), [(1, True)], id="a change"),
        pytest.param(lambda api: api.cut("node1"), [(0, False)], id="cut off"),
        pytest.param(lambda api: api.cut("node2"), [(0, True)], id="another node is cut off"),
        pytest.param(lambda api: (api.cut("node1"), api.reconnect("node1")),
                     [(0, False), (0, True)], id="back again"),
        pytest.param(lambda api: api.stop(), [(0, False)], id="the server is down"),
        pytest.param(lambda api: (api.stop(), api.start()), [(0, False), (0, True)],
                     id="the server is back"),
        pytest.param(lambda api: api.forget("watcher") or api.put(POD), [], id="looks no more"),
    ],
)  # fmt: skip
def test_who_watches_looks(act, heard) -> None:  # type: ignore[no-untyped-def]
    api, watcher = watched()
    act(api)
    assert watcher.asked == heard


def test_several_changes_at_once_are_seen_together() -> None:
    api, watcher = watched()
    with api.at_once():
        api.put(POD)
        api.put(NODE)
    assert watcher.asked == [(2, True)]


def test_a_copy_is_independent() -> None:
    api, _ = watched()
    api.put(POD)
    api.cut("node2")
    other = api_server(api.network.clone())
    assert other.log == api.log and not other.reachable("node2") and other.reachable("node1")
    assert other.watchers == {"watcher": "node1"}
    other.delete(Pod, "default", "web")
    other.reconnect("node2")
    assert api.get(Pod, "default", "web") == POD and not api.reachable("node2")


def test_a_network_without_one_says_so() -> None:
    with pytest.raises(UnknownName, match="apiserver"):
        api_server(Network())
