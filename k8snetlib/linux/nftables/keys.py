"""What lives here: the types of nftables' data, as they are read, printed and put into order.

A key is a number (an address, a protocol, a port, a mark) or the name of a device; the key of a
concatenation (``ip daddr . meta l4proto . th dport``) is a tuple of them.

Simplified here: IPv6 addresses are read and printed; no packet has one.

Source: nft(8); the order of elements was compared with nft 1.0.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, cast

from k8snetlib.address import Prefix, ip_text, number
from k8snetlib.errors import BadAddress, K8sNetError
from k8snetlib.packet import PROTO_NAMES


class NftError(K8sNetError):
    """A text that nft would not take, or that asks for what is not modelled here."""


One: TypeAlias = "int | str"


class Span(NamedTuple):
    """An interval of keys, both ends included; ``length`` if it was written as a prefix."""

    low: int
    high: int
    length: int | None = None


Key: TypeAlias = "One | Span | tuple[One, ...]"

PROTOCOLS = PROTO_NAMES | {47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp", 132: "sctp"}
#: Words that stand for numbers, by type, in the order in which nft prints several.
WORDS: dict[str, dict[str, int]] = {
    "inet_proto": {name: proto for proto, name in PROTOCOLS.items()},
    "ct_state": {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64},
    "ct_status": {"expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16,
                  "dnat": 32},
    "fib_addrtype": {"unspec": 0, "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4,
                     "multicast": 5, "blackhole": 6, "unreachable": 7, "prohibit": 8},
    "icmp_type": {"echo-reply": 0, "destination-unreachable": 3, "redirect": 5, "echo-request": 8,
                  "time-exceeded": 11},
}  # fmt: skip
#: type -> its bits; of these types a set can be made.
BITS = {"ipv4_addr": 32, "ipv6_addr": 128, "inet_proto": 8, "inet_service": 16, "mark": 32,
        "ifname": 128, "ct_state": 32, "ct_status": 32, "fib_addrtype": 32,
        "icmp_type": 8, "number": 32}  # fmt: skip
#: Types whose numbers lie in memory as the machine has them; the others as the wire has them.
_HOST_ORDER = frozenset({"mark", "ct_state", "ct_status", "fib_addrtype"})
#: type -> how many elements of it nft prints on a line (others: one).
PER_LINE = {"ipv4_addr": 2, "inet_proto": 5, "inet_service": 5, "mark": 5}


def parse_one(kind: str, text: str) -> One:
    """One key of a type. Raises ``K8sNetError``."""
    words = WORDS.get(kind, {})
    if text in words:
        return words[text]
    if kind == "ifname":
        return text.strip('"')
    try:
        value = _address6(text) if kind == "ipv6_addr" else (
            number(text) if kind == "ipv4_addr" else int(text, 0))  # fmt: skip
    except (ValueError, BadAddress):
        raise NftError(f"nft: '{text}' is no {kind}.", _hint(kind)) from None
    if not 0 <= value < 1 << BITS[kind]:
        raise NftError(f"nft: {text} does not fit into {kind}.", _hint(kind))
    return value


def _hint(kind: str) -> str:
    words = ", ".join(WORDS.get(kind, ()))
    return f"Known: {words}." if words else ""


def parse_key(kinds: Sequence[str], text: str) -> Key:
    """A key, an interval (``10.0.0.0/8``, ``1-5``), or a concatenation (``1.2.3.4 . tcp . 80``)."""
    parts = text.split(" . ")
    if len(parts) != len(kinds):
        raise NftError(f"nft: '{text}' has {len(parts)} parts.", f"Here: {' . '.join(kinds)}.")
    if len(parts) > 1:
        return tuple(parse_one(kind, part.strip()) for kind, part in zip(kinds, parts, strict=True))
    kind = kinds[0]
    if kind in ("ipv4_addr", "ipv6_addr") and "/" in text:
        return _prefix(kind, text)
    low, dash, high = text.partition("-")
    if dash and kind in ("ipv4_addr", "ipv6_addr", "inet_service", "mark"):
        first, last = parse_one(kind, low), parse_one(kind, high)
        assert isinstance(first, int)
        assert isinstance(last, int)
        return Span(first, last)
    return parse_one(kind, text)


def _prefix(kind: str, text: str) -> Key:
    if kind == "ipv4_addr":
        try:
            prefix = Prefix.parse(text, host_bits=True)
        except BadAddress as error:
            raise NftError(f"nft: {error.message}", error.hint) from None
        net, length, bits = prefix.net, prefix.length, 32
    else:
        from ipaddress import ip_network

        found = ip_network(text, strict=False)
        net, length, bits = int(found.network_address), found.prefixlen, 128
    return net if length == bits else Span(net, net | (1 << bits - length) - 1, length)


def _address6(text: str) -> int:
    from ipaddress import IPv6Address  # only where there are any: `import k8snetlib` stays quick

    return int(IPv6Address(text))


def show_one(kind: str, key: One) -> str:
    """One key as nft prints it."""
    if isinstance(key, str):
        return f'"{key}"'
    if kind == "ipv4_addr":
        return ip_text(key)
    if kind == "ipv6_addr":
        from ipaddress import IPv6Address

        return str(IPv6Address(key))
    if kind == "mark":
        return f"0x{key:08x}"
    return next((word for word, value in WORDS.get(kind, {}).items() if value == key), str(key))


def show_key(kinds: Sequence[str], key: Key, *, element: bool = False) -> str:
    """A key as nft prints it; an ``element`` of a set that fills a prefix is printed as one."""
    if isinstance(key, Span):
        length = key.length
        if length is None and element and kinds[0] in ("ipv4_addr", "ipv6_addr"):
            length = _length(key, BITS[kinds[0]])
        if length is not None:
            return f"{show_one(kinds[0], key.low)}/{length}"
        return f"{show_one(kinds[0], key.low)}-{show_one(kinds[0], key.high)}"
    if isinstance(key, tuple):
        parts = cast("tuple[One, ...]", key)
        return " . ".join(show_one(kind, one) for kind, one in zip(kinds, parts, strict=True))
    return show_one(kinds[0], key)


def _length(span: Span, bits: int) -> int | None:
    size = span.high - span.low + 1
    aligned = size & (size - 1) == 0 and span.low % size == 0
    return bits - size.bit_length() + 1 if aligned else None


def order(kinds: Sequence[str], key: Key) -> int:
    """Where an element stands among others: by its number; a concatenation by its bytes, the last
    of which counts most (nft takes them for a number of this little-endian machine)."""
    if isinstance(key, Span):
        return key.low
    if isinstance(key, tuple):
        parts = cast("tuple[One, ...]", key)
        octets = b"".join(_octets(kind, one) for kind, one in zip(kinds, parts, strict=True))
        return int.from_bytes(octets, "little")
    return key if isinstance(key, int) else int.from_bytes(_octets("ifname", key), "little")


def _octets(kind: str, key: One) -> bytes:
    if isinstance(key, str):
        return key.encode().ljust(16, b"\0")
    return key.to_bytes(BITS[kind] // 8, "little" if kind in _HOST_ORDER else "big")


def within(key: Key, value: One | tuple[One, ...]) -> bool:
    """True if what a packet has is the key, or lies in its interval."""
    if isinstance(key, Span):
        return isinstance(value, int) and key.low <= value <= key.high
    return key == value
