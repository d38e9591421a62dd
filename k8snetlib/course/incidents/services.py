"""What lives here: faults at Services: what they select, what serves them, how they are entered."""

from __future__ import annotations

from random import Random

from k8snetlib.assembly import netns_names
from k8snetlib.cluster import Cluster
from k8snetlib.course.incidents.causes import SERVICE
from k8snetlib.course.incidents.clusters import a_pod_on, pods_on, typed, whole
from k8snetlib.course.incidents.fault import Fault, Probe, Scene
from k8snetlib.course.incidents.flows import Flow
from k8snetlib.kube.api import Endpoint, EndpointSlice, Pod, Workload, example_spec, slice_of
from k8snetlib.kube.apiserver import api_server

VIP, DNS, SHOP = "10.96.0.10", "10.96.0.53", "10.96.0.40"
BRIDGE_NF = "net.bridge.bridge-nf-call-iptables"


def _patch(cluster: Cluster, spec: str) -> None:
    cluster.kubectl(f"patch svc backend-svc -p '{{\"spec\":{spec}}}'")


def _asks(cluster: Cluster, dice: Random, count: int = 2) -> list[str]:
    """Pods of several nodes, which ask a Service."""
    nodes = dice.sample(cluster.nodes, count)
    return [a_pod_on(cluster, node, dice).name for node in nodes]


# -- what the Service says ------------------------------------------------------------------------


def target_port(dice: Random) -> Scene:
    """A Service that sends to a port on which nobody listens."""
    cluster = whole("vxlan")
    broken = cluster.clone()
    wrong = dice.choice([8081, 8008, 80])
    _patch(broken, f'{{"ports":[{{"port":80,"targetPort":{wrong}}}]}}')
    asks = _asks(cluster, dice)
    probes = tuple(
        Probe(Flow(one, VIP, 80, "tcp", spread=True), "refused", "", "TCP reset")
        for one in (*asks, "node1")
    )
    return Scene(cluster, broken, probes, {"pod": asks[0], "wrong": str(wrong)})


def selector(dice: Random) -> Scene:
    """A Service whose selector has a typing error."""
    cluster = whole("vxlan")
    broken = cluster.clone()
    wrong = dice.choice(["backnd", "backend-v2", "Backend"])
    _patch(broken, f'{{"selector":{{"app":"{wrong}"}}}}')
    asks = _asks(cluster, dice)
    probes = tuple(
        Probe(Flow(one, VIP, 80, "tcp", spread=True), "rejected", "", "port unreachable")
        for one in (*asks, "node1")
    )
    return Scene(cluster, broken, probes, {"pod": asks[0], "wrong": wrong})


def policy_local(dice: Random) -> Scene:
    """A Service with policy Local, and a node without a pod of it."""
    cluster = whole("vxlan")
    broken = cluster.clone()
    _patch(broken, '{"externalTrafficPolicy":"Local"}')
    dice.random()
    probes = tuple(
        Probe(Flow(one, "node1", 30080, "tcp", spread=True), "dropped", "node1", "no local")
        for one in ("client", "ext")
    )
    return Scene(cluster, broken, probes, {"node": "node1"})


