"""What lives here: flannel's vxlan backend: a lease in, three kernel entries out.

flanneld makes the device ``flannel.1`` and, for every other node's lease, writes (in this order) a
permanent neighbour, a forwarding entry and a route. Then it only watches: packets never pass
through it. Source: flannel's pkg/backend/vxlan/device.go and vxlan_network.go.
"""

from __future__ import annotations

from k8snetlib.address import Prefix, mac_for
from k8snetlib.linux.netns import Device, Neighbour, Netns, VxlanConfig
from k8snetlib.linux.route import Route
from k8snetlib.linux.sockets import Listener, listen
from k8snetlib.linux.vxlan import OVERHEAD, PORT

VNI = 1
DEVICE = f"flannel.{VNI}"


def start(ns: Netns, subnet: Prefix, public_ip: str, mtu: int, mac: str = "") -> None:
    """Makes flannel.1 (MTU: the node interface's, ``mtu``, less 50 bytes) with a /32 address."""
    config = VxlanConfig(VNI, public_ip, PORT)
    mac = mac or mac_for("0e:f1", subnet.network)
    ns.add_device(Device(DEVICE, "vxlan", mac, mtu - OVERHEAD, vxlan=config))
    ns.add_address(DEVICE, f"{subnet.network}/32")
    listen(ns, Listener("udp", "0.0.0.0", PORT, "the kernel's VXLAN socket", tunnel=DEVICE))


def add_lease(ns: Netns, subnet: Prefix, public_ip: str, mac: str = "") -> None:
    """A peer's lease: neighbour (its flannel.1's address -> MAC), forwarding entry (MAC -> node),
    route (its subnet, via its flannel.1)."""
    mac = mac or mac_for("0e:f1", subnet.network)
    gateway = subnet.network
    ns.neighbours[DEVICE, gateway] = Neighbour(gateway, DEVICE, mac, "PERMANENT")
    ns.vxlan_fdb[DEVICE, mac] = public_ip
    ns.routes.replace(Route(subnet, DEVICE, via=gateway, onlink=True))


def remove_lease(ns: Netns, subnet: Prefix, mac: str = "") -> None:
    """A peer's lease is gone: the three entries go, in the opposite order."""
    mac = mac or mac_for("0e:f1", subnet.network)
    gateway = subnet.network
    ns.routes.remove(Route(subnet, DEVICE, via=gateway, onlink=True))
    ns.vxlan_fdb.pop((DEVICE, mac), None)
    ns.neighbours.pop((DEVICE, gateway), None)
