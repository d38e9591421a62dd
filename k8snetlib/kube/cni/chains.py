"""What lives here: how the CNI plugins write iptables chains: their names, and setting them up.

A plugin's rules are lists of words, as it would hand them to ``iptables``; the model reads them
with the same parser as a typed command. Everything can be done twice without harm.

Source: containernetworking/plugins ``pkg/utils``, ``portmap/chain.go``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from k8snetlib.kube.cni.spec import CniError
from k8snetlib.linux.netfilter.rule import Jump, Rule
from k8snetlib.linux.netfilter.syntax import Reader, Word, read_rule
from k8snetlib.linux.netfilter.tables import Ruleset

NAT = "nat"
_LONGEST = 28

Words = tuple[str, ...]


def chain_name(network: str, container_id: str, prefix: str = "") -> str:
    """The name of a container's own chain: 28 characters, the rest of them from a hash.

    >>> chain_name("test", "1234")
    'CNI-2bbe0c48b91a7d1b8a6753a8'
    """
    hexes = hashlib.sha512((network + container_id).encode()).hexdigest()
    return f"CNI-{prefix}{hexes}"[:_LONGEST]


def comment(network: str, container_id: str) -> str:
    """The comment of a container's rules."""
    return f'name: "{network}" id: "{container_id}"'


def parsed(words: Sequence[str]) -> Rule:
    """A rule from the words that iptables would be given."""
    return read_rule(Reader([Word(word, 1) for word in words]))


class CniChain(NamedTuple):
    """A chain of the nat table, the rules in it, and the rules that lead to it.

    ``entry_rules`` stand in each of ``entry_chains`` (in front, if ``prepend``), each with a jump.
    """

    name: str
    rules: tuple[Words, ...] = ()
    entry_chains: tuple[str, ...] = ()
    entry_rules: tuple[Words, ...] = ()
    prepend: bool = False

    def set_up(self, ruleset: Ruleset) -> None:
        """Makes the chain and adds every rule that is not there yet."""
        ruleset.ensure_chain(NAT, self.name)
        for words in self.rules:
            ruleset.ensure_rule(NAT, self.name, parsed(words))
        for entry in self.entry_chains:
            for words in self.entry_rules:
                rule = parsed((*words, "-j", self.name))
                ruleset.ensure_rule(NAT, entry, rule, front=self.prepend)

    def tear_down(self, ruleset: Ruleset) -> None:
        """Removes the chain and every jump to it; what is gone is gone."""
        for entry in self.entry_chains:
            if entry in ruleset.table(NAT):
                remove_jumps(ruleset, entry, self.name)
        remove_chain(ruleset, self.name)

    def check(self, ruleset: Ruleset) -> None:
        """Raises ``CniError`` for a chain or a rule that is missing."""
        chains = ruleset.tables.get(NAT, {})
        if self.name not in chains:
            raise CniError(f"chain {self.name} not found in iptables table {NAT}")
        for words in reversed(self.rules):
            if parsed(words) not in chains[self.name].rules:
                raise CniError(
                    f"rule {_go(self.rules)} in chain {self.name} not found in table nat"
                )
        for entry in self.entry_chains:
            for words in reversed(self.entry_rules):
                rule = parsed((*words, "-j", self.name))
                if entry not in chains or rule not in chains[entry].rules:
                    raise CniError(
                        f"rule {_go(self.entry_rules)} in chain {entry} not found in table nat"
                    )


def _go(rules: Sequence[Words]) -> str:
    """A list of lists as Go prints it."""
    return "[" + " ".join(f"[{' '.join(words)}]" for words in rules) + "]"


def remove_rule(ruleset: Ruleset, chain: str, words: Sequence[str]) -> None:
    """Removes a rule of the nat table, if it is there."""
    rules = list(ruleset.table(NAT)[chain].rules)
    if (rule := parsed(words)) in rules:
        rules.remove(rule)
        ruleset.change(NAT, chain, rules)


def remove_jumps(ruleset: Ruleset, chain: str, target: str) -> None:
    """Removes every rule of a chain that jumps to another."""
    rules = ruleset.table(NAT)[chain].rules
    left = [r for r in rules if not (isinstance(r.target, Jump) and r.target.chain == target)]
    if len(left) < len(rules):
        ruleset.change(NAT, chain, left)


def remove_chain(ruleset: Ruleset, name: str) -> None:
    """Empties and removes a user chain of the nat table, if it is there."""
    if name in ruleset.table(NAT):
        ruleset.change(NAT, name, ())
        ruleset.delete_chain(NAT, name)
