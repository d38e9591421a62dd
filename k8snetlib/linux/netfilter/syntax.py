"""What lives here: the text of rules: what ``iptables`` takes and ``iptables-save`` prints, parsed.

One table of options per match and target; each entry says how many words it takes and where they
go. What the table does not name is refused with line, column, and what was expected there.

Simplified here: IPv4; no ``-f`` before 2.6 syntax, no options that ``rule`` has no value for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from k8snetlib.address import Prefix, parse_ip
from k8snetlib.errors import BadAddress, K8sNetError
from k8snetlib.linux.netfilter import rule as r

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "all": 0, "sctp": 132, "esp": 50, "ah": 51, "gre": 47}
ICMP_NAMES = {
    "any": (255, None), "echo-reply": (0, None), "pong": (0, None),
    "destination-unreachable": (3, None), "network-unreachable": (3, 0),
    "host-unreachable": (3, 1), "protocol-unreachable": (3, 2), "port-unreachable": (3, 3),
    "fragmentation-needed": (3, 4), "source-quench": (4, None), "redirect": (5, None),
    "echo-request": (8, None), "ping": (8, None), "time-exceeded": (11, None),
    "ttl-exceeded": (11, None), "ttl-zero-during-transit": (11, 0), "parameter-problem": (12, None),
}  # fmt: skip
REJECT_WITH = (
    "icmp-net-unreachable", "icmp-host-unreachable", "icmp-proto-unreachable",
    "icmp-port-unreachable", "icmp-net-prohibited", "icmp-host-prohibited", "tcp-reset",
    "icmp-admin-prohibited",
)  # fmt: skip
REJECT_SHORT = {
    "net-unreach": REJECT_WITH[0], "host-unreach": REJECT_WITH[1], "proto-unreach": REJECT_WITH[2],
    "port-unreach": REJECT_WITH[3], "net-prohib": REJECT_WITH[4], "host-prohib": REJECT_WITH[5],
    "tcp-rst": REJECT_WITH[6], "admin-prohib": REJECT_WITH[7],
}  # fmt: skip
TCP_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}


class RuleError(K8sNetError):
    """A rule's text that cannot be read; the message names line and column (both from 1)."""


class Word(NamedTuple):
    """One word of a rule and where it began."""

    text: str
    column: int


