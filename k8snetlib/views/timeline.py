"""What lives here: ``timeline``, what happened in etcd, and what each flanneld heard and did.

One column for every moment at which something happened, one lane for every key and every flanneld.
A key's line begins where it is created and ends where it is deleted; what the same moment brought
to the daemons stands below. The upper lane counts the store's revision.

It reads etcd's log (``Store.moments`` says when) and the daemons' journals; nothing else is known.

Simplified here: the columns are not to scale, the time stands above each. Of renewals that fail
minute after minute the first is drawn, with their number. A journal that is full, and a compacted
log, have lost their beginning. The vxlan backend writes no line when a lease comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from k8snetlib.address import number
from k8snetlib.cluster import Cluster
from k8snetlib.etcd.agent import EtcdServer
from k8snetlib.linux.clock import go_duration, parse_seconds
from k8snetlib.linux.service import Line
from k8snetlib.views.geometry import Box, Point
from k8snetlib.views.marks import store
from k8snetlib.views.picture import Picture
from k8snetlib.views.sheet import Sheet

MARGIN, HEAD_W, COL, GAP = 14.0, 148.0, 176.0, 18.0
TOP, HEAD_H, LINE, LANE_GAP, PAD = 34.0, 26.0, 18.0, 10.0, 7.0
#: At most so many columns, lanes of keys and lines in a cell are drawn; the table has all.
MOST, MOST_KEYS, MOST_LINES = 6, 8, 4
PREFIX = "/coreos.com/network/"

STYLE = (
    ".k8snet-svg .key{fill:var(--k-pod-fill);stroke:var(--k-pod);stroke-width:1.6}"
    ".k8snet-svg .gone{fill:var(--k-ground);stroke:var(--k-bad);stroke-width:2.4;"
    "stroke-dasharray:5 3}"
    ".k8snet-svg .told{fill:var(--k-process-fill);stroke:var(--k-process);stroke-width:1.6}"
    ".k8snet-svg .store{fill:var(--k-process-fill);stroke:var(--k-process);stroke-width:1.4}"
    ".k8snet-svg .life{fill:none;stroke:var(--k-pod);stroke-width:5}"
    ".k8snet-svg .guide{fill:none;stroke:var(--k-hairline);stroke-width:1.5}"
)


class Entry(NamedTuple):
    """One thing that happened: the time in seconds, the lane (``etcd 10.1.20.0-24`` or
    ``flanneld node1``), the revision (0: none), a few words, and how often; ``bad`` is an end."""

    time: float
    lane: str
    revision: int
    words: str
    times: int = 1
    bad: bool = False


#: How a line of flanneld's journal begins -> what the picture says of it, and whether it is bad.
SAID = (
    ("Started flanneld", "starts", False),
    ("Stopped flanneld", "is stopped", True),
    ("Allocated lease", "leases {ip}", False),
    ("Found lease", "finds its lease", False),
    ("Subnet added: ", "+ {rest}", False),
    ("Subnet removed: ", "− {rest}", True),
    ("Lease renewed", "renews its lease", False),
    ("Error renewing lease", "cannot renew", True),
    ("Lease has been revoked", "lease is gone: ends", True),
    ("Couldn't fetch network config", "cannot read config", True),
    ("Error registering network", "cannot start", True),
)


def history(cluster: Cluster) -> tuple[Entry, ...]:
    """All that etcd's log and the journals tell, in the order of time; etcd first."""
    cluster.etcd.leases  # noqa: B018 - raises where flannel keeps no leases in etcd
    agent = cluster.network.agents["etcd"]
    assert isinstance(agent, EtcdServer)
    found = [*_changes(agent)]
    for node in cluster.nodes:
        found += _told(f"flanneld {node}", cluster.flanneld(node).journal)
    return tuple(sorted(found, key=lambda each: each.time))


