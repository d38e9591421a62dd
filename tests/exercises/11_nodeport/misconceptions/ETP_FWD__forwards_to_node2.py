"""Policy Local forwards to the node with the endpoint.

finds: 11.matrix.outside ETP_FWD
"""

# answer: 11.matrix
matrix = {
    "a": {"fate": "delivered", "source": "192.168.66.11"},
    "b": {"fate": "delivered", "source": "203.0.113.10", "chain": "KUBE-EXTERNAL-SERVICES"},
    "c": {"fate": "delivered", "source": "203.0.113.10"},
    "d": {"fate": "delivered", "source": "10.1.15.2"},
    "e": {"fate": "delivered", "source": "192.168.66.11"},
}
