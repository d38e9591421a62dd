"""The last rule is for what leaves the pod network.

finds: 10.seen.rules LAST_RULE
"""

# answer: 10.seen
seen = {
    "flannel": {"backend_c": "10.1.15.3", "node3": "192.168.66.11", "ext": "192.168.66.11"},
    "docker": {"backend_c": "192.168.66.11", "node3": "192.168.66.11", "ext": "192.168.66.11"},
    "rule": {"backend_c": 2, "node3": 6},
    "none": {"ext_sees": "10.1.15.3", "answer_ends_in": "router"},
}
