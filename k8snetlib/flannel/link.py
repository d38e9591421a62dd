"""What lives here: a flanneld's way to where the leases are kept: etcd, or the Kubernetes API.

A link makes the subnet manager, tells in a ``stamp`` whether there can be news, and has the agent
asked again when there is something to look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from k8snetlib.etcd.agent import EtcdServer
from k8snetlib.flannel import subnet_env
from k8snetlib.flannel.kube_subnet import KubeSubnetManager
from k8snetlib.flannel.registry import Registry
from k8snetlib.flannel.subnet import EtcdSubnetManager
from k8snetlib.kube.apiserver import ApiServer, api_server

if TYPE_CHECKING:
    from k8snetlib.flannel.daemon import Flanneld
    from k8snetlib.linux.network import Network


class Link(Protocol):
    """A way to where leases are kept."""

    def manager(self, flanneld: Flanneld) -> Any:
        """The subnet manager of a flanneld that starts."""

    def stamp(self) -> object:
        """A value that differs whenever there may be something new."""

    def subscribe(self, agent: str) -> None:
        """The agent will be asked again when there is something to look at."""

    def unsubscribe(self, agent: str) -> None:
        """It will not."""

    def clone(self, network: Network) -> Link:
        """The same way in a copy of the network."""


class EtcdLink:
    """A node's way to etcd; ``on_conflict`` is how its flanneld takes a lost race (see
    ``subnet``)."""

    def __init__(self, server: EtcdServer, host: str, on_conflict: str = "fail") -> None:
        self.server = server
        self.host = host
        self.on_conflict = on_conflict

    def manager(self, flanneld: Flanneld) -> EtcdSubnetManager:
        """Leases in etcd, with the subnet of ``subnet.env``."""
        network, options = flanneld.network, flanneld.options
        text = flanneld.ns.files.get(options.subnet_file, "")
        way = self.server.way(self.host)
        registry = Registry(way, lambda: network.now, options.etcd_prefix, flanneld.say)
        return EtcdSubnetManager(
            registry, network.random, subnet_env.previous_subnet(text),
            subnet_env.previous_subnet6(text), on_conflict=self.on_conflict,
        )  # fmt: skip

    def stamp(self) -> object:
        """The store's revision, and whether it can be reached."""
        store = self.server.store
        return store.mvcc.revision, store.running and self.host not in self.server.cuts

    def subscribe(self, agent: str) -> None:
        """The server tells of every change."""
        self.server.watched_by(agent, self.host)

    def unsubscribe(self, agent: str) -> None:
        """No more."""
        self.server.forget(agent)

    def clone(self, network: Network) -> EtcdLink:
        """The same way, to the copy's etcd."""
        return EtcdLink(cast(EtcdServer, network.agents["etcd"]), self.host, self.on_conflict)


#: Where a node has flannel's ConfigMap: flanneld with ``--kube-subnet-mgr`` reads it at its start.
NET_CONF = "/etc/kube-flannel/net-conf.json"


class KubeLink:
    """A node's way to the Kubernetes API (``--kube-subnet-mgr``); ``net_conf`` is flannel's
    configuration where the node has no file of it."""

    def __init__(self, api: ApiServer, host: str, net_conf: str) -> None:
        self.api = api
        self.host = host
        self.net_conf = net_conf

    def manager(self, flanneld: Flanneld) -> KubeSubnetManager:
        """Leases are the Nodes' podCIDRs."""
        flanneld.say("I", "kube.go", "Starting kube subnet manager")
        net_conf = flanneld.ns.files.get(NET_CONF, self.net_conf)
        return KubeSubnetManager(self.api, self.host, net_conf)

    def stamp(self) -> object:
        """The resource version, and whether the API can be reached."""
        return self.api.revision, self.api.reachable(self.host)

    def subscribe(self, agent: str) -> None:
        """The API server tells of every change."""
        self.api.watched_by(agent, self.host)

    def unsubscribe(self, agent: str) -> None:
        """No more."""
        self.api.forget(agent)

    def clone(self, network: Network) -> KubeLink:
        """The same way, to the copy's API server."""
        return KubeLink(api_server(network), self.host, self.net_conf)
