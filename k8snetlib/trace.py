"""What lives here: the one result of a walk, ``Exchange > Trace > Hop > Step``, all frozen.

Text, pictures, the step player, checks, feedback, JSON and pcap read these values and nothing else.

* A **Step** is one box of the kernel's packet-flow drawing: where, what was decided, *why*, which
  entry decided (a route, a neighbour, an FDB entry, a rule …), the packet before and after.
* A **Hop** is one packet's visit to one network namespace.
* A **Trace** is one packet's whole way, from its first sender to its last receiver, through
  encapsulation and address translation, with every frame that tcpdump would have seen.
* An **Exchange** is a request and all that followed from it.

The sets of stages, verdicts and outcomes are closed: see ``stages``.

What may not live here: decisions. A trace records what the model decided; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from k8snetlib.address import BROADCAST_MAC, ZERO_MAC
from k8snetlib.packet import (
    ECHO_REPLY,
    ECHO_REQUEST,
    FRAG_NEEDED,
    HOST_UNREACHABLE,
    NET_UNREACHABLE,
    PORT_UNREACHABLE,
    REDIRECT,
    TIME_EXCEEDED,
    UNREACHABLE,
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
)
from k8snetlib.topology import NO_TOPOLOGY, Topology


def rule_line(rule: Any) -> str:
    """A matched rule as iptables-save prints it: ``-A CHAIN …``; ``:CHAIN POLICY`` for a policy.

    ``str(rule)`` is a line of the kernel's TRACE, which has the table and the verdict as well.
    """
    head, bar, line = str(rule).partition(" | ")
    if bar:
        return line.strip()
    chain, word, policy = head.partition(" policy ")
    return f":{chain.rpartition(':')[2]} {policy}" if word else head


class Names(NamedTuple):
    """Who owns which address, for printing: MAC -> ``NETNS:DEV``, IPv4 -> a name people use."""

    macs: Mapping[str, str]
    ips: Mapping[str, str]

    def mac(self, mac: str) -> str:
        """The owner of a MAC address as ``NETNS:DEV``; ``broadcast``, ``zero``, or the address."""
        if mac == BROADCAST_MAC:
            return "broadcast"
        if mac == ZERO_MAC:
            return "zero"
        return self.macs.get(mac, mac)

    def ip(self, ip: str) -> str:
        """``10.1.15.2 (web2)``, or the address alone if nobody owns it."""
        owner = self.ips.get(ip)
        return f"{ip} ({owner})" if owner else ip


NO_NAMES = Names({}, {})


class Frame(NamedTuple):
    """One packet on one device, as ``tcpdump -i DEV`` in one network namespace sees it.

    ``time`` is in seconds on the model's clock. ``str(frame)`` is one capture line (see
    ``docs/capture-lines.md``).
    """

    netns: str
    device: str
    direction: str
    packet: Packet
    time: float
    names: Names

    def __str__(self) -> str:
        packet = self.packet
        ethernet = packet.ethernet
        names = self.names
        link = f"{names.mac(ethernet.src)}>{names.mac(ethernet.dst)}" if ethernet else "-"
        inner = _stack_text(packet, names)
        return f"{self.netns}:{self.device} {self.direction} [{link}]" + (inner and " " + inner)


def _stack_text(packet: Packet, names: Names) -> str:
    headers: Sequence[Header] = packet.headers
    if type(headers[0]) is Ethernet:
        headers = headers[1:]
    if type(headers[0]) is Arp:
        return ""
    carried = next((i for i, h in enumerate(headers) if type(h) is IPv4 and i), None)
    if carried is None:
        return _ip_text(headers, len(packet.payload))
    ip, udp, *rest = headers
    assert type(ip) is IPv4 and type(udp) is Udp
    outer = f"{ip.src}:{udp.sport}>{ip.dst}:{udp.dport} ttl{ip.ttl}{' DF' if ip.df else ''}"
    if type(rest[0]) is Vxlan:
        ethernet = rest[1]
        assert type(ethernet) is Ethernet
        macs = f"{names.mac(ethernet.src)}>{names.mac(ethernet.dst)}"
        outer += f" vxlan vni{rest[0].vni} {macs}"
    else:
        outer += " flannel-udp"
    return f"{{{outer}}} {_ip_text(headers[carried:], len(packet.payload))}"


def _ip_text(headers: Sequence[Header], payload_length: int) -> str:
    ip = headers[0]
    assert type(ip) is IPv4
    transport = headers[1] if len(headers) > 1 else None
    src, dst, length = ip.src, ip.dst, ""
    if isinstance(transport, Tcp | Udp):
        src, dst = f"{src}:{transport.sport}", f"{dst}:{transport.dport}"
    if isinstance(transport, Udp | Icmp):
        length = f" len{28 + payload_length}"
    df = " DF" if ip.df else ""
    fragment = f" frag {ip.offset}{'+' if ip.mf else ''}" if ip.mf or ip.offset else ""
    return f"{src}>{dst} ttl{ip.ttl}{length}{df}{fragment}"


_UNREACHABLE_LABEL = {
    NET_UNREACHABLE: "net-unreachable",
    HOST_UNREACHABLE: "host-unreachable",
    2: "proto-unreachable",
    PORT_UNREACHABLE: "port-unreachable",
    9: "net-prohibited",
    10: "host-prohibited",
    13: "admin-prohibited",
}


def label_of(packet: Packet, names: Names = NO_NAMES) -> str:
    """What kind of packet this is, innermost first: ``TCP S``, ``ARP who-has A tell B`` …"""
    inner = packet.innermost
    first = inner.headers[0]
    if type(first) is Arp:
        if first.op == 1:
            return f"ARP who-has {first.target_ip} tell {first.sender_ip}"
        return f"ARP {first.sender_ip} is-at {names.mac(first.sender_mac)}"
    assert type(first) is IPv4
    if first.offset:
        return f"IP fragment {first.offset}"
    match inner.transport:
        case Tcp(flags=flags):
            return f"TCP {flag_letters(flags)}"
        case Udp():
            return "UDP"
        case Icmp(type=kind, code=code) as icmp:
            if kind == UNREACHABLE and code == FRAG_NEEDED:
                return f"ICMP frag-needed mtu={icmp.mtu}"
            return "ICMP " + {
                ECHO_REPLY: "echo-reply",
                ECHO_REQUEST: "echo-request",
                TIME_EXCEEDED: "ttl-exceeded",
                REDIRECT: "redirect",
                UNREACHABLE: _UNREACHABLE_LABEL.get(code, f"unreachable code {code}"),
            }.get(kind, f"type {kind}")
    return f"IP protocol {first.proto}"


class Step(NamedTuple):
    """One box of the packet-flow drawing, and what it decided.

    ``by`` is the entry that decided (a route, neighbour, FDB entry, socket …), if one did;
    ``packet`` is the packet as it left the box, ``before`` as it came in (None: unchanged);
    ``rules`` are the firewall rules matched here, in order. ``why`` and ``args`` make ``reason``:
    the sentence is put together only when somebody reads it.
    """

    stage: str
    verdict: str
    device: str
    packet: Packet
    why: str
    args: tuple[Any, ...] = ()
    by: Any = None
    before: Packet | None = None
    rules: tuple[Any, ...] = ()

    @property
    def reason(self) -> str:
        """Why this box decided as it did, in words."""
        return self.why.format(*self.args)

    def to_dict(self) -> dict[str, Any]:
        """This step as JSON-ready values (``docs/trace.schema.json``)."""
        return {
            "stage": self.stage,
            "verdict": self.verdict,
            "device": self.device,
            "reason": self.reason,
            "by": None if self.by is None else str(self.by),
            "rules": [rule_line(rule) for rule in self.rules],
        }


class Hop(NamedTuple):
    """One packet's visit to one network namespace; ``device`` is where it came in ("": it began
    here, sent by a process or by the kernel itself). ``evaluated`` is how many firewall rules this
    kernel had to test for it, matched or not."""

    netns: str
    device: str
    steps: tuple[Step, ...]
    evaluated: int = 0

    def to_dict(self) -> dict[str, Any]:
        """This hop as JSON-ready values."""
        return {
            "netns": self.netns,
            "device": self.device or None,
            "steps": [step.to_dict() for step in self.steps],
        }


class Trace(NamedTuple):
    """One packet's whole way. ``n`` counts the packets of an exchange from 0."""

    n: int
    label: str
    hops: tuple[Hop, ...]
    frames: tuple[Frame, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of all hops, in the order in which they happened."""
        return tuple(step for hop in self.hops for step in hop.steps)

    @property
    def last(self) -> Step:
        """The step that decided this packet's fate: its delivery, or what stopped it.

        A broadcast has many ends; a delivery counts before a loss, and both before a mere
        "not for me".
        """
        steps = self.steps
        for verdicts in (("deliver",), ("error", "drop", "park")):
            ends: list[Step] = [step for step in steps if step.verdict in verdicts]
            if ends:
                return ends[-1]
        final: Step = steps[-1]
        return final

    @property
    def end(self) -> str:
        """The namespace where ``last`` happened."""
        last = self.last
        return next(hop.netns for hop in self.hops if any(step is last for step in hop.steps))

    @property
    def evaluated(self) -> dict[str, int]:
        """How many firewall rules each kernel on the way had to test for this packet."""
        counts: dict[str, int] = {}
        for hop in self.hops:
            if hop.evaluated:
                counts[hop.netns] = counts.get(hop.netns, 0) + hop.evaluated
        return counts

    @property
    def delivered(self) -> bool:
        """True if some process or kernel that was meant received this packet."""
        return self.last.verdict == "deliver"

    def to_dict(self) -> dict[str, Any]:
        """This trace as JSON-ready values."""
        return {"label": self.label, "hops": [hop.to_dict() for hop in self.hops]}

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        # IPython would print the bare tuple; a person wants the story.
        printer.text(str(self))

    def __str__(self) -> str:
        from k8snetlib.story import trace_story

        return trace_story(self)


class Exchange(NamedTuple):
    """A request and everything that followed from it, until nothing moved.

    ``source`` and ``target`` are the names as the caller wrote them; ``elapsed`` is in seconds on
    the model's clock; ``topology`` is the cluster as it was when the walk ended; ``tally`` is what
    bridges and hosts learned on the way (``linux.noted``).
    """

    source: str
    target: str
    proto: str
    outcome: str
    reason: str
    packets: tuple[Trace, ...]
    request_at: int | None
    reply_at: int | None
    elapsed: float
    names: Names
    topology: Topology = NO_TOPOLOGY
    tally: Any = None

    @property
    def ok(self) -> bool:
        """True if the outcome is ``delivered``."""
        return self.outcome == "delivered"

    @property
    def request(self) -> Trace | None:
        """The first packet that the sender sent (for TCP the SYN); None if none could be sent."""
        return None if self.request_at is None else self.packets[self.request_at]

    @property
    def reply(self) -> Trace | None:
        """The packet that answered it (SYN/ACK, reset, ICMP error …); None if nothing came."""
        return None if self.reply_at is None else self.packets[self.reply_at]

    def capture(self) -> list[Frame]:
        """What tcpdump on every interface would have seen, packet by packet."""
        return [frame for trace in self.packets for frame in trace.frames]

    def to_dict(self) -> dict[str, Any]:
        """This exchange as JSON-ready values (``docs/trace.schema.json``)."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "request": self.request.to_dict() if self.request else None,
            "reply": self.reply.to_dict() if self.reply else None,
            "packets": [
                {"label": t.label, "frames": [str(frame) for frame in t.frames]}
                for t in self.packets
            ],
        }

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON document; ``docs/trace.schema.json`` describes it."""
        import json

        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def to_pcap(self, path: str, device: str | None = None) -> int:
        """Writes what tcpdump would have written and returns the number of packets in it.

        With ``device`` (``"node1:eth0"``) a pcap file of that interface; without, a pcapng file
        with one interface per device. Raises ``UnknownName`` if no frame was seen there.
        """
        from k8snetlib.wire import write_pcap

        return write_pcap(path, self.capture(), device)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        # IPython would print the bare tuple; a person wants the story.
        printer.text(str(self))

    def __str__(self) -> str:
        from k8snetlib.story import exchange_story

        return exchange_story(self)
