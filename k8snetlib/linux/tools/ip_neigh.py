"""What lives here: ``ip neigh``: which MAC address the kernel has found for which neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand
from k8snetlib.linux import neighbour
from k8snetlib.linux.netns import Neighbour, Netns
from k8snetlib.linux.tools.words import (
    Words,
    address_of,
    device_named,
    garbage,
    mac_of,
    prefix_of,
    subcommand,
)

if TYPE_CHECKING:
    from k8snetlib.linux.tools.ip import Options

_REAL = ("add", "change", "replace", "delete", "get", "show", "list", "flush", "help")
_HERE = ("show", "list", "add", "change", "replace", "delete", "flush")
_STATES = ("permanent", "reachable", "stale", "noarp", "delay", "probe", "failed", "incomplete")


def run(ns: Netns, line: Words, options: Options) -> str:
    """``ip neigh [show …]``, ``… flush { all | dev DEV }``, ``… add IP lladdr MAC dev DEV``."""
    name = subcommand(line.next(), "ip neigh", _REAL, _HERE) if line else "show"
    if name in ("show", "list"):
        return _show(ns, line)
    if name == "flush":
        return _flush(ns, line)
    return _change(ns, line, name)


def _selected(ns: Netns, line: Words) -> tuple[list[Neighbour], str, bool]:
    """The entries that the words select, the device if one was named, and if a state was."""
    now = ns.network.now if ns.network else 0.0
    entries = [
        e._replace(state=neighbour.current_state(e, ns, now)) for e in ns.neighbours.values()
    ]
    dev, states = "", False
    while line:
        word = line.next()
        if word == "dev":
            dev = device_named(ns, line.value(word)).name
            entries = [e for e in entries if e.dev == dev]
        elif word == "nud":
            state = line.value(word).upper()
            states = True
            entries = [e for e in entries if state in (e.state, "ALL")]
        elif word == "all":
            continue
        else:
            prefix = prefix_of(line.value(word) if word == "to" else word)
            entries = [e for e in entries if prefix.contains(e.ip)]
    return entries, dev, states


def _show(ns: Netns, line: Words) -> str:
    entries, dev, _ = _selected(ns, line)
    lines = [str(entry) for entry in entries]
    if dev:
        lines = [text.replace(f" dev {dev}", "", 1) for text in lines]
    return "\n".join(lines)


def _flush(ns: Netns, line: Words) -> str:
    if not line:
        raise BadCommand("Flush requires arguments.", "ip neigh flush all, or … flush dev DEV.")
    entries, _, states = _selected(ns, line)
    for entry in entries:
        key = (entry.dev, entry.ip)
        # What was put there by hand stays, unless its state is asked for by name.
        if (states or entry.state != "PERMANENT") and key not in ns.arp_queue:
            del ns.neighbours[key]
    return ""


def _change(ns: Netns, line: Words, command: str) -> str:
    ip = mac = dev = ""
    state = "permanent"
    while line:
        word = line.next()
        if word == "lladdr":
            mac = mac_of(line.value(word))
        elif word == "dev":
            dev = device_named(ns, line.value(word)).name
        elif word == "nud":
            state = line.value(word)
        elif word in _STATES:
            state = word
        elif not ip:
            ip = address_of(line.value(word) if word == "to" else word)
        else:
            raise garbage(word, ("lladdr", "dev", "nud"), "to")
    if not ip or not dev:
        raise BadCommand("Device and destination are required arguments.",
                         f"ip neigh {command} 10.1.15.2 lladdr MAC dev DEV")  # fmt: skip
    if state not in _STATES:
        raise BadCommand(f'Error: argument "{state}" is wrong: nud state is bad',
                         f"One of: {', '.join(_STATES)}.")  # fmt: skip
    _store(ns, (dev, ip), mac, state.upper(), command)
    return ""


def _store(ns: Netns, key: tuple[str, str], mac: str, state: str, command: str) -> None:
    known = ns.neighbours.get(key)
    if command == "delete":
        if known is None:
            raise BadCommand("RTNETLINK answers: No such file or directory", "See ip neigh.")
        del ns.neighbours[key]
        return
    if command == "add" and known is not None:
        raise BadCommand("RTNETLINK answers: File exists", "Use ip neigh replace.")
    if command == "change" and known is None:
        raise BadCommand("RTNETLINK answers: No such file or directory", "Use ip neigh add.")
    if not mac:
        raise BadCommand("Error: No link layer address given.", "Add lladdr MAC.")
    now = ns.network.now if ns.network else 0.0
    ns.neighbours[key] = Neighbour(key[1], key[0], mac, state, now)
