"""Near endpoints come first.

finds: 11.targets.cluster LOCAL_FIRST
"""


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    pods = ipaddress.ip_network(entry["pods"])
    inside = source in entry["addresses"] or ipaddress.ip_address(source) in pods
    near = [pod for pod, node in endpoints if node == entry["name"]]
    everywhere = [pod for pod, node in endpoints]
    if policy == "Cluster":
        return near or everywhere
    return everywhere if inside else near
