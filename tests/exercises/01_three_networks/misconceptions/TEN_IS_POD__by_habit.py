"""10.96 is a Service, any other 10 is a pod, 192.168 is a node.

finds: 01.classify.bits TEN_IS_POD
finds: 01.classify.outside TEN_IS_POD
"""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    if ip.startswith("10."):
        service = ipaddress.ip_network("10.96.0.0/12")
        return "service" if ipaddress.ip_address(ip) in service else "pod"
    return "node" if ip.startswith("192.168.") else None
