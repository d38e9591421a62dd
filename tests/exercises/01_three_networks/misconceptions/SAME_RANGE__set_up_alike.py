"""Every node is set up alike, with the same range.

finds: 01.plan.apart SAME_RANGE
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
    return [str(next(network.subnets(new_prefix=length)))] * nodes
