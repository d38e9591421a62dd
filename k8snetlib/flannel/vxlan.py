"""What lives here: flannel's vxlan backend: a lease in, three kernel entries out.

flanneld makes the device ``flannel.1`` and, for every other node's lease, writes (in this order) a
permanent neighbour, a forwarding entry and a route. Then it only watches: packets never pass
through it. The peer's MAC comes from its lease (``BackendData``: ``{"VNI":1,"VtepMAC":"…"}``).

With ``DirectRouting`` a peer to which the kernel has a route without a gateway gets one plain route
by its own address, as host-gw does. Leases of other backends are passed over.

When flanneld ends, all of this stays, and the overlay goes on. When it starts again, a device of
the same configuration is taken over with its MAC; what came or went meanwhile is only added: the
entries of a node that has gone stay.

Simplified here: ``GBP`` and ``Learning`` are read and change nothing; the device's MAC is random
only where no earlier subnet is known (else it is derived from that subnet's address). A device that
vanished is made anew within five seconds. Source: flannel's pkg/backend/vxlan.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from random import Random
from typing import NamedTuple

from k8snetlib.address import Prefix, ip_text, mac_for, parse_mac
from k8snetlib.errors import BadAddress
from k8snetlib.flannel.backend import ExternalInterface, Log
from k8snetlib.flannel.config import NetConf, backend_option
from k8snetlib.flannel.ip import FlannelError
from k8snetlib.flannel.lease import ADDED, Event, Lease, LeaseAttrs
from k8snetlib.linux.netns import Device, Neighbour, Netns, VxlanConfig
from k8snetlib.linux.route import Route
from k8snetlib.linux.sockets import Listener, listen
from k8snetlib.linux.vxlan import OVERHEAD, PORT

TYPE = "vxlan"
VNI = 1
DEVICE = f"flannel.{VNI}"
SOCKET = "the kernel's VXLAN socket"
_SOURCE = "vxlan_network.go"


class Entries(NamedTuple):
    """What one peer's lease puts into the kernel, but for the node's address. Every node writes
    the same, so they share it."""

    neighbour: Neighbour
    mac: str
    route: Route


@lru_cache(8192)
def entries(subnet: Prefix, mac: str, device: str) -> Entries:
    """The three entries of a lease."""
    gateway = subnet.network
    neighbour = Neighbour(gateway, device, mac, "PERMANENT")
    return Entries(neighbour, mac, Route(subnet, device, via=gateway, onlink=True))


@lru_cache(8192)
def vtep_mac(backend_data: str) -> str:
    """The peer's MAC from its lease; raises ``FlannelError``."""
    import json

    try:
        return parse_mac(json.loads(backend_data)["VtepMAC"])
    except (ValueError, KeyError, TypeError, BadAddress):
        raise FlannelError("error parsing hardware addr") from None


