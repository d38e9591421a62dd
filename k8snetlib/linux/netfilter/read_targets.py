"""What lives here: the options of every target. ``TARGETS`` is the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k8snetlib.address import parse_ip
from k8snetlib.errors import BadAddress
from k8snetlib.linux.netfilter import rule as r
from k8snetlib.linux.netfilter.reader import Reader, Word, value_and_mask

Fields = dict[str, Any]

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
