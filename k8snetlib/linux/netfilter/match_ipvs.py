"""What lives here: the match of iptables that asks IPVS about a packet.

Source: xt_ipvs.c, libxt_ipvs.c.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.linux.netfilter.probe import Probe, Test, no
from k8snetlib.packet import PROTO_NAMES, Tcp, Udp


class IpvsMatch(NamedTuple):
    """``-m ipvs --vproto P --vaddr IP --vport N``: a request that IPVS has taken for this virtual
    server; each option (value, negated) or None. The packet has its real server's address by now.
    """

    vproto: tuple[int, bool] | None = None
    vaddr: tuple[str, bool] | None = None
    vport: tuple[int, bool] | None = None

    def __str__(self) -> str:
        words = ["-m ipvs"]
        options = (("--vproto", self.vproto), ("--vaddr", self.vaddr), ("--vport", self.vport))
        words += [f"{no(o[1])}{name} {o[0]}" for name, o in options if o]
        return " ".join(words)

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        vproto, vaddr, vport = self

        def check(p: Probe) -> bool:
            l4 = p.l4
            if not isinstance(l4, Tcp | Udp):
                return False
            proto = PROTO_NAMES[p.ip.proto]
            found = p.ns.ipvs.answers.get((proto, p.ip.dst, l4.dport, p.ip.src, l4.sport))
            if found is None or (vproto and (p.ip.proto == vproto[0]) is vproto[1]):
                return False
            facts = zip((vaddr, vport), found.virtual, strict=True)
            return all(not wanted or (fact == wanted[0]) is not wanted[1] for wanted, fact in facts)

        return check
