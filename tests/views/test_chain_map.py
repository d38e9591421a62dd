"""The chain map: a Service's chains as a graph, with shares and live counters; and its picture."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from fractions import Fraction

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import UnknownName
from k8snetlib.views import chain_map
from k8snetlib.views.chain_cards import CARD_W, HEAD, cards_of, columns_of, lay_out, stacked
from k8snetlib.views.chain_graph import chain_graph, services_named
from k8snetlib.views.chain_map import sheet_of
from k8snetlib.views.geometry import Box
from tests.kernel.flow_runner import warm_cluster
from tests.views.paper import crossing, cut, faults

THIRD, HALF = Fraction(1, 3), Fraction(1, 2)
SVC, EXT = "nat KUBE-SVC-YJHZHYHNQFKFTDKK", "nat KUBE-EXT-YJHZHYHNQFKFTDKK"
SEPS = {
    "backend": "nat KUBE-SEP-OYAM5BAP3IWOV5TZ",
    "backend-b": "nat KUBE-SEP-PSZJH44KOLVJTZYP",
    "backend-c": "nat KUBE-SEP-U5TZQFLHHJWQD7IU",
}
MASQ = "nat KUBE-MARK-MASQ"


def with_endpoints(count, *, commented=True):
    """node1 with ``count`` endpoints behind backend-svc, as kube-proxy would write them."""
    cluster = warm_cluster("vxlan").clone()
    sh = cluster["node1"].sh
    chain = SVC.removeprefix("nat ")
    said = "-m comment --comment default/backend-svc:http" if commented else ""
    sh(f"iptables -t nat -F {chain}")
    for n in range(count):
        sep = f"KUBE-SEP-{n:04}AAAAAAAAAAAA"
        sh(f"iptables -t nat -N {sep}")
        sh(f"iptables -t nat -A {sep} -s 10.1.20.{n + 3} {said} -j KUBE-MARK-MASQ")
        to = f"-j DNAT --to-destination 10.1.20.{n + 3}:8080"
        sh(f"iptables -t nat -A {sep} -p tcp {said} -m tcp {to}")
        chance = f"-m statistic --mode random --probability {1 / (count - n):.11f}"
        sh(f"iptables -t nat -A {chain} {said} {chance if n < count - 1 else ''} -j {sep}")
    return cluster


@pytest.fixture(scope="module")
def used():
    """Traffic: twice to backend, once to each other, once by node1's own node port."""
    cluster = warm_cluster("vxlan").clone()
    for endpoint in ("backend", "backend", "backend-b", "backend-c"):
        cluster.connect("web2", "10.96.0.10", 80, endpoint=endpoint)
    cluster.connect("client", "192.168.66.11", 30080, endpoint="backend-c")
    return cluster


def graph_of(cluster, service="default/backend-svc", node="node1"):
    return chain_graph(cluster[node].ruleset, service)


# -- the graph ------------------------------------------------------------------------------------

EDGES = {
    "cluster address": ("nat KUBE-SERVICES", SVC, [("to 10.96.0.10, tcp port 80", None, 1, 4)]),
    "node port": ("nat KUBE-NODEPORTS", EXT, [("tcp port 30080", None, 1, 1)]),
    "marked outside": (EXT, MASQ, [("everything", None, None, 1)]),
    "first die": (SVC, SEPS["backend"], [("", THIRD, THIRD, 2)]),
    "second die": (SVC, SEPS["backend-b"], [("", HALF, THIRD, 1)]),
    "no die": (SVC, SEPS["backend-c"], [("the rest", None, THIRD, 2)]),
    "hairpin": (SEPS["backend"], MASQ, [("from 10.1.20.3", None, None, 0)]),
    "endpoint": (SEPS["backend"], "10.1.20.3:8080 tcp", [("everything", None, 1, 2)]),
    "masquerade": (MASQ, "nat KUBE-POSTROUTING MASQUERADE",
                   [("later, in KUBE-POSTROUTING, if marked", None, None, 1)]),
}  # fmt: skip


@pytest.mark.parametrize("case", EDGES)
def test_an_edge_carries_condition_chance_share_and_packets(used, case):
    giver, goal, wanted = EDGES[case]
    lines = graph_of(used).edges[giver, goal]["lines"]
    found = [(n.condition, n.chance, n.share, n.packets) for n in lines]
    if case in ("cluster address", "node port"):  # a condition: the share depends on the packet
        wanted = [(c, chance, None, packets) for c, chance, _, packets in wanted]
    assert found == wanted


