"""What lives here: whole rulesets as text: ``iptables-save`` and ``iptables-restore``.

Printing and parsing are each other's inverse for everything that ``syntax`` knows.
"""

from __future__ import annotations

from k8snetlib.errors import unknown_name
from k8snetlib.linux.netfilter.chain import Chain
from k8snetlib.linux.netfilter.rule import Jump, Rule, Verdict
from k8snetlib.linux.netfilter.syntax import RuleError, lines, parse_rule
from k8snetlib.linux.netfilter.tables import (
    BASE_CHAINS,
    NO_FILTER,
    TOO_MANY,
    Ruleset,
    misplaced,
    nat_hooks,
    too_many_links,
)

#: The order in which iptables-save prints the tables.
ORDER = ("mangle", "raw", "filter", "security", "nat")


def save(ruleset: Ruleset, table: str | None = None, *, counters: bool = False) -> str:
    """What ``iptables-save [-t TABLE] [-c]`` prints, without its comment lines."""
    out: list[str] = []
    for name in ORDER:
        if name not in ruleset.tables or (table and name != table):
            continue
        out.append(f"*{name}")
        chains = ruleset.tables[name]
        base = [chains[c] for c in BASE_CHAINS[name]]
        user = sorted((c for c in chains.values() if c.policy is None), key=lambda c: c.name)
        for chain in (*base, *user):
            last = ruleset.counters.get((name, chain.name), [[0, 0]])[-1]
            packets, octets = last if counters and chain.policy else (0, 0)
            out.append(f":{chain.name} {chain.policy or '-'} [{packets}:{octets}]")
        for chain in (*base, *user):
            counts = ruleset.counters.get((name, chain.name))
            for at, rule in enumerate(chain.rules):
                packets, octets = counts[at] if counts else (0, 0)
                front = f"[{packets}:{octets}] " if counters else ""
                out.append(f"{front}-A {chain.name} {rule}".rstrip())
        out.append("COMMIT")
    return "\n".join(out) + "\n" if out else ""


def restore(ruleset: Ruleset, text: str, *, noflush: bool = False) -> None:
    """``iptables-restore``: replaces the tables that the text names, all or nothing.

    With ``noflush`` only the chains that the text declares are emptied first. Raises
    ``RuleError`` with line and column; then nothing has changed.
    """
    work = ruleset.clone()
    table = ""
    chains: dict[str, list[Rule]] = {}
    policies: dict[str, str | None] = {}
    for n, line in lines(text):
        if line.startswith("*"):
            table = line[1:].strip()
            if table not in BASE_CHAINS:
                raise RuleError(f"Line {n}, column 2: {unknown_name('table', table, BASE_CHAINS)}")
            old = work.table(table)
            chains = {c.name: list(c.rules) for c in old.values()} if noflush else {}
            policies = {c.name: c.policy for c in old.values()}
            if not noflush:
                chains = {name: [] for name in BASE_CHAINS[table]}
        elif line.startswith(":"):
            name, policy = [*line[1:].split(), "-"][:2]
            chains[name] = []
            policies[name] = policy if name in BASE_CHAINS[table] else None
        elif line.strip() == "COMMIT":
            _commit(work, table, chains, policies, n)
        else:
            _one(chains, line, n)
    ruleset.tables, ruleset.counters = work.tables, work.counters
    ruleset.changed()


def _one(chains: dict[str, list[Rule]], line: str, n: int) -> None:
    text = line.split("] ", 1)[1] if line.startswith("[") else line
    shift = len(line) - len(text)
    verb, _, rest = text.partition(" ")
    name, _, rule = rest.partition(" ")
    if verb not in ("-A", "-I", "-X"):
        what = f"Line {n}, column {shift + 1}: '{verb}' is not known here."
        raise RuleError(what, "Expected -A CHAIN, -I CHAIN, -X CHAIN, :CHAIN, *table or COMMIT.")
    if name not in chains:
        raise RuleError(f"Line {n}, column {shift + 4}: {unknown_name('chain', name, chains)}")
    if verb == "-X":
        del chains[name]
        return
    pad = " " * (len(line) - len(rule))
    parsed = parse_rule(pad + rule, n)
    chains[name].insert(0 if verb == "-I" else len(chains[name]), parsed)


def _commit(
    work: Ruleset,
    table: str,
    chains: dict[str, list[Rule]],
    policies: dict[str, str | None],
    n: int,
) -> None:
    for name, rules in chains.items():
        for rule in rules:
            if isinstance(rule.target, Jump) and rule.target.chain not in chains:
                what = unknown_name(f"chain or target in table {table}", rule.target.chain, chains)
                raise RuleError(f"Line {n}, column 1: chain {name}: {what}")
            if table == "nat" and rule.target == Verdict("DROP"):
                raise RuleError(f"Line {n}, column 1: {NO_FILTER}", "Use the filter table.")
    for gone in set(work.tables[table]) - set(chains):
        del work.tables[table][gone]
    for name, rules in chains.items():
        policy = policies.get(name) if name in BASE_CHAINS[table] else None
        if name in BASE_CHAINS[table]:
            policy = policy or "ACCEPT"
        old = work.tables[table].get(name)
        if old is None or list(old.rules) != rules or old.policy != policy:
            work.put(table, Chain(name, rules, policy))
    found = misplaced(work.tables[table]) if table == "nat" else None
    if found is not None:
        said = "RULE_APPEND failed (Invalid argument)"
        where = f"{str(found).split()[1]} works in {', '.join(nat_hooks(found))}"
        raise RuleError(f"Line {n}, column 1: {said}.", f"{where}, and behind their jumps.")
    if too_many_links(work.tables[table]):
        raise RuleError(f"Line {n}, column 1: RULE_APPEND failed (Too many links).", TOO_MANY)
