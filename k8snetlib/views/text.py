"""What lives here: what the pictures and the step player say, in words.

A packet of an exchange gets a title that a person would give it (``packet_title``), and whatever
decided a step is named (``decider``). Names are added to addresses in ``words``.

What may not live here: HTML, SVG, JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k8snetlib.packet import Arp, Icmp, IPv4, Tcp, Udp
from k8snetlib.topology import Host
from k8snetlib.trace import Exchange, Names, Step, Trace
from k8snetlib.words import owner_words

#: Verdict -> (sign, word): what the player shows. The sign is never alone.
VERDICT_WORDS: Mapping[str, tuple[str, str]] = {
    "pass": ("→", "goes on"),
    "deliver": ("✓", "arrived"),
    "park": ("‖", "waits"),
    "ignore": ("○", "not for me"),
    "error": ("!", "cannot go on"),
    "drop": ("✕", "dropped"),
}

_DECIDERS = {
    "Route": "route",
    "Neighbour": "neighbour",
    "FdbEntry": "forwarding database",
    "Listener": "socket",
    "ProxyRoute": "lease",
    "Device": "device",
    "Connection": "connection",
}

_TCP_WORDS = {
    "S": "SYN", "SA": "SYN/ACK", "A": "ACK", "AP": "data", "FA": "FIN", "FAP": "FIN",
    "R": "reset", "AR": "reset",
}  # fmt: skip


def who(ip: str, names: Names) -> str:
    """The owner of an IPv4 address in words, else the address."""
    owner = names.ips.get(ip)
    return owner_words(owner) if owner else ip


def packet_title(trace: Trace, names: Names) -> str:
    """What a person would call this packet: ``TCP SYN: web2 to backend``.

    A question by ARP is told as one: who asks for which address, and that everybody hears it.
    """
    first = _first_packet(trace)
    if first is None:
        return trace.label
    inner = first.innermost
    head = inner.headers[0]
    if type(head) is Arp:
        if head.op == 1:
            asked = names.ip(head.target_ip)
            asker = who(head.sender_ip, names)
            return f"ARP: who has {_of(asked)}? asks {asker}, to everybody"
        mac = f"{names.mac(head.sender_mac)}"
        answer = f"{_of(names.ip(head.sender_ip))} is at {owner_words(mac)}"
        return f"ARP: {answer}, to {who(head.target_ip, names)} alone"
    assert type(head) is IPv4
    return f"{kind_words(trace)}: {who(head.src, names)} to {who(head.dst, names)}"


def _of(named: str) -> str:
    address, _, owner = named.partition(" (")
    return f"{address} ({owner_words(owner[:-1])})" if owner else address


def _first_packet(trace: Trace) -> Any:
    return trace.steps[0].packet if trace.steps else None


def kind_words(trace: Trace) -> str:
    """``TCP SYN``, ``TCP data``, ``ICMP echo-request``, ``UDP``, ``ARP question`` …"""
    first = _first_packet(trace)
    kind, _, rest = trace.label.partition(" ")
    if kind == "TCP":
        return f"TCP {_TCP_WORDS.get(rest, rest)}"
    if kind == "ARP" and first is not None and first.arp is not None:
        return "ARP question" if first.arp.op == 1 else "ARP answer"
    return trace.label


def role_of(exchange: Exchange, trace: Trace) -> str:
    """``request``, ``reply`` or nothing: what this packet is in its exchange."""
    if trace.n == exchange.request_at:
        return "request"
    return "reply" if trace.n == exchange.reply_at else ""


def decider(step: Step) -> str:
    """What decided this step, by its kind: ``route: 10.1.0.0/16 dev flannel0``; may be empty."""
    by = step.by
    if by is None or step.rules:  # rules have a list of their own
        return ""
    kind = type(by).__name__
    if kind == "Device":
        return f"device: {by.name} ({by.kind}, mtu {by.mtu})"
    if step.stage == "vxlan":
        return f"forwarding database: {by}"
    return f"{_DECIDERS.get(kind, kind.lower())}: {by}"


_KINDS = {"bridge": "bridge", "tun": "TUN device", "vxlan": "VXLAN device"}


def place_words(host: Host | None, place: str) -> str:
    """What a thing inside a host is called: ``docker0 (bridge)``, ``flannel0 (TUN device)``.

    ``place`` is the part of an anchor after the colon (see ``layout``).
    """
    if host is None:
        return place
    if place == "ip":
        return "IP routing" if host.role == "node" else "IP stack"
    port = host.port(place)
    if port is not None:
        kind = _KINDS.get(port.kind)
        return f"{place} ({kind})" if kind else place
    if place in host.containers:
        return f"container {place}"
    return f"{place} (process)" if place in host.daemons else place


def protocol_words(header: Any) -> str:
    """The name of a header as a packet analyser prints it: ``IPv4``, ``TCP``, ``VXLAN`` …"""
    special = {Tcp: "TCP", Udp: "UDP", Icmp: "ICMP", Arp: "ARP", IPv4: "IPv4"}
    name = type(header).__name__
    return special.get(type(header), {"Vxlan": "VXLAN"}.get(name, name))
