"""What lives here: faults on the way between pods: addresses, bridges, tunnels, links, routes."""

from __future__ import annotations

from random import Random

from k8snetlib.cluster import Cluster
from k8snetlib.course.incidents.causes import PATH
from k8snetlib.course.incidents.clusters import (
    PORT,
    a_pod_on,
    ip_of,
    other_nodes,
    pods_on,
    range_of,
    typed,
    whole,
)
from k8snetlib.course.incidents.fault import Fault, Probe, Scene
from k8snetlib.course.incidents.flows import LARGE, Flow
from k8snetlib.kube.api import ClusterSpec, Container, Listen, example_spec

ROUTER = "192.168.66.1"
#: A machine that was taken out of the rack: nobody has its address.
GONE = "192.168.66.14"

# -- the program and its pod ----------------------------------------------------------------------


def loopback_server(dice: Random) -> Scene:
    """A web server that listens on 127.0.0.1:80 only."""
    pod = dice.choice(["web1", "web2"])
    spec = example_spec("vxlan")
    broken = Cluster(_on_loopback(spec, pod))
    other = "web1" if pod == "web2" else "web2"
    probes = tuple(
        Probe(Flow(sender, pod, 80, "tcp"), "refused", pod, "TCP reset")
        for sender in (other, "backend-c", "node1")
    )
    return Scene(whole("vxlan"), broken, probes, {"pod": pod, "other": other})


def _on_loopback(spec: ClusterSpec, name: str) -> ClusterSpec:
    bound = (Listen("tcp", 80, "127.0.0.1"),)
    pods = tuple(
        pod._replace(containers=(Container("web", bound), *pod.containers[1:]))
        if pod.name == name
        else pod
        for pod in spec.pods
    )
    return spec._replace(pods=pods)


def pod_mask(dice: Random) -> Scene:
    """A pod whose mask is that of the whole pod network."""
    cluster = whole("udp")
    node = dice.choice(cluster.nodes)
    pod = a_pod_on(cluster, node, dice)
    gateway = f"{range_of(cluster, node)}.1"
    broken = cluster.clone()
    typed(
        broken, pod.name,
        f"ip addr del {pod.ip}/24 dev eth0", f"ip addr add {pod.ip}/16 dev eth0",
        f"ip route add default via {gateway}",
    )  # fmt: skip
    far = [a_pod_on(cluster, other, dice).name for other in other_nodes(cluster, node)]
    probes = tuple(
        Probe(Flow(pod.name, name), "unreachable", pod.name, "host unreachable") for name in far
    )
    words = {"pod": pod.name, "ip": pod.ip, "gateway": gateway, "node": node, "far": far[0]}
    return Scene(cluster, broken, probes, words)


def one_range(dice: Random) -> Scene:
    """A node whose Docker has the range of another node."""
    cluster = whole("udp")
    second = dice.choice([node for node in cluster.nodes if len(pods_on(cluster, node)) == 2])
    first = dice.choice(other_nodes(cluster, second))
    broken = cluster.clone()
    renumber(broken, second, range_of(cluster, second), range_of(cluster, first))
    pods = pods_on(cluster, second)
    third = next(n for n in cluster.nodes if n not in (first, second))
    probes = tuple(
        Probe(Flow(a_pod_on(cluster, node, dice).name, pod.ip, port, "tcp"), "lost", second)
        for node in (first, third)
        for pod in pods
        for port in [8080 if "backend" in pod.name else 80]
    )
    words = {"node": second, "first": first, "wrong": range_of(cluster, first),
             "range": range_of(cluster, second)}  # fmt: skip
    for n, pod in enumerate(pods, 1):
        words |= {f"pod{n}": pod.name, f"last{n}": pod.ip.rpartition(".")[2]}
    return Scene(cluster, broken, probes, words)


