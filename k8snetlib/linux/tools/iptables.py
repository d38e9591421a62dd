"""What lives here: ``iptables``: its command line, and what each command does to the rules.

``Line`` is the command line taken apart; one function per command carries it out. The text of rules
is ``netfilter.syntax``'s business, ``-L``'s tables are ``iptables_list``'s. Refusals are in the
words of iptables 1.8.9 (nf_tables).

Simplified here: no ``-c`` (setting counters), no options for output but those of ``Look``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.errors import BadCommand, nearest
from k8snetlib.linux.netfilter import rule as r
from k8snetlib.linux.netfilter.chain import Chain
from k8snetlib.linux.netfilter.syntax import TARGETS, Reader, RuleError, Word, read_rule
from k8snetlib.linux.netfilter.tables import (
    BASE_CHAINS,
    NO_FILTER,
    TOO_MANY,
    Ruleset,
    misplaced,
    nat_hooks,
    too_many_links,
)
from k8snetlib.linux.tools.iptables_list import Look, chains_of, counts_of, listing, rule_lines
from k8snetlib.linux.tools.services import service_port

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

VERSION = "v1.8.9 (nf_tables)"
_SAYS = f"iptables {VERSION}: "
NO_CHAIN = "iptables: No chain/target/match by that name."
_BAD_RULE = "iptables: Bad rule (does a matching rule exist in that chain?)."

#: A command's letter -> its long name.
_COMMANDS = {
    "A": "append", "D": "delete", "I": "insert", "R": "replace", "C": "check", "L": "list",
    "S": "list-rules", "F": "flush", "Z": "zero", "N": "new-chain", "X": "delete-chain",
    "P": "policy", "E": "rename-chain",
}  # fmt: skip
_LETTERS = {f"--{name}": letter for letter, name in _COMMANDS.items()} | {"--new": "N"}
#: How many words follow a command: at least, at most.
_WANTS = {"A": (1, 1), "D": (1, 2), "I": (1, 2), "R": (2, 2), "C": (1, 1), "N": (1, 1),
          "P": (2, 2), "E": (2, 2), "L": (0, 2), "S": (0, 2), "Z": (0, 2), "F": (0, 1),
          "X": (0, 1)}  # fmt: skip
_FLAGS = {"n": "numeric", "v": "verbose", "x": "exact"}
_LONG_FLAGS = {"--numeric": "numeric", "--verbose": "verbose", "--exact": "exact",
               "--line-numbers": "numbers"}  # fmt: skip
_TOLERATED = {"--wait", "-w", "-4", "--ipv4"}
_PORT_OPTIONS = {"--sport", "--dport", "--source-port", "--destination-port"}


class Line(NamedTuple):
    """A command line: the command's letter and words, the table, how to print, and the rule."""

    command: str
    args: tuple[str, ...]
    table: str
    look: Look
    rule: tuple[str, ...]


def run(ns: Netns, words: list[str]) -> str:
    """``iptables [-t TABLE] { -L | -S | -A | -I | -D | -R | -C | -N | -X | -F | -P | -Z | -E }``"""
    line = _line(words)
    if line.table not in BASE_CHAINS:
        raise BadCommand(
            f"{_SAYS}table '{line.table}' does not exist", f"Tables: {', '.join(BASE_CHAINS)}."
        )
    if line.rule and line.command not in "ADIRC":
        raise BadCommand(f"Bad argument `{line.rule[0]}'", f"-{line.command} takes no rule.")
    return _DO[line.command](ns.ruleset, line)


# -- the command line -----------------------------------------------------------------------------


