"""A next hop may be anywhere.

finds: 05.router.accepted HOSTGW_L3
"""

# answer: 05.router
router = {
    "accepted": True,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "router", "told": "nobody"},
    "vxlan": {
        "dst": "203.0.113.10",
        "ends_in": "ext",
        "route": "default via 192.168.66.1 dev eth0",
    },
}
