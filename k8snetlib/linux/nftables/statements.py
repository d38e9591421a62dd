"""What lives here: the statements of a rule of nftables, as typed values that print as nft does.

A rule is a row of statements, carried out from left to right until one says no. ``compile`` turns
each into a function of a packet and its table, which returns GO, BREAK, or what decides: a
``Verdict``, a translation (``Nat``), a refusal (``Reject``).

What may not live here: chains and sets (``table``), the text that is read (``reader``).

Simplified here: no counters, limits, logs, quotas, objects or payload writing; of tables of family
ip6 the text alone. Compared with nft 1.0.6.

Source: nft(8); net/netfilter/nf_tables_core.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from k8snetlib.linux.netfilter.probe import Probe
from k8snetlib.linux.netfilter.targets import Nat, Reject
from k8snetlib.linux.nftables.keys import (
    WORDS,
    Key,
    One,
    Span,
    show_key,
    within,
)
from k8snetlib.linux.nftables.selectors import LOADS, Selector

if TYPE_CHECKING:
    from k8snetlib.linux.nftables.table import Table

_ALL = 0xFFFFFFFF

Value: TypeAlias = "One | tuple[One, ...]"


class Verdict(NamedTuple):
    """accept, drop, continue, return; or jump and goto, which enter ``chain``."""

    word: str
    chain: str = ""

    def __str__(self) -> str:
        return f"{self.word} {self.chain}".rstrip()


class SetRef(NamedTuple):
    """``@NAME``: a named set or map of the table."""

    name: str

    def __str__(self) -> str:
        return f"@{self.name}"


class Flags(NamedTuple):
    """``established,related``: one of these bits. Negated it says less than it seems: that what the
    packet has is not exactly all of them together."""

    bits: int


class Members(NamedTuple):
    """``{ 80, 443 }``: a set without a name, in nft's order."""

    keys: tuple[Key, ...]


class Numgen(NamedTuple):
    """``numgen random mod N``: a number from 0 up to, not including, N."""

    mod: int

    def __str__(self) -> str:
        return f"numgen random mod {self.mod}"


Selectors: TypeAlias = "tuple[Selector, ...]"


def kinds_of(left: Selectors) -> tuple[str, ...]:
    """The types of selectors."""
    return tuple(selector.kind for selector in left)


def _left(left: Selectors) -> str:
    return " . ".join(map(str, left))


class Match(NamedTuple):
    """``ip saddr != 10.0.0.0/8``: goes on if what the packet has is (not) what stands right.

    ``bits`` (of a mark): only these bits are looked at.
    """

    left: Selectors
    right: Key | Flags | Members | SetRef
    negated: bool = False
    bits: int | None = None

    def __str__(self) -> str:
        kinds, right = kinds_of(self.left), self.right
        sign = "!= " if self.negated else ""
        if self.bits is not None:
            sign = f"& 0x{self.bits:08x} {sign or '== '}"
        if isinstance(right, SetRef):
            shown = str(right)
        elif isinstance(right, Flags):
            words = WORDS[kinds[0]]
            between = " | " if self.negated else ","  # odd, but so it is
            shown = between.join(word for word, bit in words.items() if bit & right.bits)
        elif isinstance(right, Members):
            shown = f"{{ {', '.join(show_key(kinds, key, element=True) for key in right.keys)} }}"
        else:
            shown = show_key(kinds, right)
        return f"{_left(self.left)} {sign}{shown}"

    def compile(self) -> Op:
        """The test as a function."""
        load, right, wanted = loader(self.left), self.right, not self.negated
        if isinstance(right, SetRef):
            name = right.name

            def named(p: Probe, table: Table) -> Outcome:
                value = load(p)
                return value is not None and table.holds(name, value, p.now) is wanted

            return named
        if isinstance(right, Flags):
            mask = right.bits
            if not wanted:  # not "none of these bits", but another number than all of them
                return lambda p, _: (v := load(p)) is not None and v != mask
            return lambda p, _: isinstance(v := load(p), int) and bool(v & mask)
        if isinstance(right, Members):
            keys = right.keys
            return lambda p, _: (v := load(p)) is not None and any(
                within(key, v) for key in keys
            ) is wanted  # fmt: skip
        return _compare(load, right, wanted, self.bits)


