"""Policy Local is only a preference.

finds: 11.targets.local ETP_FWD
"""


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    pods = ipaddress.ip_network(entry["pods"])
    inside = source in entry["addresses"] or ipaddress.ip_address(source) in pods
    near = [pod for pod, node in endpoints if node == entry["name"]]
    everywhere = [pod for pod, node in endpoints]
    return everywhere if policy == "Cluster" or inside else near or everywhere
