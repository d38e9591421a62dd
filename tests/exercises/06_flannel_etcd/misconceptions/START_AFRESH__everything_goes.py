"""All of flannel's routes are deleted first.

finds: 06.reconcile.add START_AFRESH
finds: 06.reconcile.delete START_AFRESH
finds: 06.reconcile.moved START_AFRESH
finds: 06.reconcile.others START_AFRESH
finds: 06.reconcile.own START_AFRESH
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
    return {"add": list(should - there), "delete": list(there)}
