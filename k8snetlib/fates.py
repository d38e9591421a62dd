"""What lives here: all that can become of a packet, each with its exact probability.

Where a Service has three endpoints, a connection has three fates of 1/3 each. ``Cluster.outcomes``
tries every way in which load balancing can fall; here ways that end alike become one ``Fate``.

What may not live here: how the ways are found (``linux.chance``).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from k8snetlib.packet import Tcp, Udp
from k8snetlib.trace import Exchange


class Fate(NamedTuple):
    """One of all that can become of a packet: how likely it is, and the exchange it comes to.

    ``receiver`` is where the request ended; ``src`` and ``dst`` are its addresses there, as
    ``IP:PORT`` (without the source's port, which nobody can foretell).
    """

    probability: Fraction
    exchange: Exchange
    receiver: str
    src: str
    dst: str

    @property
    def outcome(self) -> str:
        """How the exchange ended."""
        return self.exchange.outcome

    def __str__(self) -> str:
        seen = f"{self.src} > {self.dst} " if self.dst else ""
        return f"{self.probability!s:>5}  {self.outcome:<12} {seen}at {self.receiver}"


def fates(ways: Iterable[tuple[Fraction, Exchange]]) -> tuple[Fate, ...]:
    """Puts ways that end alike together; the likeliest fate comes first."""
    found: dict[tuple[str, str, str, str], Fate] = {}
    for probability, exchange in ways:
        ends = _ends(exchange)
        key = (exchange.outcome, *ends)
        known = found.get(key)
        total = probability + known.probability if known else probability
        specimen = known.exchange if known else exchange
        found[key] = Fate(total, specimen, *ends)
    return tuple(sorted(found.values(), key=lambda fate: -fate.probability))


def _ends(exchange: Exchange) -> tuple[str, str, str]:
    """Where the request ended, and under which addresses."""
    request = exchange.request
    if request is None:
        return exchange.source, "", ""
    packet = request.last.packet.innermost
    ip, l4 = packet.ip, packet.transport
    port = f":{l4.dport}" if isinstance(l4, Tcp | Udp) else ""
    return request.end, ip.src, f"{ip.dst}{port}"