def unready(dice: Random) -> Scene:
    """A DaemonSet whose pods have all hung: not ready any more; a new pod would be."""
    spec = example_spec("vxlan")
    label = (("app", "shop"),)
    template = Pod("", "", "", spec.pods[2].containers[:1], labels=label)
    workload = Workload("DaemonSet", "shop", template, label)
    ends = dice.sample(["k2x9p", "w7q4z", "b5t8m", "c6v2d"], len(spec.nodes))
    pods = tuple(
        template._replace(name=f"shop-{end}", node=node.name, ip=node.pod_cidr.host(9))
        for node, end in zip(spec.nodes, ends, strict=True)
    )
    shop = spec.services[0]._replace(
        name="shop", cluster_ip=SHOP, selector=label,
        ports=(spec.services[0].ports[0]._replace(node_port=30090),),
    )  # fmt: skip
    slices = (*spec.slices, slice_of(shop, pods))
    cluster = Cluster(
        spec._replace(pods=(*spec.pods, *pods), workloads=(workload,), slices=slices,
                      services=(*spec.services, shop))
    )  # fmt: skip
    broken = cluster.clone()
    for pod in pods:
        api_server(broken.network).put(pod._replace(ready=False))
    asks = _asks(whole("vxlan"), dice)
    probes = tuple(
        Probe(Flow(one, SHOP, 80, "tcp", spread=True), "rejected", "", "port unreachable")
        for one in (*asks, "node1")
    )
    names = {f"pod{n}": pod.name for n, pod in enumerate(pods, 1)}
    return Scene(cluster, broken, probes, {"pod": asks[0], **names})


# -- what the node does with it -------------------------------------------------------------------


def bridge_nf(dice: Random) -> Scene:
    """A node whose bridge does not show its packets to iptables."""
    cluster = whole("udp")
    broken = cluster.clone()
    node = dice.choice(["node2"])
    typed(broken, node, f"sysctl -w {BRIDGE_NF}=0")
    pods = [pod.name for pod in pods_on(cluster, node)]
    probes = tuple(Probe(Flow(one, VIP, 80, "tcp", spread=True), "lost") for one in pods)
    return Scene(cluster, broken, probes, {"node": node, "pod": pods[0], "pod2": pods[1]})


def hairpin(dice: Random) -> Scene:
    """Two bridge ports that send nothing back to where it came from."""
    cluster = whole("udp")
    broken = cluster.clone()
    node = "node2"
    pods = [pod.name for pod in pods_on(cluster, node)]
    dice.shuffle(pods)
    veths = [_veth_of(cluster, node, pod) for pod in pods]
    for veth in veths:
        typed(broken, node, f"bridge link set dev {veth} hairpin off")
    probes = tuple(Probe(Flow(one, VIP, 80, "tcp", spread=True), "lost") for one in pods)
    words = {"node": node, "pod": pods[0], "veth1": veths[0], "veth2": veths[1]}
    return Scene(cluster, broken, probes, words)


def _veth_of(cluster: Cluster, node: str, pod: str) -> str:
    names = netns_names(cluster.spec)
    peer = cluster[names["default", pod]].devices["eth0"].peer
    assert peer is not None and peer[0] == node
    return peer[1]


def localhost_node_port(dice: Random) -> Scene:
    """Two nodes that were moved to nftables mode: 127.0.0.1 serves no node ports any more."""
    cluster = whole("vxlan")
    broken = cluster.clone()
    nodes = sorted(dice.sample(cluster.nodes, 2))
    for node in nodes:
        broken.kube_proxy(node).switch("nftables")
    probes = tuple(
        Probe(Flow(node, "127.0.0.1", 30080, "tcp", spread=True), "refused", node) for node in nodes
    )
    return Scene(cluster, broken, probes, {"node": nodes[0], "other": nodes[1]})


def dns_first(dice: Random) -> Scene:
    """kube-proxy has stopped on a node, and then a DNS pod moved."""
    base = whole("vxlan")
    node = dice.choice(["node1", "node3"])
    cluster, broken = base.clone(), base.clone()
    typed(broken, node, "systemctl stop kube-proxy")
    for one in (cluster, broken):
        _dns_moves(one)
    pods = [pod.name for pod in pods_on(cluster, node)]
    probes = tuple(
        Probe(Flow(sender, DNS, 53, "udp", spread=True), "refused", "backend", "port unreachable")
        for sender in (pods[0], node)
    )
    return Scene(cluster, broken, probes, {"node": node, "pod": pods[0]})


