"""What lives here: the five hooks, and which table speaks when.

::

    in ──> PREROUTING ──> route ──> FORWARD ──> POSTROUTING ──> out
                            └────> INPUT ──> process ──> OUTPUT ──┘

In each hook the boxes follow their priority (``HOOKS``), base chains of nftables among them (see
``nftables.hooked``). conntrack looks before nat; the nat
table's rules see only the first packet of a connection, all others are translated by what was
decided then; a new connection is confirmed at the very end of its way through this kernel.

Each box that does something records one Step with the rules it matched.

Source: the packet-flow drawing of netfilter.org; nf_nat_core.c; br_netfilter_hooks.c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from k8snetlib.address import mask, number
from k8snetlib.linux import icmp
from k8snetlib.linux.conntrack import FULL, INVALID, Connection, Seen, rewrite
from k8snetlib.linux.ipvs import path
from k8snetlib.linux.netfilter.rule import Nat, Probe, Reject
from k8snetlib.packet import (
    ACK,
    PROTO_TCP,
    REDIRECT,
    RST,
    SYN,
    UNREACHABLE,
    Ethernet,
    Icmp,
    IPv4,
    Packet,
    Slice,
    Tcp,
    stack_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.stack import Visit

#: hook -> its boxes in the kernel's order (by priority).
HOOKS: dict[str, tuple[str, ...]] = {
    "PREROUTING": ("raw", "conntrack", "mangle", "nat"),
    "INPUT": ("mangle", "filter", "security", "nat", "confirm"),
    "FORWARD": ("mangle", "filter", "security"),
    "OUTPUT": ("raw", "conntrack", "mangle", "nat", "filter", "security"),
    "POSTROUTING": ("mangle", "nat", "confirm"),
}
#: The same with IPVS: answers first, then requests.
_WITH_IPVS = HOOKS | {
    "INPUT": (*HOOKS["INPUT"][:3], "ipvs reply", "ipvs request", *HOOKS["INPUT"][3:]),
    "FORWARD": (*HOOKS["FORWARD"], "ipvs reply"),
    "OUTPUT": (*HOOKS["OUTPUT"][:4], "ipvs reply", "ipvs request", *HOOKS["OUTPUT"][4:]),
}  # fmt: skip
_BALANCER: Mapping[str, Callable[[Visit, str, Packet, str], Packet | None]] = {
    "ipvs reply": path.reply, "ipvs request": path.request,
}  # fmt: skip
#: Hooks where NAT changes the source end; in the others the destination end.
_SOURCE_HOOKS = frozenset({"INPUT", "POSTROUTING"})

_REJECT_CODE = {
    "icmp-net-unreachable": 0, "icmp-host-unreachable": 1, "icmp-proto-unreachable": 2,
    "icmp-port-unreachable": 3, "icmp-net-prohibited": 9, "icmp-host-prohibited": 10,
    "icmp-admin-prohibited": 13,
}  # fmt: skip


def run_hook(
    visit: Visit, hook: str, packet: Packet, in_dev: str, out_dev: str,
    ports: tuple[str, str] = ("", ""),
) -> Packet | None:  # fmt: skip
    """Takes a packet through a hook; returns it (perhaps rewritten), or None if it ends here.

    ``in_dev`` and ``out_dev`` are device names ("" where the hook has none); ``ports`` are the
    bridge's ports behind them, for a bridged packet.
    """
    ruleset = visit.ns.ruleset
    p: Probe | None = None
    boxes = _WITH_IPVS[hook] if ruleset.ipvs else HOOKS[hook]
    for box in ruleset.active(hook, boxes):
        if box == "conntrack":
            if visit.seen is None:
                if not _track(visit, hook, packet, in_dev or out_dev):
                    return None
                p = None
        elif box == "confirm":
            if not _confirm(visit, hook, packet, in_dev or out_dev):
                return None
        elif box == "nat":
            if visit.seen is not None:
                translated = _nat(visit, hook, packet, in_dev, out_dev, ports)
                if translated is None:
                    return None
                if translated is not packet:
                    packet, p = translated, None
        elif type(box) is str and box in _BALANCER:
            balanced = _BALANCER[box](visit, hook, packet, in_dev or out_dev)
            if balanced is None:
                return None
            packet, p = balanced, None
        else:
            if p is None:
                p = _probe(visit, packet, in_dev, out_dev, ports)
            if not _ask(visit, box, hook, p):
                return None
    return packet


def _ask(visit: Visit, box: Any, hook: str, p: Probe) -> bool:
    """Asks a table's rules in a hook (or a base chain of nftables); False: the packet ends here."""
    device = p.in_dev or p.out_dev
    p.mark, p.evaluated = visit.mark, 0
    if type(box) is str:
        result = visit.ns.ruleset.run(box, hook, p)
    else:
        box, result = "nft", box.run(p)
    visit.mark = p.mark
    visit.evaluated += p.evaluated
    if result.verdict != "ACCEPT":
        _drop(visit, box, hook, p.packet, result.matched, result.reject, device)
        return False
    if result.matched:
        why = "{} {} lets it pass"
        visit.step(f"{box} {hook}", "pass", device, p.packet, why, (box, hook),
                   rules=result.matched)  # fmt: skip
    return True


