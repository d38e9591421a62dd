"""What lives here: ``iptables -L``, rules as a table for people, and ``-S``, as commands.

Each match prints itself in words of its own (``tcp dpt:80``), which differ from those of ``-S``;
this module holds them all. Source: the print functions of iptables 1.8.9 (nf_tables), compared with
the real tool in ``tests/kernel/test_tools_real2.py``.

Simplified here: without ``-n`` only ports and protocols become names, never addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from k8snetlib.linux.netfilter import rule as r
from k8snetlib.linux.netfilter.chain import Chain
from k8snetlib.linux.netfilter.syntax import ICMP_NAMES
from k8snetlib.linux.netfilter.tables import BASE_CHAINS, Ruleset
from k8snetlib.linux.tools.services import service_name
from k8snetlib.packet import PROTO_NAMES

if TYPE_CHECKING:
    from k8snetlib.address import Prefix

_PROTO = {**PROTO_NAMES, 47: "gre", 50: "esp", 51: "ah", 132: "sctp"}


class Look(NamedTuple):
    """How to print: ``-n``, ``-v``, ``-x``, ``--line-numbers``."""

    numeric: bool = False
    verbose: bool = False
    exact: bool = False
    numbers: bool = False


def chains_of(ruleset: Ruleset, table: str) -> list[Chain]:
    """The chains of a table as iptables lists them: built-in ones, then the others by name.

    A table that nobody has used yet is empty, and stays unmade: reading changes nothing.
    """
    chains = ruleset.tables.get(table, {})
    base = [chains.get(name, Chain(name, (), "ACCEPT")) for name in BASE_CHAINS[table]]
    user = [chain for chain in chains.values() if chain.policy is None]
    return base + sorted(user, key=lambda chain: chain.name)


def counts_of(ruleset: Ruleset, table: str, chain: Chain) -> list[list[int]]:
    """Packets and bytes of each rule of a chain, and of its policy at the end."""
    nothing = [[0, 0] for _ in range(len(chain.rules) + 1)]
    return ruleset.counters.get((table, chain.name), nothing)


def listing(ruleset: Ruleset, table: str, chains: list[Chain], only: int, look: Look) -> str:
    """What ``iptables -L`` prints of these chains; ``only`` is a rule's number (0: all)."""
    blocks = []
    for chain in chains:
        counts = counts_of(ruleset, table, chain)
        rows = [
            _row(rule, n, counts[n - 1], look)
            for n, rule in enumerate(chain.rules, 1)
            if only in (0, n)
        ]
        head = [] if only else [_title(ruleset, table, chain, counts[-1], look), _header(look)]
        blocks.append("\n".join([*head, *rows]))
    return ("\n" if only else "\n\n").join(block for block in blocks if block)


def rule_lines(
    ruleset: Ruleset, table: str, chains: list[Chain], only: int, *, counted: bool
) -> str:
    """What ``iptables -S`` prints: the chains, then their rules; ``only`` the rule of that number
    (0: all), ``counted``: with packets and bytes."""
    out = []
    for chain in chains if not only else ():
        packets, octets = counts_of(ruleset, table, chain)[-1]
        counts = f" -c {packets} {octets}" if counted and chain.policy else ""
        out.append(
            f"-P {chain.name} {chain.policy}{counts}" if chain.policy else f"-N {chain.name}"
        )
    for chain in chains:
        for n, rule in enumerate(chain.rules, 1):
            if only in (0, n):
                count = counts_of(ruleset, table, chain)[n - 1] if counted else []
                out.append(f"-A {chain.name} {_counted(rule, count)}".rstrip())
    return "\n".join(out)


def _counted(rule: r.Rule, counts: list[int]) -> str:
    if not counts:
        return str(rule)
    words = (str(rule._replace(target=None)), f"-c {counts[0]} {counts[1]}", rule.target)
    return " ".join(str(word) for word in words if word)


def _title(ruleset: Ruleset, table: str, chain: Chain, counts: list[int], look: Look) -> str:
    if chain.policy is None:
        jumps = [
            rule
            for other in ruleset.tables[table].values()
            for rule in other.rules
            if isinstance(rule.target, r.Jump) and rule.target.chain == chain.name
        ]
        return f"Chain {chain.name} ({len(jumps)} references)"
    counted = ""
    if look.verbose:
        packets, octets = (_short(count, look.exact) for count in counts)
        counted = f" {packets} packets, {octets} bytes"
    return f"Chain {chain.name} (policy {chain.policy}{counted})"


