"""What lives here: what the tools print about a device itself: flags, carrier, state.

A device is *up* when somebody switched it on; it has a *carrier* when there is something at the
other end. ``UP`` and ``LOWER_UP`` in angle brackets are these two; ``NO-CARRIER`` is up without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.linux.netns import Device, Netns

if TYPE_CHECKING:
    from collections.abc import Iterable

_KIND_FLAGS = {
    "lo": ("LOOPBACK",),
    "tun": ("POINTOPOINT", "MULTICAST", "NOARP"),
    "dummy": ("BROADCAST", "NOARP"),
}
_ETHERNET_FLAGS = ("BROADCAST", "MULTICAST")


def in_order(ns: Netns) -> list[Device]:
    """The devices as every tool lists them: by index."""
    return sorted(ns.devices.values(), key=lambda device: device.ifindex)


def peer_of(ns: Netns, device: Device) -> Device | None:
    """The other end of a veth pair; None for any other device."""
    if device.peer is None or ns.network is None:
        return None
    other = ns.network.netns.get(device.peer[0])
    return other.devices.get(device.peer[1]) if other else None


def has_carrier(ns: Netns, device: Device) -> bool:
    """True if a device is up and something is connected to it."""
    if not device.up:
        return False
    if device.kind == "veth":
        peer = peer_of(ns, device)
        if device.peer is None:
            return ns.open_ended
        return peer is not None and peer.up
    if device.kind == "bridge":
        ports = [ns.devices[port] for port in ns.ports.get(device.name, ())]
        return not ports or any(has_carrier(ns, port) for port in ports)
    if device.kind == "tun":
        process = ns.processes.get(device.owner or "")
        if process is None and ns.open_ended:
            return True
        return process is not None and bool(process.running)
    return True


def flags(ns: Netns, device: Device, *more: str) -> str:
    """``<BROADCAST,MULTICAST,UP,LOWER_UP>``, and what a tool adds."""
    carrier = has_carrier(ns, device)
    words = ["NO-CARRIER"] if device.up and not carrier else []
    words += _KIND_FLAGS.get(device.kind, _ETHERNET_FLAGS)
    words += ["UP"] if device.up else []
    words += ["LOWER_UP"] if carrier else []
    return f"<{','.join([*words, *more])}>"


def state(ns: Netns, device: Device) -> str:
    """The operational state (RFC 2863) as ``ip link`` prints it."""
    if not device.up:
        return "DOWN"
    if not has_carrier(ns, device):
        return "LOWERLAYERDOWN" if _lower_is_down(ns, device) else "DOWN"
    portless = device.kind == "bridge" and not ns.ports.get(device.name)
    # Nobody tells the kernel the state of these: it knows only that they work.
    return "UNKNOWN" if device.kind in ("lo", "tun", "vxlan", "dummy") or portless else "UP"


def _lower_is_down(ns: Netns, device: Device) -> bool:
    # The kernel looks for the peer's index in this namespace, where it may be a stranger's.
    peer = peer_of(ns, device)
    stranger = _with_index(ns, peer.ifindex) if peer else None
    if stranger is None or stranger.name == device.name:
        return False
    return not has_carrier(ns, stranger)


def _with_index(ns: Netns, index: int) -> Device | None:
    return next((d for d in ns.devices.values() if d.ifindex == index), None)


def full_name(ns: Netns, device: Device) -> str:
    """``eth0@if5``: the name, and for a veth end the index of the other end in its namespace."""
    peer = peer_of(ns, device)
    return f"{device.name}@if{peer.ifindex}" if peer else device.name


def for_bridge_tool(ns: Netns, device: Device) -> str:
    """Name and flags as the ``bridge`` tool has them: it looks the peer's index up in the namespace
    where it runs, and prints whatever device has that number there."""
    peer = peer_of(ns, device)
    if peer is None:
        return f"{device.name}: {flags(ns, device)}"
    stranger = _with_index(ns, peer.ifindex)
    if stranger is None:
        return f"{device.name}@if{peer.ifindex}: {flags(ns, device)}"
    # A device that names itself is not a link to anything.
    behind = "" if stranger.name == device.name else f"@{stranger.name}"
    down = ("M-DOWN",) if behind and not stranger.up else ()
    return f"{device.name}{behind}: {flags(ns, device, *down)}"


def link_netns(device: Device) -> str:
    """`` link-netns NAME``: where the other end of a veth pair is."""
    return f" link-netns {device.peer[0]}" if device.peer else ""


def first_line(ns: Netns, device: Device, *, mode: bool) -> str:
    """The line that ``ip link`` and ``ip address`` begin a device with (``mode``: ip link's)."""
    queue = "pfifo_fast" if device.kind == "tun" else "noqueue"
    if device.kind == "dummy" and not device.up:
        queue = "noop"  # it never was up
    words = [f"{device.ifindex}: {full_name(ns, device)}: {flags(ns, device)} mtu {device.mtu}"]
    words.append(f"qdisc {queue}")
    if device.master:
        words.append(f"master {device.master}")
    words.append(f"state {state(ns, device)}")
    if mode:
        words.append("mode DEFAULT")
    words.append("group default")
    if device.kind != "dummy":
        words.append(f"qlen {500 if device.kind == 'tun' else 1000}")
    return " ".join(words)


def second_line(device: Device) -> str:
    """The line with the MAC address."""
    if device.kind == "tun":
        return "    link/none"
    kind, broadcast = "ether", "ff:ff:ff:ff:ff:ff"
    if device.kind == "lo":
        kind, broadcast = "loopback", "00:00:00:00:00:00"
    return f"    link/{kind} {device.mac} brd {broadcast}{link_netns(device)}"


#: What `ip -d` says of every VXLAN device that flannel makes (iproute2 6.1, Linux 6.18).
_ANY_ETHERNET = " promiscuity 0  allmulti 0 minmtu 68 maxmtu 65535"
_ANY_VXLAN = (
    "nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx addrgenmode eui64 "
    "numtxqueues 1 numrxqueues 1 gso_max_size 65536 gso_max_segs 65535 tso_max_size 524280 "
    "tso_max_segs 65535 gro_max_size 65536"
)


def vxlan_details(ns: Netns, device: Device) -> str:
    """What ``ip -d`` adds for a VXLAN device, behind its MAC address."""
    if device.vxlan is None:
        return ""
    vni, local, port = device.vxlan
    under = f" dev {ns.local[local]}" if local in ns.local else ""
    tunnel = f"vxlan id {vni} local {local}{under} srcport 0 0 dstport {port}"
    return f"{_ANY_ETHERNET}\n    {tunnel} {_ANY_VXLAN}"


def brief(ns: Netns, device: Device, details: Iterable[str]) -> str:
    """One line of ``ip -br``."""
    return f"{full_name(ns, device):<16} {state(ns, device):<14} {' '.join(details)}"


def one_line(text: str) -> str:
    """``ip -o``: each record on one line, with a backslash where a new line was."""
    return text.replace("\n", "\\")
