"""What lives here: faults of what flannel, etcd and the CNI plugins know and write."""

from __future__ import annotations

from random import Random

from k8snetlib.address import Prefix
from k8snetlib.cluster import Cluster
from k8snetlib.course.incidents.causes import PATH
from k8snetlib.course.incidents.clusters import (
    LEASES,
    a_pod_on,
    ip_of,
    other_nodes,
    pods_on,
    range_of,
    typed,
    whole,
)
from k8snetlib.course.incidents.fault import Fault, Probe, Scene
from k8snetlib.course.incidents.flows import NOBODY, Flow
from k8snetlib.flannel import subnet_env
from k8snetlib.kube.api import Container, Listen, Pod, example_spec
from k8snetlib.kube.apiserver import api_server

ENV = subnet_env.PATH
#: Where the CNI plugin host-local keeps the addresses it gave away.
CNI = "/var/lib/cni/networks/cbr0"
LATE = (("app", "late"),)


def across(cluster: Cluster, dice: Random) -> list[tuple[str, str]]:
    """A pod of each node, and one of the next node."""
    pods = {node: a_pod_on(cluster, node, dice).name for node in cluster.nodes}
    names = list(pods.values())
    return list(zip(names, names[1:] + names[:1], strict=True))


def one_public_ip(dice: Random) -> Scene:
    """Every machine's first interface has the same address behind a NAT: flannel announces it."""
    ip = f"10.0.2.{dice.choice([15, 16, 17, 18])}"
    cluster = whole("udp", flanneld="--ip-masq --iface=eth0")
    broken = Cluster.example("udp", flanneld=f"--ip-masq --iface=eth0 --public-ip={ip}")
    probes = tuple(
        Probe(Flow(sender, target), "lost", "", "") for sender, target in across(cluster, dice)
    )
    words = {"ip": ip, "pod": probes[0].flow.source, "far": probes[0].flow.target}
    return Scene(cluster, broken, probes, words | _ranges(cluster))


def _ranges(cluster: Cluster) -> dict[str, str]:
    return {f"range{n}": range_of(cluster, node) for n, node in enumerate(cluster.nodes, 1)}


def lease_lost(dice: Random) -> Scene:
    """A node that was off for more than a day, and has forgotten its range: it leases another."""
    cluster = whole("vxlan")
    node = dice.choice(cluster.nodes)
    broken = cluster.clone()
    typed(broken, node, "systemctl stop flanneld", f"rm {ENV}")
    broken.advance("25h")
    typed(broken, node, "systemctl start flanneld")
    lease = broken.flanneld(node).lease
    assert lease is not None, "another range was free"
    pod = a_pod_on(cluster, node, dice).name
    senders = [a_pod_on(cluster, other, dice).name for other in other_nodes(cluster, node)]
    probes = (
        *(Probe(Flow(one, pod), "lost", "router", "no route back") for one in senders),
        Probe(Flow(pod, senders[0]), "delivered", senders[0], "", True),
    )
    words = {
        "node": node, "pod": pod, "sender": senders[0], "nodeip": ip_of(cluster, node),
        "new": str(lease.subnet).replace("/", "-"), "range": range_of(cluster, node),
        "leases": LEASES,
    }  # fmt: skip
    return Scene(cluster, broken, probes, words)


def cidr_mismatch(dice: Random) -> Scene:
    """flannel's ConfigMap names another network than kubeadm gave to the nodes."""
    spec = example_spec("vxlan", flanneld="--ip-masq --kube-subnet-mgr")
    cluster = whole("vxlan", flanneld="--ip-masq --kube-subnet-mgr")
    wrong = dice.choice(["10.244.0.0/16", "10.42.0.0/16", "10.200.0.0/16"])
    network = spec.network._replace(pod_network=Prefix.parse(wrong))
    broken = Cluster(spec._replace(network=network))
    for node in broken.nodes:  # kube-proxy has been told the right one
        proxy = broken.kube_proxy(node)
        proxy.config = cluster.kube_proxy(node).config
        proxy.restart()
    probes = tuple(
        Probe(Flow(sender, target), "lost", "", "") for sender, target in across(cluster, dice)
    )
    words = {"wrong": wrong, "pod": probes[0].flow.source, "far": probes[0].flow.target,
             "right": str(spec.network.pod_network)}  # fmt: skip
    return Scene(cluster, broken, probes, words)


