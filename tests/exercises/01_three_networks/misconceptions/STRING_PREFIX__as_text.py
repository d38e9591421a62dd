"""An address is in a network when its text begins alike.

finds: 01.classify.bits STRING_PREFIX
"""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    for name, prefix in networks.items():
        network = prefix.split("/")[0]
        while network.endswith(".0"):
            network = network[: -len(".0")]
        if ip.startswith(network):
            return name
    return None
