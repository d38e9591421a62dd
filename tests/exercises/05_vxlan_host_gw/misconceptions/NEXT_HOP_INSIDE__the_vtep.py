"""The packet goes to 10.1.99.0 next.

finds: 05.router.vxlan NEXT_HOP_INSIDE
"""

# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "router", "told": "nobody"},
    "vxlan": {"dst": "10.1.99.0", "ends_in": "ext", "route": "default via 192.168.66.1 dev eth0"},
}
