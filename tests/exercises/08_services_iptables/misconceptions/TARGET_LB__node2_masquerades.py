"""The endpoint's own node puts in its address.

finds: 08.masq.node TARGET_LB
"""

# answer: 08.masq
masq = {
    "web1": {"source": "10.1.15.3", "marked_by": "none"},
    "neighbour": {"source": "10.1.20.4", "marked_by": "none"},
    "node": {"source": "192.168.66.11", "marked_by": "KUBE-SVC"},
    "outside": {"source": "192.168.66.12", "marked_by": "KUBE-SVC"},
    "itself": {"source": "10.1.20.1", "marked_by": "KUBE-SEP"},
}
