"""What lives here: the options of every match: how many words they take and where they go.

``MATCHES`` is the table; what it does not name is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from k8snetlib.linux.netfilter import rule as r
from k8snetlib.linux.netfilter.reader import Reader, Word, value_and_mask

ICMP_NAMES = {
    "any": (255, None), "echo-reply": (0, None), "pong": (0, None),
    "destination-unreachable": (3, None), "network-unreachable": (3, 0),
    "host-unreachable": (3, 1), "protocol-unreachable": (3, 2), "port-unreachable": (3, 3),
    "fragmentation-needed": (3, 4), "source-quench": (4, None), "redirect": (5, None),
    "echo-request": (8, None), "ping": (8, None), "time-exceeded": (11, None),
    "ttl-exceeded": (11, None), "ttl-zero-during-transit": (11, 0), "parameter-problem": (12, None),
}  # fmt: skip
TCP_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}

Fields = dict[str, Any]
Option = Callable[[Reader, Fields, bool], None]


def _ports(key: str) -> Option:
    def read(words: Reader, fields: Fields, negated: bool) -> None:
        low, high = words.port_range()
        # All ports is no condition, and iptables forgets it.
        fields[key] = None if (low, high, negated) == (0, 65535, False) else (low, high, negated)

    return read


def _tcp_flags(words: Reader, fields: Fields, negated: bool) -> None:
    bits = []
    for expected in ("the flags to look at", "the flags that must be set"):
        value = 0
        for name in words.take(expected).split(","):
            if name not in TCP_FLAGS:
                raise words.error(f"'{name}' is no TCP flag", ", ".join(TCP_FLAGS), back=1)
            value |= TCP_FLAGS[name]
        bits.append(value)
    fields["flags"] = (*bits, negated)


def _syn(_: Reader, fields: Fields, negated: bool) -> None:
    fields["flags"] = (23, 2, negated)


def _icmp_type(words: Reader, fields: Fields, negated: bool) -> None:
    word = words.take("an ICMP type")
    kind, _, code = word.partition("/")
    if word in ICMP_NAMES:
        fields["kind"], fields["code"] = ICMP_NAMES[word]
    elif kind.isdigit() and int(kind) < 256 and (code.isdigit() or not code):
        fields["kind"], fields["code"] = int(kind), int(code) if code else None
    else:
        raise words.error(f"'{word}' is no ICMP type", "a number, TYPE/CODE, or a name", back=1)
    fields["negated"] = negated


def _words_from(known: tuple[str, ...], what: str) -> Callable[[Reader], frozenset[str]]:
    def read(words: Reader) -> frozenset[str]:
        names = frozenset(name.upper() for name in words.take(what).split(","))
        unknown = names - set(known)
        if unknown:
            raise words.error(f"'{min(unknown)}' is no {what}", ", ".join(known), back=1)
        return names

    return read


def _multiport(which: str) -> Option:
    def read(words: Reader, fields: Fields, negated: bool) -> None:
        text = words.take("ports")
        ranges = []
        for part in text.split(","):
            ranges.append(Reader([Word(part, 1)], words.line).port_range())
        if len(ranges) > 15:
            raise words.error(f"{len(ranges)} ports are too many", "at most 15", back=1)
        fields.update(which=which, ports=tuple(ranges), negated=negated)

    return read


def _states(key: str, module: str) -> Option:
    known = r.CT_STATES if key == "states" else r.CT_STATUS
    take = _words_from(known, "conntrack state" if key == "states" else "conntrack status")

    def read(words: Reader, fields: Fields, negated: bool) -> None:
        fields[key] = take(words)
        fields["negated" if key == "states" else "status_negated"] = negated
        fields["module"] = module

    return read


def _mark(words: Reader, fields: Fields, negated: bool) -> None:
    value, bits = value_and_mask(words)
    fields.update(value=value, bits=bits, negated=negated)


def _mode(words: Reader, fields: Fields, negated: bool) -> None:
    fields["mode"] = words.take("random or nth")
    if fields["mode"] not in ("random", "nth"):
        raise words.error(f"there is no mode '{fields['mode']}'", "random or nth", back=1)


def _probability(words: Reader, fields: Fields, negated: bool) -> None:
    word = words.take("a probability")
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise words.error(f"'{word}' is no probability", "a number from 0 to 1", back=1)
    fields.update(fixed=round(value * 0x80000000), negated=negated)


def _number(key: str, expected: str) -> Option:
    def read(words: Reader, fields: Fields, negated: bool) -> None:
        fields[key] = words.number(expected)
        if key == "every":
            fields["negated"] = negated

    return read


def _addr_type(key: str) -> Option:
    take = _words_from(r.ADDR_TYPES, "address type")

    def read(words: Reader, fields: Fields, negated: bool) -> None:
        fields[key] = (take(words), negated)

    return read


def _constant(**values: Any) -> Option:
    def read(_: Reader, fields: Fields, negated: bool) -> None:
        fields.update(values)
        if "action" in values:
            fields["negated"] = negated

    return read


def _string(key: str, expected: str) -> Option:
    def read(words: Reader, fields: Fields, negated: bool) -> None:
        fields[key] = words.take(expected)

    return read


def _match_set(words: Reader, fields: Fields, negated: bool) -> None:
    fields["name"] = words.take("the name of a set")
    flags = tuple(words.take("src or dst").split(","))
    if set(flags) - {"src", "dst"}:
        raise words.error(f"'{','.join(flags)}' is no direction", "src or dst, by commas", back=1)
    fields.update(flags=flags, negated=negated)


_UNITS = {"s": "sec", "m": "min", "h": "hour", "d": "day"}
_PERIOD = {"sec": 10000, "min": 600000, "hour": 36000000, "day": 864000000}


def _rate(words: Reader, fields: Fields, negated: bool) -> None:
    word = words.take("a rate")
    count, _, unit = word.partition("/")
    unit = _UNITS.get((unit or "second")[0], "")
    if not count.isdigit() or not int(count) or not unit:
        raise words.error(f"'{word}' is no rate", "e.g. 10/second or 3/min", back=1)
    fields["rate"] = _printed_rate(_PERIOD[unit] // int(count))


def _printed_rate(period: int) -> str:
    """The rate as iptables prints it back: the smallest unit that says it without loss."""
    units = [("day", _PERIOD["day"]), ("hour", _PERIOD["hour"]), ("min", _PERIOD["min"])]
    units.append(("sec", _PERIOD["sec"]))
    name, size = units[0]
    for next_name, next_size in units[1:]:
        if period > next_size or next_size // period < next_size % period:
            break
        name, size = next_name, next_size
    return f"{size // period}/{name}"


def _physdev(key: str, flag: bool) -> Option:
    def read(words: Reader, fields: Fields, negated: bool) -> None:
        fields[key] = (True if flag else words.take("a device"), negated)

    return read


def _vproto(words: Reader, fields: Fields, negated: bool) -> None:
    name = words.take("a protocol").lower()
    number = {"tcp": 6, "udp": 17, "sctp": 132}.get(name, int(name) if name.isdigit() else 0)
    if not number:
        raise words.error(f"'{name}' is no protocol here", "tcp, udp, sctp or a number", back=1)
    fields["vproto"] = (number, negated)


def _virtual(key: str) -> Option:
    def read(words: Reader, fields: Fields, negated: bool) -> None:
        value = words.prefix().network if key == "vaddr" else words.port_range()[0]
        fields[key] = (value, negated)

    return read


class Module(NamedTuple):
    """A match module: what it makes, and its options."""

    make: Callable[..., r.Match]
    options: dict[str, Option]
    given: Mapping[str, Any] = MappingProxyType({})


MATCHES: dict[str, Module] = {
    "comment": Module(r.Comment, {"--comment": _string("text", "a comment")}),
    "tcp": Module(r.Ports, {
        "--sport": _ports("source"), "--source-port": _ports("source"),
        "--dport": _ports("dest"), "--destination-port": _ports("dest"),
        "--tcp-flags": _tcp_flags, "--syn": _syn,
    }, {"proto": "tcp"}),
    "udp": Module(r.Ports, {
        "--sport": _ports("source"), "--source-port": _ports("source"),
        "--dport": _ports("dest"), "--destination-port": _ports("dest"),
    }, {"proto": "udp"}),
    "sctp": Module(r.Ports, {
        "--sport": _ports("source"), "--source-port": _ports("source"),
        "--dport": _ports("dest"), "--destination-port": _ports("dest"),
    }, {"proto": "sctp"}),
    "nfacct": Module(r.Nfacct, {"--nfacct-name": _string("name", "a counter")}),
    "icmp": Module(r.IcmpType, {"--icmp-type": _icmp_type}),
    "multiport": Module(r.Multiport, {
        "--dports": _multiport("dports"), "--destination-ports": _multiport("dports"),
        "--sports": _multiport("sports"), "--source-ports": _multiport("sports"),
        "--ports": _multiport("ports"),
    }),
    "conntrack": Module(r.Conntrack, {
        "--ctstate": _states("states", "conntrack"),
        "--ctstatus": _states("status", "conntrack"),
    }),
    "state": Module(r.Conntrack, {"--state": _states("states", "state")}),
    "mark": Module(r.Mark, {"--mark": _mark}),
    "statistic": Module(r.Statistic, {
        "--mode": _mode, "--probability": _probability,
        "--every": _number("every", "a count"), "--packet": _number("packet", "a packet number"),
    }),
    "addrtype": Module(r.AddrType, {
        "--src-type": _addr_type("source"), "--dst-type": _addr_type("dest"),
        "--limit-iface-in": _constant(limit="in"), "--limit-iface-out": _constant(limit="out"),
    }),
    "recent": Module(r.Recent, {
        "--set": _constant(action="set"), "--rcheck": _constant(action="rcheck"),
        "--update": _constant(action="update"), "--remove": _constant(action="remove"),
        "--seconds": _number("seconds", "seconds"), "--reap": _constant(reap=True),
        "--hitcount": _number("hitcount", "a count"), "--name": _string("name", "a name"),
        "--mask": _string("bits", "a mask"), "--rsource": _constant(by="rsource"),
        "--rdest": _constant(by="rdest"),
    }),
    "set": Module(r.MatchSet, {"--match-set": _match_set}),
    "ipvs": Module(r.IpvsMatch, {
        "--vproto": _vproto, "--vaddr": _virtual("vaddr"), "--vport": _virtual("vport"),
    }),
    "limit": Module(r.Limit, {
        "--limit": _rate, "--limit-burst": _number("burst", "a count"),
    }, {"rate": "3/hour"}),
    "physdev": Module(r.Physdev, {
        "--physdev-in": _physdev("physin", False), "--physdev-out": _physdev("physout", False),
        "--physdev-is-in": _physdev("is_in", True), "--physdev-is-out": _physdev("is_out", True),
        "--physdev-is-bridged": _physdev("is_bridged", True),
    }),
}  # fmt: skip
