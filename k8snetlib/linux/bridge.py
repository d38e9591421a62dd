"""What lives here: the Linux bridge, a learning switch inside the kernel.

It learns which MAC address is behind which port from the *source* of every frame, and forwards by
the *destination*: to one port if it knows it, to all the others if it does not (or if the frame is
a broadcast). The bridge device itself (docker0, cni0) is one more way out: up to the host.

A port does not get back its own frames, unless its hairpin mode is on. Routing and TTL are none of
the bridge's business. Source: bridge(8), IEEE 802.1D-2004 §7.

With ``bridge-nf-call-iptables`` set, IPv4 frames also cross the IP hooks, and the rules see the
bridge as the device: PREROUTING on the way in (before the bridge decides), FORWARD and POSTROUTING
on the way from port to port. If PREROUTING gave the packet another destination, the frame gets the
MAC address of its new next hop: a neighbour on this same bridge, or else the bridge itself, so that
the host routes it. Source: br_netfilter_hooks.c.

A bridge is no router, so it tells nobody about a frame that is too long for the port it must leave
by: the frame is gone, and no ICMP says so. It bears with four bytes more than the port's MTU, the
room of a VLAN tag. With ``bridge-nf-call-iptables`` set the MTU itself counts for an IPv4 packet,
and one without don't-fragment leaves in pieces, as long as the *bridge's* MTU allows: the port may
still not take them. One that conntrack put together is cut again only if the pieces that came fit
into the bridge's MTU. Source: br_forward.c, is_skb_forwardable(), br_nf_ip_fragment().

Simplified here: no STP, no VLAN filtering, no multicast snooping. A translated frame to a neighbour
that the host itself has never sent to leaves by the port at once (the kernel, without a cached link
header, takes it through the bridge device first).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from k8snetlib.address import BROADCAST_MAC
from k8snetlib.linux import neighbour
from k8snetlib.linux.fragment import gather
from k8snetlib.linux.netns import BRIDGE_AGEING, Device, FdbEntry, Neighbour, Netns
from k8snetlib.packet import Ethernet, IPv4, Packet, stack_of

if TYPE_CHECKING:
    from k8snetlib.linux.stack import Visit

#: Linux lets a frame be longer than the MTU by the room of one tag.
VLAN_TAG = 4


def frame_in(visit: Visit, port: Device, frame: Packet) -> Packet | None:
    """A frame has arrived on a port. Forwards or floods it; returns it if the host is to have it.

    The bridge learns the source first, so a station is known before its first answer comes.
    """
    bridge = visit.ns.devices[cast(str, port.master)]
    ethernet = cast(Ethernet, frame.headers[0])
    if not bridge.up:
        visit.step("bridge", "drop", bridge.name, frame, "{} is down", (bridge.name,))
        return None
    visit.network.notes.bridged(visit, bridge.name, port.name)
    learn(visit.ns, bridge.name, port.name, ethernet.src, visit.network.now)
    if _asks_iptables(visit.ns, frame):
        return _through_prerouting(visit, bridge, port, frame)
    return _decide(visit, bridge, port, frame)


def _decide(visit: Visit, bridge: Device, port: Device, frame: Packet) -> Packet | None:
    ethernet = cast(Ethernet, frame.headers[0])
    if ethernet.dst == BROADCAST_MAC:
        _flood(visit, bridge, frame, port, "a broadcast")
        return frame
    if ethernet.dst == bridge.mac or _own_port(visit.ns, bridge.name, ethernet.dst):
        why = "{} is a MAC address of {} itself: up to the host"
        visit.step("bridge", "pass", bridge.name, frame, why, (ethernet.dst, bridge.name))
        return frame
    _forward(visit, bridge, ethernet.dst, frame, port)
    return None


def _calls_iptables(ns: Netns) -> bool:
    return bool(ns.sysctls["net.bridge.bridge-nf-call-iptables"])


def _asks_iptables(ns: Netns, frame: Packet) -> bool:
    return not ns.ruleset.empty and _calls_iptables(ns) and type(frame.headers[1]) is IPv4


def _through_prerouting(visit: Visit, bridge: Device, port: Device, frame: Packet) -> Packet | None:
    """br_netfilter: PREROUTING happens on the port, before the bridge has decided anything."""
    ethernet = cast(Ethernet, frame.headers[0])
    visit.through_bridge = port, ethernet
    packet = stack_of(frame.headers[1:], frame.payload)
    if visit.ns.ruleset.tracks:
        one = gather(visit, bridge.name, packet, lambda v, p: v.bridged_whole(port, ethernet, p))
        if one is None:
            return None
    after = visit.hook("PREROUTING", packet, bridge.name, "", (port.name, ""))
    if after is None:
        return None
    again = stack_of((ethernet, *after.headers), after.payload)
    if after.ip.dst == packet.ip.dst:
        return _decide(visit, bridge, port, again)
    return _readdress(visit, bridge, port, again)


def _readdress(visit: Visit, bridge: Device, port: Device, frame: Packet) -> Packet | None:
    """DNAT on a bridge: the frame needs the MAC address of its new destination's next hop."""
    ethernet, ip = cast(Ethernet, frame.headers[0]), cast(IPv4, frame.headers[1])
    route = None if visit.ns.is_local(ip.dst) else visit.ns.routes.lookup(ip.dst)
    if route is None or route.dev != bridge.name:
        upwards = ethernet._replace(dst=bridge.mac)
        visit.through_bridge = port, upwards
        return _decide(visit, bridge, port, stack_of((upwards, *frame.headers[1:]), frame.payload))
    why = "the new destination {} is behind this same bridge: {}"
    packet = stack_of(frame.headers[1:], frame.payload)

    def go_on(v: Visit, _: Device, entry: Neighbour, p: Packet) -> None:
        to = ethernet._replace(dst=cast(str, entry.mac))
        v.through_bridge = port, to
        out = stack_of((to, *p.headers), p.payload)
        v.step("neighbour", "pass", bridge.name, out, why, (ip.dst, entry.mac), entry, frame)
        _decide(v, bridge, port, out)

    neighbour.resolve(visit, bridge, route.via or ip.dst, packet, go_on)
    return None


