"""What lives here: ``bridge``: what a bridge has learned, and the settings of its ports.

Simplified here: no VLANs; the multicast groups that a device listens to (``self permanent``) are
not listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.address import parse_mac
from k8snetlib.errors import BadAddress, BadCommand, nearest
from k8snetlib.linux.netns import BRIDGE_AGEING, Device, Netns
from k8snetlib.linux.tools import links
from k8snetlib.linux.tools.words import (
    Words,
    address_of,
    device_named,
    garbage,
    resolve,
    subcommand,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_REAL = ("link", "fdb", "mdb", "vlan", "vni", "monitor", "help")
_REAL_FDB = ("add", "append", "replace", "delete", "get", "flush", "show", "list", "help")
_REAL_LINK = ("set", "change", "show", "list", "help")
_TOLERATED = {"-c", "-color", "-s", "-statistics"}
#: Settings of a port that are always as the kernel has them at first.
_PORT_DEFAULTS = (
    "guard off root_block off fastleave off learning on flood on mcast_flood on bcast_flood on "
    "mcast_router 1 mcast_to_unicast off neigh_suppress off vlan_tunnel off isolated off locked off"
)
_NO_BRIDGE = 'Cannot find bridge device "{}"'


def run(ns: Netns, words: list[str]) -> str:
    """``bridge [-d] link [show …]``, ``… link set dev DEV hairpin on|off``, ``bridge fdb …``."""
    line, details = Words(words), False
    while line:
        word = line.next()
        if word in ("-d", "-details"):
            details = True
        elif word.startswith("-") and word not in _TOLERATED:
            raise BadCommand(f'Option "{word}" is unknown, try "bridge help".', "Here: -d.")
        elif not word.startswith("-"):
            return _object(ns, word, line, details)
    raise BadCommand("Usage: bridge [ OPTIONS ] OBJECT { COMMAND | help }", "Here: fdb, link.")


def _object(ns: Netns, word: str, line: Words, details: bool) -> str:
    name = resolve(word, _REAL)
    if name == "fdb":
        fdb_here = ("show", "list", "add", "append", "replace", "delete")
        command = subcommand(line.next(), "bridge fdb", _REAL_FDB, fdb_here) if line else "show"
        if command in ("add", "append", "replace"):
            return _fdb_add(ns, line, command)
        return _fdb_delete(ns, line) if command == "delete" else _fdb_show(ns, line)
    if name == "link":
        here = ("show", "list", "set")
        command = subcommand(line.next(), "bridge link", _REAL_LINK, here) if line else "show"
        return _link_set(ns, line) if command == "set" else _link_show(ns, line, details)
    if name:
        raise BadCommand(f"'bridge {name}' is not modelled.", "Objects here: fdb, link.")
    near = nearest(word, ("fdb", "link"))
    meant = f"Did you mean {near[0]}? " if near else ""
    raise BadCommand(
        f'Object "{word}" is unknown, try "bridge help".', f"{meant}Objects here: fdb, link."
    )


# -- the forwarding database ----------------------------------------------------------------------


def _fdb_show(ns: Netns, line: Words) -> str:
    """``bridge fdb show [br BRIDGE] [brport PORT | dev PORT]``"""
    bridge = port = ""
    while line:
        word = line.next()
        if word == "br":
            bridge = device_named(ns, line.value(word), _NO_BRIDGE).name
        elif word in ("brport", "dev"):
            port = device_named(ns, line.value(word)).name
        else:
            raise garbage(word, ("br", "brport", "dev"), "br")
    lines = []
    for device in links.in_order(ns):
        if device.kind == "vxlan" and not bridge and port in ("", device.name):
            dev = "" if port else f" dev {device.name}"
            lines += [
                f"{mac}{dev} dst {node} self permanent"
                for (name, mac), node in ns.vxlan_fdb.items()
                if name == device.name
            ]
        master = device.name if device.kind == "bridge" else device.master
        if master is None or (bridge and master != bridge) or (port and device.name != port):
            continue
        dev = "" if port else f" dev {device.name}"
        for mac, note in _entries(ns, device, master):
            lines.append(f"{mac}{dev} master {master}{note}")
    return "\n".join(lines)


def _entries(ns: Netns, device: Device, bridge: str) -> Iterator[tuple[str, str]]:
    """What is behind one port: its own address first, then the learned ones."""
    if device.kind == "bridge":
        yield device.mac, " permanent"
        return
    now = ns.network.now if ns.network else 0.0
    behind = [e for e in ns.fdb.values() if e.bridge == bridge and e.port == device.name]
    for entry in sorted(behind, key=lambda e: not e.local):
        if entry.local:
            yield entry.mac, " permanent"
        elif now - entry.updated < BRIDGE_AGEING:
            yield entry.mac, ""


class _Named(NamedTuple):
    """What a command names: a MAC address, a device, and (for VXLAN) the node behind it."""

    mac: str
    device: Device
    node: str


def _fdb_named(ns: Netns, line: Words, usage: str) -> _Named:
    mac = name = node = ""
    while line:
        word = line.next()
        if word == "dev":
            name = line.value(word)
        elif word == "dst":
            node = address_of(line.value(word))
        elif word not in ("master", "self", "permanent", "dynamic", "static", "local"):
            if mac:
                raise garbage(word, ("dev", "dst", "master", "self", "permanent"), "dev")
            mac = word
        elif word in ("dynamic", "static") and "del" not in usage:
            raise BadCommand(f"'{word}' is not modelled.", "Entries typed here are permanent.")
    if not mac or not name:
        raise BadCommand("Device and address are required arguments.", usage)
    try:
        mac = parse_mac(mac)
    except BadAddress as error:
        raise BadCommand(f"Invalid mac address {mac}", error.hint) from None
    return _Named(mac, device_named(ns, name), node)


def _fdb_add(ns: Netns, line: Words, command: str) -> str:
    """``bridge fdb add|append|replace MAC dev DEV dst IP [self] [permanent]``"""
    named = _fdb_named(ns, line, f"bridge fdb {command} MAC dev flannel.1 dst IP")
    if named.device.kind != "vxlan":
        tunnels = ", ".join(d.name for d in ns.devices.values() if d.kind == "vxlan") or "none"
        raise BadCommand(
            f"'bridge fdb {command}' is modelled for VXLAN devices.", f"Here: {tunnels}."
        )
    if not named.node:
        raise BadCommand("RTNETLINK answers: Invalid argument", "Which node is it behind? dst IP")
    key = named.device.name, named.mac
    known = ns.vxlan_fdb.get(key)
    if known is not None and command == "add":
        hint = f"{named.mac} is behind {known}. To change that: bridge fdb replace."
        raise BadCommand("RTNETLINK answers: File exists", hint)
    if known not in (None, named.node) and command == "append":
        raise BadCommand("Two nodes behind one MAC address are not modelled.", "Use replace.")
    ns.vxlan_fdb[key] = named.node
    return ""


def _fdb_delete(ns: Netns, line: Words) -> str:
    """``bridge fdb del MAC dev DEV [master] [dst IP]``"""
    named = _fdb_named(ns, line, "bridge fdb del MAC dev DEV")
    mac, port = named.mac, named.device.name
    node = ns.vxlan_fdb.get((port, mac))
    found = [k for k, e in ns.fdb.items() if e.mac == mac and e.port == port]
    if not found and node is None:
        raise BadCommand("RTNETLINK answers: No such file or directory", "See bridge fdb show.")
    for key in found:
        del ns.fdb[key]
    if named.node in ("", node):
        ns.vxlan_fdb.pop((port, mac), None)
    return ""


# -- ports ----------------------------------------------------------------------------------------


def _link_show(ns: Netns, line: Words, details: bool) -> str:
    """``bridge [-d] link show [dev PORT]``"""
    only = ""
    while line:
        word = line.next()
        name = line.value(word) if word == "dev" else word
        only = device_named(ns, name).name
    ports = [d for d in links.in_order(ns) if d.master and (not only or d.name == only)]
    return "\n".join(_port(ns, port, details) for port in ports)


def _port(ns: Netns, port: Device, details: bool) -> str:
    assert port.master is not None
    # A port without a carrier, or of a bridge that is down, forwards nothing.
    works = links.has_carrier(ns, port) and ns.devices[port.master].up
    text = (
        f"{port.ifindex}: {links.for_bridge_tool(ns, port)} "
        f"mtu {port.mtu} master {port.master} state {'forwarding' if works else 'disabled'} "
        "priority 32 cost 2"
    )
    if details:
        hairpin = "on" if port.hairpin else "off"
        text += f"\n    hairpin {hairpin} {_PORT_DEFAULTS}"
    return text


def _link_set(ns: Netns, line: Words) -> str:
    """``bridge link set dev PORT hairpin on|off``"""
    name = ""
    hairpin: bool | None = None
    while line:
        word = line.next()
        if word == "dev":
            name = line.value(word)
        elif word == "hairpin":
            hairpin = _on_off(line.value(word), word)
        else:
            raise BadCommand(
                f"'bridge link set {word}' is not modelled.", "Here: dev DEV hairpin on|off."
            )
    if not name:
        raise BadCommand("Device is a required argument.", "bridge link set dev DEV hairpin on|off")
    port = device_named(ns, name, _NO_BRIDGE)
    if port.master is None:
        ports = ", ".join(d.name for d in links.in_order(ns) if d.master) or "none"
        raise BadCommand(
            "RTNETLINK answers: Operation not supported",
            f"{name} is not a port of a bridge. Ports here: {ports}.",
        )
    if hairpin is not None:
        ns.update_device(name, hairpin=hairpin)
    return ""


def _on_off(text: str, word: str) -> bool:
    if text in ("on", "off"):
        return text == "on"
    raise BadCommand(f'Error: argument of "{word}" must be one of "off", "on", not "{text}"')
