"""There is always a next range.

finds: 01.plan.full SPILLS
"""


# answer: 01.plan
def plan(network, nodes, pods):
    """A list of prefixes, one for each node, or None."""
    network = ipaddress.ip_network(network)
    length = 32
    while 2 ** (32 - length) < pods + 3:
        length -= 1
    start = int(network.network_address)
    size = 2 ** (32 - length)
    first = -(-start // size) * size
    return [f"{ipaddress.ip_address(first + at * size)}/{length}" for at in range(nodes)]
