"""What lives here: ipsets: sets of addresses, ports and both, which rules can ask about.

A rule says which ends of the packet stand for the parts of an entry: ``--match-set NAME
dst,dst,src`` compares ``IP,PROTO:PORT,IP`` with the destination's address, the destination's port
(and the protocol), and the source's address. A set is a value; a change puts another in its place.

What may not live here: the match of a rule (``netfilter``), the command (``tools.ipset``).

Simplified here: six types (``TYPES``), no timeouts, counters or comments of entries; a hash never
grows; no entry without a port for a type with one, and no ranges of entries.

Source: ipset(8); ip_set_hash_ipport.c, ip_set_bitmap_port.c, ip_set_getport.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.address import Prefix
from k8snetlib.errors import K8sNetError
from k8snetlib.packet import PROTO_NAMES, Icmp, Tcp, Udp

if TYPE_CHECKING:
    from k8snetlib.linux.netfilter.probe import Probe
    from k8snetlib.linux.netns import Netns

#: type -> what its entries consist of.
TYPES: Mapping[str, tuple[str, ...]] = {
    "hash:ip": ("ip",),
    "hash:net": ("net",),
    "hash:ip,port": ("ip", "port"),
    "hash:ip,port,ip": ("ip", "port", "ip"),
    "hash:ip,port,net": ("ip", "port", "net"),
    "bitmap:port": ("port",),
}
_WITH_PORTS = frozenset({"tcp", "udp", "sctp"})


class IpSet(NamedTuple):
    """One set. ``kind`` is its type, ``entries`` are texts as ``ipset add`` takes them: addresses,
    ``PROTO:PORT`` (in a bitmap the number alone), networks. ``family`` is inet or inet6."""

    name: str
    kind: str
    entries: frozenset[str] = frozenset()
    family: str = "inet"

    @property
    def dimension(self) -> int:
        """How many parts an entry has."""
        return len(TYPES[self.kind])

    def contains(self, p: Probe, flags: tuple[str, ...]) -> bool:
        """True if the packet's ends that ``flags`` name (src or dst) are an entry."""
        parts = TYPES[self.kind]
        if len(flags) < len(parts):
            return False
        if self.kind == "bitmap:port":
            proto, port = _port(p, flags[0])
            return proto in _WITH_PORTS and str(port) in self.entries
        words = []
        for part, flag in zip(parts, flags, strict=False):
            if part == "port":
                proto, port = _port(p, flag)
                if not proto:
                    return False
                words.append(f"{proto}:{port}")
            else:
                words.append(p.ip.src if flag == "src" else p.ip.dst)
        if parts[-1] == "net":
            return self._in_a_net(words)
        return ",".join(words) in self.entries

    def _in_a_net(self, words: list[str]) -> bool:
        front = "".join(f"{word}," for word in words[:-1])
        return any(
            entry.startswith(front) and Prefix.parse(entry[len(front) :]).contains(words[-1])
            for entry in self.entries
        )

    def with_entries(self, entries: Iterable[str]) -> IpSet:
        """The same set with these entries instead."""
        return self._replace(entries=frozenset(entries))


def _port(p: Probe, flag: str) -> tuple[str, int]:
    """Protocol and port of one end; ICMP's type and code stand for a port. "" if there is none."""
    l4 = p.l4
    if isinstance(l4, Tcp | Udp):
        return PROTO_NAMES[p.ip.proto], l4.sport if flag == "src" else l4.dport
    if isinstance(l4, Icmp):
        return "icmp", l4.type << 8 | l4.code
    return "", 0


def references(ns: Netns, name: str) -> int:
    """How many rules of a namespace ask about the set."""
    return sum(
        getattr(match, "flags", None) is not None and getattr(match, "name", "") == name
        for _, _, rule in ns.ruleset.rules()
        for match in rule.matches
    )


def destroy(ns: Netns, name: str) -> None:
    """``ipset destroy NAME``; raises ``K8sNetError`` if it is not there, or some rule uses it."""
    if name not in ns.ipsets:
        raise K8sNetError("The set with the given name does not exist")
    if references(ns, name):
        raise K8sNetError(
            "Set cannot be destroyed: it is in use by a kernel component",
            "A rule still has --match-set with its name: take that away first.",
        )
    del ns.ipsets[name]
