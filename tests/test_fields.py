"""A packet's bytes with their meaning: every byte has a name, and the names are right."""

from __future__ import annotations

import pytest
from hypothesis import given

from k8snetlib.packet import ECHO_REQUEST, Icmp, Packet
from k8snetlib.wire import encode, fields, hexdump
from tests.packets import EXAMPLES, inner, packets

examples = pytest.mark.parametrize("packet", EXAMPLES.values(), ids=EXAMPLES)


@examples
def test_fields_tile_the_packet(packet: Packet) -> None:
    _assert_tiles(packet)


@given(packets)
def test_fields_tile_any_packet(packet: Packet) -> None:
    _assert_tiles(packet)


def _assert_tiles(packet: Packet) -> None:
    at = 0
    for field in fields(packet):
        assert field.offset == at
        assert field.length > 0
        at += field.length
    assert at == packet.length
    layers = [f.layer for f in fields(packet)]
    assert layers == sorted(layers)
    assert set(layers) >= set(range(len(packet.headers)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tcp-syn", (1, "IPv4", "header checksum", 24, 2, "0x04b6")),
        ("tcp-syn", (1, "IPv4", "version, header length", 14, 1, "version 4, 20 bytes")),
        ("tcp-syn", (1, "IPv4", "flags, fragment offset", 20, 2, "DF, offset 0")),
        ("tcp-syn", (2, "TCP", "header length, flags", 46, 2, "40 bytes, flags S")),
        ("tcp-syn", (2, "TCP", "options", 54, 20, "0x020405820402080a00000001000000000103030a")),
        ("vxlan", (3, "VXLAN", "VNI", 46, 3, "1")),
        ("vxlan", (2, "UDP", "checksum", 40, 2, "0x0000 (none)")),
        ("vxlan", (5, "IPv4", "destination", 80, 4, "10.1.20.3")),
        ("flannel-udp", (3, "IPv4", "time to live", 50, 1, "63")),
        ("arp-request", (0, "Ethernet", "EtherType", 12, 2, "0x0806 (ARP)")),
        ("arp-request", (1, "ARP", "operation", 20, 2, "1 (request)")),
        ("echo-request", (2, "ICMP", "identifier", 38, 2, "7")),
        ("frag-needed", (2, "ICMP", "next-hop MTU", 40, 2, "1450")),
        ("frag-needed", (3, "payload", "quoted packet", 42, 548, "548 bytes")),
        ("udp-no-checksum", (3, "payload", "data", 42, 1, "1 byte")),
        ("first-fragment", (2, "UDP", "length", 38, 2, "3080")),
        ("middle-fragment", (1, "IPv4", "flags, fragment offset", 20, 2, "MF, offset 1480")),
        ("last-fragment", (2, "payload", "part of a datagram", 34, 120, "120 bytes")),
    ],
)
def test_field(name: str, expected: tuple[object, ...]) -> None:
    assert expected in [tuple(field) for field in fields(EXAMPLES[name])]


def test_hexdump() -> None:
    packet = Packet(inner(1, id=1), Icmp(ECHO_REQUEST, 0, 1 << 16 | 2), payload=b"Hi ~\x7f")
    assert hexdump(packet).splitlines() == [
        "0x0000:  4500 0021 0001 0000 4001 43d5 0a01 0f02  E..!....@.C.....",
        "0x0010:  0a01 1403 0800 1015 0001 0002 4869 207e  ............Hi.~",
        "0x0020:  7f                                       .",
    ]


@given(packets)
def test_hexdump_holds_every_byte(packet: Packet) -> None:
    rows = [line[9:48] for line in hexdump(packet).splitlines()]
    assert bytes.fromhex("".join(rows)) == encode(packet)
