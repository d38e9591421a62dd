"""What lives here: tables of chains, and how a packet runs through them.

The run ends with ACCEPT or DROP, and carries what decided it. Every rule that matched is noted in
order, as the kernel's own TRACE shows it; ``evaluated`` counts every rule that a kernel would have
tested, matched or not, however many of them the index of a long chain passed over.

What may not live here: the text of rules (``syntax``), one chain (``chain``), hooks and their order
(``hooks``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from k8snetlib.errors import K8sNetError, unknown_name
from k8snetlib.linux.netfilter.chain import (
    CONTINUE,
    ENTER,
    LEAVE,
    MARK,
    Chain,
    Matched,
    Ready,
)
from k8snetlib.linux.netfilter.rule import Conntrack, Jump, Nat, Probe, Reject, Rule

if TYPE_CHECKING:
    from k8snetlib.linux.nftables.ruleset import Nftables

_new = tuple.__new__

#: table -> its base chains, in the order in which iptables-save prints them.
BASE_CHAINS: dict[str, tuple[str, ...]] = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}


#: How many chains can be entered one from another, the base chain counted (NFT_JUMP_STACK_SIZE).
_DEEPEST = 16
#: What to say to whom the kernel refuses a rule for it.
TOO_MANY = (
    f"From a base chain jumps would lead through more than {_DEEPEST} chains. Do they go round?"
)
#: What iptables says to whom would drop packets in the nat table.
NO_FILTER = 'The "nat" table is not intended for filtering, the use of DROP is therefore inhibited.'


class Result(NamedTuple):
    """How a run through a base chain ended: ACCEPT or DROP, and what to do besides; ``matched`` are
    the lines of the TRACE."""

    verdict: str
    matched: tuple[Any, ...]
    nat: Nat | None = None
    reject: Reject | None = None


class Ruleset:
    """All tables of one network namespace. Chains are shared between copies; counters are not.

    ``memory`` is what matches like ``limit`` remember, by rule; the values are immutable.
    ``watchers`` are called, by name, when a rule or a chain changed. ``nft`` are the tables of
    nftables (None: there is none). ``ipvs``: the load balancer has virtual servers, so its boxes
    hang in the hooks, too.
    """

    __slots__ = ("_active", "_tracks", "counters", "ipvs", "memory", "nft", "tables", "watchers")

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Chain]] = {}
        self.counters: dict[tuple[str, str], list[list[int]]] = {}
        self.memory: dict[object, Any] = {}
        self.nft: Nftables | None = None
        self.ipvs = False
        self._active: dict[str, tuple[Any, ...]] = {}
        self._tracks: bool | None = None
        self.watchers: dict[str, Callable[[], None]] = {}

    def clone(self) -> Ruleset:
        """A copy: shares the chains, has counters of its own."""
        other = Ruleset()
        other.tables = {name: dict(chains) for name, chains in self.tables.items()}
        other.counters = {k: [list(c) for c in v] for k, v in self.counters.items()}
        other.memory = dict(self.memory)
        other.nft = self.nft.clone() if self.nft is not None else None
        return other

    # -- reading --------------------------------------------------------------------------------

    def chain(self, table: str, name: str) -> Chain:
        """A chain; raises ``UnknownName`` with the nearest names."""
        chains = self.tables.get(table, {})
        try:
            return chains[name]
        except KeyError:
            raise unknown_name(f"chain in table {table}", name, chains) from None

    def used(self, table: str, hook: str) -> bool:
        """True if the base chain of a table in a hook can do anything at all."""
        chain = self.tables.get(table, {}).get(hook)
        return chain is not None and (bool(chain.rules) or chain.policy != "ACCEPT")

    @property
    def empty(self) -> bool:
        """True if there is no table at all, of iptables or of nftables."""
        return not self.tables and self.nft is None

    @property
    def translates(self) -> bool:
        """True if there is something that asks about NAT: a table of iptables, or a chain."""
        return "nat" in self.tables or (self.nft is not None and self.nft.translates)

    def active(self, hook: str, boxes: tuple[str, ...]) -> tuple[Any, ...]:
        """Those of a hook's boxes (tables, conntrack's own, and nftables' base chains) that can do
        anything at all."""
        found = self._active.get(hook)
        if found is None:
            own = ("conntrack", "nat", "confirm") if self.tracks else ()
            here = [
                box for box in boxes if box[:4] == "ipvs" or (box != "nat" and self.used(box, hook))
            ]
            found = tuple(b for b in boxes if b in own or b in here)
            found = self._active[hook] = self._with_chains(hook, found)
        return found

    def translators(self, hook: str) -> tuple[Any, ...]:
        """Who is asked how to translate a new connection: ``nat``, and nftables' nat chains."""
        key = f"nat {hook}"
        found = self._active.get(key)
        if found is None:
            own = ("nat",) if self.used("nat", hook) else ()
            found = self._active[key] = self._with_chains(hook, own, nat=True)
        return found

    def _with_chains(
        self, hook: str, boxes: tuple[str, ...], *, nat: bool = False
    ) -> tuple[Any, ...]:
        if self.nft is None:
            return boxes
        from k8snetlib.linux.nftables.hooked import merged  # only where somebody uses nft

        return merged(self.nft, hook, boxes, nat=nat)

    @property
    def tracks(self) -> bool:
        """True if some rule needs conntrack: it translates addresses, or matches on connections.

        Without one the kernel tracks nothing, and then even the nat table's rules are not asked.
        """
        if self._tracks is None:
            self._tracks = any(_needs_conntrack(rule) for _, _, rule in self.rules()) or (
                self.nft is not None and self.nft.tracks
            )
        return self._tracks

    def rules(self) -> Iterator[tuple[str, Chain, Rule]]:
        """Every rule with its table and chain."""
        for table, chains in self.tables.items():
            for chain in chains.values():
                for rule in chain.rules:
                    yield table, chain, rule

    # -- changing -------------------------------------------------------------------------------

    def changed(self) -> None:
        """Rules or policies changed: what was known about them is found out again."""
        self._active, self._tracks = {}, None
        for watcher in self.watchers.values():
            watcher()

    def load_nft(self, text: str, now: float = 0.0) -> int:
        """``nft -f``: carries out a text, all or nothing; returns its number of operations.

        ``now`` is the model's time in seconds. Raises ``NftError``; then nothing has changed.
        """
        from k8snetlib.linux.nftables.ruleset import Nftables

        nft = self.nft or Nftables()
        count = nft.load(text, self.tables, now)
        self.nft = nft if nft.tables else None
        self.changed()
        return count

    def table(self, name: str) -> dict[str, Chain]:
        """A table, made with its base chains if it is not there yet."""
        if name not in BASE_CHAINS:
            raise unknown_name("table", name, BASE_CHAINS)
        if name not in self.tables:
            self.tables[name] = {c: Chain(c, (), "ACCEPT") for c in BASE_CHAINS[name]}
        return self.tables[name]

    def put(self, table: str, chain: Chain) -> None:
        """Puts a chain in place of the one of its name; its counters start from zero."""
        self.table(table)[chain.name] = chain
        self.counters.pop((table, chain.name), None)
        self.changed()

    def put_all(self, table: str, chains: Iterable[Chain]) -> None:
        """Puts several chains at once."""
        there = self.table(table)
        for chain in chains:
            there[chain.name] = chain
            self.counters.pop((table, chain.name), None)
        self.changed()

    def drop_all(self, table: str, names: Iterable[str]) -> None:
        """Takes several user chains away at once, that nobody else jumps to."""
        for name in list(names):
            self.table(table).pop(name, None)
            self.counters.pop((table, name), None)
        self.changed()

    def new_chain(self, table: str, name: str) -> None:
        """``iptables -N``; raises ``K8sNetError`` if it is there."""
        if name in self.table(table):
            raise K8sNetError(f"Chain {name} of table {table} already exists.")
        self.put(table, Chain(name))

    def ensure_chain(self, table: str, name: str) -> None:
        """Makes a user chain if there is none of that name."""
        if name not in self.table(table):
            self.new_chain(table, name)

    def ensure_rule(self, table: str, chain: str, rule: Rule, *, front: bool = False) -> None:
        """Adds a rule at the end of a chain (or in front) if the chain does not hold it."""
        self.table(table)
        rules = self.chain(table, chain).rules
        if rule not in rules:
            self.change(table, chain, (rule, *rules) if front else (*rules, rule))

    def delete_chain(self, table: str, name: str) -> None:
        """``iptables -X``; only an empty user chain that nobody jumps to can go."""
        chain = self.chain(table, name)
        if chain.policy is not None:
            raise K8sNetError(f"{name} is a built-in chain; it cannot be deleted.")
        if chain.rules:
            raise K8sNetError(f"Chain {name} is not empty.", f"Flush it first: iptables -F {name}.")
        users = [c.name for c in self.tables[table].values() for r in c.rules
                 if isinstance(r.target, Jump) and r.target.chain == name]  # fmt: skip
        if users:
            raise K8sNetError(f"Chain {name} is still used by {', '.join(sorted(set(users)))}.")
        del self.tables[table][name]
        self.changed()

    def change(self, table: str, chain: str, rules: Sequence[Rule]) -> None:
        """Gives a chain new rules; rules that stay keep their counters."""
        old = self.chain(table, chain)
        kept: dict[int, list[int]] = {}
        for rule, count in zip(old.rules, self.counters.get((table, chain), ()), strict=False):
            kept[id(rule)] = count
        self.put(table, Chain(chain, rules, old.policy))
        self.counters[table, chain] = [kept.get(id(rule), [0, 0]) for rule in rules] + [[0, 0]]

    # -- running --------------------------------------------------------------------------------

    def run(self, table: str, hook: str, p: Probe) -> Result:
        """Runs a packet through a base chain."""
        chains = self.tables[table]
        chain = chains[hook]
        matched: list[Matched] = []
        back: list[tuple[Chain, int]] = []
        at = 0
        while True:
            found = self._next(table, chain, at, p)
            if found is None:
                if back:
                    chain, at = back.pop()
                    continue
                return self._policy(table, chains[hook], p, matched)
            at, rule = found
            _, kind, line, target, _ = rule
            if kind == ENTER:
                if not target.goto:
                    back.append((chain, at))
                chain, at = chains[target.chain], 0
                matched.append(_new(Matched, (*line[:6], chain.rules)))
                continue
            matched.append(line)
            if kind == MARK:
                p.mark = target.apply(p.mark)
            elif kind == LEAVE:
                # RETURN in a base chain, or behind a goto, leaves it to the policy.
                if not back:
                    return self._policy(table, chains[hook], p, matched)
                chain, at = back.pop()
            elif kind != CONTINUE:
                return _end(line.verdict, matched, target)

    def _policy(self, table: str, chain: Chain, p: Probe, matched: list[Matched]) -> Result:
        policy = chain.policy or "ACCEPT"
        # As the kernel's TRACE does, an untouched empty chain leaves no line.
        if chain.rules:
            matched.append(Matched(table, chain.name, policy, None, len(chain.rules), chain.rules))
        self._count(table, chain, len(chain.rules), p.size)
        return Result(policy, tuple(matched))

    def _next(self, table: str, chain: Chain, start: int, p: Probe) -> tuple[int, Ready] | None:
        """The next rule that matches, and the place behind it."""
        ready = chain.ready(table)
        for at in chain.candidates(p, start):
            rule = ready[at]
            if rule.chance and p.pinned is not None:
                hit = self.leads_to(table, chain.rules[at], p.pinned)
            else:
                hit = True
                for test in rule.tests:  # all() over a generator takes twice the time here
                    if not test(p):
                        hit = False
                        break
            if hit:
                p.evaluated += at + 1 - start
                self._count(table, chain, at, p.size)
                return at + 1, rule
        p.evaluated += len(ready) - start
        return None

    def _count(self, table: str, chain: Chain, at: int, size: int) -> None:
        counts = self.counters.get((table, chain.name))
        if counts is None:
            counts = self.counters[table, chain.name] = [
                [0, 0] for _ in range(len(chain.rules) + 1)
            ]
        count = counts[at]
        count[0] += 1
        count[1] += size

    def leads_to(self, table: str, rule: Rule, address: str) -> bool:
        """True if a rule's target can end in a DNAT to ``address`` (it pins what chance picks)."""
        target, seen = rule.target, set[str]()
        todo = [target]
        while todo:
            target = todo.pop()
            if isinstance(target, Nat) and target.ips and target.ips[0] == address:
                return True
            if isinstance(target, Jump) and target.chain not in seen:
                seen.add(target.chain)
                todo += [r.target for r in self.tables[table][target.chain].rules]
        return False


