"""The rule sees the packets of both directions.

finds: 01.pairs.count NAT_EVERY
"""

# answer: 01.pairs
pairs = {
    "web1": {"seen": "10.1.15.2", "rule": 2},
    "backend": {"seen": "10.1.15.2", "rule": 2},
    "node1": {"seen": "10.1.15.2", "rule": "none"},
    "node2": {"seen": "192.168.66.11", "rule": 5},
    "ext": {"seen": "192.168.66.11", "rule": 5},
    "counter": 5,
    "docker": {"seen": "10.1.15.0", "rule": 2},
}
