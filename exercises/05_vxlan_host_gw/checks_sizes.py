"""The rubric of 05.largest and 05.wrap. The model's pings and its encoder say what is right."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, wrong_type
from k8snetlib.packet import Packet
from k8snetlib.trace import Frame
from k8snetlib.wire import encode

BACKENDS = ("udp", "vxlan", "host-gw")
IP, ICMP, ETHERNET, VXLAN = 20, 8, 14, 8
Path = Sequence[int]


# -- 05.largest -----------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def cluster(seed: int, backend: str, mtu: int) -> Cluster:
    """A generated cluster with a backend, whose node network takes ``mtu`` bytes."""
    spec = generated_spec(seed)
    network = spec.network._replace(backend=backend, mtu=mtu, proxy_mode="none")
    return Cluster(spec._replace(network=network))


def ping(seed: int, backend: str, eth0: int, path: Path, payload: int) -> Exchange:
    """web2 pings backend; the switch's two ports take what ``path`` says."""
    found = cluster(seed, backend, eth0)
    for port, mtu in zip(("p-node1", "p-node2"), path, strict=True):
        found["switch"].sh(f"ip link set {port} mtu {mtu}")
    return found.ping("web2", "backend", payload=payload)


def sizes(exchange: Exchange) -> list[int]:
    """How many bytes, from the outermost IP header on, the request has at the two ports."""
    assert exchange.request is not None
    return [f.packet.ip_length for f in exchange.request.frames if f.netns == "switch"]


@lru_cache(maxsize=128)
def fits(seed: int, backend: str, eth0: int, path: tuple[int, ...]) -> int:
    """The largest payload that fits everywhere; found with pings, as an administrator would.

    A Linux bridge lets four bytes more pass than the MTU says (room for a VLAN tag), and other
    switches do not: the packet itself must fit."""
    low, high = 0, eth0
    while low < high:
        middle = (low + high + 1) // 2
        walk = ping(seed, backend, eth0, path, middle)
        if walk.ok and all(size <= mtu for size, mtu in zip(sizes(walk), path, strict=True)):
            low = middle
        else:
            high = middle - 1
    return low


@lru_cache(maxsize=16)
def largest_calls(seed: int) -> tuple[Call, ...]:
    """Every backend, with a path as wide as eth0 or wider, and with a narrow one."""
    dice = random.Random(f"largest {seed}")
    calls = []
    for backend in BACKENDS:
        eth0 = dice.choice((1500, 9000, 1400)) - 2 * dice.randint(0, 40)
        wide = eth0 + 4 * dice.randint(1, 25)
        # Narrow enough that the pod's packet alone does not tell: it would fit, its wrapping not.
        near, far = eth0 - dice.randint(8, 20), eth0 - dice.randint(200, 400)
        calls += [
            Call("plain", (backend, eth0, (eth0, eth0))),
            Call("plain", (backend, eth0, (wide, eth0))),
            Call("plain", (backend, eth0, (wide, wide))),
            Call("path", (backend, eth0, (eth0, near))),
            Call("path", (backend, eth0, (far, wide))),
        ]
    return tuple(calls)


Size = Callable[[str], int]


def _fixed(**sizes: int) -> Size:
    return lambda backend: sizes[backend.replace("-", "")]


_TRUE = _fixed(udp=IP + 8, vxlan=IP + 8 + VXLAN + ETHERNET, hostgw=0)


def _predicts(overhead: Size, own: int = IP + ICMP, *, narrow: bool = True) -> Any:
    def predict(backend: str, eth0: int, path: Path) -> int:
        return min(eth0, *path if narrow else (eth0,)) - overhead(backend) - own

    return predict


def _bare_path(backend: str, eth0: int, path: Path) -> int:
    return min(eth0 - _TRUE(backend), *path) - IP - ICMP


_NO_ICMP = (
    "You seem to think that the payload may fill the pod's MTU. The ping has headers of its own."
)
_INNER = (
    "You seem to forget the Ethernet header that travels inside VXLAN. A whole frame is wrapped."
)
_OUTER = (
    "You seem to count the outermost Ethernet header. An MTU begins at the outermost IP header."
)
_NO_OUTER = (
    "You seem to forget the outer IP header, or the UDP header behind it. "
    "What is wrapped becomes the payload of a whole UDP datagram."
)
_SAME = "You seem to think that every backend costs the same. Each wraps the packet in its own way."
_NO_OVERHEAD = (
    "You seem to think that the wrapping takes no room. The outer packet must fit into the MTU."
)

