"""node1 does not reach this network.

finds: 05.router.hostgw SENDER_STOPS
"""

# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "node1", "told": "nobody"},
    "vxlan": {
        "dst": "203.0.113.10",
        "ends_in": "ext",
        "route": "default via 192.168.66.1 dev eth0",
    },
}
