"""Policy Local refuses pods.

finds: 11.matrix.inside LOCAL_FOR_ALL
"""

# answer: 11.matrix
matrix = {
    "a": {"fate": "delivered", "source": "192.168.66.11"},
    "b": {"fate": "dropped", "source": "nobody", "chain": "KUBE-EXTERNAL-SERVICES"},
    "c": {"fate": "delivered", "source": "203.0.113.10"},
    "d": {"fate": "refused", "source": "nobody"},
    "e": {"fate": "delivered", "source": "192.168.66.11"},
}
