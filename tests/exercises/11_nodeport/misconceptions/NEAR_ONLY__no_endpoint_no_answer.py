"""node1 has no endpoint, so its port is closed.

finds: 11.matrix.cluster NEAR_ONLY
"""

# answer: 11.matrix
matrix = {
    "a": {"fate": "dropped", "source": "nobody"},
    "b": {"fate": "dropped", "source": "nobody", "chain": "KUBE-EXTERNAL-SERVICES"},
    "c": {"fate": "delivered", "source": "203.0.113.10"},
    "d": {"fate": "delivered", "source": "10.1.15.2"},
    "e": {"fate": "delivered", "source": "192.168.66.11"},
}
