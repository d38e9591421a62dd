"""MASQUERADE puts in the bridge's address.

finds: 08.masq.node MASQ_BRIDGE
"""

# answer: 08.masq
masq = {
    "web1": {"source": "10.1.15.3", "marked_by": "none"},
    "neighbour": {"source": "10.1.20.4", "marked_by": "none"},
    "node": {"source": "10.1.15.1", "marked_by": "KUBE-SVC"},
    "outside": {"source": "10.1.15.1", "marked_by": "KUBE-SVC"},
    "itself": {"source": "10.1.20.1", "marked_by": "KUBE-SEP"},
}
