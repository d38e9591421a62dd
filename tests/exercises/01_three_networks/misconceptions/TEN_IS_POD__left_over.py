"""An address that begins with 10 and is in no network is some pod's.

finds: 01.classify.outside TEN_IS_POD
"""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    for name, prefix in networks.items():
        if ipaddress.ip_address(ip) in ipaddress.ip_network(prefix):
            return name
    return "pod" if ip.startswith("10.") else None
