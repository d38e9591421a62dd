"""What lives here: ``ip -d addr`` (or ``ip -d link``) read: the devices of a machine.

A device begins on a line of its own, ``2: eth0@if15: <BROADCAST,UP> mtu 1500 …``; indented lines
say its MAC address, its kind and its addresses. Without ``-d`` the kind is guessed by what else
stands there: a device that is somebody's ``master`` is a bridge.

Simplified here: of the kinds lo, veth, bridge, tun and vxlan are modelled; all others (a network
card, ipip, wireguard, vlan, dummy …) are a wire whose other end nobody has told. IPv6 is left out.
Source: iproute2's ip/ipaddress.c and what real kernels print.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.address import ZERO_MAC
from k8snetlib.dumps.lines import Line, lines
from k8snetlib.linux.netns import Address, VxlanConfig

#: Words behind a device's second line by which ``ip -d`` names its kind.
_KINDS = ("veth", "bridge", "tun", "vxlan", "dummy", "ipip", "sit", "gre", "gretap", "vlan",
          "wireguard", "macvlan", "ipvlan", "bond", "vrf", "geneve", "ip6tnl", "ifb")  # fmt: skip


class Link(NamedTuple):
    """A device as it was printed. ``behind`` is what stands after ``@``: the other end's name, or
    ``if`` and its index in another namespace."""

    name: str
    ifindex: int
    up: bool
    mtu: int
    kind: str = ""
    mac: str = ZERO_MAC
    behind: str = ""
    master: str = ""
    hairpin: bool = False
    addresses: tuple[Address, ...] = ()
    vxlan: VxlanConfig | None = None


def links(text: str, file: str) -> list[Link]:
    """The devices, in order; raises ``BadDump`` with the line."""
    found: list[Link] = []
    for line in lines(text, file):
        if line.indented:
            if not found:
                raise line.error("this belongs to no device.", _HINT)
            found[-1] = _more(found[-1], line)
        else:
            found.append(_first(line))
    masters = {link.master for link in found}
    return [link if link.kind else link._replace(kind=_guess(link, masters)) for link in found]


_HINT = "Give what `ip -d addr` prints."


def _first(line: Line) -> Link:
    """``4: veth1@if2: <BROADCAST,UP> mtu 1450 qdisc noqueue master cni0 state UP``"""
    words = line.words
    number = words[0].removesuffix(":")
    if len(words) < 3 or not number.isdigit() or not words[2].startswith("<"):
        raise line.error(f"'{line}' begins no device.", _HINT)
    name, _, behind = words[1].removesuffix(":").partition("@")
    flags = words[2].strip("<>").split(",")
    if "mtu" not in words:
        raise line.error("there is no mtu.", _HINT)
    return Link(
        name, int(number), "UP" in flags, line.number_after("mtu"), behind=behind,
        master=line.after("master"),
    )  # fmt: skip


def _more(link: Link, line: Line) -> Link:
    first = line.words[0]
    if first.startswith("link/"):
        kind = {"link/loopback": "lo", "link/none": "tun"}.get(first, "")
        mac = line.words[1] if len(line.words) > 1 and first == "link/ether" else ZERO_MAC
        return link._replace(mac=mac, kind="lo" if kind == "lo" else link.kind or kind)
    if first == "inet":
        ip, _, length = line.words[1].partition("/")
        if line.after("peer"):
            length = "32"
        address = Address(line.ip(ip), line.prefix(f"0.0.0.0/{length or 32}").length)
        return link._replace(addresses=(*link.addresses, address))
    if first == "bridge_slave":
        return link._replace(hairpin=line.after("hairpin") == "on")
    if first == "vxlan":
        local = line.after("local")
        port = line.number_after("dstport", 8472)
        tunnel = VxlanConfig(line.number_after("id"), local, port)
        # Without a local IPv4 address it is nothing that this model can send.
        known = "." in local
        return link._replace(kind="vxlan" if known else "wire", vxlan=tunnel if known else None)
    if first in _KINDS:
        return link._replace(kind=first)
    return link  # inet6, valid_lft, alias, altname …: nothing that decides here


def _guess(link: Link, masters: set[str]) -> str:
    if link.name in masters:
        return "bridge"
    return "veth" if link.behind else "wire"