def _probe(
    visit: Visit, packet: Packet, in_dev: str, out_dev: str, ports: tuple[str, str]
) -> Probe:
    network = visit.network
    p = Probe(visit.ns, packet, in_dev, out_dev, visit.mark, network.now, network.dice)
    p.physin, p.physout = ports
    if visit.through_bridge is not None:  # known as long as this kernel has the packet
        p.physin = visit.through_bridge[0].name
    seen = visit.seen
    if seen is not None:
        p.conn, p.state = seen.conn, seen.word
    return p


# -- conntrack ------------------------------------------------------------------------------------


def _track(visit: Visit, hook: str, packet: Packet, device: str) -> bool:
    """Finds a packet's connection; False: it ends here."""
    ns, network = visit.ns, visit.network
    seen = ns.conntrack.track(packet, network.now)
    if seen is FULL:
        why = "nf_conntrack: table full, dropping packet ({} connections)"
        visit.step("conntrack", "drop", device, packet, why, (len(ns.conntrack),))
        return False
    visit.seen = seen
    args: tuple[str, ...] = ()
    if seen is INVALID:
        why = "conntrack cannot make sense of this packet here: INVALID"
    elif seen.word == "NEW" and not cast(Connection, seen.conn).confirmed:
        why = "conntrack sees a new connection: NEW"
    else:
        side = "an answer in" if seen.reply else "part of"
        why, args = "conntrack: {} the connection {}: {}", (side, _short(seen), seen.word)
    entry = seen.conn.entry if seen.conn is not None else None
    visit.step("conntrack", "pass", device, packet, why, args, entry)
    return True


def _short(seen: Seen) -> str:
    return str(cast(Connection, seen.conn).original)


def _confirm(visit: Visit, hook: str, packet: Packet, device: str) -> bool:
    seen = visit.seen
    if seen is None or seen.conn is None or seen.word == "RELATED" or seen.reply:
        return True
    why = visit.ns.conntrack.confirm(seen.conn)
    if why:
        visit.step("conntrack", "drop", device, packet, "cannot keep the connection: {}", (why,))
        return False
    return True


# -- NAT ------------------------------------------------------------------------------------------


