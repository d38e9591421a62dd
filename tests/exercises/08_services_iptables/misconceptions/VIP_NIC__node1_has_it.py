"""node1 has the Service's address.

finds: 08.path.ping VIP_NIC
"""

# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "nat PREROUTING"},
    "wire": "10.1.30.2:8080",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "node1", "route": "local"},
}
