"""What lives here: ``chain_map``, the chains of one Service on one node, as they are now.

Every card is a chain, every row a rule with its condition, its chance and, in a pill, how many
packets it matched so far. Lines that packets took are thick. Marks for masquerading are said in
words and not drawn as lines, of which there would be too many.

What may not live here: how rules are read (``chain_graph``), positions (``chain_cards``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from k8snetlib.errors import K8sNetError, unknown_name
from k8snetlib.views.chain_cards import (
    FOOT,
    HEAD,
    LINE_H,
    PAD,
    Card,
    Plan,
    Row,
    cards_of,
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
from k8snetlib.views.picture import Picture
from k8snetlib.views.sheet import Sheet, width_of

if TYPE_CHECKING:
    from networkx import DiGraph

    from k8snetlib.cluster import Cluster

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
#: Modes without a Service's chains in iptables, and the command that shows what they have.
_LOOK = {"ipvs": "ipvsadm -Ln", "nftables": "nft list ruleset"}
_HEAD = ("chain", "rule asks for", "leads to", "chance here", "of all that comes here", "packets")


def chain_map(cluster: Cluster, service: str, node: str) -> Picture:
    """The chains of a Service in the live rules of a node, with what they counted so far.

    Parameters: ``service`` is ``NAME`` or ``NAMESPACE/NAME``, as kubectl or a rule's comment names
    it; ``node`` is whose rules are read. The picture shows this moment: call again after traffic.
    Raises ``UnknownName`` if the node has no rule for such a Service, ``K8sNetError`` if kube-proxy
    keeps it elsewhere than in iptables rules.
    """
    ns = cluster[node]
    addresses = {f"{s.namespace}/{s.name}": (s.cluster_ip, *s.external_ips)
                 for s in cluster.spec.services if s.has_address}  # fmt: skip
    known = dict.fromkeys((*services_named(ns.ruleset), *addresses))
    plain = service.removeprefix("svc/").removeprefix("service/")
    wanted = [name for name in known if plain in (name, name.partition("/")[2])]
    wanted.sort(key=lambda name: not name.startswith("default/"))
    graph = chain_graph(ns.ruleset, wanted[0], addresses.get(wanted[0], ())) if wanted else None
    if graph is None or not graph:
        mode = cluster.spec.network.proxy_mode
        if wanted and mode in _LOOK:
            raise K8sNetError(
                f"No iptables rule of {ns.name} is about {plain}: kube-proxy's mode is {mode}.",
                f"Look with: {_LOOK[mode]}.",
            )
        short = {name.partition("/")[2]: None for name in services_named(ns.ruleset)}
        raise unknown_name(f"Service in the rules of {ns.name}", plain, short)
    return draw_chains(graph, ns.name, cluster.names)


def draw_chains(graph: DiGraph[str], node: str, names: Mapping[str, str]) -> Picture:
    """A picture of a graph as ``chain_graph`` builds it; ``names`` are the owners of addresses."""
    cards = cards_of(graph, names)
    title = f"The chains of Service {graph.graph['service']} on {node}"
    said = ends_words(graph, names)
    svg, narrow = (
        sheet_of(cards, plan).svg((plan.width, plan.height), title, " ".join(said), STYLE)
        for plan in (lay_out(cards), stacked(cards))
    )
    rows = tuple(_rows(graph, names))
    nat = any(data["table"] == "nat" for _, data in graph.nodes(data=True))
    key = f"{CAPTION} {FIRST}" if nat else CAPTION
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


def _pill_width(packets: int) -> float:
    return max(20.0, width_of(f"{packets:,}", "badge") + 8)


def _pill(sheet: Sheet, box: Box, y: float, packets: int) -> None:
    """How many packets, at the right edge: in a filled pill, or a mere 0."""
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
        return [f"There is no endpoint: {', '.join(stops) or 'no rule takes the packet'}."]
    shares = [share_words(graph, node) for node, _ in ends]
    if len(ends) == 1:
        first = "One endpoint gets every new connection."
    elif len(set(shares)) == 1:
        each = shares[0].removesuffix(" of all")
        first = f"{len(ends)} endpoints, each with {each} of the new connections."
    else:
        first = f"{len(ends)} endpoints."
    said = []
    for (node, end), share in zip(ends, shares, strict=True):
        ip = graph.nodes[end]["name"]
        packets = sum(line.packets for line in graph.edges[node, end]["lines"])
        owner = names.get(ip.split(":")[0])
        said.append(f"{ip}{f' ({owner})' if owner else ''} {share}, so far {packets:,}")
    return [first, f"Endpoints: {'; '.join(said)}."]


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
        yield f"{data['name']} ({', '.join(filter(None, ('nat table' * (table == 'nat'), sub)))}):"
        for goal, line in lines_of(graph, node):
            share = f" ({line.share} of all)" if line.share not in (None, 1) else ""
            to = _goal(graph, goal, names)
            yield f"  {line.place}. {row_words(line)}{share} → {to}: {line.packets:,}"


def _goal(graph: DiGraph[str], goal: str, names: Mapping[str, str]) -> str:
    data = graph.nodes[goal]
    if data["kind"] != "endpoint":
        return str(data["name"])
    owner = names.get(data["name"].split(":")[0])
    return f"DNAT to {data['name']}" + (f" ({owner})" if owner else "")


def _rows(graph: DiGraph[str], names: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    for node in _order(graph):
        for goal, line in lines_of(graph, node):
            share = str(line.share) if line.share is not None else ""
            asked = line.condition or "chance alone"
            yield (
                graph.nodes[node]["name"], asked, _goal(graph, goal, names),
                str(line.chance or ""), share, f"{line.packets:,}",
            )  # fmt: skip
