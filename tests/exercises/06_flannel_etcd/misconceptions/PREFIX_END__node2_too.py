"""10.1.20.0 begins like 10.1.0.0.

finds: 06.changes.cidr PREFIX_END
"""

# answer: 06.changes
changes = {
    "pod": {"writes": 0, "key": "/coreos.com/network/subnets/10.1.20.0-24"},
    "gone": {
        "node1": "10.1.20.0/24 via 192.168.66.12 dev eth0",
        "node3": "default via 192.168.66.1 dev eth0",
    },
    "policy": {"answered": True, "chain": "FLANNEL-FWD"},
    "cidr": {"node1": True, "node2": True, "node3": False, "pods": False},
}