def _changes(server: EtcdServer) -> Iterator[Entry]:
    store = server.store
    moments = {moment.revision: moment for moment in store.moments}
    for change in store.mvcc.changes(0):
        moment, kv = moments.get(change.revision), change.event.kv
        if moment is None:  # older than the store's last compaction
            continue
        lane = "etcd " + kv.key.decode("utf-8", "replace").removeprefix(PREFIX)
        lane = lane.replace("etcd subnets/", "etcd ")
        if change.event.type == "DELETE":
            words = moment.why or "deleted"
        elif change.before is None:
            words = "created"
        else:
            words = "renewed" if change.before.value == kv.value else "changed"
        gone = change.event.type == "DELETE"
        yield Entry(moment.time, lane, change.revision, words, 1, gone)


def _told(lane: str, journal: Iterable[Line]) -> Iterator[Entry]:
    run: Entry | None = None
    for line in journal:
        entry = _said(lane, line)
        if entry is None:
            continue
        if run is not None and entry.words == run.words == "cannot renew":
            run = run._replace(times=run.times + 1)
            continue
        if run is not None:
            yield run
        run = entry
    if run is not None:
        yield run


def _said(lane: str, line: Line) -> Entry | None:
    for begin, words, bad in SAID:
        if line.text.startswith(begin):
            ip = line.text.partition("(ip: ")[2].split(" ")[0]
            said = words.format(ip=ip, rest=line.text.removeprefix(begin))
            return Entry(line.time, lane, 0, said, 1, bad)
    return None


def _short(entry: Entry) -> str:
    """What a cell says of an entry."""
    if entry.revision:
        return f"{entry.words}, rev {entry.revision}"
    return entry.words + (f" ({entry.times}×)" if entry.times > 1 else "")


def _order(lane: str) -> tuple[int, int, str]:
    kind, _, name = lane.partition(" ")
    if kind == "flanneld":
        return (2, 0, "")
    subnet = name.partition("-")[0]
    is_subnet = subnet.count(".") == 3 and subnet.replace(".", "").isdigit()
    return (1, number(subnet), "") if is_subnet else (0, 0, name)


def timeline(cluster: Cluster, since: str | float = 0.0) -> Picture:
    """What happened in etcd, and what each flanneld heard of it and did.

    Parameters: ``since`` is the first moment that is shown: ``"23h"``, or seconds of the model's
    time. Raises ``K8sNetError`` if flannel keeps no leases in etcd.
    """
    entries = tuple(each for each in history(cluster) if each.time >= parse_seconds(since))
    moments = sorted({each.time for each in entries})
    sheet, width, height = on_paper(cluster, entries)
    left_out = len(moments) - MOST
    title = "Timeline of etcd and the flannelds"
    told = _words(entries)
    caption = "Columns are moments, not to scale: the time stands above. rev is etcd's revision."
    caption += " + and −: a range of another node that flanneld adds or removes."
    if left_out > 0:
        caption += f" The first {left_out} moments are in the table only."
    svg = sheet.svg((width, height), title, told, STYLE)
    rows = (("time", "who", "what", "revision"), *(_row(each) for each in entries))
    return Picture(svg, f"{title}:\n{told}", caption, rows, "The same in words: every event")


def _row(entry: Entry) -> tuple[str, ...]:
    what = entry.words + (f", {entry.times} times" if entry.times > 1 else "")
    return (go_duration(entry.time), entry.lane, what, str(entry.revision or ""))


def _words(entries: tuple[Entry, ...]) -> str:
    lines = [f"{go_duration(e.time)} {e.lane}: {_short(e)}" for e in entries]
    return "\n".join(lines) or "Nothing happened in this time."


def on_paper(
    cluster: Cluster, entries: tuple[Entry, ...], most: int = MOST
) -> tuple[Sheet, float, float]:
    """The drawing, its width and height; at most the last ``most`` moments are on it."""
    moments = sorted({each.time for each in entries})[-most:]
    keys = sorted({e.lane for e in entries if e.revision}, key=_order)[:MOST_KEYS]
    lanes = [*keys, *(f"flanneld {node}" for node in cluster.nodes[:MOST_KEYS])]
    cells: dict[tuple[str, float], list[Entry]] = {}
    for entry in entries:
        if entry.time in moments and entry.lane in lanes:
            cells.setdefault((entry.lane, entry.time), []).append(entry)
    width = 2 * MARGIN + HEAD_W + max(1, len(moments)) * (COL + GAP)
    sheet, y = Sheet(), MARGIN + TOP + HEAD_H
    drawing = _Drawing(sheet, moments, cells)
    drawing.heads(width, entries)
    for lane in lanes:
        tall = max((len(cells.get((lane, t), ())) for t in moments), default=0)
        height = max(2, min(tall, MOST_LINES)) * LINE + 2 * PAD
        alive = any(e.lane == lane and e.revision and e.time < moments[0] for e in entries)
        drawing.lane(lane, Box(MARGIN, y, width - 2 * MARGIN, height), alive)
        y += height + LANE_GAP
    return sheet, width, y + MARGIN - LANE_GAP


