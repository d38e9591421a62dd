"""What the model does in the cases of lesson 08's prediction cards (see ``test_cards``)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from k8snetlib import Cluster
from k8snetlib.trace import Trace

SERVICE = "backend-svc"
NOT_READY = '{"status":{"conditions":[{"type":"Ready","status":"False"}]}}'


def _request(cluster: Cluster, port: int = 80) -> Trace:
    request = cluster.connect("web2", "10.96.0.10", port).request
    assert request is not None
    return request


def _fates(cluster: Cluster, source: str) -> str:
    fates = sorted(cluster.outcomes(source, SERVICE), key=lambda fate: fate.receiver)
    return ", ".join(f"{fate.receiver} {fate.probability} {fate.outcome}" for fate in fates)


def _where() -> str:
    """Where a rule of nat changed the packet, and in which processes it was."""
    request = _request(Cluster.example("host-gw"))
    steps = [(hop.netns, step) for hop in request.hops for step in hop.steps]
    assert not any("kube-proxy" in step.reason for _, step in steps)
    changed = [f"{where} {s.stage}" for where, s in steps if s.rules and s.before is not None]
    return f"only by {', '.join(changed)}."


def _chance() -> str:
    """The chances of the rules that choose, as the kernel has them."""
    cluster = Cluster.example("host-gw")
    listed = cluster["node1"].sh("iptables -t nat -S").splitlines()
    rules = [line for line in listed if f'comment "default/{SERVICE}:http -> ' in line]
    assert [fate.probability for fate in cluster.outcomes("web2", SERVICE)] == [Fraction(1, 3)] * 3
    parts = [line.partition("--probability ")[2].partition(" ")[0] or "always" for line in rules]
    return ", ".join(parts)


def _ten() -> str:
    """Who got web2's packets of one connection, and how often the Service's rule was asked."""
    cluster = Cluster.example("host-gw")
    exchange = cluster.connect("web2", SERVICE)
    sent = [t for t in exchange.packets if t.label.startswith("TCP") and t.hops[0].netns == "web2"]
    listed = cluster["node1"].sh("iptables -t nat -vnL KUBE-SERVICES -x").splitlines()
    (asked,) = [line.split()[0] for line in listed if f"{SERVICE}:http" in line]
    assert len(sent) > 2
    return f"{len({trace.end for trace in sent})} receiver, asked {asked}"


def _ping() -> str:
    cluster = Cluster.example("host-gw")
    request = cluster.ping("web2", "10.96.0.10").request
    assert request is not None
    assert _request(cluster, 81).end == request.end
    well = cluster.connect("web2", "10.96.0.10", 80).outcome
    return f"ping ends at the {request.end}, connection {well}"


def _stopped() -> str:
    """From which nodes backend-b still gets connections."""
    cluster = Cluster.example("host-gw")
    cluster["node1"].sh("systemctl stop kube-proxy")
    cluster.kubectl(f"patch pod backend-b --subresource=status -p '{NOT_READY}'")
    sources = {"node1": "web2", "node2": "backend", "node3": "backend-c"}
    still = [node for node, pod in sources.items() if "backend-b 1/3" in _fates(cluster, pod)]
    return f"only from {', '.join(still)}."


def _bridge() -> str:
    cluster = Cluster.example("host-gw")
    cluster["node2"].sh("sysctl -w net.bridge.bridge-nf-call-iptables=0")
    return _fates(cluster, "backend")


#: As ``test_cards.PROOFS``.
PROOFS: dict[str, tuple[Callable[[], str], str, str]] = {
    "08-where": (_where, "kernel of node1", "only by node1 nat PREROUTING."),
    "08-chance": (_chance, "1/3, 1/2, always", "0.33333333349, 0.50000000000, always"),
    "08-ten": (_ten, "One backend", "1 receiver, asked 1"),
    "08-ping": (_ping, "Nobody can tell", "ping ends at the router, connection delivered"),
    "08-stopped": (_stopped, "From node1 only", "only from node1."),
    "08-bridge": (
        _bridge,
        "Those to backend-b",
        "backend 1/3 delivered, backend-b 1/3 lost, backend-c 1/3 delivered",
    ),
}
