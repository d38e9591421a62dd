"""Packets as bytes: known bytes, the way there and back, and scapy as an independent witness."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any, Literal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from k8snetlib.errors import BadPacket
from k8snetlib.packet import (
    ECHO_REPLY,
    ECHO_REQUEST,
    UNREACHABLE,
    Ethernet,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    stack_of,
)
from k8snetlib.wire import checksum, decode, encode
from tests.packets import (
    DATAGRAM,
    EXAMPLES,
    FLANNEL_VXLAN,
    POD_LINK,
    QUOTED,
    SYN_HEADERS,
    fragments,
    inner,
    packets,
    plain,
)

examples = pytest.mark.parametrize("packet", EXAMPLES.values(), ids=EXAMPLES)


def first_of(packet: Packet) -> Literal["ethernet", "ipv4"]:
    return "ipv4" if packet.ethernet is None else "ethernet"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("0001f203f4f5f6f7", 0x220D, id="rfc1071-section-3"),
        pytest.param("4500003c1c4640004006 0000 ac100a63ac100a0c", 0xB1E6, id="ip-header-tcp"),
        pytest.param("4500007300004000 4011 0000 c0a80001c0a800c7", 0xB861, id="ip-header-udp"),
        pytest.param("4500007300004000 4011 b861 c0a80001c0a800c7", 0, id="over-itself"),
        pytest.param("", 0xFFFF, id="nothing"),
        pytest.param("0000", 0xFFFF, id="zeros"),
        pytest.param("ffff", 0, id="ones"),
        pytest.param("01", 0xFEFF, id="odd-length-padded-behind"),
    ],
)
def test_checksum(data: str, expected: int) -> None:
    assert checksum(bytes.fromhex(data)) == expected


# Written out from the RFCs' drawings; the checksums summed up by a plain loop with end-around carry
# (RFC 1071 §4.1), not by this library.
@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        pytest.param(
            Packet(IPv4("172.16.10.99", "172.16.10.12", 6, id=0x1C46, df=True), payload=bytes(40)),
            "4500003c 1c464000 4006b1e6 ac100a63 ac100a0c" + "00" * 40,
            id="ipv4-df",
        ),
        pytest.param(
            Packet(
                IPv4("10.0.0.1", "10.0.0.2", 1, ttl=128),
                Icmp(ECHO_REQUEST, 0, 1 << 16 | 1),
                payload=b"abcdefghijklmnopqrstuvwabcdefghi",
            ),
            # 4d5a: the checksum of the first echo request of every Windows ping
            "4500003c 00000000 800126bf 0a000001 0a000002 08004d5a 00010001"
            "6162636465666768696a6b6c6d6e6f7071727374757677616263646566676869",
            id="icmp-echo-windows",
        ),
        pytest.param(
            Packet(IPv4("0.0.0.0", "0.0.0.0", 1, ttl=0), Icmp(ECHO_REPLY)),
            "4500001c 00000000 0001bae2 00000000 00000000 0000ffff 00000000",
            id="icmp-all-zero-sums-to-ffff",
        ),
        pytest.param(
            # pseudo-header 0a01+0001+0a01+0002+0011+000a, header 0001+0002+000a, data 6869: 7c96
            Packet(IPv4("10.1.0.1", "10.1.0.2", 17), Udp(1, 2), payload=b"hi"),
            "4500001e 00000000 401166cb 0a010001 0a010002 00010002 000a 8369 6869",
            id="udp",
        ),
        pytest.param(
            # the same with ebd2 as data (142d + ebd2 = ffff): the checksum is 0, sent as ffff
            Packet(IPv4("10.1.0.1", "10.1.0.2", 17), Udp(1, 2), payload=b"\xeb\xd2"),
            "4500001e 00000000 401166cb 0a010001 0a010002 00010002 000a ffff ebd2",
            id="udp-checksum-0-is-sent-as-ffff",
        ),
        pytest.param(
            Packet(IPv4("10.1.0.1", "10.1.0.2", 17), Udp(1, 2, checksum=False), payload=b"hi"),
            "4500001e 00000000 401166cb 0a010001 0a010002 00010002 000a 0000 6869",
            id="udp-none",
        ),
        pytest.param(
            # pseudo-header 0a01+0001+0a01+0002+0006+0014, header 0001+0002+5002+ffff: 6424
            Packet(IPv4("10.1.0.1", "10.1.0.2", 6), Tcp(1, 2, 2, window=65535)),
            "45000028 00000000 400666cc 0a010001 0a010002 00010002 00000000 00000000 5002ffff"
            "9bdb0000",
            id="tcp-syn",
        ),
        pytest.param(
            EXAMPLES["arp-request"],
            "ffffffffffff 02420a010f02 0806 0001 0800 06 04 0001"
            "02420a010f02 0a010f02 000000000000 0a010f01",
            id="arp-request",
        ),
        pytest.param(
            Packet(IPv4("10.1.0.1", "10.1.0.2", 89, mf=True, offset=1480, id=1), payload=b"x"),
            "45000015 000120b9 405945d2 0a010001 0a010002 78",
            id="middle-fragment",
        ),
    ],
)
def test_known_bytes(packet: Packet, expected: str) -> None:
    assert encode(packet).hex() == expected.replace(" ", "")


def test_vxlan_header() -> None:
    data = encode(EXAMPLES["vxlan"])
    assert data[40:42] == b"\0\0", "no outer UDP checksum"
    assert data[42:50].hex() == "0800000000000100", "flag I and VNI 1"


@examples
def test_length_is_what_the_packet_says(packet: Packet) -> None:
    assert len(encode(packet)) == packet.length


@examples
def test_there_and_back(packet: Packet) -> None:
    data = encode(packet)
    back = decode(data, first=first_of(packet), verify=True)
    assert back == plain(packet)
    assert encode(back) == data


@given(packets)
def test_there_and_back_for_any_packet(packet: Packet) -> None:
    data = encode(packet)
    back = decode(data, first=first_of(packet), verify=True)
    assert back == packet
    assert [type(h) for h in back.headers] == [type(h) for h in packet.headers]
    assert encode(back) == data == encode(stack_of(packet.headers, packet.payload))


@given(packets, st.data())
@example(Packet(*SYN_HEADERS), None)
def test_a_changed_byte_does_not_go_unnoticed(packet: Packet, draw: Any) -> None:
    whole = encode(packet)
    # Ethernet addresses have no checksum here; begin with the first IPv4 header.
    assume(packet.arp is None)
    data = whole[14:] if packet.ethernet else whole
    covered = 20 + (len(data) - 20) * _body_is_covered(packet)
    places = range(covered) if draw is None else [draw.draw(st.integers(0, covered - 1))]
    change = 0x55 if draw is None else draw.draw(st.integers(1, 255))
    for at in places:
        changed = bytearray(data)
        changed[at] ^= change
        # A UDP checksum that becomes 0 says "none": RFC 768 cannot do better.
        assume(not (isinstance(packet.transport, Udp) and changed[26:28] == b"\0\0"))
        with pytest.raises(BadPacket):
            decode(bytes(changed), first="ipv4", verify=True)


def _body_is_covered(packet: Packet) -> bool:
    """True if the outermost transport header's checksum covers everything behind IPv4."""
    transport = packet.transport
    return transport is not None and getattr(transport, "checksum", True)