SIZE_BELIEFS = (
    Belief(
        "MTU",
        "You seem to think that only eth0's MTU counts. A place on the way may take less.",
        _predicts(_TRUE, narrow=False),
    ),
    Belief(
        "PATH_ONLY",
        "You seem to think that only the path counts. eth0 itself takes no more than its MTU.",
        lambda backend, eth0, path: min(path) - _TRUE(backend) - IP - ICMP,
    ),
    Belief(
        "VLAN_ROOM",
        "You seem to use the four bytes for a VLAN tag. Not every switch has them.",
        lambda *args: _predicts(_TRUE)(*args) + 4,
    ),
    Belief(
        "TCP_SIZE",
        "You seem to subtract a TCP header. A ping has an ICMP header, of 8 bytes.",
        _predicts(_TRUE, IP + 20),
    ),
    Belief(
        "PATH_BARE",
        "You seem to compare the path with the pod's bare packet. "
        "The wrapped packet travels on the path.",
        _bare_path,
    ),
    Belief(
        "ALWAYS_1500",
        "You seem to think that every eth0 takes 1500 bytes. Here its MTU is an argument.",
        lambda backend, eth0, path: 1500 - _TRUE(backend) - IP - ICMP,
    ),
    *(
        Belief("NO_ICMP", _NO_ICMP, _predicts(_TRUE, own, narrow=narrow))
        for own in (0, IP, ICMP)
        for narrow in (True, False)
    ),
    *(
        Belief(name, text, _predicts(overhead, narrow=narrow))
        for name, text, overhead in (
            ("NO_OVERHEAD", _NO_OVERHEAD, _fixed(udp=0, vxlan=0, hostgw=0)),
            ("SAME_OVERHEAD", _SAME, _fixed(udp=50, vxlan=50, hostgw=50)),
            ("SAME_OVERHEAD", _SAME, _fixed(udp=28, vxlan=28, hostgw=28)),
            ("SAME_OVERHEAD", _SAME, _fixed(udp=50, vxlan=50, hostgw=0)),
            ("SAME_OVERHEAD", _SAME, _fixed(udp=28, vxlan=28, hostgw=0)),
            ("INNER_FREE", _INNER, _fixed(udp=28, vxlan=36, hostgw=0)),
            ("NO_OUTER_IP", _NO_OUTER, _fixed(udp=8, vxlan=8, hostgw=0)),
            ("NO_OUTER_IP", _NO_OUTER, _fixed(udp=8, vxlan=30, hostgw=0)),
            ("NO_OUTER_IP", _NO_OUTER, _fixed(udp=28, vxlan=30, hostgw=0)),
            ("OUTER_ETHERNET", _OUTER, _fixed(udp=42, vxlan=64, hostgw=14)),
            ("OUTER_ETHERNET", _OUTER, _fixed(udp=42, vxlan=64, hostgw=0)),
        )
        for narrow in (True, False)
    ),
)


def check_largest(replies: Sequence[Reply], seed: int) -> Findings:
    """The payloads of one group of paths."""

    def witness(reply: Reply) -> Exchange | str:
        backend, eth0, path = reply.args
        said = reply.value
        if 0 <= said <= 2 * eth0:
            walk = ping(seed, backend, eth0, path, said)
            if not walk.ok:
                return walk
        where = f"{backend}, eth0 {eth0}, path {', '.join(map(str, path))}"
        return f"{where}: you say {said} bytes."

    read = [reply._replace(value=forms.whole(reply.value)) for reply in replies]
    return wrong_type(read, (int,), "a whole number of bytes") or compare(
        read,
        lambda *args: fits(seed, *args),
        SIZE_BELIEFS,
        "For some backend and path, this is not the largest ping that fits everywhere.",
        witness=witness,
    )


# -- 05.wrap --------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def inner_frames(seed: int) -> tuple[Frame, ...]:
    """Frames as they leave flannel.1 of node1."""
    spec = generated_spec(seed)
    found = Cluster(spec._replace(network=spec.network._replace(backend="vxlan")), seed=seed)
    size = random.Random(f"frames {seed}").randint(10, 90)
    walks = (
        found.connect("web2", "backend", port=8080),
        found.send("web1", "backend-c", port=53, payload=size),
    )
    return tuple(
        frame
        for walk in walks
        if walk.request is not None
        for frame in walk.request.frames
        if (frame.netns, frame.device) == ("node1", "flannel.1")
    )


