"""Routes of dead nodes vanish by themselves.

finds: 06.reconcile.delete STALE_ROUTE
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
    return {"add": list(should - there), "delete": []}
