"""What lives here: etcd as part of a cluster: one store on the network's clock, and the ways to it.

The store itself does nothing by itself. ``EtcdServer`` is its agent: it ends leases when their time
is up, and whenever anything has changed it tells those who watch, so that they look at once. The
way of one machine (a ``Client`` of the store) can be cut.

Simplified here: the way to etcd is open or cut, no packets are sent on it (a real one is a TCP
connection of the control plane). What a change brings about happens at once, not some milliseconds
later; a connection that is back works at once.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from k8snetlib.etcd.store import Client, Store

if TYPE_CHECKING:
    from k8snetlib.linux.network import Network


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

    def way(self, host: str = "") -> Client:
        """The connection of a machine (no name: one that nothing cuts); the server notices what is
        asked for on it."""
        return self.store.client(lambda: host not in self.cuts, self.changed)

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
