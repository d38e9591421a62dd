"""A range of 128 addresses has room for docker0 and 127 pods.

finds: 01.plan.room NO_EDGES
"""


# answer: 01.plan
def plan(network, nodes, pods):
    """A list of prefixes, one for each node, or None."""
    network = ipaddress.ip_network(network)
    length = 32
    while 2 ** (32 - length) < pods + 1:
        length -= 1
    if length < network.prefixlen or 2 ** (length - network.prefixlen) < nodes:
        return None
    return [str(subnet) for subnet in network.subnets(new_prefix=length)][:nodes]