def _nat(
    visit: Visit, hook: str, packet: Packet, in_dev: str, out_dev: str, ports: tuple[str, str]
) -> Packet | None:
    seen = cast(Seen, visit.seen)
    conn = seen.conn
    if conn is None:
        return packet
    finished = conn.snat_done and conn.dnat_done
    if finished and not conn.snat and not conn.dnat:
        return packet
    source = hook in _SOURCE_HOOKS
    matched: tuple[Any, ...] = ()
    if _is_redirect(packet):
        why = "nat {}: a redirect about a connection that is (or may be) translated would mislead"
        visit.step(f"nat {hook}", "drop", in_dev or out_dev, packet, why, (hook,), conn.entry)
        return None
    if seen.word == "RELATED" and type(packet.transport) is Icmp:
        after = _translate_error(conn, packet, source, reply=seen.reply)
    else:
        if not (conn.snat_done if source else conn.dnat_done):
            verdict = _decide(visit, hook, packet, in_dev, out_dev, ports, conn, source)
            if verdict is None:
                return None
            matched = verdict
        after = _translate(conn, packet, source, reply=seen.reply)
    if after is not packet:
        what = "source" if source else "destination"
        why = "{} {}: the {} becomes {}"
        args = ("nat", hook, what, _end(after, source))
        if not matched:
            why = "no rule is asked: the connection's translation makes the {2} {3}"
        device = in_dev or out_dev
        visit.step(f"nat {hook}", "pass", device, after, why, args, conn.entry, packet, matched)
    elif matched:
        why = "nat {} changes nothing"
        visit.step(f"nat {hook}", "pass", in_dev or out_dev, packet, why, (hook,), conn.entry,
                   rules=matched)  # fmt: skip
    return after


def _is_redirect(packet: Packet) -> bool:
    message = packet.headers[1] if len(packet.headers) > 1 else None
    return type(message) is Icmp and message.type == REDIRECT


def _end(packet: Packet, source: bool) -> str:
    ip, l4 = cast(IPv4, packet.headers[0]), packet.headers[1]
    address = ip.src if source else ip.dst
    port = getattr(l4, "sport" if source else "dport", None)
    return address if port is None else f"{address}:{port}"


def _decide(
    visit: Visit, hook: str, packet: Packet, in_dev: str, out_dev: str, ports: tuple[str, str],
    conn: Connection, source: bool,
) -> tuple[Any, ...] | None:  # fmt: skip
    """Asks the nat table's rules, and binds what they say (or makes sure of a unique tuple)."""
    ruleset, network = visit.ns.ruleset, visit.network
    matched: tuple[Any, ...] = ()
    nat: Nat | None = None
    for asked in ruleset.translators(hook):
        p = _probe(visit, packet, in_dev, out_dev, ports)
        p.pinned = network.pinned
        result = ruleset.run("nat", hook, p) if type(asked) is str else asked.run(p)
        visit.mark = p.mark
        visit.evaluated += p.evaluated
        matched, nat = matched + result.matched, result.nat
        if result.verdict != "ACCEPT":
            _drop(visit, "nat", hook, packet, matched, result.reject, in_dev or out_dev)
            return None
        if nat is not None:
            break
    ips = _addresses(visit, nat, hook, in_dev, out_dev, packet.ip.dst)
    if nat is not None and ips is None and nat.kind in ("MASQUERADE", "REDIRECT"):
        why = "nat {}: {} has no address to give"
        args = (hook, out_dev or in_dev)
        visit.step(f"nat {hook}", "drop", in_dev or out_dev, packet, why, args, rules=matched)
        return None
    why = visit.ns.conntrack.bind(conn, source, ips, nat, network.random.randint)
    if why:
        said = "nat {}: {}"
        visit.step(f"nat {hook}", "drop", in_dev or out_dev, packet, said, (hook, why),
                   rules=matched)  # fmt: skip
        return None
    return matched


def _addresses(
    visit: Visit, nat: Nat | None, hook: str, in_dev: str, out_dev: str, dst: str
) -> tuple[str, str] | None:
    if nat is None:
        return None
    if nat.kind == "MASQUERADE":
        found = _masquerade_as(visit, out_dev, dst)
    elif nat.kind == "REDIRECT":
        found = "127.0.0.1" if hook == "OUTPUT" else _address_of(visit, in_dev)
    else:
        return nat.ips
    return (found, found) if found else None


def _masquerade_as(visit: Visit, name: str, dst: str) -> str | None:
    """inet_select_addr: the device's address in the next hop's subnet, else its first one, else the
    first of the host; a loopback address never (its scope is this host)."""
    ns = visit.ns
    route = ns.routes.lookup(dst)
    hop = number(route.via or dst) if route is not None else 0
    here = [a for a in ns.devices[name].addresses if not a.ip.startswith("127.")]
    near = [a for a in here if not (number(a.ip) ^ hop) & mask(a.length)]
    anywhere = (ip for ip in ns.local if not ip.startswith("127."))
    return (near or here)[0].ip if here else next(anywhere, None)


