"""What lives here: ``step_timeline``: etcd's history to be slid along, revision by revision.

The player once more: its picture is the timeline, its steps are etcd's revisions and, behind those
of one moment, what the flannelds said at it. Beside it stand the keys as they were at that
revision, with their leases, and for each flanneld the ranges of others that its journal tells of.

What may not live here: what happened (``timeline.history``).

Simplified here: as in ``timeline``. At one moment the daemons come after all revisions of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from k8snetlib.cluster import Cluster
from k8snetlib.etcd.agent import EtcdServer
from k8snetlib.linux.clock import go_duration, parse_seconds
from k8snetlib.views.picture import Picture
from k8snetlib.views.player import Player
from k8snetlib.views.timeline import (
    COL,
    GAP,
    HEAD_W,
    MARGIN,
    PREFIX,
    STYLE,
    Entry,
    history,
    on_paper,
    timeline,
)


def step_timeline(cluster: Cluster, since: str | float = 0.0) -> Player:
    """The timeline as a player: keys, leases and what each flanneld knows, revision by revision.

    Parameters: ``since`` is the first moment that is shown, as for ``timeline``. Raises
    ``K8sNetError`` if flannel keeps no leases in etcd, or nothing has happened since.
    """
    everything = history(cluster)
    first = parse_seconds(since)
    shown = [entry for entry in everything if entry.time >= first]
    still = timeline(cluster, since)
    if not shown:
        return Player({"packets": []}, still)
    data = etcd_data(cluster, everything, first)
    return Player(data, _still(data, still))


def etcd_data(cluster: Cluster, everything: Sequence[Entry], first: float) -> dict[str, Any]:
    """What the scrubber shows, in the form of ``player.player_data``."""
    shown = tuple(entry for entry in everything if entry.time >= first)
    moments = sorted({entry.time for entry in shown})
    sheet, width, height = on_paper(cluster, shown, len(moments))
    title = "etcd and the flannelds"
    told = f"{len(moments)} moments, from {go_duration(moments[0])} on."
    steps = [step for step in _Scrubber(cluster, moments).steps(everything) if step]
    return {
        "title": title,
        "outcome": "",
        "reason": "",
        "foot": "At one moment, etcd's revisions come first, then what the flannelds said.",
        "scene": sheet.svg((width, height), f"Timeline of {title}", told, STYLE),
        "picture": "The timeline",
        "start": 0,
        "stages": {},
        "packets": [
            {"n": 0, "title": "etcd, revision by revision", "role": "", "states": [],
             "steps": steps}
        ],
    }  # fmt: skip


class _Scrubber:
    """Goes through the history once: keys from etcd's own log, the rest from the journals."""

    def __init__(self, cluster: Cluster, moments: Sequence[float]) -> None:
        agent = cluster.network.agents["etcd"]
        assert isinstance(agent, EtcdServer)
        self.moments = moments
        self.log = agent.store.mvcc.changes(0)
        self.keys: dict[str, list[str]] = {}
        self.nodes: dict[str, list[str]] = {}
        self.known: dict[str, dict[str, None]] = {}
        for node in cluster.nodes:
            self.nodes[f"flanneld {node}"] = ["not started", ""]
            self.known[f"flanneld {node}"] = {}

    def steps(self, everything: Sequence[Entry]) -> list[dict[str, Any] | None]:
        found = []
        for time, group in groupby(everything, key=lambda entry: entry.time):
            here = list(group)
            etcd = [entry for entry in here if entry.revision]
            for revision, entries in groupby(etcd, key=lambda entry: entry.revision):
                found.append(self._revision(time, revision, list(entries)))
            said = [entry for entry in here if not entry.revision]
            if said:
                found.append(self._daemons(time, said))
        return found

    def _revision(self, time: float, revision: int, entries: list[Entry]) -> dict[str, Any] | None:
        changed = set()
        for change in self.log:
            if change.revision != revision:
                continue
            kv = change.event.kv
            key = kv.key.decode("utf-8", "replace")
            changed.add(key)
            if change.event.type == "DELETE":
                self.keys[key] = [*self.keys.get(key, ["", "", ""])[:3], "deleted"]
                continue
            value = kv.value.decode("utf-8", "replace")
            lease = f"{kv.lease:x}" if kv.lease else "none"
            made = f"created {kv.create_revision}, changed {kv.mod_revision}"
            self.keys[key] = [value, made, lease, "now"]
        reason = "; ".join(
            f"{entry.lane.removeprefix('etcd ')}: {entry.words}" for entry in entries
        )
        step = self._step(time, f"revision {revision}", reason, entries, changed)
        for key in [key for key in changed if self.keys[key][3] == "deleted"]:
            del self.keys[key]
        return step

    def _daemons(self, time: float, said: list[Entry]) -> dict[str, Any] | None:
        for entry in said:
            words = entry.words + (f", {entry.times} times" if entry.times > 1 else "")
            sign, _, subnet = entry.words.partition(" ")
            known = self.known[entry.lane]
            if sign == "+":
                known[subnet] = None
            elif sign == "−":
                known.pop(subnet, None)
            elif entry.words in ("starts", "is stopped", "lease is gone: ends"):
                known.clear()  # its memory goes with the process
            self.nodes[entry.lane] = [words, "now"]
        lanes = dict.fromkeys(entry.lane for entry in said)
        reason = "; ".join(
            f"{lane.removeprefix('flanneld ')} "
            + ", ".join(entry.words for entry in said if entry.lane == lane)
            for lane in lanes
        )
        return self._step(time, "what the flannelds say", reason, said, set())

    def _step(
        self, time: float, what: str, reason: str, entries: list[Entry], changed: set[str]
    ) -> dict[str, Any] | None:  # fmt: skip
        if time not in self.moments:
            self._forget()
            return None
        at = self.moments.index(time)
        x, y = MARGIN + HEAD_W + at * (COL + GAP) + COL / 2, MARGIN + 13
        lanes = [f"{lane} at {at}" for lane in dict.fromkeys(entry.lane for entry in entries)]
        bad = any(entry.bad for entry in entries)
        step = {
            "netns": go_duration(time), "place": what, "stage": "", "device": "",
            "anchor": lanes[0], "anchors": lanes[1:],
            "path": f"M{(x - COL - GAP) if at else x - 0.1:g} {y:g}L{x:g} {y:g}", "at": [x, y],
            "verdict": "drop" if bad else "pass", "sign": "✕" if bad else "→",
            "word": "something ends or fails" if bad else "something begins or stays",
            "reason": reason, "by": "", "rules": [], "note": "", "change": "", "see": None,
            "why": None, "fresh": True, "tables": [self._keys(changed), self._flannelds()],
        }  # fmt: skip
        self._forget()
        return step

    def _forget(self) -> None:
        """What was new is not new at the next step."""
        for row in self.keys.values():
            row[3] = "" if row[3] == "now" else row[3]
        for row in self.nodes.values():
            row[1] = ""

    def _keys(self, changed: set[str]) -> dict[str, Any]:
        rows, marks = [], []
        for key, (value, made, lease, said) in sorted(self.keys.items()):
            rows.append([key.removeprefix(PREFIX), value, made, lease, said])
            marks.append("gone" if said == "deleted" else "new" if key in changed else "")
        head = ["key", "value", "at revision", "lease", "this step"]
        return {"caption": f"Keys under {PREFIX}", "head": head, "rows": rows, "marks": marks,
                "code": 1}  # fmt: skip

    def _flannelds(self) -> dict[str, Any]:
        rows, marks = [], []
        for lane, (words, now) in self.nodes.items():
            ranges = ", ".join(self.known[lane]) or "none"
            rows.append([lane.removeprefix("flanneld "), ranges, words, now])
            marks.append("new" if now else "")
        head = ["flanneld of", "ranges of others in its journal", "last said", "this step"]
        return {"caption": "What each flanneld has heard", "head": head, "rows": rows,
                "marks": marks, "code": 9}  # fmt: skip


def _still(data: dict[str, Any], still: Picture) -> Picture:
    """The timeline, and every step with the keys and the ranges heard of, in words."""
    rows: list[tuple[str, ...]] = [("No.", "When", "What", "Keys then", "Ranges heard of")]
    for n, step in enumerate(data["packets"][0]["steps"], 1):
        keys, daemons = (
            "; ".join(": ".join(row[:2]) for row in table["rows"]) for table in step["tables"]
        )
        what = f"{step['place']}: {step['reason']}"
        rows.append((str(n), step["netns"], what, keys, daemons))
    told = "\n".join(f"{n:>3} {when} {what}" for n, when, what, *_ in rows[1:])
    title = f"Step by step: {data['title']}"
    return Picture(still.svg, f"{title}:\n{told}", f"{title}.", tuple(rows), "The same in words")
