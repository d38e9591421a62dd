"""node1 notices at once that flanneld on node2 stopped.

finds: 04.stopped.node2 LEASE_AT_ONCE
"""

# answer: 04.stopped
stopped = {
    "node1": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router", "told": "nobody"},
    "node2": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router", "told": "node1"},
}
