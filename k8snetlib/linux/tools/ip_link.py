"""What lives here: ``ip link``: devices, whether they are up, their MTU, MAC, whose port they are.

Simplified here: ``-d`` tells more about VXLAN devices only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.address import ZERO_MAC
from k8snetlib.errors import BadCommand
from k8snetlib.linux.netns import Device, FdbEntry, Netns
from k8snetlib.linux.tools import links
from k8snetlib.linux.tools.words import (
    Words,
    device_named,
    garbage,
    mac_of,
    number_of,
    subcommand,
)
from k8snetlib.linux.vxlan import OVERHEAD

if TYPE_CHECKING:
    from k8snetlib.linux.tools.ip import Options

_REAL = ("add", "set", "change", "replace", "delete", "show", "list", "xstats", "afstats",
         "property", "help")  # fmt: skip
_HERE = ("show", "set")
_SETTINGS = ("up", "down", "mtu", "address", "master", "nomaster")
MTU_RANGE = (68, 65535)


def run(ns: Netns, line: Words, options: Options) -> str:
    """``ip link [show …]``, ``ip link set DEV …``."""
    if not line:
        return show(ns, line, options)
    name = subcommand(line.next(), "ip link", _REAL, ("show", "list", "set", "change"))
    return _set(ns, line) if name in ("set", "change") else show(ns, line, options)


def show(ns: Netns, line: Words, options: Options) -> str:
    """``ip link show [DEV] [up] [type KIND] [master BRIDGE]``"""
    return "\n".join(_one(ns, device, options) for device in chosen(ns, line))


def chosen(ns: Netns, line: Words, extra: tuple[str, ...] = ()) -> list[Device]:
    """The devices that the words of a ``show`` select."""
    devices = links.in_order(ns)
    while line:
        word = line.next()
        if word == "up":
            devices = [d for d in devices if d.up]
        elif word == "type":
            kind = line.value(word)
            devices = [d for d in devices if d.kind == kind]
        elif word == "master":
            master = device_named(ns, line.value(word), 'Device "{}" does not exist.').name
            devices = [d for d in devices if d.master == master]
        elif word in extra:
            line.value(word)
        else:
            name = line.value(word) if word == "dev" else word
            only = device_named(ns, name, 'Device "{}" does not exist.')
            devices = [d for d in devices if d.name == only.name]
    return devices


def _one(ns: Netns, device: Device, options: Options) -> str:
    if options.brief:
        mac = [] if device.kind == "tun" else [device.mac]
        return links.brief(ns, device, [*mac, links.flags(ns, device)])
    text = f"{links.first_line(ns, device, mode=True)}\n{links.second_line(device)}"
    if options.details and device.kind == "vxlan":
        text += links.vxlan_details(ns, device)
    return links.one_line(text) if options.oneline else text


def _set(ns: Netns, line: Words) -> str:
    """``ip link set [dev] DEV { up | down | mtu N | address MAC | master BRIDGE | nomaster } …``"""
    name = ""
    changes: list[tuple[str, str]] = []
    while line:
        word = line.next()
        if word in ("up", "down", "nomaster"):
            changes.append((word, ""))
        elif word in ("mtu", "address", "master"):
            changes.append((word, line.value(word)))
        elif word == "dev" or not name:
            name = line.value(word) if word == "dev" else word
        else:
            raise garbage(word, _SETTINGS)
    if not name:
        raise BadCommand(
            'Not enough information: "dev" argument is required.', "ip link set DEV up"
        )
    device_named(ns, name)
    for setting, value in changes:
        _apply(ns, name, setting, value)
    return ""


def _apply(ns: Netns, name: str, setting: str, value: str) -> None:
    if setting == "mtu":
        ns.update_device(name, mtu=_mtu(ns, name, value))
    elif setting == "address":
        _set_mac(ns, name, value)
    elif setting in ("up", "down"):
        if ns.devices[name].up == (setting == "up"):
            return
        ns.update_device(name, up=setting == "up")
        # A bridge forgets what it learned on a port that is switched off.
        for key in [k for k, e in ns.fdb.items() if e.port == name and not e.local]:
            del ns.fdb[key]
    elif setting == "master":
        _check_port(ns, name, value)
        if ns.devices[name].master != value:
            ns.release(name)
            ns.enslave(name, value)
    else:
        ns.release(name)


def _check_port(ns: Netns, name: str, master: str) -> None:
    """Refuses what cannot be a port of a bridge."""
    bridge, port = device_named(ns, master), ns.devices[name]
    if port.kind == "bridge" and bridge.kind == "bridge":
        raise BadCommand(
            "Error: Can not enslave a bridge to a bridge.", "Join them by a veth pair."
        )
    if bridge.kind != "bridge":
        hint = f"{master} is no bridge but a {bridge.kind}."
        raise BadCommand("RTNETLINK answers: Operation not supported", hint)
    if port.kind in ("lo", "tun"):
        raise BadCommand("RTNETLINK answers: Invalid argument", f"{name} has no MAC addresses.")


def _set_mac(ns: Netns, name: str, text: str) -> None:
    """Another MAC address; neighbours find out by themselves, or never."""
    device, mac = ns.devices[name], mac_of(text)
    if device.kind in ("tun", "lo"):
        raise BadCommand(
            f"'ip link set {name} address' is not modelled.", "It has no link to anybody."
        )
    if mac == ZERO_MAC or int(mac[:2], 16) & 1:
        why = "This is the address of a group, or of nobody."
        raise BadCommand("RTNETLINK answers: Cannot assign requested address", why)
    ns.update_device(name, mac=mac)
    if device.master is not None:
        ns.fdb.pop((device.master, device.mac), None)
        ns.fdb[device.master, mac] = FdbEntry(mac, name, device.master, local=True)


def _mtu(ns: Netns, name: str, text: str) -> int:
    mtu = number_of(text, "mtu")
    if ns.devices[name].kind == "lo":
        return mtu
    low, high = MTU_RANGE
    vxlan = ns.devices[name].vxlan
    if vxlan is not None and vxlan.local in ns.local:
        under = ns.devices[ns.local[vxlan.local]]
        if under.mtu - OVERHEAD < mtu <= high:
            hint = f"{under.name} has {under.mtu}, and the outer headers take {OVERHEAD}."
            raise BadCommand("RTNETLINK answers: Invalid argument", hint)
    if mtu < low:
        raise BadCommand("Error: mtu less than device minimum.", f"Allowed: {low} to {high}.")
    if mtu > high:
        raise BadCommand("Error: mtu greater than device maximum.", f"Allowed: {low} to {high}.")
    return mtu
