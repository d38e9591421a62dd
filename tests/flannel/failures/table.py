"""What lives here: the list of failures, with what a reader wants to know of each."""

from __future__ import annotations

from tests.flannel.failures import leases, path
from tests.flannel.failures.run import Failure

OVERLAYS = ("udp", "vxlan")

#: Issues of flannel's repository in which people met the failure, or asked about it.
ASKED = {
    "etcd-lost": (294,),
    "lost-or-cut-off": (294,),
    "flanneld-stopped": (636,),
    "restart-with-subnet-env": (205,),
    "restart-without-subnet-env": (205, 556, 621),
    "subnet-env-missing": (2232, 2253),
    "lease-expired": (29, 904),
    "lease-taken": (520, 1289, 1343),
    "stale-route": (509, 2554),
    "watch-compacted": (125,),
    "one-range": (805,),
    "one-public-ip": (98,),
    "wrong-interface": (760, 1192),
    "forward-drop": (609, 799),
    "mtu-black-hole": (463,),
    "overlay-port-blocked": (423, 1704),
    "vtep-mac-changed": (1330, 1795),
    "cidr-mismatch": (1428,),
}

FAILURES = (
    Failure(
        "etcd-lost",
        "All of etcd is lost",
        "etcd has no quorum, or nobody reaches it.",
        "Nothing, as long as nobody is restarted: no packet asks etcd, and no lease can end without "
        "it. A flanneld that starts now waits for its configuration. With udp its node's pods are "
        "cut off meanwhile, since flannel0 went with the old process; vxlan and host-gw leave all "
        "in the kernel. New nodes cannot join.",
        "Bring etcd back; flannel needs nothing else. Do not restart flanneld before.",
        leases.etcd_lost,
    ),
    Failure(
        "lost-or-cut-off",
        "25 hours: all of etcd lost, against one node cut off",
        "The same silence, seen from one node; but in the second case etcd runs, and counts the "
        "node's 24 hours.",
        "Without any etcd all goes on. With one node cut off, etcd deletes its key after 24 hours, "
        "and all the others delete the way to its pods.",
        "Let the node reach etcd again. Watch the clock of a node that cannot renew: flanneld "
        "tries each minute from the 23rd hour on, and says so in its journal.",
        leases.etcd_lost_or_cut_off,
    ),
    Failure(
        "flanneld-stopped",
        "flanneld is stopped",
        "The daemon of one node ends: stopped, crashed, evicted.",
        "udp: the node's pods lose all other nodes at once, since every packet passes through the "
        "process and flannel0 vanishes with it. vxlan and host-gw: nothing for a day; then the "
        "lease ends, and the others delete the way to this node.",
        "Start it; the pods need not be touched.",
        leases.flanneld_stopped,
    ),
    Failure(
        "restart-with-subnet-env",
        "flanneld comes back after its lease has ended, with subnet.env",
        "A node was off for more than a day.",
        "None that stays: flanneld reads its old range from subnet.env, finds it free, takes it.",
        "Start flanneld. If another node has taken the range meanwhile, see "
        "[a lost lease that another node gets](#lease-taken).",
        leases.restart_with_env,
    ),
    Failure(
        "restart-without-subnet-env",
        "flanneld comes back after its lease has ended, without subnet.env",
        "`/run` is empty after a boot, and the lease in etcd has ended. (While etcd has the lease, "
        "flanneld finds it there by the node's address, and a lost file does no harm.)",
        "flanneld gets another range, by chance. docker0 (or cni0) and the pods keep the old one: "
        "nobody finds them. What they send still arrives, masqueraded: for flannel's rules they "
        "are no longer this node's pods, not even towards each other. So connections from these "
        "pods work, and those to them do not.",
        "Either the bridge follows (Docker with the new `--bip`, then every pod anew), or the old "
        "range is put back under the node's address, as here; pods then keep running.",
        leases.restart_without_env,
    ),
    Failure(
        "subnet-env-missing",
        "subnet.env is missing while all runs",
        "The file is deleted under a running flanneld, or flanneld has never got that far.",
        "Pods that run go on. No new pod starts on the node: the flannel CNI plugin reads the file "
        "for each.",
        "Restart flanneld: it writes the file when it starts, and only then. If it does not, read "
        "its journal: it has no lease.",
        leases.env_missing,
    ),
    Failure(
        "lease-expired",
        "A lease ends while the node lives on",
        "One node does not reach etcd for 24 hours; its renewals fail from the 23rd hour on.",
        "For a day nothing. Then the others delete the way to this node. Its own flanneld does not "
        "know: packets from its pods still arrive, and the answers find no way.",
        "Let it reach etcd. flanneld then sees that its lease is gone, ends, is started again five "
        "seconds later, and gets its old range, if nobody else has it.",
        leases.lease_expired,
    ),
    Failure(
        "lease-taken",
        "A lease is lost, and another node gets the range",
        "As before, but in the time between a new node draws the free range.",
        "Two nodes have bridges of one range. All packets go to the new one. When the old node is "
        "back it leases another range, its bridge does not follow; with vxlan and host-gw flanneld "
        "even leads the node's own way to its bridge off to the new node. (Until 2021 a flanneld took "
        "the range of its subnet.env back, whoever had it.)",
        "The node whose lease it is not gets the bridge of its new lease: Docker with the new "
        "`--bip`, pods anew.",
        leases.lease_taken,
    ),
    Failure(
        "stale-route",
        "A node is removed while a flanneld is down",
        "flanneld starts with the list of leases there are, and adds. What left while it was down "
        "it never hears of, and does not look for.",
        "One node keeps a route (with vxlan also a neighbour and a forwarding entry) to a node that "
        "the others have forgotten. Its packets go to whoever has that address now. udp has no "
        "such trace: its list dies with the process.",
        "Compare `ip route` with the keys in etcd, and delete by hand what is too much.",
        leases.stale_route,
    ),
    Failure(
        "watch-compacted",
        "A watch falls behind a compaction",
        "A node was cut off from etcd, and what it missed is thrown away by compaction.",
        "flanneld lists all leases anew and compares: what is gone, it removes, what is new, it "
        "adds. But a lease that it knows and that *changed* is not announced. With vxlan it misses "
        "a peer's new MAC address, until that peer renews its lease (up to 23 hours).",
        "Restart flanneld on the node that was cut off: it starts from the list.",
        leases.watch_compacted,
    ),
    Failure(
        "one-range",
        "Two nodes with one range",
        "A bridge has not the range of its node's lease, but another node's: Docker was started "
        "before flanneld, with an old `--bip`, or a machine was cloned.",
        "Pods of two nodes have the same addresses. Whoever sends to them reaches the node that has "
        "the lease. The other node looks for them on its own bridge. flannel's masquerade hides a "
        "part of it.",
        "Compare docker0 with subnet.env on every node; start Docker with that `--bip`.",
        leases.one_range,
    ),
    Failure(
        "one-public-ip",
        "Every node announces the same public address",
        "flannel takes the interface of the default route. In virtual machines behind a NAT that is "
        "10.0.2.15 on each.",
        "udp and vxlan: all nodes share one lease; no way leads anywhere. host-gw: flanneld refuses "
        "to start where the public address is not the interface's.",
        "`--iface` with the interface by which the nodes see each other. Leases and subnet.env are "
        "wrong by now as well: put each node's range back under its own address.",
        path.one_public_ip,
    ),
    Failure(
        "wrong-interface",
        "flanneld takes the wrong interface",
        "A node has two, and the default route leads to the one by which no other node reaches it.",
        "Packets to its pods are sent to an address that nobody finds. Packets from its pods may "
        "arrive (udp, vxlan); the answers do not. host-gw: the kernel refuses the routes.",
        "`--iface`. Delete the lease with the wrong address first: flanneld looks for its lease by "
        "its address, and would take another range.",
        path.wrong_interface,
    ),
    Failure(
        "forward-drop",
        "FORWARD policy DROP, and flannel's forward rules are off",
        "Docker since 1.13, or a host's firewall, sets the policy to DROP. flannel's two rules "
        "(`--iptables-forward-rules`, on unless switched off) are what makes up for it.",
        "All routes are right, nothing passes: no pod reaches another, not even on its own node, "
        "since bridged packets pass FORWARD too (bridge-nf-call-iptables). Nodes reach each other.",
        "Leave flannel's rules on, or accept the pod network in FORWARD yourself.",
        path.forward_drop,
    ),
    Failure(
        "mtu-black-hole",
        "The path takes less than eth0 claims",
        "A tunnel or a switch between the nodes carries less than the nodes' MTU, and says nothing.",
        "A ping works, a connection opens, and hangs with the first full segment. flannel takes its "
        "MTU from the interface, so it believes the same.",
        "Mend the path; or tell the nodes: the MTU of eth0 (and of flannel.1, which flanneld leaves "
        "as it is), then restart flanneld. Pods that run keep their MTU, and learn the path's from "
        "their node's ICMP.",
        path.black_hole,
    ),
    Failure(
        "overlay-port-blocked",
        "The overlay's port is blocked between nodes",
        "A firewall or a cloud's security group lets the nodes talk, but not UDP 8285 (udp) or 8472 "
        "(vxlan).",
        "Nodes ping each other, pods of different nodes do not. tcpdump still sees the packets "
        "arrive at eth0, since it looks before the firewall does.",
        "Open the port in both directions, between all nodes.",
        path.port_blocked,
        OVERLAYS,
        "host-gw has no port: there a network that drops packets with foreign addresses does the "
        "same harm.",
    ),
    Failure(
        "vtep-mac-changed",
        "A peer's VTEP MAC has changed",
        "Something else than flanneld made flannel.1 anew or changed its address (udev, a network "
        "manager); the peers have the old one from the lease.",
        "Packets arrive at the node, and its flannel.1 ignores them: the inner frame is for another "
        "MAC.",
        "Restart flanneld on that node: it writes its MAC into its lease, and all the others follow.",
        path.vtep_mac,
        ("vxlan",),
        "Only vxlan has a VTEP.",
    ),
    Failure(
        "pod-mask",
        "A pod's mask is too wide",
        "The pod's address has the whole network's mask (/16), not that of its node's range (/24).",
        "The pod takes every pod for a neighbour and looks for it on its own bridge. It reaches its "
        "own node's pods only.",
        "Give it the range's mask; with CNI: look at the `subnet` that host-local was given.",
        path.pod_mask,
    ),
    Failure(
        "cidr-mismatch",
        "Kubernetes and flannel disagree on the pod network",
        "kubeadm's `--pod-network-cidr` is not the `Network` of flannel's ConfigMap "
        "(`--kube-subnet-mgr`).",
        "Nodes are Ready perhaps, but flanneld does not start: no node learns of another. (In 2021 it "
        "did not look yet, and ran with the wrong Network in subnet.env.)",
        "Make both the same; restart flanneld.",
        leases.cidr,
    ),
)  # fmt: skip
