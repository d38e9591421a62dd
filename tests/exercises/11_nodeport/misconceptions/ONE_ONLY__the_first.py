"""One pod is chosen.

finds: 11.targets.cluster ONE_ONLY
finds: 11.targets.local ONE_ONLY
finds: 11.targets.inside ONE_ONLY
finds: 11.targets.nodes ONE_ONLY
"""


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    pods = ipaddress.ip_network(entry["pods"])
    inside = source in entry["addresses"] or ipaddress.ip_address(source) in pods
    near = [pod for pod, node in endpoints if node == entry["name"]]
    if policy == "Cluster" or inside:
        near = [pod for pod, node in endpoints]
    return near[:1]
