"""The ranges are spread evenly over the whole network.

finds: 01.plan.growth REBALANCE
"""


# answer: 01.plan
def plan(network, nodes, pods):
    """A list of prefixes, one for each node, or None."""
    network = ipaddress.ip_network(network)
    length = 32
    while 2 ** (32 - length) < pods + 3:
        length -= 1
    if length < network.prefixlen or 2 ** (length - network.prefixlen) < nodes:
        return None
    subnets = list(network.subnets(new_prefix=length))
    return [str(subnets[at * len(subnets) // nodes]) for at in range(nodes)]
