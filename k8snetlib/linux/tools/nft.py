"""What lives here: ``nft``: nftables' own tables, and the iptables rules as nf_tables has them.

``iptables`` on a modern machine writes nf_tables rules; ``nft`` shows those. A match that stays a
module of iptables' own is translated by nft too, but leaves its seams: a comment is nothing between
two blanks, and what has no translation is ``xt match NAME``. Compared with nft 1.0.6.

Simplified here: tables of iptables are listed, not changed; all built-in chains of such a table are
listed, and first. A rule whose translation was not compared with the real one is refused, not
guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from k8snetlib.errors import BadCommand
from k8snetlib.linux.netfilter import rule as r
from k8snetlib.linux.nftables import listing
from k8snetlib.linux.nftables.keys import NftError
from k8snetlib.linux.nftables.reader import read as parse
from k8snetlib.linux.tools.iptables_list import counts_of
from k8snetlib.packet import PROTO_NAMES

if TYPE_CHECKING:
    from k8snetlib.address import Prefix
    from k8snetlib.linux.netfilter.chain import Chain
    from k8snetlib.linux.netns import Netns

_HERE = (
    "nft list ruleset, nft list tables, nft list { table | chain | set | map } …, nft -f - with a "
    "text, nft { add | create | insert | delete | destroy | flush } …"
)
_CHANGES = ("add", "create", "insert", "delete", "destroy", "flush")
_NAT_PRIORITY = {"PREROUTING": "dstnat", "INPUT": "100", "OUTPUT": "-100", "POSTROUTING": "srcnat"}
_LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")


def run(ns: Netns, words: list[str], stdin: str = "") -> str:
    """``nft list …``, ``nft add …`` and the like; ``nft -f -`` reads commands from ``stdin``."""
    left = [word for word in words if word != "-n"]
    if left[:1] == ["list"]:
        return _list(ns, left[1:])
    if left == ["-f", "-"]:
        return _change(ns, stdin)
    if left[:1] and left[0] in _CHANGES:
        return _change(ns, _typed(left))
    raise BadCommand(f"'nft {' '.join(words)}' is not modelled.", f"Here: {_HERE}.")


def _typed(words: list[str]) -> str:
    """The words of a command line as one text; a comment of several words was one word."""
    quoted = [
        f'"{word}"' if before == "comment" and " " in word else word
        for before, word in zip(["", *words], words, strict=False)
    ]
    return " ".join(quoted)


def _change(ns: Netns, text: str) -> str:
    ruleset = ns.ruleset
    if text.split() == ["flush", "ruleset"]:
        ruleset.tables.clear()
        ruleset.counters.clear()
    try:
        for operation in parse(text):
            if operation.family == "ip" and operation.table in ruleset.tables:
                raise BadCommand(
                    f"table ip {operation.table} is managed by iptables-nft, do not touch!",
                    "Change it with iptables.",
                )
        ruleset.load_nft(text, ns.network.now if ns.network else 0.0)
    except NftError as error:
        raise BadCommand(error.message, error.hint) from None
    return ""


def _list(ns: Netns, words: list[str]) -> str:
    match words:
        case ["ruleset"]:
            return "\n".join(_shown(ns, *one) for one in _tables(ns))
        case ["ruleset", family]:
            return "\n".join(_shown(ns, *one) for one in _tables(ns) if one[0] == family)
        case ["tables"]:
            return "\n".join(f"table {family} {name}" for family, name in _tables(ns))
        case ["tables", family]:
            return "\n".join(f"table {f} {name}" for f, name in _tables(ns) if f == family)
        case [kind, "ip" | "ip6" as family, *rest]:
            return _part(ns, kind, family, rest)
        case [kind, *rest]:
            return _part(ns, kind, "ip", rest)
    raise BadCommand("'nft list' lists what?", f"Here: {_HERE}.")


def _part(ns: Netns, kind: str, family: str, names: list[str]) -> str:
    native = ns.ruleset.nft
    own = native.tables.get((family, names[0])) if native is not None and names else None
    now = ns.network.now if ns.network else 0.0
    match kind, names:
        case "table", [name]:
            return _shown(ns, family, name)
        case "chain", [_, name] if own is not None and name in own.chains:
            return listing.list_chain(own, name)
        case "chain", [table, name] if own is None:
            return _table(ns, table, name)
        case (("set" | "map"), [_, name]) if own is not None and name in own.sets:
            if own.sets[name].word == kind:
                return listing.list_set(own, name, now)
        case (("chain" | "set" | "map"), [_, _]):
            pass
        case _:
            raise BadCommand(f"'nft list {kind} {' '.join(names)}' is not modelled.",
                             f"Here: {_HERE}.")  # fmt: skip
    known = own.chains if own is not None and kind == "chain" else own.sets if own else ()
    hint = f"There is {', '.join(known) or 'nothing'}." if len(known) < 20 else ""
    raise BadCommand("Error: No such file or directory", hint)


def _tables(ns: Netns) -> list[tuple[str, str]]:
    """All tables, (family, name), oldest first."""
    waiting = dict.fromkeys(("ip", name) for name in ns.ruleset.tables)
    found: list[tuple[str, str]] = []
    native = ns.ruleset.nft
    for key in native.tables if native is not None else ():
        assert native is not None
        hooked = next((r for r in native.registered if (r.family, r.table) == key), None)
        for name in hooked.before if hooked is not None else ns.ruleset.tables:
            if ("ip", name) in waiting:
                del waiting["ip", name]
                found.append(("ip", name))
        found.append(key)
    return [*found, *waiting]


def _shown(ns: Netns, family: str, name: str) -> str:
    native = ns.ruleset.nft
    own = native.tables.get((family, name)) if native is not None else None
    if own is not None:
        return listing.list_table(own, ns.network.now if ns.network else 0.0)
    return _table(ns, name if family == "ip" else "")


def _table(ns: Netns, name: str, only: str = "") -> str:
    chains = ns.ruleset.tables.get(name, {})
    shown = [c for c in chains.values() if only in ("", c.name)]
    if not shown:
        known = ", ".join(chains or ns.ruleset.tables) or "nothing"
        raise BadCommand("Error: No such file or directory", f"There is {known}.")
    blocks = "\n\n".join(_chain(ns, name, chain) for chain in shown)
    return f"table ip {name} {{\n{blocks}\n}}"


def _chain(ns: Netns, table: str, chain: Chain) -> str:
    lines = [f"\tchain {chain.name} {{"]
    if chain.policy:
        kind = "nat" if table == "nat" else "filter"
        if (table, chain.name) == ("mangle", "OUTPUT"):
            kind = "route"
        priority = _NAT_PRIORITY[chain.name] if table == "nat" else table
        priority = "150" if table == "security" else priority
        lines.append(
            f"\t\ttype {kind} hook {chain.name.lower()} priority {priority}; "
            f"policy {chain.policy.lower()};"
        )
    counts = counts_of(ns.ruleset, table, chain)
    lines += [f"\t\t{_rule(rule, counts[n])}" for n, rule in enumerate(chain.rules)]
    return "\n".join([*lines, "\t}"])


def _rule(rule: r.Rule, counts: list[int]) -> str:
    words = []
    for key, device in (("iifname", rule.in_dev), ("oifname", rule.out_dev)):
        if device:
            name = device[0][:-1] + "*" if device[0].endswith("+") else device[0]
            words.append(f'{key} {_not(device[1])}"{name}"')
    if rule.proto and not _implied(rule):
        name = PROTO_NAMES.get(rule.proto[0], str(rule.proto[0]))
        words.append(f"meta l4proto {_not(rule.proto[1])}{name}")
    for key, prefix in (("saddr", rule.source), ("daddr", rule.dest)):
        if prefix:
            words.append(f"ip {key} {_not(prefix[1])}{_prefix(prefix[0])}")
    if rule.fragment:
        words.append(f"ip frag-off & 8191 {'==' if rule.fragment[1] else '!='} 0")
    proto = PROTO_NAMES.get(rule.proto[0], "") if rule.proto else ""
    words += [_match(match, proto) for match in rule.matches]
    words.append(f"counter packets {counts[0]} bytes {counts[1]}")
    if rule.target is not None:
        words.append(_target(rule.target))
    return " ".join(words)


def _not(negated: bool) -> str:
    return "!= " if negated else ""


def _prefix(prefix: Prefix) -> str:
    return str(prefix).removesuffix("/32")


def _implied(rule: r.Rule) -> bool:
    """nft leaves the protocol out where its ports follow, with no module of iptables between."""
    for match in rule.matches:
        if isinstance(match, r.Ports):
            return bool(match.source or match.dest or match.flags)
        if not isinstance(match, r.Mark):
            return False
    return False


def _refuse(what: object) -> BadCommand:
    return BadCommand(f"nft: how '{what}' is translated is not modelled.",
                      "iptables-save shows the rules as they are.")  # fmt: skip


# -- matches --------------------------------------------------------------------------------------


def _match(match: Any, proto: str) -> str:
    itself = r.Mark | r.IcmpType | r.Conntrack  # these look at "!" themselves
    if getattr(match, "negated", False) and not isinstance(match, itself):
        raise _refuse(match)
    return _MATCHES[type(match)](match, proto)


def _ports(m: r.Ports, _: str) -> str:
    words = []
    if m.flags:
        if m.flags[2]:
            raise _refuse(m)
        looked_at, wanted = str(m).split()[-2:]
        words.append(f"tcp flags {wanted.lower()} / {looked_at.lower()}")
    for key, ports in (("sport", m.source), ("dport", m.dest)):
        if ports:
            shown = f"{ports[0]}" if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"
            words.append(f"{m.proto} {key} {_not(ports[2])}{shown}")
    return " ".join(words)


_ICMP = {0: "echo-reply", 3: "destination-unreachable", 5: "redirect", 8: "echo-request",
         11: "time-exceeded"}  # fmt: skip


def _icmp(m: r.IcmpType, _: str) -> str:
    if m.kind == 255:
        return "ip protocol icmp"
    if m.code is not None:
        return "xt match icmp"
    return f"icmp type {_not(m.negated)}{_ICMP.get(m.kind, m.kind)}"


def _multiport(m: r.Multiport, proto: str) -> str:
    if m.which == "ports" or len(m.ports) < 2:
        raise _refuse(m)
    shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in m.ports)
    return f"{proto} {m.which.removesuffix('s')} {{ {shown} }}"


def _conntrack(m: r.Conntrack, _: str) -> str:
    if m.status_negated or (m.states and m.status):
        raise _refuse(m)
    if not m.states:
        return f"ct status {','.join(s.lower() for s in r.CT_STATUS if s in m.status)}"
    nat = m.states & {"SNAT", "DNAT"}
    if nat:
        # The real translation forgets the "!" and the other states: it shows less than is there.
        if len(nat) > 1:
            raise _refuse(m)
        return f"ct status {min(nat).lower()}"
    if m.negated:
        raise _refuse(m)
    return f"ct state {','.join(s.lower() for s in r.CT_STATES if s in m.states)}"


def _mark(m: r.Mark, _: str) -> str:
    if m.bits == 0xFFFFFFFF:
        return f"meta mark {_not(m.negated)}0x{m.value:08x}"
    return f"meta mark & 0x{m.bits:08x} {'!=' if m.negated else '=='} 0x{m.value:08x}"


def _statistic(m: r.Statistic, _: str) -> str:
    if m.mode == "random":
        return f"meta random & 2147483647 < {m.fixed}"
    return f"numgen inc mod {m.every} {m.packet}"


def _addrtype(m: r.AddrType, _: str) -> str:
    words = []
    for key, types in (("saddr", m.source), ("daddr", m.dest)):
        if types:
            if len(types[0]) > 1 or m.limit == "out":
                raise _refuse(m)
            device = " . iif" if m.limit else ""
            words.append(f"fib {key}{device} type {_not(types[1])}{min(types[0]).lower()}")
    return " ".join(words)


def _limit(m: r.Limit, _: str) -> str:
    count, _, unit = m.rate.partition("/")
    name = {"sec": "second", "min": "minute"}.get(unit, unit)
    return f"limit rate {count}/{name} burst {m.burst} packets"


_MATCHES: dict[type, Callable[[Any, str], str]] = {
    r.Comment: lambda _m, _p: "", r.Ports: _ports, r.IcmpType: _icmp, r.Multiport: _multiport,
    r.Conntrack: _conntrack, r.Mark: _mark, r.Statistic: _statistic, r.AddrType: _addrtype,
    r.Recent: lambda _m, _p: "xt match recent", r.MatchSet: lambda _m, _p: "xt match set",
    r.Limit: _limit, r.Physdev: lambda _m, _p: "xt match physdev",
    r.IpvsMatch: lambda _m, _p: "xt match ipvs",
}  # fmt: skip


# -- targets --------------------------------------------------------------------------------------


def _target(target: Any) -> str:
    if isinstance(target, r.Jump):
        return f"{'goto' if target.goto else 'jump'} {target.chain}"
    if isinstance(target, r.Reject):
        what = target.what.removeprefix("icmp-").replace("proto-", "prot-")
        if what == "port-unreachable":
            return "reject"
        return "reject with tcp reset" if what == "tcp-reset" else f"reject with icmp type {what}"
    if isinstance(target, r.SetMark):
        return f"meta mark set {_set_mark(target)}"
    if isinstance(target, r.Log):
        prefix = f' prefix "{target.prefix}"' if target.prefix else ""
        return f"log{prefix}" + (f" level {_LEVELS[target.level]}" if target.level != 4 else "")
    return _nat(target) if isinstance(target, r.Nat) else target.word.lower()


def _set_mark(target: r.SetMark) -> str:
    value, bits = target
    if bits == 0xFFFFFFFF:
        return f"{value:#x}"
    if value == 0:
        return f"mark and {~bits & 0xFFFFFFFF:#x}"
    if value == bits:
        return f"mark or {value:#x}"
    return f"mark xor {value:#x}" if not bits else (
        f"mark and {~bits & 0xFFFFFFFF:#x} xor {value:#x}")  # fmt: skip


def _nat(target: r.Nat) -> str:
    words = str(target).split()[1:]
    text = target.kind.lower()
    if target.ips or target.ports:
        port = ":" if not target.ips else ""
        text += f" to {port}{words[2].removeprefix(':')}"
    flags = {"--random": "random", "--random-fully": "fully-random", "--persistent": "persistent"}
    shown = [flags[word] for word in words if word in flags]
    return f"{text} {','.join(shown)}" if shown else text
