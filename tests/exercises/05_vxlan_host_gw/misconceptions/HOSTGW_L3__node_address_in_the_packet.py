"""A next hop's address stands in the packet.

finds: 05.router.hostgw HOSTGW_L3
"""

# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "203.0.113.10", "ends_in": "router", "told": "nobody"},
    "vxlan": {
        "dst": "203.0.113.10",
        "ends_in": "ext",
        "route": "default via 192.168.66.1 dev eth0",
    },
}
