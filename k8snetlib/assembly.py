"""What lives here: how a ``ClusterSpec`` becomes namespaces, devices, routes and daemons.

Everything is done the way a cluster's own parts do it, and leaves only kernel state behind: the
wires of the node network, Docker's (or CNI's) bridge and veth pairs, flanneld's device and routes.
A packet then meets that state and nothing else.

MAC addresses are derived from IPv4 addresses, so that every frame can be predicted:
``02:66`` + address for node interfaces, ``02:42`` for the bridge and the pods, ``0a:fe`` for the
host side of a pod's veth pair, ``0a:5b`` for the switch's ports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.address import Prefix, mac_for
from k8snetlib.errors import BadManifest, NotModelled
from k8snetlib.etcd.agent import EtcdServer
from k8snetlib.etcd.api import Put
from k8snetlib.flannel import subnet_env, udp
from k8snetlib.flannel.config import NetConf, check_network_config, parse_config
from k8snetlib.flannel.daemon import Flanneld
from k8snetlib.flannel.ip import FlannelError
from k8snetlib.flannel.link import NET_CONF, EtcdLink, KubeLink
from k8snetlib.flannel.options import Options, parse_options
from k8snetlib.flannel.registry import PREFIX
from k8snetlib.kube import dns
from k8snetlib.kube.api import BACKENDS, PROXY_MODES, ClusterSpec, Host, Node, Pod
from k8snetlib.kube.apiserver import ApiServer
from k8snetlib.kube.controllers import ControllerManager
from k8snetlib.kube.kubectl import at_prompt
from k8snetlib.kube.network import net_conf
from k8snetlib.kubelet import Kubelet, is_heard
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.resolver import CONF, HOSTS
from k8snetlib.linux.route import Route
from k8snetlib.linux.service import install
from k8snetlib.linux.sockets import Listener, listen
from k8snetlib.linux.vxlan import OVERHEAD

if TYPE_CHECKING:
    from k8snetlib.kube import docker
    from k8snetlib.kube.docker import DockerConf

NODE_SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "net.bridge.bridge-nf-call-iptables": 1,
}
KUBELET_PORT = 10250


def assemble(spec: ClusterSpec, seed: int = 0) -> Network:
    """Builds the network of a cluster. Raises ``BadManifest`` for a spec that contradicts itself,
    ``NotModelled`` for what this version does not carry."""
    check(spec)
    network = Network(seed)
    api = _start_api_server(network, spec)
    switch = _switch(network)
    flannel = _flannel(spec)
    for node in spec.nodes:
        ns = _plug_node(network, switch, spec, node)
        _remember_subnet(ns, spec, node, flannel)
        _prepare_runtime(ns, spec, node)
    _router_and_hosts(network, switch, spec)
    names = netns_names(spec)
    for pod in spec.pods:
        plug_pod(network, spec, pod, names[pod.namespace, pod.name])
    _start_services(network, spec)
    _start_flannel(network, spec, flannel, api)
    network.agents.add(ControllerManager(network, is_heard))
    return network


def check(spec: ClusterSpec) -> None:
    """Refuses a spec that names unknown nodes, repeats a name or an address, or leaves a range."""
    net = spec.network
    if net.backend not in BACKENDS:
        raise BadManifest(f"There is no flannel backend '{net.backend}'.", _one_of(BACKENDS))
    if net.proxy_mode not in PROXY_MODES:
        raise BadManifest(f"There is no proxy mode '{net.proxy_mode}'.", _one_of(PROXY_MODES))
    nodes = {node.name: node for node in spec.nodes}
    owners: dict[str, str] = {}
    names: set[str] = set()
    inside = [pod for pod in spec.pods if not pod.host_network]
    items: tuple[Node | Pod | Host, ...] = (*spec.nodes, *inside, *net.hosts)
    pod_names = netns_names(spec)
    for item in items:
        name = pod_names[item.namespace, item.name] if isinstance(item, Pod) else item.name
        if name in names or name in ("switch", "router"):
            raise BadManifest(f"The name '{name}' is used twice.", "Names must differ.")
        names.add(name)
        if item.ip in owners:
            raise BadManifest(f"{item.name} and {owners[item.ip]} both have address {item.ip}.")
        owners[item.ip] = item.name
    _check_flannel(spec)
    for node in spec.nodes:
        if not net.node_network.contains(node.ip):
            raise BadManifest(f"{node.name}: {node.ip} is not in {net.node_network}.")
    for pod in spec.pods:
        if pod.node not in nodes:
            known = ", ".join(nodes)
            raise BadManifest(
                f"Pod {pod.name} names an unknown node '{pod.node}'.", f"Known: {known}."
            )
        if pod.host_network:
            if pod.ip != nodes[pod.node].ip:
                problem = f"Pod {pod.name} is on the network of {pod.node}, and its address"
                raise BadManifest(f"{problem} is {pod.ip}.", f"Write {nodes[pod.node].ip}.")
        elif not nodes[pod.node].pod_cidr.contains(pod.ip):
            raise BadManifest(
                f"Pod {pod.name}: {pod.ip} is not in {nodes[pod.node].pod_cidr}, "
                f"the range of {pod.node}."
            )


def netns_names(spec: ClusterSpec) -> dict[tuple[str, str], str]:
    """(Kubernetes namespace, name) of every pod -> the name of its network namespace: the pod's
    own, unless another pod has it too; its node's, if it is on the host's network."""
    count = Counter(name for _, name in {(pod.namespace, pod.name) for pod in spec.pods})
    return {
        (pod.namespace, pod.name): pod.node
        if pod.host_network
        else (pod.name if count[pod.name] == 1 else f"{pod.namespace}/{pod.name}")
        for pod in spec.pods
    }


def _one_of(words: tuple[str, ...]) -> str:
    return f"Use one of: {', '.join(words)}."


def pod_mtu(spec: ClusterSpec) -> int:
    """The MTU of docker0 and of every pod, in bytes: what flannel leaves of the node's."""
    return (
        spec.network.mtu
        - {"udp": udp.OVERHEAD, "vxlan": OVERHEAD, "host-gw": 0}[spec.network.backend]
    )


