"""What lives here: the packet side of flanneld's udp backend, a proxy in user space.

flanneld opens the TUN device ``flannel0`` and a UDP socket on port 8285. What the kernel routes
into flannel0, flanneld reads; it looks up *its own* list of routes (one per node's lease: subnet ->
node address), takes one from the TTL and sends the packet as a UDP payload to that node. What comes
in by UDP, it writes into flannel0, again one less in the TTL. Nothing checks who sent it.

Habits of the real proxy, kept here: the search is linear and the entry that hit is swapped to the
front; a missing route is answered with ICMP net unreachable (TTL 8, quoting 28 bytes), never for
an ICMP packet nor for a later fragment (the answer's source is the node's own address, so the
kernel, to which it is written, drops it as a martian); a TTL that reaches 0 is dropped without a
word. When flanneld ends, its TUN device vanishes, with its address and its route, since nothing
made it persistent.

Simplified here: the control socket between flanneld's Go part and its C part; packets larger than
the read buffer. Source: flannel's pkg/backend/udp/proxy_amd64.c, udp_network_amd64.go, and
pkg/ip/tun.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, NamedTuple, cast

from k8snetlib.address import Prefix, mask, number
from k8snetlib.flannel.backend import ExternalInterface, Log
from k8snetlib.flannel.config import NetConf, backend_option
from k8snetlib.flannel.ip import FlannelError
from k8snetlib.flannel.lease import ADDED, Event, Lease, LeaseAttrs
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.route import Route
from k8snetlib.linux.sockets import Listener, listen
from k8snetlib.packet import (
    NET_UNREACHABLE,
    PROTO_ICMP,
    PROTO_UDP,
    UNREACHABLE,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Udp,
    stack_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.stack import Visit

PORT = 8285
OVERHEAD = 28
DEVICE = "flannel0"
PROCESS = "flanneld"


class ProxyRoute(NamedTuple):
    """One entry of flanneld's own list: packets for ``subnet`` go to the node at ``public_ip``."""

    subnet: Prefix
    public_ip: str

    def __str__(self) -> str:
        return f"{self.subnet} -> {self.public_ip}"


class UdpProxy:
    """flanneld's proxy loop on one node.

    Parameters: ``address`` is the interface's address, to which the socket is bound;
    ``tun_address`` is the first address of the node's lease; ``port`` is the UDP port of all nodes;
    ``routes`` lists the leases of the other nodes.
    """

    __slots__ = ("address", "network", "port", "routes", "running", "tun_address")

    def __init__(self, network: Prefix, address: str, tun_address: str, port: int = PORT) -> None:
        self.network = network
        self.address = address
        self.tun_address = tun_address
        self.port = port
        self.routes: list[ProxyRoute] = []
        self.running = False

    def clone(self) -> UdpProxy:
        """An independent copy."""
        other = UdpProxy(self.network, self.address, self.tun_address, self.port)
        other.routes, other.running = list(self.routes), self.running
        return other

    # -- life -----------------------------------------------------------------------------------

    def start(self, ns: Netns, mtu: int) -> None:
        """Opens flannel0 (MTU: the node interface's, ``mtu``, less 28 bytes) and the socket."""
        ns.processes[PROCESS] = self
        ns.add_device(Device(DEVICE, "tun", mtu=mtu - OVERHEAD, owner=PROCESS))
        ns.add_address(DEVICE, f"{self.tun_address}/32")
        ns.routes.add(Route(self.network, DEVICE, scope="link"))
        listen(ns, Listener("udp", self.address, self.port, PROCESS))
        self.running = True

    def stop(self, ns: Netns) -> None:
        """The process ends: its socket closes, and flannel0 vanishes with its route."""
        self.running = False
        ns.processes.pop(PROCESS, None)
        ns.listeners.pop(("udp", self.address, self.port), None)
        if DEVICE in ns.devices:
            ns.remove_device(DEVICE)

    # -- flanneld's own routes ------------------------------------------------------------------

    def set_route(self, subnet: Prefix, public_ip: str) -> None:
        """A lease appeared or changed: packets for ``subnet`` go to ``public_ip``."""
        entry = ProxyRoute(subnet, public_ip)
        for at, route in enumerate(self.routes):
            if route.subnet == subnet:
                self.routes[at] = entry
                return
        self.routes.append(entry)

    def del_route(self, subnet: Prefix) -> None:
        """A lease is gone; the last entry takes its place in the list."""
        for at, route in enumerate(self.routes):
            if route.subnet == subnet:
                self.routes[at] = self.routes[-1]
                del self.routes[-1]
                return

    def find_route(self, dst: str) -> ProxyRoute | None:
        """The first entry that contains ``dst``; it is swapped to the front of the list."""
        value = number(dst)
        for at, route in enumerate(self.routes):
            subnet = route.subnet
            if value & mask(subnet.length) == subnet.net:
                self.routes[0], self.routes[at] = route, self.routes[0]
                return route
        return None

    # -- packets --------------------------------------------------------------------------------

    def tun_read(self, visit: Visit, packet: Packet) -> None:
        """Kernel -> flannel0 -> flanneld -> UDP."""
        ip = cast(IPv4, packet.headers[0])
        route = self.find_route(ip.dst)
        if route is None:
            why = "none of flanneld's routes contains {}"
            verdict = "error" if self._may_report(packet) else "drop"
            visit.step("flanneld", verdict, DEVICE, packet, why, (ip.dst,))
            if verdict == "error":
                self._net_unreachable(visit, packet, ip)
            return
        if ip.ttl <= 1:
            why = "flanneld takes one from the TTL, and it reaches 0: dropped without a word"
            visit.step("flanneld", "drop", DEVICE, packet, why, (), route)
            return
        inner = (ip._replace(ttl=ip.ttl - 1), *packet.headers[1:])
        node_ttl = visit.ns.sysctls["net.ipv4.ip_default_ttl"]
        outer = IPv4(self.address, route.public_ip, PROTO_UDP, node_ttl, 0, True)
        wrapped = stack_of((outer, Udp(self.port, self.port), *inner), packet.payload)
        why = (
            "{} is in {}, which the lease gives to {}: TTL {} becomes {}, wrap it in UDP to port {}"
        )
        args = (ip.dst, route.subnet, route.public_ip, ip.ttl, ip.ttl - 1, self.port)
        visit.step("flanneld", "pass", DEVICE, wrapped, why, args, route, packet)
        visit.again(type(visit).originate, wrapped)

    def datagram(self, visit: Visit, packet: Packet) -> None:
        """UDP -> flanneld -> flannel0 -> kernel."""
        headers = packet.headers
        if len(headers) < 3:
            why = "flanneld expects an IP packet as UDP payload, and this is none"
            visit.step("flanneld", "drop", DEVICE, packet, why)
            return
        inner = cast(IPv4, headers[2])
        if inner.ttl <= 1:
            why = "flanneld takes one from the TTL, and it reaches 0: dropped without a word"
            visit.step("flanneld", "drop", DEVICE, packet, why)
            return
        ttl = inner.ttl - 1
        bare = stack_of((inner._replace(ttl=ttl), *headers[3:]), packet.payload)
        why = "flanneld takes off the outer IP and UDP headers; TTL {} becomes {}; write it to {}"
        args = (inner.ttl, ttl, DEVICE)
        visit.step("flanneld", "pass", DEVICE, bare, why, args, None, packet)
        visit.again(type(visit).tun_write, DEVICE, bare)

    def _may_report(self, packet: Packet) -> bool:
        ip = cast(IPv4, packet.headers[0])
        return ip.proto != PROTO_ICMP and not ip.offset

    def _net_unreachable(self, visit: Visit, packet: Packet, ip: IPv4) -> None:
        quote = Slice(packet, 0, 28)
        header = IPv4(self.tun_address, ip.src, PROTO_ICMP, ttl=8)
        error = stack_of((header, Icmp(UNREACHABLE, NET_UNREACHABLE)), quote)
        visit.network.begin(visit.ns, _report, error)


