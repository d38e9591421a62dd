"""What lives here: kube-proxy's look into conntrack: UDP flows to endpoints that are gone.

The nat table sees only the first packet of a flow. A client that keeps sending UDP from one port
has one flow for ever: it would go on to the address chosen at its beginning, long after that
endpoint is gone (a black hole). So, when a UDP endpoint changed, kube-proxy deletes every UDP flow
to a Service that was not translated to an endpoint that serves now. TCP's ends notice themselves.

Source: kube-proxy's pkg/proxy/conntrack/cleanup.go.
"""

from __future__ import annotations

from k8snetlib.kube.proxy.state import EndpointsMap


def cleanup_required(before: EndpointsMap, after: EndpointsMap) -> bool:
    """True if the endpoints of a UDP port changed."""
    names = (name for name in before.keys() | after.keys() if name.proto == "udp")
    return any(before.get(name) != after.get(name) for name in names)