def renumber(cluster: Cluster, node: str, old: str, new: str) -> None:
    """What is left when Docker on a node has started with another ``--bip``, and its pods anew."""
    hosts = [(node, "docker0"), *((pod.name, "eth0") for pod in pods_on(cluster, node))]
    for host, device in hosts:
        last = cluster[host].devices[device].addresses[0].ip.rpartition(".")[2]
        typed(
            cluster, host,
            f"ip addr del {old}.{last}/24 dev {device}",
            f"ip addr add {new}.{last}/24 dev {device}",
        )  # fmt: skip
        if device == "eth0":
            typed(cluster, host, f"ip route add default via {new}.1")


# -- the links and tunnels ------------------------------------------------------------------------


def overlay_port(dice: Random, backend: str = "udp") -> Scene:
    """Two nodes whose firewall drops the overlay's port; all else passes."""
    cluster = whole(backend)
    nodes = sorted(dice.sample(cluster.nodes, 2))
    broken = cluster.clone()
    rule = f"INPUT -p udp --dport {PORT[backend]} -j DROP"
    for node in nodes:
        typed(broken, node, f"iptables -A {rule}")
    third = next(node for node in cluster.nodes if node not in nodes)
    sender = a_pod_on(cluster, third, dice).name
    probes = tuple(
        Probe(Flow(sender, a_pod_on(cluster, node, dice).name), "dropped", node, str(PORT[backend]))
        for node in nodes
    )
    words = {"node": nodes[0], "other": nodes[1], "third": third, "pod": sender,
             "port": str(PORT[backend])}  # fmt: skip
    return Scene(cluster, broken, probes, words)


def black_hole(dice: Random) -> Scene:
    """A port of the switch that carries 1,400 bytes, and tells nobody."""
    cluster = whole("vxlan")
    node = dice.choice(cluster.nodes)
    broken = cluster.clone()
    typed(broken, "switch", f"ip link set p-{node} mtu 1400")
    pod = next(p for p in pods_on(cluster, node))
    port = 8080 if "backend" in pod.name else 80
    senders = [a_pod_on(cluster, other, dice).name for other in other_nodes(cluster, node)]
    probes = tuple(
        Probe(Flow(one, pod.name, port, "tcp", LARGE), "lost", "", "do not fit into")
        for one in senders
    )
    return Scene(cluster, broken, probes, {"node": node, "pod": pod.name, "sender": senders[0]})


def vtep_mac(dice: Random) -> Scene:
    """A node whose flannel.1 was made anew by somebody else: another MAC address."""
    cluster = whole("vxlan")
    node = dice.choice(cluster.nodes)
    broken = cluster.clone()
    typed(broken, node, "ip link set flannel.1 address 0e:f1:5c:3a:77:99")
    pod = a_pod_on(cluster, node, dice).name
    senders = [a_pod_on(cluster, other, dice).name for other in other_nodes(cluster, node)]
    probes = tuple(Probe(Flow(one, pod), "lost", "", "not for me") for one in senders)
    return Scene(cluster, broken, probes, {"node": node, "pod": pod, "sender": senders[0]})


def stale_route(dice: Random) -> Scene:
    """A node with two routes of an old static set-up; the machine they lead to is gone."""
    cluster = whole("vxlan")
    node = dice.choice(cluster.nodes)
    broken = cluster.clone()
    others = other_nodes(cluster, node)
    ranges = [range_of(cluster, other) for other in others]
    for prefix in ranges:
        typed(broken, node, f"ip route add {prefix}.0/25 via {GONE} dev eth0")
    sender = a_pod_on(cluster, node, dice).name
    probes = tuple(
        Probe(
            Flow(sender, a_pod_on(cluster, other, dice).name),
            "unreachable",
            node,
            "host unreachable",
        )
        for other in others
    )
    words = {
        "node": node,
        "pod": sender,
        "first": f"{ranges[0]}.0/25",
        "second": f"{ranges[1]}.0/25",
    }

    def left(after: Cluster) -> str:
        """The routes to the machine that is gone, even if longer ones cover them."""
        there = [str(route) for route in after[node].routes if route.via == GONE]
        return f"{node} still has the route '{there[0]}'" if there else ""

    return Scene(cluster, broken, probes, words, left)