def forward_drop(dice: Random) -> Scene:
    """FORWARD drops, and flannel's forward rules are off: on two nodes."""
    base = whole("vxlan")
    cluster = base.clone()
    for node in cluster.nodes:
        typed(cluster, node, "iptables -P FORWARD DROP")
    nodes = sorted(dice.sample(cluster.nodes, 2))
    broken = cluster.clone()
    for node in nodes:
        broken.restart_flanneld(node, "--ip-masq --iptables-forward-rules=false")
        typed(
            broken, node,
            'iptables -D FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
            "iptables -F FLANNEL-FWD", "iptables -X FLANNEL-FWD",
        )  # fmt: skip
    third = next(node for node in cluster.nodes if node not in nodes)
    sender = a_pod_on(cluster, third, dice).name
    probes = tuple(
        Probe(Flow(sender, a_pod_on(cluster, node, dice).name), "dropped", node, "policy")
        for node in nodes
    )
    words = {"node": nodes[0], "other": nodes[1], "pod": sender, "third": third}
    return Scene(cluster, broken, probes, words)


def cut_from_etcd(dice: Random) -> Scene:
    """A node that has not reached etcd for 25 hours: its tunnel to etcd does not run."""
    from k8snetlib.course.incidents.tunnel import EtcdTunnel
    from k8snetlib.linux.service import install

    cluster = Cluster.example("vxlan")
    for node in cluster.nodes:
        install(EtcdTunnel(cluster[node])).start()
    node = dice.choice(cluster.nodes)
    broken = cluster.clone()
    typed(broken, node, "systemctl stop etcd-tunnel")
    broken.advance("25h")
    pod = a_pod_on(cluster, node, dice).name
    senders = [a_pod_on(cluster, other, dice).name for other in other_nodes(cluster, node)]
    probes = tuple(Probe(Flow(one, pod), "lost", "", "") for one in senders)
    words = {"node": node, "pod": pod, "sender": senders[0], "nodeip": ip_of(cluster, node),
             "range": range_of(cluster, node), "leases": LEASES}  # fmt: skip
    return Scene(cluster, broken, probes, words)


def leaked_addresses(dice: Random) -> Scene:
    """A node whose list of used addresses is full of pods that are gone: a new pod gets none."""
    spec = example_spec("vxlan")
    nodes = tuple(
        one._replace(pod_cidr=Prefix.parse(str(one.pod_cidr).replace("/24", "/28")))
        for one in spec.nodes
    )
    network = spec.network._replace(bridge="cni0", subnet_len=28)
    cluster = Cluster(spec._replace(network=network, nodes=nodes))
    broken = cluster.clone()
    node = dice.choice(cluster.nodes)
    living = {pod.ip for pod in pods_on(cluster, node)}
    start = range_of(cluster, node)
    leaked = [ip for n in range(2, 15) if (ip := f"{start}.{n}") not in living]
    for ip in leaked:
        broken[node].files[f"{CNI}/{ip}"] = f"{dice.getrandbits(256):064x}\r\neth0"
    for name in ("late", "later"):
        pod = Pod(name, node, "", (Container(name, (Listen("tcp", 8080),)),), labels=LATE)
        for one in (cluster, broken):
            api_server(one.network).put(pod)
    senders = [a_pod_on(cluster, other, dice).name for other in other_nodes(cluster, node)]
    probes = tuple(Probe(Flow(one, name), NOBODY) for name in ("late", "later") for one in senders)
    words = {"node": node, "files": " ".join(f"{CNI}/{ip}" for ip in leaked), "sender": senders[0],
             "first": f"{CNI}/{leaked[0]}", "living": f"{CNI}/{min(living)}"}  # fmt: skip
    return Scene(cluster, broken, probes, words)


def no_subnet_env(dice: Random) -> Scene:
    """A node whose /run was cleaned: flanneld's file is gone, and no new pod can be plugged in."""
    spec = example_spec("vxlan")
    cluster = Cluster(spec._replace(network=spec.network._replace(bridge="cni0")))
    broken = cluster.clone()
    node = dice.choice(cluster.nodes)
    typed(broken, node, f"rm {ENV}")
    late = Pod("late", node, "", (Container("late", (Listen("tcp", 8080),)),), labels=LATE)
    for one in (cluster, broken):
        api_server(one.network).put(late)
    senders = [a_pod_on(cluster, other, dice).name for other in other_nodes(cluster, node)]
    probes = tuple(Probe(Flow(one, "late"), NOBODY) for one in senders)
    return Scene(cluster, broken, probes, {"node": node, "pod": pods_on(cluster, node)[0].name})


