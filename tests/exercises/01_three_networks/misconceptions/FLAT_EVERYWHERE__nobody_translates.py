"""The flat promise: whoever receives sees the pod's address.

finds: 01.pairs.out FLAT_EVERYWHERE
"""

# answer: 01.pairs
pairs = {
    "web1": {"seen": "10.1.15.2", "rule": 2},
    "backend": {"seen": "10.1.15.2", "rule": 2},
    "node1": {"seen": "10.1.15.2", "rule": "none"},
    "node2": {"seen": "10.1.15.2", "rule": 2},
    "ext": {"seen": "10.1.15.2", "rule": 2},
    "counter": 1,
    "docker": {"seen": "10.1.15.0", "rule": 2},
}
