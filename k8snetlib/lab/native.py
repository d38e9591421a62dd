"""What lives here: which tables of nftables a namespace has, and what packets leave in them."""

from __future__ import annotations

from collections.abc import Iterator

from k8snetlib.linux.netns import Netns
from k8snetlib.linux.nftables.table import Table

#: The command that tells a packet's way through them: ``xtables-monitor`` cannot read such rules.
MONITOR = ("nft", "monitor", "trace")


def tables_of(ns: Netns) -> list[Table]:
    """The tables of nftables in a namespace."""
    return list(ns.ruleset.nft.tables.values()) if ns.ruleset.nft is not None else []


def dynamic_sets(ns: Netns) -> Iterator[str]:
    """The sets that packets fill, as ``nft flush set`` names them."""
    for table in tables_of(ns):
        for one in table.sets.values():
            if "dynamic" in one.flags:
                yield f"{table.full_name} {one.name}"


def forget(ns: Netns) -> None:
    """Empties the sets that packets fill."""
    for table in tables_of(ns):
        table.live.clear()
