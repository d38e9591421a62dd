"""What lives here: who reaches whom, found out by sending, and never by looking at tables.

``all_pairs`` sends one ping from every host to every other, each in a copy of the cluster: no
packet finds a cache that another one has filled, and the cluster itself stays as it is.

What may not live here: how the result looks (``views.matrix``).

Simplified here: A pair is judged by one ping; a rule that looks at protocols or ports may treat
other packets differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.trace import Exchange

#: What can become of a pair besides the outcomes of an exchange, and what it means.
FATES: Mapping[str, str] = {
    "reached": "answered; the receiver saw this source address, and it is the one that was sent",
    "translated": "answered; the receiver saw this source address, and it is not the one sent",
    "wrong host": "this other host got it",
    "no answer": "it arrived, but the answer did not come back",
}


class Pair(NamedTuple):
    """One ping from ``sender`` to ``target``.

    ``fate`` is one of ``FATES``, or the outcome of the exchange if the request did not arrive
    (dropped, lost, unreachable …). ``end`` is the host where the request ended; ``sent`` the source
    address as the sender wrote it, ``seen`` as it arrived ("" if it did not).
    """

    sender: str
    target: str
    fate: str
    end: str
    sent: str
    seen: str
    reason: str


def hosts_of(cluster: Cluster) -> tuple[str, ...]:
    """The pods, node by node, then the nodes."""
    pods = sorted(cluster.spec.pods, key=lambda pod: cluster.nodes.index(pod.node))
    return (*(pod.name for pod in pods), *cluster.nodes)


def all_pairs(cluster: Cluster, hosts: Sequence[str] = ()) -> tuple[Pair, ...]:
    """Every ordered pair of different hosts, by rows.

    Parameters: ``hosts`` are names (none: all pods and nodes). Raises ``UnknownName``.
    """
    named = [cluster[name].name for name in hosts] or hosts_of(cluster)
    return tuple(
        judge(sender, target, cluster.clone().ping(sender, target))
        for sender in named
        for target in named
        if sender != target
    )


def judge(sender: str, target: str, ping: Exchange) -> Pair:
    """What became of one ping, as a ``Pair``."""
    request = ping.request
    if request is None or not request.steps:
        return Pair(sender, target, ping.outcome, sender, "", "", ping.reason)
    sent = request.steps[0].packet.ip.src
    if not request.delivered:
        return Pair(sender, target, ping.outcome, request.end, sent, "", ping.reason)
    seen = request.last.packet.ip.src
    fate = "reached" if seen == sent else "translated"
    if request.end != target:
        fate = "wrong host"
    elif not ping.ok:
        fate = "no answer"
    return Pair(sender, target, fate, request.end, sent, seen, ping.reason)
