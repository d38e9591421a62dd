"""Writes docs/visual-language.md and its examples, from the code that draws the pictures.

python tools/visual_language.py          writes the page and docs/pictures/language/*.svg

How different colours look to colour-blind readers is worked out here. Sources: Machado, Oliveira
and Fernandes 2009 (the three matrices, severity 1.0); CIE 1976 L*a*b* (the difference);
WCAG 2.2 (contrast).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from k8snetlib import Cluster
from k8snetlib.views import draw, scene
from k8snetlib.views.bands import BANDS_STYLE
from k8snetlib.views.crowd import REST
from k8snetlib.views.geometry import Box, Point, path_data
from k8snetlib.views.marks import document, store, text
from k8snetlib.views.palette import COLOURS, contrast
from k8snetlib.views.plan import ITEM_H, ITEM_W, NAME, SMALL, Item
from k8snetlib.views.timeline import STYLE as TIMELINE_STYLE

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "visual-language.md"
FOLDER = ROOT / "docs" / "pictures" / "language"

NETWORKS = ("node", "pod", "service")
#: The colours that are set side by side: networks, and the lines of packets on them.
STROKES = (*NETWORKS, "packet", "reply")


class Mark(NamedTuple):
    """One mark: its file, its name, how it is known without colour, and what draws it."""

    file: str
    name: str
    sign: str
    size: tuple[float, float]
    inner: str


def _items(*items: Item) -> str:
    return "".join(scene.draw_item(item) for item in items)


def _pod() -> str:
    box = Box(8, 8, 136, 72)
    pause, web = Box(18, 48, 50, 19), Box(74, 48, 38, 19)
    return _items(
        Item("", "pod", box, "web2", "10.1.15.2"),
        Item("", "chip", pause, "pause"), Item("", "chip", web, "web"),
    )  # fmt: skip


def _bridge() -> str:
    box = Box(8, 8, 240, 39)
    rail = path_data((Point(18, 18), Point(238, 18)))
    return _items(Item("", "bridge", box, "docker0", "10.1.15.1/24")) + (
        f'<path class="rail" d="{rail}"/>'
    )


def _veth() -> str:
    ends = (Point(40, 16), Point(40, 54))
    plugs = [Item("", "plug", Box(at.x - 9, at.y - 5, 18, 10)) for at in ends]
    names = text(56, 20, "eth0", "sub") + text(56, 58, "veth-web2", "sub")
    return f'<path class="link veth" d="{path_data(ends)}"/>{_items(*plugs)}{names}'


def _device(kind: str, name: str, sub: str) -> str:
    return _items(Item("", kind, Box(8, 8, ITEM_W, ITEM_H), name, sub))


def marks() -> tuple[Mark, ...]:
    """All marks, in the order of the page."""
    device = (ITEM_W + 16, ITEM_H + 16)
    return (
        Mark("node", "node", "the largest box; its address on the right", (200, 56),
             _items(Item("", "node", Box(8, 8, 184, 40), "node1", "192.168.66.11"))),
        Mark("pod", "pod with pause", "a box in a node; `pause` is dashed",
             (152, 88), _pod()),
        Mark("bridge", "bridge", "a bar with a rail, into which pods are plugged", (256, 55),
             _bridge()),
        Mark("veth", "veth pair", "two plugs and the wire between them", (140, 72), _veth()),
        Mark("tun", "TUN device", "dashed outline, `TUN`; a dotted line to its process", device,
             _device("tun", "flannel0", "10.1.15.0/32")),
        Mark("vxlan", "VXLAN device", "dashed outline, `VXLAN`", device,
             _device("vxlan", "flannel.1", "10.1.15.0/32")),
        Mark("kernel", "IP routing of a kernel", "a plain box", (112, 102),
             _items(Item("", "hub", Box(8, 8, 96, 86), "IP routing"))),
        Mark("daemon", "daemon, any process", "round ends, `process`", device,
             _device("daemon", "flanneld", "process")),
        Mark("etcd", "etcd", "a cylinder", (140, 40),
             store(12, 9, "store") + text(40, 25, "key in etcd", "sub")),
        Mark("switch", "switch of the node network", "one bar under all nodes", (456, 57),
             _items(Item("", "switch", Box(8, 8, 440, 41), "Node network", "192.168.66.0/24"))),
        Mark("router", "router, machine outside", "a box beside the nodes, its addresses inside",
             (166, 82), _items(Item("", "machine", Box(8, 8, 150, 66), "router",
                                    "lan0 192.168.66.1\nwan0 203.0.113.1"))),
        Mark("service", "Service address", "dashed: no device has it, only rules", (190, 48),
             '<rect class="virtual service" x="8" y="8" width="174" height="32" rx="8"/>'
             + text(20, 29, "backend-svc 10.96.0.10", "sub servicetext")),
        Mark("small", "node drawn small", "a tile: a square for each pod", (82, 52),
             _items(Item("", "tile", Box(8, 8, 66, 36), "node17", "3"))),
        Mark("rest", "nodes that are counted", "a pile of tiles", (194, 60),
             _items(Item(REST, "rest", Box(8, 8, 178, 44), "488 more nodes", "976 pods"))),
    )  # fmt: skip


def pictures() -> Mapping[str, str]:
    """File name -> SVG text, of all examples."""
    cluster_style = scene.STYLE + scene.SMALL_STYLE
    styles = {"service": BANDS_STYLE, "etcd": scene.STYLE + TIMELINE_STYLE}
    found = {}
    for mark in marks():
        style = styles.get(mark.file, cluster_style)
        svg = document(*mark.size, (mark.name, mark.sign), mark.inner, style, (1, 1))
        size = f'width="{mark.size[0]:g}" height="{mark.size[1]:g}"'
        found[f"{mark.file}.svg"] = svg.replace("<svg ", f"<svg {size} ", 1)
    cluster = Cluster.example("udp", "none")
    cluster.ping("web2", "backend")  # warm caches: the walk without its ARP questions
    both = draw(cluster.connect("web2", "backend", port=8080), "both")
    return {name: svg + "\n" for name, svg in (found | {"together.svg": both.svg}).items()}


# -- colours, as readers see them ----------------------------------------------------------------

_Matrix = tuple[tuple[float, float, float], ...]
VISIONS: Mapping[str, _Matrix] = {
    "full colour vision": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def _linear(colour: str) -> list[float]:
    values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [v / 12.92 if v <= 0.04045 else float(((v + 0.055) / 1.055) ** 2.4) for v in values]


def _lab(rgb: list[float]) -> tuple[float, float, float]:
    def root(t: float) -> float:
        return float(t ** (1 / 3)) if t > 0.008856 else 7.787 * t + 16 / 116

    red, green, blue = rgb
    x = root((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047)
    y = root(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    z = root((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def difference(one: str, other: str, vision: str) -> float:
    """How different two colours look (CIE 1976 ΔE): about 2.3 is just visible."""
    labs = []
    for colour in (one, other):
        seen = [
            sum(a * b for a, b in zip(row, _linear(colour), strict=True)) for row in VISIONS[vision]
        ]
        labs.append(_lab([min(1.0, max(0.0, value)) for value in seen]))
    return float(sum((a - b) ** 2 for a, b in zip(*labs, strict=True)) ** 0.5)


# -- the page -------------------------------------------------------------------------------------

HEAD = """\
# The visual language

