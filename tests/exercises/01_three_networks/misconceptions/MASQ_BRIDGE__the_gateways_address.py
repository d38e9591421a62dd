"""The gateway's address is docker0's.

finds: 01.pairs.out MASQ_BRIDGE
"""

# answer: 01.pairs
pairs = {
    "web1": {"seen": "10.1.15.2", "rule": 2},
    "backend": {"seen": "10.1.15.2", "rule": 2},
    "node1": {"seen": "10.1.15.2", "rule": "none"},
    "node2": {"seen": "10.1.15.1", "rule": 5},
    "ext": {"seen": "192.168.66.11", "rule": 5},
    "counter": 1,
    "docker": {"seen": "10.1.15.0", "rule": 2},
}
