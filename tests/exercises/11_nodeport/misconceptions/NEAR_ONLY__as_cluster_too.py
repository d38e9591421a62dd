"""A node serves its own endpoints; policy Local only drops what is left.

finds: 11.targets.cluster NEAR_ONLY
"""


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    pods = ipaddress.ip_network(entry["pods"])
    inside = source in entry["addresses"] or ipaddress.ip_address(source) in pods
    near = [pod for pod, node in endpoints if node == entry["name"]]
    if policy == "Local" and inside:
        return [pod for pod, node in endpoints]
    return near
