"""What lives here: ``step_bridge``: the frames at one bridge, with the tables beside them.

The player once more: its picture is one bridge and what is plugged into it. Every frame makes two
steps: it comes in (the bridge learns where the sender is), and it goes out (forwarded by the
forwarding database, flooded, up to the host, or gone). The tables are those of the walk's own
record (``linux.noted``): the bridge's forwarding database, and the ARP tables of the hosts at it
as far as the walk came to them, each as it stands after the step.

What may not live here: when a bridge or a host learns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from k8snetlib.errors import UnknownName, unknown_name
from k8snetlib.linux.netns import BRIDGE_AGEING, FdbEntry
from k8snetlib.linux.noted import Bridged, Learned
from k8snetlib.stages import STAGES
from k8snetlib.topology import Host
from k8snetlib.trace import Exchange, Step
from k8snetlib.views.geometry import Box, Point, path_data
from k8snetlib.views.headers import state
from k8snetlib.views.picture import Picture
from k8snetlib.views.player import Player
from k8snetlib.views.sheet import Sheet
from k8snetlib.views.text import VERDICT_WORDS, packet_title
from k8snetlib.views.why import why
from k8snetlib.words import annotate, owner_words

WIDE, GAP, MARGIN = 150.0, 16.0, 14.0
#: Where things stand, from top to bottom: stations, the bridge, its own host.
STATION, BRIDGE, OWN = (14.0, 46.0), (118.0, 48.0), (224.0, 44.0)
#: Where a frame runs inside the bridge, below its name; and how far it stands from a station.
LANE, OFF = BRIDGE[0] + 35, 24.0
STYLE = (
    ".k8snet-svg .plugged{fill:var(--k-pod-fill);stroke:var(--k-pod);stroke-width:1.6}"
    ".k8snet-svg .span{fill:var(--k-pod-band);stroke:var(--k-pod);stroke-width:1.6}"
)


class Seat(NamedTuple):
    """A port of the bridge ("": the host's own way in), what is plugged in there (and by which
    device of its own), and the middle of it."""

    port: str
    station: str
    device: str
    x: float


def step_bridge(exchange: Exchange, netns: str, bridge: str = "") -> Player:
    """The bridge stepper: every frame of an exchange at one bridge, with FDB and ARP tables.

    Parameters: ``netns`` is where the bridge is (``node1``, ``switch``); ``bridge`` its name, if
    there are several. Raises ``UnknownName`` if no frame came to such a bridge.
    """
    events = exchange.tally.events if exchange.tally is not None else ()
    frames = [e for e in events if isinstance(e, Bridged) and e.netns == netns]
    if not frames:
        there = dict.fromkeys(e.netns for e in events if isinstance(e, Bridged))
        raise unknown_name("namespace whose bridge got a frame", netns, there)
    bridge = bridge or frames[0].bridge
    frames = [e for e in frames if e.bridge == bridge]
    if not frames:
        raise UnknownName(f"No frame came to a bridge {bridge} in {netns}.")
    data = bridge_data(exchange, netns, bridge)
    return Player(data, _still(data))


def bridge_data(exchange: Exchange, netns: str, bridge: str) -> dict[str, Any]:
    """What the bridge stepper shows, in the form of ``player.player_data``."""
    host = exchange.topology.host(netns)
    assert host is not None
    stepper = _Stepper(exchange, host, bridge)
    steps = stepper.steps()
    stages = dict.fromkeys(step["stage"] for step in steps)
    what = f"{bridge} of {netns}"
    return {
        "title": f"the frames at {what}",
        "outcome": exchange.outcome,
        "reason": annotate(exchange.reason, exchange.names),
        "scene": _scene(stepper.seats, bridge, netns),
        "picture": f"The bridge {what}, and what is plugged in",
        "start": 0,
        "stages": {stage: STAGES[stage] for stage in stages if stage in STAGES},
        "packets": [
            {
                "n": 0,
                "title": f"all frames at {what}, in their order",
                "role": "",
                "states": [state(look, exchange.names) for look in stepper.states],
                "steps": steps,
            }
        ],
    }


class _Stepper:
    """Goes through the record once, and keeps the tables as it goes."""

    def __init__(self, exchange: Exchange, host: Host, bridge: str) -> None:
        self.exchange, self.host, self.bridge = exchange, host, bridge
        self.seats = _seats(host, bridge)
        self.states: dict[Any, int] = {}
        before = exchange.tally.before
        self.fdb = {e.mac: e for e in before[host.name].fdb if e.bridge == bridge}
        # The hosts at this bridge, and this one itself: neighbours on the bridge alone.
        self.device = {seat.station: seat.device for seat in self.seats} | {host.name: bridge}
        self.arp = {
            name: {e.ip: e for e in before[name].neighbours if self._near(name, e)}
            for name in self.device
            if name in before and (name != host.name or self.seats[-1].port == "")
        }

    def _near(self, name: str, entry: Any) -> bool:
        return bool(entry.dev == self.device[name])

    def steps(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        events = self.exchange.tally.events
        ours = [at for at, event in enumerate(events) if self._ours(event)]
        # What hosts did before the first frame came: a question was asked.
        self._apply(events[: ours[0]])
        for at, behind in zip(ours, [*ours[1:], len(events)], strict=True):
            event = events[at]
            learned = at + 1
            while learned < behind and self._is_learning(events[learned]):
                learned += 1
            found.append(self._in(event, self._apply(events[at + 1 : learned])))
            found.append(self._out(event, self._apply(events[learned:behind])))
        return found

    def _ours(self, event: Any) -> bool:
        ours = isinstance(event, Bridged) and event.netns == self.host.name
        return ours and event.bridge == self.bridge

    def _is_learning(self, event: Any) -> bool:
        return isinstance(event, Learned) and isinstance(event.entry, FdbEntry) and not event.gone

    def _apply(self, events: Iterable[Any]) -> dict[tuple[str, str], str]:
        """Brings the tables up to date; what became of which entry, in words."""
        said: dict[tuple[str, str], str] = {}
        for event in events:
            if not isinstance(event, Learned):
                continue
            entry = event.entry
            if isinstance(entry, FdbEntry):
                if event.netns != self.host.name or entry.bridge != self.bridge:
                    continue
                old = self.fdb.get(entry.mac)
                self.fdb[entry.mac] = entry
                same = old is not None and old.port == entry.port
                word = "confirmed now" if same else "learned now" if old is None else "moved now"
                said["fdb", entry.mac] = "forgotten: too old" if event.gone else word
            elif event.netns in self.arp and self._near(event.netns, entry):
                old = self.arp[event.netns].get(entry.ip)
                self.arp[event.netns][entry.ip] = entry
                said[event.netns, entry.ip] = _arp_word(old, entry)
        return said

    def _tables(self, said: dict[tuple[str, str], str], now: float) -> list[dict[str, Any]]:
        names = self.exchange.names
        rows = []
        for mac, entry in sorted(self.fdb.items(), key=lambda pair: (pair[1].local, pair[1].port)):
            age = now - entry.updated
            aged = age >= BRIDGE_AGEING and not entry.local
            kept = "its own" if entry.local else f"{age:.0f} s old"
            rest = f"{kept}, counts no more" if aged else kept
            rows.append([f"{mac} ({names.mac(mac)})", entry.port, said.get(("fdb", mac), rest)])
        tables = [_table(f"FDB of {self.bridge}", ["MAC address", "behind port", "state"], rows)]
        for name, entries in self.arp.items():
            rows = [
                [names.ip(ip), f"{e.mac} ({names.mac(e.mac)})" if e.mac else "not known",
                 said.get((name, ip), e.state)]
                for ip, e in entries.items()
            ]  # fmt: skip
            rows = rows or [["", "", "empty"]]
            where = f", on {self.bridge}" if name == self.host.name else ""
            tables.append(_table(f"ARP table of {name}{where}", ["next hop", "MAC", "state"], rows))
        for key in [m for m, e in self.fdb.items() if said.get(("fdb", m), "")[:9] == "forgotten"]:
            del self.fdb[key]
        return tables

    def _seat(self, port: str) -> Seat:
        return next((seat for seat in self.seats if seat.port == port), self.seats[-1])

    def _in(self, event: Bridged, said: dict[tuple[str, str], str]) -> dict[str, Any]:
        """The frame comes in, and the bridge learns from its source."""
        seat, names = self._seat(event.port), self.exchange.names
        # The step before tells that the frame came: netfilter sees it without its link header.
        step = self.exchange.packets[event.n].hops[event.hop].steps[max(0, event.step - 1)]
        ethernet = step.packet.ethernet
        source = owner_words(names.mac(ethernet.src)) if ethernet else seat.station
        if not event.port:
            reason = f"{self.host.name} itself sends through {self.bridge}: nothing to learn"
        else:
            words = [word for (kind, _), word in said.items() if kind == "fdb"]
            word = words[0].removesuffix(" now") if words else "known already"
            reason = f"a frame comes in by {event.port}: {source} is behind it ({word})"
        here = Point(seat.x, self._station_end(seat))
        entry = Point(seat.x, LANE)
        return self._step(event, step, reason, (here, entry), said) | {
            "anchor": f"port:{event.port}", "sign": "→", "word": "comes in", "verdict": "pass",
            "fresh": True,
        }  # fmt: skip

    def _station_end(self, seat: Seat) -> float:
        return STATION[0] + STATION[1] + OFF if seat.port else OWN[0] - OFF

    def _told(self, event: Bridged) -> tuple[Step, ...]:
        """The steps of this frame at the bridge: until the packet comes to a bridge again."""
        hop = self.exchange.packets[event.n].hops[event.hop]
        again = (
            other.step
            for other in self.exchange.tally.events
            if isinstance(other, Bridged)
            and (other.n, other.hop) == (event.n, event.hop)
            and other.step > event.step
        )
        return hop.steps[event.step : next(again, len(hop.steps))]

    def _out(self, event: Bridged, said: dict[tuple[str, str], str]) -> dict[str, Any]:
        """The bridge decides where the frame goes."""
        told = self._told(event)
        step = next((one for one in told if one.stage == "bridge"), told[0])
        ports = {seat.port for seat in self.seats if seat.port}
        out = [s.device for s in told if s.stage == "transmit" and s.device in ports]
        up = any(s.stage == "receive" and s.device == self.bridge for s in told)
        if up and not self.seats[-1].port:
            out.append("")
        came, goals = self._seat(event.port), [self._seat(port) for port in out]
        begin = Point(came.x, LANE)
        ways = [
            (begin, Point(seat.x, LANE), Point(seat.x, self._station_end(seat))) for seat in goals
        ]
        stopped = next((s for s in told if s.verdict in ("drop", "error")), None)
        first = stopped or step
        found = self._step(event, first, first.reason, ways[0] if ways else (begin, begin), said)
        sign, word = VERDICT_WORDS[first.verdict]
        if first.verdict == "pass":
            word = "flooded" if len(goals) > 1 else "forwarded" if out != [""] else "up to the host"
        anchors = [f"port:{port}" for port in out]
        return found | {
            "anchor": "bridge", "anchors": anchors, "verdict": first.verdict, "sign": sign,
            "word": word, "path": "".join(map(path_data, ways)) or found["path"],
            "tokens": [[way[-1].x, way[-1].y, "pass"] for way in ways[1:]],
        }  # fmt: skip

    def _step(
        self, event: Bridged, step: Step, reason: str, way: tuple[Point, ...],
        said: dict[tuple[str, str], str],
    ) -> dict[str, Any]:  # fmt: skip
        trace, names = self.exchange.packets[event.n], self.exchange.names
        arp = sorted({name for name, _ in said if name != "fdb"})
        end = way[-1]
        return {
            "netns": self.host.name,
            "place": packet_title(trace, names),
            "stage": "bridge",
            "device": self.bridge,
            "path": path_data(way if way[0] != end else (end, Point(end.x + 0.1, end.y))),
            "at": [end.x, end.y],
            "reason": annotate(reason, names),
            "by": "",
            "rules": [],
            "note": f"ARP tables that change: {', '.join(arp)}." if arp else "",
            "state": self.states.setdefault(step.packet, len(self.states)),
            "added": [], "removed": [], "was": {}, "change": "", "see": None,
            "why": why(trace.hops[event.hop], step, names),
            "tables": self._tables(said, event.time),
        }  # fmt: skip


def _arp_word(old: Any, entry: Any) -> str:
    if entry.mac is None:
        word = "asked for now" if entry.state == "INCOMPLETE" else "nobody answered"
    elif old is not None and old.mac == entry.mac:
        word = "confirmed now"
    else:
        word = "learned now"
    return f"{entry.state}, {word}"


def _table(caption: str, head: list[str], rows: list[list[str]]) -> dict[str, Any]:
    def mark(said: str) -> str:
        now = said.endswith((" now", "nobody answered"))
        return "gone" if said.startswith("forgotten") else "new" if now else ""

    marks = [mark(row[-1]) for row in rows]
    return {"caption": caption, "head": head, "rows": rows, "marks": marks, "code": 0}


def _seats(host: Host, bridge: str) -> list[Seat]:
    """The ports in a row; last the host itself, in their middle, if it has an address there."""
    ports = [port for port in host.ports if port.master == bridge]
    seats = [
        Seat(port.name, *(port.peer or ("", "")), MARGIN + WIDE / 2 + at * (WIDE + GAP))
        for at, port in enumerate(ports)
    ]
    middle = MARGIN + (max(2, len(ports)) * (WIDE + GAP) - GAP) / 2
    own = host.port(bridge)
    return [*seats, Seat("", host.name, bridge, middle)] if own and own.addresses else seats


def _scene(seats: list[Seat], bridge: str, netns: str) -> str:
    sheet = Sheet()
    width = 2 * MARGIN + max(2, sum(bool(s.port) for s in seats)) * (WIDE + GAP) - GAP
    box = Box(MARGIN, BRIDGE[0], width - 2 * MARGIN, BRIDGE[1])
    for seat in seats:
        top, bottom = (STATION[0] + STATION[1], BRIDGE[0])
        if not seat.port:
            top, bottom = BRIDGE[0] + BRIDGE[1], OWN[0]
        sheet.line((Point(seat.x, top), Point(seat.x, bottom)), "edge")
    with sheet.group("bridge"):
        sheet.box(box, "span", 8)
        sheet.words(box, Point(box.x + 10, box.y + 20), bridge, "strong")
        sheet.words(box, Point(box.right - 10, box.y + 20), f"bridge of {netns}", "small", "end")
    for seat in seats:
        top, height = STATION if seat.port else OWN
        at = Box(seat.x - WIDE / 2, top, WIDE, height)
        with sheet.group(f"port:{seat.port}"):
            sheet.box(at, "plugged" if seat.port else "card", 8)
            said = seat.station if seat.port else f"{netns} itself"
            sheet.words(at, Point(seat.x, top + 20), said, "strong", "middle")
            below = f"at {seat.port}" if seat.port else "its IP stack"
            sheet.words(at, Point(seat.x, top + 36), below, "small", "middle")
    plugged = ", ".join(f"{seat.station} at {seat.port}" for seat in seats if seat.port)
    size = (width, OWN[0] + OWN[1] + MARGIN)
    return sheet.svg(size, f"The bridge {bridge} of {netns}", f"Plugged in: {plugged}.", STYLE)


def _still(data: dict[str, Any]) -> Picture:
    """The bridge, and every step in words with the tables that changed."""
    rows: list[tuple[str, ...]] = [("No.", "Frame", "What happens, and why", "Tables then")]
    for n, step in enumerate(data["packets"][0]["steps"], 1):
        now = [
            f"{table['caption']}: {', '.join(cell for cell in row if cell)}"
            for table in step["tables"]
            for row, mark in zip(table["rows"], table["marks"], strict=True)
            if mark
        ]
        changed = "; ".join(now) or "nothing new"
        rows.append((str(n), step["place"], f"{step['word']}: {step['reason']}", changed))
    told = "\n".join(f"{n:>3} {who}: {what}. {then}" for n, who, what, then in rows[1:])
    title = f"Step by step: {data['title']}"
    summary = "The same in words: frame by frame"
    return Picture(data["scene"], f"{title}:\n{told}", f"{title}.", tuple(rows), summary)