def _compare(load: Load, right: Key, wanted: bool, bits: int | None) -> Op:
    if bits is not None:
        return lambda p, _: isinstance(v := load(p), int) and (v & bits == right) is wanted
    if isinstance(right, Span):
        low, high = right.low, right.high
        return lambda p, _: isinstance(v := load(p), int) and (low <= v <= high) is wanted
    if isinstance(right, str) and right.endswith("*"):
        begin = right[:-1]
        return lambda p, _: isinstance(v := load(p), str) and v.startswith(begin) is wanted
    return lambda p, _: (v := load(p)) is not None and (v == right) is wanted


class Vmap(NamedTuple):
    """``ip daddr vmap @NAME``, ``numgen random mod 2 vmap { 0 : goto a, 1 : goto b }``: looks the
    verdict up; without one the rule does not match."""

    left: Selectors | Numgen
    right: SetRef | tuple[tuple[Key, Verdict], ...]

    def __str__(self) -> str:
        drawn = isinstance(self.left, Numgen)
        left = str(self.left) if isinstance(self.left, Numgen) else _left(self.left)
        if isinstance(self.right, SetRef):
            return f"{left} vmap {self.right}"
        kinds = ("number",) if drawn else kinds_of(self.left)  # type: ignore[arg-type]
        pairs = ", ".join(
            f"{show_key(kinds, key, element=True)} : {verdict}" for key, verdict in self.right
        )
        return f"{left} vmap {{ {pairs} }}"

    def compile(self) -> Op:
        """The look-up as a function."""
        if isinstance(self.left, Numgen):
            assert not isinstance(self.right, SetRef)
            return _draw(self.left.mod, self.right)
        load = loader(self.left)
        if isinstance(self.right, SetRef):
            name = self.right.name

            def ask(p: Probe, table: Table) -> Outcome:
                value = load(p)
                return False if value is None else table.verdict(name, value, p.now) or False

            return ask
        pairs = self.right

        def look_up(p: Probe, _: Table) -> Outcome:
            value = load(p)
            if value is None:
                return False
            return next((verdict for key, verdict in pairs if within(key, value)), False)

        return look_up


def _draw(mod: int, pairs: tuple[tuple[Key, Verdict], ...]) -> Op:
    by_number = dict(pairs)

    def draw(p: Probe, table: Table) -> Outcome:
        if p.pinned is not None:
            for verdict in by_number.values():
                if table.leads_to(verdict.chain, p.pinned):
                    return verdict
        return by_number.get(p.dice.pick(mod), False)

    return draw


class SetMark(NamedTuple):
    """``meta mark set …``: mark = (mark & ``bits``) xor ``value``, as the kernel keeps it."""

    value: int
    bits: int = 0

    def __str__(self) -> str:
        if not self.bits:
            return f"meta mark set 0x{self.value:08x}"
        # What the mask takes away and the value sets is "or" to nft.
        set_, flipped = self.value & ~self.bits & _ALL, self.value & self.bits
        kept = self.bits | set_
        words = ["meta mark set meta mark"]
        words += [f"& 0x{kept:08x}"] * (kept != _ALL)
        words += [f"^ 0x{flipped:08x}"] * bool(flipped) + [f"| 0x{set_:08x}"] * bool(set_)
        return " ".join(words)

    def compile(self) -> Op:
        """The new mark, and on it goes."""
        value, bits = self

        def change(p: Probe, _: Table) -> Outcome:
            p.mark = p.mark & bits ^ value
            return True

        return change