def _line(words: Sequence[str]) -> Line:
    todo = list(words)
    command, args, table, look = "", tuple[str, ...](), "filter", Look()
    rule: list[str] = []
    while todo:
        word = todo.pop(0)
        letter = _LETTERS.get(word) or (word[1] if re.fullmatch(f"-[{''.join(_COMMANDS)}]", word)
                                        else "")  # fmt: skip
        if letter:
            if command:
                raise BadCommand(f"{_SAYS}Cannot use -{letter} with -{command}")
            command, args = letter, _arguments(letter, todo)
        elif word in ("-t", "--table"):
            table = _value(word, todo)
        elif word in _LONG_FLAGS or word.lstrip("-") in _FLAGS:
            name = _LONG_FLAGS.get(word) or _FLAGS[word[1:]]
            look = look._replace(**{name: True})
        elif word in ("-6", "--ipv6"):
            raise BadCommand("iptables -6 is not modelled: there is no IPv6 here.")
        elif re.fullmatch(r"-[nvxw4]*[nvxw4tLSFZX]\S*", word) and len(word) > 2:
            # Letters in one word, as in -nvL or -tnat: the first now, the others next.
            todo[:0] = ["-t", word[2:]] if word[1] == "t" else [word[:2], "-" + word[2:]]
        elif word not in _TOLERATED:
            rule.append(word)
    if not command and rule and rule[0].startswith("-"):
        raise BadCommand(f'{_SAYS}unknown option "{rule[0]}"', "First a command, such as -L or -A.")
    if not command:
        raise BadCommand(
            f"{_SAYS}no command specified",
            f"Commands here: {', '.join('-' + c for c in _COMMANDS)}.",
        )
    return Line(command, args, table, look, tuple(rule))


def _value(option: str, todo: list[str]) -> str:
    if not todo:
        raise BadCommand(f'{_SAYS}option "{option}" requires an argument')
    return todo.pop(0)


def _arguments(letter: str, todo: list[str]) -> tuple[str, ...]:
    """The words that belong to a command: names, then perhaps a rule's number."""
    least, most = _WANTS[letter]
    found: list[str] = []
    while len(found) < most and todo and not todo[0].startswith(("-", "!")):
        if found and letter in "DIRLSZ" and not todo[0].isdigit():
            break
        found.append(todo.pop(0))
    if not found and least:
        raise BadCommand(f'{_SAYS}option "-{letter}" requires an argument')
    if len(found) < least:
        what = {"P": "a chain and a policy", "E": "old-chain-name and new-chain-name",
                "R": "a rule number"}[letter]  # fmt: skip
        raise BadCommand(f"{_SAYS}-{letter} requires {what}")
    return tuple(found)


def _chain(ruleset: Ruleset, line: Line) -> Chain:
    """The chain that a command names; a table that is not used yet has its built-in ones."""
    name, chains = line.args[0], chains_of(ruleset, line.table)
    found = next((chain for chain in chains if chain.name == name), None)
    if found is None:
        names = [chain.name for chain in chains]
        near = nearest(name, names)
        tables = sorted(ruleset.tables, key=lambda table: table not in ("filter", "nat"))
        elsewhere = [table for table in tables if name in ruleset.tables[table]]
        hint = f"Table {line.table} has {', '.join(names[:8])}."
        if near:
            hint = f"Did you mean {' or '.join(near)}?"
        if elsewhere:
            hint = f"{name} is in table {elsewhere[0]}: iptables -t {elsewhere[0]} …"
        raise BadCommand(NO_CHAIN, hint)
    return found


# -- rules ----------------------------------------------------------------------------------------


def _read(ruleset: Ruleset, line: Line, chain: str) -> r.Rule:
    rule = parse(line.rule, _SAYS)
    target, table = rule.target, line.table
    if table == "nat" and target == r.Verdict("DROP"):
        raise BadCommand(NO_FILTER, "Use the filter table.")
    chains = ruleset.tables.get(table, {})
    if isinstance(target, r.Jump) and target.chain not in chains:
        names = [c.name for c in chains.values() if c.policy is None]
        near = nearest(target.chain, [*names, *TARGETS])
        raise BadCommand(
            f"{_SAYS}Chain '{target.chain}' does not exist",
            f"Did you mean {' or '.join(near)}?"
            if near
            else "Targets: " + ", ".join(TARGETS) + ".",
        )
    for device, letter, chains_without in (
        (rule.out_dev, "o", ("INPUT", "PREROUTING")),
        (rule.in_dev, "i", ("OUTPUT", "POSTROUTING")),
    ):
        if device and chain in chains_without:
            raise BadCommand(
                f"{_SAYS}Can't use -{letter} with {chain}",
                f"In {chain} that device is not known {'yet' if letter == 'o' else 'any more'}.",
            )
    return rule


