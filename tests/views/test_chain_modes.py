"""The chain map in kube-proxy's other modes: what nft and ipvsadm list, as one graph and picture."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.views import chain_map
from k8snetlib.views.chain_cards import cards_of, lay_out, stacked
from k8snetlib.views.chain_map import sheet_of
from k8snetlib.views.ipvs_graph import ipvs_graph
from k8snetlib.views.nft_graph import nft_graph
from tests.views.paper import crossing, cut, faults

THIRD = Fraction(1, 3)
SVC = "nat service-ICTKHA23-default/backend-svc/tcp/http"
EXT = "nat external-ICTKHA23-default/backend-svc/tcp/http"
END = "nat endpoint-H254UWVM-default/backend-svc/tcp/http__10.1.20.3/8080"
MARK = "nat mark-for-masquerade"


@pytest.fixture(scope="module")
def nft():
    return Cluster.example("host-gw", "nftables")


@pytest.fixture(scope="module")
def ipvs():
    """Traffic: four connections to the Service's address in turn, one by a node port."""
    cluster = Cluster.example("host-gw", "ipvs")
    for _ in range(4):
        cluster.connect("web2", "backend-svc", 80)
    cluster.connect("client", "192.168.66.11", 30080)
    return cluster


def nft_of(cluster, service, node="node1"):
    return nft_graph(cluster[node].ruleset.nft, f"default/{service}")


EDGES = {
    "cluster address": ("nat services", SVC,
                        [("10.96.0.10 . tcp . 80, in map service-ips, one of 3", None, None)]),
    "node port": ("nat services", EXT,
                  [("ip daddr @nodeport-ips, tcp . 30080, in map service-nodeports, one of 2",
                    None, None)]),
    "marked outside": (EXT, MARK, [("everything", None, None)]),
    "outside": (EXT, SVC, [("everything", None, Fraction(1))]),
    "drawn": (SVC, END, [("numgen random mod 3 gives 0", THIRD, THIRD)]),
    "hairpin": (END, MARK, [("ip saddr 10.1.20.3", None, None)]),
    "endpoint": (END, "10.1.20.3:8080 meta l4proto tcp", [("meta l4proto tcp", None, None)]),
    "masquerade": (MARK, "nat masquerading masquerade",
                   [("later, in masquerading, if marked", None, None)]),
}  # fmt: skip


@pytest.mark.parametrize("case", EDGES)
def test_an_edge_of_nftables(nft, case):
    giver, goal, lines = EDGES[case]
    found = nft_of(nft, "backend-svc").edges[giver, goal]["lines"]
    assert [(line.condition, line.chance, line.share) for line in found] == lines
    assert all(line.packets is None for line in found), "no counters"


def test_what_nft_lists_is_what_is_drawn(nft):
    """Each element shown stands in the listing, and so does each chain."""
    listed = nft["node1"].sh("nft list ruleset")
    for service in ("backend-svc", "backend-local", "empty-svc"):
        graph = nft_of(nft, service)
        assert graph
        for _, data in graph.nodes(data=True):
            if data["kind"] in ("chain", "mark"):
                assert f"chain {data['name']} {{" in listed
        for _, _, data in graph.edges(data=True):
            assert all(line.rule in listed for line in data["lines"])


@pytest.mark.parametrize(
    ("service", "node", "said"),
    [
        ("empty-svc", "node1", "There is no endpoint: REJECT."),
        ("backend-local", "node1", "in map no-endpoint-nodeports, one of 2 → DROP"),
        ("backend-local", "node2", "One endpoint gets every new connection."),
        ("backend-svc", "node3", "3 endpoints, each with 1/3 of the new connections."),
    ],
)
def test_nftables_in_words(nft, service, node, said):
    text = chain_map(nft, service, node).text
    assert said in text and "have no counters" in text.splitlines()[-1]
    assert "kube-dns" not in text, "no other Service's elements"


def test_virtual_servers_are_those_of_ipvsadm(ipvs):
    listed = ipvs["node1"].sh("ipvsadm -Ln --stats")
    text = chain_map(ipvs, "backend-svc", "node1").text
    assert text.startswith("The virtual servers of Service default/backend-svc on node1.")
    assert "Scheduler rr: in turn" in text
    found: dict[str, dict[str, int]] = {}
    virtual = ""
    for line in listed.splitlines()[3:]:
        head, name, conns = line.split()[:3]
        if head == "->":
            found[virtual][name] = int(conns)
        else:
            virtual = f"{head} {name}"
            found[virtual] = {}
    wanted = {name: servers for name, servers in found.items()
              if "10.96.0.10:" in name or ":30080" in name}  # fmt: skip
    assert len(wanted) == 3 and sum(map(sum, (s.values() for s in wanted.values()))) == 5
    for name, servers in wanted.items():
        at = text.split(f"\n{name} (")[1].split("):")[1]
        rows = re.findall(r"  \d\. weight 1 → (\S+): (\d+)\n", at.split(" (")[0])
        assert dict(rows) == {server: str(conns) for server, conns in servers.items()}
    assert {name for name in found if f"\n{name} (" in text} == set(wanted)


def test_a_changed_weight_and_scheduler():
    cluster = Cluster.example("host-gw", "ipvs")
    sh = cluster["node1"].sh
    sh("ipvsadm -E -t 10.96.0.10:80 -s wrr -p 600")
    sh("ipvsadm -e -t 10.96.0.10:80 -r 10.1.20.3:8080 -m -w 5")
    text = chain_map(cluster, "backend-svc", "node1").text
    assert "virtual server, wrr: in turn, by weight, a client stays 600 s" in text
    assert "weight 5 → 10.1.20.3:8080" in text


def test_no_real_server(ipvs):
    assert "There is no endpoint: REJECT: no real server." in chain_map(
        ipvs, "empty-svc", "node1").text  # fmt: skip
    exchange = ipvs.clone().connect("web2", "empty-svc", 80)
    assert "no real server" in exchange.packets[0].last.reason or exchange.outcome == "refused"


PICTURES = [
    ("nft", service, node)
    for service, node in (("backend-svc", "node1"), ("backend-local", "node1"), ("empty-svc", "node2"))
] + [("ipvs", service, "node1") for service in ("backend-svc", "backend-local", "empty-svc")]  # fmt: skip


@pytest.mark.parametrize("plan", [lay_out, stacked])
@pytest.mark.parametrize(("mode", "service", "node"), PICTURES)
def test_words_stay_where_they_belong(request, mode, service, node, plan):
    cluster = request.getfixturevalue(mode)
    if mode == "nft":
        graph = nft_of(cluster, service, node)
    else:
        spec = next(s for s in cluster.spec.services if s.name == service)
        ports = {port.node_port for port in spec.ports if port.node_port}
        graph = ipvs_graph(cluster[node].ipvs, service, {spec.cluster_ip}, ports)
    cards = cards_of(graph, cluster.names)
    laid = plan(cards)
    sheet = sheet_of(cards, laid)
    assert faults(sheet, laid.width, laid.height) == []
    assert [word for word in cut(sheet) if not re.search(r"-\w{4}…$", word)] == []
    for way, _ in laid.ways:
        assert not any(
            crossing(way, box._replace(x=box.x + 1, y=box.y + 1, w=box.w - 2, h=box.h - 2))
            for box in laid.boxes.values()
        )
    assert laid.width <= 1240


@pytest.mark.parametrize("mode", ["nftables", "ipvs"])
def test_a_wrong_name(mode):
    with pytest.raises(UnknownName, match="Did you mean backend-svc"):
        chain_map(Cluster.example("host-gw", mode), "backend-sv", "node1")
