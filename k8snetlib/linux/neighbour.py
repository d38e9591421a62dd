"""What lives here: the neighbour table and ARP (RFC 826).

To put a packet on an Ethernet, the kernel needs the MAC address of the *next hop*: the gateway of
the route, or the destination itself if the route has no gateway. It looks in the neighbour table;
if nothing is there, the packet is parked, and a broadcast asks "who has …?". The answer fills the
entry and releases what was parked. Three unanswered requests, one second apart, make the entry
FAILED, and the parked packets' senders get ICMP host unreachable.

A host also learns the one who *asks* it: that is why the answer needs no question of its own.

Simplified here: a STALE entry is used without a fresh probe; the queue of parked packets has no
limit; ``arp_announce``, ``proxy_arp`` are 0, and ``arp_ignore`` is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from k8snetlib.address import BROADCAST_MAC, ZERO_MAC
from k8snetlib.linux import icmp
from k8snetlib.linux.netns import Device, Neighbour, Netns
from k8snetlib.packet import (
    HOST_UNREACHABLE,
    UNREACHABLE,
    Arp,
    Ethernet,
    IPv4,
    Packet,
    stack_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.stack import Visit


Then = Callable[["Visit", Device, Neighbour, Packet], None]


def send(visit: Visit, device: Device, next_hop: str, packet: Packet) -> None:
    """Gives the packet its link header and sends it, or parks it until ARP has an answer."""
    resolve(visit, device, next_hop, packet, _frame_and_send)


def _frame_and_send(visit: Visit, device: Device, entry: Neighbour, packet: Packet) -> None:
    ethernet = Ethernet(device.mac, cast(str, entry.mac))
    frame = stack_of((ethernet, *packet.headers), packet.payload)
    why = "the next hop {} is a known neighbour: {}"
    visit.step("neighbour", "pass", device.name, frame, why, entry[0:3:2], entry, packet)
    visit.transmit(device, frame)


def resolve(visit: Visit, device: Device, next_hop: str, packet: Packet, then: Then) -> None:
    """Goes on with ``then`` as soon as the next hop's MAC address is known."""
    key = (device.name, next_hop)
    visit.network.notes.came_to(visit.ns)
    entry = visit.ns.neighbours.get(key)
    if entry is not None and entry.mac is not None:
        then(visit, device, entry, packet)
        return
    if device.kind == "veth" and device.peer is None:
        why = "the MAC address of {} is not known here, nor is what is at the other end of {}"
        visit.step("neighbour", "drop", device.name, packet, why, (next_hop, device.name), entry)
        return
    why = "who has {}? Its MAC address is not known: park the packet and ask everybody on {}"
    visit.step("neighbour", "park", device.name, packet, why, (next_hop, device.name), entry)
    parked = visit.ns.arp_queue.setdefault(key, [])
    parked.append((visit, packet, then))
    if len(parked) == 1:
        ip = cast(IPv4, packet.headers[0])
        _solicit(visit, device.name, next_hop, ip.src, tries=0)


def _solicit(visit: Visit, name: str, target: str, packet_src: str, tries: int) -> None:
    """Asks once; called again by the timer until answered or given up."""
    ns, network = visit.ns, visit.network
    key = (name, target)
    device = ns.devices.get(name)
    if key not in ns.arp_queue or device is None:
        ns.arp_queue.pop(key, None)
        return
    if tries >= ns.sysctls["net.ipv4.neigh.default.mcast_solicit"]:
        _give_up(ns, key, network.now)
        return
    _store(ns, key, Neighbour(target, name, None, "INCOMPLETE", network.now))
    sender = packet_src if packet_src in ns.local else _own_address(ns, device)
    arp = Arp(1, device.mac, sender, ZERO_MAC, target)
    frame = stack_of((Ethernet(device.mac, BROADCAST_MAC), arp))
    network.begin(ns, ask, frame, device)
    seconds = ns.sysctls["net.ipv4.neigh.default.retrans_time_ms"] / 1000
    network.after(seconds, lambda: _solicit(visit, name, target, packet_src, tries + 1))


def _store(ns: Netns, key: tuple[str, str], entry: Neighbour) -> None:
    if ns.network is not None:
        ns.network.notes.learned(ns, entry)
    ns.neighbours[key] = entry


def _own_address(ns: Netns, device: Device) -> str:
    if device.addresses:
        return device.addresses[0].ip
    return next((ip for ip in ns.local if not ip.startswith("127.")), "0.0.0.0")


def ask(visit: Visit, device: Device, frame: Packet) -> None:
    """The kernel broadcasts an ARP request (or sends its answer)."""
    arp = cast(Arp, frame.headers[1])
    if arp.op == 1:
        why = "who has {}? Tell {}: a question to everybody on this link"
        args: tuple[str, ...] = (arp.target_ip, arp.sender_ip)
    else:
        why = "{} is at {}: an answer to {} alone"
        args = (arp.sender_ip, arp.sender_mac, arp.target_ip)
    visit.step("arp", "pass", device.name, frame, why, args)
    visit.transmit(device, frame)


