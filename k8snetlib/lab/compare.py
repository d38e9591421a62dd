"""What lives here: the differences between what the model did and what the kernel did, in words.

Frames agree exactly within a packet, but for ports that the kernel draws at random: those must map
one to one. The branches of a flood run at the same time, so there only the order in each namespace
counts. A packet that looks like an earlier one is a repetition, and may be there once more on
either side (how often depends on how long one waits).
"""

from __future__ import annotations

import re
from collections import Counter as Bag
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from k8snetlib.lab.frames import Walk
from k8snetlib.lab.rules import Counter, Path
from k8snetlib.packet import IPv4, Packet, Tcp, Udp, Vxlan
from k8snetlib.trace import Frame, Trace

_PORT = re.compile(r"(?<=\d):(\d+)\b")


class Ports:
    """Which ports are fixed; the random ones of the kernel, and those that the model drew
    instead."""

    def __init__(self, fixed: Collection[int]) -> None:
        self.fixed = frozenset(map(str, fixed))
        self.of_kernel: dict[str, str] = {}
        self.of_model: dict[str, str] = {}

    def star(self, text: str) -> str:
        """A line with ``*`` for every random port."""
        return _PORT.sub(lambda m: m[0] if m[1] in self.fixed else ":*", text)

    def drawn(self, packets: Iterable[Walk | Trace]) -> int:
        """How many different ports that somebody drew stand in these packets' frames."""
        lines = (str(frame) for packet in packets for frame in packet.frames)
        return len({port for line in lines for port in _PORT.findall(line)} - self.fixed)

    def agree(self, kernel: str, model: str) -> bool:
        """Notes which random ports correspond; False if one stands for two."""
        for ours, theirs in zip(_PORT.findall(kernel), _PORT.findall(model), strict=True):
            if ours not in self.fixed:
                if self.of_kernel.setdefault(ours, theirs) != theirs:
                    return False
                if self.of_model.setdefault(theirs, ours) != ours:
                    return False
        return True


def told(title: str, lines: Iterable[str]) -> str:
    """A heading with lines below it."""
    return "\n    ".join((title, *lines))


# -- packets --------------------------------------------------------------------------------------


class Packets(NamedTuple):
    """What a comparison of packets found: how many agreed, with how many frames, and
    differences."""

    packets: int
    frames: int
    differences: tuple[str, ...]


def packets(kernel: Sequence[Walk], model: Sequence[Trace], ports: Ports) -> Packets:
    """Every packet of the kernel must have its partner in the model, and the other way round."""
    left = [Walk(trace.label, trace.frames) for trace in model if trace.frames]
    agreed: list[Walk] = []
    differences: list[str] = []
    frames = 0
    for walk in kernel:
        at = next((i for i, other in enumerate(left) if _same(walk, other, ports)), None)
        if at is not None:
            partner = left.pop(at)
            again = any(_same(walk, earlier, ports) for earlier in agreed)
            agreed.append(walk)
            frames += len(walk.frames)
            # TCP hashes a repeated SYN anew, and the tunnel's source port follows.
            exempt = again or _hashed_too_early(walk)
            if not exempt and not all(ports.agree(a, b) for a, b in _pairs(walk, partner, ports)):
                what = f"{walk.label}: a random port stands for two different ones"
                differences.append(told(what, walk.lines))
        elif not any(_same(walk, earlier, ports) for earlier in agreed):
            near = next((other for other in left if other.label == walk.label), None)
            text = told(f"only in the kernel: {walk.label}", walk.lines)
            if near is not None:
                text += "\n" + told("  the model has:", near.lines)
            differences.append(text)
    for other in left:
        if not any(_same(other, earlier, ports) for earlier in agreed):
            differences.append(told(f"only in the model: {other.label}", other.lines))
    return Packets(len(agreed), frames, tuple(differences))


def _same(one: Walk, other: Walk, ports: Ports) -> bool:
    if one.label != other.label or len(one.frames) != len(other.frames):
        return False
    lines = [ports.star(line) for line in one.lines]
    others = [ports.star(line) for line in other.lines]
    if lines == others:
        return True
    return _flooded(one) and _by_netns(one.frames, lines) == _by_netns(other.frames, others)


def _pairs(one: Walk, other: Walk, ports: Ports) -> Iterator[tuple[str, str]]:
    """Each line with its partner: in order, or (branches of a flood) in order by namespace."""
    lines, others = (list(map(ports.star, walk.lines)) for walk in (one, other))
    if lines == others:
        yield from zip(one.lines, other.lines, strict=True)
        return
    ours = _by_netns(one.frames, one.lines)
    theirs = _by_netns(other.frames, other.lines)
    for netns, ordered in ours.items():
        yield from zip(ordered, theirs[netns], strict=True)


