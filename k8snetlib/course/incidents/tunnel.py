"""What lives here: a node's way to etcd as a unit that can be stopped and started.

Many sites reach etcd through a tunnel (stunnel, WireGuard) that a unit of the node keeps up. While
it does not run, the node is cut off from etcd, and nothing else happens.

Simplified here: the tunnel carries no packets; etcd is simply out of reach (see ``etcd.agent``).
"""

from __future__ import annotations

from k8snetlib.etcd.agent import EtcdServer
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.service import Service

UNIT = "etcd-tunnel"


class EtcdTunnel(Service):
    """The tunnel of one node."""

    def __init__(self, ns: Netns) -> None:
        super().__init__(ns, UNIT, "Tunnel to etcd", "/usr/bin/stunnel /etc/stunnel/etcd.conf")

    @property
    def _etcd(self) -> EtcdServer:
        server = self.network.agents["etcd"]
        assert isinstance(server, EtcdServer)
        return server

    def begin(self) -> None:
        """The node reaches etcd."""
        if self.ns.name in self._etcd.cuts:
            self._etcd.reconnect(self.ns.name)

    def end(self) -> None:
        """It does not."""
        self._etcd.cut(self.ns.name)

    def clone(self, network: Network) -> EtcdTunnel:
        """The same unit in a copy of the network."""
        other = EtcdTunnel(network.netns[self.ns.name])
        self.copy_state(other)
        return other
