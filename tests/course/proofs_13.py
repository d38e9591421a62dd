"""What the model does in the cases of lesson 13's prediction cards (see ``test_cards``)."""

from __future__ import annotations

from collections.abc import Callable

from k8snetlib import Cluster
from k8snetlib.course.incidents.items import scene


def _first() -> str:
    healthy = Cluster.example()
    ping = healthy.ping("web2", "10.96.0.10").outcome
    page = healthy.connect("web2", "10.96.0.10", 80).outcome
    slices = healthy.kubectl("get endpointslices")
    return f"{page} although the ping is {ping}; endpoints shown: {'10.1.20.3' in slices}"


def _nodes() -> str:
    broken = scene("overlay-port-vxlan").broken.clone()
    return f"{broken.ping('node1', 'node2').outcome}, {broken.ping('web2', 'backend').outcome}"


def _seen() -> str:
    exchange = scene("overlay-port-vxlan").broken.clone().ping("web2", "backend")
    assert exchange.request is not None
    last = exchange.request.frames[-1]
    return f"last frame: {last.netns} {last.device} {last.direction}; {exchange.request.end}"


#: card -> (what the model does, what of it the right choice must say, what proves it)
PROOFS: dict[str, tuple[Callable[[], str], str, str]] = {
    "13-first": (
        _first,
        "endpoints",
        "delivered although the ping is unreachable; endpoints shown: True",
    ),
    "13-nodes": (_nodes, "blocked while pings pass", "delivered, dropped"),
    "13-seen": (_seen, "On node2", "last frame: node2 eth0 in; node2"),
}