def send(visit: Visit, bridge: Device, frame: Packet) -> None:
    """The host itself sends a frame through its bridge device."""
    ethernet = cast(Ethernet, frame.headers[0])
    visit.network.notes.bridged(visit, bridge.name, "")
    if ethernet.dst == BROADCAST_MAC:
        _flood(visit, bridge, frame, None, "a broadcast")
    else:
        _forward(visit, bridge, ethernet.dst, frame, None)


def lookup(ns: Netns, bridge: str, mac: str, now: float) -> FdbEntry | None:
    """The live forwarding entry of a MAC address; an entry not refreshed for 300 s is gone."""
    entry = ns.fdb.get((bridge, mac))
    if entry is not None and not entry.local and now - entry.updated >= BRIDGE_AGEING:
        if ns.network is not None:
            ns.network.notes.learned(ns, entry, gone=True)
        del ns.fdb[bridge, mac]
        return None
    return entry


def _own_port(ns: Netns, bridge: str, mac: str) -> bool:
    entry = ns.fdb.get((bridge, mac))
    return entry is not None and entry.local


def learn(ns: Netns, bridge: str, port: str, mac: str, now: float) -> None:
    """Notes that ``mac`` was seen on ``port`` at ``now`` (seconds)."""
    entry = ns.fdb.get((bridge, mac))
    if entry is None or entry.port != port or entry.updated != now:
        if entry is None or not entry.local:
            found = FdbEntry(mac, port, bridge, now)
            if ns.network is not None:
                ns.network.notes.learned(ns, found)
            ns.fdb[bridge, mac] = found