def _check_target(target: object, line: Line, chain: str, verb: str) -> None:
    """What the kernel refuses: a target outside of its table, or of its hooks."""
    home: dict[str, tuple[str, ...]] = {}
    if isinstance(target, r.Reject):
        home = {"filter": ("INPUT", "FORWARD", "OUTPUT")}
    elif isinstance(target, r.Nat):
        home = {"nat": nat_hooks(target)}
    if not home:
        return
    hooks = home.get(line.table, ())
    if hooks and (chain in hooks or chain not in BASE_CHAINS[line.table]):
        return
    raise _misplaced(target, next(iter(home)), next(iter(home.values())), chain, verb)


def _misplaced(
    target: object, table: str, hooks: Sequence[str], chain: str, verb: str
) -> BadCommand:
    return BadCommand(
        f"{_SAYS} RULE_{verb} failed (Invalid argument): rule in chain {chain}",
        f"{str(target).split()[1]} works in table {table}, in {', '.join(hooks)}.",
    )


def parse(words: Sequence[str], says: str) -> r.Rule:
    """A rule from words, refused in iptables' own ones; ``says`` begins the message."""
    numbered = []
    for before, word in zip(("", *words), words, strict=False):
        port = service_port(word) if before in _PORT_OPTIONS else None
        numbered.append(word if port is None else str(port))
    try:
        return read_rule(Reader([Word(word, n) for n, word in enumerate(numbered, 1)]))
    except RuleError as error:
        text = in_real_words(error.message)
        bare = text.startswith("Bad argument")  # the one complaint without the program's name
        raise BadCommand(text if bare else says + text, error.hint) from None


#: What our parser says -> what iptables says.
_TRANSLATED = (
    (r"'(--?\S+)' is not known here", 'unknown option "{}"'),
    (r"'(\S+)' is not known here", "Bad argument `{}'"),
    (r"'(.+)' is no protocol", 'unknown protocol "{}" specified'),
    (r"'(.+)' is no address", "host/network `{}' not found"),
    (r"'(.+)' is no port", "invalid port/service `{}' specified"),
    (
        r"chain \S+: There is no chain or target in table \S+ called '(\S+)'.*",
        "Chain '{}' does not exist",
    ),
    (r"(.+) needs (--to-\S+)", '{}: option "{}" must be specified'),
)


def in_real_words(message: str) -> str:
    """The complaint of our parser in iptables' words, where it has some of its own."""
    text = re.sub(r"^Line \d+, column \d+: ", "", message).rstrip(".")
    for pattern, real in _TRANSLATED:
        found = re.fullmatch(pattern, text)
        if found:
            return real.format(*found.groups())
    return text


def _change(ruleset: Ruleset, line: Line, chain: Chain, rules: Sequence[r.Rule]) -> None:
    policy = counts_of(ruleset, line.table, chain)[-1]
    ruleset.table(line.table)  # from now on it is in use
    ruleset.change(line.table, chain.name, rules)
    ruleset.counters[line.table, chain.name][-1] = policy


def _place(line: Line, rules: Sequence[r.Rule], what: str, most: int) -> int:
    """A rule's number as a place from 0."""
    number = int(line.args[1])
    if not number:
        raise BadCommand(f"{_SAYS}Invalid rule number `0'", "Rules count from 1.")
    if number > most:
        raise BadCommand(f"iptables: Index of {what} too big.", f"There are {len(rules)} rules.")
    return number - 1