def _start_api_server(network: Network, spec: ClusterSpec) -> ApiServer:
    """The API server, with all that the spec says there is."""
    api = ApiServer(network, spec.network.service_network)
    network.agents.add(api)
    with api.at_once():
        for value in _objects(spec):
            api.put(value)
    return api


def _objects(spec: ClusterSpec) -> tuple[object, ...]:
    return (*spec.nodes, *spec.pods, *spec.workloads, *spec.services, *spec.slices)


# -- the node network -----------------------------------------------------------------------------


def _switch(network: Network) -> Netns:
    switch = network.add(Netns("switch", "switch"))
    switch.add_device(Device("br0", "bridge", "0a:5b:00:00:00:01"))
    return switch


def _plug(
    network: Network, switch: Netns, ns: Netns, device: str, ip: str, port: str, spec: ClusterSpec
) -> None:
    """One cable from a machine's interface to a port of the switch."""
    mtu = spec.network.mtu
    here, there = (ns, device, mac_for("02:66", ip)), (switch, port, mac_for("0a:5b", ip))
    network.wire(here, there, mtu)
    switch.enslave(port, "br0")
    ns.add_address(device, f"{ip}/{spec.network.node_network.length}")


def _gateway(prefix: Prefix) -> str:
    return prefix.host(1)


def _plug_node(network: Network, switch: Netns, spec: ClusterSpec, node: Node) -> Netns:
    ns = network.add(Netns(node.name, "node"))
    ns.sysctls.update(NODE_SYSCTLS)
    _plug(network, switch, ns, "eth0", node.ip, f"p-{node.name}", spec)
    ns.routes.add(Route(Prefix(0, 0), "eth0", via=_gateway(spec.network.node_network)))
    listen(ns, Listener("tcp", "0.0.0.0", KUBELET_PORT, "kubelet"))
    return ns


def _router_and_hosts(network: Network, switch: Netns, spec: ClusterSpec) -> None:
    net = spec.network
    router = network.add(Netns("router", "router"))
    router.sysctls["net.ipv4.ip_forward"] = 1
    _plug(network, switch, router, "lan0", _gateway(net.node_network), "p-rt", spec)
    outside = _gateway(net.outside_network)
    for host in net.hosts:
        ns = network.add(Netns(host.name, "host"))
        if host.beyond_router:
            if "wan0" in router.devices:
                raise NotModelled(
                    "Only one host can stand beyond the router.", f"Not: {host.name}."
                )
            wan = (router, "wan0", mac_for("02:66", outside))
            network.wire((ns, "eth0", mac_for("02:66", host.ip)), wan, net.mtu)
            ns.add_address("eth0", f"{host.ip}/{net.outside_network.length}")
            router.add_address("wan0", f"{outside}/{net.outside_network.length}")
            ns.routes.add(Route(Prefix(0, 0), "eth0", via=outside))
        else:
            _plug(network, switch, ns, "eth0", host.ip, f"p-{host.name}", spec)
            ns.routes.add(Route(Prefix(0, 0), "eth0", via=_gateway(net.node_network)))
        _open_sockets(ns, host)


def _open_sockets(ns: Netns, host: Host) -> None:
    for socket in host.listens:
        listen(ns, Listener(socket.proto, socket.ip, socket.port, host.name))


