"""Addresses and prefixes: what parses, what is refused and how."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8snetlib.address import Prefix, ip_text, mac_for, number, parse_ip, parse_mac
from k8snetlib.errors import BadAddress

BAD_ADDRESSES = [
    "", "10.1.15", "10.1.15.2.3", "10.1.15.256", "10.1.15.-1", "10.1.15.02", "10.1.15.2 ",
    "ten.1.15.2", "10.1.15.²", "::1", None, 12,
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_ADDRESSES, ids=repr)
def test_a_malformed_address_is_refused_by_name(text: object) -> None:
    """The message repeats what was written and shows what would be right."""
    with pytest.raises(BadAddress, match="is not an IPv4 address") as caught:
        parse_ip(text)  # type: ignore[arg-type]
    assert "10.1.15.2" in str(caught.value)
    assert repr(str(text)) in str(caught.value)


@given(st.integers(0, 0xFFFFFFFF))
def test_number_and_text_are_inverse(value: int) -> None:
    """Compared with the standard library."""
    text = ip_text(value)
    assert text == str(ipaddress.ip_address(value))
    assert number(text) == value


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 32), st.integers(0, 0xFFFFFFFF))
def test_prefixes_agree_with_the_standard_library(value: int, length: int, other: int) -> None:
    """Network, broadcast and membership."""
    theirs = ipaddress.ip_network((value, length), strict=False)
    ours = Prefix.parse(f"{ip_text(value)}/{length}", host_bits=True)
    assert str(ours) == str(theirs)
    assert ours.network == str(theirs.network_address)
    assert ours.broadcast == str(theirs.broadcast_address)
    assert (ip_text(other) in ours) == (ipaddress.ip_address(other) in theirs)
    assert ours.contains(ip_text(value))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("10.1.0.0/16", "10.1.15.0/24", True),
        ("10.1.15.0/24", "10.1.0.0/16", True),
        ("10.1.15.0/24", "10.1.20.0/24", False),
        ("default", "10.1.20.0/24", True),
        ("10.1.15.0/25", "10.1.15.128/25", False),
    ],
)
def test_overlap(one: str, other: str, expected: bool) -> None:
    """Two networks overlap if one contains the other."""
    assert Prefix.parse(one).overlaps(Prefix.parse(other)) is expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.1.15.0/33", "length from 0 to 32"),
        ("10.1.15.0/", "length from 0 to 32"),
        ("10.1.15.0/x", "length from 0 to 32"),
        ("10.1.15.2/24", "The network is 10.1.15.0/24"),
        ("10.1.300.0/24", "four numbers"),
    ],
)
def test_a_malformed_prefix_is_refused(text: str, says: str) -> None:
    """Each message says what would be right."""
    with pytest.raises(BadAddress, match=says):
        Prefix.parse(text)


def test_hosts_of_a_prefix_are_counted_from_its_first_address() -> None:
    """The gateway of a pod subnet is host 1; there is no host 256 in a /24."""
    subnet = Prefix.parse("10.1.15.0/24")
    assert subnet.host(1) == "10.1.15.1"
    assert subnet.host(255) == subnet.broadcast
    with pytest.raises(BadAddress, match="no address number 256"):
        subnet.host(256)


def test_mac_addresses() -> None:
    """Derived from the address; parsed in any case; refused when malformed."""
    assert mac_for("02:42", "10.1.15.2") == "02:42:0a:01:0f:02"
    assert parse_mac("02:42:0A:01:0F:02") == "02:42:0a:01:0f:02"
    for bad in ("02:42:0a:01:0f", "02:42:0a:01:0f:0g", "02-42-0a-01-0f-02", ""):
        with pytest.raises(BadAddress, match="is not a MAC address"):
            parse_mac(bad)
