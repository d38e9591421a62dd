"""How flannel's control plane grows: nodes that acquire leases and learn of each other.

    python benchmarks/bench_flannel.py [BACKEND …]

For 10, 100 and 1,000 nodes with leases in 10.0.0.0/8: the time until every node has a lease, the
time until every kernel has what all leases ask for (n x (n - 1) times), a day with its round of
renewals, and a clone; all in seconds of the processor. The state itself is quadratic: a factor of
100 per row is what to expect. Then what an example cluster costs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from k8snetlib import Cluster
from k8snetlib.address import Prefix, ip_text
from k8snetlib.etcd.agent import EtcdServer
from k8snetlib.etcd.api import Put
from k8snetlib.flannel.daemon import Flanneld, flannelds
from k8snetlib.flannel.link import EtcdLink
from k8snetlib.flannel.options import parse_options
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.route import Route
from k8snetlib.linux.service import install

SIZES = (10, 100, 1000)
NODES = Prefix.parse("172.16.0.0/12")


def bare_nodes(count: int, backend: str) -> Network:
    """Nodes on one link, an etcd with a net-conf, and a flanneld on each that has not started."""
    network = Network(1)
    server = EtcdServer(network)
    network.agents.add(server)
    conf = f'{{"Network": "10.0.0.0/8", "Backend": {{"Type": "{backend}"}}}}'
    server.way().put(Put(b"/coreos.com/network/config", conf.encode()))
    for at in range(count):
        ns = network.add(Netns(f"node{at}", "node"))
        ns.add_device(Device("eth0", "veth", "02:00:00:00:00:01"))
        ns.add_address("eth0", f"{ip_text(NODES.net + 10 + at)}/12")
        ns.routes.add(Route(Prefix(0, 0), "eth0", via=NODES.host(1)))
        install(Flanneld(ns, parse_options("--ip-masq"), EtcdLink(server, ns.name)))
    return network


def start_all(network: Network) -> None:
    """Every flanneld starts and takes a lease; nobody looks at the others' yet."""
    for flanneld in flannelds(network):
        flanneld.start()


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes, in seconds of the processor (others may use it, too)."""
    begin = time.process_time()
    action()
    return time.process_time() - begin


def converged(network: Network) -> int:
    """How many entries flannel put into all kernels; every pair of nodes must have one."""
    found = 0
    for flanneld in flannelds(network):
        assert flanneld.leases is not None
        found += len(flanneld.leases.leases)
    return found


def row(count: int, backend: str) -> list[float]:
    """Seconds to acquire, to converge, to pass a day, and to clone."""
    network = bare_nodes(count, backend)
    with network.agents.hold():
        acquire = seconds(lambda: start_all(network))
    converge = seconds(network.settle)
    assert converged(network) == count * (count - 1)
    subnets = {flanneld.lease.subnet for flanneld in flannelds(network) if flanneld.lease}
    assert len(subnets) == count
    day = seconds(lambda: network.advance(24 * 3600))
    assert all(flanneld.running for flanneld in flannelds(network))
    return [acquire, converge, day, seconds(network.clone)]


def main() -> None:
    """Prints the tables."""
    for backend in sys.argv[1:] or ("vxlan", "host-gw", "udp"):
        print(f"{backend:>8}   {'acquire':>10} {'converge':>10} {'a day':>10} {'clone':>10}")
        before: list[float] = []
        for count in SIZES:
            times = row(count, backend)
            text = " ".join(f"{value:9.3f}s" for value in times)
            growth = ", ".join(
                f"x{now / then:.0f}" for now, then in zip(times, before, strict=False)
            )
            print(f"{count:>8}   {text}   {growth}")
            before = times
    Cluster.example()
    print(f"Cluster.example()              {min(seconds(Cluster.example) for _ in range(20)):.4f}s")
    cluster = Cluster.example()
    print(f"cluster.advance('25h')         {seconds(lambda: cluster.advance('25h')):.4f}s")
    cut = Cluster.example()
    cut.cut_from_etcd("node1")
    print(f"the same, node1 cut from etcd  {seconds(lambda: cut.advance('25h')):.4f}s")
    print(f"cluster.clone()                {seconds(cluster.clone):.4f}s")


if __name__ == "__main__":
    main()