@given(st.binary(max_size=120), st.sampled_from(["ethernet", "ipv4"]), st.booleans())
def test_noise_is_refused_or_kept(data: bytes, first: Any, verify: bool) -> None:
    with contextlib.suppress(BadPacket):  # any other exception fails
        packet = decode(data, first=first, verify=verify)
        assert data.startswith(encode(packet)) or not verify


@given(packets, st.integers(0, 150), st.integers(0, 255))
def test_without_verify_a_changed_byte_never_crashes(packet: Packet, at: int, value: int) -> None:
    data = bytearray(encode(packet))
    data[at % len(data)] = value
    with contextlib.suppress(BadPacket):
        decode(bytes(data), first=first_of(packet))


@examples
def test_every_shorter_packet_is_refused(packet: Packet) -> None:
    data = encode(packet)
    for length in range(0, len(data), 7):
        with pytest.raises(BadPacket, match=r"byte \d+"):
            decode(data[:length], first=first_of(packet))


SYN = encode(EXAMPLES["tcp-syn"])
UDP = encode(EXAMPLES["udp"])
VXLAN = encode(EXAMPLES["vxlan"])
ERROR = encode(EXAMPLES["ttl-exceeded"])
ARP = encode(EXAMPLES["arp-reply"])


def patched(data: bytes, at: int, value: str) -> bytes:
    new = bytes.fromhex(value)
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The Ethernet header at byte 0 is cut short: 0 of 14 bytes are there."),
        (SYN[:20], "The IPv4 header at byte 14 is cut short: 6 of 20 bytes are there."),
        (patched(SYN, 12, "86dd"), "The EtherType 0x86dd at byte 12 is neither IPv4 nor ARP."),
        (patched(SYN, 14, "65"), "The IP version at byte 14 is 6, not 4."),
        (patched(SYN, 14, "46"), "The IPv4 header length at byte 14 is 24 bytes, not 20."),
        (patched(SYN, 20, "c0"), "The reserved bit at byte 20 is set in the IPv4 header."),
        (
            patched(SYN, 16, "ffff"),
            "The IPv4 total length at byte 16 does not fit: it ends the packet before byte 65549, "
            "but its headers reach to byte 34 and the data to byte 74.",
        ),
        (
            patched(SYN, 16, "0013"),
            "The IPv4 total length at byte 16 does not fit: it ends the packet before byte 33, "
            "but its headers reach to byte 34 and the data to byte 74.",
        ),
        (
            patched(SYN, 24, "0000"),
            "The IPv4 header checksum at byte 24 is 0x0000, but should be 0x04b6.",
        ),
        (
            patched(SYN, 73, "0b"),
            "The TCP checksum at byte 50 is 0xf1b6, but should be 0xf1b5.",
        ),
        (patched(SYN, 46, "40"), "The TCP header length at byte 46 is 16 bytes, under 20."),
        (patched(UDP, 38, "0007"), "The UDP length at byte 38 does not fit"),
        (patched(UDP, 38, "001a"), "1 bytes too many, from byte 60 on."),
        (patched(VXLAN, 42, "00"), "The VXLAN header at byte 42 has other flags than I"),
        (patched(VXLAN, 49, "01"), "The VXLAN header at byte 42 has other flags than I"),
        (patched(ARP, 14, "0006"), "The ARP message at byte 14 is not about IPv4 over Ethernet."),
        (patched(ARP, 20, "0003"), "The ARP operation 3 at byte 20 is neither 1 nor 2."),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_wrong_and_where(data: bytes, message: str) -> None:
    with pytest.raises(BadPacket) as caught:
        decode(data, verify=True)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (patched(SYN, 46, "a0c2"), "TCP flags other than SAFRPU are set at byte 46."),
        (patched(SYN, 52, "0001"), "The TCP urgent pointer at byte 52 is not 0."),
        (
            patched(ERROR[:-1], 16, "0037"),
            "The ICMP error at byte 34 quotes 27 bytes, not 28 or more.",
        ),
    ],
    ids=["ecn", "urgent", "quote"],
)
def test_what_a_packet_cannot_hold(data: bytes, message: str) -> None:
    with pytest.raises(BadPacket) as caught:
        decode(data)
    assert caught.value.message == message


