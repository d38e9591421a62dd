"""What lives here: the bridge plugin: a container becomes a port of a bridge of its node.

ADD makes the bridge (``cni0``) if there is none, a veth pair with one end in the container, asks
the IPAM plugin for addresses, and sets them and the routes; as a gateway the bridge gets the
subnet's first address and the node forwards. DEL takes all of it away but the bridge, and may be
asked twice. CHECK compares what is there with the result of ADD.

Simplified here: no VLANs, no ``macspoofchk``, no IPv6 on devices; promiscuous mode is accepted and
changes nothing. host-local is the only IPAM plugin. Source: containernetworking/plugins ``bridge``,
compared with Debian's build in ``tests/kernel/test_cni_real.py``.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.address import Prefix
from k8snetlib.errors import NotModelled
from k8snetlib.kube.cni import host_local, link, masquerade
from k8snetlib.kube.cni.result import CniRoute, Interface, IPConfig, Result, previous
from k8snetlib.kube.cni.spec import Call, CniError, Config, env_args, field
from k8snetlib.linux.netns import Device, Netns

DEFAULT_BRIDGE = "cni0"
ANYWHERE = "0.0.0.0/0"
_NOT_HERE = ("vlan", "vlanTrunk", "macspoofchk")


class BridgeConf(NamedTuple):
    """The plugin's configuration, read. ``mtu`` in bytes (0: the kernel's default)."""

    name: str
    bridge: str
    is_gateway: bool
    is_default_gateway: bool
    force_address: bool
    ip_masq: bool
    mtu: int
    hairpin: bool
    promisc: bool
    mac: str
    ipam: str


def parse(call: Call, config: Config) -> BridgeConf:
    """Reads a configuration; raises ``CniError`` for wrong types, ``NotModelled`` for VLANs."""
    for key in _NOT_HERE:
        if config.get(key):
            raise NotModelled(f"The bridge plugin's '{key}' is not modelled.", "Leave it out.")
    mac = env_args(call.args, ("MAC",)).get("MAC", "")
    mac = (field(config, "args", {}).get("cni") or {}).get("mac") or mac
    mac = field(config, "runtimeConfig", {}).get("mac") or mac
    default_gateway = field(config, "isDefaultGateway", False)
    return BridgeConf(
        field(config, "name", ""), field(config, "bridge", "") or DEFAULT_BRIDGE,
        field(config, "isGateway", False) or default_gateway, default_gateway,
        field(config, "forceAddress", False), field(config, "ipMasq", False),
        field(config, "mtu", 0), field(config, "hairpinMode", False),
        field(config, "promiscMode", False), mac, field(config, "ipam", {}).get("type", ""),
    )  # fmt: skip


def _known_ipam(conf: BridgeConf) -> None:
    if conf.ipam not in ("", "host-local"):
        raise CniError(f'failed to find plugin "{conf.ipam}" in path [/opt/cni/bin]')


# -- ADD ------------------------------------------------------------------------------------------


def add(call: Call, config: Config) -> Result:
    """ADD; raises ``CniError`` in the real plugin's words. What it made until then stays, as with
    the real one; the runtime then calls DEL."""
    conf = parse(call, config)
    if conf.hairpin and conf.promisc:
        raise CniError("cannot set hairpin mode and promiscuous mode at the same time")
    node, network, given = call.node, call.network, call.given
    link.ensure_bridge(network, node, conf.bridge, conf.mtu, given.bridge_mac)
    pod = call.pod()
    own_mac = node.devices[conf.bridge].mac
    veth = link.setup_veth(
        network, node, pod, call.ifname, conf.bridge, mtu=conf.mtu, hairpin=conf.hairpin,
        name=given.veth, mac=conf.mac or given.mac, host_mac=given.veth_mac,
    )  # fmt: skip
    link.follow_ports(node, conf.bridge)
    found = Result()
    if conf.ipam:
        _known_ipam(conf)
        found = host_local.add(call, config)
        try:
            found = _layer3(call, conf, pod, found, own_mac)
        except CniError:
            host_local.delete(call, config)
            raise
    else:
        pod.update_device(call.ifname, up=True)
    interfaces = (
        Interface(conf.bridge, node.devices[conf.bridge].mac),
        Interface(veth, node.devices[veth].mac),
        Interface(call.ifname, pod.devices[call.ifname].mac, call.netns),
    )
    dns = tuple((k, v) for k, v in (config.get("dns") or {}).items() if v)
    return found._replace(interfaces=interfaces, dns=dns or found.dns)


def _layer3(call: Call, conf: BridgeConf, pod: Netns, found: Result, own_mac: str) -> Result:
    """Addresses and routes in the container, the gateway on the bridge, masquerading."""
    found = _with_gateways(conf, found)
    link.configure(pod, call.ifname, found.ips, found.routes)
    node = call.node
    if conf.is_gateway:
        for ip in found.ips:
            gateway = f"{ip.gateway}/{ip.length}"
            link.ensure_gateway(node, conf.bridge, gateway, force=conf.force_address)
            # The plugin sets the MAC address the bridge was born with, so that it stays.
            node.update_device(conf.bridge, mac=own_mac)
            node.sysctls["net.ipv4.ip_forward"] = 1
    if conf.ip_masq:
        for ip in found.ips:
            masquerade.set_up(node.ruleset, ip.address, conf.name, call.container_id)
    return found


def _with_gateways(conf: BridgeConf, found: Result) -> Result:
    """The IPAM plugin's result as this plugin passes it on: every address belongs to interface 2;
    it has a gateway if the bridge is to be one; there may be a default route."""
    ips: list[IPConfig] = []
    routes = list(found.routes)
    for ip in found.ips:
        link.only_ipv4(ip.address)
        gateway = ip.gateway
        if not gateway and conf.is_gateway:
            gateway = Prefix.parse(ip.address, host_bits=True).host(1)
        ips.append(ip._replace(interface=2, gateway=gateway))
        if conf.is_default_gateway and not any(r.dst == ANYWHERE and r.gw for r in routes):
            routes.append(CniRoute(ANYWHERE, gateway))
    return found._replace(ips=tuple(ips), routes=tuple(routes))


# -- DEL ------------------------------------------------------------------------------------------


def delete(call: Call, config: Config) -> None:
    """DEL: device, addresses, masquerading. What is gone already is no error."""
    conf = parse(call, config)
    if conf.ipam:
        _known_ipam(conf)
        host_local.delete(call, config)
    pod = call.sandbox
    if pod is None:
        return
    for address in link.remove_link(pod, call.ifname):
        if conf.ipam and conf.ip_masq:
            masquerade.tear_down(call.node.ruleset, address, conf.name, call.container_id)


# -- CHECK ----------------------------------------------------------------------------------------


def check(call: Call, config: Config) -> None:
    """CHECK: raises ``CniError`` for the first thing that is not as ``prevResult`` has it."""
    conf = parse(call, config)
    pod = call.pod()
    if not conf.ipam:  # the real one looks for an IPAM plugin of that name
        raise CniError("no plugin name provided")
    _known_ipam(conf)
    host_local.check(call, config)
    result = previous(config)
    if result is None:
        raise CniError("Required prevResult missing")
    bridge, inside = Interface(""), Interface("")
    for interface in result.interfaces:
        if interface.name == conf.bridge:
            bridge = interface
        elif interface.name == call.ifname and interface.sandbox == call.netns:
            inside = interface
    _check_bridge(call.node, bridge)
    if inside.sandbox != call.netns:
        raise CniError(
            f"Sandbox in prevResult {inside.sandbox} doesn't match configured netns: {call.netns}"
        )
    _check_inside(pod, inside)
    others = [i for i in result.interfaces if i.name not in (bridge.name, inside.name)]
    if not any(_is_our_veth(call, conf, other) for other in others):
        raise CniError(f"CNI veth created for bridge {conf.bridge} was not found")
    _check_addresses(pod, call.ifname, result.ips)
    _check_routes(pod, result.routes)


def _found(ns: Netns, interface: Interface, *, in_sandbox: bool) -> Device:
    if not interface.name:
        raise CniError("Interface name missing ")
    device = ns.devices.get(interface.name)
    if device is None:
        raise CniError(f"Interface name {interface.name} not found")
    if in_sandbox and not interface.sandbox:
        raise CniError(f"Interface {interface.name} is expected to be in a sandbox")
    if interface.sandbox and not in_sandbox:
        raise CniError(f"Interface {interface.name} should not be in sandbox")
    return device


def _check_bridge(node: Netns, interface: Interface) -> None:
    device = _found(node, interface, in_sandbox=False)
    if device.kind != "bridge":
        raise CniError(f"Interface {interface.name} does not have link type of bridge")
    if interface.mac and interface.mac != device.mac:
        raise CniError(f"Bridge interface {interface.name} Mac doesn't match: {interface.mac}")


def _check_inside(pod: Netns, interface: Interface) -> None:
    device = _found(pod, interface, in_sandbox=True)
    if device.kind != "veth":
        raise CniError(f"Error: Container interface {interface.name} not of type veth")
    if interface.mac and interface.mac != device.mac:
        raise CniError(
            f"Interface {interface.name} Mac {interface.mac} "
            f"doesn't match container Mac: {device.mac}"
        )


def _is_our_veth(call: Call, conf: BridgeConf, interface: Interface) -> bool:
    device = _found(call.node, interface, in_sandbox=False)
    pod = call.pod()
    if device.kind != "veth" or device.peer != (pod.name, call.ifname):
        return False
    if device.master != conf.bridge:
        return False
    if interface.mac and interface.mac != device.mac:
        raise CniError(f"Interface {interface.name} Mac doesn't match: {interface.mac} not found")
    return True


def _check_addresses(pod: Netns, ifname: str, ips: tuple[IPConfig, ...]) -> None:
    for ip in ips:
        if ip.address not in map(str, pod.devices[ifname].addresses):
            raise CniError(f"Failed to match addr {ip.address} on interface {ifname}")
        subnet = Prefix.parse(ip.address, host_bits=True)
        if not any(route.prefix == subnet for route in pod.routes):
            raise CniError(f"Failed to find Gateway {ip.gateway} for interface {ifname}")


def _check_routes(pod: Netns, routes: tuple[CniRoute, ...]) -> None:
    for wanted in routes:
        prefix = Prefix.parse(wanted.dst, host_bits=True)
        # As the real one does: a default route may go by any gateway.
        gateway = "" if prefix.length == 0 else wanted.gw
        if not any(r.prefix == prefix and gateway in ("", r.via) for r in pod.routes):
            bits = f"{{IP:{prefix.network} Mask:{_mask(prefix.length)}}}"
            shown = f"{{Dst:{bits} GW:{wanted.gw or '<nil>'}}}"
            raise CniError(f"Expected Route {shown} not found in routing table")


def _mask(length: int) -> str:
    return f"{(0xFFFFFFFF << 32 - length) & 0xFFFFFFFF:08x}"
