"""All nodes are in 192.168.66.0/24.

finds: 05.router.route ON_LINK
"""

# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "router", "told": "nobody"},
    "vxlan": {"dst": "203.0.113.10", "ends_in": "ext", "route": "192.168.66.0/24 dev eth0"},
}
