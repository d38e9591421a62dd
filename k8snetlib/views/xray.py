"""What lives here: ``pod_xray``, a look into one network namespace.

The namespace is a box. On its left who holds it open (a pod's pause container) and its devices; on
the right the containers that joined it, each with the sockets on which it listens. Every socket has
a line down to the devices whose addresses it listens on: one on 127.0.0.1 ends at ``lo``, one on
0.0.0.0 goes on to every other. Below, the far end of the pod's cable: its node's bridge.

It reads a namespace as it is now. A node's own namespace (where ``hostNetwork`` pods would live)
can be looked into as well; its sockets belong to processes.

What may not live here: packets (``picture``, ``flow``).

Simplified here: only sockets that wait for somebody are drawn, no connections.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.sockets import Listener
from k8snetlib.views.geometry import Box, Point
from k8snetlib.views.picture import Picture
from k8snetlib.views.sheet import Sheet, width_of

MARGIN, PAD, GAP = 10.0, 16.0, 16.0
HEAD = 34.0
CARD_HEAD, SOCKET_H, STAIR = 50.0, 30.0, 15.0
DEVICE_H, DEVICE_GAP = 46.0, 14.0
CABLE, BRIDGE_H = 46.0, 34.0

STYLE = (
    ".k8snet-svg .host{fill:var(--k-node-fill);stroke:var(--k-node);stroke-width:1.6}"
    ".k8snet-svg .netns{fill:var(--k-pod-fill);stroke:var(--k-pod);stroke-width:3}"
    ".k8snet-svg .netns.node{fill:var(--k-node-fill);stroke:var(--k-node)}"
    ".k8snet-svg .container{fill:var(--k-process-fill);stroke:var(--k-process);stroke-width:1.4}"
    ".k8snet-svg .holder{fill:var(--k-process-fill);stroke:var(--k-process);stroke-width:1.6;"
    "stroke-dasharray:5 3}"
    ".k8snet-svg .nobody{fill:none;stroke:var(--k-line);stroke-width:1.3;stroke-dasharray:2 4}"
    ".k8snet-svg .socket{fill:var(--k-ground);stroke:var(--k-pod);stroke-width:1.8}"
    ".k8snet-svg .socket.inside{stroke:var(--k-process);stroke-dasharray:4 3}"
    ".k8snet-svg .wire{fill:none;stroke:var(--k-pod);stroke-width:2.2}"
    ".k8snet-svg .wire.inside{stroke:var(--k-process);stroke-dasharray:4 3}"
    ".k8snet-svg .tap{fill:var(--k-pod)}"
    ".k8snet-svg .tap.inside{fill:var(--k-process)}"
    ".k8snet-svg .device{fill:var(--k-ground);stroke:var(--k-line);stroke-width:1.6}"
    ".k8snet-svg .bus{fill:none;stroke:var(--k-line);stroke-width:5;stroke-linecap:round}"
    ".k8snet-svg .bridge{fill:var(--k-pod-band);stroke:var(--k-pod);stroke-width:1.6}"
)


class Card(NamedTuple):
    """A container (or another process) and the sockets on which it listens."""

    name: str
    role: str
    sockets: tuple[Listener, ...]


class Cable(NamedTuple):
    """The far end of a pod's veth pair: the node, its device, and the bridge that has it ("" if
    none is known), each as text."""

    node: str
    device: str
    bridge: str
    address: str


# -- what there is --------------------------------------------------------------------------------


def container_of(ns: Netns, listener: Listener) -> str:
    """The container that holds a socket; the process's own name if it is of no container."""
    process = listener.process
    for at, name in enumerate(ns.containers[1:]):
        if process in (f"{ns.name}-{name}", name) or (process == ns.name and not at):
            return name
    return process


def _cards(ns: Netns) -> tuple[Card, ...]:
    """Everything that may listen: all containers but pause, then other processes."""
    owned: dict[str, list[Listener]] = {name: [] for name in ns.containers[1:]}
    for listener in ns.listeners.values():
        owned.setdefault(container_of(ns, listener), []).append(listener)
    for name in ns.processes:
        owned.setdefault(name, [])
    found = []
    for name, sockets in owned.items():
        role = "container, joined it" if name in ns.containers else "process"
        if any(s.tunnel for s in sockets):
            role = "the kernel's tunnel"
        found.append(Card(name, role, tuple(sockets)))
    return tuple(found)