@lru_cache(maxsize=16)
def wrap_calls(seed: int) -> tuple[Call, ...]:
    """Frames under VNI 1 and under large ones."""
    dice = random.Random(f"wrap {seed}")
    frames = [encode(frame.packet) for frame in inner_frames(seed)]
    large = dice.sample(range(70_000, 1 << 24), 2)
    return (
        *(Call("flags", (frame, vni)) for frame in frames for vni in (1, large[0])),
        *(Call("vni", (frame, vni)) for frame, vni in zip(frames, large, strict=True)),
        *(Call("inside", (frame, 1)) for frame in frames),
    )


def vxlan_bytes(frame: bytes, vni: int) -> bytes:
    """What the model's encoder puts into the UDP datagram of a frame."""
    from k8snetlib.packet import IPv4, Udp, Vxlan
    from k8snetlib.wire import decode

    outer = IPv4("192.0.2.1", "192.0.2.2", 17), Udp(40000, 8472), Vxlan(vni)
    inner = decode(frame)
    return encode(Packet(*outer, *inner.headers, payload=inner.payload))[IP + 8 :]


_FIRST, _VNI, _REST = slice(0, 4), slice(4, 8), slice(8, None)
_ENDIAN = (
    "You seem to write numbers with the small byte first. On the wire the big byte comes first."
)


def _is(value: bytes) -> Callable[..., bytes]:
    return lambda frame, vni: value


FLAG_BELIEFS = (
    Belief(
        "NO_FLAG",
        "You seem to leave the flags empty. A receiver then takes the VNI as not set, and drops.",
        _is(bytes(4)),
    ),
    Belief(
        "LOW_FLAG",
        "You seem to put the I flag at the end of the first four bytes. It is in the first byte.",
        _is(bytes((0, 0, 0, 8))),
    ),
    Belief(
        "LOW_FLAG",
        "You seem to put the I flag at another bit. Count the bits of the first byte again.",
        _is(bytes((1, 0, 0, 0))),
    ),
    Belief(
        "LOW_FLAG",
        "You seem to put the I flag at another bit. Count the bits of the first byte again.",
        _is(bytes((128, 0, 0, 0))),
    ),
)
VNI_BELIEFS = (
    Belief(
        "VNI_LOW",
        "You seem to put the VNI into the last bytes. One reserved byte comes after it.",
        lambda frame, vni: struct.pack("!I", vni),
    ),
    Belief("ENDIAN", _ENDIAN, lambda frame, vni: struct.pack("<I", vni << 8)),
    Belief("ENDIAN", _ENDIAN, lambda frame, vni: struct.pack("<I", vni)),
    Belief(
        "VNI_SHORT",
        "You seem to think that a VNI has 8 or 16 bits. It has 24.",
        lambda frame, vni: struct.pack("!I", (vni & 255) << 8),
    ),
    Belief(
        "VNI_SHORT",
        "You seem to think that a VNI has 8 or 16 bits. It has 24.",
        lambda frame, vni: struct.pack("!I", (vni & 65535) << 8),
    ),
)
INSIDE_BELIEFS = (
    Belief(
        "IP_INSIDE",
        "You seem to think that an IP packet is wrapped, as in the udp backend. "
        "VXLAN wraps a whole frame.",
        lambda frame, vni: frame[ETHERNET:],
    ),
)


def _check_part(part: slice, beliefs: Sequence[Belief], otherwise: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        return wrong_type(replies, (bytes,), "bytes: the VXLAN header and the frame") or compare(
            replies,
            lambda frame, vni: vxlan_bytes(frame, vni)[part],
            beliefs,
            otherwise,
            read=lambda value: value[part],
            witness=lambda r: f"VNI {r.args[1]}: you return {r.value[:8].hex(' ')} …",
        )

    return check


CALLS = {"05.largest": largest_calls, "05.wrap": wrap_calls}

ITEMS = (
    Item("05.largest.plain", 4, "The path takes as much as eth0", check_largest),
    Item("05.largest.path", 4, "A narrow place on the way", check_largest),
    Item("05.wrap.flags", 2, "The first four bytes",
         _check_part(_FIRST, FLAG_BELIEFS, "The first four bytes are not flags as RFC 7348 says.")),
    Item("05.wrap.vni", 2, "The VNI",
         _check_part(_VNI, VNI_BELIEFS, "A receiver reads another VNI in the second four bytes.")),
    Item("05.wrap.inside", 2, "What follows the header",
         _check_part(_REST, INSIDE_BELIEFS, "What follows the eight bytes is not the frame.")),
)  # fmt: skip