class _Drawing:
    """A timeline while it is drawn."""

    def __init__(
        self, sheet: Sheet, moments: list[float], cells: dict[tuple[str, float], list[Entry]]
    ) -> None:
        self.sheet, self.moments, self.cells = sheet, moments, cells

    def column(self, at: int) -> float:
        """The left edge of a column."""
        return MARGIN + HEAD_W + at * (COL + GAP)

    def heads(self, width: float, entries: tuple[Entry, ...]) -> None:
        """The title, and the time and the revision above every column."""
        sheet = self.sheet
        title = Box(MARGIN, MARGIN, width - 2 * MARGIN, TOP - 8)
        sheet.words(title, Point(MARGIN, MARGIN + 16), "etcd and the flannelds", "title")
        if not self.moments:
            empty = Box(self.column(0), MARGIN + TOP, COL, HEAD_H)
            sheet.words(empty, Point(empty.x + 4, empty.y + 17), "nothing happened", "small")
        for at, time in enumerate(self.moments):
            box = Box(self.column(at), MARGIN + TOP, COL, HEAD_H)
            sheet.words(box, Point(box.x + 4, box.y + 17), go_duration(time), "strong")
            newest = max((e.revision for e in entries if e.time <= time), default=0)
            half = Box(box.x + COL / 2, box.y, COL / 2, box.h)
            if newest:
                sheet.words(
                    half, Point(half.right - 4, box.y + 17), f"rev {newest}", "small", "end"
                )

    def lane(self, lane: str, box: Box, alive: bool) -> None:
        """One key or one flanneld, from left to right."""
        sheet, (kind, _, name) = self.sheet, lane.partition(" ")
        middle = box.y + box.h / 2
        head = Box(box.x, box.y, HEAD_W - 6, box.h)
        with sheet.group(lane):
            upper = Box(head.x, head.y, head.w, box.h)
            sheet.words(upper, Point(head.x + 2, middle - 2), name, "strong")
            said = "key in etcd" if kind == "etcd" else "flanneld"
            sheet.words(upper, Point(head.x + 2, middle + 13), said, "small")
            if kind == "etcd":
                sheet.parts.append(store(head.right - 18, middle - 1, "store"))
            for at, time in enumerate(self.moments):
                x = self.column(at)
                found = self.cells.get((lane, time), [])
                if kind == "etcd" and alive:
                    right = x if found else x + COL
                    sheet.line(
                        (Point(x - GAP if at else x - 6, middle), Point(right, middle)), "life"
                    )
                elif kind == "flanneld" and not found:
                    sheet.line((Point(x, middle), Point(x + COL, middle)), "guide")
                if found:
                    alive = not found[-1].bad
                    with sheet.group(f"{lane} at {at}"):
                        self._cell(Box(x, box.y, COL, box.h), kind, found)

    def _cell(self, box: Box, kind: str, found: list[Entry]) -> None:
        sheet = self.sheet
        style = "key" if kind == "etcd" else "told"
        style = "gone" if any(entry.bad for entry in found) else style
        sheet.box(box, style, 7)
        lines = [("✕ " if entry.bad else "") + _short(entry) for entry in found]
        if len(lines) > MOST_LINES:
            lines = [*lines[: MOST_LINES - 1], f"and {len(lines) - MOST_LINES + 1} more"]
        y = box.y + (box.h - len(lines) * LINE) / 2 + 13.5
        for line in lines:
            sheet.words(
                box, Point(box.x + 9, y), line, "plain", "", "wrong" if line[0] == "✕" else ""
            )
            y += LINE