Every picture and every widget speaks it. This page is made by `python tools/visual_language.py`
from the code that draws them, and a test keeps it fresh. The colours are in `views/palette.py`,
the marks in `views/scene.py` and `views/marks.py`.

## Rules

1. **One colour for each network.** Blue is the node network, green the Pod network, rose the
   Service network. A thing has the colour of the network to which it belongs.
2. **Never colour alone.** Beside a colour there is always a word, a shape or a dash. A picture
   printed in grey says the same.
3. **A process is round and yellow**, a kernel's part is square. Dashed means virtual: a device
   without a cable, an address without a device.
4. **Orange is the packet**, as one line with arrow heads; its reply is purple, and dashed. Numbers
   stand where it stops. A cross, and a word, say where it ends.
5. **Traffic keeps right**: request and reply on one wire lie side by side.
6. **Light and dark** follow the reader. Text has at least 4.5 to 1, lines have 3 to 1 (WCAG 2.2).
7. **No text below 10 px**, on a phone either: there a picture scrolls in its frame, and says so.
8. **Every picture is told in words**, with its text for those who do not see it, and a table.
9. **Same input, same picture**: places follow from the cluster, never from chance.
10. **Four controls**: the player, the table, the prediction card, the prompt. All else is one of
    them with other contents. The chosen cell of a table has a pointer, not only a colour.