class NatTo(NamedTuple):
    """``dnat to A:P``, ``snat to A``, ``masquerade``, ``redirect to :P``; ``family`` is that of the
    addresses, ``flags`` random, fully-random, persistent."""

    kind: str
    low: int | None = None
    high: int | None = None
    ports: tuple[int, int] | None = None
    flags: tuple[str, ...] = ()
    family: str = "ip"

    def __str__(self) -> str:
        words = [self.kind]
        ports = ""
        if self.ports:
            low, high = self.ports
            ports = f":{low}" if low == high else f":{low}-{high}"
        if self.low is not None and self.high is not None:
            kind = ("ipv6_addr",) if self.family == "ip6" else ("ipv4_addr",)
            key: Key = self.low if self.low == self.high else Span(self.low, self.high)
            where = show_key(kind, key)
            words.append(f"to {f'[{where}]' if self.family == 'ip6' and ports else where}{ports}")
        elif ports:
            words.append(f"to {ports}")
        if self.flags:
            words.append(",".join(self.flags))
        return " ".join(words)

    def compile(self) -> Op:
        """What the connection is bound to, in the words of ``netfilter.hooks``."""
        ips = None
        if self.low is not None and self.high is not None and self.family == "ip":
            low, high = (show_key(("ipv4_addr",), end) for end in (self.low, self.high))
            ips = (low, high)
        nat = Nat(
            self.kind.upper(), ips, self.ports, "random" in self.flags,
            "fully-random" in self.flags, "persistent" in self.flags,
        )  # fmt: skip
        return lambda p, _: nat


class Refuse(NamedTuple):
    """``reject``, ``reject with tcp reset``, ``reject with icmp host-unreachable``."""

    what: str = "port-unreachable"

    def __str__(self) -> str:
        if self.what == "port-unreachable":
            return "reject"
        return f"reject with {'tcp reset' if self.what == 'tcp-reset' else 'icmp ' + self.what}"

    def compile(self) -> Op:
        """The same in the words of ``netfilter.hooks``."""
        what = self.what.replace("prot-", "proto-")
        reject = Reject(what if what == "tcp-reset" else f"icmp-{what}")
        return lambda p, _: reject


class Remember(NamedTuple):
    """``update @NAME { ip saddr }``: puts what the packet has into a dynamic set; ``update`` begins
    its time anew, ``add`` does not. ``timeout`` in seconds, 0: the set's own."""

    verb: str
    name: str
    left: Selectors
    timeout: int = 0

    def __str__(self) -> str:
        timeout = f" timeout {show_time(self.timeout)}" if self.timeout else ""
        return f"{self.verb} @{self.name} {{ {_left(self.left)}{timeout} }}"

    def compile(self) -> Op:
        """Remembers, and on it goes."""
        load, update = loader(self.left), self.verb == "update"

        def remember(p: Probe, table: Table) -> Outcome:
            value = load(p)
            if value is None:
                return False
            return table.remember(self.name, value, p.now, self.timeout, update)

        return remember


def show_time(seconds: float) -> str:
    """A duration as nft prints it: ``3h``, ``1m30s``, ``4m59s992ms``."""
    milli = round(seconds * 1000)
    words = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        many, milli = divmod(milli, size)
        words += [f"{many}{unit}"] * bool(many)
    return "".join(words) or "0s"


Statement: TypeAlias = "Match | Vmap | Verdict | SetMark | NatTo | Refuse | Remember"
#: True: goes on; False: the rule does not match; all else decides.
Outcome: TypeAlias = "bool | Verdict | Nat | Reject"
Op = Callable[[Probe, "Table"], "Outcome"]
Load = Callable[[Probe], "Value | None"]


def loader(left: Selectors) -> Load:
    """What a packet has of these selectors: a value, a tuple of values, None if one is missing."""
    if len(left) == 1:
        return LOADS[left[0].words]
    loads = tuple(LOADS[selector.words] for selector in left)

    def load(p: Probe) -> Value | None:
        found = []
        for one in loads:
            value = one(p)
            if value is None:
                return None
            found.append(value)
        return tuple(found)

    return load


class Rule(NamedTuple):
    """One rule: its statements and its comment. ``str(rule)`` is the line that nft lists."""

    statements: tuple[Statement, ...]
    comment: str = ""

    def __str__(self) -> str:
        comment = f' comment "{self.comment}"' if self.comment else ""
        return " ".join(map(str, self.statements)) + comment

    def compile(self) -> tuple[Op, ...]:
        """The statements as functions, in order."""
        return tuple(_op(statement) for statement in self.statements)


def _op(statement: Statement) -> Op:
    if isinstance(statement, Verdict):
        return lambda p, _: statement
    return statement.compile()
