"""The live NodePort matrix: what stands beside a cell is its walk, with the rules that decided."""

from __future__ import annotations

import json
import re

import pytest

from k8snetlib import Cluster
from k8snetlib.views import draw, entry_matrix
from k8snetlib.views.entries import CLIENTS, entries_of
from k8snetlib.views.entry_walks import deciding
from k8snetlib.views.grid import Tables
from k8snetlib.views.table import LiveTables
from tests.kernel.flow_runner import warm_cluster

HOST, OWN, OTHER, PROCESS = CLIENTS
SERVICES = ("backend-svc", "backend-local")


@pytest.fixture(scope="module")
def cluster():
    return warm_cluster("host-gw")


@pytest.fixture(scope="module")
def matrix(cluster):
    return entry_matrix(cluster, *SERVICES)


@pytest.fixture(scope="module")
def entries(cluster):
    return {(e.service, e.kind, e.node): e for name in SERVICES for e in entries_of(cluster, name)}


def cell_of(matrix, service, kind, node):
    data = matrix.data
    grid = next(g for g in data["grids"] if g["caption"].startswith(f"{service},"))
    row = next(row for row in grid["rows"] if row["head"].startswith(kind))
    at = row["cells"][grid["heads"].index(f"enters by {node}")]
    return data["cells"][at]


def test_every_cell_has_its_own_walks(matrix, entries, cluster):
    for (service, kind, node), entry in entries.items():
        cell = cell_of(matrix, service, kind, node)
        assert f"enters by {node}: {service}, policy {entry.policy}" in cell["name"]
        assert len(cell["ways"]) == len(entry.ends)
        for way, end in zip(cell["ways"], entry.ends, strict=True):
            facts = dict(way["facts"])
            assert way["title"].endswith(end.receiver)
            if end.outcome == "delivered":
                assert facts["Source seen"].startswith(end.seen)
                assert end.exchange.request.last.packet.innermost.ip.src == end.seen
                assert facts["Fate"].startswith("delivered")
            else:
                assert facts["Source seen"].startswith("none")
                assert end.outcome in facts["Fate"]


def test_the_walk_is_the_one_that_draw_draws(matrix, entries):
    """The same strokes as in a picture of its own, as long as both show the whole cluster."""
    entry = entries["backend-local", HOST, "node1"]
    (way,) = cell_of(matrix, "backend-local", HOST, "node1")["ways"]
    assert way["ink"] in draw(entry.ends[0].exchange).svg
    entry = entries["backend-svc", HOST, "node1"]
    way = cell_of(matrix, "backend-svc", HOST, "node1")["ways"][0]
    assert way["ink"] in draw(entry.ends[0].exchange, "both").svg
    assert way["words"].startswith("1 request: TCP SYN: ext to node1; 2 reply:")


#: Service, client, entry node -> where it was decided, and a word of the rule there.
DECIDED = {
    "Cluster": (
        ("backend-svc", HOST, "node1"),
        [("node1 · nat PREROUTING", "-j DNAT"), ("node1 · nat POSTROUTING", "-j MASQUERADE")],
    ),
    "Local keeps": (
        ("backend-local", HOST, "node2"),
        [("node2 · nat PREROUTING", "-j DNAT"), ("node2 · nat POSTROUTING", "no rule took it")],
    ),
    "Local drops": (
        ("backend-local", HOST, "node1"),
        [("node1 · filter INPUT", "has no local endpoints")],
    ),
    "flannel before kube-proxy": (
        ("backend-local", OTHER, "node1"),
        [("node2 · nat POSTROUTING", "flanneld masq"),
         ("node1 · filter INPUT", "has no local endpoints")],
    ),
    "a process": (
        ("backend-local", PROCESS, "node1"),
        [("node1 · nat OUTPUT", "-j DNAT"), ("node1 · nat POSTROUTING", "-j MASQUERADE")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DECIDED)
def test_what_decided(matrix, case):
    where, rules = DECIDED[case]
    found = cell_of(matrix, *where)["ways"][0]["rules"]
    assert [rule["where"] for rule in found] == [place for place, _ in rules]
    for rule, (_, said) in zip(found, rules, strict=True):
        assert said in rule["by"]


def test_the_mark_for_the_masquerade_is_told_where_it_is_set(matrix):
    first, last = cell_of(matrix, "backend-svc", HOST, "node1")["ways"][0]["rules"]
    assert "-j MARK" in first["by"] and "-j MARK" not in last["by"]


@pytest.mark.parametrize(
    ("mode", "by"),
    [("nftables", "dnat to 10.1."), ("ipvs", "TCP 192.168.66.11:30080 rr -> 10.1.")],
)
def test_the_other_modes_of_kube_proxy(mode, by):
    fate, *_ = Cluster.example("host-gw", mode).outcomes("ext", "192.168.66.11", 30080)
    found = list(deciding(fate.exchange))
    assert any(by in rule["by"] for rule in found), found
    assert "masquerade" in found[-1]["by"].lower()


def test_the_scene_has_everything_once(matrix):
    data = matrix.data
    assert data["scene"].count("<svg") == 1
    assert all("<svg" not in way["ink"] for cell in data["cells"] for way in cell["ways"])
    assert json.loads(json.dumps(data)) == data
    numbers = [n for grid in data["grids"] for row in grid["rows"] for n in row["cells"]]
    assert sorted(n for n in numbers if n is not None) == list(range(len(data["cells"])))


def test_the_table_alone_where_there_is_no_model(cluster):
    bare = [e._replace(ends=tuple(end._replace(exchange=None) for end in e.ends))
            for e in entries_of(cluster, "backend-svc")]  # fmt: skip
    told = entry_matrix(bare)
    assert type(told) is Tables
    live = entry_matrix(cluster, "backend-svc")
    assert type(live) is LiveTables and told.text == live.text and told.html == live.html


def test_the_still_form_stands_beside_the_live_one(matrix):
    shown = matrix._repr_mimebundle_()
    both = shown[0] if isinstance(shown, tuple) else shown
    assert both["text/html"] == matrix.html and both["text/plain"] == matrix.text


def test_a_page_of_its_own(matrix, tmp_path):
    path = tmp_path / "matrix.html"
    matrix.to_html(path)
    page = path.read_text()
    assert "default-src 'none'" in page and "function render" in page
    assert matrix.grids[0].caption in page
    assert not re.search(r"(?:src|href)=\"http", page)
