"""What lives here: ``chain_map``, the chains of one Service on one node, as they are now.

Every card is a chain, every row a rule with its condition, its chance and, in a pill, how many
packets it matched so far. Lines that packets took are thick. Marks for masquerading are said in
words and not drawn as lines, of which there would be too many.

What may not live here: how rules are read (``chain_graph``, ``nft_graph``, ``ipvs_graph``), where
they stand (``chain_cards``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from k8snetlib.errors import unknown_name
from k8snetlib.views.chain_cards import (
    FOOT,
    HEAD,
    LINE_H,
    PAD,
    Card,
    Plan,
    Row,
    cards_of,
    counted,
    endpoint_of,
    lay_out,
    lines_of,
    row_words,
    share_words,
    stacked,
    sub_words,
)
from k8snetlib.views.chain_graph import chain_graph, services_named
from k8snetlib.views.geometry import Box, Point
from k8snetlib.views.ipvs_graph import ipvs_graph
from k8snetlib.views.nft_graph import nft_graph
from k8snetlib.views.picture import Picture
from k8snetlib.views.sheet import Sheet, width_of

if TYPE_CHECKING:
    from networkx import DiGraph

    from k8snetlib.cluster import Cluster
    from k8snetlib.kube.api import Service
    from k8snetlib.linux.netns import Netns

STYLE = (
    ".k8snet-svg .card.mark{fill:var(--k-packet-fill);stroke:var(--k-packet);stroke-dasharray:6 4}"
    ".k8snet-svg .rule{fill:var(--k-kernel-fill);stroke:var(--k-hairline);stroke-width:1}"
    ".k8snet-svg .rule.on{stroke:var(--k-packet);stroke-width:1.6}"
    ".k8snet-svg .foot{fill:var(--k-pod-fill);stroke:var(--k-pod);stroke-width:1.6}"
    ".k8snet-svg .mark{fill:var(--k-packet-ink)}"
    ".k8snet-svg .none{fill:none;stroke:var(--k-hairline);stroke-width:1}"
    ".k8snet-svg .edge.on{stroke:var(--k-packet);stroke-width:3.6}"
    ".k8snet-svg .tip.on{fill:var(--k-packet)}"
)
CAPTION = "In a pill: the packets that a rule matched so far."
FIRST = (
    "Only the first packet of a connection asks the nat table, so each packet here is one new "
    "connection."
)
#: kube-proxy's mode -> what the numbers say there.
_KEYS = {
    "nftables": "kube-proxy's rules in nftables have no counters, so nothing is counted here.",
    "ipvs": "In a pill: the new connections that IPVS gave a real server so far. What masquerades "
    "is decided by iptables rules that ask ipsets, which name no Service.",
}
_HEAD = ("chain", "rule asks for", "leads to", "chance here", "of all that comes here", "packets")


def chain_map(cluster: Cluster, service: str, node: str) -> Picture:
    """The chains of a Service in the live rules of a node, with what they counted so far.

    In nftables mode these are its chains and the elements of its maps; in IPVS mode its virtual
    servers with their real servers.

    Parameters: ``service`` is ``NAME`` or ``NAMESPACE/NAME``, as kubectl or a rule's comment names
    it; ``node`` is whose rules are read. The picture shows this moment: call again after traffic.
    Raises ``UnknownName`` if the node has no rule for such a Service.
    """
    ns = cluster[node]
    specs = {f"{s.namespace}/{s.name}": s for s in cluster.spec.services if s.has_address}
    known = dict.fromkeys((*services_named(ns.ruleset), *specs))
    plain = service.removeprefix("svc/").removeprefix("service/")
    wanted = [name for name in known if plain in (name, name.partition("/")[2])]
    wanted.sort(key=lambda name: not name.startswith("default/"))
    graph = _graph(ns, wanted[0], specs.get(wanted[0])) if wanted else None
    if not graph:
        short = {name.partition("/")[2]: None for name in known}
        raise unknown_name(f"Service in the rules of {ns.name}", plain, short)
    return draw_chains(graph, ns.name, cluster.names)


def _graph(ns: Netns, name: str, spec: Service | None) -> DiGraph[str]:
    """The Service's graph, from where kube-proxy keeps it: nftables, IPVS, or iptables."""
    addresses = (spec.cluster_ip, *spec.external_ips) if spec else ()
    found = []
    if ns.ruleset.nft is not None:
        found.append(("nftables", nft_graph(ns.ruleset.nft, name)))
    ports = {port.node_port for port in spec.ports if port.node_port} if spec else set()
    found.append(("ipvs", ipvs_graph(ns.ipvs, name, addresses, ports)))
    for mode, graph in found:
        if graph:
            graph.graph["mode"] = mode
            return graph
    return chain_graph(ns.ruleset, name, addresses)


