"""What lives here: all tables of nftables of one network namespace, and how they change.

``load`` is ``nft -f``: one transaction, all or nothing. Which base chains speak in a hook, in which
order, is in ``chains_of``; ``netfilter.hooks`` asks them together with the tables of iptables.

Simplified here: no handles, so a rule is added at the end (``insert``: in front) and goes with its
chain's flush; no table is dormant.

Source: net/netfilter/nf_tables_api.c, core.c (of equal priority, the hook registered last is first:
tried out).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from k8snetlib.linux.nftables.keys import BITS, Key, NftError, One, parse_key, parse_one
from k8snetlib.linux.nftables.reader import Item, Operation, read, verdict_of
from k8snetlib.linux.nftables.statements import Remember, Rule, Verdict
from k8snetlib.linux.nftables.table import (
    Chain,
    Element,
    NamedSet,
    Table,
    needs_conntrack,
    sets_used,
)

_HOOKS = {
    "filter": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "route": ("OUTPUT",),
}
#: How large a dynamic set may grow whose size nobody named.
MOST_ELEMENTS = 65535
_GONE = "Error: No such file or directory"
_BUSY = "Error: Device or resource busy"


class Registered(NamedTuple):
    """A base chain that hangs in a hook; ``before`` are the tables of iptables that were there
    already."""

    family: str
    table: str
    chain: str
    before: tuple[str, ...]


class Nftables:
    """The tables, by (family, name), and their base chains in the order of registration."""

    __slots__ = ("_tracks", "registered", "tables")

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], Table] = {}
        self.registered: tuple[Registered, ...] = ()
        self._tracks: bool | None = None

    def clone(self) -> Nftables:
        """A copy that shares chains and elements."""
        other = Nftables()
        other.tables = {key: table.clone() for key, table in self.tables.items()}
        other.registered, other._tracks = self.registered, self._tracks
        return other

    def table(self, family: str, name: str) -> Table:
        """A table; raises ``NftError`` if there is none."""
        try:
            return self.tables[family, name]
        except KeyError:
            known = ", ".join(t.full_name for t in self.tables.values())
            raise NftError(_GONE, f"There is {known or 'no table'}.") from None

    @property
    def tracks(self) -> bool:
        """True if some rule needs conntrack."""
        if self._tracks is None:
            self._tracks = any(
                needs_conntrack(rule)
                for table in self.tables.values()
                if table.family == "ip"
                for chain in table.chains.values()
                for rule in chain.rules
            )
        return self._tracks

    @property
    def translates(self) -> bool:
        """True if a base chain of type nat hangs somewhere."""
        bases = (self.tables[r.family, r.table].chains[r.chain].base for r in self.registered)
        return any(base is not None and base.kind == "nat" for base in bases)

    def chains_of(self, hook: str, nat: bool) -> list[tuple[Registered, Table, Chain]]:
        """The base chains of family ip in a hook (those of type nat, or the others), in order of
        registration."""
        found = []
        for one in self.registered:
            table = self.tables[one.family, one.table]
            chain = table.chains[one.chain]
            base = chain.base
            if one.family == "ip" and base is not None and base.hook == hook:
                if (base.kind == "nat") is nat:
                    found.append((one, table, chain))
        return found

    def load(self, text: str, iptables: Iterable[str] = (), now: float = 0.0) -> int:
        """``nft -f``: carries out a text, all or nothing; returns how many operations it had.

        ``iptables`` are the tables of iptables that exist; ``now`` the model's time in seconds,
        from which elements with a timeout count. Raises ``NftError``; then nothing has
        changed.
        """
        work = _Transaction(self, tuple(iptables), now)
        count = 0
        for operation in read(text):
            work.carry_out(operation)
            count += 1
        work.check()
        self.tables, self.registered, self._tracks = work.tables, work.registered, None
        return count


class _Transaction:
    """A change that is not there for anybody else before it is whole."""

    def __init__(self, nft: Nftables, iptables: tuple[str, ...], now: float) -> None:
        self.tables = dict(nft.tables)
        self.registered = nft.registered
        self.iptables, self.now = iptables, now
        self.own: set[tuple[str, str]] = set()
        self.fresh: dict[tuple[Table, str], dict[Key, Element]] = {}
        self.changed: dict[tuple[Table, str], list[Rule]] = {}
        self.lost: set[Table] = set()
        self.new_sets: set[tuple[Table, str]] = set()

    def carry_out(self, op: Operation) -> None:
        """One operation."""
        if op.kind == "ruleset":
            for family, name in list(self.tables):
                self._delete_table(family, name)
            return
        if op.kind == "table":
            self._table(op)
            return
        table = self._of(op.family, op.table)
        verb = {"create": "add", "destroy": "delete"}.get(op.verb, op.verb)
        step = getattr(self, f"_{verb}_{'set' if op.kind == 'map' else op.kind}", None)
        if step is None:
            raise NftError(f"nft: '{op.verb} {op.kind}' is not modelled.")
        step(table, op)

    # -- tables -----------------------------------------------------------------------------------

    def _of(self, family: str, name: str) -> Table:
        """The table, as this transaction may change it."""
        key = family, name
        if key not in self.tables:
            known = ", ".join(t.full_name for t in self.tables.values())
            raise NftError(f"{_GONE}: table {family} {name}.", f"There is {known or 'no table'}.")
        if key not in self.own:
            self.tables[key] = self.tables[key].clone()
            self.own.add(key)
        return self.tables[key]

    def _table(self, op: Operation) -> None:
        key = op.family, op.table
        if op.verb in ("add", "create"):
            if key in self.tables and op.verb == "create":
                raise NftError(f"Error: File exists: table {op.family} {op.table}.")
            if key not in self.tables:
                self.tables[key] = Table(op.family, op.table, op.comment)
                self.own.add(key)
        elif op.verb in ("delete", "destroy"):
            if key not in self.tables and op.verb == "destroy":
                return
            self._of(*key)
            self._delete_table(*key)
        else:
            table = self._of(*key)
            for name in table.chains:
                self._rules(table, name).clear()

    def _delete_table(self, family: str, name: str) -> None:
        gone = self.tables.pop((family, name))
        self.own.discard((family, name))
        self.registered = tuple(r for r in self.registered if (r.family, r.table) != (family, name))
        self.changed = {key: rules for key, rules in self.changed.items() if key[0] is not gone}
        self.lost.discard(gone)

    # -- chains and rules -------------------------------------------------------------------------

    def _rules(self, table: Table, name: str) -> list[Rule]:
        key = table, name
        if key not in self.changed:
            self.changed[key] = list(self._chain(table, name).rules)
        return self.changed[key]

    def _chain(self, table: Table, name: str) -> Chain:
        chain = table.chains.get(name)
        if chain is None:
            raise NftError(f"{_GONE}: chain {name} of table {table.full_name}.")
        return chain

    def _add_chain(self, table: Table, op: Operation) -> None:
        old = table.chains.get(op.name)
        if old is not None:
            if op.verb == "create":
                raise NftError(f"Error: File exists: chain {op.name}.")
            if op.base is not None and old.base is not None and op.base != old.base:
                if op.base._replace(policy=old.base.policy) != old.base:
                    raise NftError(f"{_BUSY}: chain {op.name} hangs elsewhere already.")
                table.chains[op.name] = Chain(op.name, old.rules, op.base, old.comment)
            return
        base = op.base
        if base is not None:
            if base.hook not in _HOOKS.get(base.kind, ()):
                raise NftError(f"Error: Operation not supported: type {base.kind} hook "
                               f"{base.hook.lower()}.")  # fmt: skip
            here = Registered(op.family, op.table, op.name, self.iptables)
            self.registered = (*self.registered, here)
        table.chains[op.name] = Chain(op.name, (), base, op.comment)

    def _flush_chain(self, table: Table, op: Operation) -> None:
        self._rules(table, op.name).clear()

    def _delete_chain(self, table: Table, op: Operation) -> None:
        if op.name not in table.chains and op.verb == "destroy":
            return
        self._chain(table, op.name)
        del table.chains[op.name]
        self.changed.pop((table, op.name), None)
        self.lost.add(table)
        gone = op.family, op.table, op.name
        self.registered = tuple(r for r in self.registered if r[:3] != gone)

    def _add_rule(self, table: Table, op: Operation) -> None:
        assert op.rule is not None
        self._rules(table, op.name).append(op.rule)

    def _insert_rule(self, table: Table, op: Operation) -> None:
        assert op.rule is not None
        self._rules(table, op.name).insert(0, op.rule)

    # -- sets and elements ------------------------------------------------------------------------

    def _set(self, table: Table, name: str) -> NamedSet:
        if name not in table.sets:
            raise NftError(f"{_GONE}: set {name} of table {table.full_name}.")
        return table.sets[name]

    def _elements(self, table: Table, name: str) -> dict[Key, Element]:
        key = table, name
        if key not in self.fresh:
            own = self._set(table, name)
            self.fresh[key] = dict(own.elements)
            table.sets[name] = own._replace(elements=self.fresh[key])
        return self.fresh[key]

    def _add_set(self, table: Table, op: Operation) -> None:
        definition = op.definition
        assert definition is not None
        if op.name in table.sets:
            if op.verb == "create":
                raise NftError(f"Error: File exists: set {op.name}.")
            return
        for kind in definition.kinds:
            if kind not in BITS:
                raise NftError(
                    f"nft: the type {kind} is not modelled.", f"Here: {', '.join(BITS)}."
                )
        if definition.timeout and "timeout" not in definition.flags:
            definition = definition._replace(flags=(*definition.flags, "timeout"))
        table.sets[op.name] = definition
        self.new_sets.add((table, op.name))

    def _delete_set(self, table: Table, op: Operation) -> None:
        if op.name not in table.sets and op.verb == "destroy":
            return
        self._set(table, op.name)
        del table.sets[op.name]
        table.live.pop(op.name, None)
        self.fresh.pop((table, op.name), None)
        self.lost.add(table)

    def _flush_set(self, table: Table, op: Operation) -> None:
        self._elements(table, op.name).clear()
        table.live.pop(op.name, None)

    def _add_element(self, table: Table, op: Operation) -> None:
        elements, own = self._elements(table, op.name), self._set(table, op.name)
        for item in op.items:
            key = parse_key(own.kinds, item.key)
            timeout, end = item.timeout or own.timeout, item.expires
            if timeout:
                end = self.now + (timeout if end is None else end)
            element = Element(item.comment, _data(table, own, item), timeout, end)
            old = elements.get(key)
            if old is not None and (op.verb == "create" or old.data != element.data):
                raise NftError(f"Error: File exists: element {item.key} of {op.name}.")
            elements.setdefault(key, element)

    def _delete_element(self, table: Table, op: Operation) -> None:
        elements, own = self._elements(table, op.name), self._set(table, op.name)
        live = table.live.get(op.name, {})
        for item in op.items:
            key = parse_key(own.kinds, item.key)
            there = elements.pop(key, None) or live.pop(key, None)  # type: ignore[arg-type]
            if there is None and op.verb == "delete":
                raise NftError(f"{_GONE}: element {item.key} of {op.name}.")

    # -- the end ----------------------------------------------------------------------------------

    def check(self) -> None:
        """Everything that a rule or an element names is there; chains get their new rules."""
        for (table, name), rules in self.changed.items():
            old = table.chains[name]
            for rule in rules:
                _check_rule(table, rule, old)
                self._make_dynamic(table, rule)
            table.chains[name] = Chain(name, rules, old.base, old.comment)
        for table in self.lost:  # something went: nobody may use it
            for chain in table.chains.values():
                for rule in chain.rules:
                    _check_rule(table, rule, chain, _BUSY)
            for own in table.sets.values():
                for element in own.elements.values():
                    _check_target(table, element, _BUSY)

    def _make_dynamic(self, table: Table, rule: Rule) -> None:
        """A new set that a rule fills is dynamic, and of limited size: nft makes it so."""
        for statement in rule.statements:
            if isinstance(statement, Remember) and (table, statement.name) in self.new_sets:
                own = table.sets[statement.name]
                flags = own.flags if "dynamic" in own.flags else (*own.flags, "dynamic")
                size = own.size or MOST_ELEMENTS
                table.sets[statement.name] = own._replace(flags=flags, size=size)


def _check_rule(table: Table, rule: Rule, chain: Chain, error: str = _GONE) -> None:
    for name in sets_used(rule):
        if name not in table.sets:
            raise NftError(f"{error}: set {name}, in chain {chain.name}.")
    for statement in rule.statements:
        for verdict in table.verdicts(statement):
            if verdict.chain and verdict.chain not in table.chains:
                raise NftError(f"{error}: chain {verdict.chain}, in chain {chain.name}.")


def _check_target(table: Table, element: Element, error: str) -> None:
    chain = getattr(element.data, "chain", "")
    if chain and chain not in table.chains:
        raise NftError(f"{error}: chain {chain}, in an element.")


def _data(table: Table, own: NamedSet, item: Item) -> Verdict | One | None:
    if bool(item.data) is not bool(own.data):
        raise NftError(f"Error: element {item.key} of {own.name}: a {own.word} holds "
                       f"{'KEY : VALUE' if own.data else 'keys alone'}.")  # fmt: skip
    if own.data != "verdict":
        return parse_one(own.data, item.data) if own.data else None
    verdict = verdict_of(item.data)
    if verdict.chain and verdict.chain not in table.chains:
        raise NftError(f"{_GONE}: chain {verdict.chain}, in an element of {own.name}.")
    return verdict
