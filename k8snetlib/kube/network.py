"""What lives here: our own ``ClusterNetwork`` document: what Kubernetes has no object for.

It says how the nodes are connected, which machines stand beside the cluster, and how flannel,
Docker's bridge and kube-proxy are configured. Without one, ``default_network`` takes the ranges
that the other objects imply, and flannel's and kube-proxy's own defaults.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from k8snetlib.address import Prefix, mask, number
from k8snetlib.errors import BadManifest, K8sNetError
from k8snetlib.kube.api import (
    BACKENDS,
    PROXY_MODES,
    SUBNET_MANAGERS,
    Host,
    Listen,
    NetworkSpec,
    Pod,
    Service,
)
from k8snetlib.kube.fields import Fields
from k8snetlib.kube.node_objects import NodeDraft
from k8snetlib.kube.sockets import parse_socket

#: The options of a backend that a net-conf may hold besides its type.
BACKEND_OPTIONS = ("Port", "VNI", "MTU", "DirectRouting", "GBP", "Learning")
_MTU = (576, 65535)
_POLICIES = ("ACCEPT", "DROP")


def network(spec: Fields) -> NetworkSpec:
    """The ``spec`` of a ClusterNetwork."""
    underlay, flannel = spec.fields("underlay"), spec.fields("flannel")
    bridge = spec.fields("bridge", optional=True)
    backend = flannel.fields("Backend", optional=True)
    daemon = spec.fields("flanneld", optional=True)
    return NetworkSpec(
        node_network=underlay.prefix("nodeNetwork"),
        pod_network=flannel.prefix("Network"),
        service_network=spec.prefix("serviceNetwork"),
        outside_network=underlay.prefix("outsideNetwork"),
        hosts=tuple(_host(host) for host in underlay.each("hosts")),
        backend=backend.one_of("Type", BACKENDS, "udp"),
        backend_options=tuple(
            _option(backend, name) for name in BACKEND_OPTIONS if backend.has(name)
        ),
        subnet_len=flannel.number("SubnetLen", 0, 30, 0),
        subnet_min=flannel.ip("SubnetMin") if flannel.has("SubnetMin") else "",
        subnet_max=flannel.ip("SubnetMax") if flannel.has("SubnetMax") else "",
        subnet_manager=daemon.one_of("subnetManager", ("", *SUBNET_MANAGERS), ""),
        flanneld=daemon.text("args", "--ip-masq"),
        proxy_mode=spec.fields("kubeProxy", optional=True).one_of("mode", PROXY_MODES, "iptables"),
        bridge=bridge.text("name", "docker0"),
        hairpin=bridge.flag("hairpin", True),
        mtu=underlay.number("mtu", *_MTU, 1500),
        docker_masquerade=bridge.flag("ipMasq", False),
        docker_forward_drop=bridge.one_of("forwardPolicy", _POLICIES, "ACCEPT") == "DROP",
    )


def _option(backend: Fields, name: str) -> tuple[str, int | bool]:
    if name in ("DirectRouting", "GBP", "Learning"):
        return name, backend.flag(name, False)
    return name, backend.number(name, 0, 0xFFFFFF)


def _host(fields: Fields) -> Host:
    sockets = tuple(_socket(fields, text) for text in fields.texts("listen"))
    beyond = fields.flag("beyondRouter", False)
    return Host(fields.text("name"), fields.ip("address"), beyond, sockets)


def _socket(fields: Fields, text: str) -> Listen:
    try:
        return parse_socket(text)
    except K8sNetError as error:
        raise fields.error("listen", f"is wrong: {error.message}", error.hint) from None


def net_conf(spec: NetworkSpec) -> dict[str, Any]:
    """flannel's net-conf, as it stands in etcd or in the ConfigMap."""
    limits = {
        "SubnetLen": spec.subnet_len, "SubnetMin": spec.subnet_min, "SubnetMax": spec.subnet_max,
    }  # fmt: skip
    return {
        "Network": str(spec.pod_network),
        **{name: value for name, value in limits.items() if value},
        "Backend": {"Type": spec.backend, **dict(spec.backend_options)},
    }