def _add(ruleset: Ruleset, line: Line) -> str:
    chain = _chain(ruleset, line)
    rule = _read(ruleset, line, chain.name)
    verb = {"A": "APPEND", "I": "INSERT", "R": "REPLACE"}[line.command]
    rules = list(chain.rules)
    if line.command == "R":
        rules[_place(line, rules, "replacement", len(rules))] = rule
    elif line.command == "I":
        most = len(rules) + 1
        at = _place(line, rules, "insertion", most) if len(line.args) > 1 else 0
        rules.insert(at, rule)
    else:
        rules.append(rule)
    _check_target(rule.target, line, chain.name, verb)
    _check_links(ruleset, line, Chain(chain.name, rules, chain.policy), verb)
    _change(ruleset, line, chain, rules)
    return ""


def _check_links(ruleset: Ruleset, line: Line, after: Chain, verb: str) -> None:
    """What the kernel refuses: a base chain from which jumps lead too far, round in a loop, or to
    where its hook cannot change an address."""
    chains = ruleset.tables.get(line.table, {}) | {after.name: after}
    found = misplaced(chains) if line.table == "nat" else None
    if found is not None:
        raise _misplaced(found, line.table, nat_hooks(found), after.name, verb)
    if too_many_links(chains):
        said = f"RULE_{verb} failed (Too many links): rule in chain {after.name}"
        raise BadCommand(f"{_SAYS} {said}", TOO_MANY)


def _delete(ruleset: Ruleset, line: Line) -> str:
    chain = _chain(ruleset, line)
    rules = list(chain.rules)
    if len(line.args) > 1:
        at = _place(line, rules, "deletion", len(rules))
    else:
        at = _find(ruleset, line, chain)
    if line.command == "D":
        _change(ruleset, line, chain, rules[:at] + rules[at + 1 :])
    return ""


def _find(ruleset: Ruleset, line: Line, chain: Chain) -> int:
    wanted = _read(ruleset, line, chain.name)
    if wanted not in chain.rules:
        near = nearest(f"{wanted}", [str(rule) for rule in chain.rules], 1)
        hint = f"The nearest there is: {near[0]}" if near else f"See iptables -S {chain.name}."
        raise BadCommand(_BAD_RULE, hint)
    return chain.rules.index(wanted)


# -- chains ---------------------------------------------------------------------------------------


def _new(ruleset: Ruleset, line: Line) -> str:
    name = line.args[0]
    if name in TARGETS:
        raise BadCommand(f"{_SAYS}chain name may not clash with target name")
    if len(name) >= 29:
        raise BadCommand(f"{_SAYS}chain name `{name}' too long (must be under 29 chars)")
    if name in {chain.name for chain in chains_of(ruleset, line.table)}:
        raise BadCommand("iptables: Chain already exists.")
    ruleset.new_chain(line.table, name)  # and with it the table, if this is its first use
    return ""


def _delete_chain(ruleset: Ruleset, line: Line) -> str:
    if line.args:
        doomed = [_chain(ruleset, line)]
    else:
        doomed = [c for c in chains_of(ruleset, line.table) if c.policy is None]
    names = {chain.name for chain in doomed}
    for chain in doomed:
        users = [c.name for c in chains_of(ruleset, line.table) for rule in c.rules
                 if isinstance(rule.target, r.Jump) and rule.target.chain == chain.name
                 and (c.name not in names or len(names) == 1)]  # fmt: skip
        if users or chain.rules or chain.policy is not None:
            hint = f"Flush it first: iptables -F {chain.name}."
            if users:
                hint = f"{' and '.join(sorted(set(users)))} still jumps there."
            if chain.policy is not None:
                hint = "Built-in chains stay."
            raise BadCommand(
                f"{_SAYS} CHAIN_DEL failed (Device or resource busy): chain {chain.name}", hint
            )
    for chain in doomed:
        ruleset.delete_chain(line.table, chain.name)
    return ""


