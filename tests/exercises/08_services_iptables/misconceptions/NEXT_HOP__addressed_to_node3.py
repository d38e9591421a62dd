"""Between nodes, a packet goes to the next node.

finds: 08.path.wire NEXT_HOP
"""

# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "nat PREROUTING"},
    "wire": "192.168.66.13:8080",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "router", "route": "default via 192.168.66.1 dev eth0"},
}