def stale_udp(dice: Random) -> Scene:
    """Two UDP flows that a node remembers: to a DNS pod that has moved away."""
    base = whole("vxlan")
    node = dice.choice(["node1", "node3"])
    pod = a_pod_on(base, node, dice).name
    ports = dice.sample(range(40_000, 50_000), 2)
    cluster, broken = base.clone(), base.clone()
    broken.kube_proxy(node).cleans_conntrack = False
    for one in (cluster, broken):
        for port in ports:
            one.send(pod, DNS, 53, proto="udp", sport=port, endpoint="backend")
        _dns_moves(one)
    probes = tuple(
        Probe(Flow(pod, DNS, 53, "udp", spread=True, sport=port), "refused", "backend", "port unr")
        for port in ports
    )
    return Scene(cluster, broken, probes, {"node": node, "pod": pod, "port": str(ports[0])})


def _dns_moves(cluster: Cluster) -> None:
    """backend serves names no more, web1 does."""
    api = api_server(cluster.network)
    old = next(one for one in api.list(EndpointSlice) if one.service == "kube-dns")
    web1 = next(pod for pod in cluster.spec.pods if pod.name == "web1")
    kept = tuple(one for one in old.endpoints if one.pod != "backend")
    del cluster["backend"].listeners["udp", "0.0.0.0", 53]
    api.put(old._replace(endpoints=(Endpoint(web1.ip, "node1", "web1"), *kept)))