def _devices(ns: Netns) -> tuple[tuple[Device, ...], tuple[Device, ...]]:
    """The devices on whose addresses a socket can listen, and the others."""
    addressed = tuple(d for d in ns.devices.values() if d.addresses)
    return addressed, tuple(d for d in ns.devices.values() if not d.addresses)


def _cable(ns: Netns) -> Cable | None:
    eth0 = ns.devices.get("eth0")
    if ns.role != "pod" or eth0 is None or eth0.peer is None:
        return None
    name, device = eth0.peer
    node = ns.network.netns.get(name) if ns.network is not None else None
    far = node.devices.get(device) if node is not None else None
    bridge = node.devices.get(far.master or "") if node is not None and far is not None else None
    if bridge is None:
        return Cable(name, device, "", "")
    return Cable(name, device, bridge.name, ", ".join(map(str, bridge.addresses)))


def _hears(listener: Listener, device: Device) -> bool:
    """True if a socket is bound to an address of a device."""
    if listener.ip.startswith("127."):
        return device.kind == "lo"
    return listener.ip == "0.0.0.0" or any(a.ip == listener.ip for a in device.addresses)


def _inside(listener: Listener) -> bool:
    return listener.ip.startswith("127.")


def _socket(listener: Listener) -> str:
    return f"{listener.ip}:{listener.port}/{listener.proto}"


def _reach(ns: Netns, listener: Listener) -> str:
    """Who can reach a socket, in a few words."""
    if _inside(listener):
        return "inside only"
    if listener.ip == "0.0.0.0":
        return "every address"
    return "this address" if listener.ip in ns.local else "no such address here"


# -- the drawing ----------------------------------------------------------------------------------


def _addresses(device: Device) -> str:
    return " ".join(map(str, device.addresses))


_PURPOSE = {"lo": "loopback: inside only", "bridge": "bridge", "tun": "TUN", "vxlan": "VXLAN"}


def _purpose(device: Device) -> str:
    if device.kind == "veth" and device.peer is not None:
        return f"cable to {device.peer[0]}"
    return _PURPOSE.get(device.kind, device.kind)


