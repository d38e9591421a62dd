"""The first two octets tell the network.

finds: 01.classify.bits OCTETS
"""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    for name, prefix in networks.items():
        if ip.split(".")[:2] == prefix.split(".")[:2]:
            return name
    return None
