"""A subnet is right as soon as any route leads there.

finds: 06.reconcile.moved SUBNET_ONLY
"""


# answer: 06.reconcile
def reconcile(routes, leases, me, network):
    """The routes to add and to delete."""
    inside = ipaddress.ip_network(network)
    there = set()
    for prefix, via, _ in routes:
        if via and ipaddress.ip_network(prefix).subnet_of(inside):
            there.add((prefix, via))
    should = {(subnet, node) for subnet, node in leases.items() if node != me}
    return {
        "add": [pair for pair in should if pair[0] not in dict(there)],
        "delete": [pair for pair in there if pair[0] not in leases],
    }