class _Drawing:
    """One X-ray while it is drawn: what there is, and where the columns and rows are."""

    def __init__(self, ns: Netns) -> None:
        self.ns = ns
        self.pod = ns.role == "pod"
        self.cards = _cards(ns)
        self.devices, self.others = _devices(ns)
        self.cable = _cable(ns)
        self.sheet = Sheet()
        lines = [(d.name, "strong", f" {_addresses(d)}") for d in self.devices]
        wide = [width_of(name, kind) + width_of(rest, "plain") for name, kind, rest in lines]
        wide += [width_of(_purpose(d), "small") for d in self.devices]
        self.first = max(178.0, *(w + 30 for w in wide))
        self.widths = [self._width(card) for card in self.cards] or [250.0]
        inner = self.first + sum(w + GAP for w in self.widths)
        title = width_of(self._title(), "title") + width_of(self._where(), "small") + 40
        around = 2 * (MARGIN + PAD + (PAD if self.cable else 0))
        self.width = max(inner, title) + around
        top = MARGIN + (HEAD if self.cable else 0)
        self.box = Box(around / 2 - PAD, top, self.width - around + 2 * PAD, 0)
        self.most = max((len(card.sockets) for card in self.cards), default=0)
        self.card_h = CARD_HEAD + max(1, self.most) * SOCKET_H + 8
        self.rows_y = top + HEAD + self.card_h + 26
        rest = HEAD - 8 if self.others else 0
        inside = self.rows_y + len(self.devices) * (DEVICE_H + DEVICE_GAP) + rest + 4
        self.box = self.box._replace(h=inside - top)
        self.height = self.box.bottom + MARGIN
        if self.cable:
            self.height += CABLE + (BRIDGE_H + PAD if self.cable.bridge else 0)

    def _width(self, card: Card) -> float:
        """A card is as wide as its longest line; sockets stand on stairs, so that each has a way
        down for its line."""
        rows = [
            width_of(_socket(s), "strong") + width_of(_reach(self.ns, s), "small") + 44 + STAIR * n
            for n, s in enumerate(card.sockets)
        ]
        none = width_of("no socket: nobody can connect", "small") if not rows else 0.0
        names = width_of(card.name, "title"), width_of(card.role, "small")
        return round(min(max(*names, none, *rows, 120.0) + 24, 420.0))

    def _title(self) -> str:
        what = "one network namespace" if self.pod else "the host's own network namespace"
        return f"{self.ns.role} {self.ns.name}: {what}"

    def _where(self) -> str:
        count = len(self.ns.listeners)
        return "one port space" if count else "no socket listens here"

    def draw(self) -> Sheet:
        sheet, box = self.sheet, self.box
        if self.cable:
            whole = Box(MARGIN, MARGIN, self.width - 2 * MARGIN, self.height - 2 * MARGIN)
            with sheet.group():
                sheet.box(whole, "host", 12)
                sheet.words(whole, Point(whole.x + PAD, whole.y + 22), f"node {self.cable.node}",
                            "title")  # fmt: skip
        with sheet.group():
            sheet.box(box, "netns" if self.pod else "netns node", 12)
            head = Point(box.x + PAD, box.y + 23)
            sheet.words(box, head, self._title(), "title")
            sheet.words(box, Point(box.right - PAD, head.y), self._where(), "small", "end")
        self._holder()
        self._buses()
        x = box.x + PAD + self.first + GAP
        for card, width in zip(self.cards, self.widths, strict=False):
            self._card(card, Box(x, box.y + HEAD + 2, width, self.card_h))
            x += width + GAP
        if not self.cards:
            self._nobody(Box(x, box.y + HEAD + 2, self.widths[0], self.card_h))
        if self.cable:
            self._plug(self.cable)
        return sheet

    def _lines(self, box: Box, lines: tuple[str, ...]) -> None:
        for n, line in enumerate(lines):
            at = Point(box.x + 12, box.y + 23 + 18 * n)
            self.sheet.words(box, at, line, "small" if n else "title")

    def _holder(self) -> None:
        """Who keeps the namespace alive: the first thing in it."""
        box = Box(self.box.x + PAD, self.box.y + HEAD + 2, self.first, self.card_h)
        with self.sheet.group():
            if "pause" in self.ns.containers:
                self.sheet.box(box, "holder", 10)
                self._lines(box, ("pause", "holds the namespace", "open; opens no socket"))
            else:
                self.sheet.box(box, "nobody", 10)
                why = (
                    ("holds this namespace.",) if self.pod else ("the kernel made this", "at boot")
                )
                self._lines(box, ("no pause", *why))

    def _nobody(self, box: Box) -> None:
        with self.sheet.group():
            self.sheet.box(box, "nobody", 10)
            self._lines(box, ("empty", self._empty()))

    def _empty(self) -> str:
        return "no other container has joined" if self.pod else "no process listens here"

    def _row(self, n: int) -> Box:
        y = self.rows_y + n * (DEVICE_H + DEVICE_GAP)
        return Box(self.box.x + PAD, y, self.first, DEVICE_H)

    def _buses(self) -> None:
        """The devices; from each a line on which sockets that hear it have their taps."""
        for n, device in enumerate(self.devices):
            box = self._row(n)
            if self.cards:
                y = box.y + DEVICE_H / 2
                self.sheet.line((Point(box.right, y), Point(self.box.right - PAD, y)), "bus")
            with self.sheet.group(tip=f"{device.name}: {_addresses(device)}"):
                self.sheet.box(box, "device")
                at = Point(box.x + 12, box.y + 19)
                self.sheet.words(box, at, device.name, "strong")
                behind = Point(at.x + width_of(device.name, "strong") + 6, at.y)
                self.sheet.words(box, behind, _addresses(device), "plain")
                self.sheet.words(box, Point(at.x, box.y + 37), _purpose(device), "small")
        if self.others:
            y = self.rows_y + len(self.devices) * (DEVICE_H + DEVICE_GAP) + 12
            names = ", ".join(d.name for d in self.others)
            self.sheet.words(self.box, Point(self.box.x + PAD, y), f"without address: {names}",
                             "small")  # fmt: skip

    def _card(self, card: Card, box: Box) -> None:
        sheet = self.sheet
        with sheet.group():
            sheet.box(box, "container", 10)
            self._lines(box, (card.name, card.role))
            if not card.sockets:
                at = Point(box.x + 12, box.y + CARD_HEAD + 18)
                sheet.words(box, at, "no socket: nobody can connect", "small")
        for n, listener in enumerate(card.sockets):
            self._listener(box, n, listener)

    def _listener(self, card: Box, n: int, listener: Listener) -> None:
        """A socket, and its line down to the devices it hears."""
        sheet, side = self.sheet, " inside" if _inside(listener) else ""
        x = card.x + 8 + STAIR * n
        box = Box(x, card.y + CARD_HEAD + SOCKET_H * n, card.right - 10 - x, 24)
        end = Point(x + 10, box.y + 12)
        taps = [
            Point(end.x, self._row(at).y + DEVICE_H / 2)
            for at, device in enumerate(self.devices)
            if _hears(listener, device)
        ]
        if taps:
            sheet.line((Point(end.x, box.bottom), taps[-1]), f"wire{side}")
        for tap in taps:
            sheet.dot(tap, f"tap{side}", 5.5)
        with sheet.group(tip=str(listener)):
            sheet.box(box, f"socket{side}", 12)
            sheet.dot(end, f"tap{side}")
            sheet.words(box, Point(end.x + 10, box.y + 16.5), _socket(listener), "strong")
            at = Point(box.right - 10, box.y + 16.5)
            sheet.words(box, at, _reach(self.ns, listener), "small", "end")

    def _plug(self, cable: Cable) -> None:
        """The veth pair: from eth0 through the wall of the namespace to the node's bridge."""
        sheet, inner = self.sheet, self.box
        names = [device.name for device in self.devices]
        x = inner.x + PAD + 30
        below = inner.bottom if "eth0" not in names else self._row(names.index("eth0")).bottom
        end = inner.bottom + CABLE
        sheet.line((Point(x, below), Point(x, end)), "wire")
        whole = Box(MARGIN, inner.bottom, self.width - 2 * MARGIN, CABLE)
        said = f"veth pair: eth0 inside, {cable.device} outside"
        sheet.words(whole, Point(x + 12, inner.bottom + 27), said, "small")
        if cable.bridge:
            box = Box(inner.x, end, inner.w, BRIDGE_H)
            with sheet.group():
                sheet.box(box, "bridge")
                sheet.words(box, Point(box.x + PAD, end + 22), cable.bridge, "strong")
                said = f"bridge of {cable.node}, {cable.address}".rstrip(", ")
                sheet.words(box, Point(box.right - PAD, end + 22), said, "small", "end")
        sheet.dot(Point(x, end), "tap", 5)


