"""MASQUERADE gives the bridge's address.

finds: 10.seen.flannel IN_DEVICE
finds: 10.seen.docker IN_DEVICE
"""

# answer: 10.seen
seen = {
    "flannel": {"backend_c": "10.1.15.3", "node3": "10.1.15.1", "ext": "10.1.15.1"},
    "docker": {"backend_c": "10.1.15.1", "node3": "10.1.15.1", "ext": "10.1.15.1"},
    "rule": {"backend_c": 2, "node3": 5},
    "none": {"ext_sees": "10.1.15.3", "answer_ends_in": "router"},
}
