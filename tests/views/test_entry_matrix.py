"""The NodePort matrix: every cell is what ``Cluster.outcomes`` says, in words and with a mark."""

from __future__ import annotations

from fractions import Fraction

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError, UnknownName
from k8snetlib.kube.api import example_spec
from k8snetlib.views import entry_matrix
from k8snetlib.views.entry_matrix import CLIENTS, End, Entry, entries_of
from tests.kernel.flow_runner import warm_cluster

HOST, OWN, OTHER, PROCESS = CLIENTS
THIRD = Fraction(1, 3)

#: Service, client, entry node -> the cell in words.
CELLS = {
    "Cluster, no endpoint on the node": (
        "backend-svc", HOST, "node1",
        "⇄ 10.1.15.0 (flannel.1 of node1) (by backend, backend-b, backend-c: 1/3 each)",
    ),
    "Cluster, some on the node": (
        "backend-svc", HOST, "node2",
        "⇄ 10.1.20.1 (docker0 of node2) (by backend, backend-b: 1/3 each; "
        "⇄ 10.1.20.0 (flannel.1 of node2); by backend-c: 1/3)",
    ),
    "Cluster, hairpin": (
        "backend-svc", OWN, "node3",
        "⇄ 10.1.30.0 (flannel.1 of node3) (by backend, backend-b: 1/3 each; "
        "⇄ 10.1.30.1 (docker0 of node3); by backend-c: 1/3; client: backend-c)",
    ),
    "Local, no endpoint": (
        "backend-local", HOST, "node1", "✕ dropped (always, at node1)",
    ),
    "Local, an endpoint": (
        "backend-local", HOST, "node2", "✓ 203.0.113.10 (ext) (by backend: always)",
    ),
    "Local, pods go round the policy": (
        "backend-local", OWN, "node1", "✓ 10.1.15.3 (web1) (by backend: always; client: web1)",
    ),
    "Local, a pod of another node": (
        "backend-local", OTHER, "node2", "⇄ 192.168.66.11 (node1) (by backend: always; client: web1)",
    ),
    "Local, its own processes": (
        "backend-local", PROCESS, "node1",
        "⇄ 10.1.15.0 (flannel.1 of node1) (by backend: always)",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def matrix():
    return entry_matrix(warm_cluster("vxlan"), "backend-svc", "backend-local")


def cell(matrix, service, kind, node):
    grid = next(grid for grid in matrix.grids if grid.caption.startswith(f"{service},"))
    column = [name for _, name in grid.heads].index(node)
    row = next(row for row in grid.rows if row[0].lines[0] == kind)
    return row[1 + column]


@pytest.mark.parametrize("case", CELLS)
def test_a_cell_in_words(matrix, case):
    service, kind, node, words = CELLS[case]
    found = cell(matrix, service, kind, node)
    assert found.words == words
    assert f"enters by {node}: {words}" in matrix.text


@pytest.mark.parametrize("service", ["backend-svc", "backend-local"])
def test_every_cell_is_what_the_model_says(service):
    cluster = warm_cluster("vxlan")
    port = {"backend-svc": 30080, "backend-local": 30081}[service]
    found = entries_of(cluster, service)
    assert [(e.kind, e.node) for e in found] == [(k, n) for k in CLIENTS for n in cluster.nodes]
    for entry in found:
        fates = cluster.outcomes(entry.client, cluster.address_of(entry.node), port)
        assert [(end.probability, end.outcome, end.receiver, end.seen) for end in entry.ends] == [
            (fate.probability, fate.outcome, fate.receiver, fate.src) for fate in fates
        ]
        assert sum(end.probability for end in entry.ends) == 1
        own = set(cluster[entry.client].local)
        assert all(not end.kept or end.seen in own for end in entry.ends)


def test_clients_are_where_they_ought_to_be():
    cluster = warm_cluster("vxlan")
    at = {pod.name: pod.node for pod in cluster.spec.pods}
    for entry in entries_of(cluster, "backend-svc"):
        if entry.kind in (OWN, OTHER):
            assert (at[entry.client] == entry.node) is (entry.kind == OWN)
    chosen = {(e.kind, e.node): e.client for e in entries_of(cluster, "backend-local")}
    assert chosen[OWN, "node2"] == "backend-b", "a pod that is no endpoint, if there is one"
    assert chosen[HOST, "node1"] == "ext" and chosen[PROCESS, "node3"] == "node3"


def test_plain_rows_need_no_cluster():
    lost = End(Fraction(1, 4), "lost", "a", "10.0.0.9", "", False)
    kept = End(Fraction(3, 4), "delivered", "b", "10.0.0.1", "me", True)
    rows = [
        Entry("shop", "Cluster", 30000, "n1", HOST, "me", (kept, lost)),
        Entry("shop", "Cluster", 30000, "n2", HOST, "me", (kept._replace(probability=Fraction(1)),)),
        Entry("shop", "Cluster", 30000, "n1", OWN, "", ()),
    ]  # fmt: skip
    matrix = entry_matrix(rows)
    assert matrix.text.splitlines()[1:4] == [
        "shop, port 30000 of every node, externalTrafficPolicy: Cluster.",
        "  a host outside (me): enters by n1: ✕ lost (1/4, at a; ✓ 10.0.0.1 (me); by b: 3/4); "
        "enters by n2: ✓ 10.0.0.1 (me) (by b: always).",
        "  a pod on that node: enters by n1: – (no such pod); enters by n2: –.",
    ]
    html = matrix.html
    assert '<td role="cell" class="first bad" data-head="enters by n1">' in html
    assert '<div class="good">✓ <b>10.0.0.1 (me)</b></div>' in html


def test_nothing_is_sent_in_the_cluster_itself():
    cluster = warm_cluster("vxlan").clone()
    before = {n: cluster[n].sh("conntrack -L") for n in cluster.nodes}
    entry_matrix(cluster, "backend-svc")
    assert {n: cluster[n].sh("conntrack -L") for n in cluster.nodes} == before


def test_a_cluster_without_pods_and_hosts():
    spec = example_spec()
    bare = Cluster(spec._replace(pods=(), network=spec.network._replace(hosts=())))
    text = entry_matrix(bare, "default/backend-local").text
    assert text.count("– (no such pod)") == 6 and text.count("– (no such host)") == 3


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("backend-sv", UnknownName, "Did you mean backend-svc"),
        ("kube-dns", K8sNetError, "kube-dns has no node port"),
    ],
)
def test_wrong_services(name, error, said):
    with pytest.raises(error, match=said):
        entry_matrix(warm_cluster("vxlan"), name)
