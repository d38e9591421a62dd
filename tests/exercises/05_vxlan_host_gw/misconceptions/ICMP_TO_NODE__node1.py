"""The router tells node1, which sent it.

finds: 05.router.told ICMP_TO_NODE
"""

# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "router", "told": "node1"},
    "vxlan": {
        "dst": "203.0.113.10",
        "ends_in": "ext",
        "route": "default via 192.168.66.1 dev eth0",
    },
}
