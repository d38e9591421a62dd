"""All nodes are inside.

finds: 11.targets.nodes NODE_INSIDE
"""


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    inside = source.startswith(("192.168.66.", "10.1."))
    if policy == "Cluster" or inside:
        return [pod for pod, node in endpoints]
    return [pod for pod, node in endpoints if node == entry["name"]]
