"""What lives here: IPv4 addresses, prefixes and MAC addresses as text, and their numbers.

Addresses are plain strings in their canonical form: they hash and compare at the speed of a
dictionary, print as people write them, and need no conversion in JSON. The number behind an
address is looked up where arithmetic is needed (``number``). Text from outside goes through
``parse_ip``, ``parse_prefix`` or ``parse_mac`` once; after that it is trusted.

Simplified here: IPv4 only.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.errors import BadAddress

BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"
ZERO_MAC = "00:00:00:00:00:00"

_NUMBER: dict[str, int] = {}
_TEXT: dict[int, str] = {}
_REMEMBERED = 200_000


def _remember(text: str, value: int) -> None:
    if len(_NUMBER) > _REMEMBERED:
        _NUMBER.clear()
        _TEXT.clear()
    _NUMBER[text] = value
    _TEXT[value] = text


def parse_ip(text: str) -> str:
    """The canonical form of an IPv4 address, e.g. ``10.1.15.2``.

    Raises ``BadAddress`` for anything that is not four decimal numbers from 0 to 255
    without leading zeros (RFC 6943 §3.1.1, the strict form).
    """
    if text in _NUMBER:
        return text
    parts = text.split(".") if isinstance(text, str) else []
    ok = len(parts) == 4 and all(
        p.isascii() and p.isdigit() and len(p) <= 3 and (p == "0" or p[0] != "0") and int(p) < 256
        for p in parts
    )
    if not ok:
        raise BadAddress(
            f"'{text}' is not an IPv4 address.",
            "An address is four numbers from 0 to 255, for example 10.1.15.2.",
        )
    a, b, c, d = (int(p) for p in parts)
    _remember(text, a << 24 | b << 16 | c << 8 | d)
    return text


def is_ip(text: str) -> bool:
    """True if ``text`` is an IPv4 address in canonical form."""
    try:
        parse_ip(text)
    except BadAddress:
        return False
    return True


def number(ip: str) -> int:
    """The address as a 32-bit number (10.1.15.2 is 0x0a010f02)."""
    try:
        return _NUMBER[ip]
    except KeyError:
        return _NUMBER[parse_ip(ip)]


def ip_text(value: int) -> str:
    """The address of a 32-bit number, as text."""
    try:
        return _TEXT[value]
    except KeyError:
        text = f"{value >> 24 & 255}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
        _remember(text, value)
        return text


class Prefix(NamedTuple):
    """An IPv4 network: its first address as a number, and its length in bits.

    >>> str(Prefix.parse("10.1.15.0/24"))
    '10.1.15.0/24'
    """

    net: int
    length: int

    @classmethod
    def parse(cls, text: str, *, host_bits: bool = False) -> Prefix:
        """``10.1.15.0/24``, or an address alone for a /32; ``default`` is 0.0.0.0/0.

        With ``host_bits`` the text may name any address of the network. Raises ``BadAddress``.
        """
        if text == "default":
            return cls(0, 0)
        address, slash, length_text = text.partition("/")
        value = number(parse_ip(address))
        if not slash:
            return cls(value, 32)
        if not (length_text.isascii() and length_text.isdigit() and int(length_text) <= 32):
            raise BadAddress(
                f"'{text}' is not an IPv4 prefix.",
                "A prefix is an address and a length from 0 to 32, for example 10.1.15.0/24.",
            )
        prefix = cls(value & mask(int(length_text)), int(length_text))
        if prefix.net != value and not host_bits:
            raise BadAddress(f"'{text}' has host bits set.", f"The network is {prefix}.")
        return prefix

    def contains(self, ip: str) -> bool:
        """True if the address lies in this network (``ip in prefix`` says the same)."""
        return number(ip) & mask(self.length) == self.net

    def __contains__(self, ip: object) -> bool:
        return isinstance(ip, str) and self.contains(ip)

    def __str__(self) -> str:
        return f"{ip_text(self.net)}/{self.length}"

    @property
    def network(self) -> str:
        """The first address of the network (10.1.15.0)."""
        return ip_text(self.net)

    @property
    def broadcast(self) -> str:
        """The last address of the network (10.1.15.255)."""
        return ip_text(self.net | ~mask(self.length) & 0xFFFFFFFF)

    def host(self, index: int) -> str:
        """The ``index``-th address of the network, counted from 0."""
        if not 0 <= index < 1 << 32 - self.length:
            raise BadAddress(f"{self} has no address number {index}.")
        return ip_text(self.net + index)

    def overlaps(self, other: Prefix) -> bool:
        """True if some address lies in both networks."""
        shorter = mask(min(self.length, other.length))
        return self.net & shorter == other.net & shorter


_MASKS = tuple((0xFFFFFFFF << 32 - n) & 0xFFFFFFFF for n in range(33))


def mask(length: int) -> int:
    """The netmask of a prefix length, as a number (24 is 0xffffff00)."""
    return _MASKS[length]


def parse_mac(text: str) -> str:
    """The canonical (lower-case, colon) form of a MAC address; raises ``BadAddress``."""
    parts = text.lower().split(":") if isinstance(text, str) else []
    if len(parts) != 6 or any(
        len(p) != 2 or any(c not in "0123456789abcdef" for c in p) for p in parts
    ):
        raise BadAddress(
            f"'{text}' is not a MAC address.",
            "A MAC address is six two-digit hexadecimal numbers, for example 02:42:0a:01:0f:02.",
        )
    return ":".join(parts)


def mac_for(oui: str, ip: str) -> str:
    """A MAC address derived from an IPv4 address: two fixed bytes, then the address in hex.

    >>> mac_for("02:42", "10.1.15.2")
    '02:42:0a:01:0f:02'
    """
    n = number(ip)
    return f"{oui}:{n >> 24 & 255:02x}:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"
