"""What lives here: leases, the keys attached to each, and when each runs out.

A lease is a promise: keep me alive, or what hangs on me goes. flannel hangs each node's subnet on
a lease of a day, so that a node which dies gives its subnet back. The lessor keeps the time; what
a lease's end means for the keys is the store's business.

Times are seconds on the caller's clock. A lease runs out at the moment its time is up. Leases that
are due together run out in the order of their time, then of their grant.

Simplified here: a real leader looks for expired leases every half second, revokes at most a
thousand in a second, and spreads out more than that; so a real lease may run out a little later.
Source: etcd's server/lease/lessor.go.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from k8snetlib.etcd.refusal import (
    LEASE_EXISTS,
    LEASE_NOT_FOUND,
    LEASE_TTL_TOO_LARGE,
    refused,
)

#: The election timeout of etcd's defaults: 10 ticks of 100 ms.
ELECTION_TIMEOUT = 1.0
#: Below one and a half election timeouts (rounded up) a lease could run out during an election.
MIN_TTL = 2
MAX_TTL = 9_000_000_000
#: Where the ids begin that the server picks: as those of a real one, they fill 16 hex digits.
FIRST_ID = 0x694D_0000_0000_0001


class Granted(NamedTuple):
    """A lease as the lessor keeps it; ``order`` counts the grants."""

    id: int
    ttl: int
    expiry: float
    order: int


class Lessor:
    """All leases of a store. ``clock`` tells the time in seconds."""

    def __init__(self, clock: Callable[[], float], min_ttl: int = MIN_TTL) -> None:
        self.clock = clock
        self.min_ttl = min_ttl
        self._leases: dict[int, Granted] = {}
        self._keys: dict[int, set[bytes]] = {}
        self._holder: dict[bytes, int] = {}
        self._due: list[tuple[float, int, int]] = []  # of a lease, all but the last are stale
        self._orders = 0

    def clone(self, clock: Callable[[], float]) -> Lessor:
        """A copy, on another clock."""
        twin = Lessor(clock, self.min_ttl)
        twin._leases = self._leases.copy()
        twin._keys = {lease: keys.copy() for lease, keys in self._keys.items()}
        twin._holder = self._holder.copy()
        twin._due = self._due.copy()
        twin._orders = self._orders
        return twin

    def grant(self, ttl: int, lease: int = 0) -> Granted:
        """A new lease; ``lease`` 0 picks an id. Raises ``EtcdError``."""
        if ttl > MAX_TTL:
            raise refused(LEASE_TTL_TOO_LARGE)
        if lease in self._leases:
            raise refused(LEASE_EXISTS)
        if not lease:
            lease = next(i for i in count(FIRST_ID + self._orders) if i not in self._leases)
        self._keys[lease] = set()
        self._orders += 1
        return self._set(lease, max(ttl, self.min_ttl), self._orders)

    def find(self, lease: int) -> Granted | None:
        """The lease with this id, if there is one."""
        return self._leases.get(lease)

    def require(self, lease: int) -> None:
        """Raises ``EtcdError`` unless the lease exists (0, no lease, always does)."""
        if lease and lease not in self._leases:
            raise refused(LEASE_NOT_FOUND)

    def renew(self, lease: int) -> Granted | None:
        """Sets a lease's time back to what was granted; None if there is no such lease."""
        found = self._leases.get(lease)
        return found and self._set(lease, found.ttl, found.order)

    def remaining(self, lease: Granted) -> int:
        """The whole seconds that are left of it."""
        return max(0, int(lease.expiry - self.clock()))

    def all(self) -> list[Granted]:
        """All leases, the one that runs out first in front."""
        return sorted(self._leases.values(), key=lambda each: (each.expiry, each.order))

    def keys(self, lease: int) -> list[bytes]:
        """The keys attached to a lease, in the order of their bytes."""
        return sorted(self._keys.get(lease, ()))

    def attach(self, key: bytes, lease: int) -> None:
        """Hangs a key on a lease, and on no other; ``lease`` 0 only takes it off."""
        former = self._holder.pop(key, 0)
        if former:
            self._keys[former].discard(key)
        if lease:
            self._holder[key] = lease
            self._keys.setdefault(lease, set()).add(key)

    def remove(self, lease: int) -> None:
        """Ends a lease. Its keys must have been taken off. Raises ``EtcdError``."""
        self.require(lease)
        self._leases.pop(lease, None)
        self._keys.pop(lease, None)

    def expired(self) -> int | None:
        """The lease whose time was up first, if any's is."""
        self._forget_stale()
        return self._due[0][2] if self._due and self._due[0][0] <= self.clock() else None

    def next_expiry(self) -> float | None:
        """When the next lease runs out, on the clock; None if there is none."""
        self._forget_stale()
        return self._due[0][0] if self._due else None

    def extend(self) -> None:
        """What a new leader does, not knowing how long there was none: all leases run anew."""
        for lease in list(self._leases.values()):
            self._set(lease.id, lease.ttl, lease.order, ELECTION_TIMEOUT)

    def _set(self, lease: int, ttl: int, order: int, extra: float = 0.0) -> Granted:
        granted = Granted(lease, ttl, self.clock() + ttl + extra, order)
        self._leases[lease] = granted
        heappush(self._due, (granted.expiry, order, lease))
        return granted

    def _forget_stale(self) -> None:
        while self._due:
            expiry, order, lease = self._due[0]
            found = self._leases.get(lease)
            if found is not None and (found.expiry, found.order) == (expiry, order):
                return
            heappop(self._due)