_WORDS = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+))""")


def words_of(text: str) -> list[Word]:
    """Splits a line as iptables-restore does: blanks separate, double quotes keep together."""
    found, at = [], 0
    while at < len(text) and text[at:].strip():
        match = _WORDS.match(text, at)
        assert match is not None
        double, single, plain = match.groups()
        word = re.sub(r"\\(.)", r"\1", double) if double is not None else single
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        found.append(Word(plain if word is None else word, start + 1))
        at = match.end()
    return found


class Reader:
    """Walks through the words of one rule and knows how to complain."""

    def __init__(self, words: list[Word], line: int = 1, text: str = "") -> None:
        self.words, self.at, self.line, self.text = words, 0, line, text

    def __bool__(self) -> bool:
        return self.at < len(self.words)

    def peek(self) -> str:
        """The next word, or nothing at the end."""
        return self.words[self.at].text if self else ""

    def take(self, expected: str) -> str:
        """The next word; complains that ``expected`` is missing at the end of the line."""
        if not self:
            raise self.error(f"the line ends where {expected} should stand")
        self.at += 1
        return self.words[self.at - 1].text

    def error(self, what: str, expected: str = "", back: int = 0) -> RuleError:
        """A complaint about the word that comes next (or the one ``back`` words ago)."""
        at = self.at - back
        column = self.words[at].column if at < len(self.words) else len(self.text) + 1
        hint = f"Expected {expected}." if expected else ""
        return RuleError(f"Line {self.line}, column {column}: {what}.", hint)

    def number(self, expected: str, high: int = 0xFFFFFFFF) -> int:
        """The next word as a number, decimal or 0x…; complains about anything else."""
        word = self.take(expected)
        try:
            value = int(word, 0)
        except ValueError:
            raise self.error(f"'{word}' is no number", expected, back=1) from None
        if not 0 <= value <= high:
            raise self.error(f"{word} is out of range", f"{expected}, 0 to {high}", back=1)
        return value

    def port_range(self, joint: str = ":") -> tuple[int, int]:
        """``80`` or ``80:90``."""
        word = self.take("a port")
        parts = word.split(joint)
        named = [{"": default}.get(p, p) for p, default in zip(parts, ("0", "65535"), strict=False)]
        values = [int(p) if p.isdigit() else -1 for p in named]
        if not 1 <= len(parts) <= 2 or any(not 0 <= v <= 65535 for v in values):
            raise self.error(f"'{word}' is no port", f"0 to 65535, or a range LOW{joint}HIGH", 1)
        if values[0] > values[-1]:
            raise self.error(f"the range {word} runs backwards", "the lower port first", back=1)
        return values[0], values[-1]

    def prefix(self) -> Prefix:
        """An address or a network; a dotted netmask is taken too."""
        word = self.take("an address")
        address, slash, length = word.partition("/")
        if slash and "." in length:
            bits = bin(int.from_bytes(bytes(map(int, length.split("."))), "big")).count("1")
            word = f"{address}/{bits}"
        try:
            return Prefix.parse(word, host_bits=True)
        except BadAddress as bad:
            raise self.error(f"'{word}' is no address", "e.g. 10.1.0.0/16", back=1) from bad


# -- matches --------------------------------------------------------------------------------------

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


def value_and_mask(words: Reader) -> tuple[int, int]:
    """``0x4000/0x4000``; without a mask all bits count."""
    word = words.take("a mark")
    value, _, bits = word.partition("/")
    try:
        return int(value, 0), int(bits, 0) if bits else 0xFFFFFFFF
    except ValueError:
        raise words.error(f"'{word}' is no mark", "VALUE or VALUE/MASK", back=1) from None


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


class Module(NamedTuple):
    """A match module: what it makes, and its options."""

    make: Callable[..., r.Match]
    options: dict[str, Option]
    given: Fields = {}


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
    "icmp": Module(r.IcmpType, {"--icmp-type": _icmp_type}, {"kind": 255}),
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
    "limit": Module(r.Limit, {
        "--limit": _rate, "--limit-burst": _number("burst", "a count"),
    }, {"rate": "3/hour"}),
    "physdev": Module(r.Physdev, {
        "--physdev-in": _physdev("physin", False), "--physdev-out": _physdev("physout", False),
        "--physdev-is-in": _physdev("is_in", True), "--physdev-is-out": _physdev("is_out", True),
        "--physdev-is-bridged": _physdev("is_bridged", True),
    }),
}  # fmt: skip


# -- targets --------------------------------------------------------------------------------------


def _reject(words: Reader) -> r.Target:
    what = "icmp-port-unreachable"
    if words.peek() == "--reject-with":
        words.take("")
        given = words.take("what to reject with")
        what = REJECT_SHORT.get(given, REJECT_SHORT.get(given.removeprefix("icmp-"), given))
        if what not in REJECT_WITH:
            raise words.error(f"cannot reject with '{given}'", ", ".join(REJECT_WITH), back=1)
    return r.Reject(what)


def _set_mark(words: Reader) -> r.Target:
    option = words.take("--set-xmark, --set-mark, --and-mark, --or-mark or --xor-mark")
    if option in ("--set-xmark", "--set-mark"):
        value, bits = value_and_mask(words)
        return r.SetMark(value, bits if option == "--set-xmark" else bits | value)
    bits = words.number("a mark")
    if option == "--and-mark":
        return r.SetMark(0, ~bits & 0xFFFFFFFF)
    if option == "--or-mark":
        return r.SetMark(bits, bits)
    if option == "--xor-mark":
        return r.SetMark(bits, 0)
    raise words.error(f"MARK has no option '{option}'", "--set-xmark, --or-mark …", back=2)


_NAT_FLAGS = {
    "--random": "random", "--random-fully": "random_fully", "--persistent": "persistent",
}  # fmt: skip


def _nat(kind: str, option: str) -> Callable[[Reader], r.Target]:
    def read(words: Reader) -> r.Target:
        fields: Fields = {}
        while words.peek() == option or words.peek() in _NAT_FLAGS:
            word = words.take("")
            if word in _NAT_FLAGS:
                fields[_NAT_FLAGS[word]] = True
            elif option == "--to-ports":
                fields["ports"] = words.port_range("-")
            else:
                fields["ips"], fields["ports"] = _address_and_ports(words)
        if kind in ("DNAT", "SNAT") and not {"ips", "ports"} & set(fields):
            raise words.error(f"{kind} needs {option}", f"{option} ADDRESS[:PORT]")
        return r.Nat(kind, **fields)

    return read


def _address_and_ports(words: Reader) -> tuple[Any, Any]:
    text = words.take("an address")
    where, colon, port = text.partition(":")
    ips: tuple[str, str] | None = None
    try:
        if where:
            low, _, high = where.partition("-")
            ips = parse_ip(low), parse_ip(high or low)
    except BadAddress as bad:
        raise words.error(f"'{text}' is no address", "ADDRESS[-ADDRESS][:PORT]", 1) from bad
    if not colon:
        return ips, None
    at = words.words[words.at - 1].column + len(where) + 1
    return ips, Reader([Word(port, at)], words.line, words.text).port_range("-")


def _log(words: Reader) -> r.Target:
    fields: Fields = {}
    while words.peek() in ("--log-prefix", "--log-level"):
        if words.take("") == "--log-prefix":
            fields["prefix"] = words.take("a prefix")
        else:
            names = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
            level = words.peek()
            fields["level"] = names.index(words.take("")) if level in names else words.number("0-7")
    return r.Log(**fields)


TARGETS: dict[str, Callable[[Reader], r.Target]] = {
    "ACCEPT": lambda _: r.Verdict("ACCEPT"),
    "DROP": lambda _: r.Verdict("DROP"),
    "RETURN": lambda _: r.Verdict("RETURN"),
    "REJECT": _reject,
    "MARK": _set_mark,
    "DNAT": _nat("DNAT", "--to-destination"),
    "SNAT": _nat("SNAT", "--to-source"),
    "MASQUERADE": _nat("MASQUERADE", "--to-ports"),
    "REDIRECT": _nat("REDIRECT", "--to-ports"),
    "LOG": _log,
}


# -- the rule -------------------------------------------------------------------------------------


def parse_rule(text: str, line: int = 1) -> r.Rule:
    """A rule from the text after ``-A CHAIN``. Raises ``RuleError`` (line, column, expected)."""
    return read_rule(Reader(words_of(text), line, text))


def read_rule(words: Reader) -> r.Rule:
    """A rule from the words that are left."""
    head: Fields = {}
    made: list[tuple[str, Fields]] = []
    target: r.Target | None = None
    while words:
        negated = words.peek() == "!"
        if negated:
            words.take("")
        word = words.take("an option after '!'")
        if word in ("-j", "--jump", "-g", "--goto"):
            target = _target(words, goto=word in ("-g", "--goto"))
        elif word in ("-m", "--match"):
            name = words.take("the name of a match")
            if name not in MATCHES:
                raise words.error(f"the match '{name}' is not modelled", ", ".join(MATCHES), back=1)
            made.append((name, dict(MATCHES[name].given)))
        elif not _head(words, word, negated, head):
            _option(words, word, negated, head, made)
    matches = tuple(_make(words, name, fields) for name, fields in made)
    return r.Rule(**head, matches=matches, target=target)


def _head(words: Reader, word: str, negated: bool, head: Fields) -> bool:
    if word in ("-s", "--source", "--src"):
        head["source"] = (words.prefix(), negated)
    elif word in ("-d", "--destination", "--dst"):
        head["dest"] = (words.prefix(), negated)
    elif word in ("-i", "--in-interface"):
        head["in_dev"] = (words.take("a device"), negated)
    elif word in ("-o", "--out-interface"):
        head["out_dev"] = (words.take("a device"), negated)
    elif word in ("-p", "--protocol"):
        name = words.take("a protocol").lower()
        if name not in PROTOCOLS and not name.isdigit():
            raise words.error(f"'{name}' is no protocol", ", ".join(PROTOCOLS), back=1)
        number = PROTOCOLS[name] if name in PROTOCOLS else int(name)
        if number:
            head["proto"] = (number, negated)
    elif word in ("-f", "--fragment"):
        head["fragment"] = (True, negated)
    else:
        return False
    for key in ("source", "dest"):
        if key in head and head[key] == (Prefix(0, 0), False):
            del head[key]
    return True


def _option(
    words: Reader, word: str, negated: bool, head: Fields, made: list[tuple[str, Fields]]
) -> None:
    """An option of a match that was named, the last one first; or of the protocol's own match."""
    for name, fields in reversed(made):
        if word in MATCHES[name].options:
            MATCHES[name].options[word](words, fields, negated)
            return
    names = {6: "tcp", 17: "udp", 1: "icmp"}
    name = names.get(head.get("proto", (0, False))[0], "")
    if name and word in MATCHES[name].options and not any(m == name for m, _ in made):
        made.append((name, dict(MATCHES[name].given)))
        MATCHES[name].options[word](words, made[-1][1], negated)
        return
    homes = sorted(name for name, module in MATCHES.items() if word in module.options)
    hint = f"first -m {' or -m '.join(homes)}" if homes else "an option of iptables"
    raise words.error(f"'{word}' is not known here", hint, back=1)


def _target(words: Reader, *, goto: bool) -> r.Target:
    name = words.take("a target")
    if goto or name not in TARGETS:
        return r.Jump(name, goto)
    return TARGETS[name](words)


_NEEDS = {
    "multiport": "ports", "conntrack": "module", "state": "module", "mark": "value",
    "statistic": "mode", "set": "flags", "recent": "action", "comment": "text",
}  # fmt: skip


def _make(words: Reader, name: str, fields: Fields) -> r.Match:
    needed = _NEEDS.get(name)
    if needed and needed not in fields:
        options = ", ".join(MATCHES[name].options)
        raise words.error(f"-m {name} stands without its option", f"one of {options}")
    if fields.get("mode") == "nth" and not {"every", "packet"} <= set(fields):
        raise words.error("--mode nth needs both --every and --packet", "--every 3 --packet 0")
    return MATCHES[name].make(**fields)


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text that say something, with their numbers from 1."""
    for n, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield n, line
