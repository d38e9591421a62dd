"""What lives here: what ``k8snet script`` and ``k8snet verify`` do, as plain functions.

Both return text and an exit status; printing is the command line's business.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from k8snetlib.lab.script import refuse_ipvs, script
from k8snetlib.lab.verify import Report, Send, verify

if TYPE_CHECKING:
    from k8snetlib.cluster import Cluster

#: Sends of ``k8snet verify`` per kind, so that it stays quick on a large cluster.
_SOME = 4


def run_script(cluster: Cluster, prefix: str = "") -> str:
    """``k8snet script``: the shell script; without ``prefix`` its namespaces get a random one."""
    return script(cluster, prefix or f"k8sl-{secrets.token_hex(3)}-")


def run_verify(cluster: Cluster, sends: Iterable[Send] = ()) -> tuple[int, str]:
    """``k8snet verify``: exit status (0: model and kernel agree, 1: they differ) and the report.

    Without ``sends``, ``default_sends`` chooses. Raises ``K8sNetError`` where it cannot run.
    """
    refuse_ipvs(cluster.network)
    chosen = tuple(sends) or default_sends(cluster)
    report: Report = verify(warm(cluster, chosen), chosen)
    return (0 if report.ok else 1), str(report)


def warm(cluster: Cluster, sends: Iterable[Send]) -> Cluster:
    """A copy in which everybody has sent once: a lab with warm caches serves many sends."""
    warm = cluster.clone()
    for send in sends:
        warm.ping(send.source, send.target)
        warm.send(send.source, send.target, send.port, proto=send.proto, ttl=send.ttl, df=send.df)
    return warm


def default_sends(cluster: Cluster) -> tuple[Send, ...]:
    """What is worth sending in any cluster: between pods of one node and of several, to every
    Service (and its node ports), from a node, and what must fail: a closed port, a short TTL."""
    pods = cluster.spec.pods
    if not pods:
        return ()
    first = pods[0]
    near = [pod for pod in pods[1:] if pod.node == first.node][:_SOME]
    far = [pod for pod in pods if pod.node != first.node][:_SOME]
    sends = [Send(first.name, pod.ip, proto="icmp") for pod in (*near, *far)]
    for pod in (*near, *far):
        listens = [s for c in pod.containers for s in c.listens if s.ip == "0.0.0.0"]
        sends += [Send(first.name, pod.ip, s.port, s.proto) for s in listens]
    node = cluster.spec.nodes[0]
    for service in cluster.spec.services[: 2 * _SOME]:
        for port in service.ports:
            sends.append(Send(first.name, service.cluster_ip, port.port, port.proto))
            sends.append(Send(node.name, service.cluster_ip, port.port, port.proto))
            for host in cluster.spec.network.hosts if port.node_port else ():
                sends.append(Send(host.name, node.ip, port.node_port, port.proto))
    for pod in far[:1]:
        sends.append(Send(first.name, pod.ip, 1, "tcp"))
        sends.append(Send(first.name, pod.ip, 33434, "udp", ttl=1, df=False))
    return tuple(sends)
