"""A new node adds no line.

finds: 01.known.lines NODE_UNSEEN
"""

# answer: 01.known
known = {
    "web1": "10.1.15.0/24 dev docker0",
    "web2": "10.1.15.0/24 dev docker0",
    "backend": "10.1.20.0/24 via 192.168.66.12 dev eth0",
    "lines": {"now": 5, "pods": 5, "node": 5},
    "moved": {"route": "10.1.20.0/24 via 192.168.66.12 dev eth0", "ends_in": "node2"},
}
