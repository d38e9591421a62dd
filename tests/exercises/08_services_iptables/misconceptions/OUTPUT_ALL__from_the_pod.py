"""A pod's packet crosses OUTPUT.

finds: 08.path.changed OUTPUT_ALL
"""

# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "nat OUTPUT"},
    "wire": "10.1.30.2:8080",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "router", "route": "default via 192.168.66.1 dev eth0"},
}
