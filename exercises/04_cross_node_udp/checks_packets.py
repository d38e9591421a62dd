"""The rubric of 04.encapsulate and 04.decapsulate. The packets are walks of generated clusters, and
what is right is what the model's own flanneld sent and received."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.address import ip_text
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.octets import IP_BYTES, SUM_AT, TTL_AT, aged, seen_on
from k8snetlib.course.rubric import (
    Belief,
    Call,
    Findings,
    Item,
    Reply,
    compare,
    fail,
    wrong_type,
)
from k8snetlib.wire import checksum

UDP_BYTES, OUTER_BYTES = 8, 28
#: Flags and fragment offset of a header that says only "don't fragment".
DF = "4000"


def sends(seed: int) -> list[Exchange]:
    """Packets of every kind from web2 to backend, with many TTLs."""
    dice = random.Random(f"packets {seed}")
    cluster = Cluster(generated_spec(seed), seed=seed)
    ttls = dice.sample(range(9, 60), 3)
    sizes = dice.sample(range(20, 400), 2)
    return [
        cluster.connect("web2", "backend", port=8080, ttl=ttls[0]),
        cluster.send("web2", "backend", port=53, ttl=ttls[1], payload=sizes[0]),
        cluster.ping("web2", "backend", ttl=ttls[2], payload=sizes[1]),
    ]


@lru_cache(maxsize=16)
def wrapped(seed: int) -> tuple[tuple[bytes, bytes], ...]:
    """Pairs: what flanneld on node1 reads from flannel0, and what then leaves eth0."""
    return tuple(
        (seen_on(walk, "node1:flannel0", "out"), seen_on(walk, "node1:eth0", "out"))
        for walk in sends(seed)
    )


@lru_cache(maxsize=16)
def unwrapped(seed: int) -> tuple[tuple[bytes, bytes], ...]:
    """Pairs: what arrives on eth0 of node2, and what flanneld there writes into flannel0."""
    return tuple(
        (seen_on(walk, "node2:eth0", "in"), seen_on(walk, "node2:flannel0", "in"))
        for walk in sends(seed)
    )


@lru_cache(maxsize=16)
def addresses(seed: int) -> tuple[str, str]:
    """The addresses of node1 and node2."""
    first, second, *_ = generated_spec(seed).nodes
    return first.ip, second.ip


@lru_cache(maxsize=16)
def tired(seed: int) -> bytes:
    """A packet that reaches flanneld with one hop left."""
    walk = Cluster(generated_spec(seed)).send("web2", "backend", port=53, ttl=2)
    return seen_on(walk, "node1:flannel0", "out")


@lru_cache(maxsize=16)
def encapsulate_calls(seed: int) -> tuple[Call, ...]:
    """Three packets for each group, and one whose TTL ends."""
    ends = addresses(seed)
    groups = ("wrap", "inner", "outer")
    calls = [Call(group, (inner, *ends)) for group in groups for inner, _ in wrapped(seed)]
    return (*calls, Call("last", (tired(seed), *ends)))


def outer_fields(data: Any) -> Any:
    """(first two bytes, protocol, from, to, ports, lengths) of the outer headers; or None."""
    if not isinstance(data, bytes) or len(data) < OUTER_BYTES:
        return None
    source, target = struct.unpack("!II", data[12:20])
    sport, dport, length = struct.unpack("!HHH", data[20:26])
    total = struct.unpack("!H", data[2:4])[0]
    ends = ip_text(source), ip_text(target)
    return (data[:2], data[9], *ends, sport, dport, total, length, len(data))


def _outer(
    inner: bytes, source: str, target: str, *, port: int = 8285, udp_header: int = UDP_BYTES
) -> tuple[Any, ...]:
    size = len(inner)
    lengths = size + OUTER_BYTES, size + udp_header, size + OUTER_BYTES
    return (b"\x45\0", 17, source, target, port, port, *lengths)


def _swapped(places: Sequence[int], inner: bytes, source: str, target: str) -> tuple[Any, ...]:
    fields = list(_outer(inner, source, target))
    for at in places:
        fields[at] = int.from_bytes(fields[at].to_bytes(2, "big"), "little")
    return tuple(fields)


_ENDIAN = (
    "You seem to write numbers with the small byte first. "
    "On the wire the big byte comes first: network byte order."
)

WRAP_BELIEFS = (
    Belief("ENDIAN", _ENDIAN, lambda *args: _swapped((4, 5, 6, 7), *args)),
    Belief("ENDIAN", _ENDIAN, lambda *args: _swapped((4, 5, 7), *args)),
    Belief(
        "POD_OUTER",
        "You seem to think that the outer header carries the pods' addresses. "
        "The node network knows no pods.",
        lambda inner, *_: _outer(
            inner, ip_text(number_at(inner, 12)), ip_text(number_at(inner, 16))
        ),
    ),
    Belief(
        "UDP_LENGTH",
        "You seem to count only the payload in the UDP length. "
        "The length covers the UDP header too.",
        lambda *args: _outer(*args, udp_header=0),
    ),
    Belief(
        "VXLAN_PORT",
        "You seem to use VXLAN's port. The udp backend has a port of its own.",
        lambda *args: _outer(*args, port=8472),
    ),
    Belief(
        "VXLAN_PORT",
        "You seem to use VXLAN's port. The udp backend has a port of its own.",
        lambda *args: _outer(*args, port=4789),
    ),
)


def number_at(data: bytes, at: int) -> int:
    """Four bytes as a number."""
    return int.from_bytes(data[at : at + 4], "big")


_BYTES = "bytes: the packet from its outer IPv4 header on"


def check_wrap(replies: Sequence[Reply], seed: int) -> Findings:
    """Who sends to whom, with which ports and lengths."""
    truth = {inner: outer_fields(outer) for inner, outer in wrapped(seed)}
    return wrong_type(replies, (bytes,), _BYTES) or compare(
        replies,
        lambda inner, *_: truth[inner],
        WRAP_BELIEFS,
        "The outer headers are not those that flanneld's socket and its kernel write.",
        read=outer_fields,
        witness=outer_witness,
    )


def outer_witness(reply: Reply) -> str:
    """The answer's outer headers as the next kernel reads them."""
    if reply.value is None:
        return f"Your packet is shorter than its outer headers: {OUTER_BYTES} bytes."
    begin, protocol, source, target, sport, dport, total, length, size = reply.value
    return (
        f"first two bytes            {begin.hex()}\n"
        f"protocol                   {protocol}\n"
        f"addresses                  {source} > {target}\n"
        f"ports                      {sport} > {dport}\n"
        f"IPv4 total length          {total} (your packet has {size} bytes)\n"
        f"UDP length                 {length}"
    )


