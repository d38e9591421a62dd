"""Every lease's route is added again.

finds: 06.reconcile.add ADD_AGAIN
finds: 06.reconcile.delete ADD_AGAIN
finds: 06.reconcile.moved ADD_AGAIN
finds: 06.reconcile.others ADD_AGAIN
finds: 06.reconcile.own ADD_AGAIN
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
    return {"add": list(should), "delete": list(there - should)}