FAULTS = (
    Fault(
        "target-port",
        "The shop's address refuses",
        "{pod} calls the Service backend-svc and is refused at once. All three backend pods run, "
        "and they are Ready. It began with yesterday's clean-up of the manifests.",
        "target-port",
        SERVICE,
        {
            "loopback-bound": (
                "CPORT",
                "The pods answer on their own address and port. Look at "
                "the port that the packet has when it arrives.",
            ),
            "selector": ("READY", "There are endpoints. Are they what the pods offer?"),
            "kube-proxy-stopped": (
                "PROXY_DATA",
                "The rules did their work: the packet reached a "
                "pod. You seem to think that kube-proxy carries "
                "it.",
            ),
        },
        target_port,
    ),
    Fault(
        "selector",
        "Nobody behind the address",
        "Since a small change to backend-svc, {pod} is refused there at once. The three backend "
        "pods run and are Ready: we can call each of them by its own address.",
        "selector",
        SERVICE,
        {
            "no-endpoints-ready": ("READY", "The pods are ready. Does the Service find them?"),
            "target-port": (
                "WRONG_PORT",
                "The refusal comes from the node itself; no pod ever saw the packet.",
            ),
            "kube-proxy-stopped": (
                "PROXY_DOWN",
                "kube-proxy runs, and wrote a rule that refuses. Why did it?",
            ),
        },
        selector,
    ),
    Fault(
        "policy-local",
        "One of three doors is closed",
        "Our customers reach the shop at port 30080 of any machine. Since last week {node} lets "
        "them wait until they give up. The two others work. Nobody reads the customers' addresses.",
        "policy-local",
        SERVICE,
        {
            "kube-proxy-stopped": ("ETP_FWD", "kube-proxy runs there. It wrote a rule that drops."),
            "forward-drop": ("ETP_FWD", "It is dropped before FORWARD's policy. Read the rule."),
            "overlay-port-blocked": (
                "ETP_FWD",
                "The packet never leaves for another node. You "
                "seem to think that every node forwards.",
            ),
        },
        policy_local,
    ),
    Fault(
        "unready",
        "The shop is closed, says the network",
        "{pod} is refused at the Service shop. 'kubectl get pods' shows all shop pods as Running. "
        "The developers say that a hung pod is cured by a new one.",
        "no-endpoints-ready",
        SERVICE,
        {
            "selector": (
                "READY",
                "The selector finds all pods. But they do not count: look at READY.",
            ),
            "target-port": (
                "READY",
                "No packet reaches a pod. You seem to think that Running means receiving traffic.",
            ),
            "kube-proxy-stopped": (
                "PROXY_DOWN",
                "kube-proxy did as it was told: no endpoint, so refuse.",
            ),
        },
        unready,
    ),
    Fault(
        "bridge-nf",
        "The Service works two times out of three",
        "{pod} and {pod2} call backend-svc. Most calls work, some hang for ever. From other "
        "machines every call works. It began when {node} was booted.",
        "bridge-nf-off",
        SERVICE,
        {
            "hairpin-off": (
                "HAIRPIN",
                "Not only calls to itself hang: so do calls to the pod next door.",
            ),
            "kube-proxy-stopped": (
                "PROXY_DOWN",
                "The request is translated. The answer is not translated back.",
            ),
            "conntrack-full": (
                "BRNF",
                "The table has room. The answer never passes it. You seem "
                "to think that bridged packets meet iptables by nature.",
            ),
        },
        bridge_nf,
    ),
    Fault(
        "hairpin",
        "About every third call hangs",
        "{pod} calls backend-svc, and about every third call hangs. The same happens in its "
        "neighbour. Calls from all other pods work every time.",
        "hairpin-off",
        SERVICE,
        {
            "bridge-nf-off": (
                "BRNF",
                "A call from a neighbour works, so answers are translated. "
                "Only calls to itself hang.",
            ),
            "kube-proxy-stopped": (
                "HAIRPIN",
                "The choice is made, and made well. You seem to "
                "think that a pod always reaches itself.",
            ),
            "no-endpoints-ready": ("HAIRPIN", "All three are ready. One of them is the caller."),
        },
        hairpin,
    ),
    Fault(
        "localhost-node-port",
        "The local agent is refused after the upgrade",
        "An agent on {node} and {other} calls 127.0.0.1:30080. Since last night's upgrade it is "
        "refused. From outside port 30080 works. The agent cannot be changed this month.",
        "localhost-node-port",
        SERVICE,
        {
            "kube-proxy-stopped": (
                "NP_LISTEN",
                "kube-proxy runs, and the port works from outside. "
                "No socket has ever listened there.",
            ),
            "loopback-bound": (
                "NP_LOCALHOST",
                "A pod's loopback is another one. Which rules did 127.0.0.1 use before?",
            ),
            "policy-local": (
                "NP_LOCALHOST",
                "The policy is for traffic from outside. Compare this "
                "node's rules with another node's.",
            ),
        },
        localhost_node_port,
    ),
    Fault(
        "dns-first",
        "DNS is broken. It is always DNS",
        "On {node} about every second name look-up fails, in {pod} and on {node} itself. On all "
        "other machines names work. The DNS team has moved a server, and sees no errors.",
        "kube-proxy-stopped",
        SERVICE,
        {
            "overlay-port-blocked": (
                "OVERLAY_FW",
                "The question reaches a pod, and is refused there. Is it the right pod?",
            ),
            "no-endpoints-ready": (
                "PROXY_DOWN",
                "The Service has two ready endpoints. Does this node know them?",
            ),
            "stale-udp": ("UDP_CT", "New flows fail, too, so no old entry is to blame."),
        },
        dns_first,
    ),
    Fault(
        "stale-udp",
        "The resolver that would not move",
        "An old resolver in {pod} always asks from the same port. Since a DNS server moved, it "
        "gets no names any more. Other programs in {pod} resolve names without trouble.",
        "stale-udp",
        SERVICE,
        {
            "kube-proxy-stopped": (
                "PROXY_DOWN",
                "New flows find the new server. So the rules are fresh.",
            ),
            "no-endpoints-ready": (
                "UDP_CT",
                "The Service has ready endpoints, and others use them.",
            ),
            "conntrack-full": (
                "NAT_EVERY",
                "The table has room. You seem to think that the rules see each packet.",
            ),
        },
        stale_udp,
        kernel=False,
    ),
)
