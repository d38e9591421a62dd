"""What the model does in the cases of lesson 11's prediction cards (see ``test_cards``)."""

from __future__ import annotations

from collections.abc import Callable

from k8snetlib import Cluster

PORT = 30080


def _cluster(mode: str = "iptables") -> Cluster:
    return Cluster.example("host-gw", mode)


def _source() -> str:
    request = _cluster().connect("ext", "node1", PORT, endpoint="backend").request
    assert request is not None
    places = {h.netns for h in request.hops for s in h.steps if any("DNAT" in str(r) for r in s.rules)}  # fmt: skip
    return f"{request.last.packet.ip.src} at {request.end}, chosen by {', '.join(places)}"


def _listen() -> str:
    cluster = _cluster()
    listed = [cluster[node].sh("ss -lntup") for node in cluster.nodes]
    outcome = cluster.connect("ext", "node1", PORT).outcome
    return f"listed: {any(str(PORT) in text for text in listed)}, {outcome}"


def _local() -> str:
    (fate,) = _cluster().outcomes("ext", "192.168.66.11", 30081)
    return f"{fate.outcome} at {fate.receiver} after {fate.exchange.elapsed:g} s"


def _reply() -> str:
    cluster = _cluster()
    cluster["node1"].sh("iptables -t nat -I POSTROUTING -s 203.0.113.10 -j ACCEPT")
    exchange = cluster.connect("ext", "node1", PORT, endpoint="backend")
    packets = [p for p in exchange.packets if p.label in ("TCP SA", "TCP R")]
    ends = [f"{p.label} {p.hops[0].netns} > {p.last.packet.ip.dst}" for p in packets]
    return f"{exchange.outcome}: {', '.join(ends)}"


def _input() -> str:
    cluster = _cluster()
    cluster["node1"].sh(f"iptables -A INPUT -p tcp --dport {PORT} -j DROP")
    clients = ("ext", "web2", "backend", "node1", "node3")
    ends = {f.outcome for client in clients for f in cluster.outcomes(client, "node1", PORT)}
    return ", ".join(sorted(ends)) + " for all"


def _localhost() -> str:
    modes = ("iptables", "nftables", "ipvs")
    return ", ".join(_cluster(m).connect("node1", "127.0.0.1", PORT).outcome for m in modes)


#: card -> (what the model does, what of it the right choice must say, what proves it)
PROOFS: dict[str, tuple[Callable[[], str], str, str]] = {
    "11-source": (_source, "node1's, 192.168.66.11", "192.168.66.11 at backend, chosen by node1"),
    "11-listen": (_listen, "Nobody", "listed: False, delivered"),
    "11-local": (_local, "Nothing comes back", "dropped at node1 after 5 s"),
    "11-reply": (_reply, "a stranger", "lost: TCP SA backend > 203.0.113.10, TCP R ext > 10.1.20.3"),
    "11-input": (_input, "Everybody, as before", "delivered for all"),
    "11-localhost": (_localhost, "It is refused", "delivered, refused, refused"),
}  # fmt: skip
