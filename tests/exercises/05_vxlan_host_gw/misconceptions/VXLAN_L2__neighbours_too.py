"""vxlan needs neighbours on one link.

finds: 05.router.vxlan VXLAN_L2
"""

# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "router", "told": "nobody"},
    "vxlan": {
        "dst": "203.0.113.10",
        "ends_in": "router",
        "route": "default via 192.168.66.1 dev eth0",
    },
}