def one_sided(dice: Random) -> Scene:
    """A node with routes to the other nodes by way of the router: its flanneld, though told to use
    direct routes, sends through the tunnel; the others send directly. All are strict (rp_filter).
    """
    spec = example_spec("vxlan")
    network = spec.network._replace(backend_options=(("DirectRouting", True),))
    cluster = Cluster(spec._replace(network=network))
    for node in cluster.nodes:
        typed(cluster, node, "sysctl -w net.ipv4.conf.all.rp_filter=1")
    node = dice.choice(cluster.nodes)
    others = other_nodes(cluster, node)
    broken = cluster.clone()
    for other in others:
        typed(broken, node, f"ip route add {ip_of(cluster, other)}/32 via {ROUTER} dev eth0")
    typed(broken, node, "systemctl restart flanneld")
    pod = a_pod_on(cluster, node, dice).name
    senders = [a_pod_on(cluster, other, dice).name for other in others]
    probes = tuple(Probe(Flow(one, pod), "lost", node, "rp_filter is 1") for one in senders)
    words = {"node": node, "pod": pod, "sender": senders[0], "router": ROUTER,
             "ip1": ip_of(cluster, others[0]), "ip2": ip_of(cluster, others[1])}  # fmt: skip
    return Scene(cluster, broken, probes, words)


# -- the list -------------------------------------------------------------------------------------

_PING_FINE = (
    "OVERLAY_FW",
    "You seem to think that nodes which ping each other have a working overlay. "
    "The overlay is UDP, and has a port of its own.",
)
_MASK_TEXT = (
    "A missing route gives another error. Look at who sent the ICMP error, and what it asked for."
)

