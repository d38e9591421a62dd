"""What is no pod and no Service must be a node.

finds: 01.classify.outside ALWAYS_ONE
"""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    address = ipaddress.ip_address(ip)
    for name in ("pod", "service"):
        if address in ipaddress.ip_network(networks[name]):
            return name
    return "node"
