"""What lives here: what a rule of nftables looks at in a packet: ``ip daddr``, ``th dport``, …

Each selector has a type, and a function that loads its value from a packet; None: the packet has no
such thing (no ports in a later fragment), so the rule does not match.

What may not live here: what is done with the value (``statements``).

Source: nft(8), "EXPRESSIONS".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from k8snetlib.linux.netfilter.matches import address_type
from k8snetlib.linux.netfilter.probe import Probe
from k8snetlib.linux.nftables.keys import WORDS, One
from k8snetlib.packet import Icmp, Tcp, Udp

Load = Callable[[Probe], "One | None"]


class Selector(NamedTuple):
    """One selector: how it is written, its type, and the protocol that it implies ("" if none)."""

    words: str
    kind: str
    proto: str = ""

    def __str__(self) -> str:
        return self.words


_PORT_KINDS = ("tcp", "udp", "th")
#: How it is written -> the selector.
SELECTORS: dict[str, Selector] = {
    s.words: s
    for s in (
        Selector("ip saddr", "ipv4_addr"), Selector("ip daddr", "ipv4_addr"),
        Selector("ip6 saddr", "ipv6_addr"), Selector("ip6 daddr", "ipv6_addr"),
        Selector("ip protocol", "inet_proto"), Selector("meta l4proto", "inet_proto"),
        Selector("meta mark", "mark"),
        Selector("iifname", "ifname"), Selector("oifname", "ifname"),
        Selector("fib saddr type", "fib_addrtype"), Selector("fib daddr type", "fib_addrtype"),
        Selector("ct state", "ct_state"), Selector("ct status", "ct_status"),
        Selector("icmp type", "icmp_type", "icmp"),
        *(Selector(f"{p} {end}", "inet_service", "" if p == "th" else p)
          for p in _PORT_KINDS for end in ("sport", "dport")),
    )
}  # fmt: skip
#: Other ways to write some of them.
ALIASES = {"mark": "meta mark", "meta iifname": "iifname", "meta oifname": "oifname"}


def _port(kind: type | None, field: str) -> Load:
    def load(p: Probe) -> One | None:
        l4: Any = p.l4
        if type(l4) is kind or (kind is None and (type(l4) is Tcp or type(l4) is Udp)):
            value: int = getattr(l4, field)
            return value
        if kind is None and type(l4) is Icmp:
            return _where_ports_would_be(p, l4, field)
        return None

    return load


def _where_ports_would_be(p: Probe, icmp: Icmp, field: str) -> int:
    """``th`` takes the bytes as they come: an ICMP message begins with type, code and checksum."""
    if field == "sport":
        return icmp.type << 8 | icmp.code
    from k8snetlib.wire import encode  # rarely needed

    return int.from_bytes(encode(p.packet)[22:24], "big")


def _fib(field: str) -> Load:
    types = WORDS["fib_addrtype"]

    def load(p: Probe) -> One | None:
        return types[address_type(p.ns, getattr(p.ip, field)).lower()]

    return load


def _state(p: Probe) -> One | None:
    # Before conntrack has seen the packet it is "invalid" (untracked is what a rule exempted).
    return WORDS["ct_state"].get(p.state.lower(), WORDS["ct_state"]["invalid"])


def _status(p: Probe) -> One | None:
    conn = p.conn
    if conn is None:
        return None
    return (
        2 * conn.seen_reply | 4 * conn.assured | 8 * conn.confirmed | 16 * conn.snat
        | 32 * conn.dnat
    )  # fmt: skip


LOADS: dict[str, Load] = {
    "ip saddr": lambda p: p.src, "ip daddr": lambda p: p.dst,
    "ip6 saddr": lambda p: None, "ip6 daddr": lambda p: None,
    "ip protocol": lambda p: p.ip.proto, "meta l4proto": lambda p: p.ip.proto,
    "meta mark": lambda p: p.mark,
    "iifname": lambda p: p.in_dev, "oifname": lambda p: p.out_dev,
    "fib saddr type": _fib("src"), "fib daddr type": _fib("dst"),
    "ct state": _state, "ct status": _status,
    "icmp type": lambda p: p.l4.type if type(p.l4) is Icmp else None,
    **{f"{name} {end}": _port(kind, end)
       for name, kind in (("tcp", Tcp), ("udp", Udp), ("th", None)) for end in ("sport", "dport")},
}  # fmt: skip
