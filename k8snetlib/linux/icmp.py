"""What lives here: ICMP (RFC 792) as the kernel sends and answers it.

Errors go to the *source* of the packet that caused them, quote its beginning, and come from the
address that the way back to that source has here. Three things never cause an error: another
ICMP error, a fragment that is not the first, and a broadcast.

Simplified here: no rate limit; options are not quoted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from k8snetlib.address import number
from k8snetlib.linux.conntrack import Seen
from k8snetlib.linux.netns import Device
from k8snetlib.packet import (
    ECHO_REPLY,
    PROTO_ICMP,
    REDIRECT,
    Icmp,
    IPv4,
    Packet,
    Slice,
    stack_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.stack import Visit

#: An ICMP error is at most 576 bytes long (RFC 1812 §4.3.2.3), headers included.
MOST_QUOTED = 576 - 28

_INTERNET_CONTROL = 0xC0


def send_error(
    visit: Visit,
    device: Device | None,
    packet: Packet,
    kind: int,
    code: int,
    rest: int = 0,
    cause: str = "",
) -> None:
    """Tells the sender of ``packet`` what went wrong; ``device`` is where the packet came in."""
    ns = visit.ns
    ip = cast(IPv4, packet.headers[0])
    transport = packet.headers[1] if len(packet.headers) > 1 else None
    if ip.offset or (type(transport) is Icmp and transport.is_error):
        return
    if type(transport) is Icmp and _still_sending(visit):
        return  # icmp_xmit_lock: while this kernel sends an ICMP message, it begins no other
    if device is not None and device.name in ns.devices and ns.is_broadcast(ip.dst, device.name):
        return
    source = _source(visit, ip)
    if source is None:
        why = "the ICMP error cannot be sent: this host has no route back to {}"
        visit.step("icmp", "drop", "", packet, why, (ip.src,))
        return
    quote = Slice(packet, 0, min(packet.length, MOST_QUOTED))
    header = IPv4(source, ip.src, PROTO_ICMP, id=ns.next_ip_id(), tos=_INTERNET_CONTROL)
    error = stack_of((header, Icmp(kind, code, rest)), quote)
    flight = visit.network.begin(ns, emit, error, cause=cause)
    seen = visit.seen
    if seen is not None and seen.conn is not None:  # icmp_glue_bits: it inherits the connection
        conn = seen.conn
        if kind == REDIRECT and ns.ruleset.translates:
            conn = conn.copy()  # it goes at once, when the packet has not met POSTROUTING yet
        flight.seen = Seen(conn, "RELATED", not seen.reply)


def _still_sending(visit: Visit) -> bool:
    """True on the way out of a message that the kernel itself began (until lo turns it round)."""
    return visit.steps[0].stage == "icmp" and all(s.stage != "receive" for s in visit.steps)


def _source(visit: Visit, ip: IPv4) -> str | None:
    """The address an error comes from: the one that was meant, if it is ours; else the address of
    the route back to the sender."""
    ns = visit.ns
    if ns.is_local(ip.dst):
        return ip.dst
    if ns.is_local(ip.src):
        return ip.src
    back = ns.routes.lookup(ip.src)
    return ns.source_for(back) if back else None


def emit(visit: Visit, packet: Packet) -> None:
    """The kernel sends an ICMP message of its own."""
    ip, message = cast(IPv4, packet.headers[0]), cast(Icmp, packet.headers[1])
    if message.is_error:
        why = "the kernel reports the error to {}, quoting the packet; its own address here is {}"
    else:
        why = "the kernel answers {} itself, from {}: no process is needed for a ping"
    visit.step("icmp", "pass", "", packet, why, (ip.dst, ip.src))
    visit.originate(packet)


#: Redirects to one sender: at most this many, each twice as late as the one before (seconds).
REDIRECTS, REDIRECT_LOAD = 9, 0.02


def send_redirect(visit: Visit, device: Device, packet: Packet, gateway: str) -> None:
    """The packet leaves by the device it came in by: its sender could have gone to ``gateway``
    itself, and is told so (RFC 792), unless it was told a moment ago. Only a sender on this very
    link is told: from behind a router nobody could go there (fib_validate_source)."""
    ns, now = visit.ns, visit.network.now
    if not ns.sysctls["net.ipv4.conf.all.send_redirects"]:
        return
    src = cast(IPv4, packet.headers[0]).src
    back = ns.routes.lookup(src)
    if back is None or back.via or back.dev != device.name:
        return
    count, last = ns.redirects.get(src, (0, -1e9))
    if now - last > REDIRECT_LOAD * 2**10:
        count = 0
    if count >= REDIRECTS:
        ns.redirects[src] = (count, now)  # whoever goes on regardless prolongs the silence
        return
    if count and now - last < REDIRECT_LOAD * 2**count:
        return
    ns.redirects[src] = (count + 1, now)
    send_error(visit, device, packet, REDIRECT, 1, number(gateway))


def emit_reset(visit: Visit, packet: Packet) -> None:
    """A firewall rule answers with a TCP reset."""
    ip = cast(IPv4, packet.headers[0])
    why = "a rule answers with a reset to {}, in the name of {}"
    visit.step("icmp", "pass", "", packet, why, (ip.dst, ip.src))
    visit.originate(packet)


def emit_bridged_reset(visit: Visit, port: Device, frame: Packet) -> None:
    """A firewall rule answers a frame that came by a bridge: out of the port it came in by."""
    ip = frame.ip
    why = "a rule answers with a reset to {}, in the name of {}, and past the other rules"
    visit.step("icmp", "pass", port.name, frame, why, (ip.dst, ip.src))
    visit.transmit(port, frame)


def echo(visit: Visit, device: Device, packet: Packet) -> None:
    """An echo request has arrived: the kernel answers with the same bytes."""
    ns = visit.ns
    ip, request = cast(IPv4, packet.headers[0]), cast(Icmp, packet.headers[1])
    if ns.sysctls["net.ipv4.icmp_echo_ignore_all"]:
        why = "an echo request, but net.ipv4.icmp_echo_ignore_all is 1"
        visit.step("icmp", "drop", device.name, packet, why)
        return
    why = "an echo request for {}: the kernel itself will answer"
    visit.step("icmp", "deliver", device.name, packet, why, (ip.dst,))
    header = IPv4(
        ip.dst, ip.src, PROTO_ICMP, ns.sysctls["net.ipv4.ip_default_ttl"], ns.next_ip_id()
    )
    reply = stack_of((header, Icmp(ECHO_REPLY, 0, request.rest)), packet.payload)
    visit.network.begin(ns, emit, reply)
