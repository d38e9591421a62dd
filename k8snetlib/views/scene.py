"""What lives here: the picture of a cluster as SVG, from a layout.

The SVG carries its own style sheet, so that it looks the same in a notebook and in a file. Things
that a packet can visit carry ``data-anchor``, by which the step player finds them.

What may not live here: positions (``layout``), the way of a packet (``walk``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

from k8snetlib.views.crowd import PODS_SHOWN
from k8snetlib.views.crowd import in_words as crowd_words
from k8snetlib.views.geometry import Box, Point, number, path_data, text_width
from k8snetlib.views.marks import TEXT_STYLE, document, rect
from k8snetlib.views.marks import text as words_at
from k8snetlib.views.plan import NAME, SMALL, Item, Layout, short

#: How everything in a picture looks; sizes are px at the picture's natural width.
STYLE = TEXT_STYLE + (
    ".k8snet-svg .node{fill:var(--k-node-fill);stroke:var(--k-node);stroke-width:1.6}"
    ".k8snet-svg .nodetext{fill:var(--k-node-ink)}"
    ".k8snet-svg .switch{fill:var(--k-node-band);stroke:var(--k-node);stroke-width:1.6}"
    ".k8snet-svg .trunk{fill:var(--k-node-band)}"
    ".k8snet-svg .machine{fill:var(--k-card);stroke:var(--k-node);stroke-width:1.6}"
    ".k8snet-svg .pod{fill:var(--k-pod-fill);stroke:var(--k-pod);stroke-width:1.6}"
    ".k8snet-svg .bridge{fill:var(--k-pod-band);stroke:var(--k-pod);stroke-width:1.6}"
    ".k8snet-svg .hub{fill:var(--k-kernel-fill);stroke:var(--k-line);stroke-width:1.2}"
    ".k8snet-svg .tun,.k8snet-svg .overlay{fill:var(--k-pod-fill);stroke:var(--k-pod);"
    "stroke-width:1.8;stroke-dasharray:6 3}"
    ".k8snet-svg .daemon{fill:var(--k-process-fill);stroke:var(--k-process);stroke-width:1.4}"
    ".k8snet-svg .chip{fill:var(--k-process-fill);stroke:var(--k-process);stroke-width:1}"
    ".k8snet-svg .chip.pause{stroke-dasharray:3 2}"
    ".k8snet-svg .plug{fill:var(--k-ground);stroke:var(--k-line);stroke-width:1.6}"
    ".k8snet-svg .link{fill:none;stroke:var(--k-line);stroke-width:2}"
    ".k8snet-svg .rail{fill:none;stroke:var(--k-line);stroke-width:2}"
    ".k8snet-svg .link.wire{stroke:var(--k-node);stroke-width:2.6}"
    ".k8snet-svg .link.veth{stroke:var(--k-pod);stroke-width:2.2}"
    ".k8snet-svg .link.tun-link{stroke:var(--k-pod);stroke-width:2;stroke-dasharray:2 3}"
    ".k8snet-svg .way{fill:none;stroke:var(--k-packet);stroke-width:4.5;stroke-linejoin:round;"
    "stroke-linecap:round}"
    ".k8snet-svg .way.reply{stroke:var(--k-reply);stroke-dasharray:9 6}"
    ".k8snet-svg .arrow{fill:var(--k-packet)}.k8snet-svg .arrow.reply{fill:var(--k-reply)}"
    ".k8snet-svg .stop circle{fill:var(--k-packet-deep);stroke:var(--k-ground);stroke-width:1.5}"
    ".k8snet-svg .stop text{fill:var(--k-on-packet);font-size:12px;font-weight:700;"
    "text-anchor:middle}"
    ".k8snet-svg .end rect{fill:var(--k-ground);stroke:var(--k-bad);stroke-width:1.6}"
    ".k8snet-svg .end path{fill:none;stroke:var(--k-bad);stroke-width:3.4;stroke-linecap:round}"
    ".k8snet-svg .end text{fill:var(--k-bad);font-size:12px;font-weight:700}"
    ".k8snet-svg .stop.reply circle{fill:var(--k-reply)}"
    ".k8snet-svg .stop.reply text{fill:var(--k-on-reply)}"
)

#: What is drawn small; only a picture that has it carries this.
SMALL_STYLE = (
    ".k8snet-svg .tile{fill:var(--k-node-fill);stroke:var(--k-node);stroke-width:1.3}"
    f".k8snet-svg .tilename{{font-size:{SMALL:g}px;font-weight:650}}"
)


def _named(x: float, y: float, name: str, more: str, kind: str = "") -> str:
    """A name and, right behind it, a word of lesser weight."""
    return (
        f'<text x="{number(x)}" y="{number(y)}"><tspan class="name {kind}">{escape(name)}</tspan>'
        f'<tspan class="tag" dx="6">{escape(more)}</tspan></text>'
    )


def _node(item: Item) -> str:
    box = item.box
    return (
        rect(box, "node", 12)
        + words_at(box.x + 13, box.y + 21, item.label, "name")
        + words_at(box.right - 13, box.y + 21, item.sub, "sub nodetext", "end")
    )


def _pod(item: Item) -> str:
    box = item.box
    return (
        rect(box, "pod", 8)
        + words_at(box.x + 10, box.y + 18, item.label, "name")
        + words_at(box.x + 10, box.y + 34, item.sub, "sub")
    )


def _chip(item: Item) -> str:
    box = item.box
    kind = "chip pause" if item.label == "pause" else "chip"
    return rect(box, kind, box.h / 2) + words_at(
        box.x + box.w / 2, box.y + 13.5, item.label, "sub", "middle"
    )


def _bridge(item: Item) -> str:
    box = item.box
    y = box.bottom - 8
    return (
        rect(box, "bridge", 6)
        + words_at(box.x + 10, y, item.label, "name")
        + words_at(box.right - 10, y, f"bridge {item.sub}".strip(), "sub", "end")
    )


def _hub(item: Item) -> str:
    box = item.box
    middle = box.y + box.h / 2
    return (
        rect(box, "hub", 8)
        + words_at(box.x + 9, middle, item.label, "name")
        + words_at(box.x + 9, middle + 17, "kernel:", "sub")
        + words_at(box.x + 9, middle + 32, "routes, TTL", "sub")
    )


def _device(item: Item) -> str:
    box = item.box
    tag = {"tun": "TUN", "vxlan": "VXLAN"}.get(item.kind, item.kind)
    sub, x = item.sub, box.x + 28
    wide = text_width(item.label, NAME, True) + text_width(tag, SMALL)
    if 28 + wide + 6 > box.w:
        sub, tag, x = f"{tag} {short(sub)}", "", box.x + 21
    return (
        rect(box, "overlay", 6)
        + _named(x, box.y + 18, item.label, tag)
        + words_at(x, box.y + 34, sub, "sub")
    )


def _daemon(item: Item) -> str:
    box = item.box
    return (
        rect(box, "daemon", box.h / 2)
        + words_at(box.x + 30, box.y + 18, item.label, "name")
        + words_at(box.x + 30, box.y + 34, item.sub, "tag")
    )


def _machine(item: Item) -> str:
    box = item.box
    lines = "".join(
        words_at(box.x + 11, box.y + 37 + 17 * n, line, "sub")
        for n, line in enumerate(item.sub.split("\n"))
    )
    return rect(box, "machine", 10) + words_at(box.x + 11, box.y + 20, item.label, "name") + lines


def _switch(item: Item) -> str:
    box = item.box
    if not item.label:
        return rect(box, "switch", 6)
    y = box.bottom - 7
    # A cluster of one node has no room for all of it.
    more, room = f"{item.sub} · a plain Ethernet switch", box.w - 40
    if text_width(item.label, NAME, True) + text_width(more, SMALL) > room:
        more = item.sub
    return rect(box, "switch", 8) + _named(box.x + 26, y, item.label, more, "nodetext")


def _tile(item: Item) -> str:
    """A small node: its name, and a square for each pod; of many pods, their number."""
    box, pods = item.box, int(item.sub)
    found = rect(box, "tile", 6) + words_at(box.x + 5, box.y + 15, item.label, "tilename")
    shown = pods if pods <= PODS_SHOWN else 1
    for n in range(shown):
        found += rect(Box(box.x + 5 + 10 * n, box.y + 22, 8, 8), "pod", 1.5)
    if pods > shown:
        found += words_at(box.x + 18, box.y + 30.5, f"× {pods}", "sub")
    return found


def _rest(item: Item) -> str:
    """Nodes that are only counted: a pile of tiles."""
    box = item.box
    return (
        "".join(rect(Box(box.x + d, box.y + d, box.w - 8, box.h - 8), "tile", 8) for d in (8, 4, 0))
        + words_at(box.x + 11, box.y + 17, item.label, "name")
        + words_at(box.x + 11, box.y + 31, item.sub, "sub")
    )


def _plug(item: Item) -> str:
    return rect(item.box, "plug", 2)


_DRAW: dict[str, Callable[[Item], str]] = {
    "node": _node, "pod": _pod, "chip": _chip, "bridge": _bridge, "hub": _hub, "daemon": _daemon,
    "machine": _machine, "switch": _switch, "plug": _plug, "tile": _tile, "rest": _rest,
    "trunk": lambda item: rect(item.box, "trunk", 8),
}  # fmt: skip


def draw_item(item: Item) -> str:
    """One thing, as every picture of a cluster shows it."""
    anchor = f' data-anchor="{escape(item.anchor)}"' if item.anchor else ""
    tip = f"<title>{escape(item.tip)}</title>" if item.tip else ""
    return f"<g{anchor}>{tip}{_DRAW.get(item.kind, _device)(item)}</g>"


def _plug_labels(layout: Layout) -> list[str]:
    """The names of network cards, beside their plugs."""
    found = []
    for item in layout.items:
        if item.kind != "plug" or not item.label:
            continue
        host = layout.topology.host(item.anchor.partition(":")[0])
        if host is None or host.role == "switch" or item.label.startswith("veth"):
            continue
        if host.role in ("router", "host") and len([p for p in host.ports if p.kind != "lo"]) > 1:
            continue
        if host.role == "host":
            continue
        x, y = item.box.x - (11 if host.role == "pod" else 5), item.box.y - 2
        found.append(words_at(x, y, item.label, "sub", "end"))
    return found


def _legend(layout: Layout) -> str:
    """What the colours and dashes mean, where the machines beside the nodes leave room for it."""
    box = layout.legend
    if box is None:
        return ""
    kinds = {item.kind for item in layout.items}
    rows = [("node", "node network"), ("pod", "Pod network")]
    if kinds & {"tun", "vxlan"}:
        rows.append(("overlay", "overlay device"))
    if kinds & {"daemon", "chip"}:
        rows.append(("daemon", "process"))
    found = []
    for n, (kind, words) in enumerate(rows):
        y = box.y + 22 * n
        swatch = Box(box.x, y, 26, 14)
        found.append(rect(swatch, kind, 7 if kind == "daemon" else 3))
        found.append(words_at(box.x + 35, y + 11.5, words, "sub"))
    return "".join(found)


def _node_left(layout: Layout, at: Point) -> float:
    """The left edge of the node that a point lies in."""
    lefts = [i.box.x for i in layout.items if i.kind == "node" and i.box.x <= at.x <= i.box.right]
    return lefts[-1] if lefts else 0.0


def body(layout: Layout) -> str:
    """Everything that stands still: boxes, wires, plugs, names."""
    back = [i for i in layout.items if i.kind in ("node", "switch", "trunk")]
    front = [i for i in layout.items if i.kind not in ("node", "switch", "trunk")]
    wires = []
    for link in layout.links:
        kind = "tun-link" if link.kind == "tun" else link.kind
        wires.append(f'<path class="link {kind}" d="{path_data(link.points)}"/>')
        if link.label:
            end = link.points[-1]
            left = end.x - 12 - text_width(link.label, SMALL) > _node_left(layout, end) - 4
            x, side = (end.x - 12, "end") if left else (end.x + 12, "")
            wires.append(words_at(x, end.y - 5, link.label, "sub", side))
    for item in front:
        if item.kind in ("bridge", "hub", "machine") and item.anchor in layout.rails:
            rail = layout.rails[item.anchor]
            ends = (Point(rail.x1, rail.y1), Point(rail.x2, rail.y2))
            wires.insert(0, f'<path class="rail" d="{path_data(ends)}"/>')
    plugs = [i for i in front if i.kind == "plug"]
    boxes = [i for i in front if i.kind != "plug"]
    legend = _legend(layout)
    return "\n".join(
        [
            legend,
            *map(draw_item, back),
            *map(draw_item, boxes),
            *wires,
            *map(draw_item, plugs),
            *_plug_labels(layout),
        ]
    )


_WORDS = re.compile(r'<text x="([\d.]+)" y="([\d.]+)"([^>]*)>(.*?)</text>')


def words_of(layout: Layout) -> list[Box]:
    """About where words stand in the picture, for what must not cover them."""
    found = []
    for x, y, how, said in _WORDS.findall(body(layout)):
        size, bold = (NAME, True) if "name" in how + said else (SMALL, False)
        wide = text_width(unescape(re.sub(r"<[^>]*>", " ", said)), size, bold)
        left = float(x) - wide * ('"end"' in how) - wide / 2 * ('"middle"' in how)
        found.append(Box(left, float(y) - 0.8 * size, wide, size))
    return found


def svg(layout: Layout, title: str, desc: str, extra: str = "") -> str:
    """The whole picture. ``title`` names it, ``desc`` tells it in words; ``extra`` is SVG drawn on
    top of it."""
    inner = body(layout) + ("\n" + extra if extra else "")
    style = STYLE + (SMALL_STYLE if layout.inside else "")
    return document(layout.width, layout.height, (title, desc), inner, style)


def in_words(layout: Layout) -> str:
    """What the picture shows, told in sentences."""
    topology = layout.topology
    said = []
    for node in topology.role("node"):
        if node.name in layout.inside:
            continue
        pods = [f"{p.name} {short(p.address)}" for p in topology.pods_on(node.name)]
        address = short(node.address) or "no address"
        bridges = [
            f"bridge {p.name} {' '.join(p.addresses)}" for p in node.ports if p.kind == "bridge"
        ]
        others = [
            f"{p.kind.upper()} device {p.name}" + (f" read by {p.owner}" if p.owner else "")
            for p in node.ports
            if p.kind not in ("bridge", "veth", "lo")
        ]
        parts = [", ".join(x) for x in (bridges, others) if x]
        parts.insert(0, f"pods {', '.join(pods)}" if pods else "no pods")
        said.append(f"{node.name} ({address}): {'; '.join(parts)}.")
    said += crowd_words(topology, layout.inside)
    beside = [
        f"{h.name} ({', '.join(short(a) for p in h.ports if p.kind != 'lo' for a in p.addresses)})"
        for h in topology.hosts
        if h.role in ("router", "host")
    ]
    if topology.role("switch") and topology.role("node"):
        said.append("A switch joins all nodes" + (f", {', '.join(beside)}." if beside else "."))
    return " ".join(said) or "An empty cluster."
