"""Each pod of a node is in a subnet of its own.

finds: 01.known.routes DIFF_SUBNETS
"""

# answer: 01.known
known = {
    "web1": "10.1.15.3/32 dev veth-web1",
    "web2": "10.1.15.2/32 dev veth-web2",
    "backend": "10.1.20.0/24 via 192.168.66.12 dev eth0",
    "lines": {"now": 5, "pods": 5, "node": 6},
    "moved": {"route": "10.1.20.0/24 via 192.168.66.12 dev eth0", "ends_in": "node2"},
}
