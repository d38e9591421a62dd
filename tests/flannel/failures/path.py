"""What lives here: failures of the path: addresses, interfaces, rules, sizes, ports."""

from __future__ import annotations

from k8snetlib import Cluster
from k8snetlib.address import mac_for
from k8snetlib.linux.netns import Netns
from tests.flannel.failures.leases import ENV, MENDED, reserve
from tests.flannel.failures.run import CUT, LEASES, NAT, ONE_WAY, SMALL, TALKS, Run, around

PODS = ("1→2", "2→1", "1→3", "3→1", "2→3", "3→2")
PORT = {"udp": 8285, "vxlan": 8472}


def one_public_ip(run: Run) -> None:
    """Every machine's first interface has the same address behind a NAT: flannel announces it."""
    words = "--ip-masq --iface=eth0 --public-ip=10.0.2.15"
    run.cluster = Cluster.example(run.backend, flanneld=words)
    run.happens(f"# from the start, on every node: flanneld {words}", lambda c: None)
    cluster = run.cluster
    if run.backend == "host-gw":
        run.sees("node1", "systemctl is-active flanneld", "activating")
        run.sees("node1", "journalctl -u flanneld", "your PublicIP differs from interface IP")
        run.talk("from the start", dict.fromkeys(PODS, CUT))
    else:
        run.sees("node1", f"etcdctl get --prefix {LEASES}", "10.1.15.0-24", "10.0.2.15")
        run.sees("node2", f"cat {ENV}", "FLANNEL_SUBNET=10.1.15.1/24")
        near = {"same node": f"{NAT} / {TALKS}"}
        run.talk("from the start", near | dict.fromkeys(PODS, CUT))
        for node in cluster.nodes:
            run.repairs(node, "systemctl stop flanneld")
        run.repairs("node3", f"etcdctl del --prefix {LEASES}")
        for number, subnet in enumerate(("10.1.15.0-24", "10.1.20.0-24", "10.1.30.0-24"), 1):
            reserve(run, number, subnet)
    for node in cluster.nodes:
        run.options(node, "--ip-masq --iface=eth0")
    run.talk(MENDED)


def wrong_interface(run: Run) -> None:
    """node2's default route leads to another interface, which the other nodes cannot reach."""
    run.breaks("node2", "systemctl stop flanneld", f"etcdctl del {LEASES}/10.1.20.0-24")
    run.happens("# node2 gets a second interface, eth1, in a network behind a NAT", _second)
    run.breaks("node2", "ip route replace default via 10.0.2.2 dev eth1")
    run.breaks("node2", "systemctl start flanneld")
    run.sees("node2", "journalctl -u flanneld", "Using interface with name eth1")
    run.sees("node3", f"etcdctl get {LEASES}/10.1.20.0-24", '"PublicIP":"10.0.2.15"')
    run.talk("at once", around(2, CUT, CUT if run.backend == "host-gw" else ONE_WAY))
    run.repairs("node2", "systemctl stop flanneld", f"etcdctl del {LEASES}/10.1.20.0-24")
    run.options("node2", "--ip-masq --iface=eth0")
    run.talk(MENDED)


def _second(cluster: Cluster) -> None:
    """A machine of another network at the other end of node2's eth1; it leads to no node."""
    nat, node2 = cluster.network.add(Netns("nat", "router")), cluster["node2"]
    here, there = (
        (node2, "eth1", mac_for("02:66", "10.0.2.15")),
        (nat, "eth0", mac_for("02:66", "10.0.2.2")),
    )
    cluster.network.wire(here, there)
    node2.add_address("eth1", "10.0.2.15/24")
    nat.add_address("eth0", "10.0.2.2/24")


def forward_drop(run: Run) -> None:
    """A firewall, or Docker since 1.13, sets FORWARD to DROP; flannel's two rules are off."""
    words = "--ip-masq --iptables-forward-rules=false"
    run.cluster = Cluster.example(run.backend, flanneld=words)
    run.happens(f"# from the start, on every node: flanneld {words}", lambda c: None)
    for node in run.cluster.nodes:
        run.breaks(node, "iptables -P FORWARD DROP")
    run.sees("node1", "iptables -S FORWARD", "-P FORWARD DROP", never="FLANNEL-FWD")
    run.sees("node1", "ip route get 10.1.20.3 from 10.1.15.2 iif docker0", "10.1.20.3")
    run.talk("at once", dict.fromkeys(("same node", *PODS), CUT))
    run.sees("web2", "ping -c 1 -W 1 10.1.20.3", "100% packet loss")
    run.sees("node1", "iptables -L FORWARD -n -v", "policy DROP")
    for node in run.cluster.nodes:
        run.options(node, "--ip-masq")
    run.sees("node1", "iptables -S FORWARD", "FLANNEL-FWD")
    run.talk(MENDED)


