"""The endpoint's node chooses.

finds: 08.path.changed TARGET_LB
"""

# answer: 08.path
path = {
    "changed": {"netns": "node3", "box": "nat PREROUTING"},
    "wire": "10.1.30.2:8080",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "router", "route": "default via 192.168.66.1 dev eth0"},
}
