"""What the model does where the cards of lesson 09 ask (``tests/course/test_cards.py``)."""

from __future__ import annotations

from collections.abc import Callable

from k8snetlib import Cluster
from k8snetlib.cost import curve

MODES = ("iptables", "nftables", "ipvs")


def in_mode(mode: str) -> Cluster:
    """The example cluster with kube-proxy in that mode."""
    return Cluster.example("host-gw", mode)


def _cost() -> str:
    few, many = curve("nftables", (6, 296))
    return f"{many.evaluated - few.evaluated} more"


def _turns() -> str:
    """How probable the likeliest endpoint is, before each of three connections; in IPVS mode
    (probability 1) it is another one each time."""
    said = []
    for mode in MODES:
        cluster, ends = in_mode(mode), set()
        for _ in range(3):
            likeliest = cluster.outcomes("web2", "backend-svc", 80)[0]
            said.append(f"{mode} {likeliest.probability}")
            ends.add(likeliest.receiver)
            cluster.connect("web2", "backend-svc", 80)
        assert mode != "ipvs" or len(ends) == 3
    return ", ".join(dict.fromkeys(said))


def _ping() -> str:
    exchange = in_mode("ipvs").ping("web2", "10.96.0.10")
    return f"{exchange.outcome}: {exchange.reason}"


def _port() -> str:
    ends = [in_mode(mode).connect("web2", "10.96.0.10", 81).request for mode in MODES]
    return ", ".join(request.end for request in ends if request is not None)


def _localhost() -> str:
    tries = [in_mode(mode).connect("node1", "127.0.0.1", 30080) for mode in MODES[:2]]
    return ", ".join(exchange.outcome for exchange in tries)


def _future() -> str:
    journal = {mode: in_mode(mode)["node1"].sh("journalctl -u kube-proxy") for mode in MODES}
    assert [mode for mode, said in journal.items() if "deprecated" in said] == ["ipvs"]
    return journal["ipvs"]


#: card -> (what the model does, words of the right choice, words of what the model does)
PROOFS: dict[str, tuple[Callable[[], str], str, str]] = {
    "09-cost": (_cost, "As many as before", "0 more"),
    "09-rr": (_turns, "Only in IPVS mode", "iptables 1/3, nftables 1/3, ipvs 1"),
    "09-ping": (_ping, "port unreachable", "rejected: 10.96.0.10 said ICMP port unreachable"),
    "09-port": (_port, "In nftables and IPVS mode", "router, node1, node1"),
    "09-localhost": (_localhost, "Connection refused", "delivered, refused"),
    "09-future": (_future, "nftables", "Please use 'nftables' instead"),
}
