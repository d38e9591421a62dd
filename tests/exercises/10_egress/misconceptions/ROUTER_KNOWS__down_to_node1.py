"""The router sends it to node1, and there nobody wants it.

finds: 10.seen.none ROUTER_KNOWS
"""

# answer: 10.seen
seen = {
    "flannel": {"backend_c": "10.1.15.3", "node3": "192.168.66.11", "ext": "192.168.66.11"},
    "docker": {"backend_c": "192.168.66.11", "node3": "192.168.66.11", "ext": "192.168.66.11"},
    "rule": {"backend_c": 2, "node3": 5},
    "none": {"ext_sees": "10.1.15.3", "answer_ends_in": "node1"},
}