INNER_BELIEFS = (
    Belief(
        "NO_TTL",
        "You seem to think that an overlay carries the inner packet quite unchanged. "
        "flanneld is a router in user space.",
        lambda inner, *_: inner,
    ),
    Belief(
        "CHECKSUM_KEPT",
        "You changed the TTL and kept the old header checksum. "
        "The next kernel drops such a packet.",
        lambda inner, *_: aged(inner, fresh=False),
    ),
    Belief(
        "TTL_TWICE",
        "You seem to count both ends of the tunnel here. The other flanneld takes its own share.",
        lambda inner, *_: aged(inner, 2),
    ),
)


def _tail(replies: Sequence[Reply], without: int = 0) -> list[Reply]:
    """Only the inner packet of each reply: what stands in front is another item's affair."""
    return [r._replace(value=r.value[-(len(r.args[0]) - without) :]) for r in replies]


def check_inner(replies: Sequence[Reply], seed: int) -> Findings:
    """What becomes of the inner packet."""
    truth = {inner: encode_inner(outer) for inner, outer in wrapped(seed)}
    return wrong_type(replies, (bytes,), _BYTES) or compare(
        _tail(replies),
        lambda inner, *_: truth[inner],
        INNER_BELIEFS,
        "The inner packet is not what flanneld sends on. Compare it byte by byte.",
        witness=inner_witness,
    )


def encode_inner(outer: bytes) -> bytes:
    """The inner packet of what left eth0."""
    return outer[OUTER_BYTES:]


