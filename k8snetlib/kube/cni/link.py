"""What lives here: the devices that plug a container in: a bridge, a veth pair, addresses, routes.

These are the steps that the bridge plugin takes with netlink; Docker takes the same ones. Random
names and MAC addresses come from the network's own source of chance, unless they are given.

A bridge's MTU follows its ports (the smallest of theirs), and so does its MAC address (the lowest
of theirs) as long as nobody has set it: the kernel does that.

Simplified here: the model's devices do not remember whether somebody set their MTU; a bridge made
here follows its ports. IPv4 on devices. Source: br_if.c, br_stp_if.c, bridge(8).
"""

from __future__ import annotations

from collections.abc import Iterable

from k8snetlib.address import ZERO_MAC, Prefix
from k8snetlib.errors import NotModelled
from k8snetlib.kube.cni.result import CniRoute, IPConfig
from k8snetlib.kube.cni.spec import CniError
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.route import Route

DEFAULT_MTU = 1500


def random_mac(network: Network) -> str:
    """A MAC address as the kernel draws one: local, and of one station."""
    octets = list(network.random.getrandbits(48).to_bytes(6, "big"))
    octets[0] = octets[0] & 0xFE | 0x02
    return ":".join(f"{octet:02x}" for octet in octets)


def random_veth(network: Network) -> str:
    """The name of a host end: ``veth`` and eight random hexadecimal digits."""
    return f"veth{network.random.getrandbits(32):08x}"


# -- the bridge -----------------------------------------------------------------------------------


def ensure_bridge(
    network: Network, node: Netns, name: str, mtu: int = 0, mac: str | None = None
) -> Device:
    """The bridge of that name, made if there is none; raises ``CniError`` if it is another kind."""
    device = node.devices.get(name)
    if device is None:
        mac = mac or random_mac(network)
        return node.add_device(Device(name, "bridge", mac, mtu or DEFAULT_MTU))
    if device.kind != "bridge":
        why = f'"{name}" already exists but is not a bridge'
        raise CniError(f'failed to create bridge "{name}": {why}')
    return device if device.up else node.update_device(name, up=True)


def follow_ports(node: Netns, bridge: str) -> None:
    """What the kernel does when a port comes or goes: the bridge's MTU, and perhaps its MAC."""
    ports = [node.devices[port] for port in node.ports.get(bridge, ())]
    changes: dict[str, int | str] = {"mtu": min((p.mtu for p in ports), default=DEFAULT_MTU)}
    if not node.devices[bridge].addresses:  # whoever gave it an address has set its MAC address too
        changes["mac"] = min((p.mac for p in ports), default=ZERO_MAC)
    node.update_device(bridge, **changes)


def ensure_gateway(node: Netns, bridge: str, address: str, *, force: bool) -> None:
    """The bridge has this address (with length) and no other; raises ``CniError`` if it has
    another, unless ``force`` says to replace it."""
    for other in node.devices[bridge].addresses:
        if str(other) == address:
            return
        if not force:
            why = f'"{bridge}" already has an IP address different from {address}'
            raise CniError(f"failed to set bridge addr: {why}")
        node.remove_address(bridge, str(other))
    node.add_address(bridge, address)


# -- the veth pair --------------------------------------------------------------------------------


def setup_veth(
    network: Network, node: Netns, pod: Netns, ifname: str, bridge: str, *, mtu: int = 0,
    hairpin: bool = False, name: str | None = None, mac: str | None = None,
    host_mac: str | None = None,
) -> str:  # fmt: skip
    """Wires a container to a bridge; returns the name of the host end. The other end is down.

    ``mtu`` in bytes (0: the default). Raises ``CniError`` if the container has such a device.
    """
    veth = name or random_veth(network)
    while name is None and veth in node.devices:
        veth = random_veth(network)
    if ifname in pod.devices:
        what = f'("{ifname}") peer provided ("{veth}")'
        raise CniError(f"container veth name {what} already exists")
    inside = (pod, ifname, mac or random_mac(network))
    network.wire(inside, (node, veth, host_mac or random_mac(network)), mtu or DEFAULT_MTU)
    pod.update_device(ifname, up=False)  # whoever gives it addresses switches it on
    node.enslave(veth, bridge, hairpin=hairpin)
    return veth


def remove_link(pod: Netns, ifname: str) -> tuple[str, ...]:
    """Removes a device of a container, and with it the other end of a veth pair; returns the
    addresses that it had (nothing, if it is not there)."""
    device = pod.devices.get(ifname)
    if device is None:
        return ()
    node, bridge = None, None
    if device.peer is not None and pod.network is not None:
        node = pod.network.netns.get(device.peer[0])
        if node is not None and device.peer[1] in node.devices:
            bridge = node.devices[device.peer[1]].master
    pod.remove_device(ifname)
    if node is not None and bridge is not None:
        follow_ports(node, bridge)
    return tuple(str(address) for address in device.addresses)


def configure(pod: Netns, ifname: str, ips: Iterable[IPConfig], routes: Iterable[CniRoute]) -> None:
    """Gives a container's device its addresses, then the routes, which go by the addresses'
    gateway if they name none."""
    if not pod.devices[ifname].up:
        pod.update_device(ifname, up=True)
    gateway = ""
    for ip in ips:
        only_ipv4(ip.address)
        pod.add_address(ifname, ip.address)
        gateway = gateway or ip.gateway
    for route in routes:
        only_ipv4(route.dst)
        via = route.gw or gateway
        prefix = Prefix.parse(route.dst, host_bits=True)
        if not via:
            added = pod.routes.add(Route(prefix, ifname, scope="link"))
        else:
            added = _reachable(pod, ifname, via, route) and pod.routes.add(
                Route(prefix, ifname, via=via)
            )
        if not added:
            raise CniError(f"failed to add route '{_go(route, via, ifname)}: file exists")


def _reachable(pod: Netns, ifname: str, via: str, route: CniRoute) -> bool:
    if not any(address.subnet.contains(via) for address in pod.devices[ifname].addresses):
        why = "network is unreachable"
        raise CniError(f"failed to add route '{_go(route, via, ifname)}: {why}")
    return True


def _go(route: CniRoute, via: str, ifname: str) -> str:
    """A route as Go prints its parts."""
    prefix = Prefix.parse(route.dst, host_bits=True)
    return f"{{{prefix.network} {_mask(prefix.length)}}} via {via or '<nil>'} dev {ifname}'"


def _mask(length: int) -> str:
    return f"{(0xFFFFFFFF << 32 - length) & 0xFFFFFFFF:08x}"


def only_ipv4(address: str) -> None:
    """Raises ``NotModelled`` for an IPv6 address on a device."""
    if ":" in address:
        raise NotModelled(f"{address} on a device is not modelled.", "Devices have IPv4 here.")
