"""What lives here: a graph of chains as cards with rows, in columns from left to right.

A chain is a card, its rules are the card's rows, and a line runs from a row to the card it leads
to. Where a chain spreads over many endpoints, the first few and the last are kept, and one row and
one card stand for all between them.

What may not live here: rules (``chain_graph``), ink (``chain_map``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.views.chain_graph import LATER, Line
from k8snetlib.views.geometry import Box, Point, tidy
from k8snetlib.views.sheet import width_of

if TYPE_CHECKING:
    from networkx import DiGraph

MARGIN, CARD_W, GAP, RISE, INDENT = 14.0, 244.0, 44.0, 18.0, 12.0
HEAD, LINE_H, PAD, FOOT = 46.0, 17.5, 7.0, 46.0
#: A chain with more endpoints than this is drawn with one row for those in the middle.
MOST = 6
KEPT = 3


#: nftables' ``KIND-HASH-NAMESPACE/NAME/PROTO/PORT``, behind it ``__ADDRESS/PORT`` of an endpoint.
_NFT_NAME = re.compile(r"([a-z-]+)-([A-Z0-9]{4})[A-Z0-9]{4}-[^/]+/[^/]+/(\w+/[^_]*)(?:__(.+))?$")


class Row(NamedTuple):
    """One rule of a card: what it asks for (in lines), where it leads, its share, its packets.

    ``goal`` is the card that its line runs to ("": none is drawn).
    """

    lines: tuple[str, ...]
    to: str
    share: str
    packets: int | None
    goal: str = ""
    tone: str = ""

    @property
    def height(self) -> float:
        """Its height, in px."""
        return 2 * PAD + LINE_H * (len(self.lines) + 1) - 3


class Card(NamedTuple):
    """One chain. ``foot`` is the endpoint at its end: name, address, share, packets."""

    node: str
    title: str
    sub: str
    kind: str
    rows: tuple[Row, ...]
    foot: tuple[str, str, str, int | None] | None = None

    @property
    def height(self) -> float:
        """Its height, in px."""
        return HEAD + sum(row.height for row in self.rows) + (FOOT if self.foot else 4)


def lines_of(graph: DiGraph[str], node: str) -> list[tuple[str, Line]]:
    """A chain's rules in their order, each with the node that it leads to."""
    found = [(goal, line) for _, goal, data in graph.out_edges(node, data=True)
             for line in data["lines"]]  # fmt: skip
    return sorted(found, key=lambda one: (one[1].condition.startswith(LATER), one[1].place))


def counted(lines: Iterable[Line]) -> int | None:
    """What rules counted together; None if none of them counts."""
    found = [line.packets for line in lines if line.packets is not None]
    return sum(found) if found else None


def endpoint_of(graph: DiGraph[str], node: str) -> str:
    """The one endpoint at the end of a chain ("": it has none, or several)."""
    ends = [goal for goal in graph.successors(node) if graph.nodes[goal]["kind"] == "endpoint"]
    return ends[0] if len(ends) == 1 else ""


def shares_of(graph: DiGraph[str], node: str) -> dict[Fraction, str]:
    """Which shares a chain gets, each with the name of a chain that gives it."""
    found: dict[Fraction, str] = {}
    for giver, _, data in graph.in_edges(node, data=True):
        for line in data["lines"]:
            if line.share is not None:
                found.setdefault(line.share, graph.nodes[giver]["name"])
    return found


def share_words(graph: DiGraph[str], node: str) -> str:
    """``1/3 of all``; ``1/3 of all or all`` if chains lead there with different shares."""
    if "share" in graph.nodes[node]:
        return str(graph.nodes[node]["share"])
    shares = shares_of(graph, node) or {Fraction(1): ""}
    return " or ".join("all" if share == 1 else f"{share} of all" for share in shares)


def cards_of(graph: DiGraph[str], names: Mapping[str, str]) -> dict[str, Card]:
    """A card for every chain, by node; ``names`` are the owners of addresses."""
    folded = dict(_folded(graph))
    gone = {node for nodes in folded.values() for node in nodes}
    found: dict[str, Card] = {}
    for node, data in graph.nodes(data=True):
        if data["kind"] in ("chain", "mark") and node not in gone:
            found[node] = _card(graph, node, folded.get(node, ()), names)
    for giver, nodes in folded.items():
        found[f"{giver} more"] = _more(graph, giver, nodes)
    return found


