"""What lives here: flannel's host-gw backend: a lease in, one route out.

No device, no wrapping: the other node itself is the gateway to its pods, so both nodes must be
neighbours on one link. Source: flannel's pkg/backend/hostgw/hostgw.go and
pkg/backend/route_network.go.
"""

from __future__ import annotations

from k8snetlib.address import Prefix
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.route import Route


def add_lease(ns: Netns, subnet: Prefix, public_ip: str, interface: str = "eth0") -> None:
    """A peer's lease: a route to its subnet by its node's own address."""
    ns.routes.replace(Route(subnet, interface, via=public_ip))


def remove_lease(ns: Netns, subnet: Prefix, public_ip: str, interface: str = "eth0") -> None:
    """A peer's lease is gone: its route goes."""
    ns.routes.remove(Route(subnet, interface, via=public_ip))
