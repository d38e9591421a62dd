"""node1 puts in its bridge's address.

finds: 11.matrix.cluster NODE_ADDRESS
"""

# answer: 11.matrix
matrix = {
    "a": {"fate": "delivered", "source": "10.1.15.1"},
    "b": {"fate": "dropped", "source": "nobody", "chain": "KUBE-EXTERNAL-SERVICES"},
    "c": {"fate": "delivered", "source": "203.0.113.10"},
    "d": {"fate": "delivered", "source": "10.1.15.2"},
    "e": {"fate": "delivered", "source": "192.168.66.11"},
}
