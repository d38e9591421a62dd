"""What lives here: faults of source addresses: on the way out, and in by another node."""

from __future__ import annotations

from random import Random

from k8snetlib.cluster import Cluster
from k8snetlib.course.incidents.causes import OUT, SERVICE
from k8snetlib.course.incidents.clusters import a_pod_on, ip_of, pods_on, range_of, typed, whole
from k8snetlib.course.incidents.fault import Fault, Probe, Scene
from k8snetlib.course.incidents.flows import Flow
from k8snetlib.kube.proxy.daemon import CONFIG, MAX_PER_CORE, MIN, PROCESSORS

OUTSIDE = "203.0.113.0/24"
#: Pods shall see the machines' own addresses, somebody thought.
SPARED = "-s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT"
#: A node's configuration of kube-proxy, as far as it is about the size of the connection table.
_CONNTRACK = """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
conntrack:
  maxPerCore: {each}
  min: {least}
"""


def no_masquerade(dice: Random) -> Scene:
    """Two nodes whose flanneld runs without ``--ip-masq``; Docker does not masquerade either."""
    cluster = whole("vxlan")
    nodes = sorted(dice.sample(cluster.nodes, 2))
    broken = cluster.clone()
    for node in nodes:
        broken.restart_flanneld(node, "")
        typed(
            broken, node,
            'iptables -t nat -D POSTROUTING -m comment --comment "flanneld masq" '
            "-j FLANNEL-POSTRTG",
            "iptables -t nat -F FLANNEL-POSTRTG", "iptables -t nat -X FLANNEL-POSTRTG",
        )  # fmt: skip
    probes = tuple(
        Probe(Flow(a_pod_on(cluster, node, dice).name, "ext"), "lost", "ext", "no route")
        for node in nodes
    )
    words = {"node": nodes[0], "other": nodes[1], "pod": probes[0].flow.source,
             "nodeip": ip_of(cluster, nodes[0])}  # fmt: skip
    return Scene(cluster, broken, probes, words)


def docker_masquerade(dice: Random) -> Scene:
    """Two nodes on which Docker's own masquerade rule is left on."""
    cluster = whole("udp")
    nodes = sorted(dice.sample(cluster.nodes, 2))
    broken = cluster.clone()
    for node in nodes:
        rule = f"-s {range_of(cluster, node)}.0/24 ! -o docker0 -j MASQUERADE"
        typed(broken, node, f"iptables -t nat -I POSTROUTING {rule}")
    third = next(node for node in cluster.nodes if node not in nodes)
    target = pods_on(cluster, third)[0].name
    probes = tuple(
        Probe(Flow(a_pod_on(cluster, node, dice).name, target), "delivered", target, "", True)
        for node in nodes
    )
    words = {
        "node": nodes[0], "other": nodes[1], "pod": probes[0].flow.source, "target": target,
        "range": range_of(cluster, nodes[0]), "range2": range_of(cluster, nodes[1]),
    }  # fmt: skip
    return Scene(cluster, broken, probes, words)


