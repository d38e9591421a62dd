"""What lives here: failures of what flannel and etcd know: leases, watches, ranges."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster, K8sNetError
from k8snetlib.address import Prefix
from k8snetlib.assembly import plug_pod
from k8snetlib.etcd.api import Range
from k8snetlib.kube.api import ClusterSpec, Container, Listen, Node, Pod, example_spec
from tests.flannel.failures.run import CUT, LEASES, NAT, ONE_WAY, TALKS, WRONG, Run, around, fate_of

ENV = "/run/flannel/subnet.env"
#: The moment after a repair, on every page row.
MENDED = "after the repair"


def renumber(run: Run, kind: str, node: str, old: str, new: str) -> None:
    """Docker on a node starts again with another ``--bip``: bridge and pods get new addresses."""
    pods = [pod.name for pod in run.cluster.spec.pods if pod.node == node]
    act = run.breaks if kind == "break" else run.repairs
    bip = f"{new}.1/24"
    run.happens(f"# Docker on {node} starts with --bip={bip}, its pods anew, as if:", _no, kind)
    for host, device in ((node, "docker0"), *((pod, "eth0") for pod in pods)):
        address = run.cluster[host].devices[device].addresses[0].ip
        last = address.rpartition(".")[2]
        act(
            host,
            f"ip addr del {old}.{last}/24 dev {device}",
            f"ip addr add {new}.{last}/24 dev {device}",
        )
        if device == "eth0":
            act(host, f"ip route add default via {new}.1")


def reserve(run: Run, node: int, subnet: str) -> None:
    """Writes a node's range into etcd by hand, so that its flanneld finds it there."""
    value = f'{{"PublicIP":"192.168.66.{10 + node}","PublicIPv6":null}}'
    run.repairs("node3", f"etcdctl put {LEASES}/{subnet} '{value}'")


# -- etcd -----------------------------------------------------------------------------------------


def etcd_lost(run: Run) -> None:
    """All of etcd is gone for three days; then one flanneld is restarted meanwhile."""
    run.talk("before")
    run.happens("# etcd stops, all of it", Cluster.stop_etcd)
    run.talk("at once")
    run.wait("72h")
    run.talk("after 72 h")
    run.sees("node1", "etcdctl endpoint health", "unhealthy")
    run.sees("node1", "journalctl -u flanneld -n 1", "Error renewing lease (trying again in 1 min)")
    run.breaks("node1", "systemctl restart flanneld")
    run.sees("node1", "journalctl -u flanneld -n 1", "Couldn't fetch network config")
    lost = around(1, CUT, CUT) if run.backend == "udp" else {}
    run.talk("then flanneld on node1 restarts", lost)
    run.happens("# etcd starts", Cluster.start_etcd, "repair")
    run.wait("5s", "repair")
    run.talk(MENDED)


def etcd_lost_or_cut_off(run: Run) -> None:
    """25 hours without any etcd, and 25 hours in which only one node does not reach it."""
    run.happens("# first: etcd stops, all of it", Cluster.stop_etcd)
    run.wait("25h")
    run.talk("25 h without any etcd")
    run.happens("# etcd starts", Cluster.start_etcd)
    run.wait("2h")
    run.sees("node3", f"etcdctl get --prefix --keys-only {LEASES}", "10.1.20.0-24")
    run.happens("# second: node2 alone is cut off from etcd", lambda c: c.cut_from_etcd("node2"))
    run.wait("25h")
    run.sees("node3", f"etcdctl get --prefix --keys-only {LEASES}", never="10.1.20.0-24")
    run.talk("25 h with node2 cut off", around(2, CUT, ONE_WAY))
    run.happens("# node2 reaches etcd again", lambda c: c.reconnect("node2"), "repair")
    run.wait("5s", "repair")
    run.talk(MENDED)


