"""What lives here: flannel's own arithmetic on addresses and networks, and its subnet keys.

IPv4 networks are ``address.Prefix``. IPv6 networks are ``IP6Net``, a number and a length: flannel
leases them beside the IPv4 ones, and only the names and values of leases need them here.

A subnet key is the last part of a lease's key in etcd: ``10.1.15.0-24``, in dual stack
``10.1.15.0-24&fd00:1:15::-64``.

Simplified here: packets are IPv4 only, so an IPv6 lease is kept and renewed but sets no device.
Source: flannel's pkg/ip/ipnet.go, pkg/ip/ip6net.go and pkg/subnet/subnet.go.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from k8snetlib.address import Prefix, ip_text, mask, number, parse_ip
from k8snetlib.errors import BadAddress, K8sNetError

_KEY = re.compile(r"(\d+\.\d+\.\d+\.\d+)-(\d+)(?:&([a-f\d:]+)-(\d+))?$")
#: flannel reads a prefix length as a number of so many bits: at most /31 and /127.
_LONGEST, _LONGEST6 = 31, 127


class FlannelError(K8sNetError):
    """What flanneld refuses; ``message`` is the text of its own error."""


class IP6Net(NamedTuple):
    """An IPv6 network: its first address as a number, and its length in bits.

    >>> str(IP6Net.parse("fd00:1:15::/64"))
    'fd00:1:15::/64'
    """

    net: int
    length: int

    @classmethod
    def parse(cls, text: str, *, host_bits: bool = False) -> IP6Net:
        """``fd00::/64``; with ``host_bits`` any address of the network. Raises ``BadAddress``."""
        address, slash, length = text.partition("/")
        if not (slash and length.isascii() and length.isdigit() and int(length) <= 128):
            raise BadAddress(f"'{text}' is not an IPv6 prefix.", "For example fd00:1:15::/64.")
        value = number6(address)
        net = value & mask6(int(length))
        if net != value and not host_bits:
            raise BadAddress(f"'{text}' has host bits set.")
        return cls(net, int(length))

    def contains(self, value: int) -> bool:
        """True if the address, as a number, lies in this network."""
        return value & mask6(self.length) == self.net

    def overlaps(self, other: IP6Net) -> bool:
        """True if some address lies in both networks."""
        shorter = mask6(min(self.length, other.length))
        return self.net & shorter == other.net & shorter

    def __str__(self) -> str:
        return f"{text6(self.net)}/{self.length}"


def number6(text: str) -> int:
    """An IPv6 address as a number; raises ``BadAddress``."""
    import ipaddress  # only dual stack needs it

    try:
        return int(ipaddress.IPv6Address(text))
    except ValueError:
        raise BadAddress(f"'{text}' is not an IPv6 address.", "For example fd00:1:15::1.") from None


def text6(value: int) -> str:
    """The IPv6 address of a number, as text (RFC 5952)."""
    import ipaddress

    return str(ipaddress.IPv6Address(value))


def mask6(length: int) -> int:
    """The netmask of an IPv6 prefix length, as a number."""
    return (1 << 128) - (1 << 128 - length)


# -- IPv4 -----------------------------------------------------------------------------------------


def parse_ip4(text: str) -> str:
    """An IPv4 address, or flannel's error for anything else."""
    try:
        return parse_ip(text)
    except BadAddress:
        raise FlannelError("Invalid IP address format") from None


def parse_cidr(text: str) -> Prefix:
    """An IPv4 network; host bits are cut off, as Go's ParseCIDR does. Raises ``FlannelError``."""
    if "/" in text:
        try:
            return Prefix.parse(text, host_bits=True)
        except BadAddress:
            pass
    raise FlannelError(f"invalid CIDR address: {text}")


def parse_cidr6(text: str) -> IP6Net:
    """An IPv6 network; host bits are cut off. Raises ``FlannelError``."""
    try:
        return IP6Net.parse(text, host_bits=True)
    except BadAddress:
        raise FlannelError(f"invalid CIDR address: {text}") from None


def following(net: Prefix) -> Prefix:
    """The network of the same size right behind this one.

    >>> str(following(Prefix.parse("10.1.15.0/24")))
    '10.1.16.0/24'
    """
    return Prefix(net.net + (1 << 32 - net.length) & 0xFFFFFFFF, net.length)


def incremented(net: Prefix) -> str:
    """The network's second address with the length: what a bridge of this subnet has.

    >>> incremented(Prefix.parse("10.1.15.0/24"))
    '10.1.15.1/24'
    """
    return f"{ip_text(net.net + 1)}/{net.length}"


def is_private(ip: str) -> bool:
    """True for an address of RFC 1918."""
    value = number(ip)
    return any(value & mask(net.length) == net.net for net in _PRIVATE)


_PRIVATE = tuple(map(Prefix.parse, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


# -- subnet keys ----------------------------------------------------------------------------------


def subnet_key(subnet: Prefix, subnet6: IP6Net | None = None) -> str:
    """The name of a lease in etcd.

    >>> subnet_key(Prefix.parse("10.1.15.0/24"))
    '10.1.15.0-24'
    """
    key = f"{subnet.network}-{subnet.length}"
    return key if subnet6 is None else f"{key}&{text6(subnet6.net)}-{subnet6.length}"


def parse_subnet_key(text: str) -> tuple[Prefix, IP6Net | None] | None:
    """The networks that a lease's key names; None for what is no subnet key."""
    found = _KEY.search(text)
    if found is None:
        return None
    try:
        subnet = Prefix(number(parse_ip(found[1])), int(found[2]))
        subnet6 = IP6Net(number6(found[3]), int(found[4])) if found[3] else None
    except BadAddress:
        return None
    if subnet.length > _LONGEST or (subnet6 is not None and subnet6.length > _LONGEST6):
        return None
    return subnet, subnet6
