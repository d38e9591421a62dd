"""What lives here: the text of rules: what ``iptables`` takes and ``iptables-save`` prints, parsed.

One table of options per match and target; each entry says how many words it takes and where they
go. What the table does not name is refused with line, column, and what was expected there.

Simplified here: IPv4; no ``-f`` before 2.6 syntax, no options that ``rule`` has no value for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8snetlib.address import Prefix
from k8snetlib.linux.netfilter import rule as r
from k8snetlib.linux.netfilter.read_matches import ICMP_NAMES, MATCHES
from k8snetlib.linux.netfilter.read_targets import TARGETS
from k8snetlib.linux.netfilter.reader import Reader, RuleError, Word, words_of

__all__ = [
    "ICMP_NAMES", "MATCHES", "TARGETS", "Reader", "RuleError", "Word", "lines", "parse_rule",
    "read_rule", "words_of",
]  # fmt: skip

Fields = dict[str, Any]

#: Protocols beside which a NAT target may name ports: iptables lets icmp pass as well.
_WITH_PORTS = (1, 6, 17, 33, 132)
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "all": 0, "sctp": 132, "esp": 50, "ah": 51, "gre": 47}


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
    if isinstance(target, r.Nat) and target.ports and head.get("proto", (0,))[0] not in _WITH_PORTS:
        raise words.error("Need TCP, UDP, SCTP or DCCP with port specification", "-p tcp or -p udp")
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
    names = {6: "tcp", 17: "udp", 132: "sctp", 1: "icmp"}
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
    "icmp": "kind", "nfacct": "name",
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
