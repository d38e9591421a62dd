"""What lives here: the VXLAN device, a tunnel endpoint (VTEP) inside the kernel (RFC 7348).

What leaves by it is a whole Ethernet frame. The device looks up the frame's destination MAC in its
forwarding database, which says behind which *node* that MAC is, and sends the frame there in UDP.
The source port is a hash of the inner flow, so that routers on the way can spread flows; the
checksum is left out; the don't-fragment bit is not set. On the other side the kernel's own UDP
socket takes the wrapping off, and the frame arrives on the VXLAN device as if from a wire.

The tunnel is a new start for connection tracking, but the packet's mark stays with it.

Simplified here: no learning, no multicast, no misses reported to user space; a SYN that is sent
again keeps its source port (Linux hashes it anew).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from zlib import crc32

from k8snetlib.address import number
from k8snetlib.linux.netns import Device
from k8snetlib.packet import (
    PROTO_UDP,
    Ethernet,
    IPv4,
    Packet,
    Slice,
    Tcp,
    Udp,
    Vxlan,
    stack_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.sockets import Listener
    from k8snetlib.linux.stack import Visit

#: The Linux kernel's default port; IANA's is 4789.
PORT = 8472
OVERHEAD = 50
_LOW, _SPAN = 32768, 28232


def send(visit: Visit, device: Device, frame: Packet) -> None:
    """A frame leaves by the VXLAN device: wrap it and send it to the node that has its MAC."""
    ns, name = visit.ns, device.name
    ethernet = cast(Ethernet, frame.headers[0])
    remote = ns.vxlan_fdb.get((name, ethernet.dst))
    if remote is None or device.vxlan is None:
        why = "{} has no forwarding entry for {}: the frame goes nowhere"
        visit.step("vxlan", "drop", name, frame, why, (name, ethernet.dst))
        return
    ttl = ns.sysctls["net.ipv4.ip_default_ttl"]
    outer = IPv4(device.vxlan.local, remote, PROTO_UDP, ttl, ns.next_ip_id())
    udp = Udp(source_port(frame), device.vxlan.port, checksum=False)
    wrapped = stack_of((outer, udp, Vxlan(device.vxlan.vni), *frame.headers), frame.payload)
    why = "the forwarding database of {} says {} is behind {}: wrap the frame in VXLAN {} and UDP"
    args = (name, ethernet.dst, remote, device.vxlan.vni)
    entry = f"{ethernet.dst} dev {name} dst {remote} self permanent"
    visit.step("vxlan", "pass", name, wrapped, why, args, entry, frame)
    mark = visit.mark
    visit.new_buffer()
    visit.mark = mark
    visit.again(type(visit).originate, wrapped)


def source_port(frame: Packet) -> int:
    """The outer source port: a hash of the inner flow, from 32768 to 60999.

    Both directions of a flow have one hash (``__flow_hash_consistentify``); only TCP does not: each
    socket chose a hash of its own for what it sends (``sk_txhash``).
    """
    ip = frame.headers[1]
    l4 = frame.headers[2] if len(frame.headers) > 2 else None
    if type(ip) is not IPv4:
        return _LOW
    if l4 is None and isinstance(frame.payload, Slice):
        l4 = frame.payload.packet.transport  # ip_copy_metadata: a fragment has its datagram's hash
    ports = (l4.sport, l4.dport) if isinstance(l4, Tcp | Udp) else (0, 0)
    ends = (number(ip.src), ports[0]), (number(ip.dst), ports[1])
    flow = f"{ends if type(l4) is Tcp else sorted(ends)} {ip.proto}"
    return _LOW + crc32(flow.encode()) % _SPAN


def receive(visit: Visit, listener: Listener, packet: Packet) -> None:
    """A VXLAN datagram arrived on the kernel's socket: unwrap it, and let the frame arrive."""
    headers = packet.headers
    vxlan = headers[2] if len(headers) > 2 else None
    name = cast(str, listener.tunnel)
    device = visit.ns.devices.get(name)
    known = device is not None and device.vxlan is not None
    if type(vxlan) is not Vxlan or not known or device.vxlan.vni != vxlan.vni:  # type: ignore[union-attr]
        why = "no VXLAN device here has this network identifier"
        visit.step("vxlan", "drop", name, packet, why)
        return
    frame = stack_of(headers[3:], packet.payload)
    why = "VXLAN {}: take off the outer headers; the frame arrives on {}"
    visit.step("vxlan", "pass", name, frame, why, (vxlan.vni, name), None, packet)
    mark = visit.mark
    visit.new_buffer()
    visit.mark = mark
    visit.again(type(visit).frame_in, name, frame)
