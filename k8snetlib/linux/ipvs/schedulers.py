"""What lives here: how a virtual server chooses a real server for a new connection.

A scheduler is a function of a virtual server and the client's address and port. It looks at the
real servers in the kernel's order, the newest first, and passes over those of weight 0: they are
*quiesced*, and keep the connections they have. No server to choose is None.

Simplified here: ``mh`` (Maglev hashing) is a hash as steady as the kernel's, but another one, since
the kernel's keys are random; lblc, lblcr, fo, ovf and twos are known by name and refused.

Source: ip_vs_rr.c, ip_vs_wrr.c, ip_vs_lc.c, ip_vs_wlc.c, ip_vs_sed.c, ip_vs_nq.c, ip_vs_sh.c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import gcd
from typing import TYPE_CHECKING
from zlib import crc32

from k8snetlib.address import number

if TYPE_CHECKING:
    from k8snetlib.linux.ipvs.table import RealServer, VirtualServer

Scheduler = Callable[["VirtualServer", str, int], "RealServer | None"]

_GOLDEN = 0x61C88647
_BUCKETS_BITS = 8


def _rr(virtual: VirtualServer, client: str, port: int) -> RealServer | None:
    """Round robin: the next one behind the last one chosen."""
    for server in virtual.behind_last():
        if server.weight > 0:
            virtual.last = server
            return server
    return None


def _wrr(virtual: VirtualServer, client: str, port: int) -> RealServer | None:
    """Weighted round robin: within a cycle, a server of weight 3 comes three times as often."""
    heaviest = max((s.weight for s in virtual.servers), default=0)
    if heaviest <= 0:
        return None
    step = gcd(*(s.weight for s in virtual.servers))
    level = virtual.level or heaviest
    rest = virtual.behind_last(wrap=False)
    while True:
        for server in rest:
            if server.weight >= level:
                virtual.last, virtual.level = server, level
                return server
        level = level - step if level > step else heaviest
        rest = list(virtual.servers)


def _least(virtual: VirtualServer, cost: Callable[[RealServer], float]) -> RealServer | None:
    usable = [server for server in virtual.servers if server.weight > 0]
    return min(usable, key=cost) if usable else None


def _lc(virtual: VirtualServer, client: str, port: int) -> RealServer | None:
    """Least connections; an active one counts as 256 inactive ones."""
    return _least(virtual, lambda s: s.active * 256 + s.inactive)


def _wlc(virtual: VirtualServer, client: str, port: int) -> RealServer | None:
    """Weighted least connections."""
    return _least(virtual, lambda s: (s.active * 256 + s.inactive) / s.weight)


def _sed(virtual: VirtualServer, client: str, port: int) -> RealServer | None:
    """Shortest expected delay: as if the new connection were there already."""
    return _least(virtual, lambda s: (s.active + 1) / s.weight)


def _nq(virtual: VirtualServer, client: str, port: int) -> RealServer | None:
    """Never queue: an idle server if there is one, else the shortest expected delay."""
    idle = (s for s in virtual.servers if s.weight > 0 and not s.active)
    return next(idle, None) or _sed(virtual, client, port)


def bucket(address: str, port: int = 0) -> int:
    """The place of an address in the table of 256 (the kernel's ``hash_32``)."""
    value = (number(address) + port) & 0xFFFFFFFF
    return (value * _GOLDEN & 0xFFFFFFFF) >> 32 - _BUCKETS_BITS


def _in_bucket(virtual: VirtualServer, place: int) -> RealServer | None:
    """The server of a bucket: the table is filled by turns, each server as often as it weighs (one
    of weight 0 once)."""
    turns = [s for s in virtual.servers for _ in range(max(1, s.weight))]
    server = turns[place % len(turns)] if turns else None
    return server if server is not None and server.weight > 0 else None


def _sh(virtual: VirtualServer, client: str, port: int) -> RealServer | None:
    """Source hashing: a client's address always has the same server, as long as they are the same.
    A server of weight 0 keeps its clients, and has nothing for them."""
    own = port if "sh-port" in virtual.flags else 0
    return _in_bucket(virtual, bucket(client, own))


def _dh(virtual: VirtualServer, client: str, port: int) -> RealServer | None:
    """Destination hashing: the virtual address decides."""
    return _in_bucket(virtual, bucket(virtual.ip))


def _mh(virtual: VirtualServer, client: str, port: int) -> RealServer | None:
    """Maglev hashing of the client's address, with ``mh-port`` of its port as well."""
    usable = [server for server in virtual.servers if server.weight > 0]
    source = f"{client} {port if 'mh-port' in virtual.flags else 0}"
    return max(usable, key=lambda s: crc32(f"{source} {s}".encode()), default=None)


SCHEDULERS: Mapping[str, Scheduler] = {
    "rr": _rr, "wrr": _wrr, "lc": _lc, "wlc": _wlc, "sed": _sed, "nq": _nq, "sh": _sh, "dh": _dh,
    "mh": _mh,
}  # fmt: skip
#: What the kernel has besides.
NOT_MODELLED = ("lblc", "lblcr", "fo", "ovf", "twos")
