"""flannel0 and its route outlive flanneld.

finds: 04.stopped.node1 TUN_STAYS
"""

# answer: 04.stopped
stopped = {
    "node1": {"route": "10.1.0.0/16 dev flannel0", "ends_in": "node1", "told": "nobody"},
    "node2": {"route": "10.1.0.0/16 dev flannel0", "ends_in": "node2", "told": "node1"},
}
