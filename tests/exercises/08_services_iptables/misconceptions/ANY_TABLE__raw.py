"""The first table in the hook changes the address.

finds: 08.path.changed ANY_TABLE
"""

# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "raw PREROUTING"},
    "wire": "10.1.30.2:8080",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "router", "route": "default via 192.168.66.1 dev eth0"},
}
