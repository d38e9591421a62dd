"""What lives here: ``play``, the step player, and the data that its browser side draws from.

The browser side (``player.js``) decides nothing: ``player_data`` works out everything. All of it
goes to the browser once, so that scrubbing needs no kernel. The data is one JSON document::

    {"title": "web2 to 10.1.20.3", "outcome": "delivered", "reason": "…",
     "scene": "<svg …>",                     the picture, standing still
     "picture": "Picture of the cluster",    what it is called
     "start": 2,                             the packet shown first (its place in "packets")
     "stages": {"route": "the kernel looks up …"},
     "packets": [{"n": 2, "title": "TCP SYN: web2 to backend", "role": "request",
                  "states": [{"layers": [...], "bytes": 60}],      see headers.py
                  "steps": [{"netns": "node1", "place": "flanneld (process)", "stage": "flanneld",
                             "device": "flannel0", "anchor": "node1:flanneld",
                             "path": "M135 258L175 258", "at": [175, 312],
                             "verdict": "pass", "sign": "→", "word": "goes on",
                             "reason": "10.1.20.3 (backend) is in …", "by": "lease: …",
                             "rules": ["-A FORWARD …"], "state": 4, "added": [0, 1], "removed": [],
                             "was": {"2.2": "63"}, "change": "IPv4 TTL 63 becomes 62; …",
                             "see": null, "why": null}]}]}   why: see why.py

The other steppers' data has the same form. A step may have more: ``note`` (a line of words) and
``tables`` (``{"caption", "head", "rows", "marks"}``, a mark being "hit", "new" or "gone");
``columns`` are header stacks side by side in place of one (``{"title", "note", "state", "added",
"removed", "was"}``), ``tokens`` more places of packets (``[x, y, verdict]``), and ``anchors`` more
things that are lit. A way begins anew at a step that is
``fresh``. ``foot`` stands in place of the outcome. A step without ``state``
has no packet. ``which`` names what is chosen from where that is no packet.

``anchor`` is a ``data-anchor`` of the scene. ``path`` is the way to this step, to be joined with
the ones before; ``at`` is where the packet then stands. ``see`` is the place of another packet that
this step waits for (an ARP question). ``was`` maps ``layer.field`` of the step's state to the value
before.

What may not live here: HTML beyond the still form, and any knowledge of packets.
"""

from __future__ import annotations

from html import escape
from os import PathLike
from typing import Any

from k8snetlib.packet import Ethernet, Packet, stack_of
from k8snetlib.stages import STAGES, is_hook
from k8snetlib.story import exchange_story
from k8snetlib.trace import Exchange, Names, Step, Trace, rule_line
from k8snetlib.views import export, scene
from k8snetlib.views.flow import packet_flow
from k8snetlib.views.flow_steps import at_kernel
from k8snetlib.views.geometry import number, path_data
from k8snetlib.views.headers import changes, state
from k8snetlib.views.layout import lay_out
from k8snetlib.views.live import Live, script, style
from k8snetlib.views.picture import Picture, Which, choose, draw
from k8snetlib.views.plan import Layout
from k8snetlib.views.text import (
    VERDICT_WORDS,
    decider,
    packet_title,
    place_words,
    role_of,
    who,
)
from k8snetlib.views.walk import Spot, nodes_met, spots
from k8snetlib.views.why import why
from k8snetlib.words import annotate


def player_data(exchange: Exchange, packet: Which = None) -> dict[str, Any]:
    """Everything the player shows, as JSON-ready values (see the module's docstring).

    Parameters: ``packet`` is the packet shown first, as for ``draw``. Raises ``UnknownName`` if the
    exchange has no such packet.
    """
    nothing = packet is None and not exchange.packets
    first = -1 if nothing else choose(exchange, packet).n
    layout = lay_out(exchange.topology, nodes_met(exchange.packets, exchange.topology))
    names = exchange.names
    target = who(exchange.target, names)
    title = f"{exchange.source} to {target}"
    used = {step.stage for trace in exchange.packets for step in trace.steps}
    return {
        "title": title,
        "outcome": exchange.outcome,
        "reason": annotate(exchange.reason, names),
        "scene": scene.svg(layout, f"The cluster: {title}", scene.in_words(layout)),
        "picture": "Picture of the cluster",
        "start": next((at for at, t in enumerate(exchange.packets) if t.n == first), 0),
        "stages": {stage: words for stage, words in STAGES.items() if stage in used},
        "packets": [_packet(exchange, trace, layout) for trace in exchange.packets],
    }


def _packet(exchange: Exchange, trace: Trace, layout: Layout) -> dict[str, Any]:
    states: dict[Packet, int] = {}
    before: Packet | None = None
    link: Ethernet | None = None
    steps = []
    for spot in spots(trace, layout):
        now = spot.step.packet
        before = _former(spot, before, link)
        link = now.ethernet or link
        at = states.setdefault(now, len(states))
        steps.append(_step(exchange, layout, spot, before, at))
        before = now
    return {
        "n": trace.n,
        "title": packet_title(trace, exchange.names),
        "role": role_of(exchange, trace),
        "states": [state(look, exchange.names) for look in states],
        "steps": steps,
    }


