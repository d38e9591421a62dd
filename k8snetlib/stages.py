"""What lives here: the closed sets of a walk's words: its stages, verdicts and outcomes.

A test keeps them closed: no walk may meet a box, decide or end in a way that has no line here.

What may not live here: what happens in a box (``linux``), how it is recorded (``trace``).
"""

from __future__ import annotations

from collections.abc import Mapping

#: The boxes of netfilter: which table speaks in which hook (and nftables' own chains), and what
#: that is for.
HOOK_BOXES: Mapping[str, tuple[str, ...]] = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
    "nft": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "ipvs": ("INPUT", "FORWARD", "OUTPUT"),
}

_TABLES = {
    "raw": "rules that speak before connection tracking",
    "mangle": "rules that mark packets",
    "nat": "address translation; its rules see only the first packet of a connection",
    "filter": "rules that let packets pass, or stop them",
    "security": "a second filter, for security modules",
    "nft": "a base chain of nftables (those of type nat speak in the nat box)",
    "ipvs": "the kernel's load balancer: requests to a real server, answers back",
}
_HOOKS = {
    "PREROUTING": "for what has just arrived, before it is routed",
    "INPUT": "for what this host itself is to receive",
    "FORWARD": "for what goes through this host",
    "OUTPUT": "for what this host itself sends",
    "POSTROUTING": "for what is about to leave",
}

#: Every box a packet can meet, with what happens there.
STAGES: Mapping[str, str] = {
    "socket": "a process hands data to its kernel, or receives it",
    "route": "the kernel looks up the routing table: longest prefix wins",
    "forward": "the kernel acts as a router: it takes one from the TTL",
    "neighbour": "the kernel needs the next hop's MAC address: neighbour table, else ARP",
    "transmit": "the packet leaves through a device (tcpdump sees it: out)",
    "receive": "the packet arrives on a device (tcpdump sees it: in)",
    "bridge": "the bridge looks up the destination MAC in its forwarding database",
    "arp": "the kernel reads an ARP message: it learns, answers or ignores",
    "icmp": "the kernel answers an echo request or reports an error",
    "tun": "the packet crosses between the kernel and the process that opened the TUN device",
    "flanneld": "the flanneld process looks up its own routes and wraps or unwraps the packet",
    "vxlan": "the kernel's VXLAN device wraps a frame in UDP for another node, or unwraps it",
    "fragment": "the kernel cuts a packet that is too long, or puts its pieces together again",
    "conntrack": "connection tracking: which connection does this packet belong to?",
    **{
        f"{table} {hook}": f"{_TABLES[table]}: {_HOOKS[hook]}"
        for table, hooks in HOOK_BOXES.items()
        for hook in hooks
    },
}


def is_hook(stage: str) -> bool:
    """True for the boxes of netfilter, which are called ``TABLE HOOK``."""
    return stage.partition(" ")[0] in HOOK_BOXES


#: What a box can decide.
VERDICTS: Mapping[str, str] = {
    "pass": "goes on to the next box",
    "deliver": "arrived: a process, or the kernel itself, was meant and has it",
    "park": "waits in the neighbour entry's queue until the MAC address is known",
    "ignore": "meant for another station: put aside, which is normal",
    "error": "cannot go on: an ICMP error or a TCP reset goes back to the sender",
    "drop": "gone, and nobody is told",
}

#: How an exchange can end.
OUTCOMES: Mapping[str, str] = {
    "delivered": "the request arrived and the answer came back",
    "refused": "the end host said no: a TCP reset, or its ICMP port unreachable",
    "rejected": "a firewall rule answered with an ICMP error",
    "unreachable": "a router or a neighbour said so by ICMP, or there was no local route",
    "too-big": "larger than a link allows, and the don't-fragment bit was set",
    "ttl-exceeded": "the TTL reached zero at a router, which said so by ICMP",
    "dropped": "silently thrown away by a rule, a policy or a full table",
    "lost": "nobody answered: the request or its answer got lost on the way",
}
