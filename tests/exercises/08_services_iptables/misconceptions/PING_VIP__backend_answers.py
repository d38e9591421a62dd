"""A Service answers a ping.

finds: 08.path.ping PING_VIP
"""

# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "nat PREROUTING"},
    "wire": "10.1.30.2:8080",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "backend-c", "route": "10.1.30.0/24 via 192.168.66.13 dev eth0"},
}
