"""The rule whose destination is node1's range.

finds: 10.seen.rules SWAPPED
"""

# answer: 10.seen
seen = {
    "flannel": {"backend_c": "10.1.15.3", "node3": "192.168.66.11", "ext": "192.168.66.11"},
    "docker": {"backend_c": "192.168.66.11", "node3": "192.168.66.11", "ext": "192.168.66.11"},
    "rule": {"backend_c": 3, "node3": 5},
    "none": {"ext_sees": "10.1.15.3", "answer_ends_in": "router"},
}
