"""Packets: legal stacks, illegal stacks, and what a stack says about itself."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from k8snetlib.errors import BadAddress, BadPacket
from k8snetlib.packet import (
    NEXT,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    SYN,
    Arp,
    Ethernet,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    Vxlan,
    flag_letters,
)

ETH = Ethernet("02:42:0a:01:0f:02", "02:42:0a:01:0f:01")
INNER = IPv4("10.1.15.2", "10.1.20.3", PROTO_TCP)
OUTER = IPv4("192.168.66.11", "192.168.66.12", PROTO_UDP)
ARP = Arp(1, "02:42:0a:01:0f:02", "10.1.15.2", "00:00:00:00:00:00", "10.1.15.1")
TCP = Tcp(40003, 8080, SYN)
FLANNEL_UDP = (ETH, OUTER, Udp(8285, 8285), INNER, TCP)
VXLAN = (ETH, OUTER, Udp(50000, 8472, False), Vxlan(1), ETH, INNER, TCP)

LEGAL: dict[str, tuple[Any, ...]] = {
    "arp": (ETH, ARP),
    "tcp on a wire": (ETH, INNER, TCP),
    "tcp on a tun": (INNER, TCP),
    "flannel udp": FLANNEL_UDP,
    "vxlan": VXLAN,
    "bare ip": (ETH, IPv4("10.1.15.2", "10.1.20.3", 89)),
}


@pytest.mark.parametrize("headers", LEGAL.values(), ids=LEGAL)
def test_legal_stacks(headers: tuple[Any, ...]) -> None:
    """They can be made, compared and hashed."""
    packet = Packet(*headers)
    assert packet == Packet(*headers)
    assert hash(packet) == hash(Packet(*headers))
    assert packet.headers == headers


SAMPLES = [ETH, ARP, INNER, TCP, Udp(1, 2), Icmp(8), Vxlan(1)]
PAIRS = list(itertools.product(SAMPLES, SAMPLES))


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda h: type(h).__name__)
def test_only_the_table_of_moves_decides(first: Any, second: Any) -> None:
    """Every pair that the table does not allow is refused, and the message names both."""
    if type(second) in NEXT[type(first)]:
        return
    begin = [h for h in (ETH, INNER) if type(first) in NEXT[type(h)]][:1]
    stack = (*begin, first, second) if type(first) not in NEXT[None] else (first, second)
    with pytest.raises(BadPacket):
        Packet(*stack)


ILLEGAL: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "nothing": ((), {}, "at least one header"),
    "udp first": ((Udp(1, 2),), {}, "cannot begin with Udp"),
    "udp on ethernet": ((ETH, Udp(1, 2)), {}, "Ethernet cannot carry Udp"),
    "ethernet alone": ((ETH,), {}, "cannot be the last header"),
    "vxlan alone": ((ETH, OUTER, Udp(1, 2), Vxlan(1)), {}, "cannot be the last header"),
    "wrong protocol": ((ETH, OUTER, TCP), {}, "says protocol 17, but Tcp follows"),
    "arp with payload": ((ETH, ARP), {"payload": b"x"}, "cannot carry a payload"),
    "fragment with tcp": ((INNER._replace(offset=8), TCP), {}, "later fragment"),
    "error without quote": (
        (IPv4("10.1.15.1", "10.1.15.2", PROTO_ICMP), Icmp(3, 1)), {}, "must quote",
    ),
    "port": ((ETH, INNER, Tcp(70000, 80, SYN)), {}, "Source port 70000 is out of range"),
    "ttl": ((ETH, INNER._replace(ttl=256), TCP), {}, "TTL 256 is out of range"),
    "vni": ((*VXLAN[:3], Vxlan(1 << 24), *VXLAN[4:]), {}, "VNI 16777216 is out of range"),
    "offset": ((INNER._replace(offset=7),), {}, "multiple of 8"),
    "options": ((INNER, TCP._replace(options=b"abc")), {}, "whole 4-byte words"),
    "bool as port": ((INNER, Tcp(True, 80, SYN)), {}, "out of range"),
}  # fmt: skip


@pytest.mark.parametrize(("headers", "more", "says"), ILLEGAL.values(), ids=ILLEGAL)
def test_illegal_stacks_are_refused(
    headers: tuple[Any, ...], more: dict[str, Any], says: str
) -> None:
    """One clear sentence each."""
    with pytest.raises(BadPacket, match=says):
        Packet(*headers, **more)


def test_a_malformed_address_in_a_header_is_refused() -> None:
    """The address itself is named."""
    with pytest.raises(BadAddress, match=r"10\.1\.15\.300"):
        Packet(ETH, INNER._replace(dst="10.1.15.300"), TCP)


def test_what_a_stack_says_about_itself() -> None:
    """Lengths, the outer and the inner packet, whether something is carried."""
    wrapped = Packet(*FLANNEL_UDP, payload=b"hello")
    assert wrapped.length == 14 + 20 + 8 + 20 + 20 + 5
    assert wrapped.ip_length == wrapped.length - 14
    assert wrapped.ip == OUTER
    assert wrapped.transport == Udp(8285, 8285)
    assert wrapped.encapsulated
    assert wrapped.innermost == Packet(INNER, TCP, payload=b"hello")
    assert not wrapped.innermost.encapsulated
    assert Packet(*VXLAN).length == 14 + 20 + 8 + 8 + 14 + 20 + 20
    assert Packet(ETH, ARP).arp == ARP
    assert Packet(ETH, ARP).transport is None
    with pytest.raises(BadPacket, match="no IPv4 header"):
        _ = Packet(ETH, ARP).ip
    assert Packet(INNER, TCP).ethernet is None


def test_a_quote_is_a_slice_of_another_packet() -> None:
    """An ICMP error's payload has the length of what it quotes."""
    cause = Packet(INNER, TCP)
    header = IPv4("10.1.15.1", "10.1.15.2", PROTO_ICMP)
    error = Packet(header, Icmp(3, 1), payload=Slice(cause, 0, 28))
    assert error.length == 20 + 8 + 28


@pytest.mark.parametrize(
    ("flags", "letters"),
    [(2, "S"), (18, "SA"), (16, "A"), (24, "AP"), (4, "R"), (20, "AR"), (17, "AF"), (0, "")],
)
def test_flag_letters(flags: int, letters: str) -> None:
    """As the capture lines have them."""
    assert flag_letters(flags) == letters
