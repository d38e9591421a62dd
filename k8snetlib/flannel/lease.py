"""What lives here: a lease as a value, what etcd stores of it, and how lists of leases compare.

A lease says: this subnet of the pod network belongs to the node with this public address, and here
is what a peer must know to reach it (``BackendType``, ``BackendData``). It is all that flanneld
ever learns about another node.

``LeaseWatcher`` turns what a watch delivers into events for a backend. Its habits are flannel's:
a renewal is announced again (so a backend must take the same lease twice), the own lease never is,
and a snapshot announces only what is new or gone: a lease that is known already, and has changed,
is *not* announced. Source: flannel's pkg/lease/lease.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from k8snetlib.address import Prefix
from k8snetlib.flannel.ip import FlannelError, IP6Net, number6, parse_ip4, parse_subnet_key

ADDED, REMOVED = "Added", "Removed"


class LeaseAttrs(NamedTuple):
    """What a node says about itself. ``backend_data`` is JSON text as the backend wrote it."""

    public_ip: str = "0.0.0.0"
    public_ipv6: str | None = None
    backend_type: str = ""
    backend_data: str = ""
    backend_v6_data: str = ""

    def marshal(self) -> bytes:
        """The value of the lease's key in etcd.

        >>> LeaseAttrs("192.168.66.11").marshal()
        b'{"PublicIP":"192.168.66.11","PublicIPv6":null}'
        """
        ipv6 = "null" if self.public_ipv6 is None else f'"{self.public_ipv6}"'
        parts = [f'"PublicIP":"{self.public_ip}"', f'"PublicIPv6":{ipv6}']
        if self.backend_type:
            parts.append(f'"BackendType":"{self.backend_type}"')
        if self.backend_data:
            parts.append(f'"BackendData":{self.backend_data}')
        if self.backend_v6_data:
            parts.append(f'"BackendV6Data":{self.backend_v6_data}')
        return f"{{{','.join(parts)}}}".encode()


@lru_cache(8192)
def unmarshal(value: bytes) -> LeaseAttrs:
    """What a lease's value says; raises ``FlannelError``. (A thousand flannelds read the same
    thousand values, so they are remembered.)"""
    import json

    try:
        found = json.loads(value)
        if not isinstance(found, dict):
            raise FlannelError("json: cannot unmarshal value into Go value of type LeaseAttrs")
    except ValueError:
        raise FlannelError("invalid character looking for beginning of value") from None
    data = [
        json.dumps(found[key], separators=(",", ":")) if found.get(key) is not None else ""
        for key in ("BackendData", "BackendV6Data")
    ]
    ipv6 = found.get("PublicIPv6")
    public_ip = parse_ip4(str(found["PublicIP"])) if found.get("PublicIP") else "0.0.0.0"
    if ipv6 is not None:
        number6(str(ipv6))
    return LeaseAttrs(public_ip, ipv6, str(found.get("BackendType", "")), *data)


@lru_cache(8192)
def networks_of(key: bytes) -> tuple[Prefix, IP6Net | None] | None:
    """The networks that a lease's key names; None if it is no lease's."""
    return parse_subnet_key(key.decode("latin-1"))


class Lease(NamedTuple):
    """One node's lease. ``expires`` is the model's time in seconds at which etcd deletes it (None:
    not known, or never); ``asof`` is the revision of its last change."""

    subnet: Prefix
    attrs: LeaseAttrs
    subnet6: IP6Net | None = None
    expires: float | None = None
    asof: int = 0

    @property
    def networks(self) -> tuple[Prefix, IP6Net | None]:
        """What tells one lease from another."""
        return self.subnet, self.subnet6

    def __str__(self) -> str:
        return f"{self.subnet} -> {self.attrs.public_ip}"


class Event(NamedTuple):
    """A lease was Added (or renewed, or changed), or Removed."""

    type: str
    lease: Lease


class LeaseWatcher:
    """What one flanneld knows of the others' leases; ``own`` are its own lease's networks."""

    __slots__ = ("leases", "own")

    def __init__(self, own: tuple[Prefix, IP6Net | None]) -> None:
        self.own = own
        self.leases: dict[tuple[Prefix, IP6Net | None], Lease] = {}

    def clone(self) -> LeaseWatcher:
        """An independent copy."""
        other = LeaseWatcher(self.own)
        other.leases = dict(self.leases)
        return other

    def reset(self, snapshot: Iterable[Lease]) -> list[Event]:
        """A list of all leases: what is new, then what is gone."""
        now = {lease.networks: lease for lease in snapshot if lease.networks != self.own}
        events = [Event(ADDED, lease) for key, lease in now.items() if key not in self.leases]
        events += [Event(REMOVED, old) for key, old in self.leases.items() if key not in now]
        self.leases = now
        return events

    def update(self, events: Iterable[Event]) -> list[Event]:
        """Single changes: all but those of the own lease. A removal carries the lease as it was
        known, since etcd's event names only the key."""
        batch = []
        for event in events:
            key = event.lease.networks
            if key == self.own:
                continue
            if event.type == ADDED:
                self.leases[key] = event.lease
                batch.append(event)
            else:
                batch.append(Event(REMOVED, self.leases.pop(key, event.lease)))
        return batch
