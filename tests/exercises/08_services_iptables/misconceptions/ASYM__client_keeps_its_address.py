"""The client's address stays.

finds: 08.masq.node ASYM
"""

# answer: 08.masq
masq = {
    "web1": {"source": "10.1.15.3", "marked_by": "none"},
    "neighbour": {"source": "10.1.20.4", "marked_by": "none"},
    "node": {"source": "192.168.66.11", "marked_by": "none"},
    "outside": {"source": "192.168.66.100", "marked_by": "none"},
    "itself": {"source": "10.1.20.1", "marked_by": "KUBE-SEP"},
}