def inner_witness(reply: Reply) -> str:
    """What the far kernel reads in the answer's inner header."""
    data = reply.value
    if len(data) < IP_BYTES:
        return f"Your inner packet has {len(data)} bytes; an IPv4 header alone has {IP_BYTES}."
    verdict = "right" if checksum(data[:IP_BYTES]) == 0 else "WRONG: the far kernel drops it"
    return (
        f"flanneld read   TTL {reply.args[0][TTL_AT]} from flannel0\n"
        f"you sent        TTL {data[TTL_AT]} inside UDP\n"
        f"its checksum    {verdict}"
    )


def outer_state(data: Any) -> Any:
    """(TTL, flags and offset, header checksum right, UDP checksum right or absent)."""
    if not isinstance(data, bytes) or len(data) < OUTER_BYTES:
        return None
    udp = data[IP_BYTES:]
    pseudo = data[12:20] + struct.pack("!BBH", 0, 17, len(udp))
    udp_ok = udp[6:8] == b"\0\0" or checksum(pseudo + udp) == 0
    return (data[8], data[6:8].hex(), checksum(data[:IP_BYTES]) == 0, udp_ok)


_COPIED = (
    "You seem to copy the inner TTL into the outer header. "
    "The outer packet is a new packet of node1, with a life of its own."
)

OUTER_BELIEFS = (
    Belief("OUTER_TTL", _COPIED, lambda inner, *_: (inner[TTL_AT] - 1, DF, True, True)),
    Belief("OUTER_TTL", _COPIED, lambda inner, *_: (inner[TTL_AT], DF, True, True)),
    Belief(
        "NO_DF",
        "You seem to let routers cut the outer packet. flannel's udp socket forbids it by a flag.",
        lambda *_: (64, "0000", True, True),
    ),
    Belief(
        "NO_CHECKSUM",
        "You seem to leave the outer header checksum open. No kernel accepts such a header.",
        lambda *_: (64, DF, False, True),
    ),
)


def state_witness(reply: Reply) -> str:
    """What the next kernel reads in the answer's outer header."""
    if reply.value is None:
        return f"Your packet is shorter than its outer headers: {OUTER_BYTES} bytes."
    ttl, flags, ip_ok, udp_ok = reply.value
    right = {True: "right", False: "WRONG"}
    return (
        f"inner TTL before flanneld  {reply.args[0][TTL_AT]}\n"
        f"your outer TTL             {ttl}\n"
        f"flags and offset           {flags}\n"
        f"IPv4 header checksum       {right[ip_ok]}\n"
        f"UDP checksum               {right[udp_ok]}"
    )


def check_outer(replies: Sequence[Reply], seed: int) -> Findings:
    """The outer packet's own TTL, flag and checksums."""
    truth = {inner: outer_state(outer) for inner, outer in wrapped(seed)}
    return wrong_type(replies, (bytes,), _BYTES) or compare(
        replies,
        lambda inner, *_: truth[inner],
        OUTER_BELIEFS,
        "TTL, don't-fragment flag or a checksum of the outer packet is not as node1 sends it.",
        read=outer_state,
        witness=state_witness,
    )


def check_last(replies: Sequence[Reply], seed: int) -> Findings:
    """A packet whose TTL ends at flanneld."""
    return wrong_type(replies, (bytes, type(None)), f"{_BYTES}, or None") or compare(
        replies,
        lambda *_: "nothing",
        (Belief("TTL_ZERO", _TTL_ZERO, lambda *_: "sent"),),
        "",
        read=lambda value: "nothing" if value is None else "sent",
    )


_TTL_ZERO = (
    "You seem to think that a packet may go on with TTL 0. Here its way ends, without a word."
)


# -- 04.decapsulate -------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def decapsulate_calls(seed: int) -> tuple[Call, ...]:
    """Three packets for each group; one for another port, one whose TTL ends."""
    calls = [Call(group, (outer,)) for group in ("unwrap", "ttl") for outer, _ in unwrapped(seed)]
    outer = unwrapped(seed)[0][0]
    other = outer[:22] + struct.pack("!H", 53) + outer[24:26] + b"\0\0" + outer[28:]
    last = outer[:26] + b"\0\0" + aged(outer[OUTER_BYTES:], outer[OUTER_BYTES + TTL_AT] - 1)
    return (*calls, Call("refuse", (other,)), Call("refuse", (last,)))


def masked(data: Any) -> Any:
    """A packet without its TTL and header checksum."""
    if not isinstance(data, bytes):
        return data
    return data[:TTL_AT] + b"." + data[TTL_AT + 1 : 10] + b".." + data[12:]