def _start_services(network: Network, spec: ClusterSpec) -> None:
    """kubelet on every node (a systemd unit, and its rules), then kube-proxy."""
    mode = spec.network.proxy_mode
    names = netns_names(spec)
    for node in spec.nodes:
        ns = network[node.name]
        kubelet = Kubelet(ns, spec)
        for pod in spec.pods:
            if pod.node == node.name:
                kubelet.adopt(pod, names[pod.namespace, pod.name])
        install(kubelet).start()
        if mode != "none":
            _start_kube_proxy(ns, spec, node)


def _start_kube_proxy(ns: Netns, spec: ClusterSpec, node: Node) -> None:
    from k8snetlib.kube.proxy import iptables
    from k8snetlib.kube.proxy.config import Detector, ProxyConfig
    from k8snetlib.kube.proxy.daemon import KubeProxy

    net = spec.network
    config = ProxyConfig(
        node.name, node.ip, labels=node.labels, detector=Detector("CIDR", str(net.pod_network)),
        service_cidrs=(str(net.service_network),),
    )  # fmt: skip
    iptables.kubelet_rules(ns.ruleset)
    kube_proxy = KubeProxy(ns, net.proxy_mode, config)
    kube_proxy.configure(net.proxy_mode)
    install(kube_proxy).start()


# -- pods -----------------------------------------------------------------------------------------


def plug_pod(network: Network, spec: ClusterSpec, pod: Pod, name: str = "") -> Netns:
    """What the runtime and Docker (or a CNI plugin) do for a pod: the pause container makes the
    namespace; a veth pair joins it to the node's bridge; the containers open their sockets."""
    node = next(n for n in spec.nodes if n.name == pod.node)
    host = network[node.name]
    if pod.host_network:
        ns = host
    else:
        ns = network.add(Netns(name or pod.name, "pod"))
        ns.containers = ("pause", *(container.name for container in pod.containers))
        _plug_in(host, spec, node, pod, ns)
        _write_files(ns, spec, pod)
    for at, container in enumerate(pod.containers):
        process = pod.name if at == 0 else f"{pod.name}-{container.name}"
        for proto, port, ip in container.listens:
            serve = dns.serve if (proto, port) == ("udp", 53) else None
            listen(ns, Listener(proto, ip, port, process, serve=serve))
    return ns


def _write_files(ns: Netns, spec: ClusterSpec, pod: Pod) -> None:
    """What kubelet puts into a pod, so that names can be resolved there."""
    ns.files[HOSTS] = dns.hosts(pod)
    for service in spec.services:
        if (service.namespace, service.name) == (dns.NAMESPACE, dns.SERVICE):
            ns.files[CONF] = dns.resolv_conf(pod, service.cluster_ip)


# Who plugs the pods in is imported where it works: `import k8snetlib` stays quick.


def by_docker(spec: ClusterSpec) -> bool:
    """True if Docker plugs the pods in, False if the CNI plugins do."""
    return spec.network.bridge == "docker0"


def docker_conf(spec: ClusterSpec, node: Node) -> DockerConf:
    """Docker's options on a node: what flannel's mk-docker-opts would hand to it."""
    from k8snetlib.kube.docker import DockerConf

    net = spec.network
    bip = f"{node.pod_cidr.host(1)}/{node.pod_cidr.length}"
    rules = net.docker_masquerade or net.docker_forward_drop
    return DockerConf(bip, pod_mtu(spec), rules, net.docker_masquerade, net.docker_forward_drop)


def _prepare_runtime(ns: Netns, spec: ClusterSpec, node: Node) -> None:
    """Docker with its bridge; or the files by which the CNI plugins work: the first pod makes the
    bridge."""
    if by_docker(spec):
        from k8snetlib.kube import docker

        docker.start(ns, docker_conf(spec, node))
        return
    from k8snetlib.kube.cni import node as cni

    net = spec.network
    cni.install(ns, net.bridge, hairpin=net.hairpin)


def _veth(pod: Pod) -> str:
    """The host's side of a pod's veth pair. A device's name has at most 15 letters: the names of
    most workloads' pods are too long, and a hash stands for them."""
    plain = f"veth-{pod.name}"
    if len(plain) <= 15:
        return plain
    from hashlib import sha1

    return "veth" + sha1(f"{pod.namespace}.{pod.name}".encode()).hexdigest()[:8]


def _plug_in(host: Netns, spec: ClusterSpec, node: Node, pod: Pod, ns: Netns) -> None:
    """The pod's veth pair, its address and its default route, by Docker or by CNI."""
    veth = _veth(pod)
    if by_docker(spec):
        from k8snetlib.kube import docker

        conf = docker_conf(spec, node)
        docker.connect(host, conf, ns, ip=pod.ip, veth=veth, hairpin=spec.network.hairpin)
        for port in published(pod):
            docker.start(host, conf := conf._replace(iptables=True))  # its rules, if not there yet
            docker.publish(host, conf, port)
        return
    from k8snetlib.kube.cni import node as cni

    names = cni.PodNames(pod.namespace, pod.name, pod.ip)
    cni.plug(host, names, node.pod_cidr, veth, ns.name, pod.host_ports)


