"""The router reads the pod's address.

finds: 05.router.vxlan POD_OUTER
"""

# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "router", "told": "nobody"},
    "vxlan": {"dst": "10.1.99.5", "ends_in": "ext", "route": "default via 192.168.66.1 dev eth0"},
}
