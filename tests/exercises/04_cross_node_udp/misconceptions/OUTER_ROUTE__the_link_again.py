"""It goes out by eth0.

finds: 04.stopped.node2 OUTER_ROUTE
"""

# answer: 04.stopped
stopped = {
    "node1": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router", "told": "nobody"},
    "node2": {"route": "192.168.66.0/24 dev eth0", "ends_in": "node2", "told": "node1"},
}
