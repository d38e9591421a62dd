"""What lives here: etcd as part of a cluster: one store on the network's clock, and the ways to it.

The store itself does nothing by itself. ``EtcdServer`` is its agent: it ends leases when their time
is up, and whenever anything has changed it tells those who watch, so that they look at once. A
``Way`` is one machine's connection; it can be cut.

Simplified here: the way to etcd is open or cut, no packets are sent on it (a real one is a TCP
connection of the control plane). What a change brings about happens at once, not some milliseconds
later; a connection that is back works at once.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, TypeVar

from k8snetlib.etcd.api import (
    DeleteRange,
    DeleteResponse,
    Lease,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Txn,
    TxnResponse,
    Watch,
)
from k8snetlib.etcd.store import Client, Store

if TYPE_CHECKING:
    from k8snetlib.linux.network import Network

Answer = TypeVar("Answer")


class EtcdServer:
    """All of etcd, as one agent of the network."""

    name = "etcd"

    def __init__(self, network: Network, store: Store | None = None) -> None:
        self.network = network
        self.store = store or Store(lambda: network.now)
        self.cuts: set[str] = set()
        self.watchers: dict[str, str] = {}
        self._seen = self.store.mvcc.revision

    # -- ways -----------------------------------------------------------------------------------

    def way(self, host: str = "") -> Way:
        """The connection of a machine (no name: one that nothing cuts)."""
        return Way(self, self.store.client(lambda: host not in self.cuts))

    def watched_by(self, agent: str, host: str) -> None:
        """An agent on a machine wants to look whenever something has changed."""
        self.watchers[agent] = host

    def forget(self, agent: str) -> None:
        """An agent looks no more."""
        self.watchers.pop(agent, None)

    def cut(self, host: str) -> None:
        """The way from a machine is cut."""
        self.cuts.add(host)
        self._look(host)

    def reconnect(self, host: str) -> None:
        """The way from a machine is open again."""
        self.cuts.discard(host)
        self._look(host)

    def stop(self) -> None:
        """All of etcd is gone: nobody reaches it, and no lease runs out."""
        self.store.stop()
        self._look()

    def start(self) -> None:
        """etcd is back, with all its keys; every lease has its full time again."""
        self.store.start()
        self._look()

    # -- an agent -------------------------------------------------------------------------------

    def due(self) -> float:
        """When the next lease runs out."""
        expiry = self.store.next_expiry()
        return inf if expiry is None else expiry

    def act(self) -> None:
        """Leases whose time is up end."""
        self.store.tick()
        self.changed()

    def changed(self) -> None:
        """Somebody asked for something: if the store has changed, those who watch look."""
        agents = self.network.agents
        agents.look(self.name)
        revision = self.store.mvcc.revision
        if revision != self._seen:
            self._seen = revision
            for agent in self.watchers:
                agents.look(agent)
        if not agents.busy:
            self.network.settle()

    def _look(self, host: str = "") -> None:
        agents = self.network.agents
        agents.look(self.name)
        for agent, where in self.watchers.items():
            if not host or where == host:
                agents.look(agent)
        if not agents.busy:
            self.network.settle()

    def clone(self, network: Network) -> EtcdServer:
        """The same store in a copy of the network; watches are taken along by who holds them."""
        other = EtcdServer(network, self.store.clone(lambda: network.now))
        other.cuts, other.watchers = set(self.cuts), dict(self.watchers)
        return other


class Way:
    """One machine's connection; does what ``api.Etcd`` says, and lets the server notice."""

    __slots__ = ("_client", "_server")

    def __init__(self, server: EtcdServer, client: Client) -> None:
        self._server = server
        self._client = client

    def _then(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        finally:
            self._server.changed()

    def range(self, request: Range) -> RangeResponse:
        """Reads a key or a range, now or at an earlier revision."""
        return self._client.range(request)

    def put(self, request: Put) -> PutResponse:
        """Writes a key."""
        return self._then(lambda: self._client.put(request))

    def delete_range(self, request: DeleteRange) -> DeleteResponse:
        """Deletes a key or a range."""
        return self._then(lambda: self._client.delete_range(request))

    def txn(self, request: Txn) -> TxnResponse:
        """Compares, then does one of two lists of requests, atomically."""
        return self._then(lambda: self._client.txn(request))

    def compact(self, revision: int) -> int:
        """Forgets what was superseded before ``revision``; returns the current revision."""
        return self._then(lambda: self._client.compact(revision))

    def grant(self, ttl: int, id: int = 0) -> Lease:
        """A new lease; see ``api.Etcd.grant``."""
        return self._then(lambda: self._client.grant(ttl, id))

    def revoke(self, lease: int) -> None:
        """Ends a lease, and all keys attached to it in one revision."""
        self._then(lambda: self._client.revoke(lease))

    def keep_alive(self, lease: int) -> Lease:
        """Sets a lease's time back to what was granted."""
        return self._then(lambda: self._client.keep_alive(lease))

    def time_to_live(self, lease: int, *, keys: bool = False) -> Lease:
        """What is left of a lease, and the keys attached to it."""
        return self._client.time_to_live(lease, keys=keys)

    def leases(self) -> tuple[int, ...]:
        """The identifiers of all leases."""
        return self._client.leases()

    def watch(
        self, key: bytes, end: bytes | None = None, start_revision: int = 0, *,
        prev_kv: bool = False, no_put: bool = False, no_delete: bool = False,
    ) -> Watch:  # fmt: skip
        """Opens a watch; see ``api.Etcd.watch``."""
        return self._client.watch(
            key, end, start_revision, prev_kv=prev_kv, no_put=no_put, no_delete=no_delete
        )

    def adopt(self, watch: Watch) -> Watch:
        """After ``EtcdServer.clone``: this way's copy of a watch on the original."""
        return self._client.adopt(watch)
