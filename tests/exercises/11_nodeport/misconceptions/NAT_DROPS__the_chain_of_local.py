"""The chain of local endpoints drops.

finds: 11.matrix.rule NAT_DROPS
"""

# answer: 11.matrix
matrix = {
    "a": {"fate": "delivered", "source": "192.168.66.11"},
    "b": {"fate": "dropped", "source": "nobody", "chain": "KUBE-SVL-PCUFIW2YEWHDTXBG"},
    "c": {"fate": "delivered", "source": "203.0.113.10"},
    "d": {"fate": "delivered", "source": "10.1.15.2"},
    "e": {"fate": "delivered", "source": "192.168.66.11"},
}