def _is_asked(ns: Netns, dev: str, ip: str) -> bool:
    """True if this host answers for an address: for any of its own, on whatever device; with
    ``arp_ignore`` 1 only for those of the device that was asked."""
    if ip not in ns.local or ip.startswith("127."):
        return False
    return not ns.sysctls.get("net.ipv4.conf.all.arp_ignore", 0) or ns.local[ip] == dev


def arp_in(visit: Visit, device: Device, frame: Packet) -> None:
    """An ARP message has arrived: learn from it, answer it, or leave it."""
    ns = visit.ns
    arp = cast(Arp, frame.headers[1])
    name, now = device.name, visit.network.now
    key = (name, arp.sender_ip)
    visit.network.notes.came_to(ns)
    known = ns.neighbours.get(key)
    if arp.op == 1 and _is_asked(ns, name, arp.target_ip):
        if known is None or known.state != "PERMANENT":
            learned = Neighbour(arp.sender_ip, name, arp.sender_mac, "STALE", now)
            _update(visit, key, learned)
        why = "who has {}? That is me: answer, and remember {} at {}"
        args = (arp.target_ip, arp.sender_ip, arp.sender_mac)
        visit.step("arp", "deliver", name, frame, why, args, ns.neighbours[key])
        reply = Arp(2, device.mac, arp.target_ip, arp.sender_mac, arp.sender_ip)
        answer = stack_of((Ethernet(device.mac, arp.sender_mac), reply))
        visit.network.begin(ns, ask, answer, device)
    elif arp.op == 1:
        if arp.sender_ip in ns.local:
            why = "who has {}? My own question, come back through a hairpin port: ignored"
        else:
            why = "who has {}? Not me: ignored"
        visit.step("arp", "ignore", name, frame, why, (arp.target_ip,))
    elif known is None or known.state == "PERMANENT":
        why = "{} is at {}: nobody here asked, so nothing is learned"
        visit.step("arp", "ignore", name, frame, why, (arp.sender_ip, arp.sender_mac))
    else:
        learned = Neighbour(arp.sender_ip, name, arp.sender_mac, "REACHABLE", now)
        why = "{} is at {}: now it is known, and what was parked can go"
        args2 = (arp.sender_ip, arp.sender_mac)
        visit.step("arp", "deliver", name, frame, why, args2, learned)
        _update(visit, key, learned)


def _update(visit: Visit, key: tuple[str, str], learned: Neighbour) -> None:
    """Stores an entry and releases the packets that waited for it, oldest first."""
    ns = visit.ns
    known = ns.neighbours.get(key)
    if known is not None and known.mac == learned.mac and known.state == "REACHABLE":
        learned = learned._replace(state="REACHABLE")
    _store(ns, key, learned)
    for parked, packet, then in ns.arp_queue.pop(key, ()):
        # They go on in their own hops, after this message has been dealt with.
        visit.again(_resume, parked, ns.devices[key[0]], key[1], packet, then)


def _resume(
    _: Visit, parked: Visit, device: Device, next_hop: str, packet: Packet, then: Then
) -> None:
    resolve(parked, device, next_hop, packet, then)
    while parked.todo:
        following, args = parked.todo.pop(0)
        following(parked, *args)


def _give_up(ns: Netns, key: tuple[str, str], now: float) -> None:
    name, target = key
    _store(ns, key, Neighbour(target, name, None, "FAILED", now))
    for parked, packet, _ in ns.arp_queue.pop(key, ()):
        tries = ns.sysctls["net.ipv4.neigh.default.mcast_solicit"]
        if ns.open_ended:
            why = "nobody known here has {}; who else is there to answer on {} is not known"
            parked.step("neighbour", "drop", name, packet, why, (target, name), ns.neighbours[key])
            continue
        why = "nobody answered {} times 'who has {}?': tell the sender with ICMP host unreachable"
        parked.step("neighbour", "error", name, packet, why, (tries, target), ns.neighbours[key])
        icmp.send_error(parked, ns.devices.get(name), packet, UNREACHABLE, HOST_UNREACHABLE)


def flush(ns: Netns) -> None:
    """``ip neigh flush all``: forgets every neighbour that was learned."""
    for key in [k for k, e in ns.neighbours.items() if e.state != "PERMANENT"]:
        if key not in ns.arp_queue:
            del ns.neighbours[key]


def current_state(entry: Neighbour, ns: Netns, now: float) -> str:
    """The state as ``ip neigh`` prints it now: REACHABLE turns STALE when its time is over."""
    reachable = ns.sysctls["net.ipv4.neigh.default.base_reachable_time_ms"] / 1000
    if entry.state == "REACHABLE" and now - entry.updated > reachable:
        return "STALE"
    return entry.state
