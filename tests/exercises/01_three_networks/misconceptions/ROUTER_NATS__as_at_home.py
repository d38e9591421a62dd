"""At home the router translates.

finds: 01.pairs.out ROUTER_NATS
"""

# answer: 01.pairs
pairs = {
    "web1": {"seen": "10.1.15.2", "rule": 2},
    "backend": {"seen": "10.1.15.2", "rule": 2},
    "node1": {"seen": "10.1.15.2", "rule": "none"},
    "node2": {"seen": "192.168.66.11", "rule": 5},
    "ext": {"seen": "203.0.113.1", "rule": 5},
    "counter": 1,
    "docker": {"seen": "10.1.15.0", "rule": 2},
}