def _former(spot: Spot, before: Packet | None, link: Ethernet | None) -> Packet | None:
    """What to compare a step's packet with.

    A bridge shows netfilter the IP packet without its link header, and puts that back afterwards:
    neither is a change worth a mark.
    """
    step = spot.step
    if step.before is not None:
        return step.before
    if before is None or link is None:
        return before
    hook = is_hook(step.stage) or step.stage == "conntrack"
    on_bridge = spot.place == step.device
    if hook and on_bridge and before.ethernet is not None:
        return stack_of(before.headers[1:], before.payload)
    if before.ethernet is None and step.packet.ethernet == link:
        return stack_of((link, *before.headers), before.payload)
    return before


def _step(
    exchange: Exchange, layout: Layout, spot: Spot, before: Packet | None, at: int
) -> dict[str, Any]:  # fmt: skip
    step, names = spot.step, exchange.names
    sign, word = VERDICT_WORDS.get(step.verdict, ("", step.verdict))
    change = changes(before, step.packet, names)
    end = spot.points[-1]
    return {
        "netns": spot.hop.netns,
        "place": place_words(layout.topology.host(spot.hop.netns), spot.place),
        "stage": step.stage,
        "device": step.device,
        "anchor": spot.anchor,
        "path": path_data(spot.points),
        "at": [float(number(end.x)), float(number(end.y))],
        "verdict": step.verdict,
        "sign": sign,
        "word": word,
        "reason": annotate(step.reason, names),
        "by": _by(step, names),
        "rules": [rule_line(rule) for rule in step.rules],
        "state": at,
        "added": list(change.added),
        "removed": list(change.removed),
        "was": dict(change.was),
        "change": change.words,
        "see": _awaited(exchange, spot),
        "why": why(spot.hop, step, names),
    }


def _by(step: Step, names: Names) -> str:
    """The deciding entry. A route stays as ``ip route`` prints it; others get names."""
    by = decider(step)
    return by if by.startswith("route:") else annotate(by, names)


def _awaited(exchange: Exchange, spot: Spot) -> int | None:
    """The ARP question for which a parked packet waits: its place among the packets."""
    if spot.step.verdict != "park":
        return None
    for at, trace in enumerate(exchange.packets):
        arp = trace.steps[0].packet.arp if trace.steps else None
        asks = arp is not None and arp.op == 1 and arp.target_ip in map(str, spot.step.args)
        if asks and trace.hops[0].netns == spot.hop.netns:
            return at
    return None


class Player(Live):
    """The step player of one exchange.

    In a notebook it is a widget; where there are no widgets (GitHub, a printed page, anywidget not
    installed) it shows as the still picture, ``still``. ``data`` is what the browser gets;
    ``exchange`` is whose story the exported page tells.
    """

    def __init__(
        self, data: dict[str, Any], still: Picture, exchange: Exchange | None = None
    ) -> None:  # fmt: skip
        self.data = data
        self.still = still
        self._exchange = exchange

    def __repr__(self) -> str:
        return self.still.text

    def _make_widget(self) -> Any:
        if not self.data["packets"]:
            return None
        from k8snetlib.views.widget import PlayerWidget

        return PlayerWidget(data=self.data)

    def _still(self) -> dict[str, Any]:
        return dict(self.still._repr_mimebundle_())

    def to_html(self, path: str | PathLike[str]) -> None:
        """Writes a page in which this player works, with the whole walk in words below it.

        The page opens from disk and fetches nothing; without scripts it shows the still picture.
        Raises ``K8sNetError`` if the file cannot be written.
        """
        body = f'<div class="still">{self.still.html}</div>'
        if self._exchange is not None:
            told = escape(exchange_story(self._exchange))
            body += (
                '<details class="told"><summary>The same in words: every packet</summary>'
                f"<pre>{told}</pre></details>"
            )
        code = script("player") if self.data["packets"] else ""
        title = self.data.get("title") or self.still.title
        export.write(path, export.page(title, body, style("player"), code, self.data))

    def to_svg(self, path: str | PathLike[str], theme: str = "") -> None:
        """Writes the still picture, as ``Picture.to_svg`` does."""
        self.still.to_svg(path, theme)

    def to_png(self, path: str | PathLike[str], theme: str = "light", scale: float = 2.0) -> None:
        """Writes the still picture, as ``Picture.to_png`` does."""
        self.still.to_png(path, theme, scale)


def play(exchange: Exchange, packet: Which = None, netns: str = "") -> Player:
    """The step player: walk each packet of ``exchange`` box by box.

    Parameters: ``packet`` is the packet shown first, as for ``draw`` (the request, if not given);
    with ``netns``, the way through that namespace's kernel alone, in the packet-flow drawing.
    Raises ``UnknownName`` if the exchange has no such packet, or that packet was never there.
    """
    data = player_data(exchange, packet)
    if netns:
        chosen = choose(exchange, packet)
        still = packet_flow(chosen, netns)
        return Player(at_kernel(data, exchange, netns, chosen.n), still, exchange)
    return Player(data, draw(exchange, packet), exchange)
