"""There is a route to that network.

finds: 05.router.route ROUTE_PER_NODE
"""

# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "router", "told": "nobody"},
    "vxlan": {
        "dst": "203.0.113.10",
        "ends_in": "ext",
        "route": "203.0.113.0/24 via 192.168.66.1 dev eth0",
    },
}