def _folded(graph: DiGraph[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Chains with too many endpoints, and the nodes that are drawn as one."""
    for node in graph:
        ends = [goal for goal, line in lines_of(graph, node)
                if line.share is not None and endpoint_of(graph, goal)]  # fmt: skip
        ends = list(dict.fromkeys(ends))
        if len(ends) > MOST:
            yield node, tuple(ends[KEPT:-1])


def _card(graph: DiGraph[str], node: str, folded: Sequence[str], names: Mapping[str, str]) -> Card:
    data = graph.nodes[node]
    end = endpoint_of(graph, node)
    rows: list[Row] = []
    folding: list[Line] = []
    for goal, line in lines_of(graph, node):
        if goal in folded:
            folding.append(line)
            if len(folding) == len(folded):
                rows.append(_fold_row(node, folding))
        elif goal != end or not end:
            rows.append(_row(graph, goal, line))
    foot = None
    if end:
        ip = graph.nodes[end]["name"]
        packets = counted(graph.edges[node, end]["lines"])
        how = graph.nodes[end].get("how", "DNAT to")
        foot = (names.get(ip.split(":")[0], "endpoint"), f"{how} {ip}",
                share_words(graph, node), packets)  # fmt: skip
    title = short_name(data["name"])
    return Card(node, title, sub_words(graph, node), data["kind"], tuple(rows), foot)


#: Chains by the beginning of their name -> what kube-proxy has them for.
ROLES: Mapping[str, str] = {
    "KUBE-NODEPORTS": "which node port is meant?",
    "KUBE-EXT-": "what comes from outside",
    "KUBE-FW-": "who may use the load balancer?",
    "KUBE-SVC-": "chooses an endpoint",
    "KUBE-SVL-": "chooses an endpoint of this node",
    "KUBE-SEP-": "one endpoint",
    "KUBE-MARK-MASQ": "marks, returns; for all Services",
    "external-": "what comes from outside",
    "service-": "chooses an endpoint",
    "endpoint-": "one endpoint",
    "mark-for-masquerade": "marks, returns; for all Services",
}


def sub_words(graph: DiGraph[str], node: str) -> str:
    """What stands below a chain's name: where it is asked, else what it is for; and the table."""
    data = graph.nodes[node]
    if "sub" in data:
        return str(data["sub"])
    hooks = [graph.nodes[n]["name"] for n in graph.predecessors(node)
             if graph.nodes[n]["kind"] == "hook"]  # fmt: skip
    asked = f"asked in {' and '.join(hooks)}" if hooks and data["table"] == "nat" else ""
    asked = asked or ", ".join(hooks)
    role = next((words for name, words in ROLES.items() if data["name"].startswith(name)), "")
    table = "" if data["table"] == "nat" else data.get("where", f"{data['table']} table")
    return ": ".join(word for word in (table, asked or role) if word)


def _row(graph: DiGraph[str], goal: str, line: Line) -> Row:
    data = graph.nodes[goal]
    name, kind = data["name"], data["kind"]
    tone = "mark" if kind == "mark" else "wrong" if name.startswith(("REJECT", "DROP")) else ""
    to = f"{'✕' if tone == 'wrong' else '→'} {short_name(name)}"
    words = row_words(line)
    share = f"= {line.share}" if line.share not in (None, 1) else ""
    drawn = goal if kind == "chain" else ""
    return Row(wrapped(words, CARD_W - 24), to, share, line.packets, drawn, tone)


def row_words(line: Line) -> str:
    """A rule's condition, with its chance."""
    chance = f"chance {line.chance}" if line.chance is not None else ""
    if chance and line.share not in (None, line.chance):
        chance += " of the rest"
    return ", ".join(word for word in (line.condition, chance) if word)


def short_name(chain: str) -> str:
    """``KUBE-SEP-OYAM…`` for a name with a hash at its end; of nftables' names what stands before
    the hash, and the port that is meant: ``service-ICTK… tcp/http``, ``endpoint-H254…``."""
    if found := _NFT_NAME.match(chain):
        return f"{found[1]}-{found[2]}…" + ("" if found[4] else f" {found[3]}")
    head, _, tail = chain.rpartition("-")
    return f"{head}-{tail[:4]}…" if len(tail) == 16 and tail.isalnum() else chain


def _fold_row(node: str, lines: list[Line]) -> Row:
    words = (f"{len(lines)} more rules", f"chance {lines[0].chance} to {lines[-1].chance}")
    packets = counted(lines)
    each = {line.share for line in lines}
    share = each.pop() if len(each) == 1 else None
    total = f"= {len(lines) * share.numerator}/{share.denominator}" if share else ""
    return Row(words, f"→ {len(lines)} chains", total, packets, f"{node} more")


def _more(graph: DiGraph[str], giver: str, nodes: Sequence[str]) -> Card:
    lines = [line for node in nodes for line in graph.edges[giver, node]["lines"]]
    each = {line.share for line in lines}
    packets = counted(lines)
    share = f"{next(iter(each))} of all each" if len(each) == 1 else ""
    foot = (f"{len(nodes)} more", "each has a chain of its own", share, packets)
    title, sub = f"{len(nodes)} more chains", "in the words below: every one"
    return Card(f"{giver} more", title, sub, "chain", (), foot)


def wrapped(words: str, room: float) -> tuple[str, ...]:
    """The words in lines that fit into ``room`` px, broken at commas where that is possible."""
    lines: list[str] = []
    for part in words.replace(", ", ",\n").splitlines():
        pieces = [part] if width_of(part, "plain") <= room else part.split()
        for piece in pieces:
            if lines and width_of(f"{lines[-1]} {piece}", "plain") <= room:
                lines[-1] += f" {piece}"
            else:
                lines.append(piece)
    return tuple(lines)


# -- where everything stands ----------------------------------------------------------------------


class Route:
    """A line from a row to a card, while the columns are filled from left to right.

    ``at`` are its heights: where it leaves, in each slot that it passes, where it arrives.
    """

    __slots__ = ("at", "back", "end", "goal", "packets", "start")

    def __init__(self, start: int, end: int, y: float, row: Row) -> None:
        self.start, self.end, self.at = start, end, [y]
        self.goal, self.packets, self.back = row.goal, row.packets or 0, start == end


class Leg(NamedTuple):
    """A route's way through one gap: from which height to which."""

    route: int
    begin: float
    end: float


class Plan(NamedTuple):
    """The cards' boxes, and every line as points, with its packets."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    ways: tuple[tuple[tuple[Point, ...], int], ...]


def columns_of(cards: Mapping[str, Card]) -> dict[str, int]:
    """A column for every card, in an order in which lines run: one further right than all cards
    that lead to it. Node ports stay below the chain that asks them; marks stand second."""
    from networkx import DiGraph as Graph
    from networkx import lexicographical_topological_sort

    drawn: DiGraph[str] = Graph()
    drawn.add_nodes_from(cards)
    for card in cards.values():
        drawn.add_edges_from((card.node, row.goal) for row in card.rows if row.goal in cards)
    order = {node: (node.startswith("filter"), n) for n, node in enumerate(cards)}
    found: dict[str, int] = {}
    for node in lexicographical_topological_sort(drawn, key=order.__getitem__):
        stays = cards[node].title == "KUBE-NODEPORTS"
        found[node] = max((found[n] + (not stays) for n in drawn.predecessors(node)), default=0)
        if cards[node].kind == "mark":
            found[node] = 1
    return found


def lay_out(cards: Mapping[str, Card]) -> Plan:
    """Where everything stands. A line that passes a column gets a slot of its own in it."""
    column = columns_of(cards)
    last = max(column.values(), default=0)
    gap = _gap(cards, column)
    boxes: dict[str, Box] = {}
    routes: list[Route] = []
    for n in range(last + 1):
        passing = [route for route in routes if route.start < n < route.end]
        items: list[tuple[float, str, Route | None]] = [
            (route.at[-1], "", route) for route in passing
        ]
        for node in (node for node, at in column.items() if at == n):
            incoming = [route.at[-1] for route in routes if route.goal == node]
            last_of_all = float("inf") if cards[node].kind == "mark" or n else 0.0
            items.append((min(incoming, default=last_of_all), node, None))
        free = MARGIN
        for y, node, route in sorted(items, key=lambda item: item[0]):
            if route is not None:
                route.at.append(max(free, y))
                free = route.at[-1] + 14
                continue
            top = free if y in (0.0, float("inf")) else max(free, y - HEAD / 2)
            boxes[node] = Box(MARGIN + n * (CARD_W + gap), top, CARD_W, cards[node].height)
            free = boxes[node].bottom + RISE
            routes += _routes(cards[node], boxes[node], column)
    for node, box in boxes.items():
        arriving = sorted((r for r in routes if r.goal == node), key=lambda r: r.at[-1])
        for k, route in enumerate(arriving):
            route.at.append(box.y + 15 + 13 * k)
    height = max((box.bottom for box in boxes.values()), default=MARGIN) + MARGIN
    width = 2 * MARGIN + (last + 1) * CARD_W + last * gap
    return Plan(width, height, boxes, _ways(routes, gap))


def _gap(cards: Mapping[str, Card], column: Mapping[str, int]) -> float:
    """How wide the gaps between columns are: many lines side by side need more room."""
    starts = Counter(column[card.node] for card in cards.values() for row in card.rows
                     if row.goal in column)  # fmt: skip
    return max(GAP, 8.0 * max(starts.values(), default=0) - 8.0)


def stacked(cards: Mapping[str, Card]) -> Plan:
    """All cards below one another, for a narrow screen: no lines, a row names where it leads."""
    column = columns_of(cards)
    boxes: dict[str, Box] = {}
    free = MARGIN
    for node in sorted(column, key=lambda n: (cards[n].kind == "mark", column[n])):
        boxes[node] = Box(MARGIN + INDENT * column[node], free, CARD_W, cards[node].height)
        free = boxes[node].bottom + RISE / 2
    width = 2 * MARGIN + CARD_W + INDENT * max(column.values(), default=0)
    return Plan(width, free + MARGIN - RISE / 2, boxes, ())


def _routes(card: Card, box: Box, column: Mapping[str, int]) -> Iterator[Route]:
    y = box.y + HEAD
    for row in card.rows:
        if row.goal in column:
            yield Route(column[card.node], column[row.goal], y + row.height / 2, row)
        y += row.height


def _ways(routes: Sequence[Route], wide: float) -> tuple[tuple[tuple[Point, ...], int], ...]:
    """Every line as points: level to its lane in a gap, along the lane, level again."""
    lanes: dict[tuple[int, int], float] = {}
    for gap in {n for r in routes for n in range(r.start, max(r.end, r.start + 1))}:
        legs = [Leg(n, *r.at[gap - r.start : gap - r.start + 2]) for n, r in enumerate(routes)
                if r.start <= gap < max(r.end, r.start + 1)]  # fmt: skip
        down = sorted((leg for leg in legs if leg.end > leg.begin), key=lambda leg: -leg.begin)
        up = sorted((leg for leg in legs if leg.end < leg.begin), key=lambda leg: leg.begin)
        left = MARGIN + gap * (CARD_W + wide) + CARD_W
        turns = [*down, *up]
        for k, leg in enumerate(turns, 1):
            lanes[gap, leg.route] = left + 4 + (wide - 20) * k / (len(turns) + 1)
    found = []
    for n, route in enumerate(routes):
        points = [Point(MARGIN + route.start * (CARD_W + wide) + CARD_W, route.at[0])]
        for gap, (y1, y2) in enumerate(pairwise(route.at), route.start):
            if (gap, n) in lanes:
                points += [Point(lanes[gap, n], y1), Point(lanes[gap, n], y2)]
        end = MARGIN + route.end * (CARD_W + wide) + (CARD_W if route.back else 0)
        points.append(Point(end, route.at[-1]))
        found.append((tidy(points), route.packets))
    return tuple(found)