def draw_chains(graph: DiGraph[str], node: str, names: Mapping[str, str]) -> Picture:
    """A picture of a graph as ``chain_graph`` builds it; ``names`` are the owners of addresses."""
    cards = cards_of(graph, names)
    mode = graph.graph.get("mode", "iptables")
    what = "virtual servers" if mode == "ipvs" else "chains"
    title = f"The {what} of Service {graph.graph['service']} on {node}"
    said = ends_words(graph, names)
    svg, narrow = (
        sheet_of(cards, plan).svg((plan.width, plan.height), title, " ".join(said), STYLE)
        for plan in (lay_out(cards), stacked(cards))
    )
    rows = tuple(_rows(graph, names))
    nat = any(data["table"] == "nat" for _, data in graph.nodes(data=True))
    key = _KEYS.get(mode) or (f"{CAPTION} {FIRST}" if nat else CAPTION)
    text = "\n".join([f"{title}.", *said, *_words(graph, names), key])
    return Picture(svg, text, f"{title}. {said[0]} {key}", (_HEAD, *rows),
                   "The same in words: every rule", narrow)  # fmt: skip


# -- ink ------------------------------------------------------------------------------------------


def sheet_of(cards: Mapping[str, Card], plan: Plan) -> Sheet:
    """The cards and lines of a plan, drawn; the lines that packets took on top."""
    sheet = Sheet()
    for way, packets in sorted(plan.ways, key=lambda one: one[1] > 0):
        sheet.arrow(way, "on" if packets else "", 8 if packets else 6)
    for key, box in plan.boxes.items():
        _draw(sheet, cards[key], box)
    return sheet


def _draw(sheet: Sheet, card: Card, box: Box) -> None:
    with sheet.group(tip=card.title):
        sheet.box(box, "card mark" if card.kind == "mark" else "card")
        sheet.words(box, Point(box.x + 10, box.y + 20), card.title, "strong")
        sheet.words(box, Point(box.x + 10, box.y + 37), card.sub, "small")
    y = box.y + HEAD
    for row in card.rows:
        _draw_row(sheet, row, Box(box.x + 5, y, box.w - 10, row.height - 4))
        y += row.height
    if card.foot:
        name, to, share, packets = card.foot
        at = Box(box.x, y, box.w, FOOT)
        with sheet.group(tip=to):
            sheet.box(at, "foot")
            sheet.words(
                Box(at.x, at.y, at.w - 90, FOOT), Point(at.x + 10, at.y + 19), name, "strong"
            )
            sheet.words(at, Point(at.x + 10, at.y + 37), to, "small")
            sheet.words(at, Point(at.right - 10, at.y + 19), share, "strong", "end")
            _pill(sheet, at, at.y + 33, packets)


def _draw_row(sheet: Sheet, row: Row, box: Box) -> None:
    with sheet.group():
        sheet.box(box, "rule on" if row.packets else "rule", 5)
        y = box.y + PAD + 11
        for line in row.lines:
            sheet.words(box, Point(box.x + 7, y), line, "plain")
            y += LINE_H
        if row.share:
            sheet.words(box, Point(box.right - 8, y - LINE_H), row.share, "strong", "end")
        left = Box(box.x, box.y, box.w - 10 - _pill_width(row.packets), box.h)
        sheet.words(left, Point(box.x + 7, y), row.to, "small", tone=row.tone)
        _pill(sheet, box, y - 4, row.packets)


def _pill_width(packets: int | None) -> float:
    if packets is None:
        return 0.0
    return max(20.0, width_of(f"{packets:,}", "badge") + 8)


