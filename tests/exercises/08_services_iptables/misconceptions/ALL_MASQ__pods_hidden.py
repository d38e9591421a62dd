"""Every client of a Service is masqueraded.

finds: 08.masq.pods ALL_MASQ
"""

# answer: 08.masq
masq = {
    "web1": {"source": "192.168.66.11", "marked_by": "KUBE-SVC"},
    "neighbour": {"source": "10.1.20.1", "marked_by": "KUBE-SVC"},
    "node": {"source": "192.168.66.11", "marked_by": "KUBE-SVC"},
    "outside": {"source": "192.168.66.11", "marked_by": "KUBE-SVC"},
    "itself": {"source": "10.1.20.1", "marked_by": "KUBE-SEP"},
}