# -- the picture ----------------------------------------------------------------------------------


def _words(drawing: _Drawing) -> str:
    """The picture told in sentences."""
    ns, cable = drawing.ns, drawing.cable
    kept = "held open by pause" if "pause" in ns.containers else "without a pause container"
    said = [f"{drawing._title()}, {kept}."]
    for card in drawing.cards:
        sockets = [f"{_socket(s)} ({_reach(ns, s)})" for s in card.sockets]
        listens = f"listens on {', '.join(sockets)}" if sockets else "has no listening socket"
        said.append(f"{card.name} ({card.role}) {listens}.")
    if not drawing.cards:
        said.append(f"{drawing._empty().capitalize()}.")
    devices = [f"{d.name} {_addresses(d)} ({_purpose(d)})" for d in drawing.devices]
    devices += [f"{d.name} without address" for d in drawing.others]
    said.append(f"Devices: {', '.join(devices) or 'none'}.")
    if cable:
        onto = f", a port of {cable.bridge} {cable.address}".rstrip() if cable.bridge else ""
        said.append(f"The other end of eth0 is {cable.device} of {cable.node}{onto}.")
    elif drawing.pod:
        said.append("No cable: this pod is cut off.")
    return " ".join(said)


def _rows(drawing: _Drawing) -> tuple[tuple[str, ...], ...]:
    ns = drawing.ns
    rows = [("Process", "Listens on", "By", "Who can reach it")]
    for card in drawing.cards:
        for listener in card.sockets:
            devices = ", ".join(d.name for d in drawing.devices if _hears(listener, d))
            who = "whoever can reach that address"
            if _inside(listener):
                who = f"only processes in {ns.name}"
            rows.append((card.name, _socket(listener), devices or "no device", who))
    return tuple(rows)


def pod_xray(ns: Netns) -> Picture:
    """A picture of one network namespace: who holds it open, who listens on what, its devices.

    Parameters: ``ns`` is a pod's namespace, ``cluster["web1"]``; a node's or a host's shows its own
    processes. Source: network_namespaces(7), ip(7), the Kubernetes documentation on Pods.
    """
    drawing = _Drawing(ns)
    sheet = drawing.draw()
    title = f"X-ray of {ns.role} {ns.name}"
    words = _words(drawing)
    size = (drawing.width, drawing.height)
    rows = _rows(drawing)
    table = rows if len(rows) > 1 else ()
    return Picture(
        sheet.svg(size, title, words, STYLE),
        f"{title}. {words}",
        "",
        table,
        "The same in words: every socket",
    )
