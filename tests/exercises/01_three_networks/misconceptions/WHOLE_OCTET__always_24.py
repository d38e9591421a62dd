"""A node's range is a /24.

finds: 01.plan.room WHOLE_OCTET
finds: 01.plan.full -
"""


# answer: 01.plan
def plan(network, nodes, pods):
    """A list of prefixes, one for each node, or None."""
    network = ipaddress.ip_network(network)
    subnets = list(network.subnets(new_prefix=24))
    return [str(subnet) for subnet in subnets[:nodes]] if len(subnets) >= nodes else None