def _address_of(visit: Visit, name: str) -> str | None:
    device = visit.ns.devices.get(name)
    return device.addresses[0].ip if device is not None and device.addresses else None


def _translate(conn: Connection, packet: Packet, source: bool, *, reply: bool) -> Packet:
    """The one sentence of NAT: leave looking like the other tuple inverted."""
    changes_source = conn.snat if not reply else conn.dnat
    changes_dest = conn.dnat if not reply else conn.snat
    if not (changes_source if source else changes_dest):
        return packet
    look = (conn.original if reply else conn.reply).inverted
    return rewrite(packet, look, source=source)


def _translate_error(conn: Connection, packet: Packet, source: bool, *, reply: bool) -> Packet:
    """An ICMP error: its own address like its connection's, and what it quotes back again."""
    changes = (conn.dnat if reply else conn.snat) if source else (conn.snat if reply else conn.dnat)
    if not changes or not isinstance(packet.payload, Slice):
        return packet
    other = conn.original if reply else conn.reply
    quoted = rewrite(packet.payload.packet, other, source=not source)
    ip = cast(IPv4, packet.headers[0])
    look = other.inverted
    ip = ip._replace(src=look.src) if source else ip._replace(dst=look.dst)
    quote = Slice(quoted, packet.payload.start, packet.payload.length)
    return stack_of((ip, *packet.headers[1:]), quote)


# -- the end --------------------------------------------------------------------------------------


def _drop(
    visit: Visit, box: str, hook: str, packet: Packet, matched: tuple[Any, ...],
    reject: Reject | None, device: str,
) -> None:  # fmt: skip
    last = matched[-1] if matched else None
    by = f"policy of {hook if last is None else last.chain}"
    if last is not None and last.rule is not None:
        by = last.rule
    if reject is None:
        why = "{} {} throws it away: {}"
        visit.step(f"{box} {hook}", "drop", device, packet, why, (box, hook, by), by, None, matched)
        return
    why = "{} {} rejects it with {}: {}"
    args = (box, hook, reject.what, by)
    visit.step(f"{box} {hook}", "error", device, packet, why, args, by, None, matched)
    if reject.what == "tcp-reset":
        _tcp_reset(visit, packet)
    else:
        arrived = visit.ns.devices.get(device)
        code = _REJECT_CODE[reject.what]
        icmp.send_error(visit, arrived, packet, UNREACHABLE, code, cause="rule")


def _tcp_reset(visit: Visit, packet: Packet) -> None:
    ip, tcp = cast(IPv4, packet.headers[0]), packet.headers[1]
    if type(tcp) is not Tcp or tcp.flags & RST:
        return
    length = len(packet.payload) + bool(tcp.flags & SYN)
    if tcp.flags & ACK:
        header = Tcp(tcp.dport, tcp.sport, RST, tcp.ack, 0, 0)
    else:
        ack = (tcp.seq + length) & 0xFFFFFFFF
        header = Tcp(tcp.dport, tcp.sport, RST | ACK, 0, ack, 0)
    answer = stack_of((IPv4(ip.dst, ip.src, PROTO_TCP, 64, 0, True), header))
    network, seen = visit.network, visit.seen
    if visit.through_bridge is not None:
        # nf_send_reset: straight back out of the port, past all hooks: nothing is translated.
        port, ethernet = visit.through_bridge
        frame = stack_of((Ethernet(ethernet.dst, ethernet.src), *answer.headers))
        network.begin(visit.ns, icmp.emit_bridged_reset, frame, port, cause="rule")
        return
    flight = network.begin(visit.ns, icmp.emit_reset, answer, cause="rule")
    if seen is not None and seen.conn is not None:  # nf_ct_attach
        flight.seen = Seen(seen.conn, "RELATED", not seen.reply)
