"""What lives here: ``ip link``: devices, whether they are up, their MTU, whose port they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.tools import links
from k8snetlib.linux.tools.words import Words, device_named, garbage, number_of, subcommand

if TYPE_CHECKING:
    from k8snetlib.linux.tools.ip import Options

_REAL = ("add", "set", "change", "replace", "delete", "show", "list", "xstats", "afstats",
         "property", "help")  # fmt: skip
_HERE = ("show", "set")
_SETTINGS = ("up", "down", "mtu", "master", "nomaster")
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
    return links.one_line(text) if options.oneline else text


def _set(ns: Netns, line: Words) -> str:
    """``ip link set [dev] DEV { up | down | mtu N | master BRIDGE | nomaster } …``"""
    name = ""
    changes: list[tuple[str, str]] = []
    while line:
        word = line.next()
        if word in ("up", "down", "nomaster"):
            changes.append((word, ""))
        elif word in ("mtu", "master"):
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
    elif setting == "up":
        if not ns.devices[name].up:
            ns.update_device(name, up=True)
    elif setting == "down":
        ns.update_device(name, up=False)
        # A bridge forgets what it learned on a port that is switched off.
        for key in [k for k, e in ns.fdb.items() if e.port == name and not e.local]:
            del ns.fdb[key]
    elif setting == "master":
        bridge = device_named(ns, value)
        if bridge.kind != "bridge":
            raise BadCommand(
                "Error: Device type is not a master device.",
                f"{value} is no bridge but a {bridge.kind}.",
            )
        if ns.devices[name].master != value:
            ns.release(name)
            ns.enslave(name, value)
    else:
        ns.release(name)


def _mtu(ns: Netns, name: str, text: str) -> int:
    mtu = number_of(text, "mtu")
    if ns.devices[name].kind == "lo":
        return mtu
    low, high = MTU_RANGE
    if mtu < low:
        raise BadCommand("Error: mtu less than device minimum.", f"Allowed: {low} to {high}.")
    if mtu > high:
        raise BadCommand("Error: mtu greater than device maximum.", f"Allowed: {low} to {high}.")
    return mtu
