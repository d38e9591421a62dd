"""What lives here: a packet as a stack of header boxes, and what changed from step to step.

Everything is plain data, ready for JSON. A *state* is one distinct look of a packet::

    {"layers": [{"name": "IPv4", "fields": [["from", "10.1.15.2", "web2"], …], "hex": "45 00 …"}],
     "bytes": 60}

A field is its name, its value, and the owner of that value in words (may be empty). ``changes``
compares two packets from the inside out, as an overlay wraps them: equal kinds are paired
beginning with the innermost header, so what an overlay put around shows up as added.

What may not live here: HTML, positions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from k8snetlib.errors import K8sNetError
from k8snetlib.packet import (
    PROTO_NAMES,
    Arp,
    Ethernet,
    Header,
    Icmp,
    IPv4,
    Packet,
    Tcp,
    Udp,
    Vxlan,
    flag_letters,
    size_of,
)
from k8snetlib.trace import Names, label_of
from k8snetlib.views.text import owner_words, protocol_words
from k8snetlib.wire import encode

FieldRow = list[str]

_PORTS = {8285: "flanneld", 8472: "VXLAN", 53: "DNS", 80: "HTTP"}
_FLAG_WORDS = {"S": "SYN", "A": "ACK", "F": "FIN", "R": "RST", "P": "PSH", "U": "URG"}


class Changes(NamedTuple):
    """How a packet differs from the one before.

    ``added`` are places in the new stack; ``removed`` are names of headers that are gone;
    ``was`` maps ``"layer.field"`` (places) to the earlier value; ``words`` tell it all.
    """

    added: tuple[int, ...] = ()
    removed: tuple[str, ...] = ()
    was: tuple[tuple[str, str], ...] = ()
    words: str = ""


def _mac_row(what: str, mac: str, names: Names) -> FieldRow:
    owner = names.mac(mac)
    if owner == "broadcast":
        return [what, mac, "everybody"]
    return [what, mac, owner if owner != mac else ""]


def _ip_row(what: str, ip: str, names: Names) -> FieldRow:
    return [what, ip, owner_words(names.ips.get(ip, ""))]


def _port_row(what: str, port: int) -> FieldRow:
    return [what, str(port), _PORTS.get(port, "")]


def header_fields(header: Header, names: Names) -> list[FieldRow]:
    """The fields of a header that a learner looks at: name, value, owner."""
    match header:
        case Ethernet():
            return [_mac_row("from", header.src, names), _mac_row("to", header.dst, names)]
        case Arp():
            rows = [
                ["says", "who has" if header.op == 1 else "is at", ""],
                _ip_row("asked for" if header.op == 1 else "address", _asked(header), names),
                _ip_row("tell", header.sender_ip if header.op == 1 else header.target_ip, names),
            ]
            if header.op == 2:
                rows.insert(2, _mac_row("MAC", header.sender_mac, names))
            return rows
        case IPv4():
            rows = [_ip_row("from", header.src, names), _ip_row("to", header.dst, names)]
            rows.append(["TTL", str(header.ttl), ""])
            if header.mf or header.offset:
                rows.append(["fragment at", str(header.offset), "more follow" if header.mf else ""])
            return rows
        case Tcp():
            flags = " ".join(_FLAG_WORDS[letter] for letter in flag_letters(header.flags))
            ports = [_port_row("from port", header.sport), _port_row("to port", header.dport)]
            return [*ports, ["flags", flags or "none", ""]]
        case Udp():
            return [_port_row("from port", header.sport), _port_row("to port", header.dport)]
        case Vxlan():
            return [["VNI", str(header.vni), ""]]
        case Icmp():
            return [["type", str(header.type), ""], ["code", str(header.code), ""]]


def _asked(arp: Arp) -> str:
    return arp.target_ip if arp.op == 1 else arp.sender_ip


def _hex(data: bytes) -> str:
    return data.hex(" ")


def state(packet: Packet, names: Names) -> dict[str, Any]:
    """One look of a packet as JSON-ready values (see the module's docstring)."""
    try:
        data = encode(packet)
    except K8sNetError:
        data = b""
    layers: list[dict[str, Any]] = []
    at = 0
    for header in packet.headers:
        size = size_of(header)
        rows = header_fields(header, names)
        if type(header) is Icmp:
            rows = [["says", label_of(packet, names).removeprefix("ICMP "), ""], *rows]
        name = protocol_words(header)
        layers.append({"name": name, "fields": rows, "hex": _hex(data[at : at + size])})
        at += size
    if len(packet.payload):
        layers.append({"name": "payload", "fields": [_payload_row(packet)], "hex": _hex(data[at:])})
    return {"layers": layers, "bytes": packet.length}


def _payload_row(packet: Packet) -> FieldRow:
    count = len(packet.payload)
    said = ""
    if isinstance(packet.payload, bytes):
        text = packet.payload[:40].split(b"\r\n")[0]
        said = text.decode("ascii") if text and all(32 <= b < 127 for b in text) else ""
    ip = next((h for h in reversed(packet.headers) if type(h) is IPv4), None)
    what = "data"
    if ip is not None and ip.offset:
        what = f"part of {PROTO_NAMES.get(ip.proto, 'datagram')}"
    return [what, f"{count} byte{'' if count == 1 else 's'}", said]


def _kinds(packet: Packet) -> list[str]:
    return [protocol_words(h) for h in packet.headers] + ["payload"] * bool(len(packet.payload))


def changes(before: Packet | None, after: Packet, names: Names) -> Changes:
    """What is different in ``after``; ``before`` None means that the walk begins here."""
    if before is None or before == after:
        return Changes()
    old, new = _kinds(before), _kinds(after)
    pairs: list[tuple[int, int]] = []
    i, j = len(old) - 1, len(new) - 1
    while i >= 0 and j >= 0 and old[i] == new[j]:
        pairs.append((i, j))
        i, j = i - 1, j - 1
    was: list[tuple[str, str]] = []
    words: list[str] = []
    for a, b in reversed(pairs):
        if b >= len(after.headers):
            continue
        then, now = (header_fields(p.headers[n], names) for p, n in ((before, a), (after, b)))
        for at, (x, y) in enumerate(zip(then, now, strict=False)):
            if x != y:
                was.append((f"{b}.{at}", x[1]))
                words.append(f"{new[b]} {y[0]} {x[1]} becomes {y[1]}")
    added, removed = tuple(range(j + 1)), tuple(old[: i + 1])
    if removed:
        words.insert(0, f"{' and '.join(removed)} taken off")
    if added:
        put = " and ".join(new[n] for n in added)
        words.append(f"wrapped in {put}" if len(added) > 1 else f"new {put} header")
    return Changes(added, removed, tuple(was), "; ".join(words))
