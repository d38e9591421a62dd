"""Only subnets that have a route already get one.

finds: 06.reconcile.add ADD_NOTHING
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
        "add": [pair for pair in should - there if pair[0] in dict(there)],
        "delete": list(there - should),
    }
