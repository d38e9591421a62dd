"""What lives here: flannel's leases in etcd: which keys, which requests, which watches.

    /coreos.com/network/config                   the net-conf
    /coreos.com/network/subnets/10.1.15.0-24     one lease: {"PublicIP":"192.168.66.11",…}

A lease hangs on an etcd lease of 24 hours. To create it is one transaction: *if* the key has never
been there (version 0), *then* put it; so no subnet is given twice. To renew it is a new etcd lease
and a plain put: nothing is compared, so who comes back too late overwrites whoever has it now.

``Stream`` is one of flannel's two watches: of all leases, or of the own one. It remembers the next
revision, goes on from there, and lists anew when etcd has compacted that revision away.

Simplified here: while etcd is out of reach the client keeps a watch's place, as clientv3 does, and
goes on at once when it is back (a real one takes up to a few seconds). A lease without an etcd
lease is treated as the code does (refreshed with 24 hours), not as the documentation says (a
reservation that stays one). Source: flannel's pkg/subnet/etcd/registry.go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from k8snetlib.address import Prefix
from k8snetlib.etcd import api
from k8snetlib.flannel.ip import FlannelError, IP6Net, subnet_key
from k8snetlib.flannel.lease import ADDED, REMOVED, Event, Lease, LeaseAttrs, networks_of, unmarshal

PREFIX = "/coreos.com/network"
SUBNET_TTL = 24 * 3600
#: How long the loop waits before it opens a closed watch again, in seconds: first, and at most.
BACK_OFF, LONGEST_BACK_OFF = 0.1, 5.0

KEY_NOT_FOUND = "etcdserver: key not found"

Log = Callable[[str, str, str], None]


class ConfigNotFound(FlannelError):
    """There is no net-conf in etcd."""


class SubnetExists(FlannelError):
    """Somebody else took the subnet between the list and the transaction."""


class WatchResult(NamedTuple):
    """Either some events, or (after a gap that cannot be told) the list of all leases."""

    events: tuple[Event, ...] = ()
    snapshot: tuple[Lease, ...] | None = None
    revision: int = 0


class Registry:
    """flannel's leases in an etcd.

    Parameters: ``etcd`` is the way to it; ``clock`` tells the model's time in seconds; ``prefix``
    is ``--etcd-prefix``; ``log`` takes (level, source file, text).
    """

    def __init__(
        self,
        etcd: api.Etcd,
        clock: Callable[[], float],
        prefix: str = PREFIX,
        log: Log | None = None,
    ) -> None:
        self.etcd = etcd
        self.clock = clock
        self.prefix = prefix.rstrip("/")
        self.log = log or (lambda level, source, text: None)

    def config_key(self) -> bytes:
        """Where the net-conf is."""
        return f"{self.prefix}/config".encode()

    def key_of(self, subnet: Prefix, subnet6: IP6Net | None = None) -> bytes:
        """Where a lease is."""
        return f"{self.prefix}/subnets/{subnet_key(subnet, subnet6)}".encode()

    def get_network_config(self) -> str:
        """The net-conf's text; raises ``ConfigNotFound``."""
        kvs = self.etcd.range(api.Range(self.config_key())).kvs
        if not kvs:
            raise ConfigNotFound(
                "flannel config not found in etcd store. Did you create your config using "
                "etcdv3 API?",
                f'etcdctl put {self.prefix}/config \'{{"Network": "10.1.0.0/16"}}\'',
            )
        return kvs[0].value.decode("utf-8", "replace")

    def get_subnets(self, *, expiry: bool = True) -> tuple[tuple[Lease, ...], int]:
        """All leases, and the revision of the list. What is no lease is passed over. Without
        ``expiry`` nobody is asked when they end."""
        prefix = f"{self.prefix}/subnets".encode()
        response = self.etcd.range(api.Range(prefix, api.prefix_end(prefix)))
        leases = []
        for kv in response.kvs:
            try:
                leases.append(self.lease_of(kv, expiry=expiry))
            except FlannelError as error:
                self.log("W", "registry.go", f"Ignoring bad subnet node: {error.message}")
        return tuple(leases), response.revision

    def get_subnet(self, subnet: Prefix, subnet6: IP6Net | None = None) -> tuple[Lease, int]:
        """One lease and the revision; raises ``EtcdError`` if it is not there."""
        response = self.etcd.range(api.Range(self.key_of(subnet, subnet6)))
        if not response.kvs:
            raise api.EtcdError(KEY_NOT_FOUND)
        return self.lease_of(response.kvs[0]), response.revision

    def lease_of(self, kv: api.KeyValue, *, expiry: bool = True) -> Lease:
        """A key and its value as a lease; raises ``FlannelError`` for what is none."""
        if networks_of(kv.key) is None:
            raise FlannelError(f"failed to parse subnet key {kv.key.decode('latin-1')}")
        lease = lease_event("PUT", kv.key, kv.value, kv.mod_revision).lease
        if not expiry:
            return lease
        return lease._replace(expires=self.clock() + self.etcd.time_to_live(kv.lease).ttl)

    def create_subnet(
        self, subnet: Prefix, subnet6: IP6Net | None, attrs: LeaseAttrs, ttl: int = SUBNET_TTL
    ) -> float:
        """Takes a subnet that nobody has; returns when the lease ends. Raises ``SubnetExists``."""
        lease = self.etcd.grant(ttl)
        key = self.key_of(subnet, subnet6)
        free = api.Compare("VERSION", key, "=", 0)
        put = api.Put(key, attrs.marshal(), lease.id)
        try:
            done = self.etcd.txn(api.Txn((free,), (put,)))
        except api.EtcdError:
            self._revoke(lease.id)
            raise
        if not done.succeeded:
            self._revoke(lease.id)
            raise SubnetExists("subnet already exists")
        return self.clock() + lease.ttl

    def update_subnet(
        self, subnet: Prefix, subnet6: IP6Net | None, attrs: LeaseAttrs, ttl: int = SUBNET_TTL
    ) -> float:
        """Writes a lease under a new etcd lease, whoever had it; returns when that ends."""
        lease = self.etcd.grant(ttl)
        try:
            self.etcd.put(api.Put(self.key_of(subnet, subnet6), attrs.marshal(), lease.id))
        except api.EtcdError:
            self._revoke(lease.id)
            raise
        return self.clock() + lease.ttl

    def delete_subnet(self, subnet: Prefix, subnet6: IP6Net | None = None) -> None:
        """Deletes a lease."""
        self.etcd.delete_range(api.DeleteRange(self.key_of(subnet, subnet6)))

    def _revoke(self, lease: int) -> None:
        try:
            self.etcd.revoke(lease)
        except api.EtcdError as error:
            self.log("E", "registry.go", error.message)

    # -- watches --------------------------------------------------------------------------------

    def watch_subnets(self, since: int) -> Stream:
        """A watch of all leases, from a revision on (0: from now on)."""
        return Stream(self, f"{self.prefix}/subnets".encode(), since, None)

    def watch_subnet(self, since: int, subnet: Prefix, subnet6: IP6Net | None = None) -> Stream:
        """A watch of one lease, from a revision on."""
        return Stream(self, self.key_of(subnet, subnet6), since, (subnet, subnet6))


