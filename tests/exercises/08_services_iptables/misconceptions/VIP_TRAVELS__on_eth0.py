"""The Service's address travels between nodes.

finds: 08.path.wire VIP_TRAVELS
"""

# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "nat PREROUTING"},
    "wire": "10.96.0.10:80",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "router", "route": "default via 192.168.66.1 dev eth0"},
}