## Marks

| mark | what it is | how it is known without colour |
| --- | --- | --- |
"""

ETCD = """

etcd's mark stands in the timeline alone. A picture of a cluster shows what packets can meet, and
the model gives etcd no machine and no address: flanneld reaches it beside the wires."""


def _colour_rows() -> list[str]:
    second = {
        "node": "outermost boxes, the bar under them, thick wires",
        "pod": "boxes in nodes; bridge with a rail; devices dashed",
        "service": "dashed, addresses with the Service's name",
        "process": "round ends, the word process",
        "packet": "thick line with arrow heads and numbers",
        "reply": "thick dashed line with arrow heads",
        "bad": "a cross and a word",
    }
    rows = []
    for role, sign in second.items():
        light, dark = COLOURS[role]
        ratios = (
            contrast(colour, COLOURS["ground"][at]) for at, colour in enumerate((light, dark))
        )
        one, two = (f"{ratio:.1f}" for ratio in ratios)
        rows.append(f"| {role} | `{light}` {one} | `{dark}` {two} | {sign} |")
    return rows


def _vision_rows() -> list[str]:
    rows = []
    for vision in VISIONS:
        cells = [
            f"{difference(COLOURS[a][0], COLOURS[b][0], vision):.0f}, "
            f"{difference(COLOURS[a][1], COLOURS[b][1], vision):.0f}"
            for a, b in combinations(STROKES, 2)
        ]
        rows.append(f"| {vision} | {' | '.join(cells)} |")
    return rows


def page() -> str:
    """The whole page."""
    lines = [
        f"| ![{mark.name}](pictures/language/{mark.file}.svg) | {mark.name} | {mark.sign} |"
        for mark in marks()
    ]
    pairs = [f"{a}, {b}" for a, b in combinations(STROKES, 2)]
    return (
        HEAD
        + "\n".join(lines)
        + ETCD
        + "\n\nAll together, a request and its reply on the way between two pods:\n\n"
        "![The way of a request and its reply](pictures/language/together.svg)\n"
        "\n## Colours\n\nEach with its contrast on the ground, as n to 1.\n\n"
        "| role | light | dark | what says the same |\n| --- | --- | --- | --- |\n"
        + "\n".join(_colour_rows())
        + "\n\nThe networks and the packet have hues of Okabe and Ito, the reply a violet "
        "of our own.\nHow different they look "
        "(ΔE, 2.3: just visible) in the light theme and in the dark one:\n\n"
        f"| reader | {' | '.join(pairs)} |\n| --- |{' --- |' * len(pairs)}\n"
        + "\n".join(_vision_rows())
        + "\n\nA test asks for 20 between a packet's or a reply's line and everything else, "
        "and 10\nbetween networks, which a word tells apart as well.\n\n"
        f"Names have {NAME:g} px, all other words at least {SMALL:g} px, at the natural width.\n"
    )


def main() -> int:
    """Writes the page and the examples, or says which are stale (``--check``)."""
    files = {PAGE: page()} | {FOLDER / name: svg for name, svg in pictures().items()}
    if "--check" in sys.argv[1:]:
        stale = [
            path.name
            for path, made in files.items()
            if not path.exists() or path.read_text() != made
        ]
        print(f"stale: {', '.join(stale)}; run this tool" if stale else "all fresh")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, made in files.items():
        path.write_text(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
