"""Policy Local means near endpoints, for everybody.

finds: 11.targets.inside LOCAL_FOR_ALL
"""


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    return [p for p, node in endpoints if policy == "Cluster" or node == entry["name"]]