FAULTS = (
    Fault(
        "one-public-ip",
        "Nothing works after the move to virtual machines",
        "We moved the three machines into a virtual lab. The pods came up. Each pod talks to those "
        "on its own machine. But {pod} does not reach {far}, and no pod reaches another machine's "
        "pods. The machines ping each other at 192.168.66.x.",
        "one-public-ip",
        PATH,
        {
            "overlay-port-blocked": (
                "OVERLAY_FW",
                "No packet is dropped by a firewall here. It is never sent to the right machine.",
            ),
            "wrong-interface": (
                "IFACE",
                "The interface is right this time. Look at the address that flannel announces.",
            ),
            "etcd-down": (
                "ETCD_DOWN",
                "etcd answers. Read what it holds: how many leases are there?",
            ),
            "lease-lost": ("SUBNET_KEEP", "No lease has ended. Read all leases: whose are they?"),
        },
        one_public_ip,
    ),
    Fault(
        "lease-lost",
        "Back from repair, and nobody finds its pods",
        "{node} was switched off over the weekend. Now it runs again, and all its pods run. They "
        "can call others, but {sender} and everybody else wait for {pod} in vain.",
        "lease-lost",
        PATH,
        {
            "flanneld-stopped": (
                "SUBNET_KEEP",
                "flanneld runs. But does it hold the range that the bridge has?",
            ),
            "overlay-port-blocked": (
                "OVERLAY_FW",
                "Packets from its pods do arrive elsewhere. So the overlay works.",
            ),
            "stale-route": (
                "SUBNET_KEEP",
                "The route to the old range is gone, not stale. You seem "
                "to think that a node keeps its range for ever.",
            ),
        },
        lease_lost,
    ),
    Fault(
        "cidr-mismatch",
        "A fresh cluster in which only machines talk",
        "We set up a new cluster by the book. All nodes are Ready. But {pod} does not reach {far}, "
        "and no pod reaches another machine's pods.",
        "cidr-mismatch",
        PATH,
        {
            "etcd-down": ("CIDR", "There is no etcd for flannel here: it asks the API server."),
            "overlay-port-blocked": (
                "OVERLAY_FW",
                "There is no overlay yet to be blocked. Read flanneld's journal.",
            ),
            "flanneld-stopped": (
                "CIDR",
                "It is started again and again, and ends by itself. You "
                "seem to think that Ready means the ranges agree.",
            ),
        },
        cidr_mismatch,
    ),
    Fault(
        "forward-drop",
        "Right routes, no packets",
        "Since the last change to flanneld's start-up, {pod} cannot reach the pods on {node} and "
        "{other}. We compared the routing tables of all machines: they are perfect.",
        "forward-drop",
        PATH,
        {
            "no-route": (
                "FWD",
                "The routes are right, as the ticket says. You seem to think that "
                "right routes mean packets flow.",
            ),
            "overlay-port-blocked": (
                "OVERLAY_FW",
                "The outer packet arrives and is unwrapped. It is lost one step later.",
            ),
            "forwarding-off": ("FWD", "ip_forward is on. A rule, or the want of one, drops it."),
        },
        forward_drop,
    ),
    Fault(
        "etcd-cut",
        "Since this morning one machine is out of reach",
        "Yesterday all was well. This morning {sender} gets no answer from {pod}, nor from any "
        "other pod on {node}. Nobody changed anything on {node}; its pods still run.",
        "cut-from-etcd",
        PATH,
        {
            "etcd-down": (
                "ETCD_DOWN",
                "When all of etcd is down no lease ends. Here one has ended.",
            ),
            "stale-route": (
                "STALE_ROUTE",
                "The others have deleted their routes, as they should. Why did the lease end?",
            ),
            "flanneld-stopped": (
                "SUBNET_KEEP",
                "flanneld runs on that node. Its journal says what it cannot do.",
            ),
        },
        cut_from_etcd,
    ),
    Fault(
        "leaked-addresses",
        "Two pods that never start",
        "Our new pods late and later have waited for hours: ContainerCreating. They must run on "
        "{node}. There are only a few pods on {node}, and those run well. {node} crashed twice.",
        "leaked-addresses",
        PATH,
        {
            "subnet-env-missing": (
                "LEAK",
                "The file is there, and the plugin has read it. Read "
                "what kubelet says it was refused.",
            ),
            "flanneld-stopped": ("LEAK", "flanneld runs; it gives no address to a pod. Who does?"),
            "lease-lost": ("LEAK", "The range is the right one. Is there a free address in it?"),
        },
        leaked_addresses,
        kernel=False,
    ),
    Fault(
        "subnet-env",
        "Old pods are fine, new ones never start",
        "Our new pod late waits since this morning: ContainerCreating. It must run on {node}. "
        "{pod} and all others there are fine. Last night a script tidied up the disk of {node}.",
        "subnet-env-missing",
        PATH,
        {
            "leaked-addresses": (
                "LEAK",
                "The plugin did not come as far as an address. Read what kubelet says.",
            ),
            "flanneld-stopped": (
                "POD_WATCH",
                "flanneld runs, and hears nothing of pods. What did it leave for the plugin?",
            ),
            "lease-lost": (
                "SUBNET_KEEP",
                "etcd still holds this node's lease. Who tells the plugin of it?",
            ),
            "etcd-down": (
                "ETCD_DOWN",
                "etcd answers. And the plugin reads a file, it does not ask etcd.",
            ),
        },
        no_subnet_env,
        kernel=False,
    ),
)