class VxlanBackend:
    """The backend ``vxlan``. Options: ``VNI``, ``Port`` (0: the kernel's 8472), ``MTU`` (of the
    interface below, in bytes), ``DirectRouting``.

    Parameters: ``random`` draws a MAC; ``previous`` is the subnet that the node had before.
    """

    period = 5.0

    def __init__(
        self, ns: Netns, conf: NetConf, iface: ExternalInterface, log: Log, random: Random,
        previous: Prefix | None = None,
    ) -> None:  # fmt: skip
        self.ns, self.conf, self.iface, self.log, self.random = ns, conf, iface, log, random
        self.previous = previous
        self.vni = backend_option(conf, "VNI", VNI)
        port = backend_option(conf, "Port", 0)
        gbp, learning = (backend_option(conf, name, False) for name in ("GBP", "Learning"))
        self.direct_routing = backend_option(conf, "DirectRouting", False)
        self.outer_mtu = backend_option(conf, "MTU", 0) or iface.mtu
        self.port = port or PORT
        self.device = f"flannel.{self.vni}"
        self.peers: dict[Prefix, Lease] = {}
        self.lease: Lease | None = None
        self._said = (
            f"VXLAN config: VNI={self.vni} Port={port} GBP={_go(gbp)} Learning={_go(learning)} "
            f"DirectRouting={_go(self.direct_routing)}"
        )

    @property
    def mtu(self) -> int:
        """The node interface's, less 50 bytes: inner Ethernet, VXLAN, UDP and IP headers."""
        return self.outer_mtu - OVERHEAD

    # -- the device -----------------------------------------------------------------------------

    def attrs(self) -> LeaseAttrs:
        """Makes the device, or takes over the one that is there; its MAC goes into the lease."""
        self.log("I", "vxlan.go", self._said)
        mac = self._ensure_device()
        data = f'{{"VNI":{self.vni},"VtepMAC":"{mac}"}}'
        return LeaseAttrs(self.iface.public, None, TYPE, data)

    def _ensure_device(self) -> str:
        ns, name = self.ns, self.device
        config = VxlanConfig(self.vni, self.iface.address, self.port)
        there = ns.devices.get(name)
        if there is not None and there.vxlan != config:
            text = f'"{name}" already exists with incompatible configuration'
            why = _differs(there, config)
            self.log("W", "device.go", f"{text}: {why}; recreating device")
            self._remove_device(there)
            there = None
        if there is not None:
            return there.mac
        if self.previous is not None:
            mac = mac_for("0e:f1", self.previous.network)
        else:
            mac = mac_for("0e:f1", ip_text(self.random.getrandbits(32)))
        ns.add_device(Device(name, "vxlan", mac, self.mtu, up=False, vxlan=config))
        if ("udp", "0.0.0.0", self.port) not in ns.listeners:
            listen(ns, Listener("udp", "0.0.0.0", self.port, SOCKET, tunnel=name))
        return mac

    def _remove_device(self, device: Device) -> None:
        ns = self.ns
        ns.remove_device(device.name)
        if device.vxlan is not None:
            ns.listeners.pop(("udp", "0.0.0.0", device.vxlan.port), None)
        for key in [key for key in ns.vxlan_fdb if key[0] == device.name]:
            del ns.vxlan_fdb[key]

    def start(self, lease: Lease) -> None:
        """Gives the device the lease's first address, as a /32, and no other of the network."""
        self.lease = lease
        ns, name, network = self.ns, self.device, self.conf.network
        wanted = f"{lease.subnet.network}/32"
        for address in ns.devices[name].addresses:
            if str(address) != wanted and network is not None and network.contains(address.ip):
                ns.remove_address(name, str(address))
                self.log("I", "iface.go", f"removed IP address {address} from {name}")
        if wanted not in map(str, ns.devices[name].addresses):
            ns.add_address(name, wanted)
        if not ns.devices[name].up:
            ns.update_device(name, up=True)
        self.log("I", _SOURCE, "watching for new subnet leases")

    # -- leases ---------------------------------------------------------------------------------

    def handle(self, events: Iterable[Event]) -> None:
        """Sets or removes the entries of each lease."""
        for event in events:
            lease = event.lease
            if lease.attrs.backend_type != TYPE:
                text = f"ignoring non-vxlan v4Subnet({lease.subnet}) v6Subnet(::/0)"
                self.log("W", _SOURCE, f"{text}: type={lease.attrs.backend_type}")
                continue
            try:
                mac = vtep_mac(lease.attrs.backend_data)
            except FlannelError as error:
                self.log("E", _SOURCE, f"error decoding subnet lease JSON: {error.message}")
                continue
            if event.type == ADDED:
                self.peers[lease.subnet] = lease
                self._add(lease, mac)
            else:
                self.peers.pop(lease.subnet, None)
                self._remove(lease, mac)

    def _direct(self, lease: Lease) -> Route | None:
        """The plain route to a neighbour's subnet, if there shall be one."""
        if not self.direct_routing:
            return None
        way = self.ns.routes.lookup(lease.attrs.public_ip)
        if way is None or way.via:
            return None
        return Route(lease.subnet, way.dev, via=lease.attrs.public_ip)

    def _add(self, lease: Lease, mac: str) -> None:
        ns, direct = self.ns, self._direct(lease)
        if direct is not None:
            ns.routes.replace(direct)
            return
        found = entries(lease.subnet, mac, self.device)
        ns.neighbours[self.device, found.neighbour.ip] = found.neighbour
        ns.vxlan_fdb[self.device, mac] = lease.attrs.public_ip
        if self.device not in ns.devices or not ns.devices[self.device].up:
            via = lease.subnet.network
            text = f"failed to add vxlanRoute ({lease.subnet} -> {via}): network is down"
            self.log("E", _SOURCE, text)
            ns.neighbours.pop((self.device, found.neighbour.ip), None)
            ns.vxlan_fdb.pop((self.device, mac), None)
            return
        ns.routes.replace(found.route)

    def _remove(self, lease: Lease, mac: str) -> None:
        ns, direct = self.ns, self._direct(lease)
        if direct is not None:
            ns.routes.remove(direct)
            return
        found = entries(lease.subnet, mac, self.device)
        ns.neighbours.pop((self.device, found.neighbour.ip), None)
        ns.vxlan_fdb.pop((self.device, mac), None)
        if not ns.routes.remove(found.route):
            via = lease.subnet.network
            text = f"failed to delete vxlanRoute ({lease.subnet} -> {via}): no such process"
            self.log("E", _SOURCE, text)

    # -- keeping it up --------------------------------------------------------------------------

    def missing(self) -> bool:
        """True if the device has vanished."""
        return self.device not in self.ns.devices

    def mend(self) -> None:
        """Makes the device anew, with the MAC that the lease names, and all entries."""
        lease = self.lease
        if lease is None:
            return
        self.log("W", "vxlan.go", f"{self.device} is gone, recreating it")
        mac = vtep_mac(lease.attrs.backend_data)
        config = VxlanConfig(self.vni, self.iface.address, self.port)
        self.ns.add_device(Device(self.device, "vxlan", mac, self.mtu, up=False, vxlan=config))
        if ("udp", "0.0.0.0", self.port) not in self.ns.listeners:
            socket = Listener("udp", "0.0.0.0", self.port, SOCKET, tunnel=self.device)
            listen(self.ns, socket)
        self.start(lease)
        for peer in self.peers.values():
            self._add(peer, vtep_mac(peer.attrs.backend_data))

    def stop(self) -> None:
        """The process ends; the kernel goes on."""

    def clone(self, ns: Netns, log: Log) -> VxlanBackend:
        """The same backend in a copy of the namespace."""
        assert ns.network is not None
        other = VxlanBackend(
            ns, self.conf, self.iface, log, ns.network.random, self.previous
        )  # fmt: skip
        other.peers, other.lease = dict(self.peers), self.lease
        return other


def _go(flag: bool) -> str:
    return "true" if flag else "false"


def _differs(there: Device, wanted: VxlanConfig) -> str:
    """What of an existing device does not fit, in flannel's words."""
    have = there.vxlan
    if have is None:
        return f"link type: vxlan vs {there.kind}"
    if have.vni != wanted.vni:
        return f"vni: {wanted.vni} vs {have.vni}"
    if have.local != wanted.local:
        return f"vtep (external) IP: {wanted.local} vs {have.local}"
    return f"port: {wanted.port} vs {have.port}"
