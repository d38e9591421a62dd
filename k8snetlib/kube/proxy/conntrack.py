"""What lives here: kube-proxy's look into conntrack: UDP flows to endpoints that are gone.

The nat table sees only the first packet of a flow. A client that keeps sending UDP from one port
has one flow for ever: it would go on to the address chosen at its beginning, long after that
endpoint is gone (a black hole). So, when a UDP endpoint changed, kube-proxy deletes every UDP flow
to a Service that was not translated to an endpoint that serves now. TCP's ends notice themselves.

Source: kube-proxy's pkg/proxy/conntrack/cleanup.go.
"""

from __future__ import annotations

from k8snetlib.kube.proxy.state import EndpointsMap, ServiceMap
from k8snetlib.linux.netns import Netns
from k8snetlib.packet import PROTO_UDP


def cleanup_required(before: EndpointsMap, after: EndpointsMap) -> bool:
    """True if the endpoints of a UDP port changed."""
    names = (name for name in before.keys() | after.keys() if name.proto == "udp")
    return any(before.get(name) != after.get(name) for name in names)


def clean_stale(ns: Netns, services: ServiceMap, endpoints: EndpointsMap) -> int:
    """Forgets the UDP flows of a node that no serving endpoint gets; returns how many.

    A flow belongs to a Service by its original destination: a cluster IP, external or load-balancer
    IP with the Service's port, or its node port.
    """
    now = ns.network.now if ns.network else 0.0
    by_address: dict[tuple[str, int], set[tuple[str, int]]] = {}
    by_node_port: dict[int, set[tuple[str, int]]] = {}
    for name, info in services.items():
        if name.proto != "udp":
            continue
        serving = {(e.ip, e.port) for e in endpoints.get(name, ()) if e.serving}
        for ip in (info.cluster_ip, *info.external_ips, *info.balancers):
            by_address.setdefault((ip, info.port), set()).update(serving)
        if info.node_port:
            by_node_port.setdefault(info.node_port, set()).update(serving)
    gone = 0
    for conn in ns.conntrack.connections(now):
        original, reply = conn.original, conn.reply
        if original.proto != PROTO_UDP:
            continue
        good = by_address.get((original.dst, original.dport))
        if good is None and ns.is_local(original.dst):
            good = by_node_port.get(original.dport)
        if good is not None and (reply.src, reply.sport) not in good:
            ns.conntrack.remove(conn)
            gone += 1
    return gone