def too_many_links(chains: Mapping[str, Chain]) -> bool:
    """True if jumps lead from a base chain through more than 16 chains, or round in a loop.

    Chains that no base chain leads to may do so: the kernel looks only when one does.
    Source: nft_chain_validate(); seen in Linux 6.18 with iptables 1.8.9.
    """
    here = {name for name, chain in chains.items() if chain.policy is not None}
    for _ in range(_DEEPEST):
        here = {
            rule.target.chain
            for name in here
            for rule in chains[name].rules
            if isinstance(rule.target, Jump)
        }
    return bool(here)


def misplaced(chains: Mapping[str, Chain]) -> Nat | None:
    """A target in the nat table that jumps reach from a hook in which no kernel takes it: behind
    PREROUTING a MASQUERADE, for instance. Seen in Linux 6.18 with iptables 1.8.9."""
    for hook in BASE_CHAINS["nat"]:
        ahead = [hook] if hook in chains else []
        for name in ahead:  # grows while it is read
            for target in (rule.target for rule in chains[name].rules):
                if isinstance(target, Jump) and target.chain not in ahead:
                    ahead.append(target.chain)
                elif isinstance(target, Nat) and hook not in nat_hooks(target):
                    return target
    return None


def nat_hooks(target: Nat) -> tuple[str, ...]:
    """The hooks in which an address may be changed so."""
    sources = {"MASQUERADE": ("POSTROUTING",), "SNAT": ("POSTROUTING", "INPUT")}
    return sources.get(target.kind, ("PREROUTING", "OUTPUT"))


def _end(verdict: str, matched: list[Matched], target: object) -> Result:
    nat = target if isinstance(target, Nat) else None
    reject = target if isinstance(target, Reject) else None
    return Result(verdict, tuple(matched), nat, reject)


def _needs_conntrack(rule: Rule) -> bool:
    return isinstance(rule.target, Nat) or any(type(m) is Conntrack for m in rule.matches)
