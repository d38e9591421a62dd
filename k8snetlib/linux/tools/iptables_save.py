"""What lives here: ``iptables-save`` and ``iptables-restore``: all rules as one text.

Simplified here: no comment lines with the date, since the model has none; ``iptables-restore``
takes its text from ``run(ns, "iptables-restore", stdin=text)``, and leaves counters at zero.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand, K8sNetError
from k8snetlib.linux.netfilter import save
from k8snetlib.linux.netfilter.tables import BASE_CHAINS
from k8snetlib.linux.tools.iptables import VERSION, in_real_words
from k8snetlib.linux.tools.words import Words

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns


def run(ns: Netns, words: list[str]) -> str:
    """``iptables-save [-t TABLE] [-c]``"""
    line, table, counters = Words(words), None, False
    while line:
        word = line.next()
        if word in ("-c", "--counters"):
            counters = True
        elif word in ("-t", "--table"):
            table = line.value(word)
        else:
            raise BadCommand(f"iptables-save: '{word}' is not modelled.", "Here: -t TABLE, -c.")
    if table is not None and table not in BASE_CHAINS:
        message = f"iptables-save {VERSION}: table '{table}' does not exist"
        raise BadCommand(message, f"Tables: {', '.join(BASE_CHAINS)}.")
    return save.save(ns.ruleset, table, counters=counters).rstrip("\n")


def restore(ns: Netns, words: list[str], stdin: str) -> str:
    """``iptables-restore [-n] [-c] [-t]``: replaces the tables that the text names, or none.

    ``-t`` (``--test``) only reads; ``-n`` (``--noflush``) keeps what the text does not name.
    """
    chosen = set(words)
    unknown = chosen - {"-n", "--noflush", "-c", "--counters", "-t", "--test", "-w", "--wait"}
    if unknown:
        raise BadCommand(
            f"iptables-restore: '{min(unknown)}' is not modelled.", "Here: -n, -c, -t, -w."
        )
    if not stdin.strip():
        raise BadCommand("iptables-restore: there is nothing to read.",
                         'Give it the text: run(ns, "iptables-restore", stdin=text).')  # fmt: skip
    if not stdin.rstrip().endswith("COMMIT"):
        line = len(stdin.splitlines()) + 1
        message = f"iptables-restore {VERSION}: COMMIT expected at line {line}"
        raise BadCommand(message, "Each table ends with COMMIT.")
    rules = ns.ruleset.clone() if chosen & {"-t", "--test"} else ns.ruleset
    try:
        save.restore(rules, stdin, noflush=bool(chosen & {"-n", "--noflush"}))
    except K8sNetError as error:
        where = re.match(r"Line (\d+)", error.message)
        at = f"Error occurred at line: {where[1]}. " if where else ""
        message = f"iptables-restore {VERSION}: {in_real_words(error.message)}"
        raise BadCommand(message, f"{at}{error.hint}".strip()) from None
    return ""
