"""The whole network is shared out among the nodes.

finds: 01.plan.room REBALANCE
finds: 01.plan.growth REBALANCE
"""


# answer: 01.plan
def plan(network, nodes, pods):
    """A list of prefixes, one for each node, or None."""
    network = ipaddress.ip_network(network)
    length = network.prefixlen
    while 2 ** (length - network.prefixlen) < nodes:
        length += 1
    if 2 ** (32 - length) < pods + 3:
        return None
    return [str(subnet) for subnet in network.subnets(new_prefix=length)][:nodes]
