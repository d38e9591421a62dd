"""flanneld only sets up routes; the kernel carries the packets.

finds: 04.stopped.node1 CONTROL_ONLY
finds: 04.stopped.node2 CONTROL_ONLY
finds: 04.stopped.told -
"""

# answer: 04.stopped
stopped = {
    "node1": {"route": "10.1.0.0/16 dev flannel0", "ends_in": "backend", "told": "nobody"},
    "node2": {"route": "10.1.0.0/16 dev flannel0", "ends_in": "backend", "told": "nobody"},
}