FAULTS = (
    Fault(
        "loopback-server",
        "Our new page is refused",
        "Since this morning's release nobody reaches the page on {pod}. The browser says at once "
        "that the connection is refused. The developer says that it works inside {pod}.",
        "loopback-bound",
        PATH,
        {
            "forward-drop": ("FWD", "Nothing was dropped on the way. Something answered: refused."),
            "pod-mask": (
                "LOCALHOST_POD",
                "An answer came back, so the way is fine in both directions.",
            ),
            "no-route": (
                "CPORT",
                "The packet arrived. You seem to think that a declared port is open. The program "
                "opens it, on an address that it chooses.",
            ),
        },
        loopback_server,
    ),
    Fault(
        "pod-mask",
        "One pod sees its neighbours only",
        "{pod} talks to the pods of its own node and to the internet. It reaches no pod of any "
        "other node: 'Destination Host Unreachable'. All other pods on {node} are fine.",
        "pod-mask",
        PATH,
        {
            "no-route": ("HOOK", _MASK_TEXT),
            "flanneld-stopped": ("HOOK", "Other pods of this node get through. So flannel works."),
            "one-docker0-range": (
                "DIFF_SUBNETS",
                "The node's other pods are fine, so its range is right. Look at this pod alone.",
            ),
        },
        pod_mask,
    ),
    Fault(
        "one-range",
        "Pods of one machine cannot be found",
        "We installed {node} from an image of {first}. Since then nobody finds the pods on {node}, "
        "and some people even reach the wrong program. The machines themselves are fine.",
        "one-docker0-range",
        PATH,
        {
            "flanneld-stopped": (
                "LEASE_BRIDGE",
                "flanneld runs and has its lease. You seem to "
                "think that the bridge follows the lease.",
            ),
            "lease-lost": (
                "LEASE_BRIDGE",
                "The lease is the one it always had. Compare docker0 of both nodes.",
            ),
            "no-route": (
                "DIFF_SUBNETS",
                "The routes are those of a whole cluster. Compare the bridges.",
            ),
        },
        one_range,
    ),
    Fault(
        "overlay-port",
        "After the security update some machines are islands",
        "Last night the security team hardened {node} and {other}. Since then {pod} reaches no pod "
        "on these two machines. The team has checked: all machines ping each other.",
        "overlay-port-blocked",
        PATH,
        {
            "flanneld-stopped": (
                "HOOK",
                "flanneld runs on every node. Its packets leave, and do "
                "not arrive in the other process.",
            ),
            "forward-drop": (
                "FWD",
                "The packet gets lost before it is unwrapped. FORWARD never sees the outer packet.",
            ),
            "no-route": _PING_FINE,
            "mtu-black-hole": ("MTU", "Even the smallest ping is lost here. Size decides nothing."),
        },
        overlay_port,
    ),
    Fault(
        "overlay-port-vxlan",
        "New firewall, new trouble",
        "Since the firewall came, programs on {pod} wait for ever for answers from {node} and "
        "{other}. A ping from machine to machine works. Nobody has touched Kubernetes.",
        "overlay-port-blocked",
        PATH,
        {
            "vtep-mac": ("VTEP_MAC", "The outer packet does not even reach flannel.1."),
            "no-route": _PING_FINE,
            "forward-drop": (
                "FWD",
                "The packet gets lost before it is unwrapped. FORWARD never sees the outer packet.",
            ),
        },
        lambda dice: overlay_port(dice, "vxlan"),
    ),
    Fault(
        "mtu-black-hole",
        "Downloads hang",
        "{sender} connects to {pod}, and small requests are answered at once. Each larger upload "
        "or download hangs for ever. A ping always works. It began when the network team moved "
        "{node}.",
        "mtu-black-hole",
        PATH,
        {
            "overlay-port-blocked": (
                "MTU",
                "Small packets pass the overlay. You seem to think that all packets fare alike.",
            ),
            "loopback-bound": (
                "MTU",
                "The connection opens, so somebody listens. Only large segments are lost.",
            ),
            "forward-drop": ("MTU", "A ping passes FORWARD as well. Only large packets are lost."),
        },
        black_hole,
    ),
    Fault(
        "vtep-mac",
        "A machine that came back deaf",
        "{node} had a short maintenance of its network settings. Since then {sender} and all "
        "others wait for {pod} in vain. Packets do arrive on eth0 of {node}: we saw them.",
        "vtep-mac",
        PATH,
        {
            "overlay-port-blocked": (
                "TAP",
                "tcpdump looks before the firewall. But here no rule "
                "drops it: look behind the UDP port.",
            ),
            "forward-drop": (
                "VTEP_MAC",
                "The inner frame never becomes a packet here. To which MAC address was it sent?",
            ),
            "no-route": (
                "VTEP_MAC",
                "The routes are right. Look at what flannel.1 is asked to accept.",
            ),
        },
        vtep_mac,
    ),
    Fault(
        "stale-route",
        "Half of the cluster is gone, seen from one machine",
        "From {pod} on {node} we reach no pod on any other machine: 'Host Unreachable'. Everybody "
        "else is fine. Long ago, an old machine was taken out of this rack.",
        "stale-route",
        PATH,
        {
            "flanneld-stopped": (
                "STALE_ROUTE",
                "flanneld runs, and its routes are there. Yet others win.",
            ),
            "no-route": (
                "STALE_ROUTE",
                "There is a route; it is even longer than the right one. "
                "You seem to think that old routes vanish.",
            ),
            "overlay-port-blocked": (
                "STALE_ROUTE",
                "The packet never enters the overlay. Ask 'ip route get' on the node.",
            ),
        },
        stale_route,
    ),
    Fault(
        "one-sided-routes",
        "Faster for all but one",
        "The cluster was set up anew, to deliver faster. Since then {sender} and everybody else "
        "wait for {pod} in vain. The machines ping each other, {node} too. The security team's "
        "settings are the same on all machines, and must stay.",
        "rp-filter",
        PATH,
        {
            "overlay-port-blocked": (
                "OVERLAY_FW",
                "The ping reaches the node without any overlay. On which device does it arrive?",
            ),
            "forward-drop": (
                "ASYM",
                "The packet is dropped before FORWARD, while the node looks for its route.",
            ),
            "no-route": (
                "ASYM",
                "Both have a route to the other. You seem to think that two routes make one way. "
                "Compare them.",
            ),
            "mtu-black-hole": ("MTU", "Even the smallest ping is lost here. Size decides nothing."),
        },
        one_sided,
    ),
)
