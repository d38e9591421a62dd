"""flanneld on node1 does not reach its peer.

finds: 04.stopped.node2 SENDER_STOPS
"""

# answer: 04.stopped
stopped = {
    "node1": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router", "told": "nobody"},
    "node2": {"route": "10.1.0.0/16 dev flannel0", "ends_in": "node1", "told": "node1"},
}
