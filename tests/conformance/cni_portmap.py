"""Reads ``cni_portmap*.json``: the chains and rules that portmap's own tests expect.

A rule is a text of words; comments with blanks stand in double quotes. ``expectHooks``, and every
other expectation whose lines begin with ``-A CHAIN``, lists all that the plugin puts into that
chain; ``expect…SetMark…`` and ``expect…Masq…`` name the chains of the mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from k8snetlib.kube.cni import portmap
from k8snetlib.kube.cni.chains import CniChain, chain_name
from tests.conformance.case import Case, NotUnderstood, known

ORIGIN = {"test", "file", "case", "note"}
#: Fields that are the plugin's configuration as it is.
OPTIONS = ("snat", "masqAll", "markMasqBit", "externalSetMarkChain", "conditionsV4",
           "conditionsV6")  # fmt: skip
OTHERS = {"netName", "confName", "containerID", "portMappings", "containerIP", "masqBit", "markBit"}


def _line(words: tuple[str, ...]) -> str:
    quoted = ('"' + w.replace('"', '\\"') + '"' if " " in w else w for w in words)
    return " ".join(quoted)


def _lines(chain: CniChain) -> dict[str, list[str]]:
    """What a chain's set-up puts where, as ``-A`` lines."""
    out = {chain.name: [f"-A {chain.name} {_line(rule)}" for rule in chain.rules]}
    for entry in chain.entry_chains:
        jump = ("-j", chain.name)
        out[entry] = [f"-A {entry} {_line((*rule, *jump))}" for rule in chain.entry_rules]
    return out


class _Made:
    """What the plugin makes of a case's configuration."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        config = {key: case[key] for key in OPTIONS if case.get(key) is not None}
        config["name"] = case.get("confName") or case.get("netName", "test")
        config["runtimeConfig"] = {"portMappings": case.get("portMappings") or []}
        conf = portmap.parse(config)
        bit = case.get("markMasqBit", case.get("masqBit", case.get("markBit", conf.mark_bit)))
        owner, net = case.get("containerID", "ID"), case.get("netName", "")
        self.dnat = portmap.dnat_chain(conf, owner, case.get("containerIP", "10.0.0.2/24"))
        self.set_mark, self.masq = portmap.set_mark_chain(bit), portmap.masq_chain(bit)
        self.top = portmap.top_chain()
        self.named = chain_name(net, owner, "DN-")
        self.chains = (self.top, self.dnat, self.set_mark, self.masq)

    def all_lines(self, expected: list[str]) -> list[str]:
        """The lines of the chains that the expected ones name."""
        wanted = list(dict.fromkeys(line.split()[1] for line in expected))
        made: dict[str, list[str]] = {}
        for chain in self.chains:
            for name, lines in _lines(chain).items():
                made.setdefault(name, []).extend(lines)
        return [line for name in wanted for line in made.get(name, [])]

    def of_mark(self, key: str, expected: Any) -> Any:
        """What an expectation of the chains of the mark asks for, by its name and its kind."""
        whole, last = key.lower(), key.rpartition(".")[2].lower()
        chain = self.set_mark if "setmark" in whole else self.masq
        if isinstance(expected, bool):
            return chain.prepend
        if isinstance(expected, str):
            return chain.name if expected.startswith("CNI-") else _line(chain.rules[0])
        if "entrychain" in last:
            return list(chain.entry_chains)
        return [_line(rule) for rule in (chain.entry_rules if "entry" in last else chain.rules)]


def _expectations(case: Mapping[str, Any], front: str = "") -> Iterator[tuple[str, Any]]:
    """Each expectation with its name; those of a mapping as ``name.part``."""
    for key, expected in case.items():
        if not front and not key.startswith("expect"):
            continue
        if isinstance(expected, Mapping):
            yield from _expectations(expected, f"{front}{key}.")
        else:
            yield f"{front}{key}", expected


def _appended(line: str) -> str:
    """A rule that is put in front, written as one that is put behind."""
    return re.sub(r"^-I (\S+)( 1)? ", r"-A \1 ", line)


def _run(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | OTHERS | set(OPTIONS) | {k for k in case if k.startswith("expect")})
    made, count = _Made(case), 0
    plain = {
        "expectChain": made.named if case.get("netName") else made.dnat.name,
        "expectConfChain": made.dnat.name,
        "expectEntryChain": made.dnat.entry_chains[0],
        "expectEntryChains": list(made.dnat.entry_chains),
        "expectRules": [_line(rule) for rule in made.dnat.rules],
        "expectEntryRules": [_line(rule) for rule in made.dnat.entry_rules],
    }
    for key, expected in _expectations(case):
        texts = expected if isinstance(expected, list) else [expected]
        lines = [_appended(text) for text in texts if str(text).startswith(("-A ", "-I "))]
        if lines:
            assert made.all_lines(lines) == lines, key
            assert len(lines) == len(texts)
        elif key in plain:
            assert plain[key] == expected, key
        elif "mark" in key.lower() or "masq" in key.lower():
            assert made.of_mark(key, expected) == expected, key
        else:
            raise NotUnderstood(f"an expectation '{key}'")
        count += len(texts)
    return count


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each entry."""
    known(document, {"source", "file", "cases", "note"})
    for n, entry in enumerate(document["cases"]):
        name = str(entry.get("case") or entry.get("test")).replace(" ", "-")
        yield Case(f"{n}-{name}", lambda e=entry: (_run(e), ()))