@lru_cache(8192)
def lease_event(kind: str, key: bytes, value: bytes, revision: int) -> Event:
    """A change in etcd as a change of a lease; raises ``FlannelError`` for other keys. (All
    flannelds see the same changes, so they share the answers.)"""
    networks = networks_of(key)
    if networks is None:
        text = key.decode("latin-1")
        raise FlannelError(f'{kind} "{text}": not a subnet, skipping')
    if kind == "DELETE":
        return Event(REMOVED, Lease(networks[0], LeaseAttrs(), networks[1]))
    return Event(ADDED, Lease(networks[0], unmarshal(value), networks[1], None, revision))


class Stream:
    """One watch, for as long as flanneld runs.

    ``retry_at`` is the model's time at which a closed watch is opened again.
    """

    __slots__ = ("back_off", "key", "one", "registry", "retry_at", "since", "watch")

    def __init__(
        self, registry: Registry, key: bytes, since: int,
        one: tuple[Prefix, IP6Net | None] | None,
    ) -> None:  # fmt: skip
        self.registry = registry
        self.key = key
        self.since = since
        self.one = one
        self.watch: api.Watch | None = None
        self.back_off = BACK_OFF
        self.retry_at = 0.0

    def open(self) -> None:
        """Asks etcd for the watch, from the revision that comes next."""
        self.retry_at = 0.0
        try:
            self.watch = self.registry.etcd.watch(self.key, api.prefix_end(self.key), self.since)
        except api.EtcdUnreachable:
            pass  # the client tries on; who polls will know when etcd is back
        except api.EtcdError as error:
            self._closed(error.message)

    def clone(self, registry: Registry) -> Stream:
        """The same watch, at the same place, on a copy of the etcd."""
        other = Stream(registry, self.key, self.since, self.one)
        other.back_off, other.retry_at = self.back_off, self.retry_at
        if self.watch is not None:
            other.watch = registry.etcd.adopt(self.watch)  # type: ignore[attr-defined]
        return other

    def poll(self) -> list[WatchResult]:
        """What has come. Nothing is lost, whatever happened to the watch in between."""
        found: list[WatchResult] = []
        while True:
            if self.watch is None:
                if self.registry.clock() < self.retry_at:
                    return found
                self.open()
                if self.watch is None:
                    return found
            try:
                responses = self.watch.pending()
            except api.EtcdUnreachable:
                return found  # the client keeps the watch's place
            if not responses:
                return found
            for response in responses:
                found += self._take(response)
                if self.watch is None:
                    break

    def _take(self, response: api.WatchResponse) -> list[WatchResult]:
        if response.canceled:
            self.watch = None
            if not response.compact_revision:
                self._closed("the server canceled it")
                return []
            return self._resync()
        self.back_off = BACK_OFF
        self.since = response.revision + 1
        events = []
        for change in response.events:
            if self.one is not None and change.kv.key != self.key:
                continue
            try:
                kv = change.kv
                events.append(lease_event(change.type, kv.key, kv.value, kv.mod_revision))
            except FlannelError as error:
                self.registry.log("E", "registry.go", f"error parsing etcd event: {error.message}")
        return [WatchResult(tuple(events), None, response.revision)] if events else []

    def _resync(self) -> list[WatchResult]:
        """The revision that comes next is compacted away: list anew, go on behind the list."""
        registry, key = self.registry, self.key.decode("latin-1")
        text = f"etcd watch for {key} fell behind compaction, re-listing and resuming"
        registry.log("W", "registry.go", text)
        try:
            if self.one is None:
                leases, revision = registry.get_subnets(expiry=False)
                result = WatchResult((), leases, revision)
            else:
                result = self._one_again(*self.one)
        except api.EtcdError as error:
            text = f"failed to re-list subnets after compaction: {error.message}"
            registry.log("E", "registry.go", text)
            self._wait()
            return []
        self.since = result.revision + 1
        self.back_off = BACK_OFF
        self.retry_at = 0.0
        return [result]

    def _one_again(self, subnet: Prefix, subnet6: IP6Net | None) -> WatchResult:
        response = self.registry.etcd.range(api.Range(self.key))
        if response.kvs:
            return WatchResult((), (self.registry.lease_of(response.kvs[0]),), response.revision)
        gone = Event(REMOVED, Lease(subnet, LeaseAttrs(), subnet6))
        return WatchResult((gone,), None, response.revision)

    def _closed(self, why: str) -> None:
        key = self.key.decode("latin-1")
        text = f"etcd watch channel for {key} closed ({why}), reconnecting from rev {self.since}..."
        self.registry.log("W", "registry.go", text)
        self._wait()

    def _wait(self) -> None:
        self.retry_at = self.registry.clock() + self.back_off
        self.back_off = min(self.back_off * 2, LONGEST_BACK_OFF)