def _hashed_too_early(walk: Walk) -> bool:
    """True for what was translated and then went through a VXLAN tunnel, other than TCP.

    The tunnel's source port is a hash of the flow. Our own tracing makes the kernel compute it (for
    the trace's identifier) before the translation; else it would come after, in the tunnel. What a
    node sends itself may be translated before its first frame, which is the tunnel device's."""
    inner = {
        (p.src, p.dst) for f in walk.frames if type(p := f.packet.innermost.headers[0]) is IPv4
    }
    tunnelled = any(type(h) is Vxlan for f in walk.frames for h in f.packet.headers)
    unseen = walk.frames[0].device.startswith("flannel.")
    return tunnelled and (unseen or len(inner) > 1) and not walk.label.startswith("TCP")


def _flooded(walk: Walk) -> bool:
    """True if the packet left one namespace by several ports with the same headers."""
    outs = Bag((f.netns, f.packet) for f in walk.frames if f.direction == "out")
    return any(times > 1 for times in outs.values())


def _by_netns(frames: Iterable[Frame], lines: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for frame, line in zip(frames, lines, strict=True):
        found.setdefault(frame.netns, []).append(line)
    return found


# -- rules ----------------------------------------------------------------------------------------


def passes(trace: Trace, netns: str) -> list[Path]:
    """Each run of a packet of the model through a base chain of a namespace, as TRACE tells it."""
    return [
        Path(ends(step.before or step.packet), tuple(map(str, step.rules)))
        for hop in trace.hops
        if hop.netns == netns
        for step in hop.steps
        if step.rules
    ]


def ends(packet: Packet) -> str:
    """A packet's two ends, with ports where it has some."""
    ip, l4 = packet.ip, packet.transport
    if isinstance(l4, Tcp | Udp):
        return f"{ip.src}:{l4.sport}>{ip.dst}:{l4.dport}"
    return f"{ip.src}>{ip.dst}"


def paths(
    netns: str,
    kernel: Sequence[Path],
    model: Sequence[Path],
    ports: Ports,
    *,
    repeats: bool,
    at_once: bool = False,
) -> tuple[int, list[str]]:
    """How many different ways through the rules both took; what differs, in words.

    ``repeats``: packets were sent again, and a late one may meet another state of its connection.
    ``at_once``: several were under way together, and a second one may overtake the answer to the
    first: of the packets between two ends one way must agree, whatever the others found.
    """  # fmt: skip

    def starred(path: Path) -> Path:
        return Path(ports.star(path.ends), path.lines)

    ours, theirs = Bag(map(starred, kernel)), Bag(map(starred, model))
    both = set(ours) & set(theirs)
    # How often: repetitions, acknowledgements and TCP's teardown look alike, and only the kernel
    # shows them all.
    differences = []
    settled = {path.ends for path in both} if at_once else set()
    for path in ours:
        if path not in both and not repeats and path.ends not in settled:
            differences.append(told(f"{netns}: only the kernel: {path.ends}", path.lines))
    for path in theirs:
        if path not in both and path.ends not in settled:
            differences.append(told(f"{netns}: only the model: {path.ends}", path.lines))
    return len(both), differences


def counts(
    netns: str, kernel: Sequence[Counter], model: Sequence[Counter], *, tcp: bool, repeats: bool
) -> list[str]:
    """Rules whose counters differ. Where the number of packets is not certain (TCP's
    acknowledgements, repetitions), only whether a rule was hit at all."""
    differences = []
    for ours, theirs in zip(kernel, model, strict=False):
        sure = not repeats and (not tcp or ours.table == "nat")
        if ours.rule != theirs.rule or not _alike(ours, theirs, sure):
            differences.append(
                f"{netns} {ours.table}: the kernel counts {ours.packets} packets ({ours.octets} "
                f"bytes), the model {theirs.packets} ({theirs.octets}): {ours.rule}"
                + ("" if ours.rule == theirs.rule else f" / {theirs.rule}")
            )
    if len(kernel) != len(model):
        differences.append(f"{netns}: {len(kernel)} rules in the kernel, {len(model)} in the model")
    return differences


def _alike(kernel: Counter, model: Counter, sure: bool) -> bool:
    return kernel[2:] == model[2:] if sure else bool(kernel.packets) == bool(model.packets)


# -- connections ----------------------------------------------------------------------------------


def connections(
    netns: str, kernel: Iterable[str], model: Iterable[str], ports: Ports, *, repeats: bool
) -> list[str]:
    """Connections that only one side tracks (a repeated SYN may have opened a second tunnel
    flow)."""
    ours, theirs = Bag(map(ports.star, kernel)), Bag(map(ports.star, model))
    if repeats:
        ours, theirs = Bag(set(ours)), Bag(set(theirs))
    return [
        *(f"{netns}: only the kernel tracks {line}" for line in (ours - theirs).elements()),
        *(f"{netns}: only the model tracks {line}" for line in (theirs - ours).elements()),
    ]


def outcome(kernel: Collection[str], words: str, model: str, reason: str) -> list[str]:
    """The sender's view: what it saw must fit the model's outcome."""
    if model in kernel:
        return []
    return [f"the sender: kernel: {words}; model: {model} ({reason})"]
