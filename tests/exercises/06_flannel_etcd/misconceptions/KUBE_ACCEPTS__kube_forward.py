"""kube-proxy lets pods' packets pass.

finds: 06.changes.policy KUBE_ACCEPTS
"""

# answer: 06.changes
changes = {
    "pod": {"writes": 0, "key": "/coreos.com/network/subnets/10.1.20.0-24"},
    "gone": {
        "node1": "10.1.20.0/24 via 192.168.66.12 dev eth0",
        "node3": "default via 192.168.66.1 dev eth0",
    },
    "policy": {"answered": True, "chain": "KUBE-FORWARD"},
    "cidr": {"node1": True, "node2": False, "node3": False, "pods": False},
}
