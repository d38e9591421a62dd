"""There is no route left.

finds: 06.changes.gone NONE_LEFT
"""

# answer: 06.changes
changes = {
    "pod": {"writes": 0, "key": "/coreos.com/network/subnets/10.1.20.0-24"},
    "gone": {"node1": "10.1.20.0/24 via 192.168.66.12 dev eth0", "node3": "none"},
    "policy": {"answered": True, "chain": "FLANNEL-FWD"},
    "cidr": {"node1": True, "node2": False, "node3": False, "pods": False},
}