def _pill(sheet: Sheet, box: Box, y: float, packets: int | None) -> None:
    """How many packets, at the right edge: in a filled pill, or a mere 0; nothing where nothing is
    counted."""
    if packets is None:
        return
    wide = _pill_width(packets)
    at = Box(box.right - 8 - wide, y - 9, wide, 18)
    if packets:
        sheet.badge(Point(at.x, y), f"{packets:,}")
        return
    sheet.box(at, "none", 9)
    sheet.words(at, Point(at.x + wide / 2, y + 4), "0", "small", "middle")


# -- words ----------------------------------------------------------------------------------------


def ends_words(graph: DiGraph[str], names: Mapping[str, str]) -> list[str]:
    """What becomes of a new connection: the endpoints with their shares and packets; or what the
    rules say instead."""
    ends = [(node, end) for node in graph if (end := endpoint_of(graph, node))]
    if not ends:
        stops = [data["name"] for _, data in graph.nodes(data=True) if data["kind"] == "verdict"
                 and data["name"].startswith(("REJECT", "DROP"))]  # fmt: skip
        said = ", ".join(dict.fromkeys(stops)) or "no rule takes the packet"
        return [f"There is no endpoint: {said}."]
    shares = [share_words(graph, node) for node, _ in ends]
    ways = {data["chooses"] for _, data in graph.nodes(data=True) if "chooses" in data}
    if ways:
        first = f"{len(ends)} real server{'s' * (len(ends) > 1)}. {'. '.join(sorted(ways))}."
    elif len(ends) == 1:
        first = "One endpoint gets every new connection."
    elif len(set(shares)) == 1:
        each = shares[0].removesuffix(" of all")
        first = f"{len(ends)} endpoints, each with {each} of the new connections."
    else:
        first = f"{len(ends)} endpoints."
    told = []
    for (node, end), share in zip(ends, shares, strict=True):
        ip = graph.nodes[end]["name"]
        packets = counted(graph.edges[node, end]["lines"])
        owner = names.get(ip.split(":")[0])
        far = "" if packets is None else f"so far {packets:,}"
        words = ", ".join(word for word in (share, far) if word)
        told.append(f"{ip}{f' ({owner})' if owner else ''} {words}")
    return [first, f"Endpoints: {'; '.join(told)}."]


def _order(graph: DiGraph[str]) -> Iterator[str]:
    from networkx import lexicographical_topological_sort

    place = {node: (node.startswith("filter"), n) for n, node in enumerate(graph)}
    for node in lexicographical_topological_sort(graph, key=place.__getitem__):
        if graph.nodes[node]["kind"] in ("hook", "chain", "mark"):
            yield node


def _words(graph: DiGraph[str], names: Mapping[str, str]) -> Iterator[str]:
    for node in _order(graph):
        data = graph.nodes[node]
        sub = sub_words(graph, node)
        table = data["table"]
        named = "nat table" if table == "nat" and "where" not in data else ""
        where = ", ".join(filter(None, (named, sub)))
        yield f"{data['name']}{f' ({where})' if where else ''}:"
        for goal, line in lines_of(graph, node):
            share = f" ({line.share} of all)" if line.share not in (None, 1) else ""
            to = _goal(graph, goal, names)
            far = "" if line.packets is None else f": {line.packets:,}"
            yield f"  {line.place}. {row_words(line)}{share} → {to}{far}"


def _goal(graph: DiGraph[str], goal: str, names: Mapping[str, str]) -> str:
    data = graph.nodes[goal]
    if data["kind"] != "endpoint":
        return str(data["name"])
    owner = names.get(data["name"].split(":")[0])
    return f"{data.get('how', 'DNAT to')} {data['name']}" + (f" ({owner})" if owner else "")


def _rows(graph: DiGraph[str], names: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    for node in _order(graph):
        for goal, line in lines_of(graph, node):
            share = str(line.share) if line.share is not None else ""
            asked = line.condition or "chance alone"
            yield (
                graph.nodes[node]["name"], asked, _goal(graph, goal, names),
                str(line.chance or ""), share,
                "not counted" if line.packets is None else f"{line.packets:,}",
            )  # fmt: skip