def test_kinds_and_rules_left_out(used):
    graph = graph_of(used)
    kinds = {kind: [n for n, k in graph.nodes(data="kind") if k == kind]
             for kind in ("hook", "mark", "endpoint")}  # fmt: skip
    assert kinds == {
        "hook": ["nat PREROUTING", "nat OUTPUT"],
        "mark": [MASQ],
        "endpoint": ["10.1.20.3:8080 tcp", "10.1.20.4:8080 tcp", "10.1.30.2:8080 tcp"],
    }
    assert graph.nodes["nat KUBE-SERVICES"]["others"] == 2
    assert not any("TCOU7JCQXEZGVUNU" in node for node in graph), "another Service's chain"


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_every_endpoint_gets_the_same_share(count):
    graph = graph_of(with_endpoints(count))
    lines = [line for _, _, data in graph.out_edges(SVC, data=True) for line in data["lines"]]
    assert [line.share for line in lines] == [Fraction(1, count)] * count
    chances = [line.chance for line in lines]
    assert chances == [Fraction(1, n) for n in range(count, 1, -1)] + [None]


def test_stale_chains_are_not_followed():
    """The chains of former endpoints still name the Service, but nothing leads to them."""
    graph = graph_of(with_endpoints(2))
    assert not set(SEPS.values()) & set(graph)


def test_a_ruleset_without_comments_is_found_by_its_address():
    ruleset = with_endpoints(2, commented=False)["node1"].ruleset
    for chain in ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXT-YJHZHYHNQFKFTDKK"):
        rules = ruleset.chain("nat", chain).rules
        bare = [rule._replace(matches=tuple(m for m in rule.matches if "comment" not in str(m)))
                for rule in rules]  # fmt: skip
        ruleset.change("nat", chain, bare)
    assert not chain_graph(ruleset, "default/backend-svc")
    graph = chain_graph(ruleset, "default/backend-svc", ["10.96.0.10"])
    ends = [node for node, kind in graph.nodes(data="kind") if kind == "endpoint"]
    assert ends == ["10.1.20.3:8080 tcp", "10.1.20.4:8080 tcp"]


def test_local_policy_has_a_chain_of_its_own():
    graph = graph_of(warm_cluster("vxlan"), "default/backend-local", "node2")
    svl = "nat KUBE-SVL-PCUFIW2YEWHDTXBG"
    (line,) = graph.edges["nat KUBE-EXT-PCUFIW2YEWHDTXBG", svl]["lines"]
    assert line.condition == "everything"
    pods = graph.edges["nat KUBE-EXT-PCUFIW2YEWHDTXBG", "nat KUBE-SVC-PCUFIW2YEWHDTXBG"]["lines"]
    assert [line.condition for line in pods] == ["from 10.1.0.0/16", "from this node itself"]


def test_all_services_that_comments_name():
    assert set(services_named(warm_cluster("vxlan")["node1"].ruleset)) == {
        "default/backend-svc", "default/backend-local", "default/empty-svc", "kube-system/kube-dns",
    }  # fmt: skip


# -- the picture ----------------------------------------------------------------------------------

CASES = {
    "three": ("backend-svc", "node1", None),
    "local": ("backend-local", "node2", None),
    "dropped": ("backend-local", "node1", None),
    "none": ("empty-svc", "node1", None),
    "dns": ("kube-dns", "node1", None),
    "fifty": ("backend-svc", "node1", 50),
}


@pytest.fixture(scope="module", params=CASES)
def case(request, used):
    service, node, count = CASES[request.param]
    cluster = used if count is None else with_endpoints(count)
    return request.param, cluster, service, node


def test_every_line_runs_from_its_row_to_its_card(case):
    _, cluster, service, node = case
    space = "kube-system" if service == "kube-dns" else "default"
    cards = cards_of(graph_of(cluster, f"{space}/{service}", node), cluster.names)
    plan = lay_out(cards)
    left, into = [way[0] for way, _ in plan.ways], [way[-1] for way, _ in plan.ways]
    for key, card in cards.items():
        box, y = plan.boxes[key], plan.boxes[key].y + HEAD
        for row in card.rows:
            starts = [p for p in left if p.x == box.right and y < p.y < y + row.height]
            assert len(starts) == bool(row.goal), row
            y += row.height
        wanted = sum(row.goal == key for other in cards.values() for row in other.rows)
        edges = {box.x, box.right}
        assert sum(p.x in edges and box.y < p.y < box.bottom for p in into) == wanted