def test_unknown_beginning() -> None:
    with pytest.raises(BadPacket, match="cannot begin with 'wifi'"):
        decode(b"", first="wifi")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tcp-syn", "arp-reply", "vxlan-arp", "udp-empty"])
def test_ethernet_padding_is_dropped(name: str) -> None:
    data = encode(EXAMPLES[name])
    assert decode(data + bytes(18), verify=True) == EXAMPLES[name]


def test_bytes_behind_a_bare_ip_packet_are_refused() -> None:
    with pytest.raises(BadPacket, match="18 bytes too many, from byte 60 on"):
        decode(encode(EXAMPLES["tun"]) + bytes(18), first="ipv4")


@pytest.mark.parametrize("name", ["vxlan", "flannel-udp"])
def test_an_overlay_is_known_by_its_port(name: str) -> None:
    data = encode(EXAMPLES[name])
    packet = decode(data, flannel_udp_ports=(), vxlan_ports=())
    assert [type(h) for h in packet.headers] == [Ethernet, IPv4, Udp]
    assert packet.payload == data[42:]
    assert encode(packet) == data


def test_many_overlays_do_not_exhaust_the_stack() -> None:
    data = b""
    for _ in range(2000):
        header = stack_of((IPv4("10.0.0.1", "10.0.0.2", 17), Udp(8285, 8285, False)), data)
        data = encode(header)
    with pytest.raises(BadPacket, match="IPv4 header at byte 56000 is cut short"):
        decode(data, first="ipv4")


@pytest.mark.parametrize("mtu", [1500, 1450, 576, 68])
def test_fragments_add_up_to_the_datagram(mtu: int) -> None:
    pieces = fragments(DATAGRAM, mtu)
    assert all(piece.ip_length <= mtu for piece in pieces)
    assert b"".join(encode(piece)[34:] for piece in pieces) == encode(DATAGRAM)[34:]


def test_a_first_fragment_can_be_cut_again() -> None:
    first = fragments(DATAGRAM, 1500)[0]
    again = Packet(*first.headers, payload=Slice(first, 42, 968))
    assert encode(again)[34:] == encode(DATAGRAM)[34 : 42 + 968]