def watch_compacted(run: Run) -> None:
    """A node misses that another one left, and etcd has thrown that part of its history away."""
    run.happens("# node1 is cut off from etcd", lambda c: c.cut_from_etcd("node1"))
    run.breaks("node3", "systemctl stop flanneld", f"etcdctl del {LEASES}/10.1.30.0-24")
    if run.backend == "vxlan":
        run.breaks(
            "node2", "ip link set flannel.1 address 0e:f1:0a:01:14:99", "systemctl restart flanneld"
        )
    _compact(run)
    run.happens("# node1 reaches etcd again", lambda c: c.reconnect("node1"))
    run.wait("10s")
    gone = around(3, CUT)
    if run.backend == "udp":
        gone |= {"3→1": CUT, "3→2": CUT}
    else:
        gone |= {"3→1": ONE_WAY, "3→2": ONE_WAY}
    if run.backend != "vxlan":
        run.sees("node1", _table(run), never="10.1.30.0/24")
        run.talk("after that", gone)
    else:
        run.sees("node1", "ip route", never="10.1.30.0/24")
        run.sees("node1", "ip neigh show dev flannel.1", "0e:f1:0a:01:14:00")
        run.sees("node2", "ip -br link show flannel.1", "0e:f1:0a:01:14:99")
        run.talk(
            "after that",
            gone | {"1→2": CUT, "2→1": ONE_WAY, "3→2": CUT},
        )
        later = run.cluster.clone()
        later.advance("23h")
        assert fate_of(later, "web2", "backend")[0] == TALKS, "node2 has renewed its lease"
        run.repairs("node1", "systemctl restart flanneld")
    run.repairs("node3", "systemctl start flanneld")
    run.talk(MENDED)


def _compact(run: Run) -> None:
    now = run.cluster.etcd.range(Range(LEASES.encode())).revision
    run.breaks("node3", f"etcdctl compaction {now}")


def _table(run: Run) -> str:
    """The command that shows what flannel told a node about the others."""
    return "journalctl -u flanneld -n 2" if run.backend == "udp" else "ip route"


# -- flanneld -------------------------------------------------------------------------------------


def flanneld_stopped(run: Run) -> None:
    """flanneld ends on node1, and nobody starts it."""
    run.talk("before")
    run.breaks("node1", "systemctl stop flanneld")
    udp = run.backend == "udp"
    dead = around(1, CUT, CUT)
    run.talk("at once", dead if udp else {})
    if udp:
        run.sees("node1", "ip -br link", never="flannel0")
    run.sees("node1", "systemctl is-active flanneld", "inactive")
    run.wait("25h")
    run.sees("node3", f"etcdctl get --prefix --keys-only {LEASES}", never="10.1.15.0-24")
    run.talk("after 25 h", dead if udp else around(1, CUT, ONE_WAY))
    run.repairs("node1", "systemctl start flanneld")
    run.talk(MENDED)


def restart_with_env(run: Run) -> None:
    """flanneld is down for 25 hours; subnet.env is still there."""
    run.breaks("node1", "systemctl stop flanneld")
    run.wait("25h")
    udp = run.backend == "udp"
    run.talk("25 h later, still down", around(1, CUT, CUT if udp else ONE_WAY))
    run.sees("node1", f"cat {ENV}", "FLANNEL_SUBNET=10.1.15.1/24")
    run.repairs("node1", "systemctl start flanneld")
    run.sees("node1", "journalctl -u flanneld", "Found previously leased subnet (10.1.15.0/24)")
    run.talk("flanneld starts")


def restart_without_env(run: Run) -> None:
    """The same, but subnet.env is gone (``/run`` is empty after a boot): another range."""
    run.breaks("node1", f"rm {ENV}", "systemctl restart flanneld")
    run.talk("restarted at once: etcd still has the lease")
    run.breaks("node1", "systemctl stop flanneld", f"rm {ENV}")
    run.wait("25h")
    run.breaks("node1", "systemctl start flanneld")
    lease = run.cluster.flanneld("node1").lease
    assert lease is not None
    subnet = str(lease.subnet)
    run.sees("node1", f"cat {ENV}", f"FLANNEL_SUBNET={subnet.replace('.0/', '.1/')}")
    run.sees("node1", "ip -br addr show docker0", "10.1.15.1/24")
    run.talk("restarted after 25 h", around(1, CUT, NAT) | {"same node": f"{NAT} / {TALKS}"})
    run.repairs(
        "node1", "systemctl stop flanneld", f"etcdctl del {LEASES}/{subnet.replace('/', '-')}"
    )
    reserve(run, 1, "10.1.15.0-24")
    run.repairs("node1", "systemctl start flanneld")
    run.talk(MENDED)


