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

Simplified here: where the other end of a veth pair has a smaller MTU, a frame too long for it is
gone without a word (Linux tells a sender on this very device: no buffer space available).

Sources: RFC 1812 (routers), RFC 1122 (hosts), ip-sysctl; is_skb_forwardable() of net/core/dev.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from k8snetlib.address import ZERO_MAC, Prefix
from k8snetlib.linux import bridge, icmp, neighbour, sockets, vxlan
from k8snetlib.linux.fragment import Resume, gather, split
from k8snetlib.linux.netfilter.hooks import run_hook
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.route import Route
from k8snetlib.packet import (
    FRAG_NEEDED,
    NET_UNREACHABLE,
    TIME_EXCEEDED,
    UNREACHABLE,
    Arp,
    Ethernet,
    Header,
    IPv4,
    Packet,
    stack_of,
)
from k8snetlib.trace import Frame, Step

if TYPE_CHECKING:
    from k8snetlib.linux.conntrack import Seen
    from k8snetlib.linux.network import Flight, Network

_new = tuple.__new__
_LO_ETHERNET = Ethernet(ZERO_MAC, ZERO_MAC)


class Visit:
    """One packet's stay in one network namespace.

    ``device`` is where it came in (empty: it begins here); ``mark`` is the packet's mark, which
    this kernel gave it and which no other kernel will see; ``balanced``: IPVS has done its work.
    """

    __slots__ = (
        "balanced", "device", "evaluated", "flight", "longest", "mark", "network", "ns", "pieces",
        "seen", "steps", "through_bridge", "todo",
    )  # fmt: skip

    def __init__(self, network: Network, ns: Netns, device: str, flight: Flight) -> None:
        self.network = network
        self.ns = ns
        self.device = device
        self.flight = flight
        self.mark = 0
        self.seen: Seen | None = None
        self.evaluated = 0
        self.balanced = False
        self.through_bridge: tuple[Device, Ethernet] | None = None
        self.longest = 0
        self.pieces: dict[int, Visit] = {}
        self.steps: list[Step] = []
        self.todo: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        flight.visits.append(self)

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
        rules: tuple[Any, ...] = (),
    ) -> None:
        """Records what a box decided."""
        fields = (stage, verdict, device, packet, why, args, by, before, rules)
        self.steps.append(_new(Step, fields))

    def new_buffer(self) -> None:
        """The packet goes to a process; what comes back is a new one: no mark, no connection."""
        self.mark, self.seen, self.longest, self.pieces = 0, None, 0, {}
        self.balanced = False

    def hook(
        self,
        hook: str,
        packet: Packet,
        in_dev: str,
        out_dev: str,
        ports: tuple[str, str] = ("", ""),
    ) -> Packet | None:
        """Takes the packet through a netfilter hook; None: it ends here."""
        ruleset = self.ns.ruleset
        if not ruleset.tables and ruleset.nft is None and not ruleset.ipvs:
            return packet
        return run_hook(self, hook, packet, in_dev, out_dev, ports)

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
            self._link_in(device, frame)
        else:
            why = "{} is a port of {}: the bridge gets the frame, not the IP stack"
            self.step("receive", "pass", name, frame, why, (name, device.master), device)
            self._from_port(device, frame)

    def _from_port(self, port: Device, frame: Packet) -> None:
        upwards = bridge.frame_in(self, port, frame)
        if upwards is None:
            return
        device = self.ns.devices[str(port.master)]
        self._seen(device.name, "in", upwards)
        self.longest = 0  # ip_rcv() clears what br_netfilter noted
        why = "the bridge hands the frame to its own host, as if {} had received it"
        self.step("receive", "pass", device.name, upwards, why, (device.name,))
        self._link_in(device, upwards, bridged=self.through_bridge is not None)

    def bridged_whole(self, port: Device, ethernet: Header, packet: Packet) -> None:
        """A packet that came to a bridge in pieces goes on as one."""
        self._from_port(port, stack_of((ethernet, *packet.headers), packet.payload))

    def _link_in(self, device: Device, frame: Packet, *, bridged: bool = False) -> None:
        headers = frame.headers
        ethernet = headers[0]
        if type(ethernet) is not Ethernet:
            self.ip_receive(device, frame)
        elif type(headers[1]) is Arp:
            neighbour.arp_in(self, device, frame)
        elif ethernet.dst in (device.mac, "ff:ff:ff:ff:ff:ff") or device.kind == "lo":
            packet = stack_of(headers[1:], frame.payload)
            self.ip_receive(device, packet, bridged=bridged)
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
        if device.kind == "veth" and device.peer is None:
            why = "leaves {} by {}; what is at the other end of the wire is not known here"
            self.step("transmit", "drop", name, frame, why, (self.ns.name, name), device)
        elif device.kind == "veth" and device.peer is not None:
            peer_ns, peer_device = device.peer
            peer = self.network.netns[peer_ns].devices.get(peer_device)
            if peer is not None and frame.ip_length > peer.mtu + bridge.VLAN_TAG:
                why = "{} bytes: {}:{} at the other end of the pair (MTU {}) takes no such frame"
                args = (frame.ip_length, peer_ns, peer_device, peer.mtu)
                self.step("transmit", "drop", name, frame, why, args, device)
                return
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
        elif device.kind == "vxlan":
            why = "leaves by {}, which is a VXLAN tunnel"
            self.step("transmit", "pass", name, frame, why, (name,), device)
            vxlan.send(self, device, frame)
        else:
            self._to_process(device, frame)

    def _to_process(self, device: Device, packet: Packet) -> None:
        name = device.name
        if device.kind == "dummy":
            why = "{} is a dummy device: it holds addresses, and swallows what leaves by it"
            self.step("transmit", "drop", name, packet, why, (name,), device)
            return
        process = self.ns.processes.get(device.owner or "")
        if process is None or not process.running:
            why = "{} is a TUN device, and no process reads it: the packet waits there for nobody"
            if self.ns.open_ended:
                why = "{} is a TUN device; which process reads what leaves by it is not known here"
            self.step("tun", "drop", name, packet, why, (name,), device)
            return
        why = "{} is a TUN device: not a wire but a process, {}, reads what leaves by it"
        self.step("tun", "pass", name, packet, why, (name, device.owner), device)
        self.new_buffer()
        self.again(process.tun_read, packet)

    def tun_write(self, name: str, packet: Packet) -> None:
        """A process writes a packet into its TUN device: for the kernel it arrives there."""
        self.frame_in(name, packet)

    # -- IP in ----------------------------------------------------------------------------------

    def ip_receive(self, device: Device, packet: Packet, *, bridged: bool = False) -> None:
        """A packet has arrived; after PREROUTING the routing decision says where it goes.

        ``bridged``: br_netfilter has taken it through PREROUTING already.
        """
        if not bridged:
            if self.ns.ruleset.tracks:
                one = gather(self, device.name, packet, lambda v, p: v.ip_receive(device, p))
                if one is None:
                    return
            after = self.hook("PREROUTING", packet, device.name, "")
            if after is None:
                return
            packet = after
        ns = self.ns
        ip = packet.headers[0]
        assert type(ip) is IPv4
        dst = ip.dst
        if self._martian(device, packet, ip):
            return
        if ns.is_local(dst):
            why = "{} is an address of this host (on {}): deliver locally"
            self.step("route", "pass", device.name, packet, why, (dst, ns.local.get(dst, "lo")))
            self._ip_local(device, packet)
        elif ns.is_broadcast(dst, device.name):
            self.step("route", "ignore", device.name, packet, "a broadcast nobody here listens to")
        elif not ns.sysctls["net.ipv4.ip_forward"]:
            why = "{} is not an address of this host, and net.ipv4.ip_forward is 0: not a router"
            self.step("route", "drop", device.name, packet, why, (dst,))
        else:
            self._route_in(device, packet, ip)

    def _martian(self, device: Device, packet: Packet, ip: IPv4) -> bool:
        if device.kind == "lo":
            return False
        localnet = self.ns.sysctls["net.ipv4.conf.all.route_localnet"]
        for address in (ip.dst, ip.src):
            if address.startswith("127.") and not localnet:
                why = "{} arrived on {}: a loopback address from outside is a martian"
                self.step("route", "drop", device.name, packet, why, (address, device.name))
                return True
        if ip.src in self.ns.local and not self.ns.sysctls["net.ipv4.conf.all.accept_local"]:
            why = "the source {} is my own address, and it arrived on {}: a martian"
            self.step("route", "drop", device.name, packet, why, (ip.src, device.name))
            return True
        return self._wrong_way(device, packet, ip)

    def _wrong_way(self, device: Device, packet: Packet, ip: IPv4) -> bool:
        """Reverse path filtering (RFC 3704): 1 strict, 2 loose; the larger of all and the device's
        own setting counts."""
        sysctls = self.ns.sysctls
        own = sysctls.get(f"net.ipv4.conf.{device.name}.rp_filter", 0)
        mode = max(sysctls["net.ipv4.conf.all.rp_filter"], own)
        if not mode or ip.src == "0.0.0.0":
            return False
        back = self.ns.routes.lookup(ip.src)
        if back is not None and (mode == 2 or back.dev == device.name):
            return False
        why = "rp_filter is {}: the way back to {} is {}, not by {}: a martian"
        way = f"by {back.dev}" if back else "unknown"
        args = (mode, ip.src, way, device.name)
        self.step("route", "drop", device.name, packet, why, args, back)
        return True

    def _ip_local(self, device: Device, packet: Packet) -> None:
        one = gather(self, device.name, packet, lambda v, p: v._ip_local(device, p))
        if one is None:
            return
        after = self.hook("INPUT", packet, device.name, "")
        if after is not None:
            sockets.deliver(self, device, after)

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
        mtu = self.ns.devices[route.dev].mtu
        if ip.df and (self.longest if self.pieces else packet.length) > mtu:
            why = "{} bytes do not fit into {} (MTU {}), and don't-fragment is set: tell the sender"
            args = (packet.length, route.dev, mtu)
            self.step("forward", "error", device.name, packet, why, args)
            icmp.send_error(self, device, packet, UNREACHABLE, FRAG_NEEDED, mtu)
            return
        if route.dev == device.name:
            icmp.send_redirect(self, device, packet, route.via or ip.dst)
        ttl = ip.ttl - 1
        lower = _new(IPv4, (*ip[:3], ttl, *ip[4:]))
        after = stack_of((lower, *packet.headers[1:]), packet.payload)
        why = "this host is a router here: TTL {} becomes {}"
        self.step("forward", "pass", route.dev, after, why, (ip.ttl, ttl), None, packet)
        filtered = self.hook("FORWARD", after, device.name, route.dev)
        if filtered is not None:
            self.ip_output(route, filtered, device.name)

    # -- IP out ---------------------------------------------------------------------------------

    def originate(self, packet: Packet) -> None:
        """A packet of this host's own: route it, ask OUTPUT, route again if that changed it."""
        route = self.route_out(packet)
        if route is None:
            return
        after = self.hook("OUTPUT", packet, "", route.dev)
        if after is None:
            return
        if after is not packet and after.ip.dst != packet.ip.dst:
            again = self.route_out(after)
            if again is None:
                return
            route = again
        self.ip_output(route, after)

    def route_out(self, packet: Packet) -> Route | None:
        """Where a packet of this host's own goes; None: nowhere."""
        ip = packet.headers[0]
        assert type(ip) is IPv4
        ns = self.ns
        if ns.is_local(ip.dst):
            why = "{} is an address of this very host: by the loopback device"
            self.step("route", "pass", "lo", packet, why, (ip.dst,))
            return _TO_MYSELF
        route = ns.routes.lookup(ip.dst)
        if route is None:
            why = "no route to {}: the packet cannot leave this host"
            self.step("route", "drop", "", packet, why, (ip.dst,))
            return None
        why = "{} matches the route '{}'"
        self.step("route", "pass", route.dev, packet, why, (ip.dst, route), route)
        return route

    def ip_output(self, route: Route, packet: Packet, in_dev: str = "") -> None:
        """The last hook; then the next hop's MAC address, if the device needs one."""
        after = self.hook("POSTROUTING", packet, "", route.dev)
        if after is None:
            return
        device = self.ns.devices[route.dev]
        if after.length > device.mtu or self.longest:
            self.in_pieces(device, after, lambda v, p: v._to_next_hop(route, p))
        else:
            self._to_next_hop(route, after)

    def in_pieces(self, device: Device, packet: Packet, send: Resume) -> None:
        """Cuts a packet that is too long for a device (or came in pieces), and sends each piece."""
        mtu = min(device.mtu, self.longest or device.mtu)
        if packet.length <= mtu:
            send(self, packet)
            return
        first, *rest = split(packet, mtu, self.pieces)
        why = "{} bytes in pieces of at most {}: {} fragments"
        args = (packet.length, mtu, 1 + len(rest))
        self.step("fragment", "pass", device.name, first, why, args, None, packet)
        former = self.pieces
        send(self, first)
        for piece in rest:
            ip = piece.headers[0]
            assert type(ip) is IPv4
            visit = former.get(ip.offset)
            if visit is None:
                visit = Visit(self.network, self.ns, "", self.network.flight(piece))
            why = "a fragment at offset {}"
            visit.step("fragment", "pass", device.name, piece, why, (ip.offset,))
            self.again(_send_piece, visit, piece, send)

    def _to_next_hop(self, route: Route, after: Packet) -> None:
        device = self.ns.devices[route.dev]
        if device.kind in ("tun", "dummy"):
            self.transmit(device, after)
        elif device.kind == "lo":
            self.transmit(device, stack_of((_LO_ETHERNET, *after.headers), after.payload))
        else:
            ip = after.headers[0]
            assert type(ip) is IPv4
            neighbour.send(self, device, route.via or ip.dst, after)


def _send_piece(first: Visit, visit: Visit, piece: Packet, send: Resume) -> None:
    send(visit, piece)
    first.again(_go_on, visit)  # what a process does with it comes after what it did with the first


def _go_on(_: Visit, visit: Visit) -> None:
    while visit.todo:
        following, args = visit.todo.pop(0)
        following(visit, *args)


_TO_MYSELF = Route(Prefix.parse("127.0.0.0/8"), "lo")

_ARRIVES = {
    "veth": "arrives on {}",
    "bridge": "arrives on {}",
    "lo": "comes back on {}",
    "tun": "the process wrote it into {}: for the kernel it arrives there, without a link header",
    "vxlan": "comes out of the tunnel on {}",
}
