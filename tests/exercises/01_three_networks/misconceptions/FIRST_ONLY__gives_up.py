"""The loop returns None as soon as one network does not fit.

finds: 01.classify.cluster FIRST_ONLY
finds: 01.classify.bits FIRST_ONLY
"""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    for name, prefix in networks.items():
        if ipaddress.ip_address(ip) in ipaddress.ip_network(prefix):
            return name
        return None
