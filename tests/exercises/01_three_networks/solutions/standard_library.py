"""The standard library's ipaddress for both functions; predictions as the model prints them."""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""
    for name, prefix in networks.items():
        if ipaddress.ip_address(ip) in ipaddress.ip_network(prefix):
            return name
    return None


# answer: 01.pairs
pairs = {
    "web1": {"seen": "10.1.15.2", "rule": 2},
    "backend": {"seen": "10.1.15.2", "rule": 2},
    "node1": {"seen": "10.1.15.2", "rule": "none"},
    "node2": {"seen": "192.168.66.11", "rule": 5},
    "ext": {"seen": "192.168.66.11", "rule": 5},
    "counter": 1,
    "docker": {"seen": "10.1.15.0", "rule": 2},
}


# answer: 01.plan
def plan(network, nodes, pods):
    """A list of prefixes, one for each node, or None."""
    network = ipaddress.ip_network(network)
    length = 32
    while 2 ** (32 - length) < pods + 3:
        length -= 1
    if length < network.prefixlen or 2 ** (length - network.prefixlen) < nodes:
        return None
    return [str(subnet) for subnet in network.subnets(new_prefix=length)][:nodes]


# answer: 01.known
known = {
    "web1": "10.1.15.0/24 dev docker0",
    "web2": "10.1.15.0/24 dev docker0",
    "backend": "10.1.20.0/24 via 192.168.66.12 dev eth0",
    "lines": {"now": 5, "pods": 5, "node": 6},
    "moved": {"route": "10.1.20.0/24 via 192.168.66.12 dev eth0", "ends_in": "node2"},
}


# answer: 01.service
service = {
    "ping": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router"},
    "connect": {"outcome": "delivered", "leaves_for": "service", "arrives_for": "pod"},
}
