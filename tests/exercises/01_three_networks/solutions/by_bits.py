"""Bits by hand, networks as objects, and predictions in other forms."""


# answer: 01.classify
def classify(ip, networks):
    """'node', 'pod', 'service' or None."""

    def number(text):
        return int.from_bytes(bytes(map(int, text.split("."))), "big")

    found = None
    for name in sorted(networks):
        network, length = networks[name].split("/")
        shift = 32 - int(length)
        if number(ip) >> shift == number(network) >> shift:
            found = name
    return found


# answer: 01.pairs
pairs = {
    "web1": {
        "seen": "10.1.15.2",
        "rule": "-A FLANNEL-POSTRTG -s 10.1.15.0/24 -d 10.1.0.0/16 -m comment "
        '--comment "flanneld masq" -j RETURN',
    },
    "backend": {"seen": " 10.1.15.2", "rule": "2"},
    "node1": {"seen": "10.1.15.2", "rule": "None"},
    "node2": {"seen": "192.168.66.11", "rule": 5},
    "ext": {"seen": "192.168.66.11", "rule": 5},
    "counter": "1",
    "docker": {"seen": "10.1.15.0", "rule": "rule 2"},
}


# answer: 01.plan
def plan(network, nodes, pods):
    """A list of prefixes, one for each node, or None."""
    size = 4
    while size < pods + 3:
        size *= 2
    network = ipaddress.ip_network(network)
    if nodes * size > network.num_addresses:
        return None
    length = 33 - size.bit_length()
    return tuple(
        ipaddress.ip_network((int(network.network_address) + at * size, length))
        for at in reversed(range(nodes))
    )[::-1]


# answer: 01.known
known = {
    "web1": ("10.1.15.0/24", "docker0"),
    "web2": "10.1.15.0/24 dev docker0 proto kernel scope link src 10.1.15.1",
    "backend": "10.1.20.0/24 dev eth0 via 192.168.66.12",
    "lines": {"now": "5", "pods": 5, "node": 6},
    "moved": {"route": "10.1.20.0/24 via 192.168.66.12 dev eth0", "ends_in": "node/node2"},
}


# answer: 01.service
service = {
    "ping": {"route": "0.0.0.0/0 via 192.168.66.1 dev eth0", "ends_in": "Router"},
    "connect": {"outcome": "answered", "leaves_for": "Service", "arrives_for": "pods"},
}


# answer: 01.image
image = {
    "cause": "one-docker0-range",
    "script": """
node2$ ip addr del 10.1.30.1/24 dev docker0
node2$ ip addr add 10.1.20.1/24 dev docker0
backend$ ip addr del 10.1.30.3/24 dev eth0
backend$ ip addr add 10.1.20.3/24 dev eth0
backend$ ip route add default via 10.1.20.1
backend-b$ ip addr del 10.1.30.4/24 dev eth0
backend-b$ ip addr add 10.1.20.4/24 dev eth0
backend-b$ ip route add default via 10.1.20.1
""",
}
