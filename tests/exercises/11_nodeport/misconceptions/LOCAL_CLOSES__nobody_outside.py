"""Policy Local serves the cluster only.

finds: 11.matrix.outside LOCAL_CLOSES
"""

# answer: 11.matrix
matrix = {
    "a": {"fate": "delivered", "source": "192.168.66.11"},
    "b": {"fate": "dropped", "source": "nobody", "chain": "KUBE-EXTERNAL-SERVICES"},
    "c": {"fate": "dropped", "source": "nobody"},
    "d": {"fate": "delivered", "source": "10.1.15.2"},
    "e": {"fate": "delivered", "source": "192.168.66.11"},
}
