"""A prefix ends at a dot.

finds: 01.classify.bits OCTETS
"""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    for name, prefix in networks.items():
        network, length = prefix.split("/")
        whole = int(length) // 8
        if ip.split(".")[:whole] == network.split(".")[:whole]:
            return name
    return None
