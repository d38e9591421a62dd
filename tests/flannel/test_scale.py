"""Many nodes: no subnet twice, and every kernel ends up with all of them."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from benchmarks.bench_flannel import bare_nodes, converged, start_all
from k8snetlib.address import ip_text
from k8snetlib.etcd.agent import EtcdServer
from k8snetlib.etcd.api import Put
from k8snetlib.flannel.daemon import flannelds
from k8snetlib.flannel.lease import LeaseAttrs, LeaseWatcher
from k8snetlib.flannel.registry import Registry
from k8snetlib.flannel.subnet import EtcdSubnetManager
from k8snetlib.linux.network import Network


def test_a_thousand_nodes_in_one_network() -> None:
    """A8: 1,000 subnets of 10.0.0.0/8, none twice; who watched from the start and who lists at the
    end know the same."""
    network = Network()
    server = EtcdServer(network)
    network.agents.add(server)
    etcd = server.way()
    etcd.put(Put(b"/coreos.com/network/config", b'{"Network": "10.0.0.0/8"}'))
    registry = Registry(etcd, lambda: network.now)
    random = Random(5)
    leases = []
    first, stream = None, None
    for n in range(1000):
        manager = EtcdSubnetManager(registry, random)
        leases.append(manager.acquire_lease(LeaseAttrs(ip_text(0xC0A80000 + n))))
        if n == 0:
            first, stream = manager.watch_leases()
    assert first is not None
    assert stream is not None
    subnets = sorted(lease.subnet for lease in leases)
    assert all(not a.overlaps(b) for a, b in pairwise(subnets))
    early, late = LeaseWatcher(leases[0].networks), LeaseWatcher(leases[0].networks)
    early.reset(first.snapshot or ())
    for result in stream.poll():
        early.update(result.events)
    late.reset(manager.watch_leases()[0].snapshot or ())
    assert len(early.leases) == len(late.leases) == 999
    assert {k: v.attrs for k, v in early.leases.items()} == {
        k: v.attrs for k, v in late.leases.items()
    }


def test_fifty_flannelds_converge_and_live_for_a_week() -> None:
    """All pairs have their route; a node that leaves is forgotten by all, a day later."""
    network = bare_nodes(50, "host-gw")
    with network.agents.hold():
        start_all(network)
    network.settle()
    assert converged(network) == 50 * 49
    for flanneld in flannelds(network):
        assert sum(1 for r in flanneld.ns.routes if r.via and r.prefix.length == 24) == 49
    network.advance(7 * 86400)
    assert converged(network) == 50 * 49
    gone = flannelds(network)[7]
    gone.stop()
    network.advance(86400)
    twin = network.clone()
    for each in (network, twin):
        assert converged_without(each, gone.name) == 49 * 48
    gone.start()
    assert converged(network) == 50 * 49
    assert converged_without(twin, gone.name) == 49 * 48


def converged_without(network: Network, name: str) -> int:
    """The entries of all but one flanneld."""
    others = [flanneld for flanneld in flannelds(network) if flanneld.name != name]
    return sum(len(flanneld.leases.leases) for flanneld in others if flanneld.leases)