def _header(look: Look) -> str:
    text = "num  " if look.numbers else ""
    if look.verbose:
        text += "    pkts      bytes " if look.exact else " pkts bytes "
    devices = f" {'in':6} {'out':6} " if look.verbose else ""
    return f"{text}{'target':9}  prot opt{devices} {'source':19}  destination"


def _short(count: int, exact: bool) -> str:
    """A counter: above 99,999 in thousands, millions … as iptables rounds them."""
    units = iter("KMGT")
    unit = ""
    most = 99_999
    while count > most and not exact and unit != "T":
        count, unit, most = (count + 500) // 1000, next(units), 9999
    return f"{count}{unit}"


def _row(rule: r.Rule, number: int, counts: list[int], look: Look) -> str:
    text = f"{number:<4} " if look.numbers else ""
    if look.verbose:
        width = 8 if look.exact else 5
        text += "".join(f"{_short(count, look.exact):>{width}} " for count in counts)
    text += f"{_target_name(rule.target):9} {_proto(rule, look)} {_fragment(rule)} "
    if look.verbose:
        for dev, lead in ((rule.in_dev, " "), (rule.out_dev, "")):
            name = dev[0] if dev else "*" if look.numeric else "any"
            text += f"{lead}{'!' if dev and dev[1] else ''}{name}".ljust(6 + len(lead)) + " "
    for prefix in (rule.source, rule.dest):
        text += f"{'!' if prefix and prefix[1] else ' '}{_prefix(prefix, look):19} "
    if isinstance(rule.target, r.Jump) and rule.target.goto:
        text += "[goto] "
    text += "".join(f" {_match(match, look)}" for match in rule.matches)
    return text + _target(rule.target, look)


def _target_name(target: Any) -> str:
    if target is None:
        return ""
    if isinstance(target, r.Jump):
        return target.chain
    return str(target).split()[1]


def _proto(rule: r.Rule, look: Look) -> str:
    number, negated = rule.proto or (0, False)
    name = str(number) if look.numeric else _PROTO.get(number, str(number)) if number else "all"
    return f"{'!' if negated else ' '}{name:4}"


def _fragment(rule: r.Rule) -> str:
    return "--" if rule.fragment is None else "!f" if rule.fragment[1] else "-f"


def _prefix(prefix: tuple[Prefix, bool] | None, look: Look) -> str:
    if prefix is None:
        return "0.0.0.0/0" if look.numeric else "anywhere"
    return str(prefix[0]).removesuffix("/32")


# -- matches in words -----------------------------------------------------------------------------


def _match(match: Any, look: Look) -> str:
    return _MATCHES[type(match)](match, look)


def _ports(m: r.Ports, look: Look) -> str:
    words = [m.proto]
    for letter, ports in (("s", m.source), ("d", m.dest)):
        if ports:
            low, high, negated = ports
            first, last = (_port(p, m.proto, look) for p in (low, high))
            shown = first if low == high else f"{first}:{last}"
            words.append(f"{letter}pt{'s' * (low != high)}:{'!' * negated}{shown}")
    if m.flags:
        looked_at, wanted, negated = m.flags
        if look.numeric:
            shown = f"0x{looked_at:02X}/0x{wanted:02X}"
        else:
            shown = "/".join(str(r.Ports("tcp", flags=m.flags)).split()[-2:])
        words.append(f"flags:{'!' * negated}{shown}")
    return " ".join(words)


def _port(port: int, proto: str, look: Look) -> str:
    return str(port) if look.numeric else service_name(port, proto)


def _icmp(m: r.IcmpType, look: Look) -> str:
    invert = "!" if m.negated else ""
    if not look.numeric:
        named = {value: name for name, value in reversed(ICMP_NAMES.items())}
        name = named.get((m.kind, m.code))
        if name:
            return f"icmp {invert}{name}"
    code = f" code {m.code}" if m.code is not None else ""
    return f"icmp {invert}type {m.kind}{code}" if invert else f"icmptype {m.kind}{code}"


def _multiport(m: r.Multiport, look: Look) -> str:
    shown = ",".join(
        _port(a, "tcp", look) if a == b else f"{_port(a, 'tcp', look)}:{_port(b, 'tcp', look)}"
        for a, b in m.ports
    )
    return f"multiport {m.which} {' !' if m.negated else ''}{shown}"