def _flanneld(spec: NetworkSpec) -> dict[str, Any]:
    """What differs from flanneld's usual command line here."""
    found: dict[str, Any] = {}
    if spec.subnet_manager:
        found["subnetManager"] = spec.subnet_manager
    if spec.flanneld != "--ip-masq":
        found["args"] = spec.flanneld
    return {"flanneld": found} if found else {}


def network_object(spec: NetworkSpec) -> dict[str, Any]:
    """The document that ``network`` reads back to the same value."""
    hosts = [
        {
            "name": host.name,
            "address": host.ip,
            **({"beyondRouter": True} if host.beyond_router else {}),
            "listen": [str(socket) for socket in host.listens],
        }
        for host in spec.hosts
    ]
    return {
        "apiVersion": "k8snetlib/v1",
        "kind": "ClusterNetwork",
        "metadata": {"name": "network"},
        "spec": {
            "underlay": {
                "nodeNetwork": str(spec.node_network),
                "outsideNetwork": str(spec.outside_network),
                "mtu": spec.mtu,
                "hosts": hosts,
            },
            "flannel": net_conf(spec),
            **_flanneld(spec),
            "bridge": {
                "name": spec.bridge,
                "hairpin": spec.hairpin,
                "ipMasq": spec.docker_masquerade,
                "forwardPolicy": _POLICIES[spec.docker_forward_drop],
            },
            "serviceNetwork": str(spec.service_network),
            "kubeProxy": {"mode": spec.proxy_mode},
        },
    }


# -- without the document -------------------------------------------------------------------------

#: What a cluster gets of which nothing tells more: the example's node network, and the ranges of
#: kubeadm and of flannel's own manifest.
NODE_NETWORK = Prefix.parse("192.168.66.0/24")
POD_NETWORK = Prefix.parse("10.244.0.0/16")
SERVICE_NETWORK = Prefix.parse("10.96.0.0/16")
OUTSIDE_NETWORK = Prefix.parse("203.0.113.0/24")


def default_network(
    nodes: Iterable[NodeDraft], pods: Iterable[Pod], services: Iterable[Service]
) -> NetworkSpec:
    """The network that Nodes, Pods and Services imply; raises ``BadManifest`` where it stays open.

    What has no address yet implies nothing; where nothing does, the defaults above are taken.
    """
    nodes = tuple(nodes)
    node_network = range_around([Prefix.parse(n.ip) for n in nodes if n.ip], 24) or NODE_NETWORK
    gateway = node_network.host(1)
    for node in nodes:
        if node.ip == gateway:
            raise BadManifest(
                f"Node {node.name} has {gateway}, where the router would stand by default.",
                "Describe the network in a network.yaml (docs/manifests.md).",
            )
    inside = [node.pod_cidr for node in nodes if node.pod_cidr is not None]
    if len(inside) < len(nodes) or not nodes:
        inside += [Prefix.parse(pod.ip) for pod in pods if pod.ip and not pod.host_network]
    virtual = [s.cluster_ip for s in services if s.has_address and ":" not in s.cluster_ip]
    return NetworkSpec(
        node_network=node_network,
        pod_network=range_around(inside, 16) or POD_NETWORK,
        service_network=range_around(list(map(Prefix.parse, virtual)), 16) or SERVICE_NETWORK,
        outside_network=OUTSIDE_NETWORK,
    )


def range_around(prefixes: list[Prefix], longest: int) -> Prefix | None:
    """The smallest prefix, not longer than ``longest`` bits, that holds all of them; None if there
    are none."""
    if not prefixes:
        return None
    length = min([longest, *(prefix.length for prefix in prefixes)])
    while len({prefix.net & mask(length) for prefix in prefixes}) > 1:
        length -= 1
    return Prefix(number(prefixes[0].network) & mask(length), length)