def _cut(at: int) -> Any:
    return lambda outer: masked(outer[at:])


_IP_ONLY = "You seem to take off the outer IP header only. One more header belongs to the tunnel."

UNWRAP_BELIEFS = (
    Belief("IP_ONLY", _IP_ONLY, _cut(IP_BYTES)),
    Belief(
        "IP_ONLY",
        _IP_ONLY,
        lambda outer: masked(outer[IP_BYTES:OUTER_BYTES] + aged(outer[OUTER_BYTES:])),
    ),
    Belief(
        "ETHERNET_INSIDE",
        "You seem to think that a frame with MAC addresses travels inside. "
        "flannel0 has no link layer: an IP packet travels.",
        _cut(OUTER_BYTES + 14),
    ),
    Belief(
        "VXLAN_HEADER",
        "You seem to look for a VXLAN header. The udp backend has none.",
        _cut(OUTER_BYTES + 8),
    ),
    Belief(
        "VXLAN_HEADER",
        "You seem to look for VXLAN and its inner frame. The udp backend has neither.",
        _cut(OUTER_BYTES + 8 + 14),
    ),
)

TTL_BELIEFS = (
    Belief(
        "NO_TTL",
        "You seem to think that taking off the outer headers is free. "
        "flanneld is a router in user space at this end too.",
        lambda outer: outer[OUTER_BYTES:],
    ),
    Belief(
        "CHECKSUM_KEPT",
        "You changed the TTL and kept the old header checksum. "
        "This node's kernel drops such a packet.",
        lambda outer: aged(outer[OUTER_BYTES:], fresh=False),
    ),
)


def check_unwrap(replies: Sequence[Reply], seed: int) -> Findings:
    """Which bytes are the inner packet."""
    truth = {outer: masked(inner) for outer, inner in unwrapped(seed)}
    return wrong_type(replies, (bytes,), _INNER) or compare(
        replies,
        lambda outer: truth[outer],
        UNWRAP_BELIEFS,
        "These bytes are not the packet that flanneld on node1 had wrapped.",
        read=masked,
    )


def check_ttl(replies: Sequence[Reply], seed: int) -> Findings:
    """What flanneld changes in the inner header."""
    truth = {outer: header(inner) for outer, inner in unwrapped(seed)}
    return wrong_type(replies, (bytes,), _INNER) or compare(
        _tail(replies, OUTER_BYTES),
        lambda outer: truth[outer],
        [belief._replace(predicts=_header_of(belief.predicts)) for belief in TTL_BELIEFS],
        "TTL and header checksum are not those that flanneld writes into flannel0.",
        read=header,
    )


def header(data: bytes) -> tuple[bytes, bytes]:
    """TTL and header checksum of an IPv4 packet."""
    return data[TTL_AT : TTL_AT + 1], data[SUM_AT]


def _header_of(predicts: Any) -> Any:
    return lambda *args: header(predicts(*args))


def check_refuse(replies: Sequence[Reply], seed: int) -> Findings:
    """What flanneld does not pass on."""
    bad = wrong_type(replies, (bytes, type(None)), f"{_INNER}, or None")
    if bad or all(reply.value is None for reply in replies):
        return bad
    other, _last = replies
    if other.value is not None:
        text = "You seem to take any UDP packet for flannel's. A socket is chosen by its port."
        return fail(text, "ANY_PORT")
    return fail(_TTL_ZERO, "TTL_ZERO")


_INNER = "bytes: the inner packet from its IPv4 header on"

CALLS = {"04.encapsulate": encapsulate_calls, "04.decapsulate": decapsulate_calls}

ITEMS = (
    Item("04.encapsulate.wrap", 3, "Outer addresses, ports and lengths", check_wrap),
    Item("04.encapsulate.inner", 2, "What changes inside", check_inner),
    Item("04.encapsulate.outer", 2, "The outer packet's TTL, flag and checksums", check_outer),
    Item("04.encapsulate.last", 1, "A packet with one hop left", check_last),
    Item("04.decapsulate.unwrap", 2, "The inner packet", check_unwrap),
    Item("04.decapsulate.ttl", 2, "What changes inside", check_ttl),
    Item("04.decapsulate.refuse", 1, "What is not passed on", check_refuse),
)