def env_missing(run: Run) -> None:
    """Someone deletes subnet.env under a running flanneld, where CNI plugs the pods in."""
    spec = example_spec(run.backend)
    run.cluster = Cluster(spec._replace(network=spec.network._replace(bridge="cni0")))
    run.breaks("node1", f"rm {ENV}")
    run.talk("at once")
    new = Pod("new", "node1", "10.1.15.9", (Container("new", ()),))
    with pytest.raises(K8sNetError, match="no such file") as refused:
        plug_pod(run.cluster.clone().network, run.cluster.spec, new)
    run.happens("# kubelet starts a new pod on node1; the CNI plugin says:", _no, "look")
    run.happens(f"#   {refused.value.message}", _no, "look")
    run.repairs("node1", "systemctl restart flanneld")
    run.sees("node1", f"cat {ENV}", "FLANNEL_SUBNET=10.1.15.1/24")
    plug_pod(run.cluster.clone().network, run.cluster.spec, new)
    run.talk(MENDED)


def stale_route(run: Run) -> None:
    """node2 leaves while flanneld on node1 is down: node1 never hears of it."""
    run.breaks("node1", "systemctl stop flanneld")
    run.breaks("node2", "systemctl stop flanneld")
    run.breaks("node3", f"etcdctl del {LEASES}/10.1.20.0-24")
    run.breaks("node1", "systemctl start flanneld")
    udp = run.backend == "udp"
    left = around(2, CUT, CUT if udp else ONE_WAY)
    if udp:
        run.sees(
            "node1", "journalctl -u flanneld -n 2", "Subnet added: 10.1.30", never="10.1.20.0/24"
        )
        run.talk("node2 has left", left)
    else:
        run.sees("node1", "ip route", "10.1.20.0/24")
        run.sees("node3", "ip route", never="10.1.20.0/24")
        stale = {column: fate for column, fate in left.items() if "1" not in column}
        run.talk("node2 has left", stale)
        if run.backend == "vxlan":
            run.repairs(
                "node1",
                "bridge fdb del 0e:f1:0a:01:14:00 dev flannel.1 dst 192.168.66.12",
                "ip neigh del 10.1.20.0 dev flannel.1",
            )
        run.repairs("node1", "ip route del 10.1.20.0/24")
        run.talk("the stale entries deleted: as on node3", left)
    run.repairs("node2", "systemctl start flanneld")
    run.talk("node2 is back")


# -- leases ---------------------------------------------------------------------------------------


def lease_expired(run: Run) -> None:
    """node2 does not reach etcd for more than a day; its pods live on."""
    run.talk("before")
    run.happens("# node2 is cut off from etcd", lambda c: c.cut_from_etcd("node2"))
    run.wait("23h59m")
    run.talk("after 23 h 59 min")
    run.wait("2m")
    run.sees("node2", "journalctl -u flanneld -n 1", "Error renewing lease")
    run.sees("node2", "systemctl is-active flanneld", "active")
    run.sees("node3", f"etcdctl get --prefix --keys-only {LEASES}", never="10.1.20.0-24")
    run.talk("after 24 h 1 min", around(2, CUT, ONE_WAY))
    run.happens("# node2 reaches etcd again", lambda c: c.reconnect("node2"), "repair")
    run.wait("5s", "repair")
    run.sees("node2", "journalctl -u flanneld", "Lease has been revoked. Shutting down daemon.")
    run.talk(MENDED)


