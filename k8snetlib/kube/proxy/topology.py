"""What lives here: which endpoints a Service port uses: on any node, on this node, of this zone.

Source: kube-proxy's pkg/proxy/topology.go (CategorizeEndpoints).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from k8snetlib.kube.proxy.state import EndpointInfo, ServicePortInfo

ZONE_LABEL = "topology.kubernetes.io/zone"


class Categorized(NamedTuple):
    """The endpoints of one Service port, as this node sees them.

    ``cluster``: for traffic under the Cluster policy; ``local``: for traffic under the Local policy
    (each None if the Service has no such traffic). ``reachable``: all that either holds.
    ``any_node``: some endpoint somewhere can be used, so that none here means DROP, not REJECT.
    """

    cluster: tuple[EndpointInfo, ...] | None
    local: tuple[EndpointInfo, ...] | None
    reachable: tuple[EndpointInfo, ...]
    any_node: bool


def categorize(
    endpoints: Sequence[EndpointInfo], service: ServicePortInfo, labels: Mapping[str, str]
) -> Categorized:
    """Sorts out a Service port's endpoints; ``labels`` are those of the node.

    Ready endpoints are used; if there are none, those that still serve while they terminate. Zone
    hints count for Cluster traffic, and only if every ready endpoint has one.
    """
    cluster: tuple[EndpointInfo, ...] | None = None
    local: tuple[EndpointInfo, ...] | None = None
    any_node = False
    if service.uses_cluster_endpoints:
        ready = tuple(e for e in endpoints if e.ready)
        hinted = _of_zone(ready, labels)
        cluster = hinted or tuple(e for e in endpoints if e.serving and e.terminating)
        any_node = bool(cluster)
    if not service.uses_local_endpoints:
        return Categorized(cluster, None, cluster or (), any_node)
    here = [e for e in endpoints if e.local]
    local = tuple(e for e in here if e.ready)
    local = local or tuple(e for e in here if e.serving and e.terminating)
    any_node = any_node or any(e.ready or (e.serving and e.terminating) for e in endpoints)
    reachable = {str(e): e for e in (*(cluster or ()), *local)}
    return Categorized(cluster, local, tuple(reachable[t] for t in sorted(reachable)), any_node)


def _of_zone(
    ready: tuple[EndpointInfo, ...], labels: Mapping[str, str]
) -> tuple[EndpointInfo, ...]:
    """The endpoints hinted for the node's zone, or all of them where hints cannot be followed."""
    zone = labels.get(ZONE_LABEL, "")
    if not zone or not all(e.zone_hints for e in ready):
        return ready
    return tuple(e for e in ready if zone in e.zone_hints) or ready
