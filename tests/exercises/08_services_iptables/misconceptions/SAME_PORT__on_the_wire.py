"""The Service's port stays.

finds: 08.path.wire SAME_PORT
"""

# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "nat PREROUTING"},
    "wire": "10.1.30.2:80",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "router", "route": "default via 192.168.66.1 dev eth0"},
}