def lease_taken(run: Run) -> None:
    """node2's lease ends, and another node gets its range."""
    run.cluster = Cluster(_four(run.backend), seed=SEED)
    run.pairs |= {"1→4": (("web2", "late"),)}
    run.happens("# node2 is cut off from etcd", lambda c: c.cut_from_etcd("node2"))
    run.wait("25h")
    run.talk("after 25 h", around(2, CUT, ONE_WAY))
    run.breaks("node4", "systemctl stop flanneld", f"rm {ENV}")
    run.breaks("node3", f"etcdctl del {LEASES}/10.1.25.0-24")
    run.breaks("node4", "systemctl start flanneld")
    renumber(run, "break", "node4", "10.1.25", "10.1.20")
    run.sees("node3", f"etcdctl get {LEASES}/10.1.20.0-24", "192.168.66.14")
    run.talk("node4, installed anew, has node2's range", around(2, CUT, ONE_WAY))
    run.happens("# node2 reaches etcd again", lambda c: c.reconnect("node2"))
    run.wait("5s")
    subnet = _subnet(run, "node2")
    run.sees("node2", f"cat {ENV}", subnet.replace(".0/", ".1/"))
    run.sees("node2", "ip -br addr show docker0", "10.1.20.1/24")
    # But for udp, node2's own way to the range now leads to node4, not to its bridge.
    udp = run.backend == "udp"
    near = f"{NAT if udp else ONE_WAY} / {TALKS}"
    back = around(2, CUT, NAT if udp else ONE_WAY)
    run.talk("node2 is back, with another range", {"same node": near} | back)
    renumber(run, "repair", "node2", "10.1.20", subnet.rpartition(".")[0])
    run.talk(MENDED)


#: With this seed node4 draws node2's range out of those that are free.
SEED = 13


def _four(backend: str) -> ClusterSpec:
    """The example with a fourth node, in a pool so small that ranges are soon used again."""
    spec = example_spec(backend)
    node4 = Node("node4", "192.168.66.14", Prefix.parse("10.1.25.0/24"))
    late = Pod("late", "node4", "10.1.25.9", (Container("late", (Listen("tcp", 8080),)),))
    network = spec.network._replace(subnet_min="10.1.15.0", subnet_max="10.1.30.0")
    return spec._replace(network=network, nodes=(*spec.nodes, node4), pods=(*spec.pods, late))


def _subnet(run: Run, node: str) -> str:
    lease = run.cluster.flanneld(node).lease
    return "" if lease is None else str(lease.subnet)


# -- ranges ---------------------------------------------------------------------------------------


def one_range(run: Run) -> None:
    """node2's Docker has node1's --bip."""
    renumber(run, "break", "node2", "10.1.20", "10.1.15")
    run.sees("node2", "ip -br addr show docker0", "10.1.15.1/24")
    run.sees("node2", f"cat {ENV}", "FLANNEL_SUBNET=10.1.20.1/24")
    # Where there are two routes to the range, the older one leads away from the bridge.
    udp = run.backend == "udp"
    near = f"{NAT} / {TALKS}" if udp else f"{ONE_WAY} / {TALKS}"
    run.talk("at once", {
        "same node": near, "1→2": WRONG, "3→2": WRONG, "2→1": CUT, "2→3": NAT if udp else ONE_WAY,
    })  # fmt: skip
    renumber(run, "repair", "node2", "10.1.15", "10.1.20")
    run.talk(MENDED)


def cidr(run: Run) -> None:
    """The Nodes' podCIDRs lie outside of flannel's Network."""
    spec = example_spec(run.backend, flanneld="--ip-masq --kube-subnet-mgr")
    network = spec.network._replace(pod_network=Prefix.parse("10.244.0.0/16"))
    run.cluster = Cluster(spec._replace(network=network))
    run.happens("# the Nodes' ranges are in 10.1.0.0/16, flannel's Network is 10.244.0.0/16", _no)
    run.sees("node1", "systemctl is-active flanneld", "activating")
    run.sees("node1", "journalctl -u flanneld", "doesn't contain")
    run.talk("from the start", dict.fromkeys(("1→2", "2→1", "1→3", "3→1", "2→3", "3→2"), CUT))
    run.happens("# Network 10.1.0.0/16 in flannel's ConfigMap; flanneld restarts", _no, "repair")
    run.cluster = Cluster(spec)
    run.talk(MENDED)


def _no(cluster: Cluster) -> None:
    """Nothing is done: it was so from the start."""
