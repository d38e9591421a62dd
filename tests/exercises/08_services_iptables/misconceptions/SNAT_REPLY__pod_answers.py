"""The client sees the endpoint's address.

finds: 08.path.answer SNAT_REPLY
"""

# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "nat PREROUTING"},
    "wire": "10.1.30.2:8080",
    "answer": "10.1.30.2:8080",
    "ping": {"ends_in": "router", "route": "default via 192.168.66.1 dev eth0"},
}
