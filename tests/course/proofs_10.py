"""What the model does in the cases of lesson 10's prediction cards."""

from __future__ import annotations

from collections.abc import Callable

from k8snetlib import Cluster


def _egress(*rules: str, flanneld: str = "--ip-masq=false") -> Cluster:
    cluster = Cluster.example(flanneld=flanneld)
    for rule in rules:
        cluster["node1"].sh(f"iptables -t nat -A POSTROUTING {rule}")
    return cluster


def _no_way_back() -> str:
    sent = _egress().send("web2", "ext", 53)
    assert sent.request is not None
    return f"{sent.request.end} got it, {sent.outcome}: {sent.reason}"


def _rule_met() -> str:
    cluster = _egress("-s 10.1.0.0/16 -o eth0 -j MASQUERADE")
    exchange = cluster.connect("web2", "ext", 80)
    lines = cluster["node1"].sh("tcpdump -nti eth0 tcp").splitlines()
    sources = {line.split()[1].rpartition(".")[0] for line in lines}
    (line,) = [line for line in cluster["node1"].sh("iptables -t nat -vnL POSTROUTING").split("\n")
               if "MASQUERADE" in line]  # fmt: skip
    return f"{line.split()[0]} packet, {exchange.outcome}, {sorted(sources)}"


def _same_port() -> str:
    cluster = _egress("-s 10.1.0.0/16 -o eth0 -j MASQUERADE")
    seen = []
    for pod in ("web2", "web1"):
        request = cluster.send(pod, "ext", 53, sport=5000).request
        assert request is not None
        seen.append((request.last.packet.ip.src, request.last.packet.headers[1].sport))
    return f"{seen[0]}, another port: {seen[1][0] == seen[0][0] and seen[1][1] != 5000}"


def _ports() -> str:
    cluster = _egress("-p udp -o eth0 -j MASQUERADE --to-ports 40000-40001")
    to_ext = [cluster.send("web2", "ext", 53, sport=5000 + n).outcome for n in range(3)]
    request = cluster.send("web2", "client", 53, sport=5003).request
    assert request is not None
    port = request.last.packet.headers[1].sport
    return f"{to_ext}, then to {request.end}: {port in (40000, 40001)}"


def _own_address() -> str:
    cluster = _egress(flanneld="--ip-masq")
    sees = []
    for target in ("web1", "backend", "node2", "ext"):
        request = cluster.ping("web2", target).request
        assert request is not None
        sees.append(f"{target} {request.last.packet.ip.src}")
    return ", ".join(sees)


def _full() -> str:
    cluster = _egress(flanneld="--ip-masq")
    known = ("web2", "ext", 53)
    cluster.send(*known, sport=5000)
    count = cluster["node1"].sh("sysctl -n net.netfilter.nf_conntrack_count")
    cluster["node1"].sh(f"sysctl -w net.netfilter.nf_conntrack_max={count}")
    new = cluster.send("web2", "web1", 53).outcome
    return f"ext {cluster.send(*known, sport=5000).outcome}, web1 {new}"


#: card -> (what the model does, what of it the right choice must say, what proves it)
PROOFS: dict[str, tuple[Callable[[], str], str, str]] = {
    "10-lost": (
        _no_way_back,
        "the router has no route",
        "ext got it, lost: UDP ended at router: no",
    ),
    "10-rule": (
        _rule_met,
        "Only the first one",
        "1 packet, delivered, ['192.168.66.11', '203.0.113.10']",
    ),
    "10-clash": (
        _same_port,
        "with another port",
        "('192.168.66.11', 5000), another port: True",
    ),
    "10-ports": (
        _ports,
        "from one of the same ports",
        "['delivered', 'delivered', 'dropped'], then to client: True",
    ),
    "10-seen": (
        _own_address,
        "web1 and backend. node2 and ext see node1's",
        "web1 10.1.15.2, backend 10.1.15.2, node2 192.168.66.11, ext 192.168.66.11",
    ),
    "10-full": (_full, "Only ext", "ext delivered, web1 dropped"),
}
