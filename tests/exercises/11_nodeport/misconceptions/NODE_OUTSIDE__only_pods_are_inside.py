"""Only pods are inside.

finds: 11.targets.inside NODE_OUTSIDE
"""


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    pods = ipaddress.ip_network(entry["pods"])
    if policy == "Cluster" or ipaddress.ip_address(source) in pods:
        return [pod for pod, node in endpoints]
    return [pod for pod, node in endpoints if node == entry["name"]]
