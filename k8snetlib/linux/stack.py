"""What lives here: how one kernel handles one packet, box by box.

The way of a packet, as the packet-flow drawing has it::

    frame_in -> bridge ---------------------------------------------> transmit (another port)
             -> arp
             -> ip_receive -> route -> ip_local -> socket | icmp
                                    -> ip_forward -> neighbour -> transmit
    originate -> route -> neighbour -> transmit -> wire | bridge | tun | lo

A ``Visit`` is one packet's stay in one namespace: it has the record of that stay and everything
that must not leave the kernel with the packet. Each box records exactly one ``Step``, then goes on
to the next box or stops. A device never calls another device: what leaves by a wire goes to the end
of the network's queue.

Simplified here: no netfilter, no fragmentation, no path-MTU check, no ICMP redirect. Sources:
RFC 1812 (routers), RFC 1122 (hosts), ip-sysctl.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from k8snetlib.address import ZERO_MAC
from k8snetlib.linux import bridge, icmp, neighbour, sockets
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.route import Route
from k8snetlib.packet import (
    NET_UNREACHABLE,
    TIME_EXCEEDED,
    UNREACHABLE,
    Arp,
    Ethernet,
    IPv4,
    Packet,
    stack_of,
)
from k8snetlib.trace import Frame, Step

if TYPE_CHECKING:
    from k8snetlib.linux.network import Flight, Network

_new = tuple.__new__
_LO_ETHERNET = Ethernet(ZERO_MAC, ZERO_MAC)


class Visit:
    """One packet's stay in one network namespace.

    ``device`` is where it came in (empty: it begins here); ``mark`` is the packet's mark, which
    this kernel gave it and which no other kernel will see.
    """

    __slots__ = ("device", "flight", "mark", "network", "ns", "steps", "todo")

    def __init__(self, network: Network, ns: Netns, device: str, flight: Flight) -> None:
        self.network = network
        self.ns = ns
        self.device = device
        self.flight = flight
        self.mark = 0
        self.steps: list[Step] = []
        self.todo: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        flight.hops.append((ns.name, device, self.steps))

    def step(
        self,
        stage: str,
        verdict: str,
        device: str,
        packet: Packet,
        why: str,
        args: tuple[Any, ...] = (),
        by: Any = None,
        before: Packet | None = None,
    ) -> None:
        """Records what a box decided."""
        fields = (stage, verdict, device, packet, why, args, by, before, ())
        self.steps.append(_new(Step, fields))

    def again(self, box: Callable[..., None], *args: Any) -> None:
        """This packet enters another box of the same kernel when the present one is done."""
        self.todo.append((box, args))

    def _seen(self, device: str, direction: str, packet: Packet) -> None:
        network = self.network
        network.sequence += 1
        frame = (self.ns.name, device, direction, packet, network.now, self.flight.names)
        self.flight.frames.append((network.sequence, _new(Frame, frame)))

    # -- devices --------------------------------------------------------------------------------

    def frame_in(self, name: str, frame: Packet) -> None:
        """A frame arrives on a device."""
        device = self.ns.devices.get(name)
        if device is None or not device.up:
            self.step("receive", "drop", name, frame, "{} is down: nothing can come in", (name,))
            return
        self._seen(name, "in", frame)
        if device.master is None:
            self.step("receive", "pass", name, frame, _ARRIVES[device.kind], (name,))
        else:
            why = "{} is a port of {}: the bridge gets the frame, not the IP stack"
            self.step("receive", "pass", name, frame, why, (name, device.master), device)
            upwards = bridge.frame_in(self, device, frame)
            if upwards is None:
                return
            device, frame = self.ns.devices[device.master], upwards
            self._seen(device.name, "in", frame)
            why = "the bridge hands the frame to its own host, as if {} had received it"
            self.step("receive", "pass", device.name, frame, why, (device.name,))
        self._link_in(device, frame)

    def _link_in(self, device: Device, frame: Packet) -> None:
        headers = frame.headers
        ethernet = headers[0]
        if type(ethernet) is not Ethernet:
            self.ip_receive(device, frame)
        elif type(headers[1]) is Arp:
            neighbour.arp_in(self, device, frame)
        elif ethernet.dst in (device.mac, "ff:ff:ff:ff:ff:ff") or device.kind == "lo":
            self.ip_receive(device, stack_of(headers[1:], frame.payload))
        else:
            why = "the frame is for {}, and {} has {}: not for me"
            args = (ethernet.dst, device.name, device.mac)
            self.step("receive", "ignore", device.name, frame, why, args)

    def transmit(self, device: Device, frame: Packet) -> None:
        """A frame leaves by a device: to its wire, its bridge, its process, or back to itself."""
        name = device.name
        if not device.up:
            self.step("transmit", "drop", name, frame, "{} is down: nothing can leave", (name,))
            return
        self._seen(name, "out", frame)
        if device.kind == "veth":
            assert device.peer is not None
            peer_ns, peer_device = device.peer
            why = "leaves by {}; at the other end of the pair is {}:{}"
            self.step("transmit", "pass", name, frame, why, (name, peer_ns, peer_device), device)
            self.network.frame_arrives(peer_ns, peer_device, frame, self.flight)
        elif device.kind == "bridge":
            why = "leaves by {}, which is a bridge: it picks the port by the destination MAC"
            self.step("transmit", "pass", name, frame, why, (name,), device)
            bridge.send(self, device, frame)
        elif device.kind == "lo":
            self.step("transmit", "pass", name, frame, "the loopback device turns it round")
            self.again(Visit.frame_in, name, frame)
        else:
            self._to_process(device, frame)

    def _to_process(self, device: Device, packet: Packet) -> None:
        name = device.name
        process = self.ns.processes.get(device.owner or "")
        if process is None or not process.running:
            why = "{} is a TUN device, and no process reads it: the packet waits there for nobody"
            self.step("tun", "drop", name, packet, why, (name,), device)
            return
        why = "{} is a TUN device: not a wire but a process, {}, reads what leaves by it"
        self.step("tun", "pass", name, packet, why, (name, device.owner), device)
        self.mark = 0
        self.again(process.tun_read, packet)

    def tun_write(self, name: str, packet: Packet) -> None:
        """A process writes a packet into its TUN device: for the kernel it arrives there."""
        self.frame_in(name, packet)

    # -- IP in ----------------------------------------------------------------------------------

    def ip_receive(self, device: Device, packet: Packet) -> None:
        """A packet has arrived; the routing decision says whether it is for this host."""
        ns = self.ns
        ip = packet.headers[0]
        assert type(ip) is IPv4
        dst = ip.dst
        if dst.startswith("127.") and device.kind != "lo":
            why = "{} arrived on {}: a loopback address from outside is a martian"
            self.step("route", "drop", device.name, packet, why, (dst, device.name))
        elif ip.src in ns.local and device.kind != "lo":
            why = "the source {} is my own address, and it arrived on {}: a martian"
            self.step("route", "drop", device.name, packet, why, (ip.src, device.name))
        elif ns.is_local(dst):
            why = "{} is an address of this host (on {}): deliver locally"
            self.step("route", "pass", device.name, packet, why, (dst, ns.local.get(dst, "lo")))
            sockets.deliver(self, device, packet)
        elif ns.is_broadcast(dst, device.name):
            self.step("route", "ignore", device.name, packet, "a broadcast nobody here listens to")
        elif not ns.sysctls["net.ipv4.ip_forward"]:
            why = "{} is not an address of this host, and net.ipv4.ip_forward is 0: not a router"
            self.step("route", "drop", device.name, packet, why, (dst,))
        else:
            self._route_in(device, packet, ip)

    def _route_in(self, device: Device, packet: Packet, ip: IPv4) -> None:
        route = self.ns.routes.lookup(ip.dst)
        if route is None:
            why = "no route to {}: tell the sender with ICMP net unreachable"
            self.step("route", "error", device.name, packet, why, (ip.dst,))
            icmp.send_error(self, device, packet, UNREACHABLE, NET_UNREACHABLE)
            return
        why = "not for this host; {} matches the route '{}'"
        self.step("route", "pass", device.name, packet, why, (ip.dst, route), route)
        self._ip_forward(device, route, packet, ip)

    def _ip_forward(self, device: Device, route: Route, packet: Packet, ip: IPv4) -> None:
        if ip.ttl <= 1:
            why = "the TTL is {} and a router must take one: tell the sender with ICMP TTL exceeded"
            self.step("forward", "error", device.name, packet, why, (ip.ttl,))
            icmp.send_error(self, device, packet, TIME_EXCEEDED, 0)
            return
        ttl = ip.ttl - 1
        lower = _new(IPv4, (*ip[:3], ttl, *ip[4:]))
        after = stack_of((lower, *packet.headers[1:]), packet.payload)
        why = "this host is a router here: TTL {} becomes {}"
        self.step("forward", "pass", route.dev, after, why, (ip.ttl, ttl), None, packet)
        self.ip_output(route, after)

    # -- IP out ---------------------------------------------------------------------------------

    def originate(self, packet: Packet) -> None:
        """A packet of this host's own: route it and send it."""
        ip = packet.headers[0]
        assert type(ip) is IPv4
        ns = self.ns
        if ns.is_local(ip.dst):
            why = "{} is an address of this very host: by the loopback device"
            self.step("route", "pass", "lo", packet, why, (ip.dst,))
            frame = stack_of((_LO_ETHERNET, *packet.headers), packet.payload)
            self.transmit(ns.devices["lo"], frame)
            return
        route = ns.routes.lookup(ip.dst)
        if route is None:
            why = "no route to {}: the packet cannot leave this host"
            self.step("route", "drop", "", packet, why, (ip.dst,))
            return
        why = "{} matches the route '{}'"
        self.step("route", "pass", route.dev, packet, why, (ip.dst, route), route)
        self.ip_output(route, packet)

    def ip_output(self, route: Route, packet: Packet) -> None:
        """The route is known: find the next hop's MAC address, if the device needs one."""
        device = self.ns.devices[route.dev]
        if device.kind == "tun":
            self.transmit(device, packet)
        else:
            ip = packet.headers[0]
            assert type(ip) is IPv4
            neighbour.send(self, device, route.via or ip.dst, packet)


_ARRIVES = {
    "veth": "arrives on {}",
    "bridge": "arrives on {}",
    "lo": "comes back on {}",
    "tun": "the process wrote it into {}: for the kernel it arrives there, without a link header",
    "vxlan": "comes out of the tunnel on {}",
}