def _flush(ruleset: Ruleset, line: Line) -> str:
    chains = [_chain(ruleset, line)] if line.args else chains_of(ruleset, line.table)
    for chain in chains:
        if chain.rules:
            _change(ruleset, line, chain, ())
    return ""


def _policy(ruleset: Ruleset, line: Line) -> str:
    name, policy = line.args
    if name not in BASE_CHAINS[line.table]:
        hint = f"Built-in chains of {line.table}: {', '.join(BASE_CHAINS[line.table])}."
        raise BadCommand("iptables: Bad built-in chain name.", hint)
    if policy not in ("ACCEPT", "DROP"):
        raise BadCommand("iptables: Bad policy name. Run `dmesg' for more information.",
                         "ACCEPT or DROP.")  # fmt: skip
    if line.table == "nat" and policy == "DROP":
        raise BadCommand(NO_FILTER, "Use the filter table.")
    chain = _chain(ruleset, line)
    counts = counts_of(ruleset, line.table, chain)
    ruleset.put(line.table, Chain(name, chain.rules, policy))
    ruleset.counters[line.table, name] = counts
    return ""


def _zero(ruleset: Ruleset, line: Line) -> str:
    chains = [_chain(ruleset, line)] if line.args else chains_of(ruleset, line.table)
    for chain in chains:
        counts = counts_of(ruleset, line.table, chain)
        for at in [int(line.args[1]) - 1] if len(line.args) > 1 else range(len(counts)):
            if 0 <= at < len(counts):
                counts[at][:] = [0, 0]
    return ""


def _rename(ruleset: Ruleset, line: Line) -> str:
    chain, new = _chain(ruleset, line), line.args[1]
    if chain.policy is not None or new in ruleset.tables[line.table]:
        raise BadCommand("iptables: File exists.", "Give a name that no chain has.")
    counts = counts_of(ruleset, line.table, chain)
    del ruleset.tables[line.table][chain.name]
    ruleset.counters.pop((line.table, chain.name), None)
    ruleset.put(line.table, Chain(new, chain.rules))
    ruleset.counters[line.table, new] = counts
    for other in list(ruleset.tables[line.table].values()):
        rules = [_renamed(rule, chain.name, new) for rule in other.rules]
        if rules != list(other.rules):
            kept = counts_of(ruleset, line.table, other)
            ruleset.put(line.table, Chain(other.name, rules, other.policy))
            ruleset.counters[line.table, other.name] = kept
    return ""


def _renamed(rule: r.Rule, old: str, new: str) -> r.Rule:
    target = rule.target
    if isinstance(target, r.Jump) and target.chain == old:
        return rule._replace(target=target._replace(chain=new))
    return rule


# -- reading --------------------------------------------------------------------------------------


def _chosen(ruleset: Ruleset, line: Line) -> tuple[list[Chain], int]:
    chains = chains_of(ruleset, line.table)
    if line.args:
        chains = [c for c in chains if c.name == line.args[0]] or [_chain(ruleset, line)]
    return chains, int(line.args[1]) if len(line.args) > 1 else 0


def _list(ruleset: Ruleset, line: Line) -> str:
    chains, only = _chosen(ruleset, line)
    return listing(ruleset, line.table, chains, only, line.look)


def _list_rules(ruleset: Ruleset, line: Line) -> str:
    chains, only = _chosen(ruleset, line)
    return rule_lines(ruleset, line.table, chains, only, counted=line.look.verbose)


_DO: dict[str, Callable[[Ruleset, Line], str]] = {
    "A": _add, "I": _add, "R": _add, "D": _delete, "C": _delete, "L": _list, "S": _list_rules,
    "F": _flush, "Z": _zero, "N": _new, "X": _delete_chain, "P": _policy, "E": _rename,
}  # fmt: skip
