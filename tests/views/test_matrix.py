"""The table of who reaches whom: the same in HTML and in words, readable by a screen reader."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.kube.api import example_spec
from k8snetlib.views import reachability
from tests.clusters import plain, renumbered
from tests.views.conftest import with_rules


@pytest.fixture(scope="module")
def clash():
    return reachability(renumbered())


def table(matrix):
    return ElementTree.fromstring(re.search(r"<table.*</table>", matrix.html, re.S)[0])


def test_cells_name_the_source_seen():
    matrix = reachability(plain())
    rows = [line.split() for line in matrix.text.splitlines()]
    pods = ["web1", "web2", "backend", "backend-b", "backend-c"]
    assert rows[1] == ["from", "\\", "to", *pods, "node1", "node2", "node3"]
    web2 = next(row for row in rows if row[0] == "web2")
    assert web2 == ["web2", "✓", "10.1.15.2", "–", *["✓", "10.1.15.2"] * 6]
    assert matrix.summary == "56 pairs: 56 reached."


@pytest.mark.parametrize(
    ("sender", "target", "cell"),
    [
        ("backend-c", "backend", "≠ web2"),
        ("backend", "backend-c", "½ no answer"),
        ("web2", "web1", "✓ 10.1.15.2"),
        ("web2", "web2", "–"),
    ],
)
def test_a_cell_is_sign_and_words_in_both_forms(clash, sender, target, cell):
    names = [place.name for place in clash.places]
    row = table(clash).findall(".//tbody/tr")[names.index(sender)]
    found = row.findall("td")[names.index(target)]
    assert "".join(found.itertext()) == cell
    line = next(line for line in clash.text.splitlines() if line.startswith(f"{sender} "))
    assert cell in line


def test_what_did_not_arrive_says_its_outcome():
    cluster = Cluster.example()
    cluster["node1"].sh("iptables -P FORWARD DROP")
    matrix = reachability(cluster, ["web2", "backend"])
    assert "✕ dropped" in matrix.text and "✕</span> dropped" in matrix.html
    assert matrix.legend[-1] == "✕ OUTCOME: it did not arrive."


def test_a_changed_source_is_marked():
    matrix = reachability(with_rules("host-gw"), ["web2", "node2"])
    assert '<td class="first changed"><span class="changed">⇄</span> 192.168.66.11' in matrix.html
    assert "⇄ 192.168.66.11" in matrix.text


def test_heads_are_heads(clash):
    """Every column and row has a header cell with its scope; groups span their columns."""
    root = table(clash)
    assert root.get("aria-label") == "Who reaches whom"
    groups, columns = root.findall("./thead/tr")
    spans = [(head.text, head.get("colspan")) for head in groups[1:]]
    assert spans == [("pods on node1", "2"), ("pods on node2", "2"), ("pods on node3", "1"),
                     ("nodes", "3")]  # fmt: skip
    assert {head.get("scope") for head in columns} == {"col"} and len(columns) == 8
    assert {row[0].get("scope") for row in root.findall("./tbody/tr")} == {"row"}
    assert all(len(row) == 9 for row in root.findall("./tbody/tr"))


def test_the_legend_explains_what_occurs_and_nothing_else(clash):
    assert [line.split(":")[0] for line in clash.legend] == ["✓ ADDRESS", "≠ NAME", "½ no answer"]
    assert all(line in clash.text and line in clash.html for line in clash.legend)
    assert clash.summary == "56 pairs: 32 reached, 16 wrong host, 8 no answer."
    assert list(clash._repr_mimebundle_()) == ["text/html", "text/plain"]
    assert repr(clash) == clash.text


def test_two_wrong_names(clash):
    with pytest.raises(UnknownName, match="Did you mean web2"):
        clash.pair("web1", "web22")
    with pytest.raises(UnknownName, match="sends nothing to itself"):
        clash.pair("web1", "web1")


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_hosts_to_send(count):
    spec = example_spec()
    matrix = reachability(Cluster(spec._replace(nodes=spec.nodes[:count], pods=(), services=())))
    assert matrix.summary == "0 pairs: nothing to send."
    assert len(table(matrix).findall("./tbody/tr")) == count


def test_another_machine_has_a_group():
    assert "other machines" in reachability(Cluster.example(), ["web1", "client"]).html