def published(pod: Pod) -> list[docker.Published]:
    """A pod's host ports, as ports that Docker publishes."""
    from k8snetlib.kube import docker

    for port in pod.host_ports:
        if port.host_ip:
            raise NotModelled(f"Pod {pod.name}: Docker and hostIP.", "Leave hostIP out.")
    return [docker.Published(pod.ip, p.host_port, p.port, p.proto) for p in pod.host_ports]


# -- flannel --------------------------------------------------------------------------------------


class _Flannel(NamedTuple):
    """Flannel's settings on every node: net-conf and command line, as text and read."""

    text: str
    conf: NetConf
    words: str
    options: Options


def _flannel(spec: ClusterSpec) -> _Flannel:
    text, words = json_of(net_conf(spec.network)), spec.network.flanneld.split()
    if subnet_manager(spec) == "kube" and "--kube-subnet-mgr" not in words:
        words.append("--kube-subnet-mgr")
    return _Flannel(text, parse_config(text), " ".join(words), parse_options(words))


def _start_flannel(network: Network, spec: ClusterSpec, flannel: _Flannel, api: ApiServer) -> None:
    """Where flannel's leases are (etcd, or the API server), and a flanneld on every node; each asks
    for the subnet that its ``subnet.env`` names."""
    text, options = flannel.text, flannel.options
    kube = options.kube_subnet_mgr
    if not kube:
        server = EtcdServer(network)
        network.agents.add(server)
        server.way().put(Put(f"{PREFIX}/config".encode(), text.encode()))
        for node in spec.nodes:
            network[node.name].commands["etcdctl"] = _etcdctl
    for node in spec.nodes:
        network[node.name].commands["kubectl"] = at_prompt
    with network.agents.hold():
        for node in spec.nodes:
            link = KubeLink(api, node.name, text) if kube else EtcdLink(server, node.name)
            if kube:
                network[node.name].files[NET_CONF] = f"{text}\n"
            flanneld = Flanneld(network[node.name], options, link)
            flanneld.configure(flannel.words)
            install(flanneld).start()
    network.settle()


def _remember_subnet(ns: Netns, spec: ClusterSpec, node: Node, flannel: _Flannel) -> None:
    """The node has been up before: its ``subnet.env`` names the subnet it had."""
    conf, options = flannel.conf, flannel.options
    env = subnet_env.write(conf, options.ip_masq, node.pod_cidr, None, pod_mtu(spec))
    ns.files[options.subnet_file] = env


def _etcdctl(ns: Netns, words: list[str], stdin: str) -> str:
    """``etcdctl`` at a node's prompt: over the node's own way to etcd."""
    from k8snetlib.etcd import etcdctl

    assert ns.network is not None
    server = ns.network.agents["etcd"]
    assert isinstance(server, EtcdServer)
    return etcdctl.run(server.way(ns.name), words, stdin)


def json_of(conf: Mapping[str, object]) -> str:
    """A net-conf as people write it into etcd.

    >>> json_of({"Network": "10.1.0.0/16", "Backend": {"Type": "udp"}})
    '{"Network": "10.1.0.0/16", "Backend": {"Type": "udp"}}'
    """
    import json

    return json.dumps(conf)


def subnet_manager(spec: ClusterSpec) -> str:
    """Where the leases are: etcd, or kube (the Nodes themselves)."""
    net = spec.network
    if net.subnet_manager or "--kube-subnet-mgr" in net.flanneld:
        return "kube" if "--kube-subnet-mgr" in net.flanneld else net.subnet_manager
    try:
        conf = check_network_config(parse_config(json_of(net_conf(net))))
    except FlannelError:
        return "etcd"
    return "etcd" if all(conf.allows(node.pod_cidr) for node in spec.nodes) else "kube"


def _check_flannel(spec: ClusterSpec) -> None:
    """Refuses a net-conf with which flanneld would not start, in flannel's words."""
    parse_options(spec.network.flanneld)
    if subnet_manager(spec) == "kube":
        return
    try:
        conf = check_network_config(parse_config(json_of(net_conf(spec.network))))
    except FlannelError as error:
        raise BadManifest(f"flannel's net-conf: {error.message}.") from None
    for node in spec.nodes:
        if not conf.allows(node.pod_cidr):
            raise BadManifest(
                f"{node.name}: flannel over etcd never leases {node.pod_cidr}.",
                f"It leases /{conf.subnet_len}s from {conf.subnet_min} to {conf.subnet_max}; "
                "with subnetManager kube it takes the node's range as it is.",
            )
