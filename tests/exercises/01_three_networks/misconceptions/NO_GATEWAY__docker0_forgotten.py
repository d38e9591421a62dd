"""Only the first and the last address are lost to pods.

finds: 01.plan.room NO_GATEWAY
"""


# answer: 01.plan
def plan(network, nodes, pods):
    """A list of prefixes, one for each node, or None."""
    network = ipaddress.ip_network(network)
    length = 32
    while 2 ** (32 - length) < pods + 2:
        length -= 1
    if length < network.prefixlen or 2 ** (length - network.prefixlen) < nodes:
        return None
    return [str(subnet) for subnet in network.subnets(new_prefix=length)][:nodes]
