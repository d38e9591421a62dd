"""What lives here: host-local's ranges of addresses, IPv4 and IPv6: what they hold, what is wrong.

A ``Range`` is a subnet, the part of it that may be given away, and a gateway that is left out. A
``RangeSet`` is a list of ranges of one family of which a container gets one address.

Source: containernetworking/plugins, the tests of ``host-local/backend/allocator``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, NamedTuple, TypeAlias

from k8snetlib.kube.cni.spec import CniError, Config

Ip: TypeAlias = IPv4Address | IPv6Address
Net: TypeAlias = IPv4Network | IPv6Network


def parse_address(text: Any) -> Ip:
    """An address of either family; raises ``CniError`` in Go's words."""
    try:
        return ip_address(text if isinstance(text, str) else "")
    except ValueError:
        raise CniError(f"invalid IP address: {text}") from None


class Range(NamedTuple):
    """A subnet, its first and last address to give away, and its gateway."""

    subnet: Net
    start: Ip
    end: Ip
    gateway: Ip

    @classmethod
    def parse(cls, config: Config) -> Range:
        """A range from ``{subnet, rangeStart?, rangeEnd?, gateway?}``.

        By default it begins at .1 and ends before the broadcast address (IPv6: with the last one),
        and the gateway is .1. Raises ``CniError`` for what cannot be.
        """
        subnet = _subnet(str(config.get("subnet", "")))
        first = subnet.network_address + 1
        last = subnet[-1] if subnet.version == 6 else subnet[-2]
        gateway = _optional(config, "gateway")
        given_start, given_end = _optional(config, "rangeStart"), _optional(config, "rangeEnd")
        start = given_start or first
        if given_start is not None and (
            start not in subnet or (given_end is not None and int(start) > int(given_end))
        ):
            raise CniError(f"RangeStart {start} not in network {subnet}")
        end = given_end or last
        if given_end is not None and (end not in subnet or int(end) < int(start)):
            raise CniError(f"RangeEnd {end} not in network {subnet}")
        return cls(subnet, start, end, first if gateway is None else gateway)

    def contains(self, ip: Ip) -> bool:
        """True if the address may be given away (the gateway counts too)."""
        return ip.version == self.subnet.version and int(self.start) <= int(ip) <= int(self.end)

    def overlaps(self, other: Range) -> bool:
        """True if some address belongs to both ranges."""
        return (
            self.contains(other.start)
            or self.contains(other.end)
            or other.contains(self.start)
            or other.contains(self.end)
        )

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"


def _subnet(text: str) -> Net:
    address, slash, length = text.partition("/")
    try:
        subnet = ip_network(text, strict=False)
    except ValueError:
        raise CniError(f"invalid CIDR address: {text}") from None
    if not slash or not length.isdigit():
        raise CniError(f"invalid CIDR address: {text}")
    if subnet.prefixlen > subnet.max_prefixlen - 2:
        raise CniError(f"Network {ip_address(address)}/{length} too small to allocate from")
    if ip_address(address) != subnet.network_address:
        raise CniError(
            f"Network has host bits set. For a subnet mask of length {length} "
            f"the network address is {subnet.network_address}"
        )
    return subnet


def _optional(config: Config, key: str) -> Ip | None:
    return parse_address(config[key]) if config.get(key) else None


class RangeSet(NamedTuple):
    """Ranges of one family; an address comes from one of them."""

    ranges: tuple[Range, ...]

    @classmethod
    def parse(cls, configs: Iterable[Config]) -> RangeSet:
        """A set from its ranges' configurations; raises ``CniError`` for what cannot be."""
        ranges = tuple(Range.parse(config) for config in configs)
        if not ranges:
            raise CniError("empty range set")
        if len({r.subnet.version for r in ranges}) > 1:
            raise CniError("mixed address families")
        for at, one in enumerate(ranges):
            for other in ranges[at + 1 :]:
                if one.overlaps(other):
                    raise CniError(f"subnets {one} and {other} overlap")
        return cls(ranges)

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.ranges[0].subnet.version

    def index_of(self, ip: Ip) -> int:
        """Which range holds the address; raises ``CniError`` if none does."""
        for at, one in enumerate(self.ranges):
            if one.contains(ip):
                return at
        raise CniError(f"{ip} not in range set {self}")

    def contains(self, ip: Ip) -> bool:
        """True if some range holds the address."""
        return any(one.contains(ip) for one in self.ranges)

    def overlaps(self, other: RangeSet) -> bool:
        """True if some range of one set overlaps one of the other."""
        return any(one.overlaps(two) for one in self.ranges for two in other.ranges)

    def after(self, last: Ip | None) -> Iterator[tuple[Ip, Range]]:
        """Every address once, round robin, beginning behind ``last`` (None, or an address of no
        range: at the beginning); gateways are left out."""
        at, ip = 0, self.ranges[0].start
        if last is not None and self.contains(last):
            at, ip = self._next(self.index_of(last), last)
        began = ip
        while True:
            if ip != self.ranges[at].gateway:
                yield ip, self.ranges[at]
            at, ip = self._next(at, ip)
            if ip == began:
                return

    def _next(self, at: int, ip: Ip) -> tuple[int, Ip]:
        if ip == self.ranges[at].end:
            at = (at + 1) % len(self.ranges)
            return at, self.ranges[at].start
        return at, ip + 1

    def __str__(self) -> str:
        return ",".join(str(one) for one in self.ranges)