def _report(visit: Visit, packet: Packet) -> None:
    ip = cast(IPv4, packet.headers[0])
    why = "flanneld itself writes ICMP net unreachable for {} into {}"
    visit.step("flanneld", "pass", DEVICE, packet, why, (ip.dst, DEVICE))
    visit.again(type(visit).tun_write, DEVICE, packet)


class UdpBackend:
    """The backend ``udp``: keeps the proxy's list of routes. Option: ``Port``."""

    period = inf

    def __init__(self, ns: Netns, conf: NetConf, iface: ExternalInterface, log: Log) -> None:
        self.ns, self.conf, self.iface, self.log = ns, conf, iface, log
        self.port = backend_option(conf, "Port", PORT)

    @property
    def mtu(self) -> int:
        """The node interface's, less 20 bytes IP header and 8 bytes UDP header."""
        return self.iface.mtu - OVERHEAD

    def attrs(self) -> LeaseAttrs:
        """Nothing but the address: a lease without a type is one of the udp backend."""
        return LeaseAttrs(self.iface.public)

    def start(self, lease: Lease) -> None:
        """Opens flannel0 and the socket."""
        ns, address = self.ns, self.iface.address
        if ("udp", address, self.port) in ns.listeners:
            raise FlannelError(
                f"failed to start listening on UDP socket: listen udp4 {address}:{self.port}: "
                "bind: address already in use"
            )
        network = self.conf.network
        assert network is not None
        proxy = UdpProxy(network, address, lease.subnet.network, self.port)
        proxy.start(ns, self.iface.mtu)
        self.log("I", "udp_network_amd64.go", "Watching for new subnet leases")

    def handle(self, events: Iterable[Event]) -> None:
        """One route in the proxy's own list for each lease, of whatever type."""
        proxy = self.ns.processes.get(PROCESS)
        if not isinstance(proxy, UdpProxy):
            return
        for event in events:
            subnet = event.lease.subnet
            if event.type == ADDED:
                self.log("I", "udp_network_amd64.go", f"Subnet added: {subnet}")
                proxy.set_route(subnet, event.lease.attrs.public_ip)
            else:
                self.log("I", "udp_network_amd64.go", f"Subnet removed: {subnet}")
                proxy.del_route(subnet)

    def missing(self) -> bool:
        """The proxy keeps nothing in the kernel that it looks after."""
        return False

    def mend(self) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """flannel0 and the socket go with the process."""
        proxy = self.ns.processes.get(PROCESS)
        if isinstance(proxy, UdpProxy):
            proxy.stop(self.ns)

    def clone(self, ns: Netns, log: Log) -> UdpBackend:
        """The same backend in a copy of the namespace (which has a copy of the proxy)."""
        return UdpBackend(ns, self.conf, self.iface, log)
