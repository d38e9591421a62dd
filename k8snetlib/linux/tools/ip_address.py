"""What lives here: ``ip address``: which addresses a host has, and on which device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand
from k8snetlib.linux.netns import Address, Device, Netns
from k8snetlib.linux.tools import ip_link, links
from k8snetlib.linux.tools.words import Words, device_named, garbage, prefix_of, subcommand

if TYPE_CHECKING:
    from k8snetlib.linux.tools.ip import Options

_REAL = ("add", "change", "replace", "delete", "show", "list", "flush", "save", "showdump", "help")
_HERE = ("show", "list", "add", "delete", "flush")
_WILDCARD = """\
Warning: Executing wildcard deletion to stay compatible with old scripts.
         Explicitly specify the prefix length ({}/32) to avoid this warning.
         This special behaviour is likely to disappear in further releases,
         fix your scripts!"""


def run(ns: Netns, line: Words, options: Options) -> str:
    """``ip address [show …]``, ``ip address { add | del } PREFIX dev DEV``, ``… flush dev DEV``."""
    name = subcommand(line.next(), "ip addr", _REAL, _HERE) if line else "show"
    if name in ("show", "list"):
        return _show(ns, line, options)
    text, dev = _operands(ns, line, name)
    if name == "add":
        _add(ns, text, dev)
    elif name == "delete":
        return _delete(ns, text, dev)
    else:
        for address in reversed(ns.devices[dev].addresses):
            ns.remove_address(dev, str(address))
    return ""


def _show(ns: Netns, line: Words, options: Options) -> str:
    devices = ip_link.chosen(ns, line, extra=("scope",))
    if options.inet or options.oneline:
        devices = [d for d in devices if d.addresses]
    return "\n".join(_one(ns, device, options) for device in devices)


def _one(ns: Netns, device: Device, options: Options) -> str:
    # The kernel keeps a device's primary addresses in front of the secondary ones.
    addresses = sorted(device.addresses, key=lambda address: _is_secondary(device, address))
    if options.brief:
        return links.brief(ns, device, [str(address) for address in addresses])
    inet = [_inet(device, address) for address in addresses]
    if options.oneline:
        start = f"{device.ifindex}: {device.name}"
        return "\n".join(f"{start}{links.one_line(text)}" for text in inet)
    first = links.first_line(ns, device, mode=False)
    if options.inet:
        # Without the MAC line, the tool puts the peer's namespace where that line would be.
        return "\n".join([first + links.link_netns(device), *inet])
    return "\n".join([first, links.second_line(device), *inet])


def _inet(device: Device, address: Address) -> str:
    scope = "host" if address.ip.startswith("127.") else "global"
    if _is_secondary(device, address):
        scope += " secondary"
    valid = "       valid_lft forever preferred_lft forever"
    return f"    inet {address} scope {scope} {device.name}\n{valid}"


def _is_secondary(device: Device, address: Address) -> bool:
    """A later address of a subnet that the device has an address of already."""
    before = device.addresses[: device.addresses.index(address)]
    return any(a.subnet == address.subnet for a in before)


def _operands(ns: Netns, line: Words, command: str) -> tuple[str, str]:
    """The address and the device of an ``add``, ``del`` or ``flush``."""
    text = dev = ""
    while line:
        word = line.next()
        if word == "dev":
            dev = line.value(word)
        elif word in ("brd", "broadcast", "scope"):
            line.value(word)
        elif word == "local" or not text:
            text = line.value(word) if word == "local" else word
        else:
            raise garbage(word, ("dev", "brd", "scope"), "local")
    if command == "flush" and text and not dev:
        text, dev = "", text
    if not dev:
        raise BadCommand(
            'Not enough information: "dev" argument is required.',
            f"ip addr {command} PREFIX dev DEV",
        )
    device_named(ns, dev)
    if text:
        prefix_of(text, host_bits=True)
    elif command != "flush":
        raise BadCommand("ip addr needs an address.", f"ip addr {command} 10.1.15.9/24 dev {dev}")
    if command == "add" and "/" not in text:
        text += "/32"
    return text, dev


def _add(ns: Netns, text: str, dev: str) -> None:
    if any(str(address) == text for address in ns.devices[dev].addresses):
        raise BadCommand("Error: ipv4: Address already assigned.", f"{dev} has {text}.")
    ns.add_address(dev, text)


def _delete(ns: Netns, text: str, dev: str) -> str:
    device = ns.devices[dev]
    # Without a mask, the kernel takes the first that has this address, whatever its mask.
    wildcard = "/" not in text
    gone = next((a for a in device.addresses if text in (str(a), a.ip)), None)
    if gone is None:
        has = ", ".join(map(str, device.addresses)) or "no address"
        raise BadCommand("Error: ipv4: Address not found.", f"{dev} has {has}.")
    if not _is_secondary(device, gone):
        # With its subnet's first address, the kernel takes the secondary ones away as well.
        for other in device.addresses:
            if other != gone and other.subnet == gone.subnet:
                ns.remove_address(dev, str(other))
    ns.remove_address(dev, str(gone))
    return _WILDCARD.format(text) if wildcard else ""
