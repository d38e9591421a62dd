"""The router at home does this, too.

finds: 10.seen.flannel ROUTER_NATS
finds: 10.seen.docker ROUTER_NATS
"""

# answer: 10.seen
seen = {
    "flannel": {"backend_c": "10.1.15.3", "node3": "192.168.66.11", "ext": "203.0.113.1"},
    "docker": {"backend_c": "192.168.66.11", "node3": "192.168.66.11", "ext": "203.0.113.1"},
    "rule": {"backend_c": 2, "node3": 5},
    "none": {"ext_sees": "10.1.15.3", "answer_ends_in": "router"},
}
