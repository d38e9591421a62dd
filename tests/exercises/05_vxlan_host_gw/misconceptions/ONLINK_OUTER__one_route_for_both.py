"""The inner packet's route decides about the outer one.

finds: 05.router.route ONLINK_OUTER
"""

# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "router", "told": "nobody"},
    "vxlan": {
        "dst": "203.0.113.10",
        "ends_in": "ext",
        "route": "10.1.99.0/24 via 10.1.99.0 dev flannel.1 onlink",
    },
}
