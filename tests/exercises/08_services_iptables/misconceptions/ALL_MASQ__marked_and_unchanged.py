"""A pod is marked, but keeps its address.

finds: 08.masq.pods ALL_MASQ
"""

# answer: 08.masq
masq = {
    "web1": {"source": "10.1.15.3", "marked_by": "KUBE-SVC"},
    "neighbour": {"source": "10.1.20.4", "marked_by": "KUBE-SEP"},
    "node": {"source": "192.168.66.11", "marked_by": "KUBE-SVC"},
    "outside": {"source": "192.168.66.11", "marked_by": "KUBE-SVC"},
    "itself": {"source": "10.1.20.1", "marked_by": "KUBE-SEP"},
}