def conntrack_full(dice: Random) -> Scene:
    """A node whose kube-proxy is told to keep the connection table small, and a peak that fills it.

    The peak goes on: it comes anew before each probe, so an emptied table is full again."""
    cluster = whole("vxlan").clone()
    for name in cluster.nodes:
        cluster[name].files[CONFIG] = _CONNTRACK.format(each=MAX_PER_CORE, least=MIN)
    node = dice.choice(cluster.nodes)
    pods = [pod.name for pod in pods_on(cluster, node)]
    limit = dice.choice([8, 12, 16])
    broken = cluster.clone()
    broken[node].files[CONFIG] = _CONNTRACK.format(each=limit // PROCESSORS, least=limit)
    broken.kube_proxy(node).restart()
    limit = dice.choice([8, 12])
    broken = cluster.clone()
    broken[node].files[CONFIG] = _CONNTRACK.format(each=limit // PROCESSORS, least=limit)
    broken.kube_proxy(node).restart()
    for at in range(limit):
        broken.connect(pods[at % len(pods)], "ext", 80)
    # Who finds no place waits 5 seconds; within 120 of them the first entries would be gone.
    probes = tuple(
        Probe(Flow(pods[0], target, 80, "tcp", peak=limit + 20), "dropped", node, "table")
        for target in ("ext", "client")
    )
    return Scene(cluster, broken, probes, {"node": node, "pod": pods[0], "limit": str(limit),
                                           "each": str(limit // PROCESSORS)})  # fmt: skip


def wrong_snat(dice: Random) -> Scene:
    """Two nodes with a rule of an old egress address."""
    cluster = whole("vxlan").clone()
    nodes = sorted(dice.sample(cluster.nodes, 2))
    old = f"192.168.66.{dice.choice([201, 202, 203])}"
    typed(cluster, nodes[0], f"ip addr add {old}/32 dev eth0")
    broken = cluster.clone()
    for node in nodes:
        rule = f"-s 10.1.0.0/16 -d {OUTSIDE} -j SNAT --to-source {old}"
        typed(broken, node, f"iptables -t nat -I POSTROUTING {rule}")
    probes = (
        Probe(Flow(pods_on(cluster, nodes[0])[0].name, "ext"), "delivered", "ext", "", True),
        Probe(Flow(pods_on(cluster, nodes[1])[0].name, "ext"), "lost", "ext", "", True),
    )
    words = {"node": nodes[0], "other": nodes[1], "old": old, "outside": OUTSIDE,
             "pod": probes[0].flow.source, "pod2": probes[1].flow.source}  # fmt: skip

    def left(after: Cluster) -> str:
        """The rules with the old address, even if others before them decide."""
        for node in nodes:
            rules = [str(rule) for _, _, rule in after[node].ruleset.rules()]
            if there := [rule for rule in rules if f"--to-source {old}" in rule]:
                return f"{node} still has the rule '{there[0]}'"
        return ""

    return Scene(cluster, broken, probes, words, left)


def asymmetric_reply(dice: Random) -> Scene:
    """Two nodes with a rule that spares packets from machine to pod all masquerading. A pod's call
    to a node port leaves its node with that node's address: it is answered by a stranger."""
    cluster = whole("vxlan")
    nodes = sorted(dice.sample(cluster.nodes, 2))
    broken = cluster.clone()
    for node in nodes:
        typed(broken, node, f"iptables -t nat -I POSTROUTING {SPARED}")
    third = next(node for node in cluster.nodes if node not in nodes)
    pod = a_pod_on(cluster, third, dice).name
    behind = {one.node for one in cluster.spec.pods if one.name.startswith("backend")}
    probes = tuple(
        Probe(
            Flow(pod, node, 30080, "tcp", spread=True), "lost", "",
            "no connection" if behind - {node, third} else "my own address",
        )
        for node in nodes
    )  # fmt: skip
    words = {"node": nodes[0], "other": nodes[1], "pod": pod, "rule": SPARED}
    return Scene(cluster, broken, probes, words)


FAULTS = (
    Fault(
        "no-masquerade",
        "No internet for some pods",
        "{pod} cannot fetch anything from the internet any more; each attempt times out. From "
        "{node} itself the internet works. Pods talk to each other without trouble.",
        "no-masquerade",
        OUT,
        {
            "no-route": (
                "SNAT_REPLY",
                "The packet arrives outside. The answer finds no way to a pod's address.",
            ),
            "forward-drop": (
                "FWD",
                "No rule drops it. Follow the packet to ext, and the answer back.",
            ),
            "docker-masquerade": (
                "MASQ_INET",
                "Docker's rule is off, as it should be. Who else should masquerade?",
            ),
        },
        no_masquerade,
    ),
    Fault(
        "docker-masquerade",
        "The log shows machines instead of callers",
        "The log of {target} used to list the pods that call it. For calls from {node} and {other} "
        "it now shows other addresses. Nothing fails, but our access list is useless.",
        "docker-masquerade",
        OUT,
        {
            "wrong-snat": (
                "SEED_SRC",
                "No rule names a fixed address. Which rule makes the source follow the interface?",
            ),
            "no-masquerade": ("MASQ_INET", "Here is too much masquerade, not too little."),
            "rp-filter": (
                "SEED_SRC",
                "Nothing is dropped. The source address is rewritten on the sender's node.",
            ),
        },
        docker_masquerade,
    ),
    Fault(
        "conntrack-full",
        "New connections fail, old ones live",
        "We moved more shops to {node}, and at each peak new connections from its pods time out. "
        "Connections that were open before go on. The machine is not busy at all. A few quiet "
        "minutes later all is well, until the next peak.",
        "conntrack-full",
        OUT,
        {
            "no-masquerade": (
                "PORTS_64K",
                "The rules are there. The node does not even take the first packet.",
            ),
            "forward-drop": (
                "NAT_EVERY",
                "Old connections pass FORWARD too. New ones meet "
                "something that old ones do not need.",
            ),
            "no-route": ("NAT_EVERY", "Old connections use the same routes."),
            "forwarding-off": (
                "NAT_EVERY",
                "That switch stops open connections, too. New ones meet something else.",
            ),
            "rp-filter": (
                "NAT_EVERY",
                "Packets of open connections come in by the same interfaces, and they pass.",
            ),
            "kube-proxy-stopped": (
                "PROXY_DATA",
                "kube-proxy runs. You seem to think that it carries a pod's packets.",
            ),
        },
        conntrack_full,
        kernel=False,
    ),
    Fault(
        "wrong-snat",
        "The partner's firewall does not know us",
        "Our partner only lets in the addresses of our machines. Calls from {pod} come from an "
        "unknown address, they say; calls from {pod2} get no answer at all.",
        "wrong-snat",
        OUT,
        {
            "no-masquerade": (
                "MASQ_INET",
                "The source is rewritten, as it should be; but to what?",
            ),
            "docker-masquerade": (
                "MASQ_INET",
                "A masquerade takes the interface's own address. This is another one.",
            ),
            "rp-filter": ("ASYM", "Nothing is dropped on the way out. Where do the answers go?"),
        },
        wrong_snat,
    ),
    Fault(
        "asymmetric-reply",
        "The door works for customers only",
        "{pod} calls the shop at port 30080 of {node} or {other}, and many calls hang. Customers "
        "on the internet use the same port without trouble. The Service's own address works, too.",
        "asymmetric-reply",
        SERVICE,
        {
            "kube-proxy-stopped": (
                "NP_LISTEN",
                "The port works from outside, so the rules are there. Follow the answer.",
            ),
            "policy-local": (
                "LOCAL_FOR_ALL",
                "The policy is Cluster. And it would only speak of clients outside.",
            ),
            "overlay-port-blocked": (
                "ASYM",
                "The request reaches a pod. You seem to think that answers return the same way.",
            ),
            "forward-drop": (
                "SNAT_REPLY",
                "The request is forwarded. Which source address does the endpoint see, and answer?",
            ),
        },
        asymmetric_reply,
    ),
)