def test_an_overlay_packet_in_fragments() -> None:
    whole = Packet(*FLANNEL_VXLAN, inner(17), Udp(40000, 53), payload=bytes(range(200)))
    link, ip, *behind = whole.headers
    assert isinstance(ip, IPv4)
    data = encode(whole)
    # The inner headers may stand as headers, or as bytes of the outer datagram.
    for headers, start in ((behind, 92), (behind[:1], 42)):
        piece = Packet(
            link, ip._replace(mf=True), *headers, payload=Slice(whole, start, 122 - start)
        )
        assert encode(piece)[34:] == data[34:122]
        assert decode(encode(piece), verify=True).payload == data[34:122]


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        pytest.param(
            Packet(inner(17, mf=True), Udp(1, 2), payload=b"12345678"),
            "its datagram is not known",
            id="first-fragment-of-nothing",
        ),
        pytest.param(
            Packet(inner(17, mf=True), Udp(1, 2), payload=Slice(DATAGRAM, 42, 8)),
            "are not those in front of its slice",
            id="first-fragment-of-another",
        ),
        pytest.param(
            Packet(inner(17, mf=True), Udp(40000, 53), payload=Slice(DATAGRAM, 28, 8)),
            "are not those in front of its slice",
            id="first-fragment-cut-elsewhere",
        ),
        pytest.param(
            Packet(
                IPv4("10.9.9.9", "10.1.20.3", 17, mf=True),
                Udp(40000, 53),
                payload=Slice(DATAGRAM, 42, 8),
            ),
            "are not those in front of its slice",
            id="first-fragment-readdressed",
        ),
        pytest.param(
            Packet(inner(1), Icmp(UNREACHABLE), payload=Slice(QUOTED, 0, 49)),
            "does not lie within its packet",
            id="quote-too-long",
        ),
        pytest.param(
            Packet(inner(17, offset=8), payload=Slice(QUOTED, -8, 8)),
            "does not lie within its packet",
            id="slice-before-the-packet",
        ),
        pytest.param(
            Packet(inner(17), Udp(1, 2), payload=bytes(65536 - 28)),
            "A packet of 65536 bytes is too long.",
            id="too-long",
        ),
        pytest.param(
            Packet(inner(6), Tcp(1, 2, 2), payload=bytes(65536)),
            "A packet of 65576 bytes is too long.",
            id="much-too-long",
        ),
        pytest.param(
            stack_of((inner(17), Udp(70000, 2))), "A header field is out of its range.", id="port"
        ),
    ],
)
def test_what_cannot_be_encoded(packet: Packet, message: str) -> None:
    with pytest.raises(BadPacket, match=message):
        encode(packet)


def test_the_longest_packet() -> None:
    packet = Packet(POD_LINK, inner(17), Udp(1, 2), payload=bytes(65535 - 28))
    assert decode(encode(packet), verify=True) == packet


def test_a_quote_may_begin_behind_the_link_layer() -> None:
    quote = encode(EXAMPLES["frag-needed"])[42:]
    assert quote == encode(DATAGRAM)[14 : 14 + 548]


# --- scapy, an independent second opinion ---


@pytest.fixture(scope="module")
def scapy() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its ciphers' deprecations are not ours
        from scapy.layers import inet, l2, vxlan
        from scapy.packet import bind_layers

    bind_layers(inet.UDP, inet.IP, dport=8285)
    bind_layers(inet.UDP, vxlan.VXLAN, dport=8472)
    return {"ethernet": l2.Ether, "ipv4": inet.IP}


def _rebuilt(scapy: Any, packet: Packet) -> tuple[bytes, list[str]]:
    """Our bytes, read by scapy and written by it again, with lengths and checksums of its own."""
    theirs = scapy[first_of(packet)](encode(packet))
    layer, names = theirs, []
    while layer and layer.name not in ("NoPayload", "Raw", "Padding"):
        names.append(layer.name)
        fragment = layer.name == "IP" and (layer.frag or "MF" in str(layer.flags))
        for field in ("chksum", "len", "ihl", "dataofs"):
            if field == "chksum" and layer.name == "UDP" and layer.chksum == 0:
                continue  # "none" stays none
            if field in getattr(layer, "fields", {}):
                delattr(layer, field)
        if fragment or (layer.name == "ICMP" and layer.type in (3, 5, 11)):
            break  # what follows is not a whole packet
        layer = layer.payload
    return bytes(theirs), names


@examples
def test_scapy_writes_the_same_bytes(scapy: Any, packet: Packet) -> None:
    data, names = _rebuilt(scapy, packet)
    assert data == encode(packet)
    known = {"Ethernet": "Ethernet", "Arp": "ARP", "IPv4": "IP", "Icmp": "ICMP", "Tcp": "TCP"}
    known |= {"Udp": "UDP", "Vxlan": "VXLAN"}
    expected = [known[type(h).__name__] for h in plain(packet).headers]
    assert [n for n in names if n in known.values()] == expected
