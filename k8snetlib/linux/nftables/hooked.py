"""What lives here: base chains of nftables among the tables of iptables: who speaks when in a hook.

Everything in a hook has a priority. Of equal priority, what was registered last speaks first: tried
out on a real kernel. The chains of type nat have no place of their own: the one nat box of a hook
asks them, and the nat table of iptables, until one has an answer.

Source: net/netfilter/core.c (nf_hook_entries_grow), nf_nat_core.c (nf_nat_inet_fn).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from k8snetlib.linux.netfilter.probe import Probe
from k8snetlib.linux.netfilter.tables import Result
from k8snetlib.linux.nftables.ruleset import Nftables
from k8snetlib.linux.nftables.table import Chain, Table

#: The priority of each box of ``netfilter.hooks``; conntrack keeps a connection after all others.
#: IPVS's boxes stand just before or behind nat's.
_PRIORITY = {"raw": -300, "conntrack": -200, "mangle": -150, "filter": 0, "security": 50,
             "confirm": 1 << 31}  # fmt: skip
_DST, _SRC = -100, 100
_IPVS = {"INPUT": (98, 99), "FORWARD": (99, 99), "OUTPUT": (-99, -98)}


class Hooked(NamedTuple):
    """A base chain where it hangs."""

    table: Table
    chain: Chain

    def run(self, p: Probe) -> Result:
        """Takes a packet through it."""
        return self.table.run(self.chain, p)


def merged(
    nft: Nftables, hook: str, boxes: Iterable[str], *, nat: bool = False
) -> tuple[str | Hooked, ...]:
    """The boxes of a hook and nftables' base chains, in the order in which they speak.

    With ``nat`` only what translates: of ``boxes`` at most the nat table of iptables.
    """
    at_nat = _SRC if hook in ("INPUT", "POSTROUTING") else _DST
    own = _PRIORITY | {"nat": at_nat}
    own |= dict(zip(("ipvs reply", "ipvs request"), _IPVS.get(hook, ()), strict=False))
    waiting = {box: own[box] for box in boxes}
    born: list[tuple[int, str | Hooked]] = []
    for box in ("conntrack", "confirm", *(() if nat else ("nat",))):
        if box in waiting:
            born.append((waiting.pop(box), box))
    for one, table, chain in nft.chains_of(hook, nat):
        born += [(waiting.pop(box), box) for box in one.before if box in waiting]
        assert chain.base is not None
        if chain.rules or chain.base.policy != "accept":
            born.append((chain.base.priority, Hooked(table, chain)))
    born += [(priority, box) for box, priority in waiting.items()]
    born.reverse()
    born.sort(key=lambda pair: pair[0])
    return tuple(box for _, box in born)
