"""What lives here: flannel's host-gw backend: a lease in, one route out.

No device, no wrapping: the other node itself is the gateway to its pods, so both nodes must be
neighbours on one link. The backend says so only where it can see it: it refuses a public address
that is not the interface's own; a gateway that is no neighbour is the kernel's to refuse.

A different route to the same subnet is replaced. Every ten seconds, routes that are missing are
added again; nobody else's are touched. Leases of other backends are passed over. When flanneld
ends, its routes stay.

Source: flannel's pkg/backend/hostgw/hostgw.go and pkg/backend/route_network.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from k8snetlib.address import Prefix
from k8snetlib.flannel.backend import ExternalInterface, Log
from k8snetlib.flannel.config import NetConf
from k8snetlib.flannel.ip import FlannelError
from k8snetlib.flannel.lease import ADDED, Event, Lease, LeaseAttrs
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.route import Route

TYPE = "host-gw"
_SOURCE = "route_network.go"


@lru_cache(8192)
def route_for(subnet: Prefix, public_ip: str, device: str) -> Route:
    """The route of a lease; every node on the link has the same."""
    return Route(subnet, device, via=public_ip)


class HostGwBackend:
    """The backend ``host-gw``; it has no options."""

    period = 10.0

    def __init__(self, ns: Netns, conf: NetConf, iface: ExternalInterface, log: Log) -> None:
        self.ns, self.conf, self.iface, self.log = ns, conf, iface, log
        if iface.public != iface.address:
            raise FlannelError(
                "your PublicIP differs from interface IP, meaning that probably you're on a NAT, "
                "which is not supported by host-gw backend"
            )
        #: The routes that shall be there, also those that the kernel would not take.
        self.routes: dict[Prefix, Route] = {}

    @property
    def mtu(self) -> int:
        """The node interface's: nothing is wrapped."""
        return self.iface.mtu

    def attrs(self) -> LeaseAttrs:
        """The address is all that a peer needs."""
        return LeaseAttrs(self.iface.public, None, TYPE)

    def start(self, lease: Lease) -> None:
        """Nothing to set up."""
        self.log("I", _SOURCE, "Watching for new subnet leases")

    def handle(self, events: Iterable[Event]) -> None:
        """Adds, replaces or removes each lease's route."""
        for event in events:
            lease = event.lease
            if lease.attrs.backend_type != TYPE:
                text = f"Ignoring non-{TYPE} subnet: type={lease.attrs.backend_type}"
                self.log("W", _SOURCE, text)
                continue
            route = route_for(lease.subnet, lease.attrs.public_ip, self.iface.name)
            if event.type == ADDED:
                text = f"Subnet added: {lease.subnet} via {lease.attrs.public_ip}"
                self.log("I", _SOURCE, text)
                self._add(route)
            else:
                self.log("I", _SOURCE, f"Subnet removed: {lease.subnet}")
                self.routes.pop(lease.subnet, None)
                if not self.ns.routes.remove(route):
                    text = f"Error deleting route to {lease.subnet}: no such process"
                    self.log("E", _SOURCE, text)

    def _add(self, route: Route) -> None:
        self.routes[route.prefix] = route
        table = self.ns.routes
        there = table.exact(route.prefix)
        if there and not _equal(there[0], route):
            self.log("W", _SOURCE, f"Replacing existing route to {there[0]} with {route}")
            table.remove(there[0])
            there = table.exact(route.prefix)
        if there and _equal(there[0], route):
            self.log("I", _SOURCE, f"Route to {route} already exists, skipping.")
            return
        refusal = self._refused(route)
        if refusal:
            self.log("E", _SOURCE, f"Error adding route to {route}: {refusal}")
        else:
            table.add(route)

    def _refused(self, route: Route) -> str:
        """Why the kernel would not take a route: its gateway is no neighbour on the link."""
        device = self.ns.devices.get(route.dev)
        if device is None or not device.up:
            return "network is down"
        assert route.via is not None
        ways = [way for way in self.ns.routes.matching(route.via) if way.dev == route.dev]
        if not ways or ways[0].via or self.ns.is_local(route.via):
            return "network is unreachable"
        return ""

    def missing(self) -> bool:
        """True if a route is gone, and the kernel would take it again."""
        table = self.ns.routes
        return any(
            all(there.metric for there in table.exact(prefix)) and not self._refused(route)
            for prefix, route in self.routes.items()
        )

    def mend(self) -> None:
        """Adds the routes that are missing."""
        for prefix, route in self.routes.items():
            if not self._refused(route) and self.ns.routes.add(route):
                self.log("I", _SOURCE, f"Route recovered {prefix} : {route.via}")

    def stop(self) -> None:
        """The process ends; its routes stay."""

    def clone(self, ns: Netns, log: Log) -> HostGwBackend:
        """The same backend in a copy of the namespace."""
        other = HostGwBackend(ns, self.conf, self.iface, log)
        other.routes = dict(self.routes)
        return other


def _equal(one: Route, other: Route) -> bool:
    return (one.prefix, one.via, one.dev) == (other.prefix, other.via, other.dev)
