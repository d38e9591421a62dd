"""Every route with a next hop is flannel's, but for the default route.

finds: 06.reconcile.others FOREIGN_ROUTES
"""


# answer: 06.reconcile
def reconcile(routes, leases, me, network):
    """The routes to add and to delete."""
    inside = ipaddress.ip_network(network)
    there = set()
    for prefix, via, _ in routes:
        if via and prefix != "0.0.0.0/0":
            there.add((prefix, via))
    should = {(subnet, node) for subnet, node in leases.items() if node != me}
    return {"add": list(should - there), "delete": list(there - should)}
