"""Policy Local gives clients outside nothing.

finds: 11.targets.local LOCAL_CLOSES
finds: 11.targets.nodes -
"""


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    pods = ipaddress.ip_network(entry["pods"])
    inside = source in entry["addresses"] or ipaddress.ip_address(source) in pods
    if policy == "Cluster" or inside:
        return [pod for pod, node in endpoints]
    return []
