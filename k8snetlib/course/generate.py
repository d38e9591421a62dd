"""What lives here: clusters that differ from seed to seed, for checks to compute with.

The shape and the names are those of the running example, so that a task can speak of web2 and
backend. Addresses and subnets are drawn. An answer that only fits the printed addresses fails.

What may not live here: exercises. Simplified here: every pod subnet is a /24.
"""

from __future__ import annotations

import random

from k8snetlib.address import Prefix
from k8snetlib.kube.api import ClusterSpec, Node, example_spec


def generated_spec(seed: int) -> ClusterSpec:
    """The example cluster with other addresses; the same seed gives the same cluster."""
    dice = random.Random(f"k8snet cluster {seed}")
    example = example_spec()
    pods = Prefix.parse(f"10.{dice.randint(2, 90)}.0.0/16")
    underlay = Prefix.parse(f"192.168.{dice.randint(2, 250)}.0/24")
    count = len(example.nodes)
    # Three digits: no subnet's text is the beginning of another's by chance.
    blocks = dice.sample(range(100, 255), count)
    last = sorted(dice.sample(range(11, 90), count))
    nodes = tuple(
        Node(node.name, underlay.host(host), Prefix.parse(pods.host(block << 8) + "/24"))
        for node, host, block in zip(example.nodes, last, blocks, strict=True)
    )
    ranges = {node.name: node.pod_cidr for node in nodes}
    free = {name: dice.sample(range(2, 250), len(example.pods)) for name in ranges}
    new_pods = tuple(
        pod._replace(ip=ranges[pod.node].host(free[pod.node].pop())) for pod in example.pods
    )
    hosts = tuple(
        host if host.beyond_router else host._replace(ip=underlay.host(100 + at))
        for at, host in enumerate(example.network.hosts)
    )
    network = example.network._replace(node_network=underlay, pod_network=pods, hosts=hosts)
    return ClusterSpec(network, nodes, new_pods, ())
