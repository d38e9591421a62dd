"""The first and the last address of a network are in no network.

finds: 01.classify.cluster HOSTS_ONLY
"""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    address = ipaddress.ip_address(ip)
    for name, prefix in networks.items():
        network = ipaddress.ip_network(prefix)
        if network.network_address < address < network.broadcast_address:
            return name
    return None