def _forward(visit: Visit, bridge: Device, dst: str, frame: Packet, arrived: Device | None) -> None:
    ns = visit.ns
    entry = lookup(ns, bridge.name, dst, visit.network.now)
    if entry is None:
        _flood(visit, bridge, frame, arrived, f"nobody knows yet where {dst} is")
        return
    port = ns.devices[entry.port]
    if arrived is not None and port.name == arrived.name and not port.hairpin:
        why = "{} is behind {}, where the frame came from, and hairpin mode is off there"
        visit.step("bridge", "drop", bridge.name, frame, why, (dst, port.name), entry)
        return
    why = "the forwarding database says {} is behind {}"
    visit.step("bridge", "pass", bridge.name, frame, why, (dst, port.name), entry)
    _to_port(visit, bridge, port, frame, arrived)


def _flood(
    visit: Visit, bridge: Device, frame: Packet, arrived: Device | None, because: str
) -> None:
    # The kernel keeps its ports in a list to which new ones are added in front.
    ports = [
        port
        for name in reversed(visit.ns.ports.get(bridge.name, ()))
        if (port := visit.ns.devices[name]).up
        and (arrived is None or port.name != arrived.name or port.hairpin)
    ]
    if ports:
        why = "{}: out of every other port ({})"
        reflected = arrived is not None and any(port.name == arrived.name for port in ports)
        if reflected:
            why = "{}: out of every port ({}), back to the sender too, for its port is a hairpin"
        names = ", ".join(port.name for port in ports)
        visit.step("bridge", "pass", bridge.name, frame, why, (because, names))
    else:
        why = "{}, and there is no other port"
        visit.step("bridge", "ignore", bridge.name, frame, why, (because,))
    for port in ports:
        _to_port(visit, bridge, port, frame, arrived)


def _to_port(
    visit: Visit, bridge: Device, port: Device, frame: Packet, arrived: Device | None
) -> None:
    """The frame leaves by a port; from port to port, br_netfilter asks FORWARD and POSTROUTING."""
    ns, ethernet = visit.ns, frame.headers[0]
    if arrived is None or type(frame.headers[1]) is not IPv4 or not _calls_iptables(ns):
        _push(visit, bridge, port, frame, VLAN_TAG)
        return
    passed: Packet | None = stack_of(frame.headers[1:], frame.payload)
    if not ns.ruleset.empty:
        ends = (arrived.name, port.name)
        passed = visit.hook("FORWARD", cast(Packet, passed), bridge.name, bridge.name, ends)
        if passed is not None:
            passed = visit.hook("POSTROUTING", passed, "", bridge.name, ends)
    if passed is None:
        return
    if visit.longest > bridge.mtu:
        why = "it came in pieces of up to {} bytes, and {} has the MTU {}: br_netfilter drops it"
        args = (visit.longest, bridge.name, bridge.mtu)
        visit.step("fragment", "drop", bridge.name, passed, why, args)
        return
    if visit.longest or (passed.length > port.mtu and not passed.ip.df):
        visit.in_pieces(
            bridge, passed,
            lambda v, p: _push(
                v, bridge, port, stack_of((ethernet, *p.headers), p.payload), VLAN_TAG
            ),
        )  # fmt: skip
        return
    _push(visit, bridge, port, stack_of((ethernet, *passed.headers), passed.payload), 0)


def _push(visit: Visit, bridge: Device, port: Device, frame: Packet, spare: int) -> None:
    """The frame leaves, if it is at most ``spare`` bytes longer than the port's MTU."""
    length = frame.ip_length
    if length > port.mtu + spare:
        why = "{} bytes do not fit into {} (MTU {}): a bridge throws them away and tells nobody"
        visit.step("bridge", "drop", bridge.name, frame, why, (length, port.name, port.mtu))
        return
    visit.transmit(port, frame)