def _conntrack(m: r.Conntrack, _: Look) -> str:
    words = str(m).split()[2:]
    return " ".join(word.removeprefix("--") for word in words)


def _mark(m: r.Mark, _: Look) -> str:
    bits = "" if m.bits == 0xFFFFFFFF else f"/{m.bits:#x}"
    return f"mark match {'! ' if m.negated else ''}{m.value:#x}{bits}"


def _statistic(m: r.Statistic, _: Look) -> str:
    invert = " !" if m.negated else ""
    if m.mode == "random":
        return f"statistic mode random{invert} probability {m.probability:.11f}"
    return f"statistic mode nth{invert} every {m.every}" + (f" packet {m.packet}" * bool(m.packet))


def _addrtype(m: r.AddrType, _: Look) -> str:
    words = ["ADDRTYPE match"]
    for name, types in (("src-type", m.source), ("dst-type", m.dest)):
        if types:
            shown = ",".join(t for t in r.ADDR_TYPES if t in types[0])
            words.append(f"{name} {'!' if types[1] else ''}{shown}")
    return " ".join(words + [f"limit-{m.limit}"] * bool(m.limit))


def _recent(m: r.Recent, _: Look) -> str:
    action = {"set": "SET", "rcheck": "CHECK", "update": "UPDATE", "remove": "REMOVE"}[m.action]
    words = ["! recent:" if m.negated else "recent:", action]
    words += [f"seconds: {m.seconds}"] * bool(m.seconds) + ["reap"] * m.reap
    words += [f"hit_count: {m.hitcount}"] * bool(m.hitcount)
    side = "source" if m.by == "rsource" else "dest"
    return " ".join([*words, f"name: {m.name} side: {side} mask: {m.bits}"])


def _physdev(m: r.Physdev, _: Look) -> str:
    return "PHYSDEV match" + str(m).removeprefix("-m physdev")


def _ipvs(m: r.IpvsMatch, _: Look) -> str:
    words = [f"{'! ' * o[1]}{name} {o[0]}" for name, o in
             (("vproto", m.vproto), ("vaddr", m.vaddr), ("vport", m.vport)) if o]  # fmt: skip
    return " ".join(["ipvs", *words])


_MATCHES: dict[type, Callable[[Any, Look], str]] = {
    r.Comment: lambda m, _: f"/* {m.text} */",
    r.Ports: _ports,
    r.IcmpType: _icmp,
    r.Multiport: _multiport,
    r.Conntrack: _conntrack,
    r.Mark: _mark,
    r.Statistic: _statistic,
    r.AddrType: _addrtype,
    r.Recent: _recent,
    r.MatchSet: lambda m, _: f"{'! ' * m.negated}match-set {m.name} {','.join(m.flags)}",
    r.Limit: lambda m, _: f"limit: avg {m.rate} burst {m.burst}",
    r.Physdev: _physdev,
    r.IpvsMatch: _ipvs,
}

# -- targets in words -----------------------------------------------------------------------------

_LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")


def _target(target: Any, look: Look) -> str:
    shown = ""
    if isinstance(target, r.Reject):
        shown = f"reject-with {target.what}"
    elif isinstance(target, r.SetMark):
        shown = f"MARK {_set_mark(target)}"
    elif isinstance(target, r.Nat):
        shown = _nat(target)
    elif isinstance(target, r.Log):
        level = f"flags 0 level {target.level}"
        shown = f"LOG {level if look.numeric else f'level {_LEVELS[target.level]}'}"
        shown += f' prefix "{target.prefix}"' if target.prefix else ""
    return f" {shown}" if shown else ""


def _set_mark(target: r.SetMark) -> str:
    value, bits = target
    if value == 0:
        return f"and {~bits & 0xFFFFFFFF:#x}"
    if value == bits:
        return f"or {value:#x}"
    if bits == 0:
        return f"xor {value:#x}"
    return f"set {value:#x}" if bits == 0xFFFFFFFF else f"xset {value:#x}/{bits:#x}"


def _nat(target: r.Nat) -> str:
    words = str(target).split()
    if target.kind in ("DNAT", "SNAT"):
        shown = f"to:{words[3]}"
    else:
        what = "masq ports: " if target.kind == "MASQUERADE" else "redir ports "
        shown = f"{what}{words[3]}" if target.ports else ""
    flags = [word.removeprefix("--") for word in words[2:] if word.startswith("--")]
    return " ".join(filter(None, [shown, *(flag for flag in flags if not flag.startswith("to-"))]))
