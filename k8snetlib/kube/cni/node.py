"""What lives here: a node as Kubernetes' flannel manifest leaves it, and a pod plugged in there.

The manifest installs one conflist: flannel (which delegates to bridge and host-local), then
portmap. kubelet's runtime runs it for each pod, with the pod's names in CNI_ARGS. Here the pod's
address is known beforehand, since the manifests name it; it is asked for by the same CNI_ARGS
(``IP=…``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from k8snetlib.address import Prefix, mac_for
from k8snetlib.kube.api import ContainerPort
from k8snetlib.kube.cni import invoke
from k8snetlib.kube.cni.bridge import DEFAULT_BRIDGE
from k8snetlib.kube.cni.result import Result
from k8snetlib.kube.cni.spec import Given
from k8snetlib.linux.netns import Netns

CONFLIST = f"{invoke.CONF_DIR}/10-flannel.conflist"


class PodNames(NamedTuple):
    """What the runtime knows of a pod: its namespace, its name, the address it is to get."""

    namespace: str
    name: str
    ip: str

    @property
    def sandbox_id(self) -> str:
        """The id of its sandbox: 64 hexadecimal digits that follow from its names."""
        return sha256(f"{self.namespace}/{self.name}".encode()).hexdigest()


def install(node: Netns, bridge: str = DEFAULT_BRIDGE, *, hairpin: bool = True) -> None:
    """Puts flannel's conflist where the runtime looks for it."""
    delegate: dict[str, object] = {"hairpinMode": hairpin, "isDefaultGateway": True}
    if bridge != DEFAULT_BRIDGE:
        delegate = {"bridge": bridge, **delegate}
    conflist = {
        "name": "cbr0",
        "cniVersion": "0.3.1",
        "plugins": [
            {"type": "flannel", "delegate": delegate},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    node.files[CONFLIST] = json.dumps(conflist, indent=2) + "\n"


def plug(
    node: Netns, pod: PodNames, subnet: Prefix, veth: str, netns: str = "",
    host_ports: Iterable[ContainerPort] = (),
) -> Result:  # fmt: skip
    """Runs the node's conflist for a pod, with names and MAC addresses that follow from addresses.

    ``netns`` is the name of the pod's namespace (empty: the pod's own). Raises ``CniError`` as the
    runtime would report it.
    """
    given = Given(
        veth, mac_for("0a:fe", pod.ip), mac_for("02:42", pod.ip), mac_for("02:42", subnet.host(1))
    )
    to = _attachment(node, pod, netns, host_ports)._replace(given=given)
    return invoke.add_list(to, node.files[CONFLIST])


def unplug(
    node: Netns, pod: PodNames, netns: str = "", host_ports: Iterable[ContainerPort] = ()
) -> None:
    """Runs DEL for a pod: its devices, its address and its ports of the node are free again."""
    invoke.del_list(_attachment(node, pod, netns, host_ports), node.files[CONFLIST])


def _attachment(
    node: Netns, pod: PodNames, netns: str, host_ports: Iterable[ContainerPort]
) -> invoke.Attachment:
    args = {
        "IgnoreUnknown": "1",
        "K8S_POD_NAMESPACE": pod.namespace,
        "K8S_POD_NAME": pod.name,
        "K8S_POD_INFRA_CONTAINER_ID": pod.sandbox_id,
        "IP": pod.ip,
    }
    text = ";".join(f"{key}={value}" for key, value in args.items())
    mappings = [
        {"hostPort": p.host_port, "containerPort": p.port, "protocol": p.proto, "hostIP": p.host_ip}
        for p in host_ports
    ]
    runtime = {"portMappings": mappings} if mappings else {}
    return invoke.Attachment(
        node, pod.sandbox_id, netns or pod.name, args=text, capabilities=runtime
    )