def black_hole(run: Run) -> None:
    """A switch on the way to node2 takes 1,400 bytes; every eth0 claims 1,500."""
    run.breaks("switch", "ip link set p-node2 mtu 1400")
    run.talk("at once", around(2, SMALL, SMALL) | {"nodes": f"{SMALL} / {TALKS}"})
    size = {"udp": 1472, "vxlan": 1450, "host-gw": 1500}[run.backend] - 28
    run.sees("web2", f"ping -c 1 -M do -s {size - 100} 10.1.20.3", "1 received")
    run.sees("web2", f"ping -c 1 -W 1 -M do -s {size} 10.1.20.3", "0 received")
    for node in run.cluster.nodes:
        run.repairs(node, "ip link set eth0 mtu 1400")
        if run.backend == "vxlan":
            run.repairs(node, "ip link set flannel.1 mtu 1350")
        run.repairs(node, "systemctl restart flanneld")
    run.sees("node1", f"cat {ENV}", f"FLANNEL_MTU={size - 72}")
    run.talk(MENDED)


def port_blocked(run: Run) -> None:
    """A firewall on node2 lets the nodes' packets pass, but not the overlay's."""
    rule = f"INPUT -p udp --dport {PORT[run.backend]} -j DROP"
    run.breaks("node2", f"iptables -I {rule}")
    run.sees("node1", "ping -c 1 192.168.66.12", "1 received")
    run.talk("at once", around(2, CUT, ONE_WAY))
    run.sees("web2", "ping -c 1 -W 1 10.1.20.3", "0 received")
    run.sees("node2", "tcpdump -ni eth0 udp", f"192.168.66.12.{PORT[run.backend]}: ")
    run.sees("node2", "iptables -L INPUT -n -v", f"udp dpt:{PORT[run.backend]}")
    run.repairs("node2", f"iptables -D {rule}")
    run.talk(MENDED)


def vtep_mac(run: Run) -> None:
    """Something else than flanneld gives node2's flannel.1 another MAC address."""
    run.breaks("node2", "ip link set flannel.1 address 0e:f1:0a:01:14:99")
    run.sees("node2", "ip -br link show flannel.1", "0e:f1:0a:01:14:99")
    run.sees("node1", "ip neigh show dev flannel.1", "10.1.20.0 lladdr 0e:f1:0a:01:14:00 PERMANENT")
    run.sees("node1", "bridge fdb show dev flannel.1", "0e:f1:0a:01:14:00 dst 192.168.66.12")
    run.talk("at once", around(2, CUT, ONE_WAY))
    run.repairs("node2", "systemctl restart flanneld")
    run.sees("node1", "ip neigh show dev flannel.1", "10.1.20.0 lladdr 0e:f1:0a:01:14:99 PERMANENT")
    run.talk(MENDED)


def pod_mask(run: Run) -> None:
    """A pod's mask is the whole network's: it looks for every pod on its own bridge."""
    run.breaks("web2", "ip addr del 10.1.15.2/24 dev eth0", "ip addr add 10.1.15.2/16 dev eth0")
    run.breaks("web2", "ip route add default via 10.1.15.1")
    run.sees("web2", "ip route", "10.1.0.0/16 dev eth0")
    run.talk("at once", {"1→2": CUT, "1→3": CUT, "2→1": ONE_WAY, "3→1": ONE_WAY})
    run.sees(
        "web2", "ping -c 1 10.1.20.3", "From 10.1.15.2 icmp_seq=1 Destination Host Unreachable"
    )
    run.repairs("web2", "ip addr del 10.1.15.2/16 dev eth0", "ip addr add 10.1.15.2/24 dev eth0")
    run.repairs("web2", "ip route add default via 10.1.15.1")
    run.talk(MENDED)
