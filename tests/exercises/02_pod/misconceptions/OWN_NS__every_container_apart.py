"""Every container has a network of its own.

finds: 02.join.space OWN_NS
finds: 02.join.address OWN_NS
finds: 02.join.host OWN_NS
finds: 02.join.lost OWN_NS
"""


# answer: 02.join
def join_netns(starts):
    """For each container: (its namespace, True if its socket opens)."""
    return [("node1" if host else pod, True) for _, pod, host, _socket in starts]