@pytest.mark.parametrize("plan", [lay_out, stacked])
def test_words_stay_where_they_belong(case, plan):
    _, cluster, service, node = case
    space = "kube-system" if service == "kube-dns" else "default"
    cards = cards_of(graph_of(cluster, f"{space}/{service}", node), cluster.names)
    laid = plan(cards)
    sheet = sheet_of(cards, laid)
    assert faults(sheet, laid.width, laid.height) == []
    assert cut(sheet) == [word for word in cut(sheet) if re.search(r"KUBE-\w+-\w{4}…$", word)]
    for way, _ in laid.ways:
        inside = {k: Box(b.x + 1, b.y + 1, b.w - 2, b.h - 2) for k, b in laid.boxes.items()}
        through = [key for key, box in inside.items() if crossing(way, box)]
        assert through == [], f"{way} runs through {through}"
    columns = columns_of(cards)
    assert laid.width <= (1200 if plan is lay_out else CARD_W + 28 + 12 * max(columns.values()))


def test_every_number_of_the_picture_is_in_the_words(case):
    _, cluster, service, node = case
    picture = chain_map(cluster, service, node)
    drawn = re.sub(r"<(desc|style).*?</\1>", "", picture.svg, flags=re.S)
    said = set(re.findall(r"\d+(?:/\d+)?", picture.text))
    texts = ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")
    for word in (t.text for t in texts if "KUBE-" not in t.text and "more" not in t.text):
        if re.search(r"chance .* to |^= 46/50|chains$|^11$", word):
            continue  # what one row says of many
        assert set(re.findall(r"\d+(?:/\d+)?", word)) <= said, word


def test_the_picture_is_text_that_repeats_itself(used):
    one, other = (chain_map(used, "backend-svc", "node1") for _ in range(2))
    assert one.svg == other.svg and one.html == other.html
    root = ElementTree.fromstring(one.svg)
    assert root.get("role") == "img"
    assert list(one._repr_mimebundle_()) == ["text/html", "image/svg+xml", "text/plain"]
    assert one.text.splitlines()[:3] == [
        "The chains of Service default/backend-svc on node1.",
        "3 endpoints, each with 1/3 of the new connections.",
        "Endpoints: 10.1.20.3:8080 (backend) 1/3 of all, so far 2; 10.1.20.4:8080 (backend-b) "
        "1/3 of all, so far 1; 10.1.30.2:8080 (backend-c) 1/3 of all, so far 2.",
    ]
    assert "  3. chance 1/2 of the rest (1/3 of all) → KUBE-SEP-PSZJH44KOLVJTZYP: 1" in one.text


def test_counters_are_live(used):
    cluster = used.clone()
    before = chain_map(cluster, "backend-svc", "node1").text
    cluster.connect("web2", "10.96.0.10", 80, endpoint="backend-b")
    after = chain_map(cluster, "backend-svc", "node1").text
    assert "(backend-b) 1/3 of all, so far 1" in before
    assert "(backend-b) 1/3 of all, so far 2" in after


def test_many_endpoints_are_drawn_as_a_few():
    picture = chain_map(with_endpoints(50), "backend-svc", "node1")
    assert ">46 more<" in picture.svg and ">= 46/50<" in picture.svg
    assert picture.svg.count('class="foot"') == 5
    assert all(f"10.1.20.{n + 3}:8080" in picture.text for n in range(50))


def test_no_endpoint_says_what_happens():
    assert "There is no endpoint: REJECT." in chain_map(
        warm_cluster("vxlan"), "empty-svc", "node1").text  # fmt: skip
    assert "✕ DROP" in chain_map(warm_cluster("vxlan"), "backend-local", "node1").svg


@pytest.mark.parametrize("name", ["backend-svc", "default/backend-svc", "svc/backend-svc"])
def test_names_of_a_service(name):
    assert "default/backend-svc" in chain_map(warm_cluster("vxlan"), name, "node2").text


def test_kube_proxys_own_rules_make_the_recorded_map():
    own = Cluster.example("vxlan")
    ours, recorded = (graph_of(c) for c in (own, warm_cluster("vxlan")))
    assert set(ours) == set(recorded) and set(ours.edges) == set(recorded.edges)
    for edge in ours.edges:
        pairs = zip(ours.edges[edge]["lines"], recorded.edges[edge]["lines"], strict=True)
        assert all(a[1:4] == b[1:4] for a, b in pairs), edge


def test_a_wrong_name():
    with pytest.raises(UnknownName, match="Did you mean backend-svc"):
        chain_map(warm_cluster("vxlan"), "backend-sv", "node1")
