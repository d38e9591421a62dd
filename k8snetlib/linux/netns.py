"""What lives here: the state of one network namespace, and nothing that happens in it.

A network namespace owns devices, routes, neighbours, forwarding databases of its bridges, sockets
and sysctls. All entries are immutable values in dictionaries, so a copy of a whole cluster is a few
dictionary copies. What happens to packets is in ``stack``, ``bridge``, ``neighbour``, ``sockets``.

A pod *is* such a namespace: its pause container created it and holds it open; every other
container of the pod joined it (``containers`` names them).

Simplified here: one primary address and any number of others per device, no multicast groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from k8snetlib.address import ZERO_MAC, Prefix, mask, number, parse_ip
from k8snetlib.errors import K8sNetError, unknown_name
from k8snetlib.linux.conntrack import Table
from k8snetlib.linux.ipset import IpSet
from k8snetlib.linux.ipvs.table import Ipvs
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.linux.route import Route, RouteTable

if TYPE_CHECKING:
    from k8snetlib.linux.network import Network
    from k8snetlib.linux.service import Service
    from k8snetlib.linux.sockets import Listener, TcpSocket, UdpSocket


class Address(NamedTuple):
    """An IPv4 address on a device, with the prefix length of its subnet."""

    ip: str
    length: int

    @property
    def subnet(self) -> Prefix:
        """The subnet that the address makes directly reachable."""
        return Prefix.parse(f"{self.ip}/{self.length}", host_bits=True)

    def __str__(self) -> str:
        return f"{self.ip}/{self.length}"


class VxlanConfig(NamedTuple):
    """What makes a VXLAN device: network identifier, the local tunnel address, the UDP port."""

    vni: int
    local: str
    port: int


class Device(NamedTuple):
    """A network device. ``kind`` is lo, veth, bridge, tun, vxlan or dummy; ``peer`` is the other
    end of a veth pair as (namespace, device); ``master`` is the bridge it is a port of; ``owner``
    is the process that holds a TUN device open; ``mtu`` in bytes."""

    name: str
    kind: str
    mac: str = ZERO_MAC
    mtu: int = 1500
    up: bool = True
    addresses: tuple[Address, ...] = ()
    master: str | None = None
    peer: tuple[str, str] | None = None
    hairpin: bool = False
    owner: str | None = None
    vxlan: VxlanConfig | None = None
    ifindex: int = 0


class Neighbour(NamedTuple):
    """One line of ``ip neigh``: an IPv4 neighbour on a device, its MAC address, and how sure the
    kernel is of it. ``updated`` is the model time, in seconds, of the last confirmation."""

    ip: str
    dev: str
    mac: str | None
    state: str
    updated: float = 0.0

    def __str__(self) -> str:
        lladdr = f" lladdr {self.mac}" if self.mac else ""
        return f"{self.ip} dev {self.dev}{lladdr} {self.state}"


class FdbEntry(NamedTuple):
    """One line of ``bridge fdb``: behind which port a MAC address was last seen (seconds on the
    model's clock), or that it is the bridge's or a port's own."""

    mac: str
    port: str
    bridge: str
    updated: float = 0.0
    local: bool = False

    def __str__(self) -> str:
        return f"{self.mac} dev {self.port} master {self.bridge}" + (
            " permanent" if self.local else ""
        )


#: The settings that a namespace starts with here (a default machine's, but see each cluster).
DEFAULT_SYSCTLS: dict[str, int] = {
    "net.ipv4.ip_forward": 0,
    "net.ipv4.ip_default_ttl": 64,
    "net.ipv4.icmp_echo_ignore_all": 0,
    "net.ipv4.conf.all.accept_local": 0,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 1,
    "net.ipv4.conf.all.route_localnet": 0,
    "net.ipv4.neigh.default.mcast_solicit": 3,
    "net.ipv4.neigh.default.gc_stale_time": 60,
    "net.ipv4.neigh.default.base_reachable_time_ms": 30_000,
    "net.ipv4.neigh.default.retrans_time_ms": 1000,
    "net.bridge.bridge-nf-call-iptables": 0,
}

BRIDGE_AGEING = 300.0


class Netns:
    """The network state of one kernel view: a node, a pod, a router, a switch.

    Parameters: ``name`` as people write it; ``role`` is node, pod, switch, router or host.
    ``services`` are the machine's systemd units; ``files`` the few files that daemons leave for
    each other (path -> text); ``watchers`` are called, by name, when a device or an address
    changed.
    ``open_ended``: it was read from a real machine's dumps, which tell nothing of its processes.
    """

    __slots__ = (
        "_ip_id",
        "_pid",
        "arp_queue",
        "broadcasts",
        "commands",
        "conntrack",
        "containers",
        "devices",
        "fdb",
        "files",
        "fragments",
        "ipsets",
        "ipvs",
        "listeners",
        "local",
        "name",
        "neighbours",
        "network",
        "open_ended",
        "pings",
        "pmtu",
        "ports",
        "processes",
        "recent",
        "redirects",
        "role",
        "routes",
        "ruleset",
        "services",
        "sysctls",
        "tcp",
        "udp",
        "vxlan_fdb",
        "watchers",
    )

    def __init__(self, name: str, role: str = "host") -> None:
        self.name = name
        self.role = role
        self.open_ended = False
        self.devices: dict[str, Device] = {}
        self.routes = RouteTable()
        self.neighbours: dict[tuple[str, str], Neighbour] = {}
        self.arp_queue: dict[tuple[str, str], list[Any]] = {}
        self.fdb: dict[tuple[str, str], FdbEntry] = {}
        self.ports: dict[str, tuple[str, ...]] = {}
        self.vxlan_fdb: dict[tuple[str, str], str] = {}
        self.local: dict[str, str] = {}
        self.broadcasts: set[tuple[str, str]] = set()
        self.sysctls: dict[str, int] = dict(DEFAULT_SYSCTLS)
        self.listeners: dict[tuple[str, str, int], Listener] = {}
        self.tcp: dict[tuple[str, int, str, int], TcpSocket] = {}
        self.udp: dict[tuple[str, int], UdpSocket] = {}
        self.pings: dict[tuple[str, int], UdpSocket] = {}
        self.processes: dict[str, Any] = {}
        self.services: dict[str, Service] = {}
        self.files: dict[str, str] = {}
        self.watchers: dict[str, Callable[[], None]] = {}
        #: What can be typed here besides the tools of ``tools.TOOLS``: of a program that belongs to
        #: a room further on. Called with the namespace it is typed in, so a clone has its own.
        self.commands: dict[str, Callable[[Netns, list[str], str], str]] = {}
        self.ruleset = Ruleset()
        self.conntrack = Table()
        self.recent: dict[str, dict[int, tuple[float, ...]]] = {}
        self.ipsets: dict[str, IpSet] = {}
        self.ipvs = Ipvs(self.ruleset)
        self.fragments: dict[tuple[str, str, int, int], tuple[float, list[Any]]] = {}
        self.pmtu: dict[str, tuple[int, float]] = {}
        self.redirects: dict[str, tuple[int, float]] = {}
        self.containers: tuple[str, ...] = ()
        self.network: Network | None = None
        self._ip_id = 0
        self._pid = 700
        self.add_device(Device("lo", "lo", mtu=65536))
        self.add_address("lo", "127.0.0.1/8")

    def __repr__(self) -> str:
        return f"<Netns {self.name} ({self.role})>"

    def _changed(self) -> None:
        if self.network is not None:
            self.network.forget_names()
        for watcher in tuple(self.watchers.values()):
            watcher()

    def sh(self, command: str, stdin: str = "") -> str:
        """Types a command in this namespace and returns what the real tool would print.

        ``stdin`` is the text that a tool like ``iptables-restore`` reads.

        Raises ``BadCommand`` for a command or option that is not modelled; it says what is.
        """
        from k8snetlib.linux.tools import run

        return run(self, command, stdin)

    # -- devices and addresses ------------------------------------------------------------------

    def add_device(self, device: Device) -> Device:
        """Adds a device; raises ``K8sNetError`` if the name is taken."""
        if device.name in self.devices:
            raise K8sNetError(f"{self.name} already has a device called {device.name}.")
        device = device._replace(
            ifindex=max((d.ifindex for d in self.devices.values()), default=0) + 1
        )
        self.devices[device.name] = device
        self._changed()
        return device

    def device(self, name: str) -> Device:
        """The device of that name; raises ``UnknownName`` with the nearest names."""
        try:
            return self.devices[name]
        except KeyError:
            raise unknown_name(f"device in {self.name}", name, self.devices) from None

    def update_device(self, name: str, **changes: Any) -> Device:
        """Replaces fields of a device. A device that goes down loses its routes and neighbours."""
        device = self.device(name)._replace(**changes)
        self.devices[name] = device
        self._changed()
        if changes.get("up") is False:
            self._forget_device(name, addresses=False)
        elif changes.get("up") is True:
            for address in device.addresses:
                self._add_connected_route(name, address)
        return device

    def remove_device(self, name: str) -> None:
        """Removes a device with its addresses, routes, neighbours and bridge ports; one end of a
        veth pair takes the other along."""
        device = self.device(name)
        if device.master:
            self.release(name)
        del self.devices[name]
        self._changed()
        self._forget_device(name, addresses=True)
        if device.peer is not None and self.network is not None:
            other = self.network.netns.get(device.peer[0])
            if other is not None and device.peer[1] in other.devices:
                other.remove_device(device.peer[1])

    def _forget_device(self, name: str, *, addresses: bool) -> None:
        for route in [r for r in self.routes if r.dev == name]:
            self.routes.remove(route)
        for key in [k for k in self.neighbours if k[0] == name]:
            del self.neighbours[key]
        if addresses:
            self.local = {ip: dev for ip, dev in self.local.items() if dev != name}
            self.broadcasts = {(dev, ip) for dev, ip in self.broadcasts if dev != name}

    def add_address(self, dev: str, text: str) -> Address:
        """``ip addr add TEXT dev DEV``: the address, and the route to its subnet."""
        ip, _, length = text.partition("/")
        address = Address(parse_ip(ip), int(length or 32))
        device = self.device(dev)
        self.devices[dev] = device._replace(addresses=(*device.addresses, address))
        self.local[ip] = dev
        if address.length < 31:
            self.broadcasts.add((dev, address.subnet.broadcast))
        self._changed()
        if device.up:
            self._add_connected_route(dev, address)
        return address

    def remove_address(self, dev: str, text: str) -> None:
        """``ip addr del TEXT dev DEV``; raises ``K8sNetError`` if it is not there."""
        device = self.device(dev)
        gone = next((a for a in device.addresses if str(a) == text), None)
        if gone is None:
            raise K8sNetError(f"{dev} in {self.name} has no address {text}.")
        left = tuple(a for a in device.addresses if a != gone)
        self.devices[dev] = device._replace(addresses=left)
        # The same address may be there once more, with another mask or on another device.
        others = [dev, *(name for name in self.devices if name != dev)]
        still = next(
            (d for d in others if gone.ip in {a.ip for a in self.devices[d].addresses}), ""
        )
        self.local.pop(gone.ip, None)
        if still:
            self.local[gone.ip] = still
        if not any(a.subnet.broadcast == gone.subnet.broadcast for a in left):
            self.broadcasts.discard((dev, gone.subnet.broadcast))
        self._changed()
        for route in [r for r in self.routes if r.dev == dev]:
            own = route.src == gone.ip and (still != dev or route.prefix == gone.subnet)
            # Without any address the device is out of the routing business altogether.
            if own or not left:
                self.routes.remove(route)

    def _add_connected_route(self, dev: str, address: Address) -> None:
        if address.length < 32 and dev != "lo":
            self.routes.add(
                Route(address.subnet, dev, src=address.ip, proto="kernel", scope="link")
            )

    # -- bridges --------------------------------------------------------------------------------

    def enslave(self, port: str, bridge: str, *, hairpin: bool = False) -> None:
        """``ip link set PORT master BRIDGE``: the device becomes a port of the bridge."""
        device = self.update_device(port, master=bridge, hairpin=hairpin)
        self.fdb[bridge, device.mac] = FdbEntry(device.mac, port, bridge, local=True)
        self.ports[bridge] = (*self.ports.get(bridge, ()), port)

    def release(self, port: str) -> None:
        """``ip link set PORT nomaster``: the bridge forgets the port and what it learned there."""
        bridge = self.device(port).master
        if bridge is None:
            return
        self.update_device(port, master=None, hairpin=False)
        self.ports[bridge] = tuple(p for p in self.ports[bridge] if p != port)
        for key in [k for k, e in self.fdb.items() if e.port == port]:
            del self.fdb[key]

    # -- addresses of this host -----------------------------------------------------------------

    def is_local(self, ip: str) -> bool:
        """True if a packet to this address is for this host (the kernel's ``local`` table)."""
        return ip in self.local or ip.startswith("127.")

    def is_broadcast(self, ip: str, dev: str) -> bool:
        """True if ``ip`` is the limited broadcast or the broadcast address of a subnet on dev."""
        return ip == "255.255.255.255" or (dev, ip) in self.broadcasts

    def source_for(self, route: Route) -> str | None:
        """The source address for a packet that leaves by this route (ip-route(8), ``src``).

        The route's preferred source; else the device's address in the next hop's subnet; else the
        device's first address; else any address of the host that is not a loopback address.
        """
        if route.src:
            return route.src
        addresses = self.devices[route.dev].addresses if route.dev in self.devices else ()
        towards = number(route.via) if route.via else route.prefix.net
        for ip, length in addresses:
            if length < 32 and not (towards ^ number(ip)) & mask(length):
                return ip
        if addresses:
            return addresses[0].ip
        return next((ip for ip in self.local if not ip.startswith("127.")), None)

    def next_ip_id(self) -> int:
        """The next IP identification this host puts on a packet of its own."""
        self._ip_id = (self._ip_id + 1) & 0xFFFF
        return self._ip_id

    def next_pid(self) -> int:
        """The number of the next process."""
        self._pid += 11
        return self._pid

    # -- copies ---------------------------------------------------------------------------------

    def clone(self) -> Netns:
        """An independent copy of this namespace; the immutable entries are shared."""
        other = object.__new__(Netns)
        other.name, other.role, other.containers = self.name, self.role, self.containers
        other.network, other.open_ended = None, self.open_ended
        other.devices = dict(self.devices)
        other.routes = self.routes.clone()
        other.neighbours = dict(self.neighbours)
        other.arp_queue = {}
        other.fdb = dict(self.fdb)
        other.ports = dict(self.ports)
        other.vxlan_fdb = dict(self.vxlan_fdb)
        other.local = dict(self.local)
        other.broadcasts = set(self.broadcasts)
        other.sysctls = dict(self.sysctls)
        other.listeners = dict(self.listeners)
        other.tcp = dict(self.tcp)
        other.udp = dict(self.udp)
        other.pings = dict(self.pings)
        other.commands = dict(self.commands)
        other.processes = {name: process.clone() for name, process in self.processes.items()}
        other.services = {}  # they take themselves along: see Network.clone
        other.files = dict(self.files)
        other.watchers = {}
        other.ruleset = self.ruleset.clone()
        other.ipvs = self.ipvs.clone(other.ruleset)
        other.conntrack = self.conntrack.clone()
        other.recent = {name: dict(seen) for name, seen in self.recent.items()}
        other.ipsets = dict(self.ipsets)
        other.fragments = {}
        other.pmtu = dict(self.pmtu)
        other.redirects = dict(self.redirects)
        other._ip_id, other._pid = self._ip_id, self._pid
        return other
